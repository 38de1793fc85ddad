//! Headers that tell what is left of a limit.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::limit::Rooms;

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Tells what is left of the limits per minute, as OpenAI does.
pub(crate) fn tell_room(headers: &mut HeaderMap, rooms: &Rooms) {
    for (room, [limit, remaining, reset]) in [(rooms.requests, REQUESTS), (rooms.tokens, TOKENS)] {
        let Some(room) = room else { continue };
        headers.insert(limit, HeaderValue::from(room.limit));
        headers.insert(remaining, HeaderValue::from(room.remaining));
        if let Ok(text) = HeaderValue::from_str(&go_duration(room.reset)) {
            headers.insert(reset, text);
        }
    }
}

/// Writes a duration as Go prints it: `0s`, `20ms`, `7.66s`, `2m59.56s`, `1h16m0.667s`.
fn go_duration(duration: Duration) -> String {
    let ms = duration.as_micros().div_ceil(1000);
    if ms < 1000 && ms > 0 {
        return format!("{ms}ms");
    }
    let (minutes, ms) = (ms / 60_000, ms % 60_000);
    let seconds = ms as f64 / 1000.0;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_prints_them() {
        for (ms, text) in [
            (0, "0s"),
            (20, "20ms"),
            (1_000, "1s"),
            (7_660, "7.66s"),
            (60_000, "1m0s"),
            (179_560, "2m59.56s"),
            (4_560_667, "1h16m0.667s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }
}
