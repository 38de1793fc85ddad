//! What a command tells at once, on standard output: lines that fit the terminal, or one JSON
//! object.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::stdout;
use super::terminal_variables::is_utf8;
use super::text::{self, one_line};
use super::wrap::{HIT, broken, columns, wrap};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
/// What was looked for, within a line.
const FOUND: Style = AnsiColor::Yellow.on_default().bold();

/// A page that is written line by line.
pub(crate) struct Page {
    /// Absent in a pipe, where every line is whole.
    pub(crate) width: Option<usize>,
    pub(crate) arrow: &'static str,
    pub(crate) back: &'static str,
    pub(crate) tick: &'static str,
    pub(crate) cross: &'static str,
    pub(crate) bar: [&'static str; 2],
    /// Absent where every line is written at once.
    kept: Option<RefCell<String>>,
}

impl Page {
    /// Opens a page that is written at once.
    pub(crate) fn open() -> Page {
        let width = text::width_of(&std::io::stdout(), &console::Term::stdout());
        let ascii = Page {
            width,
            arrow: "->",
            back: "<-",
            tick: "+",
            cross: "x",
            bar: ["#", "-"],
            kept: None,
        };
        match is_utf8() && width.is_some() {
            true => Page {
                arrow: "→", back: "←", tick: "✓", cross: "✗", bar: ["━", "─"], ..ascii
            },
            false => ascii,
        }
    }

    /// Opens a page that is kept until it is whole.
    pub(crate) fn kept() -> Page {
        Page { kept: Some(RefCell::default()), ..Page::open() }
    }

    /// Returns what was kept, colours included.
    pub(crate) fn into_text(self) -> String {
        self.kept.map(RefCell::into_inner).unwrap_or_default()
    }

    fn write(&self, text: &str) {
        match &self.kept {
            Some(kept) => kept.borrow_mut().push_str(text),
            None => stdout::write_styled(text),
        }
    }

    /// Writes a line; what does not fit goes on below, `indent` columns from the left. `style` is
    /// that of the first word.
    pub(crate) fn line(&self, style: Style, first: &str, rest: &str, indent: usize) {
        let (first, rest) = (one_line(first), safe(rest));
        let rest = broken(&rest, columns(&first), indent, self.width);
        let line = format!("{style}{first}{style:#}{}", coloured(&rest));
        self.write(&(line + "\n"));
    }

    /// Writes a stranger's text, `indent` columns from the left.
    pub(crate) fn text(&self, text: &str, indent: usize) {
        self.lines_of(&self.lines(text, indent), indent);
    }

    /// Writes what a block is about: its number, a line that fits, and behind a gap where that is.
    pub(crate) fn heading(&self, number: &str, line: &str, place: Option<(usize, &str)>) {
        let line = coloured(&safe(line));
        let mut heading = format!("{DIM}{}{DIM:#}  {BOLD}{line}{BOLD:#}", one_line(number));
        if let Some((gap, place)) = place {
            let place = one_line(place);
            let _ = write!(heading, "{:gap$}{DIM}{place}{DIM:#}", "");
        }
        self.write(&(heading + "\n"));
    }

    /// Breaks a stranger's text into the lines that it is shown as.
    pub(crate) fn lines(&self, text: &str, indent: usize) -> Vec<String> {
        let lines = text::lines(text);
        lines.flat_map(|line| wrap(&line, self.width, indent, indent)).collect()
    }

    /// Writes lines that fit.
    pub(crate) fn lines_of(&self, lines: &[String], indent: usize) {
        for line in lines {
            match line.is_empty() {
                true => self.write("\n"),
                false => self.write(&format!("{:indent$}{}\n", "", coloured(line))),
            }
        }
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
        self.write(&format!("{GOOD}{full}{GOOD:#}{DIM}{empty}{DIM:#}{numbers}\n"));
    }

    pub(crate) fn hint(&self, hint: &str) {
        self.line(crate::error::HINT, "hint: ", hint, 6);
    }
}

/// Makes a line safe for a terminal, see [`one_line`]; marks of hits stay.
fn safe(line: &str) -> String {
    let mut safe = String::new();
    for piece in line.split_inclusive(HIT) {
        let text = piece.trim_end_matches(HIT);
        safe += &one_line(text);
        safe += &piece[text.len()..];
    }
    safe
}

/// Shows marks of hits as a terminal does.
fn coloured(line: &str) -> String {
    let [on, off] = HIT;
    match line.contains(HIT) {
        true => {
            line.replace(on, &FOUND.to_string()).replace(off, &format!("{FOUND:#}"))
            // A stranger's mark may have no end.
            + &format!("{FOUND:#}")
        }
        false => line.to_owned(),
    }
}

/// The width of names.
const NAME: usize = 17;

/// Writes a stranger's text as it is, for a program; on a terminal safe.
pub(crate) fn data(text: &str) {
    match std::io::stdout().is_terminal() {
        true => text::lines(text).for_each(|line| stdout::write(format!("{line}\n").as_bytes())),
        false => stdout::write(text.as_bytes()),
    }
}

/// The version of what commands write for programs. A field more does not change it.
const REPORT_VERSION: u32 = 1;

/// Writes an object for a program, on one line: the version, and then these fields.
pub(crate) fn json(fields: Value) {
    let Value::Object(fields) = fields else { unreachable!("a report is an object") };
    let mut report = serde_json::Map::from_iter([("v".to_owned(), REPORT_VERSION.into())]);
    report.extend(fields);
    stdout::write(format!("{}\n", Value::Object(report)).as_bytes());
}
