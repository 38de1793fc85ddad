//! From bytes to meaning: one tolerant reader for every service.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::answer_builder::AnswerBuilder;
use crate::answer::{Cause, Failure, FailureClass, ParsedReply, Refusal};
use crate::provider::failure::{error, other_apis, page};
use crate::provider::lenient_json::{join_halves, mended};
use crate::provider::reply::{HttpReply, REPLY_BYTES_MAX, TransportError};
use crate::provider::response::finish_reason::transient;
use crate::provider::stream::{StreamParser, is_events};

/// Reads a whole reply. Never fails: what cannot be read is a failure worth another try.
#[must_use]
pub fn parse_reply(reply: &HttpReply) -> ParsedReply {
    if !is_events(reply) {
        return read_whole(reply, None);
    }
    // A stream that was not asked for is an answer all the same.
    let mut stream = StreamParser::new(reply.status, reply.headers.clone());
    stream.push(&reply.body);
    stream.finish()
}

/// Reads a reply that is no stream; `limit` is the token limit of its request.
pub(crate) fn read_whole(reply: &HttpReply, limit: Option<u64>) -> ParsedReply {
    if !(200..300).contains(&reply.status) {
        return ParsedReply::Failure(error::read(reply, None));
    }
    let text = text_of(&reply.body);
    let text = trimmed(&text);
    if text.is_empty() {
        return transient(reply, Cause::Blank, "the reply had no content".into(), None);
    }
    let mut draft = AnswerBuilder::default();
    let Err(first) = read_document(&mut draft, text) else {
        draft.join_halves();
        draft.is_one_piece();
        if let Some(failure) = draft.failure(reply) {
            return ParsedReply::Failure(failure);
        }
        if !draft.has_answer() {
            if let Some(body) =
                error::parse(text).filter(|body| error::find_in_good(body).is_some())
            {
                return ParsedReply::Failure(error::read(reply, Some(&body)));
            }
            return other_apis::judge(reply, text, None);
        }
        return draft.build(reply, limit);
    };
    if let Some(reading) = read_beginning(reply, text, limit) {
        return reading;
    }
    let mut tidy = mended(text).unwrap_or_else(|| text.to_owned());
    join_halves(&mut tidy);
    match error::parse(&tidy) {
        Some(value) if error::find(&value).is_some() => {
            ParsedReply::Failure(error::read(reply, Some(&value)))
        }
        _ if text.starts_with('<') => ParsedReply::Failure(page::read_page(reply, text)),
        _ if first_document(text) => other_apis::judge(reply, text, None),
        _ => {
            let began: String = text.chars().take(BEGAN_CHARS_MAX).collect();
            let message = format!("not the JSON of an answer ({first}): {began}");
            transient(reply, Cause::Unreadable, message, None)
        }
    }
}

/// How many characters of an unreadable reply are quoted.
const BEGAN_CHARS_MAX: usize = 300;

/// Returns true if a text that is not one document begins with a line that is.
fn first_document(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    line.starts_with(['{', '[']) && error::parse(line).is_some()
}

/// Reads an answer behind which a proxy has put words of its own.
fn read_beginning(reply: &HttpReply, text: &str, limit: Option<u64>) -> Option<ParsedReply> {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    documents.next()?.ok()?;
    let (first, rest) = text.split_at(documents.byte_offset());
    let mut draft = AnswerBuilder::default();
    draft.read(first).ok()?;
    // Another document would be another API's.
    let is_answer = !rest.trim_start().starts_with(['{', '['])
        && draft.has_reason()
        && draft.has_answer()
        && draft.failure(reply).is_none();
    is_answer.then(|| draft.build(reply, limit))
}

/// Reads a reply that is no stream and did not end as it should: an answer all the same where the
/// document came to its end, and the model as well.
pub(crate) fn read_untidy(reply: &HttpReply, limit: Option<u64>) -> Option<ParsedReply> {
    let text = text_of(&reply.body);
    let mut draft = AnswerBuilder::default();
    read_document(&mut draft, trimmed(&text)).ok()?;
    draft.join_halves();
    let is_whole = draft.has_reason() && draft.failure(reply).is_none();
    is_whole.then(|| draft.build(reply, limit))
}

/// The strict reading first: it is ten times as fast as the lossy one.
pub(crate) fn text_of(body: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

/// Reads one document, if need be without what JSON readers refuse in it.
pub(crate) fn read_document(
    draft: &mut AnswerBuilder,
    text: &str,
) -> Result<(), serde_json::Error> {
    draft.read(text).or_else(|first| match mended(text) {
        Some(mended) => draft.read_mended(&mended).map_err(|_| first),
        None => Err(first),
    })
}

/// Reads the way no whole reply came.
#[must_use]
pub fn classify_transport_error(broken: &TransportError) -> Failure {
    let (cause, message) = match broken {
        TransportError::Connect(detail) => (Cause::ConnectionFailed, detail.clone()),
        TransportError::Foreign(detail) => (Cause::WrongProtocol, detail.clone()),
        TransportError::NotHttp(detail) => (Cause::NotHttp, detail.clone()),
        TransportError::ProxyRefused(407, detail) => (Cause::ProxyLogin, detail.clone()),
        TransportError::ProxyRefused(status, detail) if is_of_proxy(*status) => {
            (Cause::ProxyRefused, detail.clone())
        }
        // It does not reach the service, or has too much to do.
        TransportError::ProxyRefused(_, detail) => (Cause::ConnectionFailed, detail.clone()),
        TransportError::Reset(detail) => (Cause::ConnectionLost, detail.clone()),
        TransportError::Cut(detail) | TransportError::Garbled(detail) => {
            (Cause::CutOff, detail.clone())
        }
        TransportError::TimedOut(after) => {
            (Cause::TimedOut, format!("no whole reply within {} s", after.as_secs_f64()))
        }
        TransportError::Silent(after) => {
            (Cause::Silent, format!("not a word of the answer for {} s", after.as_secs_f64()))
        }
        TransportError::TooLarge => {
            let most = REPLY_BYTES_MAX / (1024 * 1024);
            let message = format!("the reply is larger than {most} MiB, of which no more is read");
            (Cause::TooLarge, message)
        }
    };
    let class = match broken {
        TransportError::Foreign(_) | TransportError::NotHttp(_) => {
            FailureClass::Refused(Refusal::Address)
        }
        TransportError::ProxyRefused(status, _) if is_of_proxy(*status) => {
            FailureClass::Refused(Refusal::Address)
        }
        // It would come so again, and be billed again.
        TransportError::TooLarge => FailureClass::Empty,
        _ => FailureClass::Transient,
    };
    Failure {
        class,
        cause,
        status: None,
        message: error::printable(&message),
        wait: None,
        request_id: None,
        partial: None,
    }
}

/// Returns true if a proxy means it: no other try will help.
fn is_of_proxy(status: u16) -> bool {
    (300..500).contains(&status) && ![408, 429].contains(&status)
}

#[cfg(test)]
pub(crate) mod tests;
