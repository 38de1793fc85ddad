//! What a journal keeps, over both stores. The server's part needs one: `DSET_TEST_SERVER` has its address, as
//! `dev/postgres/run` says it; without it the folder's store alone is held to these sentences.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use dset_core::plan::AnswerId;
use dset_core::settings::{Layer, Resolved, resolve};
use serde_json::Map;

use super::*;
use crate::shard::split;
use crate::store::entry::{NewAnswer, NewAttempt, NewEnded};
use crate::store::roles::Write;

fn answer(key: u8, try_number: u32, at: i64, answer: &str, life: i64) -> Write {
    let line = format!(
        r#"{{"key":{key:?},"question_hash":{key:?},"settings":1,"edition":0,"life":{life},"row":2,
        "answered_at":{at},"question":"q","reasoning":"é","answer":"{answer}","sample":0,
        "try_number":{try_number},"metadata":{{"attempts":1}}}}"#,
        key = [key; 16]
    );
    Write::Answered(Box::new(serde_json::from_str::<NewAnswer>(&line).unwrap()))
}

fn attempt(key: u8, life: i64) -> Write {
    let body = Some(b"{\0}".to_vec());
    Write::Attempted(NewAttempt { body, ..NewAttempt::timed_out(life, key) })
}

fn ended(key: u8) -> Write {
    Write::Ended(NewEnded {
        question: [key; 16],
        generation: 0,
        row: 4,
        fault: "gave up".into(),
        cause: "timed out".into(),
        at: 8,
        max_tokens: None,
        cut_at_tokens: None,
    })
}

#[test]
fn who_may_only_read_can_look_at_a_job_and_bring_it_and_not_work_on_it() {
    let Some((place, mut job)) = job_on_server("reader") else { return };
    let schema = job.server.address.schema.clone();
    let role = schema.clone();
    let sql = format!(
        "CREATE ROLE \"{role}\" LOGIN PASSWORD 'word'; GRANT USAGE ON SCHEMA \"{schema}\" TO \"{role}\";
         GRANT SELECT ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{role}\""
    );
    job.server.part(async |to| to.run(&sql).await).unwrap();
    let mut address = Address::clone(&job.server.address);
    address.config.user(&role).password("word");
    let fault = SharedJob::open(address.clone()).unwrap_err();
    assert!(matches!(fault, ServerFault::NoRights { .. }), "{fault}");
    let mut reader = SharedJob::open_to_read(address).unwrap();
    assert_eq!(reader.status().unwrap().len(), 1);
    reader.limits().unwrap();
    reader.spending().unwrap();
    reader.bring_all(&place.path().join("all")).unwrap();
    // One that an earlier version put there, too, though it may not be brought to the present form.
    let earlier = "UPDATE job SET version = 3; ALTER TABLE job DROP COLUMN input;
        ALTER TABLE shard DROP COLUMN again_after; ALTER TABLE ended DROP COLUMN life; ALTER TABLE life DROP COLUMN places";
    job.server.part(async |to| to.run(earlier).await).unwrap();
    let mut reader = SharedJob::open_to_read(reader.server.address.as_ref().clone()).unwrap();
    reader.status().unwrap();
    reader.bring_all(&place.path().join("all")).unwrap();
    assert!(reader.input(&place.path().join("elsewhere/deep")).unwrap().exists());
    SharedJob::open(Address::clone(&job.server.address)).unwrap();
    let version = job.server.part(async |to| to.query("SELECT version FROM job", &[]).await);
    assert_eq!(version.unwrap()[0].get::<_, i32>(0), 4);
    let sql = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
    job.server.part(async |to| to.run(&sql).await).unwrap();
}

/// What a store holds, in lines.
fn seen(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    let each = |new: NewAnswer| {
        lines.push(format!("{} try {}: {}", new.key[0], new.try_number, new.answer));
        Ok(())
    };
    store.for_each_answer(|_| true, each).unwrap();
    for one in store.all_attempts().unwrap() {
        let body = one.body.map_or(0, |body| body.len());
        let body = if one.cause == "timed out" { body } else { 0 };
        lines.push(format!("{} {} {body}", one.key[0], one.cause));
    }
    lines.extend(store.all_ended().unwrap().iter().map(|one| format!("{} ended", one.question[0])));
    lines.sort();
    lines
}

/// Commits this, and waits until it is durable everywhere.
fn commit(journal: &mut dyn Journal, writes: &[Write]) -> Vec<Option<AnswerId>> {
    let ids = journal.commit(writes).unwrap();
    while !journal.settle(Duration::from_secs(1)).unwrap() {}
    ids
}

/// Commits whatever a run does; every journal keeps the same of it.
fn record(journal: &mut dyn Journal, life: i64) {
    let first =
        [answer(1, 1, 5, "a", life), answer(2, 1, 5, "b", life), attempt(3, life), ended(3)];
    let ids = commit(journal, &first);
    assert!(ids.len() == 2 && ids.iter().all(Option::is_some) && ids[0] != ids[1]);
    let ids = commit(journal, &[answer(1, 1, 6, "again", life), answer(1, 2, 7, "c", life)]);
    assert_eq!((ids[0], ids[1].is_some()), (None, true), "a key and try have one answer");
    commit(journal, &[ended(4), ended(4)]);
    let not_ended = Write::NotEnded { question: [4; 16], generation: 0 };
    commit(journal, &[answer(4, 1, 8, "d", life), not_ended]);
    commit(journal, &[]);
}

const KEPT: [&str; 6] =
    ["1 try 1: a", "1 try 2: c", "2 try 1: b", "3 ended", "3 timed out 3", "4 try 1: d"];

/// A new folder with a store, its settings and a run, and what they are for others.
fn folder(path: &Path, started_at: i64) -> (Box<dyn Journal>, SharedSession, i64) {
    fs_err::create_dir_all(path).unwrap();
    let (store, _) = Store::open(path).unwrap();
    let settings = crate::store::sqlite::SettingsRow {
        id: 0,
        hash: vec![5; 16],
        generation: 0,
        text: "{}".into(),
        decision: "first".into(),
        together: false,
        decided_at: 3,
    };
    let number = store.take_settings(&settings).unwrap();
    let life = store.begin_life(started_at, number, "http://a", &[]).unwrap();
    let row = store.all_lives().unwrap().into_iter().find(|row| row.id == life).unwrap();
    let session = SharedSession { life: row, settings: store.all_settings().unwrap() };
    (Box::new(store.into_journal(path).unwrap()), session, life)
}

#[test]
fn a_folders_store_keeps_each_key_and_try_once_and_forgets_what_ended_when_it_is_answered() {
    let place = tempfile::tempdir().unwrap();
    let (mut journal, _, life) = folder(place.path(), 1);
    record(&mut *journal, life);
    journal.close().unwrap();
    drop(journal);
    assert_eq!(seen(&Store::open(place.path()).unwrap().0), KEPT);
}

/// Records to a server as the holder of this lease.
fn recording(
    job: &mut SharedJob,
    lease: &Lease,
    path: &Path,
    started_at: i64,
) -> (Box<dyn Journal>, i64) {
    let (local, session, life) = folder(path, started_at);
    let tell: TellShared = Arc::new(|_| ());
    let mut work = job.work(lease, WorkerFunds::default()).work;
    let journal = work.begin(local, session, tell).unwrap();
    work.end();
    (journal, life)
}

/// Takes the shard, at the latest when the server has been up as long as the lease `lasts`.
fn claimed(job: &mut SharedJob, lasts: Duration) -> Lease {
    let until = Instant::now() + 2 * lasts;
    loop {
        match job.claim("a worker", lasts, Path::new("nowhere")).unwrap() {
            Claim::Leased(lease) => return lease,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A job of one shard in a folder and on the server, where there is one; in a schema with this name.
fn job_on_server(schema: &str) -> Option<(tempfile::TempDir, SharedJob)> {
    let server = std::env::var("DSET_TEST_SERVER").ok()?;
    let schema = format!("{schema}-{}", std::process::id());
    let address = Address::parse(&format!("{server}?schema={schema}"), None).unwrap();
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("q.csv");
    fs_err::write(&input, "question\na\nb\n").unwrap();
    let Resolved { spec, options, .. } =
        resolve(Layer { input: Some(input), ..Layer::default() }, None).unwrap();
    let folder = place.path().join("job");
    let file = split(spec, 1, &folder, Map::new()).unwrap().job;
    let put = |file: &JobFile| SharedJob::put(address.clone(), file, &folder, &options).unwrap();
    assert!(!put(&file));
    let text = file.text().replace(concat!("dset ", env!("CARGO_PKG_VERSION")), "dset 0.0.1");
    let earlier = JobFile::from_text(&text).unwrap();
    assert_ne!(earlier, file);
    assert!(put(&file) && put(&earlier), "it is there");
    let job = SharedJob::open(address).unwrap();
    assert_eq!(job.file, file);
    Some((place, job))
}

#[test]
fn what_another_worker_bought_while_the_server_was_away_is_sent_and_kept_beside_it() {
    let Some((place, mut job)) = job_on_server("late") else { return };
    let at = |name: &str| place.path().join(name);
    let shard = shard_folder(&at("away"), 0);
    let (mut alone, _, life) = folder(&shard, 1);
    let answers =
        [answer(1, 1, 5, "mine", life), answer(2, 1, 6, "bad", life), answer(3, 1, 7, "c", life)];
    let first = alone.commit(&answers).unwrap()[0].unwrap();
    alone.commit(&[Write::SetAside(first), answer(1, 2, 8, "again", life)]).unwrap();
    drop(alone);
    let lease = claimed(&mut job, Duration::from_secs(10));
    let (mut journal, other) = recording(&mut job, &lease, &at("other"), 2);
    commit(&mut *journal, &[answer(1, 1, 9, "theirs", other), answer(3, 1, 7, "c", other)]);
    // Nobody needs the text of what the server has; what cannot be read and the server lacks stays here.
    let damage = "UPDATE answers SET answer = x'00' WHERE answered_at IN (6, 7)";
    let mut store = Store::open(&shard).unwrap().0;
    assert_eq!(store.connection().execute(damage, []).unwrap(), 2);
    drop(store);
    let pushed = job.bring_left_over(&at("away"), "a worker").unwrap();
    assert_eq!(pushed, Pushed { answers: 2, damaged: 1 });
    assert_eq!(job.status().unwrap()[0].paid_twice, 1);
    job.bring_all(&at("all")).unwrap();
    let all = Store::open(&at("all")).unwrap().0;
    assert_eq!(seen(&all), ["1 paid twice 0", "1 try 1: theirs", "1 try 2: again", "3 try 1: c"]);
    assert!(all.all_aside().unwrap().is_empty(), "another one was asked again");
    // Once more, nothing is sent again, and what came back is none of another's.
    let (_, pushed, _) = job.take_over(&lease, &at("away")).unwrap();
    assert_eq!(pushed, Pushed { answers: 0, damaged: 1 });
    let attempts = Store::open(&shard).unwrap().0.all_attempts().unwrap();
    assert!(attempts.is_empty(), "{attempts:?}");
}

#[test]
fn a_server_keeps_the_same_as_a_folders_store_and_what_comes_late_beside_it() {
    let Some((place, mut job)) = job_on_server("test") else { return };
    let at = |name: &str| place.path().join(name);
    let brought = |job: &mut SharedJob, name: &str| {
        job.bring_all(&at(name)).unwrap();
        seen(&Store::open(&at(name)).unwrap().0)
    };

    let first = claimed(&mut job, Duration::ZERO);
    let (mut journal, life) = recording(&mut job, &first, &at("one"), 1);
    record(&mut *journal, life);
    let mut twice: Vec<String> = KEPT.map(str::to_owned).into();
    twice.push("1 paid twice 0".to_owned());
    twice.sort();
    assert_eq!(
        brought(&mut job, "after-one"),
        twice,
        "the same answer bought again is kept beside it"
    );

    // Another takes it over; the first does not know yet.
    let second = claimed(&mut job, Duration::from_secs(10));
    assert_eq!((second.number, second.token), (first.number, first.token + 1));
    let (mut other, other_life) = recording(&mut job, &second, &at("two"), 2);
    commit(&mut *other, &[answer(5, 1, 20, "of the second", other_life)]);
    let late = [
        answer(5, 1, 21, "late", life),
        answer(6, 1, 22, "late too", life),
        ended(7),
        attempt(8, life),
    ];
    commit(&mut *journal, &late);
    let kept = brought(&mut job, "after-two");
    for line in ["5 try 1: of the second", "5 paid twice 0", "6 try 1: late too", "8 timed out 3"] {
        assert!(kept.iter().any(|kept| kept == line), "{line} is not in {kept:?}");
    }
    assert!(
        !kept.iter().any(|line| line.starts_with("7 ")),
        "a mark of the first is fenced: {kept:?}"
    );
    // Once more, as after a commit of which nobody knows that it succeeded.
    commit(&mut *other, &[answer(5, 1, 20, "of the second", other_life)]);
    assert_eq!(brought(&mut job, "after-three"), kept);
    assert!(matches!(job.claim("x", Duration::ZERO, &at("x")).unwrap(), Claim::Busy { shards: 1 }));
    let ledger = Ledger { questions: 2, answered: 2, ..Ledger::default() };
    job.release(&first, Some(&ledger), None).unwrap();
    assert!(!job.status().unwrap()[0].is_done, "only who has it says that it is done");
    job.release(&second, Some(&ledger), None).unwrap();
    assert!(job.status().unwrap()[0].is_done);
    assert!(matches!(job.claim("x", Duration::ZERO, &at("x")).unwrap(), Claim::Done));
}

/// An answer with what a check says of it.
fn judged(key: u8, try_number: u32, at: i64, text: &str, life: i64) -> Write {
    let Write::Answered(mut new) = answer(key, try_number, at, text, life) else { unreachable!() };
    let list = r#"[{"check":"lacks=BAD","outcome":"failed"}]"#;
    let list = text.starts_with("bad").then(|| serde_json::from_str(list).unwrap());
    new.verdicts = Some(crate::store::sqlite::NewVerdicts { acceptance: [1; 16], list });
    Write::Answered(new)
}

/// The terms by which it was judged.
fn terms() -> dset_core::acceptance::Terms {
    let line = format!(
        r#"{{"fingerprint":{:?},"on_fail":["retry"],"tries":4,"retry":"reasons"}}"#,
        [1; 16]
    );
    serde_json::from_str(&line).unwrap()
}

#[test]
fn an_accepted_answer_counts_everywhere_before_one_under_its_key_and_try_that_is_not() {
    let Some((place, mut job)) = job_on_server("twins") else { return };
    let at = |name: &str| place.path().join(name);
    let shard = |name: &str| shard_folder(&at(name), 0);
    let first = claimed(&mut job, Duration::ZERO);
    let (mut slow, life) = recording(&mut job, &first, &shard("slow"), 1);
    let second = claimed(&mut job, Duration::from_secs(10));
    let (mut fast, other) = recording(&mut job, &second, &shard("fast"), 2);
    let came = [
        judged(1, 1, 11, "bad", other),
        judged(2, 1, 12, "good", other),
        judged(3, 1, 13, "bad", other),
        judged(3, 2, 14, "good", other),
    ];
    commit(&mut *fast, &came);
    let late = [
        judged(1, 1, 21, "late, good", life),
        judged(2, 1, 22, "bad, late", life),
        judged(3, 1, 23, "late, good too", life),
    ];
    commit(&mut *slow, &late);
    let once_more = commit(&mut *slow, &[judged(1, 1, 21, "late, good", life)]);
    assert_eq!(once_more, [None]);
    for (mut journal, name) in [(slow, "slow"), (fast, "fast")] {
        journal.close().unwrap();
        drop(journal);
        Store::open(&shard(name)).unwrap().0.save_terms(&terms()).unwrap();
    }
    job.bring_all(&at("all")).unwrap();
    let all = seen(&Store::open(&at("all")).unwrap().0);
    let kept = [
        "1 try 1: bad",
        "1 try 2: late, good",
        "2 paid twice 0",
        "2 try 1: good",
        "3 paid twice 0",
        "3 try 1: bad",
        "3 try 2: good",
    ];
    assert_eq!(all, kept);
    // In the folder of each, what was accepted counts too, and nothing comes or goes twice.
    for _ in 0..2 {
        for name in ["slow", "fast"] {
            let (_, pushed, _) = job.take_over(&second, &at(name)).unwrap();
            assert_eq!(pushed, Pushed::default(), "{name}");
        }
        let slow = Store::open(&shard("slow")).unwrap().0;
        let kept = [
            "1 try 1: late, good",
            "2 try 1: bad, late",
            "2 try 2: good",
            "3 try 1: late, good too",
            "3 try 2: good",
        ];
        assert_eq!(seen(&slow), kept);
        let fast = Store::open(&shard("fast")).unwrap().0;
        assert_eq!(seen(&fast), all);
    }
    job.bring_all(&at("all")).unwrap();
    assert_eq!(seen(&Store::open(&at("all")).unwrap().0), all);
}

#[test]
fn whoever_takes_a_shard_over_is_told_what_was_asked_again_already() {
    let Some((place, mut job)) = job_on_server("round") else { return };
    let shard = |name: &str| shard_folder(&place.path().join(name), 0);
    let before = claimed(&mut job, Duration::from_secs(10));
    let (mut journal, life) = recording(&mut job, &before, &shard("one"), 1);
    commit(&mut *journal, &[judged(1, 1, 5, "bad", life), answer(2, 1, 5, "b", life), ended(3)]);
    let failed = Ledger { questions: 3, answered: 1, gave_up: 2, ..Ledger::default() };
    job.release(&before, Some(&failed), None).unwrap();
    journal.close().unwrap();
    drop(journal);
    // What a folder asked without a lease is brought there in the round, and none of it.
    let (mut alone, _, life) = folder(&shard("alone"), 2);
    alone.commit(&[answer(4, 1, 6, "elsewhere", life)]).unwrap();
    drop(alone);

    assert_eq!(job.ask_failed_again().unwrap(), 1);
    let first = claimed(&mut job, Duration::from_secs(10));
    let (_, _, since) = job.take_over(&first, &place.path().join("alone")).unwrap();
    assert_eq!(since, AskedSince::default());
    let (mut journal, life) = recording(&mut job, &first, &shard("two"), 3);
    let Write::Ended(mut again) = ended(3) else { unreachable!() };
    again.at = 20;
    commit(&mut *journal, &[judged(1, 2, 7, "bad, once more", life), Write::Ended(again)]);
    assert_eq!(job.ask_failed_again().unwrap(), 1, "the same round");
    journal.close().unwrap();
    drop(journal);
    job.release(&first, None, None).unwrap();
    // In its own folder, in one of before, in a new one; with the marks of before in the second.
    for name in ["two", "one", "three"] {
        let next = claimed(&mut job, Duration::from_secs(10));
        let (_, _, since) = job.take_over(&next, &place.path().join(name)).unwrap();
        let store = Store::open(&shard(name)).unwrap().0;
        let mut new = Vec::new();
        let each = |new_one: NewAnswer| {
            new.push((new_one.answer, new_one.life));
            Ok(())
        };
        store.for_each_answer(|mark| mark.2 == 7, each).unwrap();
        assert_eq!(new[0].0, "bad, once more", "{name}");
        let of_round = store.answers_of_lives(&[new[0].1.unwrap()]).unwrap();
        let asked = AskedSince { answers: of_round, ended: [[3; 16]].into() };
        assert_eq!((since.answers.len(), since), (1, asked), "{name}");
        job.release(&next, None, None).unwrap();
    }
    // A round that began before this was kept has no such word.
    let sql = "UPDATE shard SET again_after = NULL";
    job.server.part(async |to| to.run(sql).await).unwrap();
    let last = claimed(&mut job, Duration::from_secs(10));
    let (_, _, since) = job.take_over(&last, &place.path().join("two")).unwrap();
    assert_eq!(since, AskedSince::default());
}

#[test]
fn a_connection_that_is_given_back_is_free_for_others() {
    let Some((_place, mut job)) = job_on_server("given-back") else { return };
    let role = job.server.address.schema.clone();
    let sql = format!(
        "CREATE ROLE \"{role}\" SUPERUSER LOGIN PASSWORD 'word' CONNECTION LIMIT 1;
         GRANT USAGE ON SCHEMA \"{role}\" TO \"{role}\""
    );
    job.server.part(async |to| to.run(&sql).await).unwrap();
    let mut address = Address::clone(&job.server.address);
    address.config.user(&role).password("word");
    let own = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
    let count = |job: &mut SharedJob| {
        let rows = job.server.part(async |to| to.query(own, &[&role]).await).unwrap();
        rows[0].get::<_, i64>(0)
    };
    let free = |job: &mut SharedJob| {
        let began = Instant::now();
        while count(job) > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "it is held");
        }
    };
    let mut one = SharedJob::open(address.clone()).unwrap();
    assert_eq!(count(&mut job), 1);
    one.disconnect();
    free(&mut job);
    one.status().unwrap();
    // What fails gives it back as well.
    one.server.part(async |to| to.run("nonsense").await).unwrap_err();
    free(&mut job);
    let sql = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
    job.server.part(async |to| to.run(&sql).await).unwrap();
}

#[test]
fn an_input_that_was_changed_is_brought_from_the_server() {
    let Some((place, mut job)) = job_on_server("changed") else { return };
    let (folder, own) = (place.path().join("job"), place.path().join("q.csv"));
    let before = fs_err::read(&own).unwrap();
    assert_eq!(fs_err::canonicalize(job.input(&folder).unwrap()).unwrap(), own);
    fs_err::write(&own, "question\nc\nd\n\n").unwrap();
    for _ in 0..2 {
        let brought = job.input(&folder).unwrap();
        assert_eq!(
            (fs_err::read(&brought).unwrap(), brought.clone()),
            (before.clone(), folder.join("input/q.csv"))
        );
        fs_err::write(&brought, "another").unwrap();
    }
}

#[test]
fn a_lease_is_renewed_from_when_a_shard_is_taken_over_until_its_run_does() {
    let Some((place, mut job)) = job_on_server("renewed") else { return };
    let lasts = Duration::from_millis(60);
    let lease = claimed(&mut job, lasts);
    job.take_over(&lease, place.path()).unwrap();
    let until = |job: &mut SharedJob| {
        let sql = "SELECT leased_until::text FROM shard";
        let rows = job.server.part(async |to| to.query(sql, &[]).await).unwrap();
        rows[0].get::<_, Option<String>>(0)
    };
    let renewed = |before: Option<String>, job: &mut SharedJob| {
        let began = Instant::now();
        while until(job) == before {
            assert!(began.elapsed() < Duration::from_secs(30), "not renewed");
        }
        until(job)
    };
    let first = until(&mut job);
    let second = renewed(first, &mut job);
    let run = job.work(&lease, WorkerFunds::default());
    renewed(second, &mut job);
    job.release(&lease, None, None).unwrap();
    drop(run);
    assert!(until(&mut job).is_none());
    assert!(!leases::renew(&mut job.server, &lease).unwrap(), "handed back");
}
