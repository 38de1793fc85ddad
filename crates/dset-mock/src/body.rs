//! Bodies that end as they should, and bodies that do not.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::audit::Audit;

/// Between two blank lines of a reply that is kept alive.
const BLANK_EVERY: Duration = Duration::from_millis(20);

/// The body of a reply.
pub(crate) enum PretendBody {
    /// All of it at once; an answer is counted when the network takes it.
    Whole { bytes: Option<Bytes>, answers: Option<(Arc<Audit>, u64)> },
    /// These bytes, and then the connection ends.
    Cut { bytes: Option<Bytes> },
    /// Blank lines, then these bytes if any.
    Blank { lines: u32, sleep: Pin<Box<Sleep>>, then: Box<PretendBody> },
}

impl PretendBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> PretendBody {
        PretendBody::Whole { bytes: Some(bytes.into()), answers: None }
    }

    pub(crate) fn blank(lines: u32, then: PretendBody) -> PretendBody {
        let sleep = Box::pin(sleep(BLANK_EVERY));
        PretendBody::Blank { lines, sleep, then: Box::new(then) }
    }
}

impl Body for PretendBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            PretendBody::Whole { bytes, answers } => {
                if let Some((audit, question)) = answers.take() {
                    audit.answered(question);
                }
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            PretendBody::Cut { bytes } => match bytes.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
            },
            PretendBody::Blank { lines: 0, then, .. } => Pin::new(&mut **then).poll_frame(context),
            PretendBody::Blank { lines, sleep: timer, .. } => match timer.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    *lines -= 1;
                    *timer = Box::pin(sleep(BLANK_EVERY));
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"\n")))))
                }
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            PretendBody::Whole { bytes: Some(bytes), .. } => {
                SizeHint::with_exact(bytes.len() as u64)
            }
            _ => SizeHint::default(),
        }
    }
}
