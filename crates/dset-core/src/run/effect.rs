//! What the machine wants done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::acceptance::Verdicts;
use crate::answer::{Answer, Cause, Failure, Usage};
use crate::item::error_marks::InputMarks;
use crate::item::question::{Question, QuestionId, QuestionIndex};
use crate::money::Amount;
use crate::plan::ledger::{Fault, Ledger};
use crate::run::BudgetStatus;
use crate::run::ask::{Ask, AskId};
use crate::run::event::{Seq, StopSignal};
use crate::time::Time;

/// Something to be done. Every effect that touches the world is answered by an event.
#[derive(Debug)]
pub enum Effect {
    /// Read so many more pending questions, in order. Answered by `Questions`, `QuestionsEnd`
    /// after the last, or `QuestionsChanged`.
    Read {
        /// How many at most.
        count: usize,
    },
    /// Ask. Answered by `Replied` or, once abandoned, `Abandoned` or `NotJudged`.
    Ask(Ask),
    /// Drop this ask; whichever event answers it comes soon.
    Abandon(AskId),
    /// Make this record durable. Answered by `Synced` or `SyncFailed`.
    Record(Seq, JournalRecord),
    /// Decide that these answers, all durable, come next in the outputs, and write them.
    /// Answered by `Emitted` or `EmitFailed`.
    Emit {
        /// Rows emitted in this session once these are written.
        upto: u64,
        /// The questions, in the order of the rows.
        questions: Vec<QuestionIndex>,
    },
    /// Make what was emitted durable now instead of within a second.
    Flush,
    /// Send `Woke` at this time; replaces an earlier wish.
    SetTimer(Time),
    /// Write these marks into the input file. Answered by `Marked` or `MarkFailed`.
    Mark(InputMarks),
    /// Tell whoever is watching.
    Show(Notice),
    /// The run is over; nothing is outstanding.
    Finish(Box<Ending>),
}

/// What the store is to remember.
#[derive(Debug, Clone)]
pub enum JournalRecord {
    /// An answer has come that is not judged yet.
    AnswerCame {
        /// The question.
        question: Arc<Question>,
        /// The ask that was answered.
        ask: AskId,
        /// Which of [`Rules::endpoints`](crate::run::Rules::endpoints) was asked.
        place: usize,
        /// How many asks this question took in this session.
        attempts: u32,
        /// When the ask was sent.
        sent_at: Time,
        /// When its answer came.
        at: Time,
        /// The answer.
        answer: Box<Answer>,
        /// What is thought of it so far.
        verdicts: Box<Verdicts>,
        /// What it cost at most, where it was not counted, under a limit.
        cost_most: Option<Amount>,
    },
    /// A question was answered.
    Answered {
        /// The question.
        question: Arc<Question>,
        /// The ask that was answered.
        ask: AskId,
        /// Which of [`Rules::endpoints`](crate::run::Rules::endpoints) was asked.
        place: usize,
        /// How many asks this question took in this session.
        attempts: u32,
        /// When the ask was sent.
        sent_at: Time,
        /// When its answer came.
        at: Time,
        /// The answer.
        answer: Box<Answer>,
        /// It was recorded when it came: this says what is thought of it.
        is_known: bool,
        /// With it every answer is there that its row is to get.
        completes_row: bool,
        /// It is accepted.
        is_accepted: bool,
        /// What is thought of it; absent where nothing is asked of it.
        verdicts: Option<Box<Verdicts>>,
        /// What it cost at most where the service did not count it, under a limit of money.
        cost_most: Option<Amount>,
    },
    /// An ask failed.
    Failed {
        /// The question.
        question: Arc<Question>,
        /// The ask that failed.
        ask: AskId,
        /// Which of [`Rules::endpoints`](crate::run::Rules::endpoints) was asked.
        place: usize,
        /// Which attempt at this question in this session, from 1.
        attempt: u32,
        /// When the ask was sent.
        sent_at: Time,
        /// When it failed.
        at: Time,
        /// How.
        failure: Box<Failure>,
        /// What it cost at most where a reply came that the service did not count, under a limit of money.
        cost_most: Option<Amount>,
    },
    /// A question ended without an answer.
    Ended {
        /// The question.
        question: Arc<Question>,
        /// How.
        fault: Fault,
        /// The cause.
        cause: Cause,
        /// When.
        at: Time,
        /// For an answer cut by the token limit: how many tokens it had got to, where known.
        cut_at_tokens: Option<u64>,
    },
    /// A row of the input is to say ERROR.
    RowMarked {
        /// The question in that row.
        id: QuestionId,
    },
    /// The most that this run may be billed from now on. A run that is killed counts as if it had been
    /// billed all of it.
    BoundDeclared {
        /// The most that it may have been billed since it began.
        bound: Amount,
        /// What of that was billed or not, which nobody can tell from what is recorded.
        unsure: Amount,
        /// Nothing is on its way any more, and nothing will be: the bound is what it was billed.
        is_last: bool,
    },
}

/// Something worth saying while the run goes on.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A question is being asked for the first time, or again.
    Asking {
        /// The question.
        question: Arc<Question>,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// A question was answered.
    Answered {
        /// The question.
        question: Arc<Question>,
        /// How long its last ask took.
        took: Duration,
        /// What was counted.
        usage: Usage,
        /// How many asks it took.
        attempts: u32,
    },
    /// An ask failed, and the question will be asked again.
    Retrying {
        /// The question.
        question: Arc<Question>,
        /// Why.
        failure: Box<Failure>,
        /// When it is asked again at the earliest.
        wait: Duration,
    },
    /// A question ended without an answer.
    Ended {
        /// The question.
        question: Arc<Question>,
        /// How.
        fault: Fault,
        /// Why.
        failure: Box<Failure>,
        /// It was asked again on purpose, and keeps the accepted answer that it had.
        stands: bool,
    },
    /// The service does not answer: everything waits.
    OutageBegan {
        /// The last failure.
        failure: Box<Failure>,
        /// Until the first retry; absent where none is allowed.
        wait: Option<Duration>,
    },
    /// A retry in an outage begins.
    OutageRetry {
        /// Which, from 1.
        retry: u32,
        /// Of how many.
        of: u32,
    },
    /// A retry in an outage failed, and there is another.
    OutageContinues {
        /// The last failure.
        failure: Box<Failure>,
        /// Until the next retry.
        wait: Duration,
    },
    /// Every retry failed; before the service is given up, another question is asked.
    OutageCrossCheck {
        /// That question.
        question: Arc<Question>,
    },
    /// The last retry failed, and another question too where there is one.
    OutageExhausted {
        /// The last failure.
        failure: Box<Failure>,
    },
    /// The service answers again.
    OutageEnded {
        /// How long it did not.
        lasted: Duration,
    },
    /// One of several places does not answer; what it would have been asked is asked elsewhere, or
    /// waits until it is back.
    EndpointDown {
        /// Of this model, by its place in the settings.
        model: u16,
        /// Which of the model's endpoints.
        endpoint: u16,
        /// The last failure.
        failure: Box<Failure>,
    },
    /// That place answers again.
    EndpointUp {
        /// Of this model.
        model: u16,
        /// Which of the model's endpoints.
        endpoint: u16,
    },
    /// A row of the input is being marked.
    MarkingRow {
        /// Its row as a spreadsheet counts it.
        row_number: u64,
    },
    /// A reply cost more than an ask like it was taken to cost at most.
    BillAboveReservation {
        /// What it cost.
        billed: Amount,
        /// What was reserved for it.
        reserved: Amount,
    },
    /// What is left of the limit pays for no question.
    CostLimitReached {
        /// What the cheapest one may cost that is to be asked.
        least: Amount,
    },
    /// Cheap hours end or have not begun: nothing more is sent for now.
    PeakBegins {
        /// When asks are cheap again, Unix milliseconds.
        until: i64,
        /// What it saves not to ask the rest before, where the run's answers tell.
        saves: Option<Amount>,
        /// How many asks are on their way.
        in_flight: usize,
    },
    /// Asks are sent again after [`Notice::PeakBegins`], or from the beginning.
    OffPeakBegins {
        /// They are not cheap, but the rest would not be done in time otherwise.
        for_deadline: bool,
    },
    /// The run is stopping; what is on its way is waited for.
    Draining {
        /// What made it stop.
        signal: StopSignal,
        /// How many asks are on their way.
        in_flight: usize,
        /// How long the longest has been.
        longest: Duration,
    },
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// Where every question stands.
    pub ledger: Ledger,
    /// Asks that were dropped on their way; a service may bill them.
    pub dropped: u64,
    /// Answers that are durable and in no output yet: the next run writes them.
    pub unplaced: u64,
    /// Failed questions that keep the accepted answer which they had before they were asked again.
    pub standing: u64,
    /// Rows of the outputs in whose place other answers came in this run.
    pub outdated: u64,
    /// Somebody wanted it to stop, whatever it came to.
    pub was_stopped: bool,
    /// The row that a failing service left marked, as a spreadsheet counts it.
    pub marked_question: Option<Arc<Question>>,
    /// Where it stands with its limit of money, if it has one.
    pub budget: Option<BudgetStatus>,
    /// Answers that were taken for whole though nobody knows the word with which the service ended them, by that word.
    pub unknown_ends: BTreeMap<String, u64>,
}

/// Why a run ended, from the weightiest to the lightest; where several hold, the first counts.
#[derive(Debug, Clone)]
pub enum EndReason {
    /// The store or the disk failed.
    StoreFailed,
    /// An output could not be written.
    OutputFailed,
    /// The service refuses what the settings say.
    WrongSettings(Box<Failure>),
    /// The input was changed while it was being read.
    InputChanged {
        /// The first row that differs, where known.
        row_number: Option<u64>,
    },
    /// The key is missing or wrong.
    KeyRefused(Box<Failure>),
    /// No money left.
    OutOfMoney(Box<Failure>),
    /// What is left of the user's own limit pays for no question.
    CostLimit {
        /// What the cheapest one may cost that is to be asked.
        least: Amount,
    },
    /// The service did not answer after every retry.
    Unreachable(Box<Failure>),
    /// The service wants to be left alone for longer than a run waits.
    RetryAfterTooLong(Box<Failure>, Duration),
    /// Ctrl-C or SIGTERM.
    Stopped(StopSignal),
    /// Another run was given what this one asks.
    LeaseLost,
    /// A question failed, and the run was to pause there.
    Paused,
    /// Everything that this run was to ask is asked.
    Complete,
}

impl EndReason {
    /// The words that stand for [`EndReason::CostLimit`] in a store.
    pub const COST_LIMIT: &str = "cost limit";
    /// The word that stands for [`EndReason::Complete`] there.
    pub const COMPLETE: &str = "complete";

    /// Orders the reasons: the lowest wins.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            EndReason::StoreFailed => 0,
            EndReason::OutputFailed => 1,
            EndReason::WrongSettings(_) => 2,
            EndReason::InputChanged { .. } => 3,
            EndReason::KeyRefused(_) => 4,
            EndReason::OutOfMoney(_) | EndReason::CostLimit { .. } => 5,
            EndReason::Unreachable(_) => 6,
            EndReason::RetryAfterTooLong(..) => 7,
            EndReason::Stopped(_) | EndReason::LeaseLost => 8,
            EndReason::Paused => 9,
            EndReason::Complete => 10,
        }
    }
}
