//! Signals, and what they want of a run.

use std::future::Future;

use dset_core::machine::StopSignal;
use dset_engine::drive::Wish;
use tokio::sync::mpsc::Sender;

/// A file that may not grow would kill the process; caught, it is a write error like any other.
///
/// From before the first file is written to the end: a signal once caught stays caught.
#[cfg(unix)]
pub(super) fn survive_file_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    const SIGXFSZ: i32 = 25;
    // Where it cannot be caught, the limit kills, and the next run goes on from there.
    let _ = signal(SignalKind::from_raw(SIGXFSZ));
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

/// Listens to signals from this call on, which is to come before the first ask: one that nobody
/// listens to would end the process with whatever is on its way. The future tells them as wishes, and
/// ends with the first that wants to stop a run which takes none any more. Within a runtime.
pub(super) fn listen(wish: Sender<Wish>) -> impl Future<Output = StopSignal> + Send {
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
            loop {
                let wanted = tokio::select! {
                    _ = heard(&mut interrupt) => Wish::Stop(StopSignal::Interrupt),
                    _ = heard(&mut terminate) => Wish::Stop(StopSignal::Terminate),
                    // The terminal is gone: what is on its way is paid for, as with SIGTERM.
                    _ = heard(&mut hangup) => Wish::Stop(StopSignal::Terminate),
                    _ = heard(&mut status) => Wish::Status,
                    _ = heard(&mut info) => Wish::Status,
                };
                if let (Wish::Stop(signal), Err(_)) = (wanted, wish.send(wanted).await) {
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
