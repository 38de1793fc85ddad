//! What an object asks: a question in a field, or what the user says in the turns of a chat, and what
//! of a chat a question has no room for.

use dset_core::csv::{SecondNames, is_chat, question_among};
use serde_json::{Map, Value};

use crate::source::chat::BESIDE_TEXT;

pub(in crate::source) type Object = Map<String, Value>;

/// Objects that lines of a batch hold their request in.
const REQUESTS: [&str; 3] = ["body", "params", "request"];
/// Fields of a request with its turns, or with a text.
const TURNS: [&str; 4] = ["messages", "input", "contents", "prompt"];
/// Fields with a system prompt.
const SYSTEMS: [&str; 6] = [
    "system",
    "system_prompt",
    "systemPrompt",
    "instructions",
    "systemInstruction",
    "system_instruction",
];
/// Fields with what is no text and belongs to the question.
const PICTURES: [&str; 6] = ["image", "images", "image_url", "image_urls", "audio", "video"];

/// Texts that say nothing, as tables have them.
const NOTHING: [&str; 6] = ["", "[]", "{}", "null", "None", "nan"];

/// What a chat has beside the question, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Rows with anything of it.
    pub rows: u64,
    /// With a system prompt.
    pub systems: u64,
    /// With more turns than one question.
    pub turns: u64,
    /// With images or other parts that are no text.
    pub parts: u64,
    /// With tools.
    pub tools: u64,
    /// With answers behind the question; they count for nothing above.
    pub answers: u64,
}

impl LeftOut {
    /// Adds what is left out of one row.
    pub(super) fn add(&mut self, row: LeftOut) {
        let is_any = row.systems + row.turns + row.parts + row.tools > 0;
        self.rows += u64::from(is_any);
        self.systems += row.systems.min(1);
        self.turns += row.turns.min(1);
        self.parts += row.parts.min(1);
        self.tools += row.tools.min(1);
        self.answers += row.answers.min(1);
    }
}

/// What an object asks.
#[derive(Debug, Default)]
pub(super) struct ExtractedQuestion {
    /// The field that says it.
    pub(super) field: String,
    /// Blank where it has none.
    pub(super) question: String,
    /// It is of a chat.
    pub(super) is_chat: bool,
    pub(super) left: LeftOut,
    /// A second field that belongs to the question and says something.
    pub(super) second: Option<String>,
    /// What the field holds beside the question.
    pub(super) rest: Option<Value>,
}

/// Why an object asks nothing.
#[derive(Debug)]
pub(super) enum ExtractError {
    /// None of its fields is one of questions.
    NoField,
    /// The field holds neither text nor a chat.
    NotText(String),
    /// A turn is of nobody who is known.
    Role(String),
}

/// Finds the question of an object; in the field that was named, where one was.
pub(super) fn extract_question(
    object: &Object,
    named: Option<&str>,
) -> Result<ExtractedQuestion, ExtractError> {
    let field = match named {
        Some(name) => Some(name),
        None => {
            let names: Vec<&str> = object.keys().map(String::as_str).collect();
            question_among(names.iter().copied()).map(|at| names[at])
        }
    };
    let chat = || object.keys().find(|name| is_chat(name) && !object[*name].is_null());
    let request =
        || REQUESTS.into_iter().find(|name| object.get(*name).is_some_and(Value::is_object));
    let mut asked = match (field, chat(), request()) {
        (Some(field), chat, _) => {
            let value = object.get(field).ok_or(ExtractError::NoField)?;
            let mut asked = from_value(field, value)?;
            // The same question stands in the turns beside it.
            if let Some(turns) =
                chat.filter(|chat| named.is_none() && !asked.is_chat && *chat != field)
            {
                asked.left = from_value(turns, &object[turns])?.left;
            }
            asked
        }
        (None, Some(chat), _) => from_value(chat, &object[chat])?,
        (None, None, Some(request)) => from_request(request, &object[request])?,
        (None, None, None) => match object.get("contents") {
            Some(contents) => from_value("contents", contents)?,
            None => return Err(ExtractError::NoField),
        },
    };
    beside(&mut asked, object);
    if named.is_none() && !asked.is_chat {
        let seconds = SecondNames::of(&asked.field);
        let mut fields = object.iter();
        let second = fields.find(|(name, value)| seconds.contain(name) && is_not_blank(value));
        asked.second = second.map(|(name, _)| name.clone());
    }
    Ok(asked)
}

/// Names of a list of rows, whatever they are.
const ROWS: [&str; 6] = ["rows", "data", "items", "examples", "samples", "records"];

/// A list of rows in an object.
pub(in crate::source) struct RowList {
    pub(in crate::source) items: Vec<Value>,
    /// What stands beside the list, and is said of every row.
    pub(in crate::source) beside: Object,
}

/// Returns the items of the only list in an object that is there to hold them: objects, or texts under a name
/// of questions or rows.
pub(in crate::source) fn list_in(object: &Object) -> Option<RowList> {
    let mut lists = object.iter().filter_map(|(name, value)| Some((name, value.as_array()?)));
    let (name, items) = lists.next().filter(|(_, items)| !items.is_empty())?;
    let is_named = ROWS.contains(&&*name.to_lowercase())
        || question_among([&**name, name.trim_end_matches('s')]).is_some();
    let is_item = |item: &Value| item.is_object() || is_named && item.is_string();
    if lists.next().is_some() || !items.iter().all(is_item) {
        return None;
    }
    let is_list = match extract_question(object, None) {
        Err(ExtractError::NoField) => true,
        Err(ExtractError::NotText(field)) => field == *name && !is_chat(name),
        _ => false,
    };
    let others = object.iter().filter(|(own, value)| *own != name && !value.is_null());
    let beside = others.map(|(name, value)| (name.clone(), value.clone()));
    is_list.then(|| RowList { items: items.clone(), beside: beside.collect() })
}

/// Takes a value for a question, or for the turns of a chat.
fn from_value(field: &str, value: &Value) -> Result<ExtractedQuestion, ExtractError> {
    let question = match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => match turns_in(text) {
            Some(turns) => return from_turns(field, &turns),
            None => text.clone(),
        },
        Value::Array(turns) if is_turns(turns) => return from_turns(field, turns),
        Value::Array(none) if none.is_empty() && is_chat(field) => String::new(),
        _ => return Err(ExtractError::NotText(field.to_owned())),
    };
    Ok(ExtractedQuestion { field: field.to_owned(), question, ..ExtractedQuestion::default() })
}

/// Finds the question of a line of a batch.
fn from_request(field: &str, request: &Value) -> Result<ExtractedQuestion, ExtractError> {
    let object = request.as_object().ok_or_else(|| ExtractError::NotText(field.to_owned()))?;
    let turns =
        TURNS.into_iter().find(|name| object.contains_key(*name)).ok_or(ExtractError::NoField)?;
    let mut asked = from_value(turns, &object[turns])?;
    beside(&mut asked, object);
    let mut rest = object.clone();
    rest.shift_remove(turns);
    asked.field = field.to_owned();
    asked.is_chat = true;
    asked.rest = Some(rest.into());
    Ok(asked)
}

/// Counts what stands beside a question and would not be asked with it.
fn beside(asked: &mut ExtractedQuestion, object: &Object) {
    let has = |names: &[&str]| {
        let others = names.iter().filter(|name| **name != asked.field);
        others.filter_map(|name| object.get(*name)).any(is_not_blank)
    };
    let (systems, parts) = (has(&SYSTEMS), has(&PICTURES));
    let (turns, tools) = (has(&["history"]), has(&["tools", "functions"]));
    // A column called `instructions` may be the question's own.
    asked.left.systems += u64::from(systems);
    asked.left.parts += u64::from(parts);
    asked.left.turns += u64::from(turns);
    asked.left.tools += u64::from(tools);
}

/// Tells whether a column of a table may hold a part of what is meant.
pub(super) fn is_beside(name: &str) -> bool {
    let others = ["history", "tools", "functions"];
    is_chat(name) || SYSTEMS.contains(&name) || PICTURES.contains(&name) || others.contains(&name)
}

fn is_not_blank(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !NOTHING.contains(&text.trim()),
        Value::Array(values) => values.iter().any(is_not_blank),
        Value::Object(fields) => fields.values().any(is_not_blank),
        _ => true,
    }
}

/// Returns the turns of a chat that was written as text.
fn turns_in(text: &str) -> Option<Vec<Value>> {
    let text = text.trim();
    if !(text.starts_with('[') && text.ends_with(']')) {
        return None;
    }
    let turns: Vec<Value> = serde_json::from_str(text).ok()?;
    is_turns(&turns).then_some(turns)
}

/// Tells whether these are turns of a chat.
pub(super) fn is_turns(values: &[Value]) -> bool {
    let is_turn = |value: &Value| {
        let said = ["content", "value", "parts", "tool_calls"].map(|name| value.get(name));
        value.is_object()
            && said.iter().any(Option::is_some)
            && (role_of(value).is_some() || value.get("parts").is_some())
    };
    !values.is_empty() && values.iter().all(is_turn)
}

fn role_of(turn: &Value) -> Option<&str> {
    turn.get("role").or_else(|| turn.get("from"))?.as_str()
}

/// Takes what the user says first for the question.
fn from_turns(field: &str, turns: &[Value]) -> Result<ExtractedQuestion, ExtractError> {
    let mut asked = ExtractedQuestion {
        field: field.to_owned(),
        is_chat: true,
        ..ExtractedQuestion::default()
    };
    let mut is_asked = false;
    for turn in turns {
        let content = ["content", "value", "parts"].into_iter().find_map(|name| turn.get(name));
        let (text, parts) = content.map(turn_text).unwrap_or_default();
        let left = &mut asked.left;
        if turn.get("tool_calls").is_some_and(is_not_blank) {
            left.tools += 1;
        }
        match role_of(turn).unwrap_or("user").trim().to_lowercase().as_str() {
            "user" | "human" | "prompter" => {
                if is_asked {
                    left.turns += 1;
                } else {
                    asked.question = text;
                }
                let has = |name: &&&str| turn.get(**name).is_some_and(is_not_blank);
                left.parts += parts + BESIDE_TEXT.iter().filter(has).count() as u64;
                is_asked = true;
            }
            "assistant" | "gpt" | "model" | "bot" | "chatgpt" | "ai" | "bing" | "bard" => {
                match is_asked {
                    true => left.answers += 1,
                    false => left.turns += 1,
                }
            }
            "system" | "developer" => left.systems += u64::from(!text.trim().is_empty()),
            "tool" | "function" | "function_call" | "function_response" | "observation"
            | "tool_call" | "tool_response" => left.tools += 1,
            other => return Err(ExtractError::Role(other.to_owned())),
        }
    }
    Ok(asked)
}

/// Returns the text of a turn, and how many of its parts are none.
fn turn_text(content: &Value) -> (String, u64) {
    let Value::Array(parts) = content else {
        return match content {
            Value::String(text) => (text.clone(), 0),
            Value::Null => (String::new(), 0),
            other => (other.to_string(), 1),
        };
    };
    let text = |part: &Value| part.as_str().or_else(|| part["text"].as_str()).map(str::to_owned);
    let texts: Vec<String> = parts.iter().filter_map(text).collect();
    let others = (parts.len() - texts.len()) as u64;
    (texts.join("\n"), others)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_beside_the_text_of_a_turn_is_counted() {
        let turn = json!({"role": "user", "content": "What is it?", "images": ["a.png"]});
        let row = json!({"messages": [turn]});
        let asked = extract_question(row.as_object().unwrap(), None).unwrap();
        assert_eq!((&*asked.question, asked.left.parts), ("What is it?", 1));
    }
}
