//! `dset doctor` and `dset models`: what is wrong is told, with what mends it.

use crate::common::{Folder, Ran, Service, questions};
use dset_mock::MockSettings;

const KEY: &str = "sk-Canary/0123456789+abcdef==";
const USER: &str = ".config/dset/config.toml";

fn with_key(settings: MockSettings) -> Service {
    Service::start(MockSettings { expect_key: Some(KEY.into()), ..settings })
}

/// A folder with so many questions, its key in `.env`, whose DeepSeek is this service.
fn folder(rows: usize, url: &str, key: &str) -> Folder {
    let folder = Folder::with(&questions(rows));
    folder.write(USER, format!("[provider.deepseek]\nbase-url = '{url}'\n"));
    secret(&folder, key);
    folder
}

fn secret(folder: &Folder, key: &str) {
    folder.write(".env", format!("DEEPSEEK_API_KEY={key}\n"));
    mode(folder, 0o600);
}

fn mode(folder: &Folder, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path(".env"), mode).unwrap();
    }
    #[cfg(not(unix))]
    let _ = (folder, mode);
}

/// The lines that name this, joined, with what they hold of the moment and the machine left out.
fn lines<'a>(ran: &'a Ran, name: &str) -> Vec<&'a str> {
    let of = |line: &&str| line.get(4..).is_some_and(|rest| rest.starts_with(name));
    ran.out.lines().filter(of).map(str::trim).collect()
}

#[test]
fn a_folder_that_lacks_nothing_is_told_so_and_left_as_it_is() {
    let service = with_key(MockSettings::default());
    let folder = folder(3, &service.url(), KEY);
    folder.write("dset.toml", "model = 'deepseek-v4-pro'\n");
    let before = folder.everything();
    let ran = folder.dset(&["doctor"]).exits(0);
    let host = service.url();
    let shown: Vec<String> = ran
        .out
        .lines()
        .map(|line| {
            let line = line.split(" answers in ").next().unwrap().replace(&host, "URL");
            line.split(", ")
                .take_while(|part| !part.ends_with(" free"))
                .collect::<Vec<_>>()
                .join(", ")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "  + q.csv        3 questions, UTF-8, columns question,status",
            "  + dset.toml    1 setting",
            "  + config.toml  0 settings, 1 service",
            "  + key          DEEPSEEK_API_KEY from .env",
            "  + .env         only you can read it",
            "  + service      URL/",
            "  + model        deepseek-v4-pro is served, thinks",
            "  + question     deepseek-v4-pro",
            "  + balance      $110.00",
            "  + output       dset_generator/ can be written",
            "  + store        none yet: the first run makes it",
            &format!("  + dset         {}", env!("CARGO_PKG_VERSION")),
            "",
            "nothing is wrong",
        ]
    );
    assert_eq!(folder.everything(), before);
    assert_eq!(service.stats().asked, 1, "one question, which no run counts as its own");
    folder.dset(&["doctor", "--offline"]).exits(0);
    assert_eq!(service.stats().asked, 1);
    folder.dset(&["run"]).exits(0);
    folder.dset(&["doctor"]).exits(0).tells("3 answered, 0 pending, 0 failed");
    let json = folder.dset(&["doctor", "--json"]).exits(0).json();
    assert_eq!((&json["v"], &json["problems"]), (&1.into(), &0.into()));
    assert_eq!(json["checks"][0]["name"], "q.csv");
}

#[test]
fn what_is_odd_in_the_questions_is_told_by_row_and_fails_nothing() {
    let folder = Folder::with("id,question,status\n1,a,\n2,b,ERROR\n3,,\n4,a,\n5,b,\n6,a,\n7,a,\n");
    let ran = folder.dset(&["doctor", "--offline", "--key", "none"]).exits(0);
    assert_eq!(
        lines(&ran, "q.csv"),
        [
            "+ q.csv        6 questions, UTF-8, 1 empty row skipped, columns id,question,status; \
             `question` is asked",
            "! q.csv        4 rows ask what an earlier row asks, and get answers of their own (rows \
             5 = 2, 6 = 3, 7 = 2, …)",
            "! q.csv        1 row says ERROR: the next run asks it again, unless the token limit cut it",
        ]
    );
    assert!(ran.out.ends_with("\n2 warnings\n"), "{}", ran.out);
}

#[test]
fn settings_with_which_a_run_would_not_begin_are_problems() {
    let folder = Folder::with(&questions(2));
    for said in [
        &["--formats", "xml"][..],
        &["--check", "matches=["],
        &["--gold", "nope"],
        &["-m", "nobody-knows", "--max-cost", "5", "--max-output-bound", "9"],
        &["-m", "nobody-knows", "--max-cost", "5"],
        &["-m", "nobody-knows", "--off-peak"],
    ] {
        let with = |command: &[&str]| folder.dset(&[command, &["--key", "none"], said].concat());
        let run = with(&["run"]).exits(2);
        let message = run.err.lines().find_map(|line| line.strip_prefix("error: ")).unwrap();
        let doctor = with(&["doctor", "--offline", "--json"]).exits(1).json();
        let is_told = |check: &serde_json::Value| {
            check["grade"] == "problem" && check["says"].as_str().unwrap().starts_with(message)
        };
        let checks = doctor["checks"].as_array().unwrap();
        assert_eq!(checks.iter().filter(|check| is_told(check)).count(), 1, "{said:?}: {doctor:#}");
    }
    assert!(!folder.path("dset_generator").exists());
}

#[test]
fn what_a_run_would_fail_of_on_this_machine_is_a_problem_with_what_mends_it() {
    let fails = |folder: &Folder, arguments: &[&str], says: &str, hint: &str| {
        let all = [&["doctor", "--offline"], arguments].concat();
        let ran = folder.dset(&all).exits(1);
        assert!(ran.out.contains(says) && ran.out.contains(hint), "{says}, {hint}:\n{}", ran.out);
    };
    let none = ["--key", "none"];
    fails(&Folder::new(), &none, "x q.csv        there is no `q.csv`", "dset init");
    let folder = Folder::with(&questions(1));
    fails(&folder, &none[..0], "neither in the environment", "hint: Keep one with `dset keys set");
    fails(&folder, &["in.csv", "--key", "none"], "x in.csv", "hint: ");
    fails(
        &folder,
        &["--column", "x", "--key", "none"],
        "the columns are: question, status",
        "--column",
    );
    folder.write("dset.toml", "modle = 'x'\n");
    fails(&folder, &none, "x settings     dset.toml, line 1", "Did you mean `model`?");
    folder.write("dset.toml", "");
    folder.write("q.csv", "question,status\n");
    fails(&folder, &none, "`q.csv` has no questions", "hint: Write one");
    folder.write("q.csv", "id,body_text\n1,abc\n");
    let ran = folder.dset(&["doctor", "--offline", "--key", "none"]).exits(0);
    ran.tells("row 1 is no header that dset knows: `id` is asked").tells("--column body_text");
    folder.write("q.csv", b"question\ncaf\xe9\n");
    fails(&folder, &none, "is not UTF-8", "dset import q.csv");
    folder.write("q.csv", questions(1));
    folder.write("dset_generator/dset.db", "no store, whatever its name says, and it goes on");
    fails(&folder, &none, "x store", "hint: ");
    folder.write("out", "a file");
    fails(&folder, &["-o", "out", "--key", "none"], "out/ cannot be written", "Move that file");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_have_is_warned_of_and_the_hint_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with(&questions(1));
    secret(&folder, KEY);
    folder.dset(&["doctor", "--offline"]).exits(0);
    folder.write(".git/HEAD", "x");
    mode(&folder, 0o644);
    let ran = folder.dset(&["doctor", "--offline"]).exits(0).tells("can be read by others");
    let hint = ran.out.lines().find_map(|line| line.strip_prefix("hint: Fix .env with ")).unwrap();
    folder.shell(hint.trim_matches('`')).exits(0);
    folder.dset(&["doctor", "--offline"]).exits(0).tells("only you can read it");
    // So is a keys file, also where no key of it is wanted.
    let keys = ".config/dset/keys.toml";
    folder.write(keys, "");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.path(keys), open).unwrap();
    let ran = folder.dset(&["doctor", "--offline"]).exits(0).tells("keys.toml can be read by");
    let hint = ran.out.lines().find_map(|line| line.strip_prefix("hint: Shut it with ")).unwrap();
    folder.shell(hint.trim_matches('`')).exits(0);
    folder.dset(&["doctor", "--offline"]).exits(0);
    // What is no secret may be read by anybody.
    folder.write(".gitignore", "");
    folder.write(".env", "DSET_KEY=none\n");
    mode(&folder, 0o644);
    folder.dset(&["doctor", "--offline"]).exits(0);
}

#[test]
fn what_a_run_does_not_fail_of_is_no_problem() {
    let service = Service::friendly();
    let url = service.url();
    // All is answered, and the key is gone; the service as well.
    let folder = Folder::with(&questions(2));
    service.run(&folder, &[]).exits(0);
    for place in [&*url, "http://127.0.0.1:1"] {
        let place = ["--base-url", place, "--key", "NOT_THERE"];
        folder.dset(&[&["run"], &place[..]].concat()).exits(0);
        let ran = folder.dset(&[&["doctor"], &place[..]].concat()).exits(0);
        ran.tells("nothing is left to ask").tells("warning");
    }
    // Something is left.
    folder.write("q.csv", questions(3));
    let place = ["--base-url", &*url, "--key", "NOT_THERE"];
    folder.dset(&[&["run"], &place[..]].concat()).exits(4);
    folder.dset(&[&["doctor"], &place[..]].concat()).exits(1);
    // One of two places is out.
    let both = ["--base-url", "http://127.0.0.1:1", "--base-url", &*url, "--key", "none"];
    let ran = folder.dset(&[&["doctor"], &both[..]].concat()).exits(0);
    ran.tells("another place is asked meanwhile");
    let out = ["--base-url", "http://127.0.0.1:1", "--base-url", "http://127.0.0.1:2"];
    folder.dset(&[&["doctor", "--key", "none"], &out[..]].concat()).exits(1);
    folder.dset(&[&["run"], &both[..]].concat()).exits(0);
}

#[test]
fn what_a_service_says_is_told_apart() {
    let on = |rule: &str| MockSettings { on: vec![rule.parse().unwrap()], ..Default::default() };
    for (settings, key, exit, name, says) in [
        (
            MockSettings::default(),
            "sk-wrong",
            1,
            "key",
            "127.0.0.1 refuses DEEPSEEK_API_KEY from .env",
        ),
        (on("/models=400"), KEY, 0, "service", "answers in"),
        (on("/models=403"), KEY, 0, "service", "this key may not look around"),
        (
            MockSettings { money: Some(0), ..Default::default() },
            KEY,
            1,
            "balance",
            "$0.00: 127.0.0.1 will not answer",
        ),
        (on("/models=503"), KEY, 0, "service", "says 503 in"),
        (on("/models=404"), KEY, 0, "service", "/models says 404 in"),
        (on("/models=405"), KEY, 0, "question", "deepseek-flash answers in"),
        (on("/models=307"), KEY, 1, "service", "sends elsewhere (307)"),
        (on("/models=reset"), KEY, 1, "service", "not understood: "),
        (on("/models=broken"), KEY, 0, "service", "answers in"),
        (on("/user/balance=500"), KEY, 0, "model", "deepseek-flash is served"),
    ] {
        let service = with_key(settings);
        let folder = folder(1, &service.url(), key);
        let ran = folder.dset(&["doctor"]).exits(exit);
        let told = lines(&ran, name).join("\n");
        assert!(told.contains(says), "{says}:\n{}", ran.out);
        assert!(!ran.out.contains("sk-"), "{}", ran.out);
    }
}

#[test]
fn a_place_that_is_not_the_services_own_is_called_by_its_host() {
    let folder = Folder::with(&questions(1));
    secret(&folder, KEY);
    let told = |settings: MockSettings| {
        let service = Service::start(settings);
        folder.dset(&["doctor", "--base-url", &service.url()]).exits(1).out
    };
    let out = told(MockSettings { money: Some(0), ..MockSettings::default() });
    assert!(out.contains("$0.00: 127.0.0.1 will not answer") && !out.contains("Top up"), "{out}");
    let out = told(MockSettings { expect_key: Some("other".into()), ..MockSettings::default() });
    assert!(out.contains("127.0.0.1 refuses DEEPSEEK_API_KEY from .env"), "{out}");
    let command = ["doctor", "--offline", "--base-url", "http://127.0.0.1:1", "--key", "none"];
    folder.dset(&command).exits(0).tells("none is needed for 127.0.0.1");
}

#[test]
fn a_question_is_asked_as_a_run_would_ask_it_and_what_a_run_would_end_with_is_a_problem() {
    for (rule, exit, says, hint) in [
        ("OK=length", 0, "+ question     deepseek-flash answers in", ""),
        ("OK=404", 1, "x question     wrong address (404): http", "Did you mean `--base-url http"),
        ("OK=307", 1, "x question     redirect (307): http", "Look at the base URL"),
        ("OK=401", 1, "x question     key refused (401)", "Look at DEEPSEEK_API_KEY"),
        ("OK=402", 1, "x question     out of money (402)", ""),
        ("OK=400", 1, "x question     refused (400)", "Change the setting"),
        ("OK=429", 0, "! question     rate limited (429)", "a run waits for it"),
        ("OK=503", 0, "! question     overloaded (503)", "a run waits for it"),
        ("OK=risk", 0, "! question     was refused: content filter", ""),
    ] {
        let service = with_key(MockSettings {
            on: vec![rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"))],
            ..Default::default()
        });
        let folder = folder(1, &service.url(), KEY);
        let ran = folder.dset(&["doctor"]).exits(exit).tells(says).tells(hint);
        assert!(!ran.out.contains("sk-"), "{}", ran.out);
    }
}

/// Says this to a GET, and answers any question.
fn listing(says: &'static str) -> String {
    use std::io::{Read, Write};
    const ANSWER: &str = "200 OK\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"OK\"},\
                          \"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            let mut asked = Vec::new();
            let mut bytes = [0; 4096];
            // A question ends with the brace of its body, anything else with its head.
            while !(asked.ends_with(b"}")
                || asked.starts_with(b"GET") && asked.ends_with(b"\r\n\r\n"))
            {
                let read = stream.read(&mut bytes).unwrap();
                asked.extend_from_slice(&bytes[..read]);
            }
            let reply = if asked.starts_with(b"GET") { says } else { ANSWER };
            let reply = reply.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            write!(stream, "HTTP/1.1 {reply}").unwrap();
        }
    });
    at
}

#[test]
fn a_list_of_models_that_is_refused_not_there_a_page_or_in_other_words_is_told() {
    for (says, exit, told, hint) in [
        ("401 Unauthorized\r\n\r\n{}", 1, "x service      URL wants a key (401)", "`--key NAME`"),
        ("404 Not Found\r\n\r\n{}", 0, "! service      URL/models says 404", "--base-url URL/v1"),
        (
            "200 OK\r\n\r\n<html><title>Sign in</title></html>",
            1,
            "x service      URL/models is a page for people: Sign in",
            "--base-url URL/v1",
        ),
        ("301 Moved\r\nlocation: /x\r\n\r\n", 1, "sends elsewhere (301), to /x", "--base-url URL"),
        ("200 OK\r\n\r\n{\"data\":[{\"name\":\"m\"}]}", 0, "+ model        m is served", ""),
        (
            "200 OK\r\n\r\n{\"data\":[{\"id\":\"a\"}]}",
            0,
            "! model        m is not among the 1 model",
            "It lists: a",
        ),
        ("200 OK\r\n\r\n{\"data\":[]}", 0, "m is not listed", "it took 9 tokens in and 1 out"),
    ] {
        let url = listing(says);
        let folder = Folder::with(&questions(1));
        let ran = folder.dset(&["doctor", "--base-url", &url, "-m", "m", "--key", "none"]);
        let ran = ran.exits(exit);
        let out = ran.out.replace(&format!("{url}/"), "URL/").replace("URL/ ", "URL ");
        let out = out.replace(&url, "URL");
        assert!(out.contains(told) && out.contains(hint), "{told}, {hint}:\n{out}");
    }
}

#[test]
fn a_service_that_cannot_be_reached_is_told_with_the_reason() {
    let service = Service::friendly();
    let port = service.url().rsplit_once(':').unwrap().1.to_owned();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, proxy, says) in [
        (format!("http://{gone}/v1"), "", "not reached: Connection refused"),
        (
            format!("https://127.0.0.1:{port}"),
            "",
            "speaks another protocol: TLS: what answers there does not speak it",
        ),
        (
            "http://nowhere.invalid/v1".into(),
            "",
            "no such name: the name nowhere.invalid is not known",
        ),
        (
            "http://nowhere.invalid/v1".into(),
            &*format!("http://{gone}"),
            "not reached: through the proxy: ",
        ),
    ] {
        let folder = folder(1, &url, KEY);
        let mut command = folder.command(&["doctor"]);
        if !proxy.is_empty() {
            command.env("http_proxy", proxy);
        }
        let ran = Ran::from(command.output().unwrap()).exits(1);
        assert!(lines(&ran, "service").join("\n").contains(says), "{says}:\n{}", ran.out);
        folder.dset(&["doctor", "--offline"]).exits(0);
    }
}

#[test]
fn a_name_that_no_model_has_is_a_problem_with_the_one_that_was_meant() {
    let service = with_key(MockSettings::default());
    let folder = folder(1, &service.url(), KEY);
    let ran = folder.dset(&["doctor", "-m", "deepseek/deepseek-flsh"]).exits(1);
    ran.tells("x model        deepseek-flsh is not among the 2 models that the service lists")
        .tells("Did you mean `-m deepseek-flash`?");
    // At DeepSeek's own host a run would ask the one in its place; this service lacks it.
    let retired =
        "deepseek-reasoner was retired on 2026-07-24; in its place there is deepseek-flash";
    folder.dset(&["doctor", "-m", "deepseek/deepseek-reasoner"]).exits(0).tells(retired);
    folder.write(USER, "");
    let ran = folder.dset(&["doctor", "--offline", "-m", "deepseek-reasoner"]).exits(0);
    let ran = ran.tells(retired);
    let hint = ran.out.lines().find_map(|line| line.strip_prefix("hint: Name that: "));
    folder.shell(hint.unwrap().trim_matches('`')).exits(0);
    folder.dset(&["doctor", "--offline"]).exits(0).tells("nothing is wrong");
}

#[test]
fn a_key_that_the_service_says_aloud_is_not_said_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::{Read as _, Write as _};
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let body = format!("{{\"data\":[{{\"id\":\"{KEY}\"}},{{\"id\":\"\\u001b[2J\"}}]}}");
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let folder = folder(1, &url, KEY);
    for arguments in [&["doctor"][..], &["models", "list", "--live", "deepseek"]] {
        let ran = folder.dset(arguments);
        assert!(!ran.out.contains("Canary") && !ran.out.contains('\u{1b}'), "{}", ran.out);
        assert!(!ran.err.contains("Canary"), "{}", ran.err);
    }
    folder.dset(&["models", "list", "--live"]).exits(0).tells("***");
}

#[test]
fn a_folder_that_names_a_host_gets_no_key_from_whoever_looks_at_it() {
    let folder = Folder::with(&questions(1));
    for (file, text) in [
        ("dset.toml", "base-url = 'https://evil.example/v1'\n"),
        ("dset.toml", "[provider.deepseek]\nbase-url = 'https://evil.example/v1'\n"),
        (".env", "DSET_BASE_URL=https://evil.example/v1\n"),
    ] {
        folder.write("dset.toml", "");
        folder.write(file, text);
        for (arguments, exit) in [(&["doctor"][..], 1), (&["models", "list", "--live"], 2)] {
            let mut command = folder.command(arguments);
            let ran = Ran::from(command.env("DEEPSEEK_API_KEY", KEY).output().unwrap()).exits(exit);
            let said = format!("would be sent to evil.example, which only {file} names");
            assert!(ran.out.contains(&said) || ran.err.contains(&said), "{}{}", ran.out, ran.err);
            assert!(lines(&ran, "service").is_empty(), "nobody was asked: {}", ran.out);
        }
    }
}

#[test]
fn a_run_that_goes_on_is_told_and_is_no_problem() {
    let service = Service::with(&["Question=hang"]);
    let folder = Folder::with(&questions(1));
    let going = service.begin(&folder, &[]);
    crate::common::until("it is asked", || service.stats().asked > 0);
    let more = ["--key", "none", "--base-url", &service.url()];
    let ran = folder.dset(&[&["doctor", "q.csv", "-o", "dset_generator"], &more[..]].concat());
    let told = lines(&ran, "output").join("\n");
    assert!(told.contains("a run is at work in dset_generator/, process "), "{}", ran.out);
    ran.exits(0).tells("hint: See how far it is with `dset status q.csv -o dset_generator`");
    going.kill();
}

#[test]
fn models_are_listed_as_dset_knows_them_and_as_the_service_tells() {
    let service = with_key(MockSettings::default());
    let folder = folder(1, &service.url(), KEY);
    folder
        .dset(&["models", "list"])
        .exits(0)
        .tells("openai  OpenAI, key OPENAI_API_KEY: none here\n");
    let ran = folder.dset(&["models", "list", "DeepSeek-V4-Pro"]).exits(0);
    assert!(
        ran.out.contains("deepseek  DeepSeek, key DEEPSEEK_API_KEY from .env\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("  deepseek/deepseek-v4-pro") && !ran.out.contains("flash"),
        "{}",
        ran.out
    );
    let json = folder.dset(&["models", "list", "reasoner", "--json"]).exits(0).json();
    assert_eq!(json["providers"][0]["retired"][0]["now"], "deepseek-flash");
    folder.dset(&["models", "list", "lunna"]).exits(2);
    let live = folder.dset(&["models", "list", "--live", "deepseek"]).exits(0);
    assert!(live.out.contains("deepseek/deepseek-flash\n"), "{}", live.out);
    let json = folder.dset(&["models", "list", "--live", "--json"]).exits(0).json();
    assert_eq!(json["provider"], "deepseek");
    secret(&folder, "sk-wrong");
    let ran = folder.dset(&["models", "list", "--live"]).exits(4).says("DeepSeek refused the key");
    assert!(!ran.err.contains("sk-"), "{}", ran.err);
    folder.dset(&["models", "list", "--live", "openai"]).exits(4).says("`dset keys set openai`");
    folder.dset(&["models", "list", "--live", "opnai"]).exits(2).says("--live openai`?");
}

#[test]
fn after_a_run_of_another_service_that_service_is_checked_and_asked() {
    let settings = |on: &[&str]| MockSettings {
        on: on.iter().map(|rule| rule.parse().unwrap()).collect(),
        expect_key: Some("right".into()),
        ..MockSettings::default()
    };
    let service = Service::start(settings(&[]));
    let folder = Folder::with(&questions(3));
    let url = service.url();
    let given = format!("-m deepseek-flash --base-url {url} --key MINE");
    let dset = |command: &str, key: &str| {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        Ran::from(folder.command(&words).env("MINE", key).output().unwrap())
    };
    let doctor = format!("dset doctor {given}");
    let ran = dset(&format!("dset run {given} -n 2 --from-start"), "wrong").exits(4);
    ran.says(&format!("hint: Check it with `{doctor}`\n"));
    dset(&doctor, "wrong").exits(1).tells("refuses MINE");
    dset(&doctor, "right").exits(0);

    let shy = Service::start(settings(&["/models=403"]));
    let given = format!("-m deepseek-flash --base-url {} --key MINE", shy.url());
    let run = format!("dset run {given} -n 1");
    let ran = dset(&format!("dset doctor {given}"), "right").exits(0);
    ran.tells(&format!("See whether it may ask: `{run}`"));
    dset(&run, "right").exits(0);
}

#[test]
fn a_model_that_is_probably_not_meant_is_told_wherever_it_is_named() {
    let folder = Folder::with(&questions(1));
    for (model, meant) in
        [("antropic/claude-haiku-4-5", "anthropic/claude-haiku-4-5"), ("gpt-6-lna", "gpt-6-luna")]
    {
        let says = format!("`{model}` is no model that dset knows; DeepSeek is asked for it");
        folder
            .dset(&["doctor", "--offline", "--key", "none", "-m", model])
            .exits(0)
            .tells(&format!("! model        {says}"))
            .tells(&format!("`dset config set model {meant}`"));
        let set = format!("hint: Did you mean `dset config set model {meant}`?");
        folder.dset(&["config", "set", "model", model]).exits(0).says(&says).says(&set);
        let list = format!("mine,{model}");
        folder
            .dset(&["config", "set", "--user", "model", &list])
            .exits(0)
            .says(&says)
            .says(&format!("hint: Did you mean `dset config set --user model mine,{meant}`?"));
        std::fs::remove_file(folder.path("dset.toml")).unwrap();
        folder.dset(&["init", "-y", "-m", model]).exits(0).says(&says).says(&set);
        folder.shell(&format!("dset config set model {meant}")).exits(0);
        let told = folder.dset(&["doctor", "--offline", "--key", "none"]).exits(0).out;
        assert!(told.contains("nothing is wrong"), "{told}");
    }
    folder
        .dset(&["doctor", "--offline", "--key", "none", "-m", "nosuch/x"])
        .exits(0)
        .tells("`nosuch` is no service that dset knows; DeepSeek is asked for `nosuch/x`")
        .tells("`dset models list` names");
}
