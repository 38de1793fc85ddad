//! A scene for real: `dset run` against `dset mock`, two processes on this machine, 40 seconds.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::mock::Mock;
use crate::seen::Observations;
use crate::server::us;
use crate::service::Service;

/// More than any scene can answer, so that the backlog does not end.
const QUESTIONS: u32 = 60_000;
/// How long an interrupted run may take to fetch what it has paid for; then it is killed.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(60);

/// What a scene showed.
pub(crate) struct Played {
    pub(crate) seen: Observations,
    /// Questions that were answered more than once.
    pub(crate) again: u64,
    /// How each run ended.
    pub(crate) exits: Vec<String>,
}

/// One `dset run`, in a folder of its own.
struct Run {
    process: Child,
    /// When each answer was durable, once the process is over; taken when it is waited for.
    acks: Option<JoinHandle<Vec<Instant>>>,
    /// Its questions and outputs, which go when the run does.
    folder: TempDir,
}

/// Plays a scene; `more` is given to every `dset run`.
pub(crate) fn play(service: &Service, dset: &Path, more: &[String]) -> io::Result<Played> {
    let clients = 0..service.clients_at_s.len();
    let folders: Vec<TempDir> = clients.map(questions).collect::<io::Result<_>>()?;
    let mock = Mock::start(dset, service)?;
    let mut runs: Vec<Run> = Vec::new();
    for (folder, at_s) in folders.into_iter().zip(service.clients_at_s) {
        wait_until(mock.began + Duration::from_secs_f64(*at_s));
        runs.push(Run::start(dset, &mock, folder, more)?);
    }
    wait_until(mock.began + Duration::from_secs(service.seconds.into()));
    let stats = mock.stats();
    for run in &mut runs {
        run.interrupt()?;
    }
    let ended: Vec<_> = runs.iter_mut().map(Run::end).collect::<io::Result<_>>()?;
    let mut seen = Observations::counted(service, &stats?);
    let mut exits = Vec::new();
    for (client, (exit, said, acks)) in ended.into_iter().enumerate() {
        let since = |at: Instant| us(at.saturating_duration_since(mock.began).as_secs_f64());
        seen.acknowledged(client, acks.into_iter().map(since));
        exits.push(format!("{} {said}", exit.code().map_or("killed".into(), |c| c.to_string())));
    }
    // Counted after the drain, in which most that is bought twice would be.
    let again = mock.stats()?["questions_answered_again"].as_u64();
    let again = again.ok_or_else(|| io::Error::other("no questions_answered_again in /stats"))?;
    Ok(Played { seen, again, exits })
}

/// Writes a folder with more questions than can be answered, each client's its own.
fn questions(client: usize) -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let mut text = String::from("question\n");
    for number in 0..QUESTIONS {
        text.push_str(&format!("What is {number} and {client}?\n"));
    }
    fs_err::write(folder.path().join("q.csv"), text)?;
    Ok(folder)
}

impl Run {
    fn start(dset: &Path, mock: &Mock, folder: TempDir, more: &[String]) -> io::Result<Run> {
        let stderr = fs_err::File::create(acks_in(&folder))?;
        let mut command = Command::new(std::path::absolute(dset)?);
        command
            .args(["run", "--quiet", "--key", "none", "--ack-fd", "1", "--base-url"])
            .arg(mock.base_url())
            .args(more)
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr.into_file());
        let mut process = command.spawn()?;
        let out = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let acks = std::thread::spawn(move || {
            out.lines().map_while(Result::ok).map(|_| Instant::now()).collect()
        });
        Ok(Run { process, acks: Some(acks), folder })
    }

    /// Interrupts it as Ctrl-C does.
    fn interrupt(&mut self) -> io::Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if self.process.try_wait()?.is_none() {
            kill_process(pid.expect("a process has a number"), Signal::INT)?;
        }
        Ok(())
    }

    /// Waits for its end; returns how it ended, what it said first and its answers.
    fn end(&mut self) -> io::Result<(ExitStatus, String, Vec<Instant>)> {
        // It is waited for on another thread, so that this one can stop waiting.
        let (over, is_over) = mpsc::channel();
        let acks = self.acks.take().expect("an end is waited for once");
        std::thread::spawn(move || over.send(acks.join().unwrap_or_default()));
        let answered = match is_over.recv_timeout(DRAIN_WAIT_MAX) {
            Ok(answered) => answered,
            Err(_) => {
                self.process.kill()?;
                is_over.recv_timeout(DRAIN_WAIT_MAX).map_err(io::Error::other)?
            }
        };
        let exit = self.process.wait()?;
        let said = fs_err::read_to_string(acks_in(&self.folder))?;
        let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        Ok((exit, said, answered))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn acks_in(folder: &TempDir) -> PathBuf {
    folder.path().join("said")
}

fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

impl Observations {
    /// Takes what the service counted in each second of the scene.
    ///
    /// Of latencies it tells only the median of the whole run, which is taken for that of its end.
    pub(crate) fn counted(service: &Service, stats: &Value) -> Observations {
        let mut seen = Observations::new(service);
        let counted = stats["seconds"].as_array().map_or(&[][..], Vec::as_slice);
        for (second, counted) in seen.seconds.iter_mut().zip(counted) {
            let count = |name: &str| counted[name].as_u64().unwrap_or(0) as u32;
            second.answered = count("answered");
            second.refused = count("refused");
            second.sent = second.answered + second.refused;
            second.in_flight = count("in_flight_max");
            second.slots = vec![Some(second.in_flight)];
        }
        if let (Some(last), Some(ms)) = (seen.seconds.last_mut(), stats["latency_ms_p50"].as_f64())
        {
            last.latencies_ms.push(ms as u32);
        }
        seen
    }
}
