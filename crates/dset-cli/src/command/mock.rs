//! `dset mock`: the pretend service on its own.

use clap::Args;
use dset_mock::{Mock, MockSettings};

use crate::display::stdout;
use crate::error::UserError;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(crate) struct MockArgs {
    #[command(flatten)]
    pub(crate) settings: MockSettings,
}

pub(super) fn run(args: MockArgs) -> Result<Exit, UserError> {
    super::shared::runtime()?.block_on(async {
        let (port, is_billing) = (args.settings.port, args.settings.price.is_some());
        let mock = Mock::start(args.settings).await.map_err(|error| {
            let error = UserError::new(Exit::Usage, "cannot start the pretend service")
                .cause(error.to_string());
            if port == 0 { error } else { error.hint("`--port 0` takes a free port") }
        })?;
        // A test reads this line to learn the port.
        stdout::write(format!("listening on {}\n", mock.base_url()).as_bytes());
        super::shared::stopped().await;
        let stats = mock.stats();
        if is_billing {
            let words = format!(
                "billed ${} for {} tokens in, {} of them cached, and {} out\n",
                stats.cost,
                stats.begun_tokens_in,
                stats.begun_tokens_cached,
                stats.begun_tokens_out
            );
            stdout::write(words.as_bytes());
        }
        Ok(Exit::Done)
    })
}
