//! What was asked and answered: what a provider's bill would say.

pub(crate) mod timeline;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::audit::timeline::{Latencies, MinuteMax, Second, Series};
use crate::bill::{Charged, Dollars};
use crate::fault::Fault;

/// Questions listed by name in [`Stats::repeated`], at most.
const REPEATED_MAX: usize = 1_000;

/// A reading of the audit.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Calls for an answer.
    pub asked: u64,
    /// Whole answers handed to the network.
    pub answered: u64,
    /// Answers made, whole or not, delivered or not: those that cost.
    pub billed: u64,
    /// Tokens of the questions that the service began to answer, and of the answers that it had in mind
    /// for them: the bill of one that charges for what it began, whether or not somebody was left to take
    /// it.
    pub begun_tokens_in: u64,
    /// Tokens of those questions that were found in the cache.
    pub begun_tokens_cached: u64,
    /// Tokens of those answers.
    pub begun_tokens_out: u64,
    /// What all of that costs by the service's prices.
    pub cost: Dollars,
    /// Distinct questions asked, compared by their text.
    pub questions: u64,
    /// Distinct questions that got at least one answer.
    pub questions_answered: u64,
    /// Different questions answered more than once.
    pub questions_answered_again: u64,
    /// Those questions, with how often, a thousand at most.
    pub repeated: Vec<Repeated>,
    /// Calls that came for a question before the wait that the service had asked for was over.
    pub too_early: u64,
    /// Calls in flight now.
    pub in_flight: usize,
    /// The most that ever were.
    pub in_flight_max: usize,
    /// Faults, by name; refusals for a limit are among them.
    pub faults: BTreeMap<String, u64>,
    /// Replies with another status than 200, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Tokens of the questions that were let in.
    pub tokens_in: u64,
    /// Tokens of output, of answers whole or not: those that cost.
    pub tokens_out: u64,
    /// Streams that the client left after some output.
    pub left: u64,
    /// Tokens of output in those until then: paid for nothing, and part of `tokens_out`.
    pub tokens_left: u64,
    /// The most calls that came in any 60 s; up to 60.1 s are taken together.
    pub asks_minute_max: u64,
    /// The most tokens that were charged in any 60 s: of questions when they were let in, of
    /// answers when they ended.
    pub tokens_minute_max: u64,
    /// Half of the answers took no longer, from the call until the last byte was handed over;
    /// to 1 %.
    pub latency_ms_p50: f64,
    /// 99 of 100 answers took no longer.
    pub latency_ms_p99: f64,
    /// Each second since the start, a day at most.
    pub seconds: Vec<Second>,
    /// Every question with how often it was asked and answered, where that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_question: Option<BTreeMap<String, (u64, u64)>>,
}

/// A question that was answered more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// The text of the question.
    pub question: String,
    /// How many times it was answered; 2 or more.
    pub times: u64,
}

#[derive(Debug, Default)]
struct Counted {
    text: String,
    asked: u64,
    answered: u64,
    not_before: Option<Duration>,
}

/// Counts under one lock, which is held for a few instructions.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    stats: Stats,
    faults: HashMap<Fault, u64>,
    questions: HashMap<u64, Counted>,
    series: Series,
    asks: MinuteMax,
    tokens: MinuteMax,
    latencies: Latencies,
}

impl Counts {
    fn second(&mut self, now: Duration) -> &mut Second {
        self.series.at(now, self.stats.in_flight)
    }
}

/// The question of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedQuestion {
    pub(crate) question: u64,
    /// How often it was asked, this call included.
    pub(crate) times: u64,
}

impl Audit {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().expect("no counter panics")
    }

    pub(crate) fn asked(&self, now: Duration, question: &str) -> AskedQuestion {
        let hash = xxh3_64(question.as_bytes());
        let mut counts = self.counts();
        let counts = &mut *counts;
        counts.second(now);
        counts.stats.asked += 1;
        counts.asks.add(now, 1);
        counts.stats.in_flight += 1;
        let in_flight = counts.stats.in_flight;
        counts.stats.in_flight_max = counts.stats.in_flight_max.max(in_flight);
        let second = counts.second(now);
        second.in_flight_max = second.in_flight_max.max(in_flight);
        let counted = counts.questions.entry(hash).or_default();
        if counted.asked == 0 {
            counted.text = question.to_owned();
        }
        counted.asked += 1;
        if counted.not_before.take().is_some_and(|at| now < at) {
            counts.stats.too_early += 1;
        }
        AskedQuestion { question: hash, times: counted.asked }
    }

    pub(crate) fn admitted(&self, now: Duration, tokens: u64) {
        let mut counts = self.counts();
        counts.stats.tokens_in += tokens;
        counts.tokens.add(now, tokens);
    }

    pub(crate) fn refused(&self, now: Duration, status: u16) {
        let mut counts = self.counts();
        *counts.stats.refused.entry(status).or_default() += 1;
        counts.second(now).refused += 1;
    }

    /// A call has ended; `answer` is its latency, absent where it got none; `left` if the client
    /// closed a stream.
    pub(crate) fn ended(
        &self,
        now: Duration,
        question: u64,
        answer: Option<Duration>,
        out: u64,
        left: bool,
    ) {
        let mut counts = self.counts();
        let counts = &mut *counts;
        counts.second(now);
        counts.stats.in_flight -= 1;
        counts.stats.tokens_out += out;
        counts.tokens.add(now, out);
        if left {
            counts.stats.left += 1;
            counts.stats.tokens_left += out;
        }
        let Some(latency) = answer else { return };
        counts.stats.answered += 1;
        counts.second(now).answered += 1;
        counts.latencies.add(latency);
        if let Some(counted) = counts.questions.get_mut(&question) {
            counted.answered += 1;
        }
    }

    pub(crate) fn fault(&self, fault: Fault, bills: bool) {
        let mut counts = self.counts();
        *counts.faults.entry(fault).or_default() += 1;
        counts.stats.billed += u64::from(bills);
    }

    pub(crate) fn wait_requested(&self, now: Duration, question: u64, wait: Duration) {
        if let Some(counted) = self.counts().questions.get_mut(&question) {
            // A little less: the client's clock starts when the reply arrives.
            counted.not_before = Some(now + wait.mul_f64(0.98));
        }
    }

    /// The service begins to answer.
    pub(crate) fn begun(&self, charged: Charged, cost: Dollars) {
        let mut counts = self.counts();
        counts.stats.begun_tokens_in += charged.input;
        counts.stats.begun_tokens_cached += charged.cached_input;
        counts.stats.begun_tokens_out += charged.output;
        counts.stats.cost.0 += cost.0;
    }

    pub(crate) fn cost(&self) -> Dollars {
        self.counts().stats.cost
    }

    pub(crate) fn bill(&self) {
        self.counts().stats.billed += 1;
    }

    pub(crate) fn billed(&self) -> u64 {
        self.counts().stats.billed
    }

    pub(crate) fn stats(&self, now: Duration, by_question: bool) -> Stats {
        let mut counts = self.counts();
        counts.second(now);
        let mut stats = counts.stats.clone();
        let all = || counts.questions.values();
        stats.questions = all().count() as u64;
        stats.questions_answered = all().filter(|counted| counted.answered > 0).count() as u64;
        let again = || all().filter(|counted| counted.answered > 1);
        stats.questions_answered_again = again().count() as u64;
        stats.repeated = again()
            .take(REPEATED_MAX)
            .map(|counted| Repeated { question: counted.text.clone(), times: counted.answered })
            .collect();
        stats.repeated.sort_by(|a, b| a.question.cmp(&b.question));
        stats.faults = counts.faults.iter().map(|(fault, n)| (fault.to_string(), *n)).collect();
        stats.asks_minute_max = counts.asks.max();
        stats.tokens_minute_max = counts.tokens.max();
        stats.latency_ms_p50 = counts.latencies.quantile_ms(0.5);
        stats.latency_ms_p99 = counts.latencies.quantile_ms(0.99);
        stats.seconds = counts.series.seconds().to_vec();
        stats.by_question =
            by_question.then(|| all().map(|c| (c.text.clone(), (c.asked, c.answered))).collect());
        stats
    }
}
