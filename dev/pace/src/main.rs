//! How well the pace finds what a service takes: `cargo run --release -p dset-pace -- simulate`.
//!
//! `simulate` plays services with limits of every kind, in simulated time and from a seed, and
//! drives the real `dset_core::rate::Pace` against them. What it reaches is held against a sender
//! that sees the service's own counters. `scenes` plays the short ones for real, with `dset run`
//! against `dset mock`.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

mod client;
mod mock;
mod oracle;
mod real;
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
use std::path::PathBuf;
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
    /// Play the scenes for real, one after another; fails when a bound is missed
    Scenes(Scenes),
}

#[derive(Debug, Args)]
struct Scenes {
    /// Only these scenes
    #[arg(long, value_name = "NAME")]
    scene: Vec<String>,
    /// The program that is run
    #[arg(long, value_name = "FILE", default_value = "target/release/dset")]
    dset: PathBuf,
    /// Show every second
    #[arg(long)]
    trace: bool,
    /// More arguments for `dset run`, after `--`
    #[arg(last = true)]
    more: Vec<String>,
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
        Command::Scenes(arguments) => play_all(&arguments),
    }
}

/// Keeps those that are named, all where none is; fails where there is none.
fn wanted(all: Vec<Service>, names: &[String]) -> Option<Vec<Service>> {
    let is_wanted = |service: &Service| {
        names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(service.name))
    };
    let wanted: Vec<_> = all.into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        println!("no service or scene has such a name");
        return None;
    }
    Some(wanted)
}

fn play_all(arguments: &Scenes) -> ExitCode {
    let Some(all) = wanted(scenes::all(), &arguments.scene) else { return ExitCode::FAILURE };
    let mut missed = Vec::new();
    println!("{}", table::PLAYED_HEAD);
    for scene in &all {
        match real::play(scene, &arguments.dset, &arguments.more) {
            Ok(played) => {
                let row = table::played(scene, &played, arguments.trace);
                println!("{}", row.line);
                missed.extend(row.missed);
            }
            Err(error) => missed.push(format!("{}: {error}", scene.name)),
        }
    }
    sum_up(all.len(), &missed);
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn sum_up(count: usize, missed: &[String]) {
    for words in missed {
        println!("missed: {words}");
    }
    println!("{count} services and scenes, {} bounds missed", missed.len());
}

fn simulate_all(arguments: &Simulate) -> ExitCode {
    let names = [arguments.service.clone(), arguments.scene.clone()].concat();
    let all = [services::all(), scenes::all()].concat();
    let Some(all) = wanted(all, &names) else { return ExitCode::FAILURE };
    let seeds: Vec<u64> = arguments.seeds.clone().collect();
    let mut missed = Vec::new();
    println!("{}", table::HEAD);
    for service in &all {
        let row = table::row(service, &seeds, arguments.slots, arguments.trace);
        println!("{}", row.line);
        missed.extend(row.missed);
    }
    sum_up(all.len(), &missed);
    if arguments.check && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Reads `301..305`.
fn range(text: &str) -> Result<Range<u64>, String> {
    let parts =
        text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let range = parts.map(|(from, to): (u64, u64)| from..to).filter(|range| !range.is_empty());
    range.ok_or_else(|| "give two numbers like 301..305".to_owned())
}
