//! One life of a run: the machine against a fake clock, service and disk, until it ends or dies.
//!
//! Keeps its own books of what the machine was told and did, in plain words, and holds every event
//! and effect against them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use dset_core::answer::{Answer, Failure, FailureClass, Reading, Refusal, Usage};
use dset_core::ask::{Ask, AskId};
use dset_core::bookmark::Marks;
use dset_core::csv::ERROR;
use dset_core::machine::{
    Effect, Ending, Event, Machine, Notice, Planned, Record, Rules, Seq, StopSignal, Why,
};
use dset_core::outcome::{Fault, Ledger};
use dset_core::pace::outage::Backoff;
use dset_core::pace::retry::{HICCUP_RETRIES_MAX, RETRY_AFTER_MAX};
use dset_core::question::{Key, Question, QuestionId, QuestionIndex};
use dset_core::time::Time;

use crate::disk::{Message, SinkMark, Stored};
use crate::schedule::{Crash, Disk, Happening, Reply, Teller, What};
use crate::world::{Begin, World};

/// A life of more events than this is a machine that goes round in circles.
const EVENTS_MAX: u64 = 200_000;
/// The waits of an outage.
const WAITS_MS: [u64; 3] = [60_000, 120_000, 240_000];
/// Outputs are synced no more often than this.
const SYNC_EVERY_MS: u64 = 1_000;

/// Something that will happen.
#[derive(Debug)]
enum Coming {
    Event(Box<Event>),
    Reply(AskId),
    Committed,
    Synced(Disk),
    Rewritten(Disk),
}

/// What the store is told: records with their number, rows with how many of this life they make.
type Batch = Vec<(Option<Seq>, Option<u64>, Message)>;

/// An ask on its way.
struct Flight {
    index: QuestionIndex,
    what: What,
}

/// Where an outage stands, as whoever watches was told.
struct Outage {
    retries: u32,
    next_at_ms: Option<u64>,
}

/// What the machine may end with, by what has happened.
#[derive(Default)]
struct Seen {
    signal: bool,
    store_failed: bool,
    output_failed: bool,
    settings: bool,
    refused: u32,
    input_changed: bool,
    key: bool,
    money: bool,
    unreachable: bool,
    /// A second Ctrl-C: what waits for its place is left to the next life.
    stop_now: bool,
    told_to_wait: bool,
    paused: bool,
}

pub(crate) struct Life<'a> {
    world: &'a mut World,
    teller: Teller<'a>,
    machine: Machine,
    begin: Begin,
    now_ms: u64,
    began_unix_ms: i64,
    /// By time, then in the order they were planned.
    coming: BTreeMap<(u64, u64), Coming>,
    planned: u64,
    alarm: Option<u64>,

    flights: BTreeMap<AskId, Flight>,
    /// Nothing is sent before this moment, because the service asked for it.
    not_before_ms: u64,
    outage: Option<Outage>,
    probes: u32,
    stopping: bool,
    answers: u64,

    /// Given to the disk and not in a commit yet, and the commit that is on its way.
    queue: Batch,
    commit: Option<(Batch, Disk)>,
    store_failed: bool,
    /// Answers given to the disk of which the machine has not heard yet.
    unsynced: VecDeque<(Seq, QuestionIndex)>,

    /// Rows given to the outputs that are not synced; how many rows of this life that makes.
    written: Option<u64>,
    syncing: bool,
    sync_at_ms: u64,
    output_failed: bool,

    marking: Option<Marks>,
    mark_failed: bool,
    edited: bool,
    statuses: Vec<String>,

    /// Next question to be read, and the first row that is no longer what was planned.
    read: usize,
    read_ended: bool,
    changed_from: Option<usize>,

    /// Questions that may still be answered.
    open: BTreeSet<QuestionIndex>,
    /// Open questions whose texts the machine holds.
    held: BTreeSet<QuestionIndex>,
    ledger: Ledger,
    failures: Vec<u32>,
    refusable: Vec<bool>,
    seen: Seen,
}

impl<'a> Life<'a> {
    pub(crate) fn new(world: &'a mut World, begin: Begin, teller: Teller<'a>) -> Life<'a> {
        let rules = Rules {
            width: world.start.width,
            backoff: Backoff { retries: 3, waits: WAITS_MS.map(Duration::from_millis).into() },
            pause_on_error: world.start.pause_on_error,
            limit: teller.fate.limit,
            seed: world.start.seed,
        };
        let plan = &begin.plan;
        let count = plan.states.len();
        let ledger = Ledger {
            questions: count as u64,
            answered: plan.count(Planned::Settled) + plan.count(Planned::Unplaced),
            presumed: 0,
            rejected: plan.count(Planned::Kept),
            gave_up: 0,
            pending: plan.count(Planned::Pending),
        };
        let open = plan.states.iter().zip(0..).filter(|(state, _)| **state == Planned::Pending);
        Life {
            open: open.map(|(_, index)| index).collect(),
            held: BTreeSet::new(),
            began_unix_ms: world.unix_ms,
            statuses: world.rows.iter().map(|row| row.status.clone()).collect(),
            world,
            teller,
            machine: Machine::new(rules),
            begin,
            now_ms: 0,
            coming: BTreeMap::new(),
            planned: 0,
            alarm: None,
            flights: BTreeMap::new(),
            not_before_ms: 0,
            outage: None,
            probes: 0,
            stopping: false,
            answers: 0,
            queue: Vec::new(),
            commit: None,
            store_failed: false,
            unsynced: VecDeque::new(),
            written: None,
            syncing: false,
            sync_at_ms: 0,
            output_failed: false,
            marking: None,
            mark_failed: false,
            edited: false,
            read: 0,
            read_ended: false,
            changed_from: None,
            ledger,
            failures: vec![0; count],
            refusable: vec![false; count],
            seen: Seen::default(),
        }
    }

    /// Lives until the end; no ending where the life was cut short by a crash.
    pub(crate) fn run(mut self) -> Option<Ending> {
        let mut effects = Vec::new();
        let mut event = Some(Event::Started(self.begin.plan.summary()));
        for _ in 0..EVENTS_MAX {
            if let Some(event) = event.take() {
                if let Some(ending) = self.handle(event, &mut effects) {
                    self.end(&ending);
                    return Some(ending);
                }
                let rows = self.world.rows.len();
                match self.teller.happening(self.now_ms, rows) {
                    Some(Happening::Crash(crash)) => {
                        self.crash(crash);
                        return None;
                    }
                    Some(happening) => self.happen(happening),
                    None => {}
                }
            }
            event = self.next();
        }
        panic!("a life comes to its end");
    }

    fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) -> Option<Ending> {
        self.world.totals.events += 1;
        let now = self.now();
        self.world.log(format_args!("{:>9} {event:?}", now.monotonic_ms));
        let told = self.told(&event);
        self.machine.handle(now, event, effects);
        self.stopping |= self.machine.snapshot(now).stopping;
        let effects = std::mem::take(effects);
        for effect in &effects {
            self.world.log(format_args!("          -> {effect:?}"));
        }
        self.check_told(told, &effects);
        let mut ending = None;
        for effect in effects {
            assert!(ending.is_none(), "nothing follows the end");
            ending = self.perform(effect);
        }
        self.check();
        ending
    }

    fn now(&self) -> Time {
        Time { monotonic_ms: self.now_ms, unix_ms: self.began_unix_ms + self.now_ms as i64 }
    }

    fn after(&mut self, ms: u64, coming: Coming) {
        self.planned += 1;
        self.coming.insert((self.now_ms + ms, self.planned), coming);
    }

    fn event_after(&mut self, ms: u64, event: Event) {
        self.after(ms, Coming::Event(Box::new(event)));
    }

    /// Lets time pass until the next thing happens.
    fn next(&mut self) -> Option<Event> {
        let first = self.coming.first_key_value().map(|(&(at, _), _)| at);
        if let Some(alarm) = self.alarm.filter(|alarm| first.is_none_or(|first| *alarm <= first)) {
            self.alarm = None;
            self.pass(alarm);
            return Some(Event::Woke);
        }
        let ((at, _), coming) = self.coming.pop_first().expect("a life waits for something");
        self.pass(at);
        match coming {
            Coming::Event(event) => Some(*event),
            Coming::Reply(ask) => {
                let flight = self.flights.remove(&ask)?;
                Some(Event::Replied { ask, reading: reading(flight.what, self.begin.max_tokens) })
            }
            Coming::Committed => {
                self.committed();
                None
            }
            Coming::Synced(disk) => {
                self.synced_outputs(disk);
                None
            }
            Coming::Rewritten(disk) => Some(self.rewritten(disk)),
        }
    }

    fn pass(&mut self, until_ms: u64) {
        self.now_ms = self.now_ms.max(until_ms);
        self.world.unix_ms = self.began_unix_ms + self.now_ms as i64;
    }

    fn happen(&mut self, happening: Happening) {
        self.world.log(format_args!("   {happening:?}"));
        match happening {
            Happening::Interrupt => self.event_after(0, Event::Stopped(StopSignal::Interrupt)),
            Happening::Terminate => self.event_after(0, Event::Stopped(StopSignal::Terminate)),
            Happening::Clock { ms } => {
                self.began_unix_ms += ms;
                self.world.unix_ms += ms;
            }
            Happening::Edit(edit) => {
                self.edited = true;
                if let Some(from) = self.world.edit(&edit) {
                    let known = self.changed_from.get_or_insert(from);
                    *known = from.min(*known);
                }
            }
            Happening::Crash(_) => unreachable!("a crash ends the life"),
        }
    }

    /// What the books say of an event before the machine hears of it.
    fn told(&mut self, event: &Event) -> Told {
        match event {
            Event::Replied { ask: _, reading } => match reading {
                Reading::Answer(_) => Told::Answer,
                Reading::Failure(failure) => Told::Failure {
                    class: failure.class,
                    counts: self.outage.is_none() && !self.stopping,
                },
            },
            Event::Synced { upto } => {
                while self.unsynced.front().is_some_and(|(seq, _)| seq <= upto) {
                    let (_, index) = self.unsynced.pop_front().expect("there is a front");
                    self.open.remove(&index);
                    self.ledger.answered += 1;
                    self.ledger.pending -= 1;
                }
                Told::Else
            }
            Event::SyncFailed { upto } => {
                self.seen.store_failed = true;
                while self.unsynced.front().is_some_and(|(seq, _)| seq <= upto) {
                    self.unsynced.pop_front();
                }
                Told::Else
            }
            Event::EmitFailed => {
                self.seen.output_failed = true;
                Told::Else
            }
            Event::Stopped(signal) => {
                self.seen.stop_now |= self.seen.signal && *signal == StopSignal::Interrupt;
                self.seen.signal = true;
                Told::Signal
            }
            Event::Questions(questions) => {
                self.held.extend(questions.iter().map(|question| question.index));
                let most = 2 * self.world.start.width as usize;
                assert!(self.held.len() <= most, "the texts of twice the width are held");
                Told::Else
            }
            Event::QuestionsChanged { .. } => {
                self.seen.input_changed = true;
                Told::Else
            }
            _ => Told::Else,
        }
    }

    /// What must follow from an event at once.
    fn check_told(&mut self, told: Told, effects: &[Effect]) {
        let records = effects.iter().filter_map(|effect| match effect {
            Effect::Record(_, record) => Some(record),
            _ => None,
        });
        match told {
            Told::Answer => {
                let kept = records.filter(|r| matches!(r, Record::Answered { .. })).count();
                assert_eq!(kept, 1, "an answer that comes is kept");
            }
            Told::Failure { class, counts } => {
                let failed: Vec<QuestionIndex> = records
                    .filter_map(|record| match record {
                        Record::Failed { question, .. } => Some(question.index),
                        _ => None,
                    })
                    .collect();
                assert_eq!(failed.len(), 1, "every failed ask is recorded");
                self.failed(failed[0], class, counts, effects);
            }
            Told::Signal => {
                let asks = effects.iter().any(|effect| matches!(effect, Effect::Ask(_)));
                assert!(!asks, "nothing is asked once the run is stopping");
            }
            Told::Else => {}
        }
    }

    fn failed(
        &mut self,
        index: QuestionIndex,
        class: FailureClass,
        counts: bool,
        effects: &[Effect],
    ) {
        let at = index as usize;
        match class {
            FailureClass::Transient => {
                let began = effects
                    .iter()
                    .any(|effect| matches!(effect, Effect::Show(Notice::OutageBegan { .. })));
                if counts && !began {
                    self.failures[at] += 1;
                    let gave_up = effects.iter().any(|effect| {
                        matches!(effect, Effect::Record(_, Record::Ended { question, fault: Fault::GaveUp, .. }) if question.index == index)
                    });
                    let last = self.failures[at] > HICCUP_RETRIES_MAX;
                    assert_eq!(gave_up, last, "a question is given up at its ninth failure");
                }
            }
            FailureClass::Throttled { wait, .. } => match wait {
                Some(wait) if wait > RETRY_AFTER_MAX => self.seen.told_to_wait = true,
                Some(wait) => {
                    let until = self.now_ms + wait.as_millis() as u64;
                    self.not_before_ms = self.not_before_ms.max(until);
                }
                None => {}
            },
            FailureClass::Refused(Refusal::Settings) => self.seen.settings = true,
            FailureClass::Forbidden if self.answers == 0 => self.seen.key = true,
            FailureClass::KeyRefused => self.seen.key = true,
            FailureClass::OutOfMoney => self.seen.money = true,
            FailureClass::Refused(Refusal::Request | Refusal::Question)
            | FailureClass::Forbidden => {
                self.seen.refused += 1;
                self.refusable[at] = true;
                // It may only be suspected, and is held no longer all the same.
                self.held.remove(&index);
            }
            FailureClass::Refused(Refusal::Moderation) | FailureClass::CutByLength => {
                self.refusable[at] = true;
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Ending> {
        match effect {
            Effect::Read { count } => self.reads(count),
            Effect::Ask(ask) => self.ask(&ask),
            Effect::Abandon(ask) => {
                // The service may have made the answer all the same.
                if let Some(flight) = self.flights.remove(&ask) {
                    self.excuse_flight(&flight);
                }
                self.event_after(0, Event::Abandoned { ask });
            }
            Effect::Record(seq, record) => self.record(seq, record),
            Effect::Emit { upto, questions } => self.emit(upto, &questions),
            Effect::WakeAt(at) => {
                assert!(at.monotonic_ms > self.now_ms, "an alarm is in the future");
                self.alarm = Some(at.monotonic_ms);
            }
            Effect::Mark(marks) => self.mark(marks),
            Effect::Flush => {
                self.sync_at_ms = self.now_ms;
                self.sync_outputs();
            }
            Effect::Show(notice) => self.notice(&notice),
            Effect::Finish(ending) => return Some(ending),
        }
        None
    }

    fn ask(&mut self, ask: &Ask) {
        let question = &ask.question;
        let index = question.index;
        let request = self.begin.requests[index as usize].clone();
        assert!(self.open.contains(&index), "only an unfinished question is asked");
        let twice = self.flights.values().any(|flight| flight.index == index);
        assert!(!twice, "a question is on its way once");
        let durable = self.world.store.answers.values().any(|stored| stored.request == request);
        assert!(!durable, "a durable answer is not asked for again");
        assert!(!self.stopping, "nothing is asked once the run is stopping");
        assert!(
            self.now_ms >= self.not_before_ms,
            "a wait that the service asks for is kept in full"
        );
        if self.outage.is_some() {
            assert!(self.probes > 0, "in an outage only the probe is asked");
            self.probes -= 1;
        }
        self.world.totals.asks += 1;
        let Reply { ms, what } = self.teller.reply(question.key.0[0], self.now_ms);
        if matches!(what, What::Answer | What::Lost | What::Cut) {
            self.world.bills.entry(request.clone()).or_default().bought += 1;
        }
        if what == What::Lost {
            self.world.bills.entry(request).or_default().excused += 1;
        }
        self.flights.insert(ask.id, Flight { index, what });
        self.after(ms, Coming::Reply(ask.id));
    }

    fn record(&mut self, seq: Seq, record: Record) {
        let message = match record {
            Record::Answered { question, .. } => {
                let index = question.index;
                self.held.remove(&index);
                self.answers += 1;
                self.unsynced.push_back((seq, index));
                self.world.answers_count += 1;
                let stored = Stored {
                    id: self.world.answers_count,
                    request: self.begin.requests[index as usize].clone(),
                    question: question.id.hash(),
                    settings: self.begin.settings,
                };
                Message::Answer(question.key, stored)
            }
            Record::Failed { .. } => Message::Attempt,
            Record::Ended { question, fault, cause, cut_at_tokens, .. } => {
                let at = question.index as usize;
                match fault {
                    Fault::Rejected => {
                        assert!(self.refusable[at], "only a refused question is rejected");
                        self.ledger.rejected += 1;
                    }
                    Fault::GaveUp => {
                        let failures = self.failures[at];
                        assert!(failures > HICCUP_RETRIES_MAX, "given up after every retry");
                        self.ledger.gave_up += 1;
                    }
                }
                self.ledger.pending -= 1;
                self.seen.paused |= self.world.start.pause_on_error;
                self.held.remove(&question.index);
                assert!(self.open.remove(&question.index), "a question ends once");
                let cut = (cause == CUT).then(|| {
                    (self.begin.max_tokens, cut_at_tokens.expect("a cut answer was counted"))
                });
                Message::Ended(question.id.hash(), cut)
            }
            Record::Bookmarked { id } => {
                if self.outage.is_none() && self.seen.unreachable {
                    let first = self.open.iter().find(|index| self.held.contains(index));
                    let first = first.map(|index| self.world_id(*index));
                    assert_eq!(
                        first,
                        Some(id),
                        "after an outage the first unfinished row is marked"
                    );
                }
                Message::Bookmarked(id.hash())
            }
        };
        self.enqueue(Some(seq), None, message);
    }

    fn world_id(&self, index: QuestionIndex) -> QuestionId {
        self.begin.questions[index as usize].id
    }

    fn emit(&mut self, upto: u64, questions: &[QuestionIndex]) {
        let ending = self.machine.snapshot(self.now()).stopping || self.stopping;
        let ending = ending || (self.flights.is_empty() && self.held.is_empty());
        let mut keys = Vec::new();
        for &index in questions {
            let first = self.open.first();
            assert!(
                ending || first.is_none_or(|first| *first > index),
                "a row waits for every earlier question that may still be answered"
            );
            let unsynced = self.unsynced.iter().any(|(_, waiting)| *waiting == index);
            assert!(!unsynced, "no row is placed before its answer is durable");
            keys.push(self.key_of(index));
        }
        self.enqueue(None, Some(upto), Message::Order(keys));
    }

    /// The key under which the answer of a question is stored, be it of these settings or others.
    fn key_of(&self, index: QuestionIndex) -> Key {
        let unplaced = self.begin.plan.unplaced.iter().find(|(at, _)| *at == index);
        let Some((_, id)) = unplaced else { return self.begin.questions[index as usize].key };
        let stored = self.world.store.answers.iter().find(|(_, stored)| stored.id == *id);
        *stored.expect("what waits for its place is in the store").0
    }

    fn enqueue(&mut self, seq: Option<Seq>, upto: Option<u64>, message: Message) {
        self.queue.push((seq, upto, message));
        self.begin_commit();
    }

    fn begin_commit(&mut self) {
        if self.commit.is_some() || self.queue.is_empty() {
            return;
        }
        let disk = self.teller.commit();
        self.commit = Some((std::mem::take(&mut self.queue), disk));
        self.after(disk.ms, Coming::Committed);
    }

    fn committed(&mut self) {
        let (batch, disk) = self.commit.take().expect("a commit is on its way");
        self.store_failed |= disk.fails;
        let synced = batch.iter().filter_map(|(seq, ..)| *seq).next_back();
        if self.store_failed {
            for (_, _, message) in batch {
                match message {
                    Message::Answer(key, stored) if !disk.lost => {
                        self.world.store.rescued.push((key, stored));
                    }
                    message => self.excuse(&message),
                }
            }
            self.event_after(0, Event::SyncFailed { upto: synced.unwrap_or_default() });
        } else {
            let mut told = Vec::new();
            for (_, upto, message) in batch {
                let rows = if let Message::Order(keys) = &message { keys.len() } else { 0 };
                let is_sinks = matches!(message, Message::Sinks(_));
                self.world.store.apply(message);
                match upto {
                    Some(upto) if is_sinks => told.push(Event::Emitted { upto }),
                    Some(upto) => self.append(rows, upto),
                    None => {}
                }
            }
            if let Some(upto) = synced {
                self.event_after(0, Event::Synced { upto });
            }
            told.into_iter().for_each(|event| self.event_after(0, event));
        }
        self.begin_commit();
    }

    fn append(&mut self, rows: usize, upto: u64) {
        if self.output_failed {
            return;
        }
        for (number, output) in self.world.outputs.iter_mut().enumerate() {
            output.append(number, &self.world.store, rows);
        }
        self.written = Some(upto);
        self.sync_outputs();
    }

    fn sync_outputs(&mut self) {
        if self.syncing || self.written.is_none() || self.output_failed {
            return;
        }
        self.syncing = true;
        let disk = self.teller.sync();
        let wait = self.sync_at_ms.saturating_sub(self.now_ms);
        self.sync_at_ms = self.now_ms + wait + SYNC_EVERY_MS;
        self.after(wait + disk.ms, Coming::Synced(disk));
    }

    fn synced_outputs(&mut self, disk: Disk) {
        self.syncing = false;
        if disk.fails {
            self.output_failed = true;
            self.event_after(0, Event::EmitFailed);
            return;
        }
        let Some(upto) = self.written.take() else { return };
        let marks: Vec<SinkMark> = self.world.outputs.iter_mut().map(|o| o.sync()).collect();
        self.enqueue(None, Some(upto), Message::Sinks([marks[0], marks[1]]));
    }

    fn mark(&mut self, marks: Marks) {
        for id in &marks.set {
            let (hash, store) = (id.hash(), &self.world.store);
            let known =
                store.marks.contains(&hash) || store.ended.contains_key(&(hash, store.edition));
            assert!(known, "a row is marked once the store knows of it");
        }
        for id in &marks.clear {
            let hash = id.hash();
            let answered = self.world.store.answers.values().any(|stored| {
                stored.question == hash && stored.request.edition == self.world.store.edition
            });
            assert!(answered, "only an answered row loses its mark");
        }
        assert!(self.marking.is_none(), "one rewriting at a time");
        let disk = self.teller.mark();
        self.marking = Some(marks);
        self.after(disk.ms, Coming::Rewritten(disk));
    }

    fn rewritten(&mut self, disk: Disk) -> Event {
        let marks = self.marking.take().expect("a rewriting is on its way");
        if disk.fails {
            self.mark_failed = true;
            return Event::MarkFailed;
        }
        self.world.mark(&marks);
        let questions = marks.set.iter().map(|id| id.hash()).collect();
        self.enqueue(None, None, Message::Marked(questions));
        Event::Marked { took: Duration::from_millis(disk.ms) }
    }

    fn reads(&mut self, count: usize) {
        let mut questions = Vec::new();
        let mut end = None;
        if self.read_ended {
            return;
        }
        while questions.len() < count {
            let left = self.begin.plan.states[self.read..].contains(&Planned::Pending);
            if !left {
                end = Some(Event::QuestionsEnd);
                break;
            }
            if self.changed_from.is_some_and(|from| self.begin.places[self.read] >= from) {
                end = Some(Event::QuestionsChanged { row_number: None });
                break;
            }
            if self.begin.plan.states[self.read] == Planned::Pending {
                questions.push(self.begin.questions[self.read].clone());
            }
            self.read += 1;
        }
        if !questions.is_empty() || end.is_none() {
            self.event_after(0, Event::Questions(questions));
        }
        if let Some(end) = end {
            self.read_ended = true;
            self.event_after(0, end);
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::OutageBegan { wait, .. } => {
                assert!(self.outage.is_none(), "an outage begins once");
                let wait = wait.expect("there are retries");
                self.outage = Some(Outage { retries: 0, next_at_ms: None });
                self.waits(wait);
            }
            Notice::OutageRetry { retry, .. } => {
                let outage = self.outage.as_mut().expect("a retry in an outage");
                outage.retries += 1;
                assert_eq!(outage.retries, *retry, "retries are counted");
                let at = outage.next_at_ms.take().expect("a retry has its time");
                assert!(self.now_ms >= at, "no retry of an outage before its time");
                self.probes += 1;
            }
            Notice::OutageGoesOn { wait, .. } => {
                self.waits(*wait);
            }
            Notice::OutageFinal { .. } => {
                let outage = self.outage.take().expect("it is final");
                assert_eq!(outage.retries as usize, WAITS_MS.len(), "after every retry");
                self.seen.unreachable = true;
            }
            Notice::OutageOver { .. } => drop(self.outage.take().expect("it is over")),
            _ => {}
        }
    }

    /// An outage waits for 1, 2 and 4 minutes, and longer where the service asks for that.
    fn waits(&mut self, wait: Duration) {
        let ms = wait.as_millis() as u64;
        let asked_for = self.not_before_ms.saturating_sub(self.now_ms);
        let outage = self.outage.as_mut().expect("a wait of an outage");
        let usual = WAITS_MS[outage.retries as usize];
        assert!(ms == usual || ms > usual && ms >= asked_for, "the waits are 1, 2 and 4 minutes");
        outage.next_at_ms = Some(self.now_ms + ms);
    }

    /// What the service was paid for and nobody can save.
    fn excuse(&mut self, message: &Message) {
        let request = match message {
            Message::Answer(_, stored) => stored.request.clone(),
            Message::Ended(question, Some(_)) => {
                let at = self.begin.questions.iter().position(|q| q.id.hash() == *question);
                self.begin.requests[at.expect("a question of this life")].clone()
            }
            _ => return,
        };
        self.world.bills.entry(request).or_default().excused += 1;
    }

    fn excuse_flight(&mut self, flight: &Flight) {
        if matches!(flight.what, What::Answer | What::Cut) {
            let request = self.begin.requests[flight.index as usize].clone();
            self.world.bills.entry(request).or_default().excused += 1;
        }
    }

    /// What was not durable is gone; what was on its way may have been answered and paid for.
    fn crash(&mut self, crash: Crash) {
        self.world.log(format_args!("   {crash:?}"));
        let mut lost = std::mem::take(&mut self.queue);
        if let Some((batch, disk)) = self.commit.take() {
            if crash.committed && !disk.fails && !self.store_failed {
                batch.into_iter().for_each(|(.., message)| self.world.store.apply(message));
            } else {
                lost.extend(batch);
            }
        }
        let flights = std::mem::take(&mut self.flights);
        let answered = flights.values().filter(|flight| flight.what == What::Answer).count();
        let unsynced = lost.iter().filter(|(.., m)| matches!(m, Message::Answer(..))).count();
        let width = self.world.start.width as usize;
        assert!(answered + unsynced <= width, "a crash costs at most the width");
        lost.iter().for_each(|(.., message)| self.excuse(message));
        flights.values().for_each(|flight| self.excuse_flight(flight));
        for (output, keeps) in self.world.outputs.iter_mut().zip(crash.keeps) {
            output.crash(keeps, crash.zeros_from);
        }
        if let Some(marks) = self.marking.take().filter(|_| crash.marked) {
            self.world.mark(&marks);
        }
    }

    /// What must hold once the run is over.
    fn end(&mut self, ending: &Ending) {
        assert!(self.flights.is_empty() && self.unsynced.is_empty(), "nothing is on its way");
        assert!(self.marking.is_none(), "no rewriting is on its way");
        assert_eq!(ending.ledger, self.ledger, "the ledger at the end");
        // What the engine's threads still hold is done before it returns.
        let commit = self.commit.take().map(|(batch, _)| batch).unwrap_or_default();
        let rest = std::mem::take(&mut self.queue);
        for (.., message) in commit.into_iter().chain(rest) {
            if self.store_failed {
                self.excuse(&message);
            } else {
                let written = !matches!(message, Message::Order(_)) || self.output_failed;
                assert!(written, "every row is written at the end");
                self.world.store.apply(message);
            }
        }
        self.check_why(ending);
        if !self.store_failed && !self.output_failed && !self.seen.stop_now {
            self.check_placed();
        }
        if self.mark_failed || self.edited || self.store_failed {
            return;
        }
        let wanted = |question: &Question| self.world.store.marks.contains(&question.id.hash());
        assert!(!self.begin.questions.iter().any(wanted), "every mark is written at the end");
        self.check_statuses();
    }

    fn check_why(&self, ending: &Ending) {
        let seen = &self.seen;
        let complete = ending.ledger.pending == 0 && ending.ledger.failed() == 0;
        let possible = match &ending.why {
            Why::StoreFailed => seen.store_failed,
            Why::OutputFailed => seen.output_failed,
            Why::WrongSettings(_) => seen.settings || seen.refused >= 5,
            Why::InputChanged { .. } => seen.input_changed,
            Why::KeyRefused(_) => seen.key,
            Why::OutOfMoney(_) => seen.money,
            Why::Unreachable(_) => seen.unreachable,
            Why::ToldToWait(..) => seen.told_to_wait,
            Why::Stopped(_) => seen.signal,
            Why::Paused => seen.paused,
            Why::Complete => {
                let limited = self.teller.fate.limit.is_some();
                complete || ending.ledger.pending == 0 || limited
            }
        };
        assert!(possible, "a run ends for a reason that was there");
        let ranks = [
            seen.store_failed,
            seen.output_failed,
            seen.settings,
            seen.input_changed,
            seen.key,
            seen.money,
        ];
        let weightiest = ranks.iter().position(|&seen| seen);
        assert!(
            weightiest.is_none_or(|rank| usize::from(ending.why.rank()) <= rank),
            "the weightiest reason ends the run"
        );
        if matches!(ending.why, Why::Unreachable(_)) && !seen.signal {
            assert!(ending.bookmark.is_some(), "an outage leaves a bookmark");
        }
    }

    /// Every answer of this input is in the outputs, past whatever stays unanswered.
    fn check_placed(&self) {
        let store = &self.world.store;
        for stored in self.begin.questions.iter().filter_map(|q| store.answers.get(&q.key)) {
            assert!(store.is_placed(stored.id), "what was paid for is in the outputs at the end");
        }
    }

    /// The input says ERROR in the rows that ended without an answer, and in no answered one.
    fn check_statuses(&self) {
        let store = &self.world.store;
        for (question, &place) in self.begin.questions.iter().zip(&self.begin.places) {
            let now = self.world.rows[place].status.as_str();
            let before = self.statuses[place].as_str();
            let hash = question.id.hash();
            let answered = !self.open.contains(&question.index)
                && !store.ended.contains_key(&(hash, store.edition));
            if answered {
                assert_ne!(now, ERROR, "no answered row says ERROR");
            }
            if before != ERROR && !before.is_empty() {
                assert_eq!(now, before, "the user's own word is left alone");
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.machine.ledger(), self.ledger, "the ledger says what happened");
        assert!(self.ledger.balances(), "the ledger balances");
        let busy = self.flights.len() + self.unsynced.len();
        assert!(busy <= self.world.start.width as usize, "asked + waiting for the disk <= width");
    }
}

impl Drop for Life<'_> {
    /// Leaves what happened to whoever writes it down, also where a check has failed.
    fn drop(&mut self) {
        let fate = std::mem::take(&mut self.teller.fate);
        *self.world.lives.last_mut().expect("this life was begun") = fate;
    }
}

/// What the machine was just told, as far as something must follow at once.
enum Told {
    Answer,
    Failure { class: FailureClass, counts: bool },
    Signal,
    Else,
}

const CUT: &str = "length limit";

/// What a reply means to the machine.
fn reading(what: What, max_tokens: Option<u64>) -> Reading {
    let answer =
        || Answer { content: "a".into(), finish_reason: "stop".into(), ..Answer::default() };
    let (class, cause) = match what {
        What::Answer => return Reading::Answer(answer()),
        What::Lost => (FailureClass::Transient, "reply cut off"),
        What::Transient => (FailureClass::Transient, "server error"),
        What::Throttled { wait_s, width } => (
            FailureClass::Throttled { wait: wait_s.map(Duration::from_secs), width },
            "rate limited",
        ),
        What::Cut => (FailureClass::CutByLength, CUT),
        What::Moderated => (FailureClass::Refused(Refusal::Moderation), "content filter"),
        What::TooLong => (FailureClass::Refused(Refusal::Question), "too long"),
        What::Refused => (FailureClass::Refused(Refusal::Request), "refused"),
        What::WrongSettings => (FailureClass::Refused(Refusal::Settings), "wrong settings"),
        What::Forbidden => (FailureClass::Forbidden, "forbidden"),
        What::KeyRefused => (FailureClass::KeyRefused, "key refused"),
        What::OutOfMoney => (FailureClass::OutOfMoney, "no money"),
    };
    let reached = Usage { output: Some(max_tokens.unwrap_or(4_096)), ..Usage::default() };
    let partial = (what == What::Cut).then(|| Box::new(Answer { usage: reached, ..answer() }));
    Reading::Failure(Failure {
        class,
        cause,
        status: None,
        message: String::new(),
        request_id: None,
        partial,
    })
}
