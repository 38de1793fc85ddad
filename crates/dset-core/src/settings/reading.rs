//! How the rows of an input are read, and which of them are asked.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How an input is read, and which of its rows are asked. A store remembers it, so that whoever looks
/// at a run reads what was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// The field that names every row, where the user names it.
    pub id: Option<String>,
    /// The field that named them in an earlier run: it goes on to, where there still is one.
    #[serde(skip)]
    pub id_before: Option<String>,
    /// What a row does that cannot be asked.
    pub on_bad_row: OnBadRow,
    /// What becomes of an answer that a chat ends with.
    pub last: LastTurn,
    /// What stands between the questions of a text.
    pub split_on: Option<String>,
    /// Which configuration of a dataset is read.
    pub config: Option<String>,
    /// Which split of a dataset is read.
    pub split: Option<String>,
    /// Which rows are asked.
    pub choice: Choice,
    /// The part of a job that is read, where it is not the whole input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

/// One of the parts that a job was split into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The folder of the job, from the root.
    pub job: PathBuf,
    /// Which of its shards, from 0.
    pub number: u32,
}

/// Which rows are asked: first those that a condition holds for, of these all but the first ones, of
/// these a sample. The others keep the answers that they have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// A condition over the fields of a row, as templates write one.
    pub condition: Option<String>,
    /// So many rows are passed over.
    pub offset: u64,
    /// So many of the rest are taken.
    pub sample: Option<Sample>,
}

impl Choice {
    /// Tells whether all rows are asked.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Choice::default()
    }

    /// Returns the choice of at most so many of the rows that this one takes, evenly from the whole. Of
    /// a sample that is a part of all it is that sample: how many rows those are is not known here.
    #[must_use]
    pub fn pilot(&self, rows: u64) -> Choice {
        let sample = match self.sample {
            None => Sample::Rows(rows),
            Some(Sample::Rows(own)) => Sample::Rows(own.min(rows)),
            Some(part @ Sample::Millionths(_)) => part,
        };
        Choice { sample: Some(sample), ..self.clone() }
    }
}

/// How many rows a sample has. Which ones, their questions alone decide: a row that is added changes
/// little, and the order nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Sample {
    /// So many rows, from 1.
    Rows(u64),
    /// So many millionths of all, from 1 to 1,000,000.
    Millionths(u32),
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Sample, String> {
        let error = || "it is a number of rows, or a part like 5%".to_owned();
        let text = text.trim();
        let Some(percent) = text.strip_suffix('%') else {
            let rows = text.replace([',', '_'], "").parse().ok().filter(|&rows| rows > 0);
            return rows.map(Sample::Rows).ok_or_else(error);
        };
        let percent: f64 = percent.trim().parse().map_err(|_| error())?;
        let millionths = (percent * 10_000.0).round();
        match (1.0..=1_000_000.0).contains(&millionths) {
            true => Ok(Sample::Millionths(millionths as u32)),
            false => Err(error()),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sample::Rows(rows) => rows.fmt(f),
            Sample::Millionths(millionths) => write!(f, "{}%", f64::from(*millionths) / 10_000.0),
        }
    }
}

impl From<Sample> for String {
    fn from(sample: Sample) -> String {
        sample.to_string()
    }
}

impl TryFrom<String> for Sample {
    type Error = String;

    fn try_from(text: String) -> Result<Sample, String> {
        text.parse()
    }
}

/// What a row does that cannot be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum OnBadRow {
    /// The run ends before its first ask.
    #[default]
    Fail,
    /// It is left out, counted and named.
    Skip,
}

/// What becomes of the turn of the model that a chat ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum LastTurn {
    /// Such a chat cannot be asked.
    #[default]
    Refuse,
    /// It is left out, and asked for anew.
    Drop,
    /// The model goes on with it; an answer is the whole turn.
    Continue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_number_of_rows_or_a_part_of_all() {
        for (text, sample) in [
            ("100", Some(Sample::Rows(100))),
            ("1,000", Some(Sample::Rows(1000))),
            ("5%", Some(Sample::Millionths(50_000))),
            ("0.05 %", Some(Sample::Millionths(500))),
            ("100%", Some(Sample::Millionths(1_000_000))),
            ("0", None),
            ("0%", None),
            ("101%", None),
            ("half", None),
            ("NaN%", None),
        ] {
            assert_eq!(text.parse::<Sample>().ok(), sample, "{text}");
        }
        let sample: Sample = "0.05%".parse().unwrap();
        assert_eq!(sample.to_string().parse(), Ok(sample));
    }
}
