//! Writes what is said, on a thread of its own: whoever takes nothing must not stall asks.
//!
//! What was said waits in a queue with a bound, and where the run stands in a place for one, the
//! latest. At the end the queue is waited for as long as somebody takes of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::stdout;
use super::text::{by, count};

/// So much that was said waits for whoever takes nothing; of what comes then only the number is
/// kept.
pub(super) const QUEUE_MAX: usize = 1_000;

/// At the end nobody is waited for who takes nothing for so long.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// So many bytes are written at once, so that a slow reader can be told from one that takes nothing;
/// a pipe keeps so many together.
const CHUNK_BYTES: usize = 4096;

/// How it is written.
pub(super) trait Renderer: Send + Sized + 'static {
    /// Something that is said.
    type Message: Send;
    /// Where everything stands.
    type State: Send;
    /// It writes at most so often, and then also where there is nothing new; where nothing is
    /// named, at once.
    const EVERY: Option<Duration> = None;

    /// Tells whether something that is left out is to be counted as an answer, not as a line.
    fn is_answer(_said: &Self::Message) -> bool {
        false
    }

    fn write(&mut self, mail: PendingOutput<Self>, outlet: &OutputStream);
}

/// What waits to be written.
pub(super) struct PendingOutput<H: Renderer> {
    pub(super) messages: Vec<H::Message>,
    /// Answers and other lines that came when the queue was full.
    left_out: [u64; 2],
    pub(super) state: Option<H::State>,
    pub(super) order: Option<WriterCommand>,
    /// Comes behind everything else, whatever was left out.
    pub(super) last: String,
}

impl<H: Renderer> Default for PendingOutput<H> {
    fn default() -> PendingOutput<H> {
        PendingOutput {
            messages: Vec::new(),
            left_out: [0; 2],
            state: None,
            order: None,
            last: String::new(),
        }
    }
}

impl<H: Renderer> PendingOutput<H> {
    pub(super) fn put(&mut self, said: H::Message, most: usize) {
        if self.messages.len() < most {
            self.messages.push(said);
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
pub(super) enum WriterCommand {
    /// Stop the process as Ctrl-Z does.
    Stop,
    /// The process was stopped and goes on.
    Continue,
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
pub(super) struct OutputStream {
    stream: Stream,
    taken: AtomicU64,
}

impl OutputStream {
    /// Writes everything, however long that takes, up to an error.
    pub(super) fn write(&self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(CHUNK_BYTES)];
            let taken = match self.stream.write(piece) {
                Ok(taken @ 1..) => taken,
                Ok(0) => return,
                Err(error) if self.stream == Stream::Out => return stdout::note(Err(error)),
                Err(_) => return,
            };
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

pub(super) struct WriterShared<H: Renderer> {
    queue: Mutex<(PendingOutput<H>, IsOver)>,
    news: Condvar,
    over: Condvar,
    /// Only the thread writes; a panic clears up first.
    pub(super) renderer: Mutex<H>,
    pub(super) output: OutputStream,
    queue_max: usize,
}

/// The thread has written everything.
type IsOver = bool;

/// The thread, and what is told to it.
pub(super) struct BackgroundWriter<H: Renderer> {
    shared: Arc<WriterShared<H>>,
    thread: Option<JoinHandle<()>>,
    is_ended: bool,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: Renderer> BackgroundWriter<H> {
    /// Begins; at most so much that was said waits.
    pub(super) fn open(hand: H, stream: Stream, most: usize) -> BackgroundWriter<H> {
        let shared = Arc::new(WriterShared {
            queue: Mutex::default(),
            news: Condvar::new(),
            over: Condvar::new(),
            renderer: Mutex::new(hand),
            output: OutputStream { stream, taken: AtomicU64::new(0) },
            queue_max: most,
        });
        let ours = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("talk".into());
        // Where no thread can be had, it is written at the end.
        let thread = thread.spawn(move || ours.write()).ok();
        BackgroundWriter { shared, thread, is_ended: false }
    }

    /// Says something. Never waits.
    pub(super) fn send(&self, said: H::Message) {
        let mut mail = locked(&self.shared.queue);
        let is_news = H::EVERY.is_none() && mail.0.messages.is_empty();
        mail.0.put(said, self.shared.queue_max);
        drop(mail);
        if is_news {
            self.shared.news.notify_one();
        }
    }

    /// Shows where everything stands. Never waits; what was not shown yet is forgotten.
    pub(super) fn show(&self, view: H::State) {
        locked(&self.shared.queue).0.state = Some(view);
    }

    pub(super) fn shared(&self) -> &Arc<WriterShared<H>> {
        &self.shared
    }

    /// Writes what is left and these last words, and ends the thread. Waits as long as something is
    /// taken: after so long without, or for ever where nothing is named, the thread is left alone.
    pub(super) fn end(&mut self, last: String, patience: Option<Duration>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        locked(&self.shared.queue).0.last = last;
        self.shared.order(WriterCommand::End);
        match self.thread.take() {
            Some(_) => self.shared.wait(patience),
            None => self.shared.write(),
        }
    }
}

impl<H: Renderer> Drop for BackgroundWriter<H> {
    fn drop(&mut self) {
        self.end(String::new(), Some(DRAIN_TIMEOUT));
    }
}

impl<H: Renderer> WriterShared<H> {
    /// Tells whether anybody is there to follow.
    pub(super) fn order(&self, order: WriterCommand) -> bool {
        let mut mail = locked(&self.queue);
        // Nothing comes after the end.
        if mail.0.order != Some(WriterCommand::End) {
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
            let is_last = mail.order == Some(WriterCommand::End);
            locked(&self.renderer).write(mail, &self.output);
            if is_last {
                return;
            }
        }
    }

    /// Waits for something to write, and until it is time.
    fn next(&self, last: Instant) -> PendingOutput<H> {
        let mut mail = locked(&self.queue);
        loop {
            let waits = H::EVERY.map(|every| every.saturating_sub(last.elapsed()));
            let is_time = match waits {
                Some(waits) => waits.is_zero(),
                None => !mail.0.messages.is_empty(),
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
        let taken = || (self.output.taken.load(Ordering::Relaxed), self.output.stream.unread());
        let (mut mail, mut before) = (locked(&self.queue), taken());
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
struct Over<'a, H: Renderer>(&'a WriterShared<H>);

impl<H: Renderer> Drop for Over<'_, H> {
    fn drop(&mut self) {
        locked(&self.0.queue).1 = true;
        self.0.over.notify_all();
    }
}

/// Writes lines as they are, each in one write, so that those of two processes do not mix.
pub(super) struct Lines;

impl Renderer for Lines {
    type Message = String;
    type State = ();

    fn write(&mut self, mail: PendingOutput<Lines>, outlet: &OutputStream) {
        let left_out = mail.left_out();
        for line in mail.messages {
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
    BackgroundWriter::open(Lines, Stream::Err, QUEUE_MAX)
        .end(for_stderr(text), Some(DRAIN_TIMEOUT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_not_taken_the_first_lines_wait_and_the_rest_is_counted() {
        let mut mail = PendingOutput::<Lines>::default();
        for number in 0..QUEUE_MAX + 1_312 {
            mail.put(number.to_string(), QUEUE_MAX);
        }
        assert_eq!(mail.messages.len(), QUEUE_MAX);
        assert_eq!(mail.left_out(), ["1,312 more lines"]);
    }
}
