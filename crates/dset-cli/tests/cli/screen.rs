//! `dset run` on a terminal: what is seen, which keys do what, and what is left behind.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::process::Command;

use crate::common::pty::Pty;
use crate::common::{Folder, Service, questions, until};
use dset_mock::MockSettings;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::Signal;

const SIZE: (u16, u16) = (80, 40);

fn slow(latency_ms: u64) -> Service {
    Service::start(MockSettings { latency_ms, ..MockSettings::default() })
}

/// `dset run` of so many questions on a terminal.
fn run(service: &Service, folder: &Folder, more: &[&str], set: &[(&str, &str)]) -> Pty {
    folder.asks(service);
    let mut arguments = vec!["run"];
    arguments.extend(more);
    Pty::start(&folder.command(&arguments), SIZE, set)
}

fn is_whole(folder: &Folder, questions: usize) -> bool {
    let path = folder.path("dset_generator/output.json");
    std::fs::read_to_string(path).is_ok_and(|text| text.lines().count() == questions)
}

/// A shell that knows jobs, in this folder.
fn shell(folder: &Folder) -> Pty {
    let mut shell = folder.command(&[]);
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_dset")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    shell.env("PATH", path);
    let mut sh = Command::new("sh");
    sh.arg("-i").current_dir(shell.get_current_dir().unwrap());
    for (name, value) in shell.get_envs() {
        match value {
            Some(value) => sh.env(name, value),
            None => sh.env_remove(name),
        };
    }
    let pty = Pty::start(&sh, SIZE, &[]);
    pty.shows("% ");
    pty
}

#[test]
fn what_is_finished_scrolls_away_and_nothing_else_is_left() {
    let (service, folder) = (slow(300), Folder::with(&questions(12)));
    let pty = run(&service, &folder, &["-c", "2"], &[]);
    pty.shows("in flight");
    pty.shows("s status  p pause  q stop");
    assert!(!pty.is_as_before(), "keys are heard one by one");
    let (code, screen, bytes) = pty.end();
    assert_eq!(code, 0, "{screen}");
    for number in 1..=12 {
        let verdict = format!("{number:>2}/12 ✓ Question {number}, what then?");
        assert_eq!(screen.matches(&verdict).count(), 1, "{screen}");
    }
    assert!(screen.contains("✓ 12 of 12 questions answered in "), "{screen}");
    for gone in ["━", "─", "in flight", "q stop", "elapsed"] {
        assert!(!screen.contains(gone), "`{gone}` is left:\n{screen}");
    }
    let written = screen.lines().rfind(|line| !line.is_empty()).unwrap();
    assert!(written.starts_with("  written"), "a clean run ends with its files: {screen}");
    assert!(bytes.contains("\x1b]2;0% dset · q.csv\x1b\\") && bytes.contains("\x1b[23;0t"));
    assert!(!bytes.contains("\x1b]9;"), "this terminal would show it as a message");
    assert_eq!(bytes.matches("\x1b[?2026h").count(), bytes.matches("\x1b[?2026l").count());
}

#[test]
fn keys_hold_a_run_let_it_go_on_tell_where_it_stands_and_stop_it() {
    let (service, folder) = (slow(400), Folder::with(&questions(60)));
    let mut pty = run(&service, &folder, &["-c", "2"], &[]);
    pty.shows(" 1/60 ✓");
    pty.press("p");
    pty.shows("paused: nothing is on its way, p goes on");
    let asked = service.stats().asked;
    pty.press("s");
    pty.shows("of 60 questions answered");
    pty.shows("  in flight  0 of at most 2");
    assert_eq!(service.stats().asked, asked, "nothing is sent meanwhile");
    pty.press("P");
    pty.waits("asking again", |screen| !screen.contains("paused:"));
    until("asking again", || service.stats().asked > asked);
    pty.press("x?\x1b[A");
    pty.press("q");
    pty.shows("Stopping. Waiting for 2 questions already asked");
    let (code, screen, _) = pty.end();
    assert_eq!(code, 130, "{screen}");
    assert!(
        screen.contains("Stopped.") && screen.contains("hint: Run `dset run -c 2` to continue")
    );
    assert!(!screen.contains("Waiting for") && !screen.contains("━"), "{screen}");
}

#[test]
fn a_key_pressed_twice_at_once_pauses_and_lets_go_on() {
    let (service, folder) = (slow(100), Folder::with(&questions(60)));
    let mut pty = run(&service, &folder, &["-c", "2"], &[]);
    pty.shows(" 1/60 ✓");
    pty.press("pp");
    pty.shows("60 of 60 questions answered");
    assert_eq!(pty.end().0, 0);
}

/// Outlives its terminal, but not the test.
struct Killed(Box<dyn portable_pty::Child + Send + Sync>);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_paused_run_that_outlives_its_terminal_goes_on() {
    let (service, folder) = (slow(100), Folder::with(&questions(40)));
    folder.asks(&service);
    let dset = folder.command(&["run", "-c", "2"]);
    // As nohup does, with all streams on the terminal.
    let mut ignores = CommandBuilder::new("sh");
    ignores.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    ignores.arg(dset.get_program());
    ignores.args(dset.get_args());
    ignores.cwd(dset.get_current_dir().unwrap());
    for (name, value) in dset.get_envs() {
        match value {
            Some(value) => ignores.env(name, value),
            None => ignores.env_remove(name),
        }
    }
    ignores.env("TERM", "xterm");
    let terminal = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut child = Killed(terminal.slave.spawn_command(ignores).unwrap());
    drop(terminal.slave);
    let mut screen = terminal.master.try_clone_reader().unwrap();
    let mut keyboard = terminal.master.take_writer().unwrap();
    let mut seen = String::new();
    for (awaited, key) in [("1/40 ", "p"), ("paused", "")] {
        until(awaited, || {
            let mut piece = [0; 4096];
            let count = screen.read(&mut piece).unwrap();
            seen += &String::from_utf8_lossy(&piece[..count]);
            seen.contains(awaited)
        });
        keyboard.write_all(key.as_bytes()).unwrap();
    }
    drop((screen, keyboard, terminal.master));
    until("the rest is asked", || is_whole(&folder, 40));
    assert_eq!(child.0.wait().unwrap().exit_code(), 0);
}

#[test]
fn an_outage_is_explained_and_a_key_tries_again() {
    let service = Service::with(&["Question 3,=503*1"]);
    let folder = Folder::with(&questions(5));
    let mut pty = run(&service, &folder, &["-c", "1"], &[("TERM_PROGRAM", "ghostty")]);
    pty.shows("The service does not answer.  2 answers are safe on disk, nothing is lost");
    pty.shows("why    overloaded (503): ");
    pty.shows("next   retry 1 of 3 in 0:");
    pty.shows("r retry now  q stop here");
    pty.press("r");
    let (code, screen, bytes) = pty.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("The service answers again after "), "{screen}");
    assert!(!screen.contains("does not answer"), "{screen}");
    assert!(bytes.contains("\x1b]9;4;4;40\x1b\\") && bytes.contains("\x1b]9;4;0;0\x1b\\"));
}

#[test]
fn the_first_ctrl_c_waits_for_what_is_paid_for_and_the_second_does_not() {
    let (service, folder) = (slow(20_000), Folder::with(&questions(9)));
    let mut pty = run(&service, &folder, &["-c", "3"], &[]);
    pty.shows("3 in flight");
    pty.press("\x03");
    pty.shows("Stopping. Waiting for 3 questions already asked, the longest since 0:");
    pty.shows("Press Ctrl-C again to stop now (they would be asked again)");
    pty.press("\x03");
    let (code, screen, _) = pty.end();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("3 dropped on their way"), "{screen}");
    assert!(!screen.contains("^C") && !screen.contains("Press Ctrl-C"), "{screen}");
}

#[test]
fn sigterm_puts_the_terminal_back_as_well() {
    let (service, folder) = (slow(700), Folder::with(&questions(40)));
    let pty = run(&service, &folder, &["-c", "2"], &[]);
    pty.shows("2 in flight");
    pty.signal(Signal::TERM);
    let (code, screen, _) = pty.end();
    assert_eq!(code, 143, "{screen}");
    assert!(screen.contains("Stopped by SIGTERM."), "{screen}");
}

#[test]
fn a_signal_asks_where_the_run_stands() {
    let (service, folder) = (slow(20_000), Folder::with(&questions(9)));
    let mut pty = run(&service, &folder, &["-c", "2"], &[]);
    pty.shows("2 in flight");
    pty.signal(Signal::USR1);
    pty.shows("  in flight  2 of at most 2, the longest since 0:");
    pty.press("qq");
    assert_eq!(pty.end().0, 130);
}

#[test]
fn a_signal_asks_a_run_in_a_pipe_as_well() {
    let (service, folder) = (slow(300), Folder::with(&questions(6)));
    let going = service.begin(&folder, &["-c", "1"]);
    until("it is at work", || service.stats().asked > 2);
    let pid = rustix::process::Pid::from_child(&going.child);
    rustix::process::kill_process(pid, Signal::USR1).unwrap();
    going.end().exits(0).says("/6, 0 retrying, 0 failed, ");
}

#[test]
fn a_screen_that_changes_its_size_shows_one_bar_that_fits() {
    let (service, folder) = (slow(20_000), Folder::with(&questions(9)));
    let mut pty = run(&service, &folder, &["-c", "2"], &[]);
    let bars = |screen: &str| screen.matches("0/9  0%").count();
    for (columns, rows) in [(60, 40), (100, 30), (40, 24), (120, 12), (30, 3), (80, 40)] {
        pty.shows("0/9  0%");
        pty.resize(columns, rows);
        let width = usize::from(columns.min(101)) - 1;
        pty.waits(&format!("a bar of {width} columns"), |screen| {
            let bar = screen.lines().find(|line| line.ends_with("0/9  0%"));
            bars(screen) == 1 && bar.is_some_and(|bar| bar.chars().count() == width)
        });
    }
    pty.press("qq");
    let (_, screen, _) = pty.end();
    assert_eq!(bars(&screen), 0, "{screen}");
}

#[test]
fn a_run_that_is_stopped_gives_the_terminal_back_and_takes_it_again() {
    let (service, folder) = (slow(300), Folder::with(&questions(20)));
    folder.asks(&service);
    let mut pty = shell(&folder);
    pty.press("dset run -c 2\n");
    pty.shows("q stop");
    pty.press("\x1a");
    pty.waits("a shell again", |screen| screen.trim_end().ends_with('%'));
    pty.waits("no region", |screen| !screen.contains("elapsed"));
    pty.press("echo is $((40 + 2))\n");
    pty.shows("is 42");
    pty.press("fg\n");
    pty.shows("q stop");
    pty.shows("20 of 20 questions answered");
    pty.waits("a shell again", |screen| screen.trim_end().ends_with('%'));
    assert!(!pty.screen().contains("elapsed"), "{}", pty.screen());
    pty.press("exit\n");
    let (code, ..) = pty.end();
    assert_eq!(code, 0);
    assert!(is_whole(&folder, 20));
}

#[test]
fn a_run_in_the_background_is_not_stopped_and_leaves_the_keys_to_others() {
    let (service, folder) = (slow(200), Folder::with(&questions(10)));
    folder.asks(&service);
    let mut pty = shell(&folder);
    pty.press("dset run -c 1 &\n");
    pty.shows(" 2/10 ✓");
    pty.press("echo is $((40 + 2))\n");
    pty.shows("is 42");
    assert!(!pty.screen().contains("elapsed"), "no region below the prompt: {}", pty.screen());
    pty.shows("10 of 10 questions answered");
    pty.press("wait; exit\n");
    let (code, screen, _) = pty.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("Stopped") && is_whole(&folder, 10), "{screen}");
}

#[test]
fn a_terminal_that_takes_nothing_does_not_hold_up_the_run() {
    let (service, folder) = (slow(5), Folder::with(&questions(1_500)));
    let pty = run(&service, &folder, &["-c", "4"], &[]);
    pty.shows("q stop");
    pty.looks(false);
    until("every answer is in the output", || is_whole(&folder, 1_500));
    pty.looks(true);
    let (code, screen, _) = pty.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("1,500 of 1,500 questions answered"), "{screen}");
}

#[test]
fn a_dumb_terminal_gets_the_lines_of_a_pipe() {
    let (service, folder) = (Service::friendly(), Folder::with(&questions(3)));
    let (code, screen, bytes) = run(&service, &folder, &[], &[("TERM", "dumb")]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Successfully processed question 3/3") && !bytes.contains('\x1b'));
}

#[test]
fn without_colour_everything_is_said_in_words_and_signs() {
    let service = Service::with(&["Question 2,=risk"]);
    let folder = Folder::with(&questions(3));
    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR", "0")] {
        let (_, screen, bytes) = run(&service, &folder, &[], &[(name, value)]).end();
        let styles = bytes.split("\x1b[").skip(1).filter(|rest| {
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            end.is_some_and(|end| rest[end..].starts_with('m'))
        });
        assert_eq!(styles.count(), 0, "{bytes:?}");
        assert!(screen.contains("2/3 ✗ Question 2, what"), "{screen}");
    }
    let coloured = run(&service, &folder, &[], &[("CLICOLOR_FORCE", "1")]).end().2;
    assert!(coloured.contains("\x1b[31m✗\x1b[0m"), "{coloured:?}");
}

#[test]
fn where_only_ascii_can_be_shown_only_ascii_is_written() {
    let folder = Folder::with("question\nWas heißt „東京“ auf Deutsch?\n");
    let service = Service::with(&["Deutsch=delay:600"]);
    let pty = run(&service, &folder, &[], &[("LANG", "C")]);
    pty.shows("----");
    let (code, screen, bytes) = pty.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("1/1 + Was hei?t ???? auf Deutsch?"), "{screen}");
    assert!(bytes.is_ascii(), "{bytes:?}");
}

#[test]
fn a_stranger_cannot_write_to_the_terminal() {
    let folder =
        Folder::with("question\n\"Say \x1b]0;owned\x07\x1b[2J\x1b[31mthis\u{202e}\u{9b}5A\"\n");
    let (code, screen, bytes) = run(&Service::friendly(), &folder, &[], &[]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("1/1 ✓ Say this"), "{screen}");
    assert!(!bytes.contains("owned") && !bytes.contains("\x1b[2J") && !bytes.contains('\u{9b}'));
}
