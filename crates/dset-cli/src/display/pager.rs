//! What is longer than the screen, handed to a pager.

use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

use super::{stdout, terminal_variables};

/// The pager of whoever has named none: it ends by itself where the text fits, and leaves it on the
/// screen.
const PAGER: &str = "less -FRX";

/// Writes a text to standard output, on a terminal through a pager where it is longer than that.
///
/// `PAGER` names another; set and empty, there is none. A pager that is not there, or that is left
/// before the end, is no error.
pub(crate) fn write(text: &str) {
    if std::io::stdout().is_terminal() {
        let height = usize::from(console::Term::stdout().size().0);
        let pager = terminal_variables::pager().unwrap_or_else(|| PAGER.to_owned());
        let is_long = text.lines().count() >= height;
        if is_long && !pager.trim().is_empty() && through(&pager, text) {
            return;
        }
    }
    stdout::write_styled(text);
}

/// Tells whether there was such a pager, and it could do it.
fn through(pager: &str, text: &str) -> bool {
    let colour = anstream::AutoStream::choice(&std::io::stdout());
    let plain = match colour {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    };
    let mut command = shell(pager);
    if !terminal_variables::has_less_options() {
        // Colours, for a pager that is named without its options.
        command.env("LESS", "FRX");
    }
    let _waits = interrupts_are_the_pagers();
    let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else { return false };
    if let Some(mut to) = child.stdin.take() {
        // Left before the end.
        let _ = to.write_all(plain.as_bytes());
    }
    // Not there, or without these options; one that was killed has shown what it could.
    child.wait().is_ok_and(|status| status.success() || status.code().is_none())
}

fn shell(pager: &str) -> Command {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut command = Command::new(shell);
    // The shell's own word that there is no such pager helps nobody: the text follows.
    command.args([flag, pager]).stderr(Stdio::null());
    command
}

/// Ctrl-C means something to the pager, which must not be left alone on the terminal.
#[cfg(unix)]
fn interrupts_are_the_pagers() -> Option<(tokio::runtime::Runtime, tokio::signal::unix::Signal)> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let held = {
        let _within = runtime.enter();
        signal(SignalKind::interrupt()).ok()?
    };
    Some((runtime, held))
}

#[cfg(not(unix))]
fn interrupts_are_the_pagers() {}
