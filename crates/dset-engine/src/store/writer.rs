//! The one thread that writes the store.
//!
//! It takes whatever has queued up while the last commit was on its way and commits it together,
//! so that the cost of a sync is shared by as many answers as arrive meanwhile. Only after the
//! commit does the machine hear of it. A failed commit is final.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dset_core::machine::{Record, Seq};
use dset_core::plan::AnswerId;
use dset_core::question::QuestionIndex;
use rusqlite::{Connection, Transaction, params};

use super::entry::{Entry, NewAnswer, NewAttempt, NewEnded};
use super::plan::MARKS_COLUMN;
use super::texts::{Text, Texts};
use super::{STORE, StoreError, rescue};
use crate::died::or_died;
use crate::files::Identity;
use crate::sink::Format;

/// Records in one transaction, at most: more would keep the first of them waiting.
const BATCH_MAX: usize = 2_000;
/// Where several records share a commit, the next begins no sooner, and what only orders rows waits as
/// long: a sync costs as much as some answers, and nobody waits for one so short a time. A record
/// that comes alone is committed at once.
const COMMIT_EVERY: Duration = Duration::from_millis(10);

/// What the thread is told.
#[derive(Debug)]
pub enum ToStore {
    /// Make this durable.
    Record {
        /// Its number.
        seq: Seq,
        /// What it says.
        record: Box<Record>,
        /// The reply, of a failure that may have been paid for.
        body: Option<Vec<u8>>,
    },
    /// These answers come next in the outputs.
    Order {
        /// Rows ordered in this life with these.
        upto: u64,
        /// The questions, in order.
        questions: Vec<QuestionIndex>,
    },
    /// Tell the outputs to sync what was ordered so far.
    Flush,
    /// The outputs are whole up to here.
    Sinks {
        /// Each output's mark.
        marks: Vec<SinkMark>,
        /// Rows of this life that are in all of them.
        upto: u64,
    },
    /// These marks are written: forget the wish for them.
    Marked {
        /// Of which questions.
        questions: Vec<[u8; 16]>,
        /// The column that they are in, where any is.
        column: Option<String>,
    },
    /// The run has ended.
    End {
        /// When, Unix milliseconds.
        at: i64,
        /// How, in a few words.
        ending: String,
    },
}

/// How far an output is known to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkMark {
    /// Which.
    pub name: &'static str,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// A hash of its last 64 KiB.
    pub tail: [u8; 16],
    /// What its rows look like, see [`Format::shape`].
    pub shape: u32,
}

impl SinkMark {
    /// Marks the end of an output that holds these bytes.
    pub(crate) fn of(format: Format, rows: u64, whole: &[u8]) -> SinkMark {
        let bytes = whole.len() as u64;
        SinkMark { name: format.name, rows, bytes, tail: tail_of(whole), shape: format.shape }
    }

    /// Hashes what is recorded: a number that is not as it was written is noticed like a byte of the file.
    pub(super) fn seal(&self) -> [u8; 16] {
        let mut bytes = [0; 36];
        bytes[..16].copy_from_slice(&self.tail);
        bytes[16..24].copy_from_slice(&self.rows.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[32..].copy_from_slice(&self.shape.to_le_bytes());
        xxhash_rust::xxh3::xxh3_128(&bytes).to_be_bytes()
    }

    /// Records it in place of the one before.
    pub(crate) fn record(&self, to: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO sinks (name, rows, bytes, tail, shape)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let (rows, bytes) = (self.rows as i64, self.bytes as i64);
        let values = params![self.name, rows, bytes, &self.seal()[..], self.shape];
        to.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

pub(crate) fn tail_of(whole: &[u8]) -> [u8; 16] {
    let tail = &whole[whole.len().saturating_sub(crate::sink::TAIL_BYTES)..];
    xxhash_rust::xxh3::xxh3_128(tail).to_be_bytes()
}

/// Rows whose place is durable, for the outputs.
#[derive(Debug)]
pub struct Order {
    /// Rows ordered in this life with these.
    pub upto: u64,
    /// The answers.
    pub rows: Vec<Placed>,
}

/// An answer that has its place, or waits for it.
#[derive(Debug)]
pub struct Placed {
    /// Which.
    pub answer: AnswerId,
    /// Its texts, where they are still in memory.
    pub text: Option<Box<Text>>,
    /// The row of the input now, where that may be another than when it was answered.
    pub row: Option<u64>,
}

/// What the thread tells.
pub(crate) trait Told: Send + 'static {
    /// All records up to this one are durable.
    fn synced(&self, upto: Seq);
    /// The store has failed; the answers up to this record are where `rescued` says, if anywhere.
    fn failed(&self, upto: Seq, error: &str, rescued: Option<PathBuf>, answers: u64);
    /// These rows have their place.
    fn ordered(&self, order: Order);
    /// Everything ordered so far is to be synced.
    fn flush(&self);
    /// These rows of this life are durably in every output.
    fn emitted(&self, upto: u64);
}

/// What the thread knows of its run.
#[derive(Debug)]
pub struct WriterSettings {
    /// The folder of the store, for a rescue.
    pub folder: PathBuf,
    /// The life that is recorded.
    pub life: i64,
    /// The settings that answers are bought with, of each model.
    pub settings: Vec<i64>,
    /// The models, by the names that they are asked under.
    pub models: Vec<String>,
    /// How many answers each gives to a question.
    pub samples: u32,
    /// The edition that is asked.
    pub edition: u32,
    /// The token limit of this run.
    pub max_tokens: Option<u64>,
    /// The column of the input that the store knows to have marks, or nothing.
    pub marks_known: Option<String>,
    /// The column that marks are to go into.
    pub marks_name: String,
    /// Rows ordered before this life.
    pub position: u64,
    /// Answers of earlier lives that wait for their place, with the rows of the input now.
    pub waiting: Vec<(QuestionIndex, AnswerId, Option<u64>)>,
    /// What may be in the queue at once.
    pub queue: usize,
}

/// The thread, and the way to tell it things.
#[derive(Debug)]
pub struct Writer {
    sender: Option<SyncSender<ToStore>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Writer {
    /// Starts the thread on this connection.
    pub(crate) fn start(
        connection: Connection,
        settings: WriterSettings,
        told: impl Told,
    ) -> std::io::Result<Writer> {
        let (sender, receiver) = sync_channel(settings.queue);
        let waits = |&(at, answer, row): &(QuestionIndex, AnswerId, Option<u64>)| {
            (at, Placed { answer, text: None, row })
        };
        let waiting = settings.waiting.iter().map(waits).collect();
        let identity = Identity::of(&settings.folder.join(STORE))?;
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || {
            let position = settings.position;
            let ended = ended(&connection, settings.edition).unwrap_or_default();
            let connection = Some(connection);
            let marks_column = settings.marks_known.clone().unwrap_or_default();
            let mut thread = Thread {
                connection,
                identity,
                error: None,
                settings,
                told,
                waiting,
                texts: Texts::default(),
                position,
                ended,
                marks_column,
            };
            match or_died(|| thread.run(&receiver)) {
                Ok(()) => thread.fold(),
                Err(died) => {
                    thread.told.failed(Seq(u64::MAX), &died.to_string(), None, 0);
                    Ok(())
                }
            }
        })?;
        Ok(Writer { sender: Some(sender), thread: Some(thread) })
    }

    /// Returns a way to tell the thread things.
    #[must_use]
    pub fn sender(&self) -> SyncSender<ToStore> {
        self.sender.clone().expect("the writer is asked for before it ends")
    }

    /// Waits until everything it was told is done, and the log is folded into the store. Every
    /// sender must be gone.
    ///
    /// Fails where the log cannot be folded in; every answer is in it all the same.
    pub fn join(mut self) -> Result<(), StoreError> {
        self.sender = None;
        let thread = self.thread.take().expect("a writer is joined once");
        thread.join().unwrap_or(Ok(()))
    }
}

/// Questions of which the store says that they failed, or are to be marked so.
fn ended(connection: &Connection, edition: u32) -> rusqlite::Result<HashSet<[u8; 16]>> {
    let sql = "SELECT question FROM ended WHERE edition = ?1 UNION SELECT question FROM marks";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([edition], |row| row.get(0))?.collect()
}

/// Takes what else there is and what else comes until then, but keeps nobody waiting who is alone: not
/// the one record that comes, nor the end.
fn gather(
    receiver: &Receiver<ToStore>,
    queue: &mut Vec<ToStore>,
    until: Instant,
    are_crowds: bool,
) {
    let is_urgent = |message: &ToStore| match message {
        ToStore::Record { .. } => !are_crowds,
        ToStore::Flush | ToStore::End { .. } => true,
        ToStore::Order { .. } | ToStore::Sinks { .. } | ToStore::Marked { .. } => false,
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

type Waiting = HashMap<QuestionIndex, Placed>;

struct Thread<T> {
    /// Absent once a commit has failed.
    connection: Option<Connection>,
    /// The file that the connection writes to.
    identity: Identity,
    /// Why it has.
    error: Option<String>,
    settings: WriterSettings,
    told: T,
    /// Answers whose place is not decided.
    waiting: Waiting,
    texts: Texts,
    position: u64,
    /// What ended without an answer, and rows to be marked, so that an answer knows to forget that.
    ended: HashSet<[u8; 16]>,
    /// The column of the input that is recorded as having marks; empty where none is.
    marks_column: String,
}

/// What is told once a batch is committed.
#[derive(Default)]
struct Batch {
    synced: Option<Seq>,
    answers: Vec<(QuestionIndex, AnswerId, NewAnswer)>,
    orders: Vec<Order>,
    flush: bool,
    emitted: Option<u64>,
}

impl<T: Told> Thread<T> {
    fn run(&mut self, receiver: &Receiver<ToStore>) {
        let (mut began, mut are_crowds) = (Instant::now(), false);
        while let Ok(first) = receiver.recv() {
            let mut queue = vec![first];
            gather(receiver, &mut queue, began + COMMIT_EVERY, are_crowds);
            began = Instant::now();
            let records = queue.iter().filter(|one| matches!(one, ToStore::Record { .. })).count();
            are_crowds = if records == 0 { are_crowds } else { records > 1 };
            match self.commit(&queue) {
                Ok(batch) => self.tell(batch),
                Err(error) => {
                    // Later batches fail because of the first.
                    let error = self.error.get_or_insert_with(|| error.to_string()).clone();
                    self.fail(&error, &queue);
                }
            }
        }
    }

    /// Folds the log into the file. SQLite does so by itself, and says nothing when it cannot.
    fn fold(&self) -> Result<(), StoreError> {
        if let Some(connection) = &self.connection {
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn commit(&mut self, queue: &[ToStore]) -> Result<Batch, StoreError> {
        let Some(mut connection) = self.connection.take() else {
            return Err(StoreError::Busy);
        };
        let mut batch = Batch::default();
        let transaction = connection.transaction()?;
        for message in queue {
            self.apply(&transaction, message, &mut batch)?;
        }
        transaction.commit()?;
        if !self.identity.is_at(&self.settings.folder.join(STORE)) {
            // Nothing in a deleted file is durable, though every commit to it succeeds.
            let saved_in = rescue::save(&self.settings.folder, connection).ok();
            return Err(StoreError::Gone { saved_in });
        }
        self.connection = Some(connection);
        Ok(batch)
    }

    fn apply(
        &mut self,
        to: &Transaction<'_>,
        message: &ToStore,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        match message {
            ToStore::Record { seq, record, body } => {
                batch.synced = Some(*seq);
                self.record(to, record, body.as_deref(), batch)?;
            }
            ToStore::Order { upto, questions } => {
                let order = self.order(to, *upto, questions, batch)?;
                batch.orders.push(order);
            }
            ToStore::Flush => batch.flush = true,
            ToStore::Sinks { marks, upto } => {
                marks.iter().try_for_each(|mark| mark.record(to))?;
                batch.emitted = Some(*upto);
            }
            ToStore::Marked { questions, column } => {
                if let Some(column) = column {
                    self.note_marks(to, column)?;
                }
                for question in questions {
                    to.prepare_cached("DELETE FROM marks WHERE question = ?1")?
                        .execute([&question[..]])?;
                }
            }
            ToStore::End { at, ending } => {
                to.execute(
                    "UPDATE lives SET ended_at = ?1, ending = ?2 WHERE id = ?3",
                    params![at, ending, self.settings.life],
                )?;
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        to: &Transaction<'_>,
        record: &Record,
        body: Option<&[u8]>,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        match record {
            Record::Answered { question, .. } => {
                let new = NewAnswer::of(record, &self.settings).expect("an answer");
                let (ending, question_hash) = (new.ending(), new.question_hash);
                if self.ended.contains(&ending) || self.ended.contains(&question_hash) {
                    new.forget_failure(to)?;
                }
                // As long as answers to the row are lacking, it may be the row's mark that is wished.
                if !new.row_lacks {
                    self.ended.remove(&ending);
                    self.ended.remove(&question_hash);
                }
                if let Some(id) = new.insert(to)? {
                    batch.answers.push((question.index, id, new));
                }
            }
            Record::Failed { .. } => {
                NewAttempt::of(record, body, &self.settings).expect("a failure").insert(to)?;
            }
            Record::Ended { question, .. } => {
                NewEnded::of(record, &self.settings).expect("an ending").insert(to)?;
                self.ended.insert(question.ending);
                self.want_marks(to)?;
            }
            Record::Bookmarked { id } => {
                self.ended.insert(id.hash());
                to.prepare_cached("INSERT OR IGNORE INTO marks (question) VALUES (?1)")?
                    .execute([&id.hash()[..]])?;
                self.want_marks(to)?;
            }
        }
        Ok(())
    }

    /// Records, before the first mark is written, which column is to have it: from then on that is
    /// ours.
    fn want_marks(&mut self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        match self.marks_column.is_empty() {
            true => self.note_marks(to, &self.settings.marks_name.clone()),
            false => Ok(()),
        }
    }

    fn note_marks(&mut self, to: &Transaction<'_>, column: &str) -> rusqlite::Result<()> {
        if self.marks_column != column {
            let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
            to.execute(sql, params![MARKS_COLUMN, column])?;
            column.clone_into(&mut self.marks_column);
        }
        Ok(())
    }

    /// Decides the place of these answers, which are durable or in this very transaction.
    fn order(
        &mut self,
        to: &Transaction<'_>,
        upto: u64,
        questions: &[QuestionIndex],
        batch: &mut Batch,
    ) -> Result<Order, StoreError> {
        let arrived = std::mem::take(&mut batch.answers);
        self.keep(arrived);
        let mut rows = Vec::with_capacity(questions.len());
        for question in questions {
            // An answer that was there already has its place.
            let Some(placed) = self.waiting.remove(question) else { continue };
            let row = placed.row.map(|row| row as i64);
            to.prepare_cached(
                "INSERT INTO output_order (edition, position, answer, row) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                self.settings.edition,
                self.position as i64,
                placed.answer,
                row
            ])?;
            self.position += 1;
            rows.push(placed);
        }
        Ok(Order { upto, rows })
    }

    fn keep(&mut self, answers: Vec<(QuestionIndex, AnswerId, NewAnswer)>) {
        for (index, id, new) in answers {
            let text = self.texts.keep(new.into_row());
            self.waiting.insert(index, Placed { answer: id, text, row: None });
        }
    }

    fn tell(&mut self, batch: Batch) {
        self.keep(batch.answers);
        if let Some(upto) = batch.synced {
            self.told.synced(upto);
        }
        batch.orders.into_iter().for_each(|order| self.told.ordered(order));
        if batch.flush {
            self.told.flush();
        }
        if let Some(upto) = batch.emitted {
            self.told.emitted(upto);
        }
    }

    /// The store is lost to this run: what was paid for is rescued, now and from now on.
    fn fail(&mut self, error: &str, queue: &[ToStore]) {
        self.connection = None;
        let entries = queue.iter().filter_map(|message| match message {
            ToStore::Record { record, body, .. } => {
                Entry::of(record, body.as_deref(), &self.settings)
            }
            _ => None,
        });
        let entries: Vec<Entry> = entries.collect();
        let answers = entries.iter().filter(|entry| matches!(entry, Entry::Answer(_))).count();
        let upto = last_seq(queue).unwrap_or_default();
        let rescued = if entries.is_empty() {
            None
        } else {
            rescue::write(&self.settings.folder, &entries).ok()
        };
        self.told.failed(upto, error, rescued, answers as u64);
    }
}
