//! Does what dset-core decides: HTTP, SQLite, files and time.
//!
//! One effect a file and no policy. Prints nothing, installs no signal handlers and keeps no
//! globals, so that it can run inside another program; whoever watches is told through
//! [`crate::observer::Report`].

pub mod error;
pub mod http;
pub mod observer;
pub mod os;
pub mod output;
pub mod recover;
pub mod run;
pub mod source;
pub mod store;
pub mod view;
