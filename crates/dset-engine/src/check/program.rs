//! A program that judges: one process for all rows, a line of JSON to it for each, and a line back.
//!
//! It has a thread of its own, which asks it row by row, and starts it again where it died or had to be
//! killed because it said nothing in time.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dset_core::check::{Command, CommandReply, Judgement};
use fs_err as fs;
use thiserror::Error;

/// More than any verdict with its reason.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// So much of what it complains of is kept.
const COMPLAINTS_BYTES_MAX: u64 = 1 << 20;

/// A program that cannot be started.
#[derive(Debug, Error)]
#[error("`{program}` cannot be started: {error}")]
pub struct ProgramError {
    /// Which.
    pub program: String,
    /// Why.
    pub error: std::io::Error,
}

/// A program that judges.
#[derive(Debug)]
pub(super) struct Program {
    jobs: Sender<Job>,
    /// Wakes whoever waits for a line of the process that is running; absent once it is to judge no more.
    waker: Waker,
}

type Waker = Arc<Mutex<Option<Sender<Said>>>>;

/// A row that it is asked about.
struct Job {
    row: u64,
    line: String,
    tell: SyncSender<Judgement>,
}

impl Program {
    /// Starts it. What it writes to its standard error is appended to the file `complaints`.
    pub(super) fn start(command: Command, complaints: PathBuf) -> Result<Program, ProgramError> {
        let failed = |error| ProgramError { program: command.command[0].clone(), error };
        let (wake, said) = channel();
        let waker: Waker = Arc::new(Mutex::new(Some(wake.clone())));
        let process = Process::start(&command, &complaints, (wake, said)).map_err(failed)?;
        let (jobs, wanted) = channel();
        let (own, waked) = (command.clone(), Arc::clone(&waker));
        std::thread::Builder::new()
            .name("check".into())
            .spawn(move || run(&own, &complaints, process, &waked, &wanted))
            .map_err(failed)?;
        Ok(Program { jobs, waker })
    }

    /// Ends it: nobody wants to know any more what it would say.
    pub(super) fn stop(&self) {
        if let Some(wake) = lock(&self.waker).take() {
            let _ = wake.send(Said::Stop);
        }
    }

    /// Asks it about a row, and waits for what it says.
    pub(super) fn ask(&self, row: u64, line: &str) -> Judgement {
        let (tell, told) = sync_channel(1);
        // A thread that is gone drops the way back, too.
        let _ = self.jobs.send(Job { row, line: line.to_owned(), tell });
        told.recv().unwrap_or_else(|_| Judgement::Unknown("the program is gone".into()))
    }
}

fn run(
    command: &Command,
    complaints: &Path,
    process: Process,
    waker: &Waker,
    wanted: &Receiver<Job>,
) {
    let mut process = Some(process);
    while let Ok(job) = wanted.recv() {
        let _ = job.tell.send(judge(command, complaints, &mut process, waker, &job));
    }
}

fn lock(waker: &Waker) -> MutexGuard<'_, Option<Sender<Said>>> {
    waker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks about one row; a program that died is asked once more. One that wrote more than it was asked
/// for is started again, because what it writes from then on would be taken for other rows'.
fn judge(
    command: &Command,
    complaints: &Path,
    process: &mut Option<Process>,
    waker: &Waker,
    job: &Job,
) -> Judgement {
    let patience = Duration::from_secs(command.seconds);
    if process.as_ref().is_some_and(|process| process.said.try_recv().is_ok()) {
        *process = None;
    }
    for _ in 0..2 {
        if process.is_none() {
            let (wake, said) = channel();
            match &mut *lock(waker) {
                Some(current) => *current = wake.clone(),
                None => return Command::stopped(),
            }
            match Process::start(command, complaints, (wake, said)) {
                Ok(started) => *process = Some(started),
                Err(error) => {
                    return Judgement::Unknown(format!("the program cannot be started: {error}"));
                }
            }
        }
        let asked = process.as_ref().map(|process| process.ask(&job.line, patience));
        match asked {
            Some(Ok(Said::Stop)) => {
                *process = None;
                return Command::stopped();
            }
            Some(Ok(Said::Line { is_last: false, .. })) => {
                *process = None;
                return Judgement::Unknown("the program wrote more than one line".into());
            }
            Some(Ok(Said::Line { text, .. })) => {
                let judgement = CommandReply::read(&text, job.row);
                if matches!(judgement, Judgement::Unknown(_)) {
                    *process = None;
                }
                return judgement;
            }
            Some(Err(RecvTimeoutError::Timeout)) => {
                // What it said later would be taken for the next row's.
                *process = None;
                let seconds = command.seconds;
                return Judgement::Unknown(format!("the program said nothing for {seconds} s"));
            }
            Some(Ok(Said::End) | Err(RecvTimeoutError::Disconnected)) | None => *process = None,
        }
    }
    Judgement::Unknown("the program ended without a word".into())
}

/// A running process, with a thread that writes to it and one that reads from it: either may have to
/// wait for it. It is killed when it is dropped.
struct Process {
    child: Child,
    lines: Sender<String>,
    said: Receiver<Said>,
}

/// What whoever waits for a process is told.
enum Said {
    /// A line that it wrote.
    Line {
        text: String,
        /// Nothing came behind it.
        is_last: bool,
    },
    /// Nothing comes any more.
    End,
    /// Not to wait any longer.
    Stop,
}

impl Process {
    fn start(
        command: &Command,
        complaints: &Path,
        (tell, said): (Sender<Said>, Receiver<Said>),
    ) -> std::io::Result<Process> {
        let mut child = std::process::Command::new(&command.command[0])
            .args(&command.command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(std::io::Error::other("it has no pipes"));
        };
        let (lines, to_write) = channel();
        let complaints = complaints.to_owned();
        std::thread::spawn(move || write_lines(stdin, &to_write));
        std::thread::spawn(move || read_lines(stdout, &tell));
        std::thread::spawn(move || keep(stderr, &complaints));
        Ok(Process { child, lines, said })
    }

    fn ask(&self, line: &str, patience: Duration) -> Result<Said, RecvTimeoutError> {
        let _ = self.lines.send(format!("{line}\n"));
        self.said.recv_timeout(patience)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, which is no trouble.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_lines(mut to: ChildStdin, lines: &Receiver<String>) {
    while let Ok(line) = lines.recv() {
        if to.write_all(line.as_bytes()).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(from: ChildStdout, tell: &Sender<Said>) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let read = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let is_whole = line.last() == Some(&b'\n');
        if read.is_err() || !is_whole {
            let _ = tell.send(Said::End);
            return;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        if tell.send(Said::Line { text, is_last: from.buffer().is_empty() }).is_err() {
            return;
        }
    }
}

/// Keeps what a program complains of. The file is made with its first word.
fn keep(mut from: impl Read, path: &Path) {
    let mut first = [0; 1];
    let Ok(1) = from.read(&mut first) else { return };
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let Ok(mut file) = file else { return drain(from) };
    let kept = file.write_all(&first);
    let _ = kept.and_then(|()| {
        std::io::copy(&mut from.by_ref().take(COMPLAINTS_BYTES_MAX), &mut file).map(drop)
    });
    drain(from);
}

/// Reads on, so that nobody waits who writes.
fn drain(mut from: impl Read) {
    let _ = std::io::copy(&mut from, &mut std::io::sink());
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn program(script: &str) -> (Program, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let command = Command { command, seconds: 60 };
        (Program::start(command, folder.path().join("complaints")).unwrap(), folder)
    }

    fn is_unknown(judgement: &Judgement) -> bool {
        matches!(judgement, Judgement::Unknown(_))
    }

    #[test]
    fn a_line_too_many_says_nothing_of_the_next_row() {
        let (program, _folder) = program(
            r#"while read -r line; do case "$line" in
                twice) printf '{"ok":false,"why":"one"}\n{"ok":false,"why":"two"}\n';;
                *) echo '{"ok":true}';;
            esac; done"#,
        );
        assert_eq!(program.ask(2, "once"), Judgement::Passed);
        assert!(is_unknown(&program.ask(3, "twice")));
        assert_eq!(program.ask(4, "once"), Judgement::Passed);
    }

    #[test]
    fn one_that_is_stopped_keeps_nobody_waiting() {
        let (program, _folder) = program("exec sleep 600");
        std::thread::scope(|threads| {
            let asked = threads.spawn(|| program.ask(2, "for ever"));
            program.stop();
            assert!(is_unknown(&asked.join().unwrap()));
        });
        assert!(is_unknown(&program.ask(3, "after that")));
    }

    #[test]
    fn a_line_about_another_row_is_no_verdict_and_shifts_none() {
        let (program, _folder) = program(
            r#"row=1; while read -r line; do row=$((row + 1))
                if [ "$line" = late ]; then row=$((row - 1)); fi
                echo "{\"ok\":true,\"row\":$row}"
            done"#,
        );
        assert_eq!(program.ask(2, "first"), Judgement::Passed);
        assert!(is_unknown(&program.ask(3, "late")));
        assert_eq!(program.ask(2, "first"), Judgement::Passed, "it was started again");
    }
}
