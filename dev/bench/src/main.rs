//! What dset costs, side by side with clients that keep nothing: `cargo run --release -p dset-bench`.
//!
//! Every figure is of a whole process, from `getrusage` of a child: what a library spends in its
//! threads counts. Rates depend on the machine and on who else is using it; the figures to trust are
//! ratios within one run, and instructions. Nothing here is a test, apart from `instructions`.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod bare;
mod climb;
mod compare;
mod grow;
mod instructions;
mod measured;
mod start;
mod world;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::world::World;

/// Measure dset side by side with clients that keep nothing
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: Option<What>,
}

/// What is measured, and where.
#[derive(Args)]
struct Place {
    /// This binary, instead of the one beside this program
    #[arg(long, global = true, value_name = "PATH")]
    dset: Option<PathBuf>,
    /// Where the folders of the runs are made, and removed again
    #[arg(long, global = true, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The size of an answer
    #[arg(long, global = true, default_value_t = 1600)]
    answer_bytes: usize,
}

#[derive(Subcommand)]
enum What {
    /// CPU, rate and memory of dset, a bare client, wrk and oha (without a word, this)
    Compare(compare::Compare),
    /// Memory, sizes and time of whole runs, and of a second one that finds nothing left
    Grow(grow::Grow),
    /// Time from the start of the process to its first ask
    Start(start::Start),
    /// Short runs, which are mostly climb
    Climb(climb::Climb),
    /// Instructions for a row, by callgrind; fails where they are not what is recorded
    Instructions(instructions::Instructions),
    /// Run a command and print what it used
    #[command(hide = true)]
    Measured {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Ask with a bare client
    #[command(hide = true)]
    Bare(bare::Bare),
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let Arguments { place, what } = Arguments::parse();
    let done = |()| ExitCode::SUCCESS;
    match what.unwrap_or(What::Compare(compare::Compare::default())) {
        What::Measured { command } => measured::wrap(&command).map(done),
        What::Bare(bare) => bare::run(&bare).map(done),
        What::Compare(compare) => compare::run(&World::new(place)?, &compare).map(done),
        What::Grow(grow) => grow::run(&World::new(place)?, &grow).map(done),
        What::Start(start) => start::run(&World::new(place)?, &start).map(done),
        What::Climb(climb) => climb::run(&World::new(place)?, &climb).map(done),
        What::Instructions(guard) => instructions::run(&World::new(place)?, &guard),
    }
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
