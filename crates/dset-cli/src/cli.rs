//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use dset_core::csv::HeaderMode;
use dset_core::settings::Layer;
use dset_mock::MockSettings;

use crate::command::completions::CompletionsArgs;
use crate::command::doctor::DoctorArgs;
use crate::command::help::HelpArgs;
use crate::command::import::ImportArgs;
use crate::command::init::InitArgs;
use crate::command::keys::KeysArgs;
use crate::command::man::ManArgs;
use crate::command::models::ModelsArgs;
use crate::command::search::SearchArgs;
use crate::command::show::ShowArgs as ShowQuestionArgs;
use crate::command::stats::StatsArgs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The commands, by what somebody is about to do.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Start here", &["demo", "init", "doctor"]),
    ("Every day", &["run", "status", "show", "search"]),
    ("Results", &["stats", "verify", "export"]),
    ("More", &["import", "config", "keys", "models", "mock", "completions", "man", "help"]),
];

/// Returns the grammar of the command line, with its help.
pub(crate) fn grammar() -> clap::Command {
    let grammar = Cli::command();
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let mut groups = String::new();
    for (title, names) in GROUPS {
        groups += &format!("{header}{title}:{header:#}\n");
        for name in names {
            let command = grammar.find_subcommand(name);
            let about = command.and_then(clap::Command::get_about).cloned().unwrap_or_default();
            groups += &format!("  {literal}{name:<11}{literal:#}  {about}\n");
        }
        groups += "\n";
    }
    grammar.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}\
         {header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

/// Reads a command line.
pub(crate) fn read<W: Into<OsString> + Clone>(
    words: impl IntoIterator<Item = W>,
) -> Result<Cli, clap::Error> {
    let mut grammar = grammar();
    let matches = grammar.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))
}

/// Ask a model many questions and keep every answer
#[derive(Debug, Parser)]
#[command(name = "dset", version, styles = STYLES, max_term_width = 100, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "Examples:
  dset demo                         see it work, without a key
  dset init                         begin: sample questions, settings, the key
  dset run                          ask the questions in ./q.csv
  dset run -m deepseek-v4-pro -c 32 another model, 32 at once
  dset                              where the run in this folder stands
  dset status --watch               the same, again every 2 seconds
  dset show 15                      question 15, its reasoning and its answer
  dset search black holes           where both words are
  dset verify                       whether store, outputs and marks agree
  dset help exit-codes              what the exit codes say; also: resume, files")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work in ten seconds, without a key
    Demo,
    /// Begin in this folder: sample questions, settings, the key
    Init(InitArgs),
    /// Check the questions, the key, the service and the folder
    Doctor(Box<DoctorArgs>),
    /// Ask the questions that have no answer yet (safe to repeat)
    Run(Box<RunArgs>),
    /// Where the run stands: answered, failed, left
    Status(StatusArgs),
    /// Read a question with its answers, or those that failed and why
    Show(ShowQuestionArgs),
    /// Find words in questions, reasoning and answers
    Search(SearchArgs),
    /// What the answers are like: tokens, seconds, lengths, retries
    Stats(StatsArgs),
    /// Check that the store, the outputs and the marks agree
    Verify(VerifyArgs),
    /// Write the outputs anew from the store
    Export(ExportArgs),
    /// See and change settings, and where each comes from
    Config(Box<ConfigArgs>),
    /// Keep API keys for all folders, out of everybody's sight
    Keys(KeysArgs),
    /// Which models there are, of which services
    Models(ModelsArgs),
    /// Make q.csv of another file, or go on from the folder of the original script
    Import(ImportArgs),
    /// Pretend to be an AI service, with limits and faults
    Mock(Box<MockArgs>),
    /// Write completions for a shell
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
    /// Help for a command, or for a topic
    Help(HelpArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every setting can also come from a variable: DSET_ and the flag's name, as in \
DSET_MODEL or DSET_MAX_TOKENS (DSET_INPUT for QUESTIONS), from the environment or from .env in the \
working folder; or from a line like `model = \"deepseek-flash\"` in dset.toml there, or in a file of \
your own for all folders. Flags outrank the environment, which outranks .env, dset.toml and your own \
file, in this order: see `dset config show --origin`.

On a terminal, s tells where the run stands (elsewhere SIGUSR1 does), p pauses it and lets it go on, \
r tries a service that does not answer, q stops it as Ctrl-C does.

Exit codes: 0 all answered, 1 disk or internal error, 2 usage, settings or input, 3 some rows \
marked ERROR, 4 key missing or refused, 5 out of money, 6 service unreachable, 11 another run has \
the folder, 130 and 143 stopped."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) layer: Layer,

    #[command(flatten)]
    pub(crate) decisions: DecisionArgs,

    /// Write a line to this file descriptor for every answer that is durable (for tests)
    #[cfg(unix)]
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) ack_fd: Option<u32>,
}

/// What only one run is told; no variable sets these.
#[derive(Debug, Args)]
#[command(next_help_heading = "This run only")]
pub(crate) struct DecisionArgs {
    /// Ask so many questions at most
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// After a change of settings: keep the answers there are, ask the rest
    #[arg(long = "continue", conflicts_with = "again")]
    pub(crate) keep: bool,

    /// Ask everything again; earlier outputs are moved, not deleted
    #[arg(long)]
    pub(crate) again: bool,

    /// Do not take the rows before an ERROR bookmark as answered
    #[arg(long)]
    pub(crate) from_start: bool,
}

/// Which run is meant. What it asks, and of whom, is read from its store.
#[derive(Debug, Default, Args)]
pub(crate) struct WhichArgs {
    /// CSV file with the questions [default: q.csv]
    #[arg(value_name = "QUESTIONS")]
    pub(crate) input: Option<PathBuf>,

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

/// Which run is meant, for commands whose words are about something else.
#[derive(Debug, Args)]
pub(crate) struct WhichByNameArgs {
    /// CSV file with the questions [default: q.csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) questions: Option<PathBuf>,

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

#[derive(Debug, Args)]
#[command(
    after_help = "Reads the questions and the store, asks nothing and changes nothing: it can be \
used at any time, also while `dset run` is at work in another terminal.

Every question is counted once: questions = answered + taken as answered + rejected + gave up + \
pending. Rejected and given up are the rows that say ERROR; the next run asks them again.

With --watch it goes on after the end of the run, as `watch` does, until Ctrl-C; with --json it \
writes an object a line.

Exit codes: 0 told, also where nothing was asked yet, 1 the store cannot be read, 2 usage or input, \
130 and 143 watched until Ctrl-C or SIGTERM.

Examples:
  dset status                       of ./q.csv and ./dset_generator
  dset status in/q.csv -o out       of another run
  dset status --json                one JSON object, for a program
  dset status --watch               again every 2 seconds, in place
  dset status --watch 60 >> log     in a pipe or a file one block behind the other"
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Tell it again every so many seconds, until Ctrl-C; 2 where none are named
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) watch: Option<u64>,

    /// Write one JSON object to stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Checks the store itself, every byte of the three outputs against it, the marks \
in the questions against how those ended, and that the ledger balances. Whatever does not agree is \
named with its place and the command that mends it. Takes no lock and changes nothing; while a run \
is at work, what it is about to write is left out.

Exit codes: 0 everything agrees, 1 something does not, or the store cannot be read, 2 usage or \
input, or nothing was asked yet.

Examples:
  dset verify                       ./q.csv and ./dset_generator
  dset verify && cp -r dset_generator /backup
  dset verify --json                one JSON object, for a program"
)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Write one JSON object to stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A rebuild writes output.csv, output.json and output.txt anew: every answered \
question that is in the file of questions, in its order, once. Rows whose question was removed are \
left out; their answers stay in the store. Outputs that hold anything that dset did not write are \
copied to earlier/<time>/ first. Nothing is asked. Cut short at any moment, it is finished by the \
next `dset run` or rebuild.

Exit codes: 0 rebuilt, 1 disk or damaged store, 2 usage or input, or nothing was asked yet, 11 a run \
has the folder.

Examples:
  dset export --rebuild             after rows were moved or removed in q.csv
  dset export --rebuild -o out      the outputs in another folder"
)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Write the three outputs anew, in the order of the questions
    #[arg(long)]
    pub(crate) rebuild: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Settings are read from flags, from the environment (DSET_ and the flag's \
name), from .env and dset.toml in the working folder, and from a file of your own for all folders: \
what stands first here is heard first.

Exit codes: 0 done, 1 disk, 2 usage or settings.

Examples:
  dset config show --origin         every setting, and where it comes from
  dset config set concurrency 32    in ./dset.toml
  dset config set model gpt-6-luna --user
  dset config schema > dset.schema.json")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting and its value; with --json as one JSON object
    Show(Box<ShowArgs>),
    /// The value of one setting
    Get {
        /// Name of the setting, as in files: max-tokens
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Write a setting into ./dset.toml, keeping what else is there
    Set {
        /// Name of the setting, as in files: max-tokens
        #[arg(value_name = "NAME")]
        name: String,

        /// Its value, as its flag takes it
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,

        /// Into your own file for all folders instead
        #[arg(long)]
        user: bool,
    },
    /// Where the file of settings is, whether it is there or not
    Path {
        /// Your own file for all folders
        #[arg(long)]
        user: bool,
    },
    /// A JSON Schema of files of settings, for editors
    Schema,
    /// What every setting is called, takes and does, as Markdown
    Reference,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Say where each value comes from
    #[arg(long)]
    pub(crate) origin: bool,

    #[command(flatten)]
    pub(crate) layer: Layer,
}

#[derive(Debug, Args)]
pub(crate) struct MockArgs {
    #[command(flatten)]
    pub(crate) settings: MockSettings,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a command as a shell does, as far as ours have it.
    fn words(command: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
        for c in command.chars() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' if !quoted => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn every_command_that_an_error_names_is_one_that_dset_takes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs_err::read_to_string(&path).unwrap();
            for line in text.lines().filter(|line| line.to_lowercase().contains("hint: ")) {
                let ticked = line.split('`').skip(1).step_by(2);
                for command in ticked.filter(|ticked| ticked.starts_with("dset ")) {
                    seen += 1;
                    let command = command.replace("[PORT]", "1");
                    let Err(error) = read(words(&command)) else { continue };
                    let told = matches!(error.kind(), clap::error::ErrorKind::DisplayHelp);
                    assert!(told, "{}: `{command}`: {error}", path.display());
                }
            }
        }
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn the_grammar_agrees_with_itself() {
        grammar().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let grammar = grammar();
        let mut names: Vec<&str> = grammar.get_subcommands().map(|c| c.get_name()).collect();
        grouped.sort_unstable();
        names.sort_unstable();
        assert_eq!(grouped, names);
    }
}
