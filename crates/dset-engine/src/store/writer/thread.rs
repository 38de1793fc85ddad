//! What the thread does that writes the store: it gathers what has come, commits it together, and tells
//! of it once it is durable.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use dset_core::item::question::QuestionIndex;
use dset_core::plan::AnswerId;
use dset_core::run::{JournalRecord, Seq};

use super::message::{OutputOrder, Placed, ToStore};
use super::{WriterListener, WriterSettings};
use crate::os::panic_guard::catch_panic;
use crate::store::entry::{Entry, NewAnswer, NewAttempt, NewEnded};
use crate::store::error::StoreError;
use crate::store::rescue;
use crate::store::roles::{AnswerRef, Journal, Value, Write};
use crate::store::row_cache::RowCache;
use crate::store::sqlite::limits::MARKS_COLUMN;

/// Records in one transaction, at most: more would keep the first of them waiting.
const BATCH_MAX: usize = 2_000;
/// Where several records share a commit, the next begins no sooner, and what only orders rows waits
/// as long: a sync costs as much as some answers, and so short a wait is not noticed. A record that
/// comes alone is committed at once.
const COMMIT_EVERY: Duration = Duration::from_millis(10);
/// So long what is committed may take to be durable elsewhere before what came meanwhile is committed.
const SETTLE_MAX: Duration = Duration::from_millis(50);

/// The state of the thread.
pub(super) struct Thread<J, T> {
    /// Absent once a commit has failed.
    journal: Option<J>,
    /// The message of the commit that failed.
    error: Option<String>,
    settings: WriterSettings,
    listener: T,
    /// Answers whose place is not decided.
    waiting: Waiting,
    row_cache: RowCache,
    /// What ended without an answer, and rows to be marked, so that an answer knows to forget that.
    ended: HashSet<[u8; 16]>,
    /// The column of the input that is recorded as having marks; empty where none is.
    marks_column: String,
    /// What is committed and not told, because it is not durable everywhere.
    untold: Vec<Telling>,
}

impl<J: Journal, T: WriterListener> Thread<J, T> {
    pub(super) fn new(journal: J, mut settings: WriterSettings, listener: T) -> Thread<J, T> {
        let waits = |&(at, answer, row): &(QuestionIndex, AnswerId, Option<u64>)| {
            (at, Placed { answer, text: None, row })
        };
        let waiting = settings.waiting.iter().map(waits).collect();
        let ended = std::mem::take(&mut settings.failed);
        let marks_column = settings.marks_known.clone().unwrap_or_default();
        Thread {
            journal: Some(journal),
            error: None,
            settings,
            listener,
            waiting,
            row_cache: RowCache::default(),
            ended,
            marks_column,
            untold: Vec::new(),
        }
    }

    /// Writes what comes, until every sender is gone.
    pub(super) fn work(&mut self, receiver: &Receiver<ToStore>) -> Result<(), StoreError> {
        let ran = catch_panic(|| self.run(receiver));
        rescue::release(&self.settings.folder);
        match ran {
            Ok(()) => self.journal.as_mut().map_or(Ok(()), Journal::close),
            Err(died) => {
                self.listener.failed(Seq(u64::MAX), &died.to_string(), None, 0);
                Ok(())
            }
        }
    }

    fn run(&mut self, receiver: &Receiver<ToStore>) {
        let (mut began, mut are_crowds) = (Instant::now(), false);
        while let Some(first) = self.next(receiver) {
            let mut queue = vec![first];
            gather(receiver, &mut queue, began + COMMIT_EVERY, are_crowds);
            began = Instant::now();
            let records = queue.iter().filter(|one| matches!(one, ToStore::Record { .. })).count();
            are_crowds = if records == 0 { are_crowds } else { records > 1 };
            // A fault of ours loses the store, and nothing that was paid for.
            let committed = catch_panic(|| self.commit(&queue));
            if let Err(error) = committed.unwrap_or_else(|died| Err(died.into())) {
                // Later batches fail because of the first.
                let error = self.error.get_or_insert_with(|| error.to_string()).clone();
                self.fail(&error, &queue);
            }
        }
    }

    /// Returns the next message, or nothing at the end; tells until then what gets durable everywhere.
    fn next(&mut self, receiver: &Receiver<ToStore>) -> Option<ToStore> {
        while !self.untold.is_empty() {
            if let Ok(first) = receiver.try_recv() {
                return Some(first);
            }
            if let Err(error) = self.settle() {
                let error = self.error.get_or_insert_with(|| error.to_string()).clone();
                self.fail(&error, &[]);
            }
        }
        receiver.recv().ok()
    }

    /// Tells what is committed, if it is durable everywhere by now.
    fn settle(&mut self) -> Result<(), StoreError> {
        let Some(mut journal) = self.journal.take() else {
            return Err(StoreError::Busy);
        };
        let is_settled = journal.settle(SETTLE_MAX)?;
        self.journal = Some(journal);
        if is_settled {
            for telling in self.untold.drain(..) {
                match telling {
                    Telling::Synced(upto) => self.listener.synced(upto),
                    Telling::Ordered(order) => self.listener.ordered(order),
                    Telling::Flush => self.listener.flush(),
                    Telling::Emitted(upto) => self.listener.emitted(upto),
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, queue: &[ToStore]) -> Result<(), StoreError> {
        let Some(mut journal) = self.journal.take() else {
            return Err(StoreError::Busy);
        };
        let mut batch = Batch::default();
        for message in queue {
            self.apply(message, &mut batch);
        }
        let ids = journal.commit(&batch.writes)?;
        self.journal = Some(journal);
        self.note(batch, &ids);
        self.settle()
    }

    fn apply(&mut self, message: &ToStore, batch: &mut Batch) {
        match message {
            ToStore::Record { seq, record, body } => {
                batch.synced = Some(*seq);
                self.record(record, body.as_deref(), batch);
            }
            ToStore::Order { upto, questions } => self.order(*upto, questions, batch),
            ToStore::Flush => batch.flush = true,
            ToStore::Checkpoints { checkpoints, upto } => {
                batch.writes.extend(checkpoints.iter().cloned().map(Write::Checkpoint));
                batch.emitted = Some(*upto);
            }
            ToStore::Marked { questions, column } => {
                if let Some(column) = column {
                    self.note_marks(column, batch);
                }
                batch.writes.extend(questions.iter().copied().map(Write::Marked));
            }
            ToStore::End { at, ending, dropped } => batch.writes.push(Write::SessionEnded {
                life: self.settings.session,
                at: *at,
                ending: ending.clone(),
                dropped: *dropped,
            }),
        }
    }

    fn record(&mut self, record: &JournalRecord, body: Option<&[u8]>, batch: &mut Batch) {
        self.count_accepted(record);
        match record {
            JournalRecord::AnswerCame { .. }
            | JournalRecord::Answered { is_accepted: false, .. } => {
                let new = NewAnswer::from_answered(record, &self.settings).expect("an answer");
                batch.answers += 1;
                batch.writes.push(Write::Answered(Box::new(new)));
            }
            JournalRecord::Answered { question, .. } => {
                let new = NewAnswer::from_answered(record, &self.settings).expect("an answer");
                let (ending, question_hash) = (new.failure_key(), new.question_hash);
                if self.ended.contains(&ending) || self.ended.contains(&question_hash) {
                    batch.writes.extend(new.forgets());
                }
                // As long as answers to the row are lacking, it may be the row's mark that is
                // wished.
                if !new.row_lacks {
                    self.ended.remove(&ending);
                    self.ended.remove(&question_hash);
                }
                batch.arrived.insert(question.index, batch.answers);
                batch.answers += 1;
                batch.writes.push(Write::Answered(Box::new(new)));
            }
            JournalRecord::Failed { .. } => {
                let new = NewAttempt::of(record, body, &self.settings).expect("a failure");
                batch.writes.push(Write::Attempted(new));
            }
            JournalRecord::Ended { question, .. } => {
                let new = NewEnded::from_ended(record, &self.settings).expect("an ending");
                batch.writes.push(Write::Ended(new));
                self.ended.insert(question.failure_key);
                self.want_marks(batch);
            }
            JournalRecord::BoundDeclared { bound, unsure, is_last } => {
                batch.writes.push(Write::BoundDeclared {
                    life: self.settings.session,
                    bound: *bound,
                    unsure: *unsure,
                    is_last: *is_last,
                });
            }
            JournalRecord::RowMarked { id } => {
                self.ended.insert(id.hash());
                batch.writes.push(Write::MarkDue(id.hash()));
                self.want_marks(batch);
            }
        }
    }

    fn count_accepted(&mut self, record: &JournalRecord) {
        if let JournalRecord::Answered { question, is_accepted: true, .. } = record {
            self.settings.replaced.accept(question.index);
        }
    }

    /// Records, before the first mark is written, which column is to have it: from then on that is
    /// ours.
    fn want_marks(&mut self, batch: &mut Batch) {
        if self.marks_column.is_empty() {
            self.note_marks(&self.settings.marks_name.clone(), batch);
        }
    }

    fn note_marks(&mut self, column: &str, batch: &mut Batch) {
        if self.marks_column != column {
            let value = Some(Value::Text(column.to_owned()));
            batch.writes.push(Write::Meta { name: MARKS_COLUMN, value });
            column.clone_into(&mut self.marks_column);
        }
    }

    /// Decides the place of these answers, which are durable or in this very commit.
    fn order(&mut self, upto: u64, questions: &[QuestionIndex], batch: &mut Batch) {
        let mut rows = Vec::with_capacity(questions.len());
        for question in questions {
            // An answer that was there already has its place.
            let (place, answer, row) = match batch.arrived.remove(question) {
                Some(at) => (NewPlace::New(at), AnswerRef::New(at), None),
                None => match self.waiting.remove(question) {
                    Some(placed) => {
                        let (answer, row) = (AnswerRef::Stored(placed.answer), placed.row);
                        (NewPlace::Stored(placed), answer, row)
                    }
                    None => continue,
                },
            };
            batch.writes.push(Write::Placed { generation: self.settings.generation, answer, row });
            rows.push(place);
        }
        batch.orders.push(NewOrder { upto, rows });
    }

    /// Notes what is committed now; the answers among it have these numbers.
    fn note(&mut self, batch: Batch, ids: &[Option<AnswerId>]) {
        let answers = batch.writes.into_iter().filter_map(|write| match write {
            Write::Answered(new) => Some(new),
            _ => None,
        });
        // What has no number was there already, and has its place.
        let mut new: Vec<_> = ids
            .iter()
            .zip(answers)
            .map(|(id, new)| {
                let text = self.row_cache.keep(new.into_row());
                id.map(|answer| Placed { answer, text, row: None })
            })
            .collect();
        for (question, at) in batch.arrived {
            self.waiting.extend(new[at].take().map(|answer| (question, answer)));
        }
        if let Some(upto) = batch.synced {
            self.untold.push(Telling::Synced(upto));
        }
        for order in batch.orders {
            let rows = order.rows.into_iter().filter_map(|place| match place {
                NewPlace::Stored(placed) => Some(placed),
                NewPlace::New(at) => new[at].take(),
            });
            let order = OutputOrder { upto: order.upto, rows: rows.collect() };
            self.untold.push(Telling::Ordered(order));
        }
        self.untold.extend(batch.flush.then_some(Telling::Flush));
        self.untold.extend(batch.emitted.map(Telling::Emitted));
    }

    /// The store is lost to this run: what was paid for is rescued, now and from now on.
    fn fail(&mut self, error: &str, queue: &[ToStore]) {
        self.journal = None;
        for message in queue {
            if let ToStore::Record { record, .. } = message {
                self.count_accepted(record);
            }
        }
        let entries = queue.iter().filter_map(|message| match message {
            ToStore::Record { record, body, .. } => {
                Entry::from_record(record, body.as_deref(), &self.settings)
            }
            _ => None,
        });
        let entries: Vec<Entry> = entries.collect();
        let is_new = |entry: &&Entry| matches!(entry, Entry::Answer(new) if !new.is_known);
        let answers = entries.iter().filter(is_new).count();
        let untold = std::mem::take(&mut self.untold);
        let synced = untold.iter().rev().find_map(|telling| match telling {
            Telling::Synced(upto) => Some(*upto),
            _ => None,
        });
        let upto = last_seq(queue).or(synced).unwrap_or_default();
        let rescued = if entries.is_empty() {
            None
        } else {
            let run = Entry::Run(Box::new(self.settings.origin.clone()));
            let entries: Vec<Entry> = std::iter::once(run).chain(entries).collect();
            rescue::write(&self.settings.folder, &self.settings.real_folder, &entries).ok()
        };
        self.listener.failed(upto, error, rescued, answers as u64);
    }
}

type Waiting = HashMap<QuestionIndex, Placed>;

/// What the listener is told.
enum Telling {
    Synced(Seq),
    Ordered(OutputOrder),
    Flush,
    Emitted(u64),
}

/// What is committed together, and reported to the listener once it is.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    synced: Option<Seq>,
    /// The question of each answer among the writes, until its place is decided.
    arrived: HashMap<QuestionIndex, usize>,
    answers: usize,
    orders: Vec<NewOrder>,
    flush: bool,
    emitted: Option<u64>,
}

/// An answer that has its place once that is committed.
enum NewPlace {
    /// One that was durable before.
    Stored(Placed),
    /// One of the same commit, by its number among them.
    New(usize),
}

/// Rows that have their place once they are committed.
struct NewOrder {
    upto: u64,
    rows: Vec<NewPlace>,
}

/// Takes what else is queued and what else comes until then, but delays neither a single record nor
/// the end.
fn gather(
    receiver: &Receiver<ToStore>,
    queue: &mut Vec<ToStore>,
    until: Instant,
    are_crowds: bool,
) {
    let is_urgent = |message: &ToStore| match message {
        ToStore::Record { .. } => !are_crowds,
        ToStore::Flush | ToStore::End { .. } => true,
        ToStore::Order { .. } | ToStore::Checkpoints { .. } | ToStore::Marked { .. } => false,
    };
    loop {
        queue.extend(receiver.try_iter().take(BATCH_MAX.saturating_sub(queue.len())));
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() || queue.len() >= BATCH_MAX || queue.iter().any(is_urgent) {
            return;
        }
        // A crowd is not counted one by one: to be woken for each costs more than its commit.
        if are_crowds {
            std::thread::sleep(wait);
        } else {
            match receiver.recv_timeout(wait) {
                Ok(message) => queue.push(message),
                Err(_) => return,
            }
        }
    }
}

fn last_seq(queue: &[ToStore]) -> Option<Seq> {
    let seq = |message: &ToStore| match message {
        ToStore::Record { seq, .. } => Some(*seq),
        _ => None,
    };
    queue.iter().rev().find_map(seq)
}
