//! How the last run was called, as far as a command that goes on with it must say it again.

use std::path::{Path, PathBuf};

use dset_core::csv::HeaderMode;
use dset_core::key::RequestSettings;
use dset_core::settings::{Checks, CostLimits, JobSpec, Model, NO_KEY, Reading, endpoint};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::StoreError;
use super::open_readonly;
use super::sqlite::Store;

/// How a run was called, beside the settings that its answers depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// The input, from the root; absent where an earlier version was called.
    #[serde(default)]
    pub input: Option<PathBuf>,
    /// The column with the questions, where one was named.
    pub column: Option<String>,
    /// Whether the first row is a header.
    pub header: HeaderMode,
    /// How rows were read, and which were asked; its id is the field that names them.
    #[serde(default)]
    pub reading: Reading,
    /// What answers were held against; not known where an earlier version was called.
    #[serde(default)]
    pub checks: Option<Checks>,
    /// Where each model was asked, in their order.
    pub places: Vec<InvocationEndpoint>,
    /// It asked only while that was cheap; not known where an earlier version was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<bool>,
    /// Its answers are on a server too: it is a worker that goes on with the folder.
    #[serde(skip)]
    pub is_shared: bool,
}

/// Where a model was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvocationEndpoint {
    /// The name of the variable that holds the key, or `none`.
    pub key: String,
    /// The base URLs, without their queries.
    pub base_urls: Vec<String>,
    /// A query was left out, which can hold a secret.
    pub has_query: bool,
    /// The service whose wire was spoken; absent where an earlier version was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Who is paid at each base URL, where that was known; as many, but where an earlier version was called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payees: Vec<Option<String>>,
}

/// A place where a run asked, as its row in the store says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AskedPlace {
    /// The model, by the name that it is asked under.
    pub(crate) model: String,
    /// The base URL, without its query.
    pub(crate) endpoint: String,
    /// Who is paid there, where that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
}

/// What a folder says of its last run.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    /// The endpoint of its first model.
    pub endpoint: String,
    /// How it was called, where that is known.
    pub invocation: Option<Invocation>,
    /// What each model was asked with.
    pub requests: Vec<RequestSettings>,
    /// How many answers each was to give to a question.
    pub samples: u32,
    /// What it let the folder cost.
    pub cost_limit: CostLimits,
}

impl Invocation {
    /// Returns what settings say.
    #[must_use]
    pub(crate) fn from_settings(settings: &JobSpec) -> Invocation {
        Invocation {
            input: std::path::absolute(&settings.input).ok(),
            column: settings.column.clone(),
            header: settings.header,
            reading: settings.reading.clone(),
            checks: Some(settings.checks.clone()),
            places: settings.models.iter().map(InvocationEndpoint::from_model).collect(),
            off_peak: Some(false),
            is_shared: false,
        }
    }

    /// Tells whether another run asks at the same places, with keys of the same names.
    pub(crate) fn asks_where(&self, other: &Invocation) -> bool {
        let place = |place: &InvocationEndpoint| {
            (place.key.clone(), place.base_urls.clone(), place.has_query)
        };
        self.places.iter().map(place).eq(other.places.iter().map(place))
    }
}

/// Returns the input of the last run of a folder; `None` where that is not known.
#[must_use]
pub fn last_input(folder: &Path) -> Option<PathBuf> {
    let last = open_readonly(folder, |store| store.last_invocation()).ok()??;
    last?.input
}

/// Returns what a folder says of its last run; `None` where there was none.
pub fn last_run(folder: &Path) -> Result<Option<RecordedRun>, StoreError> {
    let read = open_readonly(folder, |store| -> Result<_, StoreError> {
        let Some(last) = store.last_session()? else { return Ok(None) };
        let (requests, samples) = store.last_requests(store.generation()?)?.unwrap_or_default();
        Ok(Some(RecordedRun {
            endpoint: last.endpoint,
            invocation: store.last_invocation()?,
            requests,
            samples: samples.max(1),
            cost_limit: store.cost_limit()?,
        }))
    });
    Ok(read?.flatten())
}

impl AskedPlace {
    /// Returns the places of settings, in the order in which they are asked.
    pub(crate) fn of(settings: &JobSpec) -> Vec<AskedPlace> {
        let of_model = |model: &'_ Model| {
            let place = |(url, payee): (&Url, Option<&str>)| AskedPlace {
                model: model.request.model.clone(),
                endpoint: endpoint(url),
                provider: payee.map(str::to_owned),
            };
            model.places().map(place).collect::<Vec<_>>()
        };
        settings.models.iter().flat_map(of_model).collect()
    }

    /// Returns the text of a run's places; nothing where it has none.
    pub(crate) fn to_json(places: &[AskedPlace]) -> Option<String> {
        let text = || serde_json::to_string(places).expect("places are plain values");
        (!places.is_empty()).then(text)
    }
}

impl InvocationEndpoint {
    fn from_model(model: &Model) -> InvocationEndpoint {
        InvocationEndpoint {
            key: model.key_variable.clone().unwrap_or_else(|| NO_KEY.to_owned()),
            base_urls: model.base_urls.iter().map(endpoint).collect(),
            has_query: model.base_urls.iter().any(|url| url.query().is_some()),
            service: Some(model.preset.id.clone()),
            payees: model.payees.clone(),
        }
    }

    /// Returns a model as it was asked here.
    pub(crate) fn of(&self, model: Model) -> Model {
        if InvocationEndpoint::from_model(&model) == *self {
            return model;
        }
        let payees = self.payees.iter().cloned().chain(std::iter::repeat(None));
        let (base_urls, payees): (Vec<Url>, _) = self
            .base_urls
            .iter()
            .zip(payees)
            .filter_map(|(url, payee)| Some((url.parse().ok()?, payee)))
            .unzip();
        let (base_urls, payees) = match base_urls.is_empty() {
            true => (model.base_urls, model.payees),
            false => (base_urls, payees),
        };
        Model {
            base_urls,
            payees,
            key_variable: Some(self.key.clone()).filter(|key| key != NO_KEY),
            ..model
        }
    }
}

impl Store {
    /// Remembers how a run is called.
    pub(crate) fn save_invocation(&self, call: &Invocation) -> Result<(), StoreError> {
        let call = serde_json::to_string(call).expect("a call is JSON");
        match self.meta::<String>("call")? {
            Some(kept) if kept == call => Ok(()),
            _ => self.set_meta("call", call),
        }
    }

    /// Returns how the last run was called; `None` where that is not known.
    pub(crate) fn last_invocation(&self) -> Result<Option<Invocation>, StoreError> {
        let Some(call) = self.meta::<String>("call")? else { return Ok(None) };
        let is_shared = self.is_on_server()?;
        let call = serde_json::from_str::<Invocation>(&call).ok();
        Ok(call.map(|call| Invocation { is_shared, ..call }))
    }
}
