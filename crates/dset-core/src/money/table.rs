//! The table of prices: what which model cost where, and when.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use super::rates::{Rates, Tariff, Window};

/// The table that comes with dset, made by `dev/prices/make`.
const BUILT_IN: &str = include_str!("prices.json");
/// A table older than this many days may well be wrong, and a run says so.
pub const STALE_DAYS: i64 = 60;
/// How far ahead the next change of a tariff is looked for: every week is like the next.
const WEEK_MINUTES: i64 = 7 * 24 * 60;

/// Prices of models, each for a time.
#[derive(Debug)]
pub struct PriceTable {
    /// The day on which the prices were looked up, `YYYY-MM-DD`.
    pub as_of: String,
    /// Tells this table from any other: its day and a hash of its bytes.
    pub version: String,
    /// The packages whose figures it took, with their versions.
    pub made_of: Vec<String>,
    entries: Vec<PriceEntry>,
    /// The places in `entries` of what goes by a name.
    by_model: HashMap<String, Vec<usize>>,
}

/// What one model costs at one provider for a time.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceEntry {
    /// The provider, by the id of its preset where it has one.
    pub provider: String,
    /// The name of the model on the wire.
    pub model: String,
    /// Other names that are billed as it.
    pub aliases: Vec<String>,
    /// Since when it holds, Unix milliseconds; absent where it always did.
    pub from: Option<i64>,
    /// Up to when, without that moment.
    pub until: Option<i64>,
    /// Where the figures are from.
    pub source: String,
    /// When they were seen there, `YYYY-MM-DD`.
    pub seen: String,
    /// What it costs; where there are hours, at peak.
    pub base: Rates,
    /// The hours of each tariff; every other is off-peak.
    pub when: Vec<Window>,
    /// What it costs off-peak.
    pub off_peak: Option<Rates>,
    /// What the whole request costs where its prompt is longer than so many tokens, cached ones
    /// included; the longest that applies holds.
    pub above_input_tokens: Vec<LongPrompt>,
    /// What it costs through the provider's batch API.
    pub batch: Option<Rates>,
    /// What it costs in other service tiers, by the name that asks for them.
    pub tier: BTreeMap<String, Rates>,
    /// The cache is only written where a request asks for it, which those of dset do not.
    pub cache_write_on_request: bool,
    /// What else is worth knowing.
    pub note: String,
}

/// What a request with a long prompt costs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPrompt {
    /// It holds above so many tokens of input.
    pub above: u64,
    /// What each kind of token of it costs.
    pub rates: Rates,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It is not written as a table is.
    #[error("not a table of prices: {0}")]
    Malformed(#[from] serde_json::Error),
    /// What it says of a model makes no sense.
    #[error("the price of {model} at {provider}: {detail}")]
    Entry {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// What is wrong.
        detail: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    as_of: String,
    made_of: Vec<String>,
    prices: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    provider: String,
    model: String,
    #[serde(default)]
    aliases: Vec<String>,
    from: Option<String>,
    until: Option<String>,
    source: String,
    seen: String,
    base: Rates,
    #[serde(default)]
    when: Vec<Window>,
    off_peak: Option<Rates>,
    #[serde(default)]
    above_input_tokens: Vec<LongPrompt>,
    batch: Option<Rates>,
    #[serde(default)]
    tier: BTreeMap<String, Rates>,
    #[serde(default)]
    cache_write_on_request: bool,
    #[serde(default)]
    note: String,
}

impl RawEntry {
    fn checked(self) -> Result<PriceEntry, TableError> {
        let moment = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text.parse::<jiff::Timestamp>().map(|at| Some(at.as_millisecond())),
        };
        let (Ok(from), Ok(until)) = (moment(&self.from), moment(&self.until)) else {
            return Err(self.error("`from` and `until` are moments like 2026-09-10T16:00:00Z"));
        };
        let is_empty = from.zip(until).is_some_and(|(from, until)| from >= until);
        let has_hours = !self.when.is_empty();
        let detail = match () {
            () if is_empty => "it ends before it begins",
            () if has_hours != self.off_peak.is_some() => "hours and `off_peak` go together",
            () if !self.when.iter().all(Window::is_sound) => "a window has no such day or hour",
            // Nobody has both, so nobody says how they go together.
            () if has_hours && !self.above_input_tokens.is_empty() => {
                "it has hours and lengths of prompts"
            }
            () => {
                return Ok(PriceEntry {
                    provider: self.provider,
                    model: self.model,
                    aliases: self.aliases,
                    from,
                    until,
                    source: self.source,
                    seen: self.seen,
                    base: self.base,
                    when: self.when,
                    off_peak: self.off_peak,
                    above_input_tokens: self.above_input_tokens,
                    batch: self.batch,
                    tier: self.tier,
                    cache_write_on_request: self.cache_write_on_request,
                    note: self.note,
                });
            }
        };
        Err(self.error(detail))
    }

    fn error(&self, detail: &'static str) -> TableError {
        TableError::Entry { provider: self.provider.clone(), model: self.model.clone(), detail }
    }
}

impl PriceTable {
    /// Returns the table that comes with dset.
    #[must_use]
    pub fn built_in() -> &'static PriceTable {
        static TABLE: LazyLock<PriceTable> =
            LazyLock::new(|| PriceTable::read(BUILT_IN).expect("a test reads it"));
        &TABLE
    }

    /// Reads a table. Fails where it is not one, or where two prices of one name hold at once.
    pub fn read(text: &str) -> Result<PriceTable, TableError> {
        let file: File = serde_json::from_str(text)?;
        if file.schema != "prices/2" {
            return Err(serde::de::Error::custom("its `schema` is not prices/2"))
                .map_err(|error: serde_json::Error| TableError::Malformed(error));
        }
        let entries: Vec<PriceEntry> =
            file.prices.into_iter().map(RawEntry::checked).collect::<Result<_, _>>()?;
        let mut by_model: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            for name in entry.aliases.iter().chain([&entry.model]) {
                let known = by_model.entry(name.clone()).or_default();
                if known.iter().any(|other| entry.overlaps(&entries[*other])) {
                    let (provider, model) = (entry.provider.clone(), name.clone());
                    let detail = "two prices hold at once";
                    return Err(TableError::Entry { provider, model, detail });
                }
                known.push(at);
            }
        }
        let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes()) >> 32;
        let version = format!("{}/{hash:08x}", file.as_of);
        Ok(PriceTable { as_of: file.as_of, version, made_of: file.made_of, entries, by_model })
    }

    /// Finds what a model costs at a provider at a moment, in Unix milliseconds.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str, unix_ms: i64) -> Option<&PriceEntry> {
        self.named(model).find(|entry| entry.provider == provider && entry.holds(unix_ms))
    }

    /// Returns every price that goes by the name of a model, at any provider and time.
    pub fn named(&self, model: &str) -> impl Iterator<Item = &PriceEntry> {
        self.by_model.get(model).into_iter().flatten().map(|at| &self.entries[*at])
    }

    /// Returns every price, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[PriceEntry] {
        &self.entries
    }

    /// Returns how many days old it is, by its date.
    #[must_use]
    pub fn age_days(&self, unix_ms: i64) -> i64 {
        let midnight = format!("{}T00:00:00Z", self.as_of).parse::<jiff::Timestamp>();
        midnight.map_or(0, |at| (unix_ms - at.as_millisecond()).div_euclid(86_400_000)).max(0)
    }
}

impl PriceEntry {
    /// Tells whether it holds at a moment, in Unix milliseconds.
    #[must_use]
    pub fn holds(&self, unix_ms: i64) -> bool {
        self.from.is_none_or(|from| from <= unix_ms) && self.until.is_none_or(|end| unix_ms < end)
    }

    fn overlaps(&self, other: &PriceEntry) -> bool {
        let begins_before = |from: Option<i64>, until: Option<i64>| {
            from.zip(until).is_none_or(|(from, until)| from < until)
        };
        self.provider == other.provider
            && begins_before(self.from, other.until)
            && begins_before(other.from, self.until)
    }

    /// Returns the tariff of a moment; `None` where it costs the same at every hour.
    #[must_use]
    pub fn tariff(&self, unix_ms: i64) -> Option<Tariff> {
        self.off_peak?;
        let window = self.when.iter().find(|window| window.holds(unix_ms));
        Some(window.map_or(Tariff::OffPeak, |window| window.is))
    }

    /// Returns what a request costs at a moment whose prompt has so many tokens, cached ones
    /// included. A prompt of unknown length counts as a short one.
    #[must_use]
    pub fn rates(&self, unix_ms: i64, input_tokens: Option<u64>) -> &Rates {
        let input = input_tokens.unwrap_or(0);
        let long = self.above_input_tokens.iter().filter(|long| input > long.above);
        if let Some(long) = long.max_by_key(|long| long.above) {
            return &long.rates;
        }
        match (self.tariff(unix_ms), &self.off_peak) {
            (Some(Tariff::OffPeak), Some(off_peak)) => off_peak,
            _ => &self.base,
        }
    }

    /// Returns the next moment at which another tariff begins; `None` where none does.
    #[must_use]
    pub fn next_tariff(&self, unix_ms: i64) -> Option<i64> {
        let now = self.tariff(unix_ms)?;
        let minute = unix_ms.div_euclid(60_000);
        let minutes = (1..=WEEK_MINUTES).map(|ahead| (minute + ahead) * 60_000);
        minutes.into_iter().find(|at| self.tariff(*at) != Some(now))
    }
}
