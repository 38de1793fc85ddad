//! What the answers of a run are like: how long they took, how long they are, what they cost in
//! tokens. Nothing is asked, made or changed.
//!
//! One pass over the answers, of which nothing is kept but sums and counts by size; beside them
//! memory holds what [`crate::view::status`] needs, some 40 bytes a question.

use dset_core::histogram::Histogram;
use dset_core::plan::AnswerId;
use dset_core::plan::ledger::Ledger;
use dset_core::settings::JobSpec;

use crate::error::JobError;
use crate::store::{FailedAsks, MeasuredAnswer, open_readonly};
use crate::view::index::{RowsSeen, RunIndex};
use crate::view::judged_before::JudgedBefore;
use crate::view::status::EndedCount;

/// Models that are told apart; the answers of any further ones are counted together.
const MODELS_MAX: usize = 32;

/// What the answers of a run are like.
#[derive(Debug)]
pub struct Stats {
    /// Where every question stands.
    pub ledger: Ledger,
    /// Why questions ended without an answer.
    pub failed: Vec<EndedCount>,
    /// Rows whose answers were judged against another value than they have now.
    pub judged_before: JudgedBefore,
    /// Questions that are the same request as an earlier one.
    pub duplicates: u64,
    /// Asks that failed, in every run.
    pub failed_asks: FailedAsks,
    /// Every answer, also those whose question is no longer in the file.
    pub all: Measures,
    /// The same, by the model that gave them; those of no name, or of too many, under none.
    pub models: Vec<(Option<String>, Measures)>,
    /// Every question is to get more than one answer.
    pub wants_several: bool,
}

/// Sums and sizes of some answers.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// How many.
    pub answers: u64,
    /// Tokens sent, as far as the service counted them.
    pub input: u64,
    /// Those that were cached.
    pub cached: u64,
    /// Tokens received, reasoning included.
    pub output: u64,
    /// Those that were reasoning.
    pub reasoning: u64,
    /// Answers that took more than one ask.
    pub retried: u64,
    /// Answers that the service says were cut by the token limit.
    pub cut: u64,
    /// Answers exactly as long as the token limit, though the service says that they are whole.
    pub at_token_limit: u64,
    /// How long the last ask of each took, milliseconds.
    pub took_ms: Histogram,
    /// Tokens received for each.
    pub tokens: Histogram,
    /// Characters of reasoning, of those that have any.
    pub reasoning_length: Histogram,
    /// Characters of each answer.
    pub answer_length: Histogram,
    /// The number of the question whose answer took longest, where it is still in the file.
    pub slowest: Option<u64>,
    slowest_id: Option<(u64, AnswerId)>,
}

impl Measures {
    fn add(&mut self, measured: &MeasuredAnswer) {
        let metadata = &measured.metadata;
        self.answers += 1;
        self.input += metadata.input_tokens.unwrap_or(0);
        self.cached += metadata.cached_tokens.unwrap_or(0);
        self.output += metadata.output_tokens.unwrap_or(0);
        self.reasoning += metadata.reasoning_tokens.unwrap_or(0);
        self.retried += u64::from(metadata.attempts.is_some_and(|attempts| attempts > 1));
        self.cut += u64::from(metadata.finish_reason.as_deref() == Some("length"));
        self.at_token_limit += u64::from(metadata.at_token_limit == Some(true));
        if let Some(seconds) = metadata.seconds {
            let ms = (seconds * 1000.0).round() as u64;
            self.took_ms.add(ms);
            if self.slowest_id.is_none_or(|(slowest, _)| ms > slowest) {
                self.slowest_id = Some((ms, measured.id));
            }
        }
        metadata.output_tokens.iter().for_each(|tokens| self.tokens.add(*tokens));
        if measured.reasoning > 0 {
            self.reasoning_length.add(measured.reasoning);
        }
        self.answer_length.add(measured.answer);
    }

    fn number_slowest(&mut self, view: &RunIndex) {
        let is_it = |id: &Option<AnswerId>| *id == self.slowest_id.map(|(_, id)| id);
        let at = self.slowest_id.and_then(|_| view.answers.iter().position(is_it));
        self.slowest = at.map(|at| u64::from(view.plan.wanted().row(at as u32)) + 1);
    }
}

/// Measures the answers of a run; `None` where there is no store.
pub fn stats(settings: &JobSpec) -> Result<Option<Stats>, JobError> {
    open_readonly(&settings.output, |store| {
        let mut view = RunIndex::load(store, settings)?;
        let RowsSeen { ledger, failed, .. } = view.rows(store)?;
        let mut all = Measures::default();
        let mut models: Vec<(Option<String>, Measures)> = Vec::new();
        store.for_each_measured(view.generation, |measured| {
            all.add(&measured);
            let name = &measured.metadata.model;
            let at = models.iter().position(|(known, _)| known == name);
            let at = at.unwrap_or_else(|| {
                let name = name.clone().filter(|_| models.len() < MODELS_MAX);
                models.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    models.push((name, Measures::default()));
                    models.len() - 1
                })
            });
            models[at].1.add(&measured);
        })?;
        all.number_slowest(&view);
        models.iter_mut().for_each(|(_, measures)| measures.number_slowest(&view));
        models.sort_by_key(|(_, measures)| std::cmp::Reverse(measures.answers));
        Ok(Stats {
            ledger,
            failed,
            judged_before: view.judged_before(store)?,
            duplicates: view.plan.duplicates,
            failed_asks: store.failed_asks()?,
            all,
            models,
            wants_several: view.plan.wanted().per_row() > 1,
        })
    })
}
