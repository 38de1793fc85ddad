//! Verdicts of before: answers that were judged against another value than their rows have now.

use dset_core::acceptance::{Acceptance, Outcome, Verdict};
use dset_core::schema::{Notation, Schema};

use crate::error::JobError;
use crate::run::accepting::hash_expected;
use crate::store::{Store, StoreError};
use crate::view::index::RunIndex;
use crate::view::status::Rows;

/// Rows with an answer of which would be thought otherwise now, because what it was compared with has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedBefore {
    /// They.
    pub rows: Rows,
    /// The columns that answers are compared with.
    pub columns: Vec<String>,
}

impl RunIndex {
    /// Finds such rows. Answers are read only where anything that rows expect has changed since all were judged,
    /// by a hash of that: a store of before has none, nor has one whose verdicts `dset check` has recorded until a run
    /// has held them against the rows.
    pub(crate) fn judged_before(&mut self, store: &Store) -> Result<JudgedBefore, JobError> {
        let mut found = JudgedBefore::default();
        let Some(acceptance) = self.acceptance(store)? else { return Ok(found) };
        let Some(judged_by) = store.expected()? else { return Ok(found) };
        let by_rows = acceptance.judged_by_rows();
        let RunIndex { source, prompts, requests, generation, plan, .. } = self;
        let samples = plan.wanted().samples();
        let asked = (&requests[..], samples, *generation);
        let expected = hash_expected(&acceptance, &mut **source, prompts, asked)?;
        if judged_by == expected {
            return Ok(found);
        }
        let archive = store.as_reader();
        let fingerprint = acceptance.fingerprint();
        let answers = std::mem::take(&mut self.answers);
        let last: Vec<_> =
            self.plan.not_accepted.iter().map(|one| (one.index, one.answer)).collect();
        let result = self.try_for_each_row::<JobError>(|seen| {
            for at in seen.entries.clone() {
                let of_last = || Some(last[last.binary_search_by_key(&at, |one| one.0).ok()?].1);
                let Some(answer) = answers[at as usize].or_else(of_last) else { continue };
                let Some(before) = archive.verdicts(answer, &fingerprint)? else { continue };
                // What is damaged is told by `dset verify`.
                let row = match archive.row(answer) {
                    Err(StoreError::TextDamaged { .. }) => continue,
                    row => row?,
                };
                let now = acceptance.accept(row.received(), seen.item).list;
                let outcome = |list: &[Verdict], at: usize| {
                    list.get(at).map_or(Outcome::Passed, |verdict| verdict.outcome)
                };
                if by_rows.iter().any(|at| outcome(&before, *at) != outcome(&now, *at)) {
                    found.rows.add(seen.row_number());
                    break;
                }
            }
            Ok(())
        });
        self.answers = answers;
        result?;
        if found.rows.count > 0 {
            found.columns = columns(store)?;
        }
        Ok(found)
    }

    /// Returns what the last run held answers against, where that is known and depends on rows.
    fn acceptance(&self, store: &Store) -> Result<Option<Acceptance>, JobError> {
        let Some(terms) = &self.terms else { return Ok(None) };
        let checks = store.last_invocation()?.and_then(|call| call.checks);
        let Some(checks) = checks else { return Ok(None) };
        let schema = self.requests.iter().find_map(|request| request.schema.as_deref());
        let schema = schema.and_then(|text| Schema::read(text, Notation::Json).ok());
        // A column that is gone is an error of whoever judges.
        let acceptance = Acceptance::new(schema, checks.declared, &self.source.shape().fields).ok();
        Ok(acceptance.filter(|one| one.depends_on_rows() && one.fingerprint() == terms.fingerprint))
    }
}

fn columns(store: &Store) -> Result<Vec<String>, JobError> {
    let checks = store.last_invocation()?.and_then(|call| call.checks);
    let declared = checks.map(|checks| checks.declared).unwrap_or_default();
    let named = declared.iter().filter_map(|one| one.arguments.get("column")?.as_str());
    let mut columns: Vec<String> = Vec::new();
    for name in named {
        if !columns.iter().any(|known| known == name) {
            columns.push(name.to_owned());
        }
    }
    Ok(columns)
}
