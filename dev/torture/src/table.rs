//! What came of the rounds, as a table.

use std::path::PathBuf;

use fs_err as fs;

use crate::check::CheckResult;
use crate::world::World;

/// What came of one round.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) point: &'static str,
    /// The command that repeats it.
    pub(crate) again: String,
    pub(crate) kills: u64,
    pub(crate) found: CheckResult,
    pub(crate) allowed: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) kept: Vec<PathBuf>,
}

/// The command that repeats a round.
pub(crate) fn again(only: &str, seed: u64) -> String {
    format!("cargo run --release -p dset-torture -- --only {only} --rounds 1 --seed {seed}")
}

impl Outcome {
    pub(crate) fn new(point: &'static str, again: String) -> Outcome {
        Outcome { point, again, ..Outcome::default() }
    }

    /// What went wrong, where what is needed to see why is, and the command that repeats it.
    pub(crate) fn failure(&self) -> String {
        let what = self.violations.iter().take(8).map(|what| format!("\n  {what}"));
        let kept = self.kept.iter().map(|path| format!("\n  kept: {}", path.display()));
        let lines: String = what.chain(kept).collect();
        format!("{}{lines}\n  again: {}", self.point, self.again)
    }

    /// Adds what was found in a world; its folder is kept where something is wrong with it.
    pub(crate) fn add(&mut self, world: &World<'_>, found: CheckResult) {
        self.found.rows += found.rows;
        self.found.missing += found.missing;
        self.found.doubled += found.doubled;
        self.found.again += found.again;
        self.allowed += world.cut_lives * u64::from(world.width);
        self.violations.extend(world.violations.iter().cloned());
        if world.violations.is_empty() {
            let _ = fs::remove_dir_all(&world.base);
        } else {
            self.kept.push(world.keep());
        }
    }
}

/// The rounds of each point together.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<(Outcome, u64, u64)>,
}

impl Table {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let failed = u64::from(!outcome.violations.is_empty());
        let known = self.lines.iter_mut().find(|(line, ..)| line.point == outcome.point);
        match known {
            None => self.lines.push((outcome, 1, failed)),
            Some((line, rounds, all_failed)) => {
                *rounds += 1;
                *all_failed += failed;
                line.kills += outcome.kills;
                line.found.rows += outcome.found.rows;
                line.found.missing += outcome.found.missing;
                line.found.doubled += outcome.found.doubled;
                line.found.again += outcome.found.again;
                line.allowed += outcome.allowed;
            }
        }
    }

    pub(crate) fn text(&self, hit: &str) -> String {
        let mut text = format!(
            "{:<42} {:>6} {hit:>6} {:>7} {:>7} {:>7} {:>12} {:>9} {:>6}\n",
            "", "rounds", "rows", "missing", "doubled", "bought twice", "in flight", "failed"
        );
        let mut all = (0, 0, CheckResult::default(), 0, 0);
        let line = |name: &str, rounds, kills, found: CheckResult, allowed, failed| {
            format!(
                "{name:<42} {rounds:>6} {kills:>6} {:>7} {:>7} {:>7} {:>12} {allowed:>9} {failed:>6}\n",
                found.rows, found.missing, found.doubled, found.again
            )
        };
        for (one, rounds, failed) in &self.lines {
            text += &line(one.point, *rounds, one.kills, one.found, one.allowed, *failed);
            all.0 += rounds;
            all.1 += one.kills;
            all.2.rows += one.found.rows;
            all.2.missing += one.found.missing;
            all.2.doubled += one.found.doubled;
            all.2.again += one.found.again;
            all.3 += one.allowed;
            all.4 += failed;
        }
        text + &line("all", all.0, all.1, all.2, all.3, all.4)
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.lines.iter().map(|(_, rounds, _)| rounds).sum()
    }

    /// Points at which nothing was ever hit: there the campaign has shown nothing.
    pub(crate) fn never_hit(&self) -> Vec<&'static str> {
        let never = self.lines.iter().filter(|(line, ..)| line.kills == 0);
        never.map(|(line, ..)| line.point).collect()
    }
}
