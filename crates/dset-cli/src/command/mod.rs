//! One file per command; here is only which of them runs.

pub(crate) mod check;
mod check_key;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod cost_limit;
mod demo;
pub(crate) mod doctor;
pub(crate) mod estimate;
pub(crate) mod export;
mod forecast;
pub(crate) mod help;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod job;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod mock;
pub(crate) mod model_suggestion;
pub(crate) mod models;
pub(crate) mod money;
pub(crate) mod oddities;
pub(crate) mod off_peak;
pub(crate) mod prices;
pub(crate) mod redo;
pub(crate) mod report;
mod resume_command;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod shared;
pub(crate) mod show;
mod signals;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod view;
#[cfg(feature = "postgres")]
pub(crate) mod work;

pub(crate) use signals::survive_file_limit;

use crate::cli::{Cli, Command};
use crate::error::UserError;
use crate::exit::Exit;

pub(crate) fn run(cli: Cli) -> Result<Exit, UserError> {
    match cli.command {
        Command::Demo => demo::run(),
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => doctor::run(*args),
        Command::Run(args) => run::run(*args),
        Command::Job(args) => job::run(args.command),
        #[cfg(feature = "postgres")]
        Command::Work(args) => work::run(*args),
        Command::Merge(args) => merge::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Check(args) => check::run(*args),
        Command::Redo(args) => redo::run(*args),
        Command::Search(args) => search::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Report(args) => report::run(&args),
        Command::View(args) => view::run(&args),
        Command::Estimate(args) => estimate::run(*args),
        Command::Export(args) => export::run(&args),
        Command::Config(args) => config::run(args.command),
        Command::Keys(args) => keys::run(args.command),
        Command::Models(args) => models::run(args.command),
        Command::Prices(args) => prices::run(&args),
        Command::Schema(args) => schema::run(&args.command),
        Command::Import(args) => import::run(args),
        Command::Mock(args) => mock::run(*args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Version => {
            shared::write_out(format!("dset {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
            Ok(Exit::Done)
        }
        Command::Help(args) => help::run(&args),
    }
}
