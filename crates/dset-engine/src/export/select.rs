//! Which answers of a row become rows of a dataset, and what is left out.

use std::collections::{HashMap, HashSet};

use dset_core::acceptance::Outcome;
use dset_core::answer::ValueReading;
use dset_core::answer::row::{Review, Row};
use dset_core::item::Item;
use dset_core::item::question::QuestionIndex;
use dset_core::layout::expression::{Answered, Expression, ExpressionError};
use dset_core::layout::survey::Kept;
use dset_core::layout::{Cell, Layout, Options, Record, Shape};
use dset_core::plan::AnswerId;
use dset_core::run::Planned;
use dset_core::template::Rendered;
use xxhash_rust::xxh3::Xxh3;

use super::error::ExportError;
use super::{LeftOut, Samples};
use crate::run::plan_input::PlannedRow;
use crate::store::Archive;
use crate::view::sent::{Sent, SentPrompts};

/// An expression, with what errors say of it.
pub(super) struct Named {
    pub(super) option: &'static str,
    pub(super) text: String,
    pub(super) expression: Expression,
}

impl Named {
    pub(super) fn parse(
        option: &'static str,
        text: Option<&str>,
        columns: &[String],
    ) -> Result<Option<Named>, ExportError> {
        let Some(text) = text else { return Ok(None) };
        match Expression::new(text, columns) {
            Ok(expression) => Ok(Some(Named { option, text: text.to_owned(), expression })),
            Err(error) => Err(ExportError::Expression { option, text: text.to_owned(), error }),
        }
    }

    fn failed(&self, error: ExpressionError) -> ExportError {
        ExportError::Expression { option: self.option, text: self.text.clone(), error }
    }
}

/// What is written of each row of the input.
pub(super) struct Selection {
    pub(super) layout: &'static dyn Layout,
    pub(super) options: Options,
    pub(super) shape: Shape,
    pub(super) kept: Kept,
    pub(super) filter: Option<Named>,
    pub(super) rank: Option<Named>,
    /// How the values of answers are read that were not asked for under a schema.
    pub(super) reading: Option<ValueReading>,
    pub(super) samples: Samples,
    /// What verdicts are known by, where answers are held against checks.
    pub(super) acceptance: Option<[u8; 16]>,
    /// The answers to each wanted one that are not accepted, where the first of them is set against the
    /// accepted one.
    pub(super) rejected: Option<HashMap<QuestionIndex, Vec<AnswerId>>>,
    pub(super) skip_unfit: bool,
    /// Only rows that lack an answer, and those without one.
    pub(super) failed: bool,
    /// What somebody thinks of answers.
    pub(super) reviews: HashMap<AnswerId, Review>,
    /// Hashes of what was written, where what is equal is written once.
    pub(super) written: Option<HashSet<u128>>,
    pub(super) sent: SentPrompts,
    pub(super) left_out: LeftOut,
    /// Answers that stand beside what the last run would send, because what was sent for them cannot be made any
    /// more.
    pub(super) sent_unknown: u64,
    /// Rows of the input with a row, that the run left out.
    pub(super) not_chosen: u64,
}

/// An answer that may be written.
struct Candidate {
    row: Row,
    /// What was sent for it, where that is not what the last run sends.
    sent: Option<Rendered<'static>>,
    /// What was sent cannot be made any more.
    is_sent_unknown: bool,
}

/// The answers of a row that were given to the same words.
struct Group {
    sent: Option<Rendered<'static>>,
    rows: Vec<Row>,
    ranks: Vec<f64>,
}

impl Group {
    /// Puts answers together that were given to the same words, in their order; where no row says those, all.
    fn all(candidates: Vec<Candidate>, ranks: Option<&[f64]>, shows_prompt: bool) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (at, Candidate { row, sent, .. }) in candidates.into_iter().enumerate() {
            let sent = sent.filter(|_| shows_prompt);
            let known = groups.iter().position(|group| group.sent == sent);
            let known = known.unwrap_or_else(|| {
                groups.push(Group { sent, rows: Vec::new(), ranks: Vec::new() });
                groups.len() - 1
            });
            groups[known].rows.push(row);
            groups[known].ranks.extend(ranks.and_then(|ranks| ranks.get(at)));
        }
        groups
    }
}

/// A row of a dataset, with what decides where it goes.
pub(super) struct Made<'a> {
    pub(super) id: &'a str,
    /// Its row of the input.
    pub(super) row: u64,
    /// Its number among the rows of the record.
    pub(super) number: u32,
    pub(super) answered_at: i64,
    pub(super) cells: &'a [Cell<'a>],
}

/// Counts the answers that are wanted and not there. What is left out is not wanted any more: there are
/// enough samples.
pub(super) fn count_missing(answers: &[Option<AnswerId>], states: &[Planned]) -> u64 {
    let all = answers.iter().zip(states);
    all.filter(|(answer, state)| answer.is_none() && **state != Planned::LeftOut).count() as u64
}

impl Selection {
    /// Begins again, as nothing was written.
    pub(super) fn restart(&mut self) {
        self.left_out = LeftOut::default();
        (self.sent_unknown, self.not_chosen) = (0, 0);
        self.written.as_mut().map(HashSet::clear);
    }

    /// Makes the rows of a row of the input; of all entries are known the answers, and where they stand.
    pub(super) fn rows_of(
        &mut self,
        seen: &PlannedRow<'_>,
        (answers, states): (&[Option<AnswerId>], &[Planned]),
        archive: &dyn Archive,
        mut emit: impl FnMut(Made<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let entries = seen.entries.start as usize..seen.entries.end as usize;
        let of_row = &answers[entries.clone()];
        let missing = count_missing(of_row, &states[entries]);
        self.left_out.unanswered += missing;
        let has_rows = match self.failed {
            true => missing > 0,
            false => of_row.iter().any(Option::is_some),
        };
        if !has_rows {
            return Ok(());
        }
        let id = seen.item.name(seen.id);
        let mut rows = Vec::new();
        if !self.failed {
            for answer in of_row.iter().flatten() {
                rows.push(self.read(*answer, seen, archive)?);
            }
            self.keep_wanted(&id, seen, &mut rows)?;
            if rows.is_empty() {
                return Ok(());
            }
        }
        let ranks = match self.rejected.is_some() {
            true => {
                self.left_out.other_samples += rows.len().saturating_sub(1) as u64;
                rows.truncate(1);
                rows.extend(self.first_rejected(&id, seen, archive)?);
                Some([1.0, 0.0][..rows.len()].to_vec())
            }
            false => self.choose(&id, seen, &mut rows)?,
        };
        let hashes: Vec<u128> = match &self.written {
            Some(_) => rows.iter().map(|one| said(seen, one)).collect(),
            None => Vec::new(),
        };
        let of_unknown = rows.iter().filter(|one| one.is_sent_unknown).count() as u64;
        let mut groups = Group::all(rows, ranks.as_deref(), self.layout.shows_prompt());
        if self.failed {
            groups.push(Group { sent: None, rows: Vec::new(), ranks: Vec::new() });
        }
        let fields = self.kept.cells(seen.item.fields);
        let (mut number, mut unfit, mut of_unfit) = (0, None, 0);
        for group in &groups {
            let sent = group.sent.as_ref().unwrap_or(seen.rendered);
            let record = Record {
                shape: &self.shape,
                id: &id,
                row: seen.row_number(),
                question: seen.item.text.trim(),
                system: sent.system.as_deref(),
                prompt: &sent.user,
                turns: seen.item.turns.map(|turns| &**turns),
                fields: &fields,
                answers: &group.rows,
                ranks: ranks.is_some().then_some(&group.ranks[..]),
            };
            if let Some(found) = self.layout.unfit(&record) {
                if !found.is_expected() && !self.skip_unfit {
                    return Err(ExportError::Unfit {
                        layout: self.layout.name(),
                        unfit: found,
                        count: 1,
                        rows: vec![record.row],
                    });
                }
                unfit = Some(found);
                of_unfit += group.rows.len() as u64;
                continue;
            }
            let (first, mut result) = (number, Ok(()));
            self.layout.rows(&record, &self.options, &mut |cells| {
                if result.is_ok() {
                    let of = group.rows.get((number - first) as usize).or(group.rows.first());
                    let answered_at = of.map_or(0, |row| row.answered_at);
                    result = emit(Made { id: &id, row: record.row, number, answered_at, cells });
                    number += 1;
                }
            });
            result?;
        }
        match unfit {
            Some(unfit) if number == 0 => self.left_out.note(unfit),
            _ => {
                self.left_out.other_samples += of_unfit;
                self.sent_unknown += of_unknown;
                if let Some(written) = &mut self.written {
                    written.extend(hashes);
                }
            }
        }
        Ok(())
    }

    /// Reads an answer, with the checks that it does not pass.
    fn read(
        &self,
        answer: AnswerId,
        seen: &PlannedRow<'_>,
        archive: &dyn Archive,
    ) -> Result<Candidate, ExportError> {
        let mut row = archive.row_at(answer, Some(seen.row_number()))?;
        row.reading = row.reading.or_else(|| self.reading.clone());
        if let Some(acceptance) = &self.acceptance {
            let verdicts = archive.verdicts(answer, acceptance)?.unwrap_or_default();
            let failed = verdicts.into_iter().filter(|verdict| verdict.outcome != Outcome::Passed);
            row.metadata.failed_checks = failed.map(|verdict| verdict.check).collect();
        }
        row.metadata.review = self.reviews.get(&answer).cloned();
        let (sent, is_sent_unknown) = match self.sent.of(answer, seen.item, seen.rendered) {
            Sent::AsNow => (None, false),
            Sent::Other(sent) => (Some(sent), false),
            Sent::Unknown => (None, self.layout.shows_prompt()),
        };
        Ok(Candidate { row, sent, is_sent_unknown })
    }

    /// Returns the first answer that is not accepted and that the user wants.
    fn first_rejected(
        &mut self,
        id: &str,
        seen: &PlannedRow<'_>,
        archive: &dyn Archive,
    ) -> Result<Option<Candidate>, ExportError> {
        let all = seen.entries.clone().filter_map(|at| self.rejected.as_ref()?.get(&at));
        for answer in all.flatten() {
            let candidate = self.read(*answer, seen, archive)?;
            if self.is_wanted(id, seen, &candidate.row)? {
                return Ok(Some(candidate));
            }
            self.left_out.filtered += 1;
        }
        Ok(None)
    }

    fn is_wanted(&self, id: &str, seen: &PlannedRow<'_>, row: &Row) -> Result<bool, ExportError> {
        let Some(filter) = &self.filter else { return Ok(true) };
        filter.expression.holds(&answered(id, seen, row)).map_err(|error| filter.failed(error))
    }

    /// Leaves out answers that the user does not want, and those whose words were written already.
    fn keep_wanted(
        &mut self,
        id: &str,
        seen: &PlannedRow<'_>,
        rows: &mut Vec<Candidate>,
    ) -> Result<(), ExportError> {
        let all = rows.len();
        let mut kept = Vec::with_capacity(all);
        for candidate in rows.drain(..) {
            if self.is_wanted(id, seen, &candidate.row)? {
                kept.push(candidate);
            }
        }
        *rows = kept;
        self.left_out.filtered += (all - rows.len()) as u64;
        if let Some(written) = &self.written {
            let (all, mut of_row) = (rows.len(), HashSet::new());
            rows.retain(|candidate| {
                let said = said(seen, candidate);
                !written.contains(&said) && of_row.insert(said)
            });
            self.left_out.duplicates += (all - rows.len()) as u64;
        }
        Ok(())
    }

    /// Ranks the answers, and keeps one where the user wants one.
    fn choose(
        &mut self,
        id: &str,
        seen: &PlannedRow<'_>,
        rows: &mut Vec<Candidate>,
    ) -> Result<Option<Vec<f64>>, ExportError> {
        let mut ranks = None;
        if let Some(rank) = &self.rank {
            let of = |one: &Candidate| rank.expression.number(&answered(id, seen, &one.row));
            let all: Result<Vec<_>, _> = rows.iter().map(of).collect();
            ranks = Some(all.map_err(|error| rank.failed(error))?);
        }
        let one = match (self.samples, &ranks) {
            (Samples::All, _) => return Ok(ranks),
            (Samples::First, _) | (Samples::Best, None) => 0,
            (Samples::Best, Some(ranks)) => {
                (1..ranks.len()).fold(0, |best, at| if ranks[at] > ranks[best] { at } else { best })
            }
        };
        self.left_out.other_samples += rows.len().saturating_sub(1) as u64;
        if one < rows.len() {
            rows.swap(0, one);
            rows.truncate(1);
        }
        Ok(ranks.map(|ranks| ranks.get(one).copied().into_iter().collect()))
    }
}

fn answered<'a>(id: &'a str, seen: &PlannedRow<'a>, answer: &'a Row) -> Answered<'a> {
    let question = seen.item.text.trim();
    Answered { id, row: seen.row_number(), question, fields: seen.item.fields, answer }
}

/// Hashes what was asked and what was answered. Two that differ in the case of a letter or in a
/// number are not the same.
fn said(seen: &PlannedRow<'_>, candidate: &Candidate) -> u128 {
    let sent = candidate.sent.as_ref().unwrap_or(seen.rendered);
    let mut hash = Xxh3::new();
    hash.update(&prompt_hash(seen.item, sent).to_le_bytes());
    hash.update(candidate.row.answer.trim().as_bytes());
    hash.digest128()
}

/// Hashes what is sent of an item.
pub(super) fn prompt_hash(item: &Item<'_>, sent: &Rendered<'_>) -> u128 {
    let mut hash = Xxh3::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(sent.system.as_deref().unwrap_or_default());
    match item.turns {
        None => add(sent.user.trim()),
        Some(turns) => turns.iter().for_each(|turn| {
            add(turn.role.name());
            add(&turn.text);
        }),
    }
    hash.digest128()
}
