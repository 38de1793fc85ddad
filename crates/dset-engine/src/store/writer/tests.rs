use std::sync::{Arc, Mutex};
use std::time::Duration;

use dset_core::answer::{Answer, Usage};
use dset_core::item::question::{Key, Question, QuestionId};
use dset_core::run::JournalRecord;
use dset_core::run::ask::AskId;
use dset_core::time::Time;

use super::*;
use crate::store::roles::{AnswerRef, Write};

/// A journal that is no database: numbers for answers, and places.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    keys: Vec<[u8; 16]>,
    places: Vec<AnswerId>,
    commits: usize,
    /// Commits that succeed.
    lasts: Option<usize>,
    /// What comes then is no error.
    dies: bool,
    /// Commits until any is durable elsewhere.
    settles_at: usize,
}

impl Journal for Memory {
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
        let mut kept = self.0.lock().unwrap();
        kept.commits += 1;
        if kept.lasts.is_some_and(|lasts| kept.commits > lasts) {
            assert!(!kept.dies, "on purpose");
            return Err(StoreError::Busy);
        }
        let mut ids = Vec::new();
        for write in writes {
            match write {
                Write::Answered(new) if kept.keys.contains(&new.key) => ids.push(None),
                Write::Answered(new) => {
                    kept.keys.push(new.key);
                    ids.push(Some(kept.keys.len() as AnswerId));
                }
                Write::Placed { answer: AnswerRef::New(at), .. } => kept.places.extend(ids[*at]),
                Write::Placed { answer: AnswerRef::Stored(id), .. } => kept.places.push(*id),
                _ => {}
            }
        }
        Ok(ids)
    }

    fn settle(&mut self, _most: Duration) -> Result<bool, StoreError> {
        let kept = self.0.lock().unwrap();
        Ok(kept.commits >= kept.settles_at)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What was told, in words.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn hear(&self, word: String) {
        self.0.lock().unwrap().push(word);
    }
}

impl WriterListener for Heard {
    fn synced(&self, upto: Seq) {
        self.hear(format!("synced {}", upto.0));
    }

    fn failed(&self, upto: Seq, error: &str, rescued: Option<PathBuf>, answers: u64) {
        self.hear(format!("failed {} {error} {answers} {}", upto.0, rescued.is_some()));
    }

    fn ordered(&self, order: OutputOrder) {
        let rows = order.rows.iter().map(|Placed { answer, text, .. }| {
            let text = text.as_ref().map(|text| text.row().question.clone());
            format!("{answer} {}", text.unwrap_or_default())
        });
        self.hear(format!("ordered {}", rows.collect::<Vec<_>>().join(", ")));
    }

    fn flush(&self) {}

    fn emitted(&self, _: u64) {}
}

fn answered(number: u32) -> ToStore {
    let id = QuestionId { text_hash: number.into(), ordinal: 0 };
    let question = Question::new(number, 2, number.to_string().into(), Key([number as u8; 16]), id);
    let answer = Answer {
        content: "a".into(),
        reasoning: String::new(),
        finish_reason: "stop".into(),
        usage: Usage::default(),
        model: None,
        request_id: None,
        system_fingerprint: None,
        at_token_limit: false,
        cost: None,
    };
    let record = JournalRecord::Answered {
        place: 0,
        question: Arc::new(question),
        ask: AskId(number.into()),
        attempts: 1,
        sent_at: Time { monotonic_ms: 0, unix_ms: 0 },
        at: Time { monotonic_ms: 9, unix_ms: 9 },
        answer: Box::new(answer),
        is_known: false,
        completes_row: true,
        is_accepted: true,
        verdicts: None,
        cost_most: None,
    };
    ToStore::Record { seq: Seq(number.into()), record: Box::new(record), body: None }
}

fn write(journal: &Memory, folder: &std::path::Path, messages: Vec<ToStore>) -> Vec<String> {
    write_anew(journal, folder, Replaced::default(), messages)
}

fn start(journal: &Memory, folder: &std::path::Path, replaced: Replaced) -> (Writer, Heard) {
    let settings = WriterSettings {
        folder: folder.to_owned(),
        real_folder: folder.to_owned(),
        may_buy: true,
        session: 1,
        origin: Origin::default(),
        settings: vec![1],
        models: vec!["m".into()],
        schema: None,
        asked_for: vec![None],
        samples: 1,
        generation: 0,
        acceptance: [0; 16],
        max_tokens: None,
        marks_known: None,
        marks_name: "status".into(),
        failed: HashSet::new(),
        replaced,
        waiting: vec![(7, 70, None)],
        queue: 64,
    };
    let heard = Heard::default();
    (Writer::start(journal.clone(), settings, heard.clone()).unwrap(), heard)
}

/// Writes each when what was before it is committed, as far as a flush tells.
fn write_later(journal: &Memory, folder: &std::path::Path, messages: Vec<ToStore>) -> Vec<String> {
    let parts = messages.split_inclusive(|message| matches!(message, ToStore::Flush));
    let ends: Vec<usize> = parts.map(<[ToStore]>::len).collect();
    let mut messages = messages.into_iter();
    let (writer, heard) = start(journal, folder, Replaced::default());
    let sender = writer.sender();
    for (commits, count) in (1..).zip(ends) {
        messages.by_ref().take(count).for_each(|message| sender.send(message).unwrap());
        while journal.0.lock().unwrap().commits < commits {
            std::thread::yield_now();
        }
    }
    drop(sender);
    writer.join().unwrap();
    heard.0.lock().unwrap().clone()
}

fn write_anew(
    journal: &Memory,
    folder: &std::path::Path,
    replaced: Replaced,
    messages: Vec<ToStore>,
) -> Vec<String> {
    let (writer, heard) = start(journal, folder, replaced);
    let sender = writer.sender();
    messages.into_iter().for_each(|message| sender.send(message).unwrap());
    drop(sender);
    writer.join().unwrap();
    heard.0.lock().unwrap().clone()
}

#[test]
fn rows_are_ordered_once_they_are_durable_in_whatever_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Memory::default();
    journal.0.lock().unwrap().keys.push([3; 16]);
    let order = |questions| ToStore::Order { upto: 0, questions };
    let messages =
        vec![answered(1), answered(2), answered(3), order(vec![7, 2, 3]), order(vec![1, 9])];
    let heard = write(&journal, folder.path(), messages);
    let ordered: Vec<_> = heard.iter().filter_map(|word| word.strip_prefix("ordered ")).collect();
    assert_eq!(ordered, ["70 , 3 2", "2 1"], "the third was there and has its place");
    assert_eq!(heard.iter().rfind(|word| word.starts_with("synced")).unwrap(), "synced 3");
    assert_eq!(journal.0.lock().unwrap().places, [70, 3, 2]);
}

#[test]
fn what_comes_while_a_commit_is_not_durable_everywhere_is_committed_and_told_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Memory::default();
    // Nothing would be told, and the writer never end, if it did not take the second commit before that.
    journal.0.lock().unwrap().settles_at = 2;
    let order = ToStore::Order { upto: 0, questions: vec![1] };
    let messages = vec![answered(1), order, ToStore::Flush, answered(2), ToStore::Flush];
    let heard = write_later(&journal, folder.path(), messages);
    assert_eq!(heard, ["synced 1", "ordered 1 1", "synced 2"]);
}

#[test]
fn nothing_is_committed_behind_a_commit_that_failed_and_every_answer_is_rescued() {
    for dies in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Memory::default();
        journal.0.lock().unwrap().lasts = Some(0);
        journal.0.lock().unwrap().dies = dies;
        let heard = write(
            &journal,
            folder.path(),
            vec![answered(1), ToStore::Flush, answered(2), answered(3)],
        );
        let failed = heard.iter().filter(|word| word.starts_with("failed")).count();
        assert_eq!(failed, heard.len(), "{heard:?}");
        let rescued = fs_err::read_to_string(folder.path().join("dset.rescue")).unwrap();
        assert_eq!(rescued.matches("\"answer\":{").count(), 3);
        let kept = journal.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        assert_eq!(kept.commits, 1);
    }
}

#[test]
fn what_is_rescued_says_which_answers_it_comes_in_place_of() {
    for lasts in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Memory::default();
        journal.0.lock().unwrap().lasts = Some(lasts);
        let mut replaced = Replaced::new(None);
        (1..=2).for_each(|at| replaced.add(at, vec![70 + i64::from(at)], true));
        // The first, and one that comes when the store is lost already.
        let messages = vec![answered(1), ToStore::Flush, answered(2), ToStore::Flush];
        write_anew(&journal, folder.path(), replaced, messages);
        let rescued = fs_err::read_to_string(folder.path().join("dset.rescue"));
        let rescued = rescued.unwrap_or_default();
        let taken = journal.0.lock().unwrap().keys.len();
        let said = [71, 72].map(|id| rescued.contains(&format!("\"sets_aside\":[{id}]")));
        assert_eq!(said.iter().filter(|said| **said).count(), 2 - taken, "{rescued}");
    }
}
