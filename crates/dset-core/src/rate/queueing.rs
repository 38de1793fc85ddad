//! Services that never refuse but queue: whether more at once buys anything.
//!
//! Latency alone proves nothing, because answers may simply be longer. Asks are grouped by the
//! order of their sending; a block's figure is the latency that 35 % of it stayed below, those
//! still on their way counted as late (an average of what is back so far is too short, a minimum is
//! noise). When that latency rises as fast as the number at once, three blocks in a row, more is
//! not better. From then on only rare experiments change W, judged by answers per second. It never
//! shrinks because latency rose.

use std::collections::VecDeque;

use super::Ms;

/// The share of a block that must be back before it is judged.
const JUDGED_AT: f64 = 0.35;
/// The size of the first block.
const FIRST_SIZE: usize = 16;
/// The least size of the others; above it, half of W.
const SIZE_MIN: usize = 24;
/// A block is compared with the latest one whose concurrency was smaller by this factor. The
/// latency of 24 uneven answers is known to a quarter only; nearer ones would too often seem to
/// queue.
const APART: f64 = 2.1;
/// Latency that rises by this share of what the number at once did rises too fast.
const AS_FAST: f64 = 0.7;
/// Consecutive blocks that must show queueing.
const IN_A_ROW: u32 = 3;
/// What is kept above the number at which latency began to rise.
const ROOM: f64 = 1.5;
/// How far the climb may go beyond a block that was worth it. A block's mean is about 0.6 W, so that
/// a factor of 2 never gets off the ground; 4 costs seven seconds at 2,500.
const BEYOND: f64 = 8.0;
/// The first answers are even where they differ by no more than this share: all were worked on side by
/// side.
const EVEN: f64 = 0.05;
/// Where answers take long, each further block is a wait of seconds; even ones let the climb go to so
/// many, where they took this time, and to fewer otherwise. Should the service have no more slots
/// than there were first answers, the last ask waits eight minutes, within a cut-off of ten.
const EVEN_REACH: f64 = 96.0 * FIRST_SIZE as f64;
const EVEN_REACH_MS: f64 = 5_000.0;
/// Answers that take less are judged by blocks alone.
const EVEN_MS_MIN: f64 = 2_000.0;
/// A service with fewer slots than the first block has asks queues from the start; the latency
/// without a queue is then the mean of this many first asks.
const EARLY: u32 = 4;
/// Blocks that are kept open; a block that is older than this many others is not judged any more.
const OPEN_MAX: usize = 64;
/// Judged blocks that are kept for comparison: 2.1^13 is more than any width.
const KEPT_MAX: usize = 64;

/// Judges blocks of asks until it is clear that a service queues.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueueingDetector {
    /// The number of the first open block.
    first: u32,
    open: VecDeque<Block>,
    judged: VecDeque<(f64, f64)>,
    first_latency: Option<f64>,
    /// The latencies of the first asks of all: their sum and number.
    early: (f64, u32),
    in_a_row: u32,
    even: EvenAnswers,
}

/// Whether the first answers took the same time.
#[derive(Debug, Clone, Copy, Default)]
struct EvenAnswers {
    first: Ms,
    count: usize,
    is_over: bool,
}

impl EvenAnswers {
    /// Takes an answer; after the last of the first returns how far the climb may go for them.
    fn answered(&mut self, latency: Ms) -> Option<f64> {
        if self.count == 0 {
            self.first = latency;
        }
        self.count += 1;
        self.is_over |= (latency - self.first).abs() > EVEN * self.first || self.count > FIRST_SIZE;
        let share = (self.first / EVEN_REACH_MS).min(EVEN_REACH_MS / self.first);
        let is_even = !self.is_over && self.first >= EVEN_MS_MIN && self.count == FIRST_SIZE;
        is_even.then_some(EVEN_REACH * share)
    }
}

#[derive(Debug, Clone)]
struct Block {
    size: usize,
    sent: usize,
    n_sum: f64,
    latencies: Vec<f64>,
}

/// What a block of answers says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// This concurrency is worth it, throughput rose with it; the climb may go so far.
    Worth(f64),
    /// More than this concurrency only waits in the service's queue.
    Queues(f64),
}

impl QueueingDetector {
    /// Takes the sending of an ask as the `n`-th at once; returns the number of its block.
    pub(crate) fn sent(&mut self, n: usize, width: f64) -> u32 {
        if self.open.back().is_none_or(|block| block.sent == block.size) {
            let size = match self.open.is_empty() && self.judged.is_empty() {
                true => FIRST_SIZE.min((width as usize).max(1)),
                false => SIZE_MIN.max((width / 2.0) as usize),
            };
            if self.open.len() == OPEN_MAX {
                self.open.pop_front();
                self.first += 1;
            }
            self.open.push_back(Block { size, sent: 0, n_sum: 0.0, latencies: Vec::new() });
        }
        let last = self.open.len() - 1;
        let block = &mut self.open[last];
        block.sent += 1;
        block.n_sum += n as f64;
        self.first + last as u32
    }

    /// Takes the latency of an answer; returns how far the climb may go once the first are back and
    /// all took the same time.
    pub(crate) fn reach_if_even(&mut self, latency: Ms) -> Option<f64> {
        self.even.answered(latency)
    }

    /// Takes an answer after `latency` to the `order`-th ask of all, which is of this block.
    pub(crate) fn answered(&mut self, block: u32, order: u64, latency: Ms) -> Option<Verdict> {
        if order <= u64::from(EARLY) {
            self.early = (self.early.0 + latency, self.early.1 + 1);
        }
        let at = block.checked_sub(self.first)? as usize;
        let block = self.open.get_mut(at)?;
        block.latencies.push(latency);
        let enough = ((JUDGED_AT * block.size as f64).ceil() as usize).max(1);
        // A block that is not yet sent in full is judged with the next answer after it is.
        if block.sent < block.size || block.latencies.len() < enough || block.size == usize::MAX {
            return None;
        }
        let figure = *block.latencies.select_nth_unstable_by(enough - 1, f64::total_cmp).1;
        let n = block.n_sum / block.sent as f64;
        block.latencies = Vec::new();
        block.size = usize::MAX;
        block.sent = usize::MAX;
        while self.open.len() > 1 && self.open.front().is_some_and(|b| b.size == usize::MAX) {
            self.open.pop_front();
            self.first += 1;
        }
        Some(self.judge(n, figure.max(1.0)))
    }

    fn judge(&mut self, n: f64, latency: f64) -> Verdict {
        let first = *self.first_latency.get_or_insert(latency);
        let early = if self.early.1 == EARLY { self.early.0 / f64::from(EARLY) } else { first };
        let fewer = self.judged.iter().rev().find(|(fewer, _)| *fewer <= n / APART);
        let too_fast = fewer.is_some_and(|&(fewer, then)| latency / then >= AS_FAST * n / fewer);
        if self.judged.len() == KEPT_MAX {
            self.judged.pop_front();
        }
        self.judged.push_back((n, latency));
        self.in_a_row = if too_fast { self.in_a_row + 1 } else { 0 };
        match self.in_a_row >= IN_A_ROW {
            true => Verdict::Queues((ROOM * n * first.min(early) / latency).max(1.0)),
            false if too_fast => Verdict::Worth(0.0),
            false => Verdict::Worth(BEYOND * n),
        }
    }
}

/// The least number of answers over which a rate is measured.
const ANSWERS_MIN: f64 = 300.0;
/// And in terms of W, so that what was sent before the change is a small part of it.
const ANSWERS_PER_WIDTH: f64 = 4.0;
/// The distance of experiments, at most.
const DISTANCE_MAX_MS: f64 = 600_000.0;
/// The gain in throughput from which a larger width is kept.
const MORE_KEPT_AT: f64 = 1.10;
/// The share of the throughput from which a smaller width is kept.
const LESS_KEPT_AT: f64 = 0.97;
/// Where the first experiment would last longer it is not one with more at once: all that time,
/// every answer would wait longer.
const LESS_FIRST_MS: f64 = 60_000.0;
const MORE: f64 = 1.5;
const LESS: f64 = 0.8;

/// Changes W at a service that queues, and sees whether that pays.
#[derive(Debug, Clone)]
pub(crate) struct Experiments {
    /// Answers that must be back before counting begins: those sent before the last change.
    settling: f64,
    counted: f64,
    since: Ms,
    /// The rate before the change that is being tried, and the width then.
    tried: Option<(f64, f64)>,
    less_next: bool,
    next_at: Ms,
    distance: f64,
}

impl Experiments {
    /// Begins with the first after ten latencies.
    pub(crate) fn new(now: Ms, latency: Ms, in_flight: usize) -> Experiments {
        let distance = (10.0 * latency).clamp(5_000.0, 60_000.0);
        let lasts = ANSWERS_MIN * latency / (in_flight as f64).max(1.0);
        Experiments {
            settling: in_flight as f64,
            counted: 0.0,
            since: now,
            tried: None,
            less_next: lasts > LESS_FIRST_MS,
            next_at: now + distance,
            distance,
        }
    }

    /// Takes an answer; returns the width from now on if it changes.
    pub(crate) fn answered(&mut self, now: Ms, width: f64, in_flight: usize) -> Option<f64> {
        if self.settling > 0.0 {
            self.settling -= 1.0;
            self.since = now;
            return None;
        }
        self.counted += 1.0;
        if self.counted < ANSWERS_MIN.max(ANSWERS_PER_WIDTH * width) {
            return None;
        }
        let rate = self.counted / (now - self.since).max(1.0);
        let changed = match self.tried.take() {
            None if now < self.next_at => None,
            None => {
                self.tried = Some((rate, width));
                Some(width * if self.less_next { LESS } else { MORE })
            }
            Some((before, width_before)) => {
                let needed = if self.less_next { LESS_KEPT_AT } else { MORE_KEPT_AT };
                let kept = rate >= needed * before;
                self.next_at = now + self.distance;
                if kept {
                    None
                } else {
                    self.distance = (2.0 * self.distance).min(DISTANCE_MAX_MS);
                    self.less_next = !self.less_next;
                    Some(width_before)
                }
            }
        };
        self.counted = 0.0;
        self.since = now;
        if changed.is_some() {
            self.settling = in_flight as f64;
        }
        changed.map(|width| width.max(1.0))
    }
}
