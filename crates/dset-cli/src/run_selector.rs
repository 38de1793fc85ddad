//! The arguments that say which run a command is about, and the commands that are about the same one.

use std::path::PathBuf;

use clap::Args;
use dset_core::csv::HeaderMode;
use dset_core::settings::Layer;

use crate::display::text::quoted;

/// Which run is meant, but for the name of its questions.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunSelectorFlags {
    /// Folder of the outputs [default: dset_generator]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Column with the questions, by its name or number [default: question]
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,

    /// Whether the first row is a header [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub(crate) header: Option<HeaderMode>,
}

/// Which run is meant. What it asks, and of whom, is read from its store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunSelectorArgs {
    /// File, folder or pattern with the questions [default: q.csv]
    #[arg(value_name = "QUESTIONS")]
    pub(crate) input: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) flags: RunSelectorFlags,
}

/// Which run is meant, for commands whose words are about something else.
#[derive(Debug, Args)]
pub(crate) struct NamedRunSelectorArgs {
    /// File, folder or pattern with the questions [default: q.csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) questions: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) flags: RunSelectorFlags,
}

impl RunSelectorArgs {
    /// Returns the run that flags name.
    pub(crate) fn of(layer: &Layer) -> RunSelectorArgs {
        RunSelectorArgs {
            input: layer.input.clone(),
            flags: RunSelectorFlags {
                output: layer.output.clone(),
                column: layer.column.clone(),
                header: layer.header,
            },
        }
    }

    pub(crate) fn layer(&self) -> Layer {
        Layer {
            input: self.input.clone(),
            output: self.flags.output.clone(),
            column: self.flags.column.clone(),
            header: self.flags.header,
            ..Layer::default()
        }
    }

    /// Returns a command for the same run.
    pub(crate) fn command(&self, name: &str) -> String {
        self.command_with(name, "")
    }

    /// Returns a command for the same run that names the questions with this flag.
    pub(crate) fn command_with(&self, name: &str, questions: &str) -> String {
        let mut words = vec!["dset".to_owned(), name.to_owned()];
        let mut say = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend((!flag.is_empty()).then(|| flag.to_owned()));
                words.push(quoted(&value));
            }
        };
        let path = |path: &PathBuf| path.display().to_string();
        say(questions, self.input.as_ref().map(path));
        say("-o", self.flags.output.as_ref().map(path));
        say("--column", self.flags.column.clone());
        say("--header", self.flags.header.map(|header| header_word(header).to_owned()));
        words.join(" ")
    }
}

/// Returns the value of `--header` that means this.
pub(crate) fn header_word(header: HeaderMode) -> &'static str {
    match header {
        HeaderMode::Auto => "auto",
        HeaderMode::Yes => "yes",
        HeaderMode::No => "no",
    }
}

impl NamedRunSelectorArgs {
    /// Returns the same run as other commands name it.
    pub(crate) fn which(&self) -> RunSelectorArgs {
        RunSelectorArgs { input: self.questions.clone(), flags: self.flags.clone() }
    }
}
