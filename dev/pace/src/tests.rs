//! The simulator itself, with senders whose fate is known.

use crate::client::Sender;
use crate::seen::Observations;
use crate::service::{Bound, Service, ServiceFaults};
use crate::simulate::simulate;
use crate::{mock, scenes, services};

fn named(name: &str) -> Service {
    let mut all = services::all();
    all.extend(scenes::all());
    all.into_iter().find(|service| service.name == name).expect("there is such a service")
}

fn run(name: &str, sender: Sender) -> Observations {
    simulate(&named(name), 1, vec![sender])
}

fn answers(seen: &Observations) -> u32 {
    seen.answers(0, u32::MAX)
}

#[test]
fn an_all_knowing_sender_gets_what_the_limit_yields_and_is_never_refused() {
    // A hundred at once, each 200 ms and half a round trip of 2 ms: 19,900 in 40 s.
    let seen = run("A1", Sender::Oracle);
    assert!((19_750..=19_900).contains(&answers(&seen)), "{}", answers(&seen));
    // Not where tokens are charged at the end: what is admitted cannot be known half a way before.
    for name in ["A1", "A4h", "S2", "S4w", "X2", "X3"] {
        assert_eq!(run(name, Sender::Oracle).wasted(), 0, "{name}");
    }
}

#[test]
fn a_bucket_yields_its_rate_and_its_burst() {
    // 100 a second for 40 s, and 100 that were there; those of the last half second are on the way.
    let got = answers(&run("A4b", Sender::Oracle));
    assert!((4_030..=4_100).contains(&got), "{got}");
}

#[test]
fn a_fixed_width_at_the_limit_gets_all_but_its_round_trips() {
    let (fixed, most) = (run("S1", Sender::Fixed(500)), run("S1", Sender::Oracle));
    assert_eq!(fixed.wasted(), 0);
    assert!(f64::from(answers(&fixed)) > 0.99 * f64::from(answers(&most)));
}

#[test]
fn a_fixed_width_above_the_limit_is_refused_once_a_round_trip() {
    let seen = run("A1", Sender::Fixed(101));
    // One too many, back after about 2 ms, for 40 s; less while a hundred ends and begins at once.
    assert!((12_000..20_000).contains(&seen.refusals(0)), "{}", seen.refusals(0));
    assert!(answers(&seen) > 19_500);
}

#[test]
fn a_fixed_width_above_the_slots_of_a_queue_waits_longer_and_gets_no_more() {
    let (narrow, wide) = (run("A6", Sender::Fixed(16)), run("A6", Sender::Fixed(64)));
    assert!(wide.latency_median_ms(15) > 3.9 * narrow.latency_median_ms(15));
    assert!(answers(&wide) < answers(&narrow) + 64);
}

#[test]
fn a_service_that_gets_slower_yields_four_fifths_at_four_times_its_knee() {
    let (oracle, wide) = (run("S6k", Sender::Oracle), run("S6k", Sender::Fixed(6_400)));
    let rate = |seen: &Observations| f64::from(seen.answers(600, 1200));
    let share = rate(&oracle) / rate(&wide);
    assert!((0.75..0.87).contains(&share), "{share}");
}

#[test]
fn a_dead_service_answers_nothing_and_is_probed() {
    let service = Service {
        trouble: ServiceFaults { dead_s: Some((10.0, 20.0)), ..ServiceFaults::default() },
        ..named("A1")
    };
    let seen = simulate(&service, 1, vec![Sender::Fixed(100)]);
    assert_eq!(seen.answers(11, 20), 0);
    let probes: u32 = seen.seconds[11..20].iter().map(|second| second.sent).sum();
    assert!((1..=4).contains(&probes), "{probes}");
    // After 2, 3.2 and 5.1 s: the third finds it again.
    assert!(seen.answers(20, 22) > 0);
}

#[test]
fn a_limit_that_falls_refuses_and_gives_back_when_it_rises() {
    let seen = run("A3", Sender::Fixed(100));
    assert!(seen.refused_percent(0) > 0.0);
    let rate = |from, to| seen.answers(from, to) / (to - from);
    assert!(rate(5, 15) > 480 && (95..=105).contains(&rate(17, 27)) && rate(28, 40) > 480);
}

#[test]
fn two_clients_of_the_same_width_share_alike() {
    let service = Service { clients_at_s: &[0.0, 0.0], ..named("A9") };
    let seen = simulate(&service, 1, vec![Sender::Fixed(50), Sender::Fixed(50)]);
    assert!(seen.fairness(5) > 0.98);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let per_second = |seed| {
        let seen = simulate(&named("A7"), seed, vec![Sender::pace()]);
        seen.seconds.iter().map(|second| (second.answered, second.refused)).collect::<Vec<_>>()
    };
    assert_eq!(per_second(3), per_second(3));
    assert_ne!(per_second(3), per_second(4));
}

#[test]
fn every_scene_has_flags_that_make_the_pretended_service_so() {
    let flags = |name| mock::flags(&named(name)).unwrap().join(" ");
    assert_eq!(
        flags("A3"),
        "--latency-ms 200 --concurrency-max 100 --concurrency-at 15=20 --concurrency-at 27=100"
    );
    assert_eq!(
        flags("A5h"),
        "--latency-ms 500 --tokens-per-s 60 --tpm 2400000 --burst-s 10 --tokens-in 300 \
         --tokens-median 60 --tokens-sigma 0.8 --rate-headers"
    );
    for scene in scenes::all() {
        assert!(mock::flags(&scene).is_ok(), "{}", scene.name);
    }
}

#[test]
fn the_counters_of_a_pretended_service_are_held_to_the_same_bounds() {
    let second = serde_json::json!({"answered": 480, "refused": 2, "in_flight_max": 100});
    let stats = serde_json::json!({"seconds": vec![second; 50], "latency_ms_p50": 201.0});
    let scene = named("A1");
    let seen = Observations::counted(&scene, &stats);
    assert_eq!((answers(&seen), seen.refusals(0)), (40 * 480, 80));
    let kept = |bound| seen.check(bound).expect("it needs no oracle").0;
    assert!(scene.bounds.iter().all(|bound| kept(*bound)));
    assert!(!kept(Bound::Answers(19_201)) && !kept(Bound::Latency(15, 200.0)));
    assert!(!kept(Bound::Shows(5, 40, 39)) && kept(Bound::Shows(5, 40, 99)));
}

#[test]
fn a_client_without_an_answer_stalls_from_its_beginning_to_the_end() {
    let mut seen = Observations::new(&named("A9"));
    seen.acknowledged(0, (1..400).map(|tenth| tenth * 100_000));
    assert_eq!(seen.stall_s(), 35.0, "the second client began after 5 s");
    seen.acknowledged(1, [6_000_000, 20_000_000, 39_000_000, 41_000_000]);
    assert_eq!(seen.stall_s(), 19.0);
}
