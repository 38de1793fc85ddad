//! Executes effects: what the machine wants done is begun here, and answered by an event later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dset_core::acceptance::Verdicts;
use dset_core::answer::{Answer, ParsedReply};
use dset_core::item::error_marks::InputMarks;
use dset_core::item::question::Question;
use dset_core::run::ask::Ask;
use dset_core::run::{Effect, Ending, Event, JournalRecord};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinHandle;

use crate::check::Judge;
use crate::http::ask::AskResult;
use crate::observer::Observer;
use crate::os::panic_guard::catch_panic;
use crate::run::drive::Run;
use crate::run::drive::peers::Target;
use crate::run::drive::workers::WorkerMessage;
use crate::store::ToStore;

/// What an ask came to, and what is thought of it where it is an answer.
pub(super) struct JudgedResult {
    pub(super) came: AskResult,
    pub(super) verdicts: Option<Box<Verdicts>>,
    /// The ask was dropped before programs had judged its answer.
    pub(super) is_unfinished: bool,
}

/// Has programs judge an answer too; `None` where the ask is dropped before they have, or they cannot.
async fn judged_by_programs(
    judge: Arc<Judge>,
    question: Arc<Question>,
    answer: Answer,
    mut dropped: oneshot::Receiver<()>,
) -> Option<Verdicts> {
    if dropped.try_recv() == Err(TryRecvError::Closed) {
        return None;
    }
    let waiting =
        tokio::task::spawn_blocking(move || judge.judge_question(&question, &answer, true));
    unless_dropped(waiting, dropped).await
}

/// Waits for some work; `None` where the ask is dropped before, or the work dies.
async fn unless_dropped<T>(work: JoinHandle<T>, dropped: oneshot::Receiver<()>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => done.ok(),
        _ = dropped => None,
    }
}

impl Run {
    /// Begins what the machine wants; returns the ending if that is it.
    pub(super) fn perform(&mut self, effect: Effect, watcher: &mut dyn Observer) -> Option<Ending> {
        match effect {
            // A thread that is gone has said why, and the machine is ending the run.
            Effect::Read { count } => drop(self.questions.send(count)),
            Effect::Ask(ask) => self.ask(ask),
            Effect::Abandon(ask) => drop(self.cancel_txs.remove(&ask)),
            Effect::Record(seq, record) => {
                let body = match &record {
                    JournalRecord::Failed { ask, .. } => self.bodies.remove(ask),
                    _ => None,
                };
                if let JournalRecord::Answered { question, .. } = &record {
                    self.unsynced.push_back((seq, Arc::clone(question)));
                }
                let record = Box::new(record);
                drop(self.store.send(ToStore::Record { seq, record, body }));
            }
            Effect::Emit { upto, questions } => {
                drop(self.store.send(ToStore::Order { upto, questions }));
            }
            // By way of the store, so that it comes after the rows before it.
            Effect::Flush => drop(self.store.send(ToStore::Flush)),
            Effect::SetTimer(at) => self.alarm = Some(at),
            Effect::Mark(marks) => self.mark(marks),
            Effect::Show(notice) => watcher.notice(self.clock.now(), &notice),
            Effect::Finish(ending) => return Some(*ending),
        }
        None
    }

    fn ask(&mut self, ask: Ask) {
        let (drop_it, dropped) = oneshot::channel::<()>();
        self.cancel_txs.insert(ask.id, drop_it);
        let at = |asked: &&Arc<Target>| (asked.model, asked.number) == (ask.model, ask.endpoint);
        let asked = self.targets.iter().find(at).expect("the machine asks where it was told to");
        let (asked, tell, judge) = (Arc::clone(asked), self.tell.clone(), Arc::clone(&self.judge));
        self.asks.spawn(async move {
            let mut dropped = dropped;
            let told = |tokens| {
                drop(tell.send(WorkerMessage::Event(Event::Progressed { ask: ask.id, tokens })));
            };
            let until = async { drop((&mut dropped).await) };
            let Some(mut came) = asked.endpoint.ask_until(&ask, told, until).await else {
                return (ask.id, None);
            };
            came.reading = came.reading.with_cut_answer();
            came.reading = came.reading.with_unfit_answer(|answer| judge.asks_something_of(answer));
            let mut is_unfinished = false;
            let verdicts = match &came.reading {
                ParsedReply::Answer(answer) if judge.asks_something_of(answer) => {
                    let so_far = Box::new(judge.judge_question(&ask.question, answer, false));
                    if judge.has_programs() {
                        let (answer, question) = (answer.clone(), Arc::clone(&ask.question));
                        let came = Event::AnswerCame {
                            ask: ask.id,
                            answer: Box::new(answer.clone()),
                            verdicts: so_far.clone(),
                        };
                        drop(tell.send(WorkerMessage::Event(came)));
                        let judged = judged_by_programs(judge, question, answer, dropped).await;
                        is_unfinished = judged.is_none();
                        Some(judged.map_or(so_far, Box::new))
                    } else {
                        Some(so_far)
                    }
                }
                _ => None,
            };
            (ask.id, Some(JudgedResult { came, verdicts, is_unfinished }))
        });
    }

    fn mark(&mut self, marks: InputMarks) {
        let Some(marker) = self.marker.clone() else {
            // The input is never written: what failed is in the store.
            let questions = marks.question_hashes();
            let took = Duration::ZERO;
            drop(self.tell.send(WorkerMessage::Marked { questions, column: None, took }));
            return;
        };
        let (known, tell) = (self.marks_known.clone(), self.tell.clone());
        self.marking.spawn_blocking(move || {
            let began = Instant::now();
            let marked = catch_panic(|| marker.write(&marks, known.as_deref()));
            let told = match marked.unwrap_or_else(|died| Err(died.into())) {
                Ok((rewritten, column)) => {
                    let questions = marks.question_hashes();
                    let column = Some(column).filter(|_| rewritten.set > 0);
                    WorkerMessage::Marked { questions, column, took: began.elapsed() }
                }
                Err(error) => WorkerMessage::MarkFailed(error),
            };
            let _ = tell.send(told);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_dies_is_waited_for_no_longer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let waits = |work: fn() -> u8| async move {
                let (_held, dropped) = oneshot::channel();
                unless_dropped(tokio::task::spawn_blocking(work), dropped).await
            };
            assert_eq!(waits(|| 7).await, Some(7));
            assert_eq!(waits(|| panic!("on purpose")).await, None);
        });
    }
}
