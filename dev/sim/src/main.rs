//! Lives of a run, from a seed: `cargo run --release -p dset-sim -- --seeds 1000`.
//!
//! A seed makes a world: questions, settings, a user, a service with its moods, a disk. The machine
//! runs in it, is killed at any event, and runs again from what was durable. Chaos first; then the
//! faults stop, and the run must finish. Every event is held against books of the simulator's own,
//! and every life against the bill; each seed runs twice and must give the same trace. What fails
//! is shrunk to a schedule that a test can replay.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod checker;
mod checks;
mod commits;
mod disk;
mod ending;
mod kept;
mod life;
mod minute;
mod money;
mod pace;
mod prepare;
mod schedule;
mod script;
mod shrink;
mod trace;
mod tries;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::schedule::{Schedule, Start};
use crate::world::{Totals, World};

/// Simulate runs and check every event
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Only this one
    #[arg(long)]
    seed: Option<u64>,
    /// Run a schedule that was saved
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    replay: Option<PathBuf>,
    /// Show every event and effect
    #[arg(long)]
    trace: bool,
    /// Where the schedule of a failing seed is saved, shrunk
    #[arg(long, value_name = "FOLDER", default_value = "target/schedules")]
    save: PathBuf,
    /// Plant each known bug in turn, and show the seed that finds it
    #[cfg(feature = "planted-bugs")]
    #[arg(long)]
    bite: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A check that fails is reported in its own words, and often fails again while shrinking.
    std::panic::set_hook(Box::new(|_| {}));
    #[cfg(feature = "planted-bugs")]
    if arguments.bite {
        return bite(&arguments);
    }
    if let Some(path) = &arguments.replay {
        let failed = Schedule::read(path).map(|schedule| replay(&schedule, arguments.trace));
        return match failed {
            Ok(Ok(_)) => passed(1),
            Ok(Err(words)) => fails(&format!("{}: {words}", path.display())),
            Err(error) => fails(&format!("{}: {error}", path.display())),
        };
    }
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.first..arguments.first + arguments.seeds,
    };
    let (mut total, mut limited) = (Totals::default(), Totals::default());
    let mut checked = Totals::default();
    for (seed, kind) in worlds(seeds.clone()) {
        match try_seed(seed, kind, arguments.trace) {
            Ok(totals) => match kind {
                Kind::Plain => total.add(&totals),
                Kind::Limited => limited.add(&totals),
                Kind::Checked => checked.add(&totals),
            },
            Err(failed) => {
                let of = kind.suffix();
                let name = format!("seed-{seed}{of}");
                let saved = shrink::shrink((*failed).clone()).save(&arguments.save, &name);
                let saved =
                    saved.map_or_else(|error| error.to_string(), |p| p.display().to_string());
                return fails(&format!(
                    "seed {seed}: {}\n  shrunk: {saved}\n  again: cargo run -p dset-sim -- --seed {seed} --trace",
                    failed.shows
                ));
            }
        }
    }
    println!(
        "{} seeds: {} questions, {} lives, {} crashes, {} asks, {}, {} events",
        seeds.end - seeds.start,
        total.questions,
        total.lives,
        total.crashes,
        total.asks,
        total.bought_twice(),
        total.events
    );
    println!("hash of all traces: {:016x}", total.trace.0);
    let (used, ended) = (limited.used.iter().sum::<f64>(), limited.used.len());
    println!(
        "with a limit of money: {} lives, {} crashes, {} asks; {ended} ended by one of 20 worst cases or \
         more, of which {:.1} % were used",
        limited.lives,
        limited.crashes,
        limited.asks,
        100.0 * used / ended.max(1) as f64
    );
    println!("hash of their traces: {:016x}", limited.trace.0);
    println!(
        "with checks: {} questions, {} lives, {} crashes, {} asks, {} events",
        checked.questions, checked.lives, checked.crashes, checked.asks, checked.events
    );
    println!("hash of their traces: {:016x}", checked.trace.0);
    passed(seeds.end - seeds.start)
}

fn passed(count: u64) -> ExitCode {
    println!("{count} passed, 0 failed");
    ExitCode::SUCCESS
}

fn fails(words: &str) -> ExitCode {
    println!("{words}");
    ExitCode::FAILURE
}

/// What a world of a seed is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Faults of every kind.
    Plain,
    /// The same under a limit of money.
    Limited,
    /// Answers that are held against checks.
    Checked,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Kind::Plain => "",
            Kind::Limited => "-limited",
            Kind::Checked => "-checked",
        }
    }
}

fn worlds(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Kind)> {
    seeds.flat_map(|seed| [Kind::Plain, Kind::Limited, Kind::Checked].map(|kind| (seed, kind)))
}

/// Runs a seed twice; fails with the schedule that it drew, unshrunk.
fn try_seed(seed: u64, kind: Kind, shows: bool) -> Result<Totals, Box<Schedule>> {
    let once = draw(seed, kind, shows)?;
    let again = draw(seed, kind, false)?;
    if once.trace != again.trace {
        let shows = "the same seed gives the same trace".into();
        return Err(Box::new(Schedule { shows, ..Schedule::default() }));
    }
    Ok(once)
}

fn draw(seed: u64, kind: Kind, shows: bool) -> Result<Totals, Box<Schedule>> {
    if kind == Kind::Checked {
        let start = Start { seed, is_checked: true, ..Start::default() };
        let failed = |shows| Box::new(Schedule { shows, start, ..Schedule::default() });
        return caught(|| tries::run(seed)).map_err(failed);
    }
    let (mut world, mut chance) = World::drawn(seed, kind == Kind::Limited, shows);
    let start = world.start.clone();
    match caught(|| world.run_drawn(&mut chance)) {
        Ok(()) => Ok(world.totals),
        Err(shows) => Err(Box::new(Schedule { shows, planted: None, start, lives: world.lives })),
    }
}

/// Runs a schedule; fails in the words of the check that does.
fn replay(schedule: &Schedule, shows: bool) -> Result<Totals, String> {
    if schedule.start.is_checked {
        return caught(|| tries::run(schedule.start.seed));
    }
    let mut world = World::written(schedule, shows);
    caught(|| world.run_written(&schedule.lives))?;
    Ok(world.totals)
}

/// Runs something that may panic; returns the first line of what it says then.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let first = text.lines().next().unwrap_or_default();
        // What `assert_eq!` says before the words of the check.
        first.split_once(" failed: ").map_or(first, |(_, words)| words).to_owned()
    })
}

impl Schedule {
    fn read(path: &Path) -> std::io::Result<Schedule> {
        Ok(serde_json::from_slice(&fs_err::read(path)?)?)
    }

    fn save(&self, folder: &Path, name: &str) -> std::io::Result<PathBuf> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.json"));
        fs_err::write(&path, format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(path)
    }
}

/// Seeds that are tried at most for a planted bug.
#[cfg(feature = "planted-bugs")]
const SEEDS_MAX: u64 = 20_000;

#[cfg(feature = "planted-bugs")]
fn bite(arguments: &Arguments) -> ExitCode {
    use dset_core::planted::{PLANTED_BUGS, plant};

    let mut missed = 0;
    println!("| planted bug | seed | found by the check that | shrunk to |");
    println!("| --- | --- | --- | --- |");
    for bug in PLANTED_BUGS {
        plant(Some(bug));
        let name = clap::ValueEnum::to_possible_value(&bug).expect("every bug has a name");
        let name = name.get_name();
        let seeds = arguments.first..arguments.first + SEEDS_MAX;
        let found =
            worlds(seeds).find_map(|(seed, kind)| Some((seed, try_seed(seed, kind, false).err()?)));
        let Some((seed, failed)) = found else {
            println!("| {name} | none of {SEEDS_MAX} | | |");
            missed += 1;
            continue;
        };
        let mut shrunk = shrink::shrink(*failed);
        shrunk.planted = Some(name.to_owned());
        let size = format!("{} rows, {} happenings", shrunk.start.rows.len(), shrunk.size());
        println!("| {name} | {seed} | {} | {size} |", shrunk.shows);
        if let Err(error) = shrunk.save(&arguments.save, name) {
            return fails(&error.to_string());
        }
    }
    plant(None);
    println!("{} passed, {missed} failed", PLANTED_BUGS.len() - missed);
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Vec<(PathBuf, Schedule)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/schedules");
        let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            files.map(|path| (path.clone(), Schedule::read(&path).unwrap())).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    #[test]
    fn every_schedule_that_once_failed_passes() {
        assert!(!saved().is_empty());
        for (path, schedule) in saved() {
            let replayed = replay(&schedule, false);
            assert!(replayed.is_ok(), "{}: {}", path.display(), replayed.unwrap_err());
        }
    }

    #[test]
    fn the_page_of_reliability_names_every_planted_bug() {
        let page = include_str!("../../../docs/reliability.md");
        for bug in dset_core::planted::PLANTED_BUGS {
            let name = clap::ValueEnum::to_possible_value(&bug).unwrap();
            assert!(page.contains(&format!("| {} |", name.get_name())), "{bug:?} is not there");
        }
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn every_planted_bug_is_found_by_its_schedule() {
        use dset_core::planted::{PLANTED_BUGS, plant};

        let all = saved();
        for bug in PLANTED_BUGS {
            let name = clap::ValueEnum::to_possible_value(&bug).unwrap();
            let of_it = all.iter().find(|(_, s)| s.planted.as_deref() == Some(name.get_name()));
            let (_, schedule) = of_it.unwrap_or_else(|| panic!("no schedule for {bug:?}"));
            plant(Some(bug));
            assert!(replay(schedule, false).is_err(), "{bug:?} goes unnoticed");
            plant(None);
        }
    }
}
