//! Runs and exports without a terminal, for programs that have `dset` within them.
//!
//! What is wanted is said in the words of the command line, read by its grammar; what is wrong is said in the
//! three parts of an error. Nothing is printed: what a terminal would be warned of is returned.

mod run;

use std::path::Path;

use dset_core::settings::Layer;
use dset_engine::export::{ExportRequest, export as write_export};
use dset_engine::store::AsAsked;
use dset_engine::view::browse::SideFiles;
use dset_engine::view::status::run_status;
use serde_json::{Value, json};

pub use self::run::{PreparedRun, prepare_run};
use crate::cli::{self, Command};
use crate::command::job::{JobCommand, split::split_quietly};
use crate::command::{export, shared};
use crate::display::terminal_variables::cache_folder;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::Environment;

/// Why something was not done: what happened, why, and what to do.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened.
    pub message: String,
    /// Why, where that is known.
    pub cause: Option<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The exit code of the command line, see its documentation.
    pub exit: u8,
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Failure {
        let UserError { message, cause, hints, exit } = error;
        Failure { message, cause, hints, exit: exit as u8 }
    }
}

/// Reads what follows `dset` on a command line.
fn read<'a>(command: &[&'a str], words: &'a [String]) -> Result<Command, Failure> {
    let words = words.iter().map(String::as_str);
    let all = ["dset"].into_iter().chain(command.iter().copied()).chain(words);
    let read = cli::read(all).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = one_line(first.strip_prefix("error: ").unwrap_or(first));
        let command = command.join(" ");
        Failure::from(
            UserError::new(Exit::Usage, message)
                .hint(format!("Options are those that `dset {command} --help` lists")),
        )
    })?;
    Ok(read.command)
}

fn wrong_command() -> Failure {
    UserError::new(Exit::Usage, "this command does not belong here").into()
}

/// Puts a warning and what to do about it into one line.
fn warning((text, hint): (String, Option<String>)) -> String {
    hint.map_or(text.clone(), |hint| format!("{text} ({hint})"))
}

/// Writes a dataset, by the words that follow `dset export`; returns what was written. `of_run` is the `as_asked`
/// of the report of a run: the rows are that run's, whatever the folder was asked with since.
///
/// # Errors
///
/// The words are none that `dset export` takes, nothing was asked yet, or the dataset cannot be written.
pub fn export(words: &[String], of_run: Option<&str>) -> Result<Value, Failure> {
    let Command::Export(args) = read(&["export"], words)? else { return Err(wrong_command()) };
    let of_run = of_run.map(serde_json::from_str).transpose().map_err(|error| {
        UserError::new(Exit::Ours, "this is the report of no run").cause(error.to_string())
    })?;
    Ok(exported(&args, of_run.as_ref())?)
}

fn exported(args: &export::ExportArgs, of_run: Option<&AsAsked>) -> Result<Value, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let (spec, _) = shared::settings_under(&environment, args.which.layer())?;
    let request = args.request()?.ok_or_else(|| {
        UserError::new(Exit::Usage, "nothing was said of what to export")
            .hint("Name a file or a folder to write")
    })?;
    let side = SideFiles::beside(&spec.output, &cache_folder());
    let request = ExportRequest { reviews_in: Some(&side.folder), of_run, ..request };
    let exported = write_export(&spec, &request, &mut |_, _| {})
        .map_err(|error| explain::export(error, &args.which))?
        .ok_or_else(|| shared::nothing_asked(&args.which, &spec))?;
    Ok(export::object(&exported))
}

/// Tells where the run of a folder stands; without questions, of those that it was asked from.
///
/// # Errors
///
/// The folder, or its questions, cannot be read.
pub fn status(folder: &str, questions: Option<&str>) -> Result<Value, Failure> {
    let environment = Environment::read(Path::new("."))?;
    let input = questions.map(Into::into);
    let layer = Layer { output: Some(folder.into()), input, ..Layer::default() };
    let (spec, _) = shared::settings_under(&environment, layer)?;
    let found = run_status(&spec).map_err(|error| Failure::from(explain::job(error)))?;
    Ok(json!({
        "questions": found.ledger.questions,
        "answered": found.ledger.answered,
        "failed": found.ledger.failed(),
        "left": found.ledger.pending,
        "presumed": found.ledger.presumed,
    }))
}

/// Splits questions into shards, by the words that follow `dset job split`; returns how many there are, and
/// what a terminal would be warned of.
///
/// # Errors
///
/// The words are none that `dset job split` takes, or the questions cannot be split so.
pub fn split(words: &[String]) -> Result<(u32, Vec<String>), Failure> {
    let Command::Job(args) = read(&["job", "split"], words)? else { return Err(wrong_command()) };
    let JobCommand::Split(args) = args.command else { return Err(wrong_command()) };
    let split = split_quietly(*args)?;
    Ok((split.job.count(), split.warnings.into_iter().map(warning).collect()))
}
