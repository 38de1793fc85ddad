//! The scenes: 40 seconds each, near, so that a real run against a pretended service can be held
//! to the same bounds.

use crate::service::{Advertised, Bound, Latency, Limit, Service, ServiceFaults, Tokens};
use crate::services::SOME;

const SECONDS: u32 = 40;
/// The scenes are judged as steady in their last 25 s.
const STEADY_FROM_S: u32 = 15;
const EVEN: Latency = Latency::Exact(0.2);
const HUNDRED: Limit = Limit::AtOnce(&[(0.0, 100)]);
const BUCKET: Limit = Limit::Requests { per_minute: 6000.0, burst_s: 1.0 };
const TOKENS: Limit = Limit::Tokens { per_minute: 2.4e6, burst_s: 10.0 };
const BY_TOKENS: Latency = Latency::Tokens { base_s: 0.5, per_second: 60.0 };
const COUNTED: Tokens = Tokens { input: 300.0, output_median: 60.0, sigma: 0.8 };

fn scene(name: &'static str, about: &'static str, limit: Limit, bounds: Vec<Bound>) -> Service {
    Service {
        name,
        about,
        latency: EVEN,
        tokens: SOME,
        limits: vec![limit],
        says: Advertised::default(),
        trouble: ServiceFaults::default(),
        round_trip_ms: 2.0,
        clients_at_s: &[0.0],
        seconds: SECONDS,
        steady_from_s: STEADY_FROM_S,
        bounds,
    }
}

/// Every scene, with what is asked for.
pub(crate) fn all() -> Vec<Service> {
    [widths(), rates(), troubles(), further()].concat()
}

fn widths() -> Vec<Service> {
    use Bound::{Answers, Latency as Median, Rate, Refused, RefusedPercent, Shows};

    let a1 = vec![Answers(18_000), Rate(15, 40, 475.0), Refused(150), RefusedPercent(1.0)];
    let a2 = vec![Answers(7_400), Refused(15), Shows(5, 40, 39)];
    let a3 = vec![Answers(13_000), Refused(250), Rate(33, 40, 450.0)];
    let a6 = vec![Answers(3_100), Median(15, 300.0)];
    let a7 = vec![Answers(12_000), Refused(60)];
    let number = Advertised { names_limit: true, ..Advertised::default() };
    let moving = Limit::AtOnce(&[(0.0, 100), (15.0, 20), (27.0, 100)]);
    let spread = Latency::LogNormal { median_s: 1.0, sigma: 0.8 };
    let narrow = Limit::AtOnce(&[(0.0, 39)]);
    let wide = Limit::AtOnce(&[(0.0, 500)]);
    vec![
        scene("A1", "100 at once, bare", HUNDRED, a1),
        Service { says: number, ..scene("A2", "39 at once, number in the text", narrow, a2) },
        scene("A3", "100, 20, 100 at once, bare", moving, a3),
        scene("A6", "16 slots and a queue", Limit::Slots(16), a6),
        Service { latency: spread, ..scene("A7", "500 at once, uneven answers", wide, a7) },
    ]
}

fn rates() -> Vec<Service> {
    use Bound::{Answers, Rate, Refused, RefusedFrom, RefusedPercent};

    let headers = Advertised { headers: true, ..Advertised::default() };
    let retry_after = Advertised { retry_after: true, ..Advertised::default() };
    let bucket = |name, about, says, bounds| Service {
        latency: Latency::Uniform(0.2, 0.6),
        says,
        ..scene(name, about, BUCKET, bounds)
    };
    let tokens = |name, about, says, bounds| Service {
        latency: BY_TOKENS,
        tokens: COUNTED,
        says,
        ..scene(name, about, TOKENS, bounds)
    };
    let a4h = vec![Answers(3_800), Refused(10)];
    let a4r = vec![Answers(3_700), Refused(30)];
    let a4b = vec![Answers(3_850), Refused(80), RefusedFrom(15, 0.5)];
    // 104/s is what 2.4 M tokens a minute are at 383 each.
    let a5h = vec![Rate(15, 40, 0.95 * 104.0), Refused(5)];
    let a5b = vec![RefusedPercent(10.0), Answers(2_500)];
    let bare = Advertised::default();
    vec![
        bucket("A4h", "100/s, headers", headers, a4h),
        bucket("A4r", "100/s, Retry-After", retry_after, a4r),
        bucket("A4b", "100/s, bare", bare, a4b),
        tokens("A5h", "2.4 M tokens/min, headers", headers, a5h),
        tokens("A5b", "2.4 M tokens/min, bare", bare, a5b),
    ]
}

fn troubles() -> Vec<Service> {
    use Bound::{AnswerWithin, Answers, Rate, RefusedPercent, Stall};

    let a8 = vec![AnswerWithin(25, 29), Rate(35, 40, 300.0), Answers(11_500)];
    let a9 = vec![RefusedPercent(6.0), Stall(5.0)];
    let trouble =
        ServiceFaults { resets: 0.01, dead_s: Some((20.0, 25.0)), ..ServiceFaults::default() };
    vec![
        Service { trouble, ..scene("A8", "A1, 1 % resets, dead from 20 to 25 s", HUNDRED, a8) },
        Service {
            clients_at_s: &[0.0, 5.0],
            ..scene("A9", "A1, a second client from 5 s", HUNDRED, a9)
        },
    ]
}

/// What the study left out: a heavy tail, a long outage, and two limits at once.
fn further() -> Vec<Service> {
    use Bound::{AnswerWithin, Answers, Rate, Refused};

    let heavy = Latency::LogNormal { median_s: 0.5, sigma: 1.2 };
    // A hundred at once, each of 1.03 s in the mean: 97/s.
    let b1 = vec![Answers(3_300), Rate(15, 40, 87.0), Refused(60)];
    let trouble =
        ServiceFaults { resets: 0.01, dead_s: Some((20.0, 50.0)), ..ServiceFaults::default() };
    // A probe comes within a third of an outage, and the width is back soon after.
    let b2 = vec![AnswerWithin(50, 62), Rate(70, 80, 300.0)];
    let both = vec![Answers(3_500), Refused(80)];
    let rate = scene("B3", "60 at once and 100/s", BUCKET, both);
    vec![
        Service { latency: heavy, ..scene("B1", "100 at once, heavy-tailed answers", HUNDRED, b1) },
        Service {
            trouble,
            seconds: 80,
            ..scene("B2", "A1, 1 % resets, dead from 20 to 50 s", HUNDRED, b2)
        },
        Service {
            limits: vec![Limit::AtOnce(&[(0.0, 60)]), BUCKET],
            latency: Latency::Uniform(0.2, 0.6),
            ..rate
        },
    ]
}
