//! Questions from a CSV file, which is read here and never written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dset_core::csv::{
    Chosen, Layout, Record, Records, RecordsError, SNIFFED_ROWS_MAX, Suspicion,
    UnquotedCommaDetector, ambiguous_column, is_chat, second_columns, survey_records,
};
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::fields::Fields;
use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place, Status};
use serde_json::Value;

use super::bad_row::{BadRows, RowProblem};
use super::chat::{Chat, turns_as_text, turns_in};
use super::error_marks::{CsvMarker, Marker};
use super::objects::{BESIDE, SYSTEMS};
use super::packing::{Unpacked, is_packed};
use super::{
    Cursor, Likelihood, Source, SourceError, SourceKind, SourceOptions, ending_of, layout_error,
    records_error,
};

/// CSV. It is what a file without a name of another form is read as, and says itself where it is not.
pub(super) const KIND: SourceKind =
    SourceKind { name: "csv", endings: &["csv"], sniff: |_| Likelihood::Possible, open };

/// Columns with tabs between them.
pub(super) const TSV: SourceKind = SourceKind {
    name: "tsv",
    endings: &["tsv", "tab"],
    sniff: |_| Likelihood::No,
    open: |path, options| open_with(path, options, b'\t'),
};

/// Returns the column with the turns of chats, where that is what is asked: by its name, or by the first questions,
/// which are `records` behind the header.
fn chat_column(
    layout: &Layout,
    options: &SourceOptions,
    records: Records<Unpacked>,
) -> Option<usize> {
    let is_chat_at = |at: &usize| is_chat(&layout.columns[*at]);
    match layout.chosen {
        _ if options.has_template || !layout.has_header => None,
        Chosen::First => (0..layout.columns.len()).find(is_chat_at),
        Chosen::ByUser | Chosen::ByName => {
            let has_turns =
                || first_question(layout, records).is_some_and(|q| turns_as_text(&q).is_some());
            Some(layout.question).filter(|at| is_chat_at(at) || has_turns())
        }
    }
}

/// Returns the first question that is not blank.
fn first_question(layout: &Layout, mut records: Records<Unpacked>) -> Option<String> {
    let mut record = Record::default();
    records.next(&mut record).ok()?;
    (0..SNIFFED_ROWS_MAX).find_map(|_| {
        let has_more = records.next(&mut record).unwrap_or(false);
        let question = has_more.then(|| layout.question_of(&record).to_owned());
        question.filter(|question| !question.trim().is_empty())
    })
}

/// The rows of a CSV file, one after the other.
#[derive(Debug)]
struct CsvSource {
    path: PathBuf,
    options: SourceOptions,
    layout: Layout,
    shape: Shape,
    /// What stands between cells.
    sign: u8,
    records: Records<Unpacked>,
    record: Record,
    is_packed: bool,
    /// What tells a question that was cut; nothing where the user says which column it is.
    cuts: Option<UnquotedCommaDetector>,
    /// The questions are chats, written as JSON.
    has_chats: bool,
    /// Where the system prompts of chats may stand beside them.
    system_columns: Vec<usize>,
    chat: Option<Chat>,
    id_column: Option<usize>,
    /// The last columns, which folders say.
    partition: Vec<(String, Value)>,
    bad_rows: BadRows,
}

/// Opens a file and decides what its columns mean. Fails where it would be asked otherwise than it is
/// meant.
fn open(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    open_with(path, options, b',')
}

fn open_with(
    path: &Path,
    options: &SourceOptions,
    sign: u8,
) -> Result<Box<dyn Source>, SourceError> {
    let column = options.column.as_deref();
    let is_packed = is_packed(path)?;
    let records = || Ok::<_, SourceError>(Records::new(Unpacked::open(path)?).with_delimiter(sign));
    let (mut records_read, mut record) = (records()?, Record::default());
    let read = records_read.next_strict(&mut record);
    if let Err(RecordsError::Backslash { .. } | RecordsError::StrayQuote { .. }) = read {
        // It may be no CSV at all, whose quotes mean something else.
        judge_form(path, &record, options)?;
    }
    if !read.map_err(|error| records_error(path, error))? {
        return Err(SourceError::Empty { path: path.to_owned() });
    }
    if sign == b',' {
        judge_form(path, &record, options)?;
    }
    let mut layout = Layout::of_first(&record, options.header, column)
        .map_err(|error| layout_error(path, error))?;
    if layout.needs_survey() {
        let known = options.marks.known();
        layout = survey_records(records()?, options.header, column, known)
            .map_err(|error| layout_error(path, error))?;
    }
    let has_chats = match chat_column(&layout, options, records()?) {
        Some(at) => {
            (layout.question, layout.chosen) = (at, Chosen::ByName);
            true
        }
        None => false,
    };
    let may_cut = column.is_none() && sign == b',' && !has_chats;
    let cuts = may_cut.then(|| UnquotedCommaDetector::new(&record, &layout));
    tell_apart(&mut layout.columns);
    let mut shape = Shape::from_layout(&layout);
    // A mark is found again by the question's own text.
    if is_packed || sign != b',' || has_chats || options.marks == MarksColumn::Never {
        shape.marks = None;
        layout.status = None;
    }
    let is_system = |name: &String| SYSTEMS.contains(&name.trim().to_lowercase().as_str());
    let system_columns =
        (0..layout.columns.len()).filter(|&at| is_system(&layout.columns[at])).collect();
    let mut source = CsvSource {
        path: path.to_owned(),
        options: options.clone(),
        shape,
        layout,
        sign,
        records: records_read,
        record,
        is_packed,
        cuts: None,
        has_chats,
        system_columns,
        chat: None,
        id_column: None,
        partition: Vec::new(),
        bad_rows: BadRows::default(),
    };
    source.rewind()?;
    source.judge_columns(options.has_template)?;
    source.cuts = cuts;
    source.partition = options.partition.clone();
    source.partition.retain(|(name, _)| !source.layout.columns.contains(name));
    for (name, _) in &source.partition {
        source.layout.columns.push(name.clone());
        source.shape.fields.push(name.clone());
    }
    Ok(Box::new(source))
}

/// Numbers columns of one name from the second on: `x`, `x_2`, `x_3`.
fn tell_apart(columns: &mut [String]) {
    for at in 1..columns.len() {
        let name = columns[at].clone();
        let is_taken = |name: &String, columns: &[String]| columns[..at].contains(name);
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        if is_taken(&name, columns) {
            columns[at] = numbered
                .into_iter()
                .find(|name| !columns.contains(name))
                .expect("some number is free");
        }
    }
}

impl CsvSource {
    /// Fails where the first column was taken and another seems to be meant, or where what would be
    /// asked is a part of what is meant: an instruction without its input, or a column beside the one
    /// with the chats.
    fn judge_columns(&mut self, has_template: bool) -> Result<(), SourceError> {
        if self.layout.chosen == Chosen::First && self.layout.columns.len() > 1 {
            let mut rows: Vec<Vec<String>> = Vec::new();
            while rows.len() < SNIFFED_ROWS_MAX && self.read()? {
                rows.push(self.record.cells().map(str::to_owned).collect());
            }
            let doubt = ambiguous_column(&self.layout, &rows);
            self.fail_if(doubt.map(|doubt| Suspicion::WhichColumn { doubt }))?;
            self.rewind()?;
        }
        let beside = if has_template { Vec::new() } else { self.columns_beside() };
        if beside.is_empty() {
            return Ok(());
        }
        let mut rows = vec![0; beside.len()];
        while self.read()? {
            for (rows, column) in rows.iter_mut().zip(&beside) {
                let cell = self.record.cell(*column);
                *rows += u64::from(cell.is_some_and(|cell| !cell.trim().is_empty()));
            }
        }
        self.rewind()?;
        let mut found = beside.into_iter().zip(rows);
        let found =
            found.find_map(|(at, rows)| Suspicion::of_second_column(&self.layout, at, rows));
        self.fail_if(found)
    }

    /// Returns the columns that may belong to what is asked, and would not be sent.
    fn columns_beside(&self) -> Vec<usize> {
        let layout = &self.layout;
        if !layout.has_header || layout.chosen == Chosen::ByUser {
            return Vec::new();
        }
        let takes_system = self.has_chats || self.options.has_system;
        let is_beside = |name: &str| {
            let name = name.trim().to_lowercase();
            BESIDE.contains(&name.as_str())
                || !takes_system && SYSTEMS.contains(&name.as_str())
                || !self.has_chats && is_chat(&name)
        };
        let named = (0..layout.columns.len()).filter(|&at| is_beside(&layout.columns[at]));
        let seconds = second_columns(layout).filter(|_| !self.has_chats);
        seconds.chain(named).filter(|&at| at != layout.question).collect()
    }

    /// Reads the chat in the cell of the question; `None` where that is empty.
    fn read_chat(&self) -> Result<Option<Chat>, RowProblem> {
        let cell = self.layout.question_of(&self.record);
        if cell.trim().is_empty() {
            return Ok(None);
        }
        let field = || self.shape.fields[self.layout.question].clone();
        let turns =
            turns_in(&Value::from(cell)).ok_or_else(|| RowProblem::NotText { field: field() })?;
        let chat = Chat::new(&turns, self.options.reading.last)?;
        let mut beside = self.system_columns.iter().map(|&at| self.record.cell(at));
        beside.try_fold(chat, Chat::with_system).map(Some)
    }

    fn fail_if(&self, suspicion: Option<Suspicion>) -> Result<(), SourceError> {
        let path = || self.path.clone();
        suspicion.map_or(Ok(()), |s| Err(SourceError::Suspicious { path: path(), suspicion: s }))
    }

    /// Reads the next record, the header too; tells whether there was one.
    fn read(&mut self) -> Result<bool, SourceError> {
        let more = self.records.next_strict(&mut self.record);
        let more = more.map_err(|error| records_error(&self.path, error))?;
        if let Some(cuts) = self.cuts {
            self.fail_if(Suspicion::of_row(cuts, &self.layout, &self.record))?;
        }
        let named = self.layout.columns.len() - self.partition.len();
        let has_surplus = || self.record.cells().skip(named).any(|cell| !cell.trim().is_empty());
        if more && self.layout.has_header && self.record.len() > named && has_surplus() {
            self.bad_rows.note_surplus(self.position());
        }
        if more && !self.partition.is_empty() {
            let texts = self.partition.iter().map(|(_, value)| value.as_str().unwrap_or_default());
            self.record.append(named, texts);
        }
        Ok(more)
    }
}

impl Source for CsvSource {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.bad_rows = BadRows::default();
        self.records = Records::new(Unpacked::open(&self.path)?).with_delimiter(self.sign);
        if self.layout.has_header {
            self.read()?;
        }
        Ok(())
    }

    fn cursor(&self) -> Option<Cursor> {
        (!self.is_packed).then(|| Cursor::Record(self.records.position()))
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let Cursor::Record(at) = *to else { return self.rewind() };
        self.bad_rows = BadRows::default();
        let file = Unpacked::open_at(&self.path, at.offset)?;
        self.records = Records::resume(file, at).with_delimiter(self.sign);
        Ok(())
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        loop {
            if !self.read()? {
                return Ok(false);
            }
            if !self.has_chats {
                return Ok(true);
            }
            match self.read_chat() {
                Ok(chat) => {
                    if chat.as_ref().is_some_and(|chat| chat.has_reasoning) {
                        self.bad_rows.note_reasoning(self.position());
                    }
                    self.chat = chat;
                    return Ok(true);
                }
                Err(problem) => self.skip_bad_row(problem)?,
            }
        }
    }

    fn current(&self) -> Item<'_> {
        let cell = |at: Option<usize>| at.and_then(|at| self.record.cell(at));
        let chat = self.chat.as_ref();
        Item {
            place: self.position(),
            text: chat.map_or_else(|| self.layout.question_of(&self.record), Chat::last_text),
            turns: chat.map(|chat| &chat.turns),
            system: chat.and_then(|chat| chat.system.as_ref()),
            params: None,
            fields: Fields::Cells(&self.layout.columns, &self.record),
            bytes: &[],
            id: cell(self.id_column).filter(|id| !id.trim().is_empty()),
            status: Status::from_cell(cell(self.layout.status).unwrap_or_default()),
        }
    }

    fn take_ids_from(&mut self, field: &str) {
        self.id_column = self.layout.columns.iter().position(|name| name == field);
    }

    fn skip_bad_row(&mut self, problem: RowProblem) -> Result<(), SourceError> {
        let place = self.position();
        self.bad_rows.skip(self.options.reading.on_bad_row, &self.path, place, problem)
    }

    fn bad_rows(&self) -> BadRows {
        self.bad_rows.clone()
    }

    fn skipped(&self) -> u64 {
        self.bad_rows.count
    }

    fn position(&self) -> Place {
        Place::Row(self.record.row_number)
    }

    fn marker(&self) -> Option<Arc<dyn Marker>> {
        self.shape.marks.as_ref()?;
        Some(Arc::new(CsvMarker { path: self.path.clone(), options: self.options.clone() }))
    }
}

fn judge_form(path: &Path, first: &Record, options: &SourceOptions) -> Result<(), SourceError> {
    let ending = ending_of(path).unwrap_or_default();
    let (header, column) = (options.header, options.column.as_deref());
    let mut kinds = super::SOURCES.iter();
    let says_form = kinds.any(|kind| kind.endings.contains(&ending.as_str()));
    if !says_form && !options.has_template && Suspicion::may_be_text(first, header, column) {
        let (path, suspicion) = (path.to_owned(), Suspicion::TextOrCsv);
        return Err(SourceError::Suspicious { path, suspicion });
    }
    match Suspicion::of_form(first, &ending, header, column) {
        Some(suspicion) => Err(SourceError::Suspicious { path: path.to_owned(), suspicion }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
