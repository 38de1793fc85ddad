//! From bytes to meaning: one tolerant reader for every service.

use std::borrow::Cow;

use super::document::Draft;
use super::error;
use super::json::mended;
use super::judge::transient;
use super::stream::{StreamReading, is_events};
use crate::answer::{Failure, FailureClass, Reading};
use crate::reply::{Broken, HttpReply};

/// Reads a whole reply. Never fails: what cannot be read is a failure worth another try.
#[must_use]
pub fn read(reply: &HttpReply) -> Reading {
    if !is_events(reply) {
        return read_whole(reply, None);
    }
    // A stream that nobody asked for is an answer all the same.
    let mut stream = StreamReading::new(reply.status, reply.headers.clone());
    stream.push(&reply.body);
    stream.finish()
}

/// Reads a reply that is no stream, of an answer that may have so many tokens.
pub(super) fn read_whole(reply: &HttpReply, limit: Option<u64>) -> Reading {
    if !(200..300).contains(&reply.status) {
        return Reading::Failure(error::read(reply, None));
    }
    let text = text_of(&reply.body);
    let text = trimmed(&text);
    if text.is_empty() {
        return transient(reply, "blank reply", "the reply had no content".into(), None);
    }
    let mut draft = Draft::default();
    let Err(first) = read_document(&mut draft, text) else {
        if let Some(failure) = draft.failure(reply) {
            return Reading::Failure(failure);
        }
        if !draft.has_answer() {
            if let Some(body) =
                error::parse(text).filter(|body| error::find_in_good(body).is_some())
            {
                return Reading::Failure(error::read(reply, Some(&body)));
            }
            let message = "the reply held no answer".to_owned();
            return transient(reply, "unreadable reply", message, None);
        }
        return draft.judge(reply, limit);
    };
    match error::parse(&mended(text).unwrap_or_else(|| text.to_owned())) {
        Some(value) if error::find(&value).is_some() => {
            Reading::Failure(error::read(reply, Some(&value)))
        }
        _ if text.starts_with('<') => {
            let page = error::plain(text);
            transient(reply, "unreadable reply", format!("a page of HTML: {page}"), None)
        }
        _ => {
            let message = format!("not the JSON of an answer: {first}");
            transient(reply, "unreadable reply", message, None)
        }
    }
}

/// Reads a reply that is no stream and did not end as it should: an answer all the same where the
/// document came to its end, and the model as well.
pub(super) fn read_untidy(reply: &HttpReply, limit: Option<u64>) -> Option<Reading> {
    let text = text_of(&reply.body);
    let mut draft = Draft::default();
    read_document(&mut draft, trimmed(&text)).ok()?;
    let is_whole = draft.has_reason() && draft.failure(reply).is_none();
    is_whole.then(|| draft.judge(reply, limit))
}

/// The strict reading first: it is ten times as fast as the lossy one.
pub(super) fn text_of(body: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

/// Reads one document, if need be without what JSON readers refuse in it.
pub(super) fn read_document(draft: &mut Draft, text: &str) -> Result<(), serde_json::Error> {
    draft.read(text).or_else(|first| match mended(text) {
        Some(mended) => draft.read(&mended).map_err(|_| first),
        None => Err(first),
    })
}

/// Reads the way no whole reply came.
#[must_use]
pub fn read_broken(broken: &Broken) -> Failure {
    let (cause, message) = match broken {
        Broken::Connect(detail) => ("connection failed", detail.clone()),
        Broken::Reset(detail) => ("connection lost", detail.clone()),
        Broken::Cut(detail) | Broken::Garbled(detail) => ("reply cut off", detail.clone()),
        Broken::TimedOut(after) => {
            ("timed out", format!("no whole reply within {} s", after.as_secs_f64()))
        }
        Broken::Silent(after) => (
            "stream fell silent",
            format!("not a word of the answer for {} s", after.as_secs_f64()),
        ),
        Broken::TooLarge => ("reply too large", "the reply is larger than any answer".to_owned()),
    };
    Failure {
        class: FailureClass::Transient,
        cause,
        status: None,
        message: error::printable(&message),
        wait: None,
        request_id: None,
        partial: None,
    }
}

#[cfg(test)]
pub(super) mod tests;
