//! Removes the API key from what a service sends.
//!
//! Error replies quote the key that they refuse. What is written down of a reply goes through here
//! first, each text in one pass. A malicious service can always encode the key in a way that is not
//! recognised; this is about those that are not.

use std::collections::BTreeSet;

use dset_core::answer::ParsedReply;
use dset_core::provider::StreamParser;
use memchr::memmem::Finder;
use secrecy::{ExposeSecret, SecretString};

/// The least length of a secret: a shorter key occurs in any text at random.
const KEY_BYTES_MIN: usize = 4;
/// A key of this length occurs in no answer at random. A shorter one may: servers without keys are
/// given `EMPTY`, `ollama` or `test`, and an answer that was paid for must not lose those words.
const KEY_BYTES_DISTINCTIVE: usize = 16;
/// Characters of a key beside a mask from which they reveal something of it.
const LEFT_MIN: usize = 2;
/// What stands in the place of a key.
const REDACTED: &str = "***";

/// The forms in which a key is looked for.
pub(crate) struct KeyRedactor {
    /// As it is, in JSON, and in a URL; the longest first, because one may hold another.
    forms: Vec<SecretString>,
    /// As it is; empty where there is none to look for.
    key: SecretString,
    is_distinctive: bool,
}

impl KeyRedactor {
    pub(crate) fn new(key: Option<&SecretString>) -> KeyRedactor {
        let key = key.map(ExposeSecret::expose_secret).unwrap_or_default();
        if key.len() < KEY_BYTES_MIN {
            return KeyRedactor {
                forms: Vec::new(),
                key: String::new().into(),
                is_distinctive: false,
            };
        }
        let json = serde_json::Value::from(key).to_string();
        let json = json[1..json.len() - 1].to_owned();
        let slashes = json.replace('/', "\\/");
        let forms: BTreeSet<String> =
            [key.to_owned(), json, slashes, percent(key, true), percent(key, false)].into();
        let mut forms: Vec<SecretString> = forms.into_iter().map(SecretString::from).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose_secret().len()));
        KeyRedactor { forms, key: key.into(), is_distinctive: key.len() >= KEY_BYTES_DISTINCTIVE }
    }

    /// Takes a telling key out of headers.
    pub(crate) fn redact_headers(&self, headers: &mut [(String, String)]) {
        if self.is_distinctive {
            headers.iter_mut().for_each(|(_, value)| self.redact_text(value));
        }
    }

    /// Takes a telling key out of a reply all of which has come, before anything is read of it, so
    /// that none is cut in half where a long message is.
    pub(crate) fn redact_reply(&self, reply: &mut StreamParser) {
        if self.is_distinctive {
            let (texts, body) = reply.texts_mut();
            texts.for_each(|text| self.redact_text(text));
            self.redact_bytes(body);
        }
    }

    /// Redacts any key in the texts of a failure, where no paid answer can be damaged.
    pub(crate) fn redact_failure(&self, reading: &mut ParsedReply) {
        if let ParsedReply::Failure(failure) = reading {
            self.redact_text(&mut failure.message);
            self.redact_masked(&mut failure.message);
            failure.request_id.iter_mut().for_each(|id| self.redact_text(id));
        }
    }

    /// Takes a telling key out of a body all of which has come.
    pub(crate) fn redact_body(&self, body: &mut Vec<u8>) {
        if self.is_distinctive {
            self.redact_bytes(body);
            if let Ok(text) = str::from_utf8(body) {
                let mut text = text.to_owned();
                self.redact_masked(&mut text);
                *body = text.into_bytes();
            }
        }
    }

    /// Takes out what a service has left of the key beside stars or dots, as `sk-pr***QrSt`.
    fn redact_masked(&self, text: &mut String) {
        let key = self.key.expose_secret();
        let is_mask = |c: char| matches!(c, '*' | '•' | '…' | '.');
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || is_mask(c);
        let is_left = |word: &str| {
            let word = word.trim_end_matches('.');
            let (Some(from), Some(to)) = (word.find(is_mask), word.rfind(is_mask)) else {
                return false;
            };
            let mask_ends = to + word[to..].chars().next().map_or(0, char::len_utf8);
            let (head, mask, tail) = (&word[..from], &word[from..mask_ends], &word[mask_ends..]);
            (mask == "…" || mask.chars().count() > 1 && mask.chars().all(is_mask))
                && (head.len() >= LEFT_MIN && key.starts_with(head)
                    || tail.len() >= LEFT_MIN && key.ends_with(tail))
        };
        if !self.is_distinctive || !text.contains(is_mask) {
            return;
        }
        let mut left = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(from) = rest.find(in_word) {
            let (before, word) = rest.split_at(from);
            let (word, after) = word.split_at(word.find(|c| !in_word(c)).unwrap_or(word.len()));
            left += before;
            left += if is_left(word) { REDACTED } else { word };
            rest = after;
        }
        left += rest;
        *text = left;
    }

    fn redact_text(&self, text: &mut String) {
        for form in self.forms.iter().map(ExposeSecret::expose_secret) {
            if text.contains(form) {
                *text = text.replace(form, REDACTED);
            }
        }
    }

    fn redact_bytes(&self, bytes: &mut Vec<u8>) {
        for form in self.forms.iter().map(ExposeSecret::expose_secret) {
            let finder = Finder::new(form);
            let (mut kept, mut copied) = (Vec::new(), 0);
            for at in finder.find_iter(bytes) {
                kept.extend_from_slice(&bytes[copied..at]);
                kept.extend_from_slice(REDACTED.as_bytes());
                copied = at + form.len();
            }
            if copied > 0 {
                kept.extend_from_slice(&bytes[copied..]);
                *bytes = kept;
            }
        }
    }
}

/// Writes a text as URLs do, with hex digits in this case.
fn percent(text: &str, upper: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(byte.into());
            }
            _ if upper => encoded += &format!("%{byte:02X}"),
            _ => encoded += &format!("%{byte:02x}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use dset_core::answer::{Cause, Failure, FailureClass};

    use super::*;

    fn left(key: &str, body: &str) -> String {
        let mut reply = StreamParser::new(401, Vec::new());
        reply.push(body.as_bytes());
        KeyRedactor::new(Some(&key.into())).redact_reply(&mut reply);
        String::from_utf8(reply.body().to_vec()).unwrap()
    }

    #[test]
    fn a_key_is_found_in_every_form_and_nothing_else_is_touched() {
        let key = "k/+\"\\ey-0123456789";
        for (said, left_over) in [
            ("a k/+\"\\ey-0123456789 b", "a *** b"),
            (r#"k/+\"\\ey-0123456789"#, "***"),
            (r#"k\/+\"\\ey-0123456789"#, "***"),
            ("k%2F%2B%22%5Cey-0123456789 k%2f%2b%22%5cey-0123456789", "*** ***"),
            ("k/+\"\\ey-0123456789k/+\"\\ey-0123456789", "******"),
            ("k/+\"\\ey-012345678", "k/+\"\\ey-012345678"),
        ] {
            assert_eq!(left(key, said), left_over, "{said}");
        }
    }

    #[test]
    fn what_a_service_leaves_of_a_key_beside_stars_is_taken_out_too() {
        let key = "sk-proj-0123456789abcdefQrSt";
        for (said, left_over) in [
            (
                "Incorrect API key provided: sk-proj-********QrSt. See",
                "Incorrect API key provided: *** See",
            ),
            ("(sk-…)", "(***)"),
            ("****QrSt is wrong", "*** is wrong"),
            ("`sk-p...QrSt`", "`***`"),
            (
                "another sk-other****1234, and so on... sk-proj",
                "another sk-other****1234, and so on... sk-proj",
            ),
            ("größer • 1.5 **bold**", "größer • 1.5 **bold**"),
            ("ask sk.openai.com at 1.2.Q.St", "ask sk.openai.com at 1.2.Q.St"),
        ] {
            let mut text = said.to_owned();
            KeyRedactor::new(Some(&key.into())).redact_masked(&mut text);
            assert_eq!(text, left_over);
        }
    }

    #[test]
    fn a_key_in_a_stream_is_found_where_its_texts_are_joined() {
        let mut reply = StreamParser::new(200, Vec::new());
        for half in ["sk-0123456789", "abcdef"] {
            let chunk = serde_json::json!({ "choices": [{ "delta": { "content": half } }] });
            reply.push(format!("data: {chunk}\n\n").as_bytes());
        }
        reply.push(b"data: [DONE]\n\n");
        KeyRedactor::new(Some(&"sk-0123456789abcdef".into())).redact_reply(&mut reply);
        let ParsedReply::Answer(answer) = reply.finish() else { panic!("it is whole") };
        assert_eq!(answer.content, "***");
    }

    #[test]
    fn characters_that_show_nothing_do_not_hide_a_key_from_what_looks_for_it() {
        let key = SecretString::from("sk-0123456789abcdef");
        for hidden in ["sk-\u{200b}0123456789abcdef", "sk-0123\u{ad}456789ab\u{2060}cdef"] {
            let body = serde_json::json!({ "error": { "message": format!("key {hidden}") } });
            let mut reply = StreamParser::new(500, Vec::new());
            reply.push(body.to_string().as_bytes());
            let redactor = KeyRedactor::new(Some(&key));
            redactor.redact_reply(&mut reply);
            let mut reading = reply.finish();
            redactor.redact_failure(&mut reading);
            let ParsedReply::Failure(failure) = reading else { panic!("it is an error") };
            assert_eq!(failure.message, "key ***");
        }
    }

    #[test]
    fn a_key_that_is_a_word_is_taken_out_of_what_a_failure_says_alone() {
        assert_eq!(left("test", "a test"), "a test");
        let says = |message: &str| {
            ParsedReply::Failure(Failure {
                class: FailureClass::KeyRefused,
                cause: Cause::KeyRefused,
                status: Some(401),
                message: message.into(),
                wait: None,
                request_id: Some(message.into()),
                partial: None,
            })
        };
        for (key, left_over) in [("test", "no key ***"), ("no", "no key test"), ("", "no key test")]
        {
            let mut reading = says("no key test");
            KeyRedactor::new(Some(&key.into())).redact_failure(&mut reading);
            assert_eq!(reading, says(left_over), "{key}");
        }
    }
}
