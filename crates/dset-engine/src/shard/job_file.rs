//! `job.json`: what a job is, read and written.

use std::io;
use std::path::{Path, PathBuf};

use dset_core::csv::HeaderMode;
use dset_core::key::RequestSettings;
use dset_core::settings::{Checks, JobSpec, Reading, Shard};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contents::{FileContents, first_difference};
use super::error::JobFileError;
use super::rows::{PackedRows, ShardRows};
use crate::os::files::write_new;
use crate::source::{Cursor, SourceError, files_of};

/// The name of the file in the folder of a job.
const NAME: &str = "job.json";
/// The version of the file that is written, and the latest that can be read.
const VERSION: u32 = 1;

/// A job: an input, how it is read, and where its shards begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobFile {
    version: u32,
    made_by: String,
    /// What is split.
    pub input: JobInput,
    /// What the caller keeps beside it: how the shards are to be run.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The parts, in the order of the input.
    pub shards: Vec<JobShard>,
}

/// The input of a job, and how its rows are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobInput {
    /// Where it is, from the folder of the job.
    path: PathBuf,
    files: Vec<FileContents>,
    /// The column with the questions, where one was named.
    column: Option<String>,
    header: HeaderMode,
    /// How its rows are read, and which are asked; its id is the field that names them.
    reading: Reading,
    /// What is sent of a row: it decides which rows are asked alike.
    template: String,
    system: Option<String>,
    /// What each model is asked with, as the store has it; absent in jobs of earlier versions.
    #[serde(default)]
    requests: Vec<String>,
    /// Answers to a question, and what they are held against.
    #[serde(default)]
    samples: Option<u32>,
    #[serde(default)]
    checks: Option<Checks>,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
    /// Rows with a question.
    pub questions: u64,
}

impl JobInput {
    /// Returns the first setting by which requests differ from those of the split.
    fn other_request(&self, spec: &JobSpec) -> &'static str {
        let was =
            self.requests.iter().filter_map(|text| RequestSettings::from_canonical_json(text));
        let pairs = was.zip(spec.models.iter().map(|model| &model.request));
        let mut names = pairs.filter_map(|(was, is)| {
            let differs = [
                ("model", was.model != is.model),
                ("max-tokens", was.max_tokens != is.max_tokens),
                ("temperature", was.temperature != is.temperature),
                ("reasoning", was.reasoning != is.reasoning),
                ("reasoning-effort", was.reasoning_effort != is.reasoning_effort),
                ("param", was.params != is.params),
                ("schema", was.schema != is.schema),
            ];
            differs.into_iter().find_map(|(name, differs)| differs.then_some(name))
        });
        names.next().unwrap_or("model")
    }
}

fn requests_of(spec: &JobSpec) -> Vec<String> {
    spec.models.iter().map(|model| model.request.canonical_json()).collect()
}

/// A part of the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobShard {
    /// The numbers of its first and last row with a question.
    pub rows: (u64, u64),
    /// From where it is read; absent at the beginning of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Cursor>,
    /// Items from there that belong to shards before.
    #[serde(default)]
    pub(crate) skip: u64,
    /// Items that belong to it, empty ones included.
    pub(crate) items: u64,
    #[serde(flatten)]
    packed: PackedRows,
}

impl JobInput {
    pub(super) fn new(
        spec: &JobSpec,
        job: &Path,
        files: Vec<FileContents>,
        id: Option<String>,
    ) -> JobInput {
        let request = &spec.model().request;
        JobInput {
            path: seen_from(job, &spec.input),
            files,
            column: spec.column.clone(),
            header: spec.header,
            reading: Reading { id, shard: None, ..spec.reading.clone() },
            template: request.template.clone(),
            requests: requests_of(spec),
            samples: Some(spec.samples),
            checks: Some(spec.checks.clone()),
            system: request.system.clone(),
            empty: 0,
            questions: 0,
        }
    }

    /// Returns xxh3-128 of its bytes; of several files, of their hashes.
    #[must_use]
    pub fn hash(&self) -> String {
        match &self.files[..] {
            [one] => one.hash.clone(),
            files => {
                let all: Vec<&str> = files.iter().map(|file| &*file.hash).collect();
                format!("{:032x}", xxhash_rust::xxh3::xxh3_128(all.join("\n").as_bytes()))
            }
        }
    }
}

impl JobShard {
    pub(super) fn new(
        rows: (u64, u64),
        start: (Option<Cursor>, u64),
        items: u64,
        known: &ShardRows,
    ) -> JobShard {
        JobShard { rows, from: start.0, skip: start.1, items, packed: known.pack() }
    }

    /// Returns how many of its rows have a question.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.packed.questions()
    }
}

impl JobFile {
    pub(super) fn new(
        input: JobInput,
        settings: Map<String, Value>,
        shards: Vec<JobShard>,
    ) -> JobFile {
        let made_by = concat!("dset ", env!("CARGO_PKG_VERSION")).to_owned();
        JobFile { version: VERSION, made_by, input, settings, shards }
    }

    /// Tells whether another one says the same, whatever version of dset made each.
    #[must_use]
    pub fn is_same(&self, other: &JobFile) -> bool {
        JobFile { made_by: other.made_by.clone(), ..self.clone() } == *other
    }

    /// Reads the job of a folder.
    pub fn read(folder: &Path) -> Result<JobFile, JobFileError> {
        let path = folder.join(NAME);
        match fs_err::read(&path) {
            Ok(text) => JobFile::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(JobFileError::Missing { folder: folder.to_owned() })
            }
            Err(error) => Err(JobFileError::Unreadable { path, detail: error.to_string() }),
        }
    }

    /// Reads a job from the text of its file.
    pub fn from_text(text: &str) -> Result<JobFile, JobFileError> {
        JobFile::parse(text.as_bytes(), PathBuf::from(NAME))
    }

    /// Returns the text of its file.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a job is plain values")
    }

    fn parse(text: &[u8], path: PathBuf) -> Result<JobFile, JobFileError> {
        let unreadable = |detail: String| JobFileError::Unreadable { path: path.clone(), detail };
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            made_by: String,
        }
        let head: Head =
            serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        if head.version > VERSION {
            return Err(JobFileError::Newer { path, made_by: head.made_by });
        }
        let job: JobFile =
            serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        match job.shards.is_empty() {
            true => Err(unreadable("it has no shards".to_owned())),
            false => Ok(job),
        }
    }

    /// Writes it into a folder, which is made; one that is there already is left as it is, and must be
    /// the same. Durable when this returns.
    pub fn write(&self, folder: &Path) -> Result<(), JobFileError> {
        let path = folder.join(NAME);
        match JobFile::read(folder) {
            Ok(before) if before.is_same(self) => return Ok(()),
            Err(JobFileError::Missing { .. }) => {}
            Ok(_) | Err(_) => return Err(JobFileError::Exists { folder: folder.to_owned() }),
        }
        fs_err::create_dir_all(folder)
            .and_then(|()| write_new(&path, self.text().as_bytes()))
            .map_err(|error| JobFileError::Write { path, error })
    }

    /// Takes it out of a folder into which it was written just now.
    pub fn take_back(folder: &Path) {
        // What stays is another job for the next one, which says so.
        let _ = fs_err::remove_file(folder.join(NAME));
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn reading(&self) -> &Reading {
        &self.input.reading
    }

    /// Returns how many shards it has.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.shards.len()).unwrap_or(u32::MAX)
    }

    /// Returns a shard by its number, from 0.
    pub fn shard(&self, number: u32) -> Result<&JobShard, JobFileError> {
        let shard = self.shards.get(number as usize);
        shard.ok_or(JobFileError::NoSuchShard { number, shards: self.count() })
    }

    /// Returns the input as seen from here.
    #[must_use]
    pub fn input_path(&self, folder: &Path) -> PathBuf {
        let joined = folder.join(&self.input.path);
        // Without the way out of the folder of the job, where there is another name for it.
        let real = fs_err::canonicalize(&joined).unwrap_or_else(|_| {
            let real = fs_err::canonicalize(folder).or_else(|_| std::path::absolute(folder));
            without_way_out(&real.unwrap_or_else(|_| folder.to_owned()), &self.input.path)
        });
        let here = std::env::current_dir().unwrap_or_default();
        real.strip_prefix(here).map(Path::to_owned).unwrap_or(real)
    }

    /// Returns these settings with the input, its reading and the prompts of the job, whole.
    #[must_use]
    pub fn whole(&self, folder: &Path, spec: JobSpec) -> JobSpec {
        let mut spec = JobSpec {
            input: self.input_path(folder),
            column: self.input.column.clone(),
            header: self.input.header,
            reading: self.input.reading.clone(),
            ..spec
        };
        for model in &mut spec.models {
            model.request.template.clone_from(&self.input.template);
            model.request.system.clone_from(&self.input.system);
        }
        spec
    }

    /// Returns these settings for one shard, in its own folder.
    pub fn part(&self, folder: &Path, number: u32, spec: JobSpec) -> Result<JobSpec, JobFileError> {
        self.shard(number)?;
        let mut spec = self.whole(folder, spec);
        let job = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        spec.reading.shard = Some(Shard { job, number });
        spec.output = shard_folder(folder, number);
        Ok(spec)
    }

    /// Fails where these settings, which the user says, read or ask rows otherwise than the job does.
    pub fn check_settings(&self, spec: &JobSpec) -> Result<(), JobFileError> {
        let (own, said) = (&self.input, &spec.reading);
        let (request, reading) = (&spec.model().request, &self.input.reading);
        let differs = [
            ("column", spec.column != own.column),
            ("header", spec.header != own.header),
            ("template", request.template != own.template),
            ("system", request.system != own.system),
            ("id", said.id.is_some() && said.id != reading.id),
            ("on-bad-row", said.on_bad_row != reading.on_bad_row),
            ("last", said.last != reading.last),
            ("split-on", said.split_on != reading.split_on),
            ("config", said.config != reading.config),
            ("split", said.split != reading.split),
            ("where", said.choice.condition != reading.choice.condition),
            ("offset", said.choice.offset != reading.choice.offset),
            ("sample", said.choice.sample != reading.choice.sample),
            ("samples", own.samples.is_some_and(|samples| samples != spec.samples)),
            ("check", own.checks.as_ref().is_some_and(|checks| *checks != spec.checks)),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((setting, _)) => Err(JobFileError::OtherSetting { setting }),
            None if own.requests.is_empty() || own.requests == requests_of(spec) => Ok(()),
            None => Err(JobFileError::OtherSetting { setting: own.other_request(spec) }),
        }
    }

    /// Fails where an input is not what was split; of one shard, where its own rows or the length of a
    /// file are not.
    pub fn check_input(&self, input: &Path, number: Option<u32>) -> Result<(), SourceError> {
        let paths = files_of(input, &self.input.reading)?;
        let part = match number {
            Some(number) if paths.len() == 1 => self.bytes_of(number)?,
            _ => None,
        };
        match first_difference(&self.input.files, &paths, part.as_ref())? {
            Some(difference) => Err(JobFileError::Changed(difference).into()),
            None => Ok(()),
        }
    }

    /// Returns the bytes of a shard, where it is known which they are.
    fn bytes_of(&self, number: u32) -> Result<Option<std::ops::Range<u64>>, JobFileError> {
        let shard = self.shard(number)?;
        let end = match self.shards.get(number as usize + 1) {
            Some(next) => next.from.as_ref().and_then(Cursor::byte),
            None => self.input.files.first().map(|file| file.bytes),
        };
        let start = match (&shard.from, number) {
            (None, 0) if shard.skip == 0 => Some(0),
            (from, _) => from.as_ref().and_then(Cursor::byte),
        };
        Ok(start.zip(end).map(|(start, end)| start..end))
    }

    pub(crate) fn rows_of(&self, folder: &Path, number: u32) -> Result<ShardRows, JobFileError> {
        let rows = self.shard(number)?.packed.unpack();
        rows.ok_or_else(|| JobFileError::Unreadable {
            path: folder.join(NAME),
            detail: format!("the table of shard {number} is broken"),
        })
    }
}

/// Returns the folder of a shard, from 0.
#[must_use]
pub fn shard_folder(job: &Path, number: u32) -> PathBuf {
    job.join(format!("shard-{number:05}"))
}

/// Returns where a path leads from a folder, which no link leads to.
fn without_way_out(folder: &Path, path: &Path) -> PathBuf {
    let (mut whole, mut parts) = (folder.to_owned(), path.components().peekable());
    while parts.next_if_eq(&std::path::Component::ParentDir).is_some() {
        whole.pop();
    }
    whole.join(parts.collect::<PathBuf>())
}

/// Returns a path as seen from a folder, which may not be there yet; from the root where they have
/// nothing in common.
fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let real = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let parents = absolute.ancestors().find_map(|parent| {
            let real = fs_err::canonicalize(parent).ok()?;
            Some(real.join(absolute.strip_prefix(parent).ok()?))
        });
        parents.unwrap_or(absolute)
    };
    let (folder, path) = (real(folder), real(path));
    let (folders, parts): (Vec<_>, Vec<_>) =
        (folder.components().collect(), path.components().collect());
    let common = folders.iter().zip(&parts).take_while(|(a, b)| a == b).count();
    // Only the root, or nothing.
    if common <= 1 {
        return path;
    }
    let up = (common..folders.len()).map(|_| Path::new("..").to_owned());
    up.chain(std::iter::once(parts[common..].iter().collect())).collect()
}
