//! Refusals that may be the settings' fault.

use super::*;

#[test]
fn the_same_refusal_for_the_first_five_questions_is_the_settings_and_marks_no_row() {
    let mut bench = Bench::new(rules(1), 9);
    for question in 0..5 {
        bench.reply(question, failure_saying(REFUSED, &format!("bad parameter at {question}")));
    }
    assert!(matches!(bench.why(), EndReason::WrongSettings(_)));
    assert!(bench.marked.is_empty());
    assert_eq!(bench.ending.unwrap().ledger.pending, 9);
}

#[test]
fn refusals_in_different_words_or_after_a_success_are_the_questions_own() {
    let mut bench = Bench::new(rules(1), 9);
    for question in 0..4 {
        bench.reply(question, failure_saying(REFUSED, "one thing"));
    }
    bench.reply(4, failure_saying(REFUSED, "another thing"));
    assert_eq!(bench.told.iter().filter(|notice| *notice == "Ended").count(), 4);
    let mut bench = Bench::new(rules(1), 9);
    bench.reply(0, answer());
    for question in 1..9 {
        bench.reply(question, failure_saying(REFUSED, "one thing"));
    }
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.marked_rows().len(), 8);
}

#[test]
fn a_short_file_that_is_refused_is_marked() {
    let mut bench = Bench::new(rules(8), 4);
    for question in 0..4 {
        bench.reply(question, failure_saying(REFUSED, "one thing"));
    }
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.marked_rows(), [2, 3, 4, 5]);
}

/// Replies to the oldest ask, one every 10 ms, or sleeps where there is none, until the run ends.
fn run_by_the_clock(bench: &mut Bench, mut reading: impl FnMut(u64, QuestionIndex) -> ParsedReply) {
    while bench.ending.is_none() {
        match bench.on_their_way().first() {
            Some(&question) => {
                bench.now_ms += 10;
                let reading = reading(bench.now_ms, question);
                bench.reply(question, reading);
            }
            None => drop(bench.sleep()),
        }
    }
}

#[test]
fn what_is_refused_for_good_after_answers_ends_the_run_after_every_retry_and_marks_no_row() {
    for (reading, ends) in [
        (failure_saying(REFUSED, "quota used up"), "WrongSettings"),
        (failure(FailureClass::Forbidden), "KeyRefused"),
        (not_found(), "WrongSettings"),
    ] {
        for width in [1, 4, 64] {
            let mut bench = Bench::new(rules(width), 400);
            bench.reply(0, answer());
            run_by_the_clock(&mut bench, |_, _| reading.clone());
            assert!(format!("{:?}", bench.why()).starts_with(ends), "{:?}", bench.why());
            assert!(bench.marked.is_empty() && bench.now_ms > 420_000, "{width}");
            assert_eq!(bench.machine.ledger().pending, 399);
            assert!(bench.sent < 10 + 2 * width + 16, "{width}: {}", bench.sent);
        }
    }
}

#[test]
fn answers_that_were_on_their_way_before_do_not_clear_what_is_refused_since() {
    for reading in [failure_saying(REFUSED, "no"), failure(FailureClass::Forbidden), not_found()] {
        let trusted = Bounds { slots_max: 64, is_trusted: true };
        let mut bench = Bench::new(Rules { bounds: trusted, ..rules(64) }, 2_000);
        let mut sent_ms = BTreeMap::new();
        // Answers take 5 s, and for a minute the service refuses what comes to it at once.
        let is_refused = |sent_ms: u64| (30_000..90_000).contains(&sent_ms);
        let due_ms = |sent_ms: u64| sent_ms + if is_refused(sent_ms) { 1 } else { 5_000 };
        while bench.ending.is_none() {
            for (ask, _) in &bench.asks {
                sent_ms.entry(*ask).or_insert(bench.now_ms);
            }
            let first = bench.asks.iter().min_by_key(|(ask, _)| due_ms(sent_ms[ask])).copied();
            let alarm = bench.alarm.filter(|at| at.monotonic_ms > bench.now_ms);
            let next = first
                .filter(|(ask, _)| alarm.is_none_or(|at| due_ms(sent_ms[ask]) <= at.monotonic_ms));
            match next {
                Some((ask, question)) => {
                    bench.now_ms = bench.now_ms.max(due_ms(sent_ms[&ask]));
                    let is_refused = is_refused(sent_ms[&ask]);
                    bench.reply(question, if is_refused { reading.clone() } else { answer() });
                }
                None => drop(bench.sleep()),
            }
        }
        assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
        assert!(bench.marked.is_empty(), "{reading:?}: {}", bench.marked.len());
        assert!(bench.sent < 2_000 + 100, "{}", bench.sent);
    }
}

#[test]
fn bad_questions_in_a_row_are_asked_once_more_and_marked_and_what_is_behind_them_is_asked() {
    for width in [1, 4, 16] {
        let mut bench = Bench::new(rules(width), 120);
        run_by_the_clock(&mut bench, |_, question| match question {
            30..70 => failure_saying(REFUSED, "one thing"),
            _ => answer(),
        });
        assert!(matches!(bench.why(), EndReason::Complete), "{width} {:?}", bench.why());
        assert_eq!(bench.marked_rows().len(), 40);
    }
}

#[test]
fn bad_questions_among_good_ones_hold_nothing_up() {
    let mut bench = Bench::new(rules(16), 400);
    run_by_the_clock(&mut bench, |_, question| match question % 3 {
        1 => failure_saying(REFUSED, "one thing"),
        _ => answer(),
    });
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    assert_eq!((bench.marked_rows().len(), bench.sent), (133, 400));
    assert!(!bench.told.contains(&"OutageBegan".to_owned()));
}

#[test]
fn questions_that_failed_before_say_nothing_of_the_settings_when_they_fail_again() {
    for class in [REFUSED, FailureClass::Empty] {
        let mut bench = Bench::idle(rules(4), 60);
        bench.failed_before = 20;
        bench.start(1, InputMarks::default());
        bench.run_out(|question| if question < 20 { failure(class) } else { answer() });
        assert!(matches!(bench.why(), EndReason::Complete), "{class:?} {:?}", bench.why());
        assert_eq!(bench.machine.ledger().answered, 40);
        assert_eq!(bench.marked_rows().len(), 20);
    }
}

#[test]
fn rows_that_the_model_answers_nothing_to_are_marked_however_many_they_are_among_others() {
    let mut bench = Bench::new(rules(8), 200);
    bench.run_out(|question| {
        let is_empty = question % 8 == 3;
        if is_empty { failure(FailureClass::Empty) } else { answer() }
    });
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    assert_eq!((bench.machine.ledger().answered, bench.marked_rows().len()), (175, 25));
    assert_eq!(bench.sent, 175 + 3 * 25);
}

#[test]
fn a_file_that_begins_with_questions_that_are_too_long_goes_on_behind_them() {
    for (too_long, is_settings) in [(20, false), (30, true)] {
        let mut bench = Bench::new(rules(1), 60);
        while bench.ending.is_none() {
            let question = bench.on_their_way()[0];
            let class = FailureClass::Refused(Refusal::Question);
            let reading = if question < too_long { failure(class) } else { answer() };
            bench.reply(question, reading);
        }
        assert_eq!(matches!(bench.why(), EndReason::WrongSettings(_)), is_settings);
        assert_eq!(bench.marked_rows().len(), if is_settings { 0 } else { 20 });
    }
}

#[test]
fn samples_of_one_row_are_one_question() {
    for class in [REFUSED, FailureClass::Empty] {
        let mut bench = Bench::idle(rules(4), 60);
        bench.start(6, InputMarks::default());
        bench.run_out(|question| {
            // The first three rows of ten.
            if question < 18 { failure(class) } else { answer() }
        });
        assert!(matches!(bench.why(), EndReason::Complete), "{class:?} {:?}", bench.why());
        assert_eq!(bench.machine.ledger().answered, 42);
    }
}

#[test]
fn an_answer_among_what_is_on_its_way_clears_the_settings() {
    for width in [8, 16] {
        let mut bench = Bench::new(rules(width), 400);
        for question in 1..width {
            bench.reply(question, failure_saying(REFUSED, "one thing"));
        }
        let fill = bench.on_their_way();
        for &question in fill.iter().filter(|&&question| question != 0) {
            bench.reply(question, failure_saying(REFUSED, "one thing"));
        }
        assert_eq!(bench.on_their_way(), [0], "nothing more is asked until it is back");
        bench.reply(0, answer());
        assert!(bench.ending.is_none() && bench.on_their_way().len() > 1, "and then all goes on");
    }
}

#[test]
fn a_403_drops_nothing_that_is_on_its_way_and_is_the_keys_only_if_nothing_is_answered() {
    let mut bench = Bench::new(rules(4), 40);
    bench.reply(0, failure(FailureClass::Forbidden));
    assert_eq!(bench.on_their_way(), [1, 2, 3]);
    bench.reply(2, answer());
    assert!(bench.ending.is_none() && bench.on_their_way().len() > 2);
    assert_eq!(bench.marked_rows(), [2]);

    let mut bench = Bench::new(rules(4), 40);
    for question in 0..4 {
        bench.reply(question, failure(FailureClass::Forbidden));
    }
    assert!(matches!(bench.why(), EndReason::KeyRefused(_)));
    assert!(bench.marked.is_empty());
}

#[test]
fn questions_that_are_too_long_are_their_own_fault_once_something_is_answered() {
    let mut bench = Bench::new(rules(1), 40);
    bench.reply(0, answer());
    for question in 1..40 {
        let too_long = FailureClass::Refused(Refusal::Question);
        bench.reply(question, failure_saying(too_long, "too long"));
    }
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn a_question_that_is_answered_with_nothing_uses_up_its_own_retries_and_is_no_outage() {
    for width in [1, 8] {
        for at in [2, 19] {
            let mut bench = Bench::new(rules(width), 20);
            let mut asked = 0;
            bench.run_out(|question| {
                asked += u32::from(question == at);
                let empty = question == at;
                if empty { failure(FailureClass::Empty) } else { answer() }
            });
            assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
            assert_eq!((asked, bench.machine.ledger().gave_up), (3, 1));
        }
    }
}

#[test]
fn a_service_that_answers_nothing_ends_the_run_after_a_few_different_questions_and_marks_no_row() {
    for (class, at_first) in [(FailureClass::Empty, 5), (FailureClass::OtherApi, 3)] {
        for width in [1, 8] {
            for (answered, alike) in [(0, at_first), (4, 10)] {
                let mut bench = Bench::new(rules(width), 200);
                let mut asked = 0;
                bench.run_out(|_| {
                    asked += 1;
                    if asked <= answered { answer() } else { failure(class) }
                });
                assert!(matches!(bench.why(), EndReason::WrongSettings(_)), "{:?}", bench.why());
                assert!(answered > 0 || bench.marked.is_empty(), "{class:?} {width}");
                assert!(bench.marked_rows().len() < 10, "{:?}", bench.marked_rows());
                // Those on their way and, after an answer, some that were asked again.
                let again = if answered == 0 { 1 } else { 3 };
                let most = answered + again * alike + width;
                assert!(asked <= most, "{class:?} {width}: {asked} of {most}");
            }
        }
    }
}

#[test]
fn a_few_questions_without_an_answer_are_marked_and_another_api_is_the_settings_however_few_they_are()
 {
    for (class, asks, marked) in [(FailureClass::Empty, 9, 3), (FailureClass::OtherApi, 3, 0)] {
        let mut bench = Bench::new(rules(4), 3);
        let mut asked = 0;
        bench.run_out(|_| {
            asked += 1;
            failure(class)
        });
        assert_eq!((asked, bench.marked_rows().len()), (asks, marked), "{class:?}");
        assert_eq!(matches!(bench.why(), EndReason::WrongSettings(_)), marked == 0);
    }
}

#[test]
fn failures_of_other_kinds_leave_a_question_its_retries_after_empty_answers() {
    let mut bench = Bench::new(rules(4), 12);
    let (transient, empty) = (FailureClass::Transient, FailureClass::Empty);
    let mut failures = [transient, transient, empty, transient, empty, empty].into_iter();
    bench.reply(0, answer());
    bench.run_out(|question| match question {
        1 => failure(failures.next().expect("the third empty answer is the last ask")),
        _ => answer(),
    });
    assert_eq!((failures.len(), bench.machine.ledger().gave_up), (0, 1));
}

#[test]
fn an_answer_among_questions_without_one_clears_the_settings() {
    let mut bench = Bench::new(rules(8), 40);
    for question in 1..8 {
        bench.reply(question, failure(FailureClass::Empty));
    }
    for question in bench.on_their_way().into_iter().filter(|question| *question != 0) {
        bench.reply(question, failure(FailureClass::Empty));
    }
    assert_eq!(bench.on_their_way(), [0], "nothing more is asked until it is back");
    bench.reply(0, answer());
    assert!(bench.ending.is_none() && bench.on_their_way().len() > 1, "and then all goes on");
}

#[test]
fn what_the_model_wrote_clears_settings_and_key_though_it_is_cut_or_nothing() {
    let written = |class| {
        let partial = Some(Box::new(Answer::default()));
        let ParsedReply::Failure(failed) = failure(class) else { unreachable!() };
        ParsedReply::Failure(Failure { partial, ..failed })
    };
    for class in
        [FailureClass::CutByLength, FailureClass::Empty, FailureClass::Refused(Refusal::Moderation)]
    {
        let mut bench = Bench::new(rules(8), 40);
        bench.reply(0, failure(FailureClass::Forbidden));
        bench.reply(1, written(class));
        assert!(bench.ending.is_none() && bench.on_their_way().len() > 6, "{class:?}");
        assert_eq!(bench.machine.ledger().rejected, 1 + u64::from(class != FailureClass::Empty));
    }
}

#[test]
fn where_nothing_is_left_to_ask_the_last_ten_are_marked_at_once() {
    let mut bench = Bench::new(rules(1), 20);
    for question in 0..10 {
        bench.reply(question, answer());
    }
    for question in 10..20 {
        bench.reply(question, failure_saying(REFUSED, "one thing"));
    }
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    assert_eq!(bench.machine.ledger().rejected, 10);
}

const ADDRESS: FailureClass = FailureClass::Refused(Refusal::Address);

/// What is replied where no API is: the status is that of the reply, or none.
fn misdirected(status: Option<u16>) -> ParsedReply {
    let ParsedReply::Failure(failure) = failure(ADDRESS) else { unreachable!() };
    ParsedReply::Failure(Failure { status, ..failure })
}

#[test]
fn a_wrong_address_ends_the_run_and_marks_no_row_however_few_rows_there_are() {
    for status in [None, Some(200), Some(404), Some(501)] {
        for rows in [1, 2, 4, 9] {
            for width in [1, 8] {
                let mut bench = Bench::new(rules(width), rows);
                let mut asked = 0;
                while bench.ending.is_none() {
                    let question = bench.on_their_way()[0];
                    bench.reply(question, misdirected(status));
                    asked += 1;
                }
                assert!(matches!(bench.why(), EndReason::WrongSettings(_)), "{:?}", bench.why());
                assert!(bench.marked.is_empty());
                assert!(asked <= 8 + 4, "{asked}");
                assert_eq!(bench.ending.unwrap().ledger.pending, u64::from(rows));
            }
        }
    }
}

#[test]
fn one_page_for_people_among_answers_is_asked_again_and_a_404_that_comes_twice_is_its_questions() {
    let mut bench = Bench::new(rules(4), 4);
    bench.reply(0, misdirected(Some(200)));
    for question in 1..4 {
        bench.reply(question, answer());
    }
    while bench.on_their_way().is_empty() {
        bench.sleep();
    }
    bench.reply(0, answer());
    assert!(matches!(bench.why(), EndReason::Complete));
    assert!(bench.marked.is_empty());
    let mut bench = Bench::new(rules(1), 3);
    bench.reply(0, answer());
    bench.reply(1, misdirected(Some(404)));
    bench.reply(2, answer());
    bench.reply(1, misdirected(Some(404)));
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.marked_rows(), [3]);
}

/// A run of `count` questions of which the first `failed` failed in an earlier run that had answers.
fn resumed(count: u32, failed: u32) -> Bench {
    let mut bench = Bench::idle(rules(4), count);
    (bench.answered_before, bench.failed_before) = (true, failed);
    bench.start(1, InputMarks::default());
    bench
}

fn not_found() -> ParsedReply {
    let ParsedReply::Failure(failure) = failure(FailureClass::Refused(Refusal::Address)) else {
        unreachable!("it is a failure")
    };
    ParsedReply::Failure(Failure { status: Some(404), ..failure })
}

/// Whatever may be said of a question that an earlier run was told, too.
fn refusals() -> [ParsedReply; 5] {
    [
        failure(FailureClass::Forbidden),
        failure(REFUSED),
        failure(FailureClass::Refused(Refusal::Question)),
        failure(FailureClass::Empty),
        not_found(),
    ]
}

#[test]
fn what_failed_before_and_fails_again_is_marked_and_what_is_behind_it_is_asked() {
    for reading in refusals() {
        let mut bench = resumed(45, 40);
        let again = reading.clone();
        bench.run_out(|question| if question < 40 { again.clone() } else { answer() });
        assert!(matches!(bench.why(), EndReason::Complete), "{reading:?} {:?}", bench.why());
        assert_eq!(bench.marked_rows().len(), 40, "{reading:?}");
        assert_eq!(bench.machine.ledger().answered, 5);
    }
}

#[test]
fn a_few_new_questions_that_are_refused_first_are_marked_where_there_were_answers_before() {
    for reading in refusals() {
        let mut bench = resumed(20, 0);
        let again = reading.clone();
        bench.run_out(|question| if question < 8 { again.clone() } else { answer() });
        assert!(matches!(bench.why(), EndReason::Complete), "{reading:?} {:?}", bench.why());
        assert_eq!(bench.marked_rows().len(), 8, "{reading:?}");
    }
}

#[test]
fn many_that_are_refused_first_end_the_run_and_mark_no_row_whatever_was_answered_before() {
    for (reading, ends) in [
        (failure(FailureClass::Forbidden), "KeyRefused"),
        (failure(REFUSED), "WrongSettings"),
        (not_found(), "WrongSettings"),
    ] {
        // Those that failed before do not count, and are marked already.
        for failed in [0, 20] {
            let mut bench = resumed(80, failed);
            let again = reading.clone();
            bench.run_out(|question| if question < 70 { again.clone() } else { answer() });
            assert!(format!("{:?}", bench.why()).starts_with(ends), "{:?}", bench.why());
            assert_eq!(bench.marked_rows().len(), failed as usize, "{reading:?}");
            assert!((10..=14).contains(&(bench.sent - failed)), "{reading:?} {}", bench.sent);
        }
    }
    // What is answered with nothing is no refusal: the next run begins behind it.
    let mut bench = resumed(60, 0);
    let empty = FailureClass::Empty;
    bench.run_out(|question| if question < 40 { failure(empty) } else { answer() });
    assert!(matches!(bench.why(), EndReason::WrongSettings(_)), "{:?}", bench.why());
    assert!((10..=14).contains(&bench.marked_rows().len()), "{:?}", bench.marked);
}

#[test]
fn a_run_in_which_all_that_is_left_is_refused_ends_as_a_first_one_would() {
    for (reading, count, ends) in [
        (failure(FailureClass::Forbidden), 1, "Complete"),
        (failure(FailureClass::Forbidden), 2, "KeyRefused"),
        (failure(FailureClass::Forbidden), 8, "KeyRefused"),
        (not_found(), 1, "Complete"),
        (not_found(), 8, "WrongSettings"),
        (failure(REFUSED), 8, "WrongSettings"),
        (failure(REFUSED), 4, "Complete"),
    ] {
        let mut bench = resumed(count, 0);
        bench.run_out(|_| reading.clone());
        assert!(format!("{:?}", bench.why()).starts_with(ends), "{:?}", bench.why());
        let marked = if ends == "Complete" { count as usize } else { 0 };
        assert_eq!(bench.marked_rows().len(), marked, "{reading:?}");
    }
    // Spare samples wait for what becomes of the others.
    for (reading, ends) in [(failure(REFUSED), "Complete"), (not_found(), "WrongSettings")] {
        for answered_before in [false, true] {
            let enough = Some(Enough { accepted: 1, samples: 3 });
            let mut bench = Bench::idle(Rules { enough, ..rules(4) }, 6);
            bench.answered_before = answered_before;
            bench.start(3, InputMarks::default());
            bench.run_out(|_| reading.clone());
            assert!(format!("{:?}", bench.why()).starts_with(ends), "{:?}", bench.why());
        }
    }
    // Those that failed before are refused once more, each on its own account.
    let mut bench = resumed(8, 8);
    bench.run_out(|_| failure(FailureClass::Forbidden));
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    assert_eq!(bench.marked_rows().len(), 8);
}

#[test]
fn spare_samples_are_neither_probed_with_nor_do_they_count_as_asked_for() {
    let bench = |limit, count, width| {
        let enough = Some(Enough { accepted: 1, samples: 3 });
        let mut bench = Bench::idle(Rules { enough, limit, ..rules(width) }, count);
        bench.start(3, InputMarks::default());
        bench
    };
    for width in [1, 2, 8] {
        let mut probing = bench(None, 6, width);
        for _ in 0..10 {
            match probing.on_their_way().first() {
                Some(&at) => probing.reply(at, failure(FailureClass::Transient)),
                None => drop(probing.sleep()),
            }
            assert!(probing.on_their_way().iter().all(|at| at % 3 == 0), "{:?}", probing.asks);
            if probing.ending.is_some() {
                break;
            }
        }
        assert!(probing.told.contains(&"OutageBegan".to_owned()));
        if probing.ending.is_none() {
            probing.run_out(|_| answer());
            assert_eq!((&probing.emitted[..], probing.marked.len()), (&[0, 3][..], 0));
        }
    }
    let mut limited = bench(Some(2), 9, 1);
    limited.run_out(|_| answer());
    assert_eq!((limited.sent, &limited.emitted[..]), (2, &[0, 3][..]));
    // The next sample, where the one before was of no use, is asked by a later run if no more may be.
    let mut tried = bench(Some(2), 9, 1);
    tried.run_out(|at| if at == 0 { failure(FailureClass::CutByLength) } else { answer() });
    assert_eq!((tried.sent, &tried.emitted[..]), (2, &[3][..]));
    assert!(matches!(tried.why(), EndReason::Complete), "{:?}", tried.why());
}

#[test]
fn a_proxy_that_wants_another_password_is_an_outage_once_there_were_answers_and_marks_one_row() {
    for (cause, status) in [(Cause::ProxyLogin, 407), (Cause::NetworkLogin, 511)] {
        let ParsedReply::Failure(failure) = failure(ADDRESS) else { unreachable!() };
        let reading = ParsedReply::Failure(Failure { cause, status: Some(status), ..failure });
        let mut bench = Bench::new(rules(4), 60);
        bench.reply(0, answer());
        run_by_the_clock(&mut bench, |_, _| reading.clone());
        assert!(matches!(bench.why(), EndReason::Unreachable(_)), "{:?}", bench.why());
        assert_eq!(bench.marked_rows().len(), 1, "{cause}");
    }
}

#[test]
fn a_404_or_403_of_one_bad_server_among_good_ones_costs_one_more_ask_and_no_row() {
    for reading in [not_found(), failure(FailureClass::Forbidden)] {
        let mut bench = Bench::new(rules(8), 400);
        let mut asked = 0;
        run_by_the_clock(&mut bench, |_, _| {
            asked += 1;
            if asked % 20 == 7 { reading.clone() } else { answer() }
        });
        assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
        assert!(bench.marked_rows().len() <= 2, "{:?}", bench.marked_rows());
        assert!((415..430).contains(&bench.sent), "{}", bench.sent);
    }
}
