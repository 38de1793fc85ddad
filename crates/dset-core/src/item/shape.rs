//! What is known of all items of an input: the names of their fields, and which is the question.

use crate::csv::{Chosen, Layout};

/// The fields that the items of an input have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The names, in the order of the input; `column_1` and so on where it has none.
    pub fields: Vec<String>,
    /// The names are the input's own.
    pub has_names: bool,
    /// The names, where there are any, are its first row.
    pub is_table: bool,
    /// The field with the questions, from 0.
    pub question: usize,
    /// Why that one.
    pub chosen: Chosen,
    /// The name of the field that marks go into; `None` where the input cannot be marked.
    pub marks: Option<String>,
}

impl Shape {
    /// Returns the shape of a table.
    #[must_use]
    pub fn from_layout(layout: &Layout) -> Shape {
        Shape {
            fields: layout.columns.clone(),
            has_names: layout.has_header,
            is_table: true,
            question: layout.question,
            chosen: layout.chosen,
            marks: Some(layout.marks_name()),
        }
    }

    /// Returns the shape of an input whose items are texts alone.
    #[must_use]
    pub fn of_texts() -> Shape {
        Shape {
            fields: vec!["question".to_owned()],
            has_names: true,
            is_table: false,
            question: 0,
            chosen: Chosen::ByName,
            marks: None,
        }
    }
}
