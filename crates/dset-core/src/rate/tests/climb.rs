//! How quickly a run widens, and what that costs where a service is narrow, slow or queues.

use super::*;

/// Sends all that may be sent until this moment; nothing comes back.
fn in_silence(pace: &mut RateController, until: u64) -> usize {
    let (mut now, mut sent) = (0, 0);
    loop {
        sent += fill(pace, now).len();
        match pace.may_send(at(now)) {
            Permit::NotBefore(then) if then.monotonic_ms <= until => now = then.monotonic_ms,
            _ => return sent,
        }
    }
}

#[test]
fn a_number_that_the_user_gave_is_climbed_to_at_once_and_given_up_at_the_first_refusal() {
    let trusted = |slots_max| RateController::new(Bounds { slots_max, is_trusted: true });
    assert_eq!(in_silence(&mut trusted(256), 250), 256);
    assert_eq!(in_silence(&mut trusted(10_000), 250), 256, "as far as others would believe it");
    let mut pace = trusted(256);
    let mut sent = fill(&mut pace, 0);
    assert_eq!(sent.len(), 16);
    pace.on_return(at(5), &sent.remove(0), REFUSED);
    assert!(in_silence(&mut pace, 10_000) < 16);
}

/// How long so many answers take, in milliseconds, with `-c` where it is given.
fn takes(asks: usize, service: Service, concurrency: Option<u32>) -> u64 {
    let bounds =
        Bounds { slots_max: concurrency.unwrap_or(10_000), is_trusted: concurrency.is_some() };
    let mut sim = Sim::new(service, 1);
    sim.join(0, RateController::new(bounds));
    sim.run(15).answered_at[asks - 1]
}

fn even(latency: f64) -> Service {
    Service { latency: (latency, 0.0), ..Service::default() }
}

#[test]
fn before_an_answer_the_climb_waits_for_a_silence_and_goes_to_four_times_its_beginning() {
    assert_eq!(in_silence(&mut pace(10_000), 1_499), 16);
    assert_eq!(in_silence(&mut pace(10_000), 2_500), 32);
    assert_eq!(in_silence(&mut pace(10_000), 60_000), 68);
}

#[test]
fn a_short_job_is_not_mostly_climb() {
    let ms = takes(2_000, even(200.0), None);
    assert!(ms <= 2_350, "850 a second: {ms}");
    for round_trip in [2, 60] {
        let ms = takes(1_500, Service { round_trip, ..even(5_000.0) }, None);
        assert!(ms <= 10_800, "two times five seconds, and little more: {ms}");
    }
}

#[test]
fn a_width_of_a_thousand_is_had_within_two_seconds() {
    let mut sim = Sim::new(even(200.0), 1);
    sim.join(0, RateController::new(Bounds { slots_max: 1_024, is_trusted: true }));
    let seen = sim.run(4);
    assert!(seen.per_second(2..4) >= 0.95 * 5_120.0, "{:?}", seen.answers);
}

#[test]
fn a_late_timer_costs_no_step() {
    for (late_ms, steps) in [(10.0, 1), (50.0, 5), (5_000.0, 5)] {
        let mut limit = ConcurrencyLimit::new(10_000, false);
        limit.climb_mut().judged(1_000.0);
        limit.climb_mut().let_in(64);
        limit.passed(late_ms, late_ms, 16, 400.0);
        assert!((limit.width() - 16.0 * 1.03_f64.powi(steps)).abs() < 0.01, "{late_ms}");
    }
}

#[test]
fn a_bucket_of_sixty_and_a_width_of_four_refuse_few_in_their_first_minute() {
    let bucket = Service { bucket: Some((1.0, 60.0)), ..Service::default() };
    let four = Service { width: vec![(0, 4)], ..Service::default() };
    for (name, service, latency, refused) in [
        ("sixty a minute", &bucket, 1_000.0, 12),
        ("sixty a minute, slow", &bucket, 5_000.0, 20),
        ("four at once", &four, 1_000.0, 14),
        ("four at once, slow", &four, 5_000.0, 12),
    ] {
        for round_trip in [2, 60] {
            let service = Service { latency: (latency, 0.0), round_trip, ..service.clone() };
            let seen = run(service, 1, 60);
            assert!(seen.refused <= refused, "{name} {round_trip}: {} refused", seen.refused);
        }
    }
}

#[test]
fn answers_that_are_even_but_not_side_by_side_let_it_go_no_farther() {
    for (workers, most) in [(4, 68), (8, 100), (15, 420)] {
        let seen = run(Service { workers: Some(workers), ..even(5_000.0) }, 1, 60);
        let widest = seen.widths.iter().max().unwrap();
        assert!(*widest <= most, "{workers}: {:?}", seen.widths);
    }
    let seen = run(Service { workers: Some(16), ..even(5_000.0) }, 1, 600);
    let slowest = seen.latencies_late.iter().max().unwrap();
    assert!(*slowest <= 485_000, "within a cut-off of ten minutes: {slowest}");
}

#[test]
fn after_a_refusal_answers_free_one_slot_then_two_then_four() {
    let mut pace = pace(16);
    let mut sent = fill(&mut pace, 0);
    pace.on_return(at(60), &sent.remove(0), REFUSED);
    for sent in &sent {
        pace.on_return(at(5_000), sent, ANSWERED);
    }
    let mut now = 5_000;
    for size in [1, 2, 4] {
        assert_eq!(fill(&mut pace, now).len(), size);
        now = later(pace.may_send(at(now)));
    }
    let trial = fill(&mut pace, now);
    pace.on_return(at(now + 60), &trial[0], REFUSED);
    assert_eq!(fill(&mut pace, now + 60).len(), 0, "refused twice: closed");
}

#[test]
fn after_a_wait_that_was_asked_for_half_is_sent_and_the_rest_climbed_to() {
    let mut pace = pace(100);
    let known = LimitSnapshot { ceiling: Some(100), ..pace.limit_snapshot(at(0)) };
    pace.restore(at(0), &known, Duration::ZERO);
    let mut now = 0;
    let mut sent = fill(&mut pace, now);
    while sent.len() < 100 {
        now += 10;
        sent.extend(fill(&mut pace, now));
    }
    sent.drain(..20).for_each(|sent| pace.on_return(at(now), &sent, ANSWERED));
    sent.extend(fill(&mut pace, now));
    let wait = Some(Duration::from_secs(1));
    pace.on_return(at(now), &sent.pop().unwrap(), ResponseSignal::Refused { wait, named: None });
    now += 500;
    sent.iter().for_each(|sent| pace.on_return(at(now), sent, ANSWERED));
    assert!(fill(&mut pace, now).is_empty());
    let first = fill(&mut pace, now + 500).len();
    assert!((49..=60).contains(&first), "{first}");
}
