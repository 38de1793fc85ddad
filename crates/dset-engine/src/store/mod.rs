//! The store: what was bought, durable, and what is known beside it.
//!
//! How it is stored is `sqlite`'s business alone: there is no SQL elsewhere. What is read before
//! a run and by the views goes through [`Store`]; during a run the one connection that writes
//! belongs to the writer's thread.

mod as_asked;
mod entry;
mod error;
mod invocation;
#[cfg(feature = "postgres")]
pub mod postgres;
mod rescue;
mod roles;
mod row_cache;
mod server_fault;
mod sqlite;
mod writer;

pub use crate::store::as_asked::AsAsked;
pub(crate) use crate::store::as_asked::KnownSettings;
pub use crate::store::invocation::{
    Invocation, InvocationEndpoint, RecordedRun, last_input, last_run,
};
pub use crate::store::row_cache::CachedRow;
pub use crate::store::sqlite::open_readonly;
pub(crate) use entry::NewAnswer;
pub use error::StoreError;
pub(crate) use invocation::AskedPlace;
pub(crate) use rescue::{OLD_UNREAD, Origin};
pub use rescue::{Rescued, UNREAD, waiting, waiting_answers};
pub use roles::Archive;
pub(crate) use roles::{
    AnswerRef, Journal, SharedReport, SharedSession, SharedWord, SharedWork, Value, Write,
};
pub use server_fault::ServerFault;
pub use sqlite::merge::{Contradiction, Merged};
pub(crate) use sqlite::{
    Anew, AnswerFacts, AttemptOfQuestion, Excerpts, OpenQuestions, Pulse, ReviewKey, Reviews,
    SearchIndex,
};
pub use sqlite::{
    Attempt, AttemptSummary, FailedAsks, IntegrityError, Recent, Review, ReviewChange, STORE,
    Session, SnippetPart, Store, StoredCheckpoint,
};
pub(crate) use sqlite::{
    CsvWish, Given, IdSet, MeasuredAnswer, NewVerdicts, OpenRedo, RATE_HISTORY_BACK_MS,
    RateHistory, Rejudged, SearchTerms, StoredCall, Tokenizer, Wanted, merge_reviews,
};
pub(crate) use writer::replaced::Replaced;
pub use writer::{Checkpoint, OutputOrder, Placed, ToStore, Writer, WriterSettings};
pub(crate) use writer::{WriterListener, tail_of};
