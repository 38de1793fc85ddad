//! Chats as inputs have them: turns in a field, with the names of roles and of texts that datasets
//! use. A chat is sent as it stands or not at all.

use std::sync::Arc;

use dset_core::item::content::{Role, Turn, split_beginning};
use dset_core::settings::LastTurn;
use serde_json::{Map, Value};

use super::bad_row::RowProblem;

/// A chat that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chat {
    /// The system prompt that it begins with.
    pub(crate) system: Option<Arc<str>>,
    /// All other turns; none where the list is empty. The last is the user's, or the beginning of an
    /// answer.
    pub(crate) turns: Arc<[Turn]>,
    /// A turn has reasoning beside its text, which is not sent.
    pub(crate) has_reasoning: bool,
}

/// How datasets call the reasoning beside the text of a turn.
const REASONING: [&str; 5] =
    ["reasoning_content", "reasoning", "reasoning_details", "thinking", "thought"];

/// Fields of a turn, or of a part of one, that hold what would have to be sent with its text, as Ollama and ms-swift
/// have them.
pub(crate) const BESIDE_TEXT: [&str; 9] =
    ["image", "images", "image_url", "audio", "audios", "video", "videos", "files", "attachments"];

/// Fields in which a turn calls a tool, or answers such a call.
const CALLS: [&str; 4] = ["tool_calls", "function_call", "function_calls", "tool_call_id"];

/// Fields of a system turn that say which tools there are, as GLM, DeepSeek and OLMo have them.
const TOOLS: [&str; 2] = ["tools", "functions"];

/// Returns the turns that a value holds: a list of them, or such a list as a text of JSON.
pub(crate) fn turns_in(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(turns) if turns.iter().all(is_turn) => Some(turns.clone()),
        Value::String(text) => {
            let text = text.trim();
            let may_be = text.starts_with('[') && text.ends_with(']');
            let turns: Vec<Value> = may_be.then(|| serde_json::from_str(text).ok()).flatten()?;
            turns.iter().all(is_turn).then_some(turns)
        }
        _ => None,
    }
}

/// Returns the turns that a text holds as JSON whatever its field is called: none may lack its role, which tells them
/// from other lists.
pub(crate) fn turns_as_text(text: &str) -> Option<Vec<Value>> {
    let has_role = |turn: &Value| turn.get("role").or_else(|| turn.get("from")).is_some();
    if !text.trim_start().starts_with('[') {
        return None;
    }
    turns_in(&Value::from(text)).filter(|turns| !turns.is_empty() && turns.iter().all(has_role))
}

/// Tells whether a text was to be the turns of a chat, and is not.
pub(crate) fn is_broken_chat(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['[', '{']) || text == "null"
}

/// Tells whether a value is shaped as a turn, whoever speaks.
fn is_turn(value: &Value) -> bool {
    let Some(turn) = value.as_object() else { return false };
    ["role", "from"].iter().any(|name| turn.contains_key(*name))
        || ["content", "value"].iter().any(|name| turn.contains_key(*name))
}

impl Chat {
    /// Reads turns. Fails where anything of them would not be sent.
    pub(crate) fn new(turns: &[Value], last: LastTurn) -> Result<Chat, RowProblem> {
        let mut read = Vec::with_capacity(turns.len());
        for (turn, value) in (1..).zip(turns) {
            read.push(read_turn(turn, value)?);
        }
        if last == LastTurn::Drop {
            while read.last().is_some_and(|turn| turn.role == Role::Assistant) {
                read.pop();
            }
        }
        let has_reasoning = turns[..read.len()]
            .iter()
            .any(|turn| REASONING.iter().any(|name| is_filled(turn.get(*name))));
        let has_system = read.first().is_some_and(|turn| turn.role == Role::System);
        let system = has_system.then(|| read.remove(0).text);
        if !turns.is_empty() && !read.iter().any(|turn| turn.role == Role::User) {
            return Err(RowProblem::NoUser);
        }
        match read.last().map(|turn| turn.role) {
            Some(Role::Assistant) if last != LastTurn::Continue => {
                Err(RowProblem::EndsWithAssistant)
            }
            Some(Role::System) => Err(RowProblem::NoUser),
            _ => Ok(Chat { system, turns: read.into(), has_reasoning }),
        }
    }

    /// Returns what its last turn asks; nothing where it has none.
    pub(crate) fn last_text(&self) -> &str {
        split_beginning(&self.turns).0.last().map_or("", |turn| &turn.text)
    }

    /// Takes the system prompt of a field beside the turns, which may be a list of parts.
    pub(crate) fn with_system_in(self, field: &str, value: &Value) -> Result<Chat, RowProblem> {
        let value = Some(value).filter(|value| is_filled(Some(value)));
        let text = text_of(value, || RowProblem::NotTextSystem { field: field.to_owned() })?;
        self.with_system(Some(&text))
    }

    /// Takes a system prompt beside the turns.
    pub(crate) fn with_system(mut self, beside: Option<&str>) -> Result<Chat, RowProblem> {
        let Some(beside) = beside.filter(|text| !text.trim().is_empty()) else { return Ok(self) };
        if self.system.as_deref().is_some_and(|own| own != beside) {
            return Err(RowProblem::TwoSystems);
        }
        self.system = Some(beside.into());
        Ok(self)
    }
}

fn read_turn(number: usize, value: &Value) -> Result<Turn, RowProblem> {
    let empty = Map::new();
    let turn = value.as_object().unwrap_or(&empty);
    let says = |name: &str| turn.get(name).filter(|value| !value.is_null());
    if is_filled(says("name")) {
        return Err(RowProblem::NamedTurn { turn: number });
    }
    let role = says("role").or_else(|| says("from")).and_then(Value::as_str);
    let role = role.ok_or(RowProblem::NoRole { turn: number })?;
    if CALLS.iter().any(|name| is_filled(says(name))) {
        return Err(RowProblem::Tool { turn: number });
    }
    let mut beside = BESIDE_TEXT.into_iter().chain(TOOLS);
    if let Some(field) = beside.find(|name| is_filled(says(name))) {
        return Err(RowProblem::BesideTurn { turn: number, field });
    }
    let role = match role.trim().to_lowercase().as_str() {
        "system" | "developer" => Role::System,
        "user" | "human" | "prompter" => Role::User,
        "assistant" | "gpt" | "model" | "bot" | "chatgpt" | "ai" => Role::Assistant,
        "tool" | "function" | "function_call" | "function_response" | "observation"
        | "tool_call" | "tool_response" => return Err(RowProblem::Tool { turn: number }),
        "" => return Err(RowProblem::NoRole { turn: number }),
        _ => return Err(RowProblem::Role { turn: number, role: role.to_owned() }),
    };
    let content = says("content").or_else(|| says("value"));
    let text = text_of(content, || RowProblem::NotTextPart { turn: number })?;
    match text.trim().is_empty() {
        true => Err(RowProblem::EmptyTurn { turn: number }),
        false => Ok(Turn { role, text: text.into() }),
    }
}

/// Returns the text of a turn or a system prompt, of several parts one a line, as services read them.
fn text_of(
    content: Option<&Value>,
    no_text: impl Fn() -> RowProblem,
) -> Result<String, RowProblem> {
    let part = |part: &Value| -> Result<String, RowProblem> {
        let text = part.as_str().or_else(|| part.get("text").and_then(Value::as_str));
        let is_text = part.get("type").is_none_or(|kind| kind == "text" || kind == "input_text");
        let has_more = BESIDE_TEXT.iter().any(|name| is_filled(part.get(*name)));
        text.filter(|_| is_text && !has_more).map(str::to_owned).ok_or_else(&no_text)
    };
    match content {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let parts: Vec<String> = parts.iter().map(part).collect::<Result<_, _>>()?;
            Ok(parts.join("\n"))
        }
        Some(_) => Err(no_text()),
    }
}

/// Tells whether a field says anything.
pub(crate) fn is_filled(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(values)) => !values.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(turns: Value, last: LastTurn) -> Result<Chat, RowProblem> {
        Chat::new(&turns_in(&turns).expect("it is shaped as turns"), last)
    }

    fn said(chat: &Chat) -> Vec<(&str, &str)> {
        chat.turns.iter().map(|turn| (turn.role.name(), &*turn.text)).collect()
    }

    #[test]
    fn the_roles_of_every_family_are_the_three_that_services_have() {
        let chat = read(
            json!([
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "Hello"},
                {"from": "gpt", "value": "Yes?"},
                {"role": "user", "content": [{"type": "text", "text": "Why"}, {"text": "then?"}]},
            ]),
            LastTurn::Refuse,
        );
        let chat = chat.unwrap();
        assert_eq!(chat.system.as_deref(), Some("Be brief."));
        let turns = [("user", "Hello"), ("assistant", "Yes?"), ("user", "Why\nthen?")];
        assert_eq!(said(&chat), turns);
        let text = json!("[{\"role\": \"user\", \"content\": \"Why?\"}]");
        assert_eq!(said(&read(text, LastTurn::Refuse).unwrap()), [("user", "Why?")]);
    }

    #[test]
    fn a_chat_of_which_something_would_not_be_sent_is_refused_and_says_where() {
        let user = json!({"role": "user", "content": "Why?"});
        for (turns, problem) in [
            (json!([user, {"role": "assistant", "content": "So."}]), RowProblem::EndsWithAssistant),
            (json!([user, {"content": "So."}]), RowProblem::NoRole { turn: 2 }),
            (
                json!([{"role": "user", "name": "ann", "content": "So."}]),
                RowProblem::NamedTurn { turn: 1 },
            ),
            (json!([user, {"role": "", "content": "So."}]), RowProblem::NoRole { turn: 2 }),
            (
                json!([user, {"role": "narrator", "content": "So."}]),
                RowProblem::Role { turn: 2, role: "narrator".into() },
            ),
            (json!([user, {"role": "tool", "content": "4"}, user]), RowProblem::Tool { turn: 2 }),
            (
                json!([user, {"role": "assistant", "content": null, "tool_calls": [{}]}, user]),
                RowProblem::Tool { turn: 2 },
            ),
            (
                json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
                RowProblem::NotTextPart { turn: 1 },
            ),
            (
                json!([{"role": "user", "content": "What is it?", "images": ["a.png"]}]),
                RowProblem::BesideTurn { turn: 1, field: "images" },
            ),
            (
                json!([{"role": "system", "content": "Be brief.", "tools": [{}]}, user]),
                RowProblem::BesideTurn { turn: 1, field: "tools" },
            ),
            (
                json!([{"role": "system", "content": "Be brief.", "functions": "[{}]"}, user]),
                RowProblem::BesideTurn { turn: 1, field: "functions" },
            ),
            (
                json!([user, {"role": "assistant", "content": "", "function_calls": "f()"}, user]),
                RowProblem::Tool { turn: 2 },
            ),
            (
                json!([{"role": "user", "content": [
                    {"type": "text", "text": "What is it?", "image": "a.png"},
                ]}]),
                RowProblem::NotTextPart { turn: 1 },
            ),
            (json!([{"role": "user", "content": 7}]), RowProblem::NotTextPart { turn: 1 }),
            (json!([{"role": "user", "content": " "}]), RowProblem::EmptyTurn { turn: 1 }),
            (json!([{"role": "system", "content": "Be brief."}]), RowProblem::NoUser),
            (json!([user, {"role": "system", "content": "Stop."}]), RowProblem::NoUser),
        ] {
            assert_eq!(read(turns.clone(), LastTurn::Refuse), Err(problem), "{turns}");
        }
    }

    #[test]
    fn answers_at_the_end_are_dropped_where_the_user_says_so() {
        let turns = json!([
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "So."},
            {"role": "assistant", "content": "Really."},
        ]);
        assert_eq!(said(&read(turns, LastTurn::Drop).unwrap()), [("user", "Why?")]);
        let begun = json!([
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "So."},
        ]);
        let chat = read(begun, LastTurn::Continue).unwrap();
        assert_eq!(said(&chat), [("user", "Why?"), ("assistant", "So.")]);
        assert_eq!(chat.last_text(), "Why?");
        let alone = json!([{"role": "assistant", "content": "So."}]);
        assert_eq!(read(alone, LastTurn::Drop), Err(RowProblem::NoUser));
    }
}
