//! Checks as `[[check]]` in `dset.toml` says them, and what is wrong with those that are none.

use dset_core::acceptance::{AcceptanceError, SCHEMA};
use dset_core::check::{Declaration, KINDS};
use serde_json::Value as Json;
use toml_edit::{Item, TableLike, Value};

use crate::config_file::{Location, json};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::spelling::meant;

/// What a check is like in a file of settings.
const LIKE: &str = "A check begins with a line `[[check]]`, and then `name = \"no-refusal\"`";
const SEE_HELP: &str = "`dset help checks` says what each check takes";

/// Reads every `[[check]]`.
pub(crate) fn read(
    place: &Location<'_>,
    item: &Item,
    line: usize,
) -> Result<Vec<Declaration>, UserError> {
    let tables: Option<Vec<&dyn TableLike>> = match (item.as_array_of_tables(), item.as_array()) {
        (Some(tables), _) => Some(tables.iter().map(|table| table as &dyn TableLike).collect()),
        (None, Some(values)) => {
            let are_tables = values.iter().all(Value::is_inline_table);
            let tables = values.iter().filter_map(Value::as_inline_table);
            are_tables.then(|| tables.map(|table| table as &dyn TableLike).collect())
        }
        (None, None) => None,
    };
    let Some(tables) = tables else {
        let message = format!("{}`check` must be a list of tables", place.at(line));
        return Err(UserError::new(Exit::Usage, message).hint(LIKE));
    };
    tables.into_iter().map(|table| read_one(place, table, line)).collect()
}

fn read_one(
    place: &Location<'_>,
    table: &dyn TableLike,
    line: usize,
) -> Result<Declaration, UserError> {
    let line_of = |name: &str| {
        let found = table.get_key_value(name);
        found.map_or(line, |(key, item)| place.line(key, item))
    };
    let first = table.iter().next().map_or(line, |(name, _)| line_of(name));
    let fields = table.iter().map(|(name, item)| (name.to_owned(), json(item)));
    let Some(Json::String(name)) = table.get("name").map(json) else {
        let message = format!("{}[[check]] lacks `name`", place.at(first));
        return Err(UserError::new(Exit::Usage, message).hint(LIKE));
    };
    let at = place.at(line_of("name"));
    let wrong = |place: &str, detail: &str| {
        let message = format!("{place}the check `{}` cannot be what it is", one_line(&name));
        UserError::new(Exit::Usage, message).cause(one_line(detail)).hint(SEE_HELP)
    };
    let declaration: Declaration = serde_json::from_value(Json::Object(fields.collect()))
        .map_err(|error| wrong(&place.at(first), &error.to_string()))?;
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        return if name == SCHEMA { Ok(declaration) } else { Err(unknown(&at, &name)) };
    };
    // Which columns there are is not known yet: what is wrong with them is told when they are.
    let is_of_columns = ["column", "template"].iter().any(|field| table.contains_key(field));
    match (kind.compile)(declaration.arguments.clone(), &[]) {
        Err(error) if !is_of_columns => {
            Err(wrong(&place.at(line_of(&error.field)), &error.to_string()))
        }
        _ => Ok(declaration),
    }
}

/// The error of a check that is none.
fn unknown(at: &str, name: &str) -> UserError {
    let name = one_line(name);
    let names = || KINDS.iter().map(|kind| kind.name).chain([SCHEMA]).map(str::to_owned);
    let error = UserError::new(Exit::Usage, format!("{at}there is no check `{name}`"))
        .cause(format!("the checks are: {}", names().collect::<Vec<_>>().join(", ")));
    match meant(&name, names()) {
        Some(own) => error.hint(format!("Did you mean `{own}`?")),
        None => error.hint(SEE_HELP),
    }
}

/// Explains a check that cannot be made of what is said.
pub(crate) fn explain(error: AcceptanceError) -> UserError {
    let named = |name: &str| {
        UserError::new(Exit::Usage, format!("the check `{}` cannot be used", one_line(name)))
    };
    match error {
        AcceptanceError::Unknown { name, .. } => unknown("", &name),
        AcceptanceError::Schema { .. } => {
            UserError::new(Exit::Usage, "the check `schema` cannot be used")
                .cause("there is no schema, or the table says more than `on-fail`")
                .hint("Name the schema with `--schema FILE`; its table says what its failing does")
        }
        AcceptanceError::Place { name, error, .. } => named(&name)
            .cause(one_line(&format!("on: {error}")))
            .hint("A place is like `label`, `steps.0.text` or `/steps/0/text`, from the root of the JSON"),
        AcceptanceError::Nowhere { name, place, names, .. } => named(&name)
            .cause(one_line(&format!("on: the schema has no `{place}` in any answer")))
            .hint(format!(
                "A place is meant from the root of the JSON, not from `answer`; there are: {}",
                one_line(&names.join(", "))
            )),
        AcceptanceError::Check { name, error, .. } if !error.columns.is_empty() => {
            let columns: Vec<String> = error.columns.iter().map(|name| one_line(name)).collect();
            named(&name)
                .cause(one_line(&error.to_string()))
                .hint(format!("The columns are: {}", columns.join(", ")))
        }
        AcceptanceError::Check { name, error, .. } => {
            named(&name).cause(one_line(&error.to_string())).hint(SEE_HELP)
        }
    }
}
