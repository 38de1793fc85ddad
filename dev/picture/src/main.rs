//! Draws `docs/screen.svg`: `dset run` over `examples/q.csv` against the pretend service, as a
//! terminal of 80 columns shows it when half of it is done.
//!
//! `cargo build && cargo run -p dset-picture`, from the top of the repository.

mod svg;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const COLUMNS: NonZeroU16 = NonZeroU16::new(80).expect("80 is not 0");
const ROWS: NonZeroU16 = NonZeroU16::new(32).expect("32 is not 0");
const PICTURE: &str = "docs/screen.svg";

/// What the pretend service is to do, so that there is something of everything to see.
const SERVICE: [&str; 9] = [
    "--latency-ms=2600",
    "--latency-sigma=0.5",
    "--answer-bytes=4200",
    "--seed=5",
    "--on=elephant=503*4",
    "--on=limerick=risk",
    "--on=bloops=delay:14000",
    "--on=handshakes=delay:13000",
    "--on=soap=429*1",
];

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dset = std::env::current_exe()?.with_file_name("dset");
    if !dset.exists() {
        return Err(format!("there is no `{}`: build it with `cargo build`", dset.display()).into());
    }
    let folder = tempfile::tempdir()?;
    fs_err::copy("examples/q.csv", folder.path().join("q.csv"))?;
    let mut service = Command::new(&dset);
    let service = service.arg("mock").args(SERVICE).stdout(Stdio::piped()).spawn()?;
    let mut service = Service(service);
    let out = service.0.stdout.take().ok_or("the service says nothing")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    let url = line.trim().rsplit(' ').next().ok_or("the service says nothing")?;
    let screen = screen(&dset, folder.path(), url)?;
    fs_err::write(PICTURE, svg::drawn(&screen))?;
    Ok(())
}

/// Runs it until half of the questions are done, and returns the screen then.
fn screen(dset: &PathBuf, folder: &Path, url: &str) -> Result<vt100::Screen, Box<dyn Error>> {
    let (cols, rows) = (COLUMNS.get(), ROWS.get());
    let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size)?;
    let mut run = CommandBuilder::new(dset);
    run.args(["run", "--base-url", url, "--key", "none", "-c", "8"]);
    run.cwd(folder);
    for (name, value) in
        [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("DSET_SHARE_PACE", "off")]
    {
        run.env(name, value);
    }
    run.env_remove("NO_COLOR");
    let mut child = pair.slave.spawn_command(run)?;
    drop(pair.slave);
    let mut terminal = vt100::Parser::new(ROWS, COLUMNS, 0);
    let mut reader = pair.master.try_clone_reader()?;
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = reader.read(&mut bytes) {
        terminal.process(&bytes[..count]);
        let shown = terminal.screen().contents();
        let done = (13..24).any(|done| shown.contains(&format!(" {done}/30  ")));
        // Whole drawings end with this, and reading may stop within one.
        if done && shown.contains("waiting: ") && bytes[..count].ends_with(b"\x1b[?2026l") {
            child.kill()?;
            child.wait()?;
            return Ok(terminal.screen().clone());
        }
    }
    child.wait()?;
    Err("the run was over before there was something to see".into())
}
