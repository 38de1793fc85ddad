//! What the user wished of the outputs and of the cost, for whoever goes on with the run.

use dset_core::money::Amount;
use dset_core::settings::CostLimits;

use super::store::Store;
use crate::output::live::format::{LiveFormat, legacy, live_formats};
use crate::store::error::StoreError;

/// What may be wished of `output.csv`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CsvWish {
    /// It begins with a byte order mark.
    Bom,
    /// It has a column of ids.
    Id,
}

impl CsvWish {
    /// Its name in `meta`.
    fn name(self) -> &'static str {
        match self {
            CsvWish::Bom => "csv_bom",
            CsvWish::Id => "csv_id",
        }
    }
}

impl Store {
    /// Returns the formats that the last run wrote, or these where there was none.
    pub(crate) fn formats(&self, or: &[String]) -> Result<Vec<LiveFormat>, StoreError> {
        let kept = self.meta::<String>("formats")?;
        let kept: Option<Vec<String>> = kept.map(|k| k.split(',').map(str::to_owned).collect());
        let kept = kept.and_then(|names| live_formats(&names).ok());
        Ok(kept.or_else(|| live_formats(or).ok()).unwrap_or_else(|| legacy::ALL.to_vec()))
    }

    /// Remembers which formats a run writes.
    pub(crate) fn keep_formats(&self, names: &[String]) -> Result<(), StoreError> {
        let names = names.join(",");
        match self.meta::<String>("formats")? {
            Some(kept) if kept == names => Ok(()),
            _ => self.set_meta("formats", names),
        }
    }

    /// Returns how `output.csv` was last wished to be in this; `None` where nobody has said.
    pub(crate) fn csv_wish(&self, of: CsvWish) -> Result<Option<bool>, StoreError> {
        self.meta(of.name())
    }

    /// Remembers how `output.csv` is wished to be in this; `None` leaves it as it is.
    pub(crate) fn keep_csv_wish(&self, of: CsvWish, wish: Option<bool>) -> Result<(), StoreError> {
        match wish {
            Some(_) if self.csv_wish(of)? != wish => self.set_meta(of.name(), wish),
            _ => Ok(()),
        }
    }

    /// Remembers what the folder may cost in all its runs, and how long a reply can be, for whoever
    /// goes on with the run.
    pub(crate) fn keep_cost_limit(&self, limits: CostLimits) -> Result<(), StoreError> {
        let text = |most: Option<Amount>| most.map(|most| most.picodollars().to_string());
        let (total, run) = (text(limits.total), text(limits.run));
        let value = serde_json::json!([total, limits.output_bound, run]).to_string();
        match self.meta::<String>("cost_limit")? {
            Some(kept) if kept == value => Ok(()),
            None if limits == CostLimits::default() => Ok(()),
            _ => self.set_meta("cost_limit", value),
        }
    }

    /// Returns what was remembered of the last run.
    pub(crate) fn cost_limit(&self) -> Result<CostLimits, StoreError> {
        let kept = self.meta::<String>("cost_limit")?.unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap_or_default();
        let most = |at: usize| kept[at].as_str()?.parse().ok().map(Amount::from_picodollars);
        Ok(CostLimits { total: most(0), run: most(2), output_bound: kept[1].as_u64() })
    }
}
