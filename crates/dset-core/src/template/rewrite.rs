//! Operators that compare and multiply become calls of filters of our own, in an expression and in the code
//! of a template: Jinja takes a text and a number by their kinds, so that `level > 2` would hold for every
//! row of a CSV file and `level * 2` would be `66` for 6.

use std::ops::Range;

use super::comparison::{COMPARE, TIMES};
use super::placeholder::{code_end, end_of_raw, next_code, word};

/// What an expression is made of, as far as these operators are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// Ends an operand: `and`, a comma, and the like.
    Boundary,
    Not,
    Comparison,
    In,
    /// Between two operands: `+`, `-`, `~`.
    Additive,
    Times,
    /// `/`, `//`, `%`.
    Quotient,
    Other,
}

type Tokens<'t> = &'t [(Token, Range<usize>)];

/// Returns an expression that parses with its operators rewritten.
pub(super) fn expression(source: &str) -> String {
    let blanks = source.len() - source.trim_start().len();
    format!("{}{}", &source[..blanks], rewrite(source, &tokens(source)))
}

/// Returns a template that parses with the operators of its code rewritten.
pub(super) fn template(source: &str) -> String {
    let mut written = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(open) = next_code(source, at) {
        let inner = open + 2;
        written.push_str(&source[at..inner]);
        let close = match &source[open..inner] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end = match close {
            "#}" => source[inner..].find(close).map_or(source.len(), |end| inner + end),
            _ => code_end(source, inner, close),
        };
        let code = &source[inner..end];
        // Signs that take blanks away.
        let begins = usize::from(code.starts_with(['-', '+']));
        let ends = code.len() - usize::from(code.len() > begins && code.ends_with(['-', '+']));
        let bare = &code[begins..ends];
        written.push_str(&code[..begins]);
        match close {
            "}}" => written.push_str(&expression(bare)),
            "%}" => written.push_str(&statement(bare)),
            _ => written.push_str(bare),
        }
        written.push_str(&code[ends..]);
        at = end;
        if close == "%}" && word(code) == "raw" {
            (_, at) = end_of_raw(source, end + 2);
            written.push_str(&source[end..at]);
        }
    }
    written.push_str(&source[at..]);
    written
}

/// Rewrites a statement, without its marks.
fn statement(code: &str) -> String {
    let begins = code.len() - code.trim_start().len();
    let keyword = code[begins..].split(|sign: char| !sign.is_alphanumeric()).next();
    let keyword = keyword.unwrap_or_default();
    let head = begins + keyword.len();
    match keyword {
        "if" | "elif" | "set" | "with" | "do" => {
            format!("{}{}", &code[..head], expression(&code[head..]))
        }
        "for" => {
            let rest = &code[head..];
            let (rest, recursive) = match rest.trim_end().strip_suffix(" recursive") {
                Some(rest) => (rest, " recursive "),
                None => (rest, ""),
            };
            let tokens = tokens(rest);
            let place = tokens.iter().find(|(token, _)| *token == Token::In);
            let list = place.map_or(0, |(_, place)| place.end);
            format!("{}{}{}{recursive}", &code[..head], &rest[..list], expression(&rest[list..]))
        }
        _ => code.to_owned(),
    }
}

fn rewrite(source: &str, tokens: Tokens<'_>) -> String {
    let mut written = String::with_capacity(source.len() * 2);
    // An operand ends where its depth does.
    let mut at = 0;
    while at < tokens.len() {
        let mut end = operand_end(tokens, at);
        let mut left = operand(source, &tokens[at..end]);
        let mut pairs = Vec::new();
        while let Some((sign, is_negated, begins)) = operator(source, tokens, end) {
            end = operand_end(tokens, begins);
            let right = operand(source, &tokens[begins..end]);
            let not = if is_negated { "not " } else { "" };
            pairs.push(format!("({not}({left})|{COMPARE}(\"{sign}\", ({right})))"));
            left = right;
        }
        match pairs.as_slice() {
            [] => written.push_str(&left),
            [one] => written.push_str(&format!(" {one} ")),
            all => written.push_str(&format!(" ({}) ", all.join(" and "))),
        }
        if let Some((_, place)) = tokens.get(end) {
            written.push(' ');
            written.push_str(&source[place.clone()]);
            written.push(' ');
        }
        at = end + 1;
    }
    written
}

/// Returns the comparison at a place: its sign, whether it is negated, and where its right side begins.
fn operator<'s>(source: &'s str, tokens: Tokens<'_>, at: usize) -> Option<(&'s str, bool, usize)> {
    let (token, place) = tokens.get(at)?;
    match token {
        Token::Comparison => Some((source[place.clone()].trim_end(), false, at + 1)),
        Token::In => Some(("in", false, at + 1)),
        Token::Not if matches!(tokens.get(at + 1), Some((Token::In, _))) => {
            Some(("in", true, at + 2))
        }
        _ => None,
    }
}

/// Returns the place behind an operand: that of a token of its own depth that ends it.
fn operand_end(tokens: Tokens<'_>, begins: usize) -> usize {
    let ends =
        |token| matches!(token, Token::Boundary | Token::Not | Token::Comparison | Token::In);
    next_of(tokens, begins, ends).unwrap_or(tokens.len())
}

/// Finds a token outside of brackets.
fn next_of(tokens: Tokens<'_>, from: usize, is_it: impl Fn(Token) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, (token, _)) in tokens.iter().enumerate().skip(from) {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            token if depth == 0 && is_it(*token) => return Some(at),
            _ => {}
        }
    }
    None
}

/// Writes an operand of a comparison: terms with signs between them.
fn operand(source: &str, tokens: Tokens<'_>) -> String {
    let mut written = String::new();
    let mut at = 0;
    loop {
        let end = next_of(tokens, at, |token| token == Token::Additive);
        written.push_str(&term(source, &tokens[at..end.unwrap_or(tokens.len())]));
        let Some(end) = end else { return written };
        written.push_str(&source[tokens[end].1.clone()]);
        at = end + 1;
    }
}

/// Writes a term: factors, of which each is taken with all before it.
fn term(source: &str, tokens: Tokens<'_>) -> String {
    if next_of(tokens, 0, |token| token == Token::Times).is_none() {
        return factor(source, tokens);
    }
    let is_sign = |token| matches!(token, Token::Times | Token::Quotient);
    let mut end = next_of(tokens, 0, is_sign).unwrap_or(tokens.len());
    let mut written = factor(source, &tokens[..end]);
    while let Some((token, place)) = tokens.get(end) {
        let begins = end + 1;
        end = next_of(tokens, begins, is_sign).unwrap_or(tokens.len());
        let right = factor(source, &tokens[begins..end]);
        written = match token {
            Token::Times => format!("(({written})|{TIMES}(({right})))"),
            _ => format!("({written} {} {right})", source[place.clone()].trim_end()),
        };
    }
    written
}

/// Writes a factor, with what lies in its brackets rewritten.
fn factor(source: &str, tokens: Tokens<'_>) -> String {
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
        written.push_str(&rewrite(source, &tokens[at..close]));
        at = close;
    }
    written
}

/// Splits an expression; blanks go with what stands before them.
fn tokens(source: &str) -> Vec<(Token, Range<usize>)> {
    let bytes = source.as_bytes();
    let mut found: Vec<(Token, Range<usize>)> = Vec::new();
    let mut at = source.len() - source.trim_start().len();
    let mut has_left = false;
    // Behind `is` stands the name of a test.
    let mut is_test = false;
    while at < bytes.len() {
        let begins = at;
        let rest = &bytes[at..];
        let starts = |signs: &[&[u8]]| signs.iter().any(|sign| rest.starts_with(sign));
        let (token, length) = match bytes[at] {
            b'"' | b'\'' => (Token::Other, quoted(rest)),
            b'(' | b'[' | b'{' => (Token::Open, 1),
            b')' | b']' | b'}' => (Token::Close, 1),
            b',' | b':' => (Token::Boundary, 1),
            _ if starts(&[b"==", b"!=", b"<=", b">="]) => (Token::Comparison, 2),
            b'<' | b'>' => (Token::Comparison, 1),
            b'=' => (Token::Boundary, 1),
            _ if starts(&[b"**"]) => (Token::Other, 2),
            b'*' if has_left => (Token::Times, 1),
            b'+' | b'-' if has_left => (Token::Additive, 1),
            b'~' => (Token::Additive, 1),
            _ if starts(&[b"//"]) => (Token::Quotient, 2),
            b'/' | b'%' => (Token::Quotient, 1),
            byte if byte.is_ascii_digit() => (Token::Other, number(rest)),
            byte if is_in_word(byte) => {
                let length = rest.iter().take_while(|byte| is_in_word(**byte)).count();
                // Behind a dot or a bar it is a name.
                let is_name = is_test || source[..begins].trim_end().ends_with(['.', '|']);
                let token = match &source[begins..begins + length] {
                    _ if is_name => Token::Other,
                    "and" | "or" | "if" | "else" => Token::Boundary,
                    "not" => Token::Not,
                    "in" => Token::In,
                    _ => Token::Other,
                };
                (token, length)
            }
            _ => (Token::Other, 1),
        };
        at += length;
        let text = &source[begins..at];
        is_test = match text {
            "is" => !is_test && has_left,
            "not" => is_test,
            _ => false,
        };
        let ends_operand = text
            .bytes()
            .last()
            .is_some_and(|byte| is_in_word(byte) || byte == b'"' || byte == b'\'');
        has_left = token == Token::Close || token == Token::Other && ends_operand;
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        found.push((token, begins..at));
    }
    found
}

fn is_in_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Returns the length of a text in quotes.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != rest[0] {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Returns the length of a number: `1_000`, `1.5`, `1e-5`, `0xff`.
fn number(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        let is_digit_next = rest.get(at + 1).is_some_and(u8::is_ascii_digit);
        let is_power = at > 0 && matches!(rest[at - 1], b'e' | b'E') && !rest.starts_with(b"0x");
        match byte {
            b'.' if is_digit_next => {}
            b'+' | b'-' if is_power && is_digit_next => {}
            byte if is_in_word(byte) => {}
            _ => break,
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(text: &str) -> String {
        let parts = text.split('\'').enumerate();
        let bare = parts.map(|(at, part)| match at % 2 {
            0 => part.replace(' ', ""),
            _ => part.to_owned(),
        });
        bare.collect::<Vec<_>>().join("'")
    }

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
            ("a is not in [1] and b is not none", "aisnotin[1]andbisnotnone"),
            ("a > b is even", "((a)|__compare(\">\",(biseven)))"),
            ("x.in == row['>']", "((x.in)|__compare(\"==\",(row['>'])))"),
            ("1 < a <= 3", "(((1)|__compare(\"<\",(a)))and((a)|__compare(\"<=\",(3))))"),
            ("a * 2 > b", "((((a)|__times((2))))|__compare(\">\",(b)))"),
            ("-a * -b + c / d * 2", "((-a)|__times((-b)))+(((c/d))|__times((2)))"),
            ("a ** 2 * 1e-5", "((a**2)|__times((1e-5)))"),
            ("f(*xs, k=a > 1)", "f(*xs,k=((a)|__compare(\">\",(1))))"),
            ("'é' * n|int ~ x", "(('é')|__times((n|int)))~x"),
        ] {
            let written = bare(&expression(source));
            assert_eq!(written, expected, "{source}");
        }
    }

    #[test]
    fn only_the_code_of_a_template_is_rewritten() {
        for (source, expected) in [
            ("a > b {{ x }} 2 * 3", "a > b {{ x }} 2 * 3"),
            ("{{- a * 2 -}}", "{{- ((a )|__times((2 )))-}}"),
            (
                "{# a > b #}{% raw %}{{ a > b }}{% endraw %}{{ c }}",
                "{# a > b #}{% raw %}{{ a > b }}{% endraw %}{{ c }}",
            ),
            (
                "{% if a > 1 %}x{% elif not a %}y{% endif %}",
                "{% if ((a )|__compare(\">\", (1 ))) %}x{% elif not a %}y{% endif %}",
            ),
            (
                "{% for x in xs if x > 1 %}{% endfor %}",
                "{% for x in xs if ((x )|__compare(\">\", (1 ))) %}{% endfor %}",
            ),
            ("{%- set n = a * 2 -%}", "{%- set n = ((a )|__times((2 )))-%}"),
            ("{% set t %}a > b{% endset %}", "{% set t %}a > b{% endset %}"),
        ] {
            let written = template(source);
            let written = written.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(written, expected, "{source}");
        }
    }
}
