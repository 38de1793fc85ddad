//! How the terminal is to be used: settings that only the command line has, beside those of a job.

use clap::{Args, ValueEnum};
use dset_core::settings::Layer;
use serde::Serialize;

/// How a run is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A bar on a terminal, lines in a pipe.
    #[default]
    Auto,
    /// The lines of the original script, and nothing else.
    Original,
    /// Lines, on a terminal too.
    Lines,
    /// Events as JSON lines on stdout, beside what `auto` tells.
    Json,
}

/// What one place says of the terminal; whatever it does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TerminalLayer {
    /// How a run is told: auto is a bar on a terminal and lines in a pipe, original the lines of
    /// the original script, json the events of --json [default: auto]
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(crate) log_format: Option<LogFormat>,

    /// Write events as JSON lines to stdout
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) json: Option<bool>,

    /// Say only errors and the end
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) quiet: Option<bool>,

    /// Say every attempt; `-vv` says no more
    #[arg(short, long, overrides_with = "verbose", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) verbose: Option<bool>,
}

/// What holds for the terminal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TerminalOptions {
    /// How a run is told.
    pub(crate) log_format: LogFormat,
    /// Events, or what was found, as JSON on stdout.
    pub(crate) json: bool,
    /// Only errors and the end.
    pub(crate) quiet: bool,
    /// Every attempt.
    pub(crate) verbose: bool,
}

impl TerminalLayer {
    /// Puts this layer over a lower one.
    fn over(self, lower: TerminalLayer) -> TerminalLayer {
        TerminalLayer {
            log_format: self.log_format.or(lower.log_format),
            json: self.json.or(lower.json),
            quiet: self.quiet.or(lower.quiet),
            verbose: self.verbose.or(lower.verbose),
        }
    }

    /// Returns the fields that it says something of, by their names here.
    fn said(&self) -> Vec<&'static str> {
        let TerminalLayer { log_format, json, quiet, verbose } = self;
        let fields = [
            ("log_format", log_format.is_some()),
            ("json", json.is_some()),
            ("quiet", quiet.is_some()),
            ("verbose", verbose.is_some()),
        ];
        fields.into_iter().filter(|(_, is_said)| *is_said).map(|(field, _)| field).collect()
    }

    /// Resolves the layer into what holds.
    pub(crate) fn resolve(&self) -> TerminalOptions {
        TerminalOptions {
            log_format: self.log_format.unwrap_or_default(),
            json: self.json.unwrap_or(false) || self.log_format == Some(LogFormat::Json),
            quiet: self.quiet.unwrap_or(false),
            verbose: self.verbose.unwrap_or(false),
        }
    }
}

/// What one place says of all settings: the grammar of flags, variables and files.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct SettingsLayer {
    #[command(flatten)]
    pub(crate) layer: Layer,
    #[command(flatten)]
    pub(crate) terminal: TerminalLayer,
}

impl SettingsLayer {
    /// Puts this layer over a lower one.
    pub(crate) fn over(self, lower: SettingsLayer) -> SettingsLayer {
        SettingsLayer {
            layer: self.layer.over(lower.layer),
            terminal: self.terminal.over(lower.terminal),
        }
    }

    /// Tells whether another says in another way what this says.
    pub(crate) fn says_otherwise(&self, other: &SettingsLayer) -> bool {
        let (own, other) = (&self.layer, &other.layer);
        own.system.is_some() && other.system_file.is_some()
            || own.system_file.is_some() && other.system.is_some()
    }

    /// Returns the fields that it says something of, by their names here.
    pub(super) fn said(&self) -> Vec<&'static str> {
        [self.layer.said(), self.terminal.said()].concat()
    }
}

impl From<Layer> for SettingsLayer {
    fn from(layer: Layer) -> SettingsLayer {
        SettingsLayer { layer, terminal: TerminalLayer::default() }
    }
}
