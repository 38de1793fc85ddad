//! Money as a client meets it, and as the audit counts it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Service, get, post, question, send};
use dset_mock::{Dollars, MockSettings};

fn billing() -> MockSettings {
    MockSettings { price: Some("1/0.02/10".parse().unwrap()), ..MockSettings::default() }
}

/// A prompt of 16 units of 64 tokens, and a question of less than one behind it.
fn long(number: usize) -> String {
    format!("{}Question {number}?", "a document of words ".repeat(160))
}

#[test]
fn what_was_found_in_the_cache_is_told_and_billed_as_such() {
    for (dialect, place) in [
        ("deepseek", "/usage/prompt_cache_hit_tokens"),
        ("openai", "/usage/prompt_tokens_details/cached_tokens"),
    ] {
        let settings = MockSettings { prefix_cache: true, ..billing() };
        let service =
            Service::start(MockSettings { dialect: dialect.parse().unwrap(), ..settings });
        let hits = |number| {
            let usage = service.ask(&long(number)).json();
            usage.pointer(place).and_then(serde_json::Value::as_u64).unwrap()
        };
        assert_eq!([hits(1), hits(2), hits(3)], [0, 1024, 1024], "{dialect}");
        let mut other = question(&long(4));
        other["user_id"] = "somebody else".into();
        let reply = post(service.addr(), "/chat/completions", &[], &other).unwrap().json();
        assert_eq!(reply.pointer(place).unwrap(), 0, "{dialect}");
        let stats = service.stats();
        assert_eq!(stats.begun_tokens_cached, 2048);
        let missed = stats.begun_tokens_in - 2048;
        let sum = missed * 1_000_000 + 2048 * 20_000 + stats.begun_tokens_out * 10_000_000;
        assert_eq!(stats.cost, Dollars(sum));
    }
}

#[test]
fn a_balance_falls_to_nothing_and_then_nobody_is_answered() {
    let service = Service::start(MockSettings {
        balance: Some("0.02".parse().unwrap()),
        tokens_in: Some(1_000),
        tokens_median: Some(900),
        ..billing()
    });
    let balance = || {
        let told = get(service.addr(), "/user/balance").json();
        (told["balance_infos"][0]["total_balance"].clone(), told["is_available"].clone())
    };
    assert_eq!(balance(), ("0.02".into(), true.into()));
    assert_eq!(service.ask("one").status, 200);
    assert_eq!(balance(), ("0.01".into(), true.into()));
    assert_eq!(service.ask("two").status, 200);
    assert_eq!(balance(), ("0.00".into(), false.into()));
    assert_eq!(service.ask("three").status, 402);
    assert_eq!(service.stats().cost, "0.02".parse().unwrap());
}

#[test]
fn a_reply_that_is_lost_is_billed_all_the_same() {
    let service = Service::start(MockSettings {
        on: vec!["slow=hang".parse().unwrap(), "torn=cut".parse().unwrap()],
        tokens_in: Some(1_000),
        tokens_median: Some(900),
        ..billing()
    });
    let body = question("slow").to_string();
    let waits = send(service.addr(), "POST", "/chat/completions", &[], &body).unwrap();
    let one = "0.01".parse().unwrap();
    service.until(|stats| stats.cost == one);
    drop(waits);
    service.until(|stats| stats.in_flight == 0);
    assert_eq!(service.stats().cost, one);
    assert!(!service.ask("torn").is_whole);
    assert_eq!(service.stats().cost, "0.02".parse().unwrap());
    assert_eq!(service.stats().answered, 0);
}
