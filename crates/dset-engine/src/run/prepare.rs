//! A run before its first ask: the folder taken, the store opened, what is left worked out.
//!
//! Everything that can be wrong with files and settings is found here, while nothing has been
//! asked; the order matters: the input is only read, then the folder is ours, then the store is
//! brought up to date, then the decisions are recorded, and only then is anything written.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use dset_core::csv::Layout;
use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::{AnswerId, Plan};
use dset_core::run::Planned;
use dset_core::settings::Settings;
use dset_core::template::Prompts;
use dset_core::time::file_stamp;
use fs_err as fs;

use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::os::files;
use crate::os::lock::Lock;
use crate::output::folder::{EARLIER, rename_old, write_readme};
use crate::output::live::{LIVE_FORMATS, LiveFormat, Outputs, Repair, legacy, live_formats};
use crate::recover::legacy::{LegacyImport, import_legacy, recover_from_output};
use crate::recover::rebuild::{finish, reform};
use crate::run::plan_input::{PlannedInput, for_each_planned, plan_input};
use crate::run::prompts::{CheckedPrompts, check_prompts};
use crate::source::{Source, SourceOptions};
use crate::store::{Invocation, Rescued, Store, StoreError, Value, Write, open_readonly};
use crate::view::status::has_outputs;

/// What only one run is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decisions {
    /// Keep the answers that other settings bought, and ask the rest with these.
    pub keep_answers: bool,
    /// Ask everything again.
    pub ask_again: bool,
    /// Ask all rows, also those before a bookmark of which nothing is known.
    pub from_start: bool,
    /// Take the rows before such a bookmark as answered.
    pub from_bookmark: bool,
    /// The most answers to ask for in this run.
    pub limit: Option<u64>,
}

/// What was found and done before the first ask.
#[derive(Debug)]
pub struct PreparationReport {
    /// What the columns of the input mean.
    pub layout: Layout,
    /// Non-empty questions.
    pub questions: u64,
    /// Answers that are wanted to them; the counts of answers below are of these.
    pub answers: u64,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
    /// Answered before this run.
    pub answered: u64,
    /// Taken as answered: before a bookmark.
    pub presumed: u64,
    /// Somebody has said in this run or an earlier one that they are to be taken so.
    pub presumed_agreed: bool,
    /// The row of the bookmark at which a run without any other record begins.
    pub starts_at_row: Option<u64>,
    /// To begin at a bookmark was wished, and there is a record, or no bookmark with rows before it.
    pub bookmark_unused: bool,
    /// Cut by the token limit, and not asked again under this one.
    pub kept: u64,
    /// To be asked.
    pub pending: u64,
    /// Questions that are the same request as an earlier one.
    pub duplicates: u64,
    /// Rows of the outputs whose question is no longer in the input.
    pub removed: u64,
    /// Rows that said ERROR although they were answered.
    pub marked_though_answered: u64,
    /// Answers that other settings bought and that are kept.
    pub kept_from_others: u64,
    /// The outputs of the original script, taken over.
    pub imported: Option<LegacyImport>,
    /// Answers that the store had lost and that were taken back from `output.json`.
    pub recovered: u64,
    /// Answers that an earlier run could only rescue.
    pub rescued: Option<Rescued>,
    /// What an earlier version had left under names that loaders take for data, and the names now.
    pub renamed: Vec<(&'static str, &'static str)>,
    /// What was done about outputs.
    pub repairs: Vec<Repair>,
    /// The earlier outputs were moved here, because everything is asked again.
    pub moved_to: Option<String>,
    /// The outputs were being rebuilt when that was cut short; it is done now.
    pub rebuild_finished: bool,
    /// Asking again was begun by an earlier run and is continued.
    pub again_continued: bool,
    /// The last run asked another endpoint.
    pub endpoint_before: Option<String>,
    /// The last run ended without saying goodbye.
    pub last_run_died: bool,
    /// This file system has no locks.
    pub is_unlocked: bool,
    /// The system prompt holds what would be read or refused now, and is sent as it stands, as it was
    /// when the answers were bought that are there.
    pub system_as_before: bool,
}

/// A run that can begin.
#[derive(Debug)]
pub struct Job {
    /// What was found and done.
    pub report: PreparationReport,
    pub(crate) settings: Settings,
    pub(crate) decisions: Decisions,
    pub(crate) source: Source,
    /// The column that the store knows to have marks.
    pub(crate) marks_known: Option<String>,
    pub(crate) prompts: Prompts,
    pub(crate) plan: Plan,
    /// Answers that wait for their place, with their rows.
    pub(crate) waiting: Vec<(QuestionIndex, AnswerId, Option<u64>)>,
    pub(crate) store: Store,
    pub(crate) outputs: Outputs,
    pub(crate) generation: u32,
    /// Of each model.
    pub(crate) settings_ids: Vec<i64>,
    pub(crate) folder: PathBuf,
    pub(crate) lock: Lock,
}

/// Returns the column that the store of a folder knows to have marks. What is wrong with a store is
/// told by whoever opens it.
pub(crate) fn marks_known(folder: &Path) -> Option<String> {
    open_readonly(folder, |store| store.marks_column()).ok().flatten().flatten()
}

impl Job {
    /// Works out what is left to do. `can_ask` says whether there is a key for every model that
    /// wants one.
    pub fn prepare(
        settings: Settings,
        decisions: Decisions,
        can_ask: bool,
    ) -> Result<Job, JobError> {
        let mut settings = settings;
        let formats = live_formats(&settings.formats)?;
        let marks_known = marks_known(&settings.output);
        let options = SourceOptions::new(&settings, marks_known.clone());
        let mut source = Source::open(&settings.input, &options)?;
        let CheckedPrompts { prompts, system_as_before } =
            check_prompts(&mut settings, source.layout())?;
        let now = unix_ms();
        let folder = settings.output.clone();
        let is_new = !Store::exists(&folder);
        let (requests, samples) = (settings.requests(), settings.samples);
        let by_model = requests.len() > 1;
        let scanned = plan_input(&mut source, &prompts, &requests, samples)?;
        if scanned.planner.is_empty() {
            return Err(JobError::NoQuestions { path: settings.input });
        }
        if is_new && !can_ask {
            return Err(JobError::NoKey);
        }
        // Before anything is made: a folder with a store would look like a record.
        if is_new && !has_outputs(&folder) {
            bare_bookmark(&scanned, &settings, decisions)?;
        }

        let in_folder = |error| JobError::folder(&folder, error);
        fs::create_dir_all(&folder).map_err(in_folder)?;
        let lock = Lock::take(&folder, now).map_err(|error| JobError::lock(&folder, error))?;
        let renamed = rename_old(&folder).map_err(in_folder)?;
        files::remove_left_over(&folder);
        if let Ok(input) = fs::canonicalize(&settings.input) {
            files::remove_left_over(files::folder_of(&input));
        }
        let stamp = file_stamp(now);
        let (mut store, rescued) = Store::open(&folder)?;
        let mut moved_to = finish_move(&store, &folder)?;
        let rebuild_finished = finish(&mut store, &folder, &formats, Some(&stamp))?;
        let bom = settings.csv_bom.or(store.csv_bom()?).unwrap_or(false);
        let formats: Vec<LiveFormat> = formats.into_iter().map(|f| f.with_bom(bom)).collect();
        let is_blank = store.is_blank()?;
        let adopted = match is_blank && moved_to.is_none() && store.sink_marks()?.is_empty() {
            true => import_legacy(&mut store, &folder, &formats, by_model, &stamp, now)?,
            false => None,
        };
        if decisions.from_start {
            store.withdraw_presumed()?;
        } else if decisions.from_bookmark {
            store.agree_to_presumed()?;
        }

        let mut edition = store.edition()?;
        let json = store.sink_marks()?.into_iter().find(|mark| mark.name == legacy::JSON.name);
        let taken_back = match json {
            Some(mark) => {
                let by_model = by_model || store.has_parallel_models(edition)?;
                recover_from_output(&mut store, &folder, &mark, by_model, edition, now)?
            }
            None => 0,
        };
        let mut starts_at_row = None;
        if is_blank && adopted.is_none() {
            let before = bare_bookmark(&scanned, &settings, decisions)?;
            if !before.is_empty() {
                store.presume(&before)?;
                starts_at_row = scanned.first_marked_row;
            }
        }
        let held = |store: &Store, edition: u32| -> Result<Vec<Option<i64>>, StoreError> {
            requests.iter().map(|request| Ok(store.settings(request, edition)?.id)).collect()
        };
        let mut held_ids = held(&store, edition)?;
        let mut plan = store.plan(&scanned.planner, edition, &requests)?;

        let mut again_continued = false;
        if decisions.ask_again && !store.is_blank()? {
            let unfinished = plan.count(Planned::Pending) > 0;
            again_continued = edition > 0 && held_ids.iter().all(Option::is_some) && unfinished;
            if !again_continued {
                // Nothing moves for a run that could not ask anything afterwards.
                if !can_ask {
                    return Err(JobError::NoKey);
                }
                edition += 1;
                moved_to =
                    Some(open_generation(&mut store, &settings, &folder, edition, &stamp, now)?);
                held_ids = held(&store, edition)?;
                plan = store.plan(&scanned.planner, edition, &requests)?;
            }
        }
        let pending = plan.count(Planned::Pending);
        if pending > 0 && !can_ask {
            return Err(JobError::NoKey);
        }
        let settings_ids = decide(
            &store,
            &requests,
            &held_ids,
            &plan.with_other_settings,
            edition,
            decisions.keep_answers,
            now,
        )?;
        store.save_requests(&settings_ids, samples)?;
        store.save_invocation(&Invocation::from_settings(&settings))?;
        let last_life = store.last_life()?;
        let endpoint = settings.model().endpoint();
        reform(&mut store, &folder, &formats, settings.csv_bom, edition)?;
        let marks = store.sink_marks()?;
        let (outputs, repairs) =
            Outputs::open(&folder, &formats, store.reader()?, edition, &marks, &stamp)?;
        store.record_marks(&outputs.checkpoints())?;
        store.keep_formats(&settings.formats)?;
        write_readme(&folder, &settings.input, &formats);
        store.keep_csv_bom(settings.csv_bom)?;
        let found = PreparationReport {
            layout: source.layout().clone(),
            questions: plan.rows(),
            answers: plan.states.len() as u64,
            empty: scanned.empty,
            answered: plan.count(Planned::Placed) + plan.count(Planned::Unplaced),
            presumed: plan.count(Planned::Presumed),
            presumed_agreed: store.has_agreed_to_presumed()?,
            starts_at_row,
            bookmark_unused: decisions.from_bookmark && plan.count(Planned::Presumed) == 0,
            kept: plan.count(Planned::Truncated),
            pending,
            duplicates: plan.duplicates,
            removed: plan.orphaned,
            marked_though_answered: plan.marked_though_answered,
            kept_from_others: plan.with_other_settings.iter().sum(),
            imported: adopted,
            recovered: taken_back,
            rescued,
            renamed,
            repairs,
            moved_to,
            rebuild_finished,
            again_continued,
            last_run_died: last_life.as_ref().is_some_and(|(_, ended)| !ended),
            endpoint_before: last_life.map(|(before, _)| before).filter(|b| *b != endpoint),
            is_unlocked: !lock.is_exclusive(),
            system_as_before,
        };
        let waiting = waiting(&mut source, &prompts, &requests[0], &plan)?;
        source.rewind()?;
        Ok(Job {
            report: found,
            settings,
            decisions,
            source,
            marks_known,
            prompts,
            plan,
            waiting,
            store,
            outputs,
            generation: edition,
            settings_ids,
            folder,
            lock,
        })
    }

    /// Returns what holds for this run.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Returns the answers whose place is not decided, with the rows of their questions now: they may have
/// moved since they were answered.
fn waiting(
    source: &mut Source,
    prompts: &Prompts,
    request: &RequestSettings,
    plan: &Plan,
) -> Result<Vec<(QuestionIndex, AnswerId, Option<u64>)>, JobError> {
    let mut waiting: Vec<_> = plan.unplaced.iter().map(|&(at, id)| (at, id, None)).collect();
    if waiting.is_empty() {
        return Ok(waiting);
    }
    let mut next = waiting.iter_mut().peekable();
    for_each_planned(source, prompts, request, plan, |seen| {
        while let Some((_, _, row)) = next.next_if(|(at, ..)| *at < seen.entries.end) {
            *row = Some(seen.row_number);
        }
    })?;
    Ok(waiting)
}

/// Records what is decided about the settings of each model that are not decided yet; returns the
/// numbers of all. Fails, with nothing recorded, where only the user can decide.
fn decide(
    store: &Store,
    requests: &[RequestSettings],
    held: &[Option<i64>],
    bought_otherwise: &[u64],
    edition: u32,
    keep: bool,
    now: i64,
) -> Result<Vec<i64>, JobError> {
    let undecided = || (0..requests.len()).filter(|&at| held[at].is_none());
    if let Some(first) = undecided().find(|&at| bought_otherwise[at] > 0).filter(|_| !keep) {
        let request = &requests[first];
        let before = match store.text_of_model(request.model_hash(), edition)? {
            Some(text) => Some(text),
            None => store.bought_with(edition)?,
        };
        let changes = changes(before.as_ref(), &request.canonical_json());
        let answers = undecided().map(|at| bought_otherwise[at]).sum();
        return Err(JobError::SettingsChanged { changes, answers });
    }
    let is_new = store.last_settings(edition)?.is_none();
    let has_beside = store.has_parallel_models(edition)?;
    let mut ids = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let is_beside = has_beside || requests.len() > 1 && !(is_new && at == 0);
        let decision = if bought_otherwise[at] > 0 { "continue" } else { "first" };
        ids.push(match held[at] {
            Some(id) => id,
            None => store.decide(request, edition, decision, is_beside, now)?,
        });
    }
    Ok(ids)
}

/// Opens the next edition: what is in the outputs moves away, nothing is deleted.
///
/// Written to the store first, so that a crash in the middle is finished by the next run.
fn open_generation(
    store: &mut Store,
    settings: &Settings,
    folder: &Path,
    edition: u32,
    stamp: &str,
    now: i64,
) -> Result<String, JobError> {
    // Where they go to is made first: if it cannot be, nothing has begun.
    fs::create_dir_all(folder.join(EARLIER).join(stamp))
        .map_err(|error| JobError::folder(folder, error))?;
    let meta = |name, value| Write::Meta { name, value: Some(value) };
    store.commit(&[
        meta("edition", Value::Number(edition.into())),
        meta("moving", Value::Text(stamp.to_owned())),
        Write::CheckpointsForgotten,
        Write::PendingForgotten,
        Write::Meta { name: "from_bookmark", value: None },
    ])?;
    for (at, request) in settings.requests().iter().enumerate() {
        store.decide(request, edition, "again", at > 0, now)?;
    }
    Ok(finish_move(store, folder)?.unwrap_or_default())
}

/// Returns the questions before the first bookmark, where there is no record of any answer: those
/// that are to be taken as answered, if that was said. None where all are to be asked; an error where
/// nobody has said either.
fn bare_bookmark(
    scanned: &PlannedInput,
    settings: &Settings,
    decisions: Decisions,
) -> Result<Vec<[u8; 16]>, JobError> {
    let before = scanned.planner.before_first_mark();
    let (Some(row), false) = (scanned.first_marked_row, before.is_empty()) else {
        return Ok(Vec::new());
    };
    if decisions.from_bookmark {
        return Ok(before);
    }
    let asks_all = decisions.from_start || decisions.ask_again;
    if asks_all || is_mark_of_other_run(settings, &scanned.planner.marked()) {
        return Ok(Vec::new());
    }
    Err(JobError::Bookmark {
        path: settings.input.clone(),
        folder: settings.output.clone(),
        row,
        before: before.len() as u64,
        questions: scanned.planner.len() as u64,
    })
}

/// Tells whether a store of another run, in a folder beside the questions or beside this run's
/// folder, knows that one of these questions failed: then the marks are that run's, and no bookmark
/// of the original script.
fn is_mark_of_other_run(settings: &Settings, marked: &HashSet<[u8; 16]>) -> bool {
    let above = |path: &Path| Some(std::path::absolute(path).ok()?.parent()?.to_owned());
    let real = |path: &Path| path.canonicalize().ok();
    let (input, folder) = (&settings.input, &settings.output);
    let own = real(folder);
    let folders = [above(input), real(input).and_then(|real| above(&real)), above(folder)];
    let beside = folders.into_iter().flatten();
    let beside = beside.filter_map(|above| fs::read_dir(above).ok()).flatten().flatten();
    let knows = |path: &Path| open_readonly(path, |store| store.has_failed(marked));
    beside
        .map(|entry| entry.path())
        .filter(|path| real(path) != own)
        .any(|path| matches!(knows(&path), Ok(Some(true))))
}

/// Moves the outputs of an earlier edition away, if that was begun.
pub(crate) fn finish_move(store: &Store, folder: &Path) -> Result<Option<String>, JobError> {
    let Some(stamp) = store.meta::<String>("moving")? else { return Ok(None) };
    let moves = || -> io::Result<()> {
        for format in LIVE_FORMATS {
            let path = folder.join(format.file);
            if path.exists() {
                fs::rename(&path, files::path_in_earlier(folder, &stamp, format.file)?)?;
            }
        }
        files::sync_folder(folder)
    };
    moves().map_err(|error| JobError::folder(folder, error))?;
    store.unset_meta("moving")?;
    Ok(Some(format!("{EARLIER}/{stamp}")))
}

/// What differs between two texts of settings.
fn changes(before: Option<&String>, now: &str) -> Vec<(String, String, String)> {
    type Map = serde_json::Map<String, serde_json::Value>;
    let read = |text: &str| serde_json::from_str::<Map>(text).unwrap_or_default();
    let (before, now) = (read(before.map_or("", String::as_str)), read(now));
    let shown = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => "not set".to_owned(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
    names
        // It follows from the prompt, which is named.
        .filter(|name| *name != "system_is_template")
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| (name.clone(), shown(before.get(name)), shown(now.get(name))))
        .collect()
}
