//! What a life gives to the disk: the queue of the store with its commits, and the outputs behind
//! it.
//!
//! One thread writes the store: it commits together what has queued up during the last commit. Rows
//! go to the outputs once their place is durable; another thread appends and syncs them, one thing
//! after the other.

use std::collections::VecDeque;

use dset_core::run::Event;

use crate::disk::{Message, Rescued};
use crate::life::{Life, Scheduled};
use crate::schedule::{Crash, Disk};
use crate::world::Excuse;

/// Outputs are synced no more often than this.
const SYNC_EVERY_MS: u64 = 1_000;

/// A message to the outputs.
enum ToOutputs {
    Rows { count: usize, upto: u64 },
    Flush,
}

/// What is in flight to the disk.
#[derive(Default)]
pub(crate) struct Commits {
    /// What is in no commit yet.
    queue: Vec<Message>,
    /// The commit that is in flight.
    commit: Option<(Vec<Message>, Disk)>,
    pub(crate) store_failed: bool,
    to_outputs: VecDeque<ToOutputs>,
    /// Rows of this life that the outputs have.
    upto: u64,
    unsynced: bool,
    syncing: bool,
    synced_at_ms: u64,
    /// A sync is to be begun in time.
    sync_comes: bool,
    pub(crate) output_failed: bool,
}

impl Life<'_> {
    pub(crate) fn enqueue(&mut self, message: Message) {
        self.commits.queue.push(message);
        self.begin_commit();
    }

    fn begin_commit(&mut self) {
        if self.commits.commit.is_some() || self.commits.queue.is_empty() {
            return;
        }
        let disk = self.script.commit();
        self.commits.commit = Some((std::mem::take(&mut self.commits.queue), disk));
        self.after(disk.ms, Scheduled::Committed);
    }

    pub(crate) fn committed(&mut self) {
        let (batch, disk) = self.commits.commit.take().expect("a commit is on its way");
        if disk.fails || self.commits.store_failed {
            self.commit_fails(batch, disk);
        } else {
            self.commit_is_durable(batch);
        }
        self.begin_commit();
    }

    /// What was paid for is rescued; nothing else is done about what was to be stored.
    fn commit_fails(&mut self, batch: Vec<Message>, disk: Disk) {
        let is_first = !std::mem::replace(&mut self.commits.store_failed, true);
        let upto = batch.iter().filter_map(Message::seq).next_back();
        let stays = is_first && disk.stays;
        if stays {
            batch.iter().for_each(|message| self.world.store.apply(message));
        }
        for message in batch {
            match message {
                _ if disk.lost && stays => {}
                message if disk.lost => self.excuse(&message, Excuse::RescueLost),
                Message::Answer(_, key, stored) => {
                    self.world.store.rescued.push(Rescued::Answer(key, stored));
                }
                Message::Ended(_, question, cut @ Some(_)) => {
                    self.world.store.rescued.push(Rescued::Cut(question, cut));
                }
                _ => {}
            }
        }
        self.event_after(0, Event::SyncFailed { upto: upto.unwrap_or_default() });
    }

    fn commit_is_durable(&mut self, batch: Vec<Message>) {
        let mut emitted = None;
        let synced = batch.iter().filter_map(Message::seq).next_back();
        for message in batch {
            self.world.store.apply(&message);
            match message {
                Message::Order { upto, keys } => {
                    self.commits.to_outputs.push_back(ToOutputs::Rows { count: keys.len(), upto });
                }
                Message::Flush => self.commits.to_outputs.push_back(ToOutputs::Flush),
                Message::Checkpoints { upto, .. } => emitted = Some(upto),
                _ => {}
            }
        }
        if let Some(upto) = synced {
            self.event_after(0, Event::Synced { upto });
        }
        if let Some(upto) = emitted {
            self.event_after(0, Event::Emitted { upto });
        }
        self.write_outputs();
    }

    /// Does what the messages to the outputs say, in their order.
    fn write_outputs(&mut self) {
        while !self.commits.syncing && !self.commits.output_failed {
            match self.commits.to_outputs.pop_front() {
                Some(ToOutputs::Rows { count, upto }) => {
                    self.append(count);
                    self.commits.upto = upto;
                    self.commits.unsynced = true;
                    self.sync_in_time();
                }
                Some(ToOutputs::Flush) => self.begin_sync(),
                None => return,
            }
        }
    }

    fn append(&mut self, count: usize) {
        let tear = self.script.append();
        for (number, output) in self.world.outputs.iter_mut().enumerate() {
            match tear {
                Some(tear) if tear.output == number => {
                    output.append_torn(number, &self.world.store, count, tear.bytes);
                    break;
                }
                _ => output.append(number, &self.world.store, count),
            }
        }
        if tear.is_some() {
            self.output_fails();
        }
    }

    fn output_fails(&mut self) {
        self.commits.output_failed = true;
        self.event_after(0, Event::EmitFailed);
    }

    pub(crate) fn sync_comes(&mut self) {
        self.commits.sync_comes = false;
        if !self.commits.syncing {
            self.sync_in_time();
        }
    }

    /// Syncs the outputs now or once a second has passed since they were synced.
    fn sync_in_time(&mut self) {
        if !self.commits.unsynced || self.commits.output_failed {
            return;
        }
        let wait = (self.commits.synced_at_ms + SYNC_EVERY_MS).saturating_sub(self.now_ms);
        if wait == 0 {
            self.begin_sync();
        } else if !std::mem::replace(&mut self.commits.sync_comes, true) {
            self.after(wait, Scheduled::SyncComes);
        }
    }

    fn begin_sync(&mut self) {
        self.commits.syncing = true;
        let disk = self.script.sync();
        self.after(disk.ms, Scheduled::Synced(disk));
    }

    pub(crate) fn synced_outputs(&mut self, disk: Disk) {
        self.commits.syncing = false;
        if disk.fails {
            self.output_fails();
            return;
        }
        (self.commits.unsynced, self.commits.synced_at_ms) = (false, self.now_ms);
        let marks = self.world.outputs.each_mut().map(|output| output.sync());
        self.enqueue(Message::Checkpoints { upto: self.commits.upto, marks });
        self.write_outputs();
    }

    /// Does what the engine's threads still hold when the run is over.
    pub(crate) fn finish_commits(&mut self) {
        let orders =
            |messages: &[Message]| messages.iter().any(|m| matches!(m, Message::Order { .. }));
        let commit = self.commits.commit.as_ref().is_some_and(|(batch, _)| orders(batch));
        let is_written = !commit && !orders(&self.commits.queue);
        let failed = self.commits.output_failed || self.commits.store_failed;
        assert!(is_written || failed, "every row is written at the end");
        while self.commits.commit.is_some() {
            self.commits.syncing = false;
            self.committed();
        }
    }

    /// What was not durable is gone; what was in flight may have been answered and paid for.
    pub(crate) fn crash(&mut self, crash: Crash) {
        self.world.show(format_args!("   {crash:?}"));
        let mut lost = std::mem::take(&mut self.commits.queue);
        if let Some((batch, disk)) = self.commits.commit.take() {
            let may = !self.commits.store_failed && (!disk.fails || disk.stays);
            if crash.committed && may {
                batch.iter().for_each(|message| self.world.store.apply(message));
            } else {
                lost.extend(batch);
            }
        }
        let in_flight = self.checker.crash();
        let unsynced = lost.iter().filter(|m| matches!(m, Message::Answer(..))).count();
        let width = self.world.start.width as usize;
        assert!(in_flight.len() + unsynced <= width, "a crash costs at most the width");
        lost.iter().for_each(|message| self.excuse(message, Excuse::Unsynced));
        for request in in_flight {
            self.world.excuse(request, Excuse::CrashInFlight);
        }
        for (output, keeps) in self.world.outputs.iter_mut().zip(crash.keeps) {
            output.crash(keeps, crash.zeros_from);
        }
        if let Some(marks) = self.marking.take().filter(|_| crash.marked) {
            self.world.mark(&marks);
        }
    }

    /// Records what was paid for and cannot be saved.
    fn excuse(&mut self, message: &Message, why: Excuse) {
        let request = match message {
            Message::Answer(_, _, stored) => stored.request.clone(),
            Message::Ended(_, question, Some(_)) => {
                let questions = &self.checker.begin.questions;
                let at = questions.iter().position(|q| q.failure_key == *question);
                self.checker.begin.requests[at.expect("a question of this life")].clone()
            }
            _ => return,
        };
        self.world.excuse(request, why);
    }
}
