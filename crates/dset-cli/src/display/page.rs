//! What a command tells at once, on standard output: lines that fit the terminal, or one JSON
//! object.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use super::line::is_utf8;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

/// Lines narrower than this are not broken any more.
const WIDTH_MIN: usize = 30;

/// A page that is written line by line.
pub(crate) struct Page {
    /// Absent in a pipe, where every line is whole.
    width: Option<usize>,
    pub(crate) arrow: &'static str,
    pub(crate) tick: &'static str,
    pub(crate) cross: &'static str,
    bar: [&'static str; 2],
}

impl Page {
    pub(crate) fn open() -> Page {
        let width = std::io::stdout()
            .is_terminal()
            .then(|| usize::from(console::Term::stdout().size().1).max(WIDTH_MIN));
        match is_utf8() && width.is_some() {
            true => Page { width, arrow: "→", tick: "✓", cross: "✗", bar: ["━", "─"] },
            false => Page { width, arrow: "->", tick: "+", cross: "x", bar: ["#", "-"] },
        }
    }

    /// Writes a line; what does not fit goes on below, `indent` columns from the left. `style` is
    /// that of the first word.
    pub(crate) fn line(&self, style: Style, first: &str, rest: &str, indent: usize) {
        let mut out = anstream::stdout().lock();
        let mut column = first.chars().count();
        // Nobody is there to hear that standard output is closed.
        let _ = write!(out, "{style}{first}{style:#}");
        // A space is written once the word behind it fits, so that no line ends in one.
        let mut gap = 0;
        for word in rest.split(' ') {
            let length = word.chars().count();
            let too_long = |width| column + gap + length > width && column > indent;
            if length > 0 && self.width.is_some_and(too_long) {
                let _ = write!(out, "\n{:indent$}", "");
                (column, gap) = (indent, 0);
            }
            if length > 0 {
                let _ = write!(out, "{:gap$}{word}", "");
                column += gap + length;
                gap = 0;
            }
            gap += 1;
        }
        let _ = writeln!(out);
    }

    pub(crate) fn plain(&self, line: &str) {
        self.line(Style::new(), "", line, 0);
    }

    /// Writes a name and what it is, in two columns.
    pub(crate) fn pair(&self, name: &str, value: &str) {
        let first = format!("  {name:<NAME$} ");
        self.line(DIM, &first, value, NAME + 3);
    }

    pub(crate) fn blank(&self) {
        self.plain("");
    }

    /// Writes how much of a whole is done.
    pub(crate) fn bar(&self, done: u64, whole: u64) {
        let percent = (done * 100).checked_div(whole).unwrap_or(0);
        let numbers = format!("  {done}/{whole}  {percent}%");
        let width = self.width.unwrap_or(60).min(80).saturating_sub(numbers.len()).max(10);
        let full = (width as u64 * done).checked_div(whole).unwrap_or(0) as usize;
        let [full, empty] = [self.bar[0].repeat(full), self.bar[1].repeat(width - full)];
        let mut out = anstream::stdout().lock();
        let _ = writeln!(out, "{GOOD}{full}{GOOD:#}{DIM}{empty}{DIM:#}{numbers}");
    }

    pub(crate) fn hint(&self, hint: &str) {
        self.line(crate::error::HINT, "hint: ", hint, 6);
    }
}

/// The width of names.
const NAME: usize = 17;

/// Writes one JSON object, for a program.
pub(crate) fn json(object: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{object}");
}
