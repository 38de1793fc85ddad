//! The real program on a terminal, and what the terminal shows.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::termios::{Termios, tcgetattr};

use super::until;

/// A terminal with a program on it.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    /// Held so that the terminal outlives the program.
    slave: Option<Box<dyn SlavePty + Send>>,
    keyboard: Box<dyn std::io::Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    is_looking: Arc<AtomicBool>,
    looker: Option<JoinHandle<()>>,
    before: Termios,
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn at_least_one(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

impl Pty {
    /// Starts a command as a terminal of so many columns and rows does, in UTF-8 unless told
    /// otherwise.
    pub fn start(command: &Command, (columns, rows): (u16, u16), set: &[(&str, &str)]) -> Pty {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut on_it = CommandBuilder::new(command.get_program());
        on_it.args(command.get_args());
        on_it.cwd(command.get_current_dir().unwrap());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => on_it.env(name, value),
                None => on_it.env_remove(name),
            }
        }
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE", "ENV"] {
            on_it.env_remove(name);
        }
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PS1", "% ")] {
            on_it.env(name, value);
        }
        set.iter().for_each(|(name, value)| on_it.env(name, value));
        let before = settings(&*pair.master);
        let child = pair.slave.spawn_command(on_it).unwrap();
        let seen = Seen {
            screen: vt100::Parser::new(at_least_one(rows), at_least_one(columns), 10_000),
            bytes: Vec::new(),
        };
        let seen = Arc::new(Mutex::new(seen));
        let is_looking = Arc::new(AtomicBool::new(true));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sees, looks) = (Arc::clone(&seen), Arc::clone(&is_looking));
        let looker = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let mut seen = sees.lock().unwrap();
                seen.screen.process(&bytes[..count]);
                seen.bytes.extend_from_slice(&bytes[..count]);
                drop(seen);
                until("somebody looks again", || looks.load(Ordering::Relaxed));
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Pty {
            master: pair.master,
            slave: Some(pair.slave),
            keyboard,
            child,
            seen,
            is_looking,
            looker: Some(looker),
            before,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    /// Everything that was written to the terminal.
    pub fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).into_owned()
    }

    /// Waits until the screen shows this.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.waits(&format!("`{text}`"), |screen| screen.contains(text));
    }

    /// Waits until the screen is so.
    #[track_caller]
    pub fn waits(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) {
        let mut last = String::new();
        let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                last = self.screen();
                is_so(&last)
            });
        }));
        assert!(came.is_ok(), "never {what}:\n{last}");
    }

    /// Changes the size, as whoever pulls at the corner of a window does.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().screen.set_size(at_least_one(rows), at_least_one(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Lets the terminal take nothing any more, or take it again.
    pub fn looks(&self, looks: bool) {
        self.is_looking.store(looks, Ordering::Relaxed);
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether keys are seen and come line by line, as before the program began.
    pub fn is_as_before(&self) -> bool {
        let (now, before) = (settings(&*self.master), &self.before);
        now.local_modes == before.local_modes
            && now.input_modes == before.input_modes
            && now.output_modes == before.output_modes
            && now.control_modes == before.control_modes
    }

    /// Waits for the end of the program, of which nobody sees anything; returns its exit code. The
    /// settings of the terminal are those from before.
    #[track_caller]
    pub fn end_unseen(mut self) -> u32 {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(self.is_as_before(), "the terminal's settings are put back");
        status.unwrap().exit_code()
    }

    /// Waits for the end of the program; returns its exit code and the last screen. The settings of
    /// the terminal are those from before.
    #[track_caller]
    pub fn end(mut self) -> (u32, String, String) {
        let code = self.child.wait().unwrap().exit_code();
        assert!(self.is_as_before(), "the terminal's settings are put back");
        drop(self.slave.take());
        self.looker.take().unwrap().join().unwrap();
        (code, self.screen(), self.bytes())
    }
}

fn settings(master: &(dyn MasterPty + Send)) -> Termios {
    let path = master.tty_name().unwrap();
    let terminal = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    tcgetattr(&terminal).unwrap()
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.looks(true);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
