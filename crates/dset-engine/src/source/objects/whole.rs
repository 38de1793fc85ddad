//! JSON that can only be read as a whole: objects over several lines, rows in a list within an
//! object, one chat as a list of its turns.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use dset_core::item::Place;
use serde_json::Value;

use super::lines::{JsonLines, of_value};
use super::{Object, Objects, Read};
use crate::source::bad_row::RowProblem;
use crate::source::chat::turns_in;
use crate::source::import::chat::{RowList, list_in};
use crate::source::import::json_text;
use crate::source::packing::Unpacked;
use crate::source::{SourceError, records_error};

/// A file that can only be read as a whole has so many bytes at most.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Rows that are all in memory.
#[derive(Debug)]
pub(super) struct Whole {
    rows: Vec<Read>,
    beside: Object,
    at: usize,
}

impl Whole {
    /// Reads a file whose first sign is a brace; `None` where it is JSON lines, or is broken.
    pub(super) fn of_objects(path: &Path) -> Result<Option<Whole>, SourceError> {
        let mut lines = JsonLines::open(path)?;
        let first = lines.next();
        let is_line = matches!(first, Ok(Some((_, Ok(_)))));
        if is_line && lines.next()?.is_some() {
            return Ok(None);
        }
        let text = text_of(path)?;
        let (items, has_half) = match json_text::read(&text) {
            Ok((Value::Object(object), has_half)) => match list_in(&object) {
                Some(RowList { items, beside }) => {
                    return Ok(Some(Whole { beside, ..Whole::new(items, has_half) }));
                }
                None => (vec![object.into()], has_half),
            },
            Ok(_) => return Ok(None),
            // Several objects, one behind the other.
            Err(_) => match json_text::read_several(&text) {
                Some(items) => (items, false),
                None => return Ok(None),
            },
        };
        Ok(Some(Whole::new(items, has_half)))
    }

    /// Reads a list, where it is the turns of one chat; `None` where it is a list of rows.
    pub(super) fn of_turns(path: &Path, first: &Value) -> Result<Option<Whole>, SourceError> {
        if !is_said(first) {
            return Ok(None);
        }
        let Ok((turns, has_half)) = json_text::read(&text_of(path)?) else { return Ok(None) };
        let is_chat = turns_in(&turns).is_some_and(|turns| turns.iter().all(is_said));
        Ok(is_chat.then(|| Whole::new(vec![turns], has_half)))
    }

    fn new(items: Vec<Value>, has_half: bool) -> Whole {
        let is_half =
            |item: &Value| has_half && item.to_string().contains(char::REPLACEMENT_CHARACTER);
        let row = |item: Value| match is_half(&item) {
            true => Err(RowProblem::HalfCharacter),
            false => of_value(item),
        };
        Whole { rows: items.into_iter().map(row).collect(), beside: Object::new(), at: 0 }
    }
}

/// Tells whether an object is a turn of a chat, and no row that happens to have a field of its.
fn is_said(value: &Value) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| value.get(*name).is_some());
    has(&["role", "from"]) && has(&["content", "value", "tool_calls", "function_call"])
}

impl Objects for Whole {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.at = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Place, Read)>, SourceError> {
        let Some(row) = self.rows.get(self.at) else { return Ok(None) };
        self.at += 1;
        Ok(Some((Place::Element(self.at as u64), row.clone())))
    }

    fn beside(&self) -> Object {
        self.beside.clone()
    }
}

fn text_of(path: &Path) -> Result<String, SourceError> {
    let failed = |error| records_error(path, error);
    let mut text = String::new();
    let read = Unpacked::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| failed(error.into()))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(SourceError::Unreadable {
            path: PathBuf::from(path),
            detail: format!(
                "`{}` is one JSON text of more than 512 MiB, which cannot be read row by row",
                path.display()
            ),
        });
    }
    let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\u{1a}', '\n', '\r']);
    Ok(text.to_owned())
}
