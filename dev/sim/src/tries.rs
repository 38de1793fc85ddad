//! A world in which answers are held against checks: some are not accepted, some are cut, rows are asked again
//! on purpose, and the run is killed between any two tries. A seed is all there is to it, so that nothing of it is shrunk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dset_core::acceptance::{Acceptance, Consequence, Received, RetryWith, Standing, Terms};
use dset_core::acceptance::{Verdict, Verdicts};
use dset_core::answer::{Answer, CUT, Cause, Failure, FailureClass, ParsedReply, Usage};
use dset_core::item::Item;
use dset_core::item::question::{Question, QuestionIndex};
use dset_core::rate::Bounds;
use dset_core::rate::outage::OutageBackoff;
use dset_core::rate::sliding_window::MinuteLimits;
use dset_core::run::ask::{Ask, AskId};
use dset_core::run::{
    Effect, EndReason, EndpointSpec, Event, JournalRecord, Machine, PlanSummary, Planned, Rules,
    Seq,
};
use dset_core::schema::dialect::Restore;
use dset_core::settings::Checks;
use dset_core::time::Time;
use serde_json::{Map, json};

use crate::kept::{Kept, Redo};
use crate::world::Totals;

/// Lives that chance may trouble; then the faults stop.
const CHAOS_LIVES: u64 = 6;
/// Lives within which a run must finish once they have.
const CALM_LIVES: u64 = 2;
const RIGHT: &str = "right";
const WRONG: &str = "wrong";

/// An ask on its way.
struct Flight {
    tried: Try,
    /// Nothing where it fails.
    text: &'static str,
    /// Its answer was handed to the disk when it came, and is being judged.
    is_recorded: bool,
}

/// A question and which try at it, from 1.
type Try = (QuestionIndex, u32);

pub(crate) struct World {
    pub(crate) random: fastrand::Rng,
    acceptance: Acceptance,
    pub(crate) terms: Terms,
    width: u32,
    pub(crate) count: u32,
    pub(crate) kept: Vec<Vec<Kept>>,
    /// How many answers became durable.
    pub(crate) numbers: u32,
    pub(crate) redo: Option<Redo>,
    /// Questions that had an accepted answer once.
    pub(crate) had: BTreeSet<QuestionIndex>,
    pub(crate) placed: BTreeSet<QuestionIndex>,
    bought: BTreeMap<Try, u32>,
    /// What was paid for and died with its life.
    excused: BTreeMap<Try, u32>,
    totals: Totals,
}

struct Life<'w> {
    world: &'w mut World,
    machine: Machine,
    is_calm: bool,
    /// It asks rows again on purpose, and no others.
    is_redo: bool,
    now_ms: u64,
    coming: BTreeMap<(u64, u64), Event>,
    coming_count: u64,
    alarm: Option<u64>,
    flights: BTreeMap<AskId, Flight>,
    /// What was handed to the disk, in its order.
    unsynced: Vec<(Seq, JournalRecord)>,
    to_read: Vec<Question>,
    finished: bool,
}

/// Lives the world of a seed to its end; panics in the words of the check that fails.
pub(crate) fn run(seed: u64) -> Totals {
    let mut world = World::drawn(seed);
    for life in 0..CHAOS_LIVES + CALM_LIVES {
        world.totals.lives += 1;
        Life::begin(&mut world, life >= CHAOS_LIVES).run();
        // An answer that was kept while its row was asked again has its place from the next life on.
        let is_done = |index| match world.standing(index, false) {
            Standing::Accepted => world.placed.contains(&index),
            standing => standing == Standing::Failed,
        };
        if world.redo.is_none() && (0..world.count).all(is_done) {
            break;
        }
    }
    world.check_end();
    world.totals
}

impl World {
    fn drawn(seed: u64) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let on_cut = ["mark", "retry", "keep"][random.usize(..3)];
        let declared = json!([
            {"name": "lacks", "pattern": WRONG, "on-fail": "retry"},
            {"name": "whole", "on-fail": on_cut},
        ]);
        let declared = serde_json::from_value(declared).expect("these are checks");
        let acceptance = Acceptance::new(None, declared, &[]).expect("these are checks");
        let (tries, retry) = (random.u32(1..=4), RetryWith::default());
        let terms = Terms::new(&acceptance, &Checks { tries, retry, ..Checks::default() });
        let count = random.u32(1..=30);
        World {
            acceptance,
            terms,
            width: [1, 2, 5, 16][random.usize(..4)],
            count,
            kept: (0..count).map(|_| Vec::new()).collect(),
            numbers: 0,
            redo: None,
            had: BTreeSet::new(),
            placed: BTreeSet::new(),
            bought: BTreeMap::new(),
            excused: BTreeMap::new(),
            totals: Totals { questions: count.into(), ..Totals::default() },
            random,
        }
    }

    fn judge(&self, question: &Question, answer: &Answer) -> Verdicts {
        let nothing = Map::new();
        let received = Received {
            text: &answer.content,
            is_cut: answer.is_cut(),
            restore: Restore::default(),
        };
        self.acceptance.accept(received, &Item::of_question(question, &nothing))
    }

    /// Judges what died while it was being judged: nothing is bought for that.
    fn judge_stored(&mut self) {
        for index in 0..self.count {
            let question = self.question(index, false);
            for at in 0..self.kept[index as usize].len() {
                let kept = &self.kept[index as usize][at];
                if kept.is_judged {
                    continue;
                }
                let finish_reason =
                    if kept.verdicts.iter().any(Verdict::says_cut) { CUT } else { "stop" };
                let answer = Answer {
                    content: kept.text.into(),
                    finish_reason: finish_reason.to_owned(),
                    ..Answer::default()
                };
                let verdicts = self.judge(&question, &answer).list;
                let kept = &mut self.kept[index as usize][at];
                (kept.verdicts, kept.is_judged) = (verdicts, true);
                self.settle(index, at);
            }
        }
    }

    fn check_end(&self) {
        for index in 0..self.count {
            let standing = self.standing(index, false);
            assert!(standing != Standing::Another, "a run without faults asks as often as it may");
            let is_placed = self.placed.contains(&index);
            assert!(is_placed == (standing == Standing::Accepted), "what is accepted has a row");
        }
        for (tried, bought) in &self.bought {
            let excused = self.excused.get(tried).copied().unwrap_or(0);
            assert!(*bought <= 1 + excused, "no try is bought twice once it is durable");
        }
    }
}

impl<'w> Life<'w> {
    fn begin(world: &'w mut World, is_calm: bool) -> Life<'w> {
        world.judge_stored();
        let is_redo = world.begins_redo(is_calm);
        let state = |index| match world.standing(index, is_redo) {
            Standing::Accepted if world.placed.contains(&index) => Planned::Placed,
            Standing::Accepted => Planned::Unplaced,
            _ if is_redo && !world.is_chosen(index) => Planned::LeftOut,
            Standing::Another => Planned::Pending,
            Standing::Failed => Planned::Failed,
        };
        let states: Vec<Planned> = (0..world.count).map(state).collect();
        let pending = (0..world.count).filter(|at| states[*at as usize] == Planned::Pending);
        let mut to_read: Vec<Question> =
            pending.map(|index| world.question(index, is_redo)).collect();
        to_read.reverse();
        let waits = [60, 120, 240].map(Duration::from_secs).into();
        let rules = Rules {
            bounds: Bounds { slots_max: world.width, is_trusted: false },
            minute: MinuteLimits::default(),
            earlier: Vec::new(),
            killed: false,
            endpoints: vec![EndpointSpec { model: 0, endpoint: 0, limits: None }],
            backoff: OutageBackoff { retries: 3, waits },
            tries: world.terms.tries,
            enough: None,
            retry: world.terms.retry,
            pause_on_error: false,
            limit: None,
            budget: None,
            off_peak: None,
            is_shared: false,
            seed: 1,
        };
        let mut life = Life {
            machine: Machine::new(rules),
            world,
            is_calm,
            is_redo,
            now_ms: 0,
            coming: BTreeMap::new(),
            coming_count: 0,
            alarm: None,
            flights: BTreeMap::new(),
            unsynced: Vec::new(),
            to_read,
            finished: false,
        };
        let redo = if is_redo { life.world.of_redo() } else { Default::default() };
        let is_placed = |at: &QuestionIndex| {
            life.world.placed.contains(at) && states[*at as usize] != Planned::Placed
        };
        let placed_before = (0..life.world.count).filter(is_placed).collect();
        let plan = PlanSummary { states, placed_before, redo, ..PlanSummary::default() };
        life.after(0, Event::Started(plan));
        life
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.coming_count += 1;
        self.coming.insert((self.now_ms + ms, self.coming_count), event);
    }

    fn run(mut self) {
        while !self.finished {
            let first = self.coming.first_key_value().map(|((at, _), _)| *at);
            let event = match self.alarm.filter(|at| first.is_none_or(|first| *at <= first)) {
                Some(at) => {
                    (self.alarm, self.now_ms) = (None, at.max(self.now_ms));
                    Event::TimerFired
                }
                None => {
                    let ((at, _), event) =
                        self.coming.pop_first().expect("a life waits for something");
                    self.now_ms = self.now_ms.max(at);
                    event
                }
            };
            self.handle(event);
            if !self.finished && !self.is_calm && self.world.random.u32(..60) == 0 {
                self.crash();
                return;
            }
        }
        assert!(
            self.unsynced.is_empty() && self.flights.is_empty(),
            "a run ends with nothing owed"
        );
    }

    /// What was paid for and is not durable is lost with the process.
    fn crash(self) {
        self.world.totals.crashes += 1;
        let flights = self.flights.values();
        let flights = flights.filter(|flight| !flight.text.is_empty() && !flight.is_recorded);
        let mut lost: Vec<Try> = flights.map(|flight| flight.tried).collect();
        let unsynced = self.unsynced.iter().filter_map(|(_, record)| new_answer(record));
        lost.extend(unsynced.map(|question| (question.index, question.try_number())));
        for tried in lost {
            *self.world.excused.entry(tried).or_default() += 1;
        }
    }

    fn handle(&mut self, event: Event) {
        let now_ms = self.now_ms as i64;
        let now = Time { monotonic_ms: self.now_ms, unix_ms: now_ms };
        if let Event::Replied { ask, .. } = &event {
            self.flights.remove(ask);
        }
        if let Event::AnswerCame { ask, .. } = &event
            && let Some(flight) = self.flights.get_mut(ask)
        {
            flight.is_recorded = true;
        }
        if let Event::Synced { upto } = &event {
            self.commit(*upto);
            self.world.check_accepted();
        }
        self.world.totals.events += 1;
        self.world.totals.trace.event(now, &event);
        let mut effects = Vec::new();
        self.machine.handle(now, event, &mut effects);
        for effect in effects {
            self.world.totals.trace.effect(&effect);
            self.perform(effect);
        }
        let is_answer = |record: &JournalRecord| matches!(record, JournalRecord::Answered { .. });
        let answers = self.unsynced.iter().filter(|(_, record)| is_answer(record)).count();
        assert!(
            self.flights.len() + answers <= self.world.width as usize,
            "asked + waiting for the disk <= the most at once, tries that failed among them"
        );
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Read { count } => {
                let read: Vec<Question> = (0..count).map_while(|_| self.to_read.pop()).collect();
                let is_end = read.len() < count;
                if !read.is_empty() || !is_end {
                    self.after(0, Event::Questions(read));
                }
                if is_end {
                    self.after(0, Event::QuestionsEnd);
                }
            }
            Effect::Ask(ask) => self.ask(&ask),
            Effect::Abandon(ask) => self.after(0, Event::Abandoned { ask }),
            Effect::Record(seq, record) => {
                if let JournalRecord::Answered { question, answer, is_accepted, .. } = &record {
                    let consequence = self.world.judge(question, answer).consequence();
                    let fits = *is_accepted == (consequence == Consequence::Accept);
                    assert!(fits, "an answer is accepted where its verdicts say so");
                }
                self.unsynced.push((seq, record));
                let ms = self.world.random.u64(1..2_000);
                self.after(ms, Event::Synced { upto: seq });
            }
            Effect::Emit { upto, questions } => {
                for index in questions {
                    let standing = self.world.standing(index, false);
                    assert!(
                        standing == Standing::Accepted,
                        "a row has an accepted, durable answer"
                    );
                    assert!(self.world.placed.insert(index), "a row is written once");
                }
                self.after(5, Event::Emitted { upto });
            }
            Effect::SetTimer(at) => self.alarm = Some(at.monotonic_ms),
            Effect::Mark(_) => self.after(5, Event::Marked { took: Duration::from_millis(5) }),
            Effect::Finish(ending) => {
                self.finished = true;
                if self.is_redo && matches!(ending.reason, EndReason::Complete) {
                    self.world.end_redo(self.is_calm);
                }
            }
            Effect::Flush | Effect::Show(_) => {}
        }
    }

    fn ask(&mut self, ask: &Ask) {
        let world = &mut *self.world;
        world.totals.asks += 1;
        let (index, number) = (ask.question.index, ask.question.tries());
        let tried = (index, ask.question.try_number());
        let standing = world.standing(index, self.is_redo);
        assert!(
            standing == Standing::Another,
            "nothing is asked for what has an accepted answer, or all its tries"
        );
        assert!(!self.is_redo || world.is_chosen(index), "no other row is asked again");
        assert!(number <= world.terms.tries, "no question has too many tries");
        let waiting = self.unsynced.iter().filter_map(|(_, record)| new_answer(record));
        let waiting = waiting.filter(|question| question.index == index);
        let there = world.counted(index, self.is_redo).len() + waiting.count();
        assert!(number as usize == there + 1, "a try is the next one of its question");
        let turns = if number == 1 { 1 } else { 3 };
        assert!(ask.question.content.texts().count() == turns, "a try shows the one before it");
        let fails = !self.is_calm && world.random.u32(..8) == 0;
        let text = match world.random.u32(..10) {
            _ if fails => "",
            0..4 => WRONG,
            _ => RIGHT,
        };
        let is_cut = world.random.u32(..6) == 0;
        let usage = Usage { output: Some(10), ..Usage::default() };
        let (reading, verdicts) = if text.is_empty() {
            (transient(), None)
        } else {
            *world.bought.entry(tried).or_default() += 1;
            let finish_reason = if is_cut { CUT } else { "stop" }.to_owned();
            let answer = Answer { content: text.into(), finish_reason, usage, ..Answer::default() };
            let verdicts = Box::new(world.judge(&ask.question, &answer));
            (ParsedReply::Answer(answer), Some(verdicts))
        };
        let ms = world.random.u64(50..20_000);
        let judged_in = world.random.u64(0..30_000);
        let is_judged_slowly = world.random.bool();
        self.flights.insert(ask.id, Flight { tried, text, is_recorded: false });
        let mut replied_in = ms;
        if let (ParsedReply::Answer(answer), Some(verdicts), true) =
            (&reading, &verdicts, is_judged_slowly)
        {
            let (answer, verdicts) = (Box::new(answer.clone()), verdicts.clone());
            self.after(ms, Event::AnswerCame { ask: ask.id, answer, verdicts });
            replied_in += judged_in;
        }
        self.after(replied_in, Event::Replied { ask: ask.id, reading, limits: None, verdicts });
    }

    fn commit(&mut self, upto: Seq) {
        let later = self.unsynced.partition_point(|(seq, _)| *seq <= upto);
        for (_, record) in self.unsynced.drain(..later) {
            let (question, answer, verdicts, is_judged) = match record {
                JournalRecord::Answered { question, verdicts, is_known: true, .. } => {
                    let kept = &mut self.world.kept[question.index as usize];
                    let at = kept.len() - 1;
                    let last = kept.last_mut();
                    let last = last.expect("what came before it was judged is durable before");
                    assert!(!last.is_judged, "an answer is judged once");
                    last.verdicts = verdicts.map(|verdicts| verdicts.list).unwrap_or_default();
                    last.is_judged = true;
                    self.world.settle(question.index, at);
                    continue;
                }
                JournalRecord::Answered { question, answer, verdicts, .. } => {
                    (question, answer, verdicts, true)
                }
                JournalRecord::AnswerCame { question, answer, verdicts, .. } => {
                    (question, answer, Some(verdicts), false)
                }
                _ => continue,
            };
            let text = if answer.content == WRONG { WRONG } else { RIGHT };
            let list = verdicts.map(|verdicts| verdicts.list).unwrap_or_default();
            let before = self.world.replaced_by(question.index, self.is_redo);
            let kept = &mut self.world.kept[question.index as usize];
            let at = kept.len();
            assert!(question.try_number() as usize == at + 1, "tries are stored in their order");
            self.world.numbers += 1;
            let number = self.world.numbers;
            let is_aside = false;
            kept.push(Kept { text, verdicts: list, is_judged, number, is_aside, before });
            self.world.settle(question.index, at);
        }
    }
}

/// The question of an answer that is new with this record.
fn new_answer(record: &JournalRecord) -> Option<&Question> {
    match record {
        JournalRecord::Answered { question, is_known: false, .. }
        | JournalRecord::AnswerCame { question, .. } => Some(question),
        _ => None,
    }
}

fn transient() -> ParsedReply {
    let (class, cause, message) = (FailureClass::Transient, Cause::ServerError, "no".into());
    let (status, wait, request_id, partial) = (Some(500), None, None, None);
    ParsedReply::Failure(Failure { class, cause, status, message, wait, request_id, partial })
}
