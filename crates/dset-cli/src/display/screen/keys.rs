//! Turns keys into wishes.

use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use dset_core::run::StopSignal;
use dset_engine::run::drive::RunControl;
use tokio::sync::mpsc::Sender;

use super::tty::{self, Ended};

/// Hears keys on a thread of its own until it is dropped.
pub(super) struct Keys {
    /// Closed, it ends the thread.
    until: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    /// Begins. Once the terminal is gone nobody can let a paused run go on: it goes on then.
    pub(super) fn listen(wish: Sender<RunControl>) -> Keys {
        let Ok((ended, until)) = rustix::pipe::pipe() else {
            return Keys { until: None, thread: None };
        };
        let thread = std::thread::Builder::new().name("keys".into());
        let thread = thread.spawn(move || {
            // A run that takes no wishes now is busy ending.
            let press = |key| {
                let _ = control_of(key).map(|wanted| wish.try_send(wanted));
            };
            if tty::hear(&ended, press) == Ended::Gone {
                let _ = wish.blocking_send(RunControl::Resume);
            }
        });
        let thread = thread.ok();
        Keys { until: Some(until), thread }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        drop(self.until.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn control_of(key: u8) -> Option<RunControl> {
    Some(match key.to_ascii_lowercase() {
        b's' => RunControl::Status,
        b'p' => RunControl::TogglePause,
        b'r' => RunControl::TryNow,
        b'q' => RunControl::Stop(StopSignal::Interrupt),
        _ => return None,
    })
}
