//! The outputs of an earlier generation, moved out of the way: nothing is deleted.

use std::io;
use std::path::Path;

use dset_core::key::RequestSettings;
use fs_err as fs;

use crate::error::JobError;
use crate::os::files;
use crate::os::files::EARLIER;
use crate::output::live::LIVE_FORMATS;
use crate::store::{Store, Value, Write};

/// Opens a generation: what is in the outputs moves away; returns where to.
///
/// Written to the store first, so that a crash in the middle is finished by the next run.
pub(crate) fn open_generation(
    store: &mut Store,
    requests: &[RequestSettings],
    folder: &Path,
    generation: u32,
    stamp: &str,
    now: i64,
) -> Result<String, JobError> {
    // Where they go to is made first: if it cannot be, nothing has begun.
    fs::create_dir_all(folder.join(EARLIER).join(stamp))
        .map_err(|error| JobError::folder(folder, error))?;
    let meta = |name, value| Write::Meta { name, value: Some(value) };
    store.commit(&[
        meta("edition", Value::Number(generation.into())),
        meta("moving", Value::Text(stamp.to_owned())),
        Write::CheckpointsForgotten,
        Write::PendingForgotten,
        Write::Meta { name: "from_bookmark", value: None },
    ])?;
    for (at, request) in requests.iter().enumerate() {
        store.decide(request, generation, "again", at > 0, now)?;
    }
    Ok(finish_move(store, folder)?.unwrap_or_default())
}

/// Moves the outputs of an earlier generation away, if that was begun; returns where to, relative to
/// the folder.
pub(crate) fn finish_move(store: &Store, folder: &Path) -> Result<Option<String>, JobError> {
    let Some(stamp) = store.meta::<String>("moving")? else { return Ok(None) };
    let moves = || -> io::Result<()> {
        for format in LIVE_FORMATS {
            let path = folder.join(format.file);
            if path.exists() {
                fs::rename(&path, files::path_in_earlier(folder, &stamp, format.file)?)?;
            }
        }
        files::sync_folder(folder)
    };
    moves().map_err(|error| JobError::folder(folder, error))?;
    store.unset_meta("moving")?;
    Ok(Some(format!("{EARLIER}/{stamp}")))
}
