//! What comparing and multiplying mean in expressions and templates. A cell of a table is a text: with a
//! number it is compared as a number, and times a number it is an error where it reads as one. A null is
//! none, empty, and neither less nor greater than anything.

use std::cmp::Ordering;
use std::sync::LazyLock;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior, Value};

/// The filters that comparisons and multiplications become.
pub(super) const COMPARE: &str = "__compare";
pub(super) const TIMES: &str = "__times";

/// Tests of Jinja that compare, with what they mean.
const TESTS: [(&str, &str); 15] = [
    ("eq", "=="),
    ("equalto", "=="),
    ("==", "=="),
    ("ne", "!="),
    ("!=", "!="),
    ("lt", "<"),
    ("lessthan", "<"),
    ("<", "<"),
    ("le", "<="),
    ("<=", "<="),
    ("gt", ">"),
    ("greaterthan", ">"),
    (">", ">"),
    ("ge", ">="),
    (">=", ">="),
];

/// Returns an environment for expressions and templates, strict.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter(COMPARE, compare);
    environment.add_filter(TIMES, times);
    for (name, sign) in TESTS {
        environment.add_test(name, move |left: Value, right: Value| compare(left, sign, right));
    }
    environment.add_test("in", |value: Value, container: Value| compare(value, "in", container));
    environment.add_test("none", |value: &Value| is_nothing(value));
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Seq | ValueKind::Map => {
            minijinja::escape_formatter(out, state, &with_nulls(value))
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("tojson", |value: &Value, indent: Option<Value>, args: Kwargs| {
        minijinja::filters::tojson(&with_nulls(value), indent, args)
    });
    environment
}

/// Returns what a null of JSON is: none to tests, and an empty text to everything else. It is told from other
/// texts by being safe, which means nothing where nothing is escaped.
pub(crate) fn null() -> Value {
    Value::from_safe_string(String::new())
}

/// Tells whether a value is none, or a null of JSON.
pub(crate) fn is_nothing(value: &Value) -> bool {
    value.is_none() || value.is_safe() && value.as_str() == Some("")
}

/// Returns a value with nulls that are written as such.
fn with_nulls(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Seq => value
            .try_iter()
            .map_or_else(|_| value.clone(), |all| all.map(|one| with_nulls(&one)).collect()),
        ValueKind::Map => value.try_iter().map_or_else(
            |_| value.clone(),
            |keys| {
                let of = |key: &Value| value.get_item(key).map(|one| with_nulls(&one));
                Value::from_pairs(keys.map(|key| (key.clone(), of(&key).unwrap_or_default())))
            },
        ),
        _ if is_nothing(value) => Value::from(()),
        _ => value.clone(),
    }
}

/// Multiplies two values. Fails where a text that reads as a number would be repeated.
fn times(left: Value, right: Value) -> Result<Value, Error> {
    static PRODUCT: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
    });
    let text = match (left.as_str(), right.as_str()) {
        (Some(text), None) if is_number(&right) => Some(text),
        (None, Some(text)) if is_number(&left) => Some(text),
        _ => None,
    };
    if let Some(text) = text.map(str::trim).filter(|text| read_number(text).is_some()) {
        let detail = format!(
            "`{text}` is a text, which `*` would repeat; make a number of it with `|int` or `|float`"
        );
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    let product: Expression<'_, '_> = PRODUCT.compile_expression("left * right")?;
    product.eval(Value::from_pairs([("left", left), ("right", right)]))
}

/// Compares two values; `operator` is as it was written, or `in`.
#[expect(clippy::needless_pass_by_value, reason = "filters take values")]
pub(super) fn compare(left: Value, operator: &str, right: Value) -> Result<bool, Error> {
    if left.is_undefined() || right.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if operator == "in" {
        return is_in(&left, &right);
    }
    let is_equality = matches!(operator, "==" | "!=");
    let is_empty = |value: &Value| is_nothing(value) || value.as_str() == Some("");
    if is_nothing(&left) || is_nothing(&right) {
        let is_same = is_empty(&left) && is_empty(&right);
        return Ok(is_equality && is_same == (operator == "=="));
    }
    let ordering = match (is_number(&left), is_number(&right)) {
        (true, false) => number_of(&right, is_equality)?.map(|right| left.cmp(&right)),
        (false, true) => number_of(&left, is_equality)?.map(|left| left.cmp(&right)),
        _ if is_equality => Some(if left == right { Ordering::Equal } else { Ordering::Less }),
        _ => Some(match (as_number(&left), as_number(&right)) {
            // Two cells of a table.
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.cmp(&right),
        }),
    };
    Ok(match (operator, ordering) {
        ("!=", ordering) => ordering != Some(Ordering::Equal),
        (_, None) => false,
        ("==", Some(ordering)) => ordering.is_eq(),
        ("<", Some(ordering)) => ordering.is_lt(),
        ("<=", Some(ordering)) => ordering.is_le(),
        (">", Some(ordering)) => ordering.is_gt(),
        (_, Some(ordering)) => ordering.is_ge(),
    })
}

fn is_in(value: &Value, container: &Value) -> Result<bool, Error> {
    match (container.kind(), value.kind()) {
        // A null holds nothing.
        _ if is_nothing(container) => Ok(false),
        (ValueKind::String, ValueKind::String) => {
            let (text, part) = (container.as_str(), value.as_str());
            Ok(text.unwrap_or_default().contains(part.unwrap_or_default()))
        }
        (ValueKind::String, _) => {
            let detail = format!("{} is looked for in a text", value.kind());
            Err(Error::new(ErrorKind::InvalidOperation, detail))
        }
        _ => {
            for one in container.try_iter()? {
                if compare(value.clone(), "==", one)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn is_number(value: &Value) -> bool {
    value.kind() == ValueKind::Number
}

/// Reads a text as a number.
fn read_number(text: &str) -> Option<Value> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
    }
}

/// Returns a text that reads as a number as that.
fn as_number(value: &Value) -> Option<Value> {
    read_number(value.as_str()?.trim())
}

/// Reads what a number is compared with: `None` where there is nothing. Fails where it is no number and
/// their order is asked.
fn number_of(value: &Value, is_equality: bool) -> Result<Option<Value>, Error> {
    let text = match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().trim(),
        _ => return Ok(Some(value.clone())),
    };
    if text.is_empty() {
        return Ok(None);
    }
    match read_number(text) {
        Some(number) => Ok(Some(number)),
        _ if is_equality => Ok(None),
        _ => {
            let shown: String = text.chars().take(40).collect();
            let detail = format!("`{shown}` is compared with a number and is none");
            Err(Error::new(ErrorKind::InvalidOperation, detail))
        }
    }
}
