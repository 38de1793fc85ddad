//! The hours that a run keeps to: whether there are cheaper ones, and when it is to be done.

use std::sync::Arc;

use dset_core::money::Asked;
use dset_core::run::OffPeakRules;
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
    let deadline = deadline.map(Timestamp::as_millisecond);
    if deadline.is_some_and(|deadline| deadline <= now) {
        return Err(UserError::new(Exit::Usage, "the deadline is past")
            .hint("Say a later one, or leave --off-peak out to ask at any hour"));
    }
    let mut places = Vec::new();
    for (at, provider) in budget::places(spec) {
        let name = &spec.models[at].request.model;
        let asked = Asked { provider, model: name };
        match money.prices.find(asked, now) {
            None => return Err(without_price(name)),
            Some(found) if found.tariff(now).is_none() => return Err(without_hours(name)),
            Some(_) => places.push((provider.map(str::to_owned), name.clone())),
        }
    }
    let prices = Arc::new(money.prices.clone());
    let rules = OffPeakRules { prices, places, deadline, timeout: options.timeout };
    if rules.next_cheap(now).is_none() {
        return Err(UserError::new(Exit::Usage, "there is no hour at which all models are cheap")
            .hint("Ask them one by one, each in a run of its own"));
    }
    Ok(Some(rules))
}

fn without_price(model: &str) -> UserError {
    let (shown, name) = (one_line(model), quoted(model));
    UserError::new(
        Exit::Usage,
        format!("--off-peak needs the price of {shown}, which is not known"),
    )
    .cause("which hours are cheaper stands in the table of prices")
    .hint(format!("See what is known of it: `dset prices {name}`"))
    .hint("Leave --off-peak out to ask at any hour")
}

fn without_hours(model: &str) -> UserError {
    let (shown, name) = (one_line(model), quoted(model));
    UserError::new(Exit::Usage, format!("{shown} has no cheaper hours"))
        .cause("by its price it costs the same at every hour")
        .hint(format!("See its price: `dset prices {name}`"))
        .hint("Leave --off-peak out to ask at any hour")
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
