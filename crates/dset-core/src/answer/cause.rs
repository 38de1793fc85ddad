//! The causes of failures.

use std::fmt;

/// Declares the causes, each with the words that stand for it in a store, in JSON and on screen.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $code:literal,)*) => {
        /// The cause of a failure. Stores are read for ever, so the words of one never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($(#[$doc])* $cause,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[$(Cause::$cause),*];

            /// Returns the words that stand for it in a store, in JSON and on screen.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Cause::$cause => $code,)*
                }
            }
        }
    };
}

causes! {
    /// The answer was cut by the token limit.
    LengthLimit = "length limit",
    /// The answer repeated itself without end and was stopped.
    RepeatsItself = "repeats itself",
    /// The model reasoned, and wrote no answer.
    OnlyReasoning = "only reasoning",
    /// The answer is whole, and not accepted.
    FailedCheck = "failed check",
    /// The answer is whole, and the program that is to judge it gave no verdict.
    NoVerdict = "no verdict",
    /// The service says that what the model wrote does not fit the schema, and shows it.
    Unfit = "does not fit",
    /// The reasoning did not end, and there is no answer.
    EndlessReasoning = "endless reasoning",
    /// The model called a tool in place of an answer.
    ToolCall = "tool call",
    /// The answer is an image, a list or an object.
    NoText = "no text",
    /// The reply is longer than what is read of one.
    TooLarge = "reply too large",
    /// The address sends elsewhere.
    Redirect = "redirect",
    /// HTTP was spoken where HTTPS is, or the other way round.
    WrongProtocol = "wrong protocol",
    /// What came in the place of a reply is no HTTP.
    NotHttp = "not HTTP",
    /// The proxy asks for a user and a password.
    ProxyLogin = "the proxy wants a password",
    /// The proxy lets nobody through to that host.
    ProxyRefused = "the proxy refuses",
    /// The network shows a page to log in, as in hotels.
    NetworkLogin = "the network wants a login",
    /// No connection came about.
    ConnectionFailed = "connection failed",
    /// The connection broke before a reply.
    ConnectionLost = "connection lost",
    /// The time was up before a whole reply, here or at the service.
    TimedOut = "timed out",
    /// More was asked in a time than the service takes.
    RateLimited = "rate limited",
    /// The service has too much to do.
    Overloaded = "overloaded",
    /// What is on its way may cost more than is left.
    BudgetInFlight = "budget in flight",
    /// The account has no money left.
    OutOfMoney = "out of money",
    /// A limit of the account that no waiting lifts.
    LimitReached = "limit reached",
    /// The service does not take the key.
    KeyRefused = "key refused",
    /// The key may not ask this.
    Forbidden = "forbidden",
    /// The service refuses the request, and nothing tells why.
    Refused = "refused",
    /// The question is longer than what the model takes.
    TooLongForModel = "too long for the model",
    /// The request is longer than what a web server takes.
    RequestTooLarge = "request too large",
    /// The service refuses a field or the model of every request.
    WrongSettings = "wrong settings",
    /// The service has no such model.
    ModelNotServed = "model not served",
    /// Nothing is served at the address.
    WrongAddress = "wrong address",
    /// An HTML page stands in the place of a reply.
    PageForPeople = "a page for people",
    /// The reply is of another API dialect.
    OtherApi = "another API",
    /// The service's moderation refuses the question or the answer.
    ContentFilter = "content filter",
    /// The model says that it does not answer.
    RefusedByModel = "refused by the model",
    /// The service asks to come again later.
    NotReady = "not ready",
    /// The service failed.
    ServerError = "server error",
    /// The service ended the answer before its end.
    BrokenOff = "broken off",
    /// The reply broke off, or its bytes are damaged.
    CutOff = "reply cut off",
    /// Nothing of a stream came for too long.
    Silent = "stream fell silent",
    /// The ask was dropped, because nothing came many times as long as usual.
    NoAnswer = "no answer",
    /// The reply cannot be read.
    Unreadable = "unreadable reply",
    /// The reply has no bytes but blanks.
    Blank = "blank reply",
    /// The reply is packed with something that was not asked for.
    UnknownEncoding = "unknown encoding",
    /// The model finished and wrote nothing.
    EmptyAnswer = "empty answer",
}

impl Cause {
    /// Returns the cause of which these are the words; `None` of those that another version wrote.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Cause> {
        Cause::ALL.iter().copied().find(|cause| cause.code() == code)
    }

    /// Tells whether an answer of this end is kept, and not bought again under the same token limit.
    #[must_use]
    pub const fn is_cut(self) -> bool {
        matches!(self, Cause::LengthLimit | Cause::RepeatsItself)
    }

    /// Tells whether a question that ended so has an answer, for which the same command does not ask again.
    #[must_use]
    pub const fn keeps_answer(self) -> bool {
        self.is_cut() || matches!(self, Cause::FailedCheck | Cause::NoVerdict)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_found_by_its_code() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_code(cause.code()), Some(*cause));
        }
        assert_eq!(Cause::from_code("out of luck"), None);
    }
}
