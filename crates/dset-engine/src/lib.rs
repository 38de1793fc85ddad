//! Does what dset-core decides: HTTP, SQLite, files and time.
//!
//! One effect a file and no policy. Prints nothing, installs no signal handlers and keeps no
//! globals, so that it can run inside another program; whoever watches is told through
//! [`report::Report`].

pub mod adopt;
pub mod ask;
pub mod beside;
pub mod clock;
mod died;
pub mod drive;
mod echo;
pub mod files;
mod folder;
mod http;
pub mod import;
pub mod inspect;
pub mod job;
pub mod lock;
pub mod mark;
pub mod open_files;
pub mod probe;
mod prompts;
mod reading;
pub mod rebuild;
pub mod report;
mod scan;
pub mod search;
pub mod shared_pace;
pub mod shown;
pub mod sink;
pub mod source;
pub mod standing;
pub mod stats;
pub mod store;
pub mod verify;
