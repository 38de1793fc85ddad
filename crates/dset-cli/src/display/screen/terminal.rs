//! Draws on the terminal, on the thread that writes: one that is stopped or slow must not stall asks.
//!
//! The region below is drawn from the cursor on, which then goes back to its first column:
//! the next drawing begins there, however the terminal broke lines when its size changed.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::tty;
use crate::display::background_writer::{
    BackgroundWriter, DRAIN_TIMEOUT, OutputStream, PendingOutput, QUEUE_MAX, Renderer, Stream,
    WriterCommand, WriterShared, locked,
};
use crate::display::line::{Line, TermCaps};
use crate::display::screen::log_line::{LogLine, QuestionResult};
use crate::display::screen::state::ScreenState;
use crate::display::screen::status_area::{Progress, Size};
use crate::display::terminal_variables;

/// The screen is drawn at most so often.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// A change to what the terminal shows is begun and ended with these, so that it is seen at once.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// What the terminal understands besides lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extras {
    /// A title.
    pub(super) title: bool,
    /// Progress in the taskbar or the tab.
    pub(super) progress: bool,
}

impl Extras {
    /// Asks the environment which terminal this is.
    pub(super) fn of_environment() -> Extras {
        Extras {
            title: terminal_variables::has_title(),
            progress: terminal_variables::has_progress(),
        }
    }
}

/// The terminal, and the thread that writes to it.
pub(super) struct Terminal {
    writer: BackgroundWriter<Canvas>,
    #[cfg(unix)]
    keys: Arc<Mutex<tty::Keys>>,
}

impl Terminal {
    pub(super) fn open(looks: TermCaps, extras: Extras) -> Terminal {
        #[cfg(unix)]
        let keys = Arc::<Mutex<tty::Keys>>::default();
        let canvas = Canvas {
            looks,
            extras,
            drawn: None,
            view: None,
            is_titled: false,
            has_progress: false,
            #[cfg(unix)]
            keys: Arc::clone(&keys),
        };
        Terminal {
            writer: BackgroundWriter::open(canvas, Stream::Err, QUEUE_MAX),
            #[cfg(unix)]
            keys,
        }
    }

    /// Says something above the region. Never waits.
    pub(super) fn log(&self, said: LogLine) {
        self.writer.send(said);
    }

    /// Shows where the run stands. Never waits; what was not drawn yet is forgotten.
    pub(super) fn show(&self, view: ScreenState) {
        self.writer.show(Box::new(view));
    }

    /// Returns what stops the process and lets it go on, for signals.
    pub(super) fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(self.writer.shared()))
    }

    /// Returns what clears up before a panic speaks.
    pub(super) fn clearer(&self) -> impl Fn() + Send + Sync + use<> {
        let shared = Arc::clone(self.writer.shared());
        move || {
            if let Ok(mut canvas) = shared.renderer.try_lock() {
                canvas.clear_up(&shared.output);
            }
        }
    }

    /// Writes what is left, clears the region away, puts everything back and writes these last
    /// lines. A terminal that takes nothing is left as it is, but for its settings.
    pub(super) fn end(&mut self, last: String) {
        #[cfg(unix)]
        locked(&self.keys).give_back_for_good();
        self.writer.end(last, Some(DRAIN_TIMEOUT));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.end(String::new());
    }
}

/// Stops the process with the terminal as it was before, and sets it up again.
pub(super) struct Stopper(Arc<WriterShared<Canvas>>);

impl Stopper {
    pub(super) fn stop(&self) {
        if !self.0.order(WriterCommand::Stop) {
            // The terminal is as it was.
            tty::stop();
        }
    }

    pub(super) fn resume(&self) {
        self.0.order(WriterCommand::Continue);
    }
}

/// What is on the screen, besides what has scrolled away.
#[derive(Debug, Default, PartialEq)]
struct Drawn {
    region: Vec<String>,
    title: String,
    progress: Option<Progress>,
    /// What it was drawn for.
    size: Option<Size>,
}

/// What the terminal shows of ours.
struct Canvas {
    looks: TermCaps,
    extras: Extras,
    view: Option<Box<ScreenState>>,
    drawn: Option<Drawn>,
    is_titled: bool,
    has_progress: bool,
    #[cfg(unix)]
    keys: Arc<Mutex<tty::Keys>>,
}

impl Renderer for Canvas {
    type Message = LogLine;
    type State = Box<ScreenState>;
    const EVERY: Option<Duration> = Some(DRAW_EVERY);

    fn is_answer(said: &LogLine) -> bool {
        matches!(said, LogLine::Question { came: QuestionResult::Answered { .. }, .. })
    }

    fn write(&mut self, mut mail: PendingOutput<Canvas>, outlet: &OutputStream) {
        if mail.order == Some(WriterCommand::Continue) {
            self.forget();
        }
        self.view = mail.state.take().or(self.view.take());
        let is_over = matches!(mail.order, Some(WriterCommand::Stop | WriterCommand::End));
        let lines = lines(&mail, tty::size().columns.saturating_sub(1).max(1), self.looks);
        self.draw(&lines, tty::size(), !is_over, outlet);
        if is_over {
            self.clear_up(outlet);
        }
        outlet.write(&mail.last);
        #[cfg(unix)]
        if mail.order == Some(WriterCommand::Stop) {
            tty::stop();
        }
    }
}

/// What was said, as lines for a screen of so many columns.
fn lines(mail: &PendingOutput<Canvas>, columns: usize, looks: TermCaps) -> Vec<Line> {
    let mut lines: Vec<Line> =
        mail.messages.iter().flat_map(|said| said.lines(columns, looks)).collect();
    for words in mail.left_out() {
        let words = format!("{} {words}", looks.glyphs().more);
        lines.push(Line::new(looks).plain(&words).cut(columns));
    }
    lines
}

impl Canvas {
    /// Draws what is new, at once.
    fn draw(&mut self, lines: &[Line], size: Size, with_region: bool, outlet: &OutputStream) {
        let is_foreground = tty::is_foreground();
        #[cfg(unix)]
        if is_foreground && with_region {
            locked(&self.keys).take();
        }
        // In the background others write below: only what is finished is told.
        let frame = self.view.as_ref().filter(|_| is_foreground && with_region);
        let frame = frame.map(|view| view.frame(size, self.looks, self.has_keys()));
        let now = match frame {
            Some(frame) => Drawn {
                region: frame.lines.iter().map(Line::painted).collect(),
                title: frame.title,
                progress: Some(frame.progress),
                size: Some(size),
            },
            None => Drawn::default(),
        };
        if lines.is_empty() && self.drawn.as_ref() == Some(&now) {
            return;
        }
        let mut out = String::from(BEGIN);
        self.dress(&mut out, &now);
        for line in lines {
            let _ = write!(out, "\r{}\x1b[K\r\n", line.painted());
        }
        let was_drawn = self.drawn.as_ref().is_some_and(|drawn| !drawn.region.is_empty());
        if was_drawn || !now.region.is_empty() {
            out += "\r";
            let region: Vec<_> = now.region.iter().map(|line| format!("{line}\x1b[K")).collect();
            out += &region.join("\r\n");
            out += "\x1b[J";
            if region.len() > 1 {
                let _ = write!(out, "\x1b[{}A", region.len() - 1);
            }
            out += "\r";
        }
        out += END;
        outlet.write(&out);
        self.drawn = Some(now);
    }

    /// Adds the title and the progress where they changed.
    fn dress(&mut self, out: &mut String, now: &Drawn) {
        let drawn = self.drawn.as_ref();
        let is_new = drawn.is_none_or(|drawn| drawn.title != now.title) && !now.title.is_empty();
        if self.extras.title && is_new {
            if !self.is_titled {
                *out += "\x1b[22;0t";
                self.is_titled = true;
            }
            let _ = write!(out, "\x1b]2;{}\x1b\\", now.title);
        }
        let is_new = drawn.is_none_or(|drawn| drawn.progress != now.progress);
        if let Some(progress) = now.progress.filter(|_| self.extras.progress && is_new) {
            let (state, percent) = match progress {
                Progress::Goes(percent) => (1, percent),
                Progress::Waits(percent) => (4, percent),
            };
            let _ = write!(out, "\x1b]9;4;{state};{percent}\x1b\\");
            self.has_progress = true;
        }
    }

    fn has_keys(&self) -> bool {
        #[cfg(unix)]
        return locked(&self.keys).are_taken();
        #[cfg(not(unix))]
        false
    }

    /// Leaves nothing of ours on the screen but what has scrolled away.
    fn clear_up(&mut self, outlet: &OutputStream) {
        let mut out = String::new();
        let drawn = self.drawn.take().unwrap_or_default();
        if !drawn.region.is_empty() && tty::is_foreground() {
            out += "\r\x1b[J";
        }
        if std::mem::take(&mut self.has_progress) {
            out += "\x1b]9;4;0;0\x1b\\";
        }
        if std::mem::take(&mut self.is_titled) {
            // Terminals without a memory for titles get an empty one.
            out += "\x1b]2;\x1b\\\x1b[23;0t";
        }
        outlet.write(&out);
        #[cfg(unix)]
        locked(&self.keys).give_back();
    }

    /// The screen and the terminal's settings may be others now.
    fn forget(&mut self) {
        self.drawn = None;
        #[cfg(unix)]
        locked(&self.keys).take_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::screen::status_area::tests::question;

    #[test]
    fn of_what_a_terminal_does_not_take_the_first_lines_wait_and_the_rest_is_counted() {
        let mut mail = PendingOutput::<Canvas>::default();
        let verdict = |came| LogLine::Question {
            unix_ms: 0,
            question: question(0, ""),
            place: (1, Some(9)),
            which: String::new(),
            came,
        };
        for _ in 0..QUEUE_MAX + 1_312 {
            mail.put(
                verdict(QuestionResult::Answered { took: Duration::ZERO, output: None }),
                QUEUE_MAX,
            );
        }
        mail.put(verdict(QuestionResult::Failed(String::new())), QUEUE_MAX);
        let looks = TermCaps { is_utf8: true, has_colour: false };
        let lines = lines(&mail, 79, looks);
        assert_eq!(lines.len(), QUEUE_MAX + 2);
        let last: Vec<_> = lines[QUEUE_MAX..].iter().map(Line::text).collect();
        assert_eq!(last, ["… 1,312 more answered", "… 1 more line"]);
    }
}
