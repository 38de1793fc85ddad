//! Full and broken disks, and what else a folder may do: what is said, what is kept, and that the
//! same command goes on once the cause is gone.

use std::io;
use std::path::Path;
use std::process::Command;

use fs_err as fs;

use crate::shim::Action::{Broken, Full, KillBefore, KillHalf, Lie, Short, TooMany};
use crate::shim::{Action, Rule};
use crate::table::{self, Outcome};
use crate::world::{Begin, Lab, Shape, World};
use crate::{check, signals};

/// A user without rights: `nobody` on every Unix.
const NOBODY: u32 = 65_534;

const LOG: &str = "/dset.db-wal";
const STORE: &str = "/dset.db";
const RESCUE: &str = "/dset.rescue";
const ELSEWHERE: &str = "*/dset-rescue-";
const TEMPORARY: &str = "*/.dset-";

/// Writes to the log before this one make the store and begin the run.
const COMMITS: u64 = 80;
/// The sync of the store's log that is the first of a commit of answers: those before it are of the preparation.
const SYNCS: u64 = 9;

/// What happens, and what must come of it.
struct Scenario {
    name: &'static str,
    how: How,
    /// One of these exit codes; none: the process is killed.
    exits: &'static [i32],
    /// All of this is said on standard error.
    says: &'static [&'static str],
    /// Answers may be lost: those that were received and could be kept nowhere.
    loses: bool,
}

enum How {
    Rules(Vec<Rule>),
    /// Rules for a second life, after one that a kill has cut short.
    Resumed(Vec<Rule>),
    /// Rules for a first life that fails, and for a second that is to take in what was rescued.
    Rescued(Vec<Rule>, Vec<Rule>),
    /// Files may grow to this many bytes.
    FileBytes(u64),
    /// Files that may be open, and the width of the run.
    Files(u64, u32),
    /// The folder of the outputs is on a file system of this size, in KiB.
    Small(u64),
    /// The folder of the outputs may not be written.
    ReadOnlyOutputs,
    /// The folder of the input may not be written.
    ReadOnlyInput,
    /// The folder of the outputs is deleted, or moved away, while it is in use.
    Gone {
        moved: bool,
    },
}

fn scenario(
    name: &'static str,
    how: How,
    exits: &'static [i32],
    says: &'static [&'static str],
) -> Scenario {
    Scenario { name, how, exits, says, loses: false }
}

/// The store fails, then what `more` says.
fn store_full(more: Vec<Rule>) -> Vec<Rule> {
    let mut rules = vec![Rule::always("w", LOG, COMMITS, Full)];
    rules.extend(more);
    rules
}

fn scenarios() -> Vec<Scenario> {
    use How::{
        FileBytes, Files, Gone, ReadOnlyInput, ReadOnlyOutputs, Rescued, Resumed, Rules, Small,
    };
    const STORE_SAYS: &[&str] = &["dset.db", "hint:", "dset run"];
    const KEPT: &[&str] = &["dset_generator/dset.db", "hint:", "dset run", "dset.rescue"];
    const ELSEWHERE_SAYS: &[&str] = &["dset_generator/dset.db", "hint:", "dset-rescue-"];
    let mut all = vec![
        scenario(
            "commit: writing fails once",
            Rules(vec![Rule::once("w", LOG, COMMITS, Broken)]),
            &[1],
            KEPT,
        ),
        scenario("commit: the disk is full", Rules(store_full(vec![])), &[1], KEPT),
        scenario(
            "commit: the sync fails once",
            Rules(vec![Rule::once("s", LOG, SYNCS, Broken)]),
            &[1],
            KEPT,
        ),
        scenario(
            "commit: the sync fails once, then lies",
            Rules(vec![
                Rule::once("s", LOG, SYNCS, Broken),
                Rule::always("s", LOG, SYNCS + 1, Lie),
            ]),
            &[1],
            KEPT,
        ),
        scenario(
            "commit: every sync fails",
            Rules(vec![Rule::always("s", LOG, SYNCS, Broken)]),
            &[1],
            KEPT,
        ),
        scenario(
            "commit: half is written, then the disk is full",
            Rules(vec![
                Rule::once("w", LOG, COMMITS, Short),
                Rule::always("w", LOG, COMMITS + 1, Full),
            ]),
            &[1],
            KEPT,
        ),
        scenario(
            "first commit fails",
            Rules(vec![Rule::always("w", LOG, 1, Full)]),
            &[1],
            STORE_SAYS,
        ),
        scenario(
            "store cannot be made",
            Rules(vec![Rule::always("w", STORE, 1, Full)]),
            &[1],
            STORE_SAYS,
        ),
        scenario(
            "folding the log in: writing fails",
            Rules(vec![Rule::always("w", STORE, 3, Broken)]),
            &[1],
            STORE_SAYS,
        ),
        scenario(
            "folding the log in: the disk is full",
            Rules(vec![Rule::always("w", STORE, 3, Full)]),
            &[1],
            STORE_SAYS,
        ),
        scenario(
            "folding the log in: the sync fails",
            Rules(vec![Rule::always("s", STORE, 2, Broken)]),
            &[1],
            STORE_SAYS,
        ),
        scenario(
            "rescue: the folder is full too",
            Rules(store_full(vec![Rule::always("wo", RESCUE, 1, Full)])),
            &[1],
            ELSEWHERE_SAYS,
        ),
        scenario(
            "rescue: half a line, then full",
            Rules(store_full(vec![
                Rule::once("w", RESCUE, 1, Short),
                Rule::always("w", RESCUE, 2, Full),
            ])),
            &[1],
            ELSEWHERE_SAYS,
        ),
        scenario(
            "rescue: its sync fails",
            Rules(store_full(vec![Rule::always("s", RESCUE, 1, Broken)])),
            &[1],
            ELSEWHERE_SAYS,
        ),
        Scenario {
            loses: true,
            ..scenario(
                "rescue: nowhere",
                Rules(store_full(vec![
                    Rule::always("wo", RESCUE, 1, Full),
                    Rule::always("wo", ELSEWHERE, 1, Full),
                ])),
                &[1],
                &["dset_generator/dset.db", "could not be kept", "hint:"],
            )
        },
        Scenario {
            loses: true,
            ..scenario(
                "rescue: killed in it",
                Rules(store_full(vec![Rule::once("w", RESCUE, 1, KillHalf)])),
                &[],
                &[],
            )
        },
        scenario(
            "taking in: killed before its commit",
            Rescued(store_full(vec![]), vec![Rule::once("w", LOG, 1, KillBefore)]),
            &[],
            &[],
        ),
        scenario(
            "taking in: killed before the file goes",
            Rescued(store_full(vec![]), vec![Rule::once("u", RESCUE, 1, KillBefore)]),
            &[],
            &[],
        ),
        scenario(
            "taking in: the disk is still full",
            Rescued(store_full(vec![]), vec![Rule::always("w", LOG, 1, Full)]),
            &[1],
            STORE_SAYS,
        ),
        scenario(
            "bookmark: the copy cannot be made",
            Rules(vec![Rule::always("o", TEMPORARY, 4, TooMany)]),
            &[0, 3],
            &["q.csv cannot be marked"],
        ),
        scenario(
            "bookmark: writing the copy fails",
            Rules(vec![Rule::always("w", TEMPORARY, 2, Broken)]),
            &[0, 3],
            &["q.csv cannot be marked"],
        ),
        scenario(
            "bookmark: the disk is full",
            Rules(vec![Rule::always("w", TEMPORARY, 2, Full)]),
            &[0, 3],
            &["q.csv cannot be marked"],
        ),
        scenario(
            "bookmark: syncing the copy fails",
            Rules(vec![Rule::always("s", TEMPORARY, 4, Broken)]),
            &[0, 3],
            &["q.csv cannot be marked"],
        ),
        scenario(
            "bookmark: the rename fails",
            Rules(vec![Rule::always("r", "/q.csv", 1, Broken)]),
            &[0, 3],
            &["q.csv cannot be marked"],
        ),
        scenario(
            "bookmark: syncing its folder fails",
            Rules(vec![Rule::always("s", "/work", 1, Broken)]),
            &[0, 3],
            &["q.csv cannot be marked"],
        ),
        scenario(
            "lock cannot be taken",
            Rules(vec![Rule::always("o", "/dset.lock", 1, TooMany)]),
            &[1],
            &["dset_generator", "hint:"],
        ),
        scenario(
            "folder cannot be made",
            Rules(vec![Rule::always("m", "*dset_generator", 1, Full)]),
            &[1],
            &["dset_generator", "hint:"],
        ),
        scenario(
            "tail of an output cannot be cut",
            Resumed(vec![Rule::always("t", "*/output.", 1, Broken)]),
            &[1],
            &["output.", "hint:"],
        ),
        scenario("files may not grow: 40 KB", FileBytes(40_000), &[1], &["hint:"]),
        scenario("files may not grow: 300 KB", FileBytes(300_000), &[1], &["hint:"]),
        scenario("64 open files, 200 at once", Files(64, 200), &[0, 3], &[]),
        scenario("32 open files, 200 at once", Files(32, 200), &[0, 1, 3], &[]),
        scenario("16 open files", Files(16, 200), &[1], &["too few files", "ulimit -n"]),
        scenario("a disk of 256 KiB", Small(256), &[1], &["hint:"]),
        scenario("a disk of 512 KiB", Small(512), &[1], &["hint:"]),
        scenario("a disk of 768 KiB", Small(768), &[1], &["hint:"]),
        scenario("outputs may not be written", ReadOnlyOutputs, &[1], &["dset_generator", "hint:"]),
        scenario("input may not be written", ReadOnlyInput, &[0, 3], &["q.csv cannot be marked"]),
        scenario(
            "folder deleted in the middle",
            Gone { moved: false },
            &[1],
            &["dset_generator/dset.db", "what it held is in", "hint:"],
        ),
        scenario(
            "folder moved in the middle",
            Gone { moved: true },
            &[1],
            &["dset_generator/dset.db", "what it held is in", "hint:"],
        ),
    ];
    for (name, file, rules) in outputs() {
        let says: &'static [&'static str] = match file {
            "csv" => &["output.csv", "hint:", "dset run"],
            "json" => &["output.json", "hint:", "dset run"],
            _ => &["output.txt", "hint:", "dset run"],
        };
        all.push(scenario(name, Rules(rules), &[1], says));
    }
    all
}

/// What each output may do, with its name.
fn outputs() -> Vec<(&'static str, &'static str, Vec<Rule>)> {
    const FILES: [(&str, &str, [&str; 5]); 3] = [
        (
            "csv",
            "/output.csv",
            [
                "output.csv: writing fails once",
                "output.csv: the disk is full",
                "output.csv: half a row, then full",
                "output.csv: the sync fails once",
                "output.csv: the sync fails once, then lies",
            ],
        ),
        (
            "json",
            "/output.json",
            [
                "output.json: writing fails once",
                "output.json: the disk is full",
                "output.json: half a row, then full",
                "output.json: the sync fails once",
                "output.json: the sync fails once, then lies",
            ],
        ),
        (
            "txt",
            "/output.txt",
            [
                "output.txt: writing fails once",
                "output.txt: the disk is full",
                "output.txt: half a row, then full",
                "output.txt: the sync fails once",
                "output.txt: the sync fails once, then lies",
            ],
        ),
    ];
    let mut all = Vec::new();
    for (kind, path, names) in FILES {
        let rules = [
            vec![Rule::once("w", path, 2, Broken)],
            vec![Rule::always("w", path, 2, Full)],
            vec![Rule::once("w", path, 2, Short), Rule::always("w", path, 3, Full)],
            vec![Rule::once("s", path, 1, Broken)],
            vec![Rule::once("s", path, 1, Broken), Rule::always("s", path, 2, Lie)],
        ];
        all.extend(names.into_iter().zip(rules).map(|(name, rules)| (name, kind, rules)));
    }
    all
}

fn shape() -> Shape {
    Shape {
        questions: (60, 60),
        width: (4, 4),
        latency_ms: (2, 2),
        answer_bytes: (3000, 3000),
        refused_every: 9,
        faults: false,
    }
}

/// Runs every scenario and the walks; prints what came of each and returns what failed.
pub(crate) fn run(lab: &Lab, seed: u64, all: bool) -> io::Result<Vec<String>> {
    println!("\n== disk faults");
    let mut failed = Vec::new();
    let mut say = |outcome: &Outcome, ended: &str| {
        let verdict = if outcome.violations.is_empty() { "ok" } else { "FAILED" };
        println!("{:<48} {:<34} {verdict}", outcome.point, ended);
        if !outcome.violations.is_empty() {
            failed.push(outcome.failure());
        }
    };
    for (number, scenario) in scenarios().iter().enumerate() {
        if needs_root(&scenario.how) && !rustix::process::geteuid().is_root() {
            println!("{:<48} NOT TRIED: needs root", scenario.name);
            continue;
        }
        let (outcome, ended) = play(lab, seed, number, scenario)?;
        say(&outcome, &ended);
    }
    for (name, action, times) in [
        ("each operation fails once: broken", Broken, 1),
        ("from each operation on: broken", Broken, 0),
        ("from each operation on: full", Full, 0),
    ] {
        let step = if all { 1 } else { 12 };
        let outcome = walk(lab, seed, step, name, action, times)?;
        say(&outcome, &format!("{} operations", outcome.kills));
    }
    Ok(failed)
}

fn needs_root(how: &How) -> bool {
    matches!(how, How::Small(_) | How::ReadOnlyOutputs | How::ReadOnlyInput)
}

fn play(lab: &Lab, seed: u64, number: usize, scenario: &Scenario) -> io::Result<(Outcome, String)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let base = lab.base.join(format!("disk-{number}"));
    let shape = match scenario.how {
        // Long enough for the folder to go in the middle, however busy the machine is.
        How::Gone { .. } => Shape { questions: (900, 900), ..shape() },
        _ => shape(),
    };
    let mut world = World::new(lab, base, &mut random, shape)?;
    let mut outcome = Outcome::new(scenario.name, table::again("disk", seed));
    let folder = world.path("dset_generator");
    let mut must_act = false;
    let ran = match &scenario.how {
        How::Rules(rules) => {
            must_act = true;
            world.run(&Begin { rules, ..Begin::default() })?
        }
        How::Resumed(rules) => {
            let kill = Rule::once("w", "*/output.", 8, KillHalf);
            world.run(&Begin { rules: &[kill], ..Begin::default() })?;
            world.cut_lives += 1;
            must_act = true;
            world.run(&Begin { rules, ..Begin::default() })?
        }
        How::Rescued(first, second) => {
            let first = world.run(&Begin { rules: first, ..Begin::default() })?;
            if first.code() != Some(1) || !folder.join("dset.rescue").exists() {
                world.fail("nothing was rescued that could be taken in");
            }
            must_act = true;
            world.run(&Begin { rules: second, ..Begin::default() })?
        }
        How::FileBytes(bytes) => {
            world.run(&Begin { file_bytes_max: Some(*bytes), ..Begin::default() })?
        }
        How::Files(files, width) => {
            world.width = *width;
            world.run(&Begin { files_max: Some(*files), ..Begin::default() })?
        }
        How::Small(kib) => {
            fs::create_dir_all(&folder)?;
            let options = format!("-osize={kib}k");
            command("mount", &["-ttmpfs", &options, "tmpfs"], &folder)?;
            let ran = world.run(&Begin::default());
            command("mount", &["-oremount,size=64m"], &folder)?;
            ran?
        }
        How::ReadOnlyOutputs => {
            world.lend(NOBODY)?;
            fs::create_dir_all(&folder)?;
            world.run(&Begin { user: Some(NOBODY), ..Begin::default() })?
        }
        How::ReadOnlyInput => {
            world.lend(NOBODY)?;
            fs::create_dir_all(&folder)?;
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))?;
            world.run(&Begin { user: Some(NOBODY), ..Begin::default() })?
        }
        How::Gone { moved } => {
            let mut life = world.begin(&Begin::default())?;
            let acks = world.base.join("acks");
            life.let_live_until(|| fs::metadata(&acks).is_ok_and(|acks| acks.len() > 400))?;
            let aside = world.path("moved");
            fs::rename(&folder, &aside)?;
            if !moved {
                fs::remove_dir_all(&aside)?;
            }
            let ran = world.wait(life)?;
            if *moved {
                fs::remove_dir_all(&aside)?;
            }
            ran
        }
    };
    if must_act && ran.acts == 0 {
        world.fail("the fault never came");
    }
    match ran.code() {
        None if scenario.exits.is_empty() && ran.was_killed() => {}
        Some(code) if scenario.exits.contains(&code) => {}
        _ => world.fail(format!("ended with {}, not {:?}", ran.status, scenario.exits)),
    }
    for text in scenario.says {
        if !ran.err.contains(text) {
            world.fail(format!("`{text}` is not said"));
        }
    }
    world.cut_lives += u64::from(scenario.loses);
    world.may_lose = scenario.loses;
    if folder.join("dset.db").exists() {
        check::store(&world).into_iter().for_each(|violation| world.fail(violation));
    }
    world.finish()?;
    signals::orderly(&mut world);
    let found = check::whole(&mut world)?;
    if matches!(scenario.how, How::Small(_)) {
        command("umount", &[], &folder)?;
    }
    outcome.add(&world, found);
    Ok((outcome, ran.status.to_string()))
}

/// Lets the first file operation fail, then the second, and so on until a run passes untouched.
fn walk(
    lab: &Lab,
    seed: u64,
    step: u64,
    name: &'static str,
    action: Action,
    times: u64,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::new(name, table::again("disk", seed));
    let mut random = fastrand::Rng::with_seed(seed);
    let shape = Shape { questions: (12, 12), refused_every: 6, ..shape() };
    let mut nth = 1 + seed % step;
    loop {
        let base = lab.base.join(format!("disk-walk-{}-{nth}", outcome.point.replace(' ', "-")));
        let mut world = World::new(lab, base, &mut random, shape)?;
        let rule = Rule { ops: "any", path: "*", nth, action, times };
        let ran = world.run(&Begin { rules: &[rule], ..Begin::default() })?;
        // Exit 0 or 3 where it could do without what failed.
        if !matches!(ran.code(), Some(0 | 1 | 3)) {
            world.fail(format!("operation {nth}: ended with {}", ran.status));
        }
        if ran.code() == Some(1) && !ran.err.contains("hint:") {
            world.fail(format!("operation {nth}: no hint"));
        }
        // From the first on nothing can be written beside the store either.
        world.cut_lives += u64::from(times == 0);
        if world.path("dset_generator/dset.db").exists() {
            check::store(&world).into_iter().for_each(|violation| world.fail(violation));
        }
        world.finish()?;
        let found = check::whole(&mut world)?;
        let acted = ran.acts > 0;
        outcome.kills += u64::from(acted);
        outcome.add(&world, found);
        if !acted {
            return Ok(outcome);
        }
        nth += step;
    }
}

fn command(name: &str, arguments: &[&str], path: &Path) -> io::Result<()> {
    let ran = Command::new(name).args(arguments).arg(path).output()?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&ran.stderr).into_owned())),
    }
}
