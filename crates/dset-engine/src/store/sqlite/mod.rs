//! The store as one SQLite file. All the SQL there is stands in this folder.

mod attempts;
mod bounds;
mod calls;
mod checkpoint;
mod facts;
mod id_set;
mod iterate;
mod journal;
mod lengths;
pub(crate) mod limits;
pub(crate) mod merge;
mod migrate;
mod open_readonly;
mod plan;
mod presumed;
mod rate_history;
mod recent;
mod store;
mod tokenizer;
mod tries;

pub(crate) use crate::store::sqlite::lengths::MeasuredAnswer;
pub use crate::store::sqlite::open_readonly::{FailedAsks, IntegrityError, Session, open_readonly};
pub(crate) use crate::store::sqlite::rate_history::RateHistory;
pub use crate::store::sqlite::tokenizer::SnippetPart;
pub(crate) use crate::store::sqlite::tokenizer::{SearchTerms, Tokenizer};
pub use attempts::{Attempt, AttemptSummary};
pub(crate) use calls::StoredCall;
pub use checkpoint::StoredCheckpoint;
pub(crate) use id_set::IdSet;
pub use recent::Recent;
pub(crate) use tries::NewVerdicts;

pub use limits::STORE;
pub use store::Store;

#[cfg(test)]
mod tests;
