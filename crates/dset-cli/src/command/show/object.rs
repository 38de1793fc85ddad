//! What `dset show` tells a program.

use dset_core::plan::ledger::Fault;
use dset_core::settings::Settings;
use dset_engine::store::Tried;
use dset_engine::view::show::{Entry, Outcome, Question, Shown};
use serde_json::{Value, json};

pub(super) fn of(settings: &Settings, shown: &Shown) -> Value {
    let question = |question: &Question| {
        json!({
            "question": question.place.map(|(number, _)| number),
            "row": question.place.map(|(_, row)| row),
            "text": question.text,
            "answers": question.entries.iter().map(entry_object).collect::<Vec<_>>(),
        })
    };
    json!({
        "v": 1,
        "input": settings.input,
        "output": settings.output,
        "of": shown.of,
        "questions": shown.questions.iter().map(question).collect::<Vec<_>>(),
    })
}

fn entry_object(entry: &Entry) -> Value {
    let tried = |tried: &Option<Tried>| {
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
    let more = match &entry.outcome {
        Outcome::Answered(row) => json!({
            "state": "answered",
            "answered_at": row.answered_at,
            "reasoning": row.reasoning,
            "answer": row.answer,
            "metadata": row.metadata,
        }),
        Outcome::Presumed => json!({ "state": "presumed" }),
        Outcome::Failed { end, tried: asks } => json!({
            "state": match end {
                Some((Fault::Rejected, _)) => "rejected",
                Some((Fault::GaveUp, _)) => "gave_up",
                None => "marked",
            },
            "cause": end.as_ref().map(|(_, cause)| cause),
            "last_ask": tried(asks),
        }),
        Outcome::Pending { tried: asks } => json!({ "state": "pending", "last_ask": tried(asks) }),
    };
    let (Some(object_map), Value::Object(more)) = (object.as_object_mut(), more) else {
        unreachable!("both are objects")
    };
    object_map.extend(more);
    object
}
