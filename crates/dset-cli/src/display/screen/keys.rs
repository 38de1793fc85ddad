//! Turns keys into wishes.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use dset_core::machine::StopSignal;
use dset_engine::drive::Wish;
use tokio::sync::mpsc::Sender;

use super::tty;

/// Hears keys on a thread of its own until it is dropped.
pub(super) struct Keys {
    /// Closed, it ends the thread.
    until: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    /// Begins; `is_held` tells whether the run is held, for the key that does both.
    pub(super) fn hear(wish: Sender<Wish>, is_held: Arc<AtomicBool>) -> Keys {
        let Ok((ended, until)) = rustix::pipe::pipe() else {
            return Keys { until: None, thread: None };
        };
        let press = move |key| {
            let wanted = wanted(key, is_held.load(Ordering::Relaxed));
            // A run that takes no wishes now is busy ending.
            let _ = wanted.is_some_and(|wanted| wish.try_send(wanted).is_ok());
        };
        let thread = std::thread::Builder::new().name("keys".into());
        let thread = thread.spawn(move || tty::hear(&ended, press)).ok();
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

fn wanted(key: u8, is_held: bool) -> Option<Wish> {
    Some(match key.to_ascii_lowercase() {
        b's' => Wish::Status,
        b'p' if is_held => Wish::LetGo,
        b'p' => Wish::Hold,
        b'r' => Wish::TryNow,
        b'q' => Wish::Stop(StopSignal::Interrupt),
        _ => return None,
    })
}
