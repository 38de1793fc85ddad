//! A run for somebody who looks around in it: any part of any number of records, filtered, searched and
//! in order, while another process may be writing it.
//!
//! The numbers of all records are in memory (`columns`); texts are read from the store when they are
//! shown. Every call looks at one snapshot of the store, and first takes in what is new there. Nothing
//! is asked; written are reviews and the index of words, each in a file of its own.

mod columns;
mod compare;
mod detail;
mod distributions;
mod error;
mod filter;
mod lines;
mod load;
mod page;
mod requests;
mod review;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant, SystemTime};

use dset_core::key::RequestSettings;
use dset_core::money::Prices;
use dset_core::provider::Providers;
use dset_core::settings::JobSpec;
use xxhash_rust::xxh3::xxh3_64;

pub use self::columns::State;
pub use self::compare::{Comparison, Pair, Side};
pub use self::detail::Detail;
pub use self::distributions::{Distribution, Distributions, Step};
pub use self::error::BrowseError;
pub use self::filter::{FACETS, Facet, FacetValue, Filter, FilterError, NUMBERS};
pub use self::lines::Lines;
use self::load::Loaded;
pub use self::page::{ListedRecord, Page, Snippet};
pub(crate) use self::review::reviews_of;
use self::words::Found;
pub(crate) use self::words::answers_with;
use crate::os::files::try_to_write;
use crate::source::bad_row::BadRow;
use crate::source::place_words;
use crate::store::{Store, open_readonly};
use crate::view::expenses::Pricing;

/// Orders that are kept, of four bytes a record each.
const ORDERS_MAX: usize = 3;
/// Searches that are kept, of a bit a record each.
const SEARCHES_MAX: usize = 16;
/// What cannot be brought up to date is read anew no more often than this.
const RELOAD_AFTER: Duration = Duration::from_secs(5);

/// Where a viewer may write: nothing but reviews and the index of words.
#[derive(Debug, Clone)]
pub struct SideFiles {
    /// The folder of both.
    pub folder: PathBuf,
}

impl SideFiles {
    /// Puts them beside the store where its folder can be written, and else into a folder of their own
    /// below `elsewhere`.
    #[must_use]
    pub fn beside(folder: &Path, elsewhere: &Path) -> SideFiles {
        if try_to_write(folder).is_ok() {
            return SideFiles { folder: folder.to_owned() };
        }
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = xxh3_64(whole.as_os_str().as_encoded_bytes());
        let folder = elsewhere.join(format!("{name:016x}"));
        // Where it cannot be made either, nothing is kept, and what needs it says so.
        let _ = fs_err::create_dir_all(&folder);
        SideFiles { folder }
    }
}

/// What costs are worked out by.
#[derive(Debug, Clone)]
pub struct OwnedPricing {
    /// The prices.
    pub prices: Prices,
    /// The services whose addresses are known.
    pub providers: Providers,
}

impl OwnedPricing {
    fn as_ref(&self) -> Pricing<'_> {
        Pricing { prices: &self.prices, providers: &self.providers }
    }
}

/// A run that is looked at.
#[derive(Debug)]
pub struct Browser {
    settings: JobSpec,
    side: SideFiles,
    pricing: OwnedPricing,
    loaded: RwLock<Loaded>,
    kept: Mutex<Kept>,
}

/// What need not be worked out again, newest last.
#[derive(Debug, Default)]
struct Kept {
    orders: Vec<(Filter, u64, Arc<Vec<u32>>)>,
    searches: Vec<(Vec<String>, u64, Arc<Found>)>,
    reviewed_at: Option<SystemTime>,
    reloaded_at: Option<Instant>,
}

/// How a run stands, in the words of a viewer's head line.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Overview {
    /// Rows of the input that are asked.
    pub questions: u64,
    /// Answers that they have or are to get.
    pub records: u64,
    /// Those that are there.
    pub answered: u64,
    /// Those that ended without.
    pub failed: u64,
    /// What each model is called.
    pub models: Vec<String>,
    /// Those, and all others that have answers.
    pub all_models: Vec<String>,
    /// How many answers each gives.
    pub samples: u32,
    /// Rows of the input that are left out because they cannot be asked.
    pub bad_rows: u64,
    /// The first of them, and why.
    pub first_bad_row: Option<String>,
    /// Changes with whatever is shown.
    pub revision: u64,
    /// Answers whose words are indexed, and answers that there are.
    pub indexed: (u64, u64),
}

fn bad_row_words(bad: &BadRow) -> String {
    let file = bad.file.as_ref().map(|file| format!("{}, ", file.display())).unwrap_or_default();
    format!("{file}{}: {}", place_words(bad.place), bad.problem)
}

impl Browser {
    /// Reads the input and the store; `None` where there is no store.
    pub fn open(
        settings: JobSpec,
        side: SideFiles,
        pricing: OwnedPricing,
    ) -> Result<Option<Browser>, BrowseError> {
        let loaded = open_readonly(&settings.output, |store| {
            Loaded::load(store, &settings, pricing.as_ref()).map_err(BrowseError::from)
        })?;
        let Some(loaded) = loaded else { return Ok(None) };
        let loaded = RwLock::new(loaded);
        let browser = Browser { settings, side, pricing, loaded, kept: Mutex::default() };
        browser.with(|_, _| Ok(()))?;
        Ok(Some(browser))
    }

    /// Returns the settings of the run.
    #[must_use]
    pub fn settings(&self) -> &JobSpec {
        &self.settings
    }

    /// Returns what each model is asked with.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestSettings> {
        self.read().requests.clone()
    }

    /// Tells how the run stands.
    pub fn overview(&self) -> Result<Overview, BrowseError> {
        self.with(|store, loaded| {
            let records = &loaded.columns.records;
            let count = |wanted: &[State]| {
                records.iter().filter(|record| wanted.contains(&record.state)).count() as u64
            };
            let models: Vec<String> =
                loaded.requests.iter().map(|request| request.model.clone()).collect();
            let mut has_answers = [false; 256];
            for record in records.iter().filter(|record| record.answer > 0) {
                has_answers[usize::from(record.model)] = true;
            }
            let answered = (1..=u8::MAX).filter(|number| has_answers[usize::from(*number)]);
            let others = answered.filter_map(|number| loaded.columns.models.name(number));
            let others = others.filter(|name| !models.iter().any(|model| model == name));
            let all_models = models.iter().cloned().chain(others.map(str::to_owned)).collect();
            Ok(Overview {
                questions: loaded.columns.row_numbers.len() as u64,
                records: records.len() as u64,
                answered: count(&[State::Answered]),
                failed: count(&[State::Rejected, State::GaveUp]),
                models,
                all_models,
                samples: loaded.samples,
                bad_rows: loaded.bad_rows.count,
                first_bad_row: loaded.bad_rows.first.first().map(bad_row_words),
                revision: loaded.revision,
                indexed: (self.indexed(store)?, loaded.pulse.answers as u64),
            })
        })
    }

    /// Counts, for each column that is told apart by name, the records that have each value.
    pub fn facets(&self, filter: &Filter) -> Result<Vec<Facet>, BrowseError> {
        self.with(|store, loaded| {
            let ready = filter::Ready::new(filter, &loaded.columns)?;
            let found = self.found(store, loaded, &filter.terms)?;
            Ok(ready.facets(&loaded.columns, |at| found.as_ref().is_none_or(|f| f.has(at))))
        })
    }

    /// Lets `look` see a snapshot of the store and the records as they are in it.
    fn with<T>(
        &self,
        mut look: impl FnMut(&Store, &Loaded) -> Result<T, BrowseError>,
    ) -> Result<T, BrowseError> {
        let seen = open_readonly(&self.settings.output, |store| {
            self.catch_up(store)?;
            look(store, &self.read())
        })?;
        seen.ok_or(BrowseError::Gone)
    }

    fn read(&self) -> RwLockReadGuard<'_, Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is new in the store.
    fn catch_up(&self, store: &Store) -> Result<(), BrowseError> {
        let pulse = store.pulse()?;
        if pulse != self.read().pulse {
            let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
            let is_older =
                pulse.basis == loaded.pulse.basis && pulse.answers < loaded.pulse.answers;
            // Another request may have done it meanwhile, on a later snapshot.
            if pulse != loaded.pulse
                && !is_older
                && !loaded.refresh(store, self.pricing.as_ref(), pulse)?
            {
                let mut kept = self.kept();
                if kept.reloaded_at.is_none_or(|at| at.elapsed() > RELOAD_AFTER) {
                    let revision = loaded.revision;
                    *loaded = Loaded::load(store, &self.settings, self.pricing.as_ref())?;
                    loaded.revision = revision + 1;
                    kept.reloaded_at = Some(Instant::now());
                    kept.reviewed_at = None;
                }
            }
        }
        self.take_reviews(store)
    }

    /// Returns the records that a filter lets through, in its order.
    fn order(
        &self,
        store: &Store,
        loaded: &Loaded,
        filter: &Filter,
    ) -> Result<Arc<Vec<u32>>, BrowseError> {
        let is_it =
            |kept: &&(Filter, u64, Arc<Vec<u32>>)| kept.0 == *filter && kept.1 == loaded.revision;
        if let Some((_, _, order)) = self.kept().orders.iter().find(is_it) {
            return Ok(Arc::clone(order));
        }
        let ready = filter::Ready::new(filter, &loaded.columns)?;
        let found = self.found(store, loaded, &filter.terms)?;
        let has_words = |at| found.as_ref().is_none_or(|found| found.has(at));
        let order = Arc::new(ready.order(filter, &loaded.columns, has_words));
        let mut kept = self.kept();
        kept.orders.retain(|(_, revision, _)| *revision == loaded.revision);
        if kept.orders.len() == ORDERS_MAX {
            kept.orders.remove(0);
        }
        kept.orders.push((filter.clone(), loaded.revision, Arc::clone(&order)));
        Ok(order)
    }
}
