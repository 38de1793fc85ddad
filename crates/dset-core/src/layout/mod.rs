//! Datasets: which columns one has, and what stands in them.
//!
//! A layout makes rows of records: of a row of the input, joined with its answers. It names its
//! columns and their kinds before the first row, and keeps to them in every row, because readers take
//! the first rows, or the first of several files, for the kind of all. Nothing here is stored: a
//! dataset is worked out again whenever it is written. Files are written by the engine's containers,
//! which know nothing of layouts.

mod alpaca;
mod chat;
mod prompt_completion;
mod rows;
mod sharegpt;

use std::borrow::Cow;

use crate::answer::row::Row;

/// The layouts, in the order in which they are listed. Another one is a file here and a line in this
/// list.
pub const LAYOUTS: &[&dyn Layout] = &[
    &rows::Rows,
    &chat::Chat,
    &prompt_completion::PromptCompletion,
    &sharegpt::ShareGpt,
    &alpaca::Alpaca,
];

/// Returns the layout of this name.
#[must_use]
pub fn layout(name: &str) -> Option<&'static dyn Layout> {
    LAYOUTS.iter().copied().find(|layout| layout.name() == name)
}

/// How records become rows of a dataset.
pub trait Layout: Sync {
    /// Its name, as `--layout` takes it.
    fn name(&self) -> &'static str;

    /// What reads it, in a few words.
    fn about(&self) -> &'static str;

    /// Returns true if a row keeps all columns of the input where the user names none.
    fn keeps_all_columns(&self) -> bool {
        false
    }

    /// The columns of every row, in their order.
    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column>;

    /// Shows the rows of a record, each with a cell for every column, of the column's kind.
    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>]));
}

/// What is known of the records before the first of them.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Names of the input's columns that a dataset keeps, in their order.
    pub fields: Vec<String>,
}

/// A row of the input, joined with the answers to it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Names the row in every dataset, whatever becomes of the rows around it.
    pub id: &'a str,
    /// The row as a spreadsheet counts it, at the time of writing.
    pub row: u64,
    /// The question, trimmed.
    pub question: &'a str,
    /// The system prompt that was sent with it.
    pub system: Option<&'a str>,
    /// The user message that was sent.
    pub prompt: &'a str,
    /// A text for each of [`Shape::fields`].
    pub fields: &'a [&'a str],
    /// Its answers, model by model and sample by sample; at least one.
    pub answers: &'a [Row],
}

/// What the user may say of a layout.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Where the reasoning goes.
    pub reasoning: ReasoningPlace,
}

/// Where a layout for training has the reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReasoningPlace {
    /// In a field of its own: `reasoning_content` beside `content`.
    #[default]
    Field,
    /// Before the answer, between `<think>` and `</think>`, as R1 and its kin write it.
    Think,
    /// Nowhere.
    Drop,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; no two columns of a dataset have the same.
    pub name: String,
    /// The kind of each of its cells.
    pub kind: Kind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text. Unknown text is the empty one.
    Text,
    /// A whole number, 64 bits with a sign.
    Integer,
    /// A number of double precision.
    Float,
    /// True or false.
    Truth,
    /// A moment in UTC, by the millisecond.
    Time,
    /// A list of texts.
    Texts,
    /// A list of objects, each with exactly these keys, all of them texts.
    Objects(&'static [&'static str]),
}

/// What stands in one place of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Of [`Kind::Text`].
    Text(Cow<'a, str>),
    /// Of [`Kind::Integer`]; absent where the service did not say.
    Integer(Option<i64>),
    /// Of [`Kind::Float`]; absent where the service did not say.
    Float(Option<f64>),
    /// Of [`Kind::Truth`]; absent where it is not known.
    Truth(Option<bool>),
    /// Of [`Kind::Time`], Unix milliseconds.
    Time(i64),
    /// Of [`Kind::Texts`].
    Texts(Vec<Cow<'a, str>>),
    /// Of [`Kind::Objects`]: a text for each key.
    Objects(Vec<Vec<Cow<'a, str>>>),
}

impl<'a> Cell<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Cell<'a> {
        Cell::Text(text.into())
    }

    fn optional(text: &'a Option<String>) -> Cell<'a> {
        Cell::text(text.as_deref().unwrap_or_default())
    }

    fn count(count: Option<u64>) -> Cell<'a> {
        Cell::Integer(count.and_then(|count| i64::try_from(count).ok()))
    }
}

/// The names of the columns of ours, `dset_` before those that the user's own columns have taken.
fn own_columns(shape: &Shape, own: &[(&str, Kind)]) -> Vec<Column> {
    let named = |&(name, kind): &(&str, Kind)| {
        let taken = |name: &str| shape.fields.iter().any(|field| field == name);
        let mut name = name.to_owned();
        while taken(&name) {
            name.insert_str(0, "dset_");
        }
        Column { name, kind }
    };
    own.iter().map(named).collect()
}

/// The columns of a layout for training: its own, then what tells where a row is from, then the
/// columns of the input that are kept.
fn training_columns(shape: &Shape, own: &[(&str, Kind)]) -> Vec<Column> {
    let provenance = [("id", Kind::Text), ("model", Kind::Text), ("sample", Kind::Integer)];
    let kept = shape.fields.iter().map(|name| Column { name: name.clone(), kind: Kind::Text });
    let all: Vec<_> = own.iter().copied().chain(provenance).collect();
    own_columns(shape, &all).into_iter().chain(kept).collect()
}

/// Shows a row of a layout for training for every answer of a record.
fn training_rows<'a>(
    record: &'a Record<'_>,
    emit: &mut dyn FnMut(&[Cell<'_>]),
    own: impl Fn(&'a Row) -> Vec<Cell<'a>>,
) {
    for answer in record.answers {
        let mut cells = own(answer);
        cells.extend([
            Cell::text(record.id),
            Cell::optional(&answer.metadata.model),
            Cell::Integer(Some(answer.metadata.sample.unwrap_or(0).into())),
        ]);
        cells.extend(record.fields.iter().map(|&field| Cell::text(field)));
        emit(&cells);
    }
}

/// The answer as a model that thinks writes it, where its reasoning is to stand before it.
fn answer_text<'a>(answer: &'a Row, options: &Options) -> Cow<'a, str> {
    match options.reasoning {
        ReasoningPlace::Think if !answer.reasoning.is_empty() => {
            format!("<think>\n{}\n</think>\n\n{}", answer.reasoning.trim(), answer.answer).into()
        }
        _ => answer.answer.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::row::Metadata;

    fn answer(reasoning: &str, sample: Option<u32>) -> Row {
        Row {
            answered_at: 1_764_380_000_123,
            question: "Why?".into(),
            reasoning: reasoning.into(),
            answer: "Because.".into(),
            metadata: Metadata { model: Some("m".into()), sample, ..Metadata::default() },
        }
    }

    fn rows_of(layout: &dyn Layout, record: &Record<'_>, options: &Options) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        layout.rows(record, options, &mut |cells| {
            rows.push(cells.iter().map(|cell| format!("{cell:?}")).collect());
        });
        rows
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

        fn columns(&self, _: &Shape, _: &Options) -> Vec<Column> {
            vec![Column { name: "length".into(), kind: Kind::Integer }]
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
        let shapes = [vec![], vec!["topic", "id", "answer", "messages"]];
        let added: &[&dyn Layout] = &[&Lengths];
        for layout in LAYOUTS.iter().chain(added) {
            for fields in &shapes {
                for reasoning in
                    [ReasoningPlace::Field, ReasoningPlace::Think, ReasoningPlace::Drop]
                {
                    let options = Options { reasoning };
                    let shape =
                        Shape { fields: fields.iter().map(|&name| name.to_owned()).collect() };
                    let columns = layout.columns(&shape, &options);
                    let mut names: Vec<_> = columns.iter().map(|column| &column.name).collect();
                    names.sort();
                    names.dedup();
                    assert_eq!(names.len(), columns.len(), "{}: {names:?}", layout.name());
                    for system in [None, Some("Be brief.")] {
                        let record = Record {
                            id: "7",
                            row: 2,
                            question: "Why?",
                            system,
                            prompt: "Why?",
                            fields,
                            answers: &answers,
                        };
                        let mut seen = 0;
                        layout.rows(&record, &options, &mut |cells| {
                            seen += 1;
                            assert_eq!(cells.len(), columns.len(), "{}", layout.name());
                            for (cell, column) in cells.iter().zip(&columns) {
                                let fits = match (cell, column.kind) {
                                    (Cell::Text(_), Kind::Text)
                                    | (Cell::Integer(_), Kind::Integer)
                                    | (Cell::Float(_), Kind::Float)
                                    | (Cell::Truth(_), Kind::Truth)
                                    | (Cell::Time(_), Kind::Time)
                                    | (Cell::Texts(_), Kind::Texts) => true,
                                    (Cell::Objects(objects), Kind::Objects(keys)) => {
                                        objects.iter().all(|texts| texts.len() == keys.len())
                                    }
                                    _ => false,
                                };
                                assert!(fits, "{}: {cell:?} in {column:?}", layout.name());
                            }
                        });
                        assert_eq!(seen, 2, "{}", layout.name());
                    }
                }
            }
        }
    }

    #[test]
    fn reasoning_goes_where_the_user_wants_it() {
        let record = Record {
            id: "7",
            row: 2,
            question: "Why?",
            system: None,
            prompt: "Why?",
            fields: &[],
            answers: &[answer("Hm.", None)],
        };
        let chat = layout("chat").unwrap();
        let text = |reasoning| rows_of(chat, &record, &Options { reasoning })[0][0].clone();
        let field = text(ReasoningPlace::Field);
        assert!(field.contains(r#"["assistant", "Because.", "Hm."]"#), "{field}");
        assert!(field.contains(r#"["user", "Why?", ""]"#), "{field}");
        let think = text(ReasoningPlace::Think);
        assert!(think.contains(r#"<think>\nHm.\n</think>\n\nBecause."#), "{think}");
        let dropped = text(ReasoningPlace::Drop);
        assert!(dropped.contains("Because.") && !dropped.contains("Hm."), "{dropped}");
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
}
