//! The file of a schema, and what is wrong with one.

use std::path::Path;

use dset_core::provider::reply::REPLY_BYTES_MAX;
use dset_core::schema::{Notation, Schema, SchemaError};
use dset_core::settings::{Layer, SchemaSource};

use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;

/// Reads a schema in JSON, or in YAML where the name of its file ends so.
pub(crate) fn read(path: &Path) -> Result<Schema, UserError> {
    let shown = one_line(&path.display().to_string());
    let text = text_of(path, || fs_err::read(path))
        .map_err(|error| error.hint("Name a file that holds a JSON schema"))?;
    let is_yaml = path
        .extension()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("yaml") || kind.eq_ignore_ascii_case("yml"));
    let notation = if is_yaml { Notation::Yaml } else { Notation::Json };
    Schema::read(&text, notation).map_err(|error| no_schema(&format!("`{shown}`"), error, is_yaml))
}

/// The error of a schema that is none; `what` is what it was read from.
pub(crate) fn no_schema(what: &str, error: SchemaError, is_yaml: bool) -> UserError {
    let told = UserError::new(Exit::Usage, format!("{what} is no schema to check answers with"))
        .cause(one_line(&error.to_string()));
    match error {
        SchemaError::Reference { .. } => told.hint(
            "Copy what it leads to into `$defs` of the file: no other file and no address is read",
        ),
        SchemaError::Syntax { .. } if !is_yaml => {
            told.hint("A schema in YAML has a name that ends with .yaml")
        }
        SchemaError::Syntax { .. } | SchemaError::Draft(_) | SchemaError::Number { .. } => told,
        SchemaError::Invalid { .. } => {
            told.hint("What stands before the colon is the place in the file, as a JSON pointer")
        }
    }
}

/// Reads the schema that settings name, if they name one.
pub(crate) fn load(layer: &mut Layer) -> Result<(), UserError> {
    if let Some(SchemaSource::File(path)) = &layer.schema {
        layer.schema = Some(SchemaSource::Read(Box::new(read(path)?)));
    }
    Ok(())
}

/// Reads a text that is no longer than a reply may be.
pub(crate) fn text_of(
    path: &Path,
    bytes: impl FnOnce() -> std::io::Result<Vec<u8>>,
) -> Result<String, UserError> {
    let shown = one_line(&path.display().to_string());
    let fails = || UserError::new(Exit::Usage, format!("`{shown}` cannot be read"));
    let bytes = bytes().map_err(|error| fails().cause(error.to_string()))?;
    if bytes.len() > REPLY_BYTES_MAX {
        return Err(fails().cause("it has more than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| fails().cause("it is not UTF-8"))
}
