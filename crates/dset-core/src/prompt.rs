//! Renders the user message of a question from a template and the cells of its row.
//!
//! Templates are Jinja, strict: a name that is no column is an error, found before anything is
//! asked. Cells are put in as they stand; nothing is escaped.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use thiserror::Error;

/// The template that is used when none is given.
pub const DEFAULT_TEMPLATE: &str = "{{ question }}";

const NAME: &str = "template";

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
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It fails on a row.
    #[error("row {row_number}: {detail}")]
    Row {
        /// The row as a spreadsheet counts it.
        row_number: u64,
        /// What went wrong.
        detail: String,
    },
}

/// A parsed template, bound to the columns of one input.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    is_default: bool,
    uses_question: bool,
    columns: Vec<String>,
}

/// The cells of one row, as the template sees them.
pub trait Cells {
    /// Returns the cell of a column from 0; absent where the row is too short.
    fn cell(&self, column: usize) -> Option<&str>;
}

impl Template {
    /// Parses a template for an input with these column names (`column_1` and so on where the
    /// input has no header). Fails on syntax and on names that are no column.
    pub fn new(source: &str, columns: &[String]) -> Result<Template, TemplateError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax.keep_trailing_newline(true);
        environment.set_syntax(syntax.build().expect("the usual delimiters are valid"));
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| {
            TemplateError::Syntax {
                line: error.line().unwrap_or(1),
                detail: error.detail().unwrap_or("cannot be read").to_owned(),
            }
        })?;
        let parsed = environment.get_template(NAME).expect("it was just added");
        let names = parsed.undeclared_variables(false);
        let is_global = |name: &str| environment.globals().any(|(global, _)| global == name);
        let is_known =
            |name: &str| name == "question" || name == "row" || columns.iter().any(|c| c == name);
        let mut unknown: Vec<_> =
            names.iter().filter(|name| !is_known(name) && !is_global(name)).collect();
        unknown.sort();
        if let Some(name) = unknown.first() {
            let mut known = vec!["question".to_owned()];
            known.extend(columns.iter().filter(|c| *c != "question").cloned());
            return Err(TemplateError::Undefined { name: (*name).clone(), known });
        }
        let uses_question = names.contains("question");
        drop(parsed);
        let is_default = source == DEFAULT_TEMPLATE;
        Ok(Template { environment, is_default, uses_question, columns: columns.to_vec() })
    }

    /// Tells whether the prompt is the question alone.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// Renders the prompt of a row whose question cell is `question`, with the blanks around it.
    ///
    /// Returns `None` for an empty row: its question is blank or, where the template does not use
    /// that, its prompt is.
    pub fn render<'a>(
        &self,
        row_number: u64,
        question: &'a str,
        cells: &impl Cells,
    ) -> Result<Option<Prompt<'a>>, TemplateError> {
        let trimmed = question.trim();
        if trimmed.is_empty() && self.uses_question {
            return Ok(None);
        }
        let has_blanks = trimmed.len() < question.len() && self.uses_question;
        if self.is_default {
            let keyed = has_blanks.then_some(Cow::Borrowed(trimmed));
            return Ok(Some(Prompt { text: Cow::Borrowed(question), keyed }));
        }
        let text = self.fill(row_number, question, cells)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let keyed = has_blanks.then(|| self.fill(row_number, trimmed, cells)).transpose()?;
        Ok(Some(Prompt { text: Cow::Owned(text), keyed: keyed.map(Cow::Owned) }))
    }

    fn fill(
        &self,
        row_number: u64,
        question: &str,
        cells: &impl Cells,
    ) -> Result<String, TemplateError> {
        let cell = |at| Value::from(cells.cell(at).unwrap_or_default());
        let mut row = BTreeMap::new();
        for (at, name) in self.columns.iter().enumerate() {
            row.entry(name.as_str()).or_insert_with(|| cell(at));
        }
        let mut names = row.clone();
        names.insert("question", Value::from(question));
        names.insert("row", Value::from_pairs(row));
        let parsed = self.environment.get_template(NAME).expect("parsed when it was made");
        parsed.render(Value::from_pairs(names)).map_err(|error| {
            let detail = match error.kind() {
                ErrorKind::UndefinedError => "the template names a column that is not there".into(),
                _ => error.to_string(),
            };
            TemplateError::Row { row_number, detail }
        })
    }
}

/// The user message of a row.
///
/// Blanks around a question may belong to it, as they do to code, so they are sent; its key has none.
/// They were not sent by earlier versions, whose answers count for the same rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// What is sent.
    pub text: Cow<'a, str>,
    /// The same of the question without blanks around it, where that is another text.
    keyed: Option<Cow<'a, str>>,
}

impl Prompt<'_> {
    /// Returns the text that the key of the answer is made of.
    #[must_use]
    pub fn keyed(&self) -> &str {
        self.keyed.as_deref().unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Cells for Vec<&str> {
        fn cell(&self, column: usize) -> Option<&str> {
            self.get(column).copied()
        }
    }

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn render(source: &str, names: &[&str], cells: Vec<&str>) -> String {
        let template = Template::new(source, &columns(names)).unwrap();
        template.render(2, cells[0], &cells).unwrap().unwrap().text.into_owned()
    }

    #[test]
    fn other_columns_are_named_by_their_header_and_nothing_is_escaped() {
        let text = render("{{ question }} <{{ topic }}>", &["prompt", "topic"], vec!["a", "b&c"]);
        assert_eq!(text, "a <b&c>");
        let text = render(r#"{{ row["Final grade"] }}"#, &["q", "Final grade"], vec!["a", " 1 "]);
        assert_eq!(text, " 1 ");
        assert_eq!(render("{{ column_2 }}\n", &["column_1", "column_2"], vec!["a", "b"]), "b\n");
    }

    #[test]
    fn a_cell_that_a_short_row_lacks_is_empty() {
        assert_eq!(render("{{ question }}{{ topic }}", &["q", "topic"], vec!["a"]), "a");
    }

    #[test]
    fn a_name_that_is_no_column_is_found_before_any_row() {
        let error = Template::new("{{ topc }}", &columns(&["question", "topic"])).unwrap_err();
        let known = columns(&["question", "topic"]);
        assert_eq!(error, TemplateError::Undefined { name: "topc".into(), known });
    }

    #[test]
    fn a_column_named_in_brackets_that_is_not_there_fails_on_the_row() {
        let template = Template::new(r#"{{ row["x y"] }}"#, &columns(&["question"])).unwrap();
        let error = template.render(7, "a", &vec!["a"]).unwrap_err();
        assert!(matches!(error, TemplateError::Row { row_number: 7, .. }), "{error:?}");
    }

    #[test]
    fn a_row_is_empty_when_its_question_is_or_its_prompt_where_that_is_not_used() {
        let template = Template::new("{{ topic }}", &columns(&["question", "topic"])).unwrap();
        assert_eq!(template.render(2, "", &vec!["", "x"]).unwrap().unwrap().text, "x");
        assert_eq!(template.render(2, "a", &vec!["a", " "]).unwrap(), None);
        let template = Template::new(DEFAULT_TEMPLATE, &columns(&["question"])).unwrap();
        assert_eq!(template.render(2, "", &vec![""]).unwrap(), None);
    }

    #[test]
    fn blanks_around_a_question_are_sent_and_are_no_part_of_its_key() {
        let code = "    return a + b  ";
        for (source, sent, keyed) in [
            (DEFAULT_TEMPLATE, code, "return a + b"),
            ("Mend: {{ question }}", "Mend:     return a + b  ", "Mend: return a + b"),
            ("{{ row['question'] }}", code, code),
        ] {
            let template = Template::new(source, &columns(&["question"])).unwrap();
            let prompt = template.render(2, code, &vec![code]).unwrap().unwrap();
            assert_eq!((&*prompt.text, prompt.keyed()), (sent, keyed), "{source}");
        }
        let template = Template::new(DEFAULT_TEMPLATE, &columns(&["question"])).unwrap();
        assert_eq!(template.render(2, " \n", &vec![" \n"]).unwrap(), None);
        let prompt = template.render(2, "a", &vec!["a"]).unwrap().unwrap();
        assert_eq!((&*prompt.text, prompt.keyed()), ("a", "a"));
    }

    #[test]
    fn broken_syntax_names_its_line() {
        let error = Template::new("a\n{{ question", &columns(&["question"])).unwrap_err();
        assert!(matches!(error, TemplateError::Syntax { line: 2, .. }), "{error:?}");
    }
}
