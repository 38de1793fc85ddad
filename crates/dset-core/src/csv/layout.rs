//! Which row is a header, and which columns hold the questions and their status.

use std::io::Read;

use thiserror::Error;

use super::ERROR;
use super::records::{Record, Records, RecordsError};
use crate::csv::header_names::{OWN_STATUS, STATUS, is_header_word, question_among};

/// Whether the first row is a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum HeaderMode {
    /// It is, if a cell of it is a word that headers have, or the column that the user names.
    #[default]
    Auto,
    /// It is.
    #[cfg_attr(feature = "clap", value(aliases = ["true", "on", "1"]))]
    Yes,
    /// It is a question.
    #[cfg_attr(feature = "clap", value(aliases = ["false", "off", "0"]))]
    No,
}

/// What the columns of an input mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The first row is a header.
    pub has_header: bool,
    /// The names of the columns: the header's cells, trimmed, or `column_1` and so on.
    pub columns: Vec<String>,
    /// The column with the questions, from 0.
    pub question: usize,
    /// Why `column` was chosen: named by the user, by its header or by its contents.
    pub chosen: Chosen,
    /// The column with the bookmarks, from 0, if there is one.
    pub status: Option<usize>,
    /// Cells of the widest row that was looked at.
    pub width: usize,
    /// The header has a blank behind each comma, so that one in front of a cell says nothing.
    pub is_spaced: bool,
}

/// Why a column is taken for the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// The user said so.
    ByUser,
    /// Its name says so.
    ByName,
    /// It is the first.
    First,
}

/// Why the columns mean nothing.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// The column that the user named is not there.
    #[error("there is no column `{column}`")]
    NoSuchColumn {
        /// The name or number as the user gave it.
        column: String,
        /// The header's names, in their order.
        found: Vec<String>,
    },
    /// There is no record at all.
    #[error("there is nothing in it")]
    Empty,
    /// It cannot be read.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Layout {
    /// Decides from the first record. The status column and the widest row are known only to
    /// [`survey`].
    pub fn of_first(
        first: &Record,
        header: HeaderMode,
        column: Option<&str>,
    ) -> Result<Layout, LayoutError> {
        let named = column.map(str::trim).filter(|column| column.parse::<usize>().is_err());
        let is_named =
            |cell: &str| named.is_some_and(|name| name.eq_ignore_ascii_case(cell.trim()));
        let has_header = match header {
            HeaderMode::Auto => first.cells().any(|cell| is_header_word(cell) || is_named(cell)),
            HeaderMode::Yes => true,
            HeaderMode::No => false,
        };
        let columns: Vec<String> = if has_header {
            first.cells().map(|cell| cell.trim().to_owned()).collect()
        } else {
            (0..first.len()).map(column_name).collect()
        };
        let named = || question_among(columns.iter().map(String::as_str));
        let (question, chosen) = match column {
            Some(column) => (find(&columns, column)?, Chosen::ByUser),
            None => match named().filter(|_| has_header) {
                Some(at) => (at, Chosen::ByName),
                None => (0, Chosen::First),
            },
        };
        let width = columns.len();
        let starts_blank = |name: &str| name.starts_with(char::is_whitespace);
        let mut names = first.cells().skip(1).filter(|name| !name.trim().is_empty()).peekable();
        let is_spaced = has_header && names.peek().is_some() && names.all(starts_blank);
        Ok(Layout { has_header, columns, question, chosen, status: None, width, is_spaced })
    }

    /// Returns the question of a row with the blanks around it, which may belong to it, as they do
    /// to code: all but those that stand behind every comma of the file.
    #[must_use]
    pub fn question_of<'a>(&self, row: &'a Record) -> &'a str {
        let question = row.cell(self.question).unwrap_or_default();
        match self.is_spaced && self.question > 0 && !row.is_quoted(self.question) {
            true => question.trim(),
            false => question,
        }
    }

    /// Returns the columns with this name that do not hold the questions.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let is_it =
            move |&at: &usize| at != self.question && self.columns[at].eq_ignore_ascii_case(name);
        (0..self.columns.len()).filter(is_it)
    }

    /// Returns true if what the rows say decides which column has the bookmarks.
    #[must_use]
    pub fn needs_survey(&self) -> bool {
        !self.has_header
            || [STATUS, OWN_STATUS].iter().any(|name| self.named(name).next().is_some())
    }

    /// Finds the column with the bookmarks by what every column says: ERROR somewhere, anything
    /// else somewhere. A column that says anything else is the user's own, unless marks are known
    /// to have been written to it, or its name leaves no doubt.
    fn find_status(&self, says: &[(bool, bool)], known: Option<&str>) -> Option<usize> {
        let says = |at: usize| says.get(at).copied().unwrap_or_default();
        let known = known.and_then(|name| self.named(name).next());
        if self.has_header {
            let is_free = |&at: &usize| !says(at).1;
            let own = || self.named(OWN_STATUS).next();
            return known.or_else(own).or_else(|| self.named(STATUS).find(is_free));
        }
        // A number is no name: columns may have moved, so that a mark must be in it.
        let known = known.filter(|&at| says(at).0);
        let mut after = self.question + 1..self.columns.len();
        let last_if_empty = after.clone().next_back().filter(|&at| says(at) == (false, false));
        let script = || after.find(|&at| says(at) == (true, false));
        known.or_else(script).or(last_if_empty)
    }

    /// Returns the name of a status column that is added: one that the user does not have, or the
    /// question column's own where that is called so too, since another spelling could be taken for
    /// the column that the user named.
    #[must_use]
    pub(crate) fn status_name(&self) -> &str {
        if self.named(STATUS).next().is_some() {
            return OWN_STATUS;
        }
        let question = self.columns.get(self.question).map(String::as_str);
        question.filter(|name| name.eq_ignore_ascii_case(STATUS)).unwrap_or(STATUS)
    }

    /// Returns the name of the column that marks go into, as [`survey`] takes it.
    #[must_use]
    pub fn marks_name(&self) -> String {
        match (self.status.and_then(|at| self.columns.get(at)), self.has_header) {
            (Some(name), _) => name.clone(),
            (None, true) => self.status_name().to_owned(),
            (None, false) => column_name(self.marks_column()),
        }
    }

    /// Returns the column that marks go into: the status column, or the one after the widest row.
    #[must_use]
    pub fn marks_column(&self) -> usize {
        self.status.unwrap_or(self.width.max(self.columns.len()))
    }
}

/// A column by its name, or by its number from 1.
fn find(columns: &[String], column: &str) -> Result<usize, LayoutError> {
    let exact = columns.iter().position(|own| own == column.trim());
    let any_case = || columns.iter().position(|own| own.eq_ignore_ascii_case(column.trim()));
    let number =
        || column.trim().parse::<usize>().ok()?.checked_sub(1).filter(|&n| n < columns.len());
    exact.or_else(any_case).or_else(number).ok_or_else(|| LayoutError::NoSuchColumn {
        column: column.to_owned(),
        found: columns.to_vec(),
    })
}

/// The name of a column that has none.
fn column_name(at: usize) -> String {
    format!("column_{}", at + 1)
}

/// Reads a whole input for what only the whole tells: the widest row and the status column. That
/// is, under a header, the one that is called so and says nothing but ERROR; without one the first
/// after the question whose non-empty cells all say ERROR, else the last if it is empty, as a mark
/// that was cleared leaves it.
pub fn survey(
    input: impl Read,
    header: HeaderMode,
    column: Option<&str>,
) -> Result<Layout, LayoutError> {
    survey_records(Records::new(input), header, column, None)
}

/// Does as [`survey`], with the name of the column that marks are known to have been written to.
pub fn survey_marked(
    input: impl Read,
    header: HeaderMode,
    column: Option<&str>,
    known: Option<&str>,
) -> Result<Layout, LayoutError> {
    survey_records(Records::new(input), header, column, known)
}

/// Does as [`survey_marked`] with records from their first on.
pub fn survey_records(
    mut records: Records<impl Read>,
    header: HeaderMode,
    column: Option<&str>,
    known: Option<&str>,
) -> Result<Layout, LayoutError> {
    let mut record = Record::default();
    if !records.next(&mut record)? {
        return Err(LayoutError::Empty);
    }
    let mut layout = Layout::of_first(&record, header, column)?;
    // Of each column: whether it says ERROR somewhere, and whether it says anything else.
    let mut says: Vec<(bool, bool)> = Vec::new();
    let looks_at_all = layout.needs_survey();
    let mut more = !layout.has_header || records.next(&mut record)?;
    while more {
        layout.width = layout.width.max(record.len());
        if looks_at_all {
            says.resize(says.len().max(record.len()), (false, false));
            for (cell, (error, other)) in record.cells().zip(&mut says) {
                match cell.trim() {
                    "" => {}
                    ERROR => *error = true,
                    _ => *other = true,
                }
            }
        }
        more = records.next(&mut record)?;
    }
    if !layout.has_header {
        layout.columns.extend((layout.columns.len()..layout.width).map(column_name));
    }
    layout.status = layout.find_status(&says, known);
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str, column: Option<&str>) -> Layout {
        survey(text.as_bytes(), HeaderMode::Auto, column).unwrap()
    }

    #[test]
    fn a_header_is_known_by_a_whole_cell_that_is_a_word_of_headers() {
        for (text, has_header) in [
            ("question,status\na,\n", true),
            (" Prompt ,x\na,b\n", true),
            ("id,Status\n1,\n", true),
            ("What is a question?\nb\n", false),
            ("id,name\n1,b\n", false),
        ] {
            assert_eq!(layout(text, None).has_header, has_header, "{text:?}");
        }
    }

    #[test]
    fn the_question_column_is_found_by_the_best_name_then_the_first() {
        for (text, column, expected) in [
            ("id,prompt,question\n", None, (2, Chosen::ByName)),
            ("id,text,prompt\n", None, (2, Chosen::ByName)),
            ("id,status\n", None, (0, Chosen::First)),
            ("id,Frage,status\n", Some("frage"), (1, Chosen::ByUser)),
            ("id,Frage,status\n", Some("2"), (1, Chosen::ByUser)),
            ("Nr,Aufgabe\n", Some("aufgabe"), (1, Chosen::ByUser)),
            ("a,b\n", Some("column_2"), (1, Chosen::ByUser)),
            ("status,x\n", Some("Status"), (0, Chosen::ByUser)),
        ] {
            let layout = layout(text, column);
            assert_eq!((layout.question, layout.chosen), expected, "{text:?}");
        }
        let missing = survey(&b"a,status\n"[..], HeaderMode::Auto, Some("b")).unwrap_err();
        assert!(
            matches!(missing, LayoutError::NoSuchColumn { found, .. } if found == ["a", "status"])
        );
    }

    #[test]
    fn without_a_header_the_status_column_is_the_first_that_says_nothing_but_error() {
        assert_eq!(layout("a,x,ERROR\nb,y,\n", None).status, Some(2));
        assert_eq!(layout("a,ERROR\nb,done\n", None).status, None);
        assert_eq!(layout("a,\nb,\n", None).status, Some(1));
        assert_eq!(layout("a,,\nb,,x\n", None).status, None);
        assert_eq!(layout("a\nb,c,d\n", None).marks_column(), 3);
    }

    #[test]
    fn a_status_column_that_says_anything_but_error_is_the_users_own() {
        let of = |text: &str| {
            let layout = layout(text, None);
            (layout.status, layout.marks_name(), layout.marks_column())
        };
        let own = |at| (None, "dset_status".to_owned(), at);
        let ours = |at, name: &str| (Some(at), name.to_owned(), at);
        for (text, expected) in [
            ("question,status\na,\nb, ERROR \n", ours(1, "status")),
            ("Status,question\n,a\n", ours(0, "Status")),
            ("question,status\na,OK\nb,ERROR\n", own(2)),
            ("question,status\na,error\n", own(2)),
            ("question,status\na,\nb,\nc,0\n", own(2)),
            ("question,status,Status\na,OK,\nb,,ERROR\n", ours(2, "Status")),
            ("question,status,dset_status\na,OK,\nb,,mine\n", ours(2, "dset_status")),
            ("question,status,DSET_STATUS\na,,ERROR\n", ours(2, "DSET_STATUS")),
            ("question,topic\na,ERROR\n", (None, "status".to_owned(), 2)),
            ("a,OK\nb,ERROR\n", (None, "column_3".to_owned(), 2)),
        ] {
            assert_eq!(of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_column_that_has_marks_of_ours_stays_ours_whatever_else_is_typed_into_it() {
        for (text, known, status) in [
            ("question,status\na,OK\nb,ERROR\n", "status", Some(1)),
            ("question,Status\na,OK\nb,\n", "status", Some(1)),
            ("question,dset_status,status\na,,ERROR\nb,,OK\n", "status", Some(2)),
            ("question,status\na,OK\n", "dset_status", None),
            ("a,done\nb,ERROR\n", "column_2", Some(1)),
            ("a,done\nb,open\n", "column_2", None),
        ] {
            let known = Some(known);
            let layout = survey_marked(text.as_bytes(), HeaderMode::Auto, None, known).unwrap();
            assert_eq!(layout.status, status, "{text:?}");
        }
    }
}
