//! An input under some settings, held against a store: what a run would ask. Takes no lock and writes
//! nothing.

use std::ops::Range;

use dset_core::acceptance::Terms;
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::{AnswerId, Former, Plan, Role, StoreFacts};
use dset_core::run::Planned;
use dset_core::settings::JobSpec;
use dset_core::template::Prompts;

use crate::error::JobError;
use crate::run::former::former_requests;
use crate::run::plan_input::{PlannedInput, plan_input};
use crate::run::prompts::{CheckedPrompts, check_prompts};
use crate::shard::is_of_job;
use crate::source::{self, Source, SourceOptions};
use crate::store::{Anew, KnownSettings, Rejudged, Store, Wanted, open_readonly};

/// Answers by the wanted ones that they may count for, 16 bytes each.
#[derive(Debug, Default)]
pub(crate) struct AnswersOfEntries(Vec<(QuestionIndex, AnswerId)>);

impl AnswersOfEntries {
    pub(crate) fn extend(&mut self, at: QuestionIndex, answers: impl Iterator<Item = AnswerId>) {
        self.0.extend(answers.map(|answer| (at, answer)));
    }

    /// Puts those of one wanted answer together, in the order in which they came.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by_key(|(at, _)| *at);
    }

    /// Returns those of these wanted answers, once they are sorted.
    pub(crate) fn of(&self, entries: &Range<QuestionIndex>) -> impl Iterator<Item = AnswerId> {
        let from = self.0.partition_point(|(at, _)| *at < entries.start);
        let until = self.0.partition_point(|(at, _)| *at < entries.end);
        self.0[from..until].iter().map(|(_, answer)| *answer)
    }
}

/// An input that was read once, as these requests would ask it.
pub(crate) struct ScannedInput {
    pub(crate) source: Box<dyn Source>,
    pub(crate) prompts: Prompts,
    /// What each model is asked with.
    pub(crate) requests: Vec<RequestSettings>,
    pub(crate) samples: u32,
    pub(crate) scanned: PlannedInput,
    /// The same as other settings asked it that have answers in the store, where these are not found by
    /// their questions alone.
    former: Former,
    /// The system prompt is sent as it stands, as for the answers that are there.
    pub(crate) system_as_before: bool,
    /// What is asked again on purpose.
    pub(crate) anew: Anew,
    /// What is thought of answers now that was thought otherwise before, until that is decided on.
    pub(crate) rejudged: Rejudged,
    /// What the rows expect of their answers, hashed, where all are judged by that.
    pub(crate) expected: Option<String>,
    /// The field that named the rows of the last run, where these are not named by it.
    pub(crate) id_before: Option<String>,
    /// The settings whose answers may count, where those of later ones do not.
    known: Option<KnownSettings>,
}

impl ScannedInput {
    /// Reads the input to ask it: prompts that cannot be sent are an error. `marks` is the column
    /// that the store knows to have marks.
    pub(crate) fn to_ask(
        settings: &mut JobSpec,
        marks: MarksColumn,
    ) -> Result<ScannedInput, JobError> {
        if settings.reading.shard.is_none() {
            source::check_use(&settings.input, &settings.reading)?;
        }
        recall(settings)?;
        let source = source::open(&settings.input, &SourceOptions::new(settings, marks))?;
        let CheckedPrompts { prompts, system_as_before } = check_prompts(settings, source.shape())?;
        let (requests, samples) = (settings.requests(), settings.samples);
        let input = ScannedInput::read(source, prompts, requests, samples, settings, None)?;
        Ok(ScannedInput { system_as_before, ..input })
    }

    /// Reads the input to look at it, as it was asked last or, where `asked` does not say, as these
    /// settings would ask it; with the answers of `known` settings alone, where they are said.
    pub(crate) fn to_look_at(
        settings: &JobSpec,
        marks: MarksColumn,
        asked: Option<(Vec<RequestSettings>, u32)>,
        known: Option<KnownSettings>,
    ) -> Result<ScannedInput, JobError> {
        let (requests, samples) = asked.unwrap_or_else(|| (settings.requests(), settings.samples));
        let options = SourceOptions::new(settings, marks).asked_with(&requests[0]);
        let source = source::open(&settings.input, &options)?;
        let prompts = Prompts::new(&requests[0], source.shape())?;
        ScannedInput::read(source, prompts, requests, samples, settings, known)
    }

    fn read(
        mut source: Box<dyn Source>,
        prompts: Prompts,
        requests: Vec<RequestSettings>,
        samples: u32,
        settings: &JobSpec,
        known: Option<KnownSettings>,
    ) -> Result<ScannedInput, JobError> {
        let scanned = plan_input(&mut *source, &prompts, &requests, samples, &settings.reading)?;
        // A store that cannot be read is an error of whoever opens it.
        let former =
            open_readonly(&settings.output, |store| store.former_settings(&requests, known));
        let former = former.ok().flatten().unwrap_or_default();
        let is_question_alone = scanned.planner.prompts_are_questions();
        let former =
            former_requests(&mut *source, &prompts, &requests[0], &former, is_question_alone)?;
        let id_field = scanned.id_field.as_ref();
        let id_before = settings.reading.id_before.clone().filter(|name| id_field != Some(name));
        let (system_as_before, anew, rejudged) = (false, Anew::default(), Rejudged::default());
        Ok(ScannedInput {
            source,
            prompts,
            requests,
            samples,
            scanned,
            former,
            system_as_before,
            anew,
            rejudged,
            expected: None,
            id_before,
            known,
        })
    }
}

/// Takes the field that named the rows before, where the user names none: two equal ids there are then
/// an error. Fails where the folder is that of a shard, or of a job, and the whole input would be asked into it.
/// A store that cannot be read is an error of whoever opens it.
fn recall(settings: &mut JobSpec) -> Result<(), JobError> {
    if is_of_job(&settings.output) {
        return Err(JobError::JobFolder { folder: settings.output.clone() });
    }
    let last = open_readonly(&settings.output, |store| store.last_invocation());
    let Some(last) = last.ok().flatten().flatten() else { return Ok(()) };
    if let Some(shard) = last.reading.shard.filter(|_| settings.reading.shard.is_none()) {
        return Err(JobError::ShardFolder { folder: settings.output.clone(), shard });
    }
    if settings.reading.id.is_none() && settings.reading.shard.is_none() {
        settings.reading.id_before = last.reading.id;
    }
    Ok(())
}

/// What a run would ask.
pub(crate) struct RunPlan {
    /// How often everything was asked again.
    pub(crate) generation: u32,
    pub(crate) plan: Plan,
    /// The decided settings of each model, by their numbers in the store.
    pub(crate) settings_ids: Vec<Option<i64>>,
}

impl RunPlan {
    /// Plans for a generation of a store, as these terms accept its answers.
    pub(crate) fn new(
        input: &ScannedInput,
        store: &Store,
        generation: u32,
        terms: Option<&Terms>,
    ) -> Result<RunPlan, JobError> {
        RunPlan::with_answers(input, store, generation, terms, |_, _| {})
    }

    /// Does the same, and calls `answered` for each answered entry with the answer that counts.
    pub(crate) fn with_answers(
        input: &ScannedInput,
        store: &Store,
        generation: u32,
        terms: Option<&Terms>,
        mut answered: impl FnMut(QuestionIndex, AnswerId),
    ) -> Result<RunPlan, JobError> {
        RunPlan::held_against(input, store, generation, terms, |at, answer, role| {
            if role == Role::Counts {
                answered(at, answer);
            }
        })
    }

    /// Plans as if every answer were accepted, and calls `answered` for each entry with one answer under every
    /// key whose answers may count for it, on whichever terms.
    pub(crate) fn with_all_answers(
        input: &ScannedInput,
        store: &Store,
        generation: u32,
        mut answered: impl FnMut(QuestionIndex, AnswerId),
    ) -> Result<RunPlan, JobError> {
        RunPlan::held_against(input, store, generation, None, |at, answer, _| answered(at, answer))
    }

    fn held_against(
        input: &ScannedInput,
        store: &Store,
        generation: u32,
        terms: Option<&Terms>,
        answered: impl FnMut(QuestionIndex, AnswerId, Role),
    ) -> Result<RunPlan, JobError> {
        let requests = &input.requests;
        let settings_ids = requests.iter().map(|request| store.settings(request, generation));
        let settings_ids = settings_ids.collect::<Result<_, _>>()?;
        let planner = &input.scanned.planner;
        let (former, anew, rejudged) = (&input.former, &input.anew, &input.rejudged);
        let wanted = Wanted { planner, former, anew, rejudged, known: input.known };
        let plan = store.plan(&wanted, generation, requests, terms, answered)?;
        Ok(RunPlan { generation, plan, settings_ids })
    }

    /// Plans where there is no store.
    pub(crate) fn without_store(input: &ScannedInput) -> RunPlan {
        let plan = input.scanned.planner.plan(0, [], &StoreFacts::default());
        RunPlan { generation: 0, plan, settings_ids: vec![None; input.requests.len()] }
    }

    /// Counts the answers that are to be asked for.
    pub(crate) fn pending(&self) -> u64 {
        self.plan.count(Planned::Pending)
    }

    /// Tells whether asking everything again was begun with these settings and is not done yet.
    pub(crate) fn is_unfinished_again(&self) -> bool {
        self.generation > 0 && self.settings_ids.iter().all(Option::is_some) && self.pending() > 0
    }
}
