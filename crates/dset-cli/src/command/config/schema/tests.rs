use std::path::Path;
use std::sync::LazyLock;

use dset_core::provider::Providers;
use regex_lite::Regex;
use toml_edit::DocumentMut;

use super::*;
use crate::config_file::{ConfigFile, json};

/// Tells whether a value is as a schema says, by the keywords that ours has.
fn fits(schema: &Value, root: &Value, value: &Value) -> bool {
    let fits_all = |schema: &Value, value: &Value| fits(schema, root, value);
    let matches =
        |pattern: &Value, text: &str| Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text);
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    };
    let number = value.as_f64();
    let within = |holds: &dyn Fn(f64) -> bool| number.is_none_or(holds);
    let fields = || value.as_object().into_iter().flatten();
    schema.as_object().unwrap().iter().all(|(keyword, says)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" => true,
        "$ref" => {
            fits_all(&root["$defs"][says.as_str().unwrap().trim_start_matches("#/$defs/")], value)
        }
        "type" => says.as_array().map_or_else(|| is(says), |kinds| kinds.iter().any(is)),
        "enum" => says.as_array().unwrap().contains(value),
        "anyOf" => says.as_array().unwrap().iter().any(|way| fits_all(way, value)),
        "not" => !fits_all(says, value),
        "pattern" => value.as_str().is_none_or(|text| matches(says, text)),
        "minLength" => {
            value.as_str().is_none_or(|text| text.len() as u64 >= says.as_u64().unwrap())
        }
        "minimum" => within(&|number| number >= says.as_f64().unwrap()),
        "maximum" => within(&|number| number <= says.as_f64().unwrap()),
        "exclusiveMinimum" => within(&|number| number > says.as_f64().unwrap()),
        "items" => value.as_array().into_iter().flatten().all(|item| fits_all(says, item)),
        "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= says.as_u64().unwrap()),
        "propertyNames" => fields().all(|(name, _)| fits_all(says, &name.as_str().into())),
        "required" => {
            says.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "properties" => {
            fields().all(|(name, field)| says.get(name).is_none_or(|of| fits_all(of, field)))
        }
        "additionalProperties" => fields().all(|(name, field)| {
            let is_known = schema.get("properties").is_some_and(|all| all.get(name).is_some());
            is_known || says.as_bool().unwrap_or_else(|| fits_all(says, field))
        }),
        other => panic!("the check lacks {other}"),
    })
}

/// Holds a file against the schema.
fn fits_schema(text: &str) -> bool {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&schema()).unwrap());
    let document: DocumentMut = text.parse().unwrap();
    fits(&SCHEMA, &SCHEMA, &json(document.as_item()))
}

/// Reads a file as every command does.
fn is_read(text: &str) -> bool {
    ConfigFile::parse(Path::new("dset.toml"), text).is_ok_and(|file| {
        let tables = file.providers.into_iter().map(|(id, own)| (id, own.table));
        Providers::from_tables(tables).is_ok()
    })
}

#[test]
fn the_schema_takes_what_dset_takes_and_nothing_else() {
    let table = [
        ("input", "'q.csv', 5 | '', 1.5, true, []"),
        ("output", "'out' | ''"),
        ("formats", "'csv', 'CSV, txt', ['json', 'txt'] | '', ' ', [], [''], true"),
        ("csv-bom", "true, 'false' | 1, 'yes'"),
        ("csv-id", "true, 'false' | 1, 'yes'"),
        ("model", "'m', '', 'a,b', 5, ['a', 'b/c'], [1, 'm'] | [], true, 1.5, ['a,b'], [true]"),
        ("samples", "1, 1000, '10', '+7', 5.0 | 0, 1001, '0', '1001', 'x', -1, 1.5, [1]"),
        (
            "base-url",
            "'http://h', 'https://h:1/v1/?a=b', 'http://a,http://b', ['http://h'] | \
                      '', 'h', 'ftp://h', 'http://me:x@h', ['http://a,http://b'], [], 5",
        ),
        ("key", "'none', 'MY_KEY' | '', 5, 'sk-1', ['A'], 'a b'"),
        ("system", "'', 'Be brief.', 5 | true, ['x']"),
        ("system-file", "'s.txt' | ''"),
        ("template", "'{{ question }}' | 0.5"),
        ("column", "'question', 1, '' | true, 1.5, ['x']"),
        ("header", "'auto', 'yes', true, false | 'on', 1, 'Yes'"),
        ("id", "'uuid', 5 | true"),
        ("where", "'level > 2' | true"),
        ("offset", "0, 5, '5' | -1, 'x', true"),
        ("sample", "'5%', '100', 100 | true"),
        ("on-bad-row", "'fail', 'skip' | true, 'stop'"),
        ("last", "'refuse', 'drop' | true, 'keep'"),
        ("split-on", "'---' | true"),
        ("config", "'default' | true"),
        ("split", "'test' | true"),
        (
            "concurrency",
            "32, 'auto', ' AUTO', '32', 4096, 5.0 | 0, 5000, '0', '4097', 'lots', 1.5, true",
        ),
        ("rpm", "10, '10', 4294967295 | 0, '0', 'x', -5, 4294967296"),
        ("tpm", "1, 99999999999999, '5' | 0, true"),
        ("share-pace", "true, false, 'on', 'off' | 'yes', 1, 'ON'"),
        (
            "max-cost",
            "20, 0.5, '20', '$0.50', ' 7 ' | 0, -1, 1000001, '0', '0.00', '', '20€', '1e3', 'NaN', true",
        ),
        ("max-cost-run", "1, '$1' | 0, 'much'"),
        ("max-output-bound", "1, '500' | 0, -1, ''"),
        ("off-peak", "true, 'true' | 'on', 1"),
        ("max-tokens", "1, '500' | 0, -1, ''"),
        (
            "temperature",
            "0, 2, 0.7, '0.7', '2', '2.0', '.5', '1.' | 5, 2.1, -0.1, '2.1', '5', '', '.', 'hot', true",
        ),
        ("reasoning", "true, 'off' | 'onn', 1"),
        ("reasoning-effort", "'low', 5 | true"),
        (
            "param",
            "{top_p = 0.5}, {a = [1], b = {c = 'x'}}, {thinking = {budget_tokens = 5}}, {} | \
                      'top_p=0.5', 5, {model = 'm'}, {thinking = {type = 'x'}}, {thinking = true}, {tools = []}, {'a b' = 1}",
        ),
        ("schema", "'answer.json', {type = 'object'} | '', true, [1]"),
        (
            "check",
            "[{name = 'no-refusal'}], [{name = 'length', max = 5, on-fail = 'keep'}] | 5, true, [{}], [{name = 'nope'}]",
        ),
        ("gold", "'answer', 5 | true"),
        ("on-fail", "'retry', 'mark', 'keep' | 'stop', true"),
        ("tries", "1, '3' | 0, -1, 'x', true"),
        ("enough", "1, '2' | 0, -1, true"),
        ("retry", "'reasons', 'fresh' | 'again', true"),
        ("retries", "0, 3, '0', '00', 1000 | -1, 1001, '1001', 'x'"),
        (
            "backoff",
            "60, 0, '1m', '1m,2m', '90', ['1m', 5], ['1m30s', '2h 5m'] | \
                     '', [], -5, 1.5, [1.5], 'soon', '1x', ['1m,2m'], true, '1 m'",
        ),
        (
            "timeout",
            "90, 0.5, '90s', '1m30', '1h 5m', '250ms', '.5s' | 0, '0s', '', 'soon', -1, '1 m', true",
        ),
        ("idle-timeout", "'5m', 1 | '0', 0.0, 99999999"),
        ("stream", "true, 'on' | 'auto'"),
        ("stop-loops", "true, 'true' | 'on', 1"),
        ("on-error", "'skip', 'pause' | true, 'stop'"),
        ("log-format", "'json', 'lines' | 'xml', true"),
        ("json", "false, 'false' | 'no'"),
        ("quiet", "true | 1"),
        ("verbose", "true | 'yes'"),
    ];
    assert_eq!(
        table.map(|(name, _)| name),
        *Setting::all().iter().map(Setting::name).collect::<Vec<_>>()
    );
    let mine = |field: &str| format!("[provider.mine]\nbase-url = 'http://h'\n{field}\n");
    let of_service = [
        ("dialect", "'chat', 'anthropic' | 'foo', '', 5"),
        ("key-env", "'MINE', ['A', 'B'], [] | 'sk-1', 5, ['']"),
        ("keyless", "true | 'true'"),
        ("hosts", "'h', ['a', 'b'], [] | 5, [5]"),
        ("path", "'/x', '' | 'x'"),
        ("auth-header", "'x-k' | 'X Y'"),
        (
            "headers",
            "{x = '1'}, {} | {X = '1'}, {authorization = 'x'}, 'x', {x = 5}, {x = \"a\\nb\"}",
        ),
        ("refuses", "[], 'stream-options', ['stream-options'] | 'x', ['x']"),
        ("reasoning-switch", "'adaptive' | 'x'"),
        ("lists-models", "'no' | true"),
        ("concurrency-max", "{m = 5} | {m = -1}, {m = 'x'}, 5"),
        (
            "retired-models",
            "{a = {used = 'b', reasoning = true, since = '2026-01-01'}} | {a = 'b'}, {a = {used = 'b'}}",
        ),
        ("max-tokens-default", "5 | -1, 'x', 1.5"),
        ("stream", "true | 'on'"),
        ("id", "| 'x'"),
    ];
    let lines = |(name, values): (&str, &str)| {
        let (good, bad) = values.split_once('|').unwrap();
        let mut lines = Vec::new();
        for (values, is_good) in [(good, true), (bad, false)] {
            let values: DocumentMut = format!("all = [{values}]").parse().unwrap();
            let values = values["all"].as_array().unwrap().iter();
            lines.extend(
                values.map(|value| (format!("{name} = {}", value.to_string().trim()), is_good)),
            );
        }
        lines
    };
    let of_service = of_service.into_iter().flat_map(lines);
    let of_service = of_service.map(|(line, is_good)| (mine(&line), is_good));
    let mut files: Vec<_> = table.into_iter().flat_map(lines).chain(of_service).collect();
    for (text, is_good) in [
        ("[provider.deepseek]\nkeyless = true", true),
        ("[provider.mine]\nkey-env = 'MINE'", false),
        ("[provider.Mine]\nbase-url = 'http://h'", false),
        ("[provider.google]\nbase-url = 'http://h'", false),
        ("[provider.mine]\nbase-url = 'h'", false),
        ("provider = 5", false),
        ("[[export]]\nto = 'a.jsonl'\nsplit = { train = 0.9, test = 0.1 }\nstrict = true", true),
        ("[[export]]\nlayout = 'chat'", false),
        ("[[export]]\nto = 'a.jsonl'\nlayuot = 'chat'", false),
        ("[[export]]\nto = 'a.jsonl'\nstrict = 'yes'", false),
        ("[export]\nto = 'a.jsonl'", false),
        ("modle = 'm'", false),
        ("", true),
    ] {
        files.push((text.to_owned(), is_good));
    }
    for (text, is_good) in files {
        assert_eq!(is_read(&text), is_good, "dset: {text}");
        assert_eq!(fits_schema(&text), is_good, "the schema: {text}");
    }
}

#[test]
fn the_examples_of_the_documentation_are_as_the_schema_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pages = fs_err::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for page in pages.filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let text = fs_err::read_to_string(&page).unwrap();
        for example in text.split("```toml\n").skip(1) {
            let example = example.split("```").next().unwrap();
            assert!(is_read(example) && fits_schema(example), "{}: {example}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 0, "{seen}");
}
