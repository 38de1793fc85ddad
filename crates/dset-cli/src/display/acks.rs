//! A line for every answer that is durable, to a file descriptor of the caller's: what was promised,
//! as opposed to what was merely received. For tests that kill a run and look from outside.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use dset_core::item::question::Question;
use dset_core::run::{Ending, Notice, Snapshot};
use dset_core::time::Time;
use dset_engine::observer::{Trouble, Watcher};

use super::Display;
use crate::error::UserError;
use crate::exit::Exit;

/// Writes the row and the key of every acknowledged answer: `12 0f3a…`.
pub(crate) struct Acks {
    to: File,
}

impl Acks {
    /// Opens a descriptor that this process was given.
    pub(crate) fn open(fd: u32) -> Result<Acks, UserError> {
        let path = format!("/dev/fd/{fd}");
        let to = OpenOptions::new().append(true).open(&path).map_err(|error| {
            UserError::new(Exit::Usage, format!("cannot write to `{path}`"))
                .cause(error.to_string())
        })?;
        Ok(Acks { to })
    }
}

impl Watcher for Acks {
    fn notice(&mut self, _now: Time, _notice: &Notice) {}

    fn snapshot(&mut self, _now: Time, _snapshot: &Snapshot) {}

    fn trouble(&mut self, _now: Time, _trouble: &Trouble) {}

    fn acknowledged(&mut self, question: &Question) {
        // One write a line, so that a kill leaves whole lines; a reader that has gone is its own loss.
        let line = format!("{} {:?}\n", question.row_number, question.key);
        let _ = self.to.write_all(line.as_bytes());
    }
}

impl Display for Acks {
    fn end(&mut self, _ending: &Ending) {}
}
