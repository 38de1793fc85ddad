//! `equals`: the answer, or a place in it, is what a column or a template says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::choice::choice;
use super::number::{Difference, Quantity};
use super::{Argument, Check, CheckError, Judged, Judgement, Kind, arguments, table};
use crate::item::Item;
use crate::structured::Json;
use crate::template::text::TextTemplate;

pub(super) const KIND: Kind = Kind {
    name: "equals",
    version: 2,
    argument: Argument::Value("COLUMN", |column| table("column", column)),
    compile: |table, columns| Ok(Box::new(Equals::new(arguments(table)?, columns)?)),
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Arguments {
    column: Option<String>,
    template: Option<String>,
    #[serde(default, rename = "as")]
    as_what: As,
}

/// As what two texts are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum As {
    /// As texts, blanks around them apart.
    #[default]
    Text,
    /// As numbers, however they are written.
    Number,
    /// As sets: items of an array, or what commas, semicolons and line breaks part.
    Set,
    /// As the letter of a choice.
    Choice,
    /// As numbers in rows where a number is expected, and else as texts.
    Auto,
}

#[derive(Debug)]
struct Equals {
    expected: TextTemplate,
    as_what: As,
}

impl Equals {
    fn new(arguments: Arguments, columns: &[String]) -> Result<Equals, CheckError> {
        let expected = match (arguments.column, arguments.template) {
            (Some(column), None) => TextTemplate::field(&column, columns),
            (None, Some(template)) => TextTemplate::new(&template, columns),
            _ => return Err(CheckError::new("column", "give it, or `template`, and not both")),
        };
        let field = "column";
        let expected = expected.map_err(|error| CheckError {
            field: field.to_owned(),
            detail: error.to_string(),
            columns: columns.to_vec(),
        })?;
        Ok(Equals { expected, as_what: arguments.as_what })
    }
}

impl Check for Equals {
    fn expected(&self, item: &Item<'_>) -> Option<String> {
        Some(self.expected.render(item).unwrap_or_else(|error| error.to_string()))
    }

    fn depends_on_row(&self) -> bool {
        true
    }

    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        let expected = match self.expected.render(judged.item) {
            Ok(expected) if expected.trim().is_empty() => {
                return Judgement::Unknown("there is nothing to compare it with".into());
            }
            Ok(expected) => expected,
            Err(error) => return Judgement::Unknown(error.to_string()),
        };
        let (given, expected) = (judged.text.trim(), expected.trim());
        match self.as_what {
            As::Text if given == expected => Judgement::Passed,
            As::Text => not_expected(),
            As::Number => number(given, expected),
            As::Auto if given == expected => Judgement::Passed,
            As::Auto if Quantity::read(expected).is_some() => number(given, expected),
            As::Auto => not_expected(),
            As::Set if set(given) == set(expected) => Judgement::Passed,
            As::Set => not_expected(),
            As::Choice => match (choice(given), choice(expected)) {
                (_, None) => Judgement::Unknown(format!("`{expected}` is no letter of a choice")),
                (None, _) => Judgement::Failed(
                    "it is not clear which letter is chosen; give the letter alone".into(),
                ),
                (given, expected) if given == expected => Judgement::Passed,
                _ => not_expected(),
            },
        }
    }
}

/// The reason never says what is expected: it is shown to the model.
fn not_expected() -> Judgement {
    Judgement::Failed("this is not the expected answer".into())
}

fn number(given: &str, expected: &str) -> Judgement {
    if given.trim() == expected.trim() {
        return Judgement::Passed;
    }
    let Some(expected) = Quantity::read(expected) else {
        return Judgement::Unknown(format!("`{expected}` is no number"));
    };
    let Some(given) = Quantity::read(given) else {
        return Judgement::Failed("this is no number; give the number alone".into());
    };
    match given.difference(&expected) {
        None => Judgement::Passed,
        Some(Difference::Value) => not_expected(),
        Some(Difference::Units(unit, _)) => {
            Judgement::Failed(format!("this is not in the expected unit, but in `{unit}`"))
        }
    }
}

fn set(text: &str) -> BTreeSet<String> {
    if let Ok(Json::Array(items)) = Json::parse(text) {
        let text = |item: &Json| match item {
            Json::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        return items.iter().map(text).collect();
    }
    let items = text.split([',', ';', '\n', '，', '；', '、']).map(str::trim);
    items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, judge_in};
    use super::*;

    fn equals(as_what: &str, given: &str, expected: &str) -> Judgement {
        let check =
            compiled(r#"{"name":"equals","column":"gold","as":"AS"}"#.replace("AS", as_what));
        judge_in(&*check, given, &[("gold", expected)])
    }

    fn passes(as_what: &str, given: &str, expected: &str) -> bool {
        equals(as_what, given, expected) == Judgement::Passed
    }

    #[test]
    fn texts_numbers_sets_and_choices_are_compared_each_in_its_way() {
        assert!(passes("text", " Paris\n", "Paris") && !passes("text", "paris", "Paris"));
        assert!(passes("number", "1,234 m", "Well.\n#### 1234.0") && !passes("number", "1", "2"));
        assert!(passes("set", "b; a, b", "a\nb") && passes("set", r#"["a", 1]"#, "1, a"));
        assert!(!passes("set", "a", "a, b"));
        assert!(passes("auto", "So 5.\n#### 5", "#### 5.0") && !passes("auto", "6", "5"));
        assert!(passes("auto", "Paris", "Paris") && !passes("auto", "5", "Paris"));
        assert!(passes("choice", "So it is (B).", "B. Two") && !passes("choice", "A or B", "B"));
    }

    #[test]
    fn a_row_that_cannot_be_compared_is_unknown_and_the_reason_does_not_tell_the_answer() {
        for (as_what, expected) in [("text", " "), ("number", "many"), ("choice", "all of them")] {
            assert!(matches!(equals(as_what, "1", expected), Judgement::Unknown(_)), "{as_what}");
        }
        for as_what in ["text", "number", "set", "choice"] {
            let Judgement::Failed(reason) = equals(as_what, "7", "B 4711").clone() else {
                continue;
            };
            assert!(!reason.contains("4711"), "{reason}");
        }
        let Judgement::Failed(units) = equals("number", "12 m", "12 km") else { panic!() };
        assert!(!units.contains("km"), "{units}");
    }
}
