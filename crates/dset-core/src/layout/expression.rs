//! What a user says of answers in an expression: which are wanted, and which is better.
//!
//! An expression is Jinja, as in a template, without the braces. It sees the fields of the row by
//! their names, all of them in `row`, and what is known of one answer; a name of an answer comes
//! before a field's.

use minijinja::Value;
use thiserror::Error;

use crate::answer::row::Row;
use crate::item::fields::Fields;
use crate::template::comparison::{is_nothing, null};
use crate::template::expression::{ParseError, parse};
use crate::template::{field_values, from_json};

/// Names that an expression may use beside those of fields.
const NAMES: [&str; 18] = [
    "question",
    "id",
    "row",
    "answer",
    "parsed",
    "reasoning",
    "model",
    "sample",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "attempts",
    "tries",
    "failed_checks",
    "seconds",
    "rating",
    "note",
];

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// It does not parse.
    #[error("{0}")]
    Syntax(String),
    /// It names what nothing is called.
    #[error("`{name}` is neither a column nor anything of an answer")]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It fails on an answer.
    #[error("row {row}: {detail}")]
    Failed {
        /// The row.
        row: u64,
        /// What the evaluator says.
        detail: String,
    },
    /// It gives no number, and no answer to yes or no.
    #[error("row {row}: it gives {found}, and no number")]
    NoNumber {
        /// The row.
        row: u64,
        /// What it gives.
        found: String,
    },
}

/// An expression over one answer and its row.
#[derive(Debug)]
pub struct Expression {
    compiled: minijinja::Expression<'static, 'static>,
    columns: Vec<String>,
}

/// One answer and its row, as an expression sees them.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The name of the row.
    pub id: &'a str,
    /// The row as a spreadsheet counts it, for errors.
    pub row: u64,
    /// The question, trimmed.
    pub question: &'a str,
    /// All fields of the row.
    pub fields: Fields<'a>,
    /// The answer.
    pub answer: &'a Row,
}

impl Expression {
    /// Parses an expression over an input with these columns.
    pub fn new(source: &str, columns: &[String]) -> Result<Expression, ExpressionError> {
        let is_known =
            |name: &str| NAMES.contains(&name) || columns.iter().any(|column| column == name);
        let compiled = parse(source, is_known).map_err(|error| match error {
            ParseError::Syntax(detail) => ExpressionError::Syntax(detail),
            ParseError::Unknown(name) => {
                let ours = NAMES.map(str::to_owned).into_iter();
                let ours = ours.filter(|name| !columns.contains(name));
                ExpressionError::Unknown {
                    name,
                    known: columns.iter().cloned().chain(ours).collect(),
                }
            }
        })?;
        Ok(Expression { compiled, columns: columns.to_vec() })
    }

    /// Tells whether it holds of an answer.
    pub fn holds(&self, of: &Answered<'_>) -> Result<bool, ExpressionError> {
        Ok(self.value(of)?.is_true())
    }

    /// Returns the number that it gives of an answer; 1 for true and 0 for false.
    pub fn number(&self, of: &Answered<'_>) -> Result<f64, ExpressionError> {
        let value = self.value(of)?;
        let number = match bool::try_from(value.clone()) {
            Ok(truth) if value.kind() == minijinja::value::ValueKind::Bool => {
                Some(f64::from(u8::from(truth)))
            }
            _ => f64::try_from(value.clone()).ok().filter(|number| !number.is_nan()),
        };
        let found = || format!("{} `{value}`", value.kind());
        number.ok_or_else(|| ExpressionError::NoNumber { row: of.row, found: found() })
    }

    fn value(&self, of: &Answered<'_>) -> Result<Value, ExpressionError> {
        let mut fields = field_values(of.fields);
        for name in &self.columns {
            fields.entry(name).or_insert_with(null);
        }
        let (answer, known) = (of.answer, &of.answer.metadata);
        let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or_default());
        let number = |number: Option<u64>| number.map_or(Value::from(()), Value::from);
        let review = known.review.as_ref();
        let mut names = fields.clone();
        names.extend([
            ("question", of.question.into()),
            ("id", of.id.into()),
            ("row", Value::from_pairs(fields)),
            ("answer", (&*answer.answer).into()),
            ("parsed", parsed_value(answer)),
            ("reasoning", (&*answer.reasoning).into()),
            ("model", text(&known.model)),
            ("sample", known.sample.unwrap_or(0).into()),
            ("finish_reason", text(&known.finish_reason)),
            ("prompt_tokens", number(known.input_tokens)),
            ("completion_tokens", number(known.output_tokens)),
            ("reasoning_tokens", number(known.reasoning_tokens)),
            ("attempts", known.attempts.map_or(Value::from(()), Value::from)),
            ("tries", known.tries.unwrap_or(1).into()),
            ("failed_checks", known.failed_checks.iter().map(String::as_str).collect()),
            ("seconds", known.seconds.map_or(Value::from(()), Value::from)),
            ("rating", number(review.and_then(|review| review.rating).map(u64::from))),
            ("note", review.map_or("", |review| &review.note).into()),
        ]);
        let value = self.compiled.eval(Value::from_pairs(names));
        let value = value.map_err(|error| ExpressionError::Failed {
            row: of.row,
            detail: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
        })?;
        Ok(if is_nothing(&value) { Value::from(()) } else { value })
    }
}

/// The value of an answer that has to fit a schema; none of any other.
fn parsed_value(answer: &Row) -> Value {
    let value = answer.parsed().and_then(|parsed| parsed.value.to_value().ok());
    value.map_or(Value::from(()), |value| from_json(&value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::row::Metadata;

    fn answer() -> Row {
        Row {
            answered_at: 0,
            question: "Why?".into(),
            reasoning: "Hm.".into(),
            answer: "Because.".into(),
            metadata: Metadata { output_tokens: Some(7), ..Metadata::default() },
            reading: None,
        }
    }

    #[test]
    fn an_expression_sees_the_fields_of_the_row_and_the_answer() {
        let (row, answer) = (json!({"level": 3, "answer": "gold", "Final grade": "A"}), answer());
        let columns = ["level", "answer", "Final grade", "absent"].map(str::to_owned);
        let fields = Fields::Object(row.as_object().unwrap());
        let of = Answered { id: "x", row: 2, question: "Why?", fields, answer: &answer };
        let holds = |source: &str| Expression::new(source, &columns).unwrap().holds(&of).unwrap();
        assert!(holds("level > 2 and answer == 'Because.'"));
        assert!(holds("row.answer == 'gold' and row['Final grade'] == 'A'"));
        assert!(holds("absent is none and reasoning and completion_tokens == 7"));
        assert!(holds("absent == none and not absent and row.absent is none and absent != 'a'"));
        assert!(holds("level * 2 == 6 and parsed is none and not (absent < 'a' or absent > 'a')"));
        let number = |source: &str| Expression::new(source, &columns).unwrap().number(&of);
        assert_eq!(number("-(answer|length)"), Ok(-8.0));
        assert_eq!(number("'Because' in answer"), Ok(1.0));
        let no_number = ExpressionError::NoNumber { row: 2, found: "string `Because.`".into() };
        assert_eq!(number("answer"), Err(no_number));
    }

    #[test]
    fn a_name_that_nothing_has_is_an_error_before_the_first_row() {
        let columns = ["topic".to_owned()];
        let unknown = Expression::new("tpic == 'a'", &columns).unwrap_err();
        assert!(matches!(unknown, ExpressionError::Unknown { name, .. } if name == "tpic"));
        assert!(matches!(Expression::new("topic ==", &columns), Err(ExpressionError::Syntax(_))));
    }
}
