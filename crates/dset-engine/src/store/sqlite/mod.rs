//! The store as one SQLite file. All the SQL there is stands in this folder.

mod attempts;
mod bounds;
mod browse;
mod calls;
mod checkpoint;
mod connection;
mod damaged;
mod error;
mod facts;
mod id_set;
mod input_marks;
mod iterate;
mod journal;
mod judged;
mod keys;
mod lengths;
pub(crate) mod limits;
pub(crate) mod merge;
mod migrate;
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only workers of a shared job need it")
)]
mod mirrored;
mod open_questions;
mod open_readonly;
mod plan;
mod presumed;
mod purchases;
mod rate_history;
mod reader;
mod recent;
mod redos;
mod rejudged;
mod reviews;
mod schemas;
mod search_index;
mod session;
mod store;
mod texts;
mod tokenizer;
mod tries;
mod wishes;

pub(crate) use crate::store::sqlite::lengths::MeasuredAnswer;
pub use crate::store::sqlite::open_readonly::{FailedAsks, IntegrityError, Session, open_readonly};
pub(crate) use crate::store::sqlite::rate_history::{RATE_HISTORY_BACK_MS, RateHistory};
pub use crate::store::sqlite::tokenizer::SnippetPart;
pub(crate) use crate::store::sqlite::tokenizer::{SearchTerms, Tokenizer};
pub(crate) use attempts::AttemptOfQuestion;
pub use attempts::{Attempt, AttemptSummary};
pub(crate) use browse::{AnswerFacts, Excerpts, Pulse};
pub(crate) use calls::StoredCall;
pub use checkpoint::StoredCheckpoint;
pub(crate) use id_set::IdSet;
#[cfg(feature = "postgres")]
pub(crate) use merge::PAID_TWICE;
#[cfg(feature = "postgres")]
pub(crate) use mirrored::{AnswerMark, AttemptMark};
pub(crate) use mirrored::{LifeRow, SettingsRow};
#[cfg(feature = "postgres")]
pub(crate) use mirrored::{SENT, UNSENT};
pub(crate) use open_questions::OpenQuestions;
pub(crate) use plan::{Anew, Given, Wanted};
pub use recent::Recent;
pub(crate) use redos::OpenRedo;
pub(crate) use rejudged::Rejudged;
pub use reviews::{Review, ReviewChange};
pub(crate) use reviews::{ReviewKey, Reviews, merge_reviews};
pub(crate) use search_index::SearchIndex;
pub(crate) use tries::NewVerdicts;

pub use limits::STORE;
pub use store::Store;
pub(crate) use wishes::CsvWish;

#[cfg(test)]
mod tests;
