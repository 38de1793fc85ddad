//! A question that fails whenever it is asked, told from a service that does not answer.

use super::*;

/// Answers everything but these questions, which fail whenever they are asked, until the run ends.
fn run(bench: &mut Bench, poison: &[QuestionIndex]) {
    run_until(bench, |index, _| match poison.contains(&index) {
        true => failure(FailureClass::Transient),
        false => answer(),
    });
}

/// Replies to every ask, of a question at an endpoint, until the run ends.
fn run_until(bench: &mut Bench, reply: impl Fn(QuestionIndex, u16) -> ParsedReply) {
    for _ in 0..10_000 {
        if bench.ending.is_some() {
            return;
        }
        match bench.asks.first().copied() {
            Some((ask, index)) => {
                bench.now_ms += 10;
                let endpoint = bench.endpoints[&ask];
                bench.reply(index, reply(index, endpoint));
            }
            None => drop(bench.sleep()),
        }
    }
    panic!("the run comes to its end");
}

fn retries(width: u32, waits_s: &[u64]) -> Rules {
    let waits: Vec<_> = waits_s.iter().map(|&s| Duration::from_secs(s)).collect();
    Rules { backoff: OutageBackoff { retries: waits.len() as u32, waits }, ..rules(width) }
}

fn places(of: &[(u16, u16)]) -> Vec<EndpointSpec> {
    of.iter().map(|&(model, endpoint)| EndpointSpec { model, endpoint, limits: None }).collect()
}

#[test]
fn one_at_a_time_a_question_that_fails_while_others_are_answered_is_marked_and_the_run_goes_on() {
    let all: &[(&[u32], &[u64])] = &[
        (&[2], &[60, 120, 240]),
        // The first of all, before anything was answered.
        (&[0], &[60, 120, 240]),
        // Several, in a row too.
        (&[0, 1, 2, 5], &[60, 120, 240]),
        (&[1, 2, 3, 4, 5, 6], &[60, 120, 240]),
        // Retries at once, one, and none.
        (&[2, 3], &[0, 0, 0]),
        (&[0, 4], &[1]),
        (&[2], &[]),
        (&[0, 1, 2], &[]),
    ];
    for (poison, waits) in all {
        let mut bench = Bench::new(retries(1, waits), 30);
        run(&mut bench, poison);
        assert!(
            matches!(bench.why(), EndReason::Complete),
            "{poison:?} {waits:?}: {:?}",
            bench.why()
        );
        let rows: Vec<u64> = poison.iter().map(|&index| u64::from(index) + 2).collect();
        assert_eq!(bench.marked_rows(), rows, "{waits:?}");
        let ledger = bench.ending.as_ref().unwrap().ledger;
        assert_eq!(
            (ledger.gave_up, ledger.answered),
            (poison.len() as u64, 30 - rows.len() as u64)
        );
        let rest: Vec<u32> = (0..30).filter(|index| !poison.contains(index)).collect();
        assert_eq!(bench.emitted, rest, "in the order of the input");
    }
}

#[test]
fn one_at_a_time_the_waits_are_all_waited_before_another_question_is_tried() {
    let mut bench = Bench::new(rules(1), 9);
    bench.reply(0, failure(FailureClass::Transient));
    for wait in [60.0, 120.0, 240.0] {
        assert_eq!(bench.sleep(), wait);
        assert_eq!(bench.on_their_way(), [0]);
        bench.reply(0, failure(FailureClass::Transient));
    }
    let other = bench.on_their_way();
    assert_eq!(other.len(), 1, "one other question, at once");
    assert_ne!(other, [0]);
    assert_eq!(bench.told.iter().filter(|notice| *notice == "OutageCrossCheck").count(), 1);
    assert!(bench.marked.is_empty(), "nothing is marked before it is known whose fault it is");
    bench.reply(other[0], answer());
    assert_eq!(bench.marked_rows(), [2]);
    assert_eq!(bench.on_their_way(), [1]);
}

#[test]
fn a_service_that_dies_for_good_leaves_one_mark_whatever_it_answered_before() {
    for width in [1, 2, 8] {
        let mut bench = Bench::new(rules(width), 200);
        for question in 0..100 {
            bench.reply(question, answer());
        }
        run_until(&mut bench, |_, _| failure(FailureClass::Transient));
        assert!(matches!(bench.why(), EndReason::Unreachable(_)));
        assert_eq!(bench.marked_rows(), [102], "at most {width} at once");
        assert_eq!(bench.ending.as_ref().unwrap().ledger.pending, 100);
    }
}

#[test]
fn the_only_question_that_is_left_is_waited_for_and_marked_once() {
    for count in [1, 7] {
        let mut bench = Bench::new(rules(1), count);
        run(&mut bench, &[count - 1]);
        assert!(matches!(bench.why(), EndReason::Unreachable(_)), "nothing else can be asked");
        assert_eq!(bench.marked_rows(), [u64::from(count) + 1]);
        assert_eq!(bench.emitted.len() as u32, count - 1);
    }
}

#[test]
fn a_few_at_a_time_questions_that_fail_keep_no_other_from_being_asked() {
    for (width, poison, waits) in [
        (2, vec![0, 1], vec![60, 120, 240]),
        (2, vec![0, 1], vec![]),
        (2, vec![0, 1], vec![0]),
        (2, vec![3, 4, 5, 6, 7], vec![1, 1, 1]),
        (5, (0..8).collect(), vec![1]),
        (8, (0..8).collect(), vec![]),
    ] {
        let mut bench = Bench::new(retries(width, &waits), 40);
        run(&mut bench, &poison);
        assert!(matches!(bench.why(), EndReason::Complete), "{width} {poison:?} {waits:?}");
        let ledger = bench.ending.as_ref().unwrap().ledger;
        assert_eq!(ledger.gave_up, poison.len() as u64, "{width} {poison:?} {waits:?}");
        assert_eq!(bench.marked.len(), poison.len());
    }
}

#[test]
fn a_run_that_pauses_at_the_first_failing_question_pauses_at_it_and_not_for_the_service() {
    let mut bench = Bench::new(Rules { pause_on_error: true, ..rules(1) }, 9);
    run(&mut bench, &[2]);
    assert!(matches!(bench.why(), EndReason::Paused), "{:?}", bench.why());
    assert_eq!(bench.marked_rows(), [4]);
}

#[test]
fn a_limit_on_how_many_are_asked_holds_for_the_other_question_too() {
    let limited = |limit| Rules { limit: Some(limit), ..rules(1) };
    let mut bench = Bench::new(limited(1), 9);
    run(&mut bench, &[0]);
    assert!(matches!(bench.why(), EndReason::Unreachable(_)));
    assert_eq!(bench.read, 1);

    let mut bench = Bench::new(limited(3), 9);
    run(&mut bench, &[0]);
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!((bench.marked_rows(), bench.emitted), (vec![2], vec![1, 2]));
}

#[test]
fn at_several_places_the_other_question_is_tried_at_each_before_the_run_ends() {
    for dead in [0, 1] {
        let of = places(&[(0, 0), (0, 1)]);
        let mut bench = Bench::new(Rules { endpoints: of, ..rules(1) }, 12);
        run_until(&mut bench, |index, endpoint| match endpoint == dead || index == 3 {
            true => failure(FailureClass::Transient),
            false => answer(),
        });
        assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
        assert_eq!(bench.marked_rows(), [5], "endpoint {dead} is dead");
    }
}

#[test]
fn of_several_models_and_samples_the_other_question_is_of_another_row_and_of_the_same_model() {
    let of = places(&[(0, 0), (1, 0)]);
    let mut bench = Bench::idle(Rules { endpoints: of, ..rules(1) }, 24);
    bench.models = 2;
    bench.start(4, InputMarks::default());
    // Row 1 fails whatever is asked about it.
    run(&mut bench, &[4, 5, 6, 7]);
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    assert_eq!(bench.ending.as_ref().unwrap().ledger.gave_up, 4);
    assert!(bench.marked_rows().iter().all(|&row| row == 3));
}

#[test]
fn a_question_that_is_refused_as_too_many_for_ever_is_told_from_a_busy_service() {
    let mut bench = Bench::new(rules(1), 9);
    run_until(&mut bench, |index, _| match index {
        0 => failure(FailureClass::Throttled { wait: None, width: None }),
        _ => answer(),
    });
    let ledger = bench.ending.as_ref().unwrap().ledger;
    assert_eq!(ledger.answered, 8);
}

#[test]
fn a_refusal_of_the_other_question_shows_that_the_service_is_there() {
    let mut bench = Bench::new(retries(1, &[1]), 9);
    run_until(&mut bench, |index, _| match index {
        0 => failure(FailureClass::Transient),
        8 => failure(FailureClass::Refused(Refusal::Moderation)),
        _ => answer(),
    });
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    let ledger = bench.ending.as_ref().unwrap().ledger;
    assert_eq!((ledger.answered, ledger.gave_up, ledger.rejected), (7, 1, 1));
}

#[test]
fn a_held_run_tries_no_other_question_before_it_is_let_go() {
    let mut bench = Bench::new(retries(1, &[]), 9);
    bench.event(Event::PauseRequested);
    bench.reply(0, failure(FailureClass::Transient));
    assert!(bench.ending.is_none() && bench.on_their_way().is_empty());
    bench.event(Event::ResumeRequested);
    run(&mut bench, &[0]);
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.marked_rows(), [2]);
}

/// A run of 60 rows, all on their way at once: 30 are answered, then the service takes nothing more, and
/// what is left of the others fails, but for `stragglers` that it had taken before.
fn dies_at_the_tail(of: Rules, stragglers: u32) -> Bench {
    let mut bench =
        Bench::new(Rules { bounds: Bounds { slots_max: 64, is_trusted: true }, ..of }, 60);
    bench.play_until(30, 100);
    let left = bench.on_their_way();
    let (late, failed) = left.split_at(stragglers as usize);
    for &question in failed {
        bench.now_ms += 1;
        bench.reply(question, failure(FailureClass::Transient));
    }
    for &question in late {
        bench.now_ms += 1;
        bench.reply(question, answer());
    }
    bench
}

impl Bench {
    /// Answers the oldest ask every `ms`, until so many are answered.
    fn play_until(&mut self, answered: u64, ms: u64) {
        while self.machine.ledger().answered < answered {
            self.now_ms += ms;
            let question = self.on_their_way()[0];
            self.reply(question, answer());
        }
    }
}

#[test]
fn a_service_that_dies_at_the_tail_is_out_whatever_it_had_taken_before() {
    for stragglers in [1, 9, 20] {
        for of in [rules(64), super::places::two_places(64)] {
            let mut bench = dies_at_the_tail(of, stragglers);
            run_until(&mut bench, |_, _| failure(FailureClass::Transient));
            assert!(matches!(bench.why(), EndReason::Unreachable(_)), "{:?}", bench.why());
            assert_eq!(bench.marked_rows().len(), 1, "{stragglers}");
            assert!(!bench.told.contains(&"OutageEnded".to_owned()));
        }
    }
}

#[test]
fn a_service_that_is_back_after_the_tail_began_to_fail_leaves_no_mark() {
    let mut bench = dies_at_the_tail(rules(64), 9);
    let back_ms = bench.now_ms + 100_000;
    while bench.ending.is_none() {
        match bench.on_their_way().first() {
            Some(&question) if bench.now_ms < back_ms => {
                bench.reply(question, failure(FailureClass::Transient));
            }
            Some(&question) => bench.reply(question, answer()),
            None => drop(bench.sleep()),
        }
    }
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
    assert!(bench.marked.is_empty());
    assert_eq!(bench.told.iter().filter(|notice| *notice == "OutageEnded").count(), 1);
}
