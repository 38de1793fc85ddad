//! A job of shards that cannot be split or run.

use dset_engine::shard::JobFileError;
use dset_engine::shard::merge::MergeError;

use super::mend;
use crate::display::text::{arguments, one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::same_command::{same_command_as, same_command_with};

/// Explains why folders cannot be put together.
pub(crate) fn merge(error: MergeError) -> UserError {
    match error {
        MergeError::Job(error) => super::job(error),
        MergeError::Store(error) => error.into(),
        error @ MergeError::NoStore { .. } => {
            UserError::new(Exit::Usage, one_line(&error.to_string()))
                .cause("there is no store of dset")
                .hint("Name folders that `dset run` has written, each with a `dset.db`")
        }
        error @ MergeError::Generations { .. } => {
            UserError::new(Exit::Usage, one_line(&error.to_string()))
                .cause("answers of before and after `dset run --again` do not go together")
                .hint("Ask all again there too, or leave that folder out")
        }
    }
}

/// Says how a job gets another folder than that of another job.
fn another_folder() -> String {
    let given = arguments();
    let words: Vec<&str> = given.iter().map(String::as_str).collect();
    match words.as_slice() {
        // There `-o` is the folder of what is merged.
        ["job", "merge", ..] => {
            let rest = same_command_as("job merge", &["job"]);
            let rest = rest.strip_prefix("dset job merge").unwrap_or_default();
            format!("Name another folder for the job: `dset job merge DIR{rest}`")
        }
        _ => format!("Name another folder: `{} -o DIR`", same_command_with("output")),
    }
}

/// Explains why a job cannot be used.
pub(crate) fn job_file(error: JobFileError) -> UserError {
    let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
    match error {
        JobFileError::Missing { folder } => {
            let folder = quoted(&folder.display().to_string());
            user.hint(format!(
                "Split the questions first: `dset job split QUESTIONS --shards 8 -o {folder}`"
            ))
        }
        JobFileError::Unreadable { .. } => {
            user.hint("Bring back the file as it was split; it is never changed")
        }
        JobFileError::Newer { .. } => user.hint("Use that version of dset, or a later one"),
        JobFileError::Exists { .. } => user
            .cause("the questions, the number of shards or the settings are others there")
            .hint(another_folder()),
        JobFileError::Write { error, .. } => UserError::new(Exit::Ours, "cannot write the job")
            .cause(one_line(&error.to_string()))
            .hint(mend()),
        JobFileError::TooFew { questions, .. } => {
            user.hint(format!("Take at most one shard a question: `--shards {}`", questions.max(1)))
        }
        JobFileError::NoSuchShard { shards, .. } => user
            .cause(format!("its shards are numbered from 0 to {}", shards - 1))
            .hint(format!("Let the scheduler count from 0: `--array=0-{}`", shards - 1)),
        JobFileError::Changed(difference) => UserError::new(
            Exit::Usage,
            "the input is not what was split",
        )
        .cause(one_line(&difference.to_string()))
        .hint("Bring it back as it was")
        .hint(
            "Or go on with the input as it is now: `dset merge` puts the folders of the shards together, and \
             `dset run` with that folder as `-o` asks what they lack",
        ),
        JobFileError::OtherRows { .. } => {
            user.hint("Read it with the version of dset that split it, or split it anew")
        }
        JobFileError::OtherSetting { setting } => {
            user.cause("what is asked is said to the split, for all shards at once").hint(format!(
                "Leave `{setting}` out of the command, the environment and dset.toml, or split anew \
                 with it"
            ))
        }
    }
}
