//! Reads the texts of the questions that are to be asked, as the plan that was made of them says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use dset_core::acceptance::{Outcome, Terms};
use dset_core::item::Status;
use dset_core::item::prefix::prefixes;
use dset_core::item::question::{EarlierTries, Question, QuestionIndex};
use dset_core::key::RequestHasher;
use dset_core::plan::{NotAccepted, Plan, Tries};
use dset_core::run::{Event, Planned};
use dset_core::template::Prompts;

use crate::source::Source;
use crate::source::items::{ItemError, Items};
use crate::store::{Archive, StoreError};

/// Reads the texts of the questions that are to be asked, in the order of the input.
pub(crate) struct QuestionFeeder {
    pub(crate) source: Box<dyn Source>,
    pub(crate) prompts: Prompts,
    /// One for each model.
    pub(crate) hashers: Vec<RequestHasher>,
    pub(crate) plan: Arc<Plan>,
    /// Where answers that were not accepted are read, and what verdicts on them are known by; absent
    /// where all are accepted.
    pub(crate) earlier: Option<EarlierAnswers>,
    /// Of each model, whether its provider caches the beginnings of prompts.
    pub(crate) caches: Vec<bool>,
    /// The next row among those that are asked.
    pub(crate) next: u32,
}

impl QuestionFeeder {
    /// Reads until nobody wants more, or there is no more. Fails where the store cannot be read.
    pub(crate) fn run(
        self,
        wanted: &Receiver<usize>,
        tell: impl Fn(Event),
    ) -> Result<(), StoreError> {
        let QuestionFeeder { mut source, prompts, hashers, plan, earlier, caches, next } = self;
        let items = Items::with_hashers(&mut *source, &prompts, hashers);
        PlannedQuestions { items, plan: &plan, earlier, caches, next }.feed(wanted, tell)
    }
}

/// Where answers that were not accepted are read.
pub(crate) struct EarlierAnswers {
    pub(crate) archive: Box<dyn Archive>,
    /// On which terms; absent where all are accepted.
    pub(crate) terms: Option<Terms>,
}

impl EarlierAnswers {
    /// Returns what is asked after the answers to a question that were not accepted.
    fn another_try(&self, question: Question, found: &NotAccepted) -> Result<Question, StoreError> {
        let Tries { count, aside } = found.tries;
        let before = |count| EarlierTries { count, aside, content: question.content.clone() };
        if count == 0 {
            let earlier = (aside > 0).then(|| Arc::new(before(0)));
            return Ok(Question { earlier, ..question });
        }
        let answer = self.archive.row(found.answer)?.answer;
        let terms = self.terms.as_ref();
        let verdicts = terms.map(|terms| self.archive.verdicts(found.answer, &terms.fingerprint));
        let verdicts = verdicts.transpose()?.flatten().unwrap_or_default();
        let retry = terms.map(|terms| terms.retry).unwrap_or_default();
        let failed = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Failed);
        let reasons = failed.flat_map(|verdict| &verdict.reasons);
        let earlier = Some(Arc::new(before(count - 1)));
        let question = Question { earlier, ..question };
        Ok(question.another_try(&answer, reasons, retry))
    }
}

/// Why no more questions can be read.
enum Unreadable {
    /// The input is not the one that was planned; the row that differs, where known.
    Input(Option<u64>),
    /// The earlier answers cannot be read.
    Store(StoreError),
}

/// The rows of a plan, read against it.
struct PlannedQuestions<'a> {
    items: Items<'a>,
    plan: &'a Plan,
    earlier: Option<EarlierAnswers>,
    caches: Vec<bool>,
    next: u32,
}

impl PlannedQuestions<'_> {
    fn feed(mut self, wanted: &Receiver<usize>, tell: impl Fn(Event)) -> Result<(), StoreError> {
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
                    Err(Unreadable::Input(row_number)) => {
                        end = Some(Event::QuestionsChanged { row_number });
                    }
                    Err(Unreadable::Store(error)) => return Err(error),
                }
            }
            let questions: Vec<Question> = read.drain(..count.min(read.len())).collect();
            if !questions.is_empty() || end.is_none() {
                tell(Event::Questions(questions));
            }
            if let Some(end) = end {
                tell(end);
                break;
            }
        }
        Ok(())
    }

    /// Reads one row: what is to be asked of it.
    fn read(&mut self) -> Result<Vec<Question>, Unreadable> {
        let prepared = self.items.next().map_err(|error| match error {
            ItemError::Source(_) => Unreadable::Input(None),
            ItemError::Prompt(place, _) => Unreadable::Input(Some(place.number())),
        })?;
        let prepared = prepared.ok_or(Unreadable::Input(None))?;
        let (plan, item) = (self.plan, &prepared.item);
        let Some(rendered) = &prepared.rendered else { return Ok(Vec::new()) };
        let row_number = item.place.number();
        if !plan.fits(self.next, prepared.fingerprints[0]) {
            return Err(Unreadable::Input(Some(row_number)));
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
        let is_judged = self.earlier.as_ref().is_some_and(|earlier| earlier.terms.is_some());
        let fields = is_judged.then(|| Arc::new(item.fields.to_object()));
        let caches = self.caches.contains(&true);
        let prefixes = caches.then(|| {
            prefixes(rendered.system.as_deref(), &content, item.params.map(|params| &**params))
        });
        let prefixes = prefixes.flatten();
        let question = |index| {
            let (model, sample) = (plan.wanted().model(index), plan.wanted().sample(index));
            Question {
                index,
                row_number,
                name: name.clone(),
                key: plan.key(index, prepared.fingerprints[usize::from(model)]),
                id,
                failure_key: plan.failure_key(id, index),
                text: Arc::clone(&text),
                content: content.clone(),
                system: rendered.system.clone(),
                params: item.params.cloned(),
                marked: item.status == Status::Error,
                has_failed: plan.has_failed(id, index),
                model,
                sample,
                earlier: None,
                fields: fields.clone(),
                prefixes: prefixes.clone().filter(|_| self.caches[usize::from(model)]),
            }
        };
        let questions = entries.filter(is_pending).map(question);
        let tried = questions.map(|question| {
            let found = plan.not_accepted(question.index);
            match found.zip(self.earlier.as_ref()) {
                Some((found, earlier)) => {
                    earlier.another_try(question, found).map_err(Unreadable::Store)
                }
                None => Ok(question),
            }
        });
        tried.collect()
    }
}
