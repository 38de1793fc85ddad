//! The long services: what the pace is tuned and judged by.
//!
//! Each has what a published or reckoned controller reached there, and the bounds follow from that:
//! at most three points less of what an all-knowing sender gets, at most twice as much refused.

use crate::service::{Advertised, Bound, Latency, Limit, Service, ServiceFaults, Tokens};

/// Percentage points below the best known goodput that are still good.
const GOODPUT_SLACK: f64 = 3.0;
/// The factor of refusals over the best known that is still good.
const REFUSED_SLACK: f64 = 2.0;
/// The factor of latency over the best known that is still good, where there is a queue.
const LATENCY_SLACK: f64 = 2.0;
/// Below this, in %, twice as much is a handful of asks.
const REFUSED_LEAST: f64 = 0.05;

/// Answers of some length: a median of 8 s, a mean of 11 s.
const LONG: Latency = Latency::LogNormal { median_s: 8.0, sigma: 0.8 };
/// Short and even ones.
const SHORT: Latency = Latency::Uniform(0.5, 1.5);
/// Tokens of an ask where no limit counts them.
pub(crate) const SOME: Tokens = Tokens { input: 300.0, output_median: 60.0, sigma: 0.8 };
/// About 1,100 tokens each.
const MANY: Tokens = Tokens { input: 800.0, output_median: 220.0, sigma: 0.8 };
const BY_TOKENS: Latency = Latency::Tokens { base_s: 1.0, per_second: 40.0 };

const NUMBER: Advertised =
    Advertised { names_limit: true, retry_after: false, headers: false, early_status: false };
const RETRY_AFTER: Advertised =
    Advertised { names_limit: false, retry_after: true, headers: false, early_status: false };
const HEADERS: Advertised =
    Advertised { names_limit: false, retry_after: false, headers: true, early_status: false };
const EARLY: Advertised =
    Advertised { names_limit: false, retry_after: false, headers: false, early_status: true };

const FALLS_AND_RISES: Limit = Limit::AtOnce(&[(0.0, 500), (480.0, 50), (720.0, 500)]);
const BUCKET: Limit = Limit::Requests { per_minute: 6000.0, burst_s: 1.0 };
const WINDOW: Limit = Limit::Window { limit: 6000.0, seconds: 60.0 };
const TOKENS: Limit = Limit::Tokens { per_minute: 2e6, burst_s: 60.0 };

/// Returns a service of 20 minutes, far away, that says nothing: the others differ from it.
fn service(name: &'static str, about: &'static str, limit: Limit) -> Service {
    Service {
        name,
        about,
        latency: LONG,
        tokens: SOME,
        limits: vec![limit],
        says: Advertised::default(),
        trouble: ServiceFaults::default(),
        round_trip_ms: 60.0,
        clients_at_s: &[0.0],
        seconds: 20 * 60,
        steady_from_s: 5 * 60,
        bounds: Vec::new(),
    }
}

fn at_once(name: &'static str, about: &'static str, schedule: &'static [(f64, u32)]) -> Service {
    service(name, about, Limit::AtOnce(schedule))
}

/// Gives a service the bounds that follow from what is known to be possible.
fn known(service: Service, goodput: f64, refused: f64) -> Service {
    let refused = (refused * REFUSED_SLACK).max(REFUSED_LEAST);
    let bounds = vec![Bound::Steady(goodput - GOODPUT_SLACK), Bound::SteadyRefused(refused)];
    Service { bounds, ..service }
}

/// Every service, by the numbers of the study that the pace comes from; X are further ones.
pub(crate) fn all() -> Vec<Service> {
    [widths(), rates(), queues(), troubles(), further(), chances(), stated(), smooth(), narrow()]
        .concat()
}

fn widths() -> Vec<Service> {
    let s1 = at_once("S1", "500 at once", &[(0.0, 500)]);
    let s2 = Service {
        latency: Latency::LogNormal { median_s: 20.0, sigma: 0.8 },
        seconds: 60 * 60,
        steady_from_s: 15 * 60,
        ..at_once("S2", "39 at once, slow", &[(0.0, 39)])
    };
    let s3 =
        Service { steady_from_s: 60, ..service("S3", "500, 50, 500 at once", FALLS_AND_RISES) };
    let s7 = at_once("S7", "2500 at once", &[(0.0, 2500)]);
    let s9 = Service {
        latency: Latency::Uniform(0.15, 0.25),
        round_trip_ms: 3.0,
        seconds: 5 * 60,
        steady_from_s: 60,
        ..at_once("S9", "100 at once, 200 ms, near", &[(0.0, 100)])
    };
    let s11 = Service {
        latency: Latency::Swelling { median_s: 8.0, sigma: 0.8, period_s: 300.0, times: 2.5 },
        ..at_once("S11", "S1, answers at times 2.5x as long", &[(0.0, 500)])
    };
    let number = |name, about, of: &Service| Service { name, about, says: NUMBER, ..of.clone() };
    vec![
        known(number("S1n", "S1, number in the text", &s1), 99.4, 0.32),
        known(s1, 99.0, 0.08),
        known(number("S2n", "S2, number in the text", &s2), 97.3, 0.70),
        known(s2, 97.4, 0.70),
        known(number("S3n", "S3, number in the text", &s3), 97.2, 0.89),
        known(s3, 96.4, 0.65),
        known(number("S7n", "S7, number in the text", &s7), 99.5, 0.18),
        known(s7, 99.0, 0.02),
        known(s9, 97.6, 0.40),
        known(s11, 99.0, 0.07),
    ]
}

fn rates() -> Vec<Service> {
    let rate =
        |name, about, limit, says| Service { latency: SHORT, says, ..service(name, about, limit) };
    let tokens = |name, about, says| Service {
        latency: BY_TOKENS,
        tokens: MANY,
        says,
        ..service(name, about, TOKENS)
    };
    let bare = Advertised::default();
    let s5b = tokens("S5b", "2 M tokens/min, bare", bare);
    let s5b = Service { seconds: 40 * 60, steady_from_s: 10 * 60, ..s5b };
    vec![
        known(rate("S4h", "6000/min, headers", BUCKET, HEADERS), 99.8, 0.0),
        known(rate("S4r", "6000/min, Retry-After", BUCKET, RETRY_AFTER), 99.5, 0.07),
        known(rate("S4b", "6000/min, bare", BUCKET, bare), 100.0, 0.06),
        known(rate("S4w", "6000 each minute, Retry-After", WINDOW, RETRY_AFTER), 100.0, 0.42),
        known(rate("S4v", "6000 each minute, bare", WINDOW, bare), 100.0, 1.10),
        known(tokens("S5h", "2 M tokens/min, headers", HEADERS), 99.7, 0.0),
        known(s5b, 102.0, 0.17),
    ]
}

/// Services that never refuse. How much they answer tells nothing: a sender that fills the queue
/// without end gets as much. So they are judged by the latency as well.
fn queues() -> Vec<Service> {
    let queue = |name, about, median_s, sigma, limit| Service {
        latency: Latency::LogNormal { median_s, sigma },
        round_trip_ms: 3.0,
        ..service(name, about, limit)
    };
    let judged = |of: Service, goodput, longer| {
        let mut of = known(of, goodput, 0.0);
        of.bounds.push(Bound::SteadyLatency(longer * LATENCY_SLACK));
        of
    };
    let s6 = queue("S6", "64 slots and a queue", 4.0, 0.8, Limit::Slots(64));
    let s6k = queue("S6k", "ever slower, knee at 64", 2.0, 0.8, Limit::Knee(64));
    // A mean of 18 s. What was sent before the queue showed, at most 68, takes five minutes.
    let s13 = queue("S13", "4 slots of 18 s and a queue", 16.0, 0.5, Limit::Slots(4));
    let s13 = Service { seconds: 60 * 60, steady_from_s: 15 * 60, ..s13 };
    vec![judged(s6, 99.0, 1.06), judged(s6k, 97.3, 0.98), judged(s13, 102.0, 1.76)]
}

fn troubles() -> Vec<Service> {
    let trouble =
        ServiceFaults { resets: 0.01, dead_s: Some((600.0, 630.0)), ..ServiceFaults::default() };
    let two = Service {
        clients_at_s: &[0.0, 300.0],
        seconds: 30 * 60,
        steady_from_s: 15 * 60,
        ..at_once("S10", "500 at once, two clients", &[(0.0, 500)])
    };
    let two_n =
        Service { name: "S10n", about: "S10, number in the text", says: NUMBER, ..two.clone() };
    let s8 = at_once("S8", "S1, 1 % resets, dead for 30 s", &[(0.0, 500)]);
    vec![
        known(Service { trouble, ..s8 }, 97.0, 0.09),
        known(two, 99.0, 0.37),
        known(two_n, 98.8, 1.21),
        known(service("S12", "529 above 300 at once", Limit::Overload(300)), 98.6, 0.0),
    ]
}

/// What the study left out; 95 % and 1 % are what the pace is for.
fn further() -> Vec<Service> {
    let bounds = || vec![Bound::Steady(95.0), Bound::SteadyRefused(1.0)];
    let wide = Limit::AtOnce(&[(0.0, 200)]);
    let rate = Limit::Requests { per_minute: 3000.0, burst_s: 10.0 };
    let both = |name, about, latency| Service {
        latency,
        limits: vec![wide, rate],
        bounds: bounds(),
        ..service(name, about, wide)
    };
    // Refusals of a first minute: what a climb that doubles once a second throughout is refused.
    let minute = |name, about, limit, latency_s, refused| Service {
        latency: Latency::Exact(latency_s),
        seconds: 60,
        steady_from_s: 10,
        bounds: vec![Bound::Refused(refused)],
        ..service(name, about, limit)
    };
    let four = Limit::AtOnce(&[(0.0, 4)]);
    let sixty = Limit::Requests { per_minute: 60.0, burst_s: 60.0 };
    let heavy = Latency::LogNormal { median_s: 8.0, sigma: 1.2 };
    let x1 = at_once("X1", "S1, heavy-tailed answers", &[(0.0, 500)]);
    let x4 = at_once("X4", "S1, status line at admission", &[(0.0, 500)]);
    let x5 = service("X5", "S3, status line at admission", FALLS_AND_RISES);
    vec![
        Service { latency: heavy, bounds: bounds(), ..x1 },
        both("X2", "200 at once and 3000/min: the rate binds", SHORT),
        both("X3", "200 at once and 3000/min: the width binds", LONG),
        Service { says: EARLY, bounds: bounds(), ..x4 },
        Service { says: EARLY, bounds: bounds(), steady_from_s: 60, ..x5 },
        minute("X6", "4 at once, 1 s, its first minute", four, 1.0, 14),
        minute("X7", "60/min, 1 s, its first minute", sixty, 1.0, 11),
        minute("X8", "60/min, 5 s, its first minute", sixty, 5.0, 22),
    ]
}

/// Refusals that come at any number at once, as from a router over several services: they are no
/// ceiling, and the real limit is still to be found. A Retry-After is obeyed, so that a twentieth
/// of them with 1 s each leaves about as many answers a second as there is room at once.
fn chances() -> Vec<Service> {
    let by_chance = |of: Service, name, about, refused, goodput, refused_most| Service {
        name,
        about,
        trouble: ServiceFaults { refused, ..ServiceFaults::default() },
        bounds: vec![Bound::Steady(goodput), Bound::SteadyRefused(refused_most)],
        ..of
    };
    let busy = |of: Service, name, about, overloaded| Service {
        name,
        about,
        trouble: ServiceFaults { overloaded, ..ServiceFaults::default() },
        bounds: vec![Bound::Steady(90.0)],
        ..of
    };
    let far = || at_once("", "", &[(0.0, 500)]);
    let near = |limit| Service {
        latency: Latency::Uniform(0.2, 0.4),
        round_trip_ms: 3.0,
        seconds: 4 * 60,
        steady_from_s: 30,
        ..service("", "", limit)
    };
    let hundred = || near(Limit::AtOnce(&[(0.0, 100)]));
    let waits = Service { says: RETRY_AFTER, ..hundred() };
    let moves = near(Limit::AtOnce(&[(0.0, 100), (90.0, 50), (150.0, 100)]));
    let queue = || near(Limit::Slots(64));
    let mut o5q = busy(queue(), "O5q", "64 slots, a queue, 5 % overloaded by chance", 0.05);
    o5q.bounds.push(Bound::SteadyLatency(1.5));
    let mut r2q = by_chance(queue(), "R2q", "64 slots and a queue, 2 % by chance", 0.02, 90.0, 3.5);
    r2q.bounds.push(Bound::SteadyLatency(1.5));
    vec![
        by_chance(hundred(), "R1", "100 at once, 1 % refused by chance", 0.01, 90.0, 2.5),
        by_chance(hundred(), "R2", "100 at once, 2 % by chance", 0.02, 90.0, 3.5),
        by_chance(hundred(), "R5", "100 at once, 5 % by chance", 0.05, 90.0, 7.0),
        by_chance(waits, "R5w", "100 at once, 5 % with Retry-After 1", 0.05, 9.0, 7.0),
        by_chance(moves, "R2m", "100, 50, 100 at once, 2 % by chance", 0.02, 85.0, 4.0),
        by_chance(near(BUCKET), "R2b", "6000/min, 2 % by chance", 0.02, 90.0, 6.5),
        r2q,
        busy(hundred(), "O5", "100 at once, 5 % overloaded by chance", 0.05),
        busy(hundred(), "O15", "100 at once, 15 % overloaded by chance", 0.15),
        busy(far(), "O5f", "S1, 5 % overloaded by chance", 0.05),
        busy(near(Limit::Overload(100)), "O5w", "529 above 100 at once, 5 % by chance", 0.05),
        o5q,
        by_chance(far(), "R2f", "S1, 2 % refused by chance", 0.02, 85.0, 4.0),
        by_chance(far(), "R5f", "S1, 5 % refused by chance", 0.05, 80.0, 7.5),
    ]
}

/// Windows that are stated with what remains and the reset in whole seconds, and not with their
/// length.
fn stated() -> Vec<Service> {
    let window = |name, about, limit, seconds| Service {
        latency: SHORT,
        says: HEADERS,
        bounds: vec![Bound::Steady(85.0), Bound::SteadyRefused(1.0)],
        ..service(name, about, Limit::Window { limit, seconds })
    };
    vec![
        window("H1", "10 each second, headers", 10.0, 1.0),
        window("H2", "20 each 10 s, headers", 20.0, 10.0),
        window("H3", "600 each minute, headers", 600.0, 60.0),
    ]
}

/// Rates that are kept to the ask, as by a gateway that allows no burst: most of a burst is refused
/// though as many at once would be no matter.
fn smooth() -> Vec<Service> {
    let rate = |name, about, per_second, depth, latency_s, goodput, refused| Service {
        latency: Latency::Uniform(0.7 * latency_s, 1.3 * latency_s),
        seconds: 6 * 60,
        steady_from_s: 60,
        bounds: vec![Bound::Steady(goodput), Bound::SteadyRefused(refused)],
        ..service(
            name,
            about,
            Limit::Requests { per_minute: 60.0 * per_second, burst_s: depth / per_second },
        )
    };
    let says = |says, of| Service { says, ..of };
    let both = Advertised { retry_after: true, ..HEADERS };
    let mut queue = rate("M20q", "M20 before 16 slots and a queue", 20.0, 1.0, 2.0, 90.0, 5.0);
    queue.limits.push(Limit::Slots(16));
    queue.bounds.push(Bound::SteadyLatency(2.5));
    vec![
        rate("M5", "5/s, no burst, 10 s", 5.0, 1.0, 10.0, 80.0, 5.0),
        rate("M5s", "5/s, no burst, 1 s", 5.0, 1.0, 1.0, 80.0, 5.0),
        rate("M20", "20/s, no burst, 3 s", 20.0, 1.0, 3.0, 80.0, 5.0),
        rate("M1", "1/s, no burst, 10 s", 1.0, 1.0, 10.0, 80.0, 5.0),
        rate("M1s", "1/s, no burst, 0.5 s", 1.0, 1.0, 0.5, 80.0, 5.0),
        rate("M02", "12/min, no burst, 2 s", 0.2, 1.0, 2.0, 70.0, 10.0),
        rate("M5b", "5/s, 3 at once, 10 s", 5.0, 3.0, 10.0, 80.0, 5.0),
        rate("M5c", "5/s, 5 at once, 3 s", 5.0, 5.0, 3.0, 60.0, 5.0),
        says(RETRY_AFTER, rate("M5r", "M5, Retry-After", 5.0, 1.0, 10.0, 80.0, 5.0)),
        says(both, rate("M5h", "M5, headers and Retry-After", 5.0, 1.0, 5.0, 80.0, 5.0)),
        queue,
    ]
}

/// Few at once and long answers: not to be taken for a rate.
fn narrow() -> Vec<Service> {
    let width = |name, about, schedule, latency_s, goodput, refused| Service {
        latency: Latency::Uniform(0.7 * latency_s, 1.3 * latency_s),
        seconds: 10 * 60,
        steady_from_s: 60,
        bounds: vec![Bound::Steady(goodput), Bound::SteadyRefused(refused)],
        ..at_once(name, about, schedule)
    };
    vec![
        width("N1", "1 at once, 10 s", &[(0.0, 1)], 10.0, 95.0, 8.0),
        width("N2", "2 at once, 3 s", &[(0.0, 2)], 3.0, 95.0, 5.0),
        width("N4", "4 at once, 5 s", &[(0.0, 4)], 5.0, 74.0, 5.0),
        width("N4s", "4 at once, 1 s", &[(0.0, 4)], 1.0, 70.0, 4.0),
        width(
            "N1w",
            "1 at once, 500 from the first second on",
            &[(0.0, 1), (1.0, 500)],
            10.0,
            85.0,
            2.0,
        ),
        width("N7", "7 at once, 20 s", &[(0.0, 7)], 20.0, 85.0, 6.0),
    ]
}
