//! What one place says of the settings.
//!
//! One field here and one line in `resolve` is a whole setting: its flag, its variable, its help
//! and its name in files are made from the field.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::reading::{LastTurn, OnBadRow, Sample};
use super::schema_source::SchemaSource;
use super::values::{Concurrency, Dollars, OnError, Span, Switch};
use crate::acceptance::RetryWith;
use crate::check::{Declaration, OnFail};
use crate::csv::HeaderMode;
use crate::item::params::Params;

/// Said as the name of the key's variable: the service wants no key.
pub const NO_KEY: &str = "none";

macro_rules! layer {
    ($(#[$of_layer:meta])* pub struct Layer { $($(#[$of_field:meta])* pub $field:ident: Option<$type:ty>,)* }) => {
        $(#[$of_layer])*
        pub struct Layer { $($(#[$of_field])* pub $field: Option<$type>,)* }

        impl Layer {
            /// Puts this layer over a lower one: what this leaves open, the lower says.
            #[must_use]
            pub fn over(mut self, mut lower: Layer) -> Layer {
                // Two ways to say one thing: a layer that says it is not contradicted from below.
                if self.system.is_some() || self.system_file.is_some() {
                    (lower.system, lower.system_file) = (None, None);
                }
                // Fields of a request are said one by one.
                if let (Some(own), Some(below)) = (&mut self.param, &lower.param) {
                    *own = vec![Params::merged(own).over(&Params::merged(below))];
                }
                // One more check does away with none, and one that is said twice is one.
                if let Some(own) = &mut self.check {
                    let below = lower.check.take().unwrap_or_default();
                    own.retain(|check| !below.contains(check));
                    own.splice(0..0, below);
                }
                Layer { $($field: self.$field.or(lower.$field),)* }
            }

            /// Returns the fields that it says something of, by their names here.
            #[must_use]
            pub fn said(&self) -> Vec<&'static str> {
                let fields = [$((stringify!($field).trim_start_matches("r#"), self.$field.is_some()),)*];
                fields.into_iter().filter(|(_, is_said)| *is_said).map(|(field, _)| field).collect()
            }
        }
    };
}

layer! {
    /// What one place says; whatever it does not say is absent.
    #[derive(Debug, Clone, Default, PartialEq, Serialize)]
    #[cfg_attr(feature = "clap", derive(clap::Args))]
    #[serde(rename_all = "kebab-case")]
    pub struct Layer {
        /// File, folder or pattern with the questions, `-` for stdin [default: q.csv]
        #[cfg_attr(feature = "clap", arg(value_name = "QUESTIONS"))]
        pub input: Option<PathBuf>,

        /// Folder for the outputs [default: dset_generator]
        #[cfg_attr(feature = "clap", arg(short, long, value_name = "DIR"))]
        pub output: Option<PathBuf>,

        /// Outputs to write: csv, json, txt, jsonl [default: csv,json,txt]
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAMES", value_parser = parse_names))]
        pub formats: Option<Names>,

        /// Begin output.csv with a byte order mark, by which Excel knows UTF-8 [default: as the file is]
        #[cfg_attr(feature = "clap", arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new()))]
        pub csv_bom: Option<bool>,

        /// Give output.csv the column `id` behind its others [default: as the file is]
        #[cfg_attr(feature = "clap", arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new()))]
        pub csv_id: Option<bool>,

        /// Model to ask, by its name or as provider/model; may be repeated [default: deepseek-flash]
        #[cfg_attr(feature = "clap", arg(short, long, value_name = "NAME", value_delimiter = ','))]
        pub model: Option<Vec<String>>,

        /// Answers to every question from every model [default: 1]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000)))]
        pub samples: Option<u32>,

        /// Ask this service instead of the model's own; repeated, whichever has room is asked
        #[cfg_attr(feature = "clap", arg(long, value_name = "URL", value_delimiter = ','))]
        pub base_url: Option<Vec<String>>,

        /// Name of the variable that holds the key, or `none` for a service without [default: the service's, like DEEPSEEK_API_KEY]
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
        pub key: Option<String>,

        /// System prompt; Jinja over the row's columns, sent as it stands where it has no `{{`, `{%` or `{#`
        #[cfg_attr(feature = "clap", arg(short, long, value_name = "TEXT"))]
        pub system: Option<String>,

        /// File with the system prompt
        #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
        pub system_file: Option<PathBuf>,

        /// What is sent for a row; Jinja over its columns [default: "{{ question }}"]
        #[cfg_attr(feature = "clap", arg(short, long, value_name = "TEXT"))]
        pub template: Option<String>,

        /// Column with the questions, by its name or number [default: question]
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
        pub column: Option<String>,

        /// Whether the first row is a header [default: auto]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHEN", ignore_case = true))]
        pub header: Option<HeaderMode>,

        /// Column that names every row [default: an id column, where there is one]
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
        pub id: Option<String>,

        /// Ask only rows for which this holds: a Jinja expression over their columns, like "level > 2"
        #[cfg_attr(feature = "clap", arg(long, value_name = "EXPR", allow_hyphen_values = true))]
        pub r#where: Option<String>,

        /// Pass over so many rows
        #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
        pub offset: Option<u64>,

        /// Ask a sample of the rows, the same ones each time: a number, or a part like 5%
        #[cfg_attr(feature = "clap", arg(long, value_name = "N|P%"))]
        pub sample: Option<Sample>,

        /// What a row does that cannot be asked: fail ends the run before its first ask, skip counts
        /// and names it [default: fail]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT", hide_possible_values = true))]
        pub on_bad_row: Option<OnBadRow>,

        /// What becomes of an answer that a chat ends with: refuse such a chat, drop the answer and
        /// ask for it anew, or have the model continue it [default: refuse]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT", hide_possible_values = true))]
        pub last: Option<LastTurn>,

        /// Line that stands between the questions of a text file [default: each line is one]
        #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT", allow_hyphen_values = true))]
        pub split_on: Option<String>,

        /// Configuration of a dataset folder to read [default: its default]
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
        pub config: Option<String>,

        /// Split of a dataset folder to read [default: train]
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
        pub split: Option<String>,

        /// Questions asked at once, at most; auto finds what the service takes, 1 is the original
        /// script's pace [default: auto]
        #[cfg_attr(feature = "clap", arg(short, long, value_name = "N"))]
        pub concurrency: Option<Concurrency>,

        /// Questions asked in a minute, at most [default: what the service takes]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..)))]
        pub rpm: Option<u32>,

        /// Tokens in a minute, in and out, at most [default: what the service takes]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..)))]
        pub tpm: Option<u64>,

        /// Whether runs on this machine tell each other what a service takes [default: on]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHEN", ignore_case = true))]
        pub share_pace: Option<Switch>,

        /// US dollars that the folder may cost in all its runs; nothing is asked whose worst case is more
        /// than what is left [default: no limit]
        #[cfg_attr(feature = "clap", arg(long, value_name = "DOLLARS", allow_hyphen_values = true))]
        pub max_cost: Option<Dollars>,

        /// US dollars that one run may cost [default: no limit]
        #[cfg_attr(feature = "clap", arg(long, value_name = "DOLLARS", allow_hyphen_values = true))]
        pub max_cost_run: Option<Dollars>,

        /// Tokens that a reply can have, for those limits, where --max-tokens does not bound them
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..)))]
        pub max_output_bound: Option<u64>,

        /// Ask only at the hours at which the service is cheaper, and wait for them
        #[cfg_attr(feature = "clap", arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new()))]
        pub off_peak: Option<bool>,

        /// Tokens an answer may have, its reasoning included [default: the service's]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..)))]
        pub max_tokens: Option<u64>,

        /// Sampling temperature [default: the service's]
        #[cfg_attr(feature = "clap", arg(long, value_name = "T"))]
        pub temperature: Option<f64>,

        /// Whether the model thinks before it answers [default: the service's]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHEN", ignore_case = true))]
        pub reasoning: Option<Switch>,

        /// How much it thinks: low, high, max
        #[cfg_attr(feature = "clap", arg(long, value_name = "LEVEL"))]
        pub reasoning_effort: Option<String>,

        /// Further field of the request, like top_p=0.9 or stop='["\n"]'; may be repeated
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME=JSON"))]
        #[serde(serialize_with = "serialize_params")]
        pub param: Option<Vec<Params>>,

        /// JSON Schema that answers must fit: a file in JSON, or in YAML
        #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
        pub schema: Option<SchemaSource>,

        /// Check that every answer is to pass, like length=..50 or no-refusal; may be repeated
        #[cfg_attr(feature = "clap", arg(long, value_name = "NAME=VALUE", value_parser = parse_check))]
        pub check: Option<Vec<Declaration>>,

        /// Column with the right answers: numbers are compared as numbers, anything else as text
        #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
        pub gold: Option<String>,

        /// What a failed check does where its own table does not say: retry asks again and shows the model
        /// what was wrong, mark marks the row ERROR, keep keeps the answer with the verdict [default: retry for
        /// the schema, else mark]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT", hide_possible_values = true))]
        pub on_fail: Option<OnFail>,

        /// Answers to a question, at most, until one passes the checks that retry [default: 3]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100)))]
        pub tries: Option<u32>,

        /// Ask a question for no more samples once so many of a model's are accepted [default: all of them]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000)))]
        pub enough: Option<u32>,

        /// With what a question is asked again after a failed check: reasons shows the model its answer
        /// and what was wrong, fresh asks as if for the first time [default: reasons]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WITH", hide_possible_values = true))]
        pub retry: Option<RetryWith>,

        /// Tries after the first when the service does not answer [default: 3]
        #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000)))]
        pub retries: Option<u32>,

        /// Waits before those tries [default: 1m,2m,4m]
        #[cfg_attr(feature = "clap", arg(long, value_name = "TIMES", value_parser = parse_backoff))]
        pub backoff: Option<Backoff>,

        /// Longest time for one answer; a service may queue for ten minutes [default: 20m]
        #[cfg_attr(feature = "clap", arg(long, value_name = "TIME"))]
        pub timeout: Option<Span>,

        /// Longest time without a word of an answer that has begun to stream [default: 5m]
        #[cfg_attr(feature = "clap", arg(long, value_name = "TIME"))]
        pub idle_timeout: Option<Span>,

        /// Whether answers are streamed [default: where the service is known to think long]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHEN", ignore_case = true))]
        pub stream: Option<Switch>,

        /// End a streamed answer that repeats itself without end; it is kept, and marked ERROR
        #[cfg_attr(feature = "clap", arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new()))]
        pub stop_loops: Option<bool>,

        /// What a failing question does: skip marks it ERROR and goes on [default: skip]
        #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
        pub on_error: Option<OnError>,
    }
}

fn serialize_params<S: Serializer>(said: &Option<Vec<Params>>, to: S) -> Result<S::Ok, S::Error> {
    said.as_deref().map(Params::merged).serialize(to)
}

/// Waits separated by commas.
pub type Backoff = std::sync::Arc<[Span]>;

/// Names separated by commas, each once.
pub type Names = std::sync::Arc<[String]>;

#[cfg(feature = "clap")]
fn parse_names(text: &str) -> Result<Names, String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(|name| name.trim().to_lowercase()) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { Err("it names nothing".into()) } else { Ok(names.into()) }
}

#[cfg(feature = "clap")]
fn parse_check(text: &str) -> Result<Declaration, String> {
    Declaration::from_argument(text).map_err(|error| error.to_string())
}

#[cfg(feature = "clap")]
fn parse_backoff(text: &str) -> Result<Backoff, String> {
    text.split(',').map(|part| part.trim().parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_heard_before_the_ones_below_it() {
        let high = Layer { model: Some(vec!["high".into()]), ..Layer::default() };
        let low = Layer { model: Some(vec!["low".into()]), retries: Some(3), ..Layer::default() };
        let both = high.over(low);
        assert_eq!((both.model, both.retries), (Some(vec!["high".into()]), Some(3)));
    }

    #[test]
    fn fields_of_a_request_are_said_one_by_one() {
        let said = |words: &[&str]| {
            let param = words.iter().map(|word| word.parse().unwrap()).collect();
            Layer { param: Some(param), ..Layer::default() }
        };
        let both = said(&["top_p=0.5", "top_p=0.6"]).over(said(&["top_p=1", "seed=1"]));
        assert_eq!(both, said(&[r#"{"seed":1,"top_p":0.6}"#]));
    }

    #[test]
    fn checks_of_all_layers_hold() {
        let layer = |check: &str| {
            let check = Some(vec![Declaration::from_argument(check).unwrap()]);
            Layer { check, ..Layer::default() }
        };
        let both = layer("no-refusal").over(layer("length=..5")).over(Layer::default());
        let names: Vec<_> = both.check.iter().flatten().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["length", "no-refusal"]);
        let again = layer("no-refusal").over(both.clone());
        assert_eq!(again, both);
        assert_eq!(both.clone().over(layer("length=..5")), both, "whichever of them says it again");
    }

    #[test]
    fn a_system_prompt_displaces_the_file_of_a_lower_layer() {
        let high = Layer { system: Some("short".into()), ..Layer::default() };
        let low = Layer { system_file: Some("s.txt".into()), retries: Some(1), ..Layer::default() };
        let both = high.over(low);
        assert_eq!((both.system_file.as_deref(), both.said()), (None, vec!["system", "retries"]));
    }
}
