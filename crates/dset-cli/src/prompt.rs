//! Asks whoever sits at the terminal, and reads keys.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use dset_core::settings::begins_like_a_key;
use secrecy::{ExposeSecret as _, SecretString};

use crate::display::text::one_line;
use crate::error::{HINT, UserError};
use crate::exit::Exit;

/// No key is longer.
const KEY_BYTES_MAX: u64 = 8 * 1024;

/// Tells whether somebody can be asked.
pub(crate) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a word; nothing but Enter takes the default.
pub(crate) fn word(question: &str, default: &str) -> Result<String, UserError> {
    write_question(&format!("{question} [{default}]"));
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => Err(stopped()),
        Ok(_) if line.trim().is_empty() => Ok(default.to_owned()),
        Ok(_) => Ok(line.trim().to_owned()),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Asks for a key, which does not show while it is typed; `None` where nothing is.
pub(crate) fn key(question: &str) -> Result<Option<SecretString>, UserError> {
    write_question(question);
    let line = unseen()?;
    if line.expose_secret().trim().is_empty() {
        return Ok(None);
    }
    checked(line.expose_secret()).map(Some)
}

/// Reads a key from standard input, all of which it is.
pub(crate) fn piped_key() -> Result<SecretString, UserError> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(KEY_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(&error))?;
    checked(&text)
}

/// Checks that a text can be a key, without ever showing it.
fn checked(text: &str) -> Result<SecretString, UserError> {
    let text = text.trim();
    let cause = match text {
        "" => "nothing was given",
        _ if text.len() as u64 > KEY_BYTES_MAX => "it is longer than any key",
        _ if text.contains('\n') => "it has more than one line",
        _ if !text.chars().all(|c| c.is_ascii_graphic()) => {
            "it has blanks, or characters that no key has"
        }
        _ => return Ok(text.into()),
    };
    Err(UserError::new(Exit::Usage, "that cannot be a key")
        .cause(cause)
        .hint("Copy the key alone, without quotes or the name of its variable; nothing was kept"))
}

/// Tells whether what was typed for something else is probably a key: it begins as keys do, or is of
/// letters and digits as no name is.
pub(crate) fn may_be_a_key(text: &str) -> bool {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_random = |run: &str| {
        let digits = run.chars().filter(char::is_ascii_digit).count();
        run.len() >= 24 && digits >= 3 && digits < run.len()
    };
    begins_like_a_key(text) || !text.contains(':') && runs.into_iter().any(is_random)
}

fn write_question(question: &str) {
    let mut out = anstream::stderr().lock();
    let _ = write!(out, "{HINT}{}:{HINT:#} ", one_line(question)).and_then(|()| out.flush());
}

/// Reads a line that does not show. The terminal shows again what is typed, also where Ctrl-C ends
/// it: whoever is killed in the middle leaves a terminal that seems dead.
#[cfg(unix)]
fn unseen() -> Result<SecretString, UserError> {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    use tokio::signal::unix::{SignalKind, signal};
    let before = tcgetattr(std::io::stdin()).map_err(|error| unreadable(&error.into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unreadable(&error))?;
    let (tell, told) = tokio::sync::oneshot::channel();
    let line = runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt())?;
        // Never joined: the process ends with it.
        std::thread::spawn(move || {
            let line = console::Term::stderr().read_secure_line();
            let _ = tell.send(line.map(SecretString::from));
        });
        tokio::select! {
            line = told => line.unwrap_or(Err(std::io::ErrorKind::BrokenPipe.into())).map(Some),
            _ = interrupted.recv() => Ok(None),
        }
    });
    match line.map_err(|error| unreadable(&error))? {
        Some(line) => Ok(line),
        None => {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &before);
            Err(stopped())
        }
    }
}

#[cfg(not(unix))]
fn unseen() -> Result<SecretString, UserError> {
    let line = console::Term::stderr().read_secure_line();
    line.map(SecretString::from).map_err(|error| unreadable(&error))
}

fn stopped() -> UserError {
    let _ = writeln!(anstream::stderr().lock());
    UserError::new(Exit::Interrupted, "stopped before anything was written")
}

fn unreadable(error: &std::io::Error) -> UserError {
    UserError::new(Exit::Ours, "cannot read what is typed").cause(one_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_from_the_name_of_a_model_or_a_file() {
        for key in [
            "sk-0123456789abcdef",
            "sk-proj-abc_DEF",
            "gsk_0123456789abcdef",
            "deepseek/sk-0123456789",
            "DEEPSEEK_API_KEY=sk-0123456789",
            "AIzaSyA0123456789",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef.ABCdef0123456789",
        ] {
            assert!(may_be_a_key(key), "{key}");
        }
        for name in [
            "deepseek-flash",
            "openai/gpt-6-luna",
            "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
            "ft:gpt-4o-mini-2024-07-18:acme::AbC123dE",
            "550e8400-e29b-41d4-a716-446655440000",
            "questions-2026-11-28.csv",
            "skylark-pro",
            "sk",
            "task-0123456789",
        ] {
            assert!(!may_be_a_key(name), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_being_shown() {
        for text in ["", "  \n", "sk-0123 456", "sk-0123\nsk-4567", "sk-0123é", "\"sk-\u{1b}[A\""]
        {
            let error = checked(text).unwrap_err();
            assert!(!format!("{error:?}").contains("sk-"), "{error:?}");
        }
        assert!(checked(&"x".repeat(9000)).is_err());
        assert_eq!(checked(" sk-0123+/=\r\n").unwrap().expose_secret(), "sk-0123+/=");
    }
}
