//! Compares the bytes of an output with the rows that belong in it.
//!
//! Goes through both once, in order, and resynchronises behind what does not fit: foreign text, a
//! row that was changed by hand, a missing row. Memory is bounded by a few rows and a window of the
//! file, whatever the size of either.

use std::io::{self, Read};

use memchr::memmem;

/// How far ahead in the file a row is looked for. An output into which more than this was pasted is
/// compared no further.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// Rows that are searched for at once behind something that does not fit.
const ROWS_AHEAD: usize = 16;
/// Consecutive missing rows, after which nothing behind is recognised any more.
const ROWS_LACKING_MAX: u64 = 512;
/// Differences that are reported at most: each costs a search, and more are of no use.
const DIFFERENCES_MAX: usize = 100;

/// What does not fit. Rows count from 0, as positions of the stored order; bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputDifference {
    /// It does not begin with its header.
    Header,
    /// Text that is not ours, before this row, or behind the last one.
    Foreign {
        /// Where it begins.
        at: u64,
        /// How long it is.
        bytes: u64,
        /// The row that follows it.
        row: u64,
    },
    /// Something else stands in the place of these rows.
    Changed {
        /// Where it begins.
        at: u64,
        /// How long it is.
        bytes: u64,
        /// The first of them.
        row: u64,
        /// How many they are.
        rows: u64,
    },
    /// These rows are not there.
    Missing {
        /// Where the first of them would be.
        at: u64,
        /// The first of them.
        row: u64,
        /// How many they are.
        rows: u64,
    },
    /// The file ends within this row.
    Torn {
        /// Where the row begins.
        at: u64,
        /// How much of it there is.
        bytes: u64,
        /// The row that is torn.
        row: u64,
    },
    /// Nothing from here on is what belongs here, or there are too many differences: not compared.
    NotCompared {
        /// The byte from which nothing was compared.
        at: u64,
        /// The row that was expected.
        row: u64,
    },
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputDiff {
    /// Rows that are there as they should be.
    pub rows: u64,
    /// What does not fit, in the order of the file.
    pub differences: Vec<OutputDifference>,
}

impl OutputDiff {
    /// Returns true if foreign bytes are in the file, or ours are not what they were: what would be
    /// lost if the file were written anew.
    #[must_use]
    pub fn has_foreign(&self) -> bool {
        self.differences.iter().any(|misfit| {
            !matches!(misfit, OutputDifference::Missing { .. } | OutputDifference::Torn { .. })
        })
    }
}

/// Compares a file, which begins with `header`, with the rows that it should have.
///
/// Fails where the file cannot be read; rows that cannot be read must end `expected`, and are for
/// the caller to notice.
pub fn diff_output<R: AsRef<[u8]>>(
    found: impl Read,
    header: &[u8],
    expected: impl IntoIterator<Item = R>,
) -> io::Result<OutputDiff> {
    let mut file = Window { source: found, bytes: Vec::new(), begin: 0, at: 0, ended: false };
    let mut rows = Ahead { rows: expected.into_iter(), ahead: Vec::new(), next: 0 };
    let mut compared = OutputDiff::default();
    if !file.strip(header)? {
        if file.rest_begins(header)? {
            compared.differences.push(lacking_end(&mut file, &mut rows)?);
            return Ok(compared);
        }
        compared.differences.push(OutputDifference::Header);
    }
    while rows.more(1) > 0 {
        if compared.differences.len() >= DIFFERENCES_MAX {
            compared
                .differences
                .push(OutputDifference::NotCompared { at: file.at, row: rows.next });
            return Ok(compared);
        }
        if file.strip(rows.ahead[0].as_ref())? {
            rows.take(1);
            compared.rows += 1;
        } else if file.rest_begins(rows.ahead[0].as_ref())? {
            compared.differences.push(lacking_end(&mut file, &mut rows)?);
            return Ok(compared);
        } else if !resume(&mut file, &mut rows, &mut compared)? {
            return Ok(compared);
        }
    }
    let (at, bytes) = (file.at, file.skip_all()?);
    if bytes > 0 {
        compared.differences.push(OutputDifference::Foreign { at, bytes, row: rows.next });
    }
    Ok(compared)
}

/// The file has ended, perhaps within a row: the rest is not there.
fn lacking_end<R: AsRef<[u8]>>(
    file: &mut Window<impl Read>,
    rows: &mut Ahead<R, impl Iterator<Item = R>>,
) -> io::Result<OutputDifference> {
    let (at, row, bytes) = (file.at, rows.next, file.skip_all()?);
    Ok(match bytes {
        0 => OutputDifference::Missing { at, row, rows: rows.count_rest() },
        bytes => OutputDifference::Torn { at, bytes, row },
    })
}

/// Finds the next place where file and rows agree again, and says what lies before it.
fn resume<R: AsRef<[u8]>>(
    file: &mut Window<impl Read>,
    rows: &mut Ahead<R, impl Iterator<Item = R>>,
    compared: &mut OutputDiff,
) -> io::Result<bool> {
    let (at, row) = (file.at, rows.next);
    file.fill(WINDOW_BYTES)?;
    let mut passed = 0;
    while passed < ROWS_LACKING_MAX {
        let ahead = rows.more(ROWS_AHEAD);
        if ahead == 0 {
            break;
        }
        let mut nearest: Option<(usize, usize)> = None;
        for (number, row) in rows.ahead.iter().enumerate() {
            let window = file.window();
            let within = match nearest {
                Some((_, place)) => &window[..window.len().min(place + row.as_ref().len())],
                None => window,
            };
            match memmem::find(within, row.as_ref()) {
                Some(place) if nearest.is_none_or(|(_, nearest)| place < nearest) => {
                    nearest = Some((number, place));
                }
                _ => {}
            }
        }
        let Some((number, place)) = nearest else {
            rows.take(ahead);
            passed += ahead as u64;
            continue;
        };
        passed += number as u64;
        rows.take(number);
        file.skip(place);
        let bytes = place as u64;
        compared.differences.push(match (bytes, passed) {
            (0, rows) => OutputDifference::Missing { at, row, rows },
            (bytes, 0) => OutputDifference::Foreign { at, bytes, row },
            (bytes, rows) => OutputDifference::Changed { at, bytes, row, rows },
        });
        return Ok(true);
    }
    // Nothing that belongs there is found. Near the end that is a changed last row.
    let is_rest = rows.more(1) == 0 && file.fill(WINDOW_BYTES + 1)? <= WINDOW_BYTES;
    compared.differences.push(if is_rest {
        OutputDifference::Changed { at, bytes: file.skip_all()?, row, rows: passed }
    } else {
        OutputDifference::NotCompared { at, row }
    });
    Ok(false)
}

/// The file from where it is compared.
struct Window<S> {
    source: S,
    bytes: Vec<u8>,
    /// What of `bytes` lies behind us.
    begin: usize,
    /// The place in the file.
    at: u64,
    ended: bool,
}

impl<S: Read> Window<S> {
    fn window(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    /// Reads until `wanted` bytes are in the window, or the file ends; returns how many are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        let has = self.bytes.len() - self.begin;
        if has < wanted && !self.ended {
            self.bytes.drain(..self.begin);
            self.begin = 0;
            // More than is wanted, so that small rows are not read one by one.
            let missing = (wanted - has).max(64 * 1024);
            let read = self.source.by_ref().take(missing as u64).read_to_end(&mut self.bytes)?;
            self.ended = read < missing;
        }
        Ok(self.bytes.len() - self.begin)
    }

    /// Passes over these bytes if they come next.
    fn strip(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.fill(bytes.len())?;
        let fits = self.window().starts_with(bytes);
        if fits {
            self.skip(bytes.len());
        }
        Ok(fits)
    }

    /// Returns true if all that is left is a beginning of these bytes.
    fn rest_begins(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let left = self.fill(bytes.len() + 1)?;
        Ok(left < bytes.len() && bytes.starts_with(self.window()))
    }

    fn skip(&mut self, bytes: usize) {
        self.begin += bytes;
        self.at += bytes as u64;
    }

    fn skip_all(&mut self) -> io::Result<u64> {
        let left = self.window().len();
        self.skip(left);
        let more = io::copy(&mut self.source, &mut io::sink())?;
        self.at += more;
        Ok(left as u64 + more)
    }
}

/// The rows that are to come.
struct Ahead<R, I> {
    rows: I,
    ahead: Vec<R>,
    next: u64,
}

impl<R, I: Iterator<Item = R>> Ahead<R, I> {
    /// Reads until `wanted` rows lie ahead, or there are no more; returns how many do.
    fn more(&mut self, wanted: usize) -> usize {
        while self.ahead.len() < wanted {
            let Some(row) = self.rows.next() else { break };
            self.ahead.push(row);
        }
        self.ahead.len()
    }

    fn take(&mut self, rows: usize) {
        self.ahead.drain(..rows);
        self.next += rows as u64;
    }

    fn count_rest(&mut self) -> u64 {
        self.ahead.len() as u64 + self.rows.by_ref().count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"head\n";

    fn misfits(found: &str) -> Vec<OutputDifference> {
        diff_output(found.as_bytes(), HEADER, ["one\n", "two\n", "three\n", "four\n"])
            .unwrap()
            .differences
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        use OutputDifference::{Changed, Foreign, Header, Missing, Torn};
        for (found, expected) in [
            ("head\none\ntwo\nthree\nfour\n", vec![]),
            ("head\none\ntwo\nthree\nfour\nmine", vec![Foreign { at: 24, bytes: 4, row: 4 }]),
            ("head\none\nmine\ntwo\nthree\nfour\n", vec![Foreign { at: 9, bytes: 5, row: 1 }]),
            ("head\nmine\none\ntwo\nthree\nfour\n", vec![Foreign { at: 5, bytes: 5, row: 0 }]),
            ("head\none\nTWO\nthree\nfour\n", vec![Changed { at: 9, bytes: 4, row: 1, rows: 1 }]),
            ("head\none\ntwo\nthree\nFOUR\n", vec![Changed { at: 19, bytes: 5, row: 3, rows: 1 }]),
            ("head\none\nfour\n", vec![Missing { at: 9, row: 1, rows: 2 }]),
            ("head\none\ntwo\n", vec![Missing { at: 13, row: 2, rows: 2 }]),
            ("head\none\ntwo\nthr", vec![Torn { at: 13, bytes: 3, row: 2 }]),
            ("he", vec![Torn { at: 0, bytes: 2, row: 0 }]),
            ("", vec![Missing { at: 0, row: 0, rows: 4 }]),
            ("one\ntwo\nthree\nfour\n", vec![Header]),
            (
                "head\none\nthree\ntwo\nfour\n",
                vec![Missing { at: 9, row: 1, rows: 1 }, Foreign { at: 15, bytes: 4, row: 3 }],
            ),
            (
                "head\none\none\ntwo\nthree\nfour\nfour\n",
                vec![Foreign { at: 9, bytes: 4, row: 1 }, Foreign { at: 28, bytes: 5, row: 4 }],
            ),
        ] {
            assert_eq!(misfits(found), expected, "{found:?}");
        }
    }

    #[test]
    fn a_whole_foreign_file_is_given_up_early() {
        let rows = (0..10_000).map(|number| format!("row {number}\n"));
        let compared = diff_output("something else\n".repeat(999).as_bytes(), b"", rows).unwrap();
        assert_eq!(compared.differences, [OutputDifference::NotCompared { at: 0, row: 0 }]);
        assert!(compared.has_foreign());
    }

    #[test]
    fn any_byte_that_is_changed_added_or_cut_is_noticed() {
        let rows: Vec<String> = (0..40).map(|number| format!("row {number}, text\n")).collect();
        let whole = format!("head\n{}", rows.concat()).into_bytes();
        assert_eq!(diff_output(whole.as_slice(), HEADER, &rows).unwrap().rows, 40);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            let mut added = whole.clone();
            added.insert(at, b'x');
            for found in [&changed[..], &added, &whole[..at]] {
                let compared = diff_output(found, HEADER, &rows).unwrap();
                assert!(!compared.differences.is_empty(), "{at}");
            }
        }
    }
}
