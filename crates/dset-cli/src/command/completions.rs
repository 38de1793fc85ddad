//! `dset completions`: what a shell needs to complete commands and flags.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::cli::grammar;
use crate::error::UserError;
use crate::exit::Exit;

#[derive(Debug, Args)]
#[command(
    after_help = "Writes a script to standard output; where it belongs is the shell's affair.

Exit codes: 0 written, 2 usage.

Examples:
  dset completions bash > ~/.local/share/bash-completion/completions/dset
  dset completions zsh > ~/.zfunc/_dset        where `fpath` has ~/.zfunc
  dset completions fish > ~/.config/fish/completions/dset.fish
  dset completions powershell >> $PROFILE"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, UserError> {
    let mut script = Vec::new();
    generate(args.shell, &mut grammar(), "dset", &mut script);
    super::write_out(&script);
    Ok(Exit::Done)
}
