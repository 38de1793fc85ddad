//! Prompts that begin alike: one is asked first.

use super::*;

/// So many prompts begin alike in turn, and the four of a group do for longer.
fn groups(index: QuestionIndex) -> Option<Arc<[u64]>> {
    Some([1, 100 + u64::from(index / 4), 10_000 + u64::from(index)].into())
}

/// All begin alike, and none for longer.
fn one_group(_: QuestionIndex) -> Option<Arc<[u64]>> {
    Some([1].into())
}

/// Fifty documents with four questions each, which come in turn.
fn in_turn(index: QuestionIndex) -> Option<Arc<[u64]>> {
    Some([100 + u64::from(index % 50)].into())
}

fn bench(width: u32, count: u32, prefixes: fn(QuestionIndex) -> Option<Arc<[u64]>>) -> Bench {
    let mut bench = Bench::idle(rules(width), count);
    bench.prefixes = prefixes;
    bench.start(1, InputMarks::default());
    bench
}

fn answer_all(bench: &mut Bench) {
    while let Some(&question) = bench.on_their_way().first() {
        bench.now_ms += 100;
        bench.reply(question, answer());
    }
}

#[test]
fn one_is_asked_first_and_the_others_when_its_reply_begins() {
    let mut bench = bench(8, 40, one_group);
    assert_eq!(bench.on_their_way(), [0]);
    let (ask, _) = bench.asks[0];
    bench.event(Event::Progressed { ask, tokens: 0 });
    assert_eq!(bench.on_their_way(), [0, 1, 2, 3, 4, 5, 6, 7]);
    answer_all(&mut bench);
    assert_eq!(bench.emitted, (0..40).collect::<Vec<_>>(), "in the order of the input");
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn groups_within_a_group_have_a_first_of_their_own() {
    let mut bench = bench(8, 40, groups);
    assert_eq!(bench.on_their_way(), [0]);
    bench.reply(0, answer());
    let sent = bench.on_their_way();
    assert_eq!(sent[..3], [1, 2, 3], "what the first has warmed");
    assert_eq!(sent[3..], [4, 8, 12, 16, 20], "then one of each further group");
    bench.reply(8, answer());
    assert_eq!(bench.on_their_way().last(), Some(&9));
    answer_all(&mut bench);
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn what_is_cached_comes_before_what_begins_otherwise() {
    let mut bench = bench(2, 200, in_turn);
    let mut order = Vec::new();
    while let Some(&question) = bench.on_their_way().first() {
        bench.now_ms += 100;
        order.push(question % 50);
        bench.reply(question, answer());
    }
    let longest = (0..50).map(|document| {
        let at = |(place, of): (usize, &u32)| (*of == document).then_some(place);
        let places: Vec<usize> = order.iter().enumerate().filter_map(at).collect();
        places[3] - places[0]
    });
    assert!(longest.max().unwrap() <= 8, "{order:?}");
    assert_eq!(bench.emitted, (0..200).collect::<Vec<_>>());
}

#[test]
fn a_first_that_fails_is_followed_by_another() {
    for class in [FailureClass::Transient, FailureClass::Empty, FailureClass::CutByLength] {
        let mut bench = bench(4, 12, one_group);
        assert_eq!(bench.on_their_way(), [0]);
        bench.reply(0, failure(class));
        assert_eq!(bench.on_their_way(), [1]);
        bench.reply(1, answer());
        assert_eq!(bench.on_their_way().len(), 4);
        while bench.ending.is_none() {
            answer_all(&mut bench);
            if bench.ending.is_none() {
                bench.sleep();
            }
        }
        assert!(matches!(bench.why(), EndReason::Complete));
    }
}

#[test]
fn a_first_that_hangs_holds_nobody_up_for_longer_than_twenty_seconds() {
    let mut bench = bench(4, 12, one_group);
    assert_eq!(bench.on_their_way(), [0]);
    assert_eq!(bench.sleep(), 20.0);
    assert_eq!(bench.on_their_way(), [0, 1, 2, 3]);
    for question in 1..12 {
        bench.reply(question, answer());
    }
    assert_eq!(bench.on_their_way(), [0]);
    bench.reply(0, answer());
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn a_first_that_is_refused_for_haste_or_dropped_holds_nobody_up() {
    let mut bench = bench(4, 12, one_group);
    let refused = FailureClass::Throttled { wait: Some(Duration::from_secs(2)), width: None };
    bench.reply(0, failure(refused));
    while bench.on_their_way().is_empty() {
        bench.sleep();
    }
    assert_eq!(bench.on_their_way().len(), 1);
    answer_all(&mut bench);
    while bench.ending.is_none() {
        bench.sleep();
        answer_all(&mut bench);
    }
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn what_was_cached_four_minutes_ago_is_so_no_longer() {
    let mut bench = bench(4, 12, one_group);
    bench.reply(0, answer());
    for question in [1, 2, 3] {
        bench.reply(question, failure(FailureClass::Transient));
        bench.now_ms += 300_000;
    }
    while bench.ending.is_none() {
        answer_all(&mut bench);
        if bench.ending.is_none() {
            bench.sleep();
        }
    }
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn prompts_that_begin_alike_are_seen_in_a_wide_window_and_others_are_not_held() {
    let alone = bench(4, 10_000, |index| Some([u64::from(index)].into()));
    let mut none = bench(4, 10_000, |_| None);
    assert_eq!(none.read, 8);
    assert_eq!(alone.read, 4_096, "to see whether any do");
    for question in 0..4 {
        none.reply(question, answer());
    }
    assert!(none.read <= 16);
}
