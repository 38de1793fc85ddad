//! What is known of the rows of a shard as a part of the whole input.

use dset_core::plan::{Ordinals, Planner};
use dset_core::settings::Choice;
use serde::{Deserialize, Serialize};

use super::JobFileError;
use crate::run::choice::LeftOut;

/// The rows of a shard: how many, which of equal rows of the whole input they are, which are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRows {
    /// Rows with a question.
    pub questions: u32,
    /// Rows with an equal one before them, wherever that is: the row from 0, and its number among equal
    /// requests and among equal texts.
    duplicates: Vec<(u32, u32, u32)>,
    /// Rows that the user left out, from 0.
    left_out: Vec<u32>,
    counts: LeftOut,
}

/// The same as it stands in `job.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackedRows {
    questions: u32,
    /// Rows, request ordinals, text ordinals: numbers of four bytes, the first as steps, packed by
    /// Zstandard, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    duplicates: String,
    /// Rows, in the same way.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    left_out: String,
    /// How many are left out by a condition, an offset, a sample.
    #[serde(default, skip_serializing_if = "is_none")]
    left_out_by: [u64; 3],
}

fn is_none(counts: &[u64; 3]) -> bool {
    *counts == [0; 3]
}

impl ShardRows {
    /// Takes these rows of a planned input; `counts` is what left its rows out, for the first shard.
    pub(super) fn of(
        rows: std::ops::Range<usize>,
        ordinals: &Ordinals,
        left_out: &[bool],
        counts: LeftOut,
    ) -> ShardRows {
        let number = |at: usize| u32::try_from(at - rows.start).expect("a plan has few rows");
        let of = |at: usize| (number(at), ordinals.requests[at], ordinals.texts[at]);
        let duplicates = rows.clone().map(of).filter(|row| (row.1, row.2) != (0, 0)).collect();
        let is_left_out = |at: &usize| left_out.get(*at) == Some(&true);
        let left_out = rows.clone().filter(is_left_out).map(number).collect();
        ShardRows { questions: number(rows.end), duplicates, left_out, counts }
    }

    /// Numbers the rows that were read as those of the whole input, and leaves out what the user left
    /// out there. Fails where other rows were read.
    pub(crate) fn apply(
        &self,
        planner: &mut Planner,
        choice: &Choice,
    ) -> Result<LeftOut, JobFileError> {
        if planner.len() != self.questions as usize {
            return Err(JobFileError::OtherRows {
                expected: u64::from(self.questions),
                found: planner.len() as u64,
            });
        }
        let mut ordinals =
            Ordinals { requests: vec![0; planner.len()], texts: vec![0; planner.len()] };
        for &(row, request, text) in &self.duplicates {
            let row = row as usize;
            (ordinals.requests[row], ordinals.texts[row]) = (request, text);
        }
        planner.number(ordinals);
        if choice.is_all() {
            return Ok(LeftOut::default());
        }
        let mut is_chosen = vec![true; planner.len()];
        self.left_out.iter().for_each(|&row| is_chosen[row as usize] = false);
        planner.choose(&is_chosen);
        Ok(self.counts)
    }

    pub(super) fn pack(&self) -> PackedRows {
        let rows = steps(self.duplicates.iter().map(|row| row.0));
        let others = self.duplicates.iter().map(|row| row.1);
        let others = others.chain(self.duplicates.iter().map(|row| row.2));
        PackedRows {
            questions: self.questions,
            duplicates: packed(&rows.into_iter().chain(others).collect::<Vec<_>>()),
            left_out: packed(&steps(self.left_out.iter().copied())),
            left_out_by: [self.counts.by_condition, self.counts.by_offset, self.counts.by_sample],
        }
    }
}

impl PackedRows {
    pub(super) fn questions(&self) -> u64 {
        self.questions.into()
    }

    /// Returns the rows; `None` where the text is not what was written.
    pub(super) fn unpack(&self) -> Option<ShardRows> {
        let all = unpacked(&self.duplicates)?;
        let count = all.len() / 3;
        let rows = summed(&all[..count]);
        let row = |at: usize| (rows[at], all[count + at], all[2 * count + at]);
        let duplicates: Vec<_> = (0..count).map(row).collect();
        let left_out = summed(&unpacked(&self.left_out)?);
        let [by_condition, by_offset, by_sample] = self.left_out_by;
        let is_within = |row: &u32| *row < self.questions;
        let is_whole = all.len() == 3 * count && rows.iter().chain(&left_out).all(is_within);
        let counts = LeftOut { by_condition, by_offset, by_sample };
        is_whole.then_some(ShardRows { questions: self.questions, duplicates, left_out, counts })
    }
}

/// Turns growing numbers into how far each is from the one before.
fn steps(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut before = 0;
    numbers.map(|number| number - std::mem::replace(&mut before, number)).collect()
}

fn summed(steps: &[u32]) -> Vec<u32> {
    let mut sum = 0_u32;
    let add = |step: &u32| {
        sum = sum.saturating_add(*step);
        sum
    };
    steps.iter().map(add).collect()
}

fn packed(numbers: &[u32]) -> String {
    if numbers.is_empty() {
        return String::new();
    }
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let packed = zstd::bulk::compress(&bytes, 0).expect("memory can be compressed");
    packed.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unpacked(text: &str) -> Option<Vec<u32>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    let bytes = bytes.collect::<Option<Vec<u8>>>()?;
    let unpacked = zstd::stream::decode_all(&bytes[..]).ok()?;
    let numbers = unpacked.chunks(4).map(|four| Some(u32::from_le_bytes(four.try_into().ok()?)));
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_as_they_were_packed() {
        let ordinals =
            Ordinals { requests: vec![0, 0, 1, 0, 2, 70_000], texts: vec![0, 3, 1, 0, 2, 0] };
        let left_out = [false, true, false, false, true, true];
        let counts = LeftOut { by_condition: 2, by_offset: 0, by_sample: 1 };
        for rows in [0..6, 1..5, 3..4, 4..4] {
            let rows = ShardRows::of(rows, &ordinals, &left_out, counts);
            let text = serde_json::to_string(&rows.pack()).unwrap();
            let read: PackedRows = serde_json::from_str(&text).unwrap();
            assert_eq!(read.unpack(), Some(rows), "{text}");
        }
        let broken = |duplicates: &str| PackedRows {
            duplicates: duplicates.to_owned(),
            ..ShardRows::of(0..6, &ordinals, &[], counts).pack()
        };
        for text in ["00", "xy", "é", "28b52ffd"] {
            assert_eq!(broken(text).unpack(), None, "{text}");
        }
    }
}
