//! The lines of the original script, and nothing else: for whatever reads them.
//!
//! They go to standard error, like all talk. What the script knew no words for is an `Error: ` line.

use dset_core::item::question::Question;
use dset_core::money::Expenses;
use dset_core::run::{EndReason, Ending, Notice, Snapshot};
use dset_core::time::Time;
use dset_engine::observer::{LocalFailure, Observer};

use super::plain::failure_words;
use super::text::{as_the_script, clock, failure, number, numbered, one_line, script_wait};
use super::{Display, RunContext};
use crate::display::background_writer::{
    BackgroundWriter, DRAIN_TIMEOUT, Lines, QUEUE_MAX, Stream,
};
use crate::display::live_stats::LiveStats;
use crate::display::summary::{Facts, Summary};

pub(super) struct LegacyDisplay {
    settings: dset_core::settings::JobSpec,
    is_quiet: bool,
    key_from: Option<&'static str>,
    facts: Facts,
    last_number: Option<u64>,
    stats: LiveStats,
    writer: BackgroundWriter<Lines>,
}

impl LegacyDisplay {
    pub(super) fn open(opening: &RunContext<'_>) -> LegacyDisplay {
        let settings = opening.settings.clone();
        let (key_from, last_number) = (opening.key_from, opening.last_number());
        let talk = BackgroundWriter::open(Lines, Stream::Err, QUEUE_MAX);
        let facts = opening.into();
        LegacyDisplay {
            settings,
            is_quiet: opening.terminal.quiet,
            key_from,
            facts,
            last_number,
            stats: LiveStats::default(),
            writer: talk,
        }
    }

    fn question(&self, question: &Question) -> String {
        format!("question {}", numbered((number(&self.settings, question), self.last_number)))
    }

    fn bookmark(&self, row_number: u64) {
        let input = self.settings.input.display();
        self.print(&format!("Updating {input} bookmark at row {row_number}"));
    }

    fn print(&self, line: &str) {
        self.writer.send(one_line(line));
    }

    fn at(&self, now: Time, line: &str) {
        self.print(&format!("[{}] {line}", clock(now.unix_ms)));
    }
}

impl Observer for LegacyDisplay {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.stats.add(notice);
        let quiet = self.is_quiet;
        match notice {
            Notice::Asking { question, attempt: 1 } if !quiet => {
                let (place, text) = (self.question(question), as_the_script(&question.text));
                self.at(now, &format!("Processing {place}: {text}"));
            }
            Notice::Answered { question, .. } if !quiet => {
                self.print(&format!("Successfully processed {}", self.question(question)));
            }
            Notice::Retrying { failure: why, wait, .. } if !quiet => {
                self.print(&format!("Error: {}", failure(why)));
                self.print(&format!("Retrying in {}...", script_wait(*wait)));
            }
            Notice::OutageBegan { failure: why, wait } => {
                self.print(&format!("Error: {}", failure(why)));
                if let Some(wait) = wait {
                    self.print(&format!("Retrying in {}...", script_wait(*wait)));
                }
            }
            Notice::OutageContinues { failure: why, wait } => {
                self.print(&format!("Error: {}", failure(why)));
                self.print(&format!("Retrying in {}...", script_wait(*wait)));
            }
            Notice::OutageRetry { retry, of } => {
                self.at(now, &format!("Retry attempt {retry}/{of}..."))
            }
            Notice::OutageExhausted { failure: why } => {
                self.print(&format!("Error: {}", failure(why)));
                self.at(now, "Final retry failed!");
            }
            Notice::Ended { question, failure: why, stands, .. } => {
                self.print(&format!("Error: {}", failure(why)));
                if !stands {
                    self.bookmark(question.row_number);
                }
            }
            Notice::MarkingRow { row_number } => self.bookmark(*row_number),
            _ => {}
        }
    }

    fn snapshot(&mut self, _now: Time, _snapshot: &Snapshot) {}

    fn local_failure(&mut self, _now: Time, trouble: &LocalFailure) {
        if self.stats.trouble(trouble) {
            self.print(&failure_words(trouble));
        }
    }
}

impl Display for LegacyDisplay {
    fn end(&mut self, ending: &Ending, _spent: Option<&Expenses>) {
        let ledger = &ending.ledger;
        if matches!(ending.reason, EndReason::Complete)
            && ledger.answered + ledger.presumed == ledger.questions
        {
            let folder = std::path::absolute(&self.settings.output);
            let folder = folder.unwrap_or_else(|_| self.settings.output.clone());
            let folder = one_line(&folder.display().to_string());
            let all = match ledger.presumed {
                0 => format!("All {} questions processed successfully!", ledger.questions),
                presumed => format!(
                    "{} of {} questions processed, {presumed} taken as answered",
                    ledger.answered, ledger.questions
                ),
            };
            let last = format!("{all}\nOutput files located in: {folder}\n");
            self.writer.end(last, Some(DRAIN_TIMEOUT));
            return;
        }
        let closing = Summary {
            settings: &self.settings,
            key_from: self.key_from,
            facts: self.facts,
            ending,
            spent: None,
            stats: &self.stats,
            took: std::time::Duration::ZERO,
            demo: None,
            tick: "",
        };
        // The service's failure was told as it came; what ended a run otherwise was not.
        let is_told = matches!(ending.reason, EndReason::Unreachable(_) | EndReason::Paused);
        let mut last = String::new();
        if let Some((message, cause, _)) = closing.error().filter(|_| !is_told) {
            let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            last = one_line(&format!("Error: {message}{cause}")) + "\n";
        }
        last += "Execution paused. Resume with same command later.\n";
        self.writer.end(last, Some(DRAIN_TIMEOUT));
    }
}
