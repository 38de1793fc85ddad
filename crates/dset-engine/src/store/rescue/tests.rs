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
    let sql = "INSERT INTO lives (started_at, version, settings, endpoint) VALUES (1, '', 1, '')";
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
        let sql = "SELECT (SELECT count(*) FROM attempts) * 100 + (SELECT count(*) FROM answers)";
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
    let life = store.begin_life(1, settings, "http://a", &[]).unwrap();
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
        assert_eq!(calls.iter().filter(|call| call.0 == 9).count(), if says_so { 1 } else { 2 });
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

#[test]
fn room_is_kept_once_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    reserve(folder.path());
    reserve(folder.path());
    let kept = fs::metadata(folder.path().join(RESERVE)).unwrap().len();
    assert_eq!(kept, RESERVE_BYTES[0] as u64);
    assert!(release(folder.path()));
    assert!(!release(folder.path()));
    reserve(&folder.path().join("gone"));
}
