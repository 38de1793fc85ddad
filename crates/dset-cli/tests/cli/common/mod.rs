//! A folder, the real binary in it, and the pretend service.

pub(crate) mod pty;
pub(crate) mod terminal;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use dset_mock::{Mock, MockSettings, Stats};

/// A folder of its own, gone at the end.
pub struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Folder {
        Folder { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with this `q.csv`.
    pub fn with(questions: &str) -> Folder {
        let folder = Folder::new();
        folder.write("q.csv", questions);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn outputs(&self) -> [String; 3] {
        ["csv", "json", "txt"].map(|kind| self.read(&format!("dset_generator/output.{kind}")))
    }

    /// The rows of output.csv, as Python's `csv` would read them: question, reasoning, answer.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let text = self.read("dset_generator/output.csv");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let record = |record: csv::StringRecord| [1, 2, 3].map(|at| record[at].to_owned());
        reader.records().map(|row| record(row.unwrap())).collect()
    }

    /// Checks that the three outputs have the same rows, and returns the questions in order.
    pub fn agreed(&self) -> Vec<String> {
        let rows = self.rows();
        let [_, json, txt] = self.outputs();
        let lines: Vec<serde_json::Value> =
            json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), rows.len());
        let mut from = 0;
        for (row, line) in rows.iter().zip(&lines) {
            assert_eq!(line["metadata"]["question"], row[0].as_str());
            assert_eq!(line["response"]["reasoning"], row[1].as_str());
            assert_eq!(line["response"]["answer"], row[2].as_str());
            let block = format!(
                "Question: {}\nThought Process: {}\nFinal Answer: {}\n{}\n\n",
                row[0],
                row[1],
                row[2],
                "-".repeat(50)
            );
            from += txt[from..].find(&block).expect("the same row in output.txt") + block.len();
        }
        assert_eq!(from, txt.len(), "nothing else in output.txt");
        rows.into_iter().map(|[question, ..]| question).collect()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dset"));
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars() {
            if name.starts_with("DSET_") || name.ends_with("_API_KEY") || name.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        // Runs of different tests know nothing of each other.
        command.env("DSET_SHARE_PACE", "off");
        // Whoever runs the tests may have settings of their own.
        command.env("XDG_CONFIG_HOME", self.path(".config"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A copy of everything in it, as it is now.
    pub fn copy(&self) -> Folder {
        let copy = Folder::new();
        copy_all(self.folder.path(), copy.folder.path());
        copy
    }

    pub fn dset(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }
}

impl Folder {
    /// Makes every `dset run` in this folder ask this service, without flags.
    pub fn asks(&self, service: &Service) {
        self.write(".env", format!("DSET_BASE_URL={}\nDSET_KEY=none\n", service.url()));
    }

    /// Runs a command as a person would who copies it from the screen.
    pub fn shell(&self, command: &str) -> Ran {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_dset"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", binary.parent().unwrap().display());
        let mut dset = self.command(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.folder.path()).env("PATH", path);
        for (name, value) in dset.get_envs().filter(|(_, value)| value.is_none()) {
            assert!(value.is_none());
            shell.env_remove(name);
        }
        dset.stdin(Stdio::null());
        Ran::from(shell.stdin(Stdio::null()).output().unwrap())
    }

    /// Every file below this folder with its bytes, but for SQLite's own index of its log, which
    /// whoever reads may write.
    pub fn everything(&self) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
        let mut files = std::collections::BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.to_string_lossy().ends_with("-shm") {
                    files.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
        files
    }

    /// Changes the store behind the back of dset.
    pub fn sql(&self, sql: &str) {
        let store = rusqlite::Connection::open(self.path("dset_generator/dset.db")).unwrap();
        store.execute_batch(sql).unwrap();
    }

    /// What this query counts in the store.
    pub fn count(&self, sql: &str) -> i64 {
        let store = rusqlite::Connection::open(self.path("dset_generator/dset.db")).unwrap();
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// Copies a folder with everything in it; links stay links.
pub fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, there) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_all(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}

/// Waits until something holds, or fails after half a minute.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run that is going on; killed when it is dropped.
pub struct Going {
    pub child: Child,
}

impl Going {
    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        self.child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut err).unwrap();
        let status = self.child.wait().unwrap();
        Ran::from(Output { status, stdout: out, stderr: err })
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Checks the exit code, showing everything where it differs.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "`{text}` is not in:\n{}", self.err);
        self
    }

    /// Checks what is on standard output.
    #[track_caller]
    pub fn tells(self, text: &str) -> Ran {
        assert!(self.out.contains(text), "`{text}` is not in:\n{}\n{}", self.out, self.err);
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err))
    }

    /// The lines of standard error without their times.
    pub fn lines(&self) -> Vec<&str> {
        // `[2026-11-28T14:30:45+01:00] ` of a log, `[14:30:45] ` of the original script's lines.
        let bare = |line: &'_ str| -> usize {
            let at = |place: usize| line.as_bytes().get(place).copied();
            match line.starts_with('[') {
                true if at(26) == Some(b']') && at(11) == Some(b'T') => 28,
                true if at(9) == Some(b']') => 11,
                _ => 0,
            }
        };
        self.err.lines().map(|line| &line[bare(line)..]).collect()
    }
}

/// The pretend service on a runtime of its own.
pub struct Service {
    mock: Option<Mock>,
    runtime: tokio::runtime::Runtime,
}

impl Service {
    pub fn start(settings: MockSettings) -> Service {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mock = runtime.block_on(Mock::start(settings)).unwrap();
        Service { mock: Some(mock), runtime }
    }

    pub fn friendly() -> Service {
        Service::start(MockSettings::default())
    }

    /// A friendly one of this dialect that keeps what it is asked.
    pub fn keeping(dialect: &str) -> Service {
        let dialect = dialect.parse().unwrap();
        Service::start(MockSettings { dialect, keep_requests: 1000, ..MockSettings::default() })
    }

    /// The bodies of what it was asked.
    pub fn requests(&self) -> Vec<serde_json::Value> {
        self.mock.as_ref().unwrap().requests()
    }

    pub fn with(on: &[&str]) -> Service {
        let on = on.iter().map(|rule| rule.parse().unwrap()).collect();
        Service::start(MockSettings { on, ..MockSettings::default() })
    }

    pub fn url(&self) -> String {
        self.mock.as_ref().unwrap().base_url()
    }

    pub fn stats(&self) -> Stats {
        self.mock.as_ref().unwrap().stats()
    }

    /// Every prompt that it was asked, and how often.
    pub fn asked(&self) -> BTreeMap<String, u64> {
        let address = self.mock.as_ref().unwrap().addr();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request = "GET /stats?questions=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let stats: serde_json::Value =
            serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap();
        let questions = stats["by_question"].as_object().unwrap();
        questions.iter().map(|(text, n)| (text.clone(), n[0].as_u64().unwrap())).collect()
    }

    /// Runs `dset run` against it, with more arguments.
    pub fn run(&self, folder: &Folder, arguments: &[&str]) -> Ran {
        let url = self.url();
        let mut all = vec!["run", "--base-url", &url, "--key", "none"];
        all.extend(arguments);
        folder.dset(&all)
    }
}

impl Service {
    /// Begins `dset run` against it; nobody reads what it says until its end, so it must be short.
    pub fn begin(&self, folder: &Folder, arguments: &[&str]) -> Going {
        let url = self.url();
        let mut all = vec!["run", "--base-url", &url, "--key", "none"];
        all.extend(arguments);
        Going { child: folder.command(&all).spawn().unwrap() }
    }

    /// Begins a run, and waits until it has so many answers.
    pub fn begin_until(&self, folder: &Folder, answers: u64) -> Going {
        let going = self.begin(folder, &[]);
        until("the store", || folder.path("dset_generator/dset.db").exists());
        until("the answers", || {
            folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"] == answers
        });
        going
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.mock = None;
    }
}

/// A file with so many different questions.
pub fn questions(count: usize) -> String {
    let rows = (1..=count).map(|number| format!("\"Question {number}, what then?\",\n"));
    format!("question,status\n{}", rows.collect::<String>())
}
