//! Limits as a client meets them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Service, get, question, read, send};
use dset_mock::{MockSettings, RetryAfter, Window};

fn hanging(text: &str) -> Vec<dset_mock::TextFault> {
    vec![format!("{text}=hang").parse().unwrap()]
}

fn start(service: &Service, text: &str) -> std::net::TcpStream {
    let body = question(text).to_string();
    send(service.addr(), "POST", "/chat/completions", &[], &body).unwrap()
}

#[test]
fn more_at_once_than_allowed_are_refused_and_only_when_wanted_told_how_many_are() {
    for name_limit in [false, true] {
        let service = Service::start(MockSettings {
            concurrency_max: Some(2),
            name_limit,
            on: hanging("slow"),
            ..MockSettings::default()
        });
        let slow = [start(&service, "slow 1"), start(&service, "slow 2")];
        service.until(|stats| stats.in_flight == 2);
        let refused = service.ask("quick");
        assert_eq!((refused.status, refused.header("retry-after")), (429, None));
        let error = &refused.json()["error"];
        assert_eq!(error["type"], "rate_limit_error");
        let named = "Your current concurrency is 3, which exceeds your concurrency limit of 2 based \
                     on your remaining balance. Please top up your balance to restore your \
                     concurrency.";
        let bare = "Rate limit reached for requests";
        assert_eq!(error["message"], if name_limit { named } else { bare });
        drop(slow);
        service.until(|stats| stats.in_flight == 0);
        assert_eq!(service.ask("quick").status, 200);
        let stats = service.stats();
        assert_eq!((stats.answered, stats.refused[&429], stats.in_flight_max), (1, 1, 3));
        assert_eq!(stats.seconds.iter().map(|second| second.answered).sum::<u64>(), 1);
        assert_eq!(stats.seconds.iter().map(|second| second.refused).sum::<u64>(), 1);
        assert_eq!(stats.seconds.iter().map(|second| second.in_flight_max).max(), Some(3));
    }
}

#[test]
fn more_at_once_than_a_service_bears_get_a_529() {
    let service = Service::start(MockSettings {
        overload_max: Some(1),
        on: hanging("slow"),
        ..MockSettings::default()
    });
    let _slow = start(&service, "slow");
    service.until(|stats| stats.in_flight == 1);
    assert_eq!(service.ask("quick").status, 529);
    assert_eq!(service.stats().faults["529"], 1);
}

#[test]
fn a_service_with_slots_lets_the_others_wait_and_refuses_nobody() {
    let service =
        Service::start(MockSettings { slots: Some(1), on: hanging("slow"), ..Default::default() });
    let slow = start(&service, "slow");
    service.until(|stats| stats.faults.contains_key("hang"));
    let (second, third) = (start(&service, "second"), start(&service, "third"));
    service.until(|stats| stats.in_flight == 3);
    assert_eq!(service.stats().answered, 0);
    // Who leaves the queue takes no place.
    drop(second);
    service.until(|stats| stats.in_flight == 2);
    drop(slow);
    assert_eq!(read(third).unwrap().status, 200);
    assert_eq!(service.stats().answered, 1);
}

#[test]
fn a_limit_per_minute_says_when_there_is_room() {
    for window in [Window::Bucket, Window::Fixed] {
        let service = Service::start(MockSettings {
            rpm: Some(1),
            tpm: Some(6_000),
            window,
            tokens_in: Some(300),
            retry_after: Some(RetryAfter::Auto),
            rate_headers: true,
            ..MockSettings::default()
        });
        let answered = service.ask("first");
        assert_eq!(answered.status, 200);
        for (name, value) in [
            ("x-ratelimit-limit-requests", "1"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-limit-tokens", "6000"),
            ("x-ratelimit-remaining-tokens", "5700"),
        ] {
            assert_eq!(answered.header(name), Some(value), "{name}");
        }
        let refused = service.ask("second");
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((30..=60).contains(&wait), "{wait}");
        assert!(refused.header("x-ratelimit-reset-requests").unwrap().ends_with('s'));
        assert_eq!(service.ask("second").status, 429);
        let stats = service.stats();
        assert_eq!((stats.too_early, stats.asks_minute_max, stats.tokens_in), (1, 3, 300));
    }
}

#[test]
fn tokens_of_an_answer_are_charged_and_take_time() {
    let service = Service::start(MockSettings {
        tpm: Some(600),
        tokens_in: Some(300),
        tokens_median: Some(60),
        tokens_per_s: Some(1_000.0),
        ..MockSettings::default()
    });
    let usage = service.ask("first").json()["usage"].clone();
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&300.into(), &60.into()));
    // 240 are left.
    let refused = service.ask("second");
    assert_eq!((refused.status, refused.header("retry-after")), (429, None));
    let stats = service.stats();
    assert_eq!((stats.tokens_in, stats.tokens_out, stats.tokens_minute_max), (300, 60, 360));
    assert!(stats.latency_ms_p50 >= 59.0 && stats.latency_ms_p99 >= 59.0, "{stats:?}");
}

#[test]
fn an_answer_takes_at_least_the_shorter_of_two_times() {
    let settings = MockSettings { latency_ms: 20, latency_to_ms: Some(30), ..Default::default() };
    let service = Service::start(settings);
    for question in ["a", "b", "c"] {
        assert_eq!(service.ask(question).status, 200);
    }
    assert!(service.stats().latency_ms_p50 >= 19.5, "{:?}", service.stats());
}

#[test]
fn the_audit_is_served_as_json() {
    let service = Service::start(MockSettings::default());
    service.ask("first");
    let stats = get(service.addr(), "/stats").json();
    for (field, value) in [("asked", 1), ("answered", 1), ("left", 0), ("asks_minute_max", 1)] {
        assert_eq!(stats[field], value, "{field}");
    }
    assert_eq!(stats["seconds"][0]["in_flight_max"], 1);
    assert_eq!(stats["refused"], serde_json::json!({}));
}
