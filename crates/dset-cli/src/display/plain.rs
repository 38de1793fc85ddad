//! Lines for a pipe: the words of the original script, each line complete in itself.

use std::time::{Duration, Instant};

use dset_core::item::question::Question;
use dset_core::run::{Ending, Notice, Snapshot, Why};
use dset_core::settings::Settings;
use dset_core::time::Time;
use dset_engine::observer::{Trouble, Watcher};
use dset_engine::os::clock::Clock;

use super::ending::{Closing, Facts};
use super::talk::{Lines, PATIENCE, SAID_MAX, Stream, Talk, for_stderr};
use super::tally::Tally;
use super::text::{self, about, as_the_script, failure, moment, one_line, script_wait, span};
use super::{Demo, Display, Opening, TOLD_MAX, remarks};
use crate::error::UserError;
use crate::exit::Exit;

/// A sign of life at least this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Plain {
    settings: Settings,
    demo: Option<Demo>,
    key_from: Option<&'static str>,
    facts: Facts,
    total: u64,
    /// Single questions are told.
    tells: bool,
    tally: Tally,
    began: Instant,
    progress_at: Instant,
    talk: Talk<Lines>,
}

impl Plain {
    pub(super) fn open(opening: &Opening<'_>) -> Plain {
        let settings = opening.settings.clone();
        let plain = Plain {
            tells: !settings.quiet && (opening.found.pending <= TOLD_MAX || settings.verbose),
            settings,
            demo: opening.demo.copied(),
            key_from: opening.key_from,
            facts: opening.found.into(),
            total: opening.found.questions,
            tally: Tally::default(),
            began: Instant::now(),
            progress_at: Instant::now(),
            talk: Talk::open(Lines, Stream::Err, SAID_MAX),
        };
        let now = Clock::start().now();
        plain.say(now, &remarks::first(opening, "->"));
        remarks::rest(opening).iter().for_each(|line| plain.say(now, line));
        plain
    }

    fn say(&self, now: Time, line: &str) {
        if !self.settings.quiet {
            self.print(now, line);
        }
    }

    fn print(&self, now: Time, line: &str) {
        self.talk.say(timed(now, line));
    }

    /// Writes where the run stands.
    fn progress(&self, snapshot: &Snapshot) -> String {
        let ledger = &snapshot.ledger;
        let per_minute = self.tally.answered as f64 / self.began.elapsed().as_secs_f64() * 60.0;
        let eta = match ledger.pending as f64 / per_minute * 60.0 {
            seconds if self.tally.answered >= 5 && seconds.is_finite() => {
                format!(", {}", about(Duration::from_secs_f64(seconds)))
            }
            _ => String::new(),
        };
        format!(
            "Progress {}/{}, {} retrying, {} failed, {per_minute:.0}/min{eta}",
            ledger.answered,
            ledger.questions,
            snapshot.retrying,
            ledger.failed(),
        )
    }

    fn place(&self, question: &Question) -> String {
        format!("question {}/{}", text::number(&self.settings, question), self.total)
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

fn timed(now: Time, line: &str) -> String {
    format!("[{}] {}", moment(now.unix_ms, false), one_line(line))
}

impl Watcher for Plain {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.tally.add(notice);
        match notice {
            Notice::Asking { question, attempt: 1 } if self.tells => {
                let (place, text) = (self.place(question), as_the_script(&question.text));
                self.say(now, &format!("Processing {place}: {text} ({})", self.of(question)));
            }
            Notice::Asking { question, attempt } if self.settings.verbose => {
                let (place, of) = (self.place(question), self.of(question));
                self.say(now, &format!("Processing {place} again ({of}, attempt {attempt})"));
            }
            Notice::Asking { .. } => {}
            Notice::Answered { question, took, usage, .. } => {
                if self.tells {
                    let tokens = match usage.output {
                        Some(tokens) => format!(", {}", text::of(tokens, "token")),
                        None => String::new(),
                    };
                    let (place, of, took) = (self.place(question), self.of(question), span(*took));
                    let line = format!("Successfully processed {place} ({of}, {took}{tokens})");
                    self.say(now, &line);
                }
            }
            Notice::Retrying { question, failure: why, wait } => {
                if self.tells {
                    let (place, of, wait) = (self.place(question), self.of(question), span(*wait));
                    let why = failure(why);
                    self.say(now, &format!("Error: {why} ({place}, {of}, again in {wait})"));
                }
            }
            Notice::Ended { question, failure: why, .. } => {
                let (place, of, why) = (self.place(question), self.of(question), failure(why));
                self.say(now, &format!("Error: {why} ({place}, {of}, marked ERROR)"));
            }
            Notice::OutageBegan { failure: why, wait } => {
                self.say(now, &format!("Error: {}", failure(why)));
                if let Some(wait) = wait {
                    self.say(now, &format!("Retrying in {}...", script_wait(*wait)));
                }
            }
            Notice::OutageRetry { retry, of } => {
                self.say(now, &format!("Retry attempt {retry}/{of}..."));
            }
            Notice::OutageGoesOn { failure: why, wait } => {
                self.say(now, &format!("Error: {}", failure(why)));
                self.say(now, &format!("Retrying in {}...", script_wait(*wait)));
            }
            Notice::OutageAnother { question } => {
                let place = self.place(question);
                self.say(now, &format!("Asking {place} before giving up..."));
            }
            Notice::OutageFinal { .. } => self.say(now, "Final retry failed!"),
            Notice::OutageOver { lasted } => {
                self.say(now, &format!("The service answers again (after {})", span(*lasted)));
            }
            Notice::PlaceDown { model, endpoint, failure: why } => {
                let place = text::place(&self.settings, *model, *endpoint);
                self.say(now, &format!("{place} does not answer: {}", failure(why)));
            }
            Notice::PlaceUp { model, endpoint } => {
                let place = text::place(&self.settings, *model, *endpoint);
                self.say(now, &format!("{place} answers again"));
            }
            Notice::Bookmarking { row_number } => {
                let input = self.settings.input.display();
                self.say(now, &format!("Updating {input} bookmark at row {row_number}"));
            }
            Notice::Draining { signal, in_flight, longest } => {
                let asks = text::of(*in_flight as u64, "question");
                let longest = span(*longest);
                let now_by = text::stops_now(*signal);
                self.say(now, &format!("Stopping: waiting for {asks} already asked, the longest since {longest} ({now_by} stops now)"));
            }
        }
    }

    fn snapshot(&mut self, now: Time, snapshot: &Snapshot) {
        if self.progress_at.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.progress_at = Instant::now();
        self.say(now, &self.progress(snapshot));
    }

    fn status(&mut self, now: Time, snapshot: &Snapshot) {
        self.print(now, &self.progress(snapshot));
    }

    fn trouble(&mut self, now: Time, trouble: &Trouble) {
        if self.tally.trouble(trouble) {
            self.print(now, &told(trouble));
        }
    }
}

/// Writes trouble on this machine in a line.
pub(super) fn told(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Marks { path, detail } => format!(
            "Warning: {} cannot be marked ({}); the next run tries again",
            path.display(),
            text::one_line(detail)
        ),
        // What becomes of answers that come now is said at the end.
        Trouble::Store { path, detail, .. } => {
            format!("Error: {} cannot be written: {}", path.display(), text::one_line(detail))
        }
        Trouble::Output { detail } => {
            format!("Error: an output cannot be written: {}", text::one_line(detail))
        }
    }
}

impl Display for Plain {
    fn end(&mut self, ending: &Ending) {
        let now = Clock::start().now();
        let closing = Closing {
            settings: &self.settings,
            ending,
            tally: &self.tally,
            took: self.began.elapsed(),
            demo: self.demo,
            key_from: self.key_from,
            facts: self.facts,
            tick: "",
        };
        let ledger = &ending.ledger;
        let whole = ledger.answered == ledger.questions && matches!(ending.why, Why::Complete);
        let (mut last, is_quiet) = (Vec::new(), self.settings.quiet);
        if whole {
            let counted = text::counted(&self.settings);
            let all = match ledger.questions {
                1 => format!("1 {counted} processed successfully!"),
                number => format!("All {number} {counted}s processed successfully!"),
            };
            last.push(timed(now, &all));
        }
        if matches!(ending.why, Why::Unreachable(_) | Why::Paused) && !is_quiet {
            last.push(timed(now, "Execution paused. Resume with same command later."));
        }
        if !whole {
            last.push(timed(now, &closing.standing()));
        }
        let folder = std::path::absolute(&self.settings.output);
        let folder = folder.unwrap_or_else(|_| self.settings.output.clone());
        if !is_quiet {
            last.push(timed(now, &format!("Output files located in: {}", folder.display())));
        }
        if let Some((message, cause, hints)) = closing.error() {
            last.extend(UserError { message, cause, hints, exit: Exit::of(ending, true) }.lines());
        } else if !is_quiet {
            last.extend(closing.hints().iter().map(|hint| timed(now, &format!("Hint: {hint}"))));
        }
        self.talk.end(for_stderr(&(last.join("\n") + "\n")), Some(PATIENCE));
    }
}
