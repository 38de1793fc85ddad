//! Writes what is said, on a thread of its own: whoever takes nothing must not stall asks.
//!
//! What was said waits in a queue with a bound, and where the run stands in a place for one, the
//! latest. At the end the queue is waited for as long as somebody takes of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::text::{by, count};

/// So much that was said waits for whoever takes nothing; of what comes then only the number is
/// kept.
pub(super) const SAID_MAX: usize = 1_000;

/// At the end nobody is waited for who takes nothing for so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// So many bytes are written at once, so that a slow reader can be told from one that takes nothing;
/// a pipe keeps so many together.
const PIECE: usize = 4096;

/// How it is written.
pub(super) trait Hand: Send + Sized + 'static {
    /// Something that is said.
    type Said: Send;
    /// Where everything stands.
    type View: Send;
    /// It writes at most so often, and then also where there is nothing new; where nothing is
    /// named, at once.
    const EVERY: Option<Duration> = None;

    /// Tells whether something that is left out is to be counted as an answer, not as a line.
    fn is_answer(_said: &Self::Said) -> bool {
        false
    }

    fn write(&mut self, mail: Mail<Self>, outlet: &Outlet);
}

/// What waits to be written.
pub(super) struct Mail<H: Hand> {
    pub(super) said: Vec<H::Said>,
    /// Answers and other lines that came when the queue was full.
    left_out: [u64; 2],
    pub(super) view: Option<H::View>,
    pub(super) order: Option<Order>,
    /// Comes behind everything else, whatever was left out.
    pub(super) last: String,
}

impl<H: Hand> Default for Mail<H> {
    fn default() -> Mail<H> {
        Mail { said: Vec::new(), left_out: [0; 2], view: None, order: None, last: String::new() }
    }
}

impl<H: Hand> Mail<H> {
    pub(super) fn put(&mut self, said: H::Said, most: usize) {
        if self.said.len() < most {
            self.said.push(said);
        } else {
            self.left_out[usize::from(!H::is_answer(&said))] += 1;
        }
    }

    /// Returns how much was left out, in words.
    pub(super) fn left_out(&self) -> Vec<String> {
        let [answered, lines] = self.left_out;
        let counted = [(answered, "more answered"), (lines, by(lines, "more line", "more lines"))];
        let counted = counted.into_iter().filter(|(number, _)| *number > 0);
        counted.map(|(number, words)| format!("{} {words}", count(number))).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Stop the process as Ctrl-Z does.
    Stop,
    /// The process was stopped and goes on.
    GoOn,
    /// Clear up and end.
    End,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// A stream, and how much was taken of it.
pub(super) struct Outlet {
    stream: Stream,
    taken: AtomicU64,
}

impl Outlet {
    /// Writes everything, however long that takes; nobody is there to hear that a stream is closed.
    pub(super) fn write(&self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(PIECE)];
            let Ok(taken @ 1..) = self.stream.write(piece) else { return };
            self.taken.fetch_add(taken as u64, Ordering::Relaxed);
            rest = &rest[taken..];
        }
    }
}

impl Stream {
    #[cfg(unix)]
    fn fd(self) -> std::os::fd::BorrowedFd<'static> {
        match self {
            Stream::Out => rustix::stdio::stdout(),
            Stream::Err => rustix::stdio::stderr(),
        }
    }

    /// How much lies in a pipe and was not read yet; 0 where that is not known.
    fn unread(self) -> u64 {
        #[cfg(unix)]
        return rustix::io::ioctl_fionread(self.fd()).unwrap_or(0);
        #[cfg(not(unix))]
        0
    }

    /// Waits until something is taken. Without the locks of the standard library: whoever waits here
    /// must not keep others from ending.
    #[cfg(unix)]
    fn write(self, bytes: &[u8]) -> std::io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::io::Errno;
        let fd = self.fd();
        loop {
            match rustix::io::write(fd, bytes) {
                Err(Errno::INTR) => {}
                // Whoever gave the stream to this process does not want to wait for it.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                written => return Ok(written?),
            }
        }
    }

    #[cfg(not(unix))]
    fn write(self, bytes: &[u8]) -> std::io::Result<usize> {
        use std::io::Write as _;
        match self {
            Stream::Out => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush()).map(|()| bytes.len())
            }
            Stream::Err => std::io::stderr().lock().write(bytes),
        }
    }
}

pub(super) struct Shared<H: Hand> {
    mail: Mutex<(Mail<H>, IsOver)>,
    news: Condvar,
    over: Condvar,
    /// Only the thread writes; a panic clears up first.
    pub(super) hand: Mutex<H>,
    pub(super) outlet: Outlet,
    most: usize,
}

/// The thread has written everything.
type IsOver = bool;

/// The thread, and what is told to it.
pub(super) struct Talk<H: Hand> {
    shared: Arc<Shared<H>>,
    thread: Option<JoinHandle<()>>,
    is_ended: bool,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: Hand> Talk<H> {
    /// Begins; at most so much that was said waits.
    pub(super) fn open(hand: H, stream: Stream, most: usize) -> Talk<H> {
        let shared = Arc::new(Shared {
            mail: Mutex::default(),
            news: Condvar::new(),
            over: Condvar::new(),
            hand: Mutex::new(hand),
            outlet: Outlet { stream, taken: AtomicU64::new(0) },
            most,
        });
        let ours = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("talk".into());
        // Where no thread can be had, it is written at the end.
        let thread = thread.spawn(move || ours.write()).ok();
        Talk { shared, thread, is_ended: false }
    }

    /// Says something. Never waits.
    pub(super) fn say(&self, said: H::Said) {
        let mut mail = locked(&self.shared.mail);
        let is_news = H::EVERY.is_none() && mail.0.said.is_empty();
        mail.0.put(said, self.shared.most);
        drop(mail);
        if is_news {
            self.shared.news.notify_one();
        }
    }

    /// Shows where everything stands. Never waits; what was not shown yet is forgotten.
    pub(super) fn show(&self, view: H::View) {
        locked(&self.shared.mail).0.view = Some(view);
    }

    pub(super) fn shared(&self) -> &Arc<Shared<H>> {
        &self.shared
    }

    /// Writes what is left and these last words, and ends the thread. Waits as long as something is
    /// taken: after so long without, or for ever where nothing is named, the thread is left alone.
    pub(super) fn end(&mut self, last: String, patience: Option<Duration>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        locked(&self.shared.mail).0.last = last;
        self.shared.order(Order::End);
        match self.thread.take() {
            Some(_) => self.shared.wait(patience),
            None => self.shared.write(),
        }
    }
}

impl<H: Hand> Drop for Talk<H> {
    fn drop(&mut self) {
        self.end(String::new(), Some(PATIENCE));
    }
}

impl<H: Hand> Shared<H> {
    /// Tells whether anybody is there to follow.
    pub(super) fn order(&self, order: Order) -> bool {
        let mut mail = locked(&self.mail);
        // Nothing comes after the end.
        if mail.0.order != Some(Order::End) {
            mail.0.order = Some(order);
        }
        let is_over = mail.1;
        drop(mail);
        self.news.notify_one();
        !is_over
    }

    fn write(&self) {
        let _over = Over(self);
        let mut last = Instant::now();
        loop {
            let mail = self.next(last);
            last = Instant::now();
            let is_last = mail.order == Some(Order::End);
            locked(&self.hand).write(mail, &self.outlet);
            if is_last {
                return;
            }
        }
    }

    /// Waits for something to write, and until it is time.
    fn next(&self, last: Instant) -> Mail<H> {
        let mut mail = locked(&self.mail);
        loop {
            let waits = H::EVERY.map(|every| every.saturating_sub(last.elapsed()));
            let is_time = match waits {
                Some(waits) => waits.is_zero(),
                None => !mail.0.said.is_empty(),
            };
            if mail.0.order.is_some() || is_time {
                return std::mem::take(&mut mail.0);
            }
            mail = match waits {
                Some(waits) => {
                    let woken = self.news.wait_timeout(mail, waits);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.news.wait(mail).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn wait(&self, patience: Option<Duration>) {
        // A pipe that is full takes nothing for long, however steadily it is read.
        let taken = || (self.outlet.taken.load(Ordering::Relaxed), self.outlet.stream.unread());
        let (mut mail, mut before) = (locked(&self.mail), taken());
        let mut since = Instant::now();
        while !mail.1 {
            let Some(patience) = patience else {
                mail = self.over.wait(mail).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if taken() != before {
                (before, since) = (taken(), Instant::now());
            }
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            mail = self.over.wait_timeout(mail, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Says that the thread is over, however it ended.
struct Over<'a, H: Hand>(&'a Shared<H>);

impl<H: Hand> Drop for Over<'_, H> {
    fn drop(&mut self) {
        locked(&self.0.mail).1 = true;
        self.0.over.notify_all();
    }
}

/// Writes lines as they are, each in one write, so that those of two processes do not mix.
pub(super) struct Lines;

impl Hand for Lines {
    type Said = String;
    type View = ();

    fn write(&mut self, mail: Mail<Lines>, outlet: &Outlet) {
        let left_out = mail.left_out();
        for line in mail.said {
            outlet.write(&(line + "\n"));
        }
        for words in left_out {
            outlet.write(&format!("… {words}\n"));
        }
        outlet.write(&mail.last);
    }
}

/// Returns a text of ours as standard error shows it: with its styles, or without.
pub(super) fn for_stderr(text: &str) -> String {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

/// Writes what a command ends with to standard error, as long as somebody takes it.
pub(crate) fn last_words(text: &str) {
    Talk::open(Lines, Stream::Err, SAID_MAX).end(for_stderr(text), Some(PATIENCE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_not_taken_the_first_lines_wait_and_the_rest_is_counted() {
        let mut mail = Mail::<Lines>::default();
        for number in 0..SAID_MAX + 1_312 {
            mail.put(number.to_string(), SAID_MAX);
        }
        assert_eq!(mail.said.len(), SAID_MAX);
        assert_eq!(mail.left_out(), ["1,312 more lines"]);
    }
}
