//! Prices that the user says: tables `[prices.MODEL]` in a file of settings.

use dset_core::money::{OwnPrice, Price, PriceError, Rates};
use toml_edit::{Item, TableLike, Value};

use crate::config_file::{Location, no_table};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::spelling::meant;

/// The fields of a price, as files and flags name them.
pub(crate) const FIELDS: [&str; 5] =
    ["input", "cached-input", "cache-write", "output", "reasoning"];

/// What a price is like.
const LIKE: &str = "A price is in dollars a million tokens, like `input = 0.30`";

/// Reads every table below `[prices]`.
pub(crate) fn read(
    place: &Location<'_>,
    tables: &dyn TableLike,
) -> Result<Vec<OwnPrice>, UserError> {
    let mut prices = Vec::new();
    for (name, _) in tables.iter() {
        let Some((key, item)) = tables.get_key_value(name) else { continue };
        let line = place.line(key, item);
        let shown = format!("prices.{}", one_line(name));
        let table = item.as_table_like();
        let table = table.ok_or_else(|| no_table(&place.at(line), &shown, "prices.my-model"))?;
        let rates = rates(place, table, &shown, line)?;
        prices.push(OwnPrice::new(name, rates));
    }
    Ok(prices)
}

fn rates(
    place: &Location<'_>,
    table: &dyn TableLike,
    shown: &str,
    line: usize,
) -> Result<Rates, UserError> {
    let (mut input, mut output, mut rates) = (None, None, Rates::default());
    for (name, _) in table.iter() {
        let Some((key, item)) = table.get_key_value(name) else { continue };
        let at = place.at(place.line(key, item));
        if !FIELDS.contains(&name) {
            return Err(unknown_field(&at, shown, name));
        }
        let price = price(place, item)
            .map_err(|(error, given)| refused(&format!("{at}`{shown}.{name}`"), &given, error))?;
        match name {
            "input" => input = Some(price),
            "output" => output = Some(price),
            "cached-input" => rates.cached_input = Some(price),
            "cache-write" => rates.cache_write = Some(price),
            _ => rates.reasoning = Some(price),
        }
    }
    match (input, output) {
        (Some(input), Some(output)) => Ok(Rates { input, output, ..rates }),
        _ => Err(UserError::new(Exit::Usage, format!("{}[{shown}] is no price", place.at(line)))
            .cause("it lacks `input` or `output`")
            .hint(LIKE)),
    }
}

/// Reads a price as it is written in the file: no binary fraction stands between.
fn price(place: &Location<'_>, item: &Item) -> Result<Price, (PriceError, String)> {
    let text = match item.as_value() {
        Some(Value::String(text)) => text.value().clone(),
        Some(value @ (Value::Integer(_) | Value::Float(_))) => place.source(value),
        _ => String::new(),
    };
    Price::parse(&text).map_err(|error| (error, text))
}

/// The error of something that is no price. `what` names it.
pub(crate) fn refused(what: &str, given: &str, error: PriceError) -> UserError {
    let given = match given {
        "" => "what it is".to_owned(),
        given => format!("`{}`", one_line(given)),
    };
    UserError::new(Exit::Usage, format!("{what} cannot be {given}"))
        .cause(error.to_string())
        .hint(LIKE)
}

fn unknown_field(at: &str, shown: &str, name: &str) -> UserError {
    let name = one_line(name);
    let error = UserError::new(Exit::Usage, format!("{at}[{shown}] has no `{name}`"))
        .cause(format!("a price has {}", FIELDS.join(", ")));
    match meant(&name, FIELDS.iter().map(|own| (*own).to_owned())) {
        Some(own) => error.hint(format!("Did you mean `{own}`?")),
        None => error.hint("Remove the line; `dset help prices` says what each is"),
    }
}
