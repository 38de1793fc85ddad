//! Draws what happens from a seed.

use std::collections::BTreeMap;

use crate::schedule::{Crash, Disk, Edit, ExternalEvent, FaultPlan, Reply, ReplyKind, Start, Tear};

/// How bad it is: the chance of each fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultRates {
    transient: f64,
    /// The share of questions that fail whenever they are asked.
    poison: f64,
    lost: f64,
    throttled: f64,
    refused: f64,
    cut: f64,
    fatal: f64,
    /// The share of asks that take longer than the grace of SIGTERM.
    slow: f64,
    /// The share of lives in which the first asks are all refused.
    all_refused: f64,
    commit_fails: f64,
    append_fails: f64,
    sync_fails: f64,
    mark_fails: f64,
    crash: f64,
    stop: f64,
    outage: f64,
    clock: f64,
    edit: f64,
    limit: f64,
}

/// Keeps the seeds of holds apart from the others.
const HOLDS: u64 = 0x686f_6c64;

/// Draws what happens from a seed.
#[derive(Debug)]
pub(crate) struct FaultGenerator {
    random: fastrand::Rng,
    /// Says when a run is held; of its own, so that nothing else changes with it.
    holds: fastrand::Rng,
    trouble: FaultRates,
    out_until_ms: u64,
    /// Asks that are refused from now on, whatever they ask.
    refused_asks: u32,
}

impl FaultGenerator {
    /// Draws a world; small ones find most, so that half have fewer than 20 questions.
    pub(crate) fn new(seed: u64) -> (FaultGenerator, Start) {
        let mut random = fastrand::Rng::with_seed(seed);
        let count =
            if random.u32(..50) == 0 { random.usize(1..=500) } else { random.usize(1..=40) };
        // Few different texts make duplicates.
        let kinds = random.usize(1..=count * 2);
        let mut text = || match random.u32(..30) {
            0 => String::new(),
            _ => format!("question {}", random.usize(..kinds)),
        };
        let rows = (0..count).map(|_| text()).collect();
        let width = [1, 1, 2, 3, 8, 32][random.usize(..6)];
        let pause_on_error = random.u32(..20) == 0;
        let mut sometimes = |most: f64| if random.bool() { random.f64() * most } else { 0.0 };
        let trouble = FaultRates {
            transient: sometimes(0.5),
            poison: sometimes(0.2),
            lost: sometimes(0.2),
            throttled: sometimes(0.4),
            refused: sometimes(0.2),
            cut: sometimes(0.1),
            fatal: sometimes(0.02),
            slow: sometimes(0.2),
            all_refused: sometimes(0.3),
            commit_fails: sometimes(0.02),
            append_fails: sometimes(0.02),
            sync_fails: sometimes(0.02),
            mark_fails: sometimes(0.1),
            crash: sometimes(0.05),
            stop: sometimes(0.01),
            outage: sometimes(0.02),
            clock: sometimes(0.02),
            edit: sometimes(0.01),
            limit: sometimes(0.3),
        };
        let rpm = (random.u32(..4) == 0).then(|| [1, 3, 20, 200][random.usize(..4)]);
        let tpm = (random.u32(..4) == 0).then(|| [400, 1_000, 5_000][random.usize(..3)]);
        let several = random.u32(..3) == 0;
        let mut up_to = |most: u32| if several { random.u32(1..=most) } else { 1 };
        let (models, samples) = (up_to(2), up_to(3));
        let endpoints = up_to(2);
        let start = Start {
            rows,
            width,
            rpm,
            tpm,
            seed,
            endpoints,
            models,
            samples,
            pause_on_error,
            is_checked: false,
            limit: None,
        };
        let holds = fastrand::Rng::with_seed(seed ^ HOLDS);
        (FaultGenerator { random, holds, trouble, out_until_ms: 0, refused_asks: 0 }, start)
    }

    fn falls(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    fn disk(&mut self, longest_ms: u64, fails: f64) -> Disk {
        let fails = self.falls(fails);
        let lost = fails && self.random.u32(..4) == 0;
        let stays = fails && self.random.u32(..3) == 0;
        Disk { ms: self.random.u64(1..longest_ms), fails, lost, stays }
    }

    /// Begins a life, before which the input has `rows` rows.
    fn life(&mut self, rows: usize) -> FaultPlan {
        self.out_until_ms = 0;
        let all_refused = self.falls(self.trouble.all_refused);
        self.refused_asks = if all_refused { self.random.u32(1..12) } else { 0 };
        let limit = self.falls(self.trouble.limit).then(|| self.random.u64(1..20));
        FaultPlan { before: self.before(rows), limit, ..FaultPlan::default() }
    }

    fn tear(&mut self) -> Option<Tear> {
        self.falls(self.trouble.append_fails)
            .then(|| Tear { output: self.random.usize(..2), bytes: self.random.u64(..200) })
    }

    fn row(&mut self) -> String {
        format!("question {}", self.random.usize(..40))
    }

    fn edit(&mut self, rows: usize) -> Edit {
        let at = self.random.usize(..rows.max(1));
        match self.random.u32(..5) {
            0 => Edit::Add { at: self.random.usize(..=rows), text: self.row() },
            1 => Edit::Delete { at },
            2 => Edit::Swap { one: at, other: self.random.usize(..rows.max(1)) },
            3 => Edit::Mend { at, text: self.row() },
            _ => {
                let word = ["", "ERROR", "mine"][self.random.usize(..3)];
                Edit::Status { at, word: word.into() }
            }
        }
    }

    /// Draws what the user does between two lives.
    fn before(&mut self, rows: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        if self.random.f64() < 20.0 * self.trouble.edit {
            for _ in 0..self.random.u32(1..4) {
                edits.push(self.edit(rows));
            }
        }
        if self.random.f64() < 5.0 * self.trouble.edit {
            let keep = self.random.bool();
            edits.push(match self.random.u32(..5) {
                0 => Edit::Temperature { to: self.random.u8(..3), keep },
                1 => Edit::MaxTokens { to: [0, 100, 200][self.random.usize(..3)], keep },
                2 => Edit::Note { output: self.random.usize(..2) },
                3 => Edit::Drop { output: self.random.usize(..2) },
                _ => Edit::Again,
            });
        }
        edits
    }

    fn reply(&mut self, lot: u8, now_ms: u64) -> Reply {
        let trouble = self.trouble;
        let slow = self.falls(trouble.slow);
        let ms = self.random.u64(if slow { 20_000..600_000 } else { 50..20_000 });
        let at_once = |what| Reply { ms: 20, what };
        let poisoned = f64::from(lot) / 256.0 < trouble.poison;
        if now_ms < self.out_until_ms || poisoned || self.falls(trouble.transient) {
            return at_once(ReplyKind::Transient);
        }
        if self.refused_asks > 0 {
            self.refused_asks -= 1;
            let other = self.random.u32(..20) == 0;
            return at_once(if other { ReplyKind::TooLong } else { ReplyKind::Refused });
        }
        if self.falls(trouble.lost) {
            return Reply { ms, what: ReplyKind::Lost };
        }
        if self.falls(trouble.throttled) {
            let wait = [20, 90, 900][self.random.usize(..3)];
            let wait_s = self.random.bool().then(|| self.random.u64(..wait));
            let width = (self.random.u32(..4) == 0).then(|| self.random.u32(1..40));
            return at_once(ReplyKind::Throttled { wait_s, width });
        }
        if self.falls(trouble.refused) {
            let kinds =
                [ReplyKind::Moderated, ReplyKind::TooLong, ReplyKind::Refused, ReplyKind::Refused];
            return at_once(kinds[self.random.usize(..4)]);
        }
        if self.falls(trouble.cut) {
            return Reply { ms, what: ReplyKind::Cut };
        }
        if self.falls(trouble.fatal) {
            let kinds = [
                ReplyKind::WrongSettings,
                ReplyKind::Forbidden,
                ReplyKind::KeyRefused,
                ReplyKind::OutOfMoney,
            ];
            return at_once(kinds[self.random.usize(..4)]);
        }
        Reply { ms, what: ReplyKind::Answer }
    }

    fn happening(&mut self, now_ms: u64, rows: usize) -> Option<ExternalEvent> {
        if self.falls(self.trouble.crash) {
            let keeps = [self.random.u64(..2_000), self.random.u64(..2_000)];
            let (committed, marked) = (self.random.bool(), self.random.bool());
            let zeros_from = self.random.bool().then(|| self.random.u64(..200));
            return Some(ExternalEvent::Crash(Crash { keeps, zeros_from, committed, marked }));
        }
        if self.falls(self.trouble.outage) {
            self.out_until_ms = now_ms + self.random.u64(1_000..900_000);
        }
        if self.falls(self.trouble.stop) {
            let terminate = self.random.bool();
            return Some(if terminate {
                ExternalEvent::Terminate
            } else {
                ExternalEvent::Interrupt
            });
        }
        if self.falls(self.trouble.clock) {
            return Some(ExternalEvent::Clock { ms: self.random.i64(-7_200_000..7_200_000) });
        }
        if self.falls(self.trouble.edit) {
            return Some(ExternalEvent::Edit(self.edit(rows)));
        }
        if self.holds.u32(..200) == 0 {
            return Some(ExternalEvent::Hold { ms: self.holds.u64(1..200_000) });
        }
        None
    }
}

/// Says what happens next in one life, and remembers it where it came from a seed.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    pub(crate) fate: FaultPlan,
    chance: Option<&'a mut FaultGenerator>,
    asks: u64,
    abandons: u64,
    commits: u64,
    appends: u64,
    syncs: u64,
    marks: u64,
    events: u64,
}

impl<'a> Script<'a> {
    /// Tells a life as it is written.
    pub(crate) fn written(fate: FaultPlan) -> Script<'a> {
        Script {
            fate,
            chance: None,
            asks: 0,
            abandons: 0,
            commits: 0,
            appends: 0,
            syncs: 0,
            marks: 0,
            events: 0,
        }
    }

    /// Draws a life at random, before which the input has `rows` rows.
    pub(crate) fn drawn(chance: &'a mut FaultGenerator, rows: usize) -> Script<'a> {
        let fate = chance.life(rows);
        Script { chance: Some(chance), ..Script::written(fate) }
    }

    /// Says what becomes of the next ask, of a question with this lot.
    pub(crate) fn reply(&mut self, lot: u8, now_ms: u64) -> Reply {
        let draw = |chance: &mut FaultGenerator| chance.reply(lot, now_ms);
        draw_or_read(&mut self.fate.asks, &mut self.asks, &mut self.chance, draw)
    }

    /// Says what becomes of the next commit.
    pub(crate) fn commit(&mut self) -> Disk {
        let draw = |chance: &mut FaultGenerator| chance.disk(200, chance.trouble.commit_fails);
        draw_or_read(&mut self.fate.commits, &mut self.commits, &mut self.chance, draw)
    }

    /// Says whether the next abandoned ask was answered before it could be dropped.
    pub(crate) fn abandon(&mut self) -> bool {
        let draw = |chance: &mut FaultGenerator| chance.random.bool();
        draw_or_read(&mut self.fate.abandons, &mut self.abandons, &mut self.chance, draw)
    }

    /// Says what becomes of the next appending to the outputs.
    pub(crate) fn append(&mut self) -> Option<Tear> {
        let draw = FaultGenerator::tear;
        draw_or_read(&mut self.fate.appends, &mut self.appends, &mut self.chance, draw)
    }

    /// Says what becomes of the next sync of the outputs.
    pub(crate) fn sync(&mut self) -> Disk {
        let draw = |chance: &mut FaultGenerator| chance.disk(1_000, chance.trouble.sync_fails);
        draw_or_read(&mut self.fate.syncs, &mut self.syncs, &mut self.chance, draw)
    }

    /// Says what becomes of the next rewriting of the input.
    pub(crate) fn mark(&mut self) -> Disk {
        let draw = |chance: &mut FaultGenerator| chance.disk(500, chance.trouble.mark_fails);
        draw_or_read(&mut self.fate.marks, &mut self.marks, &mut self.chance, draw)
    }

    /// Says what happens after the next event, to a life whose input has `rows` rows.
    pub(crate) fn happening(&mut self, now_ms: u64, rows: usize) -> Option<ExternalEvent> {
        self.events += 1;
        match &mut self.chance {
            None => self.fate.events.get(&self.events).cloned(),
            Some(chance) => {
                let happening = chance.happening(now_ms, rows)?;
                self.fate.events.insert(self.events, happening.clone());
                Some(happening)
            }
        }
    }
}

/// Draws what happens next, or reads it where it is written.
fn draw_or_read<T: Copy + Default + PartialEq>(
    written: &mut BTreeMap<u64, T>,
    count: &mut u64,
    chance: &mut Option<&mut FaultGenerator>,
    draw: impl FnOnce(&mut FaultGenerator) -> T,
) -> T {
    *count += 1;
    let Some(chance) = chance else { return written.get(count).copied().unwrap_or_default() };
    let drawn = draw(chance);
    if drawn != T::default() {
        written.insert(*count, drawn);
    }
    drawn
}
