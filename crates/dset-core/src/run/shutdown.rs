//! Why a run ends, and how patiently.

use crate::planted::{PlantedBug, planted};
use crate::run::{EndReason, StopSignal, TERM_GRACE};
use crate::time::Time;

/// The end of a run, once something has decided it.
#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    /// Absent while the run goes on.
    pub(crate) reason: Option<EndReason>,
    pub(crate) signal: Option<StopSignal>,
    /// SIGTERM has come.
    is_terminated: bool,
    /// The same signal came twice: leave at once, and leave what is not placed to the next run.
    pub(crate) is_immediate: bool,
    /// When asks on their way are dropped: SIGTERM leaves a grace and no more.
    pub(crate) abandon_at: Option<Time>,
}

impl Shutdown {
    /// Ends the run for this reason, unless a weightier one is known.
    pub(crate) fn stop(&mut self, reason: EndReason) {
        if self.reason.as_ref().is_none_or(|known| reason.rank() < known.rank()) {
            self.reason = Some(reason);
        }
    }

    /// Takes a signal.
    pub(crate) fn on_signal(&mut self, now: Time, signal: StopSignal) {
        let again = match signal {
            StopSignal::Interrupt => self.signal.is_some(),
            // Behind Ctrl-C it may be a container that stops: the grace of the first holds.
            StopSignal::Terminate => self.is_terminated,
        };
        self.signal.get_or_insert(signal);
        self.is_terminated |= signal == StopSignal::Terminate;
        self.stop(EndReason::Stopped(signal));
        if again {
            self.is_immediate = true;
        } else if signal == StopSignal::Terminate && !planted(PlantedBug::GraceNeverEnds) {
            self.abandon_at.get_or_insert(now.after(TERM_GRACE));
        }
    }

    /// Returns true, once, if the grace is over.
    pub(crate) fn is_grace_over(&mut self, now: Time) -> bool {
        let is_over = self.abandon_at.is_some_and(|at| at.has_come(now));
        if is_over {
            self.abandon_at = None;
        }
        is_over
    }
}
