//! The order of asks that fills a provider's cache of prompts.
//!
//! Prompts that begin alike are asked one first; the others wait until its reply begins, because only then
//! is what they have in common in the cache, and then come before what begins otherwise. Nothing waits
//! for longer than [`HOLD_MAX`], and nothing is overtaken for ever. Prompts without known beginnings
//! ([`crate::item::prefix`]) are asked in their order, and where no prompt has any this is idle.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::item::question::{Question, QuestionIndex};
use crate::time::Time;

/// So long the others wait for the first of them at most.
const HOLD_MAX: Duration = Duration::from_secs(20);
/// So long after its last use a beginning is taken to be cached; services keep one for five minutes at
/// least.
const WARM_FOR: Duration = Duration::from_secs(4 * 60);
/// So many questions are held for the choice of which come one after the other,
const WINDOW: usize = 4_096;
/// and so many bytes of texts.
const WINDOW_BYTES: usize = 32 << 20;
/// So many places further back in the file a question may be asked before another.
const OVERTAKEN_MAX: QuestionIndex = 4 * WINDOW as QuestionIndex;
/// So many beginnings are remembered that no held question has.
const REMEMBERED: usize = 8_192;

/// A beginning, of prompts to one model.
type PrefixKey = (u16, u64);

/// Who has a beginning in common, and whether it is cached.
#[derive(Debug, Default)]
struct Prefix {
    /// Held questions with it.
    held: u32,
    /// Those of them that are in line.
    ready: BTreeSet<QuestionIndex>,
    /// Asks on their way that are the first with it.
    warming: u32,
    /// When the first of these was sent, in monotonic milliseconds.
    warming_since: u64,
    /// When a reply to a prompt with it began last.
    warm_at: Option<u64>,
    /// It is among those that are remembered.
    is_remembered: bool,
}

impl Prefix {
    fn is_warm(&self, now: Time) -> bool {
        self.warm_at.is_some_and(|at| now.monotonic_ms < at + ms(WARM_FOR))
    }

    /// The others wait for the first.
    fn holds(&self, now: Time) -> bool {
        self.warming > 0 && now.monotonic_ms < self.warming_since + ms(HOLD_MAX)
    }
}

/// Which question of a line comes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// As much of it is cached as can be: before others.
    Warm,
    /// In its order.
    InOrder,
    /// Not before the reply to another begins.
    Held,
}

/// Questions in line, by the beginnings of their prompts.
#[derive(Debug, Default)]
pub(super) struct PrefixGroups {
    /// Some question has a beginning that others may have.
    is_used: bool,
    prefixes: HashMap<PrefixKey, Prefix>,
    /// Those that are or were cached, roughly the longest ago first.
    remembered: VecDeque<PrefixKey>,
    /// When which beginning is waited for no longer, in monotonic milliseconds.
    holds: VecDeque<(u64, PrefixKey)>,
    /// Of each model, who comes before others.
    warm: Vec<BTreeSet<QuestionIndex>>,
    /// Of each model, who comes in its order.
    in_order: Vec<BTreeSet<QuestionIndex>>,
    /// Questions taken that have beginnings, and how many those were when one was last taken whose
    /// beginning another has, and is not cached.
    taken: u64,
    shared_at: u64,
    /// The last question that was taken.
    last: QuestionIndex,
    /// Bytes of the texts that are held.
    bytes: usize,
}

impl PrefixGroups {
    /// Takes a question that is held from now on; `ready` are the lines so far.
    pub(super) fn hold(
        &mut self,
        now: Time,
        question: &Question,
        ready: &[BTreeSet<QuestionIndex>],
    ) {
        self.last = question.index;
        let Some(hashes) = &question.prefixes else { return };
        if !std::mem::replace(&mut self.is_used, true) {
            self.in_order = ready.to_vec();
            self.warm = vec![BTreeSet::new(); ready.len()];
        }
        self.taken += 1;
        self.bytes += bytes(question);
        let mut joined = Vec::new();
        let mut is_cold_and_shared = false;
        for key in keys(question.model, hashes) {
            let prefix = self.prefixes.entry(key).or_default();
            prefix.held += 1;
            is_cold_and_shared |= prefix.held > 1 && !prefix.is_warm(now);
            if prefix.held == 2 {
                joined.extend(prefix.ready.first().copied());
            }
        }
        if is_cold_and_shared {
            self.shared_at = self.taken;
        }
        joined.dedup();
        joined.into_iter().for_each(|other| self.turn_may_change(question.model, other));
    }

    /// Whose turn it is may be another one since somebody begins as it does: it is not before others.
    fn turn_may_change(&mut self, model: u16, index: QuestionIndex) {
        if self.warm[usize::from(model)].remove(&index) {
            self.in_order[usize::from(model)].insert(index);
        }
    }

    /// Takes that a question is not held any more.
    pub(super) fn let_go(&mut self, question: &Question) {
        let Some(hashes) = &question.prefixes else { return };
        self.bytes = self.bytes.saturating_sub(bytes(question));
        for key in keys(question.model, hashes) {
            let Some(prefix) = self.prefixes.get_mut(&key) else { continue };
            prefix.held -= 1;
            if prefix.held == 0 && prefix.warming == 0 && !prefix.is_remembered {
                self.prefixes.remove(&key);
            }
        }
    }

    /// Puts a held question in its line.
    pub(super) fn line_up(&mut self, now: Time, question: &Question) {
        if !self.is_used {
            return;
        }
        for key in question_keys(question) {
            self.prefixes.entry(key).or_default().ready.insert(question.index);
        }
        self.place(now, question);
    }

    /// Takes a question out of its line.
    pub(super) fn leave(&mut self, question: &Question) {
        if !self.is_used {
            return;
        }
        for key in question_keys(question) {
            if let Some(prefix) = self.prefixes.get_mut(&key) {
                prefix.ready.remove(&question.index);
            }
        }
        self.unplace(question);
    }

    fn unplace(&mut self, question: &Question) {
        self.warm[usize::from(question.model)].remove(&question.index);
        self.in_order[usize::from(question.model)].remove(&question.index);
    }

    fn place(&mut self, now: Time, question: &Question) {
        let turn = self.turn(now, question);
        self.unplace(question);
        match turn {
            Turn::Warm => self.warm[usize::from(question.model)].insert(question.index),
            Turn::InOrder => self.in_order[usize::from(question.model)].insert(question.index),
            Turn::Held => false,
        };
    }

    fn turn(&self, now: Time, question: &Question) -> Turn {
        let mut has_warm = false;
        for key in question_keys(question) {
            let Some(prefix) = self.prefixes.get(&key) else { continue };
            if prefix.is_warm(now) {
                has_warm = true;
                continue;
            }
            return match prefix.holds(now) {
                true => Turn::Held,
                false if prefix.warming > 0 || has_warm && prefix.held < 2 => Turn::Warm,
                false => Turn::InOrder,
            };
        }
        if has_warm { Turn::Warm } else { Turn::InOrder }
    }

    /// Returns whose turn it is in the line of a model; `None` where all wait for others.
    pub(super) fn next(
        &mut self,
        now: Time,
        model: u16,
        line: &BTreeSet<QuestionIndex>,
        question: impl Fn(QuestionIndex) -> Arc<Question>,
    ) -> Option<QuestionIndex> {
        if !self.is_used {
            return line.first().copied();
        }
        loop {
            let (warm, in_order) =
                (&self.warm[usize::from(model)], &self.in_order[usize::from(model)]);
            let first = in_order.first().copied();
            let is_overtaken = |at: &QuestionIndex| self.last.saturating_sub(*at) > OVERTAKEN_MAX;
            let Some(next) =
                warm.first().copied().filter(|_| !first.is_some_and(|at| is_overtaken(&at)))
            else {
                return first;
            };
            // What was cached may be so no longer.
            let question = question(next);
            if self.turn(now, &question) == Turn::Warm {
                return Some(next);
            }
            self.place(now, &question);
        }
    }

    /// Takes the sending of an ask; returns from which of its beginnings on it is the first.
    pub(super) fn sent(&mut self, now: Time, question: &Question) -> (usize, Changed) {
        let mut first = None;
        let mut changed = Changed::default();
        for (at, key) in question_keys(question).enumerate() {
            let prefix = self.prefixes.entry(key).or_default();
            if first.is_none() && prefix.is_warm(now) {
                continue;
            }
            prefix.warming += 1;
            if prefix.warming == 1 {
                prefix.warming_since = now.monotonic_ms;
            }
            if first.is_none() && prefix.warming == 1 {
                self.holds.push_back((now.monotonic_ms + ms(HOLD_MAX), key));
                changed = Changed(prefix.ready.iter().copied().collect());
            }
            first = first.or(Some(at));
        }
        (first.unwrap_or(usize::MAX), changed)
    }

    /// Takes that the reply to an ask has begun, which was the first from this beginning on.
    pub(super) fn begun(&mut self, now: Time, question: &Question, from: usize) -> Changed {
        let mut changed = Changed::default();
        for (at, key) in question_keys(question).enumerate() {
            let Some(prefix) = self.prefixes.get_mut(&key) else { continue };
            prefix.warm_at = Some(now.monotonic_ms);
            if at >= from {
                prefix.warming = prefix.warming.saturating_sub(1);
            }
            if at == from {
                changed = Changed(prefix.ready.iter().copied().collect());
            }
            if !std::mem::replace(&mut prefix.is_remembered, true) {
                self.remembered.push_back(key);
                self.forget(now);
            }
        }
        changed
    }

    /// Takes that an ask is back without the beginning of a reply.
    pub(super) fn ended(&mut self, question: &Question, from: usize) -> Changed {
        let mut changed = Changed::default();
        for (at, key) in question_keys(question).enumerate().skip(from) {
            let Some(prefix) = self.prefixes.get_mut(&key) else { continue };
            prefix.warming = prefix.warming.saturating_sub(1);
            if at == from && prefix.warming == 0 {
                changed = Changed(prefix.ready.iter().copied().collect());
            }
        }
        changed
    }

    /// Forgets beginnings that nobody has and that are cached no longer, or are too many.
    fn forget(&mut self, now: Time) {
        for _ in 0..2 {
            let Some(key) = self.remembered.pop_front() else { return };
            let Some(prefix) = self.prefixes.get_mut(&key) else { continue };
            let is_one_too_many = self.remembered.len() >= REMEMBERED;
            match prefix.held == 0 && (is_one_too_many || !prefix.is_warm(now)) {
                true => drop(self.prefixes.remove(&key)),
                false => self.remembered.push_back(key),
            }
        }
    }

    /// Returns who waited for too long and waits no longer.
    pub(super) fn release(&mut self, now: Time) -> Changed {
        let mut changed = Vec::new();
        while let Some(&(until, key)) = self.holds.front()
            && until <= now.monotonic_ms
        {
            self.holds.pop_front();
            let prefix = self.prefixes.get(&key).filter(|prefix| !prefix.is_warm(now));
            changed.extend(prefix.into_iter().flat_map(|prefix| prefix.ready.iter().copied()));
        }
        Changed(changed)
    }

    /// Returns when somebody is waited for no longer, in monotonic milliseconds.
    pub(super) fn release_at(&mut self, now: Time) -> Option<u64> {
        while let Some((until, key)) = self.holds.front() {
            let is_waited_for = |prefix: &&Prefix| {
                prefix.holds(now)
                    && prefix.warming_since + ms(HOLD_MAX) == *until
                    && !prefix.ready.is_empty()
                    && !prefix.is_warm(now)
            };
            if self.prefixes.get(key).filter(is_waited_for).is_some() {
                return Some(*until);
            }
            self.holds.pop_front();
        }
        None
    }

    /// Places again whose turn may be another one now.
    pub(super) fn place_again(
        &mut self,
        now: Time,
        changed: Changed,
        question: impl Fn(QuestionIndex) -> Arc<Question>,
    ) {
        changed.0.into_iter().for_each(|index| self.place(now, &question(index)));
    }

    /// How many questions are to be held at least for a choice; none where nothing begins alike.
    pub(super) fn window(&self) -> usize {
        let is_of_use = self.taken > 0 && self.taken - self.shared_at <= WINDOW as u64;
        if is_of_use && self.bytes < WINDOW_BYTES { WINDOW } else { 0 }
    }
}

/// Questions in line whose turn may be another one.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Changed(Vec<QuestionIndex>);

fn keys(model: u16, hashes: &[u64]) -> impl Iterator<Item = PrefixKey> {
    hashes.iter().map(move |hash| (model, *hash))
}

fn question_keys(question: &Question) -> impl Iterator<Item = PrefixKey> {
    keys(question.model, question.prefixes.as_deref().unwrap_or_default())
}

fn bytes(question: &Question) -> usize {
    question.content.texts().map(str::len).sum()
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
