//! `dset init`: what is missing is made, what is there is kept.

use std::io::Write as _;
use std::process::Stdio;

use crate::common::terminal::Terminal;
use crate::common::{Folder, Ran, Service};
use dset_mock::MockSettings;

const KEY: &str = "sk-Canary/0123456789+abcdef==";
const USER: &str = ".config/dset/config.toml";

fn piped(folder: &Folder, arguments: &[&str]) -> Ran {
    let mut child = folder.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(format!("{KEY}\n").as_bytes());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(!ran.out.contains("sk-") && !ran.err.contains("sk-"), "{}{}", ran.out, ran.err);
    ran
}

fn service() -> Service {
    Service::start(MockSettings { expect_key: Some(KEY.into()), ..MockSettings::default() })
}

#[test]
fn without_a_terminal_it_takes_defaults_and_a_second_time_it_changes_nothing() {
    let folder = Folder::new();
    let ran = folder.dset(&["init"]).exits(0);
    assert_eq!(
        ran.out,
        "\
nobody is asked here: what has no flag takes its default
  + q.csv        3 sample questions
  + dset.toml    settings, all of them comments
  ! key          DEEPSEEK_API_KEY is not there yet

hint: Keep the key with `dset keys set deepseek`
hint: Try the samples with `dset run`; then put your own questions into q.csv
"
    );
    assert_eq!(ran.err, "");
    assert!(folder.read("q.csv").starts_with("question,status\n"));
    let before = folder.everything();
    let ran = folder.dset(&["init", "-y"]).exits(0);
    assert_eq!(
        ran.out,
        "  = q.csv        kept as it is
  = dset.toml    kept as it is
  ! key          DEEPSEEK_API_KEY is not there yet

hint: Keep the key with `dset keys set deepseek`
hint: Ask the questions in q.csv with `dset run`
"
    );
    assert_eq!(folder.everything(), before);
}

#[test]
fn samples_have_the_form_that_the_ending_of_their_file_says() {
    for name in ["a.csv", "a", "a.tsv", "a.jsonl", "a.json", "a.txt"] {
        let (folder, service) = (Folder::new(), Service::friendly());
        folder
            .dset(&["init", "--questions", name])
            .exits(0)
            .tells("Try the samples with `dset run`");
        let ran = service.run(&folder, &[]).exits(0);
        assert_eq!(service.stats().questions, 3, "{name}: {}", ran.err);
        let asked = "How does a seed know which way is up, and which is down?";
        assert!(service.asked().contains_key(asked), "{name}");
    }
    let folder = Folder::new();
    let refused = folder.dset(&["init", "--questions", "a.parquet"]).exits(2);
    refused.says("there is no `a.parquet`").says(".jsonl");
    assert!(folder.everything().is_empty(), "nothing was made");
}

#[test]
fn what_is_there_is_kept_byte_for_byte() {
    let folder = Folder::new();
    let mine = [("q.csv", ""), ("dset.toml", "model = 'gpt-6-luna'\n"), (".env", "# mine\nA=1")];
    mine.iter().for_each(|(name, text)| folder.write(name, text));
    let ran = folder.dset(&["init", "-m", "deepseek-v4-pro", "--questions", "q.csv"]).exits(0);
    // The settings that were kept say otherwise, so the next command says it.
    assert!(ran.out.contains("`dset run -m deepseek-v4-pro`"), "{}", ran.out);
    mine.iter().for_each(|(name, text)| assert_eq!(folder.read(name), *text));
    // A key is put behind what is there, and only once.
    for _ in 0..2 {
        piped(&folder, &["init", "--key-stdin", "--offline"]).exits(0).tells("OPENAI_API_KEY");
        assert_eq!(folder.read(".env"), format!("# mine\nA=1\nOPENAI_API_KEY={KEY}\n"));
    }
}

#[test]
fn a_key_is_not_written_over_another_nor_through_a_link() {
    let folder = Folder::new();
    folder.write(".env", "DEEPSEEK_API_KEY=sk-another\n");
    let ran = piped(&folder, &["init", "--key-stdin", "--offline"]).exits(2);
    ran.says("there is another DEEPSEEK_API_KEY in .env");
    assert_eq!(folder.read(".env"), "DEEPSEEK_API_KEY=sk-another\n");
    #[cfg(unix)]
    for (link, says) in [(".env", "`.env` is a link"), (".gitignore", "which git does not follow")]
    {
        let folder = Folder::new();
        folder.write(".git/HEAD", "x");
        folder.write("shared.txt", "mine\n");
        std::os::unix::fs::symlink("shared.txt", folder.path(link)).unwrap();
        piped(&folder, &["init", "--key-stdin", "--offline"]).exits(2).says(says);
        assert_eq!(folder.read("shared.txt"), "mine\n");
    }
}

#[test]
fn the_model_and_the_file_that_were_chosen_are_what_the_next_run_asks() {
    let folder = Folder::new();
    let arguments = ["init", "-y", "--model", "ollama/qwen3:8b", "--questions", "in/my.csv"];
    folder.dset(&arguments).exits(0).tells("none is needed for Ollama").tells("with `dset run`");
    assert!(folder.read("in/my.csv").starts_with("question,status\n"));
    let get = |name: &str| folder.dset(&["config", "get", name]).exits(0).out;
    assert_eq!((&*get("model"), &*get("input")), ("ollama/qwen3:8b\n", "in/my.csv\n"));
    folder.dset(&["init", "--model", "groq/"]).exits(2).says("names groq and no model of it");
}

#[test]
fn a_key_is_not_taken_for_a_model_or_a_file_and_is_written_nowhere() {
    let folder = Folder::new();
    let word = format!("DEEPSEEK_API_KEY={KEY}");
    for key in [KEY, "0123456789abcdef0123456789abcdef", &word] {
        for arguments in [
            &["init", "--model", key][..],
            &["init", "-y", "-m", key],
            &["init", "--questions", key],
            &["config", "set", "model", key],
            &["config", "set", "--user", "model", key],
        ] {
            let ran = folder.dset(arguments).exits(2).says("not a key");
            assert!(!ran.out.contains(key) && !ran.err.contains(key), "{ran:?}");
        }
    }
    for arguments in [&["run", "-m", KEY][..], &["doctor", "-m", KEY], &["run", "-m", &word]] {
        let ran = folder.dset(arguments);
        assert!(ran.code != Some(0) && !ran.out.contains(KEY) && !ran.err.contains(KEY), "{ran:?}");
    }
    let mut run = folder.command(&["run"]);
    let ran = Ran::from(run.env("DSET_MODEL", KEY).output().unwrap()).exits(2);
    assert!(!ran.err.contains(KEY), "{ran:?}");
    assert!(folder.everything().is_empty());
    folder.write("dset.toml", format!("model = '{KEY}'\n"));
    let ran = folder.dset(&["run"]).exits(2).says("dset.toml, line 1: `model`");
    assert!(!ran.err.contains(KEY), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_key_that_is_typed_where_a_name_is_asked_for_is_asked_for_again() {
    let folder = Folder::new();
    let mut terminal = Terminal::start(folder.command(&["init", "--no-key"]));
    // The key and Enter, then Enter alone.
    let key = format!("{KEY}\n");
    terminal.answer("Questions file [q.csv]:", &key);
    terminal.answer("Model [deepseek-flash]:", &key);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(screen.matches("looks like a key").count(), 2, "{screen}");
    assert!(folder.everything().values().all(|bytes| !bytes.windows(3).any(|w| w == b"sk-")));
}

#[test]
fn a_key_is_private_and_kept_out_of_a_git_repository() {
    for (made, ignored) in [
        (&[][..], None),
        (&[(".git/HEAD", "x")][..], Some(".env\n")),
        (&[(".gitignore", "target")][..], Some("target\n.env\n")),
        (&[(".git/HEAD", "x"), (".gitignore", "*.env\n")][..], Some("*.env\n")),
    ] {
        let folder = Folder::new();
        made.iter().for_each(|(name, text)| folder.write(name, text));
        piped(&folder, &["init", "--key-stdin", "--offline"]).exits(0);
        assert_eq!(folder.read(".env"), format!("DEEPSEEK_API_KEY={KEY}\n"));
        let there = std::fs::read_to_string(folder.path(".gitignore")).ok();
        assert_eq!(there.as_deref(), ignored);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path(".env")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let ran = folder.dset(&["doctor", "--offline"]).exits(0);
        assert!(ran.out.contains("only you can read it"), "{}", ran.out);
    }
}

#[test]
fn a_key_is_tried_where_that_is_free_and_where_it_may_go() {
    let service = service();
    let folder = Folder::new();
    folder.write(USER, format!("[provider.deepseek]\nbase-url = '{}'\n", service.url()));
    let ran = piped(&folder, &["init", "--key-stdin"]).exits(0);
    assert!(ran.out.contains("DEEPSEEK_API_KEY in .env works, balance $110.00"), "{}", ran.out);
    // Nobody answers: it is written down all the same.
    let folder = Folder::new();
    folder.write(USER, "[provider.deepseek]\nbase-url = 'http://127.0.0.1:1'\n");
    let ran = piped(&folder, &["init", "--key-stdin"]).exits(0);
    assert!(ran.out.contains("in .env, could not be tried: Connection refused"), "{}", ran.out);
    // A folder that names the place is not sent what was typed for it.
    let folder = Folder::new();
    folder.write("dset.toml", "base-url = 'https://evil.invalid'\nmodel = 'deepseek-flash'\n");
    let ran = piped(&folder, &["init", "--key-stdin"]).exits(0);
    assert!(!ran.out.contains("tried"), "{}", ran.out);
    piped(&folder, &["init", "--key-stdin", "--no-key"]).exits(2);
}

#[cfg(unix)]
#[test]
fn at_a_terminal_it_asks_and_what_is_found_is_not_asked_for() {
    let service = service();
    let folder = Folder::new();
    folder.write(USER, format!("[provider.deepseek]\nbase-url = '{}'\n", service.url()));
    let mut terminal = Terminal::start(folder.command(&["init"]));
    terminal.answer("Questions file [q.csv]:", "mine.csv");
    terminal.answer("Model [deepseek-flash]:", "");
    terminal.answer_unseen("DeepSeek API key at 127.0.0.1 (hidden, Enter to skip):", KEY);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("the key works, balance $110.00"), "{screen}");
    assert!(!screen.contains("sk-") && !screen.contains("nobody is asked"), "{screen}");
    assert!(folder.read("dset.toml").contains("\ninput = \"mine.csv\"\n"));
    folder.dset(&["run"]).exits(0);
    let mut terminal = Terminal::start(folder.command(&["init"]));
    terminal.answer("Questions file [mine.csv]:", "");
    terminal.answer("Model [deepseek-flash]:", "");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("hidden") && screen.contains("from .env"), "{screen}");
}

#[test]
fn a_new_user_gets_from_nothing_to_answers_in_five_commands() {
    let service = service();
    let folder = Folder::new();
    folder.write(USER, format!("[provider.deepseek]\nbase-url = '{}'\n", service.url()));
    folder.dset(&["demo"]).exits(0).says("Look at dset-demo/");
    piped(&folder, &["init", "--key-stdin"]).exits(0);
    folder.dset(&["doctor"]).exits(0).tells("nothing is wrong");
    folder.dset(&["run"]).exits(0).says("All 3 questions processed successfully!");
    folder.dset(&["status"]).exits(0).tells("3/3");
}
