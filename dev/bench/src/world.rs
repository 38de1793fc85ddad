//! What every measurement needs: a binary, a folder, questions, a service.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;

use crate::Place;
use crate::measured::{Used, measure};

/// Where it happens. Everything in the folder is gone at the end.
pub(crate) struct World {
    pub(crate) dset: PathBuf,
    pub(crate) answer_bytes: usize,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(place: Place) -> io::Result<World> {
        let beside = std::env::current_exe()?.with_file_name("dset");
        let dset = place.dset.unwrap_or(beside);
        if !dset.exists() {
            let hint = "build it with `cargo build --release`, or name it with --dset";
            return Err(io::Error::other(format!("there is no `{}`: {hint}", dset.display())));
        }
        let folder = match place.folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        Ok(World { dset: dset.canonicalize()?, answer_bytes: place.answer_bytes, folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of `rows` different questions of about 60 bytes each.
    pub(crate) fn questions(&self, rows: u64) -> io::Result<PathBuf> {
        let path = self.path(&format!("q{rows}.csv"));
        if !path.exists() {
            let mut file = io::BufWriter::new(fs::File::create(&path)?);
            writeln!(file, "question")?;
            for row in 0..rows {
                writeln!(file, "{}", question(row))?;
            }
            file.flush()?;
        }
        Ok(path)
    }

    /// Runs dset over these questions into a folder of this name, `width` at once where that is given.
    pub(crate) fn run(
        &self,
        questions: &Path,
        base_url: &str,
        width: impl Into<Option<u32>>,
        output: &str,
    ) -> io::Result<Used> {
        let words = self.words(questions, base_url, width, output);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        measure(&words).map(|(used, _)| used)
    }

    /// Returns the command of such a run.
    pub(crate) fn words(
        &self,
        questions: &Path,
        base_url: &str,
        width: impl Into<Option<u32>>,
        output: &str,
    ) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let output = path(&self.path(output));
        let flags = ["--base-url", base_url, "--key", "none", "-o", &output];
        let mut words = vec![path(&self.dset), "run".to_owned(), path(questions)];
        words.extend(flags.map(str::to_owned));
        words.extend(width.into().map(|width| format!("-c{width}")));
        words
    }

    /// Removes the folder of a run.
    pub(crate) fn forget(&self, output: &str) -> io::Result<()> {
        fs::remove_dir_all(self.path(output))
    }
}

/// A question like any other, and like no other.
pub(crate) fn question(row: u64) -> String {
    format!("What is known about substance {row} and how is it measured?")
}

/// A pretend service in a process of its own; it ends when this is dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) base_url: String,
}

impl Service {
    pub(crate) fn start(world: &World, latency_ms: u64) -> io::Result<Service> {
        let (latency, bytes) = (latency_ms.to_string(), world.answer_bytes.to_string());
        let mut child = Command::new(&world.dset)
            .args(["mock", "--port", "0", "--latency-ms", &latency, "--answer-bytes", &bytes])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let base_url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let base_url = base_url.ok_or_else(|| io::Error::other("the service did not start"))?;
        Ok(Service { child, base_url })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
