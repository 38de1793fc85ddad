//! `command`: a program of the user's judges. What it is asked and says is here; asking it is an
//! effect, and elsewhere.

use serde::{Deserialize, Serialize};

use super::{Argument, Check, CheckError, Judged, Judgement, Kind, arguments};

/// The name of the check that a program makes.
pub const COMMAND: &str = "command";

pub(super) const KIND: Kind = Kind {
    name: COMMAND,
    version: 1,
    argument: Argument::Value("PROGRAM", |program| {
        let words: Vec<_> = program.split_whitespace().map(serde_json::Value::from).collect();
        Ok([("command".to_owned(), words.into())].into_iter().collect())
    }),
    compile: |table, _| {
        let command: Command = arguments(table)?;
        match command.command.first() {
            Some(program) if !program.trim().is_empty() => {}
            _ => return Err(CheckError::new("command", "names no program")),
        }
        match (1..=SECONDS_MAX).contains(&command.seconds) {
            true => Ok(Box::new(command)),
            false => Err(CheckError::new("seconds", format!("is from 1 to {SECONDS_MAX}"))),
        }
    },
};

/// How long a program may think about one row, where nobody says and at most, in seconds.
const SECONDS: u64 = 10;
const SECONDS_MAX: u64 = 3_600;

/// A program that judges rows: it reads each as a line of JSON, and answers each with a
/// [`CommandReply`] in one line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments. No shell is between them.
    pub command: Vec<String>,
    /// How long it may think about one row, in seconds.
    #[serde(default = "seconds")]
    pub seconds: u64,
}

fn seconds() -> u64 {
    SECONDS
}

/// What a program says of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReply {
    /// Whether the row passes.
    pub ok: bool,
    /// Why it does not, for whoever wrote it.
    #[serde(default)]
    pub why: String,
    /// The row that it speaks of; the one that was asked about where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
}

impl CommandReply {
    /// Reads what a program wrote in its line. A line that is none is no verdict.
    #[must_use]
    pub fn read(line: &str, row: u64) -> Judgement {
        match serde_json::from_str(line.trim()) {
            Ok(CommandReply { row: Some(other), .. }) if other != row => {
                Judgement::Unknown(format!("the program spoke of row {other}"))
            }
            Ok(CommandReply { ok: true, .. }) => Judgement::Passed,
            Ok(CommandReply { why, .. }) if why.trim().is_empty() => {
                Judgement::Failed("it was not accepted".into())
            }
            Ok(CommandReply { why, .. }) => Judgement::Failed(why.trim().to_owned()),
            Err(error) => Judgement::Unknown(format!("the program did not say `ok`: {error}")),
        }
    }
}

/// What is said of an answer before its program is asked. Stores are read for ever: it never changes,
const NOT_ASKED: &str = "its program has not been asked";

/// and neither does what is said where the program is stopped before it has judged.
const STOPPED: &str = "the run was stopped";

impl Command {
    /// Returns what is said of an answer whose program was stopped before it has judged.
    #[must_use]
    pub fn stopped() -> Judgement {
        Judgement::Unknown(STOPPED.into())
    }

    /// Tells whether this is said of an answer that the program is still to judge.
    pub(crate) fn is_outstanding(sentence: &str) -> bool {
        [NOT_ASKED, STOPPED].contains(&sentence)
    }
}

impl Check for Command {
    fn judge(&self, _: &Judged<'_>) -> Judgement {
        Judgement::Unknown(NOT_ASKED.into())
    }

    fn command(&self) -> Option<&Command> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, error, judge};
    use super::*;

    #[test]
    fn a_program_says_ok_or_why_and_anything_else_is_unknown() {
        let read = |line: &str| CommandReply::read(line, 7);
        assert_eq!(read("{\"ok\": true}\n"), Judgement::Passed);
        assert_eq!(read(r#"{"ok": true, "row": 7}"#), Judgement::Passed);
        let failed = |why: &str| Judgement::Failed(why.into());
        assert_eq!(read(r#"{"ok": false, "why": "too long"}"#), failed("too long"));
        assert_eq!(read(r#"{"ok": false}"#), failed("it was not accepted"));
        let other_row = r#"{"ok": true, "row": 6}"#;
        for line in ["", "true", "ok", r#"{"why": "x"}"#, r#"{"ok": "yes"}"#, other_row] {
            assert!(matches!(read(line), Judgement::Unknown(_)), "{line}");
        }
    }

    #[test]
    fn a_program_that_was_not_asked_has_not_passed() {
        let check = compiled(r#"{"name":"command","command":["./check","-x"]}"#);
        let Command { command, seconds } = check.command().unwrap();
        assert_eq!((command.len(), *seconds), (2, SECONDS));
        assert!(matches!(judge(&*check, "x"), Judgement::Unknown(_)));
        for (field, wrong) in
            [("command", r#""command":[]"#), ("seconds", r#""command":["a"],"seconds":0"#)]
        {
            assert_eq!(error(format!(r#"{{"name":"command",{wrong}}}"#)).field, field);
        }
    }
}
