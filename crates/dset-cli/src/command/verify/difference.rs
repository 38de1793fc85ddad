//! What does not agree, in words, and the command that mends it.

use std::path::Path;

use dset_core::recover::output_diff::OutputDifference;
use dset_engine::store::{IntegrityError, STORE};
use dset_engine::view::status::Rows;
use dset_engine::view::verify::Difference;

use super::Words;
use crate::display::text::{by, count, of, quoted, row_numbers, shortened};

const MOVE_UNFINISHED: &str = "the earlier outputs are still to be moved away, as `--again` began; the \
next run does it";

impl Words<'_> {
    /// A name for programs, what it is, and the command that mends it.
    pub(super) fn difference(&self, difference: &Difference) -> (&'static str, String, String) {
        let (kind, text, mends_by_rebuild) = match difference {
            Difference::StoreDamaged(found) => {
                return ("store-damaged", self.store_damaged(found), self.set_aside());
            }
            Difference::Dangling(what, number) => return self.dangling(*what, *number),
            Difference::TextDamaged { row, number } => {
                let mend = match number {
                    Some(number) => self.redo.with(&format!(" {number}")),
                    None => self.rebuild(),
                };
                return ("text-damaged", text_damaged(*row, *number), mend);
            }
            Difference::OutputMissing { file, rows } => (
                "output-missing",
                format!("{file} is not there; it should have {}", of(*rows, "row")),
                true,
            ),
            Difference::OutputShort { file, bytes, written } => (
                "output-short",
                format!("{file} was cut: it has {} of {} bytes", count(*bytes), count(*written)),
                true,
            ),
            Difference::Output { file, misfit, question } => {
                let (kind, text) = self.output_difference(*misfit, question.as_deref());
                (kind, format!("{file}: {text}"), true)
            }
            Difference::RowsUnwritten { file, rows } => {
                ("rows-unwritten", rows_unwritten(file, *rows), false)
            }
            Difference::RowsOfScriptLacking { file, rows, question } => {
                ("rows-of-script-lacking", rows_of_script_lacking(file, *rows, question), true)
            }
            Difference::Unplaced(number) => ("unplaced", unplaced(*number), false),
            Difference::Ledger(ledger) => (
                "ledger",
                format!("the ledger does not balance: {ledger:?}; that is a fault of dset"),
                false,
            ),
            Difference::MarkedThoughAnswered(rows) => {
                let text =
                    format!("{} ERROR although answered: {}", describe(rows), self.rows(rows));
                ("marked-though-answered", text, false)
            }
            Difference::Unmarked(rows) => ("unmarked", self.unmarked(rows), false),
            Difference::MarksWaiting(rows) => ("marks-waiting", self.marks_waiting(rows), false),
            Difference::Rescue(path) => ("rescue", rescue(path), false),
            Difference::MoveUnfinished => ("move-unfinished", MOVE_UNFINISHED.to_owned(), false),
            Difference::RebuildUnfinished => {
                ("rebuild-unfinished", "a rebuild of the outputs was cut short".into(), true)
            }
        };
        (kind, text, if mends_by_rebuild { self.rebuild() } else { self.run.clone() })
    }

    fn store_damaged(&self, found: &[String]) -> String {
        let found: Vec<String> = found.iter().take(3).map(|line| shortened(line, 200)).collect();
        format!(
            "the store is damaged: {}; nothing else was checked. Set aside, a new one takes over the \
             rows of the outputs, and only answers that are in none of them are asked again \
             (`sqlite3 {} .recover` may save those first)",
            found.join("; "),
            quoted(&self.settings.output.join(STORE).display().to_string()),
        )
    }

    /// What the rows of the store say of each other.
    fn dangling(&self, what: IntegrityError, number: u64) -> (&'static str, String, String) {
        let (kind, noun, text, mends_by_rebuild) = match what {
            IntegrityError::KeyWithoutAnswer => {
                ("key-without-answer", "key", "whose answer is not there", false)
            }
            IntegrityError::AnswerWithoutKey => {
                ("answer-without-key", "answer", "that no question can find", false)
            }
            IntegrityError::AnswerOfTwoKeys => {
                ("answer-of-two-keys", "answer", "that two keys lead to", false)
            }
            IntegrityError::KeyOfTwoAnswers => {
                ("key-of-two-answers", "key", "that stands for two answers", false)
            }
            IntegrityError::WithoutSettings => {
                ("without-settings", "reference", "to settings that are not there", false)
            }
            IntegrityError::PlaceWithoutAnswer => {
                ("place-without-answer", "place", "in the outputs without an answer", true)
            }
            IntegrityError::PlacedTwice => {
                ("placed-twice", "answer", "with two places in the outputs", true)
            }
            IntegrityError::PlacesNotDense => {
                ("places-not-dense", "place", "missing in the order of the outputs", true)
            }
        };
        let mend = if mends_by_rebuild { self.rebuild() } else { self.set_aside() };
        (kind, format!("the store has {} {text}", of(number, noun)), mend)
    }

    fn unmarked(&self, rows: &Rows) -> String {
        format!(
            "{} no ERROR although the question failed: {}; until the next run",
            describe(rows),
            self.rows(rows)
        )
    }

    fn marks_waiting(&self, rows: &Rows) -> String {
        format!(
            "{} {} still to say ERROR: {}",
            of(rows.count, "row"),
            if rows.count == 1 { "has" } else { "have" },
            self.rows(rows)
        )
    }

    fn rebuild(&self) -> String {
        format!("{} --rebuild", self.which.command("export"))
    }

    fn output_difference(
        &self,
        misfit: OutputDifference,
        question: Option<&str>,
    ) -> (&'static str, String) {
        let of_row = |row: u64| {
            let number = format!("row {}", count(row + 1));
            match question {
                Some(question) => format!("{number} ({})", shortened(question, 40)),
                None => number,
            }
        };
        match misfit {
            OutputDifference::Header => {
                ("output-header", "it does not begin with its header".into())
            }
            OutputDifference::Foreign { at, bytes, row } => (
                "output-foreign",
                format!(
                    "{} at byte {}, after row {}, that dset did not write",
                    of(bytes, "byte"),
                    count(at),
                    count(row)
                ),
            ),
            OutputDifference::Changed { at, bytes, row, rows } => (
                "output-changed",
                format!(
                    "{} differs from the store, {}: {} at byte {}",
                    of_row(row),
                    if rows == 1 {
                        "alone".to_owned()
                    } else {
                        format!("with {} behind it", of(rows - 1, "row"))
                    },
                    of(bytes, "byte"),
                    count(at)
                ),
            ),
            OutputDifference::Missing { at, row, rows } => (
                "output-lacking",
                format!(
                    "{} missing at byte {}, beginning with {}",
                    of(rows, "row"),
                    count(at),
                    of_row(row)
                ),
            ),
            OutputDifference::Torn { at, row, .. } => (
                "output-torn",
                format!("it ends within {}, which begins at byte {}", of_row(row), count(at)),
            ),
            OutputDifference::NotCompared { at, row } => (
                "output-lost",
                format!(
                    "nothing from byte {} on, where {} should be, is what dset wrote",
                    count(at),
                    of_row(row)
                ),
            ),
        }
    }

    /// Sets a damaged store aside and lets the next run take over the outputs.
    fn set_aside(&self) -> String {
        let folder = |name: &str| quoted(&self.settings.output.join(name).display().to_string());
        let store = folder(STORE);
        let aside = folder("damaged");
        format!("mkdir -p {aside} && mv {store}* {aside} && {}", self.run)
    }

    /// `q.csv rows 3, 7 and 2 more`.
    fn rows(&self, rows: &Rows) -> String {
        format!("{} of {}", row_numbers(rows), self.settings.input.display())
    }
}

fn text_damaged(row: Option<u64>, number: Option<u64>) -> String {
    let row = row.map_or_else(String::new, |row| format!(" (row {row})"));
    match number {
        Some(number) => format!(
            "the store cannot read the text of the answer to question {number}{row}: a byte of it has changed; \
             outputs that have its row were not compared"
        ),
        None => format!(
            "the store cannot read the text of an answer{row} that counts no more and stands in the outputs; these \
             were not compared"
        ),
    }
}

fn rows_unwritten(file: &str, rows: u64) -> String {
    let lacks = match rows {
        0 => format!("{file} ends within a row"),
        rows => format!("{file} lacks its last {}", of(rows, "row")),
    };
    format!("{lacks}, as after a crash; the next run completes it")
}

fn rows_of_script_lacking(file: &str, rows: u64, question: &str) -> String {
    format!(
        "{file} lacks {} that {} taken over from the original script; the first: {}",
        of(rows, "row"),
        by(rows, "was", "were"),
        shortened(question, 50)
    )
}

fn unplaced(answers: u64) -> String {
    let are = match answers {
        1 => "1 answer is".to_owned(),
        number => format!("{} answers are", count(number)),
    };
    format!(
        "{are} in the store and in no output yet; the next run writes them in their place, \
         `dset export --rebuild` at once"
    )
}

fn rescue(path: &Path) -> String {
    format!(
        "answers that could only be rescued wait in {}; the next run takes them in",
        path.display()
    )
}

fn describe(rows: &Rows) -> String {
    if rows.count == 1 { "1 row says".to_owned() } else { format!("{} say", of(rows.count, "row")) }
}
