//! Dates and times, written as DuckDB writes them: `2024-03-15`, `12:34:56.789`, `2024-03-15 12:34:56+00`,
//! and `0044-03-15 (BC)`.
//!
//! By hand, because the range of 64 bits is wider than that of a calendar library.

use serde_json::Value;

const DAY: i64 = 86_400;

/// A date, in days since 1970.
pub(super) fn date(days: i32) -> Value {
    match days {
        i32::MAX => "infinity".into(),
        days if days == -i32::MAX => "-infinity".into(),
        days => {
            let (date, era) = day(days.into());
            format!("{date}{era}").into()
        }
    }
}

/// A time of day, in parts of a second since midnight.
pub(super) fn time(parts: i64, second: i64, utc: bool) -> Value {
    format!("{}{}", clock(parts, second), if utc { "+00" } else { "" }).into()
}

/// A moment, in parts of a second since 1970.
pub(super) fn timestamp(parts: i64, second: i64, utc: bool) -> Value {
    match parts {
        i64::MAX => return "infinity".into(),
        parts if parts == -i64::MAX => return "-infinity".into(),
        _ => {}
    }
    let (date, era) = day(parts.div_euclid(second).div_euclid(DAY));
    // A day is at most 8.64e13 parts, but not every day's start can be told in parts.
    let whole = parts.div_euclid(second).rem_euclid(DAY);
    let clock = clock(whole * second + parts.rem_euclid(second), second);
    format!("{date}{era} {clock}{}", if utc { "+00" } else { "" }).into()
}

/// An interval of months, days and milliseconds, each in four bytes without a sign: `1 year 2 months 3 days
/// 00:00:04.5`, without what is nothing.
pub(super) fn interval(bytes: &[u8]) -> Value {
    let part = |from: usize| {
        let four = bytes.get(from..from + 4).and_then(|it| it.try_into().ok());
        i64::from(u32::from_le_bytes(four.unwrap_or_default()))
    };
    let (months, days, millis) = (part(0), part(4), part(8));
    let counted = |count: i64, unit: &str| match count {
        0 => String::new(),
        1 => format!("1 {unit} "),
        _ => format!("{count} {unit}s "),
    };
    let mut text = counted(months / 12, "year");
    text += &counted(months % 12, "month");
    text += &counted(days, "day");
    if millis != 0 || text.is_empty() {
        text += &clock(millis, 1_000);
    }
    text.trim_end().into()
}

/// `12:34:56.789`, without zeros at the end of the fraction.
fn clock(parts: i64, second: i64) -> String {
    let whole = parts.div_euclid(second);
    let fraction = parts.rem_euclid(second);
    let mut text = format!("{:02}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60);
    if fraction != 0 {
        let digits = second.ilog10() as usize;
        text.push_str(format!(".{fraction:0digits$}").trim_end_matches('0'));
    }
    text
}

/// The date of a day since 1970, and what is said behind it of its era: the year before 1 is 1 BC.
fn day(days: i64) -> (String, &'static str) {
    // Years that begin in March put the day that is not in all of them at their end; 400 of them
    // have always as many days.
    let shifted = days + 719_468;
    let cycle = shifted.div_euclid(146_097);
    let in_cycle = shifted.rem_euclid(146_097);
    let year_in_cycle =
        (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year_in_cycle + year_in_cycle / 4 - year_in_cycle / 100);
    let month_from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_in_cycle + cycle * 400 + i64::from(month <= 2);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " (BC)") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_any_era_are_written() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_797, "2024-03-15"),
            (11_016, "2000-02-29"),
            (-719_162, "0001-01-01"),
            (-719_163, "0001-12-31 (BC)"),
            (i32::MAX, "infinity"),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }

    #[test]
    fn moments_before_1970_and_fractions_are_written() {
        assert_eq!(timestamp(-1, 1_000, false), "1969-12-31 23:59:59.999");
        assert_eq!(timestamp(1_500_000, 1_000_000, true), "1970-01-01 00:00:01.5+00");
        assert_eq!(timestamp(i64::MIN, 1_000_000_000, false), "1677-09-21 00:12:43.145224192");
        assert_eq!(time(45_296_789, 1_000, false), "12:34:56.789");
        assert_eq!(time(86_400_000, 1_000, true), "24:00:00+00");
    }
}
