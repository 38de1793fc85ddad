//! Lines as OpenAI's Batch API returns them: for programs that read such files, not for training.

use serde_json::json;

use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape};
use crate::answer::row::Row;

/// A line for every answer. `custom_id` is the row's name; where several answers to a row are there,
/// the model and the sample stand behind it, and behind those of one model under two names, or asked for in several
/// ways, which of them it is, so that no two lines have the same.
pub(super) struct BatchResults;

const COLUMNS: [(&str, Kind); 4] = [
    ("id", Kind::Text),
    ("custom_id", Kind::Text),
    ("response", Kind::Json),
    ("error", Kind::Json),
];

fn custom_id(record: &Record<'_>, at: usize) -> String {
    if record.answers.len() < 2 {
        return record.id.to_owned();
    }
    let of = |answer: &Row| {
        let model = answer.metadata.model.as_deref().unwrap_or_default();
        format!("{}/{model}/{}", record.id, answer.metadata.sample.unwrap_or(0))
    };
    let own = of(&record.answers[at]);
    match record.answers[..at].iter().filter(|before| of(before) == own).count() {
        0 => own,
        earlier => format!("{own}/{}", earlier + 1),
    }
}

fn response(answer: &Row, options: &Options) -> String {
    let known = &answer.metadata;
    let mut message = json!({ "role": "assistant", "content": answer.answer });
    if options.reasoning == ReasoningPlace::Field {
        message["reasoning_content"] = json!(answer.reasoning);
    }
    let total = known.input_tokens.zip(known.output_tokens).map(|(sent, got)| sent + got);
    json!({
        "status_code": 200,
        "request_id": known.request_id.as_deref().unwrap_or_default(),
        "body": {
            "id": known.request_id.as_deref().unwrap_or_default(),
            "object": "chat.completion",
            "created": answer.answered_at.div_euclid(1000),
            "model": known.model.as_deref().unwrap_or_default(),
            "choices": [{
                "index": 0,
                "message": message,
                "finish_reason": known.finish_reason.as_deref().unwrap_or("stop"),
            }],
            "usage": {
                "prompt_tokens": known.input_tokens,
                "completion_tokens": known.output_tokens,
                "total_tokens": total,
                "prompt_tokens_details": { "cached_tokens": known.cached_tokens },
                "completion_tokens_details": { "reasoning_tokens": known.reasoning_tokens },
            },
        },
    })
    .to_string()
}

impl Layout for BatchResults {
    fn name(&self) -> &'static str {
        "batch-results"
    }

    fn about(&self) -> &'static str {
        "lines as OpenAI's Batch API returns them"
    }

    fn shows_prompt(&self) -> bool {
        false
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Field, ReasoningPlace::Drop]
    }

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        super::columns::before_users(shape, &COLUMNS, &[])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        for (at, answer) in record.answers.iter().enumerate() {
            let custom_id = custom_id(record, at);
            let mut cells = vec![
                Cell::text(format!("batch_req_{custom_id}")),
                Cell::text(custom_id),
                Cell::Json(response(answer, options).into()),
                Cell::Json("null".into()),
            ];
            cells.extend(record.fields.iter().cloned());
            emit(&cells);
        }
    }
}
