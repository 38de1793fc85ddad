//! What a setting is called, what it takes, and what a word for it means.
//!
//! The grammar of the flags is asked, so that variables, files, the reference and the schema can
//! only say what the flags say.
//!
//! Bounds are looked for in the grammar because clap does not tell them; the schema and the reference
//! need them, and a second declaration could differ from the flag.

use std::any::TypeId;

use clap::{Arg, Args as _, Command, FromArgMatches as _};
use dset_core::check::{Declaration, DeclarationError};
use dset_core::item::params::{ParamError, Params};
use dset_core::settings::{BackoffSpans, Names, SchemaSource, SettingsError, resolve};

use crate::config_file::param_error;
use crate::display::text::{one_line, shortened};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::SettingsLayer;
use crate::spelling::meant;

/// Where people find what settings take.
pub(crate) const SEE_REFERENCE: &str = "`dset config reference` says what every setting takes";
/// So much of a wrong value is shown.
const SHOWN_MAX: usize = 60;

/// One field of a [`SettingsLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    argument: Arg,
}

/// What a setting takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ValueKind {
    /// One of these words.
    Words(Vec<String>),
    /// `true` or `false`.
    Bool,
    /// A whole number within these bounds.
    Whole { least: u64, most: u64 },
    /// Any number.
    Number,
    /// Several words.
    List,
    /// A word or a number.
    WordOrNumber,
    /// Any text.
    Text,
    /// Names, each with a JSON value.
    Fields,
    /// A check; a table of its own in files.
    Check,
}

/// What is wrong with a word.
#[derive(Debug, PartialEq)]
pub(crate) enum ValueError {
    /// It is a key.
    IsKey,
    /// It is a key, and a model belongs there.
    KeyForModel,
    /// It is what it takes, and nothing that could be asked; the text says it, secrets left out.
    Unusable(String),
    /// The setting takes something else.
    WrongKind(String),
    /// A field of requests that cannot be sent along.
    Param(ParamError),
    /// A check that cannot be declared.
    Check(DeclarationError),
}

fn grammar() -> Command {
    SettingsLayer::augment_args(Command::new("setting").no_binary_name(true))
}

impl Setting {
    pub(crate) fn all() -> Vec<Setting> {
        let mut grammar = grammar();
        grammar.build();
        let own = |argument: &&Arg| !matches!(argument.get_id().as_str(), "help" | "version");
        let arguments = grammar.get_arguments().filter(own);
        arguments.map(|argument| Setting { argument: argument.clone() }).collect()
    }

    /// Finds a setting by its name in files.
    pub(crate) fn named(name: &str) -> Option<Setting> {
        Setting::all().into_iter().find(|setting| setting.name() == name)
    }

    /// Returns the name of its field.
    pub(crate) fn id(&self) -> &str {
        self.argument.get_id().as_str()
    }

    /// Returns its name in files, which is that of its flag.
    pub(crate) fn name(&self) -> String {
        self.id().replace('_', "-")
    }

    pub(crate) fn variable(&self) -> String {
        format!("DSET_{}", self.id().to_uppercase())
    }

    /// Writes its flag as help does: `-m, --model NAME`.
    pub(crate) fn flag(&self) -> String {
        let value = self.argument.get_value_names().and_then(|names| names.first());
        let value = value.map(ToString::to_string).unwrap_or_default();
        let Some(long) = self.argument.get_long() else { return value };
        let short = self.argument.get_short().map(|c| format!("-{c}, ")).unwrap_or_default();
        let equals = if self.argument.is_require_equals_set() { "[=" } else { " " };
        let end = if equals == "[=" { "]" } else { "" };
        format!("{short}--{long}{equals}{value}{end}")
    }

    fn documented(&self) -> (String, Option<String>) {
        let help = self.argument.get_help().map(ToString::to_string).unwrap_or_default();
        match help.split_once(" [default: ") {
            Some((help, default)) => {
                (help.to_owned(), Some(default.trim_end_matches(']').to_owned()))
            }
            None => (help, None),
        }
    }

    /// Says what it is for.
    pub(crate) fn help(&self) -> String {
        self.documented().0
    }

    /// Says what holds where nobody says it: in words where they have a blank, and else as it would
    /// be written.
    pub(crate) fn default_text(&self) -> Option<String> {
        match self.documented().1 {
            None if self.value_kind() == ValueKind::Bool => Some("false".into()),
            default => default,
        }
    }

    /// Returns the value that holds where nobody says any, where it is one that could be written.
    pub(crate) fn default_word(&self) -> Option<String> {
        let text = self.default_text()?;
        let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match quoted {
            Some(word) => Some(word.to_owned()),
            None => Some(text).filter(|text| !text.contains(' ')),
        }
    }

    pub(crate) fn value_kind(&self) -> ValueKind {
        let parser = self.argument.get_value_parser();
        let is = |id: TypeId| parser.type_id() == id;
        if is(TypeId::of::<bool>()) {
            return ValueKind::Bool;
        }
        if let Some(words) = parser.possible_values() {
            return ValueKind::Words(words.map(|word| word.get_name().to_owned()).collect());
        }
        let delimited = self.argument.get_value_delimiter().is_some();
        if delimited || is(TypeId::of::<BackoffSpans>()) || is(TypeId::of::<Names>()) {
            return ValueKind::List;
        }
        if is(TypeId::of::<Params>()) {
            return ValueKind::Fields;
        }
        if is(TypeId::of::<Declaration>()) {
            return ValueKind::Check;
        }
        if is(TypeId::of::<u32>()) || is(TypeId::of::<u64>()) {
            return self.bounds();
        }
        if is(TypeId::of::<f64>()) {
            return ValueKind::Number;
        }
        let is_text = is(TypeId::of::<String>())
            || is(TypeId::of::<std::path::PathBuf>())
            || is(TypeId::of::<SchemaSource>());
        if !is_text && self.parsed("7").is_ok() { ValueKind::WordOrNumber } else { ValueKind::Text }
    }

    /// Returns the whole numbers that it takes. The grammar does not say its bounds, but it takes
    /// what is within them.
    pub(crate) fn bounds(&self) -> ValueKind {
        let takes = |number: u64| self.parsed(&number.to_string()).is_ok();
        let least = u64::from(!takes(0));
        let (mut most, mut over) = (least, u64::MAX);
        if takes(over) {
            return ValueKind::Whole { least, most: over };
        }
        while over - most > 1 {
            let middle = most + (over - most) / 2;
            *(if takes(middle) { &mut most } else { &mut over }) = middle;
        }
        ValueKind::Whole { least, most }
    }

    fn parsed(&self, word: &str) -> Result<SettingsLayer, clap::Error> {
        let words = match self.argument.get_long() {
            Some(long) => vec![format!("--{long}={word}")],
            None => vec!["--".to_owned(), word.to_owned()],
        };
        let matches = grammar().try_get_matches_from(words)?;
        SettingsLayer::from_arg_matches(&matches)
    }

    /// Reads what a word says of it.
    pub(crate) fn read(&self, word: &str) -> Result<SettingsLayer, ValueError> {
        if self.value_kind() == ValueKind::Fields {
            word.parse::<Params>().map_err(ValueError::Param)?;
        }
        if self.value_kind() == ValueKind::Check {
            Declaration::from_argument(word).map_err(ValueError::Check)?;
        }
        let layer = self.parsed(word).map_err(|error| match self.value_kind() {
            ValueKind::WordOrNumber
            | ValueKind::List
            | ValueKind::Text
            | ValueKind::Fields
            | ValueKind::Check => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                ValueError::WrongKind(source.unwrap_or_else(|| self.value_kind().to_string()))
            }
            takes => ValueError::WrongKind(takes.to_string()),
        })?;
        // What can be said of one value alone is said where it stands.
        match resolve(layer.layer.clone(), None) {
            Err(SettingsError::KeyItself) => Err(ValueError::IsKey),
            Err(SettingsError::KeyForModel) => Err(ValueError::KeyForModel),
            Err(error @ (SettingsError::BaseUrl { .. } | SettingsError::OutOfRange { .. })) => {
                Err(ValueError::Unusable(error.to_string()))
            }
            _ => Ok(layer),
        }
    }
}

impl std::fmt::Display for ValueKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ValueKind::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                f.write_str(&words.join(" or "))
            }
            ValueKind::Bool => f.write_str("`true` or `false`"),
            ValueKind::Whole { least, most } if *most >= u64::from(u32::MAX) => {
                write!(f, "a whole number from {least}")
            }
            ValueKind::Whole { least, most } => write!(f, "a whole number from {least} to {most}"),
            ValueKind::Number => f.write_str("a number"),
            ValueKind::List => f.write_str("a word, or several separated by commas"),
            ValueKind::WordOrNumber => f.write_str("a word or a number"),
            ValueKind::Text => f.write_str("text"),
            ValueKind::Fields => f.write_str("NAME=JSON, or a JSON object of several"),
            ValueKind::Check => {
                f.write_str("NAME=VALUE, or the name of a check that takes no value")
            }
        }
    }
}

impl ValueError {
    /// Returns the error of a value at this place, like `dset.toml, line 3: `; see [`ticked`].
    pub(crate) fn at(self, place: &str, name: &str, given: &str) -> UserError {
        let name = one_line(name);
        match self {
            ValueError::IsKey => key_itself(place, &name),
            ValueError::Param(error) => param_error(place, &error),
            ValueError::Check(error) => {
                UserError::new(Exit::Usage, format!("{place}`{name}` cannot be {given}"))
                    .cause(one_line(&error.to_string()))
                    .hint(SEE_REFERENCE)
            }
            ValueError::KeyForModel => key_for_model(&format!("{place}`{name}`")),
            ValueError::Unusable(cause) => {
                UserError::new(Exit::Usage, format!("{place}`{name}` cannot be used"))
                    .cause(one_line(cause.trim_start_matches("--")))
                    .hint(SEE_REFERENCE)
            }
            ValueError::WrongKind(takes) => {
                let takes = match takes.starts_with("it ") || takes.contains(" is not ") {
                    true => takes,
                    false => format!("it takes {takes}"),
                };
                UserError::new(Exit::Usage, format!("{place}`{name}` cannot be {given}"))
                    .cause(one_line(&takes))
                    .hint(SEE_REFERENCE)
            }
        }
    }
}

/// Writes a value for an error, short and between ticks.
pub(crate) fn ticked(given: &str) -> String {
    format!("`{}`", shortened(given, SHOWN_MAX))
}

/// The error of a key where the name of a model belongs; the key is not in it.
pub(crate) fn key_for_model(place: &str) -> UserError {
    UserError::new(Exit::Usage, format!("{place} takes the name of a model, not a key"))
        .cause("what stands in settings is shown and sent along; a key must not be")
        .hint("Name a model like `deepseek-flash`; `dset init` asks for the key, unseen")
}

/// The error of a key where the name of its variable belongs; the key is not in it.
pub(crate) fn key_itself(place: &str, name: &str) -> UserError {
    UserError::new(
        Exit::Usage,
        format!("{place}`{name}` takes the name of a variable, not the key itself"),
    )
    .cause("what stands in settings is shown and handed on; a key must not be")
    .hint("Put `NAME=…` into .env or the environment, and NAME here")
}

/// Returns what a word says of something that is or is not.
pub(crate) fn truth(word: &str) -> Option<bool> {
    match word.trim().to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The error of a setting that is none.
pub(crate) fn unknown(place: &str, name: &str) -> UserError {
    let error =
        UserError::new(Exit::Usage, format!("{place}there is no setting `{}`", one_line(name)));
    let upper = name.to_uppercase().replace('-', "_");
    match meant(name, Setting::all().iter().map(Setting::name)) {
        Some(own) => error.hint(format!("Did you mean `{own}`?")),
        None if upper.ends_with("API_KEY") || upper.ends_with("TOKEN") => {
            error.hint("A key belongs into .env or the environment; `key` names its variable")
        }
        None => error.hint("`dset config reference` lists them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str) -> Setting {
        Setting::named(name).unwrap()
    }

    #[test]
    fn every_field_is_a_setting_with_a_name_a_flag_and_help() {
        let all = Setting::all();
        assert!(all.len() >= 30);
        for setting in &all {
            assert!(!setting.help().is_empty(), "{}", setting.id());
            assert!(Setting::named(&setting.name()).is_some());
            let long = setting.argument.get_long().unwrap_or("input");
            assert_eq!(long, setting.name(), "a file says what the flag says");
        }
    }

    #[test]
    fn everything_that_is_or_is_not_takes_the_words_that_scripts_have_for_it() {
        let switches = ["json", "quiet", "verbose", "stop-loops", "stream", "reasoning"];
        for name in switches.into_iter().chain(["share-pace", "header"]) {
            for (is, words) in [
                (true, ["1", "true", "TRUE", "yes", "on", "On"]),
                (false, ["0", "false", "False", "no", "off", "NO"]),
            ] {
                let read = words.map(|word| setting(name).read(word).unwrap());
                assert!(read.iter().all(|one| *one == read[0]), "{name} {is}");
                assert!(words.iter().all(|word| truth(word) == Some(is)), "{name} {is}");
            }
            assert_ne!(setting(name).read("1").unwrap(), setting(name).read("0").unwrap());
            assert!(setting(name).read("2").is_err(), "{name}");
            assert!(setting(name).read("maybe").is_err(), "{name}");
        }
    }

    #[test]
    fn what_a_setting_takes_is_what_its_flag_takes() {
        for (name, takes) in [
            ("samples", ValueKind::Whole { least: 1, most: 1000 }),
            ("retries", ValueKind::Whole { least: 0, most: 1000 }),
            ("tpm", ValueKind::Whole { least: 1, most: u64::MAX }),
            ("temperature", ValueKind::Number),
            ("reasoning", ValueKind::Words(vec!["on".into(), "off".into()])),
            ("json", ValueKind::Bool),
            ("model", ValueKind::List),
            ("backoff", ValueKind::List),
            ("formats", ValueKind::List),
            ("concurrency", ValueKind::WordOrNumber),
            ("timeout", ValueKind::WordOrNumber),
            ("column", ValueKind::Text),
            ("output", ValueKind::Text),
        ] {
            assert_eq!(setting(name).value_kind(), takes, "{name}");
        }
    }

    #[test]
    fn the_defaults_that_help_names_are_the_ones_that_hold() {
        let holds = |said: SettingsLayer| {
            format!("{:?}, {:?}", resolve(said.layer, None).unwrap(), said.terminal.resolve())
        };
        let nothing = holds(SettingsLayer::default());
        let mut said = 0;
        for setting in Setting::all() {
            // These are looked for where nobody names one, and these are the names looked for.
            let is_looked_for = ["column", "id", "split"].contains(&setting.id());
            let Some(word) = setting.default_word().filter(|_| !is_looked_for) else {
                continue;
            };
            let layer = setting.read(&word).unwrap();
            assert_eq!(holds(layer), nothing, "{}", setting.id());
            said += 1;
        }
        assert!(said > 10, "{said}");
    }
}
