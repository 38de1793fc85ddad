//! `dset mock`: the pretend service on its own.

use std::io::Write as _;

use clap::Args;
use dset_mock::{Mock, MockSettings};

use crate::error::UserError;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(crate) struct MockArgs {
    #[command(flatten)]
    pub(crate) settings: MockSettings,
}

pub(super) fn run(args: MockArgs) -> Result<Exit, UserError> {
    super::shared::runtime()?.block_on(async {
        let port = args.settings.port;
        let mock = Mock::start(args.settings).await.map_err(|error| {
            let error = UserError::new(Exit::Usage, "cannot start the pretend service")
                .cause(error.to_string());
            if port == 0 { error } else { error.hint("`--port 0` takes a free port") }
        })?;
        let mut out = std::io::stdout();
        // A test reads this line to learn the port.
        let _ = writeln!(out, "listening on {}", mock.base_url()).and_then(|()| out.flush());
        super::shared::stopped().await;
        Ok(Exit::Done)
    })
}
