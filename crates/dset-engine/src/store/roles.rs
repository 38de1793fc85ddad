//! What the rest of the program needs of a place where answers are kept, whatever that is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dset_core::acceptance::Verdict;
use dset_core::answer::row::Row;
use dset_core::money::Amount;
use dset_core::plan::AnswerId;
use dset_core::plan::ledger::Ledger;
use dset_core::run::{FundsUse, Permit, PermitUse};
use dset_core::time::Time;

use super::entry::{NewAnswer, NewAttempt, NewEnded};
use super::error::StoreError;
use super::sqlite::{LifeRow, NewVerdicts, SettingsRow};
use super::writer::message::Checkpoint;

/// Makes durable what happened.
pub(crate) trait Journal: Send + 'static {
    /// Records all of this or nothing; when it returns, it is durable. Says which numbers the
    /// answers got, in their order: none where an answer with the same key was there already.
    ///
    /// After a failure nothing may be committed through this journal any more.
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError>;

    /// Waits, no longer than this, until what was committed is durable wherever it is to be; tells whether all of
    /// it is.
    fn settle(&mut self, _most: Duration) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Ends it. Fails where only its own tidying failed: what was committed is durable all the
    /// same.
    fn close(&mut self) -> Result<(), StoreError>;
}

impl Journal for Box<dyn Journal> {
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
        (**self).commit(writes)
    }

    fn settle(&mut self, most: Duration) -> Result<bool, StoreError> {
        (**self).settle(most)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        (**self).close()
    }
}

/// What a run has in common with others, on other machines: where its records go beside the store here, and
/// who says what it may still send.
pub(crate) trait SharedWork: fmt::Debug + Send {
    /// Begins; returns a journal that records here and for all.
    fn begin(
        &mut self,
        local: Box<dyn Journal>,
        session: SharedSession,
        tell: TellShared,
    ) -> Result<Box<dyn Journal>, StoreError>;

    /// Tells whether a report will be taken.
    fn is_ready(&self) -> bool;

    /// Takes where the run stands; what it may send is told for that.
    fn report(&mut self, report: SharedReport);

    /// The run is to stop: whoever cannot be reached is not waited for.
    fn stop_waiting(&self);

    /// The run is over.
    fn end(&mut self);
}

/// The run that is shared.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only workers of a shared job need it")
)]
pub(crate) struct SharedSession {
    pub(crate) life: LifeRow,
    /// What answers are bought with.
    pub(crate) settings: Vec<SettingsRow>,
}

/// Where a run stands.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only workers of a shared job need it")
)]
pub(crate) struct SharedReport {
    pub(crate) now: Time,
    pub(crate) permits: PermitUse,
    pub(crate) funds: Option<FundsUse>,
    pub(crate) ledger: Ledger,
    /// Nothing more will be sent.
    pub(crate) is_ending: bool,
}

/// What is told to a run.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only workers of a shared job need it")
)]
pub(crate) enum SharedWord {
    Permitted(Permit),
    Funded {
        granted: Amount,
        is_last: bool,
    },
    LeaseLost,
    /// Nobody can be reached, and why; or somebody again.
    Away(Option<String>),
}

/// Tells it, from any thread.
pub(crate) type TellShared = Arc<dyn Fn(SharedWord) + Send + Sync>;

/// Reads what is durable, from any thread, and never holds up a `Journal`.
pub trait Archive: fmt::Debug + Send {
    /// Returns one answer as the row of an output.
    fn row(&self, answer: AnswerId) -> Result<Row, StoreError>;

    /// Returns the answers of a generation in the order of the outputs, from a position on, a
    /// thousand at most; each with the row of the input that it was written with, where that is
    /// another than when it was answered.
    fn order_from(
        &self,
        generation: u32,
        position: u64,
    ) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError>;

    /// Returns what was thought of an answer under an acceptance; `None` where it was not judged,
    /// nothing where it passed every check.
    fn verdicts(
        &self,
        answer: AnswerId,
        acceptance: &[u8; 16],
    ) -> Result<Option<Vec<Verdict>>, StoreError>;

    /// Returns one answer as a row of the outputs that stands for this row of the input, where that
    /// is another than when it was answered.
    fn row_at(&self, answer: AnswerId, at: Option<u64>) -> Result<Row, StoreError> {
        let mut row = self.row(answer)?;
        row.metadata.row = at.or(row.metadata.row);
        Ok(row)
    }
}

/// One thing to record.
#[derive(Debug)]
pub(crate) enum Write {
    /// An answer; nothing where one with its key and try is there already.
    Answered(Box<NewAnswer>),
    /// An ask that failed.
    Attempted(NewAttempt),
    /// What is thought of a durable answer.
    Judged { answer: AnswerId, verdicts: NewVerdicts },
    /// An answer counts no more: its row was asked again on purpose, and another came in its place.
    SetAside(AnswerId),
    /// An answer is to be kept, whatever this acceptance thinks of it.
    Kept { answer: AnswerId, acceptance: [u8; 16] },
    /// A question that ended without an answer.
    Ended(NewEnded),
    /// What ended is answered after all.
    NotEnded { question: [u8; 16], generation: u32 },
    /// A row is to be marked.
    MarkDue([u8; 16]),
    /// It is marked, or need not be any more.
    Marked([u8; 16]),
    /// An answer has the next place in the outputs of a generation; nothing where it is one of this
    /// commit that was there already. `row` is that of the input, where it may be another than when
    /// it was answered.
    Placed { generation: u32, answer: AnswerRef, row: Option<u64> },
    /// The answers of a generation have these places, and no others; with their rows of the input.
    Ordered { generation: u32, answers: Vec<(AnswerId, u64)> },
    /// An output is whole up to here.
    Checkpoint(Checkpoint),
    /// Nothing is known any more of how far outputs are whole.
    CheckpointsForgotten,
    /// Nothing is to be marked, and nothing is taken as answered any more.
    PendingForgotten,
    /// A value of the whole store, or its end.
    Meta { name: &'static str, value: Option<Value> },
    /// There are answers of the original script, whose settings are unknown.
    LegacyImported { at: i64 },
    /// A run may be billed so much, see [`dset_core::run::JournalRecord::BoundDeclared`].
    BoundDeclared { life: i64, bound: Amount, unsure: Amount, is_last: bool },
    /// A run has ended.
    SessionEnded { life: i64, at: i64, ending: String, dropped: bool },
}

/// Which answer has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerRef {
    /// One that is durable.
    Stored(AnswerId),
    /// One of the same commit, by its number among them, from 0.
    New(usize),
}

/// A value of the whole store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(i64),
    Text(String),
}
