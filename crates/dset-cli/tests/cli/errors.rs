//! Every error as a person sees it, in files: `tests/errors/<name>.txt` has the command, what it
//! says, and the exit code. `SNAPSHOTS=overwrite cargo test --test errors` writes them anew.

use std::path::Path;

use crate::common::{Folder, Ran, Service, questions};
use dset_mock::MockSettings;

const ONE: &str = "question,status\nWhy is the sky blue?,\n";

/// Compares what was said with a file; what differs from run to run is named in brackets.
#[track_caller]
fn shows(name: &str, folder: &Folder, arguments: &[&str], ran: &Ran) {
    let shown: Vec<String> = arguments
        .iter()
        .map(|word| match word.contains([' ', ';']) {
            true => format!("'{word}'"),
            false => (*word).to_owned(),
        })
        .collect();
    let mut text = format!("$ dset {}\n", shown.join(" "));
    for line in ran.lines() {
        text += line;
        text += "\n";
    }
    text += &format!("\nexit code {}\n", ran.code.unwrap());
    let here = std::fs::canonicalize(folder.path("")).unwrap();
    text = text.replace(here.to_str().unwrap().trim_end_matches('/'), "[FOLDER]");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/errors/{name}.txt"));
    let expected = snapbox::Data::read_from(&path, Some(snapbox::data::DataFormat::Text)).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(redacted(&text), expected);
}

/// Ports, processes, times and spans are not the same twice.
fn redacted(text: &str) -> String {
    let number = |text: &str, before: &str, put: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(before) {
            let from = at + before.len();
            out += &rest[..from];
            rest = &rest[from..];
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            out += if digits > 0 { put } else { "" };
            rest = &rest[digits..];
        }
        out + rest
    };
    let text = number(text, "127.0.0.1:", "[PORT]");
    let text = number(&text, "$ dset mock --port ", "[PORT]");
    let text = number(&text, "process ", "[PID]");
    match text.find("started at ") {
        Some(at) => {
            let from = at + "started at ".len();
            format!("{}[TIME]{}", &text[..from], &text[from + 8..])
        }
        None => text,
    }
}

/// A command in a folder with these files.
#[track_caller]
fn case(name: &str, files: &[(&str, &[u8])], arguments: &[&str], code: i32) {
    let folder = Folder::new();
    for (file, bytes) in files {
        folder.write(file, bytes);
    }
    let ran = folder.dset(arguments).exits(code);
    shows(name, &folder, arguments, &ran);
}

#[test]
fn errors_of_files_of_questions() {
    let wide: Vec<u8> = "question\nWhy?\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: &[(&str, &str, &[u8], &[&str])] = &[
        ("input-empty", "q.csv", b"", &["run"]),
        ("input-header-only", "q.csv", b"question,status\n", &["run"]),
        (
            "input-bookmark",
            "q.csv",
            b"question,status\nWhy?,\nHow?,ERROR\n",
            &["run", "--key", "none"],
        ),
        ("input-windows-1252", "q.csv", b"question\nA caf\xe9?\n", &["run"]),
        ("input-utf-16", "q.csv", &wide, &["run"]),
        ("input-workbook", "q.csv", b"PK\x03\x04\x14\x00\x06\x00", &["run"]),
        ("input-packed", "q.csv.bz2", b"BZh91AY&SY\xd8\x72\x01\x2f", &["run", "q.csv.bz2"]),
        ("input-backslash", "q.csv", b"question\n\"Say \\\"stop\\\"\"\n", &["run"]),
        ("input-two-columns", "q.csv", b"instruction,input\nTranslate.,good\n", &["run"]),
        ("input-chats", "q.csv", b"id,messages\n1,\"[]\"\n", &["run"]),
        ("input-torn", "q.csv", b"question\nSch\xc3\xb6n?\nW\xc3\xa4r \xc3\n", &["run"]),
        ("input-yaml", "q.yaml", b"- question: Why?\n", &["run", "q.yaml"]),
        ("input-quote", "q.csv", b"question\nWhy?\n\"Who?\nWhen?\n", &["run"]),
        ("input-nul", "q.csv", b"question\nWhy\0?\n", &["run"]),
        (
            "input-semicolons",
            "my questions.csv",
            b"Frage;Antwort\nWarum?;\n",
            &["run", "my questions.csv"],
        ),
        ("input-commas", "q.csv", b"question\nIf so, why?\n", &["run", "-c", "4"]),
        (
            "input-commas-status",
            "q.csv",
            b"question,status\nWhy?,todo later\nHow tall is it, and why?\n",
            &["run"],
        ),
        ("input-separator-line", "q.csv", b"sep=;\r\nFrage;Thema\r\nWarum?;geo\r\n", &["run"]),
        ("input-tabs", "q.csv", b"question\tstatus\nWhy?\t\n", &["run"]),
        ("input-tsv", "q.tsv", b"id\ttopic\tbody\n1\tgeo\tWhat is there?\n", &["run", "q.tsv"]),
        ("input-txt", "q.txt", b"id;question\n1;Why?\n", &["run", "q.txt"]),
        (
            "input-jsonl",
            "q.jsonl",
            b"{\"question\":\"Why?\"}\n{\"question\":\n",
            &["run", "q.jsonl"],
        ),
        ("input-json", "q.json", b"[{\"question\":\"Why?\"}\n", &["run", "q.json"]),
        ("input-json-other", "q.json", b"{\n  \"questions\": [\"Why?\"]\n", &["run", "q.json"]),
        (
            "input-json-field",
            "q.json",
            b"[{\"task\":\"Why?\",\"level\":1}]\n",
            &["run", "q.json", "-o", "out"],
        ),
        (
            "input-which-column",
            "q.csv",
            b"id,topic,body\n1,geo,What is there?\n",
            &["run", "-c", "4"],
        ),
        (
            "input-no-such-column",
            "q.csv",
            b"question,topic\nWhy?,geo\n",
            &["run", "--column", "tpoic"],
        ),
    ];
    for (name, file, bytes, arguments) in cases {
        case(name, &[(file, bytes)], arguments, 2);
    }
    case("input-missing", &[], &["run"], 2);
    case("input-named-missing", &[], &["run", "other.csv"], 2);
    let one = ONE.as_bytes();
    let two: &[(&str, &[u8])] = &[("fragen.csv", one), ("other.csv", one)];
    case("input-missing-only-one", &[("my data.csv", one)], &["run", "-c", "4"], 2);
    case("input-missing-only-json", &[("data.jsonl", one), ("README.txt", one)], &["run"], 2);
    case("input-missing-several", two, &["run"], 2);
    case("input-mistyped", two, &["run", "frage.csv", "-c", "4"], 2);
    case("input-mistyped-ending", &[("q.csv", one), ("q.txt", one)], &["run", "q.csvv"], 2);
    case("input-mistyped-in-a-folder", &[("in/fragen.txt", one)], &["run", "in/frage.txt"], 2);
    case("import-mistyped", &[("chats.jsonl", one)], &["import", "chat.jsonl", "-o", "x.csv"], 2);
    case("input-is-a-folder", &[("in/notes.md", one)], &["run", "in"], 2);
    #[cfg(unix)]
    case("input-is-a-device", &[], &["run", "/dev/null"], 2);
}

#[test]
#[cfg(unix)]
fn too_few_open_files() {
    let folder = Folder::with(&questions(1));
    let run = folder.command(&["run", "--key", "none"]);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 20; exec \"$@\"", "sh"]);
    limited.arg(run.get_program()).args(run.get_args()).current_dir(folder.path(""));
    let ran = Ran::from(limited.output().unwrap()).exits(1);
    shows("files-few", &folder, &["run", "--key", "none"], &ran);
}

#[test]
fn errors_of_settings() {
    let one: &[(&str, &[u8])] = &[("q.csv", ONE.as_bytes())];
    let cases: &[(&str, &[&str])] = &[
        ("settings-base-url", &["run", "--base-url", "localhost:8000"]),
        ("settings-key-itself", &["run", "--key", "sk-0123456789abcdef"]),
        ("settings-temperature", &["run", "--temperature", "3"]),
        ("settings-both-prompts", &["run", "--system", "x", "--system-file", "prompt.txt"]),
        ("settings-no-base-url", &["run", "-m", "azure/x"]),
        ("settings-no-model", &["run", "-m", "vllm/"]),
        ("settings-several-services", &["run", "-m", "both"]),
        ("settings-system-file", &["run", "--system-file", "missing.txt"]),
        ("settings-format", &["run", "--formats", "csv,parquet", "--key", "none"]),
        ("template-unknown-column", &["run", "-t", "{{ topic }}", "--key", "none"]),
        ("template-syntax", &["run", "-t", "{{ question", "--key", "none"]),
    ];
    for (name, arguments) in cases {
        let folder = Folder::new();
        folder.write(one[0].0, one[0].1);
        folder.write("prompt.txt", "Be brief.");
        folder.write(
            "dset.toml",
            "[provider.one]\nbase-url = 'http://one'\nmodels = ['both']\n\
             [provider.two]\nbase-url = 'http://two'\nmodels = ['both']\n",
        );
        let ran = folder.dset(arguments);
        shows(name, &folder, arguments, &ran);
    }
    let toml = |text: &'static str| [one[0], ("dset.toml", text.as_bytes())];
    case("file-unknown-setting", &toml("modle = \"x\"\n"), &["run"], 2);
    case("file-wrong-value", &toml("concurrency = \"many\"\n"), &["run"], 2);
    case("file-not-toml", &toml("model = \n"), &["run"], 2);
    case("file-no-service", &toml("[provider.mine]\nkey-env = \"MINE_KEY\"\n"), &["run"], 2);
    case("file-key-itself", &toml("key = \"sk-0123456789abcdef\"\n"), &["run"], 2);
    case("config-unknown", &[], &["config", "get", "modle"], 2);
    let dot_env: &[(&str, &[u8])] = &[one[0], (".env", b"DSET_CONCURENCY=3\nDSET_RETRIES=many\n")];
    case("variable-unknown-and-wrong", dot_env, &["run"], 2);
}

#[test]
fn errors_of_keys() {
    let one: &[(&str, &[u8])] = &[("q.csv", ONE.as_bytes())];
    case("key-missing", one, &["run"], 4);
    case("key-missing-and-model-mistyped", one, &["run", "-m", "deepsek-flash"], 4);
    let folder = Folder::with(ONE);
    folder.write(
        "dset.toml",
        "[provider.x]\nbase-url = \"https://x.example\"\nkey-env = \"DEEPSEEK_API_KEY\"\n",
    );
    let words = ["run", "-m", "x/y"];
    shows("key-missing-of-a-folder", &folder, &words, &folder.dset(&words).exits(4));
    case("key-missing-elsewhere", one, &["run", "--base-url", "https://api.example/v1"], 4);
    let folder = Folder::with(ONE);
    folder.write(".env", "DSET_BASE_URL=https://evil.example/v1\n");
    let ran = folder.command(&["run"]).env("DEEPSEEK_API_KEY", "sk-0123456789").output().unwrap();
    shows("key-to-a-stranger", &folder, &["run"], &Ran::from(ran).exits(2));
}

#[test]
fn errors_of_the_command_line() {
    for (name, arguments) in [
        ("usage-unknown-command", &["rnu"][..]),
        ("usage-unknown-flag", &["run", "--modle", "x"]),
        ("usage-wrong-word", &["run", "--reasoning", "onn"]),
        ("usage-wrong-number", &["run", "--retries", "many"]),
        ("usage-conflict", &["run", "--continue", "--again"]),
        ("usage-missing", &["config", "set", "model"]),
        ("usage-too-many", &["run", "a.csv", "b.csv"]),
        ("usage-no-value", &["run", "--model"]),
        ("help-unknown", &["help", "exit-code"]),
        ("export-nothing-said", &["export"]),
        ("export-nothing-asked", &["export", "--rebuild"]),
        ("verify-nothing-asked", &["verify"]),
    ] {
        case(name, &[("q.csv", ONE.as_bytes())], arguments, 2);
    }
    case("demo-foreign-folder", &[("dset-demo/mine.txt", b"x")], &["demo"], 2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    case("mock-port-taken", &[], &["mock", "--port", &port], 2);
}

#[test]
fn errors_of_datasets() {
    let folder = Folder::with("question,level\none,1\ntwo,2\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    folder.write("mine.jsonl", "mine");
    folder.write("mine/notes.txt", "mine");
    for (name, arguments) in [
        ("dataset-exists", &["--to", "mine.jsonl"][..]),
        ("dataset-foreign-folder", &["--to", "mine/", "--force"]),
        ("dataset-of-the-run", &["--to", "q.csv", "--force"]),
        ("dataset-layout", &["--to", "a.jsonl", "--layout", "shargpt"]),
        ("dataset-column", &["--to", "a.jsonl", "--keep", "levle"]),
        ("dataset-where-name", &["--to", "a.jsonl", "--where", "levl == '1'"]),
        ("dataset-where-syntax", &["--to", "a.jsonl", "--where", "level =="]),
        ("dataset-rank-text", &["--to", "a.jsonl", "--samples", "best", "--rank", "level"]),
        ("dataset-no-rank", &["--to", "a.jsonl", "--layout", "kto"]),
        ("dataset-one-answer", &["--to", "a.jsonl", "--layout", "preference", "--rank", "sample"]),
        ("dataset-reasoning", &["--to", "a.jsonl", "--layout", "s1k", "--reasoning", "think"]),
        ("dataset-split", &["--to", "a.jsonl", "--split", "train=0.9"]),
        ("dataset-same-name", &["--to", "a.jsonl", "--rename", "answer=question"]),
    ] {
        let arguments = [&["export"], arguments].concat();
        let ran = folder.dset(&arguments).exits(2);
        shows(name, &folder, &arguments, &ran);
    }
    assert!(!folder.path("a.jsonl").exists());
}

/// A chat with more than a question has room for.
const LONG_CHAT: &[u8] = br#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Who?"},{"type":"image_url","image_url":{"url":"x"}}]},{"role":"assistant","content":"A."},{"role":"user","content":"And?"}]}
{"messages":[{"role":"user","content":"Why?"}]}
"#;

#[test]
fn errors_of_imports() {
    let csv: (&str, &[u8]) = ("in.csv", b"question;x\nWhy?;1\n");
    case("import-exists", &[csv, ("q.csv", b"x\n")], &["import", "in.csv"], 2);
    case("import-no-folder", &[csv], &["import", "in.csv", "-o", "far/away/q.csv"], 2);
    case("import-encoding", &[csv], &["import", "in.csv", "--encoding", "latin"], 2);
    case("import-separator", &[csv], &["import", "in.csv", "--separator", "semicolon"], 2);
    case("import-missing", &[], &["import", "in.csv"], 2);
    case("import-workbook", &[("in.xlsx", b"PK\x03\x04\x14\x00")], &["import", "in.xlsx"], 2);
    case(
        "import-not-json",
        &[("in.jsonl", b"{\"question\":\"a\"}\n[1]\n")],
        &["import", "in.jsonl"],
        2,
    );
    case(
        "import-no-question",
        &[("in.jsonl", b"{\"task\":\"a\",\"id\":1}\n")],
        &["import", "in.jsonl"],
        2,
    );
    for (name, json) in [
        ("import-json-numbers", &b"[\"a\",\n1]\n"[..]),
        ("import-json-cut", b"[\"a\",\n"),
        ("import-json-nothing", b"[]\n"),
    ] {
        case(name, &[("in.json", json)], &["import", "in.json"], 2);
    }
    for (name, file, bytes) in [
        ("import-torn", "in.csv", "question\nWas heißt „schön“?\nUnd".as_bytes()),
        (
            "import-which-encoding",
            "in.csv",
            b"question\nI\xfe\xfdk nedir?\nKa\xe7 y\xfdl ya\xfear?\n",
        ),
        ("import-utf-32", "in.csv", b"\xff\xfe\0\0q\0\0\0\n\0\0\0"),
        ("import-stray-quote", "in.csv", b"question\n\"He said \"stop\" and left\"\n"),
        ("import-yaml", "in.yaml", b"- question: Why?\n"),
        ("import-markdown", "in.md", b"- Why?\n"),
        ("import-left-out", "in.jsonl", LONG_CHAT),
        ("import-alpaca", "in.jsonl", b"{\"instruction\":\"Translate.\",\"input\":\"good\"}\n"),
        ("import-alpaca-csv", "in.csv", b"instruction,input\nTranslate.,good\nName one.,\n"),
        ("import-json-columns", "in.json", b"{\"question\":[\"a\",\"b\"],\"id\":[1,2]}\n"),
        (
            "import-role",
            "in.jsonl",
            b"{\"messages\":[{\"role\":\"narrator\",\"content\":\"x\"}]}\n",
        ),
    ] {
        let mut bytes = bytes.to_vec();
        if name == "import-torn" {
            bytes.extend(b" jetzt \xe3\x80\n");
        }
        case(name, &[(file, &bytes)], &["import", file], 2);
    }
    case("import-no-outputs", &[("old/x.txt", b"x")], &["import", "old"], 2);
    case("import-here", &[("dset_generator/output.json", b"{}\n")], &["import", "."], 2);
    let old: (&str, &[u8]) = ("old/dset_generator/output.json", b"{}\n");
    case("import-store", &[old, ("old/dset_generator/dset.db", b"x")], &["import", "old"], 2);
    case(
        "import-folder-exists",
        &[old, ("old/q.csv", b"q\n"), ("q.csv", b"x\n")],
        &["import", "old"],
        2,
    );
}

#[test]
#[cfg(unix)]
fn a_path_that_is_too_long_for_the_store_is_said() {
    let folder = Folder::with(ONE);
    let long = format!("{}/{}", "a".repeat(250), "b".repeat(250));
    let ran = folder.dset(&["run", "--key", "none", "-o", &long]).exits(1);
    ran.says("bytes, and SQLite takes 503 at most").says("hint: Move the folder");
}

#[test]
fn errors_of_folders_and_stores() {
    case(
        "folder-is-a-file",
        &[("q.csv", ONE.as_bytes()), ("out", b"x")],
        &["run", "-o", "out", "--key", "none"],
        1,
    );
    let foreign: &[(&str, &[u8])] = &[
        ("q.csv", ONE.as_bytes()),
        ("dset_generator/dset.db", b"no store, but a text of its own\n"),
    ];
    case("store-damaged", foreign, &["run", "--key", "none"], 1);

    let folder = Folder::with(ONE);
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    let changed = ["run", "--max-tokens", "50"];
    shows("settings-changed", &folder, &changed, &folder.dset(&changed).exits(2));
    folder.sql("PRAGMA user_version = 9999");
    shows("store-newer", &folder, &["run"], &folder.dset(&["run"]).exits(2));

    let folder = Folder::with(ONE);
    std::fs::create_dir(folder.path("dset_generator")).unwrap();
    folder.sql("CREATE TABLE theirs (x)");
    folder.asks(&service);
    shows("store-foreign", &folder, &["run"], &folder.dset(&["run"]).exits(2));

    let folder = Folder::with(ONE);
    folder.write("dset_generator/output.csv/x", "x");
    folder.asks(&service);
    shows("output-is-a-folder", &folder, &["run"], &folder.dset(&["run"]).exits(1));
}

#[test]
fn a_folder_in_use_is_an_error() {
    let folder = Folder::with(ONE);
    let service = Service::with(&["sky=hang"]);
    folder.asks(&service);
    let going = service.begin(&folder, &[]);
    crate::common::until("it asks", || service.stats().asked == 1);
    for (name, arguments) in [
        ("folder-in-use", &["run"][..]),
        ("folder-in-use-and-named", &["run", "-o", "./dset_generator", "-n", "5"]),
        ("folder-in-use-by-a-run", &["export", "--rebuild"]),
    ] {
        shows(name, &folder, arguments, &folder.dset(arguments).exits(11));
    }
    going.kill();
}

#[test]
fn errors_that_end_a_run() {
    for (name, rule, arguments, code) in [
        ("run-key-refused", "sky=401", &["run"][..], 4),
        ("run-no-money", "sky=402", &["run"], 5),
        (
            "run-unreachable",
            "sky=503",
            &["run", "-c", "1", "--retries", "1", "--backoff", "10ms"],
            6,
        ),
        ("run-unreachable-at-once", "sky=503", &["run", "-c", "1", "--retries", "0"], 6),
        ("run-one-refused", "sky=risk", &["run"], 3),
        ("run-paused", "sky=risk", &["run", "--on-error", "pause"], 3),
    ] {
        let folder = Folder::with(ONE);
        let service = Service::with(&[rule]);
        folder.asks(&service);
        let ran = folder.dset(arguments).exits(code);
        shows(name, &folder, arguments, &ran);
    }
    // Nobody listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = Folder::with(ONE);
    folder.write(".env", format!("DSET_BASE_URL=http://{free}/v1\nDSET_KEY=none\n"));
    let ran = folder.dset(&["run", "-c", "1", "--retries", "0"]).exits(6);
    shows("run-nobody-there", &folder, &["run", "-c", "1", "--retries", "0"], &ran);

    let folder = Folder::with(&questions(6));
    let service = Service::start(MockSettings {
        on: vec!["Question=400".parse().unwrap()],
        ..MockSettings::default()
    });
    folder.asks(&service);
    let ran = folder.dset(&["run", "-c", "1", "-q"]).exits(2);
    shows("run-settings-refused", &folder, &["run", "-c", "1", "-q"], &ran);
    // What is wrong with the address is no row's fault, and of one row as well as of many.
    for (name, says) in [
        ("run-wrong-address", "404 Not Found\r\n\r\n{\"detail\":\"Not Found\"}"),
        (
            "run-page",
            "200 OK\r\n\r\n<html><title>Sign in</title><body>Please sign in</body></html>",
        ),
        ("run-moved", "308 Permanent Redirect\r\nlocation: /v1/chat/completions\r\n\r\n"),
        (
            "run-max-tokens",
            "400 Bad Request\r\n\r\n{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is \
             not supported with this model. Use 'max_completion_tokens' instead.\"}}",
        ),
    ] {
        let at = stranger(says);
        let folder = Folder::with(ONE);
        folder.write(".env", format!("DSET_BASE_URL={at}\nDSET_KEY=none\nDSET_MODEL=m\n"));
        let arguments = ["run", "-c", "1", "-q", "--max-tokens", "9"];
        let ran = folder.dset(&arguments).exits(2);
        assert!(!folder.read("q.csv").contains("ERROR"));
        shows(name, &folder, &arguments, &ran);
    }
}

/// Says the same to everybody, for as long as the tests run; returns its base URL without a path.
fn stranger(says: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            let mut asked = Vec::new();
            let mut bytes = [0; 4096];
            // The body of an ask is one object of JSON.
            while !asked.ends_with(b"}") {
                let read = stream.read(&mut bytes).unwrap();
                asked.extend_from_slice(&bytes[..read]);
            }
            let reply = says.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            write!(stream, "HTTP/1.1 {reply}").unwrap();
        }
    });
    at
}

/// Looks at every file: lower case, no full stop, a cause or a hint, and no key.
#[test]
fn every_error_says_what_happened_and_what_to_do_without_a_full_stop() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        seen += 1;
        let said: String = text.lines().skip(1).collect();
        assert!(!said.contains("0123456"), "{name} has a key");
        let errors: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("error: ")).collect();
        // A run with rows marked ERROR ends with hints and without an error.
        assert!(errors.len() == 1 || name == "run-one-refused.txt", "{name}: {errors:?}");
        for line in text.lines() {
            let said = ["error: ", "  cause: ", "hint: ", "warning: "];
            if said.iter().any(|label| line.starts_with(label)) {
                assert!(!line.ends_with('.'), "{name}: {line}");
            }
        }
        for error in errors {
            // What is quoted may begin as it likes; a name of a service does.
            let is_name = error.starts_with("Azure ") || error.starts_with("DeepSeek ");
            assert!(is_name || !error.starts_with(char::is_uppercase), "{name}: {error}");
        }
        let hint = text.to_lowercase().contains("hint: ");
        assert!(hint, "{name} says nothing of what to do");
    }
    assert!(seen > 60, "{seen}");
}
