//! Turns what came back, of an ask or from a thread, into events.

use dset_core::answer::ParsedReply;
use dset_core::item::question::Question;
use dset_core::run::ask::AskId;
use dset_core::run::{Event, Seq};

use crate::observer::{LocalFailure, Observer};
use crate::output::live::OutputError;
use crate::run::drive::Run;
use crate::run::drive::effects::JudgedResult;
use crate::run::drive::workers::WorkerMessage;
use crate::store::{STORE, StoreError, ToStore};

impl Run {
    pub(super) fn on_ask_end(&mut self, ask: AskId, came: Option<JudgedResult>) -> Event {
        self.cancel_txs.remove(&ask);
        let Some(JudgedResult { came, verdicts, is_unfinished }) = came else {
            return Event::Abandoned { ask };
        };
        let (reading, verdicts) = match (came.reading, verdicts) {
            (ParsedReply::Answer(answer), Some(verdicts)) if is_unfinished => {
                return Event::NotJudged { ask, answer: Box::new(answer), verdicts };
            }
            (reading, verdicts) => (reading, verdicts),
        };
        let is_answer = matches!(reading, ParsedReply::Answer(_));
        if let Some(body) = came.body.filter(|_| !is_answer) {
            self.bodies.insert(ask, body);
        }
        Event::Replied { ask, reading, limits: came.limits, verdicts }
    }

    /// Turns what a thread told into an event, and passes on what others must know.
    pub(super) fn on_message(
        &mut self,
        told: WorkerMessage,
        watcher: &mut dyn Observer,
    ) -> Option<Event> {
        let now = self.clock.now();
        match told {
            WorkerMessage::Event(event) => {
                if let Event::Synced { upto } = event {
                    self.take_synced(upto, |question| watcher.acknowledged(question));
                }
                Some(event)
            }
            WorkerMessage::StoreFailed { upto, detail, rescued, answers } => {
                self.take_synced(upto, |_| ());
                let path = self.spec.output.join(STORE);
                watcher.local_failure(now, &LocalFailure::Store { path, detail, rescued, answers });
                Some(Event::SyncFailed { upto })
            }
            WorkerMessage::StoreUnreadable(error) => {
                let (path, detail) = (self.spec.output.join(STORE), error.to_string());
                let failure = LocalFailure::Store { path, detail, rescued: None, answers: 0 };
                watcher.local_failure(now, &failure);
                Some(Event::StoreUnreadable)
            }
            WorkerMessage::Written { checkpoints, upto } => {
                drop(self.store.send(ToStore::Checkpoints { checkpoints, upto }));
                None
            }
            WorkerMessage::OutputFailed(error) => {
                let is_text_damaged =
                    matches!(error, OutputError::Store(StoreError::TextDamaged { .. }));
                let detail = error.to_string();
                watcher.local_failure(now, &LocalFailure::Output { detail, is_text_damaged });
                Some(Event::EmitFailed)
            }
            WorkerMessage::Marked { questions, column, took } => {
                self.marks_known = column.clone().or(self.marks_known.take());
                drop(self.store.send(ToStore::Marked { questions, column }));
                Some(Event::Marked { took })
            }
            WorkerMessage::Away(detail) => {
                let is_held = detail.is_some();
                watcher.local_failure(now, &LocalFailure::Server { detail });
                Some(Event::SharingHeld(is_held))
            }
            WorkerMessage::MarkFailed(error) => {
                let (path, detail) = (self.spec.input.clone(), error.to_string());
                watcher.local_failure(now, &LocalFailure::Marks { path, detail });
                Some(Event::MarkFailed)
            }
        }
    }

    fn take_synced(&mut self, upto: Seq, mut each: impl FnMut(&Question)) {
        while self.unsynced.front().is_some_and(|&(seq, _)| seq <= upto) {
            let (_, question) = self.unsynced.pop_front().expect("there is a front");
            each(&question);
        }
    }
}
