//! What the errors of the other crates are in words for people.
//!
//! A conversion by `From` knows no disk. Where the words depend on what lies there, a function looks
//! first and then chooses them.

mod export;
mod import;
mod job;
#[cfg(feature = "postgres")]
mod server;
mod settings;
mod shard;
mod source;
mod store;
mod template;

pub(crate) use self::export::{export, export_at_end};
pub(crate) use self::import::{import, import_folder, left_out};
pub(crate) use self::job::{folder_in_use, job};
#[cfg(feature = "postgres")]
pub(crate) use self::server::server;
pub(crate) use self::shard::{job_file, merge};
pub(crate) use self::source::{delimiter_name, source};
pub(crate) use self::store::DAMAGED_TEXT;
use crate::display::text::{one_line, same_command};

/// What to do about an input without questions.
pub(crate) const WRITE_QUESTIONS: &str = "Write one question a line below the header `question`";

fn mend() -> String {
    format!("Make room, or mend the disk or who may write there, then run `{}`", same_command())
}

fn io_cause(error: &std::io::Error) -> String {
    one_line(&error.to_string())
}
