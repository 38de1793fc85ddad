//! Tables: columns with a sign between them, and quotes around what has that sign.

use std::io::{self, Write};
use std::path::Path;

use dset_core::csv::{
    Chosen, Layout, Quotes, Record, Records, RecordsError, SNIFFED_ROWS_MAX, STATUS, Suspicion,
    UnquotedCommaDetector, ambiguous_column, is_chat, second_columns, survey_records,
};

use super::chat::{self, ExtractError, ExtractedQuestion, is_beside};
use super::{
    Form, ImportError, ImportOptions, Imported, Input, JsonPlace, NAMED_MAX, QUESTION, Text,
};
use crate::source::SourceError;

/// What takes a row, and its cells where its question was put together.
type EachRow<'a> = &'a mut dyn FnMut(&Record, Option<Vec<String>>) -> Result<(), ImportError>;

/// Writes a table with its columns as they are, but for the name of the one with the questions, and
/// for questions that were cut at a comma or a semicolon.
pub(super) fn write(
    input: &Input<'_>,
    by: u8,
    options: &ImportOptions,
    writer: &mut csv::Writer<impl Write>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let table = Table::open(input, by, options)?;
    let layout = &table.layout;
    imported.quotes = table.quotes;
    imported.form = Form::Table { by, has_header: layout.has_header };
    imported.column = layout.columns.get(layout.question).cloned().unwrap_or_default();
    let survey = table.survey(imported)?;
    if let Some((second, rows)) = survey.second {
        let (path, name) = (input.path.to_owned(), |at: usize| layout.columns[at].clone());
        let (first, second) = (name(layout.question), name(second));
        return Err(ImportError::TwoFields { path, first, second, rows });
    }
    if imported.left.rows > 0 && !options.first_turn_only {
        let (path, left) = (input.path.to_owned(), imported.left);
        return Err(ImportError::LeftOut { path, left, of: survey.rows });
    }
    let mut names = names(layout);
    // A column without a name has one all the same: none may be taken for the rest of a question.
    names.resize(survey.width, String::new());
    writer.write_record(&names).map_err(io::Error::from)?;
    let first = table.copy(&names, writer, imported)?;
    if let Some(doubt) = ambiguous_column(layout, &first) {
        let (path, suspicion) = (input.path.to_owned(), Suspicion::WhichColumn { doubt });
        return Err(SourceError::Suspicious { path, suspicion }.into());
    }
    Ok(())
}

/// A table as it is read.
struct Table<'a> {
    input: &'a Input<'a>,
    by: u8,
    quotes: Quotes,
    layout: Layout,
    /// Questions that were cut at the sign between columns are joined again.
    mends: bool,
}

/// What a pass over all rows shows.
struct Survey {
    rows: u64,
    /// The most cells of a row.
    width: usize,
    /// A column that may be a part of the question, and in how many rows it has something.
    second: Option<(usize, u64)>,
}

impl<'a> Table<'a> {
    fn open(
        input: &'a Input<'a>,
        by: u8,
        options: &ImportOptions,
    ) -> Result<Table<'a>, ImportError> {
        let column = options.column.as_deref();
        let quotes = quotes(input, by)?;
        let records = open(input, by)?.with_quotes(quotes);
        let layout = survey_records(records, options.header, column, None);
        let mut layout = layout.map_err(|error| input.fails(error))?;
        let chats = layout.columns.iter().position(|name| is_chat(name));
        if let Some(chats) = chats.filter(|_| layout.has_header && layout.chosen == Chosen::First) {
            (layout.question, layout.chosen) = (chats, Chosen::ByName);
        }
        // With `--column` somebody says what is meant.
        let mends = column.is_none() && matches!(by, b',' | b';');
        Ok(Table { input, by, quotes, layout, mends })
    }

    fn for_each_row(&self, each: EachRow<'_>) -> Result<(), ImportError> {
        let Table { input, by, layout, .. } = self;
        let mut records = open(input, *by)?.with_quotes(self.quotes);
        let (mut record, mut cuts) = (Record::default(), None);
        while records.next_strict(&mut record).map_err(|error| input.fails(error))? {
            let is_first = cuts.is_none();
            let cuts = *cuts.get_or_insert_with(|| UnquotedCommaDetector::new(&record, layout));
            if !(is_first && layout.has_header) {
                each(&record, cuts.rejoined(&record, *by).filter(|_| self.mends))?;
            }
        }
        Ok(())
    }

    /// Counts the rows, and notes in `imported` what of chats would be left out.
    fn survey(&self, imported: &mut Imported) -> Result<Survey, ImportError> {
        let Table { input, layout, .. } = self;
        let chats = Chats::from_layout(layout);
        let mut seconds: Vec<(usize, u64)> = second_columns(layout).map(|at| (at, 0)).collect();
        let mut rows = 0;
        let mut width = if layout.has_header { layout.columns.len() } else { 1 };
        self.for_each_row(&mut |record, mended| {
            for (at, rows) in &mut seconds {
                *rows += u64::from(record.cell(*at).is_some_and(|cell| !cell.trim().is_empty()));
            }
            if let Some(asked) = chats.asked(record, input.path)? {
                imported.is_chat |= asked.is_chat;
                imported.left.add(asked.left);
            }
            rows += 1;
            width = width.max(mended.map_or(record.len(), |cells| cells.len()));
            Ok(())
        })?;
        let second = seconds.into_iter().find(|(_, rows)| *rows > 0);
        Ok(Survey { rows, width, second })
    }

    /// Writes the rows under these names; returns the first of them as they were read.
    fn copy(
        &self,
        names: &[String],
        writer: &mut csv::Writer<impl Write>,
        imported: &mut Imported,
    ) -> Result<Vec<Vec<String>>, ImportError> {
        let Table { input, layout, .. } = self;
        let chats = Chats::from_layout(layout);
        let mut first: Vec<Vec<String>> = Vec::new();
        self.for_each_row(&mut |record, mended| {
            if first.len() < SNIFFED_ROWS_MAX {
                first.push(record.cells().map(str::to_owned).collect());
            }
            let mut cells: Vec<&str> = match &mended {
                Some(cells) => cells.iter().map(String::as_str).collect(),
                None => record.cells().collect(),
            };
            let asked = chats.asked(record, input.path)?.filter(|asked| asked.is_chat);
            if let (Some(asked), Some(question)) = (&asked, cells.get_mut(layout.question)) {
                *question = &asked.question;
            }
            // The blank behind a comma; what is written has no quotes where one leads, nor any in its header.
            let behind = layout.question + 1;
            let is_padded = mended.is_some()
                || layout.is_spaced && !record.is_quoted(behind)
                || names.get(behind).is_some_and(|name| name == STATUS);
            if let Some(next) = cells.get_mut(behind).filter(|_| is_padded) {
                *next = next.trim_start();
            }
            imported.count(cells.get(layout.question).copied().unwrap_or_default(), &cells);
            imported.mended += u64::from(mended.is_some());
            if mended.is_some() && imported.mended_rows.len() < NAMED_MAX {
                imported.mended_rows.push(imported.rows + 1);
            }
            writer.write_record(&cells).map_err(io::Error::from)?;
            Ok(())
        })?;
        Ok(first)
    }
}

/// Returns the header that is written: no second column may have the name of the questions.
fn names(layout: &Layout) -> Vec<String> {
    let name = |(at, own): (usize, &String)| match own.to_lowercase() == QUESTION {
        _ if at == layout.question => QUESTION.to_owned(),
        _ if layout.status == Some(at) => STATUS.to_owned(),
        true => format!("{own}_{}", at + 1),
        false => own.clone(),
    };
    layout.columns.iter().enumerate().map(name).collect()
}

/// The columns of a table in which chats, or parts of them, may be: they mean what fields of that name
/// mean in JSON.
struct Chats<'a> {
    columns: Vec<(usize, &'a str)>,
    question: &'a str,
}

impl<'a> Chats<'a> {
    fn from_layout(layout: &'a Layout) -> Chats<'a> {
        let question = layout.columns.get(layout.question).map_or("", String::as_str);
        let columns = layout.columns.iter().enumerate().map(|(at, name)| (at, name.as_str()));
        let columns = columns
            .filter(|(at, name)| layout.has_header && (*at == layout.question || is_beside(name)));
        Chats { columns: columns.collect(), question }
    }

    /// Returns what a row asks, where the table has such columns, or its question is a chat.
    fn asked(&self, row: &Record, path: &Path) -> Result<Option<ExtractedQuestion>, ImportError> {
        let cell = |at: usize| row.cell(at).unwrap_or_default();
        let Some(&(own, _)) = self.columns.iter().find(|(_, name)| *name == self.question) else {
            return Ok(None);
        };
        if self.columns.len() == 1 && !is_chat(self.question) && !cell(own).starts_with('[') {
            return Ok(None);
        }
        let fields = self.columns.iter().map(|(at, name)| ((*name).to_owned(), cell(*at).into()));
        let asked =
            chat::extract_question(&fields.collect(), Some(self.question)).map_err(|unasked| {
                let (path, at) = (path.to_owned(), JsonPlace::Line(row.line));
                match unasked {
                    ExtractError::Role(role) => ImportError::Role { path, at, role },
                    _ => ImportError::NotText { path, at, field: self.question.to_owned() },
                }
            })?;
        let is_blank = asked.question.trim().is_empty();
        if is_chat(self.question) && !asked.is_chat && !is_blank {
            let (path, at) = (path.to_owned(), JsonPlace::Line(row.line));
            return Err(ImportError::NotText { path, at, field: self.question.to_owned() });
        }
        Ok(Some(asked))
    }
}

/// Opens a table, with quotes within quotes written twice.
fn open(input: &Input<'_>, by: u8) -> Result<Records<Text>, ImportError> {
    Ok(Records::new(input.open()?).with_delimiter(by))
}

/// Finds out how quotes within quotes are written: with a backslash where, written twice, they would
/// mean nothing, and where the whole file makes sense like that.
fn quotes(input: &Input<'_>, by: u8) -> Result<Quotes, ImportError> {
    let read = |quotes| {
        let mut records = open(input, by)?.with_quotes(quotes);
        let mut record = Record::default();
        let mut read = Ok(true);
        while matches!(read, Ok(true)) {
            read = records.next_strict(&mut record);
        }
        Ok::<_, ImportError>(read.err())
    };
    let Some(error) = read(Quotes::Twice)? else { return Ok(Quotes::Twice) };
    let may_be = matches!(error, RecordsError::Backslash { .. } | RecordsError::Unclosed { .. });
    match may_be && read(Quotes::Backslash)?.is_none() {
        true => Ok(Quotes::Backslash),
        false => Err(input.fails(error)),
    }
}
