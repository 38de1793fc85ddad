//! A terminal that somebody sits at.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::until;

/// A command that runs at a terminal, and everything that is seen there.
pub struct Terminal {
    keyboard: File,
    child: Child,
    screen: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Terminal {
    pub fn start(mut command: Command) -> Terminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let open = || {
            let file = File::options().read(true).write(true).open(&name).unwrap();
            Stdio::from(OwnedFd::from(file))
        };
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.env("TERM", "xterm").env("LANG", "C.UTF-8").spawn().unwrap();
        // The command holds the terminal's other end, until it is gone.
        drop(command);
        let keyboard = File::from(keyboard);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut from, into) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 1024];
            while let Ok(read @ 1..) = from.read(&mut piece) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        Terminal { keyboard, child, screen, reader: Some(reader) }
    }

    /// Waits until this is seen, then types an answer and Enter.
    #[track_caller]
    pub fn answer(&mut self, question: &str, answer: &str) {
        until(question, || self.screen.lock().unwrap().contains(question));
        self.keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }

    /// Does the same, once nothing of it would show.
    #[track_caller]
    pub fn answer_unseen(&mut self, question: &str, answer: &str) {
        until(question, || self.screen.lock().unwrap().contains(question));
        until("nothing shows", || !self.shows());
        self.keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }

    /// Tells whether what is typed shows.
    pub fn shows(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.keyboard).unwrap();
        modes.local_modes.contains(rustix::termios::LocalModes::ECHO)
    }

    /// Ends the command as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Waits for its end: the exit code, and everything that was seen.
    pub fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.screen.lock().unwrap().replace("\r\n", "\n"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
