//! What somebody who watches may want: to hold the run, to let it go on, to try the service now.

use super::places::two_places;
use super::*;

fn now(bench: &Bench) -> Time {
    Time { monotonic_ms: bench.now_ms, unix_ms: 0 }
}

#[test]
fn a_run_that_is_held_takes_what_comes_and_sends_nothing_until_it_is_let_go() {
    let mut bench = Bench::new(rules(2), 6);
    bench.event(Event::PauseRequested);
    bench.reply(0, answer());
    bench.reply(1, answer());
    assert!(bench.on_their_way().is_empty() && bench.ending.is_none());
    assert!(bench.machine.snapshot(now(&bench)).is_paused);
    assert_eq!(bench.emitted, [0, 1], "what came in is written");
    bench.event(Event::ResumeRequested);
    assert_eq!(bench.on_their_way(), [2, 3]);
}

#[test]
fn a_run_that_is_held_in_an_outage_does_not_probe_and_can_be_stopped() {
    let mut bench = Bench::new(rules(1), 2);
    bench.reply(0, failure(FailureClass::Transient));
    bench.event(Event::PauseRequested);
    bench.now_ms += 600_000;
    bench.event(Event::TimerFired);
    assert!(bench.on_their_way().is_empty());
    bench.event(Event::Stopped(StopSignal::Interrupt));
    assert!(matches!(bench.why(), EndReason::Stopped(StopSignal::Interrupt)));
}

#[test]
fn a_service_that_is_out_is_tried_at_once_and_that_costs_no_retry() {
    let mut bench = Bench::new(rules(1), 3);
    bench.reply(0, failure(FailureClass::Transient));
    for _ in 0..200 {
        bench.event(Event::ProbeRequested);
        assert_eq!(bench.on_their_way(), [0]);
        bench.event(Event::ProbeRequested);
        assert_eq!(bench.on_their_way(), [0], "one probe at a time");
        bench.reply(0, failure(FailureClass::Transient));
    }
    let outage = bench.machine.snapshot(now(&bench)).outage.expect("it is still out");
    assert_eq!((outage.retry, outage.of), (1, 3));
    assert_eq!(bench.sleep(), 60.0, "the schedule goes on as if nothing had been tried");
    bench.reply(0, failure(FailureClass::Transient));
    bench.event(Event::ProbeRequested);
    bench.reply(0, answer());
    assert!(bench.told.contains(&"OutageEnded".to_owned()));
}

#[test]
fn a_wait_that_the_service_asked_for_is_kept_whoever_wants_to_try() {
    let throttled = FailureClass::Throttled { wait: Some(Duration::from_secs(300)), width: None };
    let mut bench = Bench::new(rules(1), 2);
    bench.reply(0, failure(FailureClass::Transient));
    bench.sleep();
    bench.reply(0, failure(throttled));
    bench.event(Event::ProbeRequested);
    assert!(bench.on_their_way().is_empty());
    assert_eq!(bench.sleep(), 300.0);
    assert_eq!(bench.on_their_way(), [0]);
}

#[test]
fn a_place_that_is_out_is_tried_at_once() {
    let mut bench = Bench::new(two_places(12), 400);
    bench.fail_at(0);
    bench.fail_at(0);
    assert_eq!(bench.at(0), 0);
    bench.event(Event::ProbeRequested);
    let alive = bench.asks.iter().find(|(ask, _)| bench.endpoints[ask] == 1).unwrap().1;
    bench.reply(alive, answer());
    assert_eq!(bench.at(0), 1);
}

#[test]
fn whoever_watches_sees_what_is_waited_for_and_why() {
    let mut bench = Bench::new(rules(4), 40);
    bench.reply(0, answer());
    bench.reply(1, failure(FailureClass::Transient));
    bench.reply(2, answer());
    let ask = bench.asks[0].0;
    bench.event(Event::Progressed { ask, tokens: 7 });
    let snapshot = bench.machine.snapshot(now(&bench));
    assert_eq!((snapshot.retrying, &snapshot.retrying_causes[..]), (1, &[("server error", 1)][..]));
    assert!(snapshot.retry_at.is_some());
    let longest = &snapshot.longest[0];
    assert_eq!((longest.question.index, longest.has_begun, longest.tokens), (3, true, 7));
    assert!(!snapshot.throttled);
    bench.reply(3, failure(FailureClass::Throttled { wait: None, width: None }));
    assert!(bench.machine.snapshot(now(&bench)).throttled);
}
