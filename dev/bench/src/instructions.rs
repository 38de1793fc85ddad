//! How many instructions a row costs: the one figure that a busy machine does not change, and so
//! the one that is held against a record.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;
use fs_err as fs;

use crate::world::{Service, World};

/// What was counted last, and is to be counted again.
const RECORDED: &str = include_str!("../instructions.txt");
/// How far a count may be from the record. Counts of one binary differ by about 3 %: how many rows
/// share a commit is a matter of time.
const TOLERANCE: f64 = 0.10;
/// The rows of a run, and how many at once. Callgrind runs one thread at a time and fifty times
/// slower; more rows would tell no more.
const ROWS: u64 = 2_000;
const WIDTH: u32 = 64;
/// What a start costs is not a row's: it is counted alone, with this many rows, and left out.
const START_ROWS: u64 = 64;

#[derive(Args)]
pub(crate) struct Instructions {
    /// Keep callgrind's file, for callgrind_annotate
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
}

pub(crate) fn run(world: &World, guard: &Instructions) -> io::Result<ExitCode> {
    let recorded = RECORDED.trim().parse::<f64>().map_err(io::Error::other)?;
    let service = Service::start(world, 0)?;
    let start = count(world, &service, START_ROWS, None)?;
    let whole = count(world, &service, ROWS, guard.keep.as_deref())?;
    let per_row = whole.saturating_sub(start) as f64 / (ROWS - START_ROWS) as f64;
    let off = per_row / recorded - 1.0;
    println!(
        "{per_row:.0} instructions a row, {:+.1} % of the recorded {recorded:.0}",
        off * 100.0
    );
    println!(
        "{:.1} million to start and end",
        start as f64 / 1e6 - per_row * START_ROWS as f64 / 1e6
    );
    if off.abs() <= TOLERANCE {
        return Ok(ExitCode::SUCCESS);
    }
    let what = if off > 0.0 { "dearer" } else { "cheaper" };
    println!("error: a row is {what} than what dev/bench/instructions.txt says");
    println!("hint: if that is meant, write the new figure there and say why in the commit");
    Ok(ExitCode::FAILURE)
}

/// Counts the instructions of a run over `rows` rows.
fn count(
    world: &World,
    service: &Service,
    rows: u64,
    keep: Option<&std::path::Path>,
) -> io::Result<u64> {
    let questions = world.questions(rows)?;
    let counted = world.path("callgrind.out");
    let out_file = format!("--callgrind-out-file={}", counted.display());
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", &out_file])
        .args(world.words(&questions, &service.base_url, WIDTH, "counted"))
        // Short runs report every question, long ones do not: it is no cost of a row.
        .arg("--quiet")
        .output()
        .map_err(|error| io::Error::other(format!("valgrind: {error}; it is a Debian package")))?;
    if !valgrind.status.success() {
        let said = String::from_utf8_lossy(&valgrind.stderr);
        return Err(io::Error::other(format!("the run failed under valgrind: {said}")));
    }
    world.forget("counted")?;
    let text = fs::read_to_string(&counted)?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    if let Some(keep) = keep {
        fs::copy(&counted, keep)?;
    }
    total.ok_or_else(|| io::Error::other("callgrind has written no total"))
}
