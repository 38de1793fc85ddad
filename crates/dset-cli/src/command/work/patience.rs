//! Waits, for a server that is away or for a shard, that end when somebody wants the worker to stop.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dset_core::run::StopSignal;
use dset_engine::store::ServerFault;
use tokio::sync::watch;

use crate::command::signals;
use crate::display;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;

/// Waits between two tries to reach the server: from, and at most.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// What was wanted since the worker began, and a bell that rings then.
#[derive(Debug, Default)]
struct Heard {
    stop: Mutex<Option<StopSignal>>,
    bell: Condvar,
    /// The same for whoever waits for the server.
    told: watch::Sender<bool>,
}

/// Listens to signals for as long as it lives.
#[derive(Debug)]
pub(super) struct Patience {
    heard: Arc<Heard>,
    _runtime: tokio::runtime::Runtime,
}

impl Patience {
    pub(super) fn listen() -> Result<Patience, UserError> {
        let runtime = crate::command::shared::runtime()?;
        let heard = Arc::new(Heard::default());
        // Nobody takes wishes here: the first that stops ends the listening.
        let (wish, wishes) = tokio::sync::mpsc::channel(1);
        drop(wishes);
        let (listening, told) = {
            let _inside = runtime.enter();
            (signals::listen(wish), Arc::clone(&heard))
        };
        runtime.spawn(async move {
            let signal = listening.await;
            *told.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
            told.bell.notify_all();
            told.told.send_replace(true);
        });
        Ok(Patience { heard, _runtime: runtime })
    }

    /// Says when the worker is to stop.
    pub(super) fn stop(&self) -> watch::Receiver<bool> {
        self.heard.told.subscribe()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.signal().is_some()
    }

    fn signal(&self) -> Option<StopSignal> {
        *self.heard.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how a worker ends that is to stop.
    pub(super) fn stopped(&self) -> Exit {
        match self.signal() {
            Some(StopSignal::Terminate) => Exit::Terminated,
            _ => Exit::Interrupted,
        }
    }

    /// Waits so long; returns false if the worker is to stop.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let stop = self.heard.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.heard.bell.wait_timeout_while(stop, time, |stop| stop.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_none()
    }

    /// Does something with the server, which has let this worker begin, again and again while that is away, can only be
    /// read, or lets nobody in; returns nothing if the worker is to stop.
    pub(super) fn for_server<T>(
        &self,
        mut work: impl FnMut() -> Result<T, ServerFault>,
    ) -> Result<Option<T>, UserError> {
        let (mut wait, mut away) = (WAIT.0, None::<Instant>);
        loop {
            if self.is_stopped() {
                return Ok(None);
            }
            match work() {
                Ok(done) => {
                    if away.is_some() {
                        display::remark("The server of the job answers again");
                    }
                    return Ok(Some(done));
                }
                Err(_) if self.is_stopped() => return Ok(None),
                Err(fault) if may_pass(&fault) => {
                    if away.is_none() {
                        away = Some(Instant::now());
                        display::warn(&format!("{fault}; waiting for it, nothing is lost"), None);
                    }
                }
                Err(fault) => return Err(explain::server(fault)),
            }
            if !self.wait(wait) {
                return Ok(None);
            }
            wait = (wait * 2).min(WAIT.1);
        }
    }
}

/// Tells whether a server that has worked may do so again: while another takes its place, or a password or rights are
/// changed, it does not.
fn may_pass(fault: &ServerFault) -> bool {
    matches!(
        fault,
        ServerFault::Unreachable { .. }
            | ServerFault::Failed(_)
            | ServerFault::ReadOnly
            | ServerFault::Refused { .. }
            | ServerFault::NoRights { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_has_begun_waits_for_a_server_that_lets_nobody_write_or_in_for_a_while() {
        let runtime = crate::command::shared::runtime().unwrap();
        let patience = Patience { heard: Arc::default(), _runtime: runtime };
        let (server, detail) = ("db".to_owned(), "no".to_owned());
        let refused = ServerFault::Refused { server: server.clone(), detail: detail.clone() };
        let mut faults = vec![
            refused,
            ServerFault::NoRights { server: server.clone(), detail },
            ServerFault::ReadOnly,
        ];
        let done = patience.for_server(|| faults.pop().map_or(Ok(7), Err));
        assert!(matches!(done, Ok(Some(7))));
        let gone = || Err::<(), _>(ServerFault::NoJob { server: server.clone() });
        assert!(patience.for_server(gone).is_err(), "what is no job stays none");
    }
}
