//! `dset`: asks a model many questions and keeps every answer.

use std::process::ExitCode;

fn main() -> ExitCode {
    dset_cli::main()
}
