//! The whole engine behind one type, for programs that ask questions themselves.
//!
//! An [`Engine`] holds what is asked and how, and nothing of the process: it reads no environment, prints
//! nothing, installs no signal handlers and has no runtime of its own, so that several can run at once.

use std::path::{Path, PathBuf};

use dset_core::item::question::Question;
use dset_core::money::Prices;
use dset_core::provider::Providers;
use dset_core::run::{Ending, Notice, OffPeakRules, Planned, Snapshot, StopSignal};
use dset_core::settings::{
    JobSpec, Layer, Model, RunOptions, SettingsError, endpoint, resolve_with_providers,
};
use dset_core::time::Time;
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::error::{EngineError, JobError};
use crate::http::ask::{Endpoint, EndpointError, EndpointSettings};
use crate::observer::{LocalFailure, Observer};
use crate::run::budget::payees;
use crate::run::drive::{RunControl, Target, drive};
use crate::run::lanes::Lanes;
use crate::run::peer_limits::PeerLimits;
use crate::run::prepare::{Decisions, Job, marks_known};
use crate::run::report::PreparationReport;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::shard::JobFile;
use crate::source::SourceError;
use crate::store::{AsAsked, open_readonly};
use crate::view::expenses::Pricing;

/// What is asked, of whom, and how.
///
/// Questions from a file are asked of a simulated service, and asked again at no cost:
///
/// ```
/// use dset_core::settings::Layer;
/// use dset_engine::engine::{Cancel, Engine, Quiet};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("q.csv"), "question\nWhy is the sky blue?\nWhat is a moa?\n")?;
/// let service = dset_mock::Mock::start(dset_mock::MockSettings::default()).await?;
/// let engine = Engine::new(Layer {
///     input: Some(folder.path().join("q.csv")),
///     output: Some(folder.path().join("out")),
///     base_url: Some(vec![service.base_url()]),
///     key: Some("none".into()),
///     ..Layer::default()
/// })?;
/// assert_eq!(engine.plan()?.pending, 2);
/// let ran = engine.run(&mut Quiet, &Cancel::new()).await?;
/// assert_eq!(ran.ending.ledger.answered, 2);
/// assert_eq!(engine.plan()?.pending, 0);
/// engine.run(&mut Quiet, &Cancel::new()).await?;
/// assert_eq!(service.stats().asked, 2);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    spec: JobSpec,
    options: RunOptions,
    decisions: Decisions,
    /// Of each model.
    keys: Vec<Option<SecretString>>,
    providers: Providers,
    prices: Prices,
    cheap_hours: Option<OffPeakRules>,
    state: Option<PathBuf>,
    files_max: Option<u64>,
    lanes: Option<Lanes>,
}

/// What a run would ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnginePlan {
    /// Rows with a question, those apart that the user left out.
    pub questions: u64,
    /// Answers that are wanted to them.
    pub answers: u64,
    /// Answers that are there.
    pub answered: u64,
    /// Answers that a run asks for.
    pub pending: u64,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
}

/// What a run came to.
#[derive(Debug)]
pub struct EngineReport {
    /// What was found and done before the first ask.
    pub found: PreparationReport,
    /// How it ended, and where every question stands.
    pub ending: Ending,
    /// The folder with the store and the outputs.
    pub folder: PathBuf,
    /// What was asked.
    pub input: PathBuf,
    /// What its rows are found by, also when the folder was asked with other settings since.
    pub as_asked: AsAsked,
}

/// Stops a run, from any thread. Clones stop the same run.
#[derive(Debug, Clone)]
pub struct Cancel {
    wishes: mpsc::Sender<RunControl>,
    received: std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<RunControl>>>,
}

/// Wishes that wait, at most: who stops twice wants it at once.
const WISHES_MAX: usize = 8;

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel::new()
    }
}

impl Cancel {
    /// Makes a token of which nobody has made use.
    #[must_use]
    pub fn new() -> Cancel {
        let (wishes, received) = mpsc::channel(WISHES_MAX);
        Cancel { wishes, received: std::sync::Arc::new(tokio::sync::Mutex::new(received)) }
    }

    /// Asks nothing more and lets the asks on their way come home; the second time they are dropped.
    /// Returns at once. Said before a run, it stops that one when it has begun.
    pub fn stop(&self) {
        // A full queue holds more than enough of these.
        let _ = self.wishes.try_send(RunControl::Stop(StopSignal::Interrupt));
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn notice(&mut self, _: Time, _: &Notice) {}
    fn snapshot(&mut self, _: Time, _: &Snapshot) {}
    fn local_failure(&mut self, _: Time, _: &LocalFailure) {}
    fn acknowledged(&mut self, _: &Question) {}
}

impl Engine {
    /// Takes settings as one layer; what it leaves open is as the documentation of settings says.
    ///
    /// # Errors
    ///
    /// A value is out of bounds, or two contradict each other.
    pub fn new(layer: Layer) -> Result<Engine, SettingsError> {
        let providers = Providers::default();
        let resolved = resolve_with_providers(layer, None, &providers)?;
        Ok(Engine::of(resolved.spec, resolved.options))
    }

    /// Takes settings that were resolved before.
    #[must_use]
    pub fn of(spec: JobSpec, options: RunOptions) -> Engine {
        let keys = vec![None; spec.models.len()];
        Engine {
            spec,
            options,
            decisions: Decisions::default(),
            keys,
            providers: Providers::default(),
            prices: Prices::default(),
            cheap_hours: None,
            state: None,
            files_max: None,
            lanes: None,
        }
    }

    /// Asks with these keys, one for each model; they go to the model's service and nowhere else.
    #[must_use]
    pub fn with_keys(mut self, key: impl FnMut(&Model) -> Option<SecretString>) -> Engine {
        self.keys = self.spec.models.iter().map(key).collect();
        self
    }

    /// Decides what only one run is told.
    #[must_use]
    pub fn with_decisions(mut self, decisions: Decisions) -> Engine {
        self.decisions = decisions;
        self
    }

    /// Works limits of money out by these services and prices, in place of those that are built in.
    #[must_use]
    pub fn with_prices(mut self, providers: Providers, prices: Prices) -> Engine {
        (self.providers, self.prices) = (providers, prices);
        self
    }

    /// Asks only in the hours that these rules call cheap.
    #[must_use]
    pub fn keeping_to_cheap_hours(mut self, rules: Option<OffPeakRules>) -> Engine {
        self.cheap_hours = rules;
        self
    }

    /// Tells other runs on this machine what a service takes, and hears it, in this folder.
    #[must_use]
    pub fn sharing_limits_in(mut self, folder: PathBuf) -> Engine {
        self.state = Some(folder);
        self
    }

    /// Keeps to so many open files; each ask on its way has one.
    #[must_use]
    pub fn with_open_files_max(mut self, files: Option<u64>) -> Engine {
        self.files_max = files;
        self
    }

    /// Takes turns with runs in other folders: what those that went before in a lane asked in the last minute
    /// counts for the limits a minute of this one.
    #[must_use]
    pub fn taking_turns_in(mut self, lanes: Option<Lanes>) -> Engine {
        self.lanes = lanes;
        self
    }

    /// Returns what is asked.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// Works out what a run would ask. Reads the input and the store, and changes nothing.
    ///
    /// # Errors
    ///
    /// Those of a run that cannot begin, as far as they show without a lock.
    pub fn plan(&self) -> Result<EnginePlan, JobError> {
        let mut spec = self.spec.clone();
        let marks = marks_known(&spec.output);
        let input = ScannedInput::to_ask(&mut spec, marks)?;
        let of_store = open_readonly(&spec.output, |store| {
            let next = u32::from(self.decisions.ask_again && !store.is_blank()?);
            RunPlan::new(&input, store, store.generation()? + next, store.terms()?.as_ref())
        })?;
        let plan = of_store.unwrap_or_else(|| RunPlan::without_store(&input)).plan;
        let left_out = plan.count(Planned::LeftOut);
        Ok(EnginePlan {
            questions: plan.counted_rows,
            answers: plan.states.len() as u64 - left_out,
            answered: plan.count(Planned::Placed) + plan.count(Planned::Unplaced),
            pending: plan.count(Planned::Pending),
            empty: input.scanned.empty,
        })
    }

    /// Asks what has no answer yet, to the end or until `cancel` stops it. Dropped, it leaves store and
    /// outputs whole, as after a kill. Runs on the Tokio runtime of whoever awaits it.
    ///
    /// # Errors
    ///
    /// The run cannot begin. However it ends afterwards, failures of services among it, is in the
    /// [`Ending`].
    pub async fn run(
        &self,
        observer: &mut (dyn Observer + Send),
        cancel: &Cancel,
    ) -> Result<EngineReport, EngineError> {
        self.run_spec(self.spec.clone(), self.lanes.clone(), observer, cancel).await
    }

    /// Does the same for one shard of a job, from 0: the input, how it is read and the prompts are the
    /// job's, the folder is the shard's. Shards that run by turns keep the limits a minute together, and
    /// each that runs at the same time has them for itself.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::run`]; there is no such job or shard, or the input is not what was split.
    pub async fn run_shard(
        &self,
        job: &Path,
        number: u32,
        observer: &mut (dyn Observer + Send),
        cancel: &Cancel,
    ) -> Result<EngineReport, EngineError> {
        let part = JobFile::read(job).and_then(|file| file.part(job, number, self.spec.clone()));
        let spec = part.map_err(|error| JobError::from(SourceError::from(error)))?;
        let of_job = Lanes { folder: job.to_owned(), most: None };
        self.run_spec(spec, self.lanes.clone().or(Some(of_job)), observer, cancel).await
    }

    async fn run_spec(
        &self,
        spec: JobSpec,
        lanes: Option<Lanes>,
        observer: &mut (dyn Observer + Send),
        cancel: &Cancel,
    ) -> Result<EngineReport, EngineError> {
        let targets = self.targets(&spec)?;
        let options = &self.options;
        let payees = payees(&spec, options.cost, &self.prices)?;
        let keys = spec.models.iter().zip(&self.keys);
        let can_ask =
            keys.into_iter().all(|(model, key)| model.key_variable.is_none() || key.is_some());
        let decisions = self.decisions.clone();
        let (folder, input) = (spec.output.clone(), spec.input.clone());
        let forgive_lost = decisions.forgive_lost;
        // Reads files, which may take long.
        let job = tokio::task::spawn_blocking(move || Job::prepare(spec, decisions, can_ask)).await;
        let mut job = job.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        if let Some(rules) = self.cheap_hours.clone() {
            job.keep_to_cheap_hours(rules)?;
        }
        let pricing = Pricing { prices: &self.prices, providers: &self.providers };
        job.limit_cost(options, pricing, payees, forgive_lost)?;
        job.fill_prompt_caches(pricing.prices);
        if let Some(lanes) = lanes {
            job.take_turns(&lanes, options.minute)?;
        }
        let job = tokio::task::spawn_blocking(move || job.begin()).await;
        let job = job.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let (found, as_asked) = (job.report().clone(), job.as_asked().clone());
        // The token stays whole for further runs: wishes are handed on, and lost with this one.
        let (hand_on, wishes) = mpsc::channel(WISHES_MAX);
        let handing_on = async {
            let mut received = cancel.received.lock().await;
            while let Some(wish) = received.recv().await {
                let _ = hand_on.send(wish).await;
            }
        };
        let ending = tokio::select! {
            ending = drive(job, options, targets, self.files_max, wishes, observer) => ending?,
            () = handing_on => unreachable!("the token is here, and can be used"),
        };
        Ok(EngineReport { found, ending, folder, input, as_asked })
    }

    fn targets(&self, spec: &JobSpec) -> Result<Vec<Target>, EndpointError> {
        let mut targets = Vec::new();
        for (model, (said, key)) in (0..).zip(spec.models.iter().zip(&self.keys)) {
            for (number, base_url) in (0..).zip(&said.base_urls) {
                let settings = EndpointSettings::new(&self.options, said, base_url);
                let endpoint_of = Endpoint::new(settings, key.clone())?;
                let peer_limits = self.state.as_deref().map(|state| {
                    PeerLimits::new(state, &endpoint(base_url), &said.request.model, key.as_ref())
                });
                targets.push(Target { model, number, endpoint: endpoint_of, peer_limits });
            }
        }
        Ok(targets)
    }
}
