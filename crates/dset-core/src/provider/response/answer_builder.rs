//! An answer, built of the documents of a reply.

use super::choices::Choice;
use super::content::Message;
use super::document::{Document, Start};
use super::usage::Counts;
use crate::answer::{Answer, Failure, ParsedReply};
use crate::provider::failure::{error, other_apis};
use crate::provider::lenient_json::{Object, join_halves};
use crate::provider::reply::HttpReply;
use crate::provider::response::finish_reason;
use crate::provider::stream::event_shape_cache::{EventShape, TextSlot};
use crate::provider::stream::text_accumulator::Texts;

/// How much of what was written the counts are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    /// Less than has come: the least that is billed, and no count.
    #[default]
    Beginning,
    /// What has come: all of it where the model then stopped of itself.
    SoFar,
    /// All of it: they came with the end or behind it, or in a document of their own.
    All,
}

/// What has come of an answer so far.
#[derive(Debug, Default)]
pub(crate) struct AnswerBuilder {
    pub(crate) texts: Texts,
    /// Some documents had to be mended.
    has_halves: bool,
    id: String,
    model: String,
    system_fingerprint: String,
    counts: Option<Box<Counts>>,
    counted: Counted,
    /// Which of several answers it is: the first of those that came.
    index: Option<u64>,
    finish: String,
    /// More text has come since the reason to stop: it was none.
    has_text_after_finish: bool,
    /// Some reason was none. Some gateways send one with every piece, and which of them is the end
    /// only the end of the body tells.
    repeats_finish_reason: bool,
    refusal: String,
    /// An error, as the JSON of a body that holds nothing else.
    error: String,
    /// Documents that say nothing of an answer, as they came; no more than errors are long.
    unread: String,
    /// The same of documents with something in the place of the answer that is no text.
    odd: String,
    /// Something in the shape of an answer came, be it empty.
    has_answer: bool,
    /// Nothing is to come any more.
    pub(crate) is_done: bool,
    template: Option<EventShape>,
}

impl AnswerBuilder {
    /// Reads one document, and adds what it says; fails, and adds nothing, where it is none.
    pub(crate) fn read(&mut self, text: &str) -> Result<(), serde_json::Error> {
        if let Some((text, place)) = self.template.as_ref().and_then(|same| same.read(text)) {
            self.texts.add_text(text, place);
            self.wrote();
            return Ok(());
        }
        let document = serde_json::from_str::<Document<'_>>(text)?;
        self.template =
            document.only_text().and_then(|(only, place)| EventShape::infer(text, only, place));
        self.add(document, text);
        Ok(())
    }

    fn add(&mut self, document: Document<'_>, text: &str) {
        let before = std::mem::replace(&mut self.counted, Counted::All);
        let (mut counts, has_choice) = (None, document.choices.0.is_some());
        let is_other = |known: &str, said: &str| ![known, said].contains(&"") && known != said;
        let is_of_other =
            is_other(&self.id, &document.id) && is_other(&self.model, &document.model);
        let written = self.texts.bytes();
        keep(&mut self.id, &document.id);
        keep(&mut self.model, &document.model);
        keep(&mut self.system_fingerprint, &document.system_fingerprint);
        self.fail(&document, text);
        if !document.is_known() {
            self.scan_for_error(text);
        }
        let was_odd = std::mem::take(&mut self.texts.is_odd);
        if let Some(choice) = document.choices.0 {
            self.has_answer = true;
            counts = self.choose(*choice);
            // A gateway that falls back on another model in the middle begins another answer.
            if is_of_other && written > 0 && self.texts.bytes() > written {
                self.texts.tear();
            }
        } else if let Some(content) = document.content {
            self.has_answer = true;
            self.write(|texts| texts.add_content(content));
        }
        self.stop(&document.stop_reason);
        if &*document.kind == "message_start"
            && let Some(start) = document.message
            && let Ok(start) = serde_json::from_str::<Start<'_>>(start.get())
        {
            self.has_answer = true;
            keep(&mut self.id, &start.id);
            keep(&mut self.model, &start.model);
            update(&mut counts, start.usage.0.map(|counts| counts.of_the_question().into()));
        }
        for part in [document.content_block.0, document.delta.0].into_iter().flatten() {
            let reason = part.stop_reason().to_owned();
            self.write(|texts| texts.add_part(*part));
            self.stop(&reason);
        }
        self.is_done |= &*document.kind == "message_stop";
        if let Some(groq) = document.x_groq.0 {
            if self.error.is_empty() && !groq.error.is_empty() {
                let error = serde_json::json!({ "error": { "message": &*groq.error } });
                self.error = error.to_string();
            }
            update(&mut counts, groq.usage.0);
        }
        update(&mut counts, document.usage.0);
        self.count(counts, before, has_choice);
        if self.texts.is_odd {
            note(&mut self.odd, text);
        }
        self.texts.is_odd |= was_odd;
    }

    /// Looks at a document that says nothing of an answer: it may be an error by another name.
    fn scan_for_error(&mut self, text: &str) {
        let may_fail = self.error.is_empty() && (!self.has_reason() || self.repeats_finish_reason);
        let parsed = error::parse(text).filter(|_| may_fail);
        match parsed.and_then(|document| other_apis::error_in(&document)) {
            Some(error) => self.error = error.to_string(),
            None => note(&mut self.unread, text),
        }
    }

    /// Takes what a service sends as an event that it calls an error.
    pub(crate) fn fail_with(&mut self, text: &str) {
        if !self.error.is_empty() || self.has_reason() && !self.repeats_finish_reason {
            return;
        }
        let parsed = error::parse(text).filter(|parsed| !parsed.is_null());
        let code = parsed.as_ref().and_then(|parsed| parsed.get("code")?.as_str());
        if code.is_some_and(|code| !error::is_code(code)) {
            return;
        }
        let known = parsed.as_ref().filter(|parsed| parsed.get("error").is_some()).cloned();
        let found = known.or_else(|| parsed.as_ref().and_then(other_apis::error_in));
        let found = found.or_else(|| parsed.filter(|parsed| error::find(parsed).is_some()));
        let plain = || serde_json::json!({ "error": { "message": error::beginning(text) } });
        self.error = found.unwrap_or_else(plain).to_string();
    }

    /// Adds what the first of the choices says; returns its counts.
    fn choose(&mut self, choice: Choice<'_>) -> Option<Box<Counts>> {
        let index = choice.index();
        match self.index {
            Some(first) if index > first => return None,
            Some(first) if index < first => self.begin_again(),
            _ => {}
        }
        self.index = Some(index);
        let reason = choice.reason().to_owned();
        let ends = !is_no_reason(&reason);
        // Together says the text of a piece in both.
        let says_text = |message: &Object<Message<'_>>| {
            message.0.as_ref().is_some_and(|message| message.has_content())
        };
        if !choice.text.is_empty() && !says_text(&choice.delta) && !says_text(&choice.message) {
            self.write(|texts| texts.add_text(&choice.text, TextSlot::Content));
        }
        for (message, is_message) in [(choice.delta.0, false), (choice.message.0, true)] {
            if let Some(message) = message {
                if !message.refusal().is_empty() {
                    self.refusal.push_str(message.refusal());
                    self.counted = Counted::Beginning;
                }
                self.write(|texts| texts.add(*message, is_message, ends));
            }
        }
        self.stop(&reason);
        choice.usage.0
    }

    /// Forgets an answer that was not the first.
    fn begin_again(&mut self) {
        self.texts = Texts::default();
        self.refusal.clear();
        self.finish.clear();
        (self.has_text_after_finish, self.repeats_finish_reason) = (false, false);
    }

    fn write(&mut self, add: impl FnOnce(&mut Texts)) {
        let before = self.texts.bytes();
        let was_beyond_text = std::mem::take(&mut self.texts.is_beyond_text);
        add(&mut self.texts);
        if self.texts.is_beyond_text && !self.has_reason() {
            self.counted = Counted::Beginning;
        }
        self.texts.is_beyond_text |= was_beyond_text;
        if self.texts.bytes() != before {
            self.wrote();
        }
    }

    fn wrote(&mut self) {
        self.counted = Counted::Beginning;
        self.has_text_after_finish |= !self.finish.is_empty();
        self.repeats_finish_reason |= self.has_text_after_finish;
    }

    /// Takes a reason to stop. The last one counts, but without more text none makes an answer
    /// whole that an earlier one said is not: some services say `stop` once more with the counts.
    fn stop(&mut self, reason: &str) {
        if is_no_reason(reason) {
            return;
        }
        if self.has_text_after_finish || finish_reason::is_whole(&self.finish) {
            reason.clone_into(&mut self.finish);
        }
        self.has_text_after_finish = false;
    }

    /// An error after a reason to stop takes nothing back: the answer was whole.
    fn fail(&mut self, document: &Document<'_>, text: &str) {
        if !self.error.is_empty() || self.has_reason() && !self.repeats_finish_reason {
            return;
        }
        let of_choice = document.choices.0.as_ref().and_then(|choice| {
            let of_message = [&choice.delta, &choice.message].map(|one| one.0.as_ref()?.error);
            choice.error.or(of_message[0]).or(of_message[1])
        });
        let error = document.error.or(of_choice).map(|error| match error::parse(error.get()) {
            Some(value) => value,
            None => error::beginning(error.get()).into(),
        });
        if let Some(error) = error.filter(|error| !error::is_none(error)) {
            let mut body = serde_json::json!({ "error": error });
            if !document.request_id.is_empty() {
                body["request_id"] = (*document.request_id).into();
            }
            self.error = body.to_string();
        } else if document.is_error(text) {
            text.clone_into(&mut self.error);
        }
    }

    /// Takes the counts of a document whose texts are added, and what those `before` it were of.
    fn count(&mut self, counts: Option<Box<Counts>>, before: Counted, has_choice: bool) {
        let has_text = self.counted == Counted::Beginning;
        if counts.is_none() {
            self.counted = if has_text { Counted::Beginning } else { before };
            return;
        }
        // Of what was counted before more text came, the later counts need not say all once more.
        if before == Counted::Beginning {
            self.forget_output_counts();
        }
        update(&mut self.counts, counts);
        self.counted = match (has_text, has_choice) {
            _ if self.has_end_if_last() || !self.error.is_empty() => Counted::All,
            (true, _) => Counted::SoFar,
            (false, true) if self.has_written() => Counted::SoFar,
            (false, true) => Counted::Beginning,
            (false, false) => Counted::All,
        };
    }

    /// What is said in one piece is counted with it.
    pub(crate) fn is_one_piece(&mut self) {
        self.counted = Counted::All;
    }

    fn forget_output_counts(&mut self) {
        self.counts = self.counts.take().map(|counts| counts.of_the_question().into());
    }

    /// Returns true if the model has said why it stopped, or the service that all has been sent,
    /// and no more text needs to be waited for.
    pub(crate) fn has_end(&self) -> bool {
        self.is_done || self.has_reason() && !self.repeats_finish_reason
    }

    /// Returns true if it is whole where nothing more is to come.
    pub(crate) fn has_end_if_last(&self) -> bool {
        self.is_done || self.has_reason()
    }

    /// Returns true if the model has said why it stopped, and nothing after it.
    pub(crate) fn has_reason(&self) -> bool {
        !self.finish.is_empty() && !self.has_text_after_finish
    }

    /// Returns true if the service named a failure.
    pub(crate) fn has_error(&self) -> bool {
        !self.error.is_empty()
    }

    /// Returns how many bytes of text are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.bytes() + self.refusal.len()
    }

    /// Returns true if anything came that an answer may be read of.
    pub(crate) fn has_answer(&self) -> bool {
        self.has_answer
    }

    /// Returns the documents that say nothing of an answer.
    pub(crate) fn unread(&self) -> &str {
        &self.unread
    }

    /// Returns what came beside the texts: calls of tools, a refusal in the model's words, and what is
    /// no text or no part of an answer.
    pub(crate) fn side_texts(&self) -> [&str; 4] {
        [&self.texts.calls, &self.refusal, &self.odd, &self.unread]
    }

    /// Reads a document that was mended, whose texts may hold halves of characters.
    pub(crate) fn read_mended(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.has_halves = true;
        self.read(text)
    }

    /// Makes characters of the halves, all of the reply being there.
    pub(crate) fn join_halves(&mut self) {
        if std::mem::take(&mut self.has_halves) {
            self.texts_mut().for_each(join_halves);
        }
    }

    /// Returns every text of the service, so that keys can be redacted in them.
    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let AnswerBuilder { texts, id, model, system_fingerprint, finish, refusal, error, .. } =
            self;
        let (unread, odd) = (&mut self.unread, &mut self.odd);
        let Texts { content, reasoning, calls, .. } = texts;
        let texts = [content, reasoning, calls, refusal, error, unread, odd];
        texts.into_iter().chain([id, model, system_fingerprint, finish])
    }

    /// Returns the failure that the service named, with whatever had been written before it.
    pub(crate) fn failure(&mut self, reply: &HttpReply) -> Option<Failure> {
        if self.error.is_empty() {
            return None;
        }
        // Nobody knows how much more was written before it.
        if self.counted < Counted::All {
            self.forget_output_counts();
        }
        let body = serde_json::from_str(&self.error).ok();
        let mut failure = error::read(reply, body.as_ref());
        failure.partial = self.partial(reply);
        Some(failure)
    }

    /// Returns what was written of an answer that did not end, if anything was.
    pub(crate) fn partial(&mut self, reply: &HttpReply) -> Option<Box<Answer>> {
        let wrote = self.has_written() || self.counts.is_some();
        wrote.then(|| Box::new(self.answer(reply)))
    }

    fn has_written(&self) -> bool {
        !self.texts.is_empty() || self.wrote_beside_text()
    }

    /// Tells whether the model wrote something beside the answer and its reasoning, which is billed too.
    fn wrote_beside_text(&self) -> bool {
        let Texts { calls, is_odd, is_beyond_text, .. } = &self.texts;
        *is_odd || *is_beyond_text || !calls.is_empty() || !self.refusal.is_empty()
    }

    /// Returns what was written of a stream without its end. What it counts so far is the least that is
    /// billed, and no count.
    pub(crate) fn unended(&mut self, reply: &HttpReply) -> Option<Box<Answer>> {
        self.forget_output_counts();
        self.partial(reply)
    }

    /// Judges an answer that has ended; `limit` is the token limit of its request.
    pub(crate) fn build(mut self, reply: &HttpReply, limit: Option<u64>) -> ParsedReply {
        if self.counted < Counted::SoFar {
            self.forget_output_counts();
        }
        let calls = self.texts.calls.clone();
        let odd = (self.texts.is_odd && self.texts.content.trim().is_empty()).then_some(&*self.odd);
        let odd = odd.map(str::to_owned);
        let (answer, is_open) = self.split(reply);
        let written = self.counts.as_deref().and_then(Counts::of_answer);
        let counts = [answer.usage.output, written];
        let end = finish_reason::End {
            finish: &self.finish,
            refusal: &self.refusal,
            is_at_limit: limit.is_some() && counts.contains(&limit),
            is_open,
            calls: &calls,
            odd: odd.as_deref(),
        };
        finish_reason::classify_finish(reply, answer, &end)
    }

    fn answer(&mut self, reply: &HttpReply) -> Answer {
        self.split(reply).0
    }

    /// Returns what was written, and whether its reasoning never ended.
    fn split(&mut self, reply: &HttpReply) -> (Answer, bool) {
        let some = |text: &mut String| Some(std::mem::take(text)).filter(|text| !text.is_empty());
        let beside = self.wrote_beside_text();
        let split = std::mem::take(&mut self.texts).split();
        let wrote = [&split.answer, &split.reasoning].map(|text| !text.trim().is_empty());
        let counts = self.counts.as_deref();
        let usage =
            counts.map(|counts| counts.usage(wrote[0] || beside, wrote[1])).unwrap_or_default();
        let answer = Answer {
            content: split.answer,
            reasoning: split.reasoning,
            finish_reason: String::new(),
            usage,
            cost: counts.and_then(Counts::cost),
            at_token_limit: false,
            model: some(&mut self.model),
            request_id: error::request_id(reply).or(some(&mut self.id)),
            system_fingerprint: some(&mut self.system_fingerprint),
        };
        (answer, split.is_open)
    }
}

fn update(known: &mut Option<Box<Counts>>, later: Option<Box<Counts>>) {
    match (known, later) {
        (Some(known), Some(later)) => known.update(&later),
        (known @ None, later) => *known = later,
        (Some(_), None) => {}
    }
}

fn is_no_reason(reason: &str) -> bool {
    reason.is_empty() || reason.eq_ignore_ascii_case("null")
}

/// Keeps a document as it came, as far as there is room.
fn note(noted: &mut String, text: &str) {
    if noted.len() + text.len() < error::ERROR_BYTES_MAX {
        if !noted.is_empty() {
            noted.push('\n');
        }
        noted.push_str(text);
    } else if noted.is_empty() {
        noted.push_str(&error::beginning(text));
    }
}

/// Keeps the first that is said.
fn keep(known: &mut String, said: &str) {
    if known.is_empty() {
        known.push_str(said);
    }
}
