//! How well the pace finds what a service takes: `cargo run --release -p dset-pace -- simulate`.
//!
//! `simulate` plays services with limits of every kind, in simulated time and from a seed, and
//! drives the real `dset_core::pace::Pace` against them. What it reaches is held against a sender
//! that sees the service's own counters.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod client;
mod oracle;
mod scenes;
mod seen;
mod server;
mod service;
mod services;
mod simulate;
mod table;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::service::Service;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Measure how well the pace finds what a service takes
#[derive(Debug, Subcommand)]
enum Command {
    /// Play services in simulated time
    Simulate(Simulate),
}

#[derive(Debug, Args)]
struct Simulate {
    /// The seeds, from the first up to but not including the last
    #[arg(long, default_value = "301..305", value_parser = range)]
    seeds: Range<u64>,
    /// Only these services
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only these scenes
    #[arg(long, value_name = "NAME")]
    scene: Vec<String>,
    /// Send so many at once instead of what the pace allows, for comparison
    #[arg(long)]
    slots: Option<u32>,
    /// Fail when a bound is missed
    #[arg(long)]
    check: bool,
    /// Show the first seed second by second
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Simulate(arguments) => simulate_all(&arguments),
    }
}

fn simulate_all(arguments: &Simulate) -> ExitCode {
    let names: Vec<&String> = arguments.service.iter().chain(&arguments.scene).collect();
    let is_wanted = |service: &Service| {
        names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(service.name))
    };
    let mut all = services::all();
    all.extend(scenes::all());
    all.retain(is_wanted);
    if all.is_empty() {
        println!("no service or scene has such a name");
        return ExitCode::FAILURE;
    }
    let seeds: Vec<u64> = arguments.seeds.clone().collect();
    let mut missed = Vec::new();
    println!("{}", table::HEAD);
    for service in &all {
        let row = table::row(service, &seeds, arguments.slots, arguments.trace);
        println!("{}", row.line);
        missed.extend(row.missed);
    }
    for words in &missed {
        println!("missed: {words}");
    }
    println!("{} services and scenes, {} bounds missed", all.len(), missed.len());
    if arguments.check && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Reads `301..305`.
fn range(text: &str) -> Result<Range<u64>, String> {
    let parts =
        text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let range = parts.map(|(from, to): (u64, u64)| from..to).filter(|range| !range.is_empty());
    range.ok_or_else(|| "give two numbers like 301..305".to_owned())
}
