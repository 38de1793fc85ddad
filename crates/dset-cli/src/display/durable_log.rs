//! A line for every answer that is durable, to a file descriptor of the caller's: what was promised,
//! as opposed to what was merely received. For tests that kill a run and look from outside.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use dset_core::item::question::Question;
use dset_core::money::Expenses;
use dset_core::run::{Ending, Notice, Snapshot};
use dset_core::time::Time;
use dset_engine::observer::{LocalFailure, Observer};

use super::Display;
use crate::error::UserError;
use crate::exit::Exit;

/// Writes the row and the key of every acknowledged answer: `12 0f3a…`.
pub(crate) struct DurableLog {
    to: File,
}

impl DurableLog {
    /// Opens a descriptor that this process was given.
    pub(crate) fn open(fd: u32) -> Result<DurableLog, UserError> {
        let path = format!("/dev/fd/{fd}");
        let to = OpenOptions::new().append(true).open(&path).map_err(|error| {
            UserError::new(Exit::Usage, format!("cannot write to `{path}`"))
                .cause(error.to_string())
        })?;
        Ok(DurableLog { to })
    }
}

impl Observer for DurableLog {
    fn notice(&mut self, _now: Time, _notice: &Notice) {}

    fn snapshot(&mut self, _now: Time, _snapshot: &Snapshot) {}

    fn local_failure(&mut self, _now: Time, _trouble: &LocalFailure) {}

    fn acknowledged(&mut self, question: &Question) {
        // One write a line, so that a kill leaves whole lines; a reader that has gone is its own loss.
        let line = format!("{} {:?}\n", question.row_number, question.key);
        let _ = self.to.write_all(line.as_bytes());
    }
}

impl Display for DurableLog {
    fn end(&mut self, _ending: &Ending, _spent: Option<&Expenses>) {}
}
