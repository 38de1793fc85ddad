//! What an error repeats of what was asked: the words of a question are no reason of a service.

use std::cell::OnceCell;
use std::sync::Arc;

use super::credit::{has_words, normal};

/// The texts that were sent, to hold the words of an error against.
pub(crate) struct Echo<'a> {
    sent: &'a [Arc<str>],
    lower: OnceCell<String>,
    words: OnceCell<String>,
}

impl Echo<'_> {
    pub(crate) fn of(sent: &[Arc<str>]) -> Echo<'_> {
        Echo { sent, lower: OnceCell::new(), words: OnceCell::new() }
    }

    /// Tells whether words, as in [`normal`], stand in what was sent.
    pub(crate) fn has_words(&self, words: &str) -> bool {
        let sent = self.words.get_or_init(|| normal(&self.sent.join("\n")));
        has_words(sent, words)
    }

    /// Tells whether a text in lower case stands in what was sent.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.lower.get_or_init(|| self.sent.join("\n").to_lowercase()).contains(text)
    }
}
