//! The input of a job on the server: its files, and what of these is read.

use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::connection::Server;
use crate::os::files;
use crate::shard::JobFile;
use crate::source::{below, files_of, is_there, partition_of, split_pattern};
use crate::store::server_fault::ServerFault;

/// Bytes of an input that are one row.
const PART_BYTES: usize = 1 << 20;
/// What says which files of a folder are meant, and is read with them.
const CARD: &str = "README.md";

/// An input as it lies in a folder of its own, wherever that is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Its files, each with its name in that folder.
    files: Vec<(PathBuf, String)>,
    /// What is read there: one of them, a pattern, or, where this is empty, the folder.
    pub(super) read: String,
}

impl Layout {
    /// Finds where the files of a job are to lie so that they are read as they were split. Fails where that cannot be.
    pub(super) fn of(job: &JobFile, folder: &Path) -> Result<Layout, ServerFault> {
        let input = job.input_path(folder);
        let paths = files_of(&input, job.reading())?;
        let (base, read) = match () {
            () if input.is_dir() => (input.clone(), PathBuf::new()),
            () if input.exists() => (files::folder_of(&input).to_owned(), base_name(&input)),
            () => split_pattern(&input),
        };
        let mut named = Vec::new();
        for path in paths {
            let name = name_below(&base, &path).ok_or_else(|| not_as_split(&path))?;
            named.push((path, name));
        }
        // The card says which of the files are meant.
        let card = input.join(CARD);
        if input.is_dir() && card.is_file() && named.iter().all(|(_, name)| name != CARD) {
            named.push((card, CARD.to_owned()));
        }
        let read = read.to_str().ok_or_else(|| not_as_split(&input))?.replace('\\', "/");
        let layout = Layout { files: named, read };
        layout.check(job, &input)?;
        Ok(layout)
    }

    /// Fails where whoever brings the files reads others than were split, in another order, or with other fields that
    /// their folders say.
    fn check(&self, job: &JobFile, input: &Path) -> Result<(), ServerFault> {
        let place = tempfile::tempdir()?;
        for (path, name) in &self.files {
            let there = place.path().join(name);
            fs_err::create_dir_all(files::folder_of(&there))?;
            match fs_err::metadata(path)?.len() {
                _ if name == CARD => drop(fs_err::copy(path, there)?),
                // What counts is that there is something.
                bytes => fs_err::write(there, &b"-"[..usize::from(bytes > 0)])?,
            }
        }
        let read = files_of(&below(place.path(), Path::new(&self.read)), job.reading())?;
        let mut meant = self.files.iter().filter(|(path, _)| *path != input.join(CARD));
        for path in read {
            let within = path.strip_prefix(place.path()).unwrap_or(&path);
            let fields = partition_of(Path::new(&self.read), within);
            match meant.next() {
                Some((was, name))
                    if Path::new(name) == within && partition_of(input, was) == fields => {}
                _ => return Err(not_as_split(within)),
            }
        }
        meant.next().map_or(Ok(()), |(path, _)| Err(not_as_split(path)))
    }
}

fn not_as_split(path: &Path) -> ServerFault {
    ServerFault::Layout { path: path.to_owned() }
}

fn base_name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

/// Returns the name of a file within a folder, with `/`.
fn name_below(folder: &Path, path: &Path) -> Option<String> {
    let plain = |path: &Path| -> PathBuf {
        path.components().filter(|part| *part != Component::CurDir).collect()
    };
    let path = plain(path);
    let within = path.strip_prefix(plain(folder)).ok()?;
    is_within(within).then(|| within.to_str().map(|name| name.replace('\\', "/")))?
}

/// Tells whether a path leads nowhere but into the folder that it is joined to.
fn is_within(path: &Path) -> bool {
    let mut parts = path.components();
    parts.clone().next().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Where the input of a job was found, as it was then.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    stamps: Vec<Stamp>,
}

/// A file, its length, and when it was written last.
type Stamp = (PathBuf, u64, Option<SystemTime>);

impl Found {
    pub(super) fn new(job: &JobFile, path: PathBuf) -> Found {
        Found { stamps: stamps(job, &path), path }
    }

    /// Tells whether nothing was written to it since, as far as that is seen without reading it.
    pub(super) fn is_untouched(&self, job: &JobFile) -> bool {
        !self.stamps.is_empty() && self.stamps == stamps(job, &self.path)
    }
}

fn stamps(job: &JobFile, input: &Path) -> Vec<Stamp> {
    let files = files_of(input, job.reading()).unwrap_or_default();
    let stamp = |path: PathBuf| {
        let about = fs_err::metadata(&path).ok()?;
        Some((path, about.len(), about.modified().ok()))
    };
    files.into_iter().filter_map(stamp).collect()
}

/// Puts the files there, in the transaction that is open.
pub(super) fn put(server: &mut Server, layout: &Layout) -> Result<(), ServerFault> {
    for (number, (path, name)) in (0..).zip(&layout.files) {
        let sql = "INSERT INTO input_file (number, path) VALUES ($1, $2)";
        server.part(async |to| to.query(sql, &[&number, name]).await)?;
        put_file(server, number, path)?;
    }
    Ok(())
}

fn put_file(server: &mut Server, number: i32, path: &Path) -> Result<(), ServerFault> {
    let mut file = fs_err::File::open(path)?;
    for part in 0.. {
        let mut bytes = Vec::new();
        (&mut file).take(PART_BYTES as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        let packed = zstd::bulk::compress(&bytes, 3)?;
        let sql = "INSERT INTO input_part (file, part, bytes) VALUES ($1, $2, $3)";
        server.part(async |to| to.query(sql, &[&number, &part, &packed]).await)?;
    }
    Ok(())
}

/// Returns the input of a job: where `job.json` says it is, else in `folder`, into which it is brought. It is
/// what was split.
pub(super) fn get(
    server: &mut Server,
    job: &JobFile,
    folder: &Path,
) -> Result<PathBuf, ServerFault> {
    let said = job.input_path(folder);
    if is_there(&said) && job.check_input(&said, None).is_ok() {
        return Ok(said);
    }
    let rows = server.part(async |to| {
        to.query("SELECT number, path FROM input_file ORDER BY number", &[]).await
    })?;
    // Who may only read finds a job of before without this column.
    let sql = "SELECT to_jsonb(job) ->> 'input' FROM job";
    let read = server.part(async |to| to.query(sql, &[]).await)?;
    let read = read.first().and_then(|row| row.get::<_, Option<String>>(0));
    let own = folder.join("input");
    let mut files = Vec::new();
    for row in rows {
        let (number, name): (i32, String) = (row.get(0), row.get(1));
        if !is_within(Path::new(&name)) {
            return Err(ServerFault::Damaged(format!("a file of the input is called `{name}`")));
        }
        files.push((number, own.join(name)));
    }
    let input = match (read, &files[..]) {
        (_, []) => return Err(ServerFault::Damaged("it has no input".to_owned())),
        (Some(read), _) if read.is_empty() || is_within(Path::new(&read)) => {
            below(&own, Path::new(&read))
        }
        (Some(read), _) => {
            return Err(ServerFault::Damaged(format!("its input is called `{read}`")));
        }
        (None, [(_, one)]) => one.clone(),
        (None, _) => own,
    };
    for (number, path) in files.iter().filter(|(_, path)| !path.exists()) {
        get_file(server, *number, path)?;
    }
    if job.check_input(&input, None).is_err() {
        // What was brought earlier was changed here.
        for (number, path) in &files {
            get_file(server, *number, path)?;
        }
        job.check_input(&input, None)?;
    }
    Ok(input)
}

fn get_file(server: &mut Server, number: i32, path: &Path) -> Result<(), ServerFault> {
    let folder = files::folder_of(path);
    fs_err::create_dir_all(folder)?;
    let mut file = files::temporary_in(folder)?;
    for part in 0.. {
        let sql = "SELECT bytes FROM input_part WHERE file = $1 AND part = $2";
        let rows = server.part(async |to| to.query(sql, &[&number, &part]).await)?;
        let Some(row) = rows.first() else { break };
        file.write_all(&zstd::bulk::decompress(row.get(0), PART_BYTES)?)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(files::sync_folder(folder)?)
}

#[cfg(test)]
mod tests {
    use dset_core::settings::{Layer, Resolved, resolve};

    use super::*;
    use crate::shard::split;

    fn layout(place: &Path, input: &str) -> Result<Layout, ServerFault> {
        let layer = Layer { input: Some(place.join(input)), ..Layer::default() };
        let Resolved { spec, .. } = resolve(layer, None).unwrap();
        let folder = tempfile::tempdir_in(place).unwrap();
        let job = split(spec, 1, folder.path(), serde_json::Map::new()).unwrap().job;
        Layout::of(&job, folder.path())
    }

    #[test]
    fn files_of_a_pattern_keep_their_folders_their_order_and_what_these_say() {
        let place = tempfile::tempdir().unwrap();
        let files = ["p/year=2020/q.csv", "p/year=2021/q.csv", "p/a/z.csv", "p/b/y.csv"];
        for name in files {
            fs_err::create_dir_all(place.path().join(name).parent().unwrap()).unwrap();
            fs_err::write(place.path().join(name), "question\na\nb\n").unwrap();
        }
        let all = ["a/z.csv", "b/y.csv", "year=2020/q.csv", "year=2021/q.csv"];
        for (input, read, names) in [
            ("p/year=*/q.csv", "year=*/q.csv", &all[2..]),
            ("p/year=2020/*.csv", "year=2020/*.csv", &all[2..3]),
            ("p/*/*.csv", "*/*.csv", &all),
            ("p/[ab]/*.csv", "[ab]/*.csv", &all[..2]),
            ("p/a/z.csv", "z.csv", &["z.csv"]),
            ("p/year=2020/q.csv", "q.csv", &["q.csv"]),
            ("p", "", &all),
            ("p/a", "", &["z.csv"]),
        ] {
            let layout = layout(place.path(), input).unwrap();
            let found: Vec<&str> = layout.files.iter().map(|(_, name)| &**name).collect();
            assert_eq!((&*layout.read, &*found), (read, names), "{input}");
        }
        let fault = layout(place.path(), "p/*/../b/*.csv").unwrap_err();
        assert!(matches!(fault, ServerFault::Layout { .. }), "{fault}");
    }

    #[test]
    fn what_would_be_read_in_another_order_or_with_other_fields_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("year=2020");
        fs_err::create_dir_all(&folder).unwrap();
        for name in ["a.csv", "b.csv"] {
            fs_err::write(folder.join(name), "question\na\nb\n").unwrap();
        }
        let layer = Layer { input: Some(folder.join("*.csv")), ..Layer::default() };
        let Resolved { spec, .. } = resolve(layer, None).unwrap();
        let input = spec.input.clone();
        let job = split(spec, 1, &place.path().join("job"), serde_json::Map::new()).unwrap().job;
        let named = |names: [&str; 2]| {
            let files = ["a.csv", "b.csv"].map(|name| folder.join(name)).into_iter();
            files.zip(names.map(str::to_owned)).collect()
        };
        for (names, read, is_same) in [
            (["year=2020/a.csv", "year=2020/b.csv"], "year=2020/*.csv", true),
            (["year=2020/b.csv", "year=2020/a.csv"], "year=2020/*.csv", false),
            (["a.csv", "b.csv"], "*.csv", false),
            (["year=2020/a.csv", "b.csv"], "year=2020/*.csv", false),
        ] {
            let layout = Layout { files: named(names), read: read.to_owned() };
            assert_eq!(layout.check(&job, &input).is_ok(), is_same, "{names:?}");
        }
    }
}
