//! A folder with questions, the pretend service before it, and the real binary in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use dset_mock::{Mock, MockSettings};
use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

use crate::shim::Rule;

/// What the header ends with where marks have a column beside the user's own.
const MARKS: &str = ",dset_status\n";

/// Longer than any run here takes on a busy machine; a run that takes longer hangs.
const HANGS_AFTER: Duration = Duration::from_secs(90);
/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// The size of answers is drawn; this is the seed of their texts.
const TEXT_SEED: u64 = 1;

/// What all rounds share.
pub(crate) struct Lab {
    pub(crate) dset: PathBuf,
    pub(crate) shim: PathBuf,
    pub(crate) base: PathBuf,
    pub(crate) runtime: tokio::runtime::Runtime,
}

/// How the service takes a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceReaction {
    /// The service answers.
    Answered,
    /// It refuses it once, then answers.
    RefusedOnce,
    /// It refuses it for ever.
    Refused,
}

/// A question of the input.
#[derive(Debug, Clone)]
pub(crate) struct InputRow {
    pub(crate) text: String,
    pub(crate) taken: ServiceReaction,
    /// What stands in its status cell before anything ran.
    pub(crate) status: &'static str,
}

/// What a world is made of; the rest is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) questions: (usize, usize),
    pub(crate) width: (u32, u32),
    pub(crate) latency_ms: (u64, u64),
    pub(crate) answer_bytes: (usize, usize),
    /// One in this many questions is refused; 0 for none.
    pub(crate) refused_every: usize,
    /// The service has random faults.
    pub(crate) faults: bool,
}

/// One folder, one service, and the lives of one run.
pub(crate) struct World<'a> {
    pub(crate) lab: &'a Lab,
    /// Holds everything of this world.
    pub(crate) base: PathBuf,
    /// The working folder of `dset`.
    pub(crate) root: PathBuf,
    /// Where the binary may leave what its folder does not take.
    pub(crate) temporary: PathBuf,
    pub(crate) lines: Vec<InputRow>,
    pub(crate) width: u32,
    answer_bytes: usize,
    rough: Option<Mock>,
    healthy: Option<Mock>,
    /// What the binary said, all lives one after the other.
    pub(crate) said: String,
    pub(crate) lives: u64,
    /// Lives that ended before the last answers in flight could be kept.
    pub(crate) cut_lives: u64,
    /// What could be kept nowhere may be lost, and said to be.
    pub(crate) may_lose: bool,
    pub(crate) violations: Vec<String>,
}

/// How a life of the binary ended.
#[derive(Debug)]
pub(crate) struct RunResult {
    pub(crate) status: ExitStatus,
    pub(crate) err: String,
    /// How often a rule acted.
    pub(crate) acts: usize,
}

impl RunResult {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn was_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.status.signal() == Some(9)
    }
}

/// How a life of the binary is begun.
#[derive(Default)]
pub(crate) struct Begin<'a> {
    pub(crate) rules: &'a [Rule],
    pub(crate) arguments: &'a [&'a str],
    /// Against the service without random faults.
    pub(crate) healthy: bool,
    /// By another user: its number.
    pub(crate) user: Option<u32>,
    /// Files are no larger than this.
    pub(crate) file_bytes_max: Option<u64>,
    /// Open files are no more than this.
    pub(crate) files_max: Option<u64>,
}

/// A life that goes on.
pub(crate) struct Life {
    pub(crate) child: Child,
    began: Instant,
    log: PathBuf,
    err: PathBuf,
    acked_before: HashSet<String>,
    asked_before: BTreeMap<String, u64>,
}

impl<'a> World<'a> {
    /// Draws a world and starts its services.
    pub(crate) fn new(
        lab: &'a Lab,
        base: PathBuf,
        random: &mut fastrand::Rng,
        shape: Shape,
    ) -> io::Result<World<'a>> {
        let root = base.join("work");
        let temporary = root.with_extension("tmp");
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&temporary)?;
        let count = random.usize(shape.questions.0..=shape.questions.1);
        let mut lines: Vec<InputRow> = Vec::with_capacity(count);
        for number in 0..count {
            let taken = match shape.refused_every {
                0 => ServiceReaction::Answered,
                every if number % every != every / 2 => ServiceReaction::Answered,
                _ if random.f64() < 0.7 => ServiceReaction::RefusedOnce,
                _ => ServiceReaction::Refused,
            };
            let earlier = lines.iter().filter(|line| line.taken == ServiceReaction::Answered);
            let text = match taken {
                ServiceReaction::RefusedOnce => {
                    format!("Question {number}, which is refused-once?")
                }
                ServiceReaction::Refused => format!("Question {number}, which is refused-ever?"),
                // Two rows with one text are two questions.
                ServiceReaction::Answered if number > 0 && random.f64() < 0.05 => {
                    let earlier: Vec<&InputRow> = earlier.collect();
                    random.choice(earlier).map_or_else(|| "Why?".into(), |line| line.text.clone())
                }
                ServiceReaction::Answered => match random.u32(0..4) {
                    0 => format!("Question {number}: \"why\", and\nwhy not?"),
                    1 => format!("Frage {number}, größer als 😀?"),
                    _ => format!("Question {number}?"),
                },
            };
            let status = if random.f64() < 0.03 { "mine" } else { "" };
            lines.push(InputRow { text, taken, status });
        }
        let answer_bytes = random.usize(shape.answer_bytes.0..=shape.answer_bytes.1);
        let width = random.u32(shape.width.0..=shape.width.1);
        let latency_ms = random.u64(shape.latency_ms.0..=shape.latency_ms.1);
        let on = ["refused-once=risk*1", "refused-ever=risk"];
        let chance = ["429=0.03", "500=0.01", "reset=0.01", "cut=0.01", "broken=0.01"];
        let settings = MockSettings {
            latency_ms,
            latency_sigma: 0.5,
            answer_bytes: Some(answer_bytes),
            seed: TEXT_SEED,
            on: on.iter().map(|rule| rule.parse().expect("a rule of the service")).collect(),
            ..MockSettings::default()
        };
        let chance = match shape.faults {
            true => chance.iter().map(|rule| rule.parse().expect("a chance")).collect(),
            false => Vec::new(),
        };
        let rough = MockSettings { chance, ..settings.clone() };
        let rough = lab.runtime.block_on(Mock::start(rough))?;
        let healthy = MockSettings {
            // What was refused once by the other was refused once.
            on: vec!["refused-ever=risk".parse().expect("a rule of the service")],
            latency_ms: 0,
            ..settings
        };
        let healthy = lab.runtime.block_on(Mock::start(healthy))?;
        let world = World {
            lab,
            temporary,
            base,
            root,
            lines,
            width,
            answer_bytes,
            rough: Some(rough),
            healthy: Some(healthy),
            said: String::new(),
            lives: 0,
            cut_lives: 0,
            may_lose: false,
            violations: Vec::new(),
        };
        fs::write(world.path("q.csv"), world.input())?;
        Ok(world)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The input without any mark.
    pub(crate) fn input(&self) -> String {
        self.input_with(|_| false)
    }

    /// Returns true if the input has ERROR in the rows that `marked` says, and every other byte as
    /// it was.
    pub(crate) fn is_input(&self, found: &str, marked: impl Fn(&InputRow) -> bool) -> bool {
        let expected = self.input_with(marked);
        if !self.has_own_words() {
            return found == expected;
        }
        // The last column is that of the marks, once there was one; a mark that was cleared leaves
        // its comma.
        let plain = |text: &str| text.replacen(MARKS, "\n", 1).replace("\",\n", "\"\n");
        plain(found) == plain(&expected)
    }

    fn input_with(&self, marked: impl Fn(&InputRow) -> bool) -> String {
        let mut text = "question,status,note\n".to_owned();
        let has_own_words = self.has_own_words();
        for (number, line) in self.lines.iter().enumerate() {
            let quoted = line.text.replace('"', "\"\"");
            let (status, mark) = match (marked(line), has_own_words) {
                (false, _) => (line.status, ""),
                (true, false) => ("ERROR", ""),
                (true, true) => (line.status, ",ERROR"),
            };
            text += &format!("\"{quoted}\",{status},\"note, {number}\"{mark}\n");
        }
        text
    }

    /// Returns true if the status column is the user's own, so that marks have another one.
    fn has_own_words(&self) -> bool {
        self.lines.iter().any(|line| !line.status.is_empty())
    }

    /// What the service answers.
    pub(crate) fn answer(&self, question: &str) -> (String, String) {
        dset_mock::answer_for(question, Some(self.answer_bytes), TEXT_SEED)
    }

    pub(crate) fn fail(&mut self, violation: impl Into<String>) {
        self.violations.push(violation.into());
    }

    fn mocks(&self) -> impl Iterator<Item = &Mock> {
        self.rough.iter().chain(&self.healthy)
    }

    /// How often each question was asked and answered, by both services together.
    pub(crate) fn audit(&self) -> BTreeMap<String, (u64, u64)> {
        let mut all = BTreeMap::new();
        for mock in self.mocks() {
            for (question, (asked, answered)) in
                mock.stats_by_question().by_question.unwrap_or_default()
            {
                let counts: &mut (u64, u64) = all.entry(question).or_default();
                counts.0 += asked;
                counts.1 += answered;
            }
        }
        all
    }

    /// Texts all of whose rows were acknowledged as durable.
    pub(crate) fn acked(&self) -> io::Result<HashSet<String>> {
        let acks = fs::read_to_string(self.base.join("acks")).unwrap_or_default();
        let rows: HashSet<u64> =
            acks.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
        let mut missing: HashSet<&str> = HashSet::new();
        for (row, line) in self.rows() {
            if !rows.contains(&row) {
                missing.insert(&line.text);
            }
        }
        let all = self.lines.iter().map(|line| line.text.as_str());
        Ok(all.filter(|text| !missing.contains(text)).map(str::to_owned).collect())
    }

    /// Keys of acknowledged answers, in hex.
    pub(crate) fn acked_keys(&self) -> Vec<String> {
        let acks = fs::read_to_string(self.base.join("acks")).unwrap_or_default();
        acks.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()
    }

    /// The lines with their row numbers as a spreadsheet counts them.
    fn rows(&self) -> impl Iterator<Item = (u64, &InputRow)> {
        self.lines.iter().enumerate().map(|(at, line)| (at as u64 + 2, line))
    }

    /// Begins a life of the binary.
    pub(crate) fn begin(&mut self, how: &Begin<'_>) -> io::Result<Life> {
        self.lives += 1;
        let name = |kind: &str| self.base.join(format!("{kind}-{}", self.lives));
        let (log, err) = (name("ops"), name("err"));
        let acks = fs::OpenOptions::new().create(true).append(true).open(self.base.join("acks"))?;
        let service = if how.healthy { &self.healthy } else { &self.rough };
        let url = service.as_ref().expect("the services run as long as the world").base_url();
        let rules: Vec<String> = how.rules.iter().map(Rule::to_string).collect();
        let width = self.width.to_string();
        let mut command = match (how.file_bytes_max, how.files_max) {
            (None, None) => Command::new(&self.lab.dset),
            (bytes, files) => {
                let mut command = Command::new("prlimit");
                command.args(bytes.map(|bytes| format!("--fsize={bytes}")));
                command.args(files.map(|files| format!("--nofile={files}")));
                command.arg(&self.lab.dset);
                command
            }
        };
        command
            .args(["run", "--base-url", &url, "--key", "none", "-c", &width])
            .args(["--retries", "4", "--backoff", "50ms,100ms,500ms", "--timeout", "20s"])
            .args(["--ack-fd", "1", "--share-pace", "off"])
            .args(how.arguments)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", &self.temporary)
            .env("LD_PRELOAD", &self.lab.shim)
            .env("TORTURE_ROOT", &self.root)
            .env("TORTURE_RULES", rules.join(";"))
            .env("TORTURE_LOG", &log)
            .stdin(Stdio::null())
            .stdout(acks.into_file())
            .stderr(fs::File::create(&err)?.into_file());
        if let Some(user) = how.user {
            use std::os::unix::process::CommandExt;
            command.uid(user).gid(user);
        }
        let acked_before = self.acked()?;
        let asked_before =
            self.audit().into_iter().map(|(text, counts)| (text, counts.0)).collect();
        let child = command.spawn()?;
        Ok(Life { child, began: Instant::now(), log, err, acked_before, asked_before })
    }

    /// Works in another folder from now on, which has the input already.
    pub(crate) fn move_to(&mut self, root: PathBuf) {
        self.temporary = root.with_extension("tmp");
        self.root = root;
    }

    /// Waits for the end of a life, and checks what holds of every life.
    pub(crate) fn wait(&mut self, mut life: Life) -> io::Result<RunResult> {
        let status = loop {
            if let Some(status) = life.child.try_wait()? {
                break status;
            }
            if life.began.elapsed() > HANGS_AFTER {
                self.fail(format!("life {}: it hangs", self.lives));
                life.child.kill()?;
                break life.child.wait()?;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let err = String::from_utf8_lossy(&fs::read(&life.err)?).into_owned();
        let log = fs::read_to_string(&life.log).unwrap_or_default();
        let acts = log.lines().filter(|line| line.starts_with("acts ")).count();
        if err.contains("panicked") {
            self.fail(format!("life {}: it panics", self.lives));
        }
        for (text, (asked, _)) in self.audit() {
            let before = life.asked_before.get(&text).copied().unwrap_or(0);
            if life.acked_before.contains(&text) && asked > before {
                self.fail(format!("life {}: asked although acknowledged: {text:?}", self.lives));
            }
        }
        self.said += &format!("--- life {} ended with {status}\n{err}", self.lives);
        Ok(RunResult { status, err, acts })
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&mut self, how: &Begin<'_>) -> io::Result<RunResult> {
        let life = self.begin(how)?;
        self.wait(life)
    }

    /// Runs to the end against the healthy service, and checks everything.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let ran = self.run(&Begin { healthy: true, ..Begin::default() })?;
        let refused = self.lines.iter().any(|line| line.taken == ServiceReaction::Refused);
        let expected = if refused { 3 } else { 0 };
        if ran.code() != Some(expected) {
            self.fail(format!("the last life ended with {}, not {expected}", ran.status));
        }
        Ok(())
    }

    /// Lets another user run here, who may write nothing but what is made for him.
    pub(crate) fn lend(&self, user: u32) -> io::Result<()> {
        let acks = self.base.join("acks");
        fs::write(&acks, "")?;
        [&self.temporary, &acks]
            .into_iter()
            .try_for_each(|path| std::os::unix::fs::chown(path, Some(user), Some(user)))
    }

    /// Keeps what is needed to understand a failure; returns the folder.
    pub(crate) fn keep(&self) -> PathBuf {
        let text = format!("{}\n\n{}", self.violations.join("\n"), self.said);
        let _ = fs::write(self.base.join("violations.txt"), text);
        self.base.clone()
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        let _inside = self.lab.runtime.enter();
        self.rough = None;
        self.healthy = None;
    }
}

impl Life {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Lets it live until something holds, or until it ends by itself.
    pub(crate) fn let_live_until(&mut self, holds: impl Fn() -> bool) -> io::Result<()> {
        while !holds() && self.child.try_wait()?.is_none() {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Lets it run for `span`, or until it ends by itself.
    pub(crate) fn let_live(&mut self, span: Duration) -> io::Result<()> {
        let until = Instant::now() + span;
        while Instant::now() < until && self.child.try_wait()?.is_none() {
            std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}

/// Builds the binary and returns where it is.
pub(crate) fn build(root: &Path) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "-q", "-p", "dset-cli"])
        .current_dir(root)
        .status()?;
    if !status.success() {
        return Err(io::Error::other("`cargo build` failed"));
    }
    let exe = std::env::current_exe()?;
    let folder = exe.parent().and_then(Path::parent).map(|target| target.join("release"));
    folder.map(|folder| folder.join("dset")).filter(|path| path.exists()).ok_or_else(|| {
        io::Error::other("cannot find the binary that was built; name it with --dset PATH")
    })
}

/// Counts of each text.
pub(crate) fn counted<'t>(texts: impl Iterator<Item = &'t str>) -> HashMap<&'t str, u64> {
    let mut counts = HashMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    counts
}
