use super::*;
use crate::store::AskedPlace;
use crate::store::roles::Write;

fn answer(key: u8, try_number: u32, settings: i64, life: i64) -> NewAnswer {
    let line = format!(
        r#"{{"key":{key:?},"question_hash":{key:?},"settings":{settings},"edition":0,"life":{life},
        "row":2,"answered_at":7,"question":"q{try_number}","reasoning":"r","answer":"a","sample":0,
        "try_number":{try_number},"place":1,"cost_most":5,
        "written":{{"all":3,"hour":2}},"metadata":{{"row":2,"attempts":1,"seconds":0.5,"cost":0.25}}}}"#,
        key = [key; 16]
    );
    serde_json::from_str(&line).unwrap()
}

fn attempt(life: i64) -> NewAttempt {
    NewAttempt {
        place: Some(1),
        written: Written { all: Some(3), hour: Some(2) },
        body: Some(b"{}".to_vec()),
        ..NewAttempt::timed_out(life, 1)
    }
}

#[test]
fn what_one_store_gives_another_takes_whole_and_once() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [mut one, mut other] = [0, 1].map(|at: usize| Store::open(folders[at].path()).unwrap().0);
    let settings = SettingsRow {
        id: 0,
        hash: vec![5; 16],
        generation: 0,
        text: "{}".into(),
        decision: "first".into(),
        together: false,
        decided_at: 3,
    };
    let settings = SettingsRow { id: one.take_settings(&settings).unwrap(), ..settings };
    let place = AskedPlace {
        model: "m".into(),
        endpoint: "http://a".into(),
        provider: Some("mine".into()),
    };
    let life = one.begin_life(11, settings.id, "http://a", std::slice::from_ref(&place)).unwrap();
    let ended = NewEnded {
        question: [9; 16],
        generation: 0,
        row: 4,
        fault: "gave up".into(),
        cause: "timed out".into(),
        at: 8,
        max_tokens: Some(50),
        cut_at_tokens: None,
    };
    let mut writes: Vec<Write> = [(1, 1), (1, 2), (2, 1)]
        .map(|(key, number)| Write::Answered(Box::new(answer(key, number, settings.id, life))))
        .into();
    writes.extend([Write::Attempted(attempt(life)), Write::Ended(ended)]);
    one.commit(&writes).unwrap();
    // The other one has numbers of its own.
    other.begin_life(1, 1, "http://b", &[]).unwrap();
    for _ in 0..2 {
        let number = other.take_settings(&settings).unwrap();
        let own = one.all_lives().unwrap().into_iter().next().unwrap();
        let own = LifeRow { settings: number, ..own };
        let taken = other.take_life(&own, &HashSet::new(), true).unwrap();
        // Another one of the same moment, as a server has it, is another one.
        let beside = LifeRow { identity: None, ..own };
        assert_eq!(other.take_life(&beside, &HashSet::new(), true).unwrap(), taken);
        let own = taken;
        let second = other.take_life(&beside, &HashSet::from([own]), true).unwrap();
        assert_eq!(other.take_life(&beside, &HashSet::from([own]), true).unwrap(), second);
        assert_eq!(other.lives_of_others().unwrap(), HashSet::from([own, second]));
        assert!(one.lives_of_others().unwrap().is_empty());
        let mut taken = Vec::new();
        one.for_each_answer(
            |_| true,
            |new| {
                assert_eq!((new.settings, new.life), (settings.id, Some(life)));
                let new = NewAnswer { settings: number, life: Some(own), ..new };
                taken.push(Write::Answered(Box::new(new)));
                Ok(())
            },
        )
        .unwrap();
        taken.extend(one.all_ended().unwrap().into_iter().map(Write::Ended));
        let known = other.attempt_marks().unwrap();
        for attempt in one.all_attempts().unwrap() {
            let mark = (attempt.key, attempt.at, attempt.attempt, attempt.cause.clone());
            if !known.contains(&mark) {
                taken.push(Write::Attempted(NewAttempt { life: own, ..attempt }));
            }
        }
        other.commit(&taken).unwrap();
    }
    assert!(other.has_unsent().unwrap(), "its run has not said goodbye");
    other.forget_unsent().unwrap();
    assert!(!other.has_unsent().unwrap());
    let texts = |store: &Store| {
        let mut texts = Vec::new();
        let each = |new: NewAnswer| {
            let of_it = (new.key, new.try_number, new.place, new.cost_most);
            texts.push((of_it, new.question, new.answer, new.metadata));
            Ok(())
        };
        store.for_each_answer(|_| true, each).unwrap();
        texts
    };
    assert_eq!(texts(&one), texts(&other));
    assert_eq!(texts(&other).len(), 3);
    let bodies: Vec<_> = other.all_attempts().unwrap().into_iter().map(|one| one.body).collect();
    assert_eq!(bodies, [Some(b"{}".to_vec())]);
    assert_eq!(other.all_ended().unwrap().len(), 1);
    let sessions = other.sessions().unwrap();
    assert_eq!(sessions.iter().filter(|one| one.places == [place.clone()]).count(), 2);
    let mut asked = Vec::new();
    let written =
        |call: &super::super::StoredCall<'_>| (call.tokens.written, call.tokens.written_1h);
    other.for_each_call(|call| asked.push((call.place, written(call)))).unwrap();
    assert_eq!(asked, [(Some(1), (Some(3), Some(2))); 4]);
}
