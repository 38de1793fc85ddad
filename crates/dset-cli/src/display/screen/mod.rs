//! A run on a terminal: what is finished scrolls away above a few lines that stay in place.
//!
//! `region` and `verdict` draw, from what is known to lines; `terminal` writes; `tty` and `keys`
//! read. What is told here is only handed on, so that the run never waits for its looks.

#[cfg(unix)]
mod keys;
mod log_line;
mod rate;
mod state;
mod status_area;
mod terminal;
mod tty;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anstyle::Style;

use dset_core::item::question::{Key, Question};
use dset_core::money::Expenses;
use dset_core::run::{Ending, InFlightAsk, Notice, Snapshot};
use dset_core::settings::JobSpec;
use dset_core::time::Time;
use dset_engine::observer::{LocalFailure, Observer};
use dset_engine::run::drive::RunControl;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use self::rate::Rate;
use self::terminal::{Extras, Terminal};
use super::line::{Line, TermCaps};
use super::money;
use super::off_peak;
use super::plain::failure_words;
use super::text::{self, count, failure, of, place, span, tokens};
use super::{Demo, Display, RunContext, TOLD_MAX};
use crate::display::background_writer::for_stderr;
use crate::display::live_stats::LiveStats;
use crate::display::preamble;
use crate::display::screen::log_line::{LogLine, QuestionResult};
use crate::display::screen::state::ScreenState;
use crate::display::screen::status_area::{BAD, DIM, GOOD, WAITS};
use crate::display::summary::{Facts, Summary};

/// Shows a run on a terminal.
pub(super) struct Screen {
    looks: TermCaps,
    settings: JobSpec,
    demo: Option<Demo>,
    key_from: Option<&'static str>,
    total: u64,
    last_number: Option<u64>,
    facts: Facts,
    /// Ask so many at most.
    limit: Option<u64>,
    /// Single answers are told.
    shows_answers: bool,
    stats: LiveStats,
    rate: Rate,
    /// Answers that are told once they are durable, in the order they came.
    unsynced: VecDeque<(Key, LogLine)>,
    /// When the run was last looked at.
    looked_at: Option<Time>,
    why: Option<String>,
    places_down: usize,
    began: Instant,
    /// First to go: whoever hears keys and signals must not outlive the terminal.
    #[cfg(unix)]
    keys: Option<keys::Keys>,
    signals: Option<JoinHandle<()>>,
    terminal: Terminal,
}

impl Screen {
    /// Begins; inside a runtime, because signals are heard on it.
    pub(super) fn open(opening: &RunContext<'_>, wish: Sender<RunControl>) -> Screen {
        #[cfg(not(unix))]
        drop(wish);
        let looks = TermCaps::of_stderr();
        let terminal = Terminal::open(looks, Extras::of_environment());
        head(opening, looks).into_iter().for_each(|line| terminal.log(LogLine::Line(line)));
        clear_before_panics(&terminal);
        Screen {
            looks,
            settings: opening.settings.clone(),
            demo: opening.demo.copied(),
            key_from: opening.key_from,
            total: opening.found.questions,
            last_number: opening.last_number(),
            facts: opening.into(),
            limit: opening.limit,
            shows_answers: opening.found.pending <= TOLD_MAX || opening.terminal.verbose,
            stats: LiveStats::default(),
            rate: Rate::default(),
            unsynced: VecDeque::new(),
            looked_at: None,
            why: None,
            places_down: 0,
            #[cfg(unix)]
            keys: Some(keys::Keys::listen(wish)),
            began: Instant::now(),
            signals: signals(&terminal),
            terminal,
        }
    }

    fn log(&self, now: Time, style: Style, first: &str, rest: &str) {
        let (first, rest) = (first.to_owned(), rest.to_owned());
        self.terminal.log(LogLine::Message { unix_ms: now.unix_ms, style, first, rest });
    }

    fn verdict(&self, now: Time, question: &Arc<Question>, came: QuestionResult) -> LogLine {
        let place = (text::number(&self.settings, question), self.last_number);
        let which = text::which(&self.settings, question);
        LogLine::Question {
            unix_ms: now.unix_ms,
            question: Arc::clone(question),
            place,
            which,
            came,
        }
    }

    fn view(&self, now: Time, snapshot: &Snapshot) -> ScreenState {
        let asked = self.stats.answered + self.stats.failed.values().sum::<u64>();
        let limit = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(asked));
        let which = |ask: &InFlightAsk| {
            let question = &ask.question;
            (text::number(&self.settings, question), text::which(&self.settings, question))
        };
        ScreenState {
            now,
            questions: self.total,
            longest: snapshot.longest.iter().map(which).collect(),
            input: self.settings.input.file_name().unwrap_or_default().display().to_string(),
            left: snapshot.ledger.pending.min(limit),
            per_minute: self.rate.per_minute(),
            output: self.stats.output + snapshot.coming_tokens,
            reasoning: self.stats.reasoning_share(),
            why: self.why.clone(),
            places_down: self.places_down,
            snapshot: snapshot.clone(),
        }
    }
}

/// What is said before the first ask.
fn head(opening: &RunContext<'_>, looks: TermCaps) -> Vec<Line> {
    let line = || Line::new(looks);
    let mut lines = vec![line().plain(&preamble::first(opening, looks.glyphs().arrow))];
    lines.extend(preamble::rest(opening).iter().map(|remark| line().add(DIM, remark)));
    if opening.found.pending > 0 {
        let model = &opening.settings.model().request.model;
        let at_once = opening.options.concurrency;
        lines.push(line().add(DIM, &format!("{model}, {at_once} at once")));
        lines.push(line());
    }
    lines
}

/// Lets the process be stopped and go on with the terminal as others expect it.
fn signals(terminal: &Terminal) -> Option<JoinHandle<()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        const SIGTSTP: i32 = rustix::process::Signal::TSTP.as_raw();
        const SIGCONT: i32 = rustix::process::Signal::CONT.as_raw();
        let heard = |number| signal(SignalKind::from_raw(number)).ok();
        let (mut stop, mut go_on) = (heard(SIGTSTP)?, heard(SIGCONT)?);
        let stopper = terminal.stopper();
        Some(tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = stop.recv() => stopper.stop(),
                    Some(()) = go_on.recv() => stopper.resume(),
                    else => return,
                }
            }
        }))
    }
    #[cfg(not(unix))]
    {
        let _ = terminal;
        None
    }
}

/// A panic speaks below what has scrolled away, and leaves the terminal as it was.
fn clear_before_panics(terminal: &Terminal) {
    let (clear, before) = (terminal.clearer(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        clear();
        before(panic);
    }));
}

impl Observer for Screen {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.stats.add(notice);
        match notice {
            Notice::Asking { .. } | Notice::MarkingRow { .. } => {}
            // The region tells of these.
            Notice::OutageRetry { .. }
            | Notice::OutageCrossCheck { .. }
            | Notice::CostLimitReached { .. }
            | Notice::Draining { .. } => {}
            Notice::PeakBegins { until, saves, in_flight } => {
                self.log(now, WAITS, &off_peak::closed(*until, *saves, *in_flight), "");
            }
            Notice::OffPeakBegins { for_deadline } => {
                self.log(now, WAITS, off_peak::opened(*for_deadline), "");
            }
            Notice::BillAboveReservation { billed, reserved } => {
                self.log(now, WAITS, &money::above(*billed, *reserved), "");
            }
            Notice::Answered { question, took, usage, .. } => {
                self.rate.add();
                if self.shows_answers {
                    let came = QuestionResult::Answered { took: *took, output: usage.output };
                    let said = self.verdict(now, question, came);
                    self.unsynced.push_back((question.key, said));
                }
            }
            Notice::Retrying { question, failure: why, wait } => {
                if self.shows_answers {
                    let again = match wait.as_millis() {
                        0..100 => "at once".to_owned(),
                        _ => format!("in {}", span(*wait)),
                    };
                    let why = format!("{}, again {again}", why.cause);
                    self.terminal.log(self.verdict(now, question, QuestionResult::Waits(why)));
                }
            }
            Notice::Ended { question, failure: why, .. } => {
                self.rate.add();
                self.terminal.log(self.verdict(
                    now,
                    question,
                    QuestionResult::Failed(failure(why)),
                ));
            }
            Notice::OutageBegan { failure: why, .. }
            | Notice::OutageContinues { failure: why, .. }
            | Notice::OutageExhausted { failure: why } => self.why = Some(failure(why)),
            Notice::OutageEnded { lasted } => {
                self.why = None;
                self.log(
                    now,
                    GOOD,
                    "The service answers again",
                    &format!("after {}", span(*lasted)),
                );
            }
            Notice::EndpointDown { model, endpoint, failure: why } => {
                self.places_down += 1;
                let place = place(&self.settings, *model, *endpoint);
                self.log(now, WAITS, &format!("{place} does not answer:"), &failure(why));
            }
            Notice::EndpointUp { model, endpoint } => {
                self.places_down = self.places_down.saturating_sub(1);
                let place = place(&self.settings, *model, *endpoint);
                self.log(now, GOOD, &format!("{place} answers again"), "");
            }
        }
    }

    fn snapshot(&mut self, now: Time, snapshot: &Snapshot) {
        let since = self.looked_at.replace(now).map_or(Duration::ZERO, |before| now.since(before));
        if snapshot.outage.is_none() && !snapshot.is_paused {
            self.rate.pass(since);
        }
        self.terminal.show(self.view(now, snapshot));
    }

    fn status(&mut self, now: Time, snapshot: &Snapshot) {
        let view = self.view(now, snapshot);
        let ledger = &snapshot.ledger;
        let counted = text::counted(&self.settings);
        let head =
            format!("{} of {} answered", count(ledger.answered), of(ledger.questions, counted));
        self.terminal.log(LogLine::Blank);
        self.log(now, Style::new(), &head, "");
        let pair = |name, value: String| self.terminal.log(LogLine::Pair(name, value));
        if ledger.failed() > 0 {
            pair("failed", LiveStats::causes(&self.stats.failed));
        }
        let longest = snapshot.longest.first().map(|ask| {
            let since = text::minutes(now.since(ask.sent_at));
            let number = text::number(&self.settings, &ask.question);
            format!(", the longest since {since} (question {number})")
        });
        let most = format!("{} of at most {}", snapshot.in_flight, count(snapshot.slots as u64));
        pair("in flight", most + &longest.unwrap_or_default());
        view.waiting().into_iter().for_each(|waiting| pair("retrying", waiting));
        view.pace().into_iter().for_each(|pace| pair("pace", pace));
        let left = match (view.per_minute, view.eta()) {
            (Some(rate), Some(eta)) => {
                format!(", {}, {}", status_area::rate(rate), text::about(eta))
            }
            _ => String::new(),
        };
        pair("left", count(view.left) + &left);
        if view.output > 0 {
            pair("tokens", format!("{} out{}", tokens(view.output), view.reasoning));
        }
        if let Some(why) = &self.why {
            pair("outage", why.clone());
        }
        self.terminal.log(LogLine::Blank);
    }

    fn local_failure(&mut self, now: Time, trouble: &LocalFailure) {
        if self.stats.trouble(trouble) {
            self.log(now, BAD, &failure_words(trouble), "");
        }
    }

    fn acknowledged(&mut self, question: &Question) {
        let at = self.unsynced.iter().position(|(key, _)| *key == question.key);
        if let Some((_, said)) = at.and_then(|at| self.unsynced.remove(at)) {
            self.terminal.log(said);
        }
    }
}

impl Display for Screen {
    fn end(&mut self, ending: &Ending, spent: Option<&Expenses>) {
        #[cfg(unix)]
        drop(self.keys.take());
        let closing = Summary {
            settings: &self.settings,
            ending,
            spent,
            stats: &self.stats,
            took: self.began.elapsed(),
            demo: self.demo,
            key_from: self.key_from,
            facts: self.facts,
            tick: self.looks.glyphs().good,
        };
        let columns = tty::size().columns.saturating_sub(1).max(1);
        let mut last = String::new();
        if self.stats.answered > 0 {
            last.push('\n');
        }
        for line in closing.lines(columns, self.looks) {
            // Styles are ASCII.
            last.extend(
                line.chars().map(|c| if self.looks.is_utf8 || c.is_ascii() { c } else { '?' }),
            );
            last.push('\n');
        }
        self.terminal.end(for_stderr(&last));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(signals) = &self.signals {
            signals.abort();
        }
    }
}
