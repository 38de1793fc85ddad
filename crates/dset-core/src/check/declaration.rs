//! How checks are declared: tables `[[check]]` in `dset.toml`, and `--check NAME=VALUE`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Argument, KINDS, Table};
use crate::acceptance::SCHEMA;

/// A check as it is declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Declaration {
    /// The name of its kind, or `schema`.
    pub name: String,
    /// The place in the parsed answer that it judges; the whole text where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// What happens where it fails; see [`OnFail`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_fail: Option<OnFail>,
    /// What its kind takes.
    #[serde(flatten)]
    pub arguments: Table,
}

impl Declaration {
    /// Returns its name with everything that it says: `lacks=ugly`.
    #[must_use]
    pub fn label(&self) -> String {
        let on = self.on.iter().cloned();
        let said = self.arguments.iter().map(|(_, value)| match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        });
        let said: Vec<String> = on.chain(said).collect();
        format!("{}={}", self.name, said.join(","))
    }
}

/// What a failed check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// The verdict travels with the row.
    Keep,
    /// The row is marked.
    Mark,
    /// The service is asked again, and the row is marked where that does not help.
    Retry,
}

/// Why `NAME=VALUE` is no check.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeclarationError {
    /// No kind has this name.
    #[error("`{0}` is no check: there are {names}", names = names())]
    Unknown(String),
    /// It wants a value, of this kind.
    #[error("`{0}` wants a value: {0}={1}")]
    NoValue(&'static str, &'static str),
    /// It takes none.
    #[error("`{0}` takes no value")]
    Value(&'static str),
    /// The value is not one that it takes.
    #[error("{0}: {1}")]
    Wrong(&'static str, String),
}

impl Declaration {
    /// Returns the check that `--gold COLUMN` stands for: numbers are compared as numbers.
    #[must_use]
    pub fn gold(column: &str) -> Declaration {
        let arguments = [("column", column), ("as", "auto")];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value.into()));
        let name = "equals".to_owned();
        Declaration { name, on: None, on_fail: None, arguments: arguments.into_iter().collect() }
    }

    /// Returns what is said of the schema where its failing is to do this.
    #[must_use]
    pub fn schema(on_fail: OnFail) -> Declaration {
        let on_fail = Some(on_fail);
        Declaration { name: SCHEMA.to_owned(), on: None, on_fail, arguments: Table::new() }
    }

    /// Reads `NAME=VALUE`, or `NAME` alone for a check that takes no value.
    pub fn from_argument(argument: &str) -> Result<Declaration, DeclarationError> {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value)),
            None => (argument.trim(), None),
        };
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let kind = kind.ok_or_else(|| DeclarationError::Unknown(name.to_owned()))?;
        let arguments = match (&kind.argument, value) {
            (Argument::None, None) => Table::new(),
            (Argument::None, Some(_)) => return Err(DeclarationError::Value(kind.name)),
            (Argument::Value(shape, _), None) => {
                return Err(DeclarationError::NoValue(kind.name, shape));
            }
            (Argument::Value(_, read), Some(value)) => {
                read(value).map_err(|why| DeclarationError::Wrong(kind.name, why))?
            }
        };
        Ok(Declaration { name: name.to_owned(), on: None, on_fail: None, arguments })
    }
}

/// Returns the names of the kinds, in a row.
fn names() -> String {
    KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_an_argument_say_the_same() {
        for (argument, table) in [
            ("equals=gold", r#"{"name":"equals","column":"gold"}"#),
            ("matches=a=b", r#"{"name":"matches","pattern":"a=b"}"#),
            ("length=..50 words", r#"{"name":"length","max":50,"unit":"words"}"#),
            ("language=de", r#"{"name":"language","language":"de"}"#),
            ("no-refusal", r#"{"name":"no-refusal"}"#),
            ("command=./check -x", r#"{"name":"command","command":["./check","-x"]}"#),
        ] {
            let declaration = Declaration::from_argument(argument).unwrap();
            assert_eq!(serde_json::to_string(&declaration).unwrap(), table);
            assert_eq!(serde_json::from_str::<Declaration>(table).unwrap(), declaration);
        }
        let table = r#"{"name":"lacks","on":"/a","on-fail":"keep","pattern":"x"}"#;
        let declaration: Declaration = serde_json::from_str(table).unwrap();
        assert_eq!(declaration.on_fail, Some(OnFail::Keep));
        assert_eq!(serde_json::to_string(&declaration).unwrap(), table);
    }

    #[test]
    fn what_is_no_check_says_why() {
        let error = |argument: &str| Declaration::from_argument(argument).unwrap_err().to_string();
        assert!(error("equal=gold").starts_with("`equal` is no check: there are equals, "));
        assert_eq!(error("equals"), "`equals` wants a value: equals=COLUMN");
        assert_eq!(error("no-refusal=1"), "`no-refusal` takes no value");
        assert_eq!(error("length=5"), "length: `5` is not like `10..200` or `..50 words`");
    }
}
