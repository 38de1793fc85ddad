//! `dset status --watch`: told again and again, in place on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use dset_core::settings::JobSpec;
use dset_engine::error::JobError;
use dset_engine::view::status::{RunStatus, run_status};

use crate::display::{stdout, terminal_variables};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;

/// Tells of a run every so often, until a signal comes or nobody listens any more.
pub(super) fn watch(
    settings: &JobSpec,
    every: Duration,
    write: impl Fn(&RunStatus) -> String,
) -> Result<Exit, UserError> {
    let runtime = crate::command::shared::runtime()?;
    let watched = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let mut screen = Screen::open();
        loop {
            // Ctrl-C ends it also while a large file is being read.
            let settings = settings.clone();
            let looked = tokio::task::spawn_blocking(move || run_status(&settings));
            let looked = tokio::select! {
                looked = looked => looked.expect("looking at a run does not panic"),
                exit = stop.said() => return Ok(screen.leave(exit)),
            };
            match looked {
                Ok(standing) if !screen.show(&write(&standing)) => return Ok(Exit::Done),
                // The run has just marked a row, or somebody has saved the file: the next look
                // sees the whole of it.
                Ok(_) | Err(JobError::InputChanged) => {}
                Err(error) => return Err(explain::job(error)),
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                exit = stop.said() => return Ok(screen.leave(exit)),
            }
        }
    });
    runtime.shutdown_background();
    watched
}

/// What is drawn over, or written behind what there is.
struct Screen {
    /// Lines can be drawn over.
    is_live: bool,
    /// Lines of the last block; absent before the first.
    lines: Option<usize>,
}

impl Screen {
    fn open() -> Screen {
        let is_live = std::io::stdout().is_terminal() && !terminal_variables::is_dumb();
        Screen { is_live, lines: None }
    }

    /// Tells whether anybody is there to see it.
    fn show(&mut self, block: &str) -> bool {
        let colour = anstream::AutoStream::choice(&std::io::stdout());
        let block = match colour {
            anstream::ColorChoice::Never => anstream::adapter::strip_str(block).to_string(),
            _ => block.to_owned(),
        };
        let is_json = block.starts_with('{');
        let text = match self.lines {
            _ if self.is_live && !is_json => {
                // What has scrolled away cannot be drawn over.
                let height = usize::from(console::Term::stdout().size().0);
                let kept: Vec<&str> = block.lines().take(height.saturating_sub(1).max(1)).collect();
                let up = self.lines.replace(kept.len()).filter(|up| *up > 0);
                let up = up.map(|up| format!("\x1b[{up}A")).unwrap_or_default();
                // Shown at once, on terminals that can do so.
                format!("\x1b[?2026h\r{up}\x1b[J{}\n\x1b[?2026l", kept.join("\n"))
            }
            Some(_) if !is_json => format!("\n{block}"),
            _ => block,
        };
        self.lines.get_or_insert(0);
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        let is_written = written.is_ok();
        stdout::note(written);
        is_written
    }

    /// Leaves the last block where it is.
    fn leave(&self, exit: Exit) -> Exit {
        if self.is_live {
            // Behind the `^C` that the terminal shows.
            let _ = std::io::stdout().lock().write_all(b"\n");
        }
        exit
    }
}

/// The signals that end a watch.
struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Stop {
    #[cfg(unix)]
    fn listen() -> Result<Stop, UserError> {
        use tokio::signal::unix::{SignalKind, signal};
        let fails = |error: std::io::Error| {
            UserError::new(Exit::Ours, "cannot listen for Ctrl-C").cause(error.to_string())
        };
        let interrupt = signal(SignalKind::interrupt()).map_err(fails)?;
        let terminate = signal(SignalKind::terminate()).map_err(fails)?;
        Ok(Stop { signals: [interrupt, terminate] })
    }

    #[cfg(unix)]
    async fn said(&mut self) -> Exit {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Stop, UserError> {
        Ok(Stop {})
    }

    #[cfg(not(unix))]
    async fn said(&mut self) -> Exit {
        let _ = tokio::signal::ctrl_c().await;
        Exit::Interrupted
    }
}
