//! Bodies that end as they should, and bodies that do not.

use std::io;
use std::iter::Peekable;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::server::call_guard::CallGuard;
use crate::server::faulty_stream::StreamControl;

/// Some bytes of a body.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The delay after the bytes before them.
    pub(crate) after: Duration,
    pub(crate) bytes: Bytes,
    /// Tokens of output in them: those that cost once they are handed over.
    pub(crate) tokens: u64,
}

impl Step {
    pub(crate) fn now(bytes: impl Into<Bytes>) -> Step {
        Step { after: Duration::ZERO, bytes: bytes.into(), tokens: 0 }
    }
}

/// What comes after the last bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// An end as it should be, and an answer has been given.
    Answer,
    /// An end as it should be, of something else.
    Other,
    /// The connection is closed, without an end of the body.
    Cut,
    /// Nothing, until the client leaves.
    Stall,
}

type Steps = Peekable<Box<dyn Iterator<Item = Step> + Send>>;

/// The body of a reply.
pub(crate) struct PretendBody {
    next: Option<Step>,
    then: Option<Steps>,
    timer: Option<Pin<Box<Sleep>>>,
    end: End,
    wire: Option<Arc<StreamControl>>,
    /// How often everything was written when the bytes before were handed over.
    flushed: Option<u64>,
    /// The call that is replied to; it ends when the last bytes are handed over.
    work: Option<CallGuard>,
}

impl PretendBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> PretendBody {
        let next = Some(Step::now(bytes));
        PretendBody {
            next,
            then: None,
            timer: None,
            end: End::Other,
            wire: None,
            flushed: None,
            work: None,
        }
    }

    pub(crate) fn steps(
        steps: impl Iterator<Item = Step> + Send + 'static,
        end: End,
    ) -> PretendBody {
        let steps: Box<dyn Iterator<Item = Step> + Send> = Box::new(steps);
        let mut then = steps.peekable();
        PretendBody {
            next: then.next(),
            then: Some(then),
            timer: None,
            end,
            wire: None,
            flushed: None,
            work: None,
        }
    }

    pub(crate) fn ends(mut self, end: End) -> PretendBody {
        self.end = end;
        self
    }

    /// Says how much output the body holds, all of it in its first bytes.
    pub(crate) fn tokens(mut self, tokens: u64) -> PretendBody {
        if let Some(step) = &mut self.next {
            step.tokens = tokens;
        }
        self
    }

    /// Says whether an end as it should be is that of an answer.
    pub(crate) fn ends_in_an_answer(mut self, is_answer: bool) -> PretendBody {
        if is_answer && self.end == End::Other {
            self.end = End::Answer;
        }
        self
    }

    /// Returns how many bytes come first.
    pub(crate) fn first_bytes(&self) -> u64 {
        self.next.as_ref().map_or(0, |step| step.bytes.len() as u64)
    }

    /// Says which call ends with this body, and on which connection.
    pub(crate) fn replies_to(&mut self, work: CallGuard, wire: &Arc<StreamControl>) {
        self.work = Some(work);
        self.wire = Some(Arc::clone(wire));
    }

    /// Returns true if all bytes that were handed over are written to the socket; if not, the
    /// connection's task is woken when they are.
    fn is_written(&self) -> bool {
        let (Some(wire), Some(flushed)) = (&self.wire, self.flushed) else { return true };
        if wire.flushed() > flushed {
            return true;
        }
        wire.wake_when_flushed();
        false
    }

    fn is_next_the_last(&mut self) -> bool {
        self.next.is_some() && self.then.as_mut().is_none_or(|then| then.peek().is_none())
    }

    fn hand_over(&mut self) -> Option<Bytes> {
        let step = self.next.take()?;
        self.flushed = self.wire.as_ref().map(|wire| wire.flushed());
        self.next = self.then.as_mut().and_then(Iterator::next);
        if let Some(work) = &mut self.work {
            work.made(step.tokens);
        }
        if self.next.is_none() && self.end != End::Stall {
            // Before the network has the bytes: who has read them finds the call ended.
            if let Some(mut work) = self.work.take() {
                work.handed_over(self.end == End::Answer);
            }
        }
        Some(step.bytes)
    }
}

impl Body for PretendBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(after) = self.next.as_ref().map(|step| step.after)
            && !after.is_zero()
        {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(after)));
            ready!(timer.as_mut().poll(context));
            self.timer = None;
        }
        // A stream is answered when its end is handed over, so nothing before it may be missing.
        if self.is_next_the_last() && !self.is_written() {
            return Poll::Pending;
        }
        match self.hand_over() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => match self.end {
                End::Answer | End::Other => Poll::Ready(None),
                // What is not on the wire yet would be thrown away with the connection.
                End::Cut if !self.is_written() => Poll::Pending,
                End::Cut => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
                // The connection notices when the client leaves.
                End::Stall => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && matches!(self.end, End::Answer | End::Other)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.next, &self.then, self.end) {
            (Some(step), None, End::Answer | End::Other) => {
                SizeHint::with_exact(step.bytes.len() as u64)
            }
            (None, _, End::Answer | End::Other) => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
