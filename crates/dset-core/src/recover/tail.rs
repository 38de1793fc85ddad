//! Classifies what a crash left at the end of an output.
//!
//! Up to its checkpoint an output is known to be whole. Beyond it there may be rows that were written and
//! not yet counted, the torn beginning of one, or something that another program appended. After a
//! power cut a file system may have kept the length of what was written and not the bytes: then
//! there are zeros in their place, in any block of it.

use crate::planted::{PlantedBug, planted};

/// What stands beyond the checkpoint of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Rows that are there whole, and are taken over.
    pub adopted_rows: u64,
    /// The bytes of those rows.
    pub adopted_bytes: u64,
    /// What follows those rows.
    pub rest: TailRest,
}

/// What follows the whole rows of a tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailRest {
    /// The file ends there.
    None,
    /// The beginning of the next rows, or zeros in their place: to be cut off, and written anew.
    Torn,
    /// Foreign bytes, which are left alone.
    Foreign,
}

/// What is known of an output before its end is judged.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its length at the checkpoint, in bytes; 0 where it is not begun.
    pub bytes: u64,
    /// It is at least so long, and what is before the checkpoint is what was written.
    pub is_intact: bool,
    /// The first of the expected rows is the header of the file.
    pub header_first: bool,
}

/// What is to be done with an output before rows are appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailVerdict {
    /// It ends at its checkpoint.
    Append,
    /// Cut it at its checkpoint and append from there.
    ///
    /// Rows of ours beyond the checkpoint are written again although they are there: what they are
    /// read from may be pages that a failed sync has dropped, and that no later one writes.
    Cut {
        /// Its last row was torn, or zeros stood in the place of rows.
        is_torn: bool,
    },
    /// Keep all of it and append behind text that is not ours.
    AppendBehind {
        /// Rows of ours between the checkpoint and that text.
        rows: u64,
        /// The text ends within a line, which is to be ended first.
        ends_line: bool,
    },
    /// It is not what was written, or stands in the place of an output that is not begun: move it
    /// out of the way, and write the output anew.
    Replace,
}

/// Judges an output by the bytes found beyond its checkpoint and the rows that would be written
/// there. `found` is not looked at where the output is not intact.
#[must_use]
pub fn judge_output<R: AsRef<[u8]>>(
    known: Known,
    found: &[u8],
    expected: impl IntoIterator<Item = R>,
) -> TailVerdict {
    if !known.is_intact {
        return TailVerdict::Replace;
    }
    let tail = classify_tail(found, expected);
    match tail.rest {
        TailRest::None if found.is_empty() => TailVerdict::Append,
        TailRest::None => TailVerdict::Cut { is_torn: false },
        TailRest::Torn => TailVerdict::Cut { is_torn: true },
        // Text in an output that is not begun is not behind our rows but in their place.
        TailRest::Foreign if known.bytes == 0 && tail.adopted_rows == 0 => TailVerdict::Replace,
        TailRest::Foreign => TailVerdict::AppendBehind {
            rows: tail.adopted_rows - u64::from(known.header_first && tail.adopted_rows > 0),
            ends_line: found.last() != Some(&b'\n'),
        },
    }
}

/// Compares the bytes found beyond a checkpoint with the rows that would be written there.
#[must_use]
pub fn classify_tail<R: AsRef<[u8]>>(found: &[u8], expected: impl IntoIterator<Item = R>) -> Tail {
    let mut tail = Tail { adopted_rows: 0, adopted_bytes: 0, rest: TailRest::None };
    let mut left = found;
    let mut expected = expected.into_iter();
    while !left.is_empty() {
        let Some(row) = expected.next() else {
            tail.rest = if is_zeros(left) { TailRest::Torn } else { TailRest::Foreign };
            return tail;
        };
        match left.strip_prefix(row.as_ref()) {
            Some(rest) => {
                tail.adopted_rows += 1;
                tail.adopted_bytes += row.as_ref().len() as u64;
                left = rest;
            }
            None => {
                let ours = is_torn_continuation(left, std::iter::once(row).chain(expected));
                tail.rest = if ours { TailRest::Torn } else { TailRest::Foreign };
                if planted(PlantedBug::TailNotRepaired) {
                    tail.rest = TailRest::None;
                }
                return tail;
            }
        }
    }
    tail
}

/// Returns true if bytes are the next rows, cut anywhere, with zeros anywhere.
fn is_torn_continuation<R: AsRef<[u8]>>(mut left: &[u8], rows: impl Iterator<Item = R>) -> bool {
    for row in rows {
        let row = row.as_ref();
        let (here, rest) = left.split_at(row.len().min(left.len()));
        if !here.iter().zip(row).all(|(&found, &wanted)| found == wanted || found == 0) {
            return false;
        }
        left = rest;
        if left.is_empty() {
            return true;
        }
    }
    is_zeros(left)
}

fn is_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_rows_are_adopted_a_torn_one_is_cut_and_anything_else_is_foreign() {
        let rows = ["one\n", "two\n", "three\n"];
        for (found, rows_adopted, rest) in [
            ("", 0, TailRest::None),
            ("one\n", 1, TailRest::None),
            ("one\ntw", 1, TailRest::Torn),
            ("o", 0, TailRest::Torn),
            ("one\nmine\n", 1, TailRest::Foreign),
            ("one\ntwo\nthree\nmore", 3, TailRest::Foreign),
            // The length was kept and the bytes were not: all of them, the last, those of a block.
            ("\0\0\0\0\0", 0, TailRest::Torn),
            ("one\nt\0\0\0\0\0\0", 1, TailRest::Torn),
            ("\0\0\0\0two\nth", 0, TailRest::Torn),
            ("one\ntwo\nthree\n\0\0\0", 3, TailRest::Torn),
            ("one\n\0\0mine\n", 1, TailRest::Foreign),
            ("one\ntwo\nthree\n\0\0mine", 3, TailRest::Foreign),
        ] {
            let tail = classify_tail(found.as_bytes(), rows);
            assert_eq!((tail.adopted_rows, tail.rest), (rows_adopted, rest), "{found:?}");
        }
    }

    #[test]
    fn an_output_is_judged_by_what_stands_behind_its_checkpoint() {
        use TailVerdict::{Append, AppendBehind, Cut, Replace};
        let judge = |bytes, header_first, found: &str| {
            let known = Known { bytes, is_intact: true, header_first };
            judge_output(known, found.as_bytes(), ["one\n", "two\n"])
        };
        for (found, begun, new, new_with_header) in [
            ("", Append, Append, Append),
            ("one\n", Cut { is_torn: false }, Cut { is_torn: false }, Cut { is_torn: false }),
            ("one\ntw", Cut { is_torn: true }, Cut { is_torn: true }, Cut { is_torn: true }),
            ("mine", AppendBehind { rows: 0, ends_line: true }, Replace, Replace),
            (
                "one\nmine\n",
                AppendBehind { rows: 1, ends_line: false },
                AppendBehind { rows: 1, ends_line: false },
                AppendBehind { rows: 0, ends_line: false },
            ),
        ] {
            assert_eq!(judge(9, false, found), begun, "{found:?}");
            assert_eq!(judge(0, false, found), new, "{found:?}");
            assert_eq!(judge(0, true, found), new_with_header, "{found:?}");
        }
        let known = Known { bytes: 9, is_intact: false, header_first: false };
        assert_eq!(judge_output(known, b"", ["one\n"]), Replace);
    }

    #[test]
    fn cut_at_any_byte_the_rows_before_it_are_adopted() {
        let rows = ["a,b\r\n", "\"c\nd\"\r\n"];
        let whole = rows.concat();
        for at in 0..=whole.len() {
            let tail = classify_tail(&whole.as_bytes()[..at], rows);
            assert_eq!(tail.rest == TailRest::None, [0, 5, 12].contains(&at), "{at}");
            assert!(tail.adopted_bytes <= at as u64);
        }
    }
}
