//! The command line.

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::command::check::CheckArgs;
use crate::command::completions::CompletionsArgs;
use crate::command::config::ConfigArgs;
use crate::command::doctor::DoctorArgs;
use crate::command::estimate::EstimateArgs;
use crate::command::export::ExportArgs;
use crate::command::help::HelpArgs;
use crate::command::import::ImportArgs;
use crate::command::init::InitArgs;
use crate::command::job::JobArgs;
use crate::command::keys::KeysArgs;
use crate::command::man::ManArgs;
use crate::command::merge::MergeArgs;
use crate::command::mock::MockArgs;
use crate::command::models::ModelsArgs;
use crate::command::prices::PricesArgs;
use crate::command::redo::RedoArgs;
use crate::command::report::ReportArgs;
use crate::command::run::RunArgs;
use crate::command::schema::SchemaArgs;
use crate::command::search::SearchArgs;
use crate::command::show::ShowArgs;
use crate::command::stats::StatsArgs;
use crate::command::status::StatusArgs;
use crate::command::verify::VerifyArgs;
use crate::command::view::ViewArgs;
#[cfg(feature = "postgres")]
use crate::command::work::WorkArgs;
use crate::help::STYLES;

/// Returns the grammar of the command line.
pub(crate) fn command_line() -> clap::Command {
    Cli::command()
}

/// Reads a command line.
pub(crate) fn read<W: Into<OsString> + Clone>(
    words: impl IntoIterator<Item = W>,
) -> Result<Cli, clap::Error> {
    let mut grammar = command_line();
    let matches = grammar.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))
}

/// Ask a model many questions and keep every answer
#[derive(Debug, Parser)]
#[command(name = "dset", version, styles = STYLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "Examples:
  dset demo                          see it work, without a key
  dset init                          begin: sample questions, settings, the key
  dset run                           ask the questions in ./q.csv
  dset run -m deepseek-v4-pro -c 32  another model, 32 at once
  dset                               where the run in this folder stands
  dset status --watch                the same, again every 2 seconds
  dset show 15                       question 15, its reasoning and its answer
  dset search black holes            where both words are
  dset view                          all of it in a browser
  dset verify                        whether store, outputs and marks agree
  dset help exit-codes               what exit codes say; also: resume, files")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work in ten seconds, without a key
    #[command(
        after_help = "Makes the folder dset-demo here, and asks twelve questions of a pretend service on this \
machine, which refuses one. The same command again asks only that one, and it is answered.

Exit codes: 0 done, 1 disk, 2 there is a dset-demo that the demo did not make, 130 stopped.

Examples:
  dset demo
  dset status -o dset-demo/dset_generator"
    )]
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
    Show(ShowArgs),
    /// Find words in questions, reasoning and answers
    Search(SearchArgs),
    /// Look around in a browser: list, search, compare, rate
    View(ViewArgs),
    /// Write a report in one file, to be passed on
    Report(ReportArgs),
    /// What the answers are like: tokens, seconds, lengths, retries
    Stats(StatsArgs),
    /// Hold every kept answer against the checks of now, free
    Check(Box<CheckArgs>),
    /// Ask rows again on purpose
    Redo(Box<RedoArgs>),
    /// What the rest of the run will cost, and how long it takes
    Estimate(Box<EstimateArgs>),
    /// Check that the store, the outputs and the marks agree
    Verify(VerifyArgs),
    /// Write datasets for training and the Hub, or the outputs anew
    Export(Box<ExportArgs>),
    /// Split a large input into shards, to be run anywhere
    Job(JobArgs),
    /// Ask shards of a job on a server, beside other workers
    #[cfg(feature = "postgres")]
    Work(Box<WorkArgs>),
    /// Put folders together that were asked apart
    Merge(MergeArgs),
    /// See and change settings, and where each comes from
    Config(Box<ConfigArgs>),
    /// Keep API keys for all folders, out of everybody's sight
    Keys(KeysArgs),
    /// Which models there are, of which services
    Models(ModelsArgs),
    /// What models cost: now, by the hour, in batches
    Prices(PricesArgs),
    /// What services are sent of a JSON Schema, and which answers fit
    Schema(SchemaArgs),
    /// Make q.csv of another file, or go on from the script's folder
    Import(ImportArgs),
    /// Pretend to be an AI service, with limits and faults
    Mock(Box<MockArgs>),
    /// Write completions for a shell
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
    /// Say which version this is
    Version,
    /// Help for a command, or for a topic
    Help(HelpArgs),
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;
    use crate::help::GROUPS;

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
                    let told = matches!(error.kind(), ErrorKind::DisplayHelp);
                    assert!(told, "{}: `{command}`: {error}", path.display());
                }
            }
        }
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn the_grammar_agrees_with_itself() {
        command_line().debug_assert();
    }

    /// Commands in a page: those between ticks, and the lines of its blocks.
    fn commands(page: &str) -> Vec<String> {
        let mut commands = Vec::new();
        for (at, part) in page.split("```").enumerate() {
            let spans: Vec<&str> = match at % 2 {
                0 => part.split('`').skip(1).step_by(2).collect(),
                _ => part.lines().map(|line| line.trim_start_matches("$ ")).collect(),
            };
            let ours = spans.into_iter().filter(|span| span.starts_with("dset "));
            // What stands there for anything, and what is the shell's.
            let ours = ours.map(|span| span.split([' ', '\n']).collect::<Vec<_>>());
            for words in ours {
                let ends = |word: &&&str| matches!(**word, "#" | "|" | "&" | "&&" | ">" | "2>&1");
                let words: Vec<&str> =
                    words.iter().take_while(|word| !ends(word)).copied().collect();
                commands.push(words.join(" ").trim().to_owned());
            }
        }
        commands
    }

    #[test]
    fn every_command_that_a_page_shows_is_one_that_dset_takes() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let pages = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
        let mut seen = 0;
        for path in pages.chain([root.join("README.md")]) {
            for command in commands(&fs_err::read_to_string(&path).unwrap()) {
                // `dset show N` stands for many.
                let is_name = |word: &str| word.chars().all(|c| c.is_ascii_uppercase());
                if command.contains(['|', '…', '[', '<', '\\']) || command.split(' ').any(is_name)
                {
                    continue;
                }
                seen += 1;
                let Err(error) = read(words(&command)) else { continue };
                // A page may name a command without what it is about.
                let told = matches!(
                    error.kind(),
                    ErrorKind::DisplayHelp
                        | ErrorKind::MissingRequiredArgument
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                );
                assert!(told, "{}: `{command}`: {error}", path.display());
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let grammar = command_line();
        let mut names: Vec<&str> = grammar.get_subcommands().map(|c| c.get_name()).collect();
        grouped.sort_unstable();
        names.sort_unstable();
        assert_eq!(grouped, names, "every command stands in one group of `help::GROUPS`");
    }
}
