//! What commands write to standard output, and whether it got there.

use std::io::{self, ErrorKind, Write as _};
use std::sync::OnceLock;

use super::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;

/// Why something is missing in what was written, where something is.
static FAULT: OnceLock<String> = OnceLock::new();

/// Writes this as it is.
pub(crate) fn write(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    note(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Writes this with its styles, where they are wanted there.
pub(crate) fn write_styled(text: &str) {
    let mut out = anstream::stdout().lock();
    note(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Notes that something could not be written. A reader that has gone has seen enough, and a stream that was
/// closed from the start is one that nobody reads.
pub(crate) fn note(written: io::Result<()>) {
    #[cfg(unix)]
    let is_closed =
        |error: &io::Error| error.raw_os_error() == Some(rustix::io::Errno::BADF.raw_os_error());
    #[cfg(not(unix))]
    let is_closed = |_: &io::Error| false;
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
        && !is_closed(&error)
    {
        let _ = FAULT.set(one_line(&error.to_string()));
    }
}

/// Returns the error of a command whose words did not get there.
pub(crate) fn fault() -> Option<UserError> {
    let cause = FAULT.get()?;
    let error =
        UserError::new(Exit::Ours, "standard output cannot be written").cause(cause.clone());
    Some(error.hint("What was written there is not whole: make room, or write it elsewhere"))
}
