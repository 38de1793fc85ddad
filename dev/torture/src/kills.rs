//! Kills at random moments and at named points, then the same command until all is answered.

use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::shim::{Action, Rule};
use crate::table::Outcome;
use crate::world::{Begin, Lab, RunResult, Shape, World};
use crate::{check, table};

/// Lives that are killed in one round, at most.
const KILLS_MAX: u64 = 14;
/// Lives of one round, at most: some end before the moment at which they were to be killed.
const LIVES_MAX: u64 = 20;

/// Where a process is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// At a random moment within this many milliseconds.
    AnyTime(u64),
    /// At one of the first `first` operations of this kind.
    At { ops: &'static str, path: &'static str, action: Action, first: u64 },
    /// In a row of an output; then where the next life cuts it off.
    TornRow(Action),
    /// At random; then its recovery, and the recovery from that, and once more.
    Recovery,
}

const fn at(ops: &'static str, path: &'static str, action: Action, first: u64) -> Point {
    Point::At { ops, path, action, first }
}

const LOG: &str = "/dset.db-wal";
const OUTPUTS: &str = "*/output.";
const COPY: &str = "*/work/.dset-";

/// The points, by what a reader of the table should think of.
const POINTS: [(&str, Point); 23] = [
    ("at any moment", Point::AnyTime(300)),
    ("at any moment of the first 60 ms", Point::AnyTime(60)),
    ("after a reply, before its commit", at("w", LOG, Action::KillBefore, 30)),
    ("in a commit: a torn log", at("w", LOG, Action::KillHalf, 30)),
    ("in a commit: its log is slow", at("w", LOG, Action::KillLate, 40)),
    ("in a commit: its sync is slow", at("s", LOG, Action::KillLate, 14)),
    ("in a commit: written, not synced", at("s", LOG, Action::KillBefore, 14)),
    ("after a commit, before it is told", at("s", LOG, Action::KillAfter, 14)),
    ("in output.csv: a torn row", at("w", "/output.csv", Action::KillHalf, 5)),
    ("in output.json: a torn row", at("w", "/output.json", Action::KillHalf, 5)),
    ("in output.txt: a torn row", at("w", "/output.txt", Action::KillHalf, 5)),
    ("between two outputs", at("w", OUTPUTS, Action::KillAfter, 12)),
    ("before an output's sync", at("s", OUTPUTS, Action::KillBefore, 5)),
    ("after an output's sync", at("s", OUTPUTS, Action::KillAfter, 5)),
    ("while a torn row is cut", Point::TornRow(Action::KillBefore)),
    ("after a torn row was cut", Point::TornRow(Action::KillAfter)),
    ("in a bookmark: a torn copy", at("w", COPY, Action::KillHalf, 2)),
    ("before a bookmark's rename", at("r", "/q.csv", Action::KillBefore, 2)),
    ("after a bookmark's rename", at("r", "/q.csv", Action::KillAfter, 2)),
    ("while the log is folded in", at("w", "/dset.db", Action::KillHalf, 8)),
    ("before the log is removed", at("u", LOG, Action::KillBefore, 1)),
    ("at any file operation", at("any", "*", Action::KillHalf, 120)),
    ("during recovery, three deep", Point::Recovery),
];

pub(crate) const POINTS_COUNT: usize = POINTS.len();

fn shape(point: Point) -> Shape {
    // Where the end of a run is what matters, there is less to do before it.
    let ends =
        matches!(point, Point::At { path: "/dset.db" | LOG, ops: "w" | "u", first: ..=8, .. });
    let marks = matches!(point, Point::At { path: "/q.csv" | COPY, .. });
    Shape {
        questions: match () {
            () if ends => (5, 30),
            () if marks => (100, 200),
            () => (30, 160),
        },
        width: (1, 24),
        latency_ms: (0, 10),
        answer_bytes: (100, 6000),
        refused_every: if marks { 4 } else { 9 },
        faults: true,
    }
}

/// One round: a world, its kills, and its end.
pub(crate) fn round(lab: &Lab, seed: u64) -> io::Result<Outcome> {
    let (name, point) = POINTS[(seed % POINTS_COUNT as u64) as usize];
    let mut random = fastrand::Rng::with_seed(seed);
    let base = lab.base.join(format!("kills-{seed}"));
    let mut world = World::new(lab, base, &mut random, shape(point))?;
    let mut outcome = Outcome::new(name, table::again("kills", seed));
    while outcome.kills < KILLS_MAX && world.lives < LIVES_MAX && world.violations.is_empty() {
        let ran = match point {
            Point::AnyTime(ms) => killed_after(&mut world, random.u64(0..=ms))?,
            Point::At { ops, path, action, first } => {
                killed_at(&mut world, Rule::once(ops, path, random.u64(1..=first), action))?
            }
            Point::TornRow(_) if world.lives.is_multiple_of(2) => {
                let nth = random.u64(1..=9);
                killed_at(&mut world, Rule::once("w", OUTPUTS, nth, Action::KillHalf))?
            }
            Point::TornRow(action) => killed_at(&mut world, Rule::once("t", OUTPUTS, 1, action))?,
            Point::Recovery if world.lives.is_multiple_of(4) => {
                killed_after(&mut world, random.u64(20..=150))?
            }
            Point::Recovery => {
                killed_at(&mut world, Rule::once("any", "*", random.u64(1..=60), Action::KillHalf))?
            }
        };
        match ran.was_killed() {
            true => {
                outcome.kills += 1;
                world.cut_lives += 1;
            }
            // Answered to the end, or a service without end: the next life is the healthy one.
            false => match ran.code() {
                Some(0 | 3 | 6) => break,
                _ => world.fail(format!("a life ended with {}", ran.status)),
            },
        }
    }
    world.finish()?;
    let found = check::whole(&mut world)?;
    outcome.add(&world, found);
    Ok(outcome)
}

fn killed_after(world: &mut World<'_>, ms: u64) -> io::Result<RunResult> {
    let mut life = world.begin(&Begin::default())?;
    life.let_live(Duration::from_millis(ms))?;
    life.signal(Signal::KILL);
    world.wait(life)
}

fn killed_at(world: &mut World<'_>, rule: Rule) -> io::Result<RunResult> {
    world.run(&Begin { rules: &[rule], ..Begin::default() })
}

/// Kills at the first file operation, then at the second, and so on until a run passes untouched.
///
/// Every `step`th operation, from one drawn on; each in a folder of its own.
pub(crate) fn walk(lab: &Lab, seed: u64, step: u64, action: Action) -> io::Result<Outcome> {
    let name = match action {
        Action::KillBefore => "before each file operation",
        _ => "in the middle of each file operation",
    };
    let mut outcome = Outcome::new(name, table::again("kills", seed));
    let mut random = fastrand::Rng::with_seed(seed);
    let shape = Shape {
        questions: (12, 12),
        width: (4, 4),
        latency_ms: (0, 2),
        answer_bytes: (200, 900),
        refused_every: 6,
        faults: false,
    };
    let mut nth = 1 + seed % step;
    loop {
        let base = lab.base.join(format!("walk-{seed}-{nth}"));
        let mut world = World::new(lab, base, &mut random, shape)?;
        let ran = killed_at(&mut world, Rule::once("any", "*", nth, action))?;
        let touched = ran.was_killed();
        if touched {
            outcome.kills += 1;
            world.cut_lives += 1;
        }
        world.finish()?;
        let found = check::whole(&mut world)?;
        outcome.add(&world, found);
        if !touched {
            return Ok(outcome);
        }
        nth += step;
    }
}
