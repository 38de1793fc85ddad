//! `dset config`: shows, changes and describes settings.

mod reference;
mod schema;
pub(in crate::command) mod set;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::display::page;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, project_path};

#[derive(Debug, Args)]
#[command(after_help = "Settings are read from flags, from the environment (DSET_ and the flag's \
name), from .env and dset.toml in the working folder, and from a file of your own for all folders: \
what stands first here is heard first.

Exit codes: 0 done, 1 disk, 2 usage or settings.

Examples:
  dset config show --origin         every setting, and where it comes from
  dset config set concurrency 32    in ./dset.toml
  dset config set model gpt-6-luna --user
  dset config schema > dset.schema.json")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting and its value; with --json as one JSON object
    Show(Box<show::ShowArgs>),
    /// The value of one setting
    Get {
        /// Name of the setting, as in files: max-tokens
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Write a setting into ./dset.toml, keeping what else is there
    Set {
        /// Name of the setting, as in files: max-tokens
        #[arg(value_name = "NAME")]
        name: String,

        /// Its value, as its flag takes it
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,

        /// Into your own file for all folders instead
        #[arg(long)]
        user: bool,
    },
    /// Where the file of settings is, whether it is there or not
    Path {
        /// Your own file for all folders
        #[arg(long)]
        user: bool,
    },
    /// A JSON Schema of files of settings, for editors
    Schema,
    /// What every setting is called, takes and does, as Markdown
    Reference,
}

pub(super) fn run(command: ConfigCommand) -> Result<Exit, UserError> {
    let text = match command {
        ConfigCommand::Show(args) => show::all(*args, &environment()?)?,
        ConfigCommand::Get { name } => show::one(&name, &environment()?)?,
        ConfigCommand::Set { name, value, user } => set::set(&name, &value, user)?,
        ConfigCommand::Path { user } => {
            let path = path(user)?;
            let path = std::path::absolute(&path).unwrap_or(path);
            format!("{}\n", path.display())
        }
        ConfigCommand::Schema => schema::schema(),
        ConfigCommand::Reference => reference::reference(),
    };
    page::data(&text);
    Ok(Exit::Done)
}

fn environment() -> Result<Environment, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    Ok(environment)
}

/// Returns the path of the folder's file or of the user's own.
fn path(user: bool) -> Result<PathBuf, UserError> {
    let folder = Path::new(".");
    if !user {
        return Ok(project_path(folder));
    }
    Environment::without_files(folder)?.user_path().ok_or_else(|| {
        UserError::new(Exit::Usage, "there is no place for a file of your own")
            .cause("neither XDG_CONFIG_HOME nor HOME names a folder")
            .hint("Leave `--user` out to use dset.toml in this folder")
    })
}
