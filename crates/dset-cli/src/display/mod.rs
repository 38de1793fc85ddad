//! What a person, a pipe or a program sees of a run.
//!
//! Standard output is data, standard error is talk. On a terminal a few lines stay below what
//! scrolls away; in a pipe every line is complete in itself, in the words of the original script.

pub(crate) mod background_writer;
pub(crate) mod conveyed;
pub(crate) mod durable_log;
pub(crate) mod hints;
pub(crate) mod json;
mod legacy_format;
mod line;
mod live_stats;
pub(crate) mod money;
mod off_peak;
pub(crate) mod page;
pub(crate) mod pager;
pub(crate) mod plain;
pub(crate) mod plot;
pub(crate) mod preamble;
pub(crate) mod run_object;
mod screen;
pub(crate) mod settings_hints;
pub(crate) mod stdout;
mod summary;
pub(crate) mod terminal_variables;
pub(crate) mod text;
pub(crate) mod wrap;

use std::io::{IsTerminal as _, Write as _};

use dset_core::item::question::Question;
use dset_core::money::Expenses;
use dset_core::run::{Ending, Notice, Snapshot};
use dset_core::settings::{JobSpec, RunOptions};
use dset_core::time::Time;
use dset_engine::observer::{LocalFailure, Observer};
use dset_engine::run::drive::RunControl;
use dset_engine::run::report::PreparationReport;
use tokio::sync::mpsc::Sender;

use crate::error::{HINT, WARNING, labelled};
use crate::layers::{LogFormat, TerminalOptions};

/// Above so many questions single ones are not told, only how far the run is.
const TOLD_MAX: u64 = 2_000;

/// What is known before the first ask.
pub(crate) struct RunContext<'a> {
    pub(crate) settings: &'a JobSpec,
    pub(crate) options: &'a RunOptions,
    pub(crate) terminal: TerminalOptions,
    pub(crate) found: &'a PreparationReport,
    pub(crate) demo: Option<&'a Demo>,
    /// Where the first model's key was found.
    pub(crate) key_from: Option<&'static str>,
    /// The most answers to ask for in this run.
    pub(crate) limit: Option<u64>,
    /// The rows that are asked again on purpose.
    pub(crate) is_redo: bool,
}

impl RunContext<'_> {
    /// How many questions their numbers go up to; nothing where only some of the file are asked.
    fn last_number(&self) -> Option<u64> {
        let are_some =
            self.is_redo || self.found.pilot.is_some() || self.found.left_out.count() > 0;
        (!are_some).then_some(self.found.questions)
    }
}

/// The demo is running.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demo {
    /// Not for the first time.
    pub(crate) again: bool,
}

/// Shows a run.
pub(crate) trait Display: Observer + Send {
    /// Shows how it ended, and what the folder has spent in all its runs where that is told.
    fn end(&mut self, ending: &Ending, spent: Option<&Expenses>);
}

/// Chooses how a run is shown; whoever watches it may wish something of it. Within a runtime.
pub(crate) fn open(opening: &RunContext<'_>, wish: Sender<RunControl>) -> Box<dyn Display> {
    let is_screen = is_live() && !opening.terminal.quiet;
    let talk: Box<dyn Display> = match opening.terminal.log_format {
        LogFormat::Original => Box::new(legacy_format::LegacyDisplay::open(opening)),
        LogFormat::Auto | LogFormat::Json if is_screen => {
            Box::new(screen::Screen::open(opening, wish))
        }
        _ => Box::new(plain::Plain::open(opening)),
    };
    if opening.terminal.json {
        Box::new(Tee { one: Box::new(json::Json::open(opening)), other: talk })
    } else {
        talk
    }
}

/// A terminal on which lines can be redrawn.
fn is_live() -> bool {
    std::io::stderr().is_terminal() && !terminal_variables::is_dumb()
}

/// Says something that does not stop a run.
pub(crate) fn warn(message: &str, hint: Option<&str>) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{}", labelled(WARNING, "warning: ", &text::one_line(message)));
    if let Some(hint) = hint {
        let _ = writeln!(out, "{}", labelled(HINT, "hint: ", hint));
    }
}

/// Says something in passing.
pub(crate) fn remark(message: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", text::one_line(message));
}

/// Events for a program, and talk for whoever looks on.
pub(crate) struct Tee {
    pub(crate) one: Box<dyn Display>,
    pub(crate) other: Box<dyn Display>,
}

impl Observer for Tee {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.one.notice(now, notice);
        self.other.notice(now, notice);
    }

    fn snapshot(&mut self, now: Time, snapshot: &Snapshot) {
        self.one.snapshot(now, snapshot);
        self.other.snapshot(now, snapshot);
    }

    fn status(&mut self, now: Time, snapshot: &Snapshot) {
        self.one.status(now, snapshot);
        self.other.status(now, snapshot);
    }

    fn local_failure(&mut self, now: Time, trouble: &LocalFailure) {
        self.one.local_failure(now, trouble);
        self.other.local_failure(now, trouble);
    }

    fn acknowledged(&mut self, question: &Question) {
        self.one.acknowledged(question);
        self.other.acknowledged(question);
    }
}

impl Display for Tee {
    fn end(&mut self, ending: &Ending, spent: Option<&Expenses>) {
        // People first: a program may take its time, and is waited for.
        self.other.end(ending, spent);
        self.one.end(ending, spent);
    }
}
