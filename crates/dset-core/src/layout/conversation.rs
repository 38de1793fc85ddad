//! What was said before an answer: the system prompt and the user message, or the turns of a chat.

use std::borrow::Cow;

use super::{Options, ReasoningPlace, Record, answer_text};
use crate::answer::row::Row;
use crate::item::content::{Role, split_beginning};

/// The keys of a message. Every message has every key, because readers take the first for the kind
/// of all; reasoning is `reasoning_content`, the one name that TRL and axolotl both render.
const KEYS: &[&str] = &["role", "content", "reasoning_content"];

/// A message of a row: a text for each key.
pub(super) type Message<'a> = Vec<Cow<'a, str>>;

/// The keys of a message; the last only where reasoning has a field of its own.
pub(super) fn keys(options: &Options) -> &'static [&'static str] {
    if options.reasoning == ReasoningPlace::Field { KEYS } else { &KEYS[..2] }
}

/// Everything that was sent, in its order, but for the beginning of an answer, which the answer has.
pub(super) fn sent<'a>(record: &'a Record<'_>) -> impl Iterator<Item = (Role, &'a str)> {
    let system = record.system.map(|system| (Role::System, system));
    let (asked, _) = split_beginning(record.turns.unwrap_or_default());
    let turns = asked.iter().map(|turn| (turn.role, &*turn.text));
    let prompt = record.turns.is_none().then_some((Role::User, record.prompt));
    system.into_iter().chain(turns).chain(prompt)
}

/// The system prompt, with what a chat begins with in that role, as one text.
pub(super) fn system<'a>(record: &'a Record<'_>) -> Cow<'a, str> {
    let mut texts = sent(record).take_while(|(role, _)| *role == Role::System);
    let first = texts.next().map_or("", |(_, text)| text);
    texts.fold(first.into(), |all, (_, text)| format!("{all}\n\n{text}").into())
}

/// Everything that was sent behind [`system`].
pub(super) fn behind_system<'a>(record: &'a Record<'_>) -> impl Iterator<Item = (Role, &'a str)> {
    sent(record).skip_while(|(role, _)| *role == Role::System)
}

/// The question of a record of one turn, as it was sent.
pub(super) fn question<'a>(record: &'a Record<'_>) -> &'a str {
    behind_system(record).last().map_or("", |(_, text)| text)
}

fn message<'a>(
    role: Role,
    content: Cow<'a, str>,
    reasoning: &'a str,
    options: &Options,
) -> Message<'a> {
    let texts = [role.name().into(), content, reasoning.into()];
    texts.into_iter().take(keys(options).len()).collect()
}

/// What was sent, as messages.
pub(super) fn prompt_messages<'a>(record: &'a Record<'_>, options: &Options) -> Vec<Message<'a>> {
    sent(record).map(|(role, text)| message(role, text.into(), "", options)).collect()
}

/// The answer, as a message.
pub(super) fn answer_message<'a>(answer: &'a Row, options: &Options) -> Message<'a> {
    message(Role::Assistant, answer_text(answer, options), &answer.reasoning, options)
}
