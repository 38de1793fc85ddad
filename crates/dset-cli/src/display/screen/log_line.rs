//! The lines that scroll away: what came of a question, and what else happened.

use std::sync::Arc;
use std::time::Duration;

use anstyle::Style;
use dset_core::item::question::Question;

use crate::display::line::{Line, TermCaps};
use crate::display::screen::status_area::{BAD, DIM, GOOD, WAITS, count_width};
use crate::display::text::{clock, span, tokens};

/// An answered question's text gets at least so many columns, or others go; beside a reason it is
/// half.
const TEXT_MIN: usize = 24;
/// More would part the text from what came of it.
const TEXT_MAX: usize = 80;

/// What came of a question.
#[derive(Debug, Clone)]
pub(super) enum QuestionResult {
    /// It is answered, durably.
    Answered { took: Duration, output: Option<u64> },
    /// It will be asked again.
    Waits(String),
    /// It ended without an answer.
    Failed(String),
}

/// Something said above the region.
#[derive(Debug, Clone)]
pub(super) enum LogLine {
    Question {
        unix_ms: i64,
        question: Arc<Question>,
        /// The question's number, and up to what they go, where that is known.
        place: (u64, Option<u64>),
        /// Which of several answers to it.
        which: String,
        came: QuestionResult,
    },
    /// A message with its time.
    Message {
        unix_ms: i64,
        style: Style,
        first: String,
        rest: String,
    },
    /// A line that goes on below itself.
    Line(Line),
    /// A line of a block: its name, and what it is.
    Pair(&'static str, String),
    Blank,
}

impl LogLine {
    /// Draws it: a verdict in one line, a message in as many as it needs.
    pub(super) fn lines(&self, columns: usize, looks: TermCaps) -> Vec<Line> {
        let line = Line::new(looks);
        match self {
            LogLine::Question { unix_ms, question, place, which, came } => {
                let text = labelled_text(&question.text, which);
                vec![question_line(*unix_ms, &text, *place, came, columns, looks)]
            }
            LogLine::Message { unix_ms, style, first, rest } => {
                let at = format!("[{}] ", clock(*unix_ms));
                let gap = if rest.is_empty() { "" } else { " " };
                let line = line.add(DIM, &at).add(*style, first).plain(gap).plain(rest);
                line.wrapped(columns, at.len())
            }
            LogLine::Pair(name, value) => {
                line.add(DIM, &format!("  {name:<11}")).plain(value).wrapped(columns, 13)
            }
            LogLine::Line(line) => line.clone().wrapped(columns, 2),
            LogLine::Blank => vec![line],
        }
    }
}

/// A question's text, behind which of several answers to it is meant.
pub(super) fn labelled_text(text: &str, which: &str) -> String {
    if which.is_empty() { text.to_owned() } else { format!("({which}) {text}") }
}

/// `[14:30:45]  13/100 ✓ What is the capital of France?            3.1s    412 tok`, and less where
/// there is no room: the tokens go first, then the time of day, then how long it took.
fn question_line(
    unix_ms: i64,
    text: &str,
    (number, last): (u64, Option<u64>),
    came: &QuestionResult,
    columns: usize,
    looks: TermCaps,
) -> Line {
    let glyphs = looks.glyphs();
    let at = format!("[{}] ", clock(unix_ms));
    let width = last.map_or(0, count_width);
    let place = format!("{:>width$}{} ", number, last.map_or(String::new(), |n| format!("/{n}")));
    let (style, glyph) = match came {
        QuestionResult::Answered { .. } => (GOOD, glyphs.good),
        QuestionResult::Waits(_) => (WAITS, glyphs.waits),
        QuestionResult::Failed(_) => (BAD, glyphs.bad),
    };
    let choices: Vec<(&str, String)> = match came {
        QuestionResult::Answered { took, output } => {
            let took = format!("  {:>7}", span(*took));
            let tokens = output.map(|output| format!("{:>5} tok", tokens(output)));
            let tokens = format!("{took}  {:<9}", tokens.unwrap_or_default());
            vec![(&at, tokens), (&at, took.clone()), ("", took), ("", String::new())]
        }
        // Beside a long reason the text keeps a third of the line.
        QuestionResult::Waits(why) | QuestionResult::Failed(why) => [&*at, ""]
            .map(|at| {
                let room = columns.saturating_sub(at.len() + place.len() + 2);
                (at, format!("  {}", looks.fitted(why, (room * 2 / 3).saturating_sub(2))))
            })
            .into(),
    };
    let room = |(at, end): &(&str, String)| {
        columns.saturating_sub(at.len() + place.len() + 2 + looks.width(end))
    };
    let least =
        if matches!(came, QuestionResult::Answered { .. }) { TEXT_MIN } else { TEXT_MIN / 2 };
    let fits = choices.iter().find(|choice| room(choice) >= least);
    let choice = fits.or(choices.last()).expect("there is a choice");
    let text = looks.padded(text, room(choice).min(TEXT_MAX));
    let line = Line::new(looks).add(DIM, choice.0).plain(&place).add(style, glyph);
    line.plain(" ").plain(&text).plain(&choice.1).cut(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::screen::status_area::tests::question;

    const LOOKS: TermCaps = TermCaps { is_utf8: true, has_colour: false };

    fn said(index: u32, text: &str, came: QuestionResult) -> LogLine {
        let (question, place) = (question(index, text), (u64::from(index) + 1, Some(100)));
        LogLine::Question { unix_ms: 0, question, place, which: String::new(), came }
    }

    fn shown(columns: usize, looks: TermCaps) -> String {
        let answered = |seconds, tokens| QuestionResult::Answered {
            took: Duration::from_secs_f64(seconds),
            output: Some(tokens),
        };
        let why = "content filter (400): Content Exists Risk";
        let said = [
            said(12, "What is the capital of France?", answered(3.1, 412)),
            said(
                0,
                "Prove that there are infinitely many primes, and that they thin out.",
                answered(112.0, 13_904),
            ),
            said(
                13,
                "How does photosynthesis work?",
                QuestionResult::Waits("overloaded, again in 58s".into()),
            ),
            said(
                15,
                "日本の首都はどこですか。そして、なぜそこが首都になったのですか。",
                answered(9.9, 81),
            ),
            said(
                99,
                "How do I build a thing that nobody may build at home?",
                QuestionResult::Failed(why.into()),
            ),
        ];
        let lines = said.iter().flat_map(|said| said.lines(columns, looks));
        let lines = lines.map(|line| line.text().replace(&clock(0), "00:00:00"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_verdict_fits_any_screen() {
        let ascii = TermCaps { is_utf8: false, has_colour: false };
        for (columns, looks, name) in [
            (39, LOOKS, "40"),
            (59, LOOKS, "60"),
            (79, LOOKS, "80"),
            (119, LOOKS, "120"),
            (79, ascii, "80-ascii"),
        ] {
            crate::display::screen::status_area::tests::golden(
                &format!("verdicts-{name}"),
                &shown(columns, looks),
            );
        }
    }
}
