//! What the exit code of `dset` says.

use std::process::ExitCode;

use dset_core::machine::{Ending, StopSignal, Why};

/// How a command ended. Unknown codes must be read as failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was to be asked is answered.
    Done = 0,
    /// The disk, or dset itself.
    Ours = 1,
    /// Usage, settings or input.
    Usage = 2,
    /// Finished or paused with rows marked ERROR.
    Marked = 3,
    /// The key is missing or refused.
    Key = 4,
    /// Out of money.
    Money = 5,
    /// The service cannot be reached.
    Unreachable = 6,
    /// Another run has the folder.
    Locked = 11,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// Returns the code of a run that ended so.
    pub(crate) fn of(ending: &Ending) -> Exit {
        match ending.why {
            Why::StoreFailed | Why::OutputFailed => Exit::Ours,
            Why::WrongSettings(_) | Why::InputChanged { .. } => Exit::Usage,
            Why::KeyRefused(_) => Exit::Key,
            Why::OutOfMoney(_) => Exit::Money,
            Why::Unreachable(_) | Why::ToldToWait(..) => Exit::Unreachable,
            Why::Stopped(StopSignal::Interrupt) => Exit::Interrupted,
            Why::Stopped(StopSignal::Terminate) => Exit::Terminated,
            Why::Paused => Exit::Marked,
            Why::Complete if ending.ledger.failed() > 0 => Exit::Marked,
            Why::Complete => Exit::Done,
        }
    }
}
