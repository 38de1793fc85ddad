//! Checks: what an answer is held against, each pure, each with a reason that a model can act on.
//!
//! A check is a file here and a value in [`KINDS`]. All of them and the schema are an
//! [`Acceptance`](crate::acceptance::Acceptance).

mod choice;
mod command;
mod declaration;
mod equals;
mod language;
mod latex;
mod length;
mod matches;
mod no_refusal;
mod no_repeat;
mod number;
mod unit;
mod whole;

use std::borrow::Cow;
use std::fmt::Debug;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::item::Item;

pub use command::{COMMAND, Command, CommandReply};
pub use declaration::{Declaration, DeclarationError, OnFail};
pub use whole::WHOLE;
pub(crate) use whole::Whole;

/// The kinds of checks, beside the schema.
pub static KINDS: &[Kind] = &[
    equals::KIND,
    matches::MATCHES,
    matches::LACKS,
    length::KIND,
    language::KIND,
    no_refusal::KIND,
    no_repeat::KIND,
    whole::KIND,
    command::KIND,
];

/// What is said in a declaration beside the name of the check.
pub type Table = serde_json::Map<String, Value>;

/// A kind of check.
#[derive(Debug)]
pub struct Kind {
    /// Its name in declarations.
    pub name: &'static str,
    /// The version of what it holds for right, from 1: verdicts of another one are worked out anew.
    pub version: u32,
    /// What `--check NAME=VALUE` takes as its value.
    pub argument: Argument,
    /// Makes a check of it.
    pub compile: Compile,
}

/// Makes a check of what is said in a declaration, for an input with these columns.
pub type Compile = fn(Table, &[String]) -> Result<Box<dyn Check>, CheckError>;

/// What `--check NAME=VALUE` takes as its value.
#[derive(Debug)]
pub enum Argument {
    /// Nothing: it is `--check NAME`.
    None,
    /// A value: what help calls it, and what a declaration would say instead. Fails with a sentence.
    Value(&'static str, fn(&str) -> Result<Table, String>),
}

/// What an answer is held against.
pub trait Check: Debug + Send + Sync {
    /// Judges an answer, or the place in it that the declaration names.
    fn judge(&self, judged: &Judged<'_>) -> Judgement;

    /// Returns what an item expects of its answer, where the same answer may be judged otherwise once that
    /// has changed.
    fn expected(&self, _item: &Item<'_>) -> Option<String> {
        None
    }

    /// Tells whether that is so.
    fn depends_on_row(&self) -> bool {
        false
    }

    /// Returns the program that judges, where one does.
    fn command(&self) -> Option<&Command> {
        None
    }
}

/// What is judged.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The answer, or what stands at the place: a string as it is, anything else as JSON.
    pub text: Cow<'a, str>,
    /// The token limit cut it.
    pub is_cut: bool,
    /// The item that it answers.
    pub item: &'a Item<'a>,
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It holds.
    Passed,
    /// It does not: why, as a sentence without its full stop.
    Failed(String),
    /// It cannot be told: why. Never taken as passed.
    Unknown(String),
}

/// What is wrong with what is said in a declaration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {detail}")]
pub struct CheckError {
    /// The name of the argument.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
    /// The columns there are, where one is named that is not there.
    pub columns: Vec<String>,
}

impl CheckError {
    fn new(field: &str, detail: impl Into<String>) -> CheckError {
        CheckError { field: field.to_owned(), detail: detail.into(), columns: Vec::new() }
    }
}

/// What a check takes that takes nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

/// Reads what is said in a declaration.
fn arguments<T: DeserializeOwned>(table: Table) -> Result<T, CheckError> {
    serde_json::from_value(Value::Object(table)).map_err(|error| {
        let says = error.to_string();
        // It names the field that it is about between the first backticks.
        let field = says.split('`').nth(1).unwrap_or_default().to_owned();
        CheckError { field, detail: says, columns: Vec::new() }
    })
}

fn table(name: &str, value: &str) -> Result<Table, String> {
    Ok([(name.to_owned(), Value::from(value))].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn compile(declaration: &str) -> Result<Box<dyn Check>, CheckError> {
        let declaration: Declaration = serde_json::from_str(declaration).unwrap();
        let kind = KINDS.iter().find(|kind| kind.name == declaration.name).unwrap();
        (kind.compile)(declaration.arguments, &["gold".to_owned()])
    }

    pub(super) fn compiled(declaration: impl AsRef<str>) -> Box<dyn Check> {
        compile(declaration.as_ref()).unwrap()
    }

    pub(super) fn error(declaration: impl AsRef<str>) -> CheckError {
        compile(declaration.as_ref()).unwrap_err()
    }

    pub(super) fn judge(check: &dyn Check, text: &str) -> Judgement {
        judge_in(check, text, &[])
    }

    pub(super) fn judge_in(check: &dyn Check, text: &str, fields: &[(&str, &str)]) -> Judgement {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        let fields: Map<String, Value> = fields.collect();
        let item = Item::of_fields(&fields);
        check.judge(&Judged { text: text.into(), is_cut: false, item: &item })
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_and_refuses_what_it_does_not_know() {
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1);
            assert!(kind.name != "schema", "that is no kind");
            let nonsense = table("nonsense", "1").unwrap();
            let error = (kind.compile)(nonsense, &[]).unwrap_err();
            assert!(error.detail.contains("nonsense"), "{}: {error}", kind.name);
        }
    }

    #[test]
    fn no_answer_breaks_a_check() {
        let all = [
            r#"{"name":"equals","column":"gold","as":"number"}"#,
            r#"{"name":"equals","template":"{{ gold }}!","as":"choice"}"#,
            r#"{"name":"equals","column":"gold","as":"set"}"#,
            r#"{"name":"lacks","pattern":"x"}"#,
            r#"{"name":"length","max":3}"#,
            r#"{"name":"language","script":"Latin"}"#,
            r#"{"name":"language","language":"en"}"#,
            r#"{"name":"no-refusal"}"#,
            r#"{"name":"no-repeat"}"#,
            r#"{"name":"whole"}"#,
        ];
        let checks: Vec<_> = all.into_iter().map(compiled).collect();
        for text in [
            "",
            " ",
            "\0",
            "é",
            "\u{202e}",
            "####",
            "𝕏",
            &"a".repeat(1 << 16),
            &"é ".repeat(1 << 15),
        ] {
            for check in &checks {
                judge_in(&**check, text, &[("gold", text)]);
                judge(&**check, text);
            }
        }
    }
}
