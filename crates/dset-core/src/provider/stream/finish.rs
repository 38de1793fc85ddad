//! What a reply comes to once its body has ended, as it should or not.

use super::{Form, StreamParser, is_good, take_event};
use crate::answer::{Cause, Failure, FailureClass, ParsedReply};
use crate::provider::failure::{error, other_apis};
use crate::provider::reply::TransportError;
use crate::provider::response::finish_reason::transient;
use crate::provider::response::read::{classify_transport_error, read_untidy, read_whole, text_of};
use crate::provider::stream::finish_reasons::FinishReasons;
use crate::provider::stream::repetition;

impl StreamParser {
    /// Holds a stream all of which has come against what its service usually says of the end, and adds it to that.
    pub fn compare_end(&mut self, reasons: &FinishReasons) {
        self.flush();
        if self.form != Form::Events || !self.draft.has_end_if_last() || self.draft.has_error() {
            return;
        }
        self.needs_reason = reasons.are_given();
        reasons.note(self.draft.has_reason());
    }

    /// Reads what came, the body having come to its end as it should.
    #[must_use]
    pub fn finish(mut self) -> ParsedReply {
        if self.is_too_large {
            return self.finish_broken(&TransportError::TooLarge);
        }
        if self.form != Form::Events {
            return read_whole(&self.head, self.limit);
        }
        self.flush();
        let is_whole = self.draft.has_end_if_last();
        if let Some(reading) = self.ended(is_whole) {
            return reading;
        }
        let partial = self.draft.unended(&self.head);
        match &self.stray {
            Some(stray) => {
                let message = format!("not the JSON of an answer: {stray}");
                transient(&self.head, Cause::Unreadable, message, partial)
            }
            None if !self.has_payload && self.sse.stray.is_some() => {
                let stray = self.sse.stray.as_deref().unwrap_or_default();
                let message = format!("not the events of a stream: {stray}");
                transient(&self.head, Cause::Unreadable, message, partial)
            }
            None if !self.has_payload => {
                let message = "the reply had no content".to_owned();
                transient(&self.head, Cause::Blank, message, partial)
            }
            None if self.draft.texts.is_torn() => {
                let message = "the pieces of the stream contradict each other".to_owned();
                transient(&self.head, Cause::Unreadable, message, partial)
            }
            None => {
                let message = "the stream stopped before the answer had come to its end".to_owned();
                transient(&self.head, Cause::CutOff, message, partial)
            }
        }
    }

    /// Reads what came, the body having broken off in this way. Whatever the model had written is
    /// kept in [`Failure::partial`]; an answer that had come to its end is an answer, in one piece
    /// as well: some servers miscount the body, or leave out its last chunk.
    #[must_use]
    pub fn finish_broken(mut self, broken: &TransportError) -> ParsedReply {
        let is_as_sent = !self.is_too_large && !matches!(broken, TransportError::Garbled(_));
        let is_piece = self.form == Form::Whole && is_good(self.head.status);
        if is_as_sent
            && is_piece
            && let Some(reading) = read_untidy(&self.head, self.limit)
        {
            return reading;
        }
        self.flush();
        let is_whole = self.draft.has_end();
        if let Some(reading) = self.ended(is_whole) {
            return reading;
        }
        if !is_good(self.head.status) {
            return ParsedReply::Failure(self.broken_refusal(broken));
        }
        ParsedReply::Failure(Failure {
            status: Some(self.head.status),
            request_id: error::request_id(&self.head),
            partial: self.draft.unended(&self.head),
            ..classify_transport_error(broken)
        })
    }

    /// Reads a refusal of which the head came whole and the body did not. What its status alone says
    /// holds; what depends on words that may be missing is worth another try.
    fn broken_refusal(mut self, broken: &TransportError) -> Failure {
        if matches!(broken, TransportError::Garbled(_)) {
            self.head.body.clear();
        }
        let is_whole = error::parse(&text_of(&self.head.body)).is_some();
        let mut read = error::read(&self.head, None);
        // Words that follow may say that it is a limit of the minute all the same.
        if read.class == FailureClass::OutOfMoney && self.head.status != 402 && !is_whole {
            self.head.body.clear();
            read = error::read(&self.head, None);
        }
        let is_known = match read.class {
            FailureClass::KeyRefused
            | FailureClass::OutOfMoney
            | FailureClass::Throttled { .. } => true,
            FailureClass::Transient => false,
            _ => is_whole || matches!(self.head.status, 300..=399 | 429),
        };
        if is_known {
            return read;
        }
        Failure {
            class: FailureClass::Transient,
            status: Some(self.head.status),
            wait: read.wait,
            request_id: read.request_id,
            ..classify_transport_error(broken)
        }
    }

    /// Reads what came of a stream that was stopped because the model repeats itself: it is kept
    /// and not bought again, like one that the token limit cut, which it would have run into.
    #[must_use]
    pub fn finish_repetition(mut self, found: repetition::Repetition) -> ParsedReply {
        let message = format!(
            "the model wrote the same {} bytes {} times over and was stopped",
            found.period, found.times
        );
        ParsedReply::Failure(Failure {
            class: FailureClass::CutByLength,
            cause: Cause::RepeatsItself,
            status: Some(self.head.status),
            message,
            wait: None,
            request_id: error::request_id(&self.head),
            partial: self.draft.unended(&self.head),
        })
    }

    /// Takes what came after the last blank line. Half an event there is part of the cut, and of
    /// an answer with an end there is nothing in it.
    pub(super) fn flush(&mut self) {
        let StreamParser { sse, draft, has_payload, .. } = self;
        let flushed = sse.finish(&mut |data, is_error| {
            *has_payload = true;
            let _ = take_event(draft, data, is_error);
        });
        self.is_too_large |= flushed.is_err();
        self.draft.join_halves();
    }

    /// Returns what came where it has an end: an error, or an answer of which nothing is missing.
    fn ended(&mut self, has_end: bool) -> Option<ParsedReply> {
        if let Some(failure) = self.draft.failure(&self.head) {
            return Some(ParsedReply::Failure(failure));
        }
        if !self.draft.has_answer() && !self.draft.unread().is_empty() && self.stray.is_none() {
            let partial = self.draft.partial(&self.head);
            return Some(other_apis::judge(&self.head, self.draft.unread(), partial));
        }
        // Where the model has not said why it stopped, a word beside the events is nothing, but an error or a page
        // in their place is.
        let is_error = |stray: &String| stray.to_ascii_lowercase().contains("error");
        let has_failed = || self.sse.stray.is_some() || self.stray.as_ref().is_some_and(is_error);
        let failed = !self.draft.has_reason() && (self.needs_reason || has_failed());
        let is_whole = has_end && !failed && !self.is_garbled && !self.is_too_large;
        is_whole.then(|| std::mem::take(&mut self.draft).build(&self.head, self.limit))
    }
}
