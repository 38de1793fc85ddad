//! What a file `.env` says. As in most readers a value needs quotes only for ` #` and line breaks, but
//! no variable stands for its value: whoever wrote a downloaded folder must not get at the environment
//! of whoever runs it.

use std::collections::HashMap;

use crate::error::UserError;
use crate::exit::Exit;

/// What a file says, and which of its lines say nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct DotEnv {
    pub(super) values: HashMap<String, String>,
    /// The lines that cannot be read, from 1.
    pub(super) unreadable: Vec<usize>,
}

/// How to write what can be read.
pub(super) const HOW: &str = "Write it as `NAME=value`, a value with ` #` in quotes";

impl DotEnv {
    /// Reads the bytes of a file. Fails where what cannot be read may be a setting. No error shows a
    /// line itself, which may hold a key.
    pub(super) fn parse(bytes: &[u8]) -> Result<DotEnv, UserError> {
        // Editors on Windows put a byte order mark before the first name.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        let mut read = DotEnv::default();
        let mut rest = &text[..];
        while !rest.is_empty() {
            let number = 1 + text[..text.len() - rest.len()].matches('\n').count();
            let entry = Entry::first_of(rest);
            let whole = &rest[..entry.bytes];
            match entry.kind {
                Kind::Nothing => {}
                Kind::Value(name, value) => drop(read.values.insert(name, value)),
                Kind::OpenQuote => {
                    let message =
                        format!("line {number} of .env opens a quote and does not close it");
                    return Err(UserError::new(Exit::Usage, message)
                        .cause("all lines below would be part of that value")
                        .hint("Close the quote, or put the value into quotes of the other kind"));
                }
                Kind::Unreadable
                    if whole.trim_end().contains('\n')
                        || whole.replace('\0', "").contains("DSET_") =>
                {
                    let message = format!("line {number} of .env cannot be read");
                    return Err(UserError::new(Exit::Usage, message)
                        .cause("a setting that is left out would change the run")
                        .hint(HOW));
                }
                Kind::Unreadable => read.unreadable.push(number),
            }
            rest = &rest[entry.bytes..];
        }
        Ok(read)
    }
}

/// What stands at the beginning of a text, with the end of its line.
struct Entry {
    kind: Kind,
    bytes: usize,
}

enum Kind {
    /// A comment, or blanks.
    Nothing,
    Value(String, String),
    OpenQuote,
    Unreadable,
}

impl Entry {
    fn first_of(text: &str) -> Entry {
        let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |at| from + at + 1);
        let ends = |kind, from| Entry { kind, bytes: line_end(from) };
        let line = text[..line_end(0)].trim();
        if line.is_empty() || line.starts_with('#') {
            return ends(Kind::Nothing, 0);
        }
        let bare = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
        let Some((name, _)) = bare.unwrap_or(line).split_once('=') else {
            return ends(Kind::Unreadable, 0);
        };
        let name = name.trim();
        let name = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name);
        if !is_name(name) {
            return ends(Kind::Unreadable, 0);
        }
        let equals = text.find('=').expect("it stands in the line") + 1;
        let after = text[equals..].trim_start_matches([' ', '\t']);
        let start = text.len() - after.len();
        let (value, end) = match after.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let Some(length) = quoted_bytes(&after[1..], quote) else {
                    return Entry { kind: Kind::OpenQuote, bytes: text.len() };
                };
                let end = start + length + 2;
                let behind = text[end..line_end(end)].trim();
                if !behind.is_empty() && !behind.starts_with('#') {
                    return ends(Kind::Unreadable, end);
                }
                (unescaped(&after[1..=length], quote), end)
            }
            _ => (without_comment(&text[start..line_end(start)]).to_owned(), start),
        };
        // Bytes that are no UTF-8.
        if value.contains(char::REPLACEMENT_CHARACTER) || value.contains('\0') {
            return ends(Kind::Unreadable, end);
        }
        ends(Kind::Value(name.to_owned(), value), end)
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_part)
}

/// Returns how long what stands before the closing quote is.
fn quoted_bytes(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if quote == '"' => is_escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// Single quotes are left as they stand.
fn unescaped(text: &str, quote: char) -> String {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', '"') => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(c @ ('\\' | '\'' | '"' | '$')) => value.push(c),
                other => {
                    value.push('\\');
                    value.extend(other);
                }
            },
            _ => value.push(c),
        }
    }
    value
}

fn without_comment(line: &str) -> &str {
    let is_comment =
        |(at, _): &(usize, &str)| line[..*at].ends_with(char::is_whitespace) || *at == 0;
    let comment = line.match_indices('#').find(is_comment);
    line[..comment.map_or(line.len(), |(at, _)| at)].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_original_script_read_it_and_names_of_variables_are_no_variables() {
        for (line, value) in [
            ("A=one", "one"),
            ("export A=one", "one"),
            (" A = one \r\n", "one"),
            ("A=one two # three", "one two"),
            ("A=one#two", "one#two"),
            ("A=#two", ""),
            ("A=", ""),
            ("A='x y' # z", "x y"),
            (r#"A="x \"y\"\n\$z\w" "#, "x \"y\"\n$z\\w"),
            (r"A='x\n\\y\'", r"x\n\\y\"),
            ("A=\"one\ntwo\"", "one\ntwo"),
            ("A=abc$HOME", "abc$HOME"),
            ("A=\"${HOME}\"", "${HOME}"),
            ("A=costs $5", "costs $5"),
            ("A=it's", "it's"),
            ("A=C:\\new", "C:\\new"),
            ("'A'=one", "one"),
            ("# DSET_X\n\nA=one=two", "one=two"),
            ("\u{feff}A=one", "one"),
            ("A=two\nA=one", "one"),
        ] {
            let read = DotEnv::parse(format!("{line}\n").as_bytes()).unwrap();
            assert!(read.unreadable.is_empty(), "{line}");
            assert_eq!(read.values, HashMap::from([("A".to_owned(), value.to_owned())]), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_stops_where_it_may_be_a_setting() {
        let read = DotEnv::parse(b"A x\nB=\"y\" z\nC=1\nD: 2\n\xff=1\nE=\xff\nF").unwrap();
        assert_eq!(read.unreadable, [1, 2, 4, 5, 6, 7]);
        assert_eq!(read.values.len(), 1);
        let utf16: Vec<u8> = "DSET_MAX_COST=5".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (text, message) in [
            (&b"A=1\nDSET_MAX_COST 5"[..], "line 2 of .env cannot be read"),
            (b"export DSET_MAX_COST='5' dollars", "line 1 of .env cannot be read"),
            (&utf16, "line 1 of .env cannot be read"),
            (b"\n\nA=\"it is\nB=5", "line 3 of .env opens a quote and does not close it"),
            (b"A=\"it is\nB=5\nC=\"x\"", "line 1 of .env cannot be read"),
        ] {
            let error = DotEnv::parse(text).unwrap_err();
            assert_eq!((&*error.message, error.exit), (message, Exit::Usage));
        }
    }
}
