//! `length`: characters, words or lines within bounds.

use serde::Deserialize;

use super::{Argument, Check, CheckError, Judged, Judgement, Kind, Table, arguments};

pub(super) const KIND: Kind = Kind {
    name: "length",
    version: 1,
    argument: Argument::Value("MIN..MAX [characters|words|lines]", read),
    compile: |table, _| {
        let arguments: Length = arguments(table)?;
        match (arguments.min, arguments.max) {
            (None, None) => Err(CheckError::new("min", "give it, or `max`, or both")),
            (Some(min), Some(max)) if min > max => {
                Err(CheckError::new("max", "is less than `min`"))
            }
            _ => Ok(Box::new(arguments)),
        }
    },
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Length {
    min: Option<usize>,
    max: Option<usize>,
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    #[default]
    Characters,
    /// What blanks part: languages that are written without any have few.
    Words,
    /// Blank ones at the end apart.
    Lines,
}

fn read(text: &str) -> Result<Table, String> {
    let wrong = || format!("`{text}` is not like `10..200` or `..50 words`");
    let mut words = text.split_whitespace();
    let (min, max) = words.next().and_then(|range| range.split_once("..")).ok_or_else(wrong)?;
    let mut table = Table::new();
    for (name, bound) in [("min", min), ("max", max.trim_start_matches('='))] {
        if !bound.is_empty() {
            table.insert(name.into(), bound.parse::<u64>().map_err(|_| wrong())?.into());
        }
    }
    table.extend(words.next().map(|unit| ("unit".to_owned(), unit.into())));
    if words.next().is_some() { Err(wrong()) } else { Ok(table) }
}

impl Check for Length {
    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        let text = judged.text.trim();
        let (count, unit) = match self.unit {
            Unit::Characters => (text.chars().count(), "characters"),
            Unit::Words => (text.split_whitespace().count(), "words"),
            Unit::Lines => (text.lines().count(), "lines"),
        };
        match (self.min, self.max) {
            (Some(min), _) if count < min => {
                Judgement::Failed(format!("this has {count} {unit} and must have {min} at least"))
            }
            (_, Some(max)) if count > max => {
                Judgement::Failed(format!("this has {count} {unit} and may have {max} at most"))
            }
            _ => Judgement::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, error, judge};
    use super::*;

    #[test]
    fn what_is_too_short_or_too_long_says_by_how_much() {
        let check = compiled(r#"{"name":"length","min":2,"max":3,"unit":"words"}"#);
        assert_eq!(judge(&*check, " one\ntwo  three "), Judgement::Passed);
        let why = "this has 1 words and must have 2 at least";
        assert_eq!(judge(&*check, "one"), Judgement::Failed(why.into()));
        let check = compiled(r#"{"name":"length","max":2}"#);
        assert_eq!(judge(&*check, "é😀\n"), Judgement::Passed);
        let why = "this has 3 characters and may have 2 at most";
        assert_eq!(judge(&*check, "abc"), Judgement::Failed(why.into()));
        let check = compiled(r#"{"name":"length","max":2,"unit":"lines"}"#);
        assert_eq!(judge(&*check, "a\nb\n\n"), Judgement::Passed);
    }

    #[test]
    fn bounds_are_read_and_nonsense_is_refused() {
        let json = |text: &str| read(text).map(|table| serde_json::to_string(&table).unwrap());
        assert_eq!(json("10..200 words"), Ok(r#"{"min":10,"max":200,"unit":"words"}"#.into()));
        assert_eq!(json("..5"), Ok(r#"{"max":5}"#.into()));
        assert_eq!(json("5..=6 lines"), Ok(r#"{"min":5,"max":6,"unit":"lines"}"#.into()));
        for text in ["", "5", "a..b", "1..2 words more"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(error(r#"{"name":"length"}"#).field, "min");
        assert_eq!(error(r#"{"name":"length","min":3,"max":2}"#).field, "max");
        assert!(error(r#"{"name":"length","max":3,"unit":"pages"}"#).detail.contains("pages"));
    }
}
