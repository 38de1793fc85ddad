//! The key is in no file, no line and no process list, whatever the service did.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

use crate::common::{Folder, Ran, Service, questions};
use dset_mock::MockSettings;

/// Every way of writing it down changes some character of it.
const KEY: &str = "sk-Canary/0123456789+abcdef==";
/// Names questions that fail once or for good in the way that they are named after.
const FAULTS: [&str; 15] = [
    "reset*1",
    "cut*1",
    "broken*1",
    "empty*1",
    "blank*1",
    "html*1",
    "429*1",
    "500*1",
    "503*1",
    "insufficient*1",
    "length",
    "filter",
    "risk",
    "404",
    "keepalive",
];

/// An address whose password was not written as %XX must not be taken for another, and shown.
#[test]
fn a_password_in_an_address_that_cannot_be_read_is_not_shown() {
    let folder = Folder::with(&questions(2));
    for address in [
        "postgres://me:p@ss/w0rd-canary@127.0.0.1:54999/jobs",
        "postgres://me:p@ss-canary@127.0.0.1:54999/jobs",
        "postgres://me:a/canary@b@127.0.0.1:54999/jobs",
        "postgres://me:p@canary?x@127.0.0.1:54999/jobs",
        "mysql://me:canary@127.0.0.1/jobs",
    ] {
        for command in [
            &["job", "status", "--store"][..],
            &["work", "--store"],
            &["job", "merge", "--store"],
            &["job", "split", "q.csv", "--shards", "2", "--store"],
        ] {
            let mut command = folder.command(command);
            let ran = Ran::from(command.env("DSET_STORE", address).output().unwrap());
            assert!(!ran.err.contains("canary") && !ran.out.contains("canary"));
            assert!(!ran.err.contains("ss:") && !ran.err.contains("@ss"));
            ran.exits(2).says("the address of the server cannot be read");
        }
    }
}

/// The key in every way that it may be written down in, in lower case.
fn forms() -> Vec<String> {
    let hex: String = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent = KEY.replace('/', "%2f").replace('+', "%2b").replace('=', "%3d");
    let mut forms = vec![
        KEY.to_owned(),
        KEY.chars().rev().collect(),
        KEY.replace('/', "\\/"),
        hex,
        percent,
        // A part of it is too much.
        KEY[..12].to_owned(),
        "0123456789+ab".to_owned(),
    ];
    // Where base64 begins in a longer text decides what it looks like.
    for before in 0..3 {
        let encoded = base64(&[&b"xxx"[..before], KEY.as_bytes()].concat());
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    forms.into_iter().map(|form| form.to_lowercase()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let at = |index| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..4 {
            text.push(if letter > three.len() {
                '='
            } else {
                char::from(LETTERS[(bits >> (18 - 6 * letter)) as usize & 63])
            });
        }
    }
    text
}

#[track_caller]
fn hides_the_key(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for form in forms() {
        let at = text.find(&form);
        assert!(at.is_none(), "{what} holds {form}: {}", {
            let at = at.unwrap_or(0);
            text[at.saturating_sub(80)..].chars().take(200).collect::<String>()
        });
    }
}

/// Looks through everything a run left behind: what it said, every file but `.env`, and the
/// replies in the store, which are compressed.
#[track_caller]
fn nothing_holds_the_key(name: &str, folder: &Folder, ran: &Ran) {
    hides_the_key(&format!("{name}: stdout"), ran.out.as_bytes());
    hides_the_key(&format!("{name}: stderr"), ran.err.as_bytes());
    let files = files_in(&folder.path(""));
    assert!(files.iter().any(|file| file.ends_with("dset.db")), "{name}: a store is made");
    for file in files.iter().filter(|file| !file.ends_with(".env")) {
        hides_the_key(&format!("{name}: {}", file.display()), &std::fs::read(file).unwrap());
    }
    let store = rusqlite::Connection::open(folder.path("dset_generator/dset.db")).unwrap();
    let mut bodies = store.prepare("SELECT body FROM attempts WHERE body IS NOT NULL").unwrap();
    let bodies = bodies.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    for body in bodies {
        let body = zstd::decode_all(&body.unwrap()[..]).unwrap();
        hides_the_key(&format!("{name}: a reply in the store"), &body);
    }
}

fn files_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files
}

/// Runs with the key in `.env` and with it in the environment, as wordy as can be.
fn run_with_the_key(folder: &Folder, url: &str, arguments: &[&str], in_file: bool) -> Ran {
    let more = ["run", "--base-url", url, "-c", "1", "--backoff", "10ms", "--retries", "2"];
    let mut command = folder.command(&[&more[..], arguments].concat());
    command.env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace");
    if in_file {
        folder.write(".env", format!("DEEPSEEK_API_KEY={KEY}\n"));
    } else {
        command.env("DEEPSEEK_API_KEY", KEY);
    }
    Ran::from(command.output().unwrap())
}

#[test]
fn the_forms_that_are_looked_for_are_the_ones_that_programs_write() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    assert_eq!(forms().len(), 10);
    assert!(std::panic::catch_unwind(|| hides_the_key("", format!("a{KEY}").as_bytes())).is_err());
}

#[test]
fn the_key_is_nowhere_after_a_success_and_after_every_failure() {
    let every = FAULTS.map(|fault| format!("do {fault} now={fault}"));
    let every: Vec<&str> = every.iter().map(String::as_str).collect();
    let rows = FAULTS.map(|fault| format!("do {fault} now,\n")).concat();
    let mixed = format!("question,status\nfine,\n{rows}");
    for (name, on, rows, exit) in [
        ("success", &[][..], questions(3), 0),
        ("every fault", &every[..], mixed, 3),
        ("out of money", &["Question=402"], questions(2), 5),
        ("quota", &["Question=quota"], questions(2), 5),
        ("forbidden", &["Question=403"], questions(2), 4),
        ("unreachable", &["Question=reset"], questions(2), 6),
        ("settings", &["Question=400"], questions(6), 2),
        ("redirect", &["Question=307"], questions(2), 2),
    ] {
        for (verbosity, in_file) in [("-v", true), ("-vvv", false), ("--json", true)] {
            let service = Service::start(MockSettings {
                // The control: the key was sent, and was this one.
                expect_key: Some(KEY.into()),
                on: on.iter().map(|rule| rule.parse().unwrap()).collect(),
                ..MockSettings::default()
            });
            let folder = Folder::with(&rows);
            let ran = run_with_the_key(&folder, &service.url(), &[verbosity], in_file);
            assert_eq!(ran.code, Some(exit), "{name} {verbosity}: {}", ran.err);
            assert!(service.stats().asked > 0, "{name}: it was asked");
            nothing_holds_the_key(name, &folder, &ran);
        }
    }
}

/// A service that answers every request with what was in its `authorization` header, in several
/// forms, in a header and a body of this status.
fn echoing(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 4096];
                match stream.read(&mut piece) {
                    Ok(read @ 1..) => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request);
            let key = request.split("Bearer ").nth(1).unwrap_or_default().lines().next().unwrap();
            let percent = key.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
            let said = format!("{key} {} {percent} {}", key.replace('/', "\\/"), key.repeat(100));
            let body = format!(r#"{{"error":{{"message":"Incorrect API key provided: {said}"}}}}"#);
            let reply = format!(
                "HTTP/1.1 {status} No\r\nx-request-id: {key}\r\nx-more: {percent}\r\n\
                 location: http://localhost:9/?key={percent}\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    url
}

#[test]
fn a_key_that_the_service_says_aloud_is_not_said_again() {
    for (status, exit) in
        [(401, 4), (403, 4), (402, 5), (400, 4), (422, 3), (500, 6), (307, 2), (200, 4)]
    {
        for (verbosity, in_file) in [("-v", true), ("-vvv", false), ("--json", true)] {
            let folder = Folder::with(&questions(2));
            let ran = run_with_the_key(&folder, &echoing(status), &[verbosity], in_file);
            assert_eq!(ran.code, Some(exit), "{status} {verbosity}: {}", ran.err);
            nothing_holds_the_key(&status.to_string(), &folder, &ran);
            if verbosity != "--json" {
                assert!(ran.err.contains("Incorrect API key provided: ***"), "{}", ran.err);
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn while_it_runs_the_key_is_in_no_argument_and_no_other_process() {
    let folder = Folder::with(&questions(2));
    folder.write(".env", format!("DEEPSEEK_API_KEY={KEY}\n"));
    let service = Service::with(&["Question=hang"]);
    let mut child =
        folder.command(&["run", "--base-url", &service.url(), "--json"]).spawn().unwrap();
    let events = BufReader::new(child.stdout.take().unwrap()).lines();
    let asked = events.map(Result::unwrap).find(|line| line.contains("\"ask\""));
    assert!(asked.is_some(), "it is on its way");
    let proc = format!("/proc/{}", child.id());
    hides_the_key("its arguments", &std::fs::read(format!("{proc}/cmdline")).unwrap());
    hides_the_key("its environment", &std::fs::read(format!("{proc}/environ")).unwrap());
    for task in std::fs::read_dir(format!("{proc}/task")).unwrap() {
        let task = task.unwrap().path();
        // One that was there when they were listed may have ended.
        let Ok(name) = std::fs::read(task.join("comm")) else { continue };
        hides_the_key("the name of a thread", &name);
        let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
        assert_eq!(children.trim(), "", "it has no children");
    }
    for file in files_in(&folder.path("")).iter().filter(|file| !file.ends_with(".env")) {
        hides_the_key(&file.display().to_string(), &std::fs::read(file).unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_key_with_blanks_around_it_is_the_key() {
    let expects = || MockSettings { expect_key: Some(KEY.into()), ..MockSettings::default() };
    let service = Service::start(expects());
    for line in [
        format!("DEEPSEEK_API_KEY={KEY}  \r\n"),
        format!("DEEPSEEK_API_KEY= {KEY}\n"),
        format!("export DEEPSEEK_API_KEY=\"{KEY}\\n\"\n"),
        format!("DEEPSEEK_API_KEY='{KEY}\t'"),
    ] {
        let folder = Folder::with(&questions(1));
        folder.write(".env", &line);
        folder.dset(&["run", "--base-url", &service.url()]).exits(0);
    }
    let folder = Folder::with(&questions(1));
    let mut command = folder.command(&["run", "--base-url", &service.url()]);
    Ran::from(command.env("DEEPSEEK_API_KEY", format!(" {KEY}\n")).output().unwrap()).exits(0);
}

#[test]
fn a_key_that_cannot_be_one_is_refused_without_being_shown() {
    let service = Service::friendly();
    let url = service.url();
    let folder = Folder::with(&questions(1));
    let run = |arguments: &[&str], key: &str| {
        let mut command = folder.command(&[&["run", "--base-url", &url], arguments].concat());
        let ran = Ran::from(command.env("DEEPSEEK_API_KEY", key).output().unwrap());
        hides_the_key("stdout", ran.out.as_bytes());
        hides_the_key("stderr", ran.err.as_bytes());
        ran
    };
    // A key on two lines, as a careless copy makes it.
    run(&[], &format!("{KEY}\n{KEY}")).exits(4).says("line break");
    // The key itself where the name of its variable belongs.
    run(&["--key", KEY], "").exits(2).says("not the key itself");
    run(&["--key", &KEY.replace(|c: char| !c.is_ascii_alphanumeric(), "")], "").exits(2);
    folder.write(".env", format!("DSET_KEY={KEY}\n"));
    run(&[], "").exits(2).says("not the key itself");
    folder.write(".env", format!("DEEPSEEK_API_KEY='{KEY}\nnext line\n"));
    run(&[], "").exits(2);
    assert_eq!(service.stats().asked, 0);
}
