//! A question for a program: `dset show --json` and the viewer say it in these words.

use serde_json::{Value, json};

use super::{ShownQuestion, ShownSlot, ShownTry, SlotOutcome};
use crate::store::{Attempt, AttemptSummary};

/// A question with what came of it.
#[must_use]
pub fn question(question: &ShownQuestion) -> Value {
    json!({
        "question": question.place.map(|(number, _)| number),
        "row": question.place.map(|(_, row)| row),
        "text": question.text,
        "answers": question.entries.iter().map(slot).collect::<Vec<_>>(),
    })
}

/// An ask that failed.
#[must_use]
pub fn attempt(attempt: &Attempt) -> Value {
    json!({
        "at": attempt.at,
        "seconds": attempt.seconds,
        "cause": attempt.cause,
        "status": attempt.status,
        "message": attempt.message,
        "request_id": attempt.request_id,
    })
}

fn last_ask(tried: Option<&AttemptSummary>) -> Option<Value> {
    let tried = tried?;
    let mut object = json!({ "asks": tried.count });
    merge(&mut object, attempt(&tried.last));
    object["reply"] = json!(tried.reply.as_deref().map(String::from_utf8_lossy));
    Some(object)
}

fn slot(slot: &ShownSlot) -> Value {
    let mut object = json!({ "model": slot.model, "sample": slot.sample });
    if !slot.tries.is_empty() {
        object["tries"] = slot.tries.iter().map(one_try).collect();
    }
    let more = match &slot.outcome {
        SlotOutcome::Answered(row) => json!({
            "state": "answered",
            "answered_at": row.answered_at,
            "reasoning": row.reasoning,
            "answer": row.answer,
            "metadata": row.metadata,
            "parsed": row.parsed().map(|parsed| parsed.value.to_string()),
            "parsed_from": row.parsed().map(|parsed| parsed.from),
        }),
        SlotOutcome::Presumed => json!({ "state": "presumed" }),
        SlotOutcome::Failed { end, tried } => json!({
            "state": match end {
                Some((fault, _)) => json!(fault),
                None => json!("marked"),
            },
            "cause": end.as_ref().map(|(_, cause)| cause),
            "last_ask": last_ask(tried.as_ref()),
        }),
        SlotOutcome::Pending { tried } => {
            json!({ "state": "pending", "last_ask": last_ask(tried.as_ref()) })
        }
    };
    merge(&mut object, more);
    object
}

fn one_try(one: &ShownTry) -> Value {
    json!({
        "try": one.number,
        "accepted": one.is_accepted,
        "answered_at": one.row.answered_at,
        "reasoning": one.row.reasoning,
        "answer": one.row.answer,
        "verdicts": one.verdicts,
    })
}

fn merge(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}
