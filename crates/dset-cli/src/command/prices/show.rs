//! Prices for people.

use dset_core::money::{Hours, PriceEntry, Prices, Rates, Tariff, Window};
use dset_core::time::stamp;

use super::Found;
use crate::display::page::{BOLD, DIM, Page};
use crate::display::text::{count, of, one_line};

/// Shows what every model costs now, a line each.
pub(super) fn all(page: &Page, prices: &Prices, found: &Found<'_>, now: i64) {
    let names = found.entries.iter().map(|entry| entry.provider.len() + entry.model.len() + 1);
    let width = names.chain(found.own.iter().map(|own| own.name.chars().count())).max();
    let width = width.unwrap_or(0).min(52);
    let head = format!("{:>9} {:>9} {:>9}", "input", "cached", "output");
    page.line(DIM, &format!("{:width$}", ""), &head, 0);
    for own in &found.own {
        line(page, width, &own.name, &own.rates, "yours");
    }
    for entry in &found.entries {
        let name = format!("{}/{}", entry.provider, entry.model);
        let rates = entry.rates(now, None);
        let more = match (entry.tariff(now), entry.next_tariff(now)) {
            (Some(tariff), Some(next)) => {
                format!("{} until {}", tariff_words(tariff), moment(next))
            }
            _ => String::new(),
        };
        line(page, width, &name, rates, &more);
    }
    page.blank();
    page.plain("US dollars a million tokens, now, at once, for a short prompt");
    about(page, prices, now);
}

fn line(page: &Page, width: usize, name: &str, rates: &Rates, more: &str) {
    let cached = rates.cached_input.map(|price| price.to_string()).unwrap_or_else(|| "-".into());
    let (input, output) = (rates.input.to_string(), rates.output.to_string());
    let name = format!("{:width$}", one_line(name));
    page.plain(format!("{name} {input:>9} {cached:>9} {output:>9}  {more}").trim_end());
}

/// Shows everything that is known of one name.
pub(super) fn one(page: &Page, prices: &Prices, found: &Found<'_>, now: i64) {
    for own in &found.own {
        page.line(BOLD, &one_line(&own.name), "  yours, which outranks any other", 2);
        page.pair("price", &rates_words(&own.rates));
        page.blank();
    }
    let holding = found.entries.iter().filter(|entry| entry.holds(now));
    for entry in holding {
        page.line(BOLD, &format!("{}/{}", entry.provider, one_line(&entry.model)), "", 2);
        entry_words(page, entry, now);
        let same = |other: &&&PriceEntry| {
            other.provider == entry.provider && other.model == entry.model && !other.holds(now)
        };
        for other in found.entries.iter().filter(same) {
            page.pair(&period(other), &all_rates_words(other));
        }
        page.pair("source", &format!("{}, seen {}", one_line(&entry.source), entry.seen));
        if !entry.note.is_empty() {
            page.pair("note", &one_line(&entry.note));
        }
        page.blank();
    }
    for entry in found.entries.iter().filter(|entry| entry.from.is_some_and(|from| from > now)) {
        page.pair(&period(entry), &all_rates_words(entry));
    }
    page.plain("US dollars a million tokens");
    about(page, prices, now);
}

fn entry_words(page: &Page, entry: &PriceEntry, now: i64) {
    match (entry.tariff(now), &entry.off_peak) {
        (Some(tariff), Some(off_peak)) => {
            let until = entry.next_tariff(now).map(|next| format!(", until {}", moment(next)));
            let words = format!("{}{}", tariff_words(tariff), until.unwrap_or_default());
            page.pair("now", &words);
            let hours: Vec<String> = entry.when.iter().map(window_words).collect();
            page.pair("peak", &format!("{}; {}", rates_words(&entry.base), hours.join("; ")));
            page.pair("off-peak", &rates_words(off_peak));
        }
        _ => page.pair("price", &rates_words(&entry.base)),
    }
    for long in &entry.above_input_tokens {
        let name = format!("above {} in", count(long.above));
        page.pair(&name, &format!("{}, for the whole request", rates_words(&long.rates)));
    }
    if let Some(batch) = &entry.batch {
        page.pair("batch", &rates_words(batch));
    }
    for (name, rates) in &entry.tier {
        page.pair(&format!("tier {}", one_line(name)), &rates_words(rates));
    }
    if !entry.aliases.is_empty() {
        page.pair("also called", &entry.aliases.join(", "));
    }
}

/// The table's date and age, and what to do where it is old.
fn about(page: &Page, prices: &Prices, now: i64) {
    let age = prices.table.age_days(now);
    let made_of = prices.table.made_of.join(" and ");
    page.pair(
        "table",
        &format!("{}, {} old, of {made_of}", prices.table.version, of(age.unsigned_abs(), "day")),
    );
    if let Some(words) = crate::display::money::stale(prices.table, now) {
        page.hint(&words);
    }
}

pub(super) fn tariff_words(tariff: Tariff) -> &'static str {
    match tariff {
        Tariff::Peak => "peak",
        Tariff::OffPeak => "off-peak",
    }
}

fn rates_words(rates: &Rates) -> String {
    let named = [
        ("in", Some(rates.input)),
        ("cached", rates.cached_input),
        ("cache write", rates.cache_write),
        ("cache write 1 h", rates.cache_write_1h),
        ("out", Some(rates.output)),
        ("reasoning", rates.reasoning),
    ];
    let named = named.into_iter().filter_map(|(name, price)| Some(format!("{} {name}", price?)));
    named.collect::<Vec<_>>().join(", ")
}

/// What it costs at any hour.
fn all_rates_words(entry: &PriceEntry) -> String {
    let base = rates_words(&entry.base);
    match &entry.off_peak {
        Some(off_peak) => format!("{base}; off-peak {}", rates_words(off_peak)),
        None => base,
    }
}

fn window_words(window: &Window) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let hours = |hours: &Hours| format!("{} to {}", clock(hours.from), clock(hours.until));
    let hours = window.utc.iter().map(hours).collect::<Vec<_>>().join(" and ");
    let days = window.weekdays.iter().filter_map(|day| DAYS.get(usize::from(*day).wrapping_sub(1)));
    let days: Vec<&str> = days.copied().collect();
    match (&*days, &*window.weekdays) {
        ([first, .., last], [from, .., until]) if usize::from(until - from) + 1 == days.len() => {
            format!("{hours} UTC, {first} to {last}")
        }
        _ => format!("{hours} UTC, {}", days.join(", ")),
    }
}

fn period(entry: &PriceEntry) -> String {
    let day = |at: i64| stamp(at)[..10].to_owned();
    match (entry.from, entry.until) {
        (_, Some(until)) => format!("until {}", day(until)),
        (Some(from), None) => format!("from {}", day(from)),
        (None, None) => "always".into(),
    }
}

/// Writes a moment to the minute.
fn moment(unix_ms: i64) -> String {
    format!("{} UTC", &stamp(unix_ms)[..16])
}
