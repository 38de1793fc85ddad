//! Reads the texts of the questions that are to be asked, as the plan that was made of them says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use dset_core::csv::ERROR;
use dset_core::item::question::{Question, QuestionIndex};
use dset_core::key::RequestHasher;
use dset_core::plan::Plan;
use dset_core::run::{Event, Planned};
use dset_core::template::Prompts;

use crate::source::Source;

/// Reads the texts of the questions that are to be asked, in the order of the input.
pub(crate) struct QuestionFeeder {
    pub(crate) source: Source,
    pub(crate) prompts: Prompts,
    /// One for each model.
    pub(crate) hashers: Vec<RequestHasher>,
    pub(crate) plan: Arc<Plan>,
    /// The next row among those that are asked.
    pub(crate) next: u32,
}

impl QuestionFeeder {
    pub(crate) fn run(mut self, wanted: &Receiver<usize>, tell: impl Fn(Event)) {
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
        let (layout, row) = self.source.next_row().map_err(|_| None)?.ok_or(None)?;
        let (row_number, status) = (row.row_number, layout.status);
        let text = layout.question_of(row);
        let rendered = self.prompts.render(row_number, text, row).map_err(|_| Some(row_number))?;
        let Some(rendered) = rendered else { return Ok(Vec::new()) };
        let first = self.hashers[0].fingerprint_of(&rendered);
        if !self.plan.fits(self.next, first) {
            return Err(Some(row_number));
        }
        let entries = self.plan.wanted().entries_of_row(self.next);
        let id = self.plan.id(self.next, text);
        self.next += 1;
        let is_pending = |at: &QuestionIndex| self.plan.states[*at as usize] == Planned::Pending;
        if !entries.clone().any(|at| is_pending(&at)) {
            return Ok(Vec::new());
        }
        let marked = status.and_then(|at| row.cell(at)).is_some_and(|cell| cell.trim() == ERROR);
        let text: Arc<str> = text.into();
        let prompt = match *rendered.user == *text {
            true => Arc::clone(&text),
            false => Arc::from(&*rendered.user),
        };
        let hashers = &mut self.hashers;
        let question = |index| {
            let (model, sample) =
                (self.plan.wanted().model(index), self.plan.wanted().sample(index));
            let fingerprint = match model {
                0 => first,
                _ => hashers[usize::from(model)].fingerprint_of(&rendered),
            };
            Question {
                index,
                row_number,
                key: self.plan.key(index, fingerprint),
                id,
                failure_key: self.plan.wanted().failure_key(id, index),
                text: Arc::clone(&text),
                prompt: Arc::clone(&prompt),
                system: rendered.system.clone(),
                marked,
                model,
                sample,
            }
        };
        Ok(entries.filter(is_pending).map(question).collect())
    }
}
