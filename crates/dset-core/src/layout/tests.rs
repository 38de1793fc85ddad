use std::sync::Arc;

use super::*;
use crate::answer::row::Metadata;

fn answer(reasoning: &str, sample: Option<u32>) -> Row {
    Row {
        answered_at: 1_764_380_000_123,
        question: "Why?".into(),
        reasoning: reasoning.into(),
        answer: "Because.".into(),
        metadata: Metadata { model: Some("m".into()), sample, ..Metadata::default() },
        reading: None,
    }
}

fn record<'a>(shape: &'a Shape, fields: &'a [Cell<'a>], answers: &'a [Row]) -> Record<'a> {
    Record {
        shape,
        id: "7",
        row: 2,
        question: "Why?",
        system: None,
        prompt: "Why?",
        turns: None,
        fields,
        answers,
        ranks: Some(&[1.0, 0.0]),
    }
}

fn rows_of(
    layout: &dyn Layout,
    record: &Record<'_>,
    reasoning: ReasoningPlace,
) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    layout.rows(record, &Options { reasoning }, &mut |cells| {
        rows.push(cells.iter().map(|cell| format!("{cell:?}")).collect());
    });
    rows
}

fn turns(turns: &[(Role, &str)]) -> Vec<Turn> {
    turns.iter().map(|(role, text)| Turn { role: *role, text: Arc::from(*text) }).collect()
}

/// One more layout, as the tests add it: one value in a list.
struct Lengths;

impl Layout for Lengths {
    fn name(&self) -> &'static str {
        "lengths"
    }

    fn about(&self) -> &'static str {
        "how long answers are"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Drop]
    }

    fn columns(&self, _: &Shape, _: &Options) -> Vec<Column> {
        vec![Column::new("length", Kind::Integer)]
    }

    fn rows(&self, record: &Record<'_>, _: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        for answer in record.answers {
            emit(&[Cell::count(Some(answer.answer.len() as u64))]);
        }
    }
}

#[test]
fn every_layout_has_as_many_cells_as_columns_each_of_its_kind_whatever_the_record() {
    let answers = [answer("", None), answer("Hm.", Some(1))];
    let chat =
        turns(&[(Role::System, "s"), (Role::User, "a"), (Role::Assistant, "b"), (Role::User, "c")]);
    let names = ["topic", "id", "question", "answer", "messages", "prompt", "generations"];
    let fields = names.map(|name| Column::new(name, Kind::Text));
    let shapes = [
        Shape::default(),
        Shape { fields: fields.to_vec(), has_values: true, has_reviews: true, ..Shape::default() },
        Shape { fields: fields.to_vec(), held: vec!["id", "question"], ..Shape::default() },
    ];
    let added: &[&dyn Layout] = &[&Lengths, &failed::Failed];
    for layout in LAYOUTS.iter().chain(added) {
        for (shape, &reasoning) in shapes
            .iter()
            .flat_map(|shape| layout.reasoning().iter().map(move |place| (shape, place)))
        {
            let options = Options { reasoning };
            let columns = layout.columns(shape, &options);
            let mut names: Vec<_> = columns.iter().map(|column| &column.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), columns.len(), "{}: {names:?}", layout.name());
            let cells: Vec<_> = shape.fields.iter().map(|field| Cell::text(&*field.name)).collect();
            for (system, turns) in [(None, None), (Some("Be brief."), Some(&*chat))] {
                let record = Record { system, turns, ..record(shape, &cells, &answers) };
                let mut seen = 0;
                layout.rows(&record, &options, &mut |cells| {
                    seen += 1;
                    assert_eq!(cells.len(), columns.len(), "{}", layout.name());
                    for (cell, column) in cells.iter().zip(&columns) {
                        assert!(
                            cell.is_of(column.kind),
                            "{}: {cell:?} in {column:?}",
                            layout.name()
                        );
                    }
                });
                let is_of_question = ["preference", "open-r1", "failed"].contains(&layout.name());
                assert_eq!(seen, if is_of_question { 1 } else { 2 }, "{}", layout.name());
            }
        }
    }
}

#[test]
fn an_answer_without_reasoning_has_no_marks_around_it() {
    let (shape, answers) = (Shape::default(), [answer(" \n", None)]);
    let record = record(&shape, &[], &answers);
    for (name, mark) in [("chat", "<think>"), ("thoughts", "begin_of_thought")] {
        let rows = rows_of(layout(name).unwrap(), &record, ReasoningPlace::Think);
        assert!(!format!("{rows:?}").contains(mark), "{name}: {rows:?}");
    }
}

#[test]
fn reasoning_goes_where_the_user_wants_it() {
    let (shape, answers) = (Shape::default(), [answer("Hm.", None)]);
    let record = record(&shape, &[], &answers);
    let chat = layout("chat").unwrap();
    let text = |reasoning| rows_of(chat, &record, reasoning)[0][0].clone();
    let field = text(ReasoningPlace::Field);
    assert!(field.contains(r#"["assistant", "Because.", "Hm."]"#), "{field}");
    assert!(field.contains(r#"["user", "Why?", ""]"#), "{field}");
    let think = text(ReasoningPlace::Think);
    assert!(think.contains(r#"<think>\nHm.\n</think>\n\nBecause."#), "{think}");
    let dropped = text(ReasoningPlace::Drop);
    assert!(dropped.contains("Because.") && !dropped.contains("Hm."), "{dropped}");
    let thoughts = &rows_of(layout("thoughts").unwrap(), &record, ReasoningPlace::Think)[0][1];
    let marked = r"<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nBecause.\n\n<|end_of_solution|>";
    assert!(thoughts.contains(marked), "{thoughts}");
}

#[test]
fn a_chat_is_exported_with_all_its_turns_or_not_at_all() {
    let (shape, answers) = (Shape::default(), [answer("", None)]);
    let said =
        turns(&[(Role::System, "s"), (Role::User, "a"), (Role::Assistant, "b"), (Role::User, "c")]);
    let record = Record { turns: Some(&said), ..record(&shape, &[], &answers) };
    let cell = |name, at: usize| {
        rows_of(layout(name).unwrap(), &record, ReasoningPlace::Drop)[0][at].clone()
    };
    let roles = ["system", "user", "assistant", "user", "assistant"];
    let texts = ["s", "a", "b", "c", "Because."];
    let messages: Vec<_> = roles.iter().zip(texts).map(|(role, text)| [*role, text]).collect();
    assert_eq!(cell("chat", 0), format!("Objects({messages:?})"));
    let sides = [["human", "a"], ["gpt", "b"], ["human", "c"], ["gpt", "Because."]];
    assert_eq!(cell("sharegpt", 0), format!("Objects({sides:?})"));
    assert_eq!(cell("sharegpt", 1), r#"Text("s")"#);
    for name in ["alpaca", "prompt-completion", "s1k"] {
        assert_eq!(layout(name).unwrap().unfit(&record), Some(Unfit::Turns), "{name}");
    }
    let one = turns(&[(Role::System, "s"), (Role::User, "a")]);
    let record = Record { turns: Some(&one), ..record };
    let alpaca = layout("alpaca").unwrap();
    assert_eq!(alpaca.unfit(&record), None);
    let row = &rows_of(alpaca, &record, ReasoningPlace::Drop)[0];
    let expected = ["a", "", "Because.", "s"].map(|text| format!("Text({text:?})"));
    assert_eq!(row[..4], expected);
}

#[test]
fn the_beginning_of_an_answer_is_in_the_answer_alone() {
    let (shape, answers) = (Shape::default(), [answer("", None), answer("", None)]);
    let begun = turns(&[(Role::User, "a"), (Role::Assistant, "Beca")]);
    let record = Record { turns: Some(&begun), ..record(&shape, &[], &answers) };
    for layout in LAYOUTS.iter().filter(|layout| layout.unfit(&record).is_none()) {
        let cells = rows_of(*layout, &record, ReasoningPlace::Drop).concat().join(" ");
        assert!(!cells.contains("\"Beca\""), "{}: {cells}", layout.name());
    }
    assert_eq!(layout("alpaca").unwrap().unfit(&record), None, "it is one question");
}

#[test]
fn a_preference_is_the_first_of_the_best_against_the_first_of_the_worst() {
    let shape = Shape::default();
    let answers =
        ["b", "a", "c", "a", "c"].map(|text| Row { answer: text.into(), ..answer("", None) });
    let preference = layout("preference").unwrap();
    let fit = |ranks: &'static [f64]| {
        let record = Record { ranks: Some(ranks), ..record(&shape, &[], &answers[..ranks.len()]) };
        let rows = rows_of(preference, &record, ReasoningPlace::Drop);
        (preference.unfit(&record), rows.first().map(|row| row[1..3].join(" ")))
    };
    let said = |text: &str| format!(r#"Objects([["assistant", "{text}"]])"#);
    let pair = format!("{} {}", said("c"), said("a"));
    assert_eq!(fit(&[1.0, 0.0, 2.0, 0.0, 2.0]), (None, Some(pair)));
    assert_eq!(fit(&[1.0, 1.0]), (Some(Unfit::Tie), None));
    assert_eq!(fit(&[1.0]), (Some(Unfit::OneAnswer), None));
}

#[test]
fn no_two_lines_of_batch_results_have_the_same_id() {
    let shape = Shape::default();
    let answers = [0, 0, 1].map(|sample| answer("", Some(sample)));
    let record = record(&shape, &[], &answers);
    let rows = rows_of(layout("batch-results").unwrap(), &record, ReasoningPlace::Drop);
    let ids: std::collections::HashSet<_> = rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn layouts_are_known_by_names_that_differ() {
    let mut names: Vec<_> = LAYOUTS.iter().map(|layout| layout.name()).collect();
    assert!(names.iter().all(|name| layout(name).is_some_and(|it| it.name() == *name)));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), LAYOUTS.len());
    assert!(layout("parquet").is_none());
}
