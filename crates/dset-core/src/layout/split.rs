//! Which split of a dataset a row belongs to, and its place in a shuffled one.

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The splits of a dataset, each with its share of the rows.
///
/// A row's split depends on a name alone, its own or that of the first row that asks the same, so that it stays where
/// it is when other rows are added, and all answers to a question are on the same side.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    splits: Vec<(String, f64)>,
}

/// Why these are no splits.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SplitError {
    /// It is no name and share.
    #[error("`{0}` is no split")]
    Syntax(String),
    /// The shares are not the whole.
    #[error("the shares of the splits add up to {0}")]
    Sum(f64),
    /// Loaders of datasets call so what is in all splits.
    #[error("`all` is no name of a split: loaders of datasets take it for every one")]
    All,
    /// Two splits have the same name.
    #[error("two splits are called `{0}`")]
    Twice(String),
}

impl Splits {
    /// Reads splits as the user writes them: `train=0.98,test=0.02`.
    pub fn parse(text: &str) -> Result<Splits, SplitError> {
        let mut splits: Vec<(String, f64)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let wrong = || SplitError::Syntax(part.to_owned());
            let (name, share) = part.split_once('=').ok_or_else(wrong)?;
            let (name, share) = (name.trim(), share.trim().parse::<f64>().map_err(|_| wrong())?);
            // A split is a part of a file's name, and loaders know no other letters in it.
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_name) || !(share > 0.0 && share <= 1.0) {
                return Err(wrong());
            }
            if name == "all" {
                return Err(SplitError::All);
            }
            if splits.iter().any(|(own, _)| own == name) {
                return Err(SplitError::Twice(name.to_owned()));
            }
            splits.push((name.to_owned(), share));
        }
        let sum: f64 = splits.iter().map(|(_, share)| share).sum();
        if (sum - 1.0).abs() < 1e-6 { Ok(Splits { splits }) } else { Err(SplitError::Sum(sum)) }
    }

    /// Their names, in the user's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.splits.iter().map(|(name, _)| &**name)
    }

    /// Returns the place of the split that a row of this name is in.
    #[must_use]
    pub fn of(&self, id: &str) -> usize {
        let part = xxh3_64_with_seed(id.as_bytes(), SPLIT_SEED) as f64 / 2f64.powi(64);
        let mut upper = 0.0;
        let found = self.splits.iter().position(|(_, share)| {
            upper += share;
            part < upper
        });
        found.unwrap_or(self.splits.len() - 1)
    }
}

/// Keeps splits apart from every other use of a row's name. Part of the format: another one would
/// move rows from one split to the other.
const SPLIT_SEED: u64 = 0x73_70_6c_69_74;

/// Returns where a row stands in a shuffled dataset, among the others' values.
#[must_use]
pub fn shuffled(seed: u64, id: &str, number: u32) -> u64 {
    xxh3_64_with_seed(id.as_bytes(), seed ^ (u64::from(number) << 32)).rotate_left(17)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_in_its_split_and_splits_have_their_shares() {
        let splits = Splits::parse("train=0.9, test=0.1").unwrap();
        let names: Vec<_> = splits.names().collect();
        assert_eq!(names, ["train", "test"]);
        let in_test = (0..10_000).filter(|n| splits.of(&n.to_string()) == 1).count();
        assert!((900..1100).contains(&in_test), "{in_test}");
        // A format: rows may not move when the program changes.
        assert_eq!((0..20).filter(|n| splits.of(&n.to_string()) == 1).collect::<Vec<_>>(), [1, 9]);
    }

    #[test]
    fn what_is_no_split_is_said() {
        assert_eq!(Splits::parse("all=0.5,test=0.5"), Err(SplitError::All));
        assert_eq!(Splits::parse("train"), Err(SplitError::Syntax("train".into())));
        assert_eq!(Splits::parse("a/b=1"), Err(SplitError::Syntax("a/b=1".into())));
        assert_eq!(Splits::parse("a=0.5,a=0.5"), Err(SplitError::Twice("a".into())));
        assert_eq!(Splits::parse("a=0.5,b=0.4"), Err(SplitError::Sum(0.9)));
    }
}
