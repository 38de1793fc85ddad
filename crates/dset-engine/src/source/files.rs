//! Several files as one input: those of a folder, of a pattern, or of a data set.
//!
//! They are read in the order of their names. The number of a row is its number among the rows of all
//! of them, also those that cannot be asked; what is wrong with one names its file and its row there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place};
use dset_core::settings::Reading;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::bad_row::{BadRows, RowProblem};
use super::dataset_card::{self, Rows};
use super::{Cursor, Source, SourceError, SourceKind, SourceOptions, choose, overlooked};
use crate::os::files::{folder_of, real_place};
use crate::output::live::LIVE_FORMATS;
use crate::store::STORE;

/// Several files, one behind the other.
#[derive(Debug)]
pub(super) struct Files {
    /// The folder or the pattern that they are of.
    input: PathBuf,
    paths: Vec<PathBuf>,
    unread: Vec<PathBuf>,
    kind: SourceKind,
    options: SourceOptions,
    shape: Shape,
    /// The place of the open file among them, and the file.
    at: usize,
    open: Box<dyn Source>,
    id_field: Option<String>,
    /// Rows that were read, those included that cannot be asked.
    row: u64,
    /// Items and rows of the files before the open one.
    items: u64,
    before: (u64, u64),
    /// Of the files before the open one.
    bad_rows: BadRows,
}

/// The files of a folder or a pattern.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that are the input, in the order of their names.
    pub(super) read: Vec<PathBuf>,
    /// Those that may hold rows and are not.
    pub(super) unread: Vec<PathBuf>,
}

impl Files {
    /// Opens files as one input. Fails where they are not all of one kind, or one lacks the question.
    pub(super) fn open(
        kinds: &[SourceKind],
        input: &Path,
        Found { read: paths, unread }: Found,
        options: &SourceOptions,
    ) -> Result<Box<dyn Source>, SourceError> {
        let (first, others) = paths.split_first().expect("there is a file");
        let kind = *choose(kinds, first, options);
        for path in others {
            let other = choose(kinds, path, options);
            if other.name != kind.name {
                let (first, second) = (first.clone(), path.clone());
                let names = (kind.name, other.name);
                return Err(SourceError::MixedKinds { first, second, names });
            }
        }
        let open = (kind.open)(first, &partitioned(input, first, options))?;
        let mut shape = Shape { marks: None, ..open.shape().clone() };
        for path in others {
            let other = (kind.open)(path, &partitioned(input, path, options))?;
            let other = other.shape();
            for name in &other.fields {
                if !shape.fields.contains(name) {
                    shape.fields.push(name.clone());
                }
            }
            let question = &shape.fields[shape.question];
            if other.fields.get(other.question) != Some(question) {
                let (path, column) = (path.clone(), question.clone());
                return Err(SourceError::NoSuchColumn {
                    path,
                    column,
                    found: other.fields.clone(),
                });
            }
        }
        Ok(Box::new(Files {
            input: input.to_owned(),
            paths,
            unread,
            kind,
            options: options.clone(),
            shape,
            at: 0,
            open,
            id_field: None,
            row: 0,
            items: 0,
            before: (0, 0),
            bad_rows: BadRows::default(),
        }))
    }

    fn open_at(&mut self, at: usize) -> Result<(), SourceError> {
        self.at = at;
        let path = &self.paths[at];
        self.open = (self.kind.open)(path, &partitioned(&self.input, path, &self.options))?;
        if let Some(field) = &self.id_field {
            self.open.take_ids_from(field);
        }
        Ok(())
    }
}

impl Source for Files {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        (self.items, self.row, self.before) = (0, 0, (0, 0));
        self.bad_rows = BadRows::default();
        self.open_at(0)
    }

    fn cursor(&self) -> Option<Cursor> {
        let (items, rows) = self.before;
        Some(Cursor::File { number: self.at as u64, items, rows: Some(rows) })
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let Cursor::File { number, items, rows } = *to else { return self.rewind() };
        let row = rows.unwrap_or(items);
        (self.items, self.row, self.before) = (items, row, (items, row));
        self.bad_rows = BadRows::default();
        self.open_at((number as usize).min(self.paths.len() - 1))
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        loop {
            let skipped = self.open.skipped();
            let more = self.open.advance()?;
            self.row += self.open.skipped() - skipped;
            if more {
                (self.items, self.row) = (self.items + 1, self.row + 1);
                return Ok(true);
            }
            if self.at + 1 == self.paths.len() {
                return Ok(false);
            }
            self.bad_rows.extend(&self.paths[self.at], self.open.bad_rows());
            self.before = (self.items, self.row);
            self.open_at(self.at + 1)?;
        }
    }

    fn current(&self) -> Item<'_> {
        Item { place: Place::Row(self.row), ..self.open.current() }
    }

    fn position(&self) -> Place {
        Place::Row(self.row)
    }

    fn take_ids_from(&mut self, field: &str) {
        self.id_field = Some(field.to_owned());
        self.open.take_ids_from(field);
    }

    fn skip_bad_row(&mut self, problem: RowProblem) -> Result<(), SourceError> {
        self.open.skip_bad_row(problem)
    }

    fn unread(&self) -> &[PathBuf] {
        &self.unread
    }

    fn skipped(&self) -> u64 {
        self.bad_rows.count + self.open.skipped()
    }

    fn bad_rows(&self) -> BadRows {
        let mut all = self.bad_rows.clone();
        all.extend(&self.paths[self.at], self.open.bad_rows());
        all
    }
}

/// Returns how a file is read whose folders, below the input, say a field of all its rows: `year=2024`, as
/// Spark, DuckDB and others write partitions.
fn partitioned(input: &Path, path: &Path, options: &SourceOptions) -> SourceOptions {
    let below = path.strip_prefix(input).unwrap_or(path).parent().unwrap_or(Path::new(""));
    let field = |part: std::path::Component<'_>| {
        let (name, value) = part.as_os_str().to_str()?.split_once('=')?;
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let value = match value {
            "__HIVE_DEFAULT_PARTITION__" | "__HIVE_NULL_PARTITION__" => Value::Null,
            value => decoded(value).into(),
        };
        (!name.is_empty()).then(|| (decoded(name), value))
    };
    SourceOptions { partition: below.components().filter_map(field).collect(), ..options.clone() }
}

/// Returns the files that are meant by a path, where it is no single one: of a folder, of the data set
/// whose card lies there, or of a pattern; in the order of their names. What a run writes to `outputs` is none of
/// its input, or it would be asked again with every run; a pattern takes no output of other runs unless it says so.
pub(super) fn of(
    kinds: &[SourceKind],
    path: &Path,
    reading: &Reading,
    outputs: Option<&Path>,
) -> Result<Option<Found>, SourceError> {
    if let Some(folder) = saved_set(path).filter(|_| path.is_file()) {
        return Err(SourceError::SavedToDisk { path: folder });
    }
    let own = OwnOutputs::of(outputs);
    let overlooked;
    let (mut paths, others) = if path.is_dir() {
        let is_deep = near(kinds, path, &own).is_empty();
        let others = beside(kinds, path, is_deep, &own);
        overlooked = overlooked::in_folder(path, is_deep, |file| {
            is_of_rows(kinds, file) || is_other_data(file)
        });
        let rows = match own.are_in(path) && dataset_card::is_of_run(path) {
            true => Rows::Folder(path.to_owned()),
            false => dataset_card::rows(kinds, path, reading, &own)?,
        };
        match rows {
            Rows::Files(paths) => (paths, others),
            Rows::Folder(within) => {
                (of_split(&within, in_folder(kinds, &within, &own), &others, reading)?, others)
            }
        }
    } else if !path.exists() && is_pattern(path) {
        overlooked = overlooked::of_pattern(path);
        let mut found = matching(path);
        found.retain(|file| !own.have(file));
        let is_meant = names_outputs(path);
        found.into_iter().partition(|file| is_meant || !is_output(file))
    } else {
        return Ok(None);
    };
    if let Some(folder) = paths.iter().find_map(|path| saved_set(path)) {
        return Err(SourceError::SavedToDisk { path: folder });
    }
    // Spark writes parts without a byte where there is nothing to write.
    let is_blank =
        |path: &PathBuf| is_part(path) && fs_err::metadata(path).is_ok_and(|file| file.len() == 0);
    if !paths.iter().all(is_blank) {
        paths.retain(|path| !is_blank(path));
    }
    if !paths.is_empty() {
        let is_unread = |other: &PathBuf| !paths.contains(other) && !is_blank(other);
        // A pattern may mean some of the parts.
        let missing = if path.is_dir() { overlooked::missing_parts(&paths) } else { Vec::new() };
        let unread = others.into_iter().filter(is_unread);
        let mut unread: Vec<PathBuf> = unread.chain(overlooked).chain(missing).collect();
        unread.sort();
        return Ok(Some(Found { read: paths, unread }));
    }
    let mut saved = glob_in(path, "*").into_iter().chain(glob_in(path, "**/*"));
    match saved.find_map(|file| saved_set(&file)) {
        Some(path) => Err(SourceError::SavedToDisk { path }),
        None => Err(match overlooked.into_iter().next() {
            Some(path) => SourceError::NoPermission { path },
            None => SourceError::NoFiles { path: path.to_owned() },
        }),
    }
}

/// What the run itself writes.
#[derive(Debug, Default)]
pub(super) struct OwnOutputs {
    /// The folder, where it is there.
    folder: Option<PathBuf>,
}

impl OwnOutputs {
    fn of(folder: Option<&Path>) -> OwnOutputs {
        OwnOutputs { folder: folder.and_then(|folder| fs_err::canonicalize(folder).ok()) }
    }

    fn are_in(&self, folder: &Path) -> bool {
        self.folder.is_some() && fs_err::canonicalize(folder).ok() == self.folder
    }

    fn have(&self, file: &Path) -> bool {
        is_written_by_run(file) && self.are_in(folder_of(file))
    }
}

/// Tells whether a file has the name of one that a run writes.
fn is_written_by_run(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == STORE || LIVE_FORMATS.iter().any(|format| name == format.file)
}

/// Tells whether a file is an output of a run, whose store lies beside it.
fn is_output(path: &Path) -> bool {
    is_written_by_run(path) && path.with_file_name(STORE).is_file()
}

/// Tells whether a pattern is one of outputs: `runs/*/output.jsonl`.
fn names_outputs(pattern: &Path) -> bool {
    pattern.file_name().is_some_and(|name| name.to_string_lossy().starts_with("output"))
}

/// Returns the folder of a data set that `save_to_disk` wrote, where a file is one of its files that tell
/// of it: the rows are in Arrow files.
fn saved_set(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = folder_of(path);
    let is_saved = match name {
        "state.json" => folder.join("dataset_info.json").is_file(),
        "dataset_info.json" => folder.join("state.json").is_file(),
        "dataset_dict.json" => true,
        _ => false,
    };
    is_saved.then(|| folder.to_owned())
}

fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-"))
}

/// Tells whether a file would be read with an input of several files, were it there.
pub(crate) fn would_read(kinds: &[SourceKind], input: &Path, path: &Path) -> bool {
    let real = |path: &Path| fs_err::canonicalize(path).ok();
    let folder = real(folder_of(path));
    if input.is_dir() {
        let folders = [real(input), real(&input.join("data"))];
        let is_near = folder.is_some() && folders.contains(&folder);
        let has_near = || {
            let found = in_folder(kinds, input, &OwnOutputs::default());
            found.iter().any(|file| folders.contains(&real(folder_of(file))))
        };
        let is_within =
            || folder.as_ref().zip(folders[0].as_ref()).is_some_and(|(a, b)| a.starts_with(b));
        return is_of_rows(kinds, path) && (is_near || is_within() && !has_near());
    }
    if input.exists() || !is_pattern(input) {
        return false;
    }
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let pattern = glob::Pattern::new(&real_place(input).to_string_lossy());
    pattern.is_ok_and(|pattern| pattern.matches_path_with(&real_place(path), options))
}

/// Tells whether there is a file, a folder, or anything that a pattern matches.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists() || is_pattern(path) && !matching(path).is_empty()
}

pub(super) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Returns the files that a pattern matches, and links that lead to none, which whoever opens them finds missing;
/// one that is broken matches nothing.
pub(super) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let found = glob::glob(&pattern.to_string_lossy());
    let is_dead_link = |path: &Path| path.is_symlink() && !path.exists() && !is_hidden(path);
    let found = found.into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = found.filter(|p| p.is_file() || is_dead_link(p)).collect();
    found.sort();
    found
}

/// Returns the files of a folder itself and of its `data` that may hold rows.
fn near(kinds: &[SourceKind], folder: &Path, own: &OwnOutputs) -> Vec<PathBuf> {
    let near = glob_in(folder, "*").into_iter().chain(glob_in(folder, "data/*"));
    near.filter(|path| is_of_rows(kinds, path) && !own.have(path)).collect()
}

/// Returns the files of a folder that may hold rows: of the folder itself and of its `data`; where these
/// have none, of all folders within it, but for hidden ones and those of runs.
pub(super) fn in_folder(kinds: &[SourceKind], folder: &Path, own: &OwnOutputs) -> Vec<PathBuf> {
    let near = near(kinds, folder, own);
    let mut found = match near.is_empty() {
        false => near,
        true => {
            let mut deeper = glob_in(folder, "**/*");
            let is_others = |path: &Path| is_of_run(folder, path) || own.have(path);
            deeper.retain(|path| is_of_rows(kinds, path) && !is_others(path));
            deeper
        }
    };
    found.sort();
    found
}

/// Returns the files of a folder that may hold rows, and those with data that is not read: of the folder and of
/// those in it; where these have no rows (`is_deep`), of all folders within it.
fn beside(kinds: &[SourceKind], folder: &Path, is_deep: bool, own: &OwnOutputs) -> Vec<PathBuf> {
    let patterns = if is_deep { &["**/*"][..] } else { &["*", "*/*"] };
    let found = patterns.iter().flat_map(|pattern| glob_in(folder, pattern));
    let mut found: Vec<PathBuf> = found
        .filter(|path| is_of_rows(kinds, path) || is_other_data(path))
        .filter(|path| !is_of_run(folder, path) && !own.have(path))
        .collect();
    found.sort();
    found
}

/// Returns the files that a pattern matches within a folder.
fn glob_in(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    matching(&Path::new(&folder).join(pattern))
}

/// Tells whether a file or folder is hidden by its name.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Tells whether a file lies in a hidden folder, or in one that a run writes.
fn is_of_run(within: &Path, path: &Path) -> bool {
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != within);
    folders.into_iter().any(|folder| is_hidden(folder) || folder.join(STORE).exists())
}

/// How files with data end that are not read.
const OTHER_DATA: [&str; 27] = [
    "arrow", "feather", "ipc", "orc", "avro", "xz", "bz2", "lz4", "zip", "tar", "tgz", "7z", "rar",
    "br", "xlsx", "xls", "ods", "pkl", "pickle", "npy", "npz", "h5", "hdf5", "tfrecord", "msgpack",
    "sqlite", "db",
];

fn is_other_data(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    // Without what says that it is packed.
    let is_packed = || super::packing::ENDINGS.iter().any(|packed| ending == Some(packed));
    let is_data = ending.is_some_and(|ending| OTHER_DATA.contains(&ending)) || is_packed();
    is_data && !is_hidden(path) && !ABOUT.contains(&&*name)
}

/// Files that stand beside the rows of a data set and tell of it.
const ABOUT: [&str; 7] = [
    "dset.json",
    "requirements.txt",
    "license.txt",
    "readme.txt",
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
];

/// Tells whether a file's name says that it holds rows, and is not hidden.
fn is_of_rows(kinds: &[SourceKind], path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_named = super::ending_of(path)
        .is_some_and(|ending| kinds.iter().any(|kind| kind.endings.contains(&ending.as_str())));
    let is_about = || ABOUT.contains(&&*name) || name == "state.json" && saved_set(path).is_some();
    is_named && !is_hidden(path) && !is_about()
}

/// The splits that names of files begin with, as the Hub's loader knows them.
const SPLITS: [&str; 7] = ["train", "training", "validation", "valid", "dev", "test", "eval"];

/// Returns the files of one split, where names tell of splits: of the one that was named, else of
/// `train`. Fails where one of `others` is of that split, too, and is of a form that is not read.
fn of_split(
    folder: &Path,
    paths: Vec<PathBuf>,
    others: &[PathBuf],
    reading: &Reading,
) -> Result<Vec<PathBuf>, SourceError> {
    // The name of the file, or that of a folder that it lies in.
    let split = |path: &Path| -> Option<String> {
        path.ancestors().take_while(|part| *part != folder).find_map(|part| {
            let name = part.file_name()?.to_string_lossy().to_lowercase();
            let first = name.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
            SPLITS.contains(&first).then(|| first.to_owned())
        })
    };
    if paths.is_empty() {
        return Ok(paths);
    }
    let splits: BTreeSet<String> = paths.iter().filter_map(|path| split(path)).collect();
    if splits.is_empty() && reading.split.is_none() {
        return Ok(paths);
    }
    let wanted = reading.split.clone().unwrap_or_else(|| "train".to_owned());
    if !splits.contains(&wanted) {
        return Err(SourceError::WhichPart {
            path: folder.to_owned(),
            what: "splits",
            given: reading.split.clone(),
            found: splits.into_iter().collect(),
        });
    }
    let is_wanted = |path: &PathBuf| split(path).as_ref() == Some(&wanted);
    match others.iter().find(|path| is_other_data(path) && is_wanted(path)) {
        Some(path) => Err(SourceError::UnreadPart { path: path.clone() }),
        None => Ok(paths.into_iter().filter(is_wanted).collect()),
    }
}
