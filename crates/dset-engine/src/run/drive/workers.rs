//! Starts a run: its session in the store, its threads, and the machine with what it goes by.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as threads;
use std::thread::JoinHandle;
use std::time::Duration;

use dset_core::acceptance::{RetryWith, Terms};
use dset_core::plan::Plan;
use dset_core::rate::Bounds;
use dset_core::rate::sliding_window::MinuteLimits;
use dset_core::run::{Enough, Event, Machine, Rules, Seq};
use dset_core::settings::{Concurrency, Model, OnError, RunOptions};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::os::clock::{Clock, unix_ms};
use crate::os::panic_guard::catch_panic;
use crate::output::live::{OutputError, Outputs, ToOutputs};
use crate::run::drive::Run;
use crate::run::drive::peers::Target;
use crate::run::feeder::{EarlierAnswers, QuestionFeeder};
use crate::run::lanes::Lane;
use crate::run::prepare::{Job, PreparedJob, RunFolder};
use crate::source::error_marks::MarkError;
use crate::store::{
    AskedPlace, Checkpoint, Journal, OpenRedo, Origin, OutputOrder, RateHistory, SharedSession,
    SharedWord, Store, StoreError, Writer, WriterSettings,
};

/// Files that a run has open beside its connections: the store with its log, the outputs, the
/// input, standard streams and the runtime's own.
const FILES_RESERVED: u64 = 64;

/// What the threads tell the loop. Each message answers an effect, so that there are never more
/// than a few times the width: the channel needs no bound of its own.
#[expect(clippy::large_enum_variant, reason = "nearly every message is an event")]
pub(super) enum WorkerMessage {
    Event(Event),
    StoreFailed {
        upto: Seq,
        detail: String,
        rescued: Option<PathBuf>,
        answers: u64,
    },
    StoreUnreadable(StoreError),
    Written {
        checkpoints: Vec<Checkpoint>,
        upto: u64,
    },
    OutputFailed(OutputError),
    Marked {
        questions: Vec<[u8; 16]>,
        column: Option<String>,
        took: Duration,
    },
    MarkFailed(MarkError),
    /// Those who share the work cannot be reached, and why; or can be again.
    Away(Option<String>),
}

impl Run {
    /// Begins a session and starts its threads. `files_max` is how many files the process may have
    /// open, where that is known.
    pub(super) fn start(
        job: Job,
        options: &RunOptions,
        asked: Vec<Target>,
        files_max: Option<u64>,
    ) -> Result<Run, StoreError> {
        let Job { prepared: job, outputs } = job;
        let PreparedJob { spec, decisions, budget, off_peak, source, prompts, plan, .. } = job;
        let RunFolder { path: folder, lock, store, .. } = job.folder;
        let (tell, told) = unbounded_channel();
        let plan = Arc::new(plan);
        let mut lane = job.lane;
        let earlier = earlier_asks(&store, options, lane.as_mut())?;
        // A run that has nothing to ask says nothing of where the answers are from.
        let before = if job.report.pending == 0 { store.last_life()? } else { None };
        let endpoint = before.map_or_else(|| spec.model().endpoint(), |(before, _)| before);
        let began = unix_ms();
        let places = AskedPlace::of(&spec);
        let session = store.begin_life(began, job.settings_ids[0], &endpoint, &places)?;
        if let Some(redo) = job.redo {
            store.save_redo(&OpenRedo { life: session, ..redo })?;
        }
        let origin = Origin::of(&store, session, &job.settings_ids)?;
        let mut shared = job.shared;
        let shared_session =
            shared.is_some().then(|| shared_session(&store, session)).transpose()?;
        let slots_max = slots_max(options.concurrency, asked.len(), files_max);
        let (to_outputs, orders) = threads::channel();
        let failed = store.failed(job.generation)?;
        let terms = &job.accepting.terms;
        let earlier_answers = earlier_answers(&store, terms, &plan)?;
        let mut journal: Box<dyn Journal> = Box::new(store.into_journal(&folder)?);
        if let (Some(shared), Some(session)) = (&mut shared, shared_session) {
            journal = shared.begin(journal, session, told_by_others(&tell))?;
        }
        let writer = Writer::start(
            journal,
            WriterSettings {
                real_folder: fs_err::canonicalize(&folder)?,
                folder,
                may_buy: job.report.pending > 0,
                session,
                origin,
                settings: job.settings_ids.clone(),
                models: spec.requests().into_iter().map(|request| request.model).collect(),
                schema: spec.schema.clone().map(Arc::new),
                asked_for: spec.models.iter().map(Model::asked_for).collect(),
                samples: spec.samples,
                generation: job.generation,
                acceptance: terms.fingerprint,
                max_tokens: spec.model().request.max_tokens,
                failed,
                marks_known: job.marks_known.known().map(str::to_owned),
                marks_name: job.report.shape.marks.clone().unwrap_or_default(),
                waiting: job.waiting,
                replaced: job.replaced,
                queue: 4 * slots_max as usize + 64,
            },
            StoreForwarder { tell: tell.clone(), outputs: to_outputs.clone() },
        )?;
        let (questions, wanted) = threads::channel();
        let marker = source.marker();
        let hashers = spec.models.iter().map(|model| model.request.request_hasher()).collect();
        let reader = QuestionFeeder {
            source,
            prompts,
            hashers,
            plan: Arc::clone(&plan),
            earlier: earlier_answers,
            caches: job.prompt_caches,
            next: 0,
        };
        let workers = vec![
            feed_questions(reader, wanted, tell.clone())?,
            write_outputs(outputs, orders, tell.clone())?,
        ];
        let (tries, retry) = (spec.checks.tries, spec.checks.retry);
        let enough = terms.enough.map(|accepted| Enough { accepted, samples: spec.samples });
        let rules = Rules {
            budget,
            tries,
            retry,
            enough,
            off_peak,
            is_shared: shared.is_some(),
            ..rules(options, decisions.limit, slots_max, earlier, &asked)
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
            outputs: to_outputs,
            questions,
            workers,
            marking: JoinSet::new(),
            marks_known: job.marks_known.known().map(str::to_owned),
            marker,
            judge: job.accepting.judge,
            spec,
            shared,
            lock,
            _lane: lane,
        })
    }
}

/// Returns what was asked in the last minute in this folder, and in those that it takes turns with.
fn earlier_asks(
    store: &Store,
    options: &RunOptions,
    lane: Option<&mut Lane>,
) -> Result<RateHistory, StoreError> {
    let mut earlier = match options.minute == MinuteLimits::default() {
        true => RateHistory::default(),
        false => store.rate_history(unix_ms())?,
    };
    if let Some(lane) = lane {
        earlier.add(std::mem::take(&mut lane.history));
    }
    Ok(earlier)
}

/// Returns what reads the answers of before; most runs hold answers against nothing, and read none.
fn earlier_answers(
    store: &Store,
    terms: &Terms,
    plan: &Plan,
) -> Result<Option<EarlierAnswers>, StoreError> {
    let terms = Some(terms).filter(|terms| !terms.are_of_whole_alone()).cloned();
    if terms.is_none() && plan.not_accepted.is_empty() {
        return Ok(None);
    }
    Ok(Some(EarlierAnswers { archive: store.reader()?, terms }))
}

/// Says of a run that has just begun what others need to know of it.
fn shared_session(store: &Store, session: i64) -> Result<SharedSession, StoreError> {
    Ok(SharedSession { life: store.life(session)?, settings: store.all_settings()? })
}

/// Turns what others say into events.
fn told_by_others(tell: &UnboundedSender<WorkerMessage>) -> Arc<dyn Fn(SharedWord) + Send + Sync> {
    let tell = tell.clone();
    Arc::new(move |word| {
        let message = match word {
            SharedWord::Permitted(permit) => WorkerMessage::Event(Event::Permitted(permit)),
            SharedWord::Funded { granted, is_last } => {
                WorkerMessage::Event(Event::Funded { granted, is_last })
            }
            SharedWord::LeaseLost => WorkerMessage::Event(Event::LeaseLost),
            SharedWord::Away(detail) => WorkerMessage::Away(detail),
        };
        let _ = tell.send(message);
    })
}

fn rules(
    options: &RunOptions,
    limit: Option<u64>,
    slots_max: u32,
    earlier: RateHistory,
    asked: &[Target],
) -> Rules {
    Rules {
        bounds: Bounds { slots_max, is_trusted: options.concurrency != Concurrency::Auto },
        minute: options.minute,
        earlier: earlier.asks,
        killed: earlier.unknown,
        endpoints: asked.iter().map(Target::spec).collect(),
        backoff: options.backoff.clone(),
        tries: 1,
        enough: None,
        retry: RetryWith::default(),
        pause_on_error: options.on_error == OnError::Pause,
        limit,
        budget: None,
        off_peak: None,
        is_shared: false,
        seed: unix_ms() as u64,
    }
}

/// How many may be asked at once: each has a connection, and a connection is an open file.
///
/// Each of several places keeps idle connections of its own.
fn slots_max(concurrency: Concurrency, places: usize, files_max: Option<u64>) -> u32 {
    let files = files_max.map_or(u64::MAX, |most| most.saturating_sub(FILES_RESERVED));
    let files = files / places.max(1) as u64;
    concurrency.most().min(u32::try_from(files).unwrap_or(u32::MAX)).max(1)
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

fn feed_questions(
    reader: QuestionFeeder,
    wanted: threads::Receiver<usize>,
    tell: UnboundedSender<WorkerMessage>,
) -> Result<JoinHandle<()>, StoreError> {
    worker(
        "questions",
        tell,
        move |tell| {
            let event = |event| drop(tell.send(WorkerMessage::Event(event)));
            if let Err(error) = reader.run(&wanted, event) {
                let _ = tell.send(WorkerMessage::StoreUnreadable(error));
            }
        },
        |_| WorkerMessage::Event(Event::QuestionsChanged { row_number: None }),
    )
}

fn write_outputs(
    outputs: Outputs,
    orders: threads::Receiver<ToOutputs>,
    tell: UnboundedSender<WorkerMessage>,
) -> Result<JoinHandle<()>, StoreError> {
    let write = move |tell: &UnboundedSender<WorkerMessage>| {
        let written =
            |checkpoints, upto| drop(tell.send(WorkerMessage::Written { checkpoints, upto }));
        if let Err(error) = outputs.run(&orders, written) {
            let _ = tell.send(WorkerMessage::OutputFailed(error));
        }
    };
    worker("outputs", tell, write, |error| WorkerMessage::OutputFailed(error.into()))
}

struct StoreForwarder {
    tell: UnboundedSender<WorkerMessage>,
    outputs: threads::Sender<ToOutputs>,
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
        let _ = self.outputs.send(ToOutputs::Rows(order));
    }

    fn flush(&self) {
        let _ = self.outputs.send(ToOutputs::Flush);
    }

    fn emitted(&self, upto: u64) {
        let _ = self.tell.send(WorkerMessage::Event(Event::Emitted { upto }));
    }
}
