//! `dset run` and the signals that it is sent.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use crate::common::{Folder, Service, questions, until};
use dset_mock::MockSettings;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn answers_that_came_while_it_was_stopped_are_read_and_not_bought_again() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    for stream in ["off", "on"] {
        let folder = Folder::with(&questions(3));
        let service = Service::start(MockSettings { latency_ms: 300, ..MockSettings::default() });
        let limits = ["-c", "3", "--timeout", "1s", "--idle-timeout", "1s", "--stream", stream];
        let going = service.begin(&folder, &limits);
        let pid = Pid::from_child(&going.child);
        until("the asks", || service.stats().asked == 3);
        kill_process(pid, Signal::STOP).unwrap();
        let stopped_at = Instant::now();
        // Longer than any of its clocks.
        until("the answers", || {
            service.stats().answered == 3 && stopped_at.elapsed() > 2 * TIMEOUT
        });
        kill_process(pid, Signal::CONT).unwrap();
        going.end().exits(0);
        assert_eq!((service.stats().asked, folder.agreed().len()), (3, 3), "stream {stream}");
    }
}

#[test]
fn ctrl_c_keeps_what_is_on_its_way_and_says_how_to_continue() {
    let folder = Folder::with(&questions(40));
    // One is slow, so that something is on its way whenever the signal comes.
    let service = Service::start(MockSettings {
        latency_ms: 100,
        on: vec!["Question 2,=delay:1500".parse().unwrap()],
        ..MockSettings::default()
    });
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "--json", "-c", "4"];
    let mut child = folder.command(&arguments).spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    events.by_ref().find(|line| line.as_ref().unwrap().contains("\"answer\"")).unwrap().unwrap();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let rest: Vec<String> = events.map(Result::unwrap).collect();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    assert!(err.contains("Stopping: waiting for"), "{err}");
    let end: serde_json::Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!(
        (&end["event"], &end["exit"], &end["dropped"]),
        (&"end".into(), &130.into(), &0.into())
    );
    assert_eq!(folder.agreed().len() as u64, end["answered"].as_u64().unwrap());
    assert_eq!(service.stats().answered, end["answered"].as_u64().unwrap());
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().questions_answered_again, 0);
}

#[test]
fn a_second_sigterm_stops_a_run_at_once_and_says_so_at_the_first() {
    let folder = Folder::with(&questions(2));
    let service = Service::start(MockSettings {
        on: vec!["Question 2,=delay:60000".parse().unwrap()],
        ..MockSettings::default()
    });
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "-c", "2"];
    let mut child = folder.command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.contains("Successfully processed question 1/2")).unwrap();
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    let stopping = lines.by_ref().find(|line| line.contains("Stopping")).unwrap();
    assert!(stopping.contains("another SIGTERM stops now"), "{stopping}");
    let second_at = Instant::now();
    kill_process(pid, Signal::TERM).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{rest:?}");
    assert!(second_at.elapsed() < Duration::from_secs(10), "not the grace of the first");
    assert_eq!(folder.agreed().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_closes_is_answered_like_sigterm_and_nohup_is_respected() {
    // Under `nohup` these tests have it ignored already, and what they start inherits that.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let inherited = u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1;
    for (ignored, exit) in [(false, if inherited { 0 } else { 143 }), (true, 0)] {
        let folder = Folder::with(&questions(12));
        let service = Service::start(MockSettings {
            latency_ms: 50,
            on: vec!["Question 2,=delay:400".parse().unwrap()],
            ..MockSettings::default()
        });
        let url = service.url();
        let mut child = folder.command(&["run", "--base-url", &url, "--key", "none", "--json"]);
        if ignored {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
            shell.arg(child.get_program()).args(child.get_args());
            shell.current_dir(folder.path("."));
            child = shell;
            child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        }
        let mut child = child.args(["-c", "3"]).spawn().unwrap();
        let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
        events
            .by_ref()
            .find(|line| line.as_ref().unwrap().contains("\"answer\""))
            .unwrap()
            .unwrap();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-HUP", &child.id().to_string()]).status().unwrap().success());
        events.for_each(drop);
        assert_eq!(child.wait().unwrap().code(), Some(exit));
        assert_eq!(folder.agreed().len() as u64, service.stats().answered);
    }
}

#[test]
fn a_signal_ends_a_run_that_writes_its_datasets() {
    const FILE: &str = "hub/data/train-00000-of-00001.parquet";
    for (signal, exit) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = Folder::with(&questions(2));
        let service = Service::start(MockSettings {
            on: vec!["Question 2,=delay:1000".parse().unwrap()],
            ..MockSettings::default()
        });
        let to = ["--to", "hub/", "--layout", "chat", "--json"];
        service.run(&folder, &[&to[..], &["-n", "1"]].concat()).exits(0);
        let rows = std::fs::read(folder.path(FILE)).unwrap();
        let mut going = service.begin(&folder, &to);
        until("the ask", || service.stats().asked == 2);
        // Whoever reads the card waits for somebody who writes it.
        std::fs::remove_file(folder.path("hub/README.md")).unwrap();
        let mut fifo = std::process::Command::new("mkfifo");
        assert!(fifo.arg(folder.path("hub/README.md")).status().unwrap().success());
        let mut events = BufReader::new(going.child.stdout.take().unwrap()).lines();
        events.find(|line| line.as_ref().unwrap().contains("\"end\"")).unwrap().unwrap();
        // One that comes with the last words takes nothing from a run that has ended.
        until("its end", || {
            kill_process(Pid::from_child(&going.child), signal).unwrap();
            going.child.try_wait().unwrap().is_some()
        });
        assert_eq!(going.child.wait().unwrap().code(), Some(exit));
        let mut err = String::new();
        going.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(err.contains("`dset export --to hub/ --layout chat`"), "{err}");
        assert_eq!(std::fs::read(folder.path(FILE)).unwrap(), rows);
    }
}
