//! Whether the store, the outputs and the input agree, and what does not.
//!
//! Takes no lock and changes nothing. While a run goes on, what it is still about to write is left
//! out: the outputs are compared up to their marks, and the input's own marks not at all.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::plan::ledger::Ledger;
use dset_core::recover::legacy::{LegacyTexts, read_csv, read_json};
use dset_core::recover::output_diff::{OutputDifference, diff_output};
use dset_core::settings::Settings;
use fs_err as fs;

use crate::error::JobError;
use crate::os::files;
use crate::os::lock::{Running, holder, running};
use crate::output::live::{Expected, LiveFormat, SinkError};
use crate::store::{self, IntegrityError, Invocation, Store, StoreError, open_readonly};
use crate::view::index::RunIndex;
use crate::view::status::Rows;

/// Rows that are named by their question, at most.
const NAMED_MAX: usize = 3;

/// What was checked, and what came of it.
#[derive(Debug)]
pub struct VerifyReport {
    /// Whether a run is going on.
    pub running: Running,
    /// Where every question stands; absent where the store is too damaged to tell.
    pub ledger: Option<Ledger>,
    /// Answers of this edition in the store.
    pub answers: u64,
    /// The outputs, each with the rows that are in it as they should be.
    pub outputs: Vec<(&'static str, u64)>,
    /// What does not agree.
    pub differences: Vec<Difference>,
    /// What is worth knowing, and no disagreement.
    pub notes: Vec<Note>,
    /// The endpoint of the last run.
    pub endpoint: Option<String>,
    /// How the last run was called, where that is known.
    pub invocation: Option<Invocation>,
    /// What it asked each model with; none where the store is too damaged to tell.
    pub requests: Vec<RequestSettings>,
    /// How many answers each was to give to a question.
    pub samples: u32,
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The store is damaged; what was found, a line each. Nothing else was checked.
    StoreDamaged(Vec<String>),
    /// References within the store lead nowhere.
    Dangling(IntegrityError, u64),
    /// An output is not there.
    OutputMissing {
        /// Which.
        file: &'static str,
        /// Rows that it should have.
        rows: u64,
    },
    /// An output is shorter than what was written to it.
    OutputShort {
        /// Which.
        file: &'static str,
        /// Its length.
        bytes: u64,
        /// What it should have at least.
        written: u64,
    },
    /// Bytes of an output are not what they should be.
    Output {
        /// Which.
        file: &'static str,
        /// What, and where.
        misfit: OutputDifference,
        /// The question of the row that it concerns.
        question: Option<String>,
    },
    /// An output lacks its last rows, as after a crash.
    RowsUnwritten {
        /// Which.
        file: &'static str,
        /// How many rows; its end is within one where this is 0.
        rows: u64,
    },
    /// Rows taken over from the original script are not in an output any more.
    RowsOfScriptLacking {
        /// Which.
        file: &'static str,
        /// How many.
        rows: u64,
        /// The question of the first.
        question: String,
    },
    /// Answers whose place in the outputs was never decided, as after a crash.
    Unplaced(u64),
    /// The terms of the ledger do not add up.
    Ledger(Ledger),
    /// Rows say ERROR although they are answered.
    MarkedThoughAnswered(Rows),
    /// Rows ended without an answer and do not say ERROR.
    Unmarked(Rows),
    /// Marks are still to be written.
    MarksWaiting(Rows),
    /// Answers that a run could only rescue, to be taken in.
    Rescue(PathBuf),
    /// The earlier outputs are still to be moved away.
    MoveUnfinished,
    /// A rebuild of the outputs was cut short.
    RebuildUnfinished,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Rows of the outputs whose question is no longer in the input.
    Gone {
        /// How many.
        rows: u64,
        /// The first of their questions.
        first: Vec<String>,
    },
    /// Rows of `output.json` that say another row of the input than their question is in now.
    Moved(u64),
    /// Rows that the original script wrote: their texts were found, their order and form are its
    /// own.
    RowsOfScript {
        /// In which output.
        file: &'static str,
        /// How many.
        rows: u64,
    },
    /// Rows before a bookmark, of which there is no text.
    Presumed(u64),
    /// A file that was being written when its writer died.
    Leftover(PathBuf),
    /// Lines of a rescue file that could not be read.
    Unread(PathBuf),
}

/// Checks everything; `None` where there is no store.
pub fn verify(settings: &Settings) -> Result<Option<VerifyReport>, JobError> {
    let folder = &settings.output;
    let before = (running(folder), holder(folder));
    let checked = open_readonly(folder, |store| check(store, settings, before.0 != Running::No));
    let mut verified = match checked {
        Err(JobError::Store(error)) => match unreadable(&error) {
            Some(detail) => damaged(vec![detail], before.0.clone()),
            None => return Err(error.into()),
        },
        Ok(None) => return Ok(None),
        checked => checked?.expect("matched above"),
    };
    let after = running(folder);
    // A run that began meanwhile has changed what was looked at: once more, knowing of it.
    if before.0 == Running::No && (after != Running::No || holder(folder) != before.1) {
        let again = open_readonly(folder, |store| check(store, settings, true))?;
        verified = again.unwrap_or(verified);
    }
    verified.running = if after == Running::No { before.0 } else { after };
    if verified.running == Running::No {
        for path in store::waiting(folder) {
            verified.differences.push(Difference::Rescue(path));
        }
        let folders = [folder.as_path(), files::folder_of(&settings.input)];
        let found: BTreeSet<PathBuf> = folders.into_iter().flat_map(leftovers).collect();
        verified.notes.extend(found.into_iter().map(Note::Leftover));
    }
    let unread = [store::UNREAD, store::OLD_UNREAD].map(|name| folder.join(name));
    verified.notes.extend(unread.into_iter().filter(|path| path.exists()).map(Note::Unread));
    Ok(Some(verified))
}

/// What is wrong with a store that is ours and cannot be read, whoever noticed it.
fn unreadable(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Damaged(detail) | StoreError::Unreadable(detail) => Some(detail.clone()),
        _ => None,
    }
}

fn damaged(found: Vec<String>, running: Running) -> VerifyReport {
    VerifyReport {
        running,
        ledger: None,
        answers: 0,
        outputs: Vec::new(),
        differences: vec![Difference::StoreDamaged(found)],
        notes: Vec::new(),
        endpoint: None,
        invocation: None,
        requests: Vec::new(),
        samples: 1,
    }
}

fn check(store: &Store, settings: &Settings, in_flux: bool) -> Result<VerifyReport, JobError> {
    let unsound = store.unsound()?;
    if !unsound.is_empty() {
        return Ok(damaged(unsound, Running::No));
    }
    let edition = store.edition()?;
    let dangling = store.integrity_errors(edition)?;
    let told = |(what, count)| Difference::Dangling(what, count);
    let mut view = match RunIndex::load(store, settings) {
        Ok(view) => view,
        Err(JobError::Store(error)) => match unreadable(&error) {
            Some(detail) => {
                let mut verified = damaged(vec![detail], Running::No);
                verified.differences.extend(dangling.into_iter().map(told));
                return Ok(verified);
            }
            None => return Err(error.into()),
        },
        Err(error) => return Err(error),
    };
    let (ledger, _, marks) = view.rows(store)?;
    let mut differences = Vec::new();
    let mut notes = Vec::new();
    // Without its answers an order cannot be followed.
    let lost = [IntegrityError::PlaceWithoutAnswer, IntegrityError::KeyWithoutAnswer];
    let order_holds = dangling.iter().all(|(what, _)| !lost.contains(what));
    differences.extend(dangling.into_iter().map(told));
    if !ledger.balances() {
        differences.push(Difference::Ledger(ledger));
    }
    let is_moving = store.meta::<String>("moving")?.is_some();
    let is_rebuilding = store.meta::<String>("rebuilding")?.is_some();
    let mut outputs = Vec::new();
    if is_moving || is_rebuilding {
        // Whoever has the lock is at it.
        let unfinished = match is_moving {
            true => Difference::MoveUnfinished,
            false => Difference::RebuildUnfinished,
        };
        differences.extend((!in_flux).then_some(unfinished));
    } else if order_holds {
        for format in store.formats(&settings.formats)? {
            let mut output = OutputCheck {
                store,
                generation: edition,
                format,
                in_flux,
                rows: 0,
                differences: vec![],
                notes: vec![],
            };
            output.check(&settings.output)?;
            if settings.output.join(format.file).exists() {
                outputs.push((format.file, output.rows));
            }
            differences.append(&mut output.differences);
            notes.append(&mut output.notes);
        }
    }
    if !in_flux {
        if !view.plan.unplaced.is_empty() {
            differences.push(Difference::Unplaced(view.plan.unplaced.len() as u64));
        }
        for (rows, difference) in [
            (marks.though_answered, Difference::MarkedThoughAnswered as fn(Rows) -> Difference),
            (marks.unmarked, Difference::Unmarked),
            (marks.waiting, Difference::MarksWaiting),
        ] {
            if rows.count > 0 {
                differences.push(difference(rows));
            }
        }
    }
    if ledger.presumed > 0 {
        notes.push(Note::Presumed(ledger.presumed));
    }
    let beside = view.other_answers()?;
    notes.extend(gone_and_moved(store, &mut view, &beside)?);
    Ok(VerifyReport {
        running: Running::No,
        ledger: Some(ledger),
        answers: store.answers(edition)?,
        outputs,
        differences,
        notes,
        endpoint: store.last_life()?.map(|(endpoint, _)| endpoint),
        invocation: store.last_invocation()?,
        samples: view.plan.wanted().samples(),
        requests: view.requests,
    })
}

/// Rows of the outputs that no question of the input is answered by, and those whose question has
/// moved to another row since they were written.
fn gone_and_moved(
    store: &Store,
    view: &mut RunIndex,
    beside: &[(u32, AnswerId)],
) -> Result<Vec<Note>, JobError> {
    let numbers = view.row_numbers()?;
    let per_row = view.plan.wanted().per_row() as usize;
    let asked = view.answers.iter().enumerate();
    let asked = asked.filter_map(|(at, id)| Some(((*id)?, numbers[at / per_row])));
    let beside = beside.iter().map(|(row, id)| (*id, numbers[*row as usize]));
    let asked: HashMap<AnswerId, u64> = asked.chain(beside).collect();
    let (mut gone, mut first, mut moved, mut position) = (0, Vec::new(), 0, 0);
    loop {
        let written = store.rows_written(view.generation, position)?;
        if written.is_empty() {
            break;
        }
        position += written.len() as u64;
        for (id, row) in written {
            match asked.get(&id) {
                Some(number) => moved += u64::from(row.is_some_and(|row| row != *number)),
                None => {
                    gone += 1;
                    if first.len() < NAMED_MAX {
                        first.extend(store.question(id)?);
                    }
                }
            }
        }
    }
    let gone = (gone > 0).then_some(Note::Gone { rows: gone, first });
    Ok(gone.into_iter().chain((moved > 0).then_some(Note::Moved(moved))).collect())
}

/// Files that a writer leaves behind when it is killed.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| files::is_temporary(path)).collect()
}

/// One output on its way through the check.
struct OutputCheck<'a> {
    store: &'a Store,
    generation: u32,
    format: LiveFormat,
    in_flux: bool,
    rows: u64,
    differences: Vec<Difference>,
    notes: Vec<Note>,
}

impl OutputCheck<'_> {
    fn check(&mut self, folder: &Path) -> Result<(), JobError> {
        let (path, file) = (folder.join(self.format.file), self.format.file);
        let marks = self.store.sink_marks()?;
        let mark = marks.iter().find(|mark| mark.name == self.format.name);
        self.format = mark.map_or(self.format, |mark| self.format.of_shape(mark.shape));
        let (rows_marked, written) = mark.map_or((0, 0), |mark| (mark.rows, mark.bytes));
        let rows_ordered = self.store.position(self.generation)?;
        // What a run that goes on has written beyond its mark is not known yet.
        let rows = if self.in_flux { rows_marked } else { rows_ordered };
        if !path.exists() {
            if rows > 0 || written > 0 {
                self.differences.push(Difference::OutputMissing { file, rows });
            }
            return Ok(());
        }
        let fails = |error: io::Error| JobError::Sink(SinkError::Io(error));
        self.format = self.format.from_file(&path).map_err(fails)?;
        let bytes = fs::metadata(&path).map_err(fails)?.len();
        if bytes < written {
            self.differences.push(Difference::OutputShort { file, bytes, written });
            return Ok(());
        }
        let upto = if self.in_flux { written } else { bytes };
        let of_script = match self.format.is_legacy() {
            true => self.store.rows_of_script(self.generation)?.min(rows),
            false => 0,
        };
        let mut from = 0;
        let mut found = self.compare(&path, 0, upto, 0, rows)?;
        if of_script > 0 && !found.1.is_empty() {
            // As the script wrote it: its rows are looked for by their texts, and ours begin
            // with the first of them that can be found.
            from = self.begin_of_ours(&path, upto, of_script, rows)?;
            self.check_script(&path, from, of_script)?;
            found = self.compare(&path, from, upto - from, of_script, rows)?;
            found.0 += of_script;
        }
        self.rows = found.0;
        for misfit in found.1 {
            let misfit = moved(misfit, from, if from > 0 { of_script } else { 0 });
            let difference = match misfit {
                // Up to its mark a file was whole; what is not there behind it was never there.
                OutputDifference::Missing { row, rows, .. }
                    if row >= rows_marked && row + rows == rows_ordered =>
                {
                    Difference::RowsUnwritten { file, rows }
                }
                OutputDifference::Torn { row, .. } if row >= rows_marked => {
                    Difference::RowsUnwritten { file, rows: 0 }
                }
                misfit => {
                    let question = self.question(misfit)?;
                    Difference::Output { file, misfit, question }
                }
            };
            self.differences.push(difference);
        }
        Ok(())
    }

    /// Compares a part of the file with a part of the rows: those that fit, and what does not.
    fn compare(
        &self,
        path: &Path,
        from: u64,
        bytes: u64,
        position: u64,
        rows: u64,
    ) -> Result<(u64, Vec<OutputDifference>), JobError> {
        let fails = |error: io::Error| JobError::Sink(SinkError::Io(error));
        let mut file = fs::File::open(path).map_err(fails)?;
        file.seek(SeekFrom::Start(from)).map_err(fails)?;
        let mut expected =
            Expected::from(self.store.as_reader(), self.generation, self.format, position, false);
        let header = if from == 0 { self.format.header } else { b"" };
        let wanted = expected.by_ref().take((rows - position) as usize);
        let compared = diff_output(file.take(bytes), header, wanted).map_err(fails)?;
        expected.check()?;
        Ok((compared.rows, compared.differences))
    }

    /// Finds where the rows begin that are not the script's.
    fn begin_of_ours(
        &self,
        path: &Path,
        upto: u64,
        of_script: u64,
        rows: u64,
    ) -> Result<u64, JobError> {
        let fails = |error: io::Error| JobError::Sink(SinkError::Io(error));
        let mut expected =
            Expected::from(self.store.as_reader(), self.generation, self.format, of_script, false);
        let wanted: Vec<Vec<u8>> =
            expected.by_ref().take((rows - of_script).min(NAMED_MAX as u64) as usize).collect();
        expected.check()?;
        let bytes = fs::read(path).map_err(fails)?;
        let bytes = &bytes[..bytes.len().min(upto as usize)];
        let found = wanted.iter().find_map(|row| memchr::memmem::find(bytes, row));
        Ok(found.map_or(upto, |at| at as u64))
    }

    /// Looks for the texts of the rows that the script wrote.
    fn check_script(&mut self, path: &Path, upto: u64, rows: u64) -> Result<(), JobError> {
        let file = self.format.file;
        let fails = |error: io::Error| JobError::Sink(SinkError::Io(error));
        let mut bytes = fs::read(path).map_err(fails)?;
        bytes.truncate(upto as usize);
        let texts = match self.format.name {
            "csv" => LegacyTexts::from(read_csv(&bytes)),
            "json" => LegacyTexts::from(read_json(&bytes)),
            _ => LegacyTexts::Txt(&bytes),
        };
        let (mut lacking, mut first, mut position) = (0, None, 0);
        while position < rows {
            let ids = self.store.as_reader().order_from(self.generation, position)?;
            if ids.is_empty() {
                break;
            }
            for (id, _) in ids.into_iter().take((rows - position) as usize) {
                position += 1;
                let row = self.store.as_reader().row(id)?;
                if !texts.contain(&row) {
                    lacking += 1;
                    first.get_or_insert(row.question);
                }
            }
        }
        match first {
            Some(question) => {
                let rows = lacking;
                self.differences.push(Difference::RowsOfScriptLacking { file, rows, question });
            }
            None => self.notes.push(Note::RowsOfScript { file, rows }),
        }
        Ok(())
    }

    fn question(&self, misfit: OutputDifference) -> Result<Option<String>, StoreError> {
        let row = match misfit {
            OutputDifference::Changed { row, .. }
            | OutputDifference::Missing { row, .. }
            | OutputDifference::Torn { row, .. }
            | OutputDifference::NotCompared { row, .. } => row,
            OutputDifference::Header | OutputDifference::Foreign { .. } => return Ok(None),
        };
        match self.store.as_reader().order_from(self.generation, row)?.first() {
            Some(&(id, _)) => self.store.question(id),
            None => Ok(None),
        }
    }
}

/// Counts a misfit of a part of a file from the file's beginning.
fn moved(misfit: OutputDifference, by: u64, by_rows: u64) -> OutputDifference {
    match misfit {
        OutputDifference::Header => OutputDifference::Header,
        OutputDifference::Foreign { at, bytes, row } => {
            OutputDifference::Foreign { at: at + by, bytes, row: row + by_rows }
        }
        OutputDifference::Changed { at, bytes, row, rows } => {
            OutputDifference::Changed { at: at + by, bytes, row: row + by_rows, rows }
        }
        OutputDifference::Missing { at, row, rows } => {
            OutputDifference::Missing { at: at + by, row: row + by_rows, rows }
        }
        OutputDifference::Torn { at, bytes, row } => {
            OutputDifference::Torn { at: at + by, bytes, row: row + by_rows }
        }
        OutputDifference::NotCompared { at, row } => {
            OutputDifference::NotCompared { at: at + by, row: row + by_rows }
        }
    }
}
