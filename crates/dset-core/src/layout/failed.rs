//! What has no answer yet, in a form that can be asked again.

use super::{Cell, Column, Layout, Options, ReasoningPlace, Record, Shape};

/// A row for every question that lacks an answer: the user's columns as they are, and nothing of
/// ours. Not one of the layouts that a user names.
pub struct Failed;

impl Layout for Failed {
    fn name(&self) -> &'static str {
        "failed"
    }

    fn about(&self) -> &'static str {
        "your columns of what has no answer yet"
    }

    fn shows_prompt(&self) -> bool {
        false
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Drop]
    }

    fn keeps_all_columns(&self) -> bool {
        true
    }

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        shape.fields.clone()
    }

    fn rows(&self, record: &Record<'_>, _: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        emit(record.fields);
    }
}
