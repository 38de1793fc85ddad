//! `no-repeat`: the answer does not end in a loop, and is not for the most part what it said before.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Argument, Check, CheckError, Judged, Judgement, Kind, arguments};
use crate::provider::stream::repetition::RepetitionDetector;

pub(super) const KIND: Kind = Kind {
    name: "no-repeat",
    version: 1,
    argument: Argument::None,
    compile: |table, _| {
        let arguments: NoRepeat = arguments(table)?;
        match (0.0..=1.0).contains(&arguments.max_repeated) {
            true => Ok(Box::new(arguments)),
            false => Err(CheckError::new("max-repeated", "is a share from 0 to 1")),
        }
    },
};

/// How many characters in a row are compared: some five words, a short line.
const RUN_CHARS: usize = 24;
/// How long an answer must be to be judged by that: a refrain stands in a shorter one.
const CHARS_MIN: usize = 600;
/// How much of it may have stood in it before where nobody says. Tables and lists of objects repeat
/// a good half of themselves; a loop nine tenths.
const REPEATED_MAX: f64 = 0.85;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct NoRepeat {
    #[serde(default = "repeated_max")]
    max_repeated: f64,
}

fn repeated_max() -> f64 {
    REPEATED_MAX
}

impl Check for NoRepeat {
    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        if let Some(found) = RepetitionDetector::default().push(&judged.text) {
            return Judgement::Failed(format!("it says the same {} times", found.times));
        }
        let share = repeated(&judged.text);
        match share <= self.max_repeated {
            true => Judgement::Passed,
            false => Judgement::Failed(format!("{:.0} % of it stands there before", share * 100.0)),
        }
    }
}

/// Returns the share of runs of [`RUN_CHARS`] characters that stood in the text before.
#[expect(clippy::cast_precision_loss, reason = "no answer has 2^52 characters")]
fn repeated(text: &str) -> f64 {
    let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
    if starts.len() < CHARS_MIN {
        return 0.0;
    }
    let ends = starts[RUN_CHARS..].iter().copied().chain([text.len()]);
    let mut seen = HashSet::new();
    let runs = starts.iter().zip(ends).map(|(start, end)| &text[*start..end]);
    let (mut repeated, mut all) = (0_usize, 0_usize);
    for run in runs {
        all += 1;
        repeated += usize::from(!seen.insert(run));
    }
    repeated as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::super::tests::{compiled, error, judge};
    use super::*;

    fn passes(text: &str) -> bool {
        judge(&*compiled(r#"{"name":"no-repeat"}"#), text) == Judgement::Passed
    }

    #[test]
    fn loops_are_found_at_the_end_and_in_the_middle() {
        assert!(!passes(&format!("Well. {}", "Let me think again. ".repeat(300))));
        assert!(!passes(&format!("Well. {} So it is.", "Let me think again. ".repeat(60))));
        assert!(!passes(&"是的，我们再想一想这个问题吧。".repeat(60)));
    }

    #[test]
    fn tables_lists_and_prose_are_none() {
        let mut table = String::from("| n | square |\n|---|---|\n");
        let mut json = String::from("[");
        for n in 0..200 {
            writeln!(table, "| {n} | {} |", n * n).unwrap();
            write!(json, "{{\"id\": {n}, \"name\": \"item {n}\", \"price\": {}}}, ", n * 7)
                .unwrap();
        }
        for text in [
            table.as_str(),
            &json,
            include_str!("../../../../LICENSE"),
            include_str!("mod.rs"),
            "no no no",
            &"ha".repeat(99),
        ] {
            assert!(passes(text), "{:.2} {text}", repeated(text));
        }
        assert_eq!(error(r#"{"name":"no-repeat","max-repeated":7}"#).field, "max-repeated");
    }
}
