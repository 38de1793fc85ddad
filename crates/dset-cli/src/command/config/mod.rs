//! `dset config`: shows, changes and describes settings.

mod reference;
mod schema;
mod set;
mod show;

use std::path::{Path, PathBuf};

use crate::cli::ConfigCommand;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, project_path};

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
    super::write_out(text.as_bytes());
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
    Environment::without_files(folder).user_path().ok_or_else(|| {
        UserError::new(Exit::Usage, "there is no place for a file of your own")
            .cause("neither XDG_CONFIG_HOME nor HOME names a folder")
            .hint("Leave `--user` out to use dset.toml in this folder")
    })
}
