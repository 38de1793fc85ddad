//! Datasets, written whole: rows of a layout in a container, worked out of the input and the store.
//!
//! The store is only read, and nothing is asked. Files are written beside, synced and renamed, so
//! that there is never half a dataset under its name; the same input, store and options give the
//! same bytes. Live outputs, which grow while a run goes on, are in [`crate::output`].

mod container;
mod error;
mod folder_swap;
mod hub;
mod output;
mod pack;
mod prepare;
mod select;
mod spool;
mod target;
mod written;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dset_core::layout::split::{Splits, shuffled};
use dset_core::layout::{Cell, Layout, ReasoningPlace, Unfit};
use dset_core::settings::JobSpec;

pub use self::container::{CONTAINERS, ContainerKind};
pub use self::error::ExportError;
use self::output::{FileRows, Output, SplitFiles};
use self::prepare::{Moment, Prepared, prepare};
use self::select::{Selection, prompt_hash};
use self::spool::Spool;
use self::target::Target;
pub use self::target::is_of_run;
use crate::store::{AsAsked, Store, open_readonly};
use crate::view::judged_before::JudgedBefore;
use crate::view::status::Rows;

/// A dataset that is to be written.
pub struct ExportRequest<'a> {
    /// The file, whose ending says what kind it is of and how it is packed; or a folder, which
    /// becomes one that the Hub and `datasets` know.
    pub to: &'a Path,
    /// What its rows are.
    pub layout: &'static dyn Layout,
    /// Where reasoning goes; absent for the layout's usual place.
    pub reasoning: Option<ReasoningPlace>,
    /// Columns of the input that every row keeps; absent for what the layout keeps of itself.
    pub keep: Option<&'a [String]>,
    /// Columns with another name: its usual one, and the one it gets.
    pub rename: &'a [(String, String)],
    /// An expression that holds of the answers that are wanted.
    pub filter: Option<&'a str>,
    /// An expression that is higher for better answers.
    pub rank: Option<&'a str>,
    /// How many answers of a question.
    pub samples: Samples,
    /// In which order.
    pub order: Order,
    /// Into which parts.
    pub splits: Option<&'a Splits>,
    /// Into how many files.
    pub shards: Shards,
    /// What was asked and answered in the same words is written once.
    pub dedup: bool,
    /// Nothing is written where an answer is missing.
    pub strict: bool,
    /// Rows that do not fit the layout are left out.
    pub skip_unfit: bool,
    /// Rows that lack an answer are written, and not those that have all.
    pub failed: bool,
    /// Rows have the columns `rating` and `note`.
    pub reviews: bool,
    /// The folder of `review.db`, where it is not beside the store.
    pub reviews_in: Option<&'a Path>,
    /// Files that are there are replaced.
    pub force: bool,
    /// The run whose answers are written, where that is not the last.
    pub of_run: Option<&'a AsAsked>,
}

/// Which answers of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// All.
    All,
    /// The first of those that are wanted.
    First,
    /// The one of the highest rank.
    Best,
}

/// In which order rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As their questions stand in the input.
    Input,
    /// As their answers came.
    Answered,
    /// As chance has it, the same for the same number.
    Shuffle(u64),
}

/// Into how many files a dataset, or each split of it, is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shards {
    /// One, without a number in its name; in a folder with one.
    One,
    /// So many.
    Count(u32),
    /// As many as there must be for each to have so many rows.
    Rows(u64),
}

/// A dataset that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its files, in order.
    pub files: Vec<ExportedFile>,
    /// What has no row in it.
    pub left_out: LeftOut,
    /// Rows of the input with a NUL in a text, in a file that not every program reads so.
    pub with_nul: Rows,
    /// Splits without a row, which have no file: loaders of folders take none without rows.
    pub empty_splits: Vec<String>,
    /// Answers beside which stands what the last run would send: what was sent for them cannot be made any more,
    /// because columns that it was made of are gone.
    pub sent_unknown: u64,
    /// Rows whose answers were judged against another value than stands in them now.
    pub judged_before: JudgedBefore,
    /// Rows of the input with answers in it that the run left out, by `--where`, a sample and so on.
    pub not_chosen: u64,
}

impl Exported {
    /// Rows of all files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// A file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// Where it is.
    pub path: PathBuf,
    /// The split it is of.
    pub split: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Answers and questions that have no row, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Answers that are wanted and not there.
    pub unanswered: u64,
    /// Answers that the user's filter leaves out.
    pub filtered: u64,
    /// Answers in the words of an earlier one to the same question.
    pub duplicates: u64,
    /// Answers beside the one that was taken.
    pub other_samples: u64,
    /// Questions that are chats of several turns, which the layout has no place for.
    pub chats: u64,
    /// Questions with one answer, where two are compared.
    pub one_answer: u64,
    /// Questions whose answers have the same rank.
    pub ties: u64,
    /// Answers to questions that are no longer in the input.
    pub gone: u64,
    /// Answers of samples and models that the run did not want.
    pub unwanted: u64,
    /// Rows that cannot be asked.
    pub bad_rows: u64,
}

impl LeftOut {
    fn note(&mut self, unfit: Unfit) {
        match unfit {
            Unfit::Turns => self.chats += 1,
            Unfit::OneAnswer => self.one_answer += 1,
            Unfit::Tie => self.ties += 1,
        }
    }
}

/// Told of the questions that are done, and how many there are.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Questions between two reports of progress.
const PROGRESS_QUESTIONS: u64 = 1000;

/// Finds out whether a dataset can be written when a run has ended that is about to begin, as far as
/// that is known before. Returns where it goes: a folder, or the files that may be written, of those with
/// numbers the first.
pub fn check(spec: &JobSpec, request: &ExportRequest<'_>) -> Result<Vec<PathBuf>, ExportError> {
    let target = Target::new(spec, request)?;
    target.try_to_write()?;
    if target.is_folder() {
        hub::earlier_card(&target)?;
    }
    open_readonly(&spec.output, |store| {
        prepare(store, spec, request, target.kind().0, Moment::BeforeRun).map(drop)
    })?;
    Ok(target.paths(request))
}

/// Writes a dataset of the answers of a run; `None` where there is no store yet.
pub fn export(
    spec: &JobSpec,
    request: &ExportRequest<'_>,
    progress: Progress<'_>,
) -> Result<Option<Exported>, ExportError> {
    let target = Target::new(spec, request)?;
    let staging = target.stage()?;
    // Nothing gets its name in here: what was read while a run began is thrown away and read again.
    let written = open_readonly(&spec.output, |store| {
        let mut prepared = prepare(store, spec, request, target.kind().0, Moment::Now)?;
        let mut with_nul = Rows::default();
        let splits = write(
            store,
            &mut prepared,
            request,
            &target,
            staging.folder(),
            progress,
            &mut with_nul,
        )?;
        if request.failed && with_nul.count > 0 {
            return Err(ExportError::Nul { about: target.kind().0.about, rows: with_nul });
        }
        Ok::<_, ExportError>((prepared, splits, with_nul))
    })?;
    let Some((prepared, splits, with_nul)) = written else { return Ok(None) };
    let left_out = left_out(&prepared);
    let files = target
        .commit(staging, splits, |files| hub::describe(spec, request, &prepared, &target, files))?;
    let has_file = |name: &&str| files.iter().any(|file| file.split.as_deref() == Some(name));
    let names = request.splits.into_iter().flat_map(Splits::names);
    let empty_splits = names.filter(|name| !has_file(name)).map(str::to_owned).collect();
    let Selection { sent_unknown, not_chosen, .. } = prepared.selection;
    let judged_before = prepared.judged_before;
    let told = Exported {
        files,
        left_out,
        with_nul,
        empty_splits,
        sent_unknown,
        judged_before,
        not_chosen,
    };
    Ok(Some(told))
}

/// Returns what has no row in a dataset that was made.
fn left_out(Prepared { index, selection, .. }: &Prepared) -> LeftOut {
    let made = LeftOut { bad_rows: index.input.bad_rows.count, ..selection.left_out };
    match selection.failed {
        true => made,
        false => LeftOut {
            gone: index.plan.gone,
            unwanted: index.plan.counting_unwanted().count() as u64,
            ..made
        },
    }
}

/// Writes all rows into files that have no name yet.
fn write(
    store: &Store,
    prepared: &mut Prepared,
    request: &ExportRequest<'_>,
    target: &Target<'_>,
    folder: &Path,
    progress: Progress<'_>,
    with_nul: &mut Rows,
) -> Result<Vec<SplitFiles>, ExportError> {
    let names: Vec<Option<String>> = match (request.splits, target.is_folder()) {
        (Some(splits), _) => splits.names().map(|name| Some(name.to_owned())).collect(),
        (None, true) => vec![Some("train".to_owned())],
        (None, false) => vec![None],
    };
    let sizes = match request.shards {
        Shards::One => vec![FileRows::All; names.len()],
        Shards::Rows(rows) => vec![FileRows::Each(rows); names.len()],
        Shards::Count(files) => {
            // How many rows there are is known when all were made.
            let mut rows = vec![0; names.len()];
            each_row(store, prepared, request, &mut |_, _| {}, |_, _, split, _| {
                rows[split] += 1;
                Ok(())
            })?;
            rows.into_iter().map(|rows| FileRows::divided(rows, files)).collect()
        }
    };
    let columns = prepared.columns.clone();
    let splits = names.into_iter().zip(sizes).collect();
    let is_awkward = target.kind().0.is_awkward;
    let mut look = |row: u64, cells: &[Cell<'_>]| {
        if cells.iter().any(is_awkward) {
            with_nul.add(row);
        }
    };
    let mut output = Output::new(folder, target.kind(), &columns, splits);
    if request.order == Order::Input {
        each_row(store, prepared, request, progress, |row, _, split, cells| {
            look(row, cells);
            output.row(split, cells)
        })?;
        return output.finish();
    }
    let failed = ExportError::io(folder);
    let mut spool = Spool::new(folder).map_err(&failed)?;
    each_row(store, prepared, request, progress, |row, key, split, cells| {
        look(row, cells);
        spool.push(key, split, cells).map_err(&failed)
    })?;
    let mut result = Ok(());
    let read = spool.for_each(&columns, |split, cells| {
        if result.is_ok() {
            result = output.row(split, cells);
        }
        Ok(())
    });
    read.map_err(&failed)?;
    result?;
    output.finish()
}

/// Makes every row, and shows it with its row of the input, what it is sorted by and the place of its split.
fn each_row(
    store: &Store,
    prepared: &mut Prepared,
    request: &ExportRequest<'_>,
    progress: Progress<'_>,
    mut emit: impl FnMut(u64, u64, usize, &[Cell<'_>]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let Prepared { index, selection, .. } = prepared;
    selection.restart();
    let (archive, answers) = (store.as_reader(), std::mem::take(&mut index.answers));
    let (all, mut done) = (index.plan.rows(), 0);
    let states = index.plan.states.clone();
    let chosen = index.plan.chosen();
    // Of rows that ask the same each is where the first of them is: what is trained on is not tested with.
    let has_duplicates = index.plan.duplicates > 0;
    let mut split_by_prompt = HashMap::new();
    let result = index.try_for_each_row(|seen| {
        done += 1;
        if done % PROGRESS_QUESTIONS == 0 {
            progress(done, all);
        }
        let (mut has_row, row) = (false, done as usize - 1);
        let result = selection.rows_of(&seen, (&answers, &states), archive, |made| {
            has_row = true;
            let split = request.splits.map_or(0, |splits| {
                let own = splits.of(made.id);
                let mut by_prompt =
                    || *split_by_prompt.entry(prompt_hash(seen.item, seen.rendered)).or_insert(own);
                if has_duplicates { by_prompt() } else { own }
            });
            let key = match request.order {
                Order::Input => 0,
                // With the sign turned, so that what came before 1970 sorts before it.
                Order::Answered => (made.answered_at ^ i64::MIN) as u64,
                Order::Shuffle(seed) => shuffled(seed, made.id, made.number),
            };
            emit(made.row, key, split, made.cells)
        });
        selection.not_chosen += u64::from(has_row && chosen.get(row) == Some(&false));
        result
    });
    index.answers = answers;
    result
}
