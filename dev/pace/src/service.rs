//! What a pretended service is like: how long it takes, what it limits, what it says, when it
//! fails. Data only; `server.rs` plays it.

/// A service, and who uses it for how long.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// What it is, for the table.
    pub(crate) about: &'static str,
    pub(crate) latency: Latency,
    pub(crate) tokens: Tokens,
    /// All of them hold at once.
    pub(crate) limits: Vec<Limit>,
    pub(crate) says: Advertised,
    pub(crate) trouble: ServiceFaults,
    /// How long an ask and a refusal take to get there and back, ±20 % each way.
    pub(crate) round_trip_ms: f64,
    /// When each client begins; all have an endless backlog.
    pub(crate) clients_at_s: &'static [f64],
    pub(crate) seconds: u32,
    /// From here on it counts as steady.
    pub(crate) steady_from_s: u32,
    pub(crate) bounds: Vec<Bound>,
}

/// How long the service works on an ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Latency {
    Exact(f64),
    Uniform(f64, f64),
    LogNormal {
        median_s: f64,
        sigma: f64,
    },
    /// Log-normal, and longer by this factor in every other period.
    Swelling {
        median_s: f64,
        sigma: f64,
        period_s: f64,
        times: f64,
    },
    /// By the length of the answer.
    Tokens {
        base_s: f64,
        per_second: f64,
    },
}

/// How many tokens an ask has: all the same in, log-normal out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    pub(crate) input: f64,
    pub(crate) output_median: f64,
    pub(crate) sigma: f64,
}

/// What the service limits, and how it refuses more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// Concurrency, from each second on; more are refused with 429.
    AtOnce(&'static [(f64, u32)]),
    /// Concurrency; more are refused with 529.
    Overload(u32),
    /// Concurrency; the rest waits in a queue without end.
    Slots(u32),
    /// Everybody gets slower: an ask that finds `n` others takes `1 + n/knee` times as long.
    Knee(u32),
    /// A bucket of requests, `burst_s` seconds of them deep.
    Requests { per_minute: f64, burst_s: f64 },
    /// Asks in each fixed window of the clock.
    Window { limit: f64, seconds: f64 },
    /// A bucket of tokens: the input is charged at admission, the output when it is there, so that
    /// it can go below zero.
    Tokens { per_minute: f64, burst_s: f64 },
}

/// What the service says beside its status.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Advertised {
    /// The text of a refusal names how many at once are allowed.
    pub(crate) names_limit: bool,
    /// A refusal has Retry-After, in whole seconds.
    pub(crate) retry_after: bool,
    /// Every reply has a limit, what remains of a minute's and when it is whole again.
    pub(crate) headers: bool,
    /// The status line comes at admission and the answer later.
    pub(crate) early_status: bool,
}

/// When it fails, or what share of asks at random.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ServiceFaults {
    /// The share of connections that are reset before the answer is there.
    pub(crate) resets: f64,
    /// The share of asks that are refused for no reason of theirs, as by a router over several
    /// services of which one is full.
    pub(crate) refused: f64,
    /// The share that is met with 529, however few there are at once.
    pub(crate) overloaded: f64,
    /// From when to when every connection is reset, also those that wait for an answer.
    pub(crate) dead_s: Option<(f64, f64)>,
}

/// What is asked for. A rate is in answers a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// Answers in the steady part, in % of what an all-knowing sender gets: at least.
    Steady(f64),
    /// Refused in the steady part, in % of what was sent: at most.
    SteadyRefused(f64),
    /// The mean latency in the steady part, as a multiple of the all-knowing sender's: at most.
    SteadyLatency(f64),
    Answers(u32),
    Refused(u32),
    RefusedPercent(f64),
    /// Answers a second between two moments: at least.
    Rate(u32, u32, f64),
    /// Refused after this moment, in % of what was sent: at most.
    RefusedFrom(u32, f64),
    /// The median latency in ms of what is answered after a moment: at most.
    Latency(u32, f64),
    /// An answer comes between the two moments.
    AnswerWithin(u32, u32),
    /// No client goes longer without an answer, in seconds, from its beginning on.
    Stall(f64),
    /// The rate controller allows about this concurrency from the first second on, until the second
    /// one.
    Shows(u32, u32, u32),
}
