//! Why a job on a server cannot be used.

use thiserror::Error;

use crate::os::lock::LockError;
use crate::source::SourceError;
use crate::store::StoreError;

/// The oldest version of the server that is used, as it numbers itself.
pub(crate) const SERVER_MIN: u32 = 13;

/// Why a job on a server cannot be used. No password is in it.
#[derive(Debug, Error)]
pub enum ServerFault {
    /// What names the server cannot be read.
    #[error("the address of the server cannot be read: {detail}")]
    Address {
        /// Why.
        detail: String,
    },
    /// It does not answer.
    #[error("{server} does not answer: {detail}")]
    Unreachable {
        /// Which.
        server: String,
        /// Why.
        detail: String,
    },
    /// It lets nobody in under this name, or has no such database.
    #[error("{server} lets nobody in: {detail}")]
    Refused {
        /// Which.
        server: String,
        /// Why.
        detail: String,
    },
    /// It is too old.
    #[error("the server has version {found}, and at least {SERVER_MIN} is needed")]
    TooOld {
        /// Its version.
        found: String,
    },
    /// Its database has not every letter that an answer may have.
    #[error("the database has the encoding {found}, which lacks letters that answers may have")]
    Encoding {
        /// Its encoding.
        found: String,
    },
    /// It may only be read.
    #[error("the server is a copy that can only be read")]
    ReadOnly,
    /// Something is not allowed.
    #[error("{server} does not allow it: {detail}")]
    NoRights {
        /// Which.
        server: String,
        /// What.
        detail: String,
    },
    /// There is no job.
    #[error("there is no job on {server}")]
    NoJob {
        /// Which.
        server: String,
    },
    /// There is another job.
    #[error("{server} holds another job")]
    OtherJob {
        /// Which.
        server: String,
    },
    /// The schema has tables of somebody else.
    #[error("`{schema}` on the server has tables that are not of dset")]
    Foreign {
        /// The schema.
        schema: String,
    },
    /// A newer program put the job there.
    #[error(
        "the job on the server was put there by {made_by}, in a form that this version does not know"
    )]
    Newer {
        /// What put it there.
        made_by: String,
    },
    /// A file of the input cannot be brought to workers so that they read what was split.
    #[error("workers would not read `{}` as it was split", path.display())]
    Layout {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The input of the job.
    #[error(transparent)]
    Input(#[from] Box<SourceError>),
    /// A folder here, which another run has.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store of a folder here.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file here.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What it holds is not as it was written.
    #[error("the job on the server is damaged: {0}")]
    Damaged(String),
    /// Anything else that went wrong there.
    #[error("{0}")]
    Failed(String),
}

impl From<SourceError> for ServerFault {
    fn from(error: SourceError) -> ServerFault {
        ServerFault::Input(Box::new(error))
    }
}
