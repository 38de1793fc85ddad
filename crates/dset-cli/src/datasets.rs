//! Datasets as flags and `[[export]]` in `dset.toml` say them.

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory as _, Parser, ValueEnum};
use dset_core::layout::split::Splits;
use dset_core::layout::{LAYOUTS, Layout, ReasoningPlace, layout};
use dset_engine::export::{ExportRequest, Order, Samples, Shards};
use toml_edit::{Item, TableLike, Value};

use crate::config_file::{Location, json};
use crate::display::text::{one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::spelling::meant;
use crate::usage::error_of;

/// What a dataset is like in a file of settings.
const LIKE: &str = "A dataset begins with a line `[[export]]`, and then `to = \"sft.jsonl\"`";

/// Where a dataset goes, and what it is of.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DatasetArgs {
    /// Write a dataset there: a file, or a folder for the Hub
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,

    /// What its rows are: rows, chat, openai, prompt-completion, sharegpt, alpaca, preference, kto, open-r1,
    /// thoughts, s1k or batch-results [default: rows]
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(crate) layout: Option<String>,

    /// Where reasoning goes: field (of its own), think (before the answer, in think tags) or drop
    /// [default: as the layout has it]
    #[arg(long, value_name = "WHERE", requires = "to", hide_possible_values = true)]
    reasoning: Option<Reasoning>,

    /// Keep these columns of the questions [default: all in rows and open-r1, none in others]
    #[arg(long, value_name = "COLUMNS", requires = "to", value_delimiter = ',')]
    keep: Option<Vec<String>>,

    /// Give a column another name, as in `answer=output`; can be given again
    #[arg(long, value_name = "OLD=NEW", requires = "to", value_parser = pair)]
    rename: Vec<(String, String)>,

    /// Only answers of which this expression holds
    #[arg(long = "where", value_name = "EXPR", requires = "to", allow_hyphen_values = true)]
    filter: Option<String>,

    /// An expression that is higher, or true, for better answers
    #[arg(long, value_name = "EXPR", requires = "to", allow_hyphen_values = true)]
    rank: Option<String>,

    /// Which answers of a question: all, first or best (by --rank) [default: all]
    #[arg(long, value_name = "WHICH", requires = "to", hide_possible_values = true)]
    samples: Option<SamplesArg>,

    /// In which order: input, answered or shuffle [default: input]
    #[arg(long, value_name = "ORDER", requires = "to", hide_possible_values = true)]
    order: Option<OrderArg>,

    /// Another number, another shuffle [default: 0]
    #[arg(long, value_name = "N", requires = "order")]
    seed: Option<u64>,

    /// Divide the rows, by the names of their questions
    #[arg(long, value_name = "NAME=SHARE,…", requires = "to", value_parser = Splits::parse)]
    split: Option<Splits>,

    /// Leave out what was asked and answered in the same words before: exact
    #[arg(long, value_name = "HOW", requires = "to", hide_possible_values = true)]
    dedup: Option<DedupArg>,

    /// Write so many files, with numbers in their names
    #[arg(long, value_name = "N", requires = "to", conflicts_with = "shard_rows")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=99_999))]
    shards: Option<u32>,

    /// Write files of so many rows, with numbers in their names
    #[arg(long, value_name = "N", requires = "to")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    shard_rows: Option<u64>,

    /// Write nothing if an answer is missing
    #[arg(long, requires = "to")]
    strict: bool,

    /// Leave out rows that the layout has no place for, and count them
    #[arg(long, requires = "to")]
    skip_unfit: bool,

    /// Give the layout rows the columns `rating` and `note`, which are written in `dset view`
    #[arg(long, requires = "to")]
    reviews: bool,

    /// Only questions without an answer, with their columns as they are, to be asked again
    #[arg(long, requires = "to")]
    #[arg(conflicts_with_all = ["layout", "reasoning", "filter", "rank", "samples", "dedup", "strict", "reviews"])]
    pub(crate) failed: bool,

    /// It stands in `dset.toml`.
    #[arg(skip)]
    is_declared: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reasoning {
    Field,
    Think,
    Drop,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SamplesArg {
    All,
    First,
    Best,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrderArg {
    Input,
    Answered,
    Shuffle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DedupArg {
    Exact,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.into(), new.into())),
        _ => Err("it is written OLD=NEW".to_owned()),
    }
}

impl DatasetArgs {
    /// A dataset as its layout has it of itself.
    pub(crate) fn new(to: Option<PathBuf>, layout: Option<String>) -> DatasetArgs {
        DatasetArgs { to, layout, ..DatasetArgs::default() }
    }

    /// Returns the flags of a dataset that `dset run` was told by its own; `None` of one that
    /// `[[export]]` says, which `dset export` writes without being told.
    pub(crate) fn flags(&self) -> Option<String> {
        let to = self.to.as_ref().filter(|_| !self.is_declared)?;
        let layout = self.layout.as_ref().map(|name| format!(" --layout {}", quoted(name)));
        Some(format!("--to {}{}", quoted(&to.to_string_lossy()), layout.unwrap_or_default()))
    }

    /// Returns the dataset that is meant; `None` where nothing was said of one.
    pub(crate) fn request(&self, force: bool) -> Result<Option<ExportRequest<'_>>, UserError> {
        let Some(to) = &self.to else { return Ok(None) };
        Ok(Some(ExportRequest {
            to,
            layout: named(self.layout.as_deref().unwrap_or("rows"))?,
            reasoning: self.reasoning.map(|place| match place {
                Reasoning::Field => ReasoningPlace::Field,
                Reasoning::Think => ReasoningPlace::Think,
                Reasoning::Drop => ReasoningPlace::Drop,
            }),
            keep: self.keep.as_deref(),
            rename: &self.rename,
            filter: self.filter.as_deref(),
            rank: self.rank.as_deref(),
            samples: match self.samples {
                None | Some(SamplesArg::All) => Samples::All,
                Some(SamplesArg::First) => Samples::First,
                Some(SamplesArg::Best) => Samples::Best,
            },
            order: match self.order {
                None | Some(OrderArg::Input) => Order::Input,
                Some(OrderArg::Answered) => Order::Answered,
                Some(OrderArg::Shuffle) => Order::Shuffle(self.seed.unwrap_or(0)),
            },
            splits: self.split.as_ref(),
            shards: match (self.shards, self.shard_rows) {
                (Some(files), _) => Shards::Count(files),
                (None, Some(rows)) => Shards::Rows(rows),
                (None, None) => Shards::One,
            },
            dedup: self.dedup.is_some(),
            strict: self.strict,
            skip_unfit: self.skip_unfit,
            failed: self.failed,
            reviews: self.reviews,
            reviews_in: None,
            force,
            of_run: None,
        }))
    }
}

fn named(name: &str) -> Result<&'static dyn Layout, UserError> {
    let names = || LAYOUTS.iter().map(|layout| layout.name().to_owned());
    layout(name).ok_or_else(|| {
        let error = UserError::new(Exit::Usage, format!("there is no layout `{}`", one_line(name)))
            .cause(format!("the layouts are: {}", names().collect::<Vec<_>>().join(", ")));
        match meant(name, names()) {
            Some(meant) => error.hint(format!("Perhaps `--layout {meant}`")),
            None => error.hint("See `dset help export` for what each is for"),
        }
    })
}

/// A dataset alone, as `[[export]]` says it: a field is its flag.
#[derive(Debug, Parser)]
#[command(name = "export", no_binary_name = true, disable_help_flag = true)]
struct Declared {
    #[command(flatten)]
    dataset: DatasetArgs,
}

/// Returns the fields of a dataset, as its flags are called.
pub(crate) fn fields() -> Vec<clap::Arg> {
    let grammar = Declared::command();
    grammar.get_arguments().filter(|arg| arg.get_long().is_some()).cloned().collect()
}

/// Reads every `[[export]]`.
pub(crate) fn read(
    place: &Location<'_>,
    item: &Item,
    line: usize,
) -> Result<Vec<DatasetArgs>, UserError> {
    let Some(tables) = item.as_array_of_tables() else {
        let message = format!("{}`export` must be a list of tables", place.at(line));
        return Err(UserError::new(Exit::Usage, message).hint(LIKE));
    };
    tables.iter().map(|table| read_one(place, table)).collect()
}

fn read_one(place: &Location<'_>, table: &toml_edit::Table) -> Result<DatasetArgs, UserError> {
    let known = fields();
    let (mut words, mut lines) = (Vec::new(), Vec::new());
    let mut first = None;
    for (name, _) in table.iter() {
        let Some((key, item)) = table.get_key_value(name) else { continue };
        let line = place.line(key, item);
        first.get_or_insert(line);
        let Some(field) = known.iter().find(|field| field.get_long() == Some(name)) else {
            return Err(unknown_field(&place.at(line), name, &known));
        };
        let said = words_of(field, name, item).ok_or_else(|| {
            UserError::new(Exit::Usage, format!("{}`export.{name}` cannot be what it is", place.at(line)))
                .cause("a field is written as its flag takes it: a text, a number, true or false, or a list")
                .hint("See `dset help export`")
        })?;
        words.extend(said);
        lines.push((name.to_owned(), line));
    }
    let first = first.unwrap_or(1);
    if !table.contains_key("to") {
        return Err(UserError::new(
            Exit::Usage,
            format!("{}[[export]] lacks `to`", place.at(first)),
        )
        .hint(LIKE));
    }
    let grammar = Declared::command();
    let dataset =
        Declared::try_parse_from(words).map(|declared| declared.dataset).map_err(|error| {
            let error = error_of(&grammar, &error, "dset export");
            let named =
                lines.iter().find(|(name, _)| error.message.starts_with(&format!("`--{name}`")));
            let at = place.at(named.map_or(first, |(_, line)| *line));
            UserError { message: format!("{at}{}", error.message), ..error }
        })?;
    dataset.request(false).map_err(|error| {
        let line = lines.iter().find(|(name, _)| name == "layout").map_or(first, |(_, line)| *line);
        UserError { message: format!("{}{}", place.at(line), error.message), ..error }
    })?;
    Ok(DatasetArgs { is_declared: true, ..dataset })
}

/// Returns the flag that says a field; `None` where the flag cannot say it.
fn words_of(field: &clap::Arg, name: &str, item: &Item) -> Option<Vec<String>> {
    let flag = format!("--{name}");
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        _ => None,
    };
    if matches!(field.get_action(), ArgAction::SetTrue) {
        let is = item.as_bool()?;
        return Some(is.then_some(flag).into_iter().collect());
    }
    let parts: Vec<String> = match (item.as_table_like(), item.as_value()) {
        (Some(table), _) => pairs(table)?,
        (_, Some(Value::Array(values))) => values.iter().map(text).collect::<Option<_>>()?,
        (_, Some(value)) => vec![text(value)?],
        _ => return None,
    };
    Some(match field.get_action() {
        ArgAction::Append => parts.iter().map(|part| format!("{flag}={part}")).collect(),
        _ => vec![format!("{flag}={}", parts.join(","))],
    })
}

/// Returns a table as `name=value`, the value as it stands in the file.
fn pairs(table: &dyn TableLike) -> Option<Vec<String>> {
    let pair = |(name, item): (&str, &Item)| {
        let value = match json(item) {
            serde_json::Value::String(text) => text,
            value @ serde_json::Value::Number(_) => value.to_string(),
            _ => return None,
        };
        Some(format!("{name}={value}"))
    };
    table.iter().map(pair).collect()
}

fn unknown_field(at: &str, name: &str, known: &[clap::Arg]) -> UserError {
    let name = one_line(name);
    let error = UserError::new(Exit::Usage, format!("{at}[[export]] has no `{name}`"));
    let names = known.iter().filter_map(clap::Arg::get_long).map(str::to_owned);
    match meant(&name, names) {
        Some(own) => error.hint(format!("Did you mean `{own}`?")),
        None => error.hint("A field is a flag of `dset export`: see `dset help export`"),
    }
}
