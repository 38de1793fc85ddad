//! What was sent for the answers to a question, read from the input again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dset_core::item::Item;
use dset_core::plan::AnswerId;
use dset_core::template::{Prompts, Rendered};
use serde_json::{Value, json};

use super::detail::TEXT_CHARS_MAX;
use crate::run::plan_input::PlannedRow;
use crate::source::{Cursor, Source, SourceError};
use crate::view::sent::{Sent, SentPrompts};

/// A row is read with at most so many before it, where the input can be read from a place within.
const ROWS_BETWEEN_STARTS: u32 = 256;

/// Where the rows of an input can be read, and what was sent for them.
#[derive(Debug)]
pub(super) struct Requests {
    input: Mutex<Input>,
    sent: SentPrompts,
    starts: Starts,
}

#[derive(Debug)]
struct Input {
    source: Box<dyn Source>,
    prompts: Prompts,
    /// The row that the source stands at, where it is known.
    at: Option<u32>,
}

/// Places from which a row, and those behind it, can be read.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<(u32, Cursor)>);

impl Starts {
    /// Takes in the place of a row; rows come in their order.
    pub(super) fn note(&mut self, row: u32, seen: &PlannedRow<'_>) {
        let Some(start) = &seen.start else { return };
        let is_far = |(of, last): &(u32, Cursor)| row - of >= ROWS_BETWEEN_STARTS && last != start;
        if self.0.last().is_none_or(is_far) {
            self.0.push((row, start.clone()));
        }
    }

    fn before(&self, row: u32) -> Option<&(u32, Cursor)> {
        let at = self.0.partition_point(|(of, _)| *of <= row).checked_sub(1)?;
        Some(&self.0[at])
    }
}

/// A row of the input, and how it is known there.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowOfInput<'a> {
    /// Its place among those that are asked, from 0.
    pub(super) row: u32,
    /// Its number in the input.
    pub(super) number: u64,
    /// Its question, trimmed.
    pub(super) question: &'a str,
}

/// What was sent for a row.
#[derive(Debug)]
pub(super) struct SentForRow {
    /// What the last run sends.
    pub(super) now: Value,
    /// By answer, what was sent for it where that is something else; nothing where it cannot be made any more.
    pub(super) others: HashMap<AnswerId, Option<Value>>,
}

impl Requests {
    pub(super) fn new(
        source: Box<dyn Source>,
        prompts: Prompts,
        sent: SentPrompts,
        starts: Starts,
    ) -> Requests {
        Requests { input: Mutex::new(Input { source, prompts, at: None }), sent, starts }
    }

    /// Returns what was sent for a row and for these answers to it; `None` where the input is no longer
    /// what was asked.
    pub(super) fn of(&self, row: RowOfInput<'_>, answers: &[AnswerId]) -> Option<SentForRow> {
        let look = |item: &Item<'_>, now: &Rendered<'_>| {
            let other = |answer: &AnswerId| match self.sent.of(*answer, item, now) {
                Sent::AsNow => None,
                Sent::Other(sent) => Some((*answer, Some(request(item, &sent)))),
                Sent::Unknown => Some((*answer, None)),
            };
            let others = answers.iter().filter_map(other).collect();
            SentForRow { now: request(item, now), others }
        };
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        // Marks that were written meanwhile move what stands behind them.
        let near = self.starts.before(row.row).and_then(|start| input.find(Some(start), row, look));
        near.or_else(|| input.find(None, row, look))
    }
}

impl Input {
    fn find<T>(
        &mut self,
        start: Option<&(u32, Cursor)>,
        row: RowOfInput<'_>,
        look: impl FnOnce(&Item<'_>, &Rendered<'_>) -> T,
    ) -> Option<T> {
        let goes_on = start.map_or(0, |(of, _)| *of)..=row.row;
        // An input that cannot be read from any place is not read from its beginning for the row behind.
        let mut is_read = self.at.take().is_some_and(|at| goes_on.contains(&at));
        if !is_read {
            self.go_to(start.map(|(_, cursor)| cursor)).ok()?;
        }
        while std::mem::take(&mut is_read) || self.source.advance().ok()? {
            let item = self.source.current();
            if item.place.number() == row.number && item.text.trim() == row.question {
                let seen = look(&item, &self.prompts.render(&item).ok()??);
                self.at = Some(row.row);
                return Some(seen);
            }
            if start.is_some() && item.place.number() > row.number {
                break;
            }
        }
        None
    }

    fn go_to(&mut self, start: Option<&Cursor>) -> Result<(), SourceError> {
        match start {
            Some(start) => self.source.seek(start),
            None => self.source.rewind(),
        }
    }
}

/// A request in the words of the API.
fn request(item: &Item<'_>, sent: &Rendered<'_>) -> Value {
    let turn = |role: &str, text: &str| json!({ "role": role, "text": shown(text) });
    let turns: Vec<Value> = match item.turns {
        Some(turns) => turns.iter().map(|one| turn(one.role.name(), &one.text)).collect(),
        None => vec![turn("user", &sent.user)],
    };
    json!({
        "system": sent.system.as_deref().map(shown),
        "turns": turns,
        "params": item.params.map(|params| &**params),
    })
}

/// Returns what of a text is shown, with a sign where that is not all.
fn shown(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
