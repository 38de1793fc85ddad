//! Rows that are copied from one store to another by the names of their columns.

use rusqlite::types::Value;
use rusqlite::{Row, Transaction, params_from_iter};

use crate::store::sqlite::texts;

/// A row of the other store: the names of its columns, and what they hold.
pub(super) struct Copied {
    names: Vec<String>,
    values: Vec<Value>,
}

impl Copied {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Copied> {
        let names: Vec<String> = row.as_ref().column_names().map(str::to_owned).collect();
        let values = (0..names.len()).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        Ok(Copied { names, values })
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(at) = self.names.iter().position(|own| own == name) {
            self.values[at] = value.into();
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let at = self.names.iter().position(|own| own == name)?;
        self.values.get(at)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        match self.get(name) {
            Some(Value::Blob(bytes)) => bytes.clone(),
            _ => Vec::new(),
        }
    }

    /// Returns a text; that of an answer may be damaged.
    pub(super) fn text(&self, name: &str) -> rusqlite::Result<String> {
        let text = self.get(name).map_or(Ok(String::new()), texts::unpack);
        text.map_err(|_| self.damaged())
    }

    /// Returns the reasoning and the answer of a row that has both.
    pub(super) fn texts(&self) -> rusqlite::Result<[String; 2]> {
        let column = |name| self.get(name).unwrap_or(&Value::Null);
        let both = texts::unpack_both(column("reasoning"), column("answer"));
        both.map_err(|_| self.damaged())
    }

    fn damaged(&self) -> rusqlite::Error {
        texts::damaged_of(self.number("id").unwrap_or(0), self.number("row"))
    }

    /// Tells whether every text of an answer can be read.
    pub(super) fn is_whole(&self) -> bool {
        self.text("question").is_ok() && self.texts().is_ok()
    }

    /// Inserts it, but for the columns that are named `without`.
    pub(super) fn insert(
        &self,
        to: &Transaction<'_>,
        table: &str,
        without: &str,
    ) -> rusqlite::Result<()> {
        let kept: Vec<usize> =
            (0..self.names.len()).filter(|&at| self.names[at] != without).collect();
        let names: Vec<&str> = kept.iter().map(|&at| &*self.names[at]).collect();
        let marks = vec!["?"; kept.len()].join(", ");
        let sql = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({marks})", names.join(", "));
        let values = kept.iter().map(|&at| &self.values[at]);
        to.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        Ok(())
    }
}
