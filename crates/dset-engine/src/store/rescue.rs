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
        match append(&path, entries) {
            Ok(()) => return Ok(path),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.expect("there are three places"))
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
mod tests {
    use super::*;

    fn answer(key: u8) -> Entry {
        let line = format!(
            r#"{{"answer":{{"key":{key:?},"question_hash":{key:?},"settings":1,"edition":0,
            "life":1,"row":2,"answered_at":7,"question":"q","reasoning":"","answer":"a",
            "metadata":{{}}}}}}"#,
            key = [key; 16]
        );
        serde_json::from_str(&line).unwrap()
    }

    fn real(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().canonicalize().unwrap()
    }

    /// Makes the store of a run that has begun.
    fn begun(folder: &Path) {
        let (mut store, _) = Store::open(folder).unwrap();
        let sql =
            "INSERT INTO lives (started_at, version, settings, endpoint) VALUES (1, '', 1, '')";
        store.connection().execute(sql, []).unwrap();
    }

    #[test]
    fn what_was_rescued_is_in_the_store_of_the_next_run_once() {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path());
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let connection = store.connection();
        let failed = "INSERT INTO ended (question, edition, row, fault, cause, at)
                      VALUES (?1, 0, 2, 'gave up', 'timed out', 1)";
        connection.execute(failed, [&[1u8; 16][..]]).unwrap();
        connection.execute("INSERT INTO marks VALUES (?1)", [&[1u8; 16][..]]).unwrap();
        drop(store);
        for key in [1, 2, 2] {
            assert_eq!(
                write(folder.path(), &real(&folder), &[answer(key)]).unwrap(),
                folder.path().join(RESCUE)
            );
        }
        assert_eq!(waiting_answers(folder.path()), 2);
        let (mut store, rescued) = Store::open(folder.path()).unwrap();
        assert_eq!(rescued, Some(Rescued { answers: 2, unread: 0 }));
        let left = "SELECT (SELECT count(*) FROM ended) + (SELECT count(*) FROM marks)";
        let left: i64 = store.connection().query_row(left, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "an answered question did not fail");
        assert_eq!(Store::open(folder.path()).unwrap().1, None, "the file is gone");
    }

    #[test]
    fn a_file_that_is_taken_in_once_more_after_a_crash_changes_nothing_and_none_is_lost_that_cannot_be_read()
     {
        let folder = tempfile::tempdir().unwrap();
        let run = Entry::Run(Box::new(of_a_run(folder.path())));
        let attempt = r#"{"attempt":{"life":LIFE,"at":9,"row":2,"question":Q,"key":Q,"attempt":1,
            "seconds":1.5,"cause":"length limit","status":200,"message":"","request_id":null,
            "input_tokens":3,"output_tokens":50,"body":null}}"#;
        let attempt = attempt.replace('Q', &format!("{:?}", [3; 16]));
        let of_life = |life| serde_json::from_str(&attempt.replace("LIFE", life)).unwrap();
        let entries = [run, answer(1), of_life("1"), of_life("77")];
        for (round, unread) in ["first", "second"].into_iter().enumerate() {
            write(folder.path(), &real(&folder), &entries).unwrap();
            let path = folder.path().join(RESCUE);
            let lines = fs::read_to_string(&path).unwrap() + unread + "\n";
            fs::write(&path, lines).unwrap();
            let (mut store, rescued) = Store::open(folder.path()).unwrap();
            assert_eq!(rescued.unwrap().unread, 1, "{round}");
            let sql =
                "SELECT (SELECT count(*) FROM attempts) * 100 + (SELECT count(*) FROM answers)";
            assert_eq!(store.connection().query_row(sql, [], |row| row.get(0)), Ok(203), "{round}");
        }
        let kept = fs::read_to_string(folder.path().join(UNREAD)).unwrap();
        assert!(kept.contains("\nfirst\n") && kept.contains("\nsecond\n"), "{kept}");
    }

    fn with(key: u8, field: &str, value: impl Into<serde_json::Value>) -> Entry {
        let mut line = serde_json::to_value(answer(key)).unwrap();
        line["answer"][field] = value.into();
        serde_json::from_value(line).unwrap()
    }

    /// A store with a run and its settings, and two answers; and what it says of that run.
    fn of_a_run(folder: &Path) -> Origin {
        let (mut store, _) = Store::open(folder).unwrap();
        let new = SettingsRow { hash: vec![5; 16], text: "{}".into(), ..SettingsRow::default() };
        let settings = store.take_settings(&new).unwrap();
        let life = store.begin_life(1, settings, "http://a").unwrap();
        for key in [8, 9] {
            let Entry::Answer(new) = answer(key) else { panic!("an answer") };
            store.commit(&[Write::Answered(new)]).unwrap();
        }
        Origin::of(&store, life, &[settings]).unwrap()
    }

    #[test]
    fn what_was_rescued_comes_in_place_of_others_at_once_or_once_it_is_judged() {
        let folder = tempfile::tempdir().unwrap();
        let run = Entry::Run(Box::new(of_a_run(folder.path())));
        // The last answers of a store may be lost: others will have their numbers.
        let entries = [run, with(1, "sets_aside", vec![1, 77]), with(2, "replaces", vec![2, 78])];
        write(folder.path(), &real(&folder), &entries).unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let aside = store.set_aside().unwrap();
        assert_eq!([1, 2, 77].map(|id| aside.has(id)), [true, false, false]);
        assert_eq!(store.to_replace().unwrap(), [(4, vec![2])].into());
    }

    #[test]
    fn what_a_copy_that_was_put_back_has_lost_is_no_answer_that_has_its_number_now() {
        let folder = tempfile::tempdir().unwrap();
        let run = Entry::Run(Box::new(of_a_run(folder.path())));
        let (mut store, _) = Store::open(folder.path()).unwrap();
        store.connection().execute("DELETE FROM answers WHERE id = 2", []).unwrap();
        store.connection().execute("DELETE FROM answer_facts WHERE answer = 2", []).unwrap();
        drop(store);
        let entries = [run, with(1, "sets_aside", vec![1, 2]), with(3, "replaces", vec![3])];
        write(folder.path(), &real(&folder), &entries).unwrap();
        let (store, rescued) = Store::open(folder.path()).unwrap();
        assert_eq!(rescued, Some(Rescued { answers: 2, unread: 0 }));
        let aside = store.set_aside().unwrap();
        assert_eq!([1, 2, 3].map(|id| aside.has(id)), [false; 3]);
        assert_eq!(store.to_replace().unwrap(), [].into());
        assert_eq!(store.lives_of_others().unwrap(), [].into());
    }

    #[test]
    fn what_another_store_rescued_says_nothing_of_the_answers_here_and_is_counted_as_spent() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let run = of_a_run(folders[0].path());
        for says_so in [true, false] {
            let folder = folders[1].path();
            if says_so {
                drop(of_a_run(folder));
            }
            let attempt = r#"{"attempt":{"life":LIFE,"at":9,"row":2,"question":Q,"key":Q,"attempt":1,
                "seconds":1.5,"cause":"length limit","status":200,"message":"","request_id":null,
                "input_tokens":3,"output_tokens":50,"body":null}}"#;
            let attempt = attempt.replace('Q', &format!("{:?}", [3; 16]));
            let attempt = attempt.replace("LIFE", if says_so { "1" } else { "77" });
            let mut entries: Vec<Entry> = vec![
                with(if says_so { 1 } else { 2 }, "sets_aside", vec![1]),
                serde_json::from_str(&attempt).unwrap(),
            ];
            if says_so {
                entries.insert(0, Entry::Run(Box::new(run.clone())));
            }
            write(folder, &real(&folders[1]), &entries).unwrap();
            let (mut store, rescued) = Store::open(folder).unwrap();
            assert_eq!(rescued, Some(Rescued { answers: 1, unread: 0 }));
            assert!(!store.set_aside().unwrap().has(1), "that is a stranger's");
            let mut calls = Vec::new();
            store.for_each_call(|call| calls.push((call.at, call.session))).unwrap();
            let known = store.all_lives().unwrap();
            let of = |identity| known.iter().find(|life| life.identity == identity).unwrap().id;
            assert_ne!(of(run.life.identity), 1, "another run has that number here");
            if says_so {
                assert!(calls.contains(&(7, of(run.life.identity))), "{calls:?}");
            }
            assert_eq!(
                calls.iter().filter(|call| call.0 == 9).count(),
                if says_so { 1 } else { 2 }
            );
            let sql = "SELECT count(*) FROM keys WHERE settings NOT IN (SELECT id FROM settings)";
            assert_eq!(store.connection().query_row(sql, [], |row| row.get(0)), Ok(0));
        }
    }

    #[test]
    fn what_an_earlier_version_rescued_is_taken_in_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path());
        write(folder.path(), &real(&folder), &[answer(1)]).unwrap();
        let old = folder.path().join("rescue.jsonl");
        let mut lines = fs::read(folder.path().join(RESCUE)).unwrap();
        fs::remove_file(folder.path().join(RESCUE)).unwrap();
        lines.extend(b"not JSON\n");
        fs::write(&old, lines).unwrap();
        let (_, rescued) = Store::open(folder.path()).unwrap();
        assert_eq!(rescued, Some(Rescued { answers: 1, unread: 1 }));
        assert!(!old.exists() && folder.path().join("dset.rescue-unread").exists());
    }

    #[test]
    fn an_answer_that_was_cut_is_not_forgotten_and_its_reply_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path());
        let entries = [
            r#"{"ended":{"question":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"edition":0,"row":2,
            "fault":"rejected","cause":"length limit","at":7,"max_tokens":50,"cut_at_tokens":50}}"#,
            r#"{"attempt":{"life":1,"at":7,"row":2,"question":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],
            "key":[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2],"attempt":1,"seconds":1.5,
            "cause":"length limit","status":200,"message":"","request_id":null,"input_tokens":3,
            "output_tokens":50,"body":[104,105]}}"#,
        ];
        let entries = entries.map(|entry| serde_json::from_str::<Entry>(entry).unwrap());
        write(folder.path(), &real(&folder), &entries).unwrap();
        let (mut store, rescued) = Store::open(folder.path()).unwrap();
        assert_eq!(rescued, Some(Rescued { answers: 0, unread: 0 }));
        let connection = store.connection();
        let sql = "SELECT max_tokens, body FROM ended JOIN attempts USING (question)";
        let kept: (i64, Vec<u8>) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((kept.0, zstd::decode_all(&kept.1[..]).unwrap()), (50, b"hi".to_vec()));
    }

    #[test]
    fn where_the_folder_is_full_the_next_run_looks_in_the_temporary_folder() {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path());
        // A folder of that name cannot be appended to, as on a full disk.
        fs::create_dir(folder.path().join(RESCUE)).unwrap();
        let path = write(folder.path(), &real(&folder), &[answer(1)]).unwrap();
        assert!(path.starts_with(std::env::temp_dir()) && folder.path().join(STORE).exists());
        fs::remove_dir(folder.path().join(RESCUE)).unwrap();
        let (_, rescued) = Store::open(folder.path()).unwrap();
        assert_eq!(rescued, Some(Rescued { answers: 1, unread: 0 }));
        assert!(!path.exists());
    }

    #[test]
    fn what_is_paid_for_when_the_folder_is_gone_lies_in_the_temporary_folder_for_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let (output, from_root) = (folder.path().join("out"), real(&folder).join("out"));
        let path = write(Path::new("not-there"), &from_root, &[answer(1)]).unwrap();
        assert!(path.starts_with(std::env::temp_dir()) && !output.exists());
        fs::create_dir(&output).unwrap();
        begun(&output);
        let (_, rescued) = Store::open(&output).unwrap();
        assert_eq!(rescued, Some(Rescued { answers: 1, unread: 0 }));
        assert!(!path.exists());
    }
}
