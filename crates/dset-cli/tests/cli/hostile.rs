//! The settings of a stranger's folder: what they say is shown, and does nothing to a terminal.
#![cfg(unix)]

use crate::common::pty::Pty;
use crate::common::{Folder, Service};

/// A title, a cleared screen, a C1 sequence.
const EVIL: &str = "\x1b]0;EVIL\x07\x1b[2J\u{9b}5A";
/// The same in TOML.
const IN_TOML: &str = r"\u001b]0;EVIL\u0007\u001b[2J\u009b5A";

/// A folder whose every name is hostile, asked of a service that refuses the second question.
fn folder(service: &Service) -> Folder {
    let folder = Folder::new();
    folder.write(&format!("q{EVIL}.csv"), format!("\"question{EVIL}\",status\nOne?,\nTwo?,\n"));
    folder.write(
        "dset.toml",
        format!(
            "input = \"q{IN_TOML}.csv\"\noutput = \"out{IN_TOML}\"\nmodel = \"evil/m{IN_TOML}\"\n\
             [provider.evil]\nname = \"Evil{IN_TOML}\"\nbase-url = \"{}\"\nkeyless = true\n\
             models = [\"m{IN_TOML}\", \"n{IN_TOML}\"]\n",
            service.url()
        ),
    );
    folder
}

/// What styles a text, and nothing else.
fn is_style(sequence: &str) -> bool {
    let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';');
    end.is_some_and(|end| sequence[end..].starts_with('m'))
}

#[track_caller]
fn is_tame(what: &str, shown: &str, is_ours: impl Fn(&str) -> bool) {
    // A command in a hint spells it out, so that it names the file.
    let spelt = shown.replace(r"\x1b]0;EVIL\x07", "");
    assert!(!spelt.contains("EVIL"), "{what}: {shown:?}");
    assert!(!shown.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)), "{what}: {shown:?}");
    for sequence in shown.split('\x1b').skip(1) {
        assert!(is_ours(sequence), "{what}: {sequence:?} in {shown:?}");
    }
}

#[test]
fn no_command_hands_on_what_a_folder_would_do_to_a_terminal() {
    let service = Service::with(&["Two=risk"]);
    let folder = folder(&service);
    let ran = folder.dset(&["run"]).exits(3);
    is_tame("run", &ran.err, |_| false);
    let ran = folder.dset(&["run", "--log-format", "original"]);
    is_tame("run as the script", &ran.err, |_| false);
    for command in [
        "status",
        "show 1",
        "show 2",
        "show 9",
        "show --failed",
        "stats",
        "search One",
        "search no",
        "verify",
        "export",
        "export --rebuild",
        "config show",
        "config show --origin",
        "config get nothing",
        "models list",
        "models list evil",
        "models list --live",
        "models list --live evil",
        "doctor",
        "doctor --offline",
        "keys list",
        "keys set evil",
        "run",
        "run -o q.csv --column no",
        "status --column no",
        "status -o other",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let ran = folder.dset(&words);
        is_tame(command, &(ran.out + &ran.err), |_| false);
        // On a terminal there are styles of ours.
        let (_, _, bytes) =
            Pty::start(&folder.command(&words), (80, 24), &[("TERM", "dumb")]).end();
        is_tame(command, &bytes, |sequence| {
            is_style(sequence.strip_prefix('[').unwrap_or(sequence))
        });
    }
    for name in ["input", "output", "model"] {
        let get = folder.command(&["config", "get", name]);
        let (_, _, bytes) = Pty::start(&get, (80, 24), &[]).end();
        is_tame(name, &bytes, |_| false);
        let ran = folder.dset(&["config", "get", name]).exits(0);
        assert!(ran.out.contains(EVIL), "for a program it is as it is: {ran:?}");
    }
}

#[test]
fn a_run_on_a_terminal_does_nothing_that_a_folder_says() {
    let service = Service::with(&["Two=risk"]);
    let folder = folder(&service);
    let (code, screen, bytes) = Pty::start(&folder.command(&["run"]), (80, 24), &[]).end();
    assert_eq!(code, 3, "{screen}");
    is_tame("run", &bytes, |sequence| {
        let is_title = sequence.starts_with("]2;");
        let is_control = sequence.strip_prefix('[').is_some_and(|rest| {
            is_style(rest)
                || ["?", "K", "J", "22;0t", "23;0t"].iter().any(|own| rest.starts_with(own))
                || rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('A')
        });
        is_title || is_control || sequence.starts_with('\\')
    });
    assert!(!bytes.contains("\x1b[2J") && !bytes.contains("\x1b[5A"), "{bytes:?}");
}
