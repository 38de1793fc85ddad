//! Templates and system prompts that cannot be used.

use dset_core::template::{PromptError, Role, TemplateError};

use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;

impl From<PromptError> for UserError {
    fn from(PromptError { role, error }: PromptError) -> UserError {
        let of = if role == Role::User { "the template" } else { "the system prompt" };
        let user = match error {
            TemplateError::Blank => UserError::new(Exit::Usage, format!("{of} is empty")),
            _ => UserError::new(Exit::Usage, format!("{of} cannot be used")),
        };
        let columns = |known: &[String]| {
            let known: Vec<_> = known.iter().map(|name| one_line(name)).collect();
            format!("There are: {}", known.join(", "))
        };
        match error {
            TemplateError::Undefined { name, known } => user
                .cause(format!("`{}` is not a column", one_line(&name)))
                .hint(columns(&known))
                .hint("A column with spaces is written `{{ row[\"Final grade\"] }}`")
                .hint(LITERAL_BRACES),
            TemplateError::Placeholder { line, text, column } => {
                let text = one_line(&text);
                let user = user.cause(format!(
                    "line {line}: `{text}` would be sent as it stands, in every row"
                ));
                let field = field(column.as_deref().unwrap_or("question"));
                user.hint(format!("A column is written between two braces: `{field}`"))
                    .hint(format!("If it is meant so: `{{% raw %}}{text}{{% endraw %}}`"))
            }
            TemplateError::NoField { known } => user
                .cause("no column stands in it, so that every row would ask the same")
                .hint("A column is written between two braces: `{{ question }}`")
                .hint(columns(&known)),
            TemplateError::Blank => user
                .cause("nothing would be sent")
                .hint("Leave it out to send the question alone, which is `{{ question }}`"),
            TemplateError::TwoSystems { row_number } => user
                .cause(format!(
                    "row {row_number} holds a chat with a system prompt of its own, and another one \
                     is given for all rows"
                ))
                .hint("Leave out `--system`, or take the system turns out of the chats"),
            TemplateError::Row { .. } => user
                .cause(one_line(&error.to_string()))
                .hint("A column stands between two braces, as in `{{ question }}`"),
            TemplateError::Syntax { .. } | TemplateError::Braces { .. } => user
                .cause(one_line(&error.to_string()))
                .hint("A column stands between two braces, as in `{{ question }}`")
                .hint(LITERAL_BRACES),
        }
    }
}

/// For LaTeX and for the braces of other template languages.
const LITERAL_BRACES: &str =
    "Braces that are sent as they stand: `{% raw %}\\boxed{{}}{% endraw %}`, or `{{ '{{' }}`";

/// Writes a column as a template names it.
fn field(column: &str) -> String {
    let begins = column.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
    let is_name = begins && column.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    match is_name {
        true => format!("{{{{ {column} }}}}"),
        false => format!("{{{{ row[\"{}\"] }}}}", one_line(column)),
    }
}
