//! How a quote within a quoted CSV field is written: doubled (RFC 4180) or escaped by a backslash.

use memchr::{memchr, memchr2};

/// How a quote within quotes is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quotes {
    /// Doubled, as RFC 4180 has it: `""`.
    #[default]
    Twice,
    /// With a backslash before it, as Spark and MySQL do; a backslash then too.
    Backslash,
}

impl Quotes {
    /// Returns where the quote is that closes a field which begins with one, or nothing.
    pub(super) fn end(self, field: &[u8]) -> Option<usize> {
        let mut at = 1;
        loop {
            at += match self {
                Quotes::Twice => memchr(b'"', field.get(at..)?)?,
                Quotes::Backslash => memchr2(b'"', b'\\', field.get(at..)?)?,
            };
            match (field[at], field.get(at + 1)) {
                (b'"', Some(b'"')) | (b'\\', _) => at += 2,
                _ => return Some(at),
            }
        }
    }

    /// Returns the text of a field between quotes.
    pub(super) fn decoded(self, field: &[u8], to: &mut Vec<u8>) {
        let end = self.end(field).unwrap_or(field.len());
        let mut rest = field.get(1..end).unwrap_or_default();
        while let Some(at) = memchr2(b'"', b'\\', rest) {
            to.extend_from_slice(&rest[..at]);
            // Before anything else a backslash is itself, as in LaTeX.
            let is_escape = matches!(
                (rest[at], rest.get(at + 1)),
                (b'"', Some(b'"')) | (b'\\', Some(b'"' | b'\\' | b'\n'))
            );
            rest = &rest[at + usize::from(is_escape)..];
            to.push(rest[0]);
            rest = &rest[1..];
        }
        to.extend_from_slice(rest);
        to.extend_from_slice(field.get(end + 1..).unwrap_or_default());
    }
}
