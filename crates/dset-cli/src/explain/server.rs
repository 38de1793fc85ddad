//! A job on a server that cannot be used.

use dset_engine::error::JobError;
use dset_engine::store::ServerFault;

use super::{io_cause, mend};
use crate::display::text::{one_line, same_command};
use crate::error::UserError;
use crate::exit::Exit;

/// Explains why a job on a server cannot be used.
pub(crate) fn server(fault: ServerFault) -> UserError {
    let words = one_line(&fault.to_string());
    let usage = |message: &str| UserError::new(Exit::Usage, message);
    match fault {
        ServerFault::Address { detail } => usage("the address of the server cannot be read")
            .cause(detail)
            .hint("Write it like `postgres://USER@HOST:5432/DATABASE`, the password in PGPASSWORD"),
        ServerFault::Unreachable { .. } => {
            UserError::new(Exit::Unreachable, "the server of the job cannot be reached")
                .cause(words)
                .hint(format!("Once it is up: `{}`; nothing is lost", same_command()))
                .hint("Where TLS is what fails, `?sslmode=disable` behind the address does without")
        }
        ServerFault::Refused { .. } => usage("the server of the job lets nobody in")
            .cause(words)
            .hint("The name and the database stand in the address, the password in PGPASSWORD"),
        ServerFault::TooOld { .. } => {
            usage("the server of the job is too old").cause(words).hint("Use a newer PostgreSQL")
        }
        ServerFault::Encoding { .. } => {
            usage("the database of the job lacks letters").cause(words).hint(
                "Make another: `createdb --encoding UTF8 --template template0 NAME`, and name that",
            )
        }
        ServerFault::ReadOnly => usage("the server of the job can only be read")
            .cause(words)
            .hint("Name the one that takes writes"),
        ServerFault::NoRights { .. } => usage("the server of the job does not allow it")
            .cause(words)
            .hint("To put a job there: `GRANT CREATE ON DATABASE`, or a schema of one's own")
            .hint("To work on one: rights to read and write the tables of its schema"),
        ServerFault::NoJob { .. } => usage("there is no job on the server")
            .cause(words)
            .hint("Put one there: `dset job split q.csv --shards 64 --store ADDRESS`"),
        ServerFault::OtherJob { .. } => usage("there is another job on the server")
            .cause(words)
            .hint("Give this one a schema of its own: `?schema=NAME` behind the address"),
        ServerFault::Foreign { .. } => usage("the schema on the server is not of dset")
            .cause(words)
            .hint("Name one that is empty, or not there: `?schema=NAME` behind the address"),
        ServerFault::Newer { .. } => usage("the job on the server is of a newer dset")
            .cause(words)
            .hint("Use that version, or a later one"),
        ServerFault::Layout { .. } => usage("the input cannot be put on a server as it lies")
            .cause(words)
            .hint("Put its files into one folder, and split that"),
        ServerFault::Input(error) => super::source(*error),
        ServerFault::Lock(error) => super::job(JobError::Lock(error)),
        ServerFault::Store(error) => error.into(),
        ServerFault::Io(error) => {
            UserError::new(Exit::Ours, "a file cannot be used").cause(io_cause(&error)).hint(mend())
        }
        ServerFault::Damaged(_) | ServerFault::Failed(_) => {
            UserError::new(Exit::Ours, "the server of the job cannot be used").cause(words)
        }
    }
}
