//! One Jinja expression, without the braces of a template, for whoever judges by one.

use std::sync::LazyLock;

use minijinja::Environment;

use super::{comparison, rewrite};

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(comparison::environment);

/// What is wrong with an expression before it is evaluated.
#[derive(Debug)]
pub(crate) enum ParseError {
    /// It does not parse: what the parser says.
    Syntax(String),
    /// It names what nothing is called; of several the first in the order of the alphabet.
    Unknown(String),
}

/// Parses an expression in which these names are known.
pub(crate) fn parse(
    source: &str,
    is_known: impl Fn(&str) -> bool,
) -> Result<minijinja::Expression<'static, 'static>, ParseError> {
    let syntax = |error: minijinja::Error| {
        ParseError::Syntax(error.detail().unwrap_or("it cannot be read").to_owned())
    };
    ENVIRONMENT.compile_expression(source).map_err(syntax)?;
    let parsed =
        ENVIRONMENT.compile_expression_owned(rewrite::expression(source)).map_err(syntax)?;
    let is_global = |name: &str| ENVIRONMENT.globals().any(|(global, _)| global == name);
    let names = parsed.undeclared_variables(false);
    match names.into_iter().filter(|name| !is_known(name) && !is_global(name)).min() {
        Some(name) => Err(ParseError::Unknown(name)),
        None => Ok(parsed),
    }
}
