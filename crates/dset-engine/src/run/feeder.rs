//! Reads the texts of the questions that are to be asked, as the plan that was made of them says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use dset_core::item::Status;
use dset_core::item::question::{Question, QuestionIndex};
use dset_core::key::RequestHasher;
use dset_core::plan::Plan;
use dset_core::run::{Event, Planned};
use dset_core::template::Prompts;

use crate::source::Source;
use crate::source::items::{ItemError, Items};

/// Reads the texts of the questions that are to be asked, in the order of the input.
pub(crate) struct QuestionFeeder {
    pub(crate) source: Box<dyn Source>,
    pub(crate) prompts: Prompts,
    /// One for each model.
    pub(crate) hashers: Vec<RequestHasher>,
    pub(crate) plan: Arc<Plan>,
    /// The next row among those that are asked.
    pub(crate) next: u32,
}

impl QuestionFeeder {
    pub(crate) fn run(self, wanted: &Receiver<usize>, tell: impl Fn(Event)) {
        let QuestionFeeder { mut source, prompts, hashers, plan, next } = self;
        let items = Items::with_hashers(&mut *source, &prompts, hashers);
        PlannedQuestions { items, plan: &plan, next }.feed(wanted, tell);
    }
}

/// The rows of a plan, read against it.
struct PlannedQuestions<'a> {
    items: Items<'a>,
    plan: &'a Plan,
    next: u32,
}

impl PlannedQuestions<'_> {
    fn feed(mut self, wanted: &Receiver<usize>, tell: impl Fn(Event)) {
        let last = self.plan.states.iter().rposition(|&state| state == Planned::Pending);
        let last = last.map(|at| self.plan.wanted().row(at as QuestionIndex));
        // A row may be more questions than are asked for: the rest wait for the next time.
        let mut read: VecDeque<Question> = VecDeque::new();
        while let Ok(count) = wanted.recv() {
            let mut end = None;
            while read.len() < count && end.is_none() {
                // What was added behind the last planned row belongs to the next run.
                if last.is_none_or(|last| self.next > last) {
                    end = Some(Event::QuestionsEnd);
                    break;
                }
                match self.read() {
                    Ok(questions) => read.extend(questions),
                    Err(row_number) => end = Some(Event::QuestionsChanged { row_number }),
                }
            }
            let questions: Vec<Question> = read.drain(..count.min(read.len())).collect();
            if !questions.is_empty() || end.is_none() {
                tell(Event::Questions(questions));
            }
            if let Some(end) = end {
                tell(end);
                return;
            }
        }
    }

    /// Reads one row: what is to be asked of it, or an error with the row that is not the one that
    /// was planned.
    fn read(&mut self) -> Result<Vec<Question>, Option<u64>> {
        let prepared = self.items.next().map_err(|error| match error {
            ItemError::Source(_) => None,
            ItemError::Prompt(place, _) => Some(place.number()),
        })?;
        let prepared = prepared.ok_or(None)?;
        let (plan, item) = (self.plan, &prepared.item);
        let Some(rendered) = &prepared.rendered else { return Ok(Vec::new()) };
        let row_number = item.place.number();
        if !plan.fits(self.next, prepared.fingerprints[0]) {
            return Err(Some(row_number));
        }
        let entries = plan.wanted().entries_of_row(self.next);
        let id = plan.id(self.next, item.text_hash());
        self.next += 1;
        let is_pending = |at: &QuestionIndex| plan.states[*at as usize] == Planned::Pending;
        if !entries.clone().any(|at| is_pending(&at)) {
            return Ok(Vec::new());
        }
        let text: Arc<str> = item.text.into();
        let Some(content) = prepared.content(&text) else { return Ok(Vec::new()) };
        let name: Option<Arc<str>> = item.id.map(Arc::from);
        let question = |index| {
            let (model, sample) = (plan.wanted().model(index), plan.wanted().sample(index));
            Question {
                index,
                row_number,
                name: name.clone(),
                key: plan.key(index, prepared.fingerprints[usize::from(model)]),
                id,
                failure_key: plan.wanted().failure_key(id, index),
                text: Arc::clone(&text),
                content: content.clone(),
                system: rendered.system.clone(),
                params: item.params.cloned(),
                marked: item.status == Status::Error,
                model,
                sample,
            }
        };
        Ok(entries.filter(is_pending).map(question).collect())
    }
}
