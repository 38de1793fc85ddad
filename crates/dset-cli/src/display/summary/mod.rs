//! The last lines of a run: what was answered, what is left, what that means, what continues it.

mod cost_limit;
mod error;

use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use dset_core::answer::Cause;
use dset_core::csv::HeaderMode;
use dset_core::money::Expenses;
use dset_core::run::{EndReason, Ending, StopSignal};
use dset_core::settings::JobSpec;
use dset_engine::output::live::LIVE_FORMATS;

use super::line::{Line, TermCaps};
use super::money;
use super::text::{self, by, count, of, span};
use super::{Demo, RunContext};
use crate::display::hints::advice;
use crate::display::live_stats::LiveStats;
use crate::error::{HINT, UserError, labelled};
use crate::exit::Exit;
use crate::run_selector::{RunSelectorArgs, RunSelectorFlags};
use crate::same_command::{is_worker, same_command_as};

/// So much of the slowest question is shown.
const TEXT_MAX: usize = 40;

/// What the last lines are made of.
pub(in crate::display) struct Summary<'a> {
    pub(in crate::display) settings: &'a JobSpec,
    pub(in crate::display) ending: &'a Ending,
    /// What the folder has spent in all its runs, where that is told.
    pub(in crate::display) spent: Option<&'a Expenses>,
    pub(in crate::display) stats: &'a LiveStats,
    pub(in crate::display) took: Duration,
    pub(in crate::display) demo: Option<Demo>,
    /// Where the first model's key was found.
    pub(in crate::display) key_from: Option<&'static str>,
    pub(in crate::display) facts: Facts,
    /// The input's line of the bookmark, in a word like `q.csv`.
    pub(in crate::display) tick: &'static str,
}

/// What was found before the first ask and is worth saying at the end.
#[derive(Debug, Clone, Copy)]
pub(in crate::display) struct Facts {
    duplicates: u64,
    /// The input is marked where a question fails.
    can_be_marked: bool,
    /// Rows of the outputs whose question is no longer in the input, or whose answer counts no more.
    gone: u64,
    /// Somebody has said that rows before a bookmark are to be taken as answered.
    pub(in crate::display) presumed_agreed: bool,
    /// How often a service that is out is tried again before a run ends.
    pub(in crate::display) retries: u32,
    /// Rows of the outputs that had another answer than the one that counts when the run began.
    outdated: u64,
    /// Answers that were there when the run began, and on which a program gave no verdict.
    without_verdict: u64,
    /// Rows are asked again on purpose.
    is_redo: bool,
}

/// What is said of a question that was asked again in vain.
pub(in crate::display) const KEPT: &str = "keeps the answer it had";

impl From<&RunContext<'_>> for Facts {
    fn from(opening: &RunContext<'_>) -> Facts {
        let found = opening.found;
        Facts {
            duplicates: found.duplicates,
            can_be_marked: found.shape.marks.is_some(),
            gone: found.removed,
            presumed_agreed: found.presumed_agreed,
            retries: opening.options.backoff.retries,
            outdated: found.outdated,
            without_verdict: found.without_verdict,
            is_redo: opening.is_redo,
        }
    }
}

impl Facts {
    /// What is said of a question that failed.
    pub(in crate::display) fn failed_words(&self) -> &'static str {
        if self.can_be_marked { "marked ERROR" } else { "failed" }
    }
}

const GOOD: Style = AnsiColor::Green.on_default().bold();

impl Summary<'_> {
    /// Where everything stands: `55 of 100 answered and saved, 45 left`.
    pub(in crate::display) fn ledger_line(&self) -> String {
        let ledger = &self.ending.ledger;
        let mut line =
            format!("{} of {} answered and saved", count(ledger.answered), count(ledger.questions));
        for (number, words) in [
            (ledger.presumed, "taken as answered"),
            (ledger.failed() - self.ending.standing, self.facts.failed_words()),
            (self.ending.standing, by(self.ending.standing, KEPT, "keep the answers they had")),
            (ledger.pending, "left"),
            (self.ending.dropped, "dropped on their way (a service may bill them)"),
            (self.ending.unplaced, "still to be written by the next run"),
        ] {
            if number > 0 {
                line += &format!(", {} {words}", count(number));
            }
        }
        line
    }

    /// All lines for a terminal of so many columns.
    pub(in crate::display) fn lines(&self, columns: usize, looks: TermCaps) -> Vec<String> {
        let ledger = &self.ending.ledger;
        let mut lines = Vec::new();
        if let Some((message, cause, _)) = self.error() {
            let error =
                UserError { message, cause, hints: Vec::new(), exit: Exit::of(self.ending, true) };
            lines.extend(error.lines());
            lines.push(String::new());
        }
        match &self.ending.reason {
            EndReason::Complete if ledger.pending == 0 || self.stats.answered > 0 => {
                let several = self.settings.wants_several();
                let done = format!(
                    "{} of {} {}",
                    count(ledger.answered),
                    of(ledger.questions, text::counted(self.settings)),
                    match several {
                        true => by(ledger.answered, "is there", "are there"),
                        false => "answered",
                    }
                );
                let took = match self.stats.answered {
                    0 => String::new(),
                    _ => format!(" in {}", span(self.took)),
                };
                lines.push(format!("{GOOD}{}{GOOD:#} {done}{took}", self.tick));
                if ledger.presumed > 0 {
                    let presumed = of(ledger.presumed, "question");
                    lines.push(format!("  {presumed} taken as answered, without a text"));
                }
                if self.stats.answered == 0 && ledger.failed() == 0 {
                    lines.push("  nothing was left to ask".into());
                }
            }
            EndReason::Stopped(signal) => {
                let stopped = match signal {
                    StopSignal::Interrupt => "Stopped.",
                    StopSignal::Terminate => "Stopped by SIGTERM.",
                };
                lines.extend(wrapped(looks, columns, &format!("{stopped} {}", self.ledger_line())));
            }
            _ => lines.extend(wrapped(looks, columns, &self.ledger_line())),
        }
        lines.push(String::new());
        for (name, value) in self.details(looks) {
            let line = Line::new(looks).plain(&format!("  {name:<9}  ")).plain(&value);
            lines.extend(line.wrapped(columns, 13).iter().map(Line::painted));
        }
        let hints = self.hints();
        if !hints.is_empty() {
            lines.push(String::new());
            lines.extend(hints.iter().map(|hint| labelled(HINT, "hint: ", hint)));
        }
        lines
    }

    /// What the run came to, by name; what has nothing to say is left out.
    fn details(&self, looks: TermCaps) -> Vec<(&'static str, String)> {
        let tally = self.stats;
        let mut details = Vec::new();
        if tally.output > 0 {
            let share = tally.reasoning_share();
            let (out, sent) = (text::tokens(tally.output), text::tokens(tally.input));
            details.push(("tokens", format!("{out} out{share}, {sent} in")));
        }
        if let Some(spent) = self.spent.and_then(money::spent) {
            details.push(("spent", spent));
        }
        if let Some(budget) = &self.ending.budget {
            details.push(("limit", money::budget(budget)));
        }
        if let (Some(median), Some((slowest, question))) = (tally.median(), &tally.slowest) {
            let (median, slowest) = (span(median), span(*slowest));
            let number = text::number(self.settings, question);
            let text = looks.fitted(&question.text, TEXT_MAX);
            details.push((
                "time",
                format!("median {median}, slowest {slowest} (question {number}: {text})"),
            ));
        }
        if !tally.repeated.is_empty() {
            details.push(("retried", LiveStats::causes(&tally.repeated)));
        }
        if !tally.failed.is_empty() {
            details.push(("failed", LiveStats::causes(&tally.failed)));
        }
        details.extend(self.of_unknown_ends().map(|words| ("look at", words)));
        if let Some(question) = &self.ending.marked_question {
            let input = self.settings.input.display();
            let (number, row) = (text::number(self.settings, question), question.row_number);
            details.push(("bookmark", format!("question {number}, row {row} of {input}")));
        }
        if self.facts.duplicates > 0 {
            details.push(("look at", of(self.facts.duplicates, "duplicate question")));
        }
        let written =
            LIVE_FORMATS.iter().filter(|f| self.settings.formats.iter().any(|n| n == f.name));
        let files = written.map(|format| format.file).collect::<Vec<_>>().join(", ");
        details.push(("written", format!("{}/: {files}", self.settings.output.display())));
        details
    }

    /// What to do next.
    pub(in crate::display) fn hints(&self) -> Vec<String> {
        if let Some(demo) = self.demo {
            return match demo.again {
                false => vec![
                    format!("Look at {}/output.txt", self.settings.output.display()),
                    "Run `dset demo` again: only the refused question is asked again".into(),
                ],
                true => {
                    vec!["Nothing was asked twice. Now yours: `dset init`, then `dset run`".into()]
                }
            };
        }
        let mut hints = self.error().map(|(_, _, hints)| hints).unwrap_or_default();
        let ledger = &self.ending.ledger;
        match self.ending.reason {
            EndReason::Complete if ledger.failed() > self.ending.standing => {
                hints.push(format!("See why with `{}`", show_failed(self.settings)));
                if is_worker() {
                    let work = same_run_without(&["again_failed"]);
                    hints.push(format!(
                        "Once all shards are done, `{work} --again-failed` asks what failed again"
                    ));
                    return hints;
                }
                hints.extend(self.of_failed());
            }
            EndReason::Complete if ledger.pending > 0 => {
                hints.push(format!(
                    "{} left: `{}` asks {}",
                    of(ledger.pending, text::counted(self.settings)),
                    self.again(),
                    by(ledger.pending, "it", "more of them")
                ));
            }
            EndReason::Stopped(_) => hints.push(format!("Run `{}` to continue", self.again())),
            _ => {}
        }
        if self.ending.standing > 0 {
            let kept = self.ending.standing;
            hints.push(format!(
                "{} no accepted answer in this run and {}: see why with `{}`",
                match kept {
                    1 => format!("1 {} got", text::counted(self.settings)),
                    _ => format!("{} got", of(kept, text::counted(self.settings))),
                },
                by(kept, KEPT, "keep the answers they had"),
                which(self.settings).command_with("show N", "--questions")
            ));
        }
        hints.extend(self.of_outdated());
        if matches!(self.ending.reason, EndReason::Complete) && ledger.presumed > 0 {
            hints.extend(self.of_presumed());
        }
        if self.facts.gone > 0 {
            hints.push(self.of_gone());
        }
        hints
    }

    /// What helps where questions ended without an answer.
    fn of_failed(&self) -> Vec<String> {
        let (settings, facts) = (self.settings, &self.facts);
        // What was cut or used up its tries before this run is not asked again, and not among its failures.
        let before = self.ending.ledger.failed().saturating_sub(self.stats.failed.values().sum());
        let are_checked = settings.schema.is_some() || !settings.checks.declared.is_empty();
        let kept = if are_checked { Cause::FailedCheck } else { Cause::LengthLimit };
        let kept =
            [(before > facts.without_verdict, kept), (facts.without_verdict > 0, Cause::NoVerdict)];
        let kept = kept.into_iter().filter(|(is_there, _)| before > 0 && *is_there);
        let again = |without: &[&str], words: &str| {
            let decided: &[&str] = if words.is_empty() { &[] } else { &["keep"] };
            format!("`{}{words}`", same_run_without(&[without, decided].concat()))
        };
        // Which rows this one was about is not said beside it.
        let rows = [DECISIONS, &["failed", "numbers", "where"]].concat();
        let redo = format!("`{} --failed`", same_command_as("redo", &rows));
        let causes = self.stats.failed.keys().copied().chain(kept.map(|(_, cause)| cause.code()));
        advice(causes, again, &redo, settings.reading.shard.is_some())
    }

    /// The command that goes on with this run.
    fn again(&self) -> String {
        self.again_without(&[])
    }

    fn again_without(&self, without: &[&str]) -> String {
        // The same rows: those that are done are known.
        match self.facts.is_redo {
            true => same_command_as("redo", &[without, DECISIONS].concat()),
            false => same_run_without(without),
        }
    }

    /// Says with which words answers ended that nobody knows.
    pub(in crate::display) fn of_unknown_ends(&self) -> Option<String> {
        let counts = &self.ending.unknown_ends;
        let word = |(word, number): (&String, &u64)| {
            let word = text::shortened(&text::one_line(word), TEXT_MAX);
            format!("{} with `{word}`", count(*number))
        };
        let words = counts.iter().map(word).collect::<Vec<_>>().join(", ");
        let all = of(counts.values().sum(), "answer");
        let says = || format!("{all} ended in a way unknown to dset ({words}), taken for whole");
        (!counts.is_empty()).then(says)
    }

    /// What can be done about rows of the outputs that have an earlier answer.
    pub(in crate::display) fn of_outdated(&self) -> Option<String> {
        let outdated = self.facts.outdated + self.ending.outdated;
        (outdated > 0).then(|| {
            format!(
                "{} of the outputs still {} the answer before: `{}` puts the one that counts in its place",
                of(outdated, "row"),
                by(outdated, "has", "have"),
                which(self.settings).command_with("export --rebuild", "")
            )
        })
    }

    /// What can be done about rows whose question was mended or removed, or whose answer counts no more.
    fn of_gone(&self) -> String {
        let (has, its, are) = match self.facts.gone {
            1 => ("is", "its question is", "it"),
            _ => ("are", "their questions are", "them"),
        };
        format!(
            "{} of the outputs {has} not wanted any more ({its} no longer in {}, or other answers \
             count): `{}` leaves {are} out",
            of(self.facts.gone, "row"),
            self.settings.input.display(),
            which(self.settings).command_with("export --rebuild", "")
        )
    }

    /// What can be done about questions that are only taken as answered.
    fn of_presumed(&self) -> Vec<String> {
        let run = same_command_as("run", &["from_start", "from_bookmark"]);
        let presumed = of(self.ending.ledger.presumed, "question");
        let mut hints = vec![format!(
            "{presumed} before the first ERROR taken as answered, without a text: \
             `{run} --from-start` asks {}",
            by(self.ending.ledger.presumed, "it", "them")
        )];
        if !self.facts.presumed_agreed {
            hints.push(format!("Or say that they are answered: `{run} --from-bookmark`"));
        }
        hints
    }
}

/// What was decided once, and is not said again.
const DECISIONS: &[&str] = &["again", "keep", "again_failed", "from_start", "from_bookmark"];

/// The command that goes on with a run. `--again` is not said again: that would ask everything
/// once more, where this run has asked it.
fn same_run_without(without: &[&str]) -> String {
    same_command_as("run", &[without, &["again"]].concat())
}

fn wrapped(looks: TermCaps, columns: usize, text: &str) -> Vec<String> {
    Line::new(looks).plain(text).wrapped(columns, 2).iter().map(Line::painted).collect()
}

/// The command that shows the failed questions of this run, and why they failed.
fn show_failed(settings: &JobSpec) -> String {
    which(settings).command_with("show --failed", "--questions")
}

/// This run, as other commands name it.
fn which(settings: &JobSpec) -> RunSelectorArgs {
    let said = |path: &Path, or: &str| (path != Path::new(or)).then(|| path.to_owned());
    RunSelectorArgs {
        input: said(&settings.input, "q.csv"),
        flags: RunSelectorFlags {
            output: said(&settings.output, "dset_generator"),
            column: settings.column.clone(),
            header: Some(settings.header).filter(|header| *header != HeaderMode::default()),
        },
    }
}
