//! One file a command.

mod demo;
mod mock;
mod run;

use crate::cli::{Cli, Command};
use crate::error::UserError;
use crate::exit::Exit;

pub(crate) fn run(cli: Cli) -> Result<Exit, UserError> {
    match cli.command {
        Command::Demo => demo::run(),
        Command::Run(args) => run::run(*args),
        Command::Mock(args) => mock::run(*args),
    }
}

/// Makes the runtime that a command waits in.
fn runtime() -> Result<tokio::runtime::Runtime, UserError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| UserError::new(Exit::Ours, "cannot start").cause(error.to_string()))
}
