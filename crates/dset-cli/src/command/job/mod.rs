//! `dset job`: an input split into shards, run anywhere, and put together again.

#[cfg(feature = "postgres")]
mod limits;
mod merge;
pub(crate) mod settings;
mod shard;
pub(crate) mod split;
mod status;

use clap::{Args, Subcommand};

use crate::error::UserError;
use crate::exit::Exit;

pub(crate) use self::shard::ShardArgs;

#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    pub(crate) command: JobCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Split questions into shards, each of which `dset run --job` asks
    Split(Box<split::SplitArgs>),
    /// Where every shard of a job stands
    Status(status::StatusArgs),
    /// See and change what all workers of a job on a server may do together
    #[cfg(feature = "postgres")]
    Limits(limits::LimitsArgs),
    /// Put the shards together: one folder, and a dataset of all of it
    Merge(Box<merge::JobMergeArgs>),
}

pub(super) fn run(command: JobCommand) -> Result<Exit, UserError> {
    match command {
        JobCommand::Split(args) => split::run(*args),
        JobCommand::Status(args) => status::run(&args),
        #[cfg(feature = "postgres")]
        JobCommand::Limits(args) => limits::run(&args),
        JobCommand::Merge(args) => merge::run(&args),
    }
}
