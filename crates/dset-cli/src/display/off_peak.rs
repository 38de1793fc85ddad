//! Words about the hours at which asks are cheap.

use dset_core::money::Amount;

use super::text;

/// Says that nothing more is sent until a moment, Unix milliseconds, and what that saves.
pub(crate) fn closed(until: i64, saves: Option<Amount>, in_flight: usize) -> String {
    let saves = saves.map(|saves| format!(", which saves about {}", saves.shown()));
    let drains = match in_flight {
        0 => String::new(),
        _ => format!("; waiting for {} already asked", text::of(in_flight as u64, "question")),
    };
    let (when, saves) = (text::when(until), saves.unwrap_or_default());
    format!("Peak hours: nothing more is sent until {when}{saves}{drains}")
}

/// Says that asks are sent again.
pub(crate) fn opened(for_deadline: bool) -> &'static str {
    match for_deadline {
        false => "Cheaper hours have begun: going on",
        true => "Asking at peak hours: the rest would not be done by the deadline otherwise",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_says_how_long_and_what_for() {
        let saves = Amount::from_dollars(2.1);
        let said = closed(4_102_444_800_000, saves, 3);
        assert!(said.contains("until 2"), "{said}");
        assert!(said.ends_with(", which saves about $2.10; waiting for 3 questions already asked"));
        assert!(!closed(4_102_444_800_000, None, 0).contains("saves"));
    }
}
