//! What checks say of answers: each try with its verdicts, and how many questions each check failed.

use std::collections::BTreeMap;

use dset_core::acceptance::{Outcome, Verdict};
use dset_engine::view::show::{ShownQuestion, ShownSlot, ShownTry};

use super::FOLDED;
use crate::display::page::{BAD, BOLD, Page};
use crate::display::text::{of, one_line};

/// Shows the answers that do not count, each with what checks say of it; and of the one that counts
/// what they say.
pub(super) fn tries(page: &Page, entry: &ShownSlot, is_full: bool) {
    for one in &entry.tries {
        let waits = one.verdicts.iter().any(Verdict::is_outstanding);
        let (style, word) = match (one.is_accepted, one.verdicts.is_empty()) {
            (false, false) if waits => (BOLD, "not judged yet"),
            (true, true) => (BOLD, "accepted"),
            (true, false) => (BOLD, "accepted, though"),
            (false, true) => (BOLD, "set aside"),
            (false, false) => (BAD, "not accepted"),
        };
        page.line(style, &format!("try {}", one.number), &format!("  {word}"), 2);
        for verdict in one.verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Passed) {
            say(page, verdict);
        }
        if !one.is_accepted {
            text(page, one, is_full);
        }
    }
}

fn say(page: &Page, verdict: &Verdict) {
    let unknown = if verdict.outcome == Outcome::Unknown { "unknown: " } else { "" };
    for reason in &verdict.reasons {
        let place = match reason.place.as_str() {
            "" => String::new(),
            place => format!("at `{}`: ", one_line(place)),
        };
        let words = format!("{unknown}{place}{}", one_line(&reason.sentence));
        page.pair(&verdict.check, &words);
    }
}

fn text(page: &Page, one: &ShownTry, is_full: bool) {
    let most = if is_full { usize::MAX } else { FOLDED };
    let lines = page.lines(&one.row.answer, 4);
    page.lines_of(&lines[..most.min(lines.len())], 4);
}

/// Counts the questions that each check failed in their last try.
pub(super) fn by_check(page: &Page, questions: &[ShownQuestion]) {
    let mut failed: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in questions.iter().flat_map(|question| &question.entries) {
        let verdicts = entry.tries.last().map(|last| &last.verdicts);
        for verdict in verdicts.into_iter().flatten() {
            if verdict.outcome != Outcome::Passed {
                *failed.entry(&verdict.check).or_default() += 1;
            }
        }
    }
    for (check, number) in failed {
        page.pair(check, &format!("fails {}", of(number, "question")));
    }
}
