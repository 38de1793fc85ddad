//! What a model is sent of a schema, in words.

use dset_core::schema::dialect::{Conveyed, Method};
use dset_core::settings::Model;

use super::text::{count, one_line};

/// So many places of a schema are named.
const PLACES_NAMED: usize = 8;

/// Says how a model is asked for answers that fit, and what of the schema it is not sent.
pub(crate) fn lines(model: &Model) -> Vec<String> {
    let Some(conveyed) = &model.conveyed else { return Vec::new() };
    let name = format!("{}/{}", model.preset.id, one_line(&model.request.model));
    let how = match conveyed.method {
        Method::Strict => "is held to the schema by its service",
        Method::Schema => "is sent the schema; its service does what it can",
        Method::Json => "is asked for JSON; the schema stands in the prompt",
        Method::Prompt => "is told the schema in the prompt alone",
    };
    let mut lines = vec![format!("{name} {how}")];
    lines.extend(conveyed.obstacle.as_ref().map(|obstacle| {
        format!("because of {}: {}", place(&obstacle.place), one_line(&obstacle.why))
    }));
    lines.extend(left_out(conveyed));
    lines
}

fn left_out(conveyed: &Conveyed) -> Option<String> {
    let left_out = conveyed.changes.iter().filter(|change| change.becomes.is_none());
    let places: Vec<String> = left_out.map(|change| place(&change.place)).collect();
    if places.is_empty() {
        return None;
    }
    let named = places[..places.len().min(PLACES_NAMED)].join(", ");
    let more = places.len() - places.len().min(PLACES_NAMED);
    let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
    Some(format!("not sent, and checked here alone: {named}{more}"))
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { "the whole of it".to_owned() } else { one_line(pointer) }
}
