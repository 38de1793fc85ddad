//! What the machine is told.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::acceptance::Verdicts;
use crate::answer::{Answer, ParsedReply};
use crate::item::error_marks::InputMarks;
use crate::item::question::{Question, QuestionIndex};
use crate::money::Amount;
use crate::plan::Redo;
use crate::provider::RateLimits;
use crate::run::Permit;
use crate::run::ask::AskId;
use crate::time::Time;

/// Numbers the records of this session from 1, in the order they were given; never stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The plan stands; comes first, once.
    Started(PlanSummary),
    /// The questions that `Effect::Read` asked for: pending ones, in the order of the input.
    Questions(Vec<Question>),
    /// There are no more questions to read.
    QuestionsEnd,
    /// The input is no longer what was planned; no question can be read from it any more.
    QuestionsChanged {
        /// The first row that differs, as a spreadsheet counts it, where known.
        row_number: Option<u64>,
    },
    /// The store cannot be read, which has the earlier answers to the next question; none can be read
    /// any more.
    StoreUnreadable,
    /// The answer to an ask is here, whole, and is being judged: `Replied` brings it with its verdicts, or
    /// `NotJudged`. May come late, after either.
    AnswerCame {
        /// Which ask.
        ask: AskId,
        /// The answer.
        answer: Box<Answer>,
        /// What is thought of it so far.
        verdicts: Box<Verdicts>,
    },
    /// An ask was dropped, as `Effect::Abandon` wanted, while its answer was being judged: the next run judges
    /// it.
    NotJudged {
        /// Which ask.
        ask: AskId,
        /// The answer.
        answer: Box<Answer>,
        /// What is thought of it so far.
        verdicts: Box<Verdicts>,
    },
    /// An ask came to something.
    Replied {
        /// Which ask.
        ask: AskId,
        /// What the reply means.
        reading: ParsedReply,
        /// What its headers say about limits, where they say anything.
        limits: Option<Box<RateLimits>>,
        /// What is thought of an answer; absent where nothing is asked of it.
        verdicts: Option<Box<Verdicts>>,
    },
    /// The reply to an ask has begun with a good status and is not whole yet. May come late, after
    /// the ask came to something.
    Progressed {
        /// Which ask.
        ask: AskId,
        /// About how many tokens have come, 0 where that is not known.
        tokens: u64,
    },
    /// An ask was dropped before anything came, as `Effect::Abandon` wanted.
    Abandoned {
        /// Which ask.
        ask: AskId,
    },
    /// All records up to this one are durable.
    Synced {
        /// The last durable record.
        upto: Seq,
    },
    /// The store failed: the records up to this one that were not durable yet are not in it.
    SyncFailed {
        /// The last record that is lost to the store.
        upto: Seq,
    },
    /// That many rows of this session are in every output, durably.
    Emitted {
        /// Rows emitted in this session.
        upto: u64,
    },
    /// An output cannot be written; nothing is emitted any more.
    EmitFailed,
    /// The marks are in the input file.
    Marked {
        /// How long the rewriting took.
        took: Duration,
    },
    /// The marks could not be written; the store has them, and the next run writes them.
    MarkFailed,
    /// Another run at the same place was told to leave it alone.
    PeerThrottled {
        /// Which of the places where models are asked, from 0.
        endpoint: usize,
        /// Until then.
        until: Time,
    },
    /// So many asks may be sent, of a limit that is shared with other runs.
    Permitted(Permit),
    /// What comes cannot be handed on to those who share the work, or can be again: nothing is sent
    /// meanwhile.
    SharingHeld(bool),
    /// So much of a limit of money that is shared with other runs is this run's in all.
    Funded {
        /// How much.
        granted: Amount,
        /// Nothing will be added to it.
        is_last: bool,
    },
    /// What this run asks was given to another: it asks nothing more, and keeps what still comes.
    LeaseLost,
    /// The time of the last `Effect::WakeAt` has come.
    TimerFired,
    /// Somebody wants the run to stop.
    Stopped(StopSignal),
    /// Somebody wants nothing to be sent for now; what is on its way comes in.
    PauseRequested,
    /// Somebody wants a run that was held to go on.
    ResumeRequested,
    /// Somebody wants a service that is out to be tried now.
    ProbeRequested,
}

/// What somebody pressed or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// Ctrl-C: once to drain, twice to stop now.
    Interrupt,
    /// SIGTERM: once to drain for [`super::TERM_GRACE`] at most, twice to stop now.
    Terminate,
}

/// Where each question stands before the first ask.
#[derive(Debug, Clone, Default)]
pub struct PlanSummary {
    /// One state a wanted answer, in the order of the input.
    pub states: Vec<Planned>,
    /// How many of them each row has, one behind the other; none is one.
    pub per_row: u32,
    /// Bookmarks that the store wants and the input lacks, or the other way round.
    pub marks: InputMarks,
    /// Those to be asked whose row is in the outputs with an answer that is not accepted any more.
    pub placed_before: BTreeSet<QuestionIndex>,
    /// Rows that are asked again on purpose.
    pub redo: Redo,
    /// Every model has answered with these settings at these places before, asked with a key of the
    /// same name.
    pub answered_before: bool,
}

/// Where one question stands before the first ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planned {
    /// Answered, and its place in the outputs is decided.
    Placed,
    /// Answered, but its place in the outputs is not decided yet.
    Unplaced,
    /// Before a bookmark of the original script: taken as answered.
    Presumed,
    /// What came is not accepted, and nothing else is asked for: cut by a token limit that is no higher
    /// now, or whole and tried often enough.
    Failed,
    /// To be asked.
    Pending,
    /// Not answered, and not among the rows that the user chose for this run.
    LeftOut,
}

impl PlanSummary {
    /// Counts the questions in this state.
    #[must_use]
    pub fn count(&self, planned: Planned) -> u64 {
        self.states.iter().filter(|&&state| state == planned).count() as u64
    }
}
