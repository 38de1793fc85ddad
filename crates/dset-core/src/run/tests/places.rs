//! Several places for a model.

use super::*;

/// Rules for one model at two places.
pub(super) fn two_places(width: u32) -> Rules {
    let place = |endpoint| EndpointSpec { model: 0, endpoint, limits: None };
    Rules { endpoints: vec![place(0), place(1)], ..rules(width) }
}

impl Bench {
    /// How many asks are on their way to this endpoint.
    pub(super) fn at(&self, endpoint: u16) -> usize {
        self.asks.iter().filter(|(ask, _)| self.endpoints[ask] == endpoint).count()
    }

    /// Of one model: a record says which place was asked.
    pub(super) fn says_where(&self, record: &JournalRecord) {
        if let JournalRecord::Answered { ask, place, .. }
        | JournalRecord::AnswerCame { ask, place, .. }
        | JournalRecord::Failed { ask, place, .. } = record
            && self.models == 1
        {
            assert_eq!(*place, usize::from(self.endpoints[ask]));
        }
    }

    /// Lets every ask on its way to this endpoint fail.
    pub(super) fn fail_at(&mut self, endpoint: u16) {
        let there = |(ask, _): &&(AskId, QuestionIndex)| self.endpoints[ask] == endpoint;
        let questions: Vec<_> = self.asks.iter().filter(there).map(|(_, index)| *index).collect();
        for question in questions {
            self.reply(question, failure(FailureClass::Transient));
        }
    }
}

#[test]
fn asks_go_to_whichever_place_has_room() {
    let bench = Bench::new(two_places(12), 40);
    assert_eq!((bench.at(0), bench.at(1)), (6, 6));
}

#[test]
fn answers_are_counted_by_the_end_that_nobody_knows_of_all_places() {
    let mut bench = Bench::new(two_places(12), 20);
    bench.run_out(|index| {
        let finish_reason = if index % 4 == 0 { "banana" } else { "stop" }.to_owned();
        ParsedReply::Answer(Answer { content: "a".into(), finish_reason, ..Answer::default() })
    });
    let ending = bench.ending.unwrap();
    assert_eq!(ending.unknown_ends, BTreeMap::from([("banana".to_owned(), 5)]));
}

#[test]
fn a_place_that_does_not_answer_is_left_alone_and_probed_until_it_is_back() {
    let mut bench = Bench::new(two_places(12), 400);
    bench.fail_at(0);
    assert!(bench.told.contains(&"EndpointDown".to_owned()));
    assert!(!bench.told.contains(&"OutageBegan".to_owned()), "the other still answers");
    bench.fail_at(0);
    assert_eq!(bench.at(0), 0);
    assert!(bench.at(1) > 0);
    let mut probes = 0;
    // Every 200 ms the other place answers one.
    let pass = |bench: &mut Bench| {
        bench.now_ms += 200;
        bench.event(Event::TimerFired);
        let alive = bench.asks.iter().find(|(ask, _)| bench.endpoints[ask] == 1).unwrap().1;
        bench.reply(alive, answer());
    };
    while bench.now_ms < 20_000 {
        pass(&mut bench);
        probes += bench.at(0);
        assert!(bench.at(0) <= 1, "one ask at a time");
        bench.fail_at(0);
    }
    assert!((3..=5).contains(&probes), "after 2, 5.2, 10.3 and 18.5 s: {probes}");
    while bench.at(0) == 0 {
        pass(&mut bench);
    }
    let back = bench.asks.iter().find(|(ask, _)| bench.endpoints[ask] == 0).unwrap().1;
    bench.reply(back, answer());
    assert!(bench.told.contains(&"EndpointUp".to_owned()));
    (0..5).for_each(|_| pass(&mut bench));
    assert!(bench.at(0) > 1, "it gets its share again");
}

#[test]
fn where_no_place_answers_it_is_an_outage_with_its_schedule() {
    let mut bench = Bench::new(two_places(8), 40);
    while !bench.told.contains(&"OutageBegan".to_owned()) {
        bench.fail_at(0);
        bench.fail_at(1);
        bench.sleep();
        assert!(bench.now_ms < 10_000, "both are dead soon");
    }
    let mut probed = BTreeSet::new();
    let began_ms = bench.now_ms;
    while bench.ending.is_none() {
        if bench.asks.is_empty() {
            bench.sleep();
        }
        probed.extend(bench.asks.iter().map(|(ask, _)| bench.endpoints[ask]));
        bench.fail_at(0);
        bench.fail_at(1);
    }
    assert!((418..=420).contains(&((bench.now_ms - began_ms) / 1000)), "1 + 2 + 4 minutes");
    assert_eq!(probed.len(), 2, "each place is probed");
    assert!(matches!(bench.why(), EndReason::Unreachable(_)));
}

#[test]
fn with_several_places_too_a_poisonous_question_is_given_up_and_the_run_completes() {
    let mut bench = Bench::new(two_places(4), 30);
    while bench.ending.is_none() {
        let way = bench.on_their_way();
        for question in way {
            let fails = question == 3;
            bench.reply(question, if fails { failure(FailureClass::Transient) } else { answer() });
        }
        if bench.on_their_way().is_empty() && bench.ending.is_none() {
            bench.sleep();
        }
    }
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.marked_rows(), [5]);
}

#[test]
fn one_place_dead_and_the_other_refusing_everything_is_an_outage() {
    let mut bench = Bench::new(two_places(8), 40);
    let refused = || failure(FailureClass::Throttled { wait: None, width: None });
    while !bench.told.contains(&"OutageBegan".to_owned()) {
        bench.fail_at(0);
        let there = bench.asks.iter().filter(|(ask, _)| bench.endpoints[ask] == 1);
        let questions: Vec<_> = there.map(|(_, index)| *index).collect();
        questions.into_iter().for_each(|question| bench.reply(question, refused()));
        bench.sleep();
        assert!(bench.now_ms < 400_000, "five minutes of refusals are an outage");
    }
}

#[test]
fn in_an_outage_no_place_is_probed_before_the_wait_that_it_asked_for() {
    let mut bench = Bench::new(two_places(8), 40);
    while !bench.told.contains(&"OutageBegan".to_owned()) {
        bench.fail_at(0);
        bench.fail_at(1);
        bench.sleep();
    }
    let wait = Some(Duration::from_secs(300));
    while bench.at(0) == 0 {
        bench.fail_at(1);
        bench.sleep();
    }
    let (asked_ms, question) = (bench.now_ms, bench.on_their_way()[0]);
    bench.reply(question, failure(FailureClass::Throttled { wait, width: None }));
    while bench.ending.is_none() && bench.at(0) == 0 {
        bench.fail_at(1);
        bench.sleep();
    }
    assert!(bench.ending.is_some() || bench.now_ms >= asked_ms + 300_000, "{}", bench.now_ms);
}

#[test]
fn a_model_that_does_not_answer_holds_up_no_other() {
    let place = |model| EndpointSpec { model, endpoint: 0, limits: None };
    for class in [FailureClass::Transient, FailureClass::Throttled { wait: None, width: None }] {
        let rules = Rules { endpoints: vec![place(0), place(1)], ..rules(8) };
        let mut bench = Bench::idle(rules, 3_000);
        bench.models = 2;
        bench.start(2, InputMarks::default());
        bench.play(600, 100, |question| match question % 2 {
            0 => failure(class),
            _ => answer(),
        });
        assert_eq!(bench.machine.ledger().answered, 1_500, "{class:?}");
    }
}

/// Plays three minutes in which the second place says no to everything at once, and the first answers
/// a question in a second, but for those that are `bad`.
fn play_beside(says_no: &ParsedReply, answered: u64, bad: fn(QuestionIndex) -> bool) -> Bench {
    let mut bench = Bench::new(two_places(8), 60);
    let mut sent_ms = BTreeMap::new();
    let mut told_no = 0;
    while bench.ending.is_none() && bench.now_ms < 180_000 {
        for (ask, _) in &bench.asks {
            sent_ms.entry(*ask).or_insert(bench.now_ms);
        }
        let no = bench.asks.iter().find(|(ask, _)| bench.endpoints[ask] == 1).copied();
        let is_due = |ask: &AskId| sent_ms[ask] + 1_000 <= bench.now_ms;
        let due = bench.asks.iter().find(|(ask, _)| is_due(ask)).copied();
        match (no, due) {
            (Some((_, question)), _) => {
                told_no += 1;
                let is_good = told_no <= answered && !bad(question);
                bench.reply(question, if is_good { answer() } else { says_no.clone() });
            }
            (None, Some((_, question))) => {
                bench.reply(question, if bad(question) { says_no.clone() } else { answer() });
            }
            (None, None) => {
                bench.now_ms += 100;
                bench.event(Event::TimerFired);
            }
        }
    }
    bench
}

#[test]
fn a_place_that_refuses_what_another_answers_marks_no_row_and_is_left_alone() {
    for class in [FailureClass::Forbidden, REFUSED, FailureClass::Empty] {
        let bench = play_beside(&failure(class), 0, |_| false);
        assert!(matches!(bench.why(), EndReason::Complete), "{class:?} {:?}", bench.why());
        assert_eq!((bench.marked_rows().len(), bench.machine.ledger().answered), (0, 60));
        assert!(bench.told.contains(&"EndpointDown".to_owned()), "{class:?}");
        assert!(bench.sent < 60 + 20, "{class:?}: {} asks", bench.sent);
    }
}

#[test]
fn a_place_that_refuses_everything_after_a_while_marks_a_few_rows_at_most() {
    for class in [FailureClass::Forbidden, REFUSED] {
        let bench = play_beside(&failure(class), 10, |_| false);
        assert!(matches!(bench.why(), EndReason::Complete), "{class:?} {:?}", bench.why());
        assert!(bench.marked_rows().len() <= 5, "{class:?} {:?}", bench.marked_rows());
    }
}

#[test]
fn a_question_that_every_place_refuses_is_marked() {
    for class in [FailureClass::Forbidden, REFUSED] {
        let bench = play_beside(&failure(class), u64::MAX, |question| question % 10 == 3);
        assert!(matches!(bench.why(), EndReason::Complete), "{class:?} {:?}", bench.why());
        assert_eq!(bench.marked_rows(), [5, 15, 25, 35, 45, 55], "{class:?}");
    }
}

#[test]
fn where_every_place_refuses_everything_it_is_the_settings_and_no_row_is_marked() {
    for (class, ends) in [(FailureClass::Forbidden, "KeyRefused"), (REFUSED, "WrongSettings")] {
        let mut bench = Bench::new(two_places(8), 60);
        bench.run_out(|_| failure(class));
        assert!(format!("{:?}", bench.why()).starts_with(ends), "{class:?} {:?}", bench.why());
        assert!(bench.marked.is_empty(), "{class:?}");
    }
}

/// What says that a place can answer nothing, whatever it is asked, and how a run ends that has no other.
fn says_no_for_good() -> [(ParsedReply, &'static str); 6] {
    let a_day = FailureClass::Throttled { wait: Some(Duration::from_secs(86_400)), width: None };
    let page = |status| {
        let address = FailureClass::Refused(Refusal::Address);
        let ParsedReply::Failure(failure) = failure(address) else { unreachable!() };
        ParsedReply::Failure(Failure { status: Some(status), ..failure })
    };
    [
        (failure(FailureClass::KeyRefused), "KeyRefused"),
        (failure(FailureClass::OutOfMoney), "OutOfMoney"),
        (failure(FailureClass::Refused(Refusal::Settings)), "WrongSettings"),
        (failure(a_day), "RetryAfterTooLong"),
        (page(404), "WrongSettings"),
        (page(200), "WrongSettings"),
    ]
}

#[test]
fn a_place_that_can_answer_nothing_is_left_alone_and_ends_no_run_that_has_another() {
    for (says_no, _) in says_no_for_good() {
        for answered in [0, 10] {
            let bench = play_beside(&says_no, answered, |_| false);
            assert!(matches!(bench.why(), EndReason::Complete), "{says_no:?} {:?}", bench.why());
            assert_eq!((bench.marked.len(), bench.machine.ledger().answered), (0, 60));
            let told = bench.told.iter().filter(|notice| *notice == "EndpointDown").count();
            assert_eq!(told, 1, "{says_no:?}");
            assert!(bench.sent < 60 + 20, "{says_no:?}: {} asks", bench.sent);
        }
    }
}

#[test]
fn where_no_place_is_left_the_run_ends_as_with_one() {
    for (says_no, ends) in says_no_for_good() {
        let mut bench = Bench::new(two_places(8), 60);
        bench.run_out(|_| says_no.clone());
        assert!(format!("{:?}", bench.why()).starts_with(ends), "{says_no:?} {:?}", bench.why());
        assert!(bench.marked.is_empty());
    }
}

#[test]
fn a_place_without_a_key_and_one_that_is_dead_are_an_outage() {
    let mut bench = Bench::new(two_places(8), 60);
    while bench.ending.is_none() {
        match bench.asks.first().copied() {
            Some((ask, question)) => {
                bench.now_ms += 10;
                let class = match bench.endpoints[&ask] {
                    0 => FailureClass::KeyRefused,
                    _ => FailureClass::Transient,
                };
                bench.reply(question, failure(class));
            }
            None => drop(bench.sleep()),
        }
    }
    assert!(matches!(bench.why(), EndReason::Unreachable(_)), "{:?}", bench.why());
    assert_eq!(bench.marked_rows().len(), 1);
}
