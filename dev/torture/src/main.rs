//! Kills, signals, power cuts and disk faults against the real binary, checked from outside:
//! `cargo run --release -p dset-torture -- --rounds 100`.
//!
//! A round draws questions and a service from a seed, lets `dset run` die in some way, several
//! times, and runs it to the end. Then readers that are not the program's own look at the outputs,
//! the pretend service says what was bought, and `--ack-fd` says what had been promised.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod check;
mod disk;
mod kills;
mod limit;
mod power;
mod shim;
mod signals;
mod table;
mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Parser, ValueEnum};

use crate::shim::Action;
use crate::table::{Outcome, Table};
use crate::world::Lab;

/// Kill `dset run` in every way, fail its disk and cut its power; then look whether an answer was
/// lost, bought twice or written twice
#[derive(Parser)]
struct Arguments {
    /// How many rounds of kills; signals and power cuts in proportion
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// The seed of the first round; the next has the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this part
    #[arg(long)]
    only: Option<Part>,
    /// This binary, instead of building one
    #[arg(long, value_name = "PATH")]
    dset: Option<PathBuf>,
    /// Where the folders of the rounds are made; those of failures stay
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Rounds at once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Try every operation where there is a row of them, and not a sample
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Kills at random moments, at named points and at one file operation after the other
    Kills,
    /// SIGTERM and Ctrl-C, once and twice
    Signals,
    /// The file system loses what was not synced; needs root and loop devices
    Power,
    /// Full and broken disks, and what else a folder may do
    Disk,
    /// A limit of money, over two hundred kills
    Limit,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dset = match &arguments.dset {
        Some(path) => fs_err::canonicalize(path)?,
        None => world::build(&root)?,
    };
    let base = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("dset-torture-{}", std::process::id())),
    };
    fs_err::create_dir_all(&base)?;
    let base = fs_err::canonicalize(base)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let shim = shim::compile(&base)?;
    let lab = Lab { dset, shim, base, runtime };
    let wants = |part| arguments.only.is_none_or(|only| only == part);
    let (seed, rounds, jobs) = (arguments.seed, arguments.rounds, arguments.jobs);
    let mut failed = Vec::new();
    if wants(Part::Kills) {
        // One round alone is a repetition.
        let walks = if rounds > 1 { walks(&lab, arguments)? } else { Vec::new() };
        let table = campaign(jobs, seed..seed + rounds, walks, |seed| kills::round(&lab, seed))?;
        let all_hit = rounds >= 5 * kills::POINTS_COUNT as u64;
        failed.extend(show("kills", "kills", table, all_hit));
    }
    if wants(Part::Signals) {
        let rounds = if rounds > 1 { (rounds / 4).max(signals::KINDS_COUNT as u64) } else { 1 };
        let table =
            campaign(jobs, seed..seed + rounds, Vec::new(), |seed| signals::round(&lab, seed))?;
        failed.extend(show("signals", "ended", table, rounds >= 20));
    }
    if wants(Part::Power) {
        match power::Disk::make(&lab) {
            Ok(disk) => {
                let rounds = if rounds > 1 { (rounds / 2).max(5) } else { 1 };
                let round = |seed| power::round(&lab, &disk, seed);
                let table = campaign(1, seed..seed + rounds, Vec::new(), round)?;
                failed.extend(show("power cuts", "cuts", table, rounds >= 20));
            }
            Err(error) => {
                println!("\n== POWER CUTS WERE NOT TRIED: {error}");
                println!("   They need root, mkfs.ext4 and loop devices.");
            }
        }
    }
    if wants(Part::Limit) {
        failed.extend(limit::run(&lab, seed)?);
    }
    if wants(Part::Disk) {
        failed.extend(disk::run(&lab, seed, arguments.all)?);
    }
    if failed.is_empty() {
        let _ = fs_err::remove_dir_all(&lab.base);
        println!("\npassed");
    } else {
        // Once more at the end, which is what is left of a long report.
        println!("\nFAILED; what is needed to see why is in {}", lab.base.display());
        failed.iter().for_each(|failure| println!("{failure}"));
    }
    Ok(failed.is_empty())
}

/// Walks along the file operations of a run: all of them, or a sample that the seed chooses.
fn walks(lab: &Lab, arguments: &Arguments) -> io::Result<Vec<Outcome>> {
    let step = if arguments.all { 1 } else { 16 };
    [Action::KillBefore, Action::KillHalf]
        .into_iter()
        .map(|action| kills::walk(lab, arguments.seed, step, action))
        .collect()
}

/// Runs rounds, several at once, and reports those that fail as they do.
fn campaign(
    jobs: usize,
    seeds: std::ops::Range<u64>,
    before: Vec<Outcome>,
    round: impl Fn(u64) -> io::Result<Outcome> + Sync,
) -> io::Result<(Table, Vec<String>)> {
    let table = Mutex::new((Table::default(), Vec::new()));
    let add = |outcome: Outcome| {
        let mut table = table.lock().expect("no round panics here");
        if !outcome.violations.is_empty() {
            let failure = outcome.failure();
            println!("\nFAILED: {failure}");
            table.1.push(failure);
        }
        table.0.add(outcome);
    };
    before.into_iter().for_each(add);
    let next = AtomicU64::new(seeds.start);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let work = || -> io::Result<()> {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return Ok(());
                }
                add(round(seed)?);
                let done = table.lock().expect("no round panics here").0.rounds();
                if done.is_multiple_of(50) {
                    println!("{done} rounds in {:.0} s", began.elapsed().as_secs_f64());
                }
            }
        };
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| io::Error::other("a round panicked"))?
        })
    })?;
    Ok(table.into_inner().expect("no round panics here"))
}

/// Prints a table; returns what failed. A point that was never hit shows nothing.
fn show(
    title: &str,
    hit: &str,
    (table, mut failed): (Table, Vec<String>),
    all_hit: bool,
) -> Vec<String> {
    println!("\n== {title}\n{}", table.text(hit));
    let never = table.never_hit();
    if all_hit && !never.is_empty() {
        failed.push(format!("never hit: {}", never.join("; ")));
    }
    failed
}
