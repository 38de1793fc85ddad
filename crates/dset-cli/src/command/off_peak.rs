//! The hours that a run keeps to: whether there are cheaper ones, and when it is to be done.

use std::sync::Arc;

use dset_core::run::{OffPeakError, OffPeakRules};
use dset_core::settings::{JobSpec, RunOptions};
use dset_engine::os::clock::unix_ms;
use dset_engine::run::budget;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::money::Money;
use crate::display::text::{one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;

/// Returns the hours that the run keeps to, if it keeps to any; fails where a model has no cheaper
/// ones, or the deadline is past.
pub(crate) fn rules(
    spec: &JobSpec,
    options: &RunOptions,
    money: &Money,
    deadline: Option<Timestamp>,
) -> Result<Option<OffPeakRules>, UserError> {
    let now = unix_ms();
    if !options.off_peak {
        return match deadline {
            None => Ok(None),
            Some(_) => Err(UserError::new(Exit::Usage, "--deadline goes with --off-peak")
                .cause("without it nothing waits, and the run is done as soon as it can be")
                .hint("Leave it out, or add `--off-peak`")),
        };
    }
    let places = budget::places(spec)
        .map(|(at, provider)| (provider.map(str::to_owned), spec.models[at].request.model.clone()));
    let rules = OffPeakRules {
        prices: Arc::new(money.prices.clone()),
        places: places.collect(),
        deadline: deadline.map(Timestamp::as_millisecond),
        timeout: options.timeout,
    };
    rules.check(now).map_err(|error| explain(&error))?;
    Ok(Some(rules))
}

fn explain(error: &OffPeakError) -> UserError {
    let at_any_hour = "Leave --off-peak out to ask at any hour";
    let said = UserError::new(Exit::Usage, one_line(&error.to_string()));
    match error {
        OffPeakError::Late => {
            said.hint("Say a later one, or leave --off-peak out to ask at any hour")
        }
        OffPeakError::NoPrice { model } => said
            .cause("which hours are cheaper stands in the table of prices")
            .hint(format!("See what is known of it: `dset prices {}`", quoted(model)))
            .hint(at_any_hour),
        OffPeakError::NoHours { model } => said
            .cause("by its price it costs the same at every hour")
            .hint(format!("See its price: `dset prices {}`", quoted(model)))
            .hint(at_any_hour),
        OffPeakError::NoHourOfAll => said.hint("Ask them one by one, each in a run of its own"),
    }
}

/// Reads a moment: a time of day here, the next there is; a date and time here; or one that says its
/// zone.
pub(super) fn parse_deadline(text: &str) -> Result<Timestamp, String> {
    let zone = TimeZone::system();
    deadline(text.trim(), &Timestamp::now().to_zoned_datetime(zone))
}

fn deadline(text: &str, now: &ZonedDateTime) -> Result<Timestamp, String> {
    let wrong = || "say 18:00, \"2026-12-01 08:00\" or 2026-12-01T08:00:00Z".to_owned();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let zone = now.time_zone();
    if text.contains('-') {
        let at: DateTime = text.parse().map_err(|_| wrong())?;
        return Ok(at.to_zoned_datetime(zone.clone()).map_err(|_| wrong())?.timestamp());
    }
    let at: Time = text.parse().map_err(|_| wrong())?;
    let on = |day: jiff::civil::Date| day.to_datetime(at).to_zoned_datetime(zone.clone()).ok();
    let today = on(now.date()).filter(|today| today > now);
    let next = today.or_else(|| on(now.date().tomorrow().ok()?));
    Ok(next.ok_or_else(wrong)?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_next_time_of_that_name() {
        let now: ZonedDateTime = "2026-11-30T14:00+01:00[+01:00]".parse().unwrap();
        let read = |text| deadline(text, &now).map(|at| at.to_string());
        assert_eq!(read("18:00").unwrap(), "2026-11-30T17:00:00Z");
        assert_eq!(read("08:30").unwrap(), "2026-12-01T07:30:00Z");
        assert_eq!(read("2026-12-01 08:00").unwrap(), "2026-12-01T07:00:00Z");
        assert_eq!(read("2026-12-01T08:00:00Z").unwrap(), "2026-12-01T08:00:00Z");
        assert!(read("soon").unwrap_err().starts_with("say 18:00"));
        assert!(read("25:00").is_err());
    }
}
