//! What `dset show` tells a program.

use dset_core::settings::JobSpec;
use dset_engine::store::AttemptSummary;
use dset_engine::view::show::{ShowReport, ShownQuestion, ShownSlot, ShownTry, SlotOutcome};
use serde_json::{Value, json};

pub(super) fn of(settings: &JobSpec, shown: &ShowReport) -> Value {
    let question = |question: &ShownQuestion| {
        json!({
            "question": question.place.map(|(number, _)| number),
            "row": question.place.map(|(_, row)| row),
            "text": question.text,
            "answers": question.entries.iter().map(entry_object).collect::<Vec<_>>(),
        })
    };
    json!({
        "input": settings.input,
        "output": settings.output,
        "of": shown.questions_count,
        "questions": shown.questions.iter().map(question).collect::<Vec<_>>(),
    })
}

fn entry_object(entry: &ShownSlot) -> Value {
    let tried = |tried: &Option<AttemptSummary>| {
        tried.as_ref().map(|tried| {
            let last = &tried.last;
            json!({
                "asks": tried.count,
                "at": last.at,
                "seconds": last.seconds,
                "cause": last.cause,
                "status": last.status,
                "message": last.message,
                "request_id": last.request_id,
                "reply": tried.reply.as_deref().map(String::from_utf8_lossy),
            })
        })
    };
    let mut object = json!({ "model": entry.model, "sample": entry.sample });
    if !entry.tries.is_empty() {
        let one = |one: &ShownTry| {
            json!({
                "try": one.number,
                "accepted": one.is_accepted,
                "answered_at": one.row.answered_at,
                "reasoning": one.row.reasoning,
                "answer": one.row.answer,
                "verdicts": one.verdicts,
            })
        };
        object["tries"] = entry.tries.iter().map(one).collect();
    }
    let more = match &entry.outcome {
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
        SlotOutcome::Failed { end, tried: asks } => json!({
            "state": match end {
                Some((fault, _)) => json!(fault),
                None => json!("marked"),
            },
            "cause": end.as_ref().map(|(_, cause)| cause),
            "last_ask": tried(asks),
        }),
        SlotOutcome::Pending { tried: asks } => {
            json!({ "state": "pending", "last_ask": tried(asks) })
        }
    };
    let (Some(object_map), Value::Object(more)) = (object.as_object_mut(), more) else {
        unreachable!("both are objects")
    };
    object_map.extend(more);
    object
}
