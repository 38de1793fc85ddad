//! What a run is told: its settings as a whole, and questions on standard input.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use dset_core::provider::Providers;
use dset_core::settings::{JobSpec, Layer, Resolved, resolve_with_providers};
use dset_engine::error::JobError;
use dset_engine::os::lock::{LockError, Running, running};
use dset_engine::source::spool::{STDIN, Spooled, spool, spool_path};

use crate::display::text;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::schema_file;

/// Writes down what comes on standard input; returns these settings with the file that it becomes when the
/// run begins.
pub(super) fn from_stdin(settings: JobSpec) -> Result<(JobSpec, Option<Arc<Spooled>>), UserError> {
    if std::io::stdin().is_terminal() {
        return Err(UserError::new(Exit::Usage, "there are no questions on standard input")
            .cause("it is a terminal, and `-` reads what a pipe or a file gives")
            .hint("Give it some: `cat questions.jsonl | dset run -`, or name a file"));
    }
    if let Running::Yes(holder) = running(&settings.output) {
        return Err(explain::job(JobError::Lock(LockError::InUse(holder))));
    }
    let spooled = spool(std::io::stdin().lock(), &settings.output).map_err(explain::source)?;
    let input = spool_path(&settings.output);
    Ok((JobSpec { input, ..settings }, Some(Arc::new(spooled))))
}

/// Calls a file that nobody has named what the user calls it.
pub(super) fn of_stdin(error: UserError, path: &Path) -> UserError {
    let path = path.display().to_string();
    let named = |text: String| text.replace(&path, STDIN);
    let is_of_file = |hint: &String| hint.contains(&path);
    let hints = error.hints.into_iter().filter(|hint| !is_of_file(hint)).collect();
    let (message, cause) = (named(error.message), error.cause.map(named));
    UserError { message, cause, hints, exit: error.exit }
}

/// Reads the files that settings name, and resolves them.
pub(crate) fn resolved(mut layer: Layer, providers: &Providers) -> Result<Resolved, UserError> {
    schema_file::load(&mut layer)?;
    let system = match &layer.system_file {
        Some(path) => Some(fs_err::read_to_string(path).map_err(|error| {
            UserError::new(Exit::Usage, "cannot read the system prompt")
                .cause(text::one_line(&error.to_string()))
                .hint("Check the name, which is meant from the working folder")
        })?),
        None => None,
    };
    Ok(resolve_with_providers(layer, system, providers)?)
}
