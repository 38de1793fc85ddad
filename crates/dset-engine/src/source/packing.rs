//! Files that are packed as a whole, by gzip or Zstandard: known by their first bytes, unpacked while
//! they are read.

use std::fmt;
use std::io::{self, BufRead, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::{SourceError, open_file, records_error};

/// How the names of packed files end, in lower case, without the dot.
pub(crate) const ENDINGS: [&str; 3] = ["gz", "zst", "zstd"];

/// Returns a file's name without what says that it is packed.
pub(crate) fn without_packing(path: &Path) -> PathBuf {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
    match ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
        true => path.with_extension(""),
        false => path.to_owned(),
    }
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A frame that is passed over, with which some writers begin; its first byte is from here to 15 more.
const SKIPPABLE: u8 = 0x50;

fn is_zstandard(magic: [u8; 4]) -> bool {
    magic == *ZSTANDARD || magic[0] & 0xf0 == SKIPPABLE && magic[1..] == [0x2a, 0x4d, 0x18]
}

/// The members of a gzip file, one behind the other. Behind each there may be zeros, with which tapes fill
/// their blocks; anything else there is an error.
struct Gzip<R: BufRead>(Option<GzDecoder<R>>);

impl<R: BufRead> Gzip<R> {
    fn new(file: R) -> Gzip<R> {
        Gzip(Some(GzDecoder::new(file)))
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(mut file) = self.0.take().map(GzDecoder::into_inner) else { break };
            loop {
                let ahead = file.fill_buf()?;
                let zeros = ahead.iter().take_while(|&&byte| byte == 0).count();
                let (is_end, is_next) = (ahead.is_empty(), zeros < ahead.len());
                file.consume(zeros);
                if is_next {
                    self.0 = Some(GzDecoder::new(file));
                    break;
                }
                if is_end {
                    return Ok(0);
                }
            }
        }
        Ok(0)
    }
}

/// The bytes of a file, unpacked.
pub(crate) struct Unpacked(Box<dyn Read + Send>);

impl Unpacked {
    /// Opens a file at its first byte.
    pub(crate) fn open(path: &Path) -> Result<Unpacked, SourceError> {
        let magic = magic(path)?;
        let file = open_file(path)?;
        Ok(Unpacked(match magic {
            magic if magic.starts_with(GZIP) => Box::new(Gzip::new(io::BufReader::new(file))),
            magic if is_zstandard(magic) => {
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
    Ok(magic.starts_with(GZIP) || is_zstandard(magic))
}

/// Returns the first bytes of a file; zeros where it has fewer.
fn magic(path: &Path) -> Result<[u8; 4], SourceError> {
    let mut magic = Vec::new();
    let read = open_file(path)?.take(4).read_to_end(&mut magic);
    read.map_err(|error| records_error(path, error.into()))?;
    magic.resize(4, 0);
    Ok([magic[0], magic[1], magic[2], magic[3]])
}
