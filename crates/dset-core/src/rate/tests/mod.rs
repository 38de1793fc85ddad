//! What a refusal, a silence and an outage change, and scenes against a small service.

mod advertised;
mod climb;
mod service;

use service::{Service, Sim, at, run};

use super::*;

const REFUSED: ResponseSignal = ResponseSignal::Refused { wait: None, named: None };
const ANSWERED: ResponseSignal = ResponseSignal::Answered { tokens: Some(300) };

fn pace(slots_max: u32) -> RateController {
    RateController::new(Bounds { slots_max, is_trusted: false })
}

/// Sends until the pace says otherwise.
fn fill(pace: &mut RateController, now: u64) -> Vec<Ticket> {
    let mut sent = Vec::new();
    while pace.may_send(at(now)) == Permit::Now {
        sent.push(pace.sent(at(now)));
    }
    sent
}

fn later(may: Permit) -> u64 {
    match may {
        Permit::NotBefore(then) => then.monotonic_ms,
        other => panic!("a moment was wanted: {other:?}"),
    }
}

/// A pace of 16 that was refused twice without an answer to what was sent between; what is left on
/// its way, and the moment of the first probe.
fn closed() -> (RateController, Vec<Ticket>, u64) {
    let mut pace = pace(16);
    let mut sent = fill(&mut pace, 0);
    pace.on_return(at(60), &sent.remove(0), REFUSED);
    for _ in 0..3 {
        pace.on_return(at(100), &sent.remove(0), ANSWERED);
    }
    let again = fill(&mut pace, 100);
    assert!(!again.is_empty());
    pace.on_return(at(160), &again[0], REFUSED);
    sent.extend(again.into_iter().skip(1));
    let probe_at = later(pace.may_send(at(160)));
    (pace, sent, probe_at)
}

fn hundred() -> Service {
    Service { width: vec![(0, 100)], ..Service::default() }
}

fn bucket() -> Service {
    Service { bucket: Some((100.0, 100.0)), latency: (380.0, 0.3), ..Service::default() }
}

#[test]
fn a_burst_of_refusals_is_cut_once_to_what_is_left_in_flight() {
    let mut pace = pace(16);
    let sent = fill(&mut pace, 0);
    assert_eq!(sent.len(), 16);
    sent[10..].iter().for_each(|sent| pace.on_return(at(60), sent, REFUSED));
    assert_eq!(pace.slots(), 10);
}

#[test]
fn a_rise_by_silence_alone_has_its_moment_and_at_that_moment_the_next_ask_goes() {
    let mut pace = pace(64);
    let mut sent = fill(&mut pace, 0);
    pace.on_return(at(50), &sent.remove(0), REFUSED);
    let mut now = 100;
    let rise = loop {
        assert!(now < 1_000_000, "credit is earned and W looks past its ceiling");
        pace.on_return(at(now), &sent.remove(0), ANSWERED);
        sent.extend(fill(&mut pace, now));
        if let Permit::NotBefore(then) = pace.may_send(at(now)) {
            break then.monotonic_ms;
        }
        now += 1;
    };
    assert!(rise > now);
    assert_eq!(pace.may_send(at(rise)), Permit::Now);
}

#[test]
fn a_probe_is_judged_by_itself_and_not_by_late_answers_of_older_asks() {
    let (mut pace, mut old, probe_at) = closed();
    assert_eq!(pace.may_send(at(probe_at)), Permit::Now);
    let probe = pace.sent(at(probe_at));
    for _ in 0..5 {
        pace.on_return(at(probe_at + 1), &old.remove(0), ANSWERED);
    }
    assert!(later(pace.may_send(at(probe_at + 1))) > probe_at + 2, "one probe at a time");
    pace.on_return(at(probe_at + 40), &probe, REFUSED);
    let next = later(pace.may_send(at(probe_at + 40)));
    assert!(next - (probe_at + 40) > probe_at - 160, "the gap grows");
}

#[test]
fn a_probe_that_is_not_refused_for_four_round_trips_was_let_in() {
    let (mut pace, old, probe_at) = closed();
    assert_eq!(pace.may_send(at(probe_at)), Permit::Now);
    pace.sent(at(probe_at));
    old[..6].iter().for_each(|sent| pace.on_return(at(probe_at), sent, ANSWERED));
    let open = later(pace.may_send(at(probe_at)));
    assert_eq!(pace.may_send(at(open)), Permit::Now);
    assert!(fill(&mut pace, open).len() >= 2, "more than one at a time again");
}

#[test]
fn a_status_line_in_time_lets_a_probe_in_at_once() {
    let (mut pace, old, probe_at) = closed();
    assert_eq!(pace.may_send(at(probe_at)), Permit::Now);
    let probe = pace.sent(at(probe_at));
    old[..6].iter().for_each(|sent| pace.on_return(at(probe_at), sent, ANSWERED));
    pace.accepted(at(probe_at + 1), &probe);
    assert_eq!(pace.may_send(at(probe_at + 1)), Permit::Now);
}

#[test]
fn a_probe_that_was_reset_is_followed_by_another() {
    let (mut pace, _old, probe_at) = closed();
    assert_eq!(pace.may_send(at(probe_at)), Permit::Now);
    let probe = pace.sent(at(probe_at));
    pace.on_return(at(probe_at + 5), &probe, ResponseSignal::Neutral);
    let next = later(pace.may_send(at(probe_at + 5)));
    assert_eq!(pace.may_send(at(next)), Permit::Now);
}

#[test]
fn a_wait_the_service_asks_for_is_kept_in_full() {
    let mut pace = pace(4);
    let sent = fill(&mut pace, 0);
    let wait =
        |seconds| ResponseSignal::Refused { wait: Some(Duration::from_secs(seconds)), named: None };
    pace.on_return(at(0), &sent[0], wait(200));
    pace.on_return(at(10), &sent[1], wait(5));
    pace.on_return(at(20), &sent[2], ANSWERED);
    assert_eq!(pace.paused_until(at(20)), Some(at(200_000)));
    assert_eq!(pace.may_send(at(199_999)), Permit::NotBefore(at(200_000)));
    assert_eq!(pace.paused_until(at(200_000)), None);
}

#[test]
fn with_one_at_a_time_one_is_sent_at_a_time() {
    let mut one = pace(1);
    let sent = one.sent(at(0));
    assert_eq!(one.may_send(at(60_000)), Permit::NotYet);
    one.on_return(at(60_000), &sent, ANSWERED);
    assert_eq!(one.may_send(at(60_000)), Permit::Now);

    let mut sim = Sim::new(Service::default(), 1);
    sim.join(0, pace(1));
    let seen = sim.run(20);
    assert_eq!((seen.total(), seen.refused), (99, 0));
}

#[test]
fn nothing_but_refusals_for_five_minutes_with_one_at_a_time_is_an_outage() {
    let (mut one, mut now) = (pace(1), 0);
    while !one.refused_throughout() {
        now = match one.may_send(at(now)) {
            Permit::NotBefore(then) => then.monotonic_ms,
            may => {
                assert_eq!(may, Permit::Now);
                let sent = one.sent(at(now));
                one.on_return(at(now + 20), &sent, REFUSED);
                now + 20
            }
        };
        assert!(now < 320_000);
    }
    assert!(now >= 300_000);
    let sent = one.sent(at(now));
    one.on_return(at(now), &sent, ANSWERED);
    assert!(!one.refused_throughout());
}

#[test]
fn in_an_outage_nothing_goes_and_after_it_the_width_is_climbed_and_not_jumped_to() {
    let mut pace = pace(500);
    let known =
        LimitSnapshot { ceiling: Some(400), rate_per_minute: None, paced: false, at_unix_ms: 0 };
    pace.restore(at(0), &known, Duration::from_secs(60));
    let mut now = 0;
    let mut sent = Vec::new();
    while sent.len() < 400 {
        sent.extend(fill(&mut pace, now));
        now += 10;
    }
    pace.outage_began(at(now));
    for sent in &sent {
        pace.on_return(at(now), sent, ResponseSignal::Neutral);
    }
    assert_eq!(pace.may_send(at(now + 10_000)), Permit::NotYet);
    let probe = pace.sent(at(now + 10_000));
    pace.on_return(at(now + 10_200), &probe, ANSWERED);
    pace.outage_over(at(now + 10_200));
    assert_eq!(fill(&mut pace, now + 10_200).len(), 100);
    let mut climbing = now + 10_200;
    while pace.slots() < 400 {
        climbing = later(pace.may_send(at(climbing)));
        fill(&mut pace, climbing);
    }
    assert!(climbing < now + 12_000, "a ceiling that is known is reached in seconds");
}

#[test]
fn an_overload_in_a_look_past_the_ceiling_and_a_lone_one_cut_nothing() {
    let mut pace = pace(16);
    let sent = fill(&mut pace, 0);
    pace.on_return(at(10), &sent[0], ResponseSignal::Overloaded { wait: None });
    assert_eq!(pace.slots(), 16);
    pace.on_return(at(10), &sent[1], ANSWERED);
    pace.on_return(at(20), &sent[2], ResponseSignal::Overloaded { wait: None });
    assert_eq!(pace.slots(), 14, "two in fifty are more than 3 %");
}

#[test]
fn the_bound_is_never_exceeded() {
    let mut sim = Sim::new(Service::default(), 1);
    sim.join(0, pace(50));
    let seen = sim.run(20);
    assert_eq!(seen.widths.iter().max(), Some(&50));
    assert_eq!(seen.per_second(15..20), 250.0);
}

#[test]
fn a_limit_that_falls_and_rises_is_followed() {
    let width = vec![(0, 100), (15_000, 20), (27_000, 100)];
    let seen = run(Service { width, ..hundred() }, 1, 40);
    assert!(seen.total() >= 13_000, "{}", seen.total());
    assert!(seen.per_second(33..40) >= 450.0);
    assert!(seen.refused <= 250, "{}", seen.refused);
}

#[test]
fn after_a_time_of_nothing_but_refusals_half_of_the_old_width_is_found_within_two_seconds() {
    let width = vec![(0, 100), (10_000, 0), (30_000, 100)];
    let seen = run(Service { width, ..hundred() }, 1, 50);
    // Half of it: a service that refused with nothing in flight looks like an empty bucket, and the
    // rate that is then measured over its silence is found to be too low only slowly.
    assert!(seen.per_second(32..50) >= 250.0, "{:?}", seen.answers);
}

#[test]
fn a_named_ceiling_is_taken_at_once_and_looked_past_later() {
    let width = vec![(0, 39), (15_000, 80)];
    let seen = run(Service { width, is_named: true, ..hundred() }, 1, 60);
    assert!(seen.widths[5..14].contains(&39), "{:?}", seen.widths);
    assert!(seen.per_second(5..15) >= 190.0);
    assert!(seen.per_second(50..60) >= 380.0, "{:?}", seen.widths);
    assert!(seen.refused <= 60, "{}", seen.refused);
}

#[test]
fn scenes_of_forty_seconds_reach_what_the_service_can_do() {
    let uneven = Service { width: vec![(0, 500)], latency: (1000.0, 0.8), ..hundred() };
    for (name, service, answers, refused) in [
        ("width", hundred(), 18_000, 150),
        ("uneven answers", uneven, 12_000, 60),
        ("stated", Service { states: true, ..bucket() }, 3_800, 10),
        ("waits", Service { waits: true, ..bucket() }, 3_700, 30),
        ("bare", bucket(), 3_850, 80),
        ("two limits", Service { width: vec![(0, 30)], ..bucket() }, 2_800, 60),
        ("two limits, the other", Service { width: vec![(0, 80)], ..bucket() }, 3_700, 80),
    ] {
        for seed in 1..4 {
            let seen = run(service.clone(), seed, 40);
            let (found, wasted) = (seen.total(), seen.refused);
            assert!(found >= answers, "{name} {seed}: {found} answers");
            assert!(wasted <= refused, "{name} {seed}: {wasted} refused");
        }
    }
}

#[test]
fn a_service_that_queues_is_not_swamped() {
    let seen = run(Service { workers: Some(16), ..Service::default() }, 1, 40);
    let mut latencies = seen.latencies_late.clone();
    latencies.sort_unstable();
    assert!(seen.total() >= 3_100, "{}", seen.total());
    assert!(latencies[latencies.len() / 2] <= 300);
}

#[test]
fn refusals_by_chance_are_no_ceiling_and_the_real_one_is_found() {
    // A hundred at once of 314 ms each. One run in fifteen takes some for a limit, for a while.
    let could = 318.0;
    for chance in [0.01, 0.02, 0.05] {
        let mut mean = 0.0;
        for seed in 1..9 {
            let seen = run(Service { chance, latency: (300.0, 0.3), ..hundred() }, seed, 90);
            let rate = seen.per_second(60..90);
            assert!(rate >= 0.6 * could, "{chance} {seed}: {:?}", seen.answers);
            assert!((95..=112).contains(&seen.widths[89]), "{chance} {seed}: {:?}", seen.widths);
            mean += rate / 8.0;
        }
        assert!(mean >= 0.9 * could, "{chance}: {mean}");
    }
}

#[test]
fn an_overload_that_comes_as_often_at_any_width_changes_none() {
    // A hundred at once of 314 ms each.
    for overloaded in [0.05, 0.15] {
        for seed in 1..5 {
            let service = Service { overloaded, latency: (300.0, 0.3), ..hundred() };
            let seen = run(service, seed, 90);
            let rate = seen.per_second(30..90);
            assert!(rate >= 0.9 * 318.0, "{overloaded} {seed}: {:?}", seen.answers);
        }
    }
}

#[test]
fn a_dead_service_is_found_again_and_resets_change_nothing() {
    for seed in 1..4 {
        let service = Service { resets: 0.01, dead: 20_000..25_000, ..hundred() };
        let seen = run(service, seed, 40);
        assert!(seen.answers[25..29].iter().any(|&answers| answers > 0), "{seed}");
        assert!(seen.per_second(35..40) >= 450.0, "{seed}: {:?}", seen.answers);
        assert!(seen.total() >= 14_000, "{seed}: {}", seen.total());
    }
}

#[test]
fn of_two_clients_none_stalls() {
    let mut sim = Sim::new(hundred(), 1);
    sim.join(0, pace(10_000));
    sim.join(5_000, pace(10_000));
    let seen = sim.run(40);
    assert!(f64::from(seen.refused) <= 0.06 * f64::from(seen.total()), "{}", seen.refused);
    for (client, from) in [(0, 2), (1, 7)] {
        let stalled =
            seen.clients[client][from..].windows(5).any(|five| five.iter().all(|&n| n == 0));
        assert!(!stalled, "{client}: {:?}", seen.clients[client]);
    }
}

#[test]
fn what_was_learnt_is_climbed_to_and_not_believed() {
    let learnt = run_and_learn(hundred());
    assert!(learnt.ceiling.is_some_and(|ceiling| (95..=101).contains(&ceiling)), "{learnt:?}");
    let text = serde_json::to_string(&learnt).unwrap();
    assert_eq!(serde_json::from_str::<LimitSnapshot>(&text).unwrap().ceiling, learnt.ceiling);

    for (age, width, least) in [(60, 100, 480.0), (60, 20, 80.0), (3 * 24 * 3600, 100, 0.0)] {
        let mut pace = pace(10_000);
        pace.restore(at(0), &learnt, Duration::from_secs(age));
        let mut sim = Sim::new(Service { width: vec![(0, width)], ..hundred() }, 2);
        sim.join(0, pace);
        let seen = sim.run(20);
        assert!(seen.per_second(2..5) >= least, "{age} s, {width}: {:?}", seen.answers);
        assert!(seen.per_second(10..20) >= 4.5 * width as f64, "{width}: {:?}", seen.answers);
    }
}

fn run_and_learn(service: Service) -> LimitSnapshot {
    let mut sim = Sim::new(service, 1);
    sim.join(0, pace(10_000));
    sim.run_to(20);
    sim.pace(0).limit_snapshot(at(20_000))
}

#[test]
fn a_rate_that_was_measured_across_an_outage_is_none() {
    let mut rate = RequestRate::new();
    rate.emptied(10_000.0, 10_000.0, 50.0, 1_000.0);
    rate.interrupted();
    rate.emptied(70_000.0, 70_000.0, 50.0, 1_500.0);
    assert_eq!(rate.measured(), None);
    rate.emptied(80_000.0, 80_000.0, 50.0, 2_500.0);
    assert_eq!(rate.measured(), Some(0.1));
}

#[test]
fn a_width_that_was_taken_for_a_rate_is_found_out_by_equal_numbers() {
    let mut rate = RequestRate::new();
    rate.emptied(0.0, 0.0, 100.0, 0.0);
    rate.emptied(10_000.0, 10_000.0, 100.0, 5_000.0);
    rate.waited(10_000.0);
    rate.waited(10_000.0);
    assert!(rate.begin_if_clear(10_000.0));
    for episode in 2..8 {
        assert!(!rate.end_if_wrong(episode as f64 * 10_000.0));
        rate.emptied(episode as f64 * 10_000.0, episode as f64 * 10_000.0, 100.0, 5_000.0);
    }
    assert!(rate.end_if_wrong(80_000.0));
    rate.waited(90_000.0);
    rate.waited(90_000.0);
    assert!(!rate.begin_if_clear(90_000.0), "for some minutes no rate is tried");
}

/// Five a second and no burst, each of ten seconds.
fn smooth() -> Service {
    let (bucket, latency) = (Some((5.0, 1.0)), (10_000.0, 0.2));
    Service { bucket, latency, round_trip: 60, ..Service::default() }
}

#[test]
fn a_rate_that_allows_no_burst_is_no_width() {
    for waits in [false, true] {
        let seen = run(Service { waits, ..smooth() }, 1, 120);
        let rate = seen.per_second(60..120);
        assert!(rate > 4.3, "waits {waits}: {:?}", seen.answers);
        assert!(seen.refused < 60, "waits {waits}: {}", seen.refused);
    }
}

#[test]
fn a_rate_that_allows_no_burst_and_answers_at_once_is_found_too() {
    let seen = run(Service { bucket: Some((1.0, 1.0)), latency: (500.0, 0.2), ..smooth() }, 1, 240);
    assert!(seen.per_second(60..240) > 0.8, "{:?}", seen.answers);
    assert!(seen.refused < 60, "{}", seen.refused);
}

#[test]
fn a_rate_without_bursts_is_kept_over_an_outage_and_by_the_next_run() {
    let seen = run(Service { dead: 60_000..70_000, ..smooth() }, 1, 240);
    assert!(seen.per_second(120..240) > 4.3, "{:?}", seen.answers);
    let learnt = LimitSnapshot {
        ceiling: Some(68),
        rate_per_minute: Some(290.0),
        paced: true,
        at_unix_ms: 0,
    };
    let mut pace = pace(10_000);
    pace.restore(at(0), &learnt, Duration::from_secs(1));
    let mut sim = Sim::new(smooth(), 1);
    sim.join(0, pace);
    let seen = sim.run(240);
    assert!(seen.per_second(60..240) > 4.3, "{:?}", seen.answers);
    assert!(seen.refused < 60, "{}", seen.refused);
}

#[test]
fn one_ask_is_the_price_of_knowing_that_a_width_is_none_of_a_rate() {
    for width in [1, 3] {
        let narrow = Service { width: vec![(0, width)], latency: (10_000.0, 0.0), ..smooth() };
        let seen = run(Service { bucket: None, ..narrow }, 1, 9);
        assert_eq!(seen.refused as usize, 16 - width + 1, "{width}");
    }
}
