//! Limits that the headers of replies state.

use proptest::prelude::*;

use super::*;
use crate::provider::Quota;

/// Counts what the stated limits let through in a minute, asked every millisecond.
fn in_a_minute(stated: &mut AdvertisedLimits) -> u32 {
    let mut count = 0;
    for now in 1_000..61_000 {
        while stated.ready_at(f64::from(now)).is_none() {
            stated.take();
            count += 1;
        }
    }
    count
}

fn quota(limit: u64, remaining: u64, reset_s: u64) -> Option<Quota> {
    let reset = Some(Duration::from_secs(reset_s));
    Some(Quota { limit: Some(limit), remaining: Some(remaining), reset })
}

#[test]
fn stated_limits_of_asks_and_tokens_are_kept_and_the_smaller_wins() {
    for (asks, tokens, least, most) in [
        (quota(6_000, 1_000, 50), None, 5_700, 6_000),
        (None, quota(2_400_000, 400_000, 50), 5_700, 6_000),
        (quota(6_000, 1_000, 50), quota(600_000, 100_000, 50), 1_425, 1_500),
        (quota(1_500, 200, 50), quota(2_400_000, 400_000, 50), 1_425, 1_500),
    ] {
        let mut stated = AdvertisedLimits::default();
        (0..10).for_each(|_| stated.answered(400));
        stated.observe_headers(at(1_000), &RateLimits { asks, tokens }, 0);
        let count = in_a_minute(&mut stated);
        assert!((least..=most).contains(&count), "{asks:?} {tokens:?}: {count}");
    }
}

#[test]
fn a_quota_of_the_day_is_no_pace_and_once_it_is_gone_a_near_reset_is_waited_for() {
    let mut stated = AdvertisedLimits::default();
    stated.observe_headers(
        at(0),
        &RateLimits { asks: quota(14_400, 14_370, 180), tokens: None },
        0,
    );
    assert_eq!(stated.ready_at(1.0), None);
    stated.observe_headers(at(0), &RateLimits { asks: quota(14_400, 0, 300), tokens: None }, 0);
    assert_eq!(stated.ready_at(1.0), Some(300_000.0));
    assert_eq!(stated.ready_at(300_000.0), None);
    // When all of it is back says little about the next ask; a refusal will.
    stated.observe_headers(at(0), &RateLimits { asks: quota(14_400, 0, 86_000), tokens: None }, 0);
    assert_eq!(stated.ready_at(1.0), None);
}

#[test]
fn a_surplus_that_is_refused_is_spent_no_more() {
    let mut stated = AdvertisedLimits::default();
    let limits = RateLimits { asks: quota(6_000, 6_000, 0), tokens: None };
    stated.observe_headers(at(1_000), &limits, 0);
    assert!(in_a_minute(&mut stated) > 10_000);
    let mut stated = AdvertisedLimits::default();
    stated.observe_headers(at(1_000), &limits, 0);
    stated.refused(2_000.0, 1_500.0);
    assert!(in_a_minute(&mut stated) <= 6_000);
}

/// Plays a window of so many in so many seconds, with resets in whole seconds; returns what was let
/// in and refused in the fifth minute. What headers say is `limit`.
fn in_windows(stated: &mut AdvertisedLimits, let_in: u64, limit: u64, seconds: u64) -> (u32, u32) {
    let (mut window, mut used, mut counted) = (0, 0, (0, 0));
    stated.observe_headers(
        at(0),
        &RateLimits { asks: quota(limit, limit, seconds), tokens: None },
        0,
    );
    for now in 1..300_000 {
        if now / (seconds * 1000) != window {
            (window, used) = (now / (seconds * 1000), 0);
        }
        while stated.ready_at(now as f64).is_none() {
            stated.take();
            let is_refused = used == let_in;
            used += u64::from(!is_refused);
            let reset_s = ((window + 1) * seconds * 1000 - now).div_ceil(1000);
            let asks = quota(limit, limit - used, reset_s);
            stated.observe_headers(at(now), &RateLimits { asks, tokens: None }, 0);
            if is_refused {
                stated.refused(now as f64, now as f64);
            }
            if now >= 240_000 {
                counted.0 += u32::from(!is_refused);
                counted.1 += u32::from(is_refused);
            }
        }
    }
    counted
}

#[test]
fn a_stated_limit_of_less_than_a_minute_is_found_by_what_comes_back() {
    for (limit, seconds, least) in [(1, 1, 55), (5, 1, 270), (10, 1, 550), (20, 10, 110)] {
        let (let_in, refused) = in_windows(&mut AdvertisedLimits::default(), limit, limit, seconds);
        assert!(let_in >= least, "{limit} in {seconds} s: {let_in}");
        assert!(refused <= let_in / 50, "{limit} in {seconds} s: {refused} refused");
    }
    for limit in [1, 3, 10, 60, 600, 6000] {
        let mut stated = AdvertisedLimits::default();
        in_windows(&mut stated, limit, limit, 60);
        // With nothing left it goes on as fast as a minute's limit allows.
        stated.observe_headers(
            at(1_000),
            &RateLimits { asks: quota(limit, 0, 50), tokens: None },
            0,
        );
        assert!(u64::from(in_a_minute(&mut stated)) <= limit, "{limit} in a minute");
    }
}

#[test]
fn a_span_that_is_refused_is_taken_for_longer_again() {
    // It says 10 and a second, and lets in 2.
    let (let_in, refused) = in_windows(&mut AdvertisedLimits::default(), 2, 10, 1);
    assert!(let_in >= 30 && refused <= let_in / 5, "{let_in}, {refused} refused");
}

/// Plays a bucket of `depth` filled every `each_ms`, that names the time until the next ask and 0 while
/// any remain; returns what was let in and refused in ten minutes.
fn in_a_bucket(depth: u64, each_ms: u64) -> (u32, u32) {
    let mut stated = AdvertisedLimits::default();
    let (mut level, mut full_at, mut counted) = (depth, 0, (0, 0));
    stated.observe_headers(at(0), &RateLimits { asks: quota(depth, depth, 0), tokens: None }, 0);
    for now in 1..600_000 {
        while level < depth && now >= full_at + each_ms {
            level += 1;
            full_at += each_ms;
        }
        while stated.ready_at(now as f64).is_none() {
            stated.take();
            let is_refused = level == 0;
            if level == depth {
                full_at = now;
            }
            level -= u64::from(!is_refused);
            let reset = if level == 0 { full_at + each_ms - now } else { 0 };
            let mut asks = quota(depth, level, 0);
            asks.as_mut().unwrap().reset = Some(Duration::from_millis(reset));
            stated.observe_headers(at(now), &RateLimits { asks, tokens: None }, 0);
            if is_refused {
                stated.refused(now as f64, now as f64);
            }
            counted.0 += u32::from(!is_refused);
            counted.1 += u32::from(is_refused);
        }
    }
    counted
}

#[test]
fn a_bucket_whose_reset_is_the_time_until_the_next_ask_is_asked_on() {
    for (depth, each_ms) in [(20, 3_000), (30, 2_000), (10, 6_000), (2, 30_000)] {
        let (let_in, refused) = in_a_bucket(depth, each_ms);
        let possible = 600_000 / each_ms as u32;
        assert!(let_in >= possible * 9 / 10, "{depth} every {each_ms} ms: {let_in}");
        assert!(refused <= let_in, "{depth} every {each_ms} ms: {refused} refused");
    }
}

proptest! {
    /// Were the search for a span endless, this would hang.
    #[test]
    fn no_sequence_of_headers_and_refusals_is_thought_about_without_end(
        phases in prop::collection::vec(
            (
                prop::sample::select(vec![0, 1, 2, 10, 60, 1_000, u64::MAX]),
                prop::option::weighted(0.9, prop::sample::select(vec![0, 1, 5, 59, 999, u64::MAX])),
                prop::option::weighted(0.9, prop_oneof![
                    4 => Just(0),
                    4 => 0..5_000_u64,
                    1 => 0..100_000_u64,
                    1 => Just(u64::MAX),
                ]),
                prop::sample::select(vec![10, 300, 1_100, 3_000]),
                prop::bool::weighted(0.3),
                0..300_usize,
                1..12_u32,
            ),
            1..40,
        ),
        keeps_limit: bool,
    ) {
        let mut stated = AdvertisedLimits::default();
        let mut now = 1_000;
        let replies = phases.into_iter().flat_map(|phase| (0..phase.6).map(move |_| phase));
        for (limit, remaining, reset_ms, after_ms, is_refused, in_flight, _) in replies {
            now += after_ms;
            let limit = Some(if keeps_limit { 60 } else { limit });
            let reset = reset_ms.map(Duration::from_millis);
            let quota = Quota { limit, remaining, reset };
            let limits = RateLimits { asks: Some(quota), tokens: Some(quota) };
            stated.observe_headers(at(now), &limits, in_flight);
            stated.answered(400);
            if is_refused {
                stated.refused(now as f64, now as f64);
            }
            if let Some(until) = stated.ready_at(now as f64) {
                prop_assert!(until.is_finite() && until > now as f64 - 1e-3, "{until} at {now}");
            }
            stated.take();
            prop_assert!(stated.halvings() <= 6, "{stated:?}");
        }
    }
}
