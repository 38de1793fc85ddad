//! Everything that `dset` says, and how it is told what to do.
//!
//! The program is [`main`]; [`embed`] is the same without a terminal, for programs that run it within.

mod checks;
mod cli;
mod command;
mod config_file;
mod datasets;
mod display;
pub mod embed;
mod error;
mod exit;
mod explain;
mod file_suggestion;
mod git;
mod help;
mod keys_file;
mod layers;
mod own_prices;
mod prompt;
mod run_selector;
mod same_command;
mod schema_file;
mod setting;
mod spelling;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use exit::Exit;

/// Runs the program with the arguments of this process, its name first.
#[must_use]
pub fn main() -> ExitCode {
    ran(std::env::args_os().collect()).into()
}

/// Runs the program with these arguments, its name first, in place of those of this process, and returns
/// its exit code. Once a process: hints repeat the arguments of the first call.
#[must_use]
pub fn main_with(arguments: Vec<OsString>) -> u8 {
    ran(arguments) as u8
}

fn ran(arguments: Vec<OsString>) -> Exit {
    command::survive_file_limit();
    let grammar = cli::command_line();
    same_command::set_grammar(grammar.clone());
    same_command::set_arguments(arguments.clone());
    // In a folder with a run, no command at all asks how that is. Elsewhere clap answers with help,
    // on standard error and with 2, as for any line that lacks something: a script that has lost its
    // words must not succeed.
    let is_alone = arguments.len() < 2;
    let result = match is_alone.then(command::status::here).flatten() {
        Some(result) => result,
        None => match cli::read(arguments) {
            Ok(cli) => command::run(cli),
            Err(error) => Ok(usage::print_usage_error(&grammar, &error)),
        },
    };
    let exit = result.unwrap_or_else(|error| {
        error.print();
        error.exit
    });
    let Some(fault) = display::stdout::fault() else { return exit };
    fault.print();
    // What went wrong before says more.
    if exit == Exit::Done { fault.exit } else { exit }
}
