//! What is asked of the terminal itself: its size, keys without waiting for a line, and whether
//! this process is the one that it listens to.

use crate::display::screen::status_area::Size;

/// Before anything is known: the size that every terminal once had.
const SIZE: Size = Size { columns: 80, rows: 24 };

/// Asks how large the screen is.
pub(super) fn size() -> Size {
    match console::Term::stderr().size_checked() {
        Some((rows @ 1.., columns @ 1..)) => {
            Size { columns: usize::from(columns), rows: usize::from(rows) }
        }
        _ => SIZE,
    }
}

#[cfg(unix)]
pub(super) use unix::*;

#[cfg(unix)]
mod unix {
    use std::io::IsTerminal as _;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};
    use rustix::stdio::{stderr, stdin};
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };

    /// Tells whether keys can be read at all: somebody looks on and can press them.
    pub(in super::super) fn has_keyboard() -> bool {
        std::io::stderr().is_terminal() && tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
    }

    /// Tells whether this process may use the terminal; another would be stopped for it.
    pub(in super::super) fn is_foreground() -> bool {
        // Where standard error is no terminal of this session, nobody is stopped for writing to it.
        tcgetpgrp(stderr()).map_or(true, |group| group == getpgrp())
    }

    /// The terminal's settings, changed so that keys come one by one and unseen. Ctrl-C and Ctrl-Z
    /// stay signals.
    #[derive(Debug, Default)]
    pub(in super::super) struct Keys {
        /// As they were before.
        before: Option<Termios>,
        /// They were given back for good.
        is_over: bool,
    }

    impl Keys {
        /// Changes the settings, if that was not done yet.
        pub(in super::super) fn take(&mut self) {
            if self.before.is_some() || self.is_over || !has_keyboard() {
                return;
            }
            let Ok(before) = tcgetattr(stdin()) else { return };
            let mut ours = before.clone();
            ours.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            ours.special_codes[SpecialCodeIndex::VMIN] = 1;
            ours.special_codes[SpecialCodeIndex::VTIME] = 0;
            // At once: what was written may wait for a terminal that is stopped.
            if tcsetattr(stdin(), OptionalActions::Now, &ours).is_ok() {
                self.before = Some(before);
            }
        }

        /// Puts the settings back.
        pub(in super::super) fn give_back(&mut self) {
            if let Some(before) = self.before.take().filter(|_| is_foreground()) {
                let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
            }
        }

        /// Puts the settings back, and lets nobody change them again.
        pub(in super::super) fn give_back_for_good(&mut self) {
            self.is_over = true;
            self.give_back();
        }

        /// Somebody else may have changed the settings since: they are changed again, and later put
        /// back to what they are now.
        pub(in super::super) fn take_again(&mut self) {
            let now = tcgetattr(stdin());
            if now.is_ok_and(|now| now.local_modes.contains(LocalModes::ICANON)) {
                self.before = None;
            }
        }

        pub(in super::super) fn are_taken(&self) -> bool {
            self.before.is_some()
        }
    }

    /// How often a process in the background looks whether it is in the foreground.
    const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

    /// Why keys are heard no more.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(in super::super) enum Ended {
        /// Nobody wants to hear them.
        Wanted,
        /// Nobody is there to press them: the terminal is gone.
        Gone,
    }

    /// Hears keys until the other end of `until` is closed, or the terminal is gone.
    pub(in super::super) fn hear(until: &OwnedFd, mut key: impl FnMut(u8)) -> Ended {
        let was_terminal = std::io::stdin().is_terminal();
        loop {
            // In the background only its end is news.
            let is_heard = has_keyboard();
            let wanted = if is_heard { PollFlags::IN } else { PollFlags::empty() };
            let mut fds =
                [PollFd::new(until, PollFlags::IN), PollFd::from_borrowed_fd(stdin(), wanted)];
            let watched = if was_terminal { 2 } else { 1 };
            match poll(&mut fds[..watched], Some(&LOOK_EVERY)) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return Ended::Wanted,
            }
            if !fds[0].revents().is_empty() {
                return Ended::Wanted;
            }
            let told = fds[1].revents();
            if watched == 1 || told.is_empty() {
                continue;
            }
            if told.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                return Ended::Gone;
            }
            if !has_keyboard() {
                continue;
            }
            let mut bytes = [0; 16];
            match rustix::io::read(stdin(), &mut bytes) {
                Ok(1..) if bytes[0] == 0x1b => {} // an arrow or the like
                Ok(count @ 1..) => bytes[..count].iter().for_each(|byte| key(*byte)),
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) | Err(_) => return Ended::Gone,
            }
        }
    }

    /// Stops this process as Ctrl-Z does, until somebody lets it go on. Does nothing where nobody
    /// could: in the first process of a terminal.
    pub(in super::super) fn stop() {
        if getsid(None).is_ok_and(|session| session != getpgrp()) {
            let _ = kill_process(getpid(), Signal::STOP);
            // The signal may come to another thread first.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(not(unix))]
mod other {
    pub(in super::super) fn is_foreground() -> bool {
        true
    }
}
#[cfg(not(unix))]
pub(super) use other::*;
