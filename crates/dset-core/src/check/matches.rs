//! `matches` and `lacks`: a regular expression is found, or is not. Its time is linear.

use regex::Regex;
use serde::Deserialize;

use super::{Argument, Check, CheckError, Judged, Judgement, Kind, Table, arguments, table};

pub(super) const MATCHES: Kind = Kind {
    name: "matches",
    version: 1,
    argument: Argument::Value("REGEX", |pattern| table("pattern", pattern)),
    compile: |table, _| compile(table, true),
};

pub(super) const LACKS: Kind = Kind {
    name: "lacks",
    version: 1,
    argument: Argument::Value("REGEX", |pattern| table("pattern", pattern)),
    compile: |table, _| compile(table, false),
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
}

#[derive(Debug)]
struct Matches {
    pattern: Regex,
    is_wanted: bool,
}

fn compile(table: Table, is_wanted: bool) -> Result<Box<dyn Check>, CheckError> {
    let Arguments { pattern } = arguments(table)?;
    let pattern = Regex::new(&pattern).map_err(|error| {
        // Its last line says what is wrong; those before it draw where.
        CheckError::new("pattern", error.to_string().trim_end())
    })?;
    Ok(Box::new(Matches { pattern, is_wanted }))
}

impl Check for Matches {
    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        match (self.pattern.find(&judged.text), self.is_wanted) {
            (Some(_), true) | (None, false) => Judgement::Passed,
            (None, true) => {
                Judgement::Failed(format!("this does not match the pattern `{}`", self.pattern))
            }
            (Some(found), false) => Judgement::Failed(format!(
                "`{}` must not be in it",
                found.as_str().chars().take(60).collect::<String>()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, error, judge};
    use super::*;

    #[test]
    fn a_pattern_is_found_anywhere_unless_it_is_bound() {
        let check = compiled(r#"{"name":"matches","pattern":"\\d{2}$"}"#);
        assert_eq!(judge(&*check, "in 42"), Judgement::Passed);
        assert!(matches!(judge(&*check, "42 in"), Judgement::Failed(_)));
        let check = compiled(r#"{"name":"lacks","pattern":"(?i)as an ai"}"#);
        let why = Judgement::Failed("`As an AI` must not be in it".into());
        assert_eq!(judge(&*check, "As an AI, I"), why);
        assert_eq!(judge(&*check, "I think"), Judgement::Passed);
    }

    #[test]
    fn a_pattern_that_is_none_says_where() {
        let error = error(r#"{"name":"matches","pattern":"a("}"#);
        assert_eq!(error.field, "pattern");
        assert!(error.detail.contains("unclosed group"), "{}", error.detail);
    }
}
