//! Comparisons in an expression. A cell of a table is a text, and Jinja compares a text and a number by
//! their kinds: `level > 2` would hold for every row of a CSV file, and `rating < 3` for what has no
//! rating. So every comparison is rewritten as a call of a filter of our own, which compares a text
//! with a number as a number.

use std::cmp::Ordering;
use std::ops::Range;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// The filter that a comparison becomes.
pub(super) const FILTER: &str = "__compare";

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
    let ordering = match (is_number(&left), is_number(&right)) {
        (true, false) => number_of(&right, is_equality)?.map(|right| left.cmp(&right)),
        (false, true) => number_of(&left, is_equality)?.map(|left| left.cmp(&right)),
        _ if is_equality => Some(if left == right { Ordering::Equal } else { Ordering::Less }),
        _ => Some(left.cmp(&right)),
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
        (ValueKind::String, ValueKind::String) => {
            let (text, part) = (container.as_str(), value.as_str());
            Ok(text.unwrap_or_default().contains(part.unwrap_or_default()))
        }
        (ValueKind::String, _) => {
            let detail = format!("{} is looked for in a text", value.kind());
            Err(Error::new(ErrorKind::InvalidOperation, detail))
        }
        // An empty cell holds nothing.
        (ValueKind::None, _) => Ok(false),
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

/// Reads what a number is compared with: `None` where there is nothing. Fails where it is no number and
/// their order is asked.
fn number_of(value: &Value, is_equality: bool) -> Result<Option<Value>, Error> {
    let text = match value.kind() {
        ValueKind::None => return Ok(None),
        ValueKind::String => value.as_str().unwrap_or_default().trim(),
        _ => return Ok(Some(value.clone())),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Some(whole.into()));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number.into())),
        _ if is_equality => Ok(None),
        _ => {
            let shown: String = text.chars().take(40).collect();
            let detail = format!("`{shown}` is compared with a number and is none");
            Err(Error::new(ErrorKind::InvalidOperation, detail))
        }
    }
}

/// What an expression is made of, as far as comparisons are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// Ends an operand: `and`, a comma, and the like.
    Boundary,
    Not,
    Comparison,
    In,
    Other,
}

/// Returns an expression that parses with its comparisons rewritten. Fails with what is wrong where one
/// follows the other, as in `1 < a < 3`.
pub(super) fn rewritten(source: &str) -> Result<String, String> {
    let tokens = tokens(source);
    rewrite(source, &tokens)
}

fn rewrite(source: &str, tokens: &[(Token, Range<usize>)]) -> Result<String, String> {
    let mut written = String::with_capacity(source.len() * 2);
    // An operand ends where its depth does.
    let mut at = 0;
    while at < tokens.len() {
        let end = operand_end(tokens, at);
        let operator = tokens.get(end).filter(|(token, _)| {
            matches!(token, Token::Comparison | Token::In)
                || *token == Token::Not && tokens.get(end + 1).is_some_and(|(t, _)| *t == Token::In)
        });
        let left = operand(source, &tokens[at..end])?;
        let Some((token, place)) = operator else {
            written.push_str(&left);
            if let Some((_, place)) = tokens.get(end) {
                written.push(' ');
                written.push_str(&source[place.clone()]);
                written.push(' ');
            }
            at = end + 1;
            continue;
        };
        let is_negated = *token == Token::Not;
        let begins = end + 1 + usize::from(is_negated);
        let ends = operand_end(tokens, begins);
        let again = tokens.get(ends).map(|(token, _)| *token);
        if matches!(again, Some(Token::Comparison | Token::In)) {
            return Err("two comparisons in a row; join them with `and`".to_owned());
        }
        let right = operand(source, &tokens[begins..ends])?;
        let sign =
            if *token == Token::Comparison { source[place.clone()].trim_end() } else { "in" };
        let not = if is_negated { "not " } else { "" };
        written.push_str(&format!(" ({not}({left})|{FILTER}(\"{sign}\", ({right}))) "));
        if let Some((_, place)) = tokens.get(ends) {
            written.push_str(&source[place.clone()]);
            written.push(' ');
        }
        at = ends + 1;
    }
    Ok(written)
}

/// Returns the place behind an operand: that of a token of its own depth that ends it.
fn operand_end(tokens: &[(Token, Range<usize>)], begins: usize) -> usize {
    let mut depth = 0_usize;
    for (at, (token, _)) in tokens.iter().enumerate().skip(begins) {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Boundary | Token::Not | Token::Comparison | Token::In if depth == 0 => {
                return at;
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Writes an operand, with what lies in its brackets rewritten.
fn operand(source: &str, tokens: &[(Token, Range<usize>)]) -> Result<String, String> {
    let mut written = String::new();
    let mut at = 0;
    while let Some((token, place)) = tokens.get(at) {
        written.push_str(&source[place.clone()]);
        at += 1;
        if *token != Token::Open {
            continue;
        }
        let mut depth = 1_usize;
        let close = tokens[at..].iter().position(|(token, _)| {
            match token {
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let close = close.map_or(tokens.len(), |found| at + found);
        written.push_str(&rewrite(source, &tokens[at..close])?);
        at = close;
    }
    Ok(written)
}

/// Splits an expression; blanks go with what stands before them.
fn tokens(source: &str) -> Vec<(Token, Range<usize>)> {
    let bytes = source.as_bytes();
    let mut found: Vec<(Token, Range<usize>)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins = at;
        let rest = &bytes[at..];
        let token = match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                Token::Other
            }
            b'(' | b'[' | b'{' => one(&mut at, Token::Open),
            b')' | b']' | b'}' => one(&mut at, Token::Close),
            b',' | b':' => one(&mut at, Token::Boundary),
            _ if [&b"=="[..], b"!=", b"<=", b">="].iter().any(|sign| rest.starts_with(sign)) => {
                at += 2;
                Token::Comparison
            }
            b'<' | b'>' => one(&mut at, Token::Comparison),
            byte if byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii() => {
                let is_in_word = |b: &u8| *b == b'_' || b.is_ascii_alphanumeric() || !b.is_ascii();
                at += rest.iter().take_while(|b| is_in_word(b)).count();
                // Behind a dot or a bar it is a name.
                let is_name = source[..begins].trim_end().ends_with(['.', '|']);
                match &source[begins..at] {
                    _ if is_name => Token::Other,
                    "and" | "or" | "if" | "else" | "is" => Token::Boundary,
                    "not" => Token::Not,
                    "in" => Token::In,
                    _ => Token::Other,
                }
            }
            _ => one(&mut at, Token::Other),
        };
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        // A character is never cut: all signs are ASCII, and a quote's text ends at one.
        while !source.is_char_boundary(at) {
            at += 1;
        }
        found.push((token, begins..at));
    }
    found
}

fn one(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_what_jinja_takes_for_them() {
        for (source, expected) in [
            ("a", "a"),
            ("a > 2", "((a)|__compare(\">\",(2)))"),
            ("a|length + 1 >= b.c and d", "((a|length+1)|__compare(\">=\",(b.c)))andd"),
            ("not a == 'x > y'", "not((a)|__compare(\"==\",('x > y')))"),
            ("a not in [1, 2]", "(not(a)|__compare(\"in\",([1,2])))"),
            (
                "(a < 2)|int + f(b > 3, c)",
                "(((a)|__compare(\"<\",(2))))|int+f(((b)|__compare(\">\",(3))),c)",
            ),
            ("a if b > 1 else c", "aif((b)|__compare(\">\",(1)))elsec"),
            ("a is divisibleby 3", "aisdivisibleby3"),
            ("x.in == row['>']", "((x.in)|__compare(\"==\",(row['>'])))"),
        ] {
            let written: String = rewritten(source).unwrap();
            let bare = |text: &str| {
                text.split('\'')
                    .enumerate()
                    .map(|(at, part)| match at % 2 {
                        0 => part.replace(' ', ""),
                        _ => part.to_owned(),
                    })
                    .collect::<Vec<_>>()
                    .join("'")
            };
            assert_eq!(bare(&written), expected, "{source}: {written}");
        }
        assert!(rewritten("1 < a < 3").is_err());
    }
}
