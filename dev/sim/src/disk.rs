//! What outlives a crash: the store, and two outputs beside it.
//!
//! The store is a map that takes a batch whole or not at all, as SQLite does. The outputs are bytes
//! of which a crash may take any that were not synced; what is left is judged by the core.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use dset_core::item::question::Key;
use dset_core::money::{Amount, SessionCost};
use dset_core::plan::AnswerId;
use dset_core::rate::sliding_window::EarlierAsk;
use dset_core::recover::tail::{TailRest, classify_tail};
use dset_core::run::Seq;

/// What the user appends to an output by hand.
pub(crate) const NOTE: &[u8] = b"my own note\n";

/// Everything of a request that changes its answer, in plain words: what the bill is held against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) text: String,
    /// Which of the equal questions of the input.
    pub(crate) ordinal: u32,
    pub(crate) model: u16,
    pub(crate) sample: u32,
    pub(crate) temperature: u8,
    pub(crate) max_tokens: u64,
    pub(crate) edition: u32,
}

/// An answer in the store.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: AnswerId,
    pub(crate) request: Request,
    pub(crate) question: [u8; 16],
    /// What its ending without an answer is remembered by.
    pub(crate) ending: [u8; 16],
    /// With it its row has every answer.
    pub(crate) completes_row: bool,
    pub(crate) settings: i64,
    /// What it means for the user's limits a minute.
    pub(crate) earlier: EarlierAsk,
    /// What its call cost, as it is worked out from the store.
    pub(crate) cost: StoredCost,
}

/// What a call cost, and the life that made it.
pub(crate) type StoredCost = (u64, Amount);

/// A question that ended without an answer; its token limit and how far it got, if that cut it.
pub(crate) type Cut = Option<(Option<u64>, u64)>;

/// How far an output is known to be whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checkpoint {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// A message to the store; one commit takes many, all or none.
#[derive(Debug)]
pub(crate) enum Message {
    Answer(Seq, Key, Stored),
    Ended(Seq, [u8; 16], Cut),
    Bookmarked(Seq, [u8; 16]),
    Attempt(Seq, EarlierAsk, StoredCost),
    Bound(Seq, u64, SessionCost),
    /// These rows come next; with them the outputs have `upto` of this life.
    Order {
        upto: u64,
        keys: Vec<Key>,
    },
    /// The outputs are to be synced once they have the rows before this.
    Flush,
    /// The outputs are whole up to these marks, with `upto` rows of this life.
    Checkpoints {
        upto: u64,
        marks: [Checkpoint; 2],
    },
    Marked(Vec<[u8; 16]>),
}

impl Message {
    pub(crate) fn seq(&self) -> Option<Seq> {
        match self {
            Message::Answer(seq, ..)
            | Message::Ended(seq, ..)
            | Message::Bookmarked(seq, _)
            | Message::Attempt(seq, ..)
            | Message::Bound(seq, ..) => Some(*seq),
            _ => None,
        }
    }
}

/// A line of the rescue file: what was paid for.
#[derive(Debug)]
pub(crate) enum Rescued {
    Answer(Key, Stored),
    Cut([u8; 16], Cut),
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) answers: BTreeMap<Key, Stored>,
    /// The order of the outputs, of each edition.
    pub(crate) order: Vec<Vec<AnswerId>>,
    placed: BTreeSet<AnswerId>,
    texts: BTreeMap<AnswerId, String>,
    pub(crate) checkpoints: [Checkpoint; 2],
    pub(crate) ended: BTreeMap<([u8; 16], u32), Cut>,
    /// Rows that are to say ERROR and do not yet.
    pub(crate) marks: BTreeSet<[u8; 16]>,
    /// Decided settings: their hash and edition; their number is their place, from 1.
    pub(crate) settings: Vec<([u8; 16], u32)>,
    pub(crate) edition: u32,
    pub(crate) lives: u64,
    /// What a failed commit left beside the store.
    pub(crate) rescued: Vec<Rescued>,
    /// Every request that has an answer.
    bought: HashSet<Request>,
    /// Every ask that came back.
    pub(crate) earlier: Vec<EarlierAsk>,
    /// What each life has bought, and what it said that it may be billed.
    pub(crate) recorded: BTreeMap<u64, Amount>,
    pub(crate) bounds: BTreeMap<u64, SessionCost>,
}

impl Store {
    pub(crate) fn is_placed(&self, answer: AnswerId) -> bool {
        self.placed.contains(&answer)
    }

    /// Returns true if a request has an answer.
    pub(crate) fn has_bought(&self, request: &Request) -> bool {
        self.bought.contains(request)
    }

    /// Returns the answers of this edition to a question, by a model and in one sample, under any
    /// other settings.
    pub(crate) fn answers_to(
        &self,
        text: &str,
        ordinal: u32,
        (model, sample): (u16, u32),
    ) -> impl Iterator<Item = &Stored> {
        let edition = self.edition;
        self.answers.values().filter(move |stored| {
            let request = &stored.request;
            request.edition == edition
                && request.ordinal == ordinal
                && (request.model, request.sample) == (model, sample)
                && request.text == text
        })
    }

    /// Returns the limit that cut the answer whose ending is remembered by this in this edition,
    /// and how far it got.
    pub(crate) fn cut(&self, ending: [u8; 16]) -> Cut {
        self.ended.get(&(ending, self.edition)).copied().flatten()
    }

    /// Takes in what an earlier life could only rescue, but for what is there all the same.
    pub(crate) fn take_in(&mut self) {
        for rescued in std::mem::take(&mut self.rescued) {
            match rescued {
                Rescued::Answer(key, _) if self.answers.contains_key(&key) => {}
                Rescued::Answer(key, stored) => self.insert(key, stored),
                Rescued::Cut(question, cut) => {
                    self.ended.insert((question, self.edition), cut);
                }
            }
        }
    }

    fn record(&mut self, (life, amount): StoredCost) {
        *self.recorded.entry(life).or_default() += amount;
    }

    fn insert(&mut self, key: Key, stored: Stored) {
        self.ended.remove(&(stored.ending, stored.request.edition));
        if stored.completes_row {
            self.marks.remove(&stored.question);
        }
        self.texts.insert(stored.id, stored.request.text.clone());
        self.bought.insert(stored.request.clone());
        self.earlier.push(stored.earlier);
        self.record(stored.cost);
        let known = self.answers.insert(key, stored);
        assert!(known.is_none(), "an answer is stored once");
    }

    /// Takes one message of a batch that is committed.
    pub(crate) fn apply(&mut self, message: &Message) {
        match message {
            Message::Answer(_, key, stored) => self.insert(*key, stored.clone()),
            Message::Ended(_, question, cut) => {
                self.ended.insert((*question, self.edition), *cut);
            }
            Message::Bookmarked(_, question) => drop(self.marks.insert(*question)),
            Message::Attempt(_, earlier, cost) => {
                self.earlier.push(*earlier);
                self.record(*cost);
            }
            Message::Bound(_, life, said) => drop(self.bounds.insert(*life, *said)),
            Message::Flush => {}
            Message::Order { keys, .. } => {
                for key in keys {
                    let id =
                        self.answers.get(key).expect("a row is placed before it is durable").id;
                    assert!(self.placed.insert(id), "a row is placed twice");
                    self.order[self.edition as usize].push(id);
                }
            }
            Message::Checkpoints { marks, .. } => self.checkpoints = *marks,
            Message::Marked(questions) => {
                self.marks.retain(|question| !questions.contains(question));
            }
        }
    }

    /// Returns the rows of an output in its order, from one on.
    fn rows(&self, output: usize, from: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
        let order = &self.order[self.edition as usize];
        order[from.min(order.len())..].iter().map(move |id| row(output, *id, &self.texts[id]))
    }

    /// Returns the whole of an output as it is to be.
    fn whole(&self, output: usize) -> Vec<u8> {
        self.rows(output, 0).fold(header(output), |mut all, row| {
            all.extend(row);
            all
        })
    }
}

fn header(output: usize) -> Vec<u8> {
    if output == 0 { b"id,question\r\n".to_vec() } else { Vec::new() }
}

/// Two formats, so that outputs that disagree are seen.
fn row(output: usize, id: AnswerId, text: &str) -> Vec<u8> {
    match output {
        0 => format!("{id},{text}\r\n").into_bytes(),
        _ => format!("Question: {text}\nAnswer: {id}\n----\n").into_bytes(),
    }
}

/// An output file: what is written, and what of it is synced.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Absent where there is no file.
    pub(crate) bytes: Option<Vec<u8>>,
    rows: usize,
    /// How much of it a power cut leaves for certain.
    synced: usize,
    /// How often the user has written something below it.
    notes: usize,
}

impl Output {
    /// Opens it before a life: repairs what a crash or the user has done, and writes what it lacks.
    pub(crate) fn open(&mut self, number: usize, store: &Store) {
        let mark = store.checkpoints[number];
        let Some(found) = self.bytes.as_mut() else {
            let whole = store.whole(number);
            self.rows = store.order[store.edition as usize].len();
            self.notes = 0;
            self.synced = whole.len();
            self.bytes = Some(whole);
            return;
        };
        assert!(found.len() >= mark.bytes, "what was synced is there");
        let first = (mark.bytes == 0).then(|| header(number)).filter(|header| !header.is_empty());
        let has_header = first.is_some();
        let expected = first.into_iter().chain(store.rows(number, mark.rows));
        let tail = classify_tail(&found[mark.bytes..], expected);
        let adopted = tail.adopted_rows as usize;
        self.rows = mark.rows + adopted - usize::from(has_header && adopted > 0);
        match tail.rest {
            TailRest::None => {}
            TailRest::Torn => found.truncate(mark.bytes + tail.adopted_bytes as usize),
            TailRest::Foreign => assert!(self.notes > 0, "rows are not taken for somebody else's"),
        }
        if found.is_empty() {
            found.extend(header(number));
        }
        for row in store.rows(number, self.rows) {
            found.extend(row);
            self.rows += 1;
        }
        self.synced = found.len();
    }

    /// Appends rows, which are not synced yet.
    pub(crate) fn append(&mut self, number: usize, store: &Store, count: usize) {
        let bytes = self.bytes.get_or_insert_default();
        for row in store.rows(number, self.rows).take(count) {
            bytes.extend(row);
        }
        self.rows += count;
    }

    /// Appends some bytes of these rows, and no more.
    pub(crate) fn append_torn(&mut self, number: usize, store: &Store, count: usize, most: u64) {
        let mut torn = Vec::new();
        store.rows(number, self.rows).take(count).for_each(|row| torn.extend(row));
        torn.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        self.bytes.get_or_insert_default().extend(torn);
    }

    pub(crate) fn sync(&mut self) -> Checkpoint {
        let bytes = self.bytes.as_ref().map_or(0, Vec::len);
        self.synced = bytes;
        Checkpoint { rows: self.rows, bytes }
    }

    /// Loses what was not synced, but for `keeps` bytes; from `zeros_from` on those are zeros.
    pub(crate) fn crash(&mut self, keeps: u64, zeros_from: Option<u64>) {
        let synced = self.synced;
        if let Some(bytes) = &mut self.bytes {
            let unsynced = bytes.len() - synced;
            let keeps = usize::try_from(keeps).unwrap_or(unsynced).min(unsynced);
            bytes.truncate(synced + keeps);
            let zeros = zeros_from.and_then(|from| bytes.get_mut(synced + from as usize..));
            zeros.unwrap_or_default().fill(0);
        }
    }

    pub(crate) fn note(&mut self) {
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(NOTE);
            self.notes += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Output::default();
    }

    /// Holds it against the store: every placed row once, in order, and the user's notes.
    pub(crate) fn check(&self, number: usize, store: &Store) {
        let Some(bytes) = &self.bytes else { return };
        let expected = store.whole(number);
        if self.notes == 0 {
            assert!(*bytes == expected, "output {number} is what the store implies");
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let note = String::from_utf8_lossy(NOTE);
        assert!(
            text.replace(&*note, "").into_bytes() == expected,
            "output {number} is what the store implies, but for the user's notes"
        );
        assert_eq!(text.matches(&*note).count(), self.notes, "the user's notes are left alone");
    }
}
