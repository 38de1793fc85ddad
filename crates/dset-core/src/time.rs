//! A moment, as it is passed into the machine.
//!
//! Waits are measured on the monotonic part, which no clock change can move; stamps and minute
//! windows that must survive a restart use the Unix part.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the run began, and Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    /// Milliseconds since the start of this session of the run; never goes back.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970-01-01 UTC; may jump when the clock is set.
    pub unix_ms: i64,
}

impl Time {
    /// Returns the moment `span` later.
    #[must_use]
    pub fn after(self, span: Duration) -> Time {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Time {
            monotonic_ms: self.monotonic_ms.saturating_add(ms),
            unix_ms: self.unix_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)),
        }
    }

    /// Returns how long ago `earlier` was, zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.monotonic_ms.saturating_sub(earlier.monotonic_ms))
    }

    /// Returns true if this moment has come at `now`.
    #[must_use]
    pub fn has_come(self, now: Time) -> bool {
        self.monotonic_ms <= now.monotonic_ms
    }
}

/// Returns `YYYY-MM-DD HH:MM:SS` in UTC, the stamp of the outputs.
///
/// Out of range (beyond the years ±9999) gives the Unix epoch.
#[must_use]
pub fn stamp(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let utc = jiff::tz::Offset::UTC.to_datetime(at);
    let Ok(year @ 0..=9999) = u16::try_from(utc.year()) else {
        return at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    };
    // By hand, because every row of every output has one, and formatting it in general costs ten
    // times as much.
    let mut stamp = *b"0000-00-00 00:00:00";
    let parts = [
        (0, year / 100),
        (2, year % 100),
        (5, utc.month() as u16),
        (8, utc.day() as u16),
        (11, utc.hour() as u16),
        (14, utc.minute() as u16),
        (17, utc.second() as u16),
    ];
    for (place, value) in parts {
        stamp[place] += (value / 10) as u8;
        stamp[place + 1] += (value % 10) as u8;
    }
    str::from_utf8(&stamp).expect("digits are ASCII").to_owned()
}

/// Returns `YYYY-MM-DDTHH:MM:SS.mmmZ`, RFC 3339 in UTC; as [`stamp`] where it is out of range.
#[must_use]
pub fn rfc3339(unix_ms: i64) -> String {
    let mut time = stamp(unix_ms).replacen(' ', "T", 1);
    let is_in_range = jiff::Timestamp::from_millisecond(unix_ms).is_ok();
    let ms = if is_in_range { unix_ms.rem_euclid(1000) } else { 0 };
    time.push_str(&format!(".{ms:03}Z"));
    time
}

/// Reads a stamp of the outputs back; `None` where it is none.
#[must_use]
pub fn read_stamp(stamp: &str) -> Option<i64> {
    let utc = format!("{}Z", stamp.trim().replacen(' ', "T", 1));
    Some(utc.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

/// Returns a name for a moment that any file system takes, like `20261122T143045Z`.
#[must_use]
pub fn file_stamp(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_utc_to_the_second() {
        assert_eq!(stamp(1_795_348_164_999), "2026-11-22 11:49:24");
        assert_eq!(stamp(-62_167_219_200_000), "0000-01-01 00:00:00");
        assert_eq!(stamp(253_402_207_199_000), "9999-12-30 21:59:59");
        assert_eq!(stamp(i64::MAX), "1970-01-01 00:00:00");
        for ms in [-62_167_219_201_000, 951_782_400_000, 951_868_799_999, 4_107_542_400_000] {
            let at = jiff::Timestamp::from_millisecond(ms).unwrap();
            assert_eq!(stamp(ms), at.strftime("%Y-%m-%d %H:%M:%S").to_string());
        }
        assert_eq!(rfc3339(1_795_348_164_005), "2026-11-22T11:49:24.005Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00.000Z");
        assert_eq!(read_stamp("2026-11-22 11:49:24"), Some(1_795_348_164_000));
        assert_eq!(read_stamp("yesterday"), None);
        assert_eq!(file_stamp(1_795_348_164_999), "20261122T114924Z");
    }
}
