//! Writes a price of the user's into dset.toml, and leaves everything else in it as it is.

use std::path::Path;

use clap::Args;
use dset_core::money::Price;
use toml_edit::{DocumentMut, Item, Key, Table, Value};

use crate::command::config::set::write;
use crate::config_file::{ConfigFile, PROJECT, text};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::own_prices::refused;

#[derive(Debug, Args)]
#[command(
    after_help = "Writes the table [prices.MODEL] into dset.toml in this folder; what was said there of \
that model is replaced, everything else stays as it is. What is spent is worked out anew with it, also \
for the answers there are.

Examples:
  dset prices set my-model --input 0.3 --output 1.2
  dset prices set deepseek/deepseek-flash --input 0.3 --cached-input 0.006 --output 1.2
  dset prices set local-llama --input 0 --output 0"
)]
pub(super) struct SetArgs {
    /// Name of the model as it is asked, or PROVIDER/NAME for that provider alone
    #[arg(value_name = "MODEL")]
    model: String,

    /// US dollars a million tokens sent
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    input: String,

    /// The same, of tokens that the provider's cache held [default: as --input]
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    cached_input: Option<String>,

    /// The same, of tokens that were written into that cache [default: as --input]
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    cache_write: Option<String>,

    /// US dollars a million tokens received
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    output: String,

    /// The same, of tokens that were reasoning [default: as --output]
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    reasoning: Option<String>,
}

pub(super) fn run(args: &SetArgs) -> Result<Exit, UserError> {
    let said = [
        ("input", Some(&args.input)),
        ("cached-input", args.cached_input.as_ref()),
        ("cache-write", args.cache_write.as_ref()),
        ("output", Some(&args.output)),
        ("reasoning", args.reasoning.as_ref()),
    ];
    let mut fields = Vec::new();
    for (name, word) in said {
        let Some(word) = word else { continue };
        let price =
            Price::parse(word).map_err(|error| refused(&format!("`--{name}`"), word, error))?;
        fields.push((name, price));
    }
    write_price(&args.model, &fields)?;
    Ok(Exit::Done)
}

/// Writes a price into dset.toml, and says so.
pub(super) fn write_price(model: &str, fields: &[(&str, Price)]) -> Result<(), UserError> {
    let path = Path::new(PROJECT);
    let old = text(path)?;
    let new = edited(path, old.as_deref().unwrap_or_default(), model, fields)?;
    write(path, &new, old.is_some()).map_err(|error| {
        UserError::new(Exit::Ours, format!("cannot write `{PROJECT}`"))
            .cause(one_line(&error.to_string()))
            .hint("Nothing was changed; mend that and try again")
    })?;
    let said: Vec<String> = fields.iter().map(|(name, price)| format!("{name} {price}")).collect();
    let said = said.join(", ");
    let line = format!("{PROJECT}: [prices] {} = {said}\n", one_line(model));
    crate::command::shared::write_out(line.as_bytes());
    Ok(())
}

/// Returns the text of a file with this price in it. A file that cannot be read is not edited.
fn edited(
    path: &Path,
    text: &str,
    model: &str,
    fields: &[(&str, Price)],
) -> Result<String, UserError> {
    ConfigFile::parse(path, text)?;
    let not_editable = || {
        UserError::new(Exit::Usage, format!("`{}` cannot be edited", path.display()))
            .cause("its prices are written in a way that this command does not know")
            .hint("Write the price yourself, in a table [prices.MODEL]")
    };
    let mut document: DocumentMut = text.parse().map_err(|_| not_editable())?;
    let mut table = Table::new();
    for (name, price) in fields {
        let value: Value = price.to_string().parse().map_err(|_| not_editable())?;
        table.insert(name, toml_edit::value(value));
    }
    let known = document.as_table_mut().get_mut("prices");
    let new = match known {
        Some(prices) => {
            let prices = prices.as_table_like_mut().ok_or_else(not_editable)?;
            let is_inline = prices.iter().any(|(_, item)| item.is_value());
            match prices.get_mut(model) {
                Some(Item::Table(old)) => {
                    old.retain(|_, _| false);
                    old.extend(table);
                }
                _ if is_inline => {
                    prices.insert(model, toml_edit::value(table.into_inline_table()));
                }
                _ => drop(prices.insert(model, Item::Table(table))),
            }
            document.to_string()
        }
        // Behind everything that is there, comments included.
        None => {
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            let gap = if text.trim().is_empty() { "" } else { "\n" };
            let name = Key::new(model);
            format!("{text}{end}{gap}[prices.{}]\n{table}", name.display_repr())
        }
    };
    // What cannot be read back is not written.
    ConfigFile::parse(path, &new).map(|_| new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_written_in_its_place_and_everything_else_stays() {
        let fields = |input: &str| {
            let price = |text: &str| Price::parse(text).unwrap();
            [("input", price(input)), ("output", price("1.2"))]
        };
        for (text, model, written) in [
            ("", "m", "[prices.m]\ninput = 0.50\noutput = 1.20\n"),
            ("# a", "m", "# a\n\n[prices.m]\ninput = 0.50\noutput = 1.20\n"),
            (
                "model = \"a\" # x\n",
                "a/b 3.5",
                "model = \"a\" # x\n\n[prices.\"a/b 3.5\"]\ninput = 0.50\noutput = 1.20\n",
            ),
            (
                "[prices.m] # mine\ninput = 1\noutput = 2\nreasoning = 3\n\n[provider.x]\nbase-url = 'http://h'\n",
                "m",
                "[prices.m] # mine\ninput = 0.50\noutput = 1.20\n\n[provider.x]\nbase-url = 'http://h'\n",
            ),
            (
                "[prices.m]\ninput = 1\noutput = 2\n",
                "n",
                "[prices.m]\ninput = 1\noutput = 2\n\n[prices.n]\ninput = 0.50\noutput = 1.20\n",
            ),
            (
                "prices = { m = { input = 1, output = 2 } }\n",
                "n",
                "prices = { m = { input = 1, output = 2 } , n = { input = 0.50, output = 1.20 } }\n",
            ),
        ] {
            let new = edited(Path::new("dset.toml"), text, model, &fields("0.5")).unwrap();
            assert_eq!(new, written);
            let read = ConfigFile::parse(Path::new("dset.toml"), &new).unwrap();
            let own = read.prices.iter().find(|own| own.name == model).unwrap();
            assert_eq!(own.rates.input, Price::parse("0.5").unwrap());
        }
    }
}
