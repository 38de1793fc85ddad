//! A run on threads of its own, while the thread that called looks for Ctrl-C and tells of progress.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use dset_cli::embed::{Failure, PreparedRun};
use dset_core::item::question::Question;
use dset_core::run::{Notice, Snapshot};
use dset_core::time::Time;
use dset_engine::engine::Cancel;
use dset_engine::observer::{LocalFailure, Observer};
use pyo3::prelude::*;
use serde_json::Value;

use crate::{died, raised};

/// How often the interpreter is asked whether somebody has pressed Ctrl-C.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);
/// How often a caller hears of progress, at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Threads of a run beside those for files: asking is waiting.
const WORKERS: usize = 2;

/// What a thread that runs tells the one that waits.
enum Told {
    /// How many are answered, have failed, and are wanted.
    Progress(u64, u64, u64),
    Ended(Box<Result<Value, Failure>>),
    Died,
}

struct Watch {
    tell: Sender<Told>,
    told_at: Option<Instant>,
}

impl Observer for Watch {
    fn notice(&mut self, _: Time, _: &Notice) {}

    fn snapshot(&mut self, _: Time, snapshot: &Snapshot) {
        if self.told_at.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
            self.told_at = Some(Instant::now());
            let ledger = snapshot.ledger;
            // Whoever waits may be gone.
            let _ =
                self.tell.send(Told::Progress(ledger.answered, ledger.failed(), ledger.questions));
        }
    }

    fn local_failure(&mut self, _: Time, _: &LocalFailure) {}

    fn acknowledged(&mut self, _: &Question) {}
}

/// Runs to the end, or until a signal or an exception of `progress` stops it; that is raised when what was on
/// its way has come home.
pub(crate) fn run(
    py: Python<'_>,
    prepared: PreparedRun,
    progress: Option<&Py<PyAny>>,
) -> PyResult<Value> {
    let cancel = Cancel::new();
    let (tell, told) = channel();
    let stop = cancel.clone();
    let thread = std::thread::spawn(move || {
        let watch = Watch { tell: tell.clone(), told_at: None };
        let ended = catch_unwind(AssertUnwindSafe(move || asked(&prepared, watch, &cancel)));
        let _ = tell.send(match ended {
            Ok(ended) => Told::Ended(Box::new(ended)),
            Err(_) => Told::Died,
        });
    });
    let ended = wait(py, told, progress, &stop);
    let joined = py.detach(|| thread.join());
    let (ended, interrupted) = ended;
    match (interrupted, ended, joined) {
        (Some(error), ..) => Err(error),
        (None, Some(ended), Ok(())) => ended.map_err(raised),
        (None, ..) => Err(died()),
    }
}

fn asked(prepared: &PreparedRun, mut watch: Watch, cancel: &Cancel) -> Result<Value, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| Failure {
            message: "cannot start".to_owned(),
            cause: Some(error.to_string()),
            hints: Vec::new(),
            exit: 1,
        })?;
    runtime.block_on(prepared.run(&mut watch, cancel))
}

/// Waits for the end; returns it, none where the run died, and what has interrupted it.
fn wait(
    py: Python<'_>,
    told: Receiver<Told>,
    progress: Option<&Py<PyAny>>,
    stop: &Cancel,
) -> (Option<Result<Value, Failure>>, Option<PyErr>) {
    let mut interrupted: Option<PyErr> = None;
    // Held by one thread after another, which a receiver does not know by itself.
    let told = std::sync::Mutex::new(told);
    loop {
        let heard = py.detach(|| match told.lock() {
            Ok(told) => told.recv_timeout(SIGNALS_EVERY),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        });
        match heard {
            Ok(Told::Progress(answered, failed, wanted)) if interrupted.is_none() => {
                let called = progress.map(|call| call.call1(py, (answered, failed, wanted)));
                if let Some(Err(error)) = called {
                    interrupted = Some(error);
                    stop.stop();
                }
            }
            Ok(Told::Ended(ended)) => return (Some(*ended), interrupted),
            Ok(Told::Died) | Err(RecvTimeoutError::Disconnected) => return (None, interrupted),
            Ok(Told::Progress(..)) | Err(RecvTimeoutError::Timeout) => {}
        }
        if let Err(error) = py.check_signals() {
            interrupted.get_or_insert(error);
            stop.stop();
        }
    }
}
