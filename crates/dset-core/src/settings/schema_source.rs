//! Where the schema stands that answers have to fit.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::schema::Schema;

/// A schema as settings name it.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaSource {
    /// A file that holds it, meant from the working folder. Whoever resolves settings to ask with them
    /// reads it first.
    File(PathBuf),
    /// The schema itself, written in the settings or read from its file.
    Read(Box<Schema>),
}

impl FromStr for SchemaSource {
    type Err = String;

    fn from_str(text: &str) -> Result<SchemaSource, String> {
        match text {
            "" => Err("it names no file".to_owned()),
            path => Ok(SchemaSource::File(path.into())),
        }
    }
}

/// As a file of settings has it.
impl Serialize for SchemaSource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            SchemaSource::File(path) => path.serialize(to),
            SchemaSource::Read(schema) => schema.source().serialize(to),
        }
    }
}
