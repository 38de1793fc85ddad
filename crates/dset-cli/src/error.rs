//! Errors for people: what happened, why, and what to do. What the errors of the other crates are in
//! these terms stands in `explain`.

use anstyle::{AnsiColor, Style};

use crate::display::background_writer::last_words;
use crate::display::text::{one_line, width_of};
use crate::display::wrap::broken;
use crate::exit::Exit;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// An error as a person reads it.
#[derive(Debug)]
pub(crate) struct UserError {
    pub(crate) message: String,
    pub(crate) cause: Option<String>,
    pub(crate) hints: Vec<String>,
    pub(crate) exit: Exit,
}

impl UserError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> UserError {
        UserError { message: message.into(), cause: None, hints: Vec::new(), exit }
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> UserError {
        self.cause = Some(cause.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> UserError {
        self.hints.push(hint.into());
        self
    }

    /// Returns its lines as standard error shows them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![labelled(ERROR, "error: ", &self.message)];
        // A service's own words may end like a sentence.
        let cause = self.cause.as_deref().map(|cause| cause.strip_suffix('.').unwrap_or(cause));
        lines.extend(cause.map(|cause| labelled(Style::new(), "  cause: ", cause)));
        lines.extend((!self.hints.is_empty()).then(String::new));
        lines.extend(self.hints.iter().map(|hint| labelled(HINT, "hint: ", hint)));
        lines
    }

    pub(crate) fn print(&self) {
        last_words(&(self.lines().join("\n") + "\n"));
    }
}

/// Writes a label and a text, which goes on below itself where a terminal ends.
pub(crate) fn labelled(style: Style, label: &str, text: &str) -> String {
    let width = width_of(&std::io::stderr(), &console::Term::stderr());
    let text = broken(&one_line(text), label.len(), label.len(), width);
    format!("{style}{}{style:#} {text}", label.trim_end())
}
