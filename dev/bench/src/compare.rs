//! dset, a bare client, wrk and oha, one after the other, several times, against the same service.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use fs_err as fs;

use crate::measured::{Used, measure};
use crate::median;
use crate::world::{Service, World, question};

#[derive(Args)]
pub(crate) struct Compare {
    /// Rows of a round at latency 0; at 200 ms, thirty seconds' worth
    #[arg(long, default_value_t = 20_000)]
    rows: u64,
    /// Rounds, in each of which all take their turn; the figures are medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only the situations at this latency
    #[arg(long, value_name = "MS")]
    latency_ms: Option<u64>,
    /// Only the situations of this width
    #[arg(long)]
    width: Option<u32>,
    /// Another dset, an earlier one's binary, that takes its turn too
    #[arg(long, value_name = "PATH")]
    before: Option<PathBuf>,
}

impl Default for Compare {
    fn default() -> Compare {
        Compare { rows: 20_000, rounds: 5, latency_ms: None, width: None, before: None }
    }
}

/// Latency in milliseconds, and how many at once.
const SITUATIONS: [(u64, u32); 4] = [(0, 256), (0, 1024), (200, 256), (200, 1024)];
/// How long a round at a latency is.
const SECONDS: f64 = 30.0;

const CLIENTS: [&str; 5] = ["dset", "bare client", "dset before", "wrk", "oha"];

pub(crate) fn run(world: &World, compare: &Compare) -> io::Result<()> {
    println!("{} bytes an answer, medians of {} rounds", world.answer_bytes, compare.rounds);
    println!(
        "| latency, at once | client | CPU us a row | of the bare client's | answers/s | peak MB |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let wanted = |&&(latency_ms, width): &&(u64, u32)| {
        compare.latency_ms.is_none_or(|only| only == latency_ms)
            && compare.width.is_none_or(|only| only == width)
    };
    for &(latency_ms, width) in SITUATIONS.iter().filter(wanted) {
        situation(world, compare, latency_ms, width)?;
    }
    Ok(())
}

fn situation(world: &World, compare: &Compare, latency_ms: u64, width: u32) -> io::Result<()> {
    let rows = match latency_ms {
        0 => compare.rows,
        ms => (SECONDS * 1000.0 / ms as f64 * f64::from(width)) as u64,
    };
    let service = Service::start(world, latency_ms)?;
    let questions = world.questions(rows)?;
    let mut all: [Vec<Used>; CLIENTS.len()] = Default::default();
    let mut done: [Vec<f64>; CLIENTS.len()] = Default::default();
    for _ in 0..compare.rounds {
        for (at, client) in CLIENTS.iter().enumerate() {
            let dset = match *client {
                "dset" => Some(world.dset.as_path()),
                "dset before" => compare.before.as_deref(),
                _ => None,
            };
            let round = match (*client, dset) {
                (_, Some(dset)) => Some((keeping(world, dset, &questions, &service, width)?, rows)),
                ("dset before", None) => None,
                ("bare client", _) => Some((bare(&service.base_url, rows, width)?, rows)),
                (other, _) => tool(world, other, &service.base_url, rows, width)?,
            };
            if let Some((used, rows)) = round {
                all[at].push(used);
                done[at].push(rows as f64);
            }
        }
    }
    // Round by round, so that what else the machine did then weighs on both sides.
    let per_row = |at: usize| -> Vec<f64> {
        all[at].iter().zip(&done[at]).map(|(used, rows)| used.cpu_us() / rows).collect()
    };
    let bare = per_row(1);
    for (at, client) in CLIENTS.iter().enumerate().filter(|(at, _)| !all[*at].is_empty()) {
        let cpu = per_row(at);
        let ratio = median(cpu.iter().zip(&bare).map(|(cpu, bare)| cpu / bare).collect());
        let rate = all[at].iter().zip(&done[at]).map(|(used, rows)| rows / used.seconds).collect();
        let peak = all[at].iter().map(Used::peak_mb).collect();
        println!(
            "| {latency_ms} ms, {width} | {client} | {:.1} | {ratio:.2} | {:.0} | {:.0} |",
            median(cpu),
            median(rate),
            median(peak)
        );
    }
    Ok(())
}

/// Runs a dset into a folder that is forgotten.
fn keeping(
    world: &World,
    dset: &Path,
    questions: &Path,
    service: &Service,
    width: u32,
) -> io::Result<Used> {
    let mut words = world.words(questions, &service.base_url, width, "compared");
    words[0] = dset.display().to_string();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (used, _) = measure(&words)?;
    world.forget("compared")?;
    Ok(used)
}

fn bare(url: &str, rows: u64, width: u32) -> io::Result<Used> {
    let this = std::env::current_exe()?.display().to_string();
    let (rows, width) = (rows.to_string(), width.to_string());
    measure(&[&this, "bare", url, &rows, &width]).map(|(used, _)| used)
}

/// Runs a tool that others know, where it is installed; it parses nothing.
fn tool(
    world: &World,
    tool: &str,
    url: &str,
    rows: u64,
    width: u32,
) -> io::Result<Option<(Used, u64)>> {
    let mut version = Command::new(tool);
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if version.status().is_err() {
        return Ok(None);
    }
    let url = format!("{url}/chat/completions");
    let content = question(0);
    let body = format!(
        r#"{{"model":"deepseek-chat","messages":[{{"role":"user","content":"{content}"}}]}}"#
    );
    let (rows, width) = (rows.to_string(), width.to_string());
    let kind = "content-type: application/json";
    if tool == "oha" {
        let words = ["oha", "--no-tui", "-n", &rows, "-c", &width, "-m", "POST", "-H", kind];
        let (used, _) = measure(&[&words[..], &["-d", &body, &url]].concat())?;
        return Ok(Some((used, rows.parse().unwrap_or_default())));
    }
    let script = world.path("post.lua");
    fs::write(
        &script,
        format!(
            "wrk.method='POST'\nwrk.headers['content-type']='application/json'\nwrk.body=[[{body}]]\n"
        ),
    )?;
    let script = script.display().to_string();
    let (used, printed) = measure(&["wrk", "-t2", "-d5s", "-c", &width, "-s", &script, &url])?;
    // "  123456 requests in 5.00s, 12.34MB read"
    let line = printed.lines().find(|line| line.contains(" requests in "));
    let requests = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let requests = requests.ok_or_else(|| io::Error::other(format!("wrk said: {printed}")))?;
    Ok(Some((used, requests)))
}
