use super::condition::Condition;
use super::*;
use crate::item::fields::Fields;
use crate::item::{Place, Status};

type Object = serde_json::Map<String, serde_json::Value>;

fn object(names: &[&str], cells: &[&str]) -> Object {
    names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), (*cell).into())).collect()
}

fn item<'a>(row_number: u64, text: &'a str, fields: &'a Object) -> Item<'a> {
    Item {
        place: Place::Row(row_number),
        text,
        turns: None,
        system: None,
        params: None,
        fields: Fields::Object(fields),
        bytes: &[],
        id: None,
        status: Status::Empty,
    }
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn render(source: &str, names: &[&str], cells: Vec<&str>) -> String {
    let template = Template::new(source, &columns(names)).unwrap();
    let fields = object(names, &cells);
    template.render(&item(2, cells[0], &fields)).unwrap().unwrap().text.into_owned()
}

#[test]
fn other_columns_are_named_by_their_header_and_nothing_is_escaped() {
    let text = render("{{ question }} <{{ topic }}>", &["prompt", "topic"], vec!["a", "b&c"]);
    assert_eq!(text, "a <b&c>");
    let text = render(r#"{{ row["Final grade"] }}"#, &["q", "Final grade"], vec!["a", " 1 "]);
    assert_eq!(text, " 1 ");
    assert_eq!(render("{{ column_2 }}\n", &["column_1", "column_2"], vec!["a", "b"]), "b\n");
}

#[test]
fn a_cell_that_a_short_row_lacks_is_empty() {
    let names = columns(&["q", "topic"]);
    let mut record = crate::csv::Record::default();
    crate::csv::Records::new(&b"a\n"[..]).next(&mut record).unwrap();
    let none = Object::new();
    let item = Item { fields: Fields::Cells(&names, &record), ..item(2, "a", &none) };
    let template = Template::new("{{ question }}{{ topic }}", &names).unwrap();
    assert_eq!(template.render(&item).unwrap().unwrap().text, "a");
    // Another file of the same input has the column, the row's own has not.
    let own = columns(&["q"]);
    let item = Item { fields: Fields::Cells(&own, &record), ..item };
    assert!(matches!(template.render(&item), Err(TemplateError::Row { row_number: 2, .. })));
    assert!(Condition::new("topic == ''", &names).unwrap().holds(&item).is_err());
}

#[test]
fn the_column_of_marks_is_no_field_of_a_row() {
    let request = |template: &str| {
        let template = template.to_owned();
        RequestSettings { template, ..RequestSettings::default() }
    };
    let shape = |fields: &[&str]| {
        let marks = Some("status".to_owned());
        Shape { fields: columns(fields), marks, ..Shape::of_texts() }
    };
    let source = "{{ question }}{% for name in row %} {{ name }}={{ row[name] }}{% endfor %}";
    let rendered = |names: &[&str], cells: &[&str]| {
        let prompts = Prompts::new(&request(source), &shape(names)).unwrap();
        let (names, mut record) = (columns(names), crate::csv::Record::default());
        crate::csv::Records::new(cells.join(",").as_bytes()).next(&mut record).unwrap();
        let none = Object::new();
        let item = Item { fields: Fields::Cells(&names, &record), ..item(2, "a", &none) };
        prompts.render(&item).unwrap().unwrap().user.into_owned()
    };
    let unmarked = rendered(&["question", "topic"], &["a", "b"]);
    assert_eq!(unmarked, "a question=a topic=b");
    for mark in [&["a", "b", "ERROR"][..], &["a", "b", ""], &["a", "b"]] {
        assert_eq!(rendered(&["question", "topic", "status"], mark), unmarked);
    }
    let named =
        Prompts::new(&request("{{ question }}{{ status }}"), &shape(&["question", "status"]));
    assert!(matches!(named.unwrap_err().error, TemplateError::Undefined { .. }));
}

#[test]
fn a_field_that_an_object_lacks_is_an_error_a_null_is_empty_and_mappings_keep_their_order() {
    let fields = serde_json::json!({"q": "a", "note": null, "m": {"z": 1, "a": [true, 0.5]}});
    let fields = fields.as_object().unwrap();
    let rendered = |source: &str| {
        let template = Template::new(source, &columns(&["q", "note", "m", "topic"])).unwrap();
        let message = template.render(&item(2, "a", fields))?;
        Ok::<_, TemplateError>(message.unwrap().text.into_owned())
    };
    assert!(matches!(rendered("{{ topic }}"), Err(TemplateError::Row { row_number: 2, .. })));
    assert_eq!(rendered("{{ q }}[{{ note }}]").unwrap(), "a[]");
    assert_eq!(rendered("{% for key in m %}{{ key }},{% endfor %}").unwrap(), "z,a,");
    assert_eq!(rendered("{{ m|tojson }}").unwrap(), r#"{"z": 1, "a": [true, 0.5]}"#);
}

#[test]
fn a_name_that_is_no_column_is_found_before_any_row() {
    let error = Template::new("{{ topc }}", &columns(&["question", "topic"])).unwrap_err();
    let known = columns(&["question", "topic"]);
    assert_eq!(error, TemplateError::Undefined { name: "topc".into(), known });
}

#[test]
fn a_column_named_in_brackets_that_is_not_there_fails_on_the_row() {
    let template = Template::new(r#"{{ row["x y"] }}"#, &columns(&["question"])).unwrap();
    let error = template.render(&item(7, "a", &object(&["question"], &["a"]))).unwrap_err();
    assert!(matches!(error, TemplateError::Row { row_number: 7, .. }), "{error:?}");
}

#[test]
fn a_row_is_empty_when_its_question_is_or_its_prompt_where_that_is_not_used() {
    let template = Template::new("{{ topic }}", &columns(&["question", "topic"])).unwrap();
    let fields = |cells: &[&str]| object(&["question", "topic"], cells);
    assert_eq!(template.render(&item(2, "", &fields(&["", "x"]))).unwrap().unwrap().text, "x");
    assert_eq!(template.render(&item(2, "a", &fields(&["a", " "]))).unwrap(), None);
    let template = Template::new(DEFAULT_TEMPLATE, &columns(&["question"])).unwrap();
    assert_eq!(template.render(&item(2, "", &fields(&[""]))).unwrap(), None);
}

#[test]
fn blanks_around_a_question_are_sent_and_are_no_part_of_its_key() {
    let code = "    return a + b  ";
    for (source, sent, keyed) in [
        (DEFAULT_TEMPLATE, code, "return a + b"),
        ("Mend: {{ question }}", "Mend:     return a + b  ", "Mend: return a + b"),
        ("{{ row['question'] }}", code, code),
    ] {
        let template = Template::new(source, &columns(&["question"])).unwrap();
        let fields = object(&["question"], &[code]);
        let prompt = template.render(&item(2, code, &fields)).unwrap().unwrap();
        assert_eq!(
            (&*prompt.text, prompt.keyed.as_deref().unwrap_or(&prompt.text)),
            (sent, keyed),
            "{source}"
        );
    }
    let template = Template::new(DEFAULT_TEMPLATE, &columns(&["question"])).unwrap();
    let fields = |text| object(&["question"], &[text]);
    assert_eq!(template.render(&item(2, " \n", &fields(" \n"))).unwrap(), None);
    let fields = fields("a");
    let prompt = template.render(&item(2, "a", &fields)).unwrap().unwrap();
    assert_eq!((&*prompt.text, prompt.keyed.as_deref().unwrap_or(&prompt.text)), ("a", "a"));
}

#[test]
fn broken_syntax_names_its_line() {
    let error = Template::new("a\n{{ question", &columns(&["question"])).unwrap_err();
    assert!(matches!(error, TemplateError::Syntax { line: 2, .. }), "{error:?}");
}

fn prompts(template: &str, system: &str) -> Result<Prompts, PromptError> {
    let request = RequestSettings {
        template: template.into(),
        system: Some(system.into()).filter(|_| !system.is_empty()),
        system_is_template: has_code(system),
        ..RequestSettings::default()
    };
    let fields = columns(&["question", "topic", "Final grade"]);
    Prompts::new(&request, &Shape { fields, ..Shape::of_texts() })
}

#[test]
fn a_template_in_which_no_column_stands_is_refused() {
    for source in [
        "Tell me a joke",
        "{{ 1 + 1 }}",
        "{# {{ question }} #}a",
        "{% raw %}{{ question }}{% endraw %}",
        "[question]",
        "<question>",
        "{}",
        "{0}",
        "QUESTION",
    ] {
        let error = prompts(source, "").unwrap().check(false).unwrap_err();
        let is_no_field = matches!(error.error, TemplateError::NoField { .. });
        assert!(is_no_field && error.role == Role::User, "{source}: {error:?}");
    }
    for source in ["{{ topic }}", "{{ row['Final grade'] }}", "{% if topic %}a{% endif %}"] {
        assert_eq!(prompts(source, "").unwrap().check(false), Ok(()), "{source}");
    }
    let blank = prompts(" \n", "").unwrap().check(false).unwrap_err();
    assert_eq!(blank.error, TemplateError::Blank);
}

#[test]
fn a_system_prompt_may_name_no_column_and_may_not_hold_a_placeholder() {
    for system in ["Be brief.", "", "Reply as {\"answer\": 1}", "{% raw %}{topic}{% endraw %}"] {
        assert_eq!(prompts(DEFAULT_TEMPLATE, system).unwrap().check(false), Ok(()), "{system}");
    }
    for system in ["About {topic}", "$question", "Say %s", "{{ topic }} {topic}"] {
        let error = prompts(DEFAULT_TEMPLATE, system).unwrap().check(false).unwrap_err();
        let is_placeholder = matches!(error.error, TemplateError::Placeholder { .. });
        assert!(is_placeholder && error.role == Role::System, "{system}: {error:?}");
    }
    let before = prompts(DEFAULT_TEMPLATE, "About {topic}").unwrap();
    assert_eq!(before.check(true), Ok(()), "what has answers is sent as it was");
}

#[test]
fn a_system_prompt_is_rendered_for_every_row_and_left_out_where_it_is_blank() {
    let prompts = prompts(DEFAULT_TEMPLATE, "{% if topic %}You know {{ topic }}.{% endif %}");
    let prompts = prompts.unwrap();
    let system = |topic| {
        let fields = object(&["question", "topic", "Final grade"], &["a", topic, ""]);
        let rendered = prompts.render(&item(2, "a", &fields)).unwrap().unwrap();
        rendered.system.map(|system| system.to_string())
    };
    assert_eq!(system("geo").as_deref(), Some("You know geo."));
    assert_eq!(system(""), None);
    assert!(!prompts.are_the_question_alone());
}

#[test]
fn without_an_input_a_template_is_judged_as_far_as_that_goes() {
    for source in ["{{ question }}", "{{ anything }} {topic}", "{{ row['x'] }}"] {
        assert_eq!(check_without_columns(source), Ok(()), "{source}");
    }
    for source in ["", "{question}", "Tell me", "{{ question", "$question", "%s"] {
        assert!(check_without_columns(source).is_err(), "{source}");
    }
}

#[test]
fn a_template_compares_and_multiplies_as_a_condition_does() {
    let fields = object(&["question", "level"], &["a", "6"]);
    let names = columns(&["question", "level"]);
    let filled = |source: &str| {
        let template = Template::new(source, &names).unwrap();
        template.render(&item(2, "a", &fields)).map(|message| message.unwrap().text.into_owned())
    };
    for (source, expected) in [
        ("{{ question }}{% if level > 25 %} BIG{% elif level >= 6 %} six{% endif %}", "a six"),
        ("{{ question }} {{ level == 6 }} {{ 'x' if level in [5, 6] else 'y' }}", "a True x"),
        ("{% for n in [5, 6, 7] if n > level %}{{ n }}{% endfor %}", "7"),
        ("{%- set n = level|int * 2 -%} {{ n }}{{ '-' * 3 }}", "12---"),
        ("{% raw %}{{ level > 1 }}{% endraw %}{# level * 2 #} {{ level }}", "{{ level > 1 }} 6"),
    ] {
        assert_eq!(filled(source).unwrap(), expected, "{source}");
    }
    let error = filled("{{ question }} {{ level * 2 }}").unwrap_err().to_string();
    assert!(error.contains("`|int`"), "{error}");
}

#[test]
fn a_null_is_empty_and_none_wherever_it_stands() {
    let fields = serde_json::json!({"question": "a", "x": null, "deep": {"x": null, "y": [null]}});
    let names = columns(&["question", "x", "deep"]);
    let item = item(2, "a", fields.as_object().unwrap());
    for (source, expected) in [
        ("[{{ x }}{{ row.x }}{{ deep.x }}{{ deep.y[0] }}]", "[]"),
        ("{{ x ~ row.x ~ deep.x }}{{ deep.x|upper }}{{ x|trim }}{{ x[:9] }}{{ x|length }}", "0"),
        (
            "{{ x is none }} {{ row.x is none }} {{ deep.x is none }} {{ x is not none }}",
            "True True True False",
        ),
        ("{{ x|tojson }} {{ deep|tojson }}", "null {\"x\": null, \"y\": [null]}"),
        ("{{ deep }} {{ deep.y }}", "{'x': None, 'y': [None]} [None]"),
        ("{% if x or row.x or deep.x %}some{% else %}none{% endif %}", "none"),
        ("{{ x|default('d', true) }}{% for c in x %}{{ c }}{% endfor %}", "d"),
    ] {
        let template = Template::new(source, &names).unwrap();
        assert_eq!(template.render(&item).unwrap().unwrap().text, expected, "{source}");
    }
}

#[test]
fn where_kinds_agree_a_template_says_what_jinja_says() {
    let fields = serde_json::json!({"question": "q", "a": 3, "b": 2.5, "t": "x", "xs": [1, 2, 3],
        "m": {"k": 4, "in": 5}});
    let names = columns(&["question", "a", "b", "t", "xs", "m"]);
    let item = item(2, "q", fields.as_object().unwrap());
    for source in [
        "{{ a > 1 }}{{ a > -1 }}{{ a >= b|int - 1 }}{{ 1 < a < 2 }}{{ 1 < a <= 3 }}",
        "{{ a * 2 + b * 3 - a / 2 * 4 // 1 % 5 }} {{ 2 * (a + b) * a }} {{ a ** 2 * -1 }} {{ -a * -2 }}",
        "{% if not (a > 1) or not a * 2 == 6 %}x{% elif a in xs and 9 not in xs %}y{% else %}z{% endif %}",
        "{% for k, v in m|items if v > 4 %}{{ k }}{{ v * 2 }}{% else %}none{% endfor %}",
        "{% for x in xs if x is odd and x != 3 %}{{ x }}{% endfor %}{{ [a, b] == [3, 2.5] }}",
        "{% set n = a * 2 %}{% set big = n > 5 %}{{ n }}{{ big }}{% with c = a > 1, d = 2 * 2 %}{{ c }}{{ d }}{% endwith %}",
        "{{ {'k': a > 1, 'l': a * 2} }}{{ xs[a - 2:] }}{{ xs[1 * 1] }}{{ m.in == 5 }}{{ m['k'] > 3 }}",
        "{{ 'yes' if a > 1 else 'no' }}{{ t * 3 }}{{ t ~ a * 2 }}{{ 'a > b' == t }}{{ t == \"x\" }}",
        "{{ xs|select('gt', 1)|list }}{{ xs|map('string')|join(' > ') }}{{ a is gt 1 }}{{ a is not in [1] }}",
        "{{ xs|length * 2 }}{{ range(a * 1)|list }}{{ a|default(b * 2) }}{{ 1e2 * 1.5 }}{{ (a > 1) and (b < 1) }}",
        "{% macro m2(x, y=2 * 3) %}{{ x > y }}{{ x * y }}{% endmacro %}{{ m2(a) }}{{ m2(a * 4, y=a > 1) }}",
        "{%- if a>1 -%} {{- a*2 -}} {%- endif -%}\n{{ a\n  > 1 }}{# a > 1 * 2 #}{% raw %}{{ a > 1 }}{% endraw %}",
        "{{ (a, b) == (3, 2.5) }}{{ xs * 2 }}{{ a > 1 == true }}{{ a if a > 9 else b if b > 1 else t }}",
    ] {
        let mut plain = minijinja::Environment::new();
        plain.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        plain.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let expected = plain.render_str(source, from_json(&fields));
        let template =
            Template::new(source, &names).unwrap_or_else(|error| panic!("{source}: {error}"));
        let found = template.render(&item).map(|message| message.unwrap().text.into_owned());
        let expected = expected.unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(found, Ok(expected), "{source}");
    }
}
