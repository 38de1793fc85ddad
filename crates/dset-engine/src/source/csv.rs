//! Questions from a CSV file, which is read here and never written.

use std::io;
use std::path::{Path, PathBuf};

use dset_core::csv::{
    AmbiguousColumn, Chosen, HeaderMode, Layout, LayoutError, Record, Records, RecordsError,
    SNIFFED_ROWS_MAX, UnquotedCommaDetector, ambiguous_column, declared_delimiter,
    delimiter_in_header, is_chat, is_header_word, second_among, survey_marked,
};
use dset_core::settings::Settings;
use dset_core::template::DEFAULT_TEMPLATE;
use fs_err::File;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::source::import::{begins_list, other_form};

/// How the input is to be read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// Whether the first row is a header.
    pub header: HeaderMode,
    /// The column with the questions, where somebody says so.
    pub column: Option<String>,
    /// The column that marks are known to have been written to.
    pub marks: Option<String>,
    /// Somebody says which columns are sent: in a template.
    pub has_template: bool,
}

impl SourceOptions {
    /// Returns how these settings read the input; `marks` is the column that the store knows to
    /// have marks.
    #[must_use]
    pub fn new(settings: &Settings, marks: Option<String>) -> SourceOptions {
        let has_template = settings.model().request.template != DEFAULT_TEMPLATE;
        let column = settings.column.clone();
        SourceOptions { header: settings.header, column, marks, has_template }
    }
}

/// Why there are no questions.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no `{}`", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// It is a folder, a pipe or a device: the input is read twice and marked, so it is a file.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
        /// It is a folder.
        is_folder: bool,
    },
    /// It may not be read.
    #[error("`{}` may not be read", path.display())]
    NoPermission {
        /// What was opened.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("`{}` is empty", path.display())]
    Empty {
        /// What was read.
        path: PathBuf,
    },
    /// The column that the user named is not there.
    #[error("cannot find the column `{column}` in `{}`", path.display())]
    NoSuchColumn {
        /// What was read.
        path: PathBuf,
        /// What was named.
        column: String,
        /// What there is.
        found: Vec<String>,
    },
    /// Its columns are not separated by commas.
    #[error("`{}` is not separated by commas", path.display())]
    Separated {
        /// What was read.
        path: PathBuf,
        /// The sign between its columns.
        by: u8,
    },
    /// Its first line names the sign between its columns, for spreadsheets.
    #[error("the first line of `{}` is for spreadsheets", path.display())]
    SeparatorLine {
        /// What was read.
        path: PathBuf,
        /// The sign that it names.
        by: u8,
    },
    /// Its name says that it holds something else than CSV.
    #[error("`{}` is not a CSV file", path.display())]
    NotCsv {
        /// What was read.
        path: PathBuf,
        /// How its name ends, in lower case.
        ending: String,
    },
    /// Nothing says which column holds the questions, and the first does not.
    #[error("cannot tell which column of `{}` holds the questions", path.display())]
    WhichColumn {
        /// What was read.
        path: PathBuf,
        /// The columns in question.
        doubt: AmbiguousColumn,
    },
    /// Two columns may be meant together, as the instruction and its input.
    #[error("`{}` has `{second}` beside `{first}`", path.display())]
    TwoColumns {
        /// What was read.
        path: PathBuf,
        /// The column that would be asked.
        first: String,
        /// The column that would not.
        second: String,
        /// Rows in which that says something.
        rows: u64,
    },
    /// Its questions are turns of chats.
    #[error("`{}` holds chats", path.display())]
    Chats {
        /// What was read.
        path: PathBuf,
        /// The column with them.
        column: String,
    },
    /// A question goes on in the cells behind it, so that what is asked would end at a comma.
    #[error("`{}`, row {row_number}, has a comma and no quotes around it", path.display())]
    Unquoted {
        /// What was read.
        path: PathBuf,
        /// The row as a spreadsheet counts it.
        row_number: u64,
        /// What stands before the first comma.
        before: String,
        /// What stands behind it.
        behind: String,
        /// The column with the questions, from 1.
        column: usize,
    },
    /// It is no text, or no CSV.
    #[error("`{}`: {error}", path.display())]
    Records {
        /// What was read.
        path: PathBuf,
        /// What is wrong with it, and where.
        error: RecordsError,
    },
}

/// The rows of a CSV file, one after the other.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    layout: Layout,
    records: Records<File>,
    record: Record,
    /// What tells a question that was cut; nothing where the user says which column it is.
    cuts: Option<UnquotedCommaDetector>,
}

impl Source {
    /// Opens a file and decides what its columns mean.
    pub fn open(path: &Path, options: &SourceOptions) -> Result<Source, SourceError> {
        let column = options.column.as_deref();
        let records = |error| records_error(path, error);
        let mut source = Source {
            path: path.to_owned(),
            layout: Layout {
                has_header: false,
                columns: Vec::new(),
                question: 0,
                chosen: Chosen::First,
                status: None,
                width: 0,
                is_spaced: false,
            },
            records: Records::new(open(path)?),
            record: Record::default(),
            cuts: None,
        };
        let read = source.records.next_strict(&mut source.record);
        if let Err(RecordsError::Backslash { .. } | RecordsError::StrayQuote { .. }) = read {
            // It may be no CSV at all, whose quotes mean something else.
            almost_csv(path, &source.record, options)?;
        }
        if !read.map_err(records)? {
            return Err(SourceError::Empty { path: path.to_owned() });
        }
        almost_csv(path, &source.record, options)?;
        source.layout = Layout::of_first(&source.record, options.header, column)
            .map_err(|error| layout_error(path, error))?;
        if source.layout.needs_survey() {
            let known = options.marks.as_deref();
            source.layout = survey_marked(open(path)?, options.header, column, known)
                .map_err(|error| layout_error(path, error))?;
        }
        let cuts =
            column.is_none().then(|| UnquotedCommaDetector::new(&source.record, &source.layout));
        source.rewind()?;
        if source.layout.chosen == Chosen::First && source.layout.columns.len() > 1 {
            source.doubt_first()?;
            source.rewind()?;
        }
        if !options.has_template {
            source.doubt_one()?;
        }
        source.cuts = cuts;
        Ok(source)
    }

    /// Fails where what would be asked is a part of what is meant: an instruction without its input, or
    /// a column beside the one with the chats.
    fn doubt_one(&mut self) -> Result<(), SourceError> {
        let columns: Vec<&str> = self.layout.columns.iter().map(String::as_str).collect();
        let path = self.path.clone();
        let chats = columns.iter().find(|name| is_chat(name)).filter(|_| self.layout.has_header);
        if let Some(chats) = chats.filter(|_| self.layout.chosen == Chosen::First) {
            return Err(SourceError::Chats { path, column: (*chats).to_owned() });
        }
        let second = second_among(&columns, self.layout.question);
        let Some(second) = second.filter(|_| self.layout.chosen == Chosen::ByName) else {
            return Ok(());
        };
        let name = |at: usize| self.layout.columns[at].clone();
        let (first_name, second_name) = (name(self.layout.question), name(second));
        let mut rows = 0;
        while let Some((_, row)) = self.next_row()? {
            rows += u64::from(row.cell(second).is_some_and(|cell| !cell.trim().is_empty()));
        }
        self.rewind()?;
        match rows {
            0 => Ok(()),
            rows => {
                Err(SourceError::TwoColumns { path, first: first_name, second: second_name, rows })
            }
        }
    }

    /// Fails where the first column was taken and holds numbers, beside another with sentences.
    fn doubt_first(&mut self) -> Result<(), SourceError> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        while rows.len() < SNIFFED_ROWS_MAX
            && let Some((_, row)) = self.next_row()?
        {
            rows.push(row.cells().map(str::to_owned).collect());
        }
        let path = self.path.clone();
        let doubt = ambiguous_column(&self.layout, &rows);
        doubt.map_or(Ok(()), |doubt| Err(SourceError::WhichColumn { path, doubt }))
    }

    /// Returns what the columns mean.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the next row, and what its columns mean; the header is none.
    pub fn next_row(&mut self) -> Result<Option<(&Layout, &Record)>, SourceError> {
        let more = self.records.next_strict(&mut self.record);
        let more = more.map_err(|error| records_error(&self.path, error))?;
        if self.cuts.is_some_and(|cuts| cuts.looks_split(&self.record)) {
            let column = self.layout.question + 1;
            let behind: Vec<&str> = self.record.cells().skip(column).collect();
            return Err(SourceError::Unquoted {
                path: self.path.clone(),
                row_number: self.record.row_number,
                before: self.record.cell(column - 1).unwrap_or_default().to_owned(),
                behind: behind.join(",").trim_end_matches(',').to_owned(),
                column,
            });
        }
        Ok(more.then_some((&self.layout, &self.record)))
    }

    /// Goes back to the first row.
    pub fn rewind(&mut self) -> Result<(), SourceError> {
        self.records = Records::new(open(&self.path)?);
        if self.layout.has_header {
            self.next_row()?;
        }
        Ok(())
    }
}

/// Fails where a file is questions in another form, which read as CSV would be asked as it is.
fn almost_csv(path: &Path, first: &Record, options: &SourceOptions) -> Result<(), SourceError> {
    let line = std::str::from_utf8(first.raw()).ok().filter(|_| first.line == 1);
    if let Some(by) = line.and_then(declared_delimiter) {
        return Err(SourceError::SeparatorLine { path: path.to_owned(), by });
    }
    let said = options.header == HeaderMode::No || options.column.is_some();
    // Whatever it is called.
    let text = line.unwrap_or_default();
    let is_json = begins_list(text) || serde_json::from_str::<Map<String, Value>>(text).is_ok();
    if !said && (is_json || other_form("", text.trim_end()).is_some()) {
        return Err(SourceError::NotCsv { path: path.to_owned(), ending: "json".to_owned() });
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let ending = ending.to_lowercase();
    let has_header = first.cells().any(is_header_word);
    match ending.as_str() {
        "jsonl" | "ndjson" | "json" | "yaml" | "yml" | "toml" | "xml" | "html" | "htm" | "md"
        | "markdown" => {}
        "tsv" | "txt" if !has_header => {}
        _ => {
            let by = delimiter_in_header(first, options.column.as_deref());
            return match by.filter(|_| options.header != HeaderMode::No) {
                Some(by) => Err(SourceError::Separated { path: path.to_owned(), by }),
                None => Ok(()),
            };
        }
    }
    if said { Ok(()) } else { Err(SourceError::NotCsv { path: path.to_owned(), ending }) }
}

pub(crate) fn open(path: &Path) -> Result<File, SourceError> {
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: path.to_owned() },
        io::ErrorKind::PermissionDenied => SourceError::NoPermission { path: path.to_owned() },
        _ => records_error(path, error.into()),
    };
    let metadata = fs_err::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        let is_folder = metadata.is_dir();
        return Err(SourceError::NotAFile { path: path.to_owned(), is_folder });
    }
    File::open(path).map_err(io)
}

fn records_error(path: &Path, error: RecordsError) -> SourceError {
    SourceError::Records { path: path.to_owned(), error }
}

pub(crate) fn layout_error(path: &Path, error: LayoutError) -> SourceError {
    let path = path.to_owned();
    match error {
        LayoutError::NoSuchColumn { column, found } => {
            SourceError::NoSuchColumn { path, column, found }
        }
        LayoutError::Empty => SourceError::Empty { path },
        LayoutError::Records(error) => SourceError::Records { path, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.csv");
        fs_err::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn error(bytes: &[u8]) -> SourceError {
        let (_folder, path) = written(bytes);
        Source::open(&path, &SourceOptions::default()).unwrap_err()
    }

    #[test]
    fn what_is_no_file_of_questions_is_refused_by_name() {
        let (folder, path) = written(b"");
        let open = |path: &Path| Source::open(path, &SourceOptions::default()).unwrap_err();
        assert!(matches!(open(folder.path()), SourceError::NotAFile { is_folder: true, .. }));
        assert!(matches!(open(&path.with_extension("tsv")), SourceError::Missing { .. }));
        assert!(matches!(open(&path), SourceError::Empty { .. }));
        assert!(matches!(error(b"\xef\xbb\xbf\n\n"), SourceError::Empty { .. }));
        assert!(matches!(error(b"caf\xe9\n"), SourceError::Records { .. }));
    }

    #[test]
    fn a_question_is_not_cut_at_a_comma() {
        let all = |bytes: &[u8], column: Option<&str>| {
            let (_folder, path) = written(bytes);
            let column = column.map(str::to_owned);
            let options = SourceOptions { column, ..SourceOptions::default() };
            let mut source = Source::open(&path, &options).unwrap();
            while source.next_row()?.is_some() {}
            Ok::<_, SourceError>(())
        };
        for bytes in [
            &b"question\na\nb, then?\n"[..],
            b"question,status\na,\nb, and then?\n",
            b"question,status\na,\nb,x,y\n",
            b"a\n\nb, then?\n",
        ] {
            let error = all(bytes, None).unwrap_err();
            assert!(matches!(error, SourceError::Unquoted { row_number: 3, .. }), "{error}");
        }
        for (bytes, column) in [
            (&b"question\na\nb, then?\n"[..], Some("question")),
            (b"question\n\"b, then?\"\nc,\nd,ERROR\n", None),
            (b"question,status\nb,\nc,todo later\n", None),
            (b"question,status\nb,\nc,x,y\n", Some("question")),
        ] {
            all(bytes, column).unwrap();
        }
    }

    #[test]
    fn a_first_line_for_spreadsheets_is_no_question() {
        for (bytes, sign) in [
            (&b"sep=;\r\nFrage;Thema\r\n"[..], b';'),
            (b"\xef\xbb\xbfsep=,\nquestion,status\n", b','),
            (b"\"sep=\t\"\nquestion\tstatus\n", b'\t'),
        ] {
            let error = error(bytes);
            assert!(
                matches!(error, SourceError::SeparatorLine { by, .. } if by == sign),
                "{error}"
            );
        }
    }

    #[test]
    fn rows_are_read_without_the_header_and_again_after_a_rewind() {
        let (_folder, path) = written(b"question,status\na,\n\nb,ERROR\n");
        let mut source = Source::open(&path, &SourceOptions::default()).unwrap();
        for _ in 0..2 {
            let mut rows = Vec::new();
            while let Some((_, row)) = source.next_row().unwrap() {
                rows.push((row.row_number, row.cell(0).unwrap().to_owned()));
            }
            assert_eq!(rows, [(2, "a".to_owned()), (4, "b".to_owned())]);
            source.rewind().unwrap();
        }
    }
}
