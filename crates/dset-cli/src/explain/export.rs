//! A dataset that cannot be written.

use dset_core::layout::Unfit;
use dset_core::layout::expression::ExpressionError;
use dset_engine::export::{CONTAINERS, ExportError};

use super::{io_cause, mend};
use crate::datasets::DatasetArgs;
use crate::display::text::{count, of, one_line, row_numbers, same_command};
use crate::error::UserError;
use crate::exit::Exit;
use crate::run_selector::RunSelectorArgs;
use crate::spelling::meant;

/// Explains why a run cannot write a dataset when it has ended.
pub(crate) fn export_at_end(
    error: ExportError,
    which: &RunSelectorArgs,
    said: &DatasetArgs,
) -> UserError {
    let is_there = matches!(error, ExportError::Exists(_));
    let user = export(error, which);
    if !is_there {
        return user;
    }
    let again = match said.flags() {
        Some(flags) => format!("{} {flags} --force", which.command("export")),
        None => format!("{} --force", which.command("export")),
    };
    UserError { hints: Vec::new(), ..user }
        .hint(format!(
            "If it may go, remove it, or write over it when the run has ended: `{again}`"
        ))
        .hint("Name another place with `--to`")
}

/// Explains why there is no dataset.
pub(crate) fn export(error: ExportError, which: &RunSelectorArgs) -> UserError {
    let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
    match error {
        ExportError::Job(error) => super::job(error),
        ExportError::Exists(_) => user
            .cause("dset did not write it, or it was changed since, and nothing is written over it")
            .hint(format!("If it may go: `{} --force`", same_command()))
            .hint("Name another place with `--to`"),
        ExportError::BehindFile(_) => user
            .cause("a dataset goes into a folder, which is made where there is none")
            .hint("Name another place with `--to`"),
        ExportError::NotAFile(_) => user
            .cause("a dataset is a file: it is written whole, and put in place of an earlier one")
            .hint("Name a file with `--to`, and read that"),
        ExportError::OfRun(_) => user
            .cause("it is a file of questions, or would be read as one, or is in the folder of the outputs")
            .hint("Name a place of its own with `--to`"),
        ExportError::EarlierShard(_) => user
            .cause("it is one of another number of files, and would be read with the new ones")
            .hint("Remove the files of that export, or name another place with `--to`"),
        ExportError::ForeignFolder(_) => user
            .cause("there are files in it that dset did not write, and `--force` spares those too")
            .hint("Name an empty folder, or one that does not exist yet, with `--to`"),
        ExportError::OtherKind { .. } => user
            .cause("its values are of several kinds, or not all are texts where the file holds only texts, or rows lack it: what is asked again would be another prompt")
            .hint("Name a file of JSON lines, which keeps all of them: `--to again.jsonl`"),
        ExportError::Nul { rows, .. } => user
            .cause(format!("{}: dset reads no such file again", row_numbers(&rows)))
            .hint("Name a file of JSON lines, which keeps it: `--to again.jsonl`"),
        ExportError::UnknownEnding(_) => user
            .cause(format!("the kinds are: {}", endings()))
            .hint("Name a file like `--to sft.jsonl`, or a folder for the Hub like `--to hub/`"),
        ExportError::UnknownColumn { option, name, known } => {
            let user = user.cause(format!("`{option}` names it"));
            columns(user, &name, known)
        }
        ExportError::SameName(_) => user
            .cause("loaders take no two columns of one name")
            .hint("Give one of them another name with `--rename OLD=NEW`"),
        ExportError::Expression { option, text, error } => expression(option, &text, error),
        ExportError::NoRank => user
            .cause("nothing is known of an answer that would say it")
            .hint("Say it with `--rank EXPR`, higher or true for better answers: `--rank 'row.gold in answer'`")
            .hint("Shorter answers first: `--rank '-completion_tokens'`"),
        ExportError::Reasoning { places, .. } => {
            let places: Vec<_> = places.iter().map(|place| place.name()).collect();
            user.cause(format!("it knows: {}", places.join(", ")))
                .hint(format!("Leave `--reasoning` out for `{}`", places[0]))
        }
        ExportError::Reviews { .. } => user
            .cause("only the layout `rows` has columns for them")
            .hint("Choose by them in any layout: `--where 'rating and rating >= 4'`, `--rank rating`"),
        ExportError::Unfit { layout, unfit, count: number, rows } => {
            unfit_rows(layout, unfit, number, &rows)
        }
        ExportError::OneAnswerEach => user
            .cause("a preference sets two answers to one question against each other")
            .hint(format!("Ask for more: `{} --samples 4`", which.command("run"))),
        ExportError::Missing { count } => {
            UserError::new(Exit::Marked, format!("{} missing", of(count, "answer")))
                .cause("`--strict` writes a dataset of all answers or none")
                .hint(format!("Ask for them with `{}`", which.command("run")))
                .hint("Leave `--strict` out to write what is there")
        }
        ExportError::NoRows => user
            .cause("every answer was left out, or there is none")
            .hint(format!("`{}` shows what is answered", which.command("status"))),
        ExportError::Io { path, error } => {
            let message = format!("cannot write `{}`", one_line(&path.display().to_string()));
            UserError::new(Exit::Ours, message).cause(io_cause(&error)).hint(mend())
        }
    }
}

fn endings() -> String {
    let ending = |kind: &dset_engine::export::ContainerKind| match kind.packs {
        true => format!(".{} (also .gz, .zst)", kind.ending),
        false => format!(".{}", kind.ending),
    };
    CONTAINERS.iter().map(ending).collect::<Vec<_>>().join(", ")
}

fn columns(user: UserError, name: &str, known: Vec<String>) -> UserError {
    let user = match meant(name, known.iter().cloned()) {
        Some(meant) => user.hint(format!("Perhaps `{}`", one_line(&meant))),
        None => user,
    };
    let known: Vec<_> = known.iter().map(|name| one_line(name)).collect();
    user.hint(format!("There are: {}", known.join(", ")))
}

fn expression(option: &str, text: &str, error: ExpressionError) -> UserError {
    let user =
        UserError::new(Exit::Usage, format!("`{option}` cannot be used: {}", one_line(text)))
            .cause(one_line(&error.to_string()));
    match error {
        ExpressionError::Unknown { name, known } => columns(user, &name, known),
        ExpressionError::Syntax(_) => {
            user.hint("It is written as in a template, without braces: `level > 3 and answer`")
        }
        ExpressionError::Failed { .. } => user
            .hint("A column of a CSV file is text: `level|int > 3`")
            .hint("What may not be known can be asked for: `seconds is number and seconds < 60`"),
        ExpressionError::NoNumber { found, .. } if found.starts_with("none") => user.hint(format!(
            "Leave answers out that have none, as by `--where '({text}) is not none'`"
        )),
        ExpressionError::NoNumber { .. } => {
            user.hint("A rank is a number, or true or false: `--rank 'row.gold in answer'`")
        }
    }
}

fn unfit_rows(layout: &str, unfit: Unfit, number: u64, rows: &[u64]) -> UserError {
    let what = match unfit {
        Unfit::Turns => "chats of several turns, and the layout has one question and one answer",
        Unfit::OneAnswer => "questions with one answer",
        Unfit::Tie => "questions whose answers rank the same",
    };
    let named: Vec<_> = rows.iter().map(|&row| count(row)).collect();
    let more = if number > rows.len() as u64 { " and others" } else { "" };
    let does = if number == 1 { "does" } else { "do" };
    let message = format!("{} {does} not fit the layout `{layout}`", of(number, "row"));
    UserError::new(Exit::Usage, message)
        .cause(format!("row {}{more}: {what}", named.join(", ")))
        .hint("Use a layout of messages: `--layout chat`, `--layout sharegpt`")
        .hint(format!("Leave such rows out: `{} --skip-unfit`", same_command()))
}
