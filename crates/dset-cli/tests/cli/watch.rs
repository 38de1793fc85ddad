//! `dset status --watch`, and `dset` alone.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read as _};

use crate::common::{Folder, Service, questions};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_watch_tells_of_a_run_as_it_goes_on_and_ends_with_the_signal() {
    let folder = Folder::with(&questions(5));
    let service = Service::with(&["Question 5,=hang"]);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut watch = folder.command(&["status", "--json", "--watch", "1"]).spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let mut next = || -> serde_json::Value {
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
        };
        assert_eq!(next()["running"], false);
        let going = service.begin(&folder, &[]);
        // The pipe ends the test where this never comes.
        let seen = std::iter::from_fn(|| Some(next()))
            .find(|status| status["running"] != false && status["ledger"]["answered"] == 4)
            .unwrap();
        assert_eq!(seen["running"]["pid"], going.child.id());
        if code == 130 {
            assert_eq!(seen["recent"]["answers"], 4);
            assert!(seen["recent"]["answered_at"].is_i64(), "{seen}");
        }
        folder.dset(&["status"]).exits(0).tells("last minute       ");
        going.kill();
        // It goes on after the end of the run.
        std::iter::from_fn(|| Some(next())).find(|status| status["running"] == false).unwrap();
        kill_process(Pid::from_child(&watch), signal).unwrap();
        assert_eq!(watch.wait().unwrap().code(), Some(code));
        let mut said = String::new();
        watch.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "quietly");
    }
}

#[test]
fn a_watch_ends_when_nobody_reads_it_and_blocks_in_a_pipe_are_apart() {
    let folder = Folder::with(&questions(2));
    let mut watch = folder.command(&["status", "--watch", "1"]).spawn().unwrap();
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    let mut text = String::new();
    while text.matches("nothing was asked yet").count() < 2 {
        assert!(out.read_line(&mut text).unwrap() > 0, "{text}");
    }
    assert!(text.contains("every 1 s until Ctrl-C\n\nq.csv -> "), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
    drop(out);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn dset_alone_tells_of_the_run_in_the_folder_and_elsewhere_helps() {
    let folder = Folder::with(&questions(2));
    folder.dset(&[]).exits(0).tells("nothing was asked yet");
    Service::friendly().run(&folder, &[]).exits(0);
    std::fs::remove_file(folder.path("q.csv")).unwrap();
    folder.dset(&[]).exits(2).says("there is no `q.csv`");
    let empty = Folder::new();
    let ran = empty.dset(&[]).exits(2).says("Usage: dset").says("Examples:");
    assert_eq!(ran.out, "");
    empty.write("q.csv", questions(1));
    empty.write("dset.toml", "concurrenci = 2\n");
    empty.dset(&[]).exits(2).says("concurrenci");
}
