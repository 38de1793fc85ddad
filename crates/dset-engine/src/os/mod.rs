//! What the operating system provides: files, locks, time, limits.

pub mod clock;
pub mod files;
pub mod folders;
pub mod lock;
pub mod memory;
pub mod open_files;
pub(crate) mod panic_guard;
