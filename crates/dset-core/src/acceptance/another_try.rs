//! What is asked after an answer that was not accepted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::item::content::{Content, Role, Turn, split_beginning};
use crate::schema::Reason;

/// How a question is asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum RetryWith {
    /// With the answer that was not accepted, and the reasons.
    #[default]
    Reasons,
    /// Anew, as if it had not been asked.
    Fresh,
}

const BEFORE: &str = "This answer was not accepted:";
const AFTER: &str = "Answer the question again, with this put right.";

/// Returns what is sent for another try: what was sent, the answer, and why it was not accepted, each
/// reason with its place. The beginning of an answer is in the answer. An answer without a word is not
/// shown to whoever wrote it.
#[must_use]
pub fn another_try<'r>(
    sent: &Content,
    answer: &str,
    reasons: impl Iterator<Item = &'r Reason>,
    with: RetryWith,
) -> Content {
    let reasons: Vec<String> = reasons
        .map(|reason| match reason.place.as_str() {
            "" => format!("- {}", reason.sentence),
            place => format!("- at `{place}`: {}", reason.sentence),
        })
        .collect();
    if with == RetryWith::Fresh || answer.trim().is_empty() || reasons.is_empty() {
        return sent.clone();
    }
    let turn = |role, text: &str| Turn { role, text: Arc::from(text) };
    let mut turns = match sent {
        Content::Text(text) => vec![Turn { role: Role::User, text: Arc::clone(text) }],
        Content::Chat(turns) => split_beginning(turns).0.to_vec(),
    };
    turns.push(turn(Role::Assistant, answer));
    turns.push(turn(Role::User, &format!("{BEFORE}\n{}\n{AFTER}", reasons.join("\n"))));
    Content::Chat(turns.into())
}
