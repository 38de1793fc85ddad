//! Lines for a pipe: the words of the original script, each line complete in itself.

use std::time::{Duration, Instant};

use dset_core::item::question::Question;
use dset_core::money::Expenses;
use dset_core::run::{EndReason, Ending, Notice, RateBound, Snapshot};
use dset_core::settings::JobSpec;
use dset_core::time::Time;
use dset_engine::observer::{LocalFailure, Observer};
use dset_engine::os::clock::Clock;

use super::text::{self, about, as_the_script, failure, moment, one_line, script_wait, span};
use super::{Demo, Display, RunContext, TOLD_MAX};
use crate::display::background_writer::{
    BackgroundWriter, DRAIN_TIMEOUT, Lines, QUEUE_MAX, Stream, for_stderr,
};
use crate::display::live_stats::LiveStats;
use crate::display::money;
use crate::display::off_peak;
use crate::display::preamble;
use crate::display::summary::{Facts, KEPT, Summary};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::TerminalOptions;

/// A sign of life at least this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Plain {
    settings: JobSpec,
    terminal: TerminalOptions,
    demo: Option<Demo>,
    key_from: Option<&'static str>,
    facts: Facts,
    last_number: Option<u64>,
    /// Single questions are told.
    shows_answers: bool,
    stats: LiveStats,
    began: Instant,
    progress_at: Instant,
    writer: BackgroundWriter<Lines>,
}

impl Plain {
    pub(super) fn open(opening: &RunContext<'_>) -> Plain {
        let terminal = opening.terminal;
        let plain = Plain {
            shows_answers: !terminal.quiet
                && (opening.found.pending <= TOLD_MAX || terminal.verbose),
            settings: opening.settings.clone(),
            terminal,
            demo: opening.demo.copied(),
            key_from: opening.key_from,
            facts: opening.into(),
            last_number: opening.last_number(),
            stats: LiveStats::default(),
            began: Instant::now(),
            progress_at: Instant::now(),
            writer: BackgroundWriter::open(Lines, Stream::Err, QUEUE_MAX),
        };
        let now = Clock::start().now();
        plain.print_at(now, &preamble::first(opening, "->"));
        preamble::rest(opening).iter().for_each(|line| plain.print_at(now, line));
        plain
    }

    fn print_at(&self, now: Time, line: &str) {
        if !self.terminal.quiet {
            self.print(now, line);
        }
    }

    fn print(&self, now: Time, line: &str) {
        self.writer.send(timed(now, line));
    }

    /// Writes where the run stands.
    fn progress(&self, now: Time, snapshot: &Snapshot) -> String {
        let ledger = &snapshot.ledger;
        let per_minute = self.stats.answered as f64 / self.began.elapsed().as_secs_f64() * 60.0;
        let eta = match ledger.pending as f64 / per_minute * 60.0 {
            seconds if self.stats.answered >= 5 && seconds.is_finite() => {
                format!(", {}", about(Duration::from_secs_f64(seconds)))
            }
            _ => String::new(),
        };
        let budget = snapshot.budget.as_ref().map(money::budget_short);
        let budget = budget.map(|words| format!(", {words}")).unwrap_or_default();
        let is_bound = snapshot.rate_bound == Some(RateBound::User) && snapshot.in_flight == 0;
        let next = snapshot.send_at.filter(|_| is_bound);
        format!(
            "Progress {}/{}, {} retrying, {} failed, {per_minute:.0}/min{eta}{budget}{}",
            ledger.answered,
            ledger.questions,
            snapshot.retrying,
            ledger.failed(),
            next_question(now, next),
        )
    }

    fn place(&self, question: &Question) -> String {
        format!(
            "question {}",
            text::numbered((text::number(&self.settings, question), self.last_number))
        )
    }

    /// What tells an answer from every other: the row in the file, the model, the sample.
    fn of(&self, question: &Question) -> String {
        let model = one_line(text::model(&self.settings, question));
        let mut words = format!("row {}, {model}", question.row_number);
        if self.settings.samples > 1 {
            words += &format!(", sample {}", question.sample);
        }
        words
    }
}

/// When something is asked again, where the user's own limit leaves nothing to do before.
fn next_question(now: Time, at: Option<Time>) -> String {
    let words = |at: Time| {
        format!(", next question in {}, to keep to a limit per minute", span(at.since(now)))
    };
    at.filter(|at| !at.has_come(now)).map(words).unwrap_or_default()
}

fn timed(now: Time, line: &str) -> String {
    format!("[{}] {}", moment(now.unix_ms, false), one_line(line))
}

impl Observer for Plain {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.stats.add(notice);
        match notice {
            Notice::Asking { question, attempt: 1 } if self.shows_answers => {
                let (place, text) = (self.place(question), as_the_script(&question.text));
                self.print_at(now, &format!("Processing {place}: {text} ({})", self.of(question)));
            }
            Notice::Asking { question, attempt } if self.terminal.verbose => {
                let (place, of) = (self.place(question), self.of(question));
                self.print_at(now, &format!("Processing {place} again ({of}, attempt {attempt})"));
            }
            Notice::Asking { .. } => {}
            Notice::Answered { question, took, usage, .. } => {
                if self.shows_answers {
                    let tokens = match usage.output {
                        Some(tokens) => format!(", {}", text::of(tokens, "token")),
                        None => String::new(),
                    };
                    let (place, of, took) = (self.place(question), self.of(question), span(*took));
                    let line = format!("Successfully processed {place} ({of}, {took}{tokens})");
                    self.print_at(now, &line);
                }
            }
            Notice::Retrying { question, failure: why, wait } => {
                if self.shows_answers {
                    let (place, of, wait) = (self.place(question), self.of(question), span(*wait));
                    let why = failure(why);
                    self.print_at(now, &format!("Error: {why} ({place}, {of}, again in {wait})"));
                }
            }
            Notice::Ended { question, failure: why, stands, .. } => {
                let (place, of, why) = (self.place(question), self.of(question), failure(why));
                let failed = if *stands { KEPT } else { self.facts.failed_words() };
                self.print_at(now, &format!("Error: {why} ({place}, {of}, {failed})"));
            }
            Notice::OutageBegan { failure: why, wait } => {
                self.print_at(now, &format!("Error: {}", failure(why)));
                if let Some(wait) = wait {
                    self.print_at(now, &format!("Retrying in {}...", script_wait(*wait)));
                }
            }
            Notice::OutageRetry { retry, of } => {
                self.print_at(now, &format!("Retry attempt {retry}/{of}..."));
            }
            Notice::OutageContinues { failure: why, wait } => {
                self.print_at(now, &format!("Error: {}", failure(why)));
                self.print_at(now, &format!("Retrying in {}...", script_wait(*wait)));
            }
            Notice::OutageCrossCheck { question } => {
                let place = self.place(question);
                self.print_at(now, &format!("Asking {place} before giving up..."));
            }
            Notice::OutageExhausted { .. } => self.print_at(now, "Final retry failed!"),
            Notice::OutageEnded { lasted } => {
                self.print_at(now, &format!("The service answers again (after {})", span(*lasted)));
            }
            Notice::EndpointDown { model, endpoint, failure: why } => {
                let place = text::place(&self.settings, *model, *endpoint);
                self.print_at(now, &format!("{place} does not answer: {}", failure(why)));
            }
            Notice::EndpointUp { model, endpoint } => {
                let place = text::place(&self.settings, *model, *endpoint);
                self.print_at(now, &format!("{place} answers again"));
            }
            Notice::MarkingRow { row_number } => {
                let input = self.settings.input.display();
                self.print_at(now, &format!("Updating {input} bookmark at row {row_number}"));
            }
            Notice::PeakBegins { until, saves, in_flight } => {
                self.print_at(now, &off_peak::closed(*until, *saves, *in_flight));
            }
            Notice::OffPeakBegins { for_deadline } => {
                self.print_at(now, off_peak::opened(*for_deadline));
            }
            Notice::BillAboveReservation { billed, reserved } => {
                self.print_at(now, &format!("Warning: {}", money::above(*billed, *reserved)));
            }
            // The end says it.
            Notice::CostLimitReached { .. } => {}
            Notice::Draining { signal, in_flight, longest } => {
                let asks = text::of(*in_flight as u64, "question");
                let longest = span(*longest);
                let now_by = text::stops_now(*signal);
                self.print_at(now, &format!("Stopping: waiting for {asks} already asked, the longest since {longest} ({now_by} stops now)"));
            }
        }
    }

    fn snapshot(&mut self, now: Time, snapshot: &Snapshot) {
        if self.progress_at.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.progress_at = Instant::now();
        self.print_at(now, &self.progress(now, snapshot));
    }

    fn status(&mut self, now: Time, snapshot: &Snapshot) {
        self.print(now, &self.progress(now, snapshot));
    }

    fn local_failure(&mut self, now: Time, trouble: &LocalFailure) {
        if self.stats.trouble(trouble) {
            self.print(now, &failure_words(trouble));
        }
    }
}

/// Writes trouble on this machine in a line.
pub(crate) fn failure_words(trouble: &LocalFailure) -> String {
    match trouble {
        LocalFailure::Marks { path, detail } => format!(
            "Warning: {} cannot be marked ({}); the next run tries again",
            path.display(),
            text::one_line(detail)
        ),
        // What becomes of answers that come now is said at the end.
        LocalFailure::Store { path, detail, .. } => {
            format!("Error: {} cannot be written: {}", path.display(), text::one_line(detail))
        }
        LocalFailure::Server { detail: Some(detail) } => format!(
            "Warning: the server of the job cannot be used ({}); waiting for it, nothing is lost",
            text::one_line(detail)
        ),
        LocalFailure::Server { detail: None } => "The server of the job answers again".to_owned(),
        LocalFailure::Output { detail, .. } => {
            format!("Error: an output cannot be written: {}", text::one_line(detail))
        }
    }
}

impl Display for Plain {
    fn end(&mut self, ending: &Ending, spent: Option<&Expenses>) {
        let now = Clock::start().now();
        let closing = Summary {
            settings: &self.settings,
            ending,
            spent,
            stats: &self.stats,
            took: self.began.elapsed(),
            demo: self.demo,
            key_from: self.key_from,
            facts: self.facts,
            tick: "",
        };
        let ledger = &ending.ledger;
        let whole =
            ledger.answered == ledger.questions && matches!(ending.reason, EndReason::Complete);
        let (mut last, is_quiet) = (Vec::new(), self.terminal.quiet);
        if whole {
            let counted = text::counted(&self.settings);
            let all = match ledger.questions {
                1 => format!("1 {counted} processed successfully!"),
                number => format!("All {number} {counted}s processed successfully!"),
            };
            last.push(timed(now, &all));
        }
        if matches!(ending.reason, EndReason::Unreachable(_) | EndReason::Paused) && !is_quiet {
            last.push(timed(now, "Execution paused. Resume with same command later."));
        }
        if !whole {
            last.push(timed(now, &closing.ledger_line()));
        }
        let unknown = closing.of_unknown_ends().filter(|_| !is_quiet);
        last.extend(unknown.map(|words| timed(now, &words)));
        // Where no cost is known at all, `dset status` says why.
        let spent = spent.filter(|spent| spent.spent.known() > 0).and_then(money::spent);
        if let Some(spent) = spent.filter(|_| !is_quiet) {
            last.push(timed(now, &format!("Spent in this folder: {spent}")));
        }
        let folder = std::path::absolute(&self.settings.output);
        let folder = folder.unwrap_or_else(|_| self.settings.output.clone());
        if !is_quiet {
            last.push(timed(now, &format!("Output files located in: {}", folder.display())));
        }
        if let Some((message, cause, mut hints)) = closing.error() {
            hints.extend(closing.of_outdated());
            last.extend(UserError { message, cause, hints, exit: Exit::of(ending, true) }.lines());
        } else if !is_quiet {
            last.extend(closing.hints().iter().map(|hint| timed(now, &format!("Hint: {hint}"))));
        }
        self.writer.end(for_stderr(&(last.join("\n") + "\n")), Some(DRAIN_TIMEOUT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waits_for_the_users_own_limit_says_for_how_long() {
        let at = |seconds: u64| Time { monotonic_ms: seconds * 1_000, unix_ms: 0 };
        assert_eq!(
            next_question(at(5), Some(at(50))),
            ", next question in 45s, to keep to a limit per minute"
        );
        assert_eq!(next_question(at(5), Some(at(5))) + &next_question(at(5), None), "");
    }
}
