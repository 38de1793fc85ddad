//! Writes to the terminal, on a thread of its own: one that is stopped or slow must not stall asks.
//!
//! What was said waits in a queue with a bound, and where the run stands in a place for one, the
//! latest. The region below is drawn from the cursor on, which then goes back to its first column:
//! the next drawing begins there, however the terminal broke lines when its size changed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::region::{Progress, Size};
use super::tty;
use super::verdict::{Came, Said};
use super::view::View;
use crate::display::line::{Line, Looks};
use crate::display::text::count;

/// The screen is drawn at most so often.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// So much that was said waits for a terminal that takes nothing; of what comes then only the
/// number is kept.
const SAID_MAX: usize = 1_000;

/// A change to what the terminal shows is begun and ended with these, so that it is seen at once.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// What the terminal understands besides lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extras {
    /// A title.
    pub(super) title: bool,
    /// Progress in the taskbar or the tab; others would show it as a message.
    pub(super) progress: bool,
}

impl Extras {
    /// Asks the environment which terminal this is.
    pub(super) fn of_environment() -> Extras {
        let is = |name, value: &str| std::env::var(name).is_ok_and(|found| found == value);
        let is_set = |name| std::env::var_os(name).is_some_and(|found| !found.is_empty());
        let is_iterm = is("TERM_PROGRAM", "iTerm.app")
            && std::env::var("TERM_FEATURES").is_ok_and(|features| features.contains('P'));
        Extras {
            // The Linux console has none.
            title: !is("TERM", "linux"),
            progress: is_set("WT_SESSION")
                || is("ConEmuANSI", "ON")
                || is("TERM_PROGRAM", "WezTerm")
                || is("TERM_PROGRAM", "ghostty")
                || is_iterm,
        }
    }
}

/// What waits to be written.
#[derive(Default)]
struct Mailbox {
    said: Vec<Said>,
    /// Answers and other lines that came when the queue was full.
    unsaid: [u64; 2],
    view: Option<Box<View>>,
    order: Option<Order>,
}

impl Mailbox {
    fn put(&mut self, said: Said) {
        if self.said.len() < SAID_MAX {
            self.said.push(said);
        } else {
            let is_answer = matches!(said, Said::Verdict { came: Came::Answered { .. }, .. });
            self.unsaid[usize::from(!is_answer)] += 1;
        }
    }

    /// What was said, as lines for a screen of so many columns.
    fn lines(&self, columns: usize, looks: Looks) -> Vec<Line> {
        let mut lines: Vec<Line> =
            self.said.iter().flat_map(|said| said.lines(columns, looks)).collect();
        for (number, words) in self.unsaid.iter().zip(["more answered", "more lines"]) {
            if *number > 0 {
                let words = format!("{} {} {words}", looks.glyphs().more, count(*number));
                lines.push(Line::new(looks).plain(&words).cut(columns));
            }
        }
        lines
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Stop the process as Ctrl-Z does.
    Stop,
    /// The process was stopped and goes on.
    GoOn,
    /// Clear up and end.
    End,
}

struct Shared {
    mailbox: Mutex<Mailbox>,
    /// Only orders are news; everything else is looked for when it is time to draw.
    news: Condvar,
    /// Only the thread writes; a panic clears up first.
    canvas: Mutex<Canvas>,
}

/// The terminal, and the thread that writes to it.
pub(super) struct Terminal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Terminal {
    pub(super) fn open(looks: Looks, extras: Extras) -> Terminal {
        let canvas = Canvas {
            looks,
            extras,
            drawn: None,
            view: None,
            is_titled: false,
            has_progress: false,
            #[cfg(unix)]
            keys: tty::Keys::default(),
        };
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            news: Condvar::new(),
            canvas: Mutex::new(canvas),
        });
        let ours = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("terminal".into());
        // Where no thread can be had, nothing is drawn, and the run goes on.
        let thread = thread.spawn(move || ours.write()).ok();
        Terminal { shared, thread }
    }

    /// Says something above the region. Never waits.
    pub(super) fn say(&self, said: Said) {
        locked(&self.shared.mailbox).put(said);
    }

    /// Shows where the run stands. Never waits; what was not drawn yet is forgotten.
    pub(super) fn show(&self, view: View) {
        locked(&self.shared.mailbox).view = Some(Box::new(view));
    }

    /// Returns what stops the process and lets it go on, for signals.
    pub(super) fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Returns what clears up before a panic speaks.
    pub(super) fn clearer(&self) -> impl Fn() + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || {
            if let Ok(mut canvas) = shared.canvas.try_lock() {
                canvas.clear_up();
            }
        }
    }

    /// Writes what is left, clears the region away and puts everything back.
    pub(super) fn end(&mut self) {
        self.shared.order(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.end();
    }
}

/// Stops the process with the terminal as it was before, and sets it up again.
pub(super) struct Stopper(Arc<Shared>);

impl Stopper {
    pub(super) fn stop(&self) {
        self.0.order(Order::Stop);
    }

    pub(super) fn go_on(&self) {
        self.0.order(Order::GoOn);
    }
}

impl Shared {
    fn order(&self, order: Order) {
        let mut mailbox = locked(&self.mailbox);
        // Nothing comes after the end.
        if mailbox.order != Some(Order::End) {
            mailbox.order = Some(order);
        }
        drop(mailbox);
        self.news.notify_one();
    }

    fn write(&self) {
        let mut last = Instant::now();
        loop {
            let mut mailbox = self.next(last);
            last = Instant::now();
            let mut canvas = locked(&self.canvas);
            if mailbox.order == Some(Order::GoOn) {
                canvas.forget();
            }
            canvas.view = mailbox.view.take().or(canvas.view.take());
            let is_over = matches!(mailbox.order, Some(Order::Stop | Order::End));
            canvas.draw(&mailbox, tty::size(), !is_over);
            if is_over {
                canvas.clear_up();
            }
            drop(canvas);
            match mailbox.order {
                Some(Order::End) => return,
                #[cfg(unix)]
                Some(Order::Stop) => tty::stop(),
                _ => {}
            }
        }
    }

    /// Waits for something to write, and until it is time.
    fn next(&self, last: Instant) -> Mailbox {
        let mut mailbox = locked(&self.mailbox);
        loop {
            let waits = DRAW_EVERY.saturating_sub(last.elapsed());
            if mailbox.order.is_some() || waits.is_zero() {
                return std::mem::take(&mut mailbox);
            }
            let woken = self.news.wait_timeout(mailbox, waits);
            mailbox = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
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
    looks: Looks,
    extras: Extras,
    view: Option<Box<View>>,
    drawn: Option<Drawn>,
    is_titled: bool,
    has_progress: bool,
    #[cfg(unix)]
    keys: tty::Keys,
}

impl Canvas {
    /// Draws what is new, in one write.
    fn draw(&mut self, mailbox: &Mailbox, size: Size, with_region: bool) {
        let is_foreground = tty::is_foreground();
        #[cfg(unix)]
        if is_foreground && with_region {
            self.keys.take();
        }
        let lines = mailbox.lines(size.columns.saturating_sub(1).max(1), self.looks);
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
        for line in &lines {
            let _ = write!(out, "\r{}\x1b[K\r\n", line.painted());
        }
        let was_drawn = self.drawn.as_ref().is_some_and(|drawn| !drawn.region.is_empty());
        if was_drawn || !now.region.is_empty() {
            // A character that is wider here than we think must not break a line.
            out += "\x1b[?7l\r";
            let region: Vec<_> = now.region.iter().map(|line| format!("{line}\x1b[K")).collect();
            out += &region.join("\r\n");
            out += "\x1b[J";
            if region.len() > 1 {
                let _ = write!(out, "\x1b[{}A", region.len() - 1);
            }
            out += "\r\x1b[?7h";
        }
        out += END;
        write(&out);
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
        return self.keys.are_taken();
        #[cfg(not(unix))]
        false
    }

    /// Leaves nothing of ours on the screen but what has scrolled away.
    fn clear_up(&mut self) {
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
        write(&out);
        #[cfg(unix)]
        self.keys.give_back();
    }

    /// The screen and the terminal's settings may be others now.
    fn forget(&mut self) {
        self.drawn = None;
        #[cfg(unix)]
        self.keys.take_again();
    }
}

fn write(out: &str) {
    // Nobody is there to hear that the terminal is gone.
    let _ = std::io::stderr().lock().write_all(out.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::screen::region::tests::question;

    #[test]
    fn of_what_a_terminal_does_not_take_the_first_lines_wait_and_the_rest_is_counted() {
        let mut mailbox = Mailbox::default();
        let verdict =
            |came| Said::Verdict { unix_ms: 0, question: question(0, ""), total: 9, came };
        for _ in 0..SAID_MAX + 1_312 {
            mailbox.put(verdict(Came::Answered { took: Duration::ZERO, output: None }));
        }
        mailbox.put(verdict(Came::Failed(String::new())));
        let looks = Looks { is_utf8: true, has_colour: false };
        let lines = mailbox.lines(79, looks);
        assert_eq!(lines.len(), SAID_MAX + 2);
        let last: Vec<_> = lines[SAID_MAX..].iter().map(Line::text).collect();
        assert_eq!(last, ["… 1,312 more answered", "… 1 more lines"]);
    }
}
