//! A text of each item that is not sent, but held against answers.

use super::{Template, TemplateError, known};
use crate::item::Item;
use crate::item::fields::Field;

/// A field, or a template over the fields.
#[derive(Debug)]
pub struct TextTemplate(Source);

#[derive(Debug)]
enum Source {
    Field(String),
    Template(Box<Template>),
}

impl TextTemplate {
    /// Parses a template for an input with these columns. Fails on syntax and on names that are no
    /// column.
    pub fn new(source: &str, columns: &[String]) -> Result<TextTemplate, TemplateError> {
        Ok(TextTemplate(Source::Template(Box::new(Template::new(source, columns)?))))
    }

    /// Takes one field as it stands, whatever it is called. Fails where no column has its name.
    pub fn field(name: &str, columns: &[String]) -> Result<TextTemplate, TemplateError> {
        match columns.iter().any(|column| column == name) {
            true => Ok(TextTemplate(Source::Field(name.to_owned()))),
            false => Err(TemplateError::Undefined { name: name.to_owned(), known: known(columns) }),
        }
    }

    /// Returns the text of an item; a field that it lacks is empty, and one that is no text is JSON.
    pub fn render(&self, item: &Item<'_>) -> Result<String, TemplateError> {
        match &self.0 {
            Source::Field(name) => Ok(match item.fields.get(name) {
                Some(Field::Text(text)) => text.to_owned(),
                Some(Field::Json(value)) if !value.is_null() => value.to_string(),
                _ => String::new(),
            }),
            Source::Template(template) => template.fill(item, item.text.trim()),
        }
    }
}
