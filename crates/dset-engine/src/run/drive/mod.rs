//! Drives the machine: events in, effects out, until it says that the run is over.
//!
//! One loop; its arms only name what happened. Files are read, stored, written and marked by
//! threads of their own, each of which answers with an event.

mod effects;
mod ending;
mod messages;
mod peers;
mod workers;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc as threads;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dset_core::item::question::Question;
use dset_core::plan::Plan;
use dset_core::run::ask::AskId;
use dset_core::run::{Ending, Event, Machine, PlanSummary, Seq, StopSignal};
use dset_core::settings::{JobSpec, RunOptions};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::check::Judge;
use crate::observer::Observer;
use crate::os::clock::Clock;
use crate::output::live::ToOutputs;
use crate::run::drive::effects::JudgedResult;
pub use crate::run::drive::peers::Target;
use crate::run::drive::workers::WorkerMessage;
use crate::run::lanes::Lane;
use crate::run::prepare::Job;
use crate::source::error_marks::Marker;
use crate::store::{SharedWork, StoreError, ToStore, Writer};

/// How often whoever watches is told where the run stands.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// How often runs at one service tell each other what they know of it.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// How often a run tells those who share its work where it stands.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What somebody who watches a run wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunControl {
    /// To stop.
    Stop(StopSignal),
    /// To send nothing for now, or to go on after that.
    TogglePause,
    /// To go on, if it is paused.
    Resume,
    /// To try a service that is out now.
    TryNow,
    /// To be told where it stands, with [`Observer::status`].
    Status,
}

/// Runs a job to its end, asking each model at its endpoints. `files_max` is how many files the
/// process may have open, where that is known: it bounds how many connections there are.
///
/// Cancel-safe in that the store and the outputs are whole at any moment.
pub async fn drive(
    job: Job,
    options: &RunOptions,
    asked: Vec<Target>,
    files_max: Option<u64>,
    mut wishes: Receiver<RunControl>,
    watcher: &mut (dyn Observer + Send),
) -> Result<Ending, StoreError> {
    let answered_before = job.prepared.answered_before;
    let mut run = Run::start(job, options, asked, files_max)?;
    let mut effects = Vec::new();
    let mut ticker = tokio::time::interval(SNAPSHOT_EVERY);
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sharing = tokio::time::interval(PUBLISH_EVERY);
    let mut reporting = tokio::time::interval(REPORT_EVERY);
    reporting.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    sharing.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let plan = PlanSummary { answered_before, ..run.plan.summary() };
    run.machine.handle(run.clock.now(), Event::Started(plan), &mut effects);
    for event in run.waits_of_others() {
        run.machine.handle(run.clock.now(), event, &mut effects);
    }
    loop {
        for effect in effects.drain(..) {
            if let Some(ending) = run.perform(effect, watcher) {
                watcher.snapshot(run.clock.now(), &run.machine.snapshot(run.clock.now()));
                return Ok(run.end(ending, watcher));
            }
        }
        let alarm = run.alarm.map(|at| run.clock.instant(at));
        let event = tokio::select! {
            Some(wish) = wishes.recv() => match wish {
                RunControl::Stop(signal) => {
                    run.shared.iter().for_each(|shared| shared.stop_waiting());
                    Event::Stopped(signal)
                }
                RunControl::TogglePause => match run.machine.snapshot(run.clock.now()).is_paused {
                    true => Event::ResumeRequested,
                    false => Event::PauseRequested,
                },
                RunControl::Resume => Event::ResumeRequested,
                RunControl::TryNow => Event::ProbeRequested,
                RunControl::Status => {
                    let now = run.clock.now();
                    watcher.status(now, &run.machine.snapshot(now));
                    continue;
                }
            },
            Some(told) = run.messages_rx.recv() => match run.on_message(told, watcher) {
                Some(event) => event,
                None => continue,
            },
            Some(done) = run.asks.join_next() => {
                let (ask, came) = done.expect("an ask does not panic");
                run.on_ask_end(ask, came)
            }
            () = sleep_until(alarm), if alarm.is_some() => {
                run.alarm = None;
                Event::TimerFired
            }
            _ = ticker.tick() => {
                run.lock.keep();
                let now = run.clock.now();
                watcher.snapshot(now, &run.machine.snapshot(now));
                continue;
            }
            _ = reporting.tick(), if run.shared.is_some() => {
                run.report_to_others();
                continue;
            }
            _ = sharing.tick(), if run.has_peer_limits() => {
                run.publish_limits(false);
                continue;
            }
        };
        run.machine.handle(run.clock.now(), event, &mut effects);
    }
}

async fn sleep_until(alarm: Option<Instant>) {
    if let Some(at) = alarm {
        tokio::time::sleep_until(at.into()).await;
    }
}

struct Run {
    machine: Machine,
    clock: Clock,
    spec: JobSpec,
    plan: Arc<Plan>,
    /// Where models are asked, in the order of the machine's places.
    targets: Vec<Arc<Target>>,
    asks: JoinSet<(AskId, Option<JudgedResult>)>,
    /// Drops an ask on its way.
    cancel_txs: HashMap<AskId, oneshot::Sender<()>>,
    /// Replies of failures that are being recorded.
    bodies: HashMap<AskId, Vec<u8>>,
    /// Answers given to the store that are not known to be durable; never more than the width.
    unsynced: VecDeque<(Seq, Arc<Question>)>,
    alarm: Option<dset_core::time::Time>,
    messages_rx: UnboundedReceiver<WorkerMessage>,
    tell: UnboundedSender<WorkerMessage>,
    store: threads::SyncSender<ToStore>,
    writer: Writer,
    outputs: threads::Sender<ToOutputs>,
    questions: threads::Sender<usize>,
    workers: Vec<JoinHandle<()>>,
    marking: JoinSet<()>,
    /// The column of the input that is known to have marks.
    marks_known: Option<String>,
    /// Writes marks into the input, where that can be marked.
    marker: Option<Arc<dyn Marker>>,
    /// Judges answers, where something is asked of them.
    judge: Arc<Judge>,
    shared: Option<Box<dyn SharedWork>>,
    lock: crate::os::lock::Lock,
    /// Ours while anything may be asked.
    _lane: Option<Lane>,
}
