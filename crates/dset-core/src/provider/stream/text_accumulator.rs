//! The answer and the reasoning of a message, as far as it has come.

use super::pieces::{Piece, Pieces};
use crate::provider::response::content::{Content, Message, Part};
use crate::provider::response::thinking;
use crate::provider::response::thinking::Split;
use crate::provider::stream::event_shape_cache::TextSlot;

/// The answer and the reasoning, gathered from the pieces of a reply.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) content: String,
    pub(crate) reasoning: String,
    /// Calls of tools, in words.
    pub(crate) calls: String,
    /// Something came in the place of the answer that is no text.
    pub(crate) is_odd: bool,
    /// The model wrote something that is no text, and not kept.
    pub(crate) is_beyond_text: bool,
    /// Text came in pieces of a message, and not as messages.
    has_deltas: bool,
    of_content: Pieces,
    of_reasoning: Pieces,
}

impl Texts {
    pub(crate) fn is_empty(&self) -> bool {
        self.content.is_empty() && self.reasoning.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.content.len() + self.reasoning.len() + self.calls.len()
    }

    /// Returns true if the pieces contradict each other, so that the text cannot be determined.
    pub(crate) fn is_torn(&self) -> bool {
        self.of_content.is_torn || self.of_reasoning.is_torn
    }

    /// What comes now is of another answer.
    pub(crate) fn tear(&mut self) {
        self.of_content.is_torn = true;
    }

    /// Adds a message, or a piece of one; `ends` where the model said with it why it stopped.
    ///
    /// A message after pieces says once more what they said, and fills only what they left empty.
    pub(crate) fn add(&mut self, message: Message<'_>, is_message: bool, ends: bool) {
        message.calls().for_each(|calls| self.calls.push_str(calls));
        self.is_beyond_text |= message.is_beyond_text();
        self.is_odd |= message.content.as_ref().is_some_and(|content| content.is_odd);
        let is_again = is_message && self.has_deltas;
        let reasoning = Piece { text: message.reasoning(), ends, is_message };
        let content = message.content.as_ref().map_or("", |content| &*content.text);
        self.has_deltas |= !is_message && reasoning.text.len() + content.len() > 0;
        if !is_again || self.reasoning.is_empty() {
            self.of_reasoning.add(&mut self.reasoning, reasoning);
        }
        if !is_again || self.content.is_empty() {
            self.of_content.add(&mut self.content, Piece { text: content, ends, is_message });
        }
    }

    /// Adds a piece that is nothing but text.
    pub(crate) fn add_text(&mut self, text: &str, place: TextSlot) {
        self.has_deltas = true;
        let piece = Piece { text, ends: false, is_message: false };
        match place {
            TextSlot::Content => self.of_content.add(&mut self.content, piece),
            TextSlot::Reasoning => self.of_reasoning.add(&mut self.reasoning, piece),
        }
    }

    /// Adds all of a content, in the shape of Anthropic's messages.
    pub(crate) fn add_content(&mut self, content: Content<'_>) {
        self.is_odd |= content.is_odd;
        self.is_beyond_text |= content.is_sealed;
        self.calls.push_str(&content.calls);
        self.reasoning.push_str(content.thoughts());
        self.content.push_str(&content.text);
    }

    /// Adds a block of such a content, or a piece of one.
    pub(crate) fn add_part(&mut self, part: Part<'_>) {
        let mut content = Content::default();
        part.join(&mut content);
        self.add_content(Content { is_odd: false, ..content });
    }

    /// Returns answer and reasoning, once all has come.
    pub(crate) fn split(self) -> Split {
        let content = self.of_content.settle(self.content);
        thinking::split(content, self.of_reasoning.settle(self.reasoning))
    }

    /// Returns true if the content, as far as it has come, is reasoning between marks that are
    /// known not to have been closed within the first `open` bytes.
    pub(crate) fn is_in_tag(&self, open: usize) -> bool {
        self.reasoning.is_empty() && thinking::is_inside(&self.content, open)
    }
}
