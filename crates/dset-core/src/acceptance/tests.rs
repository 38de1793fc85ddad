use serde_json::{Map, json};

use super::*;
use crate::item::content::{Content, Role};

fn acceptance(schema: Option<serde_json::Value>, checks: serde_json::Value) -> Acceptance {
    let checks = serde_json::from_value(checks).unwrap();
    let schema = schema.map(|schema| Schema::new(schema).unwrap());
    Acceptance::new(schema, checks, &["gold".to_owned()]).unwrap()
}

fn accept(acceptance: &Acceptance, answer: &str) -> Verdicts {
    let fields = Map::from_iter([("gold".to_owned(), json!("1,234"))]);
    let item = Item::of_fields(&fields);
    let answer = Received { text: answer, is_cut: false, restore: Restore::default() };
    acceptance.accept(answer, &item)
}

/// What follows where the token limit cut this answer.
fn consequence_of_cut(schema: Option<serde_json::Value>, checks: serde_json::Value) -> Consequence {
    let nothing = Map::new();
    let answer = Received { text: "\"ha", is_cut: true, restore: Restore::default() };
    acceptance(schema, checks).accept(answer, &Item::of_fields(&nothing)).consequence()
}

#[test]
fn a_cut_answer_is_one_that_failed_a_check_and_is_asked_again_where_that_is_declared() {
    let lacks = json!({"name": "lacks", "pattern": "x"});
    let whole = |on_fail: &str| json!([{"name": "whole", "on-fail": on_fail}]);
    assert_eq!(consequence_of_cut(None, json!([lacks])), Consequence::Mark);
    // The schema alone would have it asked again, under the same limit.
    assert_eq!(consequence_of_cut(Some(person()), json!([])), Consequence::Mark);
    assert_eq!(consequence_of_cut(Some(person()), whole("retry")), Consequence::Retry);
    assert_eq!(consequence_of_cut(Some(person()), whole("keep")), Consequence::Retry);
    assert_eq!(consequence_of_cut(None, whole("retry")), Consequence::Retry);
    assert_eq!(consequence_of_cut(None, whole("keep")), Consequence::Accept);
    assert!(acceptance(None, json!([])).is_empty());
    assert!(!acceptance(None, whole("mark")).is_empty());
}

fn outcomes(verdicts: &Verdicts) -> Vec<(&str, Outcome)> {
    verdicts.list.iter().map(|verdict| (verdict.check.as_str(), verdict.outcome)).collect()
}

fn person() -> serde_json::Value {
    json!({"type": "object", "properties": {"answer": {"type": "number"}}, "required": ["answer"]})
}

#[test]
fn an_answer_is_held_against_the_schema_and_places_in_it_against_checks() {
    let acceptance = acceptance(
        Some(person()),
        json!([{"name": "equals", "on": "parsed.answer", "column": "gold", "as": "number"}, {"name": "length", "max": 50}]),
    );
    let good = accept(&acceptance, "```json\n{\"answer\": 1234.0}\n```");
    assert_eq!(good.consequence(), Consequence::Accept);
    assert_eq!(good.parsed.unwrap().value.to_string(), r#"{"answer":1234.0}"#);
    let bad = accept(&acceptance, r#"{"answer": "1234"}"#);
    let said = [
        ("schema", Outcome::Failed),
        ("equals", Outcome::Passed),
        ("length", Outcome::Passed),
        ("whole", Outcome::Passed),
    ];
    assert_eq!(outcomes(&bad), said);
    assert_eq!(
        (bad.list[0].reasons[0].place.as_str(), bad.consequence()),
        ("/answer", Consequence::Retry)
    );
    let none = accept(&acceptance, "I do not know.");
    assert_eq!(none.list[0].reasons[0].sentence, "there is no JSON in the answer");
    assert_eq!(none.list[1].outcome, Outcome::Failed);
    for broken in [r#"{"answer": 1, "answer": 2}"#, r#"{"answer": 1e999}"#, r#"{"answer": 12"#] {
        assert_eq!(accept(&acceptance, broken).list[0].outcome, Outcome::Failed, "{broken}");
    }
}

#[test]
fn what_is_not_known_never_passes_and_is_not_asked_again() {
    let checks =
        |on_fail: &str| json!([{"name": "command", "command": ["./check"], "on-fail": on_fail}]);
    let retry = acceptance(None, checks("retry"));
    let mut verdicts = accept(&retry, "x");
    assert_eq!(verdicts.consequence(), Consequence::Mark);
    assert_eq!(retry.commands().map(|(index, _)| index).collect::<Vec<_>>(), [0]);
    verdicts.replace(0, Judgement::Failed("no".into()));
    assert_eq!(verdicts.consequence(), Consequence::Retry);
    verdicts.replace(0, Judgement::Passed);
    assert_eq!(verdicts.consequence(), Consequence::Accept);
    assert_eq!(accept(&acceptance(None, checks("keep")), "x").consequence(), Consequence::Accept);
}

#[test]
fn what_a_failed_check_does_is_said_by_it() {
    let consequence = |checks: serde_json::Value| {
        accept(&acceptance(Some(person()), checks), r#"{"answer": "x"}"#).consequence()
    };
    assert_eq!(consequence(json!([])), Consequence::Retry);
    assert_eq!(consequence(json!([{"name": "schema", "on-fail": "mark"}])), Consequence::Mark);
    let keep = json!([{"name": "schema", "on-fail": "keep"}, {"name": "matches", "pattern": "y"}]);
    assert_eq!(consequence(keep), Consequence::Mark);
}

#[test]
fn its_fingerprint_changes_with_what_is_asked_of_answers_alone() {
    let of = |checks: serde_json::Value| acceptance(Some(person()), checks).fingerprint();
    let a = json!({"name": "length", "max": 5, "min": 1});
    let b = json!({"name": "lacks", "pattern": "x"});
    let same = of(json!([a, b]));
    assert_eq!(same, of(json!([{"name": "length", "min": 1, "max": 5, "on-fail": "keep"}, b])));
    for other in [
        json!([b, a]),
        json!([a]),
        json!([a, {"name": "matches", "pattern": "x"}]),
        json!([a, {"name": "lacks", "pattern": "x", "on": "/a"}]),
        json!([{"name": "length", "max": 6, "min": 1}, b]),
    ] {
        assert_ne!(same, of(other));
    }
    assert_ne!(same, acceptance(None, json!([a, b])).fingerprint());
}

#[test]
fn checks_of_one_name_are_labelled_by_what_they_say() {
    let declared = json!([
        {"name": "lacks", "pattern": "bad"},
        {"name": "schema", "on-fail": "keep"},
        {"name": "length", "max": 5},
        {"name": "lacks", "pattern": "ugly", "on": "a.b"},
    ]);
    let declared: Vec<Declaration> = serde_json::from_value(declared).unwrap();
    let labels = Acceptance::labels(true, &declared);
    assert_eq!(labels, ["schema", "lacks=bad", "length", "lacks=a.b,ugly", "whole"]);
}

#[test]
fn verdicts_have_the_names_of_the_declarations_in_their_order() {
    let a = json!({"name": "length", "max": 5});
    let schema = json!({"name": "schema", "on-fail": "keep"});
    for (has_schema, declared) in [
        (true, json!([a, schema])),
        (true, json!([])),
        (false, json!([a, {"name": "lacks", "pattern": "x"}])),
        (false, json!([{"name": "whole", "on-fail": "retry"}, a])),
    ] {
        let of = acceptance(has_schema.then(person), declared.clone());
        let list = accept(&of, "{}").list.into_iter().map(|verdict| verdict.check);
        let declared: Vec<Declaration> = serde_json::from_value(declared).unwrap();
        assert_eq!(list.collect::<Vec<_>>(), Acceptance::names(has_schema, &declared));
    }
}

#[test]
fn verdicts_of_before_are_known_by_their_fingerprint_unless_their_check_has_another_version() {
    let hash = |text: String| xxh3_128(format!("acceptance/1\n{text}").as_bytes()).to_be_bytes();
    assert_eq!(Acceptance::default().fingerprint(), hash(json!([1, null, []]).to_string()));
    let first = |name: &str, said: serde_json::Value| {
        hash(json!([1, null, [json!([name, null, said]).to_string()]]).to_string())
    };
    let length = acceptance(None, json!([{"name": "length", "max": 5}])).fingerprint();
    assert_eq!(length, first("length", json!([["max", 5]])));
    let equals = acceptance(None, json!([{"name": "equals", "column": "gold"}])).fingerprint();
    assert_ne!(equals, first("equals", json!([["column", "gold"]])));
}

#[test]
fn declarations_that_mean_nothing_are_refused_with_their_place() {
    let error = |checks: serde_json::Value| {
        let checks = serde_json::from_value(checks).unwrap();
        Acceptance::new(None, checks, &["gold".to_owned()]).unwrap_err()
    };
    let ok = json!({"name": "no-refusal"});
    let unknown = error(json!([ok, {"name": "no-refusals"}]));
    assert_eq!(unknown, AcceptanceError::Unknown { index: 1, name: "no-refusals".into() });
    let place = error(json!([{"name": "no-refusal", "on": "a..b"}]));
    assert!(matches!(place, AcceptanceError::Place { index: 0, .. }));
    let AcceptanceError::Check { error: column, .. } =
        error(json!([{"name": "equals", "column": "gol"}]))
    else {
        panic!("it is about a column");
    };
    assert_eq!(column.columns, ["gold"]);
    assert_eq!(
        error(json!([{"name": "schema", "on-fail": "keep"}])),
        AcceptanceError::Schema { index: 0 }
    );
}

#[test]
fn a_place_that_no_fitting_answer_has_is_refused_and_any_other_is_taken() {
    let place = |schema: serde_json::Value, on: &str| {
        let checks = json!([{"name": "length", "max": 5, "on": on}]);
        let schema = Some(Schema::new(schema).unwrap());
        Acceptance::new(schema, serde_json::from_value(checks).unwrap(), &[]).err()
    };
    let steps = json!({"type": "array", "items": {"type": "string"}});
    let closed = json!({"properties": {"n": {"type": "integer"}, "steps": steps},
        "additionalProperties": false});
    let AcceptanceError::Nowhere { names, .. } = place(closed.clone(), "answer.n").unwrap() else {
        panic!("it leads into nothing");
    };
    assert_eq!(names, ["n", "steps"]);
    for fine in ["n", "parsed.n", "/n", "steps.0"] {
        assert_eq!(place(closed.clone(), fine), None, "{fine}");
    }
    assert_eq!(place(person(), "other"), None, "other properties may be there");
    let mut with_more = closed;
    with_more["anyOf"] = json!([{}]);
    assert_eq!(place(with_more, "answer"), None);
}

#[test]
fn another_try_shows_the_answer_and_each_reason_with_its_place() {
    let acceptance =
        acceptance(Some(person()), json!([{"name": "lacks", "pattern": "x", "on-fail": "retry"}]));
    let answer = r#"{"answer": "x"}"#;
    let verdicts = accept(&acceptance, answer);
    let sent = Content::Text("Why?".into());
    let Content::Chat(turns) = another_try(&sent, answer, verdicts.reasons(), RetryWith::Reasons)
    else {
        panic!("it has turns");
    };
    assert_eq!(
        turns.iter().map(|turn| turn.role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::User]
    );
    assert_eq!(&*turns[1].text, answer);
    assert_eq!(
        &*turns[2].text,
        "This answer was not accepted:\n\
         - at `/answer`: this is not of type \"number\"; it is \"x\"\n\
         - `x` must not be in it\n\
         Answer the question again, with this put right."
    );
    assert_eq!(another_try(&sent, answer, verdicts.reasons(), RetryWith::Fresh), sent);
    assert_eq!(another_try(&sent, " \n", verdicts.reasons(), RetryWith::Reasons), sent);
    let chat = another_try(&Content::Chat(turns), answer, verdicts.reasons(), RetryWith::Reasons);
    assert_eq!(chat.texts().count(), 5);
}

#[test]
fn verdicts_that_take_away_what_was_accepted_wait_for_a_decision() {
    use Rejudgement::{Record, Same, Wait};
    let acceptance = acceptance(None, json!([{"name": "length", "max": 3}]));
    let terms = Terms::new(&acceptance, &crate::settings::Checks::default());
    let (good, bad) = (accept(&acceptance, "a").list, accept(&acceptance, "abcd").list);
    // As the store has them: nothing of one that passes everything.
    let (passed, failed) = (None, Some(&*bad));
    let (new, again) =
        (Occasion { is_new: true, replaces: false }, Occasion { is_new: false, replaces: false });
    for (before, now, how, becomes) in [
        (None, passed, new, Record),
        (None, failed, new, Record),
        (Some(&[][..]), passed, again, Same),
        (failed, failed, again, Same),
        (failed, failed, new, Same),
        (Some(&[][..]), failed, new, Wait),
        (Some(&*good), failed, new, Wait),
        (failed, passed, new, Record),
        (failed, passed, again, Wait),
        (Some(&[][..]), failed, again, Wait),
        (failed, failed, Occasion { replaces: true, ..new }, Record),
        (failed, failed, Occasion { replaces: true, ..again }, Wait),
    ] {
        assert_eq!(terms.rejudgement(before, now, how), becomes, "{before:?} {now:?} {how:?}");
    }
}
