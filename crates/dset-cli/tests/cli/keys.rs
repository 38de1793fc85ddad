//! `dset keys`: kept for the user, used where they may be, shown nowhere.

use std::io::Write as _;
use std::process::Stdio;

use crate::common::terminal::Terminal;
use crate::common::{Folder, Ran, Service, questions};
use dset_mock::MockSettings;

const KEY: &str = "sk-Canary/0123456789+abcdef==";
const KEYS: &str = ".config/dset/keys.toml";
const USER: &str = ".config/dset/config.toml";

/// Runs a command with this on its standard input.
fn piped(folder: &Folder, arguments: &[&str], text: &str) -> Ran {
    let mut child = folder.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // A command that refuses does not read.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    hides_the_key(Ran::from(child.wait_with_output().unwrap()))
}

#[track_caller]
fn hides_the_key(ran: Ran) -> Ran {
    for part in [&KEY[..10], &KEY[10..20], "abcdef=="] {
        assert!(!ran.out.contains(part) && !ran.err.contains(part), "{}{}", ran.out, ran.err);
    }
    ran
}

/// A service that refuses every key but this.
fn service() -> Service {
    Service::start(MockSettings { expect_key: Some(KEY.into()), ..MockSettings::default() })
}

#[test]
fn a_key_is_kept_for_all_folders_until_it_is_removed() {
    let service = service();
    let folder = Folder::with(&questions(2));
    folder.dset(&["keys", "list"]).exits(0).tells("no keys are kept");
    let run = ["run", "--base-url", &service.url(), "-v"];
    folder.dset(&run).exits(4).says("`dset keys set deepseek`");
    let ran = piped(&folder, &["keys", "set", "deepseek"], &format!("{KEY}\n")).exits(0);
    assert_eq!(ran.out, "kept for DeepSeek, as DEEPSEEK_API_KEY\n");
    hides_the_key(folder.dset(&run)).exits(0);
    let list = hides_the_key(folder.dset(&["keys", "list"])).exits(0);
    assert!(list.out.starts_with("deepseek  DEEPSEEK_API_KEY  since 2"), "{}", list.out);
    let json = hides_the_key(folder.dset(&["keys", "list", "--json"])).json();
    assert_eq!(json["keys"][0]["variable"], "DEEPSEEK_API_KEY");
    let path = folder.dset(&["keys", "path"]).exits(0).out;
    assert_eq!(path.trim_end(), folder.path(KEYS).display().to_string());
    hides_the_key(folder.dset(&["config", "show", "--origin"]))
        .exits(0)
        .tells("DEEPSEEK_API_KEY  set")
        .tells("your keys file");
    folder.dset(&["keys", "remove", "deepseek"]).exits(0);
    folder.dset(&["keys", "remove", "deepseek"]).exits(2).says("no key is kept for `deepseek`");
    assert!(!folder.read(KEYS).contains("sk-"));
    folder.write("q.csv", questions(3));
    folder.dset(&run).exits(4);
}

#[test]
fn what_is_no_key_and_no_provider_is_refused_without_being_shown() {
    let folder = Folder::new();
    let set =
        |provider: &str, text: &str| piped(&folder, &["keys", "set", provider], text).exits(2);
    for text in ["", "\n", &format!("{KEY}\n{KEY}"), &format!("{KEY} {KEY}"), "s\u{e9}"] {
        set("deepseek", text).says("that cannot be a key");
    }
    set("depseek", KEY).says("Did you mean `dset keys set deepseek`?");
    set(KEY, "").says("there is no such provider");
    set("ollama", KEY).says("it is asked without one");
    set("openai-compatible", KEY).says("any server at a URL of yours");
    assert!(!folder.path(KEYS).exists());
    folder.write(KEYS, format!("[deepseek\nkey = \"{KEY}\"\n"));
    hides_the_key(folder.dset(&["keys", "list"])).exits(2).says("is not TOML");
}

#[test]
fn a_provider_of_the_users_own_may_have_a_key_and_one_of_the_folders_may_not() {
    let service = service();
    let folder = Folder::with(&questions(1));
    let table = format!("[provider.mine]\nbase-url = '{}'\nkey-env = 'MINE_KEY'\n", service.url());
    folder.write("dset.toml", &table);
    piped(&folder, &["keys", "set", "mine"], KEY).exits(2).says("in your own file");
    folder.write("dset.toml", "");
    folder.write(USER, &table);
    piped(&folder, &["keys", "set", "mine"], KEY).exits(0).tells("as MINE_KEY");
    hides_the_key(folder.dset(&["run", "-m", "mine/any"])).exits(0);
    // It is no key of anybody else's.
    folder.dset(&["run", "-m", "deepseek/deepseek-flash"]).exits(2).says("--again");
    folder.dset(&["run", "-m", "gpt-6-luna", "--again"]).exits(4).says("OPENAI_API_KEY");
}

#[test]
fn a_folder_that_names_a_host_gets_no_kept_key() {
    let folder = Folder::with(&questions(1));
    piped(&folder, &["keys", "set", "deepseek"], KEY).exits(0);
    let url = "base-url = 'https://evil.example/v1'\n";
    let own = format!("model = 'evil/m'\n[provider.evil]\nkey-env = 'DEEPSEEK_API_KEY'\n{url}");
    for (file, text, exit) in [
        ("dset.toml", url.to_owned(), 2),
        ("dset.toml", format!("[provider.deepseek]\n{url}"), 2),
        // The key is DeepSeek's: of another service it is none.
        ("dset.toml", own, 4),
        (".env", "DSET_BASE_URL=https://evil.example/v1\n".to_owned(), 2),
    ] {
        folder.write("dset.toml", "");
        folder.write(".env", "");
        folder.write(file, &text);
        let ran = hides_the_key(folder.dset(&["run"])).exits(exit);
        if exit == 2 {
            let ran = ran.says(&format!("would be sent to evil.example, which only {file} names"));
            ran.says("cause: the key is from your keys file, the base URL from ");
        }
    }
}

#[test]
fn a_list_of_models_is_not_asked_with_a_key_at_a_host_that_only_the_folder_names() {
    let folder = Folder::with(&questions(1));
    let table = "[provider.deepseek]\nbase-url = 'https://evil.example/v1'\n";
    folder.write("dset.toml", format!("model = 'openai/gpt-6-luna'\n{table}"));
    let variables = [
        ("DSET_BASE_URL", "https://api.openai.com/v1"),
        ("DEEPSEEK_API_KEY", "sk-0123456789abcdef"),
    ];
    let mut command = folder.command(&["models", "list", "--live", "deepseek"]);
    let ran = Ran::from(command.envs(variables).output().unwrap()).exits(2);
    ran.says("would be sent to evil.example, which only dset.toml names");
}

#[test]
fn whoever_set_a_key_that_is_refused_is_told_where_it_is_from() {
    let service = service();
    let folder = Folder::with(&questions(1));
    piped(&folder, &["keys", "set", "deepseek"], "sk-another").exits(0);
    let run = ["run", "--base-url", &service.url()];
    folder.dset(&run).exits(4).says("DEEPSEEK_API_KEY, which is from your keys file");
    folder.write(".env", "DEEPSEEK_API_KEY=sk-another");
    folder.dset(&run).exits(4).says("DEEPSEEK_API_KEY, which is from .env");
}

#[cfg(unix)]
#[test]
fn a_keys_file_that_others_can_read_is_refused_until_the_hint_is_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let service = service();
    let folder = Folder::with(&questions(1));
    piped(&folder, &["keys", "set", "deepseek"], KEY).exits(0);
    std::fs::set_permissions(folder.path(KEYS), std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = ["run", "--base-url", &service.url()];
    let ran = hides_the_key(folder.dset(&run)).exits(4).says("can be read by others");
    let hint = ran.err.lines().find_map(|line| line.strip_prefix("hint: Shut it: ")).unwrap();
    folder.dset(&["keys", "list"]).exits(4);
    folder.shell(hint.trim_matches('`')).exits(0);
    folder.dset(&run).exits(0);
}

#[cfg(unix)]
#[test]
fn a_key_that_is_typed_does_not_show_and_is_tried_before_it_is_kept() {
    let service = service();
    let folder = Folder::new();
    folder.write(USER, format!("[provider.deepseek]\nbase-url = '{}'\n", service.url()));
    let question = "API key (hidden; made at https://platform.deepseek.com/api_keys):";
    for (answer, exit, told) in [("", 2, "error: no key was given"), (KEY, 0, "kept for DeepSeek")]
    {
        let mut terminal = Terminal::start(folder.command(&["keys", "set", "deepseek"]));
        terminal.answer_unseen(question, "sk-another");
        terminal.answer_unseen("DeepSeek refuses this key", answer);
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(exit), "{screen}");
        let plain = without_colours(&screen);
        assert!(plain.contains(told) && !plain.contains("sk-"), "{plain}");
        assert_eq!(plain.contains("the key works, balance $110.00\n"), exit == 0, "{plain}");
        assert_eq!(folder.path(KEYS).exists(), exit == 0);
    }
    assert!(folder.read(KEYS).contains(KEY));
}

#[cfg(unix)]
#[test]
fn ctrl_c_at_a_hidden_question_leaves_a_terminal_that_shows_what_is_typed() {
    let folder = Folder::new();
    let terminal = Terminal::start(folder.command(&["keys", "set", "deepseek"]));
    crate::common::until("nothing shows", || !terminal.shows());
    terminal.interrupt();
    crate::common::until("it shows again", || terminal.shows());
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(!folder.path(KEYS).exists());
}

/// What is seen, without colours.
#[cfg(unix)]
fn without_colours(screen: &str) -> String {
    let mut plain = String::new();
    let mut rest = screen;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain += before;
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}
