//! `dset run` where whoever reads what it says takes nothing, or takes its time.
#![cfg(unix)]

use std::io::Read as _;
use std::process::{Child, ChildStderr, ExitStatus, Stdio};

use crate::common::pty::Pty;
use crate::common::{Folder, Going, Ran, Service, questions, until};
use dset_mock::MockSettings;
use rustix::process::{Pid, Signal, kill_process};

/// More than a pipe holds of what is said of each.
const MANY: usize = 1_500;

fn at_once() -> Service {
    Service::start(MockSettings { latency_ms: 1, ..MockSettings::default() })
}

#[cfg(target_os = "linux")]
#[test]
fn where_standard_output_is_full_every_command_says_so_and_fails() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    for command in [
        &["status", "--json"][..],
        &["status"],
        &["stats", "--json"],
        &["stats"],
        &["show", "3"],
        &["show", "3", "--raw"],
        &["search", "Question"],
        &["verify", "--json"],
        &["export", "--to", "x.jsonl"],
        &["export", "--rebuild"],
        &["run", "--json"],
        &["config", "show"],
        &["prices"],
        &["help"],
        &["help", "exit-codes"],
        &["version"],
        &["--version"],
        &["run", "--help"],
        &["completions", "bash"],
        &["models", "list"],
        &["status", "--watch"],
        &["job", "split", "q.csv", "--shards", "2"],
        &["job", "status"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = Ran::from(folder.command(command).stdout(full).output().unwrap());
        ran.exits(1).says("standard output cannot be written").says("No space left");
    }
    // A reader that has seen enough is none.
    for command in ["show 3", "status --json", "--help", "run --json"] {
        folder.shell(&format!("(dset {command}; echo it ended with $? >&2) | true")).says("with 0");
        folder.shell(&format!("dset {command} >&-")).exits(0);
    }
}

fn rows(folder: &Folder) -> usize {
    let path = folder.path("dset_generator/output.json");
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn is_whole(folder: &Folder) {
    until("every answer is in the output", || rows(folder) == MANY);
}

fn ends(going: &mut Going) -> ExitStatus {
    let mut status = None;
    until("it ends", || {
        status = going.child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_pipe_that_nobody_reads_does_not_hold_up_a_run_and_its_end_is_not_waited_for_long() {
    for format in ["auto", "original"] {
        let (service, folder) = (at_once(), Folder::with(&questions(MANY)));
        let mut going = service.begin(&folder, &["--log-format", format]);
        is_whole(&folder);
        assert_eq!(ends(&mut going).code(), Some(0), "{format}");
    }
}

#[test]
fn a_pipe_that_is_read_later_has_the_first_lines_how_many_were_left_out_and_the_last() {
    let (service, folder) = (at_once(), Folder::with(&questions(2 * MANY)));
    let mut going = service.begin(&folder, &["-v"]);
    until("every answer is in the output", || rows(&folder) == 2 * MANY);
    let mut err = String::new();
    going.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let ran = Ran { code: ends(&mut going).code(), out: String::new(), err }.exits(0);
    let lines = ran.lines();
    let numbers = lines.iter().filter_map(|line| {
        let rest = line.strip_prefix("Successfully processed question ")?;
        rest.split('/').next()?.parse::<usize>().ok()
    });
    let shown = numbers.count();
    assert!(shown < 2 * MANY && shown > 200, "{shown}");
    let left_out =
        lines.iter().position(|line| line.starts_with("… ") && line.ends_with(" more lines"));
    let last = lines
        .iter()
        .position(|l| *l == format!("All {} questions processed successfully!", 2 * MANY));
    let tail = &lines[lines.len() - 5..];
    assert!(left_out.is_some() && left_out < last, "{left_out:?} {last:?} {tail:?}");
}

#[test]
fn a_run_that_nobody_reads_hears_signals() {
    for arguments in [&[][..], &["--log-format", "original"], &["--json"]] {
        let service = Service::with(&["Question 700,=delay:60000"]);
        let folder = Folder::with(&questions(MANY));
        let mut going = service.begin(&folder, &[arguments, &["-c", "4", "-v"]].concat());
        until("one is waited for", || rows(&folder) == 699 && service.stats().asked >= MANY as u64);
        signal(&going.child, Signal::INT);
        signal(&going.child, Signal::INT);
        until("the second is heard apart from the first", || {
            signal(&going.child, Signal::INT);
            going.child.try_wait().unwrap().is_some()
        });
        assert_eq!(ends(&mut going).code(), Some(130), "{arguments:?}");
    }
}

#[test]
fn a_terminal_that_takes_nothing_is_left_at_the_end_as_it_was() {
    for more in [&[][..], &["-q"], &["--log-format", "original"]] {
        let (service, folder) = (at_once(), Folder::with(&questions(MANY)));
        folder.asks(&service);
        let command = folder.command(&[&["run", "-v"], more].concat());
        let pty = Pty::start(&command, (80, 24), &[]);
        pty.looks(false);
        is_whole(&folder);
        assert_eq!(pty.end_unseen(), 0, "{more:?}");
    }
}

#[test]
fn a_program_that_takes_its_time_gets_every_event() {
    let (service, folder) = (at_once(), Folder::with(&questions(MANY)));
    let going = service.begin(&folder, &["--json", "-q"]);
    is_whole(&folder);
    let ran: Ran = going.end().exits(0);
    let events: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!([of("start"), of("ask"), of("answer"), of("end")], [1, MANY, MANY, 1]);
    assert_eq!(events.last().unwrap()["event"], "end");
}

/// Reads what a run says up to its last words.
fn last_words(err: &mut ChildStderr) -> Vec<u8> {
    let mut said = Vec::new();
    until("the last words", || {
        let mut piece = [0; 4096];
        let count = err.read(&mut piece).unwrap();
        said.extend_from_slice(&piece[..count]);
        String::from_utf8_lossy(&said).contains("Output files located in")
    });
    said
}

#[test]
fn a_program_that_takes_nothing_is_waited_for_until_a_signal() {
    let (service, folder) = (at_once(), Folder::with(&questions(MANY)));
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "--json"];
    let mut command = folder.command(&arguments);
    let mut going = Going { child: command.stderr(Stdio::piped()).spawn().unwrap() };
    // Standard error is read, and has the end; events still wait.
    let mut err = going.child.stderr.take().unwrap();
    last_words(&mut err);
    assert!(going.child.try_wait().unwrap().is_none(), "events wait to be read");
    signal(&going.child, Signal::TERM);
    assert_eq!(ends(&mut going).code(), Some(143));
}

#[test]
fn a_signal_while_the_last_words_wait_to_be_read_takes_nothing_from_them() {
    let (service, folder) = (at_once(), Folder::with(&questions(MANY)));
    let mut going = service.begin(&folder, &["--json", "--to", "rows.jsonl"]);
    // Standard error has the end; events still wait.
    let mut err = going.child.stderr.take().unwrap();
    let mut said = last_words(&mut err);
    signal(&going.child, Signal::INT);
    let mut out = String::new();
    going.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    err.read_to_end(&mut said).unwrap();
    // Heard before the last event is read or behind it, while the dataset is written.
    let (code, said) = (ends(&mut going).code(), String::from_utf8_lossy(&said));
    assert!(matches!(code, Some(0 | 130)), "{code:?}: {said}");
    assert!(out.contains("\"event\":\"end\""), "{said}");
    assert_eq!(folder.path("rows.jsonl").exists(), code == Some(0), "{said}");
}
