//! Which server a job is on.

use clap::Args;
use dset_engine::store::postgres::Address;
use secrecy::SecretString;

use crate::display::text::quoted;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, STORE_VARIABLE};

/// The variable that the server's own programs take a password from.
const PASSWORD_VARIABLE: &str = "PGPASSWORD";

/// A job on a server.
#[derive(Debug, Default, Args)]
pub(crate) struct ServerArgs {
    /// PostgreSQL with the job: postgres://USER@HOST/DATABASE; without an address, what DSET_STORE says
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "")]
    store: Option<String>,
}

impl ServerArgs {
    /// Returns the flag as it was given.
    pub(crate) fn words(&self) -> String {
        match self.store.as_deref() {
            None | Some("") => "--store".to_owned(),
            Some(address) => format!("--store {}", quoted(address)),
        }
    }

    /// Returns where the job is; nothing where no server is meant.
    pub(crate) fn address(&self, environment: &Environment) -> Result<Option<Address>, UserError> {
        let Some(said) = &self.store else { return Ok(None) };
        let password = environment.of_process(PASSWORD_VARIABLE).map(SecretString::from);
        let text = match &**said {
            "" => environment.of_process(STORE_VARIABLE).ok_or_else(|| missing(environment))?,
            said => said,
        };
        let address = Address::parse(text, password.as_ref()).map_err(explain::server)?;
        if address.has_password() && !said.is_empty() {
            return Err(UserError::new(
                Exit::Usage,
                "there is a password in the address of the server",
            )
            .cause("everybody on this machine sees the arguments of its programs")
            .hint(format!("Put it into the variable {PASSWORD_VARIABLE}"))
            .hint(format!(
                "Or put the whole address into {STORE_VARIABLE}, and say `--store` alone"
            )));
        }
        Ok(Some(address))
    }
}

/// What is said where no server is named.
pub(crate) fn missing(environment: &Environment) -> UserError {
    let error = UserError::new(Exit::Usage, "no server is named");
    if environment.of_process(STORE_VARIABLE).is_some() {
        return error
            .cause(format!(
                "{STORE_VARIABLE} says where the job is, and is read for `--store` alone"
            ))
            .hint("Say `--store` without an address");
    }
    error
        .cause(format!("neither `--store` nor the variable {STORE_VARIABLE} says where the job is"))
        .hint("Name it: `--store postgres://USER@HOST/DATABASE`")
}
