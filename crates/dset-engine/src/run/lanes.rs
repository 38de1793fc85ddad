//! Folders that are asked by turns, each with a store of its own, under one limit a minute.
//!
//! Runs that go on at once have a lane each. Who begins takes the first that is free, and what was asked there
//! in the last minute counts for its limits: so all of them together ask no more than as many times the limit
//! of one as ever were at it at once. A lane is a file that is locked, which the system frees when its holder
//! dies, and beside it which folders were asked there; what they asked is in their stores.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::os::files::{new_in, put};
use crate::os::lock::{Tried, try_to_lock};
use crate::store::{RATE_HISTORY_BACK_MS, RateHistory, open_readonly};

/// The folder of the lanes, within that of the job.
const LANES: &str = ".lanes";

/// Where runs take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes {
    /// The folder that those of the runs are in.
    pub folder: PathBuf,
    /// How many lanes there may be; absent where every run may have one.
    pub most: Option<u32>,
}

/// A lane that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Absent on a file system without locks.
    _file: Option<File>,
    /// What was asked in it in the last minute, in other folders.
    pub(crate) history: RateHistory,
}

/// A folder that was asked in a lane.
#[derive(Debug, Serialize, Deserialize)]
struct Turn {
    folder: PathBuf,
    /// When it was over at the latest, Unix milliseconds; absent of the last.
    over: Option<i64>,
}

impl Lanes {
    /// Takes a lane for a run in `folder`, which is remembered in it; `None` where all are taken.
    pub(crate) fn take(&self, folder: &Path, now_unix_ms: i64) -> io::Result<Option<Lane>> {
        let place = self.folder.join(LANES);
        fs::create_dir_all(&place)?;
        let Some((number, file)) = self.free(&place)? else { return Ok(None) };
        let path = place.join(format!("{number}.json"));
        let own = folder.strip_prefix(&self.folder).unwrap_or(folder).to_owned();
        let (mut turns, history) = self.earlier(&path, &own, now_unix_ms);
        turns.push(Turn { folder: own, over: None });
        let text = serde_json::to_vec(&turns).map_err(io::Error::from)?;
        let mut made = new_in(&place)?;
        io::Write::write_all(&mut made, &text)?;
        put(made, &path)?;
        Ok(Some(Lane { _file: file, history }))
    }

    /// Locks the first lane that is free.
    fn free(&self, place: &Path) -> io::Result<Option<(u32, Option<File>)>> {
        for number in 0..self.most.unwrap_or(u32::MAX) {
            if let Tried::Ours(file) = try_to_lock(&place.join(format!("{number}.lock")))? {
                return Ok(Some((number, file)));
            }
        }
        Ok(None)
    }

    /// Returns the turns that may still count, and what was asked in them but for those in `own`, whose
    /// store tells. What cannot be read is not known.
    fn earlier(&self, path: &Path, own: &Path, now: i64) -> (Vec<Turn>, RateHistory) {
        let mut history = RateHistory::default();
        let Ok(text) = fs::read(path) else { return (Vec::new(), history) };
        let Ok(mut turns) = serde_json::from_slice::<Vec<Turn>>(&text) else {
            let of_somebody = Turn { folder: PathBuf::new(), over: Some(now) };
            return (vec![of_somebody], RateHistory { unknown: true, ..history });
        };
        turns.retain_mut(|turn| {
            let over = *turn.over.get_or_insert(now);
            if turn.folder == own || over < now - RATE_HISTORY_BACK_MS {
                return false;
            }
            let folder = self.folder.join(&turn.folder);
            let asked = open_readonly(&folder, |store| store.rate_history(now));
            // A store that is gone may have asked anything.
            let asked =
                asked.ok().flatten().unwrap_or(RateHistory { unknown: true, ..Default::default() });
            let counts = asked.unknown || !asked.asks.is_empty();
            history.add(asked);
            counts
        });
        (turns, history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const NOW: i64 = 1_795_348_800_000;

    /// A run of so many asks in a folder, the last of them so many milliseconds before now; without an
    /// end, where it was killed.
    fn asked(job: &Path, name: &str, asks: u32, ms: i64, is_killed: bool) {
        let folder = job.join(name);
        fs::create_dir_all(&folder).unwrap();
        let (mut store, _) = Store::open(&folder).unwrap();
        let (began, over) = (NOW - ms - 10_000, NOW - ms);
        let ended = if is_killed { "NULL".to_owned() } else { over.to_string() };
        let answers: String = (0..asks)
            .map(|row| {
                format!(
                    "INSERT INTO answers (life, row, answered_at, question, reasoning, answer, metadata)
                     VALUES (1, {row}, {over}, '', '', '', '{{\"seconds\":0.5}}');"
                )
            })
            .collect();
        let sql = format!(
            "INSERT INTO lives (id, started_at, ended_at, ending, dropped, version, settings, endpoint)
             VALUES (1, {began}, {ended}, 'complete', 0, '', 1, '');{answers}"
        );
        store.connection().execute_batch(&sql).unwrap();
    }

    fn lanes(job: &Path) -> Lanes {
        Lanes { folder: job.to_owned(), most: None }
    }

    /// Takes a lane for a shard at a moment; how many asks count in it, and whether it is known.
    fn counted(job: &Path, name: &str, ms: i64) -> (usize, bool) {
        let lane = lanes(job).take(&job.join(name), NOW + ms).unwrap().unwrap();
        (lane.history.asks.len(), !lane.history.unknown)
    }

    #[test]
    fn what_shards_before_asked_in_a_lane_counts_for_a_minute() {
        let job = tempfile::tempdir().unwrap();
        let job = job.path();
        assert_eq!(counted(job, "a", -9_000), (0, true));
        asked(job, "a", 7, 5_000, false);
        assert_eq!(counted(job, "b", -5_000), (7, true));
        asked(job, "b", 4, 1_000, false);
        assert_eq!(counted(job, "c", 0), (11, true));
        asked(job, "c", 1, 0, false);
        assert_eq!(counted(job, "a", 0), (5, true), "its own store tells what it asked itself");
        assert_eq!(counted(job, "d", 58_500), (5, true));
        assert_eq!(counted(job, "d", 63_000), (0, true));
    }

    #[test]
    fn runs_at_once_have_lanes_of_their_own_and_the_next_takes_the_first_that_is_free() {
        let job = tempfile::tempdir().unwrap();
        let job = job.path();
        let first = lanes(job).take(&job.join("a"), NOW).unwrap();
        let second = lanes(job).take(&job.join("b"), NOW).unwrap();
        asked(job, "a", 3, 0, false);
        asked(job, "b", 5, 0, false);
        drop(second);
        assert_eq!(counted(job, "c", 0), (5, true));
        drop(first);
        assert_eq!(counted(job, "d", 0), (3, true));
    }

    #[test]
    fn there_are_no_more_lanes_than_there_may_be() {
        let job = tempfile::tempdir().unwrap();
        let one = Lanes { most: Some(1), ..lanes(job.path()) };
        let first = one.take(&job.path().join("a"), NOW).unwrap();
        assert!(first.is_some());
        assert!(one.take(&job.path().join("b"), NOW).unwrap().is_none());
        drop(first);
        assert!(one.take(&job.path().join("b"), NOW).unwrap().is_some());
    }

    #[test]
    fn a_shard_that_was_killed_or_whose_disk_is_gone_leaves_the_minute_unknown() {
        let job = tempfile::tempdir().unwrap();
        let job = job.path();
        counted(job, "a", -3_000);
        asked(job, "a", 2, 1_000, true);
        assert_eq!(counted(job, "b", 0), (2, false));
        asked(job, "b", 1, 0, false);
        assert_eq!(counted(job, "c", 61_000), (3, false), "the minute after the kill is not over");
        assert_eq!(counted(job, "d", 63_000), (0, false), "c has no store");
        fs::write(job.join(LANES).join("0.json"), "[{").unwrap();
        assert_eq!(counted(job, "e", 200_000), (0, false));
        assert_eq!(counted(job, "e", 201_000), (0, false));
        assert_eq!(counted(job, "e", 264_000), (0, true));
    }
}
