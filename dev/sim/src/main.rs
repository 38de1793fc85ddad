//! Lives of a run, from a seed: `cargo run -p dset-sim -- --seeds 1000`.
//!
//! A seed makes a world: questions, settings, a service with its moods, a disk. The machine runs in
//! it, is killed at any event, and runs again from what was durable, until everything is answered.
//! Chaos first; then the faults stop, and the run must finish. After every event the invariants
//! are checked; each seed runs twice and must give the same trace.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod life;
mod world;

use std::process::ExitCode;

use clap::Parser;

/// Simulate runs and check their invariants after every event
#[derive(Parser)]
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
    /// Show every event and effect
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.first..arguments.first + arguments.seeds,
    };
    let mut total = world::Totals::default();
    for seed in seeds.clone() {
        let run = || world::World::new(seed, arguments.trace).run();
        let checked = std::panic::catch_unwind(|| {
            let once = run();
            let again = run();
            assert_eq!(once.trace, again.trace, "the same seed gives the same trace");
            once
        });
        match checked {
            Ok(totals) => total.add(&totals),
            Err(_) => {
                println!("seed {seed} fails: cargo run -p dset-sim -- --seed {seed} --trace");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{} seeds: {} questions, {} lives, {} crashes, {} asks, {} bought twice, {} events",
        seeds.end - seeds.start,
        total.questions,
        total.lives,
        total.crashes,
        total.asks,
        total.bought_twice,
        total.events
    );
    println!("{} passed, 0 failed", seeds.end - seeds.start);
    ExitCode::SUCCESS
}
