//! Ends a run: the store and the outputs are closed, and the threads waited for.

use dset_core::run::{EndReason, Ending};

use crate::observer::{LocalFailure, Observer};
use crate::os::clock::unix_ms;
use crate::output::live::ToOutputs;
use crate::run::drive::Run;
use crate::store::{STORE, ToStore};

impl Run {
    /// Says goodbye to the store and waits for every thread.
    pub(super) fn end(mut self, ending: Ending, watcher: &mut dyn Observer) -> Ending {
        self.publish_limits(true);
        self.judge.stop();
        let Run { store, writer, outputs, questions, workers, mut shared, .. } = self;
        let _ = store.send(ToStore::End {
            at: unix_ms(),
            ending: ending_code(&ending),
            dropped: ending.dropped > 0,
        });
        let _ = outputs.send(ToOutputs::End);
        drop((store, questions));
        for worker in workers {
            let _ = worker.join();
        }
        let joined = writer.join();
        shared.iter_mut().for_each(|shared| shared.end());
        let Err(error) = joined else { return ending };
        let (path, detail) = (self.spec.output.join(STORE), error.to_string());
        let trouble = LocalFailure::Store { path, detail, rescued: None, answers: 0 };
        watcher.local_failure(self.clock.now(), &trouble);
        Ending { reason: EndReason::StoreFailed, ..ending }
    }
}

/// How a run ended, as it is told later.
fn ending_code(ending: &Ending) -> String {
    let word = reason_code(&ending.reason);
    if ending.dropped == 0 { word.to_owned() } else { format!("{word}, asks dropped") }
}

fn reason_code(why: &EndReason) -> &'static str {
    match why {
        EndReason::StoreFailed => "store failed",
        EndReason::OutputFailed => "output failed",
        EndReason::WrongSettings(_) => "wrong settings",
        EndReason::InputChanged { .. } => "input changed",
        EndReason::KeyRefused(_) => "key refused",
        EndReason::OutOfMoney(_) => "out of money",
        EndReason::CostLimit { .. } => EndReason::COST_LIMIT,
        EndReason::Unreachable(_) => "unreachable",
        EndReason::RetryAfterTooLong(..) => "told to wait",
        EndReason::Stopped(_) => "stopped",
        EndReason::LeaseLost => "lease lost",
        EndReason::Paused => "paused",
        EndReason::Complete => EndReason::COMPLETE,
    }
}
