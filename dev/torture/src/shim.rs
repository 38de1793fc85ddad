//! The library that stands between `dset` and the C library, and the rules it goes by.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("shim.c");

/// Compiles the library into a folder; returns where it is.
pub(crate) fn compile(folder: &Path) -> io::Result<PathBuf> {
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    fs_err::write(&source, SOURCE)?;
    let ran = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"])
        .arg(&source)
        .arg("-o")
        .arg(&library)
        .output()?;
    match ran.status.success() {
        true => Ok(library),
        false => Err(io::Error::other(String::from_utf8_lossy(&ran.stderr).into_owned())),
    }
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The process is killed before it.
    KillBefore,
    /// The process is killed before it, a moment later in which its other threads go on.
    KillLate,
    /// The process is killed when half of it is done.
    KillHalf,
    /// The process is killed after it.
    KillAfter,
    /// It fails: the disk is broken.
    Broken,
    /// It fails: the disk is full.
    Full,
    /// It fails: too many open files.
    TooMany,
    /// Half of it is written, and that is said.
    Short,
    /// It says that it is done and does nothing.
    Lie,
}

/// What is to happen to the file operations of a process.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// `w`rite, `s`ync, `r`ename, `o`pen to write, `t`runcate, `u`nlink, `m`kdir, or `any`.
    pub(crate) ops: &'static str,
    /// The end of the path, or a part of it after a `*`.
    pub(crate) path: &'static str,
    /// From which matching operation on, from 1.
    pub(crate) nth: u64,
    pub(crate) action: Action,
    /// For how many; 0 is for every further one.
    pub(crate) times: u64,
}

impl Rule {
    pub(crate) fn once(ops: &'static str, path: &'static str, nth: u64, action: Action) -> Rule {
        Rule { ops, path, nth, action, times: 1 }
    }

    pub(crate) fn always(ops: &'static str, path: &'static str, nth: u64, action: Action) -> Rule {
        Rule { ops, path, nth, action, times: 0 }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::KillBefore => "before",
            Action::KillLate => "late",
            Action::KillHalf => "half",
            Action::KillAfter => "after",
            Action::Broken => "eio",
            Action::Full => "enospc",
            Action::TooMany => "emfile",
            Action::Short => "short",
            Action::Lie => "lie",
        };
        write!(f, "{}:{}:{}:{action}:{}", self.ops, self.path, self.nth, self.times)
    }
}
