//! What is sent for an item: the text of one user message, or the turns of a chat.

use std::sync::Arc;

use serde::Serialize;

/// What is sent for an item, the system prompt apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One user message.
    Text(Arc<str>),
    /// Turns, in their order.
    Chat(Arc<[Turn]>),
}

impl Content {
    /// Returns the beginning of an answer that is to be gone on with: the turn of the model at the
    /// end of a chat.
    #[must_use]
    pub fn beginning(&self) -> Option<&str> {
        match self {
            Content::Text(_) => None,
            Content::Chat(turns) => split_beginning(turns).1,
        }
    }

    /// Returns all that is said, in its order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.shared_texts().map(|text| &**text)
    }

    /// Returns the same without a copy.
    pub(crate) fn shared_texts(&self) -> impl Iterator<Item = &Arc<str>> {
        let (text, turns) = match self {
            Content::Text(text) => (Some(text), [].as_slice()),
            Content::Chat(turns) => (None, &**turns),
        };
        text.into_iter().chain(turns.iter().map(|turn| &turn.text))
    }
}

/// Splits the turns of a chat into what is asked, and the beginning of an answer to it.
#[must_use]
pub fn split_beginning(turns: &[Turn]) -> (&[Turn], Option<&str>) {
    match turns {
        [asked @ .., Turn { role: Role::Assistant, text }] => (asked, Some(text)),
        asked => (asked, None),
    }
}

/// What one side of a chat says at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Which side.
    pub role: Role,
    /// What it says.
    pub text: Arc<str>,
}

/// A side of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whoever set the chat up.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// Returns the name that services and keys have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// Returns the canonical text of a chat, which its key is made of: a JSON array without blanks, of
/// objects with `role` and `text` in this order.
///
/// A format on disk: another text would buy every answer again.
#[must_use]
pub fn canonical_json(turns: &[Turn]) -> String {
    #[derive(Serialize)]
    struct Canonical<'a> {
        role: &'static str,
        text: &'a str,
    }
    let turns: Vec<Canonical<'_>> =
        turns.iter().map(|turn| Canonical { role: turn.role.name(), text: &turn.text }).collect();
    serde_json::to_string(&turns).expect("turns are plain values")
}
