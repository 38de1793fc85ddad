//! Runs a command and tells what it used.
//!
//! By way of a process of its own: what the system says of children is the sum of all of them, and
//! the peak of memory the largest one's.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// What a command used, with all its threads and children.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) seconds: f64,
    pub(crate) user_seconds: f64,
    pub(crate) system_seconds: f64,
    pub(crate) peak_bytes: u64,
    /// What went to disks; nothing where files lie in memory.
    pub(crate) written_bytes: u64,
    pub(crate) exit: i32,
}

impl Used {
    pub(crate) fn cpu_us(&self) -> f64 {
        (self.user_seconds + self.system_seconds) * 1e6
    }

    pub(crate) fn peak_mb(&self) -> f64 {
        self.peak_bytes as f64 / 1e6
    }
}

/// Runs a command in a process that tells what it used; returns that and what the command printed.
pub(crate) fn measure(command: &[&str]) -> io::Result<(Used, String)> {
    let mut wrapper = Command::new(std::env::current_exe()?);
    let output = wrapper.args(["measured", "--"]).args(command).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (printed, used) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    let failed = || io::Error::other(format!("{command:?} could not be measured: {text}"));
    let used: Used = serde_json::from_str(used).map_err(|_| failed())?;
    if used.exit != 0 {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{command:?} ended with {}: {said}", used.exit)));
    }
    Ok((used, printed.to_owned()))
}

/// The other side of [`measure`].
pub(crate) fn wrap(command: &[String]) -> io::Result<()> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let began = Instant::now();
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status()?;
    let seconds = began.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let used = Used {
        seconds,
        user_seconds: time(usage.user_time()),
        system_seconds: time(usage.system_time()),
        peak_bytes: usage.max_rss() as u64 * unit,
        // In blocks of 512 bytes, whatever the disk's are.
        written_bytes: usage.block_writes() as u64 * 512,
        exit: status.code().unwrap_or(-1),
    };
    println!("\n{}", serde_json::to_string(&used)?);
    Ok(())
}
