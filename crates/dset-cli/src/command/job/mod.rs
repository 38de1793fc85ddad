//! `dset job`: an input split into shards, run anywhere, and put together again.

mod settings;
mod shard;
mod split;

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
}

pub(super) fn run(command: JobCommand) -> Result<Exit, UserError> {
    match command {
        JobCommand::Split(args) => split::run(*args),
    }
}
