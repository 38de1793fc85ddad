//! Finds what is meant to be filled with a column and would be sent as it stands: the placeholders
//! of other template languages (`{question}`, `$question`, `%s`), and braces that are read as code.
//!
//! Only what Jinja sends as text is judged, and only where it names a column without doubt: prose,
//! prices, LaTeX and JSON are sent. `{% raw %}` says that something is meant as it stands.

/// Something that would be sent as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// Its line, from 1.
    pub(super) line: usize,
    /// As it is written.
    pub(super) text: String,
    /// The column that it means; absent for `%s`.
    pub(super) column: Option<String>,
}

/// The longest name of a column between braces that is looked for.
const NAME_MAX: usize = 200;

/// Returns true if Jinja reads anything in a text: without that, it is sent byte for byte.
#[must_use]
pub fn has_code(source: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| source.contains(mark))
}

/// Finds the first placeholder for one of these columns; `%s` counts where `uses_field` is false. A
/// text without code is looked at as a whole, and a template is one that parses.
pub(super) fn placeholder(
    source: &str,
    columns: &[String],
    uses_field: bool,
) -> Option<Placeholder> {
    let names = Names(columns);
    for part in parts(source).into_iter().filter(|part| part.kind == Kind::Text) {
        for (at, sign) in part.text.char_indices() {
            let (before, rest) = part.text.split_at(at);
            let found = match sign {
                '{' | '｛' => braced(before, rest, &names),
                '$' => dollar(before, rest, &names),
                '%' => percent(before, rest, &names, uses_field),
                '<' => doubled(rest, "<<", ">>", &names),
                '[' => doubled(rest, "[[", "]]", &names),
                _ => None,
            };
            if let Some((length, column)) = found {
                let line = line_of(source, part.at + at);
                return Some(Placeholder { line, text: rest[..length].to_owned(), column });
            }
        }
    }
    None
}

/// Finds code that prints a number, or the name of a column instead of the column: `x^{{2}}`, `{{
/// 'topic' }}`. The author means the braces, or the column.
pub(super) fn constant(source: &str, columns: &[String]) -> Option<Placeholder> {
    let quoted = |code: &str| {
        let inner = code.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
        Names(columns).column(inner)
    };
    parts(source).into_iter().filter(|part| part.kind == Kind::Print).find_map(|part| {
        let code = part.text.trim_matches(['-', '+']).trim();
        let column = quoted(code);
        // `nan` and `inf` are names.
        let begins = code.starts_with(|sign: char| sign.is_ascii_digit() || sign == '.');
        let is_number = begins && code.parse::<f64>().is_ok();
        let text = format!("{{{{{}}}}}", part.text);
        let line = line_of(source, part.at);
        (is_number || column.is_some()).then_some(Placeholder { line, text, column })
    })
}

fn line_of(source: &str, at: usize) -> usize {
    source[..at].matches('\n').count() + 1
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sent as it stands.
    Text,
    /// What stands between `{{` and `}}`.
    Print,
    /// Meant to be sent as it stands.
    Raw,
}

struct Part<'a> {
    kind: Kind,
    at: usize,
    text: &'a str,
}

/// Splits a template that parses; statements and comments are left out.
fn parts(source: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut push = |kind, from: usize, to: usize| {
        parts.push(Part { kind, at: from, text: &source[from..to] });
    };
    while let Some(open) = next_code(source, at) {
        push(Kind::Text, at, open);
        let inner = open + 2;
        let (kind, end) = match &source[open..inner] {
            "{{" => (Some(Kind::Print), code_end(source, inner, "}}")),
            "{%" => (None, code_end(source, inner, "%}")),
            _ => (None, source[inner..].find("#}").map_or(source.len(), |end| inner + end)),
        };
        if let Some(kind) = kind {
            push(kind, inner, end);
        }
        let is_raw = &source[open..inner] == "{%" && word(&source[inner..end]) == "raw";
        at = (end + 2).min(source.len());
        if is_raw {
            let (from, to) = end_of_raw(source, at);
            push(Kind::Raw, at, from);
            at = to;
        }
    }
    push(Kind::Text, at, source.len());
    parts
}

pub(super) fn next_code(source: &str, from: usize) -> Option<usize> {
    let found = ["{{", "{%", "{#"].iter().filter_map(|mark| source[from..].find(mark));
    found.min().map(|at| from + at)
}

/// The word of a statement, without the signs that take blanks away.
pub(super) fn word(code: &str) -> &str {
    code.trim_matches(['-', '+']).trim()
}

/// Where code ends: at this mark, outside of quotes.
pub(super) fn code_end(source: &str, from: usize, mark: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, sign) in source[from..].char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if sign == '\\' => escaped = true,
            Some(open) if sign == open => quote = None,
            Some(_) => {}
            None if source[from + at..].starts_with(mark) => return from + at,
            None if sign == '"' || sign == '\'' => quote = Some(sign),
            None => {}
        }
    }
    source.len()
}

/// Where a raw part ends, and what follows it begins.
pub(super) fn end_of_raw(source: &str, from: usize) -> (usize, usize) {
    let mut at = from;
    while let Some(open) = source[at..].find("{%").map(|found| at + found) {
        let end = source[open..].find("%}").map_or(source.len(), |end| open + end);
        if word(&source[open + 2..end]) == "endraw" {
            return (open, (end + 2).min(source.len()));
        }
        at = open + 2;
    }
    (source.len(), source.len())
}

/// The columns, and how people write them.
struct Names<'a>(&'a [String]);

impl Names<'_> {
    /// The column that these words name, whatever the case, and with blanks, hyphens and
    /// underscores taken for each other.
    fn column(&self, words: &str) -> Option<String> {
        let words = words.trim();
        let exact = self.0.iter().find(|name| *name == words);
        let is_word = |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '-' | ' ');
        let plain = plain(words);
        let near = || self.0.iter().find(|name| self::plain(name) == plain);
        let found = exact.or_else(|| words.chars().all(is_word).then(near).flatten());
        // `{5}` and `$5` are no columns, whatever a header says.
        found.filter(|name| name.chars().any(char::is_alphabetic)).cloned()
    }
}

fn plain(name: &str) -> String {
    let sign = |sign: char| if sign.is_alphanumeric() { sign } else { '_' };
    name.to_lowercase().chars().map(sign).collect::<String>().trim_matches('_').to_owned()
}

type Found = Option<(usize, Option<String>)>;

/// `{question}`, `{ question }`, `{question!r}`, `{question:>8}`, `{row['question']}`, and what
/// `${question}`, `#{question}` and `{{question}` have in common with them.
fn braced(before: &str, rest: &str, names: &Names<'_>) -> Found {
    let open = rest.chars().next()?.len_utf8();
    let close = rest[open..].find(['}', '｝']).filter(|length| *length <= NAME_MAX)?;
    let inner = &rest[open..open + close];
    if inner.contains('\n') || is_argument_of_latex(before) {
        return None;
    }
    let column = names.column(inner).or_else(|| of_format(inner, names))?;
    let length = open + close + rest[open + close..].chars().next()?.len_utf8();
    Some((length, Some(column)))
}

/// `\boxed{answer}`, `x_{n}`, `\frac{a}{n}`, `\sqrt[3]{n}`: braces that LaTeX puts around anything.
fn is_argument_of_latex(before: &str) -> bool {
    let group = |open, close: char| {
        let inner = before.strip_suffix(close)?;
        inner.rfind(open).map(|at| is_argument_of_latex(&inner[..at]))
    };
    if before.ends_with('\\') || group('{', '}') == Some(true) || group('[', ']') == Some(true) {
        return true;
    }
    match before.strip_suffix(['_', '^']) {
        Some(base) => {
            let word = trailing(base, char::is_alphanumeric);
            let is_digits = word.chars().all(|sign| sign.is_ascii_digit());
            is_digits || word.chars().count() == 1 || is_command(base)
        }
        None => is_command(before),
    }
}

/// Returns true if a text ends with a command like `\boxed`.
fn is_command(text: &str) -> bool {
    let word = trailing(text, |sign| sign.is_ascii_alphabetic());
    !word.is_empty() && text[..text.len() - word.len()].ends_with('\\')
}

fn trailing(text: &str, is_of_it: fn(char) -> bool) -> &str {
    &text[text.trim_end_matches(is_of_it).len()..]
}

/// What Python's `format` takes behind and around a name.
fn of_format(inner: &str, names: &Names<'_>) -> Option<String> {
    if let Some((name, spec)) = inner.split_once(['!', ':']) {
        let is_spec = |sign: char| sign.is_ascii_digit() || "<>=^+-#.,_:%!".contains(sign);
        let spec = spec.trim_end_matches(|sign: char| sign.is_ascii_alphabetic());
        let letters = inner.len() - name.len() - 1 - spec.len();
        return names.column(name).filter(|_| letters <= 1 && spec.chars().all(is_spec));
    }
    let begins = |text: &str| text.starts_with(|sign: char| sign.is_alphabetic() || sign == '_');
    let is_name =
        |text: &str| begins(text) && text.chars().all(|s| s.is_alphanumeric() || s == '_');
    if let Some((of, key)) = inner.strip_suffix(']').and_then(|inner| inner.split_once('[')) {
        return names.column(key.trim_matches(['\'', '"'])).filter(|_| is_name(of.trim()));
    }
    let (of, name) = inner.split_once('.')?;
    names.column(name).filter(|_| is_name(of.trim()) && is_name(name.trim()))
}

/// `$question`. A letter alone is mathematics, and a word in capitals a variable of the shell.
fn dollar(before: &str, rest: &str, names: &Names<'_>) -> Found {
    if before.ends_with(|sign: char| sign.is_alphanumeric() || sign == '\\' || sign == '$') {
        return None;
    }
    let name = identifier(&rest[1..]);
    let column = names.column(name)?;
    let is_shouted = name != column && !name.chars().any(char::is_lowercase);
    let is_shell = is_shouted && column != "question";
    (name.chars().count() > 1 && !is_shell).then_some((1 + name.len(), Some(column)))
}

/// `%(question)s`, `%question%` and, where no column is used, `%s`.
fn percent(before: &str, rest: &str, names: &Names<'_>, uses_field: bool) -> Found {
    if before.ends_with(|sign: char| sign.is_alphanumeric() || sign == '%') {
        return None;
    }
    let rest = &rest[1..];
    if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        let column = names.column(name)?;
        return after.starts_with(['s', 'd', 'r']).then_some((name.len() + 4, Some(column)));
    }
    let name = identifier(rest);
    if rest[name.len()..].starts_with('%') {
        return names.column(name).map(|column| (name.len() + 2, Some(column)));
    }
    (name == "s" && !uses_field).then_some((2, None))
}

/// Finds a name within doubled marks: `<<question>>`, `[[question]]`.
fn doubled(rest: &str, open: &str, close: &str, names: &Names<'_>) -> Found {
    let (inner, _) = rest.strip_prefix(open)?.split_once(close)?;
    if inner.len() > NAME_MAX {
        return None;
    }
    names.column(inner).map(|column| (inner.len() + 4, Some(column)))
}

fn identifier(text: &str) -> &str {
    let end = text.find(|sign: char| !(sign.is_alphanumeric() || sign == '_'));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<String> {
        let names = ["question", "topic", "Final grade", "answer", "n", "path", "5", "问题"];
        names.map(str::to_owned).into()
    }

    fn found(source: &str) -> Option<(String, Option<String>)> {
        let uses_field = source.contains("{{ question }}");
        placeholder(source, &columns(), uses_field).map(|found| (found.text, found.column))
    }

    #[test]
    fn what_names_a_column_in_another_language_than_jinja_is_a_placeholder() {
        for (source, text, column) in [
            ("Answer: {question}", "{question}", "question"),
            ("{{ question }} about { topic }", "{ topic }", "topic"),
            ("{Question}", "{Question}", "question"),
            ("{TOPIC}", "{TOPIC}", "topic"),
            ("{final_grade}", "{final_grade}", "Final grade"),
            ("{Final grade}", "{Final grade}", "Final grade"),
            ("{question}}", "{question}", "question"),
            ("${question}", "{question}", "question"),
            ("#{question}", "{question}", "question"),
            ("%{topic}", "{topic}", "topic"),
            ("{question!r}", "{question!r}", "question"),
            ("{question:>20s}", "{question:>20s}", "question"),
            ("{row['question']}", "{row['question']}", "question"),
            ("{row[topic]}", "{row[topic]}", "topic"),
            ("{item.topic}", "{item.topic}", "topic"),
            ("｛question｝", "｛question｝", "question"),
            ("｛｛ question ｝｝", "｛ question ｝", "question"),
            ("{问题}", "{问题}", "问题"),
            ("{n} + 1", "{n}", "n"),
            ("Answer $question.", "$question", "question"),
            ("$QUESTION", "$QUESTION", "question"),
            ("{{ question }} $topic", "$topic", "topic"),
            ("%(question)s", "%(question)s", "question"),
            ("%question%", "%question%", "question"),
            ("[INST]{question}[/INST]", "{question}", "question"),
            ("{unknown}{topic}", "{topic}", "topic"),
            ("item_{topic}", "{topic}", "topic"),
            ("<<question>>", "<<question>>", "question"),
            ("[[ topic ]]", "[[ topic ]]", "topic"),
            ("{{ question }} {% raw %}{topic}{% endraw %} {topic}", "{topic}", "topic"),
            ("{{ '}}' ~ question }}{topic}", "{topic}", "topic"),
        ] {
            let expected = Some((text.to_owned(), Some(column.to_owned())));
            assert_eq!(found(source), expected, "{source}");
        }
        assert_eq!(found("Answer: %s"), Some(("%s".to_owned(), None)));
        assert_eq!(found("\"%s\""), Some(("%s".to_owned(), None)));
        let placed = placeholder("a\nb\n {topic}", &columns(), true).unwrap();
        assert_eq!(placed.line, 3);
    }

    #[test]
    fn prose_prices_latex_json_and_code_are_no_placeholders() {
        for source in [
            "",
            "{{ question }}",
            "{{ question }} costs $5, {5} or 100%, 50% so",
            "{{ question }} in the style of printf(\"%s\")",
            "Reply as {\"question\": \"…\", \"answer\": {\"n\": 1}}",
            "Reply as {question: string, answer: string}",
            "Reply as {answer: 42, topic}",
            "Put it in \\boxed{answer}, x_{n}, x^{n}, 10^{n}, \\sum_{n}^{n}",
            "\\frac{1}{n}, \\sqrt[3]{n}, \\{n\\}",
            "$n$ and $x_n$ and $\\topic$",
            "US$question \\$topic $$topic $PATH $topics $question_id",
            "<question>{{ question }}</question> [topic] <topic>",
            "{unknown} {topics} {} {0} { }",
            "{% raw %}{question} $topic %s{% endraw %}",
            "{%- raw -%}{question}{%- endraw -%}",
            "{# {question} #}{{ question }}",
            "{{ '{question}' }}{{ question }}",
            "100%sure, 5%s, %%s",
            "{question\n}",
        ] {
            assert_eq!(found(source), None, "{source}");
        }
    }

    #[test]
    fn code_that_prints_a_number_or_the_name_of_a_column_is_not_meant_as_code() {
        for (source, text, column) in [
            ("x^{{2}} {{ question }}", "{{2}}", None),
            ("{{ 'topic' }}{{ question }}", "{{ 'topic' }}", Some("topic")),
            ("{{- \"Topic\" -}}", "{{- \"Topic\" -}}", Some("topic")),
        ] {
            let found = constant(source, &columns()).expect(source);
            assert_eq!((found.text.as_str(), found.column.as_deref()), (text, column));
        }
        for source in
            ["{{ '{{' }}", "{{ question }}", "{{ 'a' ~ topic }}", "{% raw %}{{2}}{% endraw %}"]
        {
            assert_eq!(constant(source, &columns()), None, "{source}");
        }
    }
}
