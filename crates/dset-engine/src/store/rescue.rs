//! Answers that could not be committed, kept where the next run finds them.
//!
//! After a failed commit the database is not touched again: a second sync can report success for
//! pages that were dropped. What was paid for goes to a new file instead, one JSON line an answer,
//! which the next run takes in before it plans.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::writer::NewAnswer;
use crate::files;

/// The name of the file, beside the store.
pub const RESCUE: &str = "rescue.jsonl";

/// What was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescued {
    /// Answers that are in the store now.
    pub answers: u64,
    /// Lines that could not be read; the file is kept beside, as `rescue.jsonl.unread`.
    pub unread: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    v: u32,
    answer: NewAnswer,
}

/// Appends answers to the rescue file of a folder or, if that fails too, to one in the system's
/// temporary folder; returns where they are.
pub(super) fn write(folder: &Path, answers: &[NewAnswer]) -> io::Result<PathBuf> {
    let beside = folder.join(RESCUE);
    append(&beside, answers).map(|()| beside).or_else(|first| {
        let name = format!("dset-rescue-{}.jsonl", std::process::id());
        let elsewhere = std::env::temp_dir().join(name);
        append(&elsewhere, answers).map(|()| elsewhere).map_err(|_| first)
    })
}

fn append(path: &Path, answers: &[NewAnswer]) -> io::Result<()> {
    let mut lines = Vec::new();
    for answer in answers {
        // A fresh line first: the end of an earlier one may be torn.
        lines.push(b'\n');
        serde_json::to_writer(&mut lines, &Line { v: 1, answer: answer.clone() })?;
    }
    lines.push(b'\n');
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&lines)?;
    file.sync_all()?;
    files::sync_folder(files::folder_of(path))
}

/// Records what an earlier run rescued, and removes the file once that is durable.
pub(super) fn take_in(
    connection: &mut Connection,
    folder: &Path,
) -> Result<Option<Rescued>, StoreError> {
    let path = folder.join(RESCUE);
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut rescued = Rescued { answers: 0, unread: 0 };
    let transaction = connection.transaction()?;
    for line in io::BufReader::new(file).split(b'\n') {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice::<Line>(&line) {
            Ok(Line { v: 1, answer }) => {
                rescued.answers += u64::from(answer.insert(&transaction)?.is_some());
            }
            _ => rescued.unread += 1,
        }
    }
    transaction.commit()?;
    if rescued.unread > 0 {
        fs::rename(&path, folder.join(format!("{RESCUE}.unread")))?;
    } else {
        fs::remove_file(&path)?;
    }
    files::sync_folder(folder)?;
    Ok(Some(rescued))
}
