//! `dset`: asks a model many questions and keeps every answer.

mod checks;
mod cli;
mod command;
mod config_file;
mod datasets;
mod display;
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

use std::process::ExitCode;

fn main() -> ExitCode {
    let grammar = cli::command_line();
    same_command::set_grammar(grammar.clone());
    // In a folder with a run, no command at all asks how that is. Elsewhere clap answers with help,
    // on standard error and with 2, as for any line that lacks something: a script that has lost its
    // words must not succeed.
    let is_alone = std::env::args_os().len() < 2;
    let result = match is_alone.then(command::status::here).flatten() {
        Some(result) => result,
        None => match cli::read(std::env::args_os()) {
            Ok(cli) => command::run(cli),
            Err(error) => return usage::print_usage_error(&grammar, &error),
        },
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print();
            error.exit.into()
        }
    }
}
