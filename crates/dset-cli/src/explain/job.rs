//! A run that cannot begin, and a folder that another one uses.

use std::io;
use std::path::Path;

use dset_core::settings::Shard;
use dset_engine::error::JobError;
use dset_engine::os::lock::{Holder, LockError};
use dset_engine::output::live::{LIVE_FORMATS, OutputError};
use dset_engine::recover::legacy::LegacyImportError;

use super::{io_cause, mend};
use crate::display::preamble::bad_rows;
use crate::display::text::{clock, of, one_line, quoted, shortened};
use crate::error::UserError;
use crate::exit::Exit;
use crate::same_command::{
    given_name, is_worker, same_command_as, same_command_with, status_command,
};

/// Explains why a run cannot begin.
pub(crate) fn job(error: JobError) -> UserError {
    let is_there = matches!(&error, JobError::Folder { path, .. } if path.is_dir());
    words(error, is_there)
}

fn words(error: JobError, is_there: bool) -> UserError {
    match error {
        JobError::Source(error) => super::source(error),
        JobError::NoQuestions { path, bad_rows: bad } => {
            let path = path.display();
            match bad_rows(&bad) {
                Some(skipped) => UserError::new(
                    Exit::Usage,
                    format!("`{path}` has no questions that can be asked"),
                )
                .cause(skipped)
                .hint("Mend these rows: as they are, `--on-bad-row skip` leaves all out"),
                None => UserError::new(Exit::Usage, format!("`{path}` has no questions"))
                    .cause("there is a header, or empty rows, and nothing else")
                    .hint(super::WRITE_QUESTIONS),
            }
        }
        JobError::NoSuchId { field, known } => {
            let known: Vec<String> = known.iter().map(|name| one_line(name)).collect();
            UserError::new(Exit::Usage, format!("cannot find the column `{}`", one_line(&field)))
                .cause(format!("`--id` names it; the columns are: {}", known.join(", ")))
                .hint("Name the one whose values tell rows apart, or leave `--id` out")
        }
        JobError::EqualIds { field, id, rows: (first, second) } => {
            UserError::new(Exit::Usage, format!("two rows have the same `{}`", one_line(&field)))
                .cause(format!("rows {first} and {second}: {}", shortened(&one_line(&id), 60)))
                .hint("Give each row one of its own, or name another column: `--id NAME`")
        }
        JobError::Prompt(error) => error.into(),
        JobError::Format(unknown) => {
            UserError::new(Exit::Usage, format!("there is no format `{}`", one_line(&unknown.name)))
                .cause(format!(
                    "the formats are: {}",
                    LIVE_FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
                ))
                .hint("Name those you want: `--formats csv,json`")
        }
        JobError::Folder { path, error } => folder(&path, &error, is_there),
        JobError::Lock(LockError::InUse(holder)) => {
            folder_in_use("another `dset run` is using this folder", holder)
                .hint(format!("Wait for it to end; `{}` shows how far it is", status_command()))
        }
        JobError::NoLane { .. } => UserError::new(Exit::Locked, one_line(&error.to_string()))
            .cause(
                "each has the limits a minute for itself, and one more would exceed them together",
            )
            .hint("Wait for one of them to end"),
        JobError::Lock(LockError::Io(error)) => {
            UserError::new(Exit::Ours, "cannot lock the folder")
                .cause(io_cause(&error))
                .hint(mend())
        }
        JobError::Store(error) => error.into(),
        JobError::Output(OutputError::Store(error))
        | JobError::Adopt(LegacyImportError::Store(error)) => error.into(),
        JobError::Output(error @ (OutputError::NotAFile { .. } | OutputError::Gone { .. })) => {
            UserError::new(Exit::Ours, "cannot write the outputs")
                .cause(one_line(&error.to_string()))
                .hint("Move it out of the way and run again, or leave it out with `--formats`")
        }
        JobError::Output(OutputError::Io(error)) => {
            UserError::new(Exit::Ours, "cannot write the outputs")
                .cause(io_cause(&error))
                .hint("Every answer is safe in the store; run again once that is mended")
        }
        JobError::Adopt(LegacyImportError::Io(error)) => UserError::new(
            Exit::Ours,
            "cannot take over the outputs of the earlier script",
        )
        .cause(io_cause(&error))
        .hint("Copies are in the folder `.earlier` beside them; run again once that is mended"),
        JobError::SettingsChanged { changes, answers } => settings_changed(&changes, answers),
        JobError::Check(error) => crate::checks::explain(error),
        JobError::CheckProgram(error) => UserError::new(Exit::Usage, one_line(&error.to_string()))
            .hint("Its name is meant from the working folder; there is no shell between"),
        JobError::NothingToRedo => UserError::new(Exit::Usage, "no row is to be asked again")
            .cause("no question of the file is among those that are meant")
            .hint("`dset show --failed` names what failed, `dset show N` a question"),
        JobError::NoSuchQuestion { number, questions } => {
            UserError::new(Exit::Usage, format!("there is no question {number}"))
                .cause(format!(
                    "the input has {}; empty rows are not counted",
                    of(questions, "question")
                ))
                .hint("`dset show --failed` names what failed, `dset show N` a question")
        }
        JobError::AcceptanceChanged { answers, is_schema_new } => {
            acceptance_changed(answers, is_schema_new)
        }
        JobError::Bookmark { path, folder, row, before, questions } => {
            bookmark(&path, &folder, row, before, questions)
        }
        JobError::UnreadOutput { folder, file } => unread_output(&folder, file),
        error @ JobError::TooMany { .. } => UserError::new(Exit::Usage, error.to_string())
            .hint("Ask for fewer samples or models, or split the file"),
        JobError::NoKey => UserError::new(Exit::Key, "there is no key")
            .hint("Keep one: `dset keys set deepseek`, or begin with `dset init`"),
        JobError::ShardFolder { folder, shard } => shard_folder(&folder, &shard),
        JobError::JobFolder { folder } => job_folder(&folder),
        JobError::InputChanged => {
            UserError::new(Exit::Usage, "the questions were changed while they were being read")
                .hint("Try again once nobody writes the file")
        }
    }
}

fn job_folder(folder: &Path) -> UserError {
    let name = quoted(&folder.display().to_string());
    UserError::new(Exit::Usage, format!("`{}` is the folder of a job of shards", folder.display()))
        .cause("its questions are asked by its shards; a run would ask all of them once more, into this folder")
        .hint(format!("See where the shards stand: `dset job status {name}`"))
        .hint(format!("Ask one: `dset run --job {name} --shard 0`"))
        .hint(format!("Put them together: `dset job merge {name}`"))
}

fn shard_folder(folder: &Path, shard: &Shard) -> UserError {
    let job = quoted(&shard.job.display().to_string());
    UserError::new(Exit::Usage, format!("`{}` is the folder of a shard", folder.display()))
        .cause("all questions would be asked into it, those of other shards too")
        .hint(format!("Ask the shard: `dset run --job {job} --shard {}`", shard.number))
        .hint("Or name another folder for all of them with `-o DIR`")
}

fn folder(path: &Path, error: &io::Error, is_there: bool) -> UserError {
    let user = UserError::new(Exit::Ours, format!("cannot use the folder `{}`", path.display()))
        .cause(io_cause(error));
    // In another folder everything that was asked in this one would be bought again.
    match is_there {
        true => user.hint("Mend that and run again"),
        false => user.hint("Mend that and run again, or choose another folder with `-o DIR`"),
    }
}

fn settings_changed(changes: &[(String, String, String)], answers: u64) -> UserError {
    let shown = changes.iter().map(|(name, was, is)| {
        let from = first_shown(was, is);
        let short = |text: &str| match from {
            0 => shortened(text, SHOWN),
            _ => format!("…{}", shortened(&text[from..], SHOWN)),
        };
        format!("{name} was `{}` and is `{}`", short(was), short(is))
    });
    let answers = match answers {
        1 => "1 answer was".to_owned(),
        count => format!("{count} answers were"),
    };
    UserError::new(Exit::Usage, format!("{answers} bought with other settings"))
        .cause(shown.collect::<Vec<_>>().join("; "))
        .hint(format!(
            "Keep them and ask the rest with the new settings: `{} --continue`",
            same_command_with("keep")
        ))
        .hint(format!(
            "Ask and pay for all of them again, moving the earlier outputs aside: \
             `{} --again`",
            same_command_as("run", &["keep"])
        ))
}

/// So much of a setting that changed is shown.
const SHOWN: usize = 60;

/// Returns from which byte on two texts are shown, so that what differs is among it: a little before where
/// that begins.
fn first_shown(one: &str, other: &str) -> usize {
    let same = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let differs = same.map_or(one.len().min(other.len()), |((at, _), _)| at);
    if one[..differs].chars().count() < SHOWN * 2 / 3 {
        return 0;
    }
    one[..differs].char_indices().rev().nth(SHOWN / 3).map_or(0, |(at, _)| at)
}

fn acceptance_changed(answers: u64, is_schema_new: bool) -> UserError {
    let (what, cause) = match is_schema_new {
        true => (
            "fit the schema",
            "they were asked for without this schema, and would be asked for again with it",
        ),
        false => (
            "pass the checks any more",
            "the checks are others than in the last run, or what rows expect, and these would be asked again",
        ),
    };
    let answers = match answers {
        1 => format!("1 answer that was accepted does not {what}"),
        count => format!("{count} answers that were accepted do not {what}"),
    };
    // Which rows are asked again on purpose is nothing that a run is told.
    let without: &[&str] = if given_name() == "redo" { &["keep", "where"] } else { &["keep"] };
    UserError::new(Exit::Usage, answers)
        .cause(cause)
        .hint(format!("Keep them all the same: `{} --continue`", same_command_with("keep")))
        .hint(format!(
            "Ask and pay for them again: `{} --again-failed`",
            same_command_as("run", without)
        ))
        .hint(format!("See which, and what that costs: `{}`", same_command_as("check", &[])))
}

fn bookmark(path: &Path, folder: &Path, row: u64, before: u64, questions: u64) -> UserError {
    let name = path.display();
    let run = same_command_as("run", &["from_start", "from_bookmark"]);
    let before = match before {
        1 => "1 question".to_owned(),
        before => format!("{before} questions"),
    };
    UserError::new(
        Exit::Usage,
        format!(
            "row {row} of `{name}` says ERROR, and {before} before it may have answers or none"
        ),
    )
    .cause(format!(
        "`{}` has neither a store of dset nor outputs of the original script",
        folder.display()
    ))
    .hint(format!("Ask all {questions}: `{run} --from-start`"))
    .hint(format!(
        "Take the {before} before it as answered, though without a text: \
         `{run} --from-bookmark`"
    ))
    .hint("Or put the folder with the answers beside the file, and run again")
}

fn unread_output(folder: &Path, file: &str) -> UserError {
    let message = format!("`{file}` has answers, and `{}` has no store of them", folder.display());
    let again = match is_worker() {
        true => format!("Ask and pay for all of them again: move `{file}` out of the folder first"),
        false => format!(
            "Ask and pay for all of them again: `{} --again` moves the file to `.earlier/` first",
            same_command_as("run", &["continue", "from_start", "from_bookmark"])
        ),
    };
    UserError::new(Exit::Usage, message)
        .cause("the answers in it are not read back, and all would be bought again")
        .hint("Put a copy of `dset.db` back into the folder, if there is one, and run again")
        .hint(again)
}

/// Returns the error of a folder that a run is using.
pub(crate) fn folder_in_use(message: &str, holder: Option<Holder>) -> UserError {
    let error = UserError::new(Exit::Locked, message);
    match holder {
        Some(holder) => {
            error.cause(format!("process {}, started at {}", holder.pid, clock(holder.started_at)))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_two_long_settings_is_shown() {
        let long = "é".repeat(200);
        let (was, is) = (format!("{long}one"), format!("{long}two"));
        let told = settings_changed(&[("schema".into(), was, is)], 2);
        let cause = told.cause.unwrap();
        assert!(
            cause.contains("one`") && cause.contains("two`") && cause.contains("`…é"),
            "{cause}"
        );
        let told = settings_changed(&[("model".into(), "a".into(), "b".into())], 2);
        assert_eq!(told.cause.unwrap(), "model was `a` and is `b`");
    }
}
