//! What is asked, and where the answers go.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::layer::Names;
use super::reading::Reading;
use crate::acceptance::RetryWith;
use crate::check::Declaration;
use crate::csv::HeaderMode;
use crate::key::RequestSettings;
use crate::provider::Preset;
use crate::schema::Schema;
use crate::schema::dialect::{AskedFor, Conveyed};

/// What is asked, of whom, and where the answers go. Whatever of it changes, other questions are asked
/// or other outputs are written.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// The file with the questions.
    pub input: PathBuf,
    /// The folder with the store and the outputs.
    pub output: PathBuf,
    /// The formats that are written there, by name; which there are is the outputs' business.
    pub formats: Names,
    /// Whether `output.csv` begins with a byte order mark; where nobody says, it stays as it is.
    pub csv_bom: Option<bool>,
    /// Whether `output.csv` has a column with ids; where nobody says, it stays as it is.
    pub csv_id: Option<bool>,
    /// The models that are asked, in the order in which they were named; at least one.
    pub models: Vec<Model>,
    /// How many answers every question gets from every model, from 1.
    pub samples: u32,
    /// Whether the first row is a header.
    pub header: HeaderMode,
    /// The column with the questions, where somebody says so.
    pub column: Option<String>,
    /// How its rows are read, and which are asked.
    pub reading: Reading,
    /// The schema that answers have to fit.
    pub schema: Option<Schema>,
    /// What an answer has to be.
    pub checks: Checks,
}

/// What an answer has to be, and what is done where it is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// The checks, each with what its failing does.
    pub declared: Vec<Declaration>,
    /// How many answers a question gets at most until one is accepted, from 1.
    pub tries: u32,
    /// How it is asked again.
    pub retry: RetryWith,
    /// How many accepted samples of a model are enough; all that are wanted where absent.
    pub enough: Option<u32>,
}

impl Default for Checks {
    /// None.
    fn default() -> Checks {
        Checks { declared: Vec::new(), tries: 3, retry: RetryWith::default(), enough: None }
    }
}

impl JobSpec {
    /// Returns what each model is asked with, in their order.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestSettings> {
        self.models.iter().map(|model| model.request.clone()).collect()
    }

    /// Tells whether answers are held against anything but that they are whole.
    #[must_use]
    pub fn declares_checks(&self) -> bool {
        self.schema.is_some() || !self.checks.declared.is_empty()
    }

    /// Tells whether every question is to get more than one answer.
    #[must_use]
    pub fn wants_several(&self) -> bool {
        self.models.len() > 1 || self.samples > 1
    }

    /// Returns the first of the models.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.models.first().expect("some model is asked")
    }
}

/// A model, and where it is asked.
#[derive(Debug, Clone)]
pub struct Model {
    /// What is asked, apart from the question: whatever of it changes, answers change.
    pub request: RequestSettings,
    /// Whose wire is spoken.
    pub preset: Arc<Preset>,
    /// Where it is spoken; at least one place, each as good as another.
    pub base_urls: Vec<Url>,
    /// Who is paid at each of these: the id of a service, where one is known there.
    pub payees: Vec<Option<String>>,
    /// The variable that holds the key; absent where the service wants none.
    pub key_variable: Option<String>,
    /// Answers are asked for as they are written.
    pub stream: bool,
    /// What the service is sent of the schema, where there is one.
    pub conveyed: Option<Arc<Conveyed>>,
}

impl Model {
    /// Returns the most tokens that a reply of it can have, reasoning included; `None` where nothing
    /// bounds them, or only the visible answer.
    #[must_use]
    pub fn output_max(&self) -> Option<u64> {
        let asked = self.request.max_tokens.or(self.preset.max_tokens_default);
        asked.filter(|_| self.bounds_reasoning())
    }

    /// Tells whether its limit of tokens is known to hold for what it thinks, too.
    #[must_use]
    pub fn bounds_reasoning(&self) -> bool {
        self.preset.max_tokens_bounds_reasoning && self.uses_official_hosts()
    }

    /// Returns how many bytes every request has beside its texts, about: of the schema, and of further
    /// fields.
    #[must_use]
    pub fn fixed_bytes(&self) -> usize {
        let schema = self.conveyed.as_ref().map_or(0, |conveyed| conveyed.bytes());
        schema + self.request.params.bytes()
    }

    /// Returns how it is asked for answers that fit a schema, where there is one.
    #[must_use]
    pub fn asked_for(&self) -> Option<AskedFor> {
        self.conveyed.as_ref().map(|conveyed| conveyed.asked_for())
    }

    /// Returns its first base URL.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        self.base_urls.first().expect("a model is asked somewhere")
    }

    /// Returns its places, each with who is paid there.
    pub fn places(&self) -> impl Iterator<Item = (&Url, Option<&str>)> {
        self.base_urls.iter().zip(self.payees.iter().map(Option::as_deref))
    }

    /// Returns who is paid at its first base URL.
    #[must_use]
    pub fn payee(&self) -> Option<&str> {
        self.payees.first()?.as_deref()
    }

    /// Tells whether another model is asked of the same service at the same places.
    #[must_use]
    pub fn is_asked_like(&self, other: &Model) -> bool {
        (&self.preset.id, &self.base_urls) == (&other.preset.id, &other.base_urls)
    }

    /// Tells whether every place is the service's own.
    #[must_use]
    pub fn uses_official_hosts(&self) -> bool {
        self.base_urls.iter().all(|url| self.preset.is_official_host(url))
    }

    /// Returns the first base URL as it may be written down.
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.base_url())
    }
}

/// Returns a base URL as it may be written down: without a query, which can hold a secret.
#[must_use]
pub fn endpoint(base_url: &Url) -> String {
    let mut url = base_url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}
