//! Drives the machine: events in, effects out, until it says that the run is over.
//!
//! One loop; its arms only name what happened. Files are read, stored, written and marked by
//! threads of their own, each of which answers with an event.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as threads;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dset_core::item::error_marks::InputMarks;
use dset_core::item::question::Question;
use dset_core::plan::Plan;
use dset_core::rate::sliding_window::MinuteLimits;
use dset_core::rate::{Bounds, limits_from_peers};
use dset_core::run::ask::{Ask, AskId};
use dset_core::run::{
    Effect, EndReason, Ending, EndpointSpec, Event, JournalRecord, Machine, Rules, Seq, StopSignal,
};
use dset_core::settings::{Concurrency, OnError, Settings};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::http::ask::{AskResult, Endpoint};
use crate::observer::{LocalFailure, Observer};
use crate::os::clock::{Clock, unix_ms};
use crate::os::open_files::raise_open_files_max;
use crate::os::panic_guard::catch_panic;
use crate::output::live::{Outputs, SinkError, ToSinks};
use crate::run::feeder::QuestionFeeder;
use crate::run::peer_limits::{PeerLimits, PublishedState};
use crate::run::prepare::Job;
use crate::source::SourceOptions;
use crate::source::error_marks::{MarkError, rewrite_marks};
use crate::store::{
    Checkpoint, OutputOrder, RateHistory, STORE, StoreError, ToStore, Writer, WriterSettings,
};

/// Files that a run has open beside its connections: the store with its log, the outputs, the
/// input, standard streams and the runtime's own.
const FILES_RESERVED: u64 = 64;

/// How often whoever watches is told where the run stands.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// What the threads tell the loop. Each message answers an effect, so that there are never more
/// than a few times the width: the channel needs no bound of its own.
enum WorkerMessage {
    Event(Event),
    StoreFailed { upto: Seq, detail: String, rescued: Option<PathBuf>, answers: u64 },
    Written { marks: Vec<Checkpoint>, upto: u64 },
    OutputFailed(SinkError),
    Marked { questions: Vec<[u8; 16]>, column: Option<String>, took: Duration },
    MarkFailed(MarkError),
}

/// How often runs at one service tell each other what they know of it.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

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

/// A place where a model is asked.
#[derive(Debug)]
pub struct Target {
    /// Which model, by its place in the settings.
    pub model: u16,
    /// Which of the model's endpoints, from 0.
    pub number: u16,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What runs on this machine tell each other about it.
    pub peer_limits: Option<PeerLimits>,
}

impl Target {
    fn place(&self) -> EndpointSpec {
        let learnt = self.peer_limits.as_ref().and_then(|shared| {
            let others = shared.peers(unix_ms()).into_iter();
            limits_from_peers(&others.map(|(_, neighbour)| neighbour).collect::<Vec<_>>())
        });
        EndpointSpec { model: self.model, endpoint: self.number, limits: learnt }
    }
}

/// Runs a job to its end, asking each model at its places. Cancel-safe in that the store and the outputs are whole at any moment.
pub async fn drive(
    job: Job,
    asked: Vec<Target>,
    mut wishes: Receiver<RunControl>,
    watcher: &mut (dyn Observer + Send),
) -> Result<Ending, StoreError> {
    let mut run = Run::start(job, asked)?;
    let mut effects = Vec::new();
    let mut ticker = tokio::time::interval(SNAPSHOT_EVERY);
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sharing = tokio::time::interval(PUBLISH_EVERY);
    sharing.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    run.machine.handle(run.clock.now(), Event::Started(run.plan.summary()), &mut effects);
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
                RunControl::Stop(signal) => Event::Stopped(signal),
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
                let now = run.clock.now();
                watcher.snapshot(now, &run.machine.snapshot(now));
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
    settings: Settings,
    plan: Arc<Plan>,
    /// Where models are asked, in the order of the machine's places.
    targets: Vec<Arc<Target>>,
    asks: JoinSet<(AskId, Option<AskResult>)>,
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
    sinks: threads::Sender<ToSinks>,
    questions: threads::Sender<usize>,
    workers: Vec<JoinHandle<()>>,
    marking: JoinSet<()>,
    /// The column of the input that is known to have marks.
    marks_known: Option<String>,
    _lock: crate::os::lock::Lock,
}

impl Run {
    fn start(job: Job, asked: Vec<Target>) -> Result<Run, StoreError> {
        let Job { settings, decisions, source, prompts, plan, store, outputs, .. } = job;
        let (tell, told) = unbounded_channel();
        let plan = Arc::new(plan);
        let earlier = match settings.minute == MinuteLimits::default() {
            true => RateHistory::default(),
            false => store.rate_history(unix_ms())?,
        };
        // A run that has nothing to ask says nothing of where the answers are from.
        let before = if job.report.pending == 0 { store.last_life()? } else { None };
        let endpoint = before.map_or_else(|| settings.model().endpoint(), |(before, _)| before);
        let life = store.begin_life(unix_ms(), job.settings_ids[0], &endpoint)?;
        let slots_max = slots_max(settings.concurrency, asked.len());
        let (sinks, orders) = threads::channel();
        let failed = store.failed(job.generation).unwrap_or_default();
        let writer = Writer::start(
            store.into_journal(&job.folder)?,
            WriterSettings {
                folder: job.folder,
                session: life,
                settings: job.settings_ids.clone(),
                models: settings.requests().into_iter().map(|request| request.model).collect(),
                samples: settings.samples,
                generation: job.generation,
                max_tokens: settings.model().request.max_tokens,
                failed,
                marks_known: job.marks_known.clone(),
                marks_name: job.report.layout.marks_name(),
                waiting: job.waiting,
                queue: 4 * slots_max as usize + 64,
            },
            StoreForwarder { tell: tell.clone(), sinks: sinks.clone() },
        )?;
        let (questions, wanted) = threads::channel();
        let reader = QuestionFeeder {
            source,
            prompts,
            hashers: settings.models.iter().map(|model| model.request.request_hasher()).collect(),
            plan: Arc::clone(&plan),
            next: 0,
        };
        let workers = vec![
            worker(
                "questions",
                tell.clone(),
                move |tell| {
                    reader.run(&wanted, |event| drop(tell.send(WorkerMessage::Event(event))))
                },
                |_| WorkerMessage::Event(Event::QuestionsChanged { row_number: None }),
            )?,
            worker(
                "outputs",
                tell.clone(),
                move |tell| write_outputs(outputs, &orders, tell),
                |error| WorkerMessage::OutputFailed(error.into()),
            )?,
        ];
        let rules = Rules {
            bounds: Bounds { slots_max },
            minute: settings.minute,
            earlier: earlier.asks,
            killed: earlier.unknown,
            endpoints: asked.iter().map(Target::place).collect(),
            backoff: settings.backoff.clone(),
            pause_on_error: settings.on_error == OnError::Pause,
            limit: decisions.limit,
            seed: unix_ms() as u64,
        };
        Ok(Run {
            machine: Machine::new(rules),
            clock: Clock::start(),
            plan,
            targets: asked.into_iter().map(Arc::new).collect(),
            asks: JoinSet::new(),
            cancel_txs: HashMap::new(),
            bodies: HashMap::new(),
            unsynced: VecDeque::new(),
            alarm: None,
            messages_rx: told,
            tell,
            store: writer.sender(),
            writer,
            sinks,
            questions,
            workers,
            marking: JoinSet::new(),
            marks_known: job.marks_known,
            settings,
            _lock: job.lock,
        })
    }

    /// Begins what the machine wants; returns the ending if that is it.
    fn perform(&mut self, effect: Effect, watcher: &mut dyn Observer) -> Option<Ending> {
        match effect {
            // A thread that is gone has said why, and the machine is ending the run.
            Effect::Read { count } => drop(self.questions.send(count)),
            Effect::Ask(ask) => self.ask(ask),
            Effect::Abandon(ask) => drop(self.cancel_txs.remove(&ask)),
            Effect::Record(seq, record) => {
                let body = match &record {
                    JournalRecord::Failed { ask, .. } => self.bodies.remove(ask),
                    _ => None,
                };
                if let JournalRecord::Answered { question, .. } = &record {
                    self.unsynced.push_back((seq, Arc::clone(question)));
                }
                let record = Box::new(record);
                drop(self.store.send(ToStore::Record { seq, record, body }));
            }
            Effect::Emit { upto, questions } => {
                drop(self.store.send(ToStore::Order { upto, questions }));
            }
            // By way of the store, so that it comes after the rows before it.
            Effect::Flush => drop(self.store.send(ToStore::Flush)),
            Effect::SetTimer(at) => self.alarm = Some(at),
            Effect::Mark(marks) => self.mark(marks),
            Effect::Show(notice) => watcher.notice(self.clock.now(), &notice),
            Effect::Finish(ending) => return Some(ending),
        }
        None
    }

    fn ask(&mut self, ask: Ask) {
        let (drop_it, dropped) = oneshot::channel::<()>();
        self.cancel_txs.insert(ask.id, drop_it);
        let at = |asked: &&Arc<Target>| (asked.model, asked.number) == (ask.model, ask.endpoint);
        let asked = self.targets.iter().find(at).expect("the machine asks where it was told to");
        let (asked, tell) = (Arc::clone(asked), self.tell.clone());
        self.asks.spawn(async move {
            let told = |tokens| {
                drop(tell.send(WorkerMessage::Event(Event::Progressed { ask: ask.id, tokens })));
            };
            // An answer that is here is not thrown away.
            tokio::select! {
                biased;
                came = asked.endpoint.ask(&ask, told) => (ask.id, Some(came)),
                _ = dropped => (ask.id, None),
            }
        });
    }

    fn on_ask_end(&mut self, ask: AskId, came: Option<AskResult>) -> Event {
        self.cancel_txs.remove(&ask);
        let Some(came) = came else { return Event::Abandoned { ask } };
        if let Some(body) = came.body {
            self.bodies.insert(ask, body);
        }
        Event::Replied { ask, reading: came.reading, limits: came.limits }
    }

    fn has_peer_limits(&self) -> bool {
        self.targets.iter().any(|asked| asked.peer_limits.is_some())
    }

    /// Tells other runs at these places what this one knows, and hears whether they were told to
    /// leave one alone.
    fn publish_limits(&mut self, ended: bool) {
        while self.marking.try_join_next().is_some() {}
        let now = self.clock.now();
        let learnt = self.machine.limit_snapshots(now);
        for (place, (asked, (learnt, until))) in self.targets.iter().zip(learnt).enumerate() {
            let Some(shared) = asked.peer_limits.clone() else { continue };
            let said =
                PublishedState { learnt, paused_until: until.map(|until| until.unix_ms), ended };
            if ended {
                shared.publish(&said);
                continue;
            }
            let tell = self.tell.clone();
            self.marking.spawn_blocking(move || {
                shared.publish(&said);
                if let Some(wait) = shared.requested_wait(now.unix_ms) {
                    let until = now.after(wait);
                    let _ = tell.send(WorkerMessage::Event(Event::PeerThrottled {
                        endpoint: place,
                        until,
                    }));
                }
            });
        }
    }

    fn mark(&mut self, marks: InputMarks) {
        let options = SourceOptions::new(&self.settings, self.marks_known.clone());
        let path = self.settings.input.clone();
        let tell = self.tell.clone();
        self.marking.spawn_blocking(move || {
            let began = Instant::now();
            let marked = catch_panic(|| rewrite_marks(&path, &options, &marks));
            let told = match marked.unwrap_or_else(|died| Err(died.into())) {
                Ok((rewritten, column)) => {
                    let questions = marks.set.iter().map(|id| id.hash()).collect();
                    let column = Some(column).filter(|_| rewritten.set > 0);
                    WorkerMessage::Marked { questions, column, took: began.elapsed() }
                }
                Err(error) => WorkerMessage::MarkFailed(error),
            };
            let _ = tell.send(told);
        });
    }

    /// Turns what a thread told into an event, and passes on what others must know.
    fn on_message(&mut self, told: WorkerMessage, watcher: &mut dyn Observer) -> Option<Event> {
        let now = self.clock.now();
        match told {
            WorkerMessage::Event(event) => {
                if let Event::Synced { upto } = event {
                    self.take_synced(upto, |question| watcher.acknowledged(question));
                }
                Some(event)
            }
            WorkerMessage::StoreFailed { upto, detail, rescued, answers } => {
                self.take_synced(upto, |_| ());
                let path = self.settings.output.join(STORE);
                watcher.local_failure(now, &LocalFailure::Store { path, detail, rescued, answers });
                Some(Event::SyncFailed { upto })
            }
            WorkerMessage::Written { marks, upto } => {
                drop(self.store.send(ToStore::Sinks { marks, upto }));
                None
            }
            WorkerMessage::OutputFailed(error) => {
                watcher.local_failure(now, &LocalFailure::Output { detail: error.to_string() });
                Some(Event::EmitFailed)
            }
            WorkerMessage::Marked { questions, column, took } => {
                self.marks_known = column.clone().or(self.marks_known.take());
                drop(self.store.send(ToStore::Marked { questions, column }));
                Some(Event::Marked { took })
            }
            WorkerMessage::MarkFailed(error) => {
                let (path, detail) = (self.settings.input.clone(), error.to_string());
                watcher.local_failure(now, &LocalFailure::Marks { path, detail });
                Some(Event::MarkFailed)
            }
        }
    }

    fn take_synced(&mut self, upto: Seq, mut each: impl FnMut(&Question)) {
        while self.unsynced.front().is_some_and(|&(seq, _)| seq <= upto) {
            let (_, question) = self.unsynced.pop_front().expect("there is a front");
            each(&question);
        }
    }

    /// Says goodbye to the store and waits for every thread.
    fn end(mut self, ending: Ending, watcher: &mut dyn Observer) -> Ending {
        self.publish_limits(true);
        let Run { store, writer, sinks, questions, workers, .. } = self;
        let _ = store.send(ToStore::End {
            at: unix_ms(),
            ending: ending_code(&ending),
            dropped: ending.dropped > 0,
        });
        let _ = sinks.send(ToSinks::End);
        drop((store, questions));
        for worker in workers {
            let _ = worker.join();
        }
        let Err(error) = writer.join() else { return ending };
        let (path, detail) = (self.settings.output.join(STORE), error.to_string());
        let trouble = LocalFailure::Store { path, detail, rescued: None, answers: 0 };
        watcher.local_failure(self.clock.now(), &trouble);
        Ending { reason: EndReason::StoreFailed, ..ending }
    }
}

/// How many may be asked at once: each has a connection, and a connection is an open file.
///
/// Each of several places keeps idle connections of its own.
fn slots_max(concurrency: Concurrency, places: usize) -> u32 {
    let files = raise_open_files_max().map_or(u64::MAX, |most| most.saturating_sub(FILES_RESERVED));
    let files = files / places.max(1) as u64;
    concurrency.most().min(u32::try_from(files).unwrap_or(u32::MAX)).max(1)
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
        EndReason::Unreachable(_) => "unreachable",
        EndReason::RetryAfterTooLong(..) => "told to wait",
        EndReason::Stopped(_) => "stopped",
        EndReason::Paused => "paused",
        EndReason::Complete => "complete",
    }
}

fn worker(
    name: &str,
    tell: UnboundedSender<WorkerMessage>,
    work: impl FnOnce(&UnboundedSender<WorkerMessage>) + Send + 'static,
    died: fn(std::io::Error) -> WorkerMessage,
) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name(name.into());
    Ok(thread.spawn(move || {
        if let Err(error) = catch_panic(|| work(&tell)) {
            let _ = tell.send(died(error));
        }
    })?)
}

fn write_outputs(
    outputs: Outputs,
    orders: &threads::Receiver<ToSinks>,
    tell: &UnboundedSender<WorkerMessage>,
) {
    let written = |marks, upto| drop(tell.send(WorkerMessage::Written { marks, upto }));
    if let Err(error) = outputs.run(orders, written) {
        let _ = tell.send(WorkerMessage::OutputFailed(error));
    }
}

struct StoreForwarder {
    tell: UnboundedSender<WorkerMessage>,
    sinks: threads::Sender<ToSinks>,
}

impl crate::store::WriterListener for StoreForwarder {
    fn synced(&self, upto: Seq) {
        let _ = self.tell.send(WorkerMessage::Event(Event::Synced { upto }));
    }

    fn failed(&self, upto: Seq, error: &str, rescued: Option<PathBuf>, answers: u64) {
        let detail = error.to_owned();
        let _ = self.tell.send(WorkerMessage::StoreFailed { upto, detail, rescued, answers });
    }

    fn ordered(&self, order: OutputOrder) {
        let _ = self.sinks.send(ToSinks::Rows(order));
    }

    fn flush(&self) {
        let _ = self.sinks.send(ToSinks::Flush);
    }

    fn emitted(&self, upto: u64) {
        let _ = self.tell.send(WorkerMessage::Event(Event::Emitted { upto }));
    }
}
