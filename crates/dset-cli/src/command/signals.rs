//! Signals, and what they want of a run.

use std::future::Future;

use dset_core::run::StopSignal;
use dset_engine::run::drive::RunControl;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

/// A file that may not grow would kill the process; caught, it is a write error like any other.
///
/// From before the first file is written to the end: a signal once caught stays caught. Programs that this
/// one starts are killed as ever, which they were not if it were ignored.
pub(crate) fn survive_file_limit() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        const SIGXFSZ: i32 = 25;
        // Where it cannot be caught, the limit kills, and what comes next goes on from there.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        if let Ok(runtime) = runtime {
            let _ = runtime.block_on(async { signal(SignalKind::from_raw(SIGXFSZ)) });
        }
    }
}

/// Tells whether whoever started this run, as `nohup` does, wants it to outlive its terminal. Where
/// the system does not tell, the signal is left as it is.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is number 1, and has the lowest bit.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|m| m & 1 == 1)
}

/// What the run was told already. A second SIGTERM stops it at once, but a terminal that closes is
/// often told by both signals, and by the same one twice: what is on its way is paid for, and nobody
/// has asked for it to be dropped.
#[cfg(unix)]
#[derive(Debug, Default)]
struct SignalsSeen {
    terminate: bool,
    hang_up: bool,
}

#[cfg(unix)]
impl SignalsSeen {
    fn terminate(&mut self) -> Option<RunControl> {
        let is_first = !std::mem::replace(&mut self.terminate, true);
        (!(is_first && self.hang_up)).then_some(RunControl::Stop(StopSignal::Terminate))
    }

    fn hang_up(&mut self) -> Option<RunControl> {
        let is_first = !std::mem::replace(&mut self.hang_up, true);
        (is_first && !self.terminate).then_some(RunControl::Stop(StopSignal::Terminate))
    }
}

/// Listens to signals from this call on, which is to come before the first ask: one that nobody
/// listens to would end the process with whatever is on its way. The future tells them as wishes, and
/// ends with the first that wants to stop a run which takes none any more. Within a runtime.
pub(super) fn listen(wish: Sender<RunControl>) -> impl Future<Output = StopSignal> + Send {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{Signal, SignalKind, signal};
        let heard = async |signal: &mut Option<Signal>| match signal {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        };
        let mut interrupt = signal(SignalKind::interrupt()).ok();
        let mut terminate = signal(SignalKind::terminate()).ok();
        let mut hangup =
            (!is_hangup_ignored()).then(|| signal(SignalKind::hangup()).ok()).flatten();
        let mut status = signal(SignalKind::user_defined1()).ok();
        // Ctrl-T, where terminals have it.
        #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd"))]
        let mut info = signal(SignalKind::info()).ok();
        #[cfg(not(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd")))]
        let mut info = None;
        async move {
            let mut told = SignalsSeen::default();
            loop {
                let wanted = tokio::select! {
                    _ = heard(&mut interrupt) => Some(RunControl::Stop(StopSignal::Interrupt)),
                    _ = heard(&mut terminate) => told.terminate(),
                    _ = heard(&mut hangup) => told.hang_up(),
                    _ = heard(&mut status) => Some(RunControl::Status),
                    _ = heard(&mut info) => Some(RunControl::Status),
                };
                let Some(wanted) = wanted else { continue };
                if let (RunControl::Stop(signal), Err(_)) = (wanted, wish.send(wanted).await) {
                    return signal;
                }
            }
        }
    }
    #[cfg(not(unix))]
    async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if wish.send(Wish::Stop(StopSignal::Interrupt)).await.is_err() {
                return StopSignal::Interrupt;
            }
        }
        std::future::pending().await
    }
}

/// Signals of a run that has ended, which are heard until the process ends.
pub(super) struct SignalsBehind {
    pub(super) runtime: Runtime,
    /// What [`listen`] returns.
    pub(super) heard: JoinHandle<StopSignal>,
}

impl SignalsBehind {
    /// Waits for work, or for a signal that wants to stop it: whatever it does then, it ends with the process.
    pub(super) fn unless_stopped<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StopSignal> {
        let SignalsBehind { runtime, heard } = self;
        let ended = runtime.block_on(async {
            let work = tokio::task::spawn_blocking(work);
            tokio::select! {
                biased;
                done = work => Ok(done.unwrap_or_else(panicked)),
                Ok(signal) = heard => Err(signal),
            }
        });
        runtime.shutdown_background();
        ended
    }
}

pub(super) fn panicked<T>(error: tokio::task::JoinError) -> T {
    std::panic::resume_unwind(error.into_panic())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_second_sigterm_is_told_and_a_terminal_that_closes_is_not_told_twice() {
        for (signals, wishes) in
            [("T", 1), ("TT", 2), ("H", 1), ("HH", 1), ("HT", 1), ("TH", 1), ("THT", 2), ("HTT", 2)]
        {
            let mut told = SignalsSeen::default();
            let wishes_of = signals.chars().filter_map(|signal| match signal {
                'T' => told.terminate(),
                _ => told.hang_up(),
            });
            assert_eq!(wishes_of.count(), wishes, "{signals}");
        }
    }
}
