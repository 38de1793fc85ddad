//! Brings a folder's store and the server to the same answers: before a shard is asked, and for an export.

mod pull;
mod push;

use std::collections::HashSet;

use crate::store::sqlite::AnswerMark;

pub(super) use self::pull::pull;
pub(super) use self::push::{push, push_verdicts};

/// The token of runs that had no lease, or of which this is not known.
pub(super) const NO_LEASE: i64 = -1;
/// Records that are moved at once.
const PART: usize = 2_000;

/// Of what alias `a` of `answer` says: the server does not know what programs say of it.
const IS_UNJUDGED: &str = r#"strpos(a.entry, '"unknown"') > 0
    AND NOT EXISTS (SELECT 1 FROM verdict v WHERE v.identity = a.identity AND v.try = a.try
                    AND v.shard = a.shard AND v.key = a.key AND strpos(v.entry, '"unknown"') = 0)"#;

/// What was brought here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Brought {
    /// Answers that the store lacked.
    pub answers: u64,
    /// Answers that it had.
    pub known: u64,
    /// Answers that came although there was one.
    pub paid_twice: u64,
    /// Answers of which the server does not know what programs say.
    pub unjudged: u64,
}

/// What was brought to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Answers that it lacked, those among them that came although it had one.
    pub answers: u64,
    /// Answers that stay here alone, because their texts are damaged.
    pub damaged: u64,
}

impl std::ops::AddAssign for Pushed {
    fn add_assign(&mut self, other: Pushed) {
        self.answers += other.answers;
        self.damaged += other.damaged;
    }
}

/// Returns what is there and not here. An answer that has another try here than there is the same one.
fn lacking(there: &HashSet<AnswerMark>, here: &HashSet<AnswerMark>) -> Vec<AnswerMark> {
    let came = |(key, _, at): &AnswerMark| (*key, *at);
    let elsewhere: HashSet<_> = here.difference(there).map(came).collect();
    there.difference(here).filter(|mark| !elsewhere.contains(&came(mark))).copied().collect()
}

/// Reads keys, tries and times.
fn marks(rows: &[tokio_postgres::Row]) -> HashSet<AnswerMark> {
    rows.iter().filter_map(mark).collect()
}

fn mark(row: &tokio_postgres::Row) -> Option<AnswerMark> {
    let key = <[u8; 16]>::try_from(row.get::<_, &[u8]>(0)).ok()?;
    Some((key, row.get::<_, i32>(1) as u32, row.get(2)))
}
