//! What the exit code of `dset` says.

use std::process::ExitCode;

use dset_core::run::{EndReason, Ending, StopSignal};

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

impl Exit {
    /// Every code, from the lowest.
    pub(crate) const ALL: [Exit; 10] = [
        Exit::Done,
        Exit::Ours,
        Exit::Usage,
        Exit::Marked,
        Exit::Key,
        Exit::Money,
        Exit::Unreachable,
        Exit::Locked,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// Says what has happened.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "every question is answered, or the command did what it was told",
            Exit::Ours => "disk or dset failed; `verify`, `doctor` found something, `search` not",
            Exit::Usage => "usage, settings or input; or a decision is wanted",
            Exit::Marked => "the run went to its end, or paused, and some rows have no answer",
            Exit::Key => "the key is missing or refused",
            Exit::Money => "no money is left at the service, or of a limit of your own",
            Exit::Unreachable => "the service cannot be reached, after every retry",
            Exit::Locked => "another run has the folder",
            Exit::Interrupted => "stopped by Ctrl-C; the answers are safe",
            Exit::Terminated => "stopped by SIGTERM or a closed terminal; the answers are safe",
        }
    }

    /// Says what to do then, if anything.
    pub(crate) fn next(self) -> Option<&'static str> {
        Some(match self {
            Exit::Done => return None,
            Exit::Ours => "mend what it names, then run again: answers that came are kept",
            Exit::Usage => "change what it names, then run again",
            Exit::Marked => {
                "run again: asks those rows again (cut ones: with a higher --max-tokens)"
            }
            Exit::Key => "put the key into .env or the environment, then run again",
            Exit::Money => "pay, or raise your own limit, then run again",
            Exit::Unreachable => "run again later: it goes on where it stopped",
            Exit::Locked => "wait for it; `dset status` shows how far it is",
            Exit::Interrupted | Exit::Terminated => "run again: it goes on where it stopped",
        })
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// Returns the code of a run that ended so; `agreed` says that somebody has said to take rows
    /// before a bookmark as answered. Otherwise they are rows without an answer.
    pub(crate) fn of(ending: &Ending, agreed: bool) -> Exit {
        match ending.reason {
            EndReason::StoreFailed | EndReason::OutputFailed => Exit::Ours,
            EndReason::WrongSettings(_) | EndReason::InputChanged { .. } => Exit::Usage,
            EndReason::KeyRefused(_) => Exit::Key,
            EndReason::CostLimit { .. } if ending.budget.is_some_and(|of| of.is_unspent()) => {
                Exit::Usage
            }
            EndReason::OutOfMoney(_) | EndReason::CostLimit { .. } => Exit::Money,
            EndReason::Unreachable(_) | EndReason::RetryAfterTooLong(..) => Exit::Unreachable,
            EndReason::Stopped(signal) => Exit::of_signal(signal),
            EndReason::LeaseLost => Exit::Locked,
            EndReason::Paused => Exit::Marked,
            EndReason::Complete if ending.ledger.failed() > 0 => Exit::Marked,
            EndReason::Complete if ending.ledger.presumed > 0 && !agreed => Exit::Marked,
            EndReason::Complete => Exit::Done,
        }
    }

    /// Returns the code of what this signal has stopped.
    pub(crate) fn of_signal(signal: StopSignal) -> Exit {
        match signal {
            StopSignal::Interrupt => Exit::Interrupted,
            StopSignal::Terminate => Exit::Terminated,
        }
    }
}
