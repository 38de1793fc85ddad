//! What a crash, an earlier version or the original script left behind, put right.
//!
//! What is to be done is a value, decided by `pending` from what stands in the folder and its
//! store; doing it (`Recovery::apply`) a second time changes nothing more. Each has an outcome of
//! its own, [`Recovered`], or none where nothing was to be done.

pub mod legacy;
pub(crate) mod moved;
pub mod rebuild;

use std::path::Path;

use fs_err as fs;

use crate::error::JobError;
use crate::output::live::{LiveFormat, Repair, has_outputs, legacy as of_script};
use crate::recover::legacy::{
    LegacyImport, LegacyImportError, TakenFrom, import_legacy, recover_from_output,
};
use crate::recover::moved::finish_move;
use crate::recover::rebuild::finish;
use crate::store::{Rescued, Store, StoredCheckpoint};

/// Something to put right before a run is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// The outputs of an earlier generation are still to be moved away.
    FinishMove,
    /// The outputs are still to be rebuilt.
    FinishRebuild,
    /// There are outputs of which the store knows nothing.
    ImportLegacy,
    /// Rows of ours may stand behind this checkpoint of an output.
    TakeBack(TakenFrom, StoredCheckpoint),
}

/// What was put right before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// What an earlier version had left under a name that loaders take for data has another now.
    Renamed {
        /// The name that it had.
        from: &'static str,
        /// The name that it has.
        to: &'static str,
    },
    /// Answers that an earlier run could only rescue were taken in.
    TakenIn(Rescued),
    /// The earlier outputs were moved here, because everything is asked again.
    Moved {
        /// The folder, relative to that of the outputs.
        to: String,
    },
    /// What an earlier run was given through a pipe was moved here, because answers belong to rows of it.
    InputMoved {
        /// The folder, relative to that of the outputs.
        to: String,
    },
    /// The outputs were being rebuilt when that was cut short; it is done now.
    Rebuilt,
    /// Answers with a damaged text are left out of the outputs, because their rows are asked again.
    LeftOut {
        /// How many.
        rows: u64,
        /// The folder of the outputs before, relative to theirs.
        to: String,
    },
    /// The outputs of the original script were taken over.
    Imported(LegacyImport),
    /// Answers that the store had lost were taken back from an output.
    TakenBack {
        /// How many rows.
        rows: u64,
        /// Its file's name.
        from: &'static str,
    },
    /// An output was not as it had been written.
    Repaired(Repair),
}

/// What stands in a folder and its store, as far as it decides what is to be put right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces {
    is_moving: bool,
    is_rebuilding: bool,
    /// Nothing was ever recorded.
    pub(crate) is_blank: bool,
    has_outputs: bool,
    checkpoints: Vec<StoredCheckpoint>,
    /// The lengths of `output.json` and `output.csv`; 0 where there is none.
    json_bytes: u64,
    csv_bytes: u64,
}

impl Traces {
    /// Reads them; changes nothing.
    pub(crate) fn read(store: &Store, folder: &Path) -> Result<Traces, JobError> {
        let bytes = |format: LiveFormat| {
            let path = folder.join(format.file);
            match path.is_file() {
                true => fs::metadata(&path).map_err(LegacyImportError::Io).map(|file| file.len()),
                false => Ok(0),
            }
        };
        Ok(Traces {
            is_moving: store.meta::<String>("moving")?.is_some(),
            is_rebuilding: store.meta::<String>("rebuilding")?.is_some(),
            is_blank: store.is_blank()?,
            has_outputs: has_outputs(folder),
            checkpoints: store.checkpoints()?,
            json_bytes: bytes(of_script::JSON)?,
            csv_bytes: bytes(of_script::CSV)?,
        })
    }

    /// Returns the output in which rows of ours may stand behind its checkpoint.
    pub(crate) fn behind_mark(&self) -> Option<(TakenFrom, StoredCheckpoint)> {
        let (from, bytes) = match self.json_bytes {
            0 => (TakenFrom::Csv, self.csv_bytes),
            bytes => (TakenFrom::Json, bytes),
        };
        let name = from.format().name;
        let checkpoint = self
            .checkpoints
            .iter()
            .find(|checkpoint| checkpoint.name == name && bytes > checkpoint.bytes);
        Some((from, checkpoint?.clone()))
    }
}

/// Decides what is to be put right, in the order in which it is to be applied.
pub(crate) fn pending(traces: &Traces) -> Vec<Recovery> {
    let mut pending = Vec::new();
    pending.extend(traces.is_moving.then_some(Recovery::FinishMove));
    pending.extend(traces.is_rebuilding.then_some(Recovery::FinishRebuild));
    // Outputs that were moved away or written anew are as the store says.
    if pending.is_empty() {
        let behind = traces.behind_mark();
        pending.extend(behind.map(|(output, checkpoint)| Recovery::TakeBack(output, checkpoint)));
        if traces.is_blank && traces.has_outputs && traces.checkpoints.is_empty() {
            pending.push(Recovery::ImportLegacy);
        }
    }
    pending
}

/// Where recoveries are applied: a locked folder with its store.
pub(crate) struct Site<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) folder: &'a Path,
    /// The outputs that are wanted.
    pub(crate) formats: &'a [LiveFormat],
    /// Rows of different models answer the same question.
    pub(crate) by_model: bool,
    /// The name of a folder for copies of what is changed.
    pub(crate) stamp: &'a str,
    /// Unix time, milliseconds.
    pub(crate) now: i64,
}

impl Recovery {
    /// Puts it right. After a crash in between it is pending again, or done.
    pub(crate) fn apply(self, site: &mut Site<'_>) -> Result<Option<Recovered>, JobError> {
        let Site { folder, formats, by_model, stamp, now, .. } = *site;
        let store = &mut *site.store;
        Ok(match self {
            Recovery::FinishMove => finish_move(store, folder)?.map(|to| Recovered::Moved { to }),
            Recovery::FinishRebuild => {
                finish(store, folder, formats, Some(stamp))?.then_some(Recovered::Rebuilt)
            }
            Recovery::ImportLegacy => import_legacy(store, folder, formats, by_model, stamp, now)?
                .map(Recovered::Imported),
            Recovery::TakeBack(output, checkpoint) => {
                let rows = take_back(store, folder, (output, &checkpoint), by_model, now)?;
                rows.map(|(rows, from)| Recovered::TakenBack { rows, from })
            }
        })
    }
}

/// Takes back what stands in an output behind this checkpoint and the store does not know; returns how many rows, and
/// the name of the file.
pub(crate) fn take_back(
    store: &mut Store,
    folder: &Path,
    (output, checkpoint): (TakenFrom, &StoredCheckpoint),
    by_model: bool,
    now: i64,
) -> Result<Option<(u64, &'static str)>, JobError> {
    let generation = store.generation()?;
    let by_model = by_model || store.has_parallel_models(generation)?;
    let rows = recover_from_output(store, folder, (output, checkpoint), by_model, generation, now)?;
    Ok((rows > 0).then_some((rows, output.format().file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_put_right_follows_from_what_stands_there() {
        let of = |format, bytes| {
            let mut checkpoint = StoredCheckpoint::none(format);
            checkpoint.bytes = bytes;
            checkpoint
        };
        let (json, csv) = (|bytes| of(of_script::JSON, bytes), |bytes| of(of_script::CSV, bytes));
        let blank = Traces { is_blank: true, ..Traces::default() };
        let outputs = Traces { has_outputs: true, json_bytes: 9, ..Traces::default() };
        let marked = |bytes| Traces { checkpoints: vec![json(bytes)], ..outputs.clone() };
        for (traces, expected) in [
            (blank.clone(), vec![]),
            (Traces { has_outputs: true, ..blank.clone() }, vec![Recovery::ImportLegacy]),
            (Traces { is_blank: true, ..marked(9) }, vec![]),
            (outputs.clone(), vec![]),
            (marked(9), vec![]),
            (marked(8), vec![Recovery::TakeBack(TakenFrom::Json, json(8))]),
            (
                Traces {
                    json_bytes: 0,
                    csv_bytes: 9,
                    checkpoints: vec![csv(8)],
                    ..outputs.clone()
                },
                vec![Recovery::TakeBack(TakenFrom::Csv, csv(8))],
            ),
            (
                Traces { csv_bytes: 9, checkpoints: vec![csv(8), json(9)], ..outputs.clone() },
                vec![],
            ),
            (Traces { is_moving: true, ..outputs.clone() }, vec![Recovery::FinishMove]),
            (Traces { is_rebuilding: true, ..marked(8) }, vec![Recovery::FinishRebuild]),
            (
                Traces { is_moving: true, is_rebuilding: true, ..blank },
                vec![Recovery::FinishMove, Recovery::FinishRebuild],
            ),
        ] {
            assert_eq!(pending(&traces), expected, "{traces:?}");
        }
    }
}
