//! What outlives a crash: the input, the store, the outputs, the service's books.

use std::collections::BTreeMap;

use dset_core::key::{RequestSettings, key};
use dset_core::machine::{Ending, Planned, Why};
use dset_core::plan::{Bought, Known, Plan, Planner, Stored};
use dset_core::question::{Key, Question, QuestionId};

use crate::life::Life;

/// Lives that may crash; then the faults stop.
const CHAOS_LIVES: u32 = 6;
/// Lives within which a run must finish once they have.
const CALM_LIVES: u32 = 4;

/// What a world adds up to.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) questions: u64,
    pub(crate) lives: u64,
    pub(crate) crashes: u64,
    pub(crate) asks: u64,
    pub(crate) bought_twice: u64,
    pub(crate) events: u64,
    /// A hash of everything that happened.
    pub(crate) trace: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        self.questions += other.questions;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.asks += other.asks;
        self.bought_twice += other.bought_twice;
        self.events += other.events;
    }
}

/// An answer that is on the disk.
#[derive(Debug, Clone)]
pub(crate) struct Durable {
    pub(crate) id: i64,
    pub(crate) question: [u8; 16],
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) texts: Vec<String>,
    pub(crate) width: u32,
    pub(crate) trouble: Trouble,
    /// The store: by key, and the order of the outputs.
    pub(crate) answers: BTreeMap<Key, Durable>,
    pub(crate) order: Vec<i64>,
    /// Numbers answers in the order of their arrival.
    pub(crate) answers_count: i64,
    /// Answers the service has made, by question.
    pub(crate) bought: BTreeMap<Key, u64>,
    /// Asks that were on their way, or answered and not durable, when a life crashed; and replies
    /// that were lost or refused although they were made.
    pub(crate) excused: u64,
    pub(crate) unix_ms: i64,
    pub(crate) shows: bool,
    pub(crate) totals: Totals,
}

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) transient: f64,
    pub(crate) lost: f64,
    pub(crate) throttled: f64,
    pub(crate) refused: f64,
    pub(crate) commit_fails: f64,
    pub(crate) crash: f64,
    pub(crate) stop: f64,
    pub(crate) outage: f64,
}

const CALM: Trouble = Trouble {
    transient: 0.0,
    lost: 0.0,
    throttled: 0.0,
    refused: 0.0,
    commit_fails: 0.0,
    crash: 0.0,
    stop: 0.0,
    outage: 0.0,
};

impl World {
    pub(crate) fn new(seed: u64, shows: bool) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        // Small worlds find most; one in fifty is large.
        let count =
            if random.u32(..50) == 0 { random.usize(1..=500) } else { random.usize(1..=40) };
        // Few different texts make duplicates.
        let kinds = random.usize(1..=count * 2);
        let texts = (0..count).map(|_| format!("question {}", random.usize(..kinds))).collect();
        let width = [1, 1, 2, 3, 8, 32][random.usize(..6)];
        let mut sometimes = |most: f64| if random.bool() { random.f64() * most } else { 0.0 };
        let trouble = Trouble {
            transient: sometimes(0.5),
            lost: sometimes(0.2),
            throttled: sometimes(0.4),
            refused: sometimes(0.2),
            commit_fails: sometimes(0.02),
            crash: sometimes(0.05),
            stop: sometimes(0.01),
            outage: sometimes(0.02),
        };
        World {
            seed,
            random,
            texts,
            width,
            trouble,
            answers: BTreeMap::new(),
            order: Vec::new(),
            answers_count: 0,
            bought: BTreeMap::new(),
            excused: 0,
            unix_ms: 1_795_348_800_000,
            shows,
            totals: Totals::default(),
        }
    }

    pub(crate) fn run(mut self) -> Totals {
        self.totals.questions = self.texts.len() as u64;
        for life in 0..CHAOS_LIVES + CALM_LIVES {
            if life == CHAOS_LIVES {
                self.trouble = CALM;
            }
            let ending = self.live();
            if ending.is_some_and(|ending| self.is_done(&ending)) {
                break;
            }
            assert!(life + 1 < CHAOS_LIVES + CALM_LIVES, "when faults stop, the run finishes");
        }
        self.check_books();
        // A run after the end asks nothing and writes nothing.
        let (asks, order) = (self.totals.asks, self.order.clone());
        self.trouble = CALM;
        self.live();
        assert_eq!((asks, &order), (self.totals.asks, &self.order), "a finished run asks nothing");
        self.totals
    }

    fn is_done(&self, ending: &Ending) -> bool {
        let complete = matches!(ending.why, Why::Complete);
        complete && ending.ledger.answered == ending.ledger.questions
    }

    fn live(&mut self) -> Option<Ending> {
        self.totals.lives += 1;
        let life = self.totals.lives;
        self.log(format_args!("life {life}"));
        let (plan, questions) = self.plan();
        let ending = Life::new(self, plan, questions).run();
        if ending.is_none() {
            self.totals.crashes += 1;
        }
        self.check_outputs();
        ending
    }

    /// Plans as the engine does, from the input and the store.
    fn plan(&self) -> (Plan, Vec<Question>) {
        let settings = RequestSettings { model: "m".into(), ..RequestSettings::default() };
        let mut hasher = settings.hasher();
        let mut planner = Planner::new(0, true);
        let prints: Vec<_> = self.texts.iter().map(|text| hasher.fingerprint(text)).collect();
        for (text, print) in self.texts.iter().zip(&prints) {
            planner.push(text, *print, false);
        }
        let stored = self.answers.iter().map(|(&key, answer)| Stored {
            key,
            question: answer.question,
            id: answer.id,
            bought: Bought::Now,
            placed: self.order.contains(&answer.id),
        });
        let plan = planner.plan(stored, &Known::default());
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        let questions = self.texts.iter().zip(&prints).enumerate().map(|(at, (text, print))| {
            let ordinal = seen.entry(text).or_default();
            let id = QuestionId { text_hash: QuestionId::hash_text(text), ordinal: *ordinal };
            let expected = key(*print, 0, *ordinal, 0);
            *ordinal += 1;
            let index = at as u32;
            assert_eq!(plan.key(index, *print), expected, "equal rows are numbered in their order");
            Question {
                index,
                row_number: at as u64 + 2,
                text: text.as_str().into(),
                prompt: text.as_str().into(),
                key: expected,
                id,
                marked: false,
            }
        });
        let questions = questions.collect();
        let answered = plan.states.iter().filter(|state| **state != Planned::Pending).count();
        assert_eq!(answered, self.answers.len(), "the plan knows every durable answer");
        (plan, questions)
    }

    /// No answer stands in the outputs twice, and none that is not durable.
    fn check_outputs(&self) {
        let mut ids = self.order.clone();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), self.order.len(), "no row is written twice");
        let durable = |id: &i64| self.answers.values().any(|answer| answer.id == *id);
        assert!(self.order.iter().all(durable), "no row without a durable answer");
    }

    /// Bought at most once each, but for what a crash or a lost reply excuses.
    fn check_books(&mut self) {
        let count = self.texts.len() as u64;
        assert_eq!(self.answers.len() as u64, count, "every question has its answer");
        assert_eq!(self.order.len() as u64, count, "every answer is in the outputs");
        let bought: u64 = self.bought.values().sum();
        assert!(bought <= count + self.excused, "{bought} bought for {count} + {}", self.excused);
        self.totals.bought_twice = bought - count;
    }

    /// Folds a line into the trace, and shows it where that is wanted.
    pub(crate) fn log(&mut self, line: std::fmt::Arguments<'_>) {
        let line = line.to_string();
        for byte in line.bytes() {
            self.totals.trace =
                (self.totals.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.shows {
            println!("{line}");
        }
    }
}
