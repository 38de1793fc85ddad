//! What speaks against a file that is read as CSV: it would be asked, and paid for, otherwise than it
//! is meant.

use std::fmt;

use serde_json::{Map, Value};

use super::header_names::{SecondNames, is_header_word};
use super::layout::{Chosen, HeaderMode, Layout};
use super::other_form::{begins_list, other_form};
use super::records::Record;
use super::sniff::{AmbiguousColumn, declared_delimiter, delimiter_in_header};
use super::unquoted_comma::UnquotedCommaDetector;

/// Why a file is not asked as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspicion {
    /// Its columns are not separated by commas.
    Separated {
        /// The sign between its columns.
        by: u8,
    },
    /// Its first line names the sign between its columns, for spreadsheets.
    SeparatorLine {
        /// The sign that it names.
        by: u8,
    },
    /// Its name or its first line says that it holds something else than CSV.
    NotCsv {
        /// How its name ends, in lower case.
        ending: String,
    },
    /// Nothing says whether its lines are questions, or rows with commas between their cells.
    TextOrCsv,
    /// Nothing says which column holds the questions, and the first does not.
    WhichColumn {
        /// The columns in question.
        doubt: AmbiguousColumn,
    },
    /// Two columns may be meant together, as the instruction and its input.
    TwoColumns {
        /// The column that would be asked.
        first: String,
        /// The column that would not.
        second: String,
        /// Rows in which that says something.
        rows: u64,
    },
    /// A question goes on in the cells behind it, so that what is asked would end at a comma.
    UnquotedComma {
        /// The row as a spreadsheet counts it.
        row_number: u64,
        /// What stands before the first comma.
        before: String,
        /// What stands behind it.
        behind: String,
        /// The column with the questions, from 1.
        column: usize,
    },
}

/// What is suspected of a file with this name.
pub struct SuspectedFile<'a> {
    /// As it is shown.
    pub name: &'a dyn fmt::Display,
    /// Of what.
    pub suspicion: &'a Suspicion,
}

impl fmt::Display for SuspectedFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.suspicion {
            Suspicion::Separated { .. } => write!(f, "`{name}` is not separated by commas"),
            Suspicion::SeparatorLine { .. } => {
                write!(f, "the first line of `{name}` is for spreadsheets")
            }
            Suspicion::NotCsv { .. } => write!(f, "`{name}` is not a CSV file"),
            Suspicion::TextOrCsv => {
                write!(f, "cannot tell whether `{name}` is a text or a CSV file")
            }
            Suspicion::WhichColumn { .. } => {
                write!(f, "cannot tell which column of `{name}` holds the questions")
            }
            Suspicion::TwoColumns { first, second, .. } => {
                write!(f, "`{name}` has `{second}` beside `{first}`")
            }
            Suspicion::UnquotedComma { row_number, .. } => {
                write!(f, "`{name}`, row {row_number}, has a comma and no quotes around it")
            }
        }
    }
}

impl Suspicion {
    /// Tells whether a file whose name tells nothing may be a text with a question a line: its first line
    /// has a comma, and is no header. `header` and `column` are what the user says of it.
    #[must_use]
    pub fn may_be_text(first: &Record, header: HeaderMode, column: Option<&str>) -> bool {
        let is_told = header != HeaderMode::Auto || column.is_some();
        let is_quoted = first.raw().starts_with(b"\"");
        !is_told && !is_quoted && first.cells().count() > 1 && !first.cells().any(is_header_word)
    }

    /// Judges the first record of a file whose name ends like this; `header` and `column` are what
    /// the user says of it.
    #[must_use]
    pub fn of_form(
        first: &Record,
        ending: &str,
        header: HeaderMode,
        column: Option<&str>,
    ) -> Option<Suspicion> {
        let line = std::str::from_utf8(first.raw()).ok().filter(|_| first.line == 1);
        if let Some(by) = line.and_then(declared_delimiter) {
            return Some(Suspicion::SeparatorLine { by });
        }
        let is_told = header == HeaderMode::No || column.is_some();
        // By any name.
        let text = line.unwrap_or_default();
        let is_json = begins_list(text) || serde_json::from_str::<Map<String, Value>>(text).is_ok();
        if !is_told && (is_json || other_form("", text.trim_end()).is_some()) {
            return Some(Suspicion::NotCsv { ending: "json".to_owned() });
        }
        let ending = ending.to_lowercase();
        let has_header = first.cells().any(is_header_word);
        match ending.as_str() {
            "jsonl" | "ndjson" | "json" | "yaml" | "yml" | "toml" | "xml" | "html" | "htm"
            | "md" | "markdown" => {}
            "tsv" | "txt" if !has_header => {}
            _ => {
                let by = delimiter_in_header(first, column);
                let by = by.filter(|_| header != HeaderMode::No)?;
                return Some(Suspicion::Separated { by });
            }
        }
        (!is_told).then_some(Suspicion::NotCsv { ending })
    }

    /// Judges a file in which so many rows say something in this column, see [`second_columns`].
    #[must_use]
    pub fn of_second_column(layout: &Layout, second: usize, rows: u64) -> Option<Suspicion> {
        let name = |at: usize| layout.columns[at].clone();
        let (first, second) = (name(layout.question), name(second));
        (rows > 0).then_some(Suspicion::TwoColumns { first, second, rows })
    }

    /// Judges a row: whether its question is cut at a comma.
    #[must_use]
    pub fn of_row(
        detector: UnquotedCommaDetector,
        layout: &Layout,
        row: &Record,
    ) -> Option<Suspicion> {
        if !detector.looks_split(row) {
            return None;
        }
        let column = layout.question + 1;
        let behind: Vec<&str> = row.cells().skip(column).collect();
        Some(Suspicion::UnquotedComma {
            row_number: row.row_number,
            before: row.cell(column - 1).unwrap_or_default().to_owned(),
            behind: behind.join(",").trim_end_matches(',').to_owned(),
            column,
        })
    }
}

/// Returns the columns that may be meant with the question, where the question's was found by its name.
pub fn second_columns(layout: &Layout) -> impl Iterator<Item = usize> + '_ {
    let seconds = SecondNames::of(&layout.columns[layout.question]);
    let is_second =
        move |&at: &usize| layout.chosen == Chosen::ByName && seconds.contain(&layout.columns[at]);
    (0..layout.columns.len()).filter(is_second)
}
