//! What each check says of all the answers there are, by the verdicts that are stored. Nothing is judged.

use std::path::Path;

use dset_core::acceptance::{Acceptance, Outcome, Terms, Verdict};
use dset_core::money::{BilledAs, Expenses};

use crate::store::{Store, StoreError, open_readonly};
use crate::view::expenses::{AskedBy, Pricing};

/// What one check says of the answers of a generation, those of earlier tries among them.
#[derive(Debug, Default)]
pub struct CheckStats {
    /// Its name.
    pub check: String,
    /// So many pass,
    pub passed: u64,
    /// so many do not,
    pub failed: u64,
    /// and of so many it cannot tell.
    pub unknown: u64,
    /// After so many of those that do not pass the question was asked again.
    pub asked_again: u64,
    /// What those that do not pass have cost. One that fails several checks counts for each.
    pub spent: Expenses,
}

/// Counts what checks say of the answers in a folder, in the order of the declarations; nothing where there
/// is no store, or answers are held against nothing.
pub fn check_stats(folder: &Path, pricing: Pricing<'_>) -> Result<Vec<CheckStats>, StoreError> {
    let stats = open_readonly(folder, |store| of_store(store, pricing))?;
    Ok(stats.unwrap_or_default())
}

fn of_store(store: &Store, pricing: Pricing<'_>) -> Result<Vec<CheckStats>, StoreError> {
    let Some(terms) = store.terms()? else { return Ok(Vec::new()) };
    let asked = AskedBy::load(store, pricing.providers)?;
    let named = |check| CheckStats { check, ..CheckStats::default() };
    let mut checks: Vec<CheckStats> = labels(store, &terms)?.into_iter().map(named).collect();
    let mut passed_all = 0;
    store.for_each_judged(store.generation()?, &terms, |judged| {
        let Some(list) = &judged.list else {
            passed_all += 1;
            return;
        };
        for (at, verdict) in list.iter().enumerate() {
            let stats = stats_of(&mut checks, at, verdict);
            match verdict.outcome {
                Outcome::Passed => stats.passed += 1,
                Outcome::Unknown => stats.unknown += 1,
                Outcome::Failed => {
                    stats.failed += 1;
                    stats.asked_again += u64::from(judged.is_followed);
                    if let Some(call) = &judged.call {
                        let billed = asked.billed(call, BilledAs::Answer);
                        stats.spent.add(pricing.prices, &billed);
                    }
                }
            }
        }
    })?;
    for stats in &mut checks {
        stats.passed += passed_all;
    }
    Ok(checks)
}

/// Returns the names of the checks of the last run, as far as they are those of these terms: where every answer
/// passes, no verdict names them.
pub(crate) fn labels(store: &Store, terms: &Terms) -> Result<Vec<String>, StoreError> {
    let checks = store.last_invocation()?.and_then(|call| call.checks);
    let Some(checks) = checks.filter(|_| !terms.are_of_whole_alone()) else {
        return Ok(Vec::new());
    };
    let asked = store.last_requests(store.generation()?)?.map(|(requests, _)| requests);
    let has_schema = asked.iter().flatten().any(|request| request.schema.is_some());
    let labels = Acceptance::labels(has_schema, &checks.declared);
    Ok(if labels.len() == terms.on_fail.len() { labels } else { Vec::new() })
}

/// Returns the place of a verdict: two checks of one name are told apart by where they stand in the list.
fn stats_of<'a>(
    checks: &'a mut Vec<CheckStats>,
    at: usize,
    verdict: &Verdict,
) -> &'a mut CheckStats {
    while checks.len() <= at {
        checks.push(CheckStats::default());
    }
    let stats = &mut checks[at];
    if stats.check.is_empty() {
        stats.check.clone_from(&verdict.check);
    }
    stats
}
