//! Help as people see it, in files: `tests/help/<command>.txt`. `SNAPSHOTS=overwrite cargo test
//! --test help` writes them anew.

use std::path::{Path, PathBuf};

use crate::common::{Folder, Ran};

/// Every command that has help.
const COMMANDS: [&str; 47] = [
    "",
    "demo",
    "init",
    "doctor",
    "report",
    "run",
    "status",
    "show",
    "search",
    "redo",
    "check",
    "stats",
    "estimate",
    "verify",
    "view",
    "export",
    "config",
    "config show",
    "config get",
    "config set",
    "config path",
    "config schema",
    "config reference",
    "keys",
    "keys set",
    "keys list",
    "keys remove",
    "models",
    "models list",
    "prices",
    "prices fetch",
    "prices set",
    "schema",
    "schema try",
    "import",
    "job",
    "job split",
    "job status",
    "job limits",
    "job merge",
    "work",
    "merge",
    "mock",
    "completions",
    "man",
    "version",
    "help",
];

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn asked(arguments: &[&str]) -> Ran {
    Folder::new().dset(arguments).exits(0)
}

#[test]
fn the_help_of_every_command_is_as_it_was_seen_and_fits_a_terminal() {
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
        let help = asked(&[&["help"], &arguments[..]].concat()).out;
        arguments.push("--help");
        let out = asked(&arguments).out;
        assert_eq!(out, help, "`dset help {command}` says what `--help` says");
        for line in out.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        let name = if command.is_empty() { "dset".into() } else { command.replace(' ', "-") };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        let expected = snapbox::Data::read_from(&path, Some(snapbox::data::DataFormat::Text)).raw();
        snapbox::Assert::new().action_env("SNAPSHOTS").eq(out, expected);
    }
}

#[test]
fn on_a_narrow_terminal_help_fits_and_no_example_is_broken() {
    let folder = Folder::new();
    for command in COMMANDS {
        let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
        let help = |width: &str| {
            let mut dset = folder.command(&[&words[..], &["--help"]].concat());
            Ran::from(dset.env("COLUMNS", width).output().unwrap()).exits(0).out
        };
        let whole = help("100");
        let examples = whole.split("\nExamples:\n").nth(1).unwrap_or_default();
        let example = |line: &str| line.trim().split("  ").next().unwrap().to_owned();
        let examples: Vec<String> = examples.lines().map(example).collect();
        for width in [40, 60, 80] {
            let help = help(&width.to_string());
            for line in help.lines() {
                let is_whole = line.starts_with("Usage: ")
                    || examples.iter().any(|example| line == format!("  {example}"));
                assert!(line.chars().count() <= width || is_whole, "{command}, {width}: {line}");
            }
            for example in &examples {
                assert!(help.contains(&format!("\n  {example}")), "{command}, {width}: {example}");
            }
            let below = help.split("\nExamples:\n").nth(1).unwrap_or_default();
            assert!(
                below.lines().all(|line| line.starts_with("  ")),
                "{command}, {width}: {below}"
            );
        }
    }
}

#[test]
fn every_command_has_its_help_in_a_file() {
    let listed = asked(&["--help"]).out;
    let commands = listed.split("Options:\n").next().unwrap();
    let commands = commands.lines().filter(|line| line.starts_with("  "));
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    for name in &names {
        assert!(COMMANDS.contains(name), "add {name} to the list of this test");
    }
    assert_eq!(names.len(), COMMANDS.iter().filter(|c| !c.is_empty() && !c.contains(' ')).count());
}

#[test]
fn the_page_of_unattended_runs_says_how_long_a_run_is_waited_for() {
    let page = docs("unattended.md");
    let grace = dset_core::run::TERM_GRACE.as_secs();
    assert!(page.contains(&format!("is waited for, {grace} seconds at most")), "{page}");
    for code in asked(&["help", "exit-codes"]).out.lines().skip(2) {
        let Some(code) = code.split_whitespace().next().filter(|c| c.parse::<u8>().is_ok()) else {
            continue;
        };
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}

#[test]
fn the_page_of_exit_codes_has_the_table_of_the_program() {
    let table = asked(&["help", "exit-codes"]).out;
    assert!(docs("exit-codes.md").contains(&format!("```text\n{table}```\n")), "{table}");
    // The README names each of them, too.
    for code in table.lines().filter_map(|line| line.trim().split_once("  ")?.0.parse::<u8>().ok())
    {
        let readme = docs("../README.md");
        assert!(readme.contains(&format!("{code} ")) || readme.contains(&format!("{code}, ")));
    }
}

#[test]
fn topics_are_told_and_a_name_that_is_none_is_an_error() {
    asked(&["help", "resume"]).tells("wants --continue or --again");
    asked(&["help", "files"]).tells("in dset_generator/");
    for topic in ["exit-codes", "resume", "files", "checks"] {
        let told = asked(&["help", topic]);
        assert!(told.out.lines().all(|line| line.chars().count() <= 80), "{}", told.out);
    }
    Folder::new().dset(&["help", "config", "st"]).exits(2).says("there is no help for `st`");
}

#[test]
fn completions_of_every_shell_name_the_commands_and_flags() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = asked(&["completions", shell]).out;
        for word in ["verify", "max-tokens", "log-format"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
        assert!(!script.contains("ack-fd"), "{shell} has what help does not show");
        folder.write(&format!("dset.{shell}"), script);
    }
    // A shell that is here reads what is meant for it.
    for (words, proposed) in [
        ("verif", "verify"),
        ("run -m gpt-6-lu", "gpt-6-luna"),
        ("run -m anthropic/claude-haiku-4-", "anthropic/claude-haiku-4-5"),
        ("init --model deepseek/deepseek-fl", "deepseek/deepseek-flash"),
        ("config get max-t", "max-tokens"),
        ("config set idle-", "idle-timeout"),
        ("keys set deepse", "deepseek"),
        ("keys remove anth", "anthropic"),
        ("help exit-", "exit-codes"),
        ("help veri", "verify"),
    ] {
        let (before, last) = words.rsplit_once(' ').unwrap_or(("", words));
        let before = format!("dset {before}");
        let bash = format!(
            "bash --norc -c '. ./dset.bash; COMP_WORDS=({before} {last}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _dset dset {last} {}; echo ${{COMPREPLY[*]}}'",
            before.split_whitespace().last().unwrap()
        );
        assert_eq!(folder.shell(&bash).exits(0).out.trim(), proposed, "bash: {words}");
        if folder.shell("fish --version").code == Some(0) {
            let fish = format!("fish -c 'source dset.fish; complete -C \"dset {words}\"'");
            folder.shell(&fish).exits(0).tells(proposed);
        }
    }
    if folder.shell("zsh --version").code == Some(0) {
        let zsh =
            "autoload -Uz compinit; compinit -u -d ./dump; source ./dset.zsh; whence -w _dset";
        folder.shell(&format!("zsh -f -c '{zsh}'")).exits(0).tells("_dset: function");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    asked(&["man"]).tells(".TH").tells("dset");
    let folder = Folder::new();
    folder.dset(&["man", "pages"]).exits(0).tells("the manual pages are in pages");
    let page = |name: &str| -> PathBuf { folder.path("pages").join(name) };
    for name in ["dset.1", "dset-run.1", "dset-config-set.1", "dset-import.1"] {
        let text = std::fs::read_to_string(page(name)).unwrap();
        assert!(text.contains(".SH NAME"), "{name}");
    }
}

#[test]
fn json_shapes_are_in_the_page_of_json() {
    let page = docs("json.md");
    for event in [
        "start",
        "ask",
        "answer",
        "retry",
        "error",
        "outage",
        "outage_retry",
        "outage_another",
        "outage_final",
        "outage_over",
        "endpoint_down",
        "endpoint_up",
        "bookmark",
        "stopping",
        "trouble",
        "end",
    ] {
        assert!(page.contains(&format!("`{event}`")), "docs/json.md lacks {event}");
    }
    for command in COMMANDS.iter().filter(|command| !matches!(**command, "" | "config")) {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        if asked(&arguments).out.contains("      --json") {
            let name = format!("`dset {command} --json`");
            assert!(page.contains(&name), "docs/json.md lacks {name}");
        }
    }
}

#[test]
#[cfg(unix)]
fn the_readme_shows_a_row_with_every_key_that_a_run_writes() {
    let page = docs("../README.md");
    let shown = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = Folder::new();
    folder.dset(&["demo"]);
    let output = folder.read("dset-demo/dset_generator/output.json");
    let [shown, written]: [serde_json::Value; 2] =
        [shown, output.lines().next().unwrap()].map(|row| serde_json::from_str(row).unwrap());
    for part in ["metadata", "response"] {
        let keys = |row: &serde_json::Value| {
            Vec::from_iter(row[part].as_object().unwrap().keys().cloned())
        };
        assert_eq!(keys(&shown), keys(&written));
    }
}

#[test]
#[cfg(unix)]
fn arguments_that_are_no_text_are_an_error_like_any_other() {
    use std::os::unix::ffi::OsStringExt as _;
    let folder = Folder::new();
    for (words, code) in [
        (&["\u{1}"][..], 2),
        (&["run", "\u{1}"], 2),
        (&["run", "-m", "\u{1}"], 2),
        (&["status", "\u{1}.csv"], 2),
        (&["import", "--column", "x", "\u{1}"], 2),
    ] {
        let mut command = folder.command(&[]);
        for word in words {
            let bytes = word.bytes().map(|byte| if byte == 1 { 0xff } else { byte });
            command.arg(std::ffi::OsString::from_vec(bytes.collect()));
        }
        let ran = Ran::from(command.output().unwrap()).exits(code);
        assert!(ran.err.contains("error: ") && !ran.err.contains("panicked"), "{}", ran.err);
    }
}

#[test]
fn a_command_of_a_command_that_is_meant_is_named_with_it() {
    let folder = Folder::new();
    folder
        .dset(&["help", "config", "sow"])
        .exits(2)
        .says("hint: Did you mean `dset help config show`?");
    folder.dset(&["help", "config", "show"]).exits(0);
}
