//! The bytes of an input as they were when it was split, and where they differ now.

use std::fmt;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::source::{SourceError, open_file, records_error};

/// Blocks that all files together have, at most: more say no better where a difference is.
const BLOCKS_MAX: u64 = 1024;
/// The smallest block, in bytes.
const BLOCK_BYTES_MIN: u64 = 256;

/// One file of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileContents {
    /// Its name, without its folder.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// xxh3-128 of the whole file, in hexadecimal digits.
    pub(super) hash: String,
    /// Bytes of a block; the last may have fewer.
    block_bytes: u64,
    /// xxh3-64 of each block, sixteen hexadecimal digits each.
    blocks: String,
}

/// Where an input is not what it was when it was split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The file.
    pub path: PathBuf,
    /// What is different.
    pub kind: DifferenceKind,
}

/// In what a file of an input differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// There is another number of files, or one of them has another name.
    OtherFiles,
    /// Its bytes go on behind what was split.
    Longer {
        /// How many bytes were split.
        bytes: u64,
        /// The line behind them, from 1.
        line: u64,
    },
    /// It ends before what was split does.
    Shorter {
        /// How many bytes were split.
        bytes: u64,
        /// How many there are.
        now: u64,
    },
    /// Some byte is another; it stands in one of these lines, from 1.
    Differs {
        /// The first line that may be meant.
        first_line: u64,
        /// The last.
        last_line: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.display();
        match &self.kind {
            DifferenceKind::OtherFiles => write!(f, "`{name}` was not there, or another file was"),
            DifferenceKind::Longer { bytes, line } => {
                write!(f, "`{name}` goes on behind its {bytes} bytes, at line {line}")
            }
            DifferenceKind::Shorter { bytes, now } => {
                write!(f, "`{name}` had {bytes} bytes and has {now}, and is the same so far")
            }
            DifferenceKind::Differs { first_line, last_line } if first_line == last_line => {
                write!(f, "`{name}` differs first in line {first_line}")
            }
            DifferenceKind::Differs { first_line, last_line } => {
                write!(f, "`{name}` differs first within lines {first_line} to {last_line}")
            }
        }
    }
}

/// Reads the files of an input, in their order.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<FileContents>, SourceError> {
    let blocks_max = (BLOCKS_MAX / paths.len().max(1) as u64).max(1);
    paths.iter().map(|path| FileContents::read(path, blocks_max)).collect()
}

/// Returns the first difference of these files from what they were; of a single file only this part is
/// compared, where one is given, beside its length.
pub(super) fn first_difference(
    before: &[FileContents],
    paths: &[PathBuf],
    part: Option<&Range<u64>>,
) -> Result<Option<Difference>, SourceError> {
    for (at, path) in paths.iter().enumerate() {
        let kind = match before.get(at) {
            Some(file) if file.name == name_of(path) || paths.len() == 1 => {
                file.difference(path, part)?
            }
            _ => Some(DifferenceKind::OtherFiles),
        };
        if let Some(kind) = kind {
            return Ok(Some(Difference { path: path.clone(), kind }));
        }
    }
    let missing = before.get(paths.len()).map(|file| PathBuf::from(&file.name));
    Ok(missing.map(|path| Difference { path, kind: DifferenceKind::OtherFiles }))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl FileContents {
    fn read(path: &Path, blocks_max: u64) -> Result<FileContents, SourceError> {
        let failed = |error: std::io::Error| records_error(path, error.into());
        let file = open_file(path)?;
        let length = file.metadata().map_err(failed)?.len();
        let block_bytes = length.div_ceil(blocks_max).max(BLOCK_BYTES_MIN);
        let (mut hash, mut blocks, mut bytes) = (Xxh3::new(), String::new(), 0);
        let mut input = BufReader::new(file);
        loop {
            let block = read_block(&mut input, block_bytes).map_err(failed)?;
            if block.is_empty() {
                break;
            }
            hash.update(&block);
            blocks += &format!("{:016x}", xxh3_64(&block));
            bytes += block.len() as u64;
        }
        let hash = format!("{:032x}", hash.digest128());
        Ok(FileContents { name: name_of(path), bytes, hash, block_bytes, blocks })
    }

    fn difference(
        &self,
        path: &Path,
        part: Option<&Range<u64>>,
    ) -> Result<Option<DifferenceKind>, SourceError> {
        let failed = |error: std::io::Error| records_error(path, error.into());
        let file = open_file(path)?;
        let now = file.metadata().map_err(failed)?.len();
        // What is longer or shorter differs somewhere before most often: rows are added in the middle.
        let part = part.filter(|_| now == self.bytes);
        let first = part.map_or(0, |part| part.start / self.block_bytes);
        let end = part.map_or(u64::MAX, |part| part.end.div_ceil(self.block_bytes));
        let mut input = file;
        let end = end.min(self.bytes.div_ceil(self.block_bytes));
        // The first block too: a header may stand there.
        for number in (0..first.min(1)).chain(first..end) {
            let begin = number * self.block_bytes;
            input.seek(SeekFrom::Start(begin)).map_err(failed)?;
            let whole = self.block_bytes.min(self.bytes - begin);
            let block = read_block(&mut input, whole).map_err(failed)?;
            let is_cut = (block.len() as u64) < whole;
            if is_cut && block.is_empty() {
                break;
            }
            let at = number as usize * 16;
            if self.blocks.get(at..at + 16) != Some(&format!("{:016x}", xxh3_64(&block))) {
                if is_cut {
                    break;
                }
                let lines = block.iter().filter(|&&byte| byte == b'\n').count() as u64;
                let first_line = line_at(path, begin)?;
                let last_line = first_line + lines - u64::from(block.ends_with(b"\n"));
                return Ok(Some(DifferenceKind::Differs { first_line, last_line }));
            }
        }
        let bytes = self.bytes;
        Ok(match now.cmp(&bytes) {
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Less => Some(DifferenceKind::Shorter { bytes, now }),
            std::cmp::Ordering::Greater => {
                Some(DifferenceKind::Longer { bytes, line: line_at(path, bytes)? })
            }
        })
    }
}

fn read_block(input: &mut impl Read, bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut block = Vec::new();
    input.take(bytes).read_to_end(&mut block)?;
    Ok(block)
}

/// Returns the line of a byte, from 1.
fn line_at(path: &Path, byte: u64) -> Result<u64, SourceError> {
    let failed = |error: std::io::Error| records_error(path, error.into());
    let mut before = open_file(path)?.take(byte);
    let (mut lines, mut buffer) = (1, vec![0; 1 << 16]);
    loop {
        let read = before.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(before: &str, now: &str, part: Option<Range<u64>>) -> Option<DifferenceKind> {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("q.csv")];
        fs_err::write(&paths[0], before).unwrap();
        let files = read_all(&paths).unwrap();
        fs_err::write(&paths[0], now).unwrap();
        first_difference(&files, &paths, part.as_ref()).unwrap().map(|found| found.kind)
    }

    #[test]
    fn the_first_difference_is_named_by_its_lines() {
        let text: String = (1..=2000).map(|line| format!("question {line}\n")).collect();
        assert_eq!(difference(&text, &text, None), None);
        let edited = text.replace("question 1500\n", "Question 1500\n");
        let Some(DifferenceKind::Differs { first_line, last_line }) =
            difference(&text, &edited, None)
        else {
            panic!("it differs")
        };
        assert!((1470..=1500).contains(&first_line), "{first_line}");
        assert!((1500..=1530).contains(&last_line), "{last_line}");
        // Elsewhere it is the same.
        let line = |number: usize| text.find(&format!("question {number}\n")).unwrap() as u64;
        assert_eq!(difference(&text, &edited, Some(0..line(1000))), None);
        assert!(difference(&text, &edited, Some(line(1490)..line(1510))).is_some());
        // A row more is found wherever it stands, whatever part is looked at.
        let longer = text.replace("question 10\n", "question 10\nand one\n");
        let found = difference(&text, &longer, Some(line(1000)..line(1001)));
        assert!(matches!(found, Some(DifferenceKind::Differs { first_line: 1, .. })), "{found:?}");
        let added = format!("{text}one more\n");
        let bytes = text.len() as u64;
        let expected = DifferenceKind::Longer { bytes, line: 2001 };
        assert_eq!(difference(&text, &added, None), Some(expected));
        let cut = &text[..text.len() - 14];
        let expected = DifferenceKind::Shorter { bytes, now: bytes - 14 };
        assert_eq!(difference(&text, cut, None), Some(expected));
        assert!(difference("", "a", None).is_some());
    }

    #[test]
    fn another_list_of_files_is_a_difference() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.csv", "b.csv", "c.csv"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| fs_err::write(path, "question\na\n").unwrap());
        let files = read_all(&paths[..2]).unwrap();
        assert_eq!(first_difference(&files, &paths[..2], None).unwrap(), None);
        for others in [&paths[..1], &paths[..], &[paths[0].clone(), paths[2].clone()]] {
            assert!(first_difference(&files, others, None).unwrap().is_some(), "{others:?}");
        }
    }
}
