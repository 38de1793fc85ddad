//! One output file: opened, repaired, appended to.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use dset_core::plan::AnswerId;
use dset_core::recover::tail::{Known, TailVerdict, judge_output};
use fs_err as fs;
use xxhash_rust::xxh3::xxh3_128;

use super::format::TAIL_BYTES;
use super::{LiveFormat, OutputError, Repair};
use crate::os::files;
use crate::os::files::Identity;
use crate::store::{Archive, Checkpoint, StoreError, StoredCheckpoint};

/// How much more than the tail is kept before it is moved to the front.
const KEPT_TAILS: usize = 8;

/// An output file that is open for appending.
#[derive(Debug)]
pub struct Output {
    format: LiveFormat,
    file: fs::File,
    identity: Identity,
    rows: u64,
    bytes: u64,
    /// The last bytes of the file: [`TAIL_BYTES`] where it is so long, and up to [`KEPT_TAILS`] times as many.
    tail: Vec<u8>,
}

/// What an output is opened with.
pub(crate) struct Opening<'a> {
    /// The folder of the outputs.
    pub(crate) folder: &'a Path,
    /// Where the rows are read from.
    pub(crate) reader: &'a dyn Archive,
    /// Which generation's order the rows follow.
    pub(crate) generation: u32,
    /// The name of this moment in the folder of what is moved out of the way.
    pub(crate) stamp: &'a str,
}

impl Opening<'_> {
    /// Opens an output for appending, with every ordered row in it and synced; returns what was
    /// wrong with it.
    pub(crate) fn open(
        &self,
        wished: LiveFormat,
        checkpoint: Option<&StoredCheckpoint>,
    ) -> Result<(Output, Option<Repair>), OutputError> {
        let path = self.folder.join(wished.file);
        let file_name = wished.file;
        if !path.exists() {
            let output = self.write_anew(wished)?;
            let known = checkpoint.is_some_and(|checkpoint| checkpoint.bytes > 0);
            let repair = Repair::Missing { file: file_name, rows: output.rows };
            return Ok((output, known.then_some(repair)));
        }
        let format = wished.as_in_file(&path)?;
        let checkpoint = checkpoint.cloned().unwrap_or_else(|| StoredCheckpoint::none(format));
        if !fs::metadata(&path)?.is_file() {
            return Err(OutputError::NotAFile { path });
        }
        let identity = Identity::from_path(&path)?;
        let mut file = fs::OpenOptions::new().read(true).append(true).open(&path)?;
        let (mut rows, mut bytes) = (checkpoint.rows, checkpoint.bytes);
        let repair = match self.judge(&mut file, format, &checkpoint)? {
            TailVerdict::Append => None,
            TailVerdict::Cut { is_torn } => {
                file.set_len(bytes)?;
                is_torn.then_some(Repair::Torn { file: file_name })
            }
            TailVerdict::AppendBehind { rows: found, ends_line } => {
                rows += found;
                bytes = file.metadata()?.len();
                if ends_line {
                    file.write_all(format.newline)?;
                    bytes += format.newline.len() as u64;
                }
                Some(Repair::Foreign { file: file_name })
            }
            TailVerdict::Replace => {
                let moved_to = files::path_in_earlier(self.folder, self.stamp, file_name)?;
                fs::rename(&path, &moved_to)?;
                files::sync_folder(self.folder)?;
                let repair = Repair::Differed { file: file_name, moved_to };
                return Ok((self.write_anew(wished)?, Some(repair)));
            }
        };
        let tail = tail_before(&mut file, bytes)?;
        let mut output = Output { format, file, identity, rows, bytes, tail };
        output.append_rest(self.reader, self.generation)?;
        Ok((output, repair))
    }

    fn write_anew(&self, format: LiveFormat) -> Result<Output, OutputError> {
        Output::write_anew(&self.folder.join(format.file), format, self.reader, self.generation)
    }

    /// Reads what stands behind the checkpoint, and judges it.
    fn judge(
        &self,
        file: &mut fs::File,
        format: LiveFormat,
        checkpoint: &StoredCheckpoint,
    ) -> Result<TailVerdict, OutputError> {
        let length = file.metadata()?.len();
        let is_intact = length >= checkpoint.bytes
            && checkpoint.fits(hash(&tail_before(file, checkpoint.bytes)?));
        let mut found = Vec::new();
        if is_intact {
            file.seek(SeekFrom::Start(checkpoint.bytes))?;
            file.read_to_end(&mut found)?;
        }
        let is_new = checkpoint.bytes == 0;
        let header_first = is_new && !format.header.is_empty();
        let known = Known { bytes: checkpoint.bytes, is_intact, header_first };
        let mut expected =
            Expected::from(self.reader, self.generation, format, checkpoint.rows, is_new);
        let verdict = judge_output(known, &found, expected.by_ref());
        expected.check()?;
        Ok(verdict)
    }
}

impl Output {
    /// Appends the header, where the file is empty, and every ordered row that is not in it; syncs.
    fn append_rest(&mut self, reader: &dyn Archive, generation: u32) -> Result<(), OutputError> {
        if self.bytes == 0 {
            self.append(self.format.header, 0)?;
        }
        let mut rest = Expected::from(reader, generation, self.format, self.rows, false);
        for row in rest.by_ref() {
            self.append(&row, 1)?;
        }
        rest.check()?;
        self.sync()
    }

    /// Writes the whole of what is ordered into a new file, which appears when it is complete.
    pub(crate) fn write_anew(
        path: &Path,
        format: LiveFormat,
        reader: &dyn Archive,
        generation: u32,
    ) -> Result<Output, OutputError> {
        let folder = files::folder_of(path);
        let temporary = files::temporary_in(folder)?;
        let mut writer = std::io::BufWriter::new(temporary);
        let (mut rows, mut bytes) = (0, format.header.len() as u64);
        writer.write_all(format.header)?;
        let mut expected = Expected::from(reader, generation, format, 0, false);
        for row in expected.by_ref() {
            writer.write_all(&row)?;
            rows += 1;
            bytes += row.len() as u64;
        }
        expected.check()?;
        let temporary = writer.into_inner().map_err(|error| error.into_error())?;
        match fs::metadata(path) {
            Ok(metadata) => temporary.as_file().set_permissions(metadata.permissions())?,
            Err(_) => make_readable(temporary.as_file())?,
        }
        files::put(temporary, path)?;
        let mut file = fs::OpenOptions::new().read(true).append(true).open(path)?;
        let tail = tail_before(&mut file, bytes)?;
        Ok(Output { format, file, identity: Identity::from_path(path)?, rows, bytes, tail })
    }

    pub(crate) fn format(&self) -> LiveFormat {
        self.format
    }

    pub(crate) fn append(&mut self, bytes: &[u8], rows: u64) -> Result<(), OutputError> {
        self.file.write_all(bytes)?;
        self.rows += rows;
        self.bytes += bytes.len() as u64;
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        // Not at every row: what stays would be moved for each.
        if self.tail.len() > KEPT_TAILS * TAIL_BYTES {
            self.tail.drain(..self.tail.len() - TAIL_BYTES);
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), OutputError> {
        self.file.sync_data()?;
        match self.identity.is_at(self.file.path()) {
            true => Ok(()),
            false => Err(OutputError::Gone { path: self.file.path().to_owned() }),
        }
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let (rows, bytes) = (self.rows, self.bytes);
        let tail = &self.tail[self.tail.len().saturating_sub(TAIL_BYTES)..];
        Checkpoint {
            name: self.format.name,
            rows,
            bytes,
            tail: hash(tail),
            shape: self.format.shape,
        }
    }
}

/// A temp file is private; an output is as readable as any file its owner makes.
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

fn hash(bytes: &[u8]) -> [u8; 16] {
    xxh3_128(bytes).to_be_bytes()
}

/// Returns the bytes before a place, at most [`TAIL_BYTES`]; fewer where the file is shorter.
fn tail_before(file: &mut fs::File, place: u64) -> std::io::Result<Vec<u8>> {
    let from = place.saturating_sub(TAIL_BYTES as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(place - from).read_to_end(&mut tail)?;
    Ok(tail)
}

/// The rows that an output is to have from one on, as bytes, read as they are needed.
pub(crate) struct Expected<'a> {
    reader: &'a dyn Archive,
    generation: u32,
    format: LiveFormat,
    position: u64,
    ids: std::vec::IntoIter<(AnswerId, Option<u64>)>,
    header: bool,
    error: Option<StoreError>,
}

impl<'a> Expected<'a> {
    pub(crate) fn from(
        reader: &'a dyn Archive,
        generation: u32,
        format: LiveFormat,
        position: u64,
        header: bool,
    ) -> Self {
        let header = header && !format.header.is_empty();
        Expected {
            reader,
            generation,
            format,
            position,
            ids: Vec::new().into_iter(),
            header,
            error: None,
        }
    }

    /// Fails where the rows ended because the store could not be read.
    pub(crate) fn check(self) -> Result<(), StoreError> {
        self.error.map_or(Ok(()), Err)
    }

    fn row(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.ids.len() == 0 {
            self.ids = self.reader.order_from(self.generation, self.position)?.into_iter();
        }
        let Some((id, row)) = self.ids.next() else { return Ok(None) };
        let row = self.reader.row_at(id, row)?;
        self.position += 1;
        let mut bytes = Vec::new();
        (self.format.write)(&row, &mut bytes);
        Ok(Some(bytes))
    }
}

impl Iterator for Expected<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.header) {
            return Some(self.format.header.to_vec());
        }
        self.row().unwrap_or_else(|error| {
            self.error = Some(error);
            None
        })
    }
}
