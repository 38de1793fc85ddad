//! Files that are packed as a whole, by gzip or Zstandard: known by their first bytes, unpacked while
//! they are read.

use std::fmt;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{SourceError, open_file, records_error};

/// How the names of packed files end, in lower case, without the dot.
pub(crate) const ENDINGS: [&str; 3] = ["gz", "zst", "zstd"];

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of a file, unpacked.
pub(crate) struct Unpacked(Box<dyn Read + Send>);

impl Unpacked {
    /// Opens a file at its first byte.
    pub(crate) fn open(path: &Path) -> Result<Unpacked, SourceError> {
        let magic = magic(path)?;
        let file = open_file(path)?;
        Ok(Unpacked(match magic {
            // Behind the end of one member another may begin; anything else there is an error.
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(io::BufReader::new(file))),
            magic if magic == *ZSTANDARD => {
                let unpacked = zstd::stream::read::Decoder::new(file);
                Box::new(unpacked.map_err(|error| records_error(path, error.into()))?)
            }
            _ => Box::new(file),
        }))
    }
}

impl Unpacked {
    /// Opens a file that is not packed at a byte of it.
    pub(crate) fn open_at(path: &Path, byte: u64) -> Result<Unpacked, SourceError> {
        let mut file = open_file(path)?;
        let sought = file.seek(SeekFrom::Start(byte));
        sought.map_err(|error| records_error(path, error.into()))?;
        Ok(Unpacked(Box::new(file)))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "its packed end is missing")
            }
            _ => error,
        })
    }
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacked")
    }
}

/// Tells whether a file is packed.
pub(crate) fn is_packed(path: &Path) -> Result<bool, SourceError> {
    let magic = magic(path)?;
    Ok(magic.starts_with(GZIP) || magic == *ZSTANDARD)
}

/// Returns the first bytes of a file; zeros where it has fewer.
fn magic(path: &Path) -> Result<[u8; 4], SourceError> {
    let mut magic = Vec::new();
    let read = open_file(path)?.take(4).read_to_end(&mut magic);
    read.map_err(|error| records_error(path, error.into()))?;
    magic.resize(4, 0);
    Ok([magic[0], magic[1], magic[2], magic[3]])
}
