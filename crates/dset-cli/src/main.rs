//! `dset`: asks a model many questions and keeps every answer.

mod cli;
mod command;
mod config_file;
mod display;
mod error;
mod exit;
mod git;
mod keys_file;
mod layers;
mod prompt;
mod setting;
mod usage;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error),
    };
    match command::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print();
            error.exit.into()
        }
    }
}
