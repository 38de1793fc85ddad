//! The beginning of a run: what it decides is held back until it begins, and then recorded at once; then the
//! outputs are opened.

use dset_core::acceptance::Terms;
use dset_core::answer::Cause;
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::{AnswerId, Plan};
use dset_core::run::Planned;
use dset_core::settings::JobSpec;
use dset_core::template::Prompts;

use crate::error::JobError;
use crate::os::files::EARLIER;
use crate::output::folder::write_readme;
use crate::output::live::{Outputs, try_to_append};
use crate::recover::Recovered;
use crate::recover::moved::{finish_move, make_room};
use crate::recover::rebuild::reform;
use crate::run::accepting::Accepting;
use crate::run::plan_input::for_each_planned;
use crate::run::prepare::{Decisions, Job, PreparedJob, RunFolder};
use crate::run::report::PreparationReport;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::source::{self, Source, SourceOptions};
use crate::store::{AsAsked, CsvWish, Invocation, KnownSettings, Replaced, Store, StoreError};

/// What was said and found on the way to the plan, beside what it says itself.
pub(crate) struct Preliminaries {
    /// The column that the store knew to have marks.
    pub(crate) marks_known: MarksColumn,
    /// The row of the bookmark at which the run begins, where there is no other record.
    pub(crate) starts_at_row: Option<u64>,
    /// Asking again was begun by an earlier run and is continued.
    pub(crate) again_continued: bool,
    /// Everything is asked again, in a generation that this run opens.
    pub(crate) opens_generation: bool,
    /// What answers are held against.
    pub(crate) accepting: Accepting,
}

/// Decides all that is left to decide, held back in the store, and returns the run. Fails where only the user can
/// decide.
pub(crate) fn decide_all(
    settings: JobSpec,
    decisions: Decisions,
    input: ScannedInput,
    run_plan: RunPlan,
    mut folder: RunFolder,
    before: Preliminaries,
) -> Result<PreparedJob, JobError> {
    let keep = decisions.keep_answers;
    let settings_ids = decide(&folder.store, &input.requests, &run_plan, keep, folder.now)?;
    folder.store.save_requests(&settings_ids, input.samples)?;
    folder.store.save_terms(&before.accepting.terms)?;
    if before.accepting.judge.depends_on_rows() {
        folder.store.save_expected(input.expected.as_ref())?;
    }
    let mut invocation = Invocation::from_settings(&settings);
    invocation.reading.id = input.scanned.id_field.clone();
    let endpoint = settings.model().endpoint();
    // Where nothing is left to ask, nothing is to be proved.
    let answered_before =
        run_plan.pending() > 0 && have_answered(&folder.store, &run_plan, &invocation, &endpoint)?;
    folder.store.save_invocation(&invocation)?;
    let last_life = folder.store.last_life()?;
    let as_asked = AsAsked {
        known: KnownSettings {
            generation: run_plan.generation,
            last: folder.store.last_settings_number()?,
        },
        requests: input.requests.iter().map(RequestSettings::canonical_json).collect(),
        samples: input.samples,
        terms: before.accepting.terms.clone(),
        call: invocation,
    };
    let report = PreparationReport {
        presumed_agreed: folder.store.has_agreed_to_presumed()?,
        starts_at_row: before.starts_at_row,
        bookmark_unused: decisions.from_bookmark && run_plan.plan.count(Planned::Presumed) == 0,
        recovered: std::mem::take(&mut folder.recovered),
        again_continued: before.again_continued,
        last_run_died: last_life.as_ref().is_some_and(|(_, ended)| !ended),
        endpoint_before: last_life.map(|(before, _)| before).filter(|b| *b != endpoint),
        is_unlocked: !folder.lock.is_exclusive(),
        pilot: decisions.pilot,
        without_verdict: without_verdict(&folder.store, &run_plan.plan, &before.accepting)?,
        ..planned(&input, &run_plan.plan)
    };
    let may_be_billed_otherwise = input.scanned.is_billed_otherwise;
    let ScannedInput { mut source, prompts, requests, .. } = input;
    let waiting = waiting(&mut *source, &prompts, &requests[0], &run_plan.plan)?;
    source.rewind()?;
    Ok(PreparedJob {
        report,
        spec: settings,
        decisions,
        budget: None,
        off_peak: None,
        prompt_caches: Vec::new(),
        source,
        marks_known: before.marks_known,
        prompts,
        may_be_billed_otherwise,
        plan: run_plan.plan,
        waiting,
        generation: run_plan.generation,
        opens_generation: before.opens_generation,
        accepting: before.accepting,
        settings_ids,
        answered_before,
        folder,
        lane: None,
        as_asked,
        shared: None,
        replaced: Replaced::default(),
        redo: None,
    })
}

impl PreparedJob {
    /// Makes durable what the run decides, all at once, and opens the outputs.
    pub fn begin(mut self) -> Result<Job, JobError> {
        let RunFolder { path, store, stamp, formats, .. } = &self.folder;
        match self.opens_generation {
            true => make_room(path, stamp)?,
            false => try_to_append(path, formats)?,
        }
        if let Some(spooled) = &self.decisions.spooled {
            // The rows of answers that the new input does not have.
            let loses_rows = self.report.removed > 0 || self.opens_generation;
            let moved = spooled.keep(loses_rows.then_some(stamp))?;
            if moved.is_some() {
                let to = format!("{EARLIER}/{stamp}");
                self.report.recovered.push(Recovered::InputMoved { to });
            }
            let options = SourceOptions::new(&self.spec, self.marks_known.clone());
            self.source = source::open(&self.spec.input, &options)?;
            if let Some(field) = &self.report.id_field {
                self.source.take_ids_from(field);
            }
        }
        store.commit_held()?;
        let recovered = &mut self.report.recovered;
        if self.opens_generation {
            let to = finish_move(store, path)?.unwrap_or_default();
            // Where an earlier move was finished just before, there was nothing left to move.
            recovered.retain(|one| !matches!(one, Recovered::Moved { .. }));
            recovered.push(Recovered::Moved { to });
        }
        let outputs = open_outputs(&mut self.folder, &self.spec, self.generation, recovered)?;
        Ok(Job { prepared: self, outputs })
    }
}

/// Tells whether every model has answered with these settings, at the places of the last run and with
/// keys of its names, which are those of this one.
fn have_answered(
    store: &Store,
    run_plan: &RunPlan,
    invocation: &Invocation,
    endpoint: &str,
) -> Result<bool, JobError> {
    if store.last_invocation()?.is_none_or(|last| !last.asks_where(invocation)) {
        return Ok(false);
    }
    for settings in &run_plan.settings_ids {
        let Some(settings) = settings else { return Ok(false) };
        if !store.has_answers_from(*settings, endpoint)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Counts the answers that are not accepted for no other reason than that a program gave no verdict on them.
fn without_verdict(store: &Store, plan: &Plan, accepting: &Accepting) -> Result<u64, StoreError> {
    let mut count = 0;
    if !accepting.judge.has_programs() {
        return Ok(count);
    }
    let Terms { fingerprint, .. } = &accepting.terms;
    for one in plan.failed_by_checks() {
        let verdicts = store.as_reader().verdicts(one.answer, fingerprint)?;
        let cause = accepting.terms.rejection(verdicts.as_deref());
        count += u64::from(cause == Cause::NoVerdict);
    }
    Ok(count)
}

/// Reports what the input and its plan say.
fn planned(input: &ScannedInput, plan: &Plan) -> PreparationReport {
    let (answered, presumed) = (plan.redo.answered_beside, plan.redo.presumed_beside);
    PreparationReport {
        shape: input.source.shape().clone(),
        questions: plan.counted_rows,
        answers: plan.states.len() as u64 - plan.count(Planned::LeftOut) - answered - presumed,
        empty: input.scanned.empty,
        bad_rows: input.scanned.bad_rows.clone(),
        unread: input.source.unread().to_vec(),
        left_out: input.scanned.left_out,
        pilot: None,
        id_field: input.scanned.id_field.clone(),
        id_before: input.id_before.clone(),
        answered: plan.count(Planned::Placed) + plan.count(Planned::Unplaced) - answered,
        presumed: plan.count(Planned::Presumed) - presumed,
        presumed_agreed: false,
        starts_at_row: None,
        bookmark_unused: false,
        kept: plan.count(Planned::Failed) - plan.failed_checks(),
        failed_checks: plan.failed_checks(),
        without_verdict: 0,
        pending: plan.count(Planned::Pending),
        duplicates: plan.duplicates,
        removed: plan.orphaned,
        outdated: plan.outdated,
        marked_though_answered: plan.marked_though_answered,
        kept_from_others: plan.with_other_settings.iter().sum(),
        recovered: Vec::new(),
        again_continued: false,
        redo_continued: None,
        endpoint_before: None,
        last_run_died: false,
        is_unlocked: false,
        system_as_before: input.system_as_before,
    }
}

/// Opens the outputs as these settings want them, and repairs them where they are not as they were
/// written.
fn open_outputs(
    folder: &mut RunFolder,
    settings: &JobSpec,
    generation: u32,
    recovered: &mut Vec<Recovered>,
) -> Result<Outputs, JobError> {
    let RunFolder { path, store, formats, stamp, .. } = folder;
    reform(store, path, formats, settings, generation)?;
    let checkpoints = store.checkpoints()?;
    let (outputs, repairs) =
        Outputs::open(path, formats, store.reader()?, generation, &checkpoints, stamp)?;
    recovered.extend(repairs.into_iter().map(Recovered::Repaired));
    store.record_checkpoints(&outputs.checkpoints())?;
    store.keep_formats(&settings.formats)?;
    write_readme(path, &settings.input, formats);
    store.keep_csv_wish(CsvWish::Bom, settings.csv_bom)?;
    store.keep_csv_wish(CsvWish::Id, settings.csv_id)?;
    Ok(outputs)
}

/// Returns the answers whose place is not decided, with the rows of their questions now: they may have
/// moved since they were answered.
fn waiting(
    source: &mut dyn Source,
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
            *row = Some(seen.row_number());
        }
    })?;
    Ok(waiting)
}

/// Records what is decided about the settings of each model that are not decided yet; returns the
/// numbers of all. Fails, with nothing recorded, where only the user can decide.
fn decide(
    store: &Store,
    requests: &[RequestSettings],
    run_plan: &RunPlan,
    keep: bool,
    now: i64,
) -> Result<Vec<i64>, JobError> {
    check_settings(store, requests, run_plan, keep)?;
    let RunPlan { generation, plan, settings_ids: held } = run_plan;
    let (generation, bought_otherwise) = (*generation, &plan.with_other_settings);
    let is_new = store.last_settings(generation)?.is_none();
    let has_beside = store.has_parallel_models(generation)?;
    let mut ids = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let is_beside = has_beside || requests.len() > 1 && !(is_new && at == 0);
        let decision = if bought_otherwise[at] > 0 { "continue" } else { "first" };
        ids.push(match held[at] {
            Some(id) => id,
            None => store.decide(request, generation, decision, is_beside, now)?,
        });
    }
    Ok(ids)
}

/// Fails where answers were bought with other settings and the user has not said that they are kept.
pub(crate) fn check_settings(
    store: &Store,
    requests: &[RequestSettings],
    run_plan: &RunPlan,
    keep: bool,
) -> Result<(), JobError> {
    let RunPlan { generation, plan, settings_ids: held } = run_plan;
    let (generation, bought_otherwise) = (*generation, &plan.with_other_settings);
    let undecided = || (0..requests.len()).filter(|&at| held[at].is_none());
    if let Some(first) = undecided().find(|&at| bought_otherwise[at] > 0).filter(|_| !keep) {
        let request = &requests[first];
        let before = match store.text_of_model(request.model_hash(), generation)? {
            Some(text) => Some(text),
            None => store.bought_with(generation)?,
        };
        let changes = changes(before.as_ref(), &request.canonical_json());
        let answers = undecided().map(|at| bought_otherwise[at]).sum();
        return Err(JobError::SettingsChanged { changes, answers });
    }
    Ok(())
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
