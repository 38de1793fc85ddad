//! Settings that contradict each other, or lack something.

use dset_core::settings::SettingsError;

use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::setting::{SEE_REFERENCE, key_for_model};

impl From<SettingsError> for UserError {
    fn from(error: SettingsError) -> UserError {
        let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
        match error {
            SettingsError::BaseUrl { given, .. } if given.contains('@') => user.hint(
                "Put `[provider.mine]` into dset.toml, with the `base-url` without them and \
                 `auth-prefix = \"Basic \"`, and ask with `-m mine/MODEL --key NAME`: the variable NAME \
                 holds USER:PASSWORD in Base64",
            ),
            SettingsError::BaseUrl { .. } => {
                user.hint("Give it like `--base-url http://localhost:8000/v1`")
            }
            SettingsError::KeyItself => user
                .cause("a key on the command line shows in the process list and the history")
                .hint("Keep it with `dset keys set PROVIDER`; `--key NAME` names another variable"),
            SettingsError::KeyForModel => key_for_model("`--model`"),
            SettingsError::EmptyModel => user
                .cause("a variable of the shell that is not set is empty")
                .hint("Name one like `-m deepseek-flash`, or leave `--model` out"),
            SettingsError::ModelTwice { services, .. } => user
                .cause("its answers could not be told apart")
                .hint(format!("Ask {} in a run of its own, with another `--output`", services[1])),
            SettingsError::OutOfRange { .. } => user.hint(SEE_REFERENCE),
            SettingsError::CannotContinue { .. } => user
                .hint("If it can: say how in a table of its own, `continuing` in `[provider.NAME]`")
                .hint("Or leave such answers out and ask for them anew: `--last drop`"),
            SettingsError::Both { .. } => user.hint("Give one of them"),
            SettingsError::NoBaseUrl { .. } => {
                user.hint("Name it with `--base-url`, and the model as it is called there")
            }
            SettingsError::NoModel { provider } => {
                user.hint(format!("Name it like `-m {provider}/NAME`"))
            }
            SettingsError::SeveralServices { model, providers } => {
                let one = providers.first().map_or("", String::as_str);
                user.hint(format!("Say which, like `-m {one}/{model}`"))
            }
        }
    }
}
