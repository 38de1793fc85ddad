//! A JSON Schema of files of settings, for editors: what the settings take, and nothing else.
//!
//! Not schemars: its schema is that of the types, and a file may say more than they do: a number as a
//! text, several words as one with commas, a switch as `on`. All of that would be written by hand as
//! before, and the types would need it declared twice.

#[cfg(test)]
mod tests;

use dset_core::acceptance::SCHEMA;
use dset_core::check::KINDS;
use dset_core::item::params::{TOOLS, setters};
use dset_core::provider::{FieldError, KEY_HEADERS, field, fields, presets};
use dset_engine::output::live::LIVE_FORMATS;
use serde_json::{Map, Value, json};

use crate::config_file::meaning;
use crate::own_prices::FIELDS;
use crate::setting::{Setting, ValueKind};

/// An amount of dollars: at most a million.
const DOLLARS: &str = r"^\s*\$?0*([0-9]{1,6}(\.[0-9]{1,6})?|1000000(\.0{1,6})?)\s*$";
/// The name of a variable.
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]{0,63}$";
/// A base URL, without a user and a password.
const URL: &str = r"\s*https?://[^\s,/?#@]+([/?#][^\s,]*)?\s*";
/// The parts of a span of time, like `1m30s` or `90`.
const AMOUNT: &str = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)";
const UNIT: &str = "(ms|s|min|m|h|d)";
/// The longest span in seconds.
const YEAR: u64 = 365 * 24 * 3600;

pub(in crate::command) fn schema() -> String {
    let mut properties = Map::new();
    for setting in Setting::all() {
        let mut of_setting = kind(&setting);
        of_setting["description"] = match setting.default_text() {
            Some(default) => format!("{} [default: {default}]", setting.help()).into(),
            None => setting.help().into(),
        };
        properties.insert(setting.name(), of_setting);
    }
    properties.insert("provider".into(), providers());
    properties.insert("prices".into(), prices());
    properties.insert("export".into(), datasets());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dset.toml",
        "description": "Settings of dset",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "$defs": {"provider": provider()},
    });
    format!("{schema:#}\n")
}

fn kind(setting: &Setting) -> Value {
    match (setting.id(), setting.value_kind()) {
        ("key", _) => json!({"type": "string", "pattern": VARIABLE}),
        ("base_url", _) => several(&[], URL),
        ("formats", _) => {
            let names = LIVE_FORMATS.iter().map(|format| any_case(format.name));
            let names = names.collect::<Vec<_>>().join("|");
            several(&[], &format!(r"\s*({names})\s*"))
        }
        ("backoff", _) => {
            several(&[json!({"type": "integer", "minimum": 0, "maximum": YEAR})], &span())
        }
        ("timeout" | "idle_timeout", _) => any(vec![
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": YEAR}),
            json!({"type": "string", "pattern": whole(&span()), "not": {"pattern": "^[^1-9]*$"}}),
        ]),
        ("max_cost" | "max_cost_run", _) => any(vec![
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}),
            json!({"type": "string", "pattern": DOLLARS, "not": {"pattern": "^[^1-9]*$"}}),
        ]),
        ("concurrency", _) => {
            let auto = format!(r"^\s*{}\s*$", any_case("auto"));
            let ValueKind::Whole { least, most } = setting.bounds() else { return json!({}) };
            any([vec![json!({"type": "string", "pattern": auto})], numbers(least, most)].concat())
        }
        (_, ValueKind::Words(words)) => {
            let switches = [true, false].into_iter();
            let switches = switches.filter(|is| meaning(&words, *is).is_some()).map(Value::from);
            json!({"enum": words.iter().cloned().map(Value::from).chain(switches).collect::<Vec<_>>()})
        }
        (_, ValueKind::Bool) => json!({"enum": [true, false, "true", "false"]}),
        (_, ValueKind::Whole { least, most }) => any(numbers(least, most)),
        (_, ValueKind::Number) => {
            let takes = |number: &u32| setting.read(&number.to_string()).is_ok();
            let most = (0..1000).take_while(takes).last().unwrap_or_default();
            let below = (0..most).map(|whole| whole.to_string()).collect::<Vec<_>>().join("|");
            let written = format!(r"^\+?0*(({below})?(\.[0-9]*)?|{most}(\.0*)?)$");
            let nothing = json!({"pattern": r"^\+?\.?$"});
            any(vec![
                json!({"type": "number", "minimum": 0, "maximum": most}),
                json!({"type": "string", "pattern": written, "not": nothing}),
            ])
        }
        (_, ValueKind::Fields) => params(),
        (_, ValueKind::Check) => checks(),
        ("schema", _) => any(vec![
            json!({"type": ["string", "integer"], "minLength": 1}),
            json!({"type": "object"}),
        ]),
        (_, ValueKind::List) => several(&[json!({"type": "integer"})], "[^,]*"),
        (_, ValueKind::WordOrNumber | ValueKind::Text) => {
            let least = usize::from(setting.read("").is_err());
            json!({"type": ["string", "integer"], "minLength": least})
        }
    }
}

fn any(ways: Vec<Value>) -> Value {
    json!({"anyOf": ways})
}

/// The pattern of a span of time. Every part but the last has its unit, as one without is seconds.
fn span() -> String {
    format!(r"\s*({AMOUNT}{UNIT}\s*)*{AMOUNT}{UNIT}?\s*")
}

fn whole(pattern: &str) -> String {
    format!("^({pattern})$")
}

/// One, or several in a list or separated by commas; words of this pattern, or other values.
fn several(other: &[Value], word: &str) -> Value {
    let of = |pattern: String| {
        let word = json!({"type": "string", "pattern": pattern});
        [other, &[word]].concat()
    };
    let list = json!({"type": "array", "minItems": 1, "items": any(of(whole(word)))});
    any([of(whole(&format!("({word})(,({word}))*"))), vec![list]].concat())
}

/// Whole numbers, also where they are written as text.
fn numbers(least: u64, most: u64) -> Vec<Value> {
    let mut number = json!({"type": "integer", "minimum": least});
    if i64::try_from(most).is_ok() {
        number["maximum"] = most.into();
    }
    let zero = if least == 0 { "|0+" } else { "" };
    let written = format!(r"^\+?(0*({}){zero})$", digits(most));
    vec![number, json!({"type": "string", "pattern": written})]
}

/// The pattern of the numbers from 1 to this one; of one that nobody writes, any number.
fn digits(most: u64) -> String {
    if most >= u64::from(u32::MAX) {
        return "[1-9][0-9]*".to_owned();
    }
    let text = most.to_string();
    let mut ways: Vec<String> = Vec::new();
    if text.len() > 1 {
        ways.push(format!("[1-9][0-9]{{0,{}}}", text.len() - 2));
    }
    for (at, digit) in text.bytes().enumerate() {
        let least = if at == 0 { b'1' } else { b'0' };
        if digit > least {
            let (before, below) = (&text[..at], char::from(digit - 1));
            let rest = text.len() - at - 1;
            ways.push(format!("{before}[{}-{below}][0-9]{{{rest}}}", char::from(least)));
        }
    }
    ways.push(text);
    ways.join("|")
}

/// The pattern of a word in small letters or large ones.
fn any_case(word: &str) -> String {
    word.chars().map(|c| format!("[{c}{}]", c.to_ascii_uppercase())).collect()
}

/// Services: of one that dset knows anything may be said, of another first where it is.
fn providers() -> Value {
    let known = presets().iter();
    let known: Map<String, Value> =
        known.map(|own| (own.id.clone(), json!({"$ref": "#/$defs/provider"}))).collect();
    let aliases: Vec<&String> = presets().iter().flat_map(|own| &own.aliases).collect();
    json!({
        "description": "Services of your own, by the name that stands before the slash in `model`",
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9_.-]+$", "not": {"enum": aliases}},
        "properties": known,
        "additionalProperties": {"$ref": "#/$defs/provider", "required": ["base-url"]},
    })
}

/// Further fields of requests, but for those that settings say.
fn params() -> Value {
    let whole = setters().filter(|(name, _)| !name.contains('.')).map(|(name, _)| name);
    let own: Vec<&str> = whole.chain(TOOLS).collect();
    let mut members: Map<String, Value> = Map::new();
    for (name, member) in setters().filter_map(|(name, _)| name.split_once('.')) {
        let object = members
            .entry(name)
            .or_insert_with(|| json!({"type": "object", "propertyNames": {"not": {"enum": []}}}));
        if let Some(Value::Array(names)) = object.pointer_mut("/propertyNames/not/enum") {
            names.push(member.into());
        }
    }
    json!({
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z0-9_.-]+$", "not": {"enum": own}},
        "properties": members,
    })
}

/// Checks that answers are held against; what each takes is told when they are made.
fn checks() -> Value {
    let names = KINDS.iter().map(|kind| kind.name).chain([SCHEMA]);
    let on_fail = ["retry", "mark", "keep"];
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"enum": names.collect::<Vec<_>>()},
                "on": {"type": "string", "description": "The place in the parsed answer that it judges"},
                "on-fail": {"enum": on_fail, "description": "What its failing does"},
            },
        },
    })
}

/// Prices, by the model, or by the service, a slash and the model.
fn prices() -> Value {
    let price = any(vec![
        json!({"type": "number", "minimum": 0, "maximum": 100_000}),
        json!({"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"}),
    ]);
    let fields: Map<String, Value> =
        FIELDS.iter().map(|name| ((*name).to_owned(), price.clone())).collect();
    json!({
        "description": "Prices of models in dollars a million tokens; they outrank those of dset",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "required": ["input", "output"],
            "properties": fields,
        },
    })
}

/// Datasets that a run writes at its end; a field is the flag of `dset export`.
fn datasets() -> Value {
    let fields: Map<String, Value> = crate::datasets::fields()
        .iter()
        .filter_map(|field| {
            let mut of = match field.get_action() {
                clap::ArgAction::SetTrue => json!({"type": "boolean"}),
                _ => json!({"type": ["string", "number", "array", "object"]}),
            };
            of["description"] = field.get_help()?.to_string().into();
            Some((field.get_long()?.to_owned(), of))
        })
        .collect();
    json!({
        "description": "Datasets that are written when a run has gone to its end",
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["to"],
            "properties": fields,
        },
    })
}

fn provider() -> Value {
    let properties: Map<String, Value> =
        fields().iter().map(|(name, empty)| (name.clone(), of_field(name, empty))).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn of_field(name: &str, empty: &Value) -> Value {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let table = |of: Value| json!({"type": "object", "additionalProperties": of});
    let word = match (name, words(name)) {
        (_, words) if !words.is_empty() => json!({"enum": words}),
        ("base-url", _) => text(&format!("^({URL})?$")),
        ("key-env", _) => text(VARIABLE),
        ("path", _) => text("^(/.*)?$"),
        ("auth-header", _) => text("^[a-z0-9_-]*$"),
        _ => json!({"type": "string"}),
    };
    match (name, empty) {
        (_, Value::String(_)) => word,
        (_, Value::Bool(_)) => json!({"type": "boolean"}),
        (_, Value::Array(_)) => any(vec![word.clone(), json!({"type": "array", "items": word})]),
        ("headers", _) => {
            let mut headers = table(text("^[ -~]*$"));
            let name = json!({"pattern": "^[a-z0-9_-]+$", "not": {"enum": KEY_HEADERS}});
            headers["propertyNames"] = name;
            headers
        }
        ("retired-models", _) => table(json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["used", "reasoning", "since"],
            "properties": {
                "used": {"type": "string"},
                "reasoning": {"type": "boolean"},
                "since": {"type": "string"},
            },
        })),
        (_, Value::Object(_)) => {
            table(json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}))
        }
        _ => json!({"type": "integer", "minimum": 0}),
    }
}

/// The words that a field takes where it takes no others: it names them where it is given another.
fn words(name: &str) -> Vec<String> {
    match field(name, json!("")) {
        Err(FieldError::WrongKind(takes)) if takes.contains('`') => {
            takes.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
