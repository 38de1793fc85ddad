//! What stays at the bottom of the screen while a run goes on: from where it stands to lines.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use dset_core::run::{InFlightAsk, OutageStatus};
use dset_core::time::Time;

use crate::display::line::{Line, TermCaps};
use crate::display::money;
use crate::display::screen::log_line::labelled_text;
use crate::display::screen::state::{Mode, ScreenState};
use crate::display::text::{about, by, clock, count, minutes, of, span, tokens};

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const WAITS: Style = AnsiColor::Yellow.on_default();
/// Fainter than the terminal's own colour, whatever that is, and so never that of its background.
pub(super) const DIM: Style = Style::new().dimmed();
const KEY: Style = AnsiColor::Cyan.on_default();

/// At most so many lines stay in place.
const LINES_MAX: usize = 8;
/// The region takes this part of the screen's height at most.
const SHARE: usize = 4;
/// Beyond this width the eye does not find the way from one end of a line to the other.
const COLUMNS_MAX: usize = 100;

/// How large the screen is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// What the terminal's own signs of progress show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on.
    Goes(u8),
    /// It waits for the service or for somebody.
    Waits(u8),
}

/// What is shown at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StatusFrame {
    pub(super) lines: Vec<Line>,
    pub(super) title: String,
    pub(super) progress: Progress,
}

/// The lower the number, the longer a line stays while there is room for fewer.
struct Row(u8, Line);

impl ScreenState {
    /// Draws it. No line is wider than the screen less a column: the last one is not used, because
    /// terminals differ in what comes after it.
    pub(super) fn frame(&self, size: Size, looks: TermCaps, has_keys: bool) -> StatusFrame {
        let columns = size.columns.saturating_sub(1).max(1);
        let drawn = Drawn { view: self, columns, looks, has_keys };
        let mut rows = drawn.rows();
        let most = (size.rows / SHARE).clamp(1, LINES_MAX);
        while rows.len() > most {
            let last = rows.iter().map(|row| row.0).max();
            let at = rows.iter().position(|row| Some(row.0) == last).expect("there is a last");
            rows.remove(at);
        }
        let percent = self.percent();
        let dot = looks.glyphs().dot;
        StatusFrame {
            lines: rows.into_iter().map(|Row(_, line)| line.cut(columns)).collect(),
            title: looks.fitted(&format!("{percent}% dset {dot} {}", self.input), 80),
            progress: match self.mode() {
                Mode::Asking | Mode::Stopping => Progress::Goes(percent),
                Mode::Paused | Mode::Outage(_) => Progress::Waits(percent),
            },
        }
    }
}

/// How far a reply is, as far as that is known: whether a model still thinks, a stream does not
/// tell here.
fn stage(ask: &InFlightAsk) -> &'static str {
    if ask.has_begun { "answering" } else { "waiting" }
}

struct Drawn<'a> {
    view: &'a ScreenState,
    columns: usize,
    looks: TermCaps,
    has_keys: bool,
}

impl Drawn<'_> {
    fn line(&self) -> Line {
        Line::new(self.looks)
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![Row(5, self.line())];
        match self.view.mode() {
            Mode::Stopping => rows.extend(self.stopping()),
            Mode::Paused => rows.extend(self.paused()),
            Mode::Outage(outage) => rows.extend(self.outage(outage)),
            Mode::Asking => {
                rows.extend(self.on_their_way());
                let said = [(6, self.view.waiting()), (7, self.view.pace())];
                let said = said.into_iter().filter_map(|(keep, words)| Some((keep, words?)));
                rows.extend(
                    said.map(|(keep, words)| {
                        Row(keep, self.line().add(WAITS, &format!("  {words}")))
                    }),
                );
            }
        }
        rows.extend([Row(0, self.bar()), Row(2, self.status())]);
        rows.extend(self.last().map(|line| Row(4, line)));
        rows
    }

    /// The questions that have been on their way longest.
    fn on_their_way(&self) -> Vec<Row> {
        let view = self.view;
        let (width, total) = (count_width(view.questions), view.questions);
        let row = |(keep, (ask, (number, which))): (u8, (&InFlightAsk, &(u64, String)))| {
            let since = minutes(view.now.since(ask.sent_at));
            let line = self.line().plain(&format!("  {number:>width$}/{total}  "));
            let line = line.add(DIM, &format!("{} {since}  ", stage(ask)));
            let left = self.columns.saturating_sub(line.width());
            Row(
                keep,
                line.plain(&self.looks.fitted(&labelled_text(&ask.question.text, which), left)),
            )
        };
        let longest = view.snapshot.longest.iter().zip(&view.longest);
        [9, 8].into_iter().zip(longest).map(row).collect()
    }

    /// Adds the longest of these that there is room for.
    fn add_fitting<const N: usize>(&self, line: Line, choices: [String; N]) -> Line {
        let room = self.columns.saturating_sub(line.width());
        let fits = choices.iter().find(|words| self.looks.width(words) <= room);
        line.plain(fits.or(choices.last()).expect("there is a choice"))
    }

    fn stopping(&self) -> Vec<Row> {
        let asks = self.view.snapshot.in_flight as u64;
        if asks == 0 {
            return vec![Row(1, self.line().add(WAITS, "Stopping"))];
        }
        let longest = self.view.longest().map(minutes).unwrap_or_default();
        let waiting = format!(" Waiting for {}", of(asks, "question"));
        let choices = [
            format!("{waiting} already asked, the longest since {longest}"),
            format!("{waiting} already asked"),
            waiting,
        ];
        let head = self.add_fitting(self.line().add(WAITS, "Stopping."), choices);
        let again = "Press Ctrl-C again to stop now";
        let choices = [
            format!("{again} ({} would be asked again)", by(asks, "it", "they")),
            again.to_owned(),
        ];
        vec![Row(1, head), Row(3, self.add_fitting(self.line(), choices))]
    }

    fn paused(&self) -> Vec<Row> {
        let on = if self.has_keys { ", p goes on" } else { "" };
        let words = match self.view.snapshot.in_flight {
            0 => format!(" nothing is on its way{on}"),
            1 => format!(" 1 on its way comes in{on}"),
            asks => format!(" {} on their way come in{on}", count(asks as u64)),
        };
        let head = self.line().add(WAITS, "paused:").plain(&words);
        let mut rows = vec![Row(1, head)];
        rows.extend(self.on_their_way());
        rows
    }

    fn outage(&self, outage: OutageStatus) -> Vec<Row> {
        let view = self.view;
        let safe = view.snapshot.ledger.answered;
        let are = if safe == 1 { "is" } else { "are" };
        let safe = format!("  {} {are} safe on disk, nothing is lost", of(safe, "answer"));
        let head = self.line().add(WAITS, "The service does not answer.");
        let head = self.add_fitting(head, [safe, String::new()]);
        let lasts = view.now.since(outage.since);
        let since = clock(view.now.unix_ms - lasts.as_millis() as i64);
        let mut since = format!(" (since {since})");
        let name = |name: &str| self.line().add(DIM, &format!("  {name:<7}"));
        let room = self.columns.saturating_sub(9);
        if room < 3 * since.len() {
            since.clear();
        }
        let why = view.why.as_deref().unwrap_or_default();
        let why = self.looks.fitted(why, room - since.len());
        let why = name("why").plain(&why).add(DIM, &since);
        let next = self.next(outage);
        if next.is_empty() {
            return vec![Row(1, head), Row(4, why)];
        }
        let keys = self.keys(&self.outage_keys());
        // The keys go before what is said of light tries.
        let with_keys = [next.concat(), next[0].clone()]
            .map(|next| self.ends_with(name("next").plain(&next), keys.clone()));
        let fits = |line: &Line| line.width() <= self.columns && line.ends_with(&keys);
        let line = with_keys.into_iter().find(fits);
        let line = line.unwrap_or_else(|| name("next").plain(&next[0]));
        vec![Row(1, head), Row(4, why), Row(3, line)]
    }

    /// What the service is tried with next: by the schedule, and before that.
    fn next(&self, outage: OutageStatus) -> Vec<String> {
        let view = self.view;
        let retry = format!("retry {} of {}", outage.retry, outage.of);
        match outage.retry_at {
            Some(at) => {
                let before = match outage.next.filter(|next| !at.has_come(*next)) {
                    _ if outage.is_probing => ", tried right now".to_owned(),
                    Some(next) => format!(", tried lightly in {}", view.wait(next)),
                    None => String::new(),
                };
                vec![format!("{retry} in {}", view.wait(at)), before]
            }
            None if outage.is_cross_checking => {
                vec!["every retry failed, another question is tried".to_owned()]
            }
            None if outage.is_probing => vec![format!("{retry} is on its way")],
            None => Vec::new(),
        }
    }

    fn bar(&self) -> Line {
        let (done, total) = (self.view.done(), self.view.snapshot.ledger.questions);
        let numbers = format!("  {done}/{total}  {}%", self.view.percent());
        let glyphs = self.looks.glyphs();
        let width = self.columns.min(COLUMNS_MAX).saturating_sub(numbers.len());
        let full = (width as u64 * done).checked_div(total).unwrap_or(0) as usize;
        let line = self.line().add(GOOD, &glyphs.full.repeat(full));
        let line = line.add(DIM, &glyphs.empty.repeat(width - full));
        // On a screen too narrow for a bar the numbers stand alone.
        line.plain(if width == 0 { numbers.trim_start() } else { &numbers })
    }

    fn status(&self) -> Line {
        let (view, snapshot) = (self.view, &self.view.snapshot);
        let mut first = format!("{} elapsed", elapsed(view.now));
        if let Some(left) = view.eta() {
            first += &format!(", {} left", about(left));
        }
        let mut parts = vec![(Style::new(), first)];
        let mut say = |style, words: String| parts.push((style, words));
        // Early, because what stands last goes first where there is no room.
        if snapshot.ledger.failed() > 0 {
            say(BAD, format!("{} failed", count(snapshot.ledger.failed())));
        }
        if let Some(budget) = &snapshot.budget {
            say(Style::new(), money::budget_short(budget));
        }
        if let Some(per_minute) = view.per_minute.filter(|_| matches!(view.mode(), Mode::Asking)) {
            say(Style::new(), rate(per_minute));
        }
        say(Style::new(), format!("{} in flight", count(snapshot.in_flight as u64)));
        if snapshot.retrying > 0 {
            say(WAITS, format!("{} retrying", count(snapshot.retrying as u64)));
        }
        let dot = format!(" {} ", self.looks.glyphs().dot);
        let mut line = self.line();
        for (at, (style, words)) in parts.iter().enumerate() {
            let dot = if at == 0 { "" } else { &dot };
            if at > 0 && line.width() + self.looks.width(dot) + words.len() > self.columns {
                break;
            }
            line = line.add(DIM, dot).add(*style, words);
        }
        line
    }

    /// Tokens, and what keys do.
    fn last(&self) -> Option<Line> {
        let view = self.view;
        let mut line = self.line();
        if view.output > 0 {
            line = line.plain(&format!("{} tokens{}", tokens(view.output), view.reasoning));
        }
        let keys = match view.mode() {
            Mode::Stopping => vec![("s", "status"), ("q", "stop now")],
            Mode::Paused => vec![("s", "status"), ("p", "go on"), ("q", "stop")],
            // The block has those that matter.
            Mode::Outage(_) => vec![("s", "status"), ("p", "pause")],
            Mode::Asking if view.can_try_now() => {
                vec![("s", "status"), ("p", "pause"), ("r", "retry now"), ("q", "stop")]
            }
            Mode::Asking => vec![("s", "status"), ("p", "pause"), ("q", "stop")],
        };
        let line = self.ends_with(line, self.keys(&keys));
        (line.width() > 0).then_some(line)
    }

    fn outage_keys(&self) -> Vec<(&'static str, &'static str)> {
        let retry = self.view.can_try_now().then_some(("r", "retry now"));
        retry.into_iter().chain([("q", "stop here")]).collect()
    }

    fn keys(&self, keys: &[(&str, &str)]) -> Line {
        let mut line = self.line();
        for (key, what) in keys.iter().filter(|_| self.has_keys) {
            let gap = if line.width() > 0 { "  " } else { "" };
            line = line.plain(gap).add(KEY, key).add(DIM, &format!(" {what}"));
        }
        line
    }

    /// Puts something at the right end of a line, if there is room for both.
    fn ends_with(&self, line: Line, end: Line) -> Line {
        let gap = if line.width() > 0 { 2 } else { 0 };
        if end.width() == 0 || line.width() + gap + end.width() > self.columns {
            return line;
        }
        line.up_to(self.columns.min(COLUMNS_MAX).saturating_sub(end.width())).join(end)
    }
}

/// How many digits a number has.
pub(super) fn count_width(number: u64) -> usize {
    number.to_string().len()
}

/// Writes the time since the run began, without parts of a second, which nobody can read.
fn elapsed(now: Time) -> String {
    match now.monotonic_ms / 1000 {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => span(Duration::from_secs(seconds)),
    }
}

/// Writes `22/min`, and with a digit more where it is slow.
pub(super) fn rate(per_minute: f64) -> String {
    if per_minute < 10.0 { format!("{per_minute:.1}/min") } else { format!("{per_minute:.0}/min") }
}

#[cfg(test)]
pub(super) mod tests;
