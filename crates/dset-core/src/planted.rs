//! Bugs planted on purpose, one at a time, to prove that the simulator finds them.
//!
//! Each is a line in the code that it breaks, guarded by `planted`, which is constantly false
//! without the feature `planted-bugs`; no program that is handed out has that feature.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum PlantedBug {
    /// A row goes to the outputs before its answer is durable.
    EmitBeforeDurable,
    /// A question is tried again for ever.
    RetryPastTheLimit,
    /// A question is given up one failure late.
    AttemptsOffByOne,
    /// A retry that waits for its time gets no alarm while nothing else is waiting.
    LostWakeUp,
    /// An answer frees its slot when it arrives, not when it is durable.
    SlotFreedOnArrival,
    /// After an outage the last unfinished question is marked, not the first.
    BookmarkOnTheWrongRow,
    /// A torn row at the end of an output is left there.
    TailNotRepaired,
    /// The temperature is no part of an answer's key.
    KeyLacksAParameter,
    /// Half of the wait that a service asks for is waited.
    WaitCutShort,
    /// A row is marked in the input before the store knows of it.
    MarkBeforeDurable,
    /// Rows are placed as answers come, not in the order of the input.
    PlacedOutOfOrder,
    /// An answer that comes while the run is stopping is thrown away.
    AnswerDroppedWhileStopping,
    /// The rows that are placed at once are placed the other way round.
    RowsReversed,
    /// A ceiling that the service names is not kept.
    NamedCeilingIgnored,
    /// A question that failed is asked again at once.
    HiccupNotWaited,
    /// SIGTERM waits for what is in flight, however long that takes.
    GraceNeverEnds,
    /// A key that is refused after a success drops asks that are paid for.
    PaidAsksDroppedWithTheKey,
    /// Settings that are refused for every question are never told from refused questions.
    SettingsTakenForQuestions,
    /// A run that is to pause at the first failing question goes on.
    PauseForgotten,
    /// A run begins its minute anew, whatever the one before it had sent.
    MinuteForgotten,
    /// Tokens do not count towards the limit a minute.
    TokensUncounted,
    /// In an outage light probes go on and on at once.
    ProbesUnpaced,
    /// A service is given up without asking it another question.
    NoOtherQuestionTried,
    /// What an ask may cost is not reserved while it is on its way.
    NothingReserved,
    /// More is on its way than the store knows may be billed.
    BoundNotDurable,
    /// A reply that was lost counts as if nothing had been billed for it.
    LostNotBooked,
    /// A question gets one try more than it may.
    OneTryTooMany,
}

/// Every bug that can be planted.
pub const PLANTED_BUGS: [PlantedBug; 27] = [
    PlantedBug::EmitBeforeDurable,
    PlantedBug::RetryPastTheLimit,
    PlantedBug::AttemptsOffByOne,
    PlantedBug::LostWakeUp,
    PlantedBug::SlotFreedOnArrival,
    PlantedBug::BookmarkOnTheWrongRow,
    PlantedBug::TailNotRepaired,
    PlantedBug::KeyLacksAParameter,
    PlantedBug::WaitCutShort,
    PlantedBug::MarkBeforeDurable,
    PlantedBug::PlacedOutOfOrder,
    PlantedBug::AnswerDroppedWhileStopping,
    PlantedBug::RowsReversed,
    PlantedBug::NamedCeilingIgnored,
    PlantedBug::HiccupNotWaited,
    PlantedBug::GraceNeverEnds,
    PlantedBug::PaidAsksDroppedWithTheKey,
    PlantedBug::SettingsTakenForQuestions,
    PlantedBug::PauseForgotten,
    PlantedBug::MinuteForgotten,
    PlantedBug::TokensUncounted,
    PlantedBug::ProbesUnpaced,
    PlantedBug::NoOtherQuestionTried,
    PlantedBug::NothingReserved,
    PlantedBug::BoundNotDurable,
    PlantedBug::LostNotBooked,
    PlantedBug::OneTryTooMany,
];

#[cfg(feature = "planted-bugs")]
std::thread_local! {
    static PLANTED: std::cell::Cell<Option<PlantedBug>> = const { std::cell::Cell::new(None) };
}

/// Plants this bug in this thread, in place of any other.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<PlantedBug>) {
    PLANTED.set(bug);
}

/// Returns true if this bug is planted.
#[cfg(feature = "planted-bugs")]
pub(crate) fn planted(bug: PlantedBug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Returns true if this bug is planted: never, in this build.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn planted(_: PlantedBug) -> bool {
    false
}
