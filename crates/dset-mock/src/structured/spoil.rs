//! Answers to a schema that went wrong in the ways that models and servers have.

use serde_json::{Value, json};

use crate::fault::Fault;

/// Returns what comes of a good JSON text under a fault; the text itself under any other.
pub(crate) fn spoiled(fault: Option<Fault>, good: String) -> String {
    let members = |text: &str| match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    };
    match fault {
        Some(Fault::Fenced) => format!("```json\n{good}\n```"),
        Some(Fault::Prose) => format!("Here is the answer:\n\n{good}\n\nI hope that this helps."),
        Some(Fault::CutJson) => {
            let half = good.len() / 2;
            let end = (0..=half).rev().find(|at| good.is_char_boundary(*at)).unwrap_or(0);
            good[..end].to_owned()
        }
        Some(Fault::WrongType) => match members(&good) {
            Some(mut members) => {
                if let Some(value) = members.values_mut().next() {
                    *value = if value.is_object() { Value::from(7) } else { json!({}) };
                }
                Value::from(members).to_string()
            }
            None => "{\"wrong\":\"type\"}".to_owned(),
        },
        Some(Fault::ExtraKeys) => match members(&good) {
            Some(mut members) => {
                members.insert("unexpected".to_owned(), true.into());
                Value::from(members).to_string()
            }
            None => good,
        },
        Some(Fault::DuplicateKeys) => {
            let first = members(&good).and_then(|members| {
                let (name, value) = members.iter().next()?;
                Some(format!("{}:{value}", Value::from(name.as_str())))
            });
            match first {
                Some(first) => format!("{{{first},{}", &good[1..]),
                None => good,
            }
        }
        _ => good,
    }
}
