//! What was paid for and could not be committed, kept where the next run finds it.
//!
//! After a failed commit the database is not touched again: a second sync can report success for
//! pages that were dropped. It goes to a new file instead, a JSON line each, which the next run
//! takes in before it plans.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, Write as _};
use std::path::{Path, PathBuf};

use dset_core::plan::AnswerId;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, NewAnswer, NewAttempt};
use super::error::StoreError;
use super::roles::Write;
use super::sqlite::limits::STORE;
use super::sqlite::{LifeRow, SettingsRow, Store};
use crate::os::files;

/// The name of the file, beside the store.
const RESCUE: &str = "dset.rescue";
/// Room on the disk for that file, for the case that there is no other.
const RESERVE: &str = "dset.reserve";
/// So many bytes, or so many where there is no room for more.
const RESERVE_BYTES: [usize; 2] = [4 << 20, 1 << 20];
/// How an earlier version called it: loaders of datasets take it for data.
const OLD_RESCUE: &str = "rescue.jsonl";
/// The name of one with lines that could not be read.
pub const UNREAD: &str = "dset.rescue-unread";
/// How an earlier version called that.
pub(crate) const OLD_UNREAD: &str = "rescue.jsonl.unread";

/// What was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescued {
    /// Answers that are in the store now.
    pub answers: u64,
    /// Lines that could not be read; the file is kept beside, as [`UNREAD`].
    pub unread: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    v: u32,
    #[serde(flatten)]
    entry: Entry,
}

/// Appends what was paid for to the rescue file of a folder or, if that fails too, to one in the
/// system's temporary folder; returns where they are. `real` is the folder from the root, as it was when the
/// run began: one that is gone has no other way to be named.
pub(super) fn write(folder: &Path, real: &Path, entries: &[Entry]) -> io::Result<PathBuf> {
    let mut first = None;
    let now = fs::canonicalize(folder).unwrap_or_else(|_| real.to_owned());
    for path in [folder.join(RESCUE), now.join(RESCUE), elsewhere(&now, "")] {
        let written = append(&path, entries);
        match written.or_else(|error| match release(files::folder_of(&path)) {
            true => append(&path, entries),
            false => Err(error),
        }) {
            Ok(()) => return Ok(path),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.expect("there are three places"))
}

/// Keeps room in a folder, where there is some.
pub(super) fn reserve(folder: &Path) {
    let path = folder.join(RESERVE);
    for bytes in RESERVE_BYTES {
        // What can be compressed would keep no room on some file systems.
        let mut filling = Vec::with_capacity(bytes);
        for word in 0..bytes as u64 / 8 {
            let noise = xxhash_rust::xxh3::xxh3_64(&word.to_le_bytes());
            filling.extend_from_slice(&noise.to_le_bytes());
        }
        if fs::write(&path, filling).is_ok() {
            return;
        }
        let _ = fs::remove_file(&path);
    }
}

/// Gives the room that was kept back to the disk; true where there was some.
pub(super) fn release(folder: &Path) -> bool {
    fs::remove_file(folder.join(RESERVE)).is_ok()
}

/// The file in the system's temporary folder that belongs to a folder of ours, given from the root.
fn elsewhere(real: &Path, ending: &str) -> PathBuf {
    let hash = xxhash_rust::xxh3::xxh3_64(real.as_os_str().as_encoded_bytes());
    std::env::temp_dir().join(format!("dset-rescue-{hash:016x}{ending}"))
}

/// Returns true if a file in a world-writable folder belongs to the owner of the store.
fn is_ours(path: &Path, folder: &Path) -> bool {
    let store = fs::metadata(folder.join(STORE));
    match (fs::symlink_metadata(path), store) {
        (Ok(file), Ok(store)) => file.is_file() && owner(&file) == owner(&store),
        _ => false,
    }
}

/// Returns who owns a file, where the system has a number for that.
fn owner(metadata: &std::fs::Metadata) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::uid(metadata));
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

fn append(path: &Path, entries: &[Entry]) -> io::Result<()> {
    let mut lines = Vec::new();
    for entry in entries {
        // A fresh line first: the end of an earlier one may be torn.
        lines.push(b'\n');
        serde_json::to_writer(&mut lines, &Line { v: 1, entry: entry.clone() })?;
    }
    lines.push(b'\n');
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(&lines).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // The answers go elsewhere, whole. Half of them here would be read as a line that is lost.
        let _ = if before > 0 { file.set_len(before) } else { fs::remove_file(path) };
        return Err(error);
    }
    files::sync_folder(files::folder_of(path))
}

/// Returns the files with answers that an earlier run could only rescue.
#[must_use]
pub fn waiting(folder: &Path) -> Vec<PathBuf> {
    let beside = [RESCUE, OLD_RESCUE].into_iter().map(|name| folder.join(name));
    let real = fs::canonicalize(folder).ok();
    let elsewhere =
        ["", ".jsonl"].into_iter().filter_map(|ending| Some(elsewhere(real.as_ref()?, ending)));
    let beside = beside.filter(|path| path.exists());
    beside.chain(elsewhere.filter(|path| is_ours(path, folder))).collect()
}

/// Counts the answers in these files, each once.
#[must_use]
pub fn waiting_answers(folder: &Path) -> u64 {
    let mut answers = HashSet::new();
    // What cannot be read is complained of by whoever takes it in.
    for file in waiting(folder).into_iter().filter_map(|path| fs::File::open(path).ok()) {
        for line in io::BufReader::new(file).split(b'\n').map_while(Result::ok) {
            if let Ok(Line { v: 1, entry: Entry::Answer(answer) }) = serde_json::from_slice(&line) {
                answers.insert((answer.key, answer.try_number));
            }
        }
    }
    answers.len() as u64
}

/// Which run of which store paid for what follows in the file, with the settings that it asks with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Origin {
    store: Option<[u8; 16]>,
    /// The last answer of the store before, and when it came: whatever gives way to another was there then.
    #[serde(default)]
    last: Option<(AnswerId, i64)>,
    life: LifeRow,
    settings: Vec<SettingsRow>,
}

impl Origin {
    /// Says it of a run that has begun in this store.
    pub(crate) fn of(store: &Store, session: i64, settings: &[i64]) -> Result<Origin, StoreError> {
        let mut all = store.all_settings()?;
        all.retain(|one| settings.contains(&one.id));
        Ok(Origin {
            store: store.identity()?,
            last: store.last_answer_at()?,
            life: store.life(session)?,
            settings: all,
        })
    }
}

/// What numbers of rescued lines are in the store that takes them in.
struct Numbers {
    /// Those of answers are the same.
    is_own: bool,
    lives: HashMap<i64, i64>,
    settings: HashMap<i64, i64>,
}

impl Numbers {
    /// Of lines of an earlier version, which do not say where they are from: what is there has the number that it had.
    fn of_earlier_version(store: &Store) -> Result<Numbers, StoreError> {
        let lives = store.all_lives()?.into_iter().map(|life| (life.id, life.id)).collect();
        let settings = store.all_settings()?.into_iter().map(|one| (one.id, one.id)).collect();
        Ok(Numbers { is_own: false, lives, settings })
    }

    /// Takes over the run and its settings where the store does not have them.
    fn of(store: &Store, run: &Origin) -> Result<Numbers, StoreError> {
        let mut settings = HashMap::new();
        for one in &run.settings {
            settings.insert(one.id, store.take_settings(one)?);
        }
        let of_life = settings.get(&run.life.settings).copied().unwrap_or(0);
        let life = LifeRow { settings: of_life, ..run.life.clone() };
        let lives = HashMap::from([(life.id, store.take_life(&life, &HashSet::new(), false)?)]);
        // A copy that was put back has lost answers, and others get their numbers.
        let has_all = match run.last {
            Some((answer, at)) => store.answered_at(answer)? == Some(at),
            None => true,
        };
        let is_own = run.store.is_some() && run.store == store.identity()? && has_all;
        Ok(Numbers { is_own, lives, settings })
    }

    /// Gives an answer its numbers here. Without its run it is as one that was taken over from an output.
    fn renumber(&self, answer: &mut NewAnswer) {
        answer.life = answer.life.and_then(|life| self.lives.get(&life).copied());
        answer.settings = self.settings.get(&answer.settings).copied().unwrap_or(0);
        if !self.is_own {
            (answer.sets_aside, answer.replaces) = (Vec::new(), Vec::new());
        }
    }

    /// Returns the number of the run of an ask, which is made where it is not known: what it cost counts.
    fn life_of(&self, attempt: &NewAttempt, store: &Store) -> Result<i64, StoreError> {
        if let Some(life) = self.lives.get(&attempt.life) {
            return Ok(*life);
        }
        let (started_at, ended_at) = (attempt.at, Some(attempt.at));
        let life = LifeRow { started_at, ended_at, ..LifeRow::default() };
        store.take_life(&life, &HashSet::new(), false)
    }
}

/// Records what an earlier run rescued, and removes the files once that is durable.
pub(super) fn take_in(folder: &Path, store: &mut Store) -> Result<Option<Rescued>, StoreError> {
    let mut all: Option<Rescued> = None;
    for path in waiting(folder) {
        let rescued = take_in_file(&path, store)?;
        let all = all.get_or_insert(Rescued { answers: 0, unread: 0 });
        all.answers += rescued.answers;
        all.unread += rescued.unread;
    }
    Ok(all)
}

/// Returns where a file with lines that could not be read is kept, behind earlier ones.
fn unread(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        RESCUE | OLD_RESCUE => path.with_file_name(UNREAD),
        name => path.with_file_name(format!("{}-unread", name.trim_end_matches(".jsonl"))),
    }
}

fn take_in_file(path: &Path, store: &mut Store) -> Result<Rescued, StoreError> {
    let (mut writes, mut lost) = (Vec::new(), 0);
    let mut numbers = Numbers::of_earlier_version(store)?;
    // What nobody knows the settings of is as if the original script had asked it.
    let mut unknown = None;
    for line in io::BufReader::new(fs::File::open(path)?).split(b'\n') {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice::<Line>(&line) {
            Ok(Line { v: 1, entry: Entry::Run(run) }) => numbers = Numbers::of(store, &run)?,
            Ok(Line { v: 1, entry: Entry::Answer(mut answer) }) => {
                numbers.renumber(&mut answer);
                unknown = unknown.or((answer.settings == 0).then_some(answer.answered_at));
                let forgets = answer.forgets();
                writes.push(Write::Answered(answer));
                writes.extend(forgets);
            }
            Ok(Line { v: 1, entry: Entry::Attempt(mut attempt) }) => {
                let is_known = numbers.lives.contains_key(&attempt.life);
                unknown = unknown.or((!is_known).then_some(attempt.at));
                attempt.life = numbers.life_of(&attempt, store)?;
                // Whoever took the file in may have died before it was removed.
                if !store.has_attempt(&attempt)? {
                    writes.push(Write::Attempted(attempt));
                }
            }
            Ok(Line { v: 1, entry: Entry::Ended(ended) }) => writes.push(Write::Ended(ended)),
            _ => lost += 1,
        }
    }
    writes.extend(unknown.map(|at| Write::LegacyImported { at }));
    // One that was judged after it came stands there twice.
    let answers: HashSet<AnswerId> = store.commit(&writes)?.into_iter().flatten().collect();
    let answers = answers.len() as u64;
    let kept = unread(path);
    if lost > 0 && kept.exists() {
        let text = fs::read(path)?;
        let mut behind = fs::OpenOptions::new().append(true).open(kept)?;
        behind.write_all(&text)?;
        behind.sync_all()?;
        fs::remove_file(path)?;
    } else if lost > 0 {
        fs::rename(path, kept)?;
    } else {
        fs::remove_file(path)?;
    }
    files::sync_folder(files::folder_of(path))?;
    Ok(Rescued { answers, unread: lost })
}

#[cfg(test)]
mod tests;
