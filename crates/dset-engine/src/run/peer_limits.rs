//! What runs on this machine tell each other about one service: what it takes, and whether it wants
//! to be left alone.
//!
//! A folder for each endpoint, model and key, and in it a file for each process, which it alone
//! writes: nothing needs a lock, and nothing is lost if a file is. The folder's name is a hash; the
//! key is in neither.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dset_core::rate::{LimitSnapshot, PeerState};
use fs_err as fs;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::xxh3_64;

/// A process that has said nothing for so long is not there any more.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// A file that is older says nothing worth knowing.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// More files than processes that a machine can have at one service.
const FILES_MAX: usize = 256;

/// What one process says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PublishedState {
    /// What it knows of the service's limits, and when.
    pub learnt: LimitSnapshot,
    /// The service wants to be left alone until then, Unix milliseconds.
    pub paused_until: Option<i64>,
    /// The run has ended; what it learnt stays.
    pub ended: bool,
}

/// This process's place among those that ask the same service.
#[derive(Debug, Clone)]
pub struct PeerLimits {
    folder: PathBuf,
    own: PathBuf,
}

impl PeerLimits {
    /// Takes a place below `state`, the folder in which this user's programs keep their state.
    #[must_use]
    pub fn new(
        state: &Path,
        endpoint: &str,
        model: &str,
        key: Option<&SecretString>,
    ) -> PeerLimits {
        let key = key.map_or("", |key| key.expose_secret());
        let service = xxh3_64(format!("{endpoint}\n{model}\n{key}").as_bytes());
        let folder = state.join("dset").join("pace").join(format!("{service:016x}"));
        let own = folder.join(format!("{}.json", std::process::id()));
        PeerLimits { folder, own }
    }

    /// Returns what the others say at `now`, Unix milliseconds, and removes what is too old. What
    /// cannot be read says nothing.
    #[must_use]
    pub fn peers(&self, now: i64) -> Vec<(PublishedState, PeerState)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path()).take(FILES_MAX);
        let mut others = Vec::new();
        for path in paths.filter(|path| *path != self.own) {
            let read = fs::read(&path).ok();
            let Some(said) =
                read.and_then(|bytes| serde_json::from_slice::<PublishedState>(&bytes).ok())
            else {
                continue;
            };
            let age = now.saturating_sub(said.learnt.at_unix_ms);
            // Said in the future: the clock was set back since, and nobody knows how long ago.
            let is_ahead = age < -(SILENT_MAX.as_millis() as i64);
            let age = Duration::from_millis(age.max(0).unsigned_abs());
            if age > AGE_MAX {
                let _ = fs::remove_file(&path);
                continue;
            }
            let is_running = !said.ended && age <= SILENT_MAX && !is_ahead;
            others.push((said, PeerState { limits: said.learnt, age, is_running }));
        }
        others
    }

    /// Returns how much longer at `now` the service wants to be left alone, as others that are
    /// asking it were told.
    #[must_use]
    pub(crate) fn requested_wait(&self, now: i64) -> Option<Duration> {
        let running = self.peers(now).into_iter().filter(|(_, other)| other.is_running);
        let until = running.filter_map(|(said, _)| said.paused_until).max()?;
        let wait = u64::try_from(until - now).ok().filter(|wait| *wait > 0)?;
        Some(Duration::from_millis(wait))
    }

    /// Says this to the others. Where it cannot be written, nobody is told: pace is worth less than
    /// a run.
    pub(crate) fn publish(&self, said: &PublishedState) {
        let _ = self.write(said);
    }

    fn write(&self, said: &PublishedState) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let file = NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&file, said)?;
        // Renamed and not synced: others see it whole, and after a crash it is not missed.
        file.persist(&self.own).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(ceiling: u32, at_unix_ms: i64, ended: bool) -> PublishedState {
        let learnt = LimitSnapshot {
            ceiling: Some(ceiling),
            rate_per_minute: None,
            paced: false,
            at_unix_ms,
        };
        PublishedState { learnt, paused_until: Some(7), ended }
    }

    #[test]
    fn what_one_process_says_the_others_at_the_same_service_hear() {
        let state = tempfile::tempdir().unwrap();
        let key = SecretString::from("sk-canary-0123456789");
        let one = PeerLimits::new(state.path(), "http://a", "m", Some(&key));
        // Another process has another number.
        let other = PeerLimits { own: one.folder.join("0.json"), ..one.clone() };
        other.publish(&said(39, 1_000, false));
        let heard = one.peers(2_000);
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].0, said(39, 1_000, false));
        assert!(heard[0].1.is_running);
        assert_eq!(one.requested_wait(2_000), None, "that was over");
        let paused = PublishedState { paused_until: Some(2_500), ..said(39, 1_000, false) };
        other.publish(&paused);
        assert_eq!(one.requested_wait(2_000), Some(Duration::from_millis(500)));
        assert!(other.peers(2_000).is_empty(), "nobody hears himself");
        assert!(!one.peers(10_000)[0].1.is_running, "silent for too long");
        let elsewhere = PeerLimits::new(state.path(), "http://a", "n", Some(&key));
        assert!(elsewhere.peers(2_000).is_empty());
        let path = one.folder.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&other.own).unwrap();
        assert!(!path.contains("canary") && !text.contains("canary"));
    }

    #[test]
    fn what_is_older_than_a_day_or_unreadable_says_nothing() {
        let state = tempfile::tempdir().unwrap();
        let one = PeerLimits::new(state.path(), "http://a", "m", None);
        let other = PeerLimits { own: one.folder.join("0.json"), ..one.clone() };
        other.publish(&said(39, 0, true));
        std::fs::write(one.folder.join("1.json"), "{").unwrap();
        assert!(one.peers(25 * 3_600_000).is_empty());
        assert!(!other.own.exists());
    }
}
