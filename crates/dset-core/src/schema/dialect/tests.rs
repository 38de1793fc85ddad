//! What each service is sent, as golden files; and that nothing that fits is ruled out.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::structured::Json;

fn convey(schema: Value, structured: Structured) -> Conveyed {
    Schema::new(schema).unwrap().convey(structured, "openai/gpt-oss-120b")
}

/// What stands in the field that holds the schema.
fn sent(conveyed: &Conveyed) -> &Value {
    let fields = &conveyed.fields;
    fields.get("response_format").map_or_else(
        || &fields["output_config"]["format"]["schema"],
        |format| &format["json_schema"]["schema"],
    )
}

fn reasons(schema: &Schema, value: &Value) -> Vec<crate::schema::Reason> {
    schema.reasons(&Json::parse(&value.to_string()).unwrap())
}

fn places(conveyed: &Conveyed) -> Vec<&str> {
    conveyed.changes.iter().map(|change| change.place.as_str()).collect()
}

fn everyday() -> Value {
    serde_json::from_str(include_str!("golden/schema.json")).unwrap()
}

#[test]
fn each_service_is_sent_what_its_golden_file_says() {
    for (structured, golden) in [
        (Structured::JsonSchema, include_str!("golden/json-schema.json")),
        (Structured::Openai, include_str!("golden/openai.json")),
        (Structured::Openrouter, include_str!("golden/openrouter.json")),
        (Structured::Groq, include_str!("golden/groq.json")),
        (Structured::Mistral, include_str!("golden/mistral.json")),
        (Structured::Gemini, include_str!("golden/gemini.json")),
        (Structured::Anthropic, include_str!("golden/anthropic.json")),
        (Structured::JsonObject, include_str!("golden/json-object.json")),
        (Structured::Prompt, include_str!("golden/prompt.json")),
    ] {
        let conveyed = convey(everyday(), structured);
        let changes = conveyed.changes.iter().map(|change| (change.place.clone(), change.becomes));
        let whole = json!({
            "method": format!("{:?}", conveyed.method),
            "fields": conveyed.fields,
            "sentence": conveyed.sentence,
            "may-stream": conveyed.may_stream,
            "changes": changes.collect::<Vec<_>>(),
        });
        let whole = serde_json::to_string_pretty(&whole).unwrap();
        assert_eq!(whole.trim(), golden.trim(), "{structured:?}: write it anew with\n{whole}");
    }
}

#[test]
fn a_model_that_takes_no_schema_is_asked_for_json_and_never_as_a_stream() {
    let conveyed = Schema::new(everyday()).unwrap().convey(Structured::Groq, "llama-3.3-70b");
    assert_eq!((conveyed.method, conveyed.may_stream), (Method::Json, false));
}

#[test]
fn every_service_is_asked_in_the_shape_of_its_requests() {
    let schema = Schema::new(everyday()).unwrap();
    for preset in crate::provider::presets() {
        let conveyed = preset.convey(&schema, "m");
        let is_anthropic = preset.dialect == Dialect::Anthropic;
        let field = if is_anthropic { "output_config" } else { "response_format" };
        let is_asked = conveyed.fields.contains_key(field) != conveyed.fields.is_empty();
        assert!(is_asked && conveyed.fields.is_empty() == (conveyed.method == Method::Prompt));
    }
    let own = Preset { dialect: Dialect::Anthropic, ..Preset::default() };
    assert_eq!(own.convey(&schema, "m").method, Method::Prompt);
}

#[test]
fn two_schemas_that_must_both_hold_are_sent_as_one() {
    let schema = json!({
        "allOf": [{"$ref": "#/$defs/a"}, {"properties": {"b": {"type": "integer"}}, "required": ["b"]}],
        "$defs": {"a": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}},
    });
    let conveyed = convey(schema, Structured::Openai);
    let merged = json!({
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": false,
    });
    assert_eq!(sent(&conveyed), &merged);
    assert_eq!(conveyed.method, Method::Strict);
}

#[test]
fn what_stands_beside_a_union_goes_into_each_of_its_forms() {
    let schema = json!({"type": "object", "properties": {"x": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }}, "required": ["x"]});
    let conveyed = convey(schema, Structured::JsonSchema);
    let forms = sent(&conveyed)["properties"]["x"]["anyOf"].as_array().unwrap();
    assert_eq!(forms[0]["required"], json!(["a"]));
    assert_eq!(forms[1]["required"], json!(["b"]));
    assert!(forms.iter().all(|form| form["properties"].as_object().unwrap().len() == 2));
}

#[test]
fn an_object_with_any_properties_is_never_closed() {
    let with = |more: Value| {
        let mut open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        open.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        open
    };
    let z = json!({"properties": {"z": {"type": "string"}}});
    let other = json!({"properties": {"a": {"type": "integer"}}, "required": ["z"]});
    for open in [
        json!({"type": "object"}),
        json!({"type": "object", "additionalProperties": {"type": "number"}}),
        json!({"type": "object", "patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": false}),
        with(json!({"additionalProperties": true})),
        with(json!({"unevaluatedProperties": {"type": "integer"}})),
        with(json!({"patternProperties": {"^x": {}}})),
        with(json!({"patternProperties": {"^x": {}}, "additionalProperties": false})),
        with(json!({"patternProperties": {"^x": {}}, "unevaluatedProperties": false})),
        with(json!({"required": ["z"]})),
        with(json!({"minProperties": 2})),
        with(json!({"propertyNames": {"pattern": "^[a-z]$"}})),
        with(json!({"propertyNames": {"enum": ["a", "z"]}})),
        with(json!({"dependentRequired": {"a": ["z"]}})),
        with(json!({"dependencies": {"a": ["z"]}})),
        with(json!({"dependentSchemas": {"a": {"required": ["z"]}}})),
        with(json!({"dependentSchemas": {"a": {"allOf": [z]}}})),
        with(json!({"if": {"required": ["a"]}, "then": z})),
        with(json!({"if": {"required": ["a"]}, "else": {"anyOf": [{"required": ["z"]}]}})),
        with(json!({"if": {"required": ["a"]}, "then": {"$ref": "#/$defs/z"}})),
        with(json!({"if": z, "then": {"required": ["a"]}})),
        with(json!({"not": z})),
        with(json!({"enum": [{"a": "1", "z": 1}]})),
        with(json!({"allOf": [other]})),
        with(json!({"allOf": [{"anyOf": [z, {}]}], "anyOf": [{"required": ["a"]}, {}]})),
        with(json!({"allOf": [{"allOf": [z, other]}]})),
        with(json!({"oneOf": [z, {}], "anyOf": [{"required": ["a"]}, {}]})),
        with(json!({"anyOf": [{"properties": {"a": {"type": "integer"}}}, z]})),
        with(json!({"anyOf": [{"allOf": [z, other]}, {"required": ["a"]}]})),
    ] {
        let schema = json!({
            "type": "object",
            "properties": {"x": open},
            "required": ["x"],
            "$defs": {"z": z},
        });
        let conveyed = convey(schema.clone(), Structured::Openai);
        assert_eq!(conveyed.method, Method::Schema, "{open}: {}", sent(&conveyed));
        assert_eq!(conveyed.obstacle.unwrap().place, "/properties/x");
        assert_eq!(conveyed.fields["response_format"]["json_schema"]["strict"], false);
        assert_eq!(convey(schema.clone(), Structured::Anthropic).method, Method::Prompt);
        assert_eq!(convey(schema.clone(), Structured::Groq).method, Method::Json);
        for structured in [Structured::JsonSchema, Structured::Mistral, Structured::Gemini] {
            let conveyed = convey(schema.clone(), structured);
            let sent = sent(&conveyed)["properties"]["x"].to_string();
            assert!(!sent.contains("\"additionalProperties\":false"), "{open}: {sent}");
        }
    }
}

#[test]
fn an_object_of_which_every_property_is_named_is_closed() {
    for more in [
        json!({"minProperties": 2, "propertyNames": {"enum": ["a", "b"]}}),
        json!({"dependentRequired": {"a": ["b"]}, "not": {"required": ["z"]}}),
        json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}}),
        json!({"patternProperties": {"^x": false}, "additionalProperties": false}),
    ] {
        let mut schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let conveyed = convey(schema, Structured::Openai);
        assert_eq!(conveyed.method, Method::Strict, "{more}");
        assert_eq!(sent(&conveyed)["additionalProperties"], false);
    }
}

#[test]
fn what_refers_to_itself_is_sent_where_that_is_taken() {
    let schema = json!({
        "$ref": "#/$defs/node",
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    });
    let openai = convey(schema.clone(), Structured::Openai);
    assert_eq!(openai.method, Method::Strict);
    assert!(openai.restore.nullable);
    assert_eq!(sent(&openai)["type"], "object", "the whole is no reference");
    assert_eq!(sent(&openai)["properties"], sent(&openai)["$defs"]["node"]["properties"]);
    let anthropic = convey(schema, Structured::Anthropic);
    assert_eq!(anthropic.obstacle.unwrap().why, "it refers to itself");
}

const DIALECTS: [Structured; 9] = [
    Structured::JsonSchema,
    Structured::Openai,
    Structured::Openrouter,
    Structured::Groq,
    Structured::Mistral,
    Structured::Gemini,
    Structured::Anthropic,
    Structured::JsonObject,
    Structured::Prompt,
];

#[test]
fn what_refers_to_itself_with_something_beside_the_reference_is_sent_too() {
    for beside in [
        json!({"nullable": true}),
        json!({"type": "object"}),
        json!({"type": ["object", "null"]}),
        json!({"required": ["v"]}),
        json!({"not": {"required": ["z"]}}),
        json!({"const": {"v": 1}}),
        json!({"unevaluatedProperties": true}),
        json!({"properties": {"next": {"required": ["v"]}}}),
        json!({"anyOf": [{"required": ["v"]}, {"$ref": "#", "required": ["next"]}]}),
        json!({"allOf": [{"$ref": "#"}, {"required": ["v"]}]}),
    ] {
        let mut next = json!({"$ref": "#"});
        next.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let schema =
            json!({"type": "object", "properties": {"v": {"type": "integer"}, "next": next}});
        for structured in DIALECTS {
            let conveyed = convey(schema.clone(), structured);
            if matches!(conveyed.method, Method::Strict | Method::Schema) {
                let reduced = Schema::new(sent(&conveyed).clone());
                assert!(reduced.is_ok(), "{structured:?}: {}", sent(&conveyed));
            }
        }
        let engines = convey(schema.clone(), Structured::JsonSchema);
        assert!(sent(&engines).to_string().contains("$ref"), "{}", sent(&engines));
    }
}

#[test]
fn a_service_that_counts_what_may_be_absent_gets_nulls_instead_or_words() {
    let schema = |count: usize| {
        let properties = (0..count).map(|at| (format!("p{at}"), json!({"type": "string"})));
        json!({"type": "object", "properties": Map::from_iter(properties)})
    };
    let few = convey(schema(24), Structured::Anthropic);
    assert_eq!((few.method, few.restore.nullable), (Method::Strict, false));
    let many = convey(schema(25), Structured::Anthropic);
    assert_eq!(many.method, Method::Prompt);
    assert_eq!(many.obstacle.unwrap().why, "more than 24 properties may be absent");
}

#[test]
fn what_is_no_object_is_asked_for_inside_one() {
    for schema in [
        json!({"enum": ["a", "b"]}),
        json!({"type": "array", "items": {"type": "integer"}}),
        json!({"allOf": [{"type": "string"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "string"}}}),
        json!({"allOf": [{"$ref": "#/$defs/u"}], "$defs": {"u": {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]}}}),
    ] {
        for structured in [Structured::Openai, Structured::JsonSchema, Structured::JsonObject] {
            let conveyed = convey(schema.clone(), structured);
            assert!(conveyed.restore.wrapped);
            if let Some(sentence) = conveyed.sentence {
                assert!(sentence.contains(r#""required":["value"]"#), "{sentence}");
            } else {
                assert_eq!(sent(&conveyed)["required"], json!(["value"]));
            }
        }
    }
}

#[test]
fn engines_get_only_what_all_of_them_read_alike() {
    let schema = json!({"type": "object", "required": ["a", "b", "c", "d", "e", "f"], "properties": {
        "a": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[A-Z]{3}$"},
        "b": {"type": "string", "pattern": "[0-9]+"},
        "c": {"type": ["string", "null"], "maxLength": 3},
        "d": {"const": 1},
        "e": {"type": "number", "minimum": 0.5},
        "f": {"type": "array", "maxItems": 3, "uniqueItems": true},
    }});
    let conveyed = convey(schema, Structured::JsonSchema);
    let reduced = json!({
        "a": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "b": {"type": "string"},
        "c": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "d": {"type": "integer", "enum": [1]},
        "e": {"type": "number"},
        "f": {"type": "array"},
    });
    assert_eq!(sent(&conveyed)["properties"], reduced);
    let left_out = [
        "/properties/a/minLength",
        "/properties/a/maxLength",
        "/properties/b/pattern",
        "/properties/c/maxLength",
        "/properties/e/minimum",
        "/properties/f/maxItems",
        "/properties/f/uniqueItems",
        "/additionalProperties",
    ];
    assert_eq!(places(&conveyed), left_out);
}

fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string", "maxLength": 3})),
        Just(json!({"type": "integer", "minimum": 0, "multipleOf": 2})),
        Just(json!({"enum": ["a", 1, null]})),
        Just(json!({"type": ["boolean", "null"]})),
        Just(json!({"const": "c"})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let object = (prop::collection::btree_map("[a-c]", inner.clone(), 1..4), 0..4_usize);
        let object = object.prop_map(|(properties, required)| {
            let required: Vec<_> = properties.keys().take(required).cloned().collect();
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
        });
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            object.clone(),
            object,
            inner.clone().prop_map(|items| json!({"type": "array", "items": items, "minItems": 1})),
            pair.prop_map(|(one, other)| json!({"anyOf": [one, other]})),
            inner.prop_map(|one| json!({"allOf": [one]})),
        ]
    })
}

/// A value that a schema of [`any_schema`] takes, absent properties left out or not.
fn example(schema: &Value, pick: &mut impl FnMut(usize) -> usize) -> Value {
    if let Some(forms) = schema.get("anyOf").or_else(|| schema.get("allOf")) {
        let forms = forms.as_array().unwrap();
        return example(&forms[pick(forms.len())], pick);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[pick(values.len())].clone();
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    match schema["type"].as_str() {
        Some("string") => ["", "abc"][pick(2)].into(),
        Some("integer") => [0, 4][pick(2)].into(),
        Some("array") => vec![example(&schema["items"], pick); 1 + pick(2)].into(),
        Some("object") => {
            let mut value = Map::new();
            for (name, own) in schema["properties"].as_object().unwrap() {
                let is_required = schema["required"].as_array().unwrap().contains(&json!(name));
                if is_required || pick(2) == 0 {
                    value.insert(name.clone(), example(own, pick));
                }
            }
            value.into()
        }
        _ => [Value::Null, true.into()][pick(2)].clone(),
    }
}

/// Writes null where a schema that was sent asks for a property that is absent.
fn with_nulls(sent: &Value, root: &Value, value: &Value) -> Vec<Value> {
    let sent = match sent.get("$ref").and_then(Value::as_str) {
        Some(target) => root.pointer(&target[1..]).unwrap(),
        None => sent,
    };
    if let Some(forms) = sent.get("anyOf").and_then(Value::as_array) {
        return forms.iter().flat_map(|form| with_nulls(form, root, value)).collect();
    }
    match (value, sent.get("properties").and_then(Value::as_object)) {
        (Value::Object(members), Some(properties)) => {
            let mut all = vec![Map::new()];
            for (name, own) in properties {
                let options = match members.get(name) {
                    Some(member) => with_nulls(own, root, member),
                    None => vec![Value::Null],
                };
                let grown = all.iter().flat_map(|value| {
                    options.iter().map(move |option| {
                        let mut value = value.clone();
                        value.insert(name.clone(), option.clone());
                        value
                    })
                });
                all = grown.take(64).collect();
            }
            all.into_iter().map(Value::Object).collect()
        }
        (Value::Array(items), _) if sent.get("items").is_some() => {
            let mut all = vec![Vec::new()];
            for item in items {
                let options = with_nulls(&sent["items"], root, item);
                let grown = all.iter().flat_map(|items| {
                    options
                        .iter()
                        .map(move |option| [&items[..], std::slice::from_ref(option)].concat())
                });
                all = grown.take(1024).collect();
            }
            all.into_iter().map(Value::from).collect()
        }
        _ => vec![value.clone()],
    }
}

/// A value without nulls: one that a property may have of itself cannot be told from its absence.
fn bare(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(bare).collect(),
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), bare(value))).collect())
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_answer_that_fits_is_ruled_out_by_what_is_sent(
        schema in any_schema(),
        picks in prop::collection::vec(0..6_usize, 64),
    ) {
        let schema = json!({"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": false});
        let mut at = 0;
        let value = example(&schema, &mut |count| { at += 1; picks[at % picks.len()] % count });
        let whole = Schema::new(schema.clone()).unwrap();
        prop_assert!(reasons(&whole, &value).is_empty());
        for structured in [Structured::JsonSchema, Structured::Mistral, Structured::Gemini, Structured::Anthropic] {
            let conveyed = whole.convey(structured, "m");
            if matches!(conveyed.method, Method::Strict | Method::Schema) && !conveyed.restore.nullable {
                let reduced = Schema::new(sent(&conveyed).clone()).unwrap();
                prop_assert_eq!(reasons(&reduced, &value), [], "{:?}: {}", structured, sent(&conveyed));
            }
        }
        let conveyed = whole.convey(Structured::Openai, "m");
        prop_assert_eq!(conveyed.method, Method::Strict);
        let reduced = Schema::new(sent(&conveyed).clone()).unwrap();
        let asked = with_nulls(sent(&conveyed), sent(&conveyed), &value);
        let fitting: Vec<_> = asked.iter().filter(|one| reasons(&reduced, one).is_empty()).collect();
        prop_assert!(!fitting.is_empty(), "{} of {}", value, sent(&conveyed));
        // Some form of it, once restored, is the value again; each fits the whole schema.
        let restored: Vec<Value> = fitting.iter().map(|one| {
            let json = Json::parse(&one.to_string()).unwrap();
            conveyed.restore.apply(&whole, json).to_value().unwrap()
        }).collect();
        let is_it = |one: &Value| reasons(&whole, one).is_empty() && bare(one) == bare(&value);
        prop_assert!(restored.iter().any(is_it), "{:?} of {}", restored, value);
    }
}

/// Keywords about objects of the names a, b and c, and of those that begin with x.
fn any_object() -> impl Strategy<Value = Value> {
    let names = || prop::sample::subsequence(vec!["a", "b", "c", "x1"], 1..3);
    let part = prop_oneof![
        names().prop_map(|names| json!({"required": names})),
        names().prop_map(|names| json!({"properties": Map::from_iter(
            names.iter().map(|name| ((*name).to_owned(), json!({"type": "integer"}))),
        )})),
        Just(json!({"patternProperties": {"^x": {"type": "integer"}}})),
        Just(json!({"dependentRequired": {"a": ["c"]}})),
        (1..4_u8).prop_map(|least| json!({"minProperties": least})),
        Just(json!({"propertyNames": {"pattern": "^[abx]"}})),
        Just(json!({"maxProperties": 1})),
    ];
    let keyword = part.prop_recursive(2, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone(),
            two.clone().prop_map(|(one, other)| json!({"anyOf": [one, other]})),
            two.clone().prop_map(|(one, other)| json!({"allOf": [one, other]})),
            two.clone().prop_map(|(one, other)| json!({"if": one, "then": other})),
            two.prop_map(|(one, other)| json!({"dependentSchemas": {"a": one, "b": other}})),
            inner.prop_map(|one| json!({"not": one})),
        ]
    });
    let closed =
        prop::option::of(prop::sample::select(vec![json!(false), json!({"type": "integer"})]));
    (prop::collection::vec(keyword, 1..4), closed).prop_map(|(keywords, closed)| {
        let mut schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
        let members = schema.as_object_mut().unwrap();
        keywords.into_iter().for_each(|more| members.extend(more.as_object().unwrap().clone()));
        members.extend(closed.map(|closed| ("additionalProperties".to_owned(), closed)));
        schema
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn where_answers_fit_some_fit_what_is_sent(schema in any_object()) {
        let whole = Schema::new(schema).unwrap();
        let values: Vec<Value> = (0..32_u8)
            .map(|bits| {
                let names = ["a", "b", "c", "x1", "other"].into_iter().enumerate();
                let there = names.filter(|(at, _)| bits & (1 << at) != 0);
                Value::Object(there.map(|(at, name)| (name.to_owned(), json!(at))).collect())
            })
            .filter(|value| reasons(&whole, value).is_empty())
            .collect();
        for structured in [Structured::JsonSchema, Structured::Mistral, Structured::Gemini, Structured::Anthropic, Structured::Openai] {
            let conveyed = whole.convey(structured, "m");
            if !matches!(conveyed.method, Method::Strict | Method::Schema) || conveyed.obstacle.is_some() {
                continue;
            }
            let sent = match conveyed.restore.wrapped {
                true => &sent(&conveyed)["properties"]["value"],
                false => sent(&conveyed),
            };
            let reduced = Schema::new(sent.clone()).unwrap();
            let can_be_written = |value: &Value| {
                let written = match conveyed.restore.nullable {
                    true => with_nulls(sent, sent, value),
                    false => vec![value.clone()],
                };
                written.iter().any(|one| {
                    let json = Json::parse(&one.to_string()).unwrap();
                    let restored = Restore { wrapped: false, ..conveyed.restore }.apply(&whole, json);
                    reasons(&reduced, one).is_empty() && restored.to_value().unwrap() == *value
                })
            };
            prop_assert!(values.is_empty() || values.iter().any(can_be_written), "{:?} {}", structured, sent);
        }
    }
}

/// Schemas of objects whose properties refer to the whole or to each other, with something beside that.
fn any_recursive() -> impl Strategy<Value = Value> {
    let targets = || prop::sample::select(vec!["#", "#/$defs/a", "#/$defs/b"]);
    let beside = || {
        prop::sample::select(vec![
            json!({}),
            json!({"description": "it"}),
            json!({"nullable": true}),
            json!({"type": "object"}),
            json!({"type": ["object", "null"]}),
            json!({"required": ["v"]}),
            json!({"minProperties": 1}),
            json!({"properties": {"v": {"minimum": 1}}}),
            json!({"properties": {"a": {"required": ["v"]}}}),
            json!({"additionalProperties": true}),
        ])
    };
    let with = |reference: &str, beside: Value| {
        let mut schema = json!({"$ref": reference});
        schema.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        schema
    };
    let leaf = (targets(), beside()).prop_map(move |(reference, beside)| with(reference, beside));
    let property = leaf.prop_recursive(2, 6, 2, move |inner| {
        let two = (inner.clone(), inner.clone());
        let union = (two.clone(), beside()).prop_map(|((one, other), beside)| {
            let mut schema = json!({"anyOf": [one, other]});
            schema.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
            schema
        });
        prop_oneof![
            inner.clone(),
            union,
            two.prop_map(|(one, other)| json!({"allOf": [one, other]})),
            inner.prop_map(|items| json!({"type": "array", "items": items})),
        ]
    });
    let object = || {
        (property.clone(), property.clone()).prop_map(|(a, b)| {
            json!({"type": "object", "properties": {"v": {"type": "integer"}, "a": a, "b": b}})
        })
    };
    (object(), object(), object()).prop_map(|(mut whole, a, b)| {
        whole["$defs"] = json!({"a": a, "b": b});
        whole
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_refers_to_itself_is_written_in_every_dialect_and_rules_nothing_out(schema in any_recursive()) {
        let whole = Schema::new(schema).unwrap();
        let node = |a: Value| json!({"v": 1, "a": a, "b": {"v": 2}});
        let values = [json!({"v": 1}), node(json!({"v": 3})), node(node(json!({"v": 4})))];
        for structured in DIALECTS {
            let conveyed = whole.convey(structured, "m");
            if !matches!(conveyed.method, Method::Strict | Method::Schema) || conveyed.restore.nullable {
                continue;
            }
            let reduced = Schema::new(sent(&conveyed).clone()).unwrap();
            for value in values.iter().filter(|value| reasons(&whole, value).is_empty()) {
                prop_assert_eq!(reasons(&reduced, value), [], "{:?}: {}", structured, sent(&conveyed));
            }
        }
    }
}

#[test]
fn what_is_said_of_a_field_beside_a_reference_is_sent() {
    let schema = json!({
        "type": "object",
        "required": ["ink", "paper", "next"],
        "properties": {
            "ink": {"$ref": "#/$defs/Color", "description": "of the letters"},
            "paper": {"$ref": "#/$defs/Color"},
            "next": {"anyOf": [{"$ref": "#", "description": "of the page behind"}, {"type": "null"}]},
        },
        "$defs": {"Color": {"type": "string", "enum": ["red", "blue"], "description": "a color"}},
    });
    let mut of_zod = schema.clone();
    of_zod["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    let dialects = [Structured::Openai, Structured::Mistral, Structured::JsonSchema];
    for (schema, structured) in
        [schema, of_zod].into_iter().flat_map(|schema| dialects.map(|one| (schema.clone(), one)))
    {
        let conveyed = convey(schema, structured);
        let sent = sent(&conveyed);
        let of = |name: &str| {
            let reference = sent["properties"][name]["$ref"].as_str().unwrap();
            sent.pointer(reference.trim_start_matches('#')).unwrap()["description"].clone()
        };
        assert_eq!((of("ink"), of("paper")), (json!("of the letters"), json!("a color")));
        assert!(sent.to_string().contains("of the page behind"), "{structured:?}: {sent}");
        assert!(Schema::new(sent.clone()).is_ok(), "{sent}");
    }
}

#[test]
fn more_values_than_a_service_takes_are_asked_for_in_another_way() {
    let schema = |count: usize, letters: usize| {
        let values: Vec<String> = (0..count).map(|at| format!("{at:0letters$}")).collect();
        json!({"type": "object", "properties": {"code": {"type": "string", "enum": values}}})
    };
    for (count, letters, is_taken) in
        [(1_000, 5, true), (1_001, 5, false), (251, 60, false), (250, 100, true)]
    {
        let conveyed = convey(schema(count, letters), Structured::Openai);
        assert_eq!(conveyed.method == Method::Strict, is_taken, "{count} of {letters}");
        assert_eq!(convey(schema(count, letters), Structured::Gemini).obstacle, None);
    }
}
