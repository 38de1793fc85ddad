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

/// Opens a generation: what is in the outputs is to move away, which [`finish_move`] does once this is durable.
pub(crate) fn open_generation(
    store: &mut Store,
    requests: &[RequestSettings],
    generation: u32,
    stamp: &str,
    now: i64,
) -> Result<(), JobError> {
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
    Ok(())
}

/// Makes the folder that outputs move to: where it cannot be made, nothing has begun.
pub(crate) fn make_room(folder: &Path, stamp: &str) -> Result<(), JobError> {
    fs::create_dir_all(folder.join(EARLIER).join(stamp))
        .map_err(|error| JobError::folder(folder, error))
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
