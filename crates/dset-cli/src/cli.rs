//! The command line.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use dset_core::csv::HeaderMode;
use dset_core::settings::Layer;
use dset_mock::MockSettings;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Ask a model many questions and keep every answer
#[derive(Debug, Parser)]
#[command(name = "dset", version, styles = STYLES, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Examples:
  dset demo                         see it work, without a key
  dset run                          ask the questions in ./q.csv
  dset run -m deepseek-v4-pro -c 32 another model, 32 at once
  dset status                       where the run stands, also while it goes on
  dset verify                       whether store, outputs and marks agree")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work in ten seconds, without a key
    Demo,
    /// Ask the questions that have no answer yet (safe to repeat)
    Run(Box<RunArgs>),
    /// Where the run stands: answered, failed, left
    Status(StatusArgs),
    /// Check that the store, the outputs and the marks agree
    Verify(VerifyArgs),
    /// Write the outputs anew from the store
    Export(ExportArgs),
    /// See and change settings, and where each comes from
    Config(Box<ConfigArgs>),
    /// Pretend to be an AI service, with limits and faults
    Mock(Box<MockArgs>),
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
#[derive(Debug, Args)]
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

#[derive(Debug, Args)]
#[command(
    after_help = "Reads the questions and the store, asks nothing and changes nothing: it can be \
used at any time, also while `dset run` is at work in another terminal.

Every question is counted once: questions = answered + taken as answered + rejected + gave up + \
pending. Rejected and given up are the rows that say ERROR; the next run asks them again.

Exit codes: 0 told, also where nothing was asked yet, 1 the store cannot be read, 2 usage or input.

Examples:
  dset status                       of ./q.csv and ./dset_generator
  dset status in/q.csv -o out       of another run
  dset status --json                one JSON object, for a program
  watch dset status                 again and again"
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

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
