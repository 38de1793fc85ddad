//! The causes of failures on which something is decided.

/// A cause on which something is decided: whether a question is asked again, where to, what helps.
///
/// Every other cause in [`Failure::cause`](super::Failure::cause) is a word for people and counters
/// alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The answer was cut by the token limit.
    LengthLimit,
    /// The answer repeated itself without end and was stopped.
    RepeatsItself,
    /// The model reasoned, and wrote no answer.
    OnlyReasoning,
    /// The answer is whole, and not accepted.
    FailedCheck,
    /// The service says that what the model wrote does not fit the schema, and shows it.
    Unfit,
    /// The reasoning did not end, and there is no answer.
    EndlessReasoning,
    /// The model called a tool in place of an answer.
    ToolCall,
    /// The answer is an image, a list or an object.
    NoText,
    /// The reply is longer than what is read of one.
    TooLarge,
    /// The address sends elsewhere.
    Redirect,
    /// HTTP was spoken where HTTPS is, or the other way round.
    WrongProtocol,
    /// What came in the place of a reply is no HTTP.
    NotHttp,
    /// The proxy asks for a user and a password.
    ProxyLogin,
    /// The proxy lets nobody through to that host.
    ProxyRefused,
    /// The network shows a page to log in, as in hotels.
    NetworkLogin,
    /// No connection came about.
    ConnectionFailed,
    /// The connection broke before a reply.
    ConnectionLost,
    /// The time was up before a whole reply, here or at the service.
    TimedOut,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 18] = [
        Cause::LengthLimit,
        Cause::RepeatsItself,
        Cause::OnlyReasoning,
        Cause::FailedCheck,
        Cause::Unfit,
        Cause::EndlessReasoning,
        Cause::ToolCall,
        Cause::NoText,
        Cause::TooLarge,
        Cause::Redirect,
        Cause::WrongProtocol,
        Cause::NotHttp,
        Cause::ProxyLogin,
        Cause::ProxyRefused,
        Cause::NetworkLogin,
        Cause::ConnectionFailed,
        Cause::ConnectionLost,
        Cause::TimedOut,
    ];

    /// Returns the words that stand for it in a store, in JSON and on screen. Stores are read for
    /// ever, so they never change.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Cause::LengthLimit => "length limit",
            Cause::RepeatsItself => "repeats itself",
            Cause::OnlyReasoning => "only reasoning",
            Cause::FailedCheck => "failed check",
            Cause::Unfit => "does not fit",
            Cause::EndlessReasoning => "endless reasoning",
            Cause::ToolCall => "tool call",
            Cause::NoText => "no text",
            Cause::TooLarge => "reply too large",
            Cause::Redirect => "redirect",
            Cause::WrongProtocol => "wrong protocol",
            Cause::NotHttp => "not HTTP",
            Cause::ProxyLogin => "the proxy wants a password",
            Cause::ProxyRefused => "the proxy refuses",
            Cause::NetworkLogin => "the network wants a login",
            Cause::ConnectionFailed => "connection failed",
            Cause::ConnectionLost => "connection lost",
            Cause::TimedOut => "timed out",
        }
    }

    /// Returns the cause of which these are the words; `None` of one on which nothing is decided.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.code() == code)
    }

    /// Tells whether an answer of this end is kept, and not bought again under the same token limit.
    #[must_use]
    pub const fn is_cut(self) -> bool {
        matches!(self, Cause::LengthLimit | Cause::RepeatsItself)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_found_by_its_code() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_code(cause.code()), Some(cause));
        }
        assert_eq!(Cause::from_code("server error"), None);
    }
}
