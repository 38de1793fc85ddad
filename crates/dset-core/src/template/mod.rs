//! Renders what is sent for a row from two templates, of the system prompt and of the user message,
//! and the fields of the item.
//!
//! Templates are Jinja, strict: a name that is no field is an error, found before anything is
//! asked, and so is a placeholder that nothing would fill. Texts are put in as they stand; nothing is
//! escaped. What compares and multiplies means the same as in a condition. A system prompt in which Jinja reads nothing is sent byte for byte.

pub(crate) mod comparison;
pub mod condition;
pub(crate) mod expression;
pub mod order;
mod placeholder;
mod rewrite;
pub mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, Value};
use thiserror::Error;

use crate::item::Item;
use crate::item::fields::{Field, Fields};
use crate::item::shape::Shape;
use crate::key::RequestSettings;
use placeholder::{Placeholder, constant, placeholder};

pub use placeholder::has_code;

/// The template that is used when none is given.
pub const DEFAULT_TEMPLATE: &str = "{{ question }}";

const NAME: &str = "template";

/// Which template of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The template of the user message.
    User,
    /// The template of the system prompt.
    System,
}

/// What is wrong with one of them.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{error}")]
pub struct PromptError {
    /// The template it is in.
    pub role: Role,
    /// What is wrong with it.
    pub error: TemplateError,
}

/// What is wrong with a template.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// It does not parse.
    #[error("line {line}: {detail}")]
    Syntax {
        /// The line in the template, from 1.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// It names something that is no column.
    #[error("`{name}` is not a column")]
    Undefined {
        /// The name as it stands in the template.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It fails on a row.
    #[error("row {row_number}: {detail}")]
    Row {
        /// The row as a spreadsheet counts it.
        row_number: u64,
        /// The message of the template engine.
        detail: String,
    },
    /// A chat has a system prompt of its own.
    #[error("row {row_number}: the chat has a system prompt of its own")]
    TwoSystems {
        /// The row as a spreadsheet counts it.
        row_number: u64,
    },
    /// There is nothing in it.
    #[error("it is empty")]
    Blank,
    /// A user message in which no column stands: every row would ask the same.
    #[error("no column stands in it")]
    NoField {
        /// The names there are.
        known: Vec<String>,
    },
    /// Something in it is meant to be filled, and would be sent as it stands.
    #[error("line {line}: `{text}` would be sent as it stands")]
    Placeholder {
        /// Its line, from 1.
        line: usize,
        /// As it is written.
        text: String,
        /// The column that it means, where it names one.
        column: Option<String>,
    },
    /// Braces that are probably meant as they stand, and would be read as code.
    #[error("line {line}: of `{text}` only what is between the braces would be sent")]
    Braces {
        /// Their line, from 1.
        line: usize,
        /// With what is between them.
        text: String,
    },
}

/// What is sent for every row, bound to the columns of one input.
#[derive(Debug)]
pub struct Prompts {
    user: Template,
    system: System,
}

#[derive(Debug)]
enum System {
    /// Sent as it stands, if there is one.
    Text(Option<Arc<str>>),
    Template(Box<Template>),
}

/// What is sent for one row.
///
/// Blanks around a question may belong to it, as they do to code, so they are sent; its key has
/// none. They were not sent by earlier versions, whose answers count for the same rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered<'a> {
    /// The rendered user message.
    pub user: Cow<'a, str>,
    /// The same of the question without blanks around it, where that is another text.
    pub keyed_user: Option<Cow<'a, str>>,
    /// The system prompt of this row; one that is a template and renders to nothing is none.
    pub system: Option<Arc<str>>,
}

impl Rendered<'_> {
    /// Copies what is borrowed of the item.
    #[must_use]
    pub fn into_owned(self) -> Rendered<'static> {
        Rendered {
            user: Cow::Owned(self.user.into_owned()),
            keyed_user: self.keyed_user.map(|keyed| Cow::Owned(keyed.into_owned())),
            system: self.system,
        }
    }

    /// Returns the user message that the key of the answer is made of.
    #[must_use]
    pub fn keyed(&self) -> &str {
        self.keyed_user.as_deref().unwrap_or(&self.user)
    }
}

/// A user message, and the one that its key is made of where that is another.
#[derive(Debug, PartialEq, Eq)]
struct Message<'a> {
    text: Cow<'a, str>,
    keyed: Option<Cow<'a, str>>,
}

impl Prompts {
    /// Parses both templates for an input of this shape. Fails on syntax and on names that are no
    /// field.
    pub fn new(request: &RequestSettings, shape: &Shape) -> Result<Prompts, PromptError> {
        let of = |role| move |error| PromptError { role, error };
        let user = Template::of_shape(&request.template, shape).map_err(of(Role::User))?;
        let system = match request.system.as_deref() {
            Some(source) if request.system_is_template => System::Template(Box::new(
                Template::of_shape(source, shape).map_err(of(Role::System))?,
            )),
            text => System::Text(text.map(Arc::from)),
        };
        Ok(Prompts { user, system })
    }

    /// Fails where a placeholder would be sent, or every row would ask the same. A system prompt
    /// that `has_answers` is not judged: it is sent as it was.
    pub fn check(&self, has_answers: bool) -> Result<(), PromptError> {
        let user = |error| PromptError { role: Role::User, error };
        self.user.check(true).map_err(user)?;
        let judged = match &self.system {
            System::Template(system) => system.check(false),
            System::Text(Some(text)) if !has_answers => {
                no_placeholder(text, &self.user.names(), false)
            }
            System::Text(_) => Ok(()),
        };
        judged.map_err(|error| PromptError { role: Role::System, error })
    }

    /// Returns true if all that is sent of a row is its question.
    #[must_use]
    pub fn are_the_question_alone(&self) -> bool {
        self.user.is_default && matches!(self.system, System::Text(_))
    }

    /// Renders the prompts of an item; of one whose question is a chat, the user message is what its
    /// question alone would be.
    ///
    /// Returns `None` for an empty item: its question is blank or, where the template does not use
    /// that, its user message is.
    pub fn render<'a>(&self, item: &Item<'a>) -> Result<Option<Rendered<'a>>, PromptError> {
        let of = |role| move |error| PromptError { role, error };
        let user = self.user.render(item).map_err(of(Role::User))?;
        let Some(Message { text: user, keyed: keyed_user }) = user else { return Ok(None) };
        let system = match &self.system {
            System::Text(text) => text.clone(),
            System::Template(system) => {
                let text = system.fill(item, item.text.trim()).map_err(of(Role::System))?;
                (!text.trim().is_empty()).then(|| text.into())
            }
        };
        let system = match (system, item.system) {
            (Some(_), Some(_)) => {
                let row_number = item.place.number();
                return Err(of(Role::System)(TemplateError::TwoSystems { row_number }));
            }
            (system, own) => system.or_else(|| own.cloned()),
        };
        Ok(Some(Rendered { user, keyed_user, system }))
    }
}

/// A parsed template, its fields bound to columns.
#[derive(Debug)]
struct Template {
    environment: Environment<'static>,
    /// As it was written.
    source: String,
    is_default: bool,
    uses_question: bool,
    uses_field: bool,
    columns: Vec<String>,
    /// The column that marks go into: no field of a row, or a row that fails would be asked with another text, and
    /// so would all others once the column is there.
    marks: Option<String>,
}

impl Template {
    fn of_shape(source: &str, shape: &Shape) -> Result<Template, TemplateError> {
        let marks = shape.marks.clone();
        let is_field = |name: &&String| marks.as_ref() != Some(*name);
        let columns: Vec<String> = shape.fields.iter().filter(is_field).cloned().collect();
        Ok(Template { marks, ..Template::new(source, &columns)? })
    }

    fn new(source: &str, columns: &[String]) -> Result<Template, TemplateError> {
        let mut environment = comparison::environment();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let mut syntax = SyntaxConfig::builder();
        syntax.keep_trailing_newline(true);
        environment.set_syntax(syntax.build().expect("the usual delimiters are valid"));
        let syntax = |error: minijinja::Error| TemplateError::Syntax {
            line: error.line().unwrap_or(1),
            detail: error.detail().unwrap_or("cannot be read").to_owned(),
        };
        environment.add_template_owned(NAME, source.to_owned()).map_err(syntax)?;
        let parsed = environment.get_template(NAME).expect("it was just added");
        let names = parsed.undeclared_variables(false);
        let is_global = |name: &str| environment.globals().any(|(global, _)| global == name);
        let is_known =
            |name: &str| name == "question" || name == "row" || columns.iter().any(|c| c == name);
        let mut unknown: Vec<_> =
            names.iter().filter(|name| !is_known(name) && !is_global(name)).collect();
        unknown.sort();
        if let Some(name) = unknown.first() {
            return Err(TemplateError::Undefined { name: (*name).clone(), known: known(columns) });
        }
        let uses_question = names.contains("question");
        let uses_field = names.iter().any(|name| is_known(name));
        drop(parsed);
        environment.add_template_owned(NAME, rewrite::template(source)).map_err(syntax)?;
        let is_default = source == DEFAULT_TEMPLATE;
        let (source, columns) = (source.to_owned(), columns.to_vec());
        let marks = None;
        Ok(Template { environment, source, is_default, uses_question, uses_field, columns, marks })
    }

    fn parsed(&self) -> minijinja::Template<'_, '_> {
        self.environment.get_template(NAME).expect("parsed when it was made")
    }

    fn names(&self) -> Vec<String> {
        known(&self.columns)
    }

    fn check(&self, wants_field: bool) -> Result<(), TemplateError> {
        if self.is_default {
            return Ok(());
        }
        let (source, names) = (self.source.as_str(), self.names());
        if wants_field && source.trim().is_empty() {
            return Err(TemplateError::Blank);
        }
        no_placeholder(source, &names, self.uses_field)?;
        match constant(source, &names) {
            Some(Placeholder { line, text, column: column @ Some(_) }) => {
                Err(TemplateError::Placeholder { line, text, column })
            }
            Some(Placeholder { line, text, column: None }) => {
                Err(TemplateError::Braces { line, text })
            }
            None if wants_field && !self.uses_field => Err(TemplateError::NoField { known: names }),
            None => Ok(()),
        }
    }

    /// Renders the user message of an item, and what its key is made of where that is another text.
    fn render<'a>(&self, item: &Item<'a>) -> Result<Option<Message<'a>>, TemplateError> {
        let (question, trimmed) = (item.text, item.text.trim());
        if trimmed.is_empty() && self.uses_question {
            return Ok(None);
        }
        let has_blanks = trimmed.len() < question.len() && self.uses_question;
        if self.is_default {
            let keyed = has_blanks.then_some(Cow::Borrowed(trimmed));
            return Ok(Some(Message { text: Cow::Borrowed(question), keyed }));
        }
        let text = self.fill(item, question)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let keyed = has_blanks.then(|| self.fill(item, trimmed)).transpose()?;
        Ok(Some(Message { text: Cow::Owned(text), keyed: keyed.map(Cow::Owned) }))
    }

    fn fill(&self, item: &Item<'_>, question: &str) -> Result<String, TemplateError> {
        let names = names_of(item, question, self.marks.as_deref());
        self.parsed().render(names).map_err(|error| row_error(item, &error))
    }
}

/// Returns what templates and conditions see of an item: its fields by their names, all of them in
/// `row`, and its question; not the one that is `left_out`.
fn names_of(item: &Item<'_>, question: &str, left_out: Option<&str>) -> Value {
    let mut names = field_values(item.fields);
    if let Some(name) = left_out {
        names.remove(name);
    }
    // What is used of these is an error.
    let bytes = |name: &str| {
        let detail = format!("`{name}` holds bytes that are no UTF-8 text");
        Value::from(minijinja::Error::new(ErrorKind::InvalidOperation, detail))
    };
    names.extend(item.bytes.iter().map(|name| (name.as_str(), bytes(name))));
    let row = match item.fields {
        // A short row ends with empty cells; columns of other files it does not have.
        Fields::Cells(columns, _) => {
            for name in columns.iter().filter(|name| Some(name.as_str()) != left_out) {
                names.entry(name).or_insert_with(|| Value::from(""));
            }
            Value::from_pairs(names.clone())
        }
        Fields::Object(fields) => Value::from_pairs(fields.iter().map(|(name, value)| {
            let value = match item.bytes.contains(name) {
                true => bytes(name),
                false => from_json(value),
            };
            (name.as_str(), value)
        })),
    };
    names.insert("question", Value::from(question));
    names.insert("row", row);
    Value::from_pairs(names)
}

/// Returns the fields of an item by their names; of two with one name the first.
pub(crate) fn field_values(fields: Fields<'_>) -> BTreeMap<&str, Value> {
    let mut values = BTreeMap::new();
    fields.for_each(|name, field| {
        values.entry(name).or_insert_with(|| match field {
            Field::Text(text) => Value::from(text),
            Field::Json(value) => from_json(value),
        });
    });
    values
}

fn row_error(item: &Item<'_>, error: &minijinja::Error) -> TemplateError {
    let detail = match error.kind() {
        ErrorKind::UndefinedError => "it names a field that this row does not have".into(),
        _ => error.to_string(),
    };
    TemplateError::Row { row_number: item.place.number(), detail }
}

/// Fails where a template names no column, whatever the columns are, and where it does not parse.
pub fn check_without_columns(source: &str) -> Result<(), TemplateError> {
    match Template::new(source, &[]) {
        // It may be a column.
        Err(TemplateError::Undefined { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(template) => template.check(true),
    }
}

fn no_placeholder(source: &str, names: &[String], uses_field: bool) -> Result<(), TemplateError> {
    match placeholder(source, names, uses_field) {
        Some(Placeholder { line, text, column }) => {
            Err(TemplateError::Placeholder { line, text, column })
        }
        None => Ok(()),
    }
}

/// Takes a value over, fields in their order.
pub(crate) fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => comparison::null(),
        serde_json::Value::Bool(truth) => Value::from(*truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (_, Some(number)) => Value::from(number),
            _ => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(values) => Value::from_iter(values.iter().map(from_json)),
        serde_json::Value::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), from_json(value))))
        }
    }
}

/// The names that a template may use.
fn known(columns: &[String]) -> Vec<String> {
    let mut known = vec!["question".to_owned()];
    known.extend(columns.iter().filter(|column| *column != "question").cloned());
    known
}

#[cfg(test)]
mod tests;
