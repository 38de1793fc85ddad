//! What came back from one ask: bytes, or the way the bytes failed to come.

use std::sync::Arc;
use std::time::Duration;

/// A reply received whole: status, headers and decoded body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The HTTP status code.
    pub status: u16,
    /// Headers in the order they came; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body after decompression, at most [`REPLY_BYTES_MAX`].
    pub body: Vec<u8>,
    /// The texts that were sent, as far as they are known: an error may repeat them.
    pub(crate) sent: Vec<Arc<str>>,
}

impl HttpReply {
    /// Returns a reply to texts that are not known.
    #[must_use]
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> HttpReply {
        HttpReply { status, headers, body, sent: Vec::new() }
    }

    /// Returns the first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// The largest reply that is read, after decompression: more than any model can write in one
/// answer, and little enough that a hostile service cannot fill the memory. Of a stream the texts alone
/// count. More are only the probabilities of tokens, of which nothing is kept.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why no whole reply came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// No connection: refused, no route, no such host, TLS.
    Connect(String),
    /// The server does not speak TLS: nothing was sent.
    Foreign(String),
    /// The proxy makes no tunnel, with this status: nothing was sent to the service.
    ProxyRefused(u16, String),
    /// What came in the place of a reply is no HTTP, from a server that has not spoken it before. What
    /// was sent may have been worked on.
    NotHttp(String),
    /// The connection went away before the reply began.
    Reset(String),
    /// The reply began and did not end; it may have been paid for.
    Cut(String),
    /// What came of the reply is not what was sent: it cannot be unpacked, or has another sum.
    Garbled(String),
    /// Nothing whole within the time for one ask.
    TimedOut(Duration),
    /// Nothing but blank lines and comments came in a stream for this long.
    Silent(Duration),
    /// The body is longer than [`REPLY_BYTES_MAX`].
    TooLarge,
}
