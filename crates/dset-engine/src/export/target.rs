//! Where a dataset goes, and the moment in which its files get their names.

use std::io;
use std::path::{Path, PathBuf};

use dset_core::settings::JobSpec;
use fs_err as fs;

use super::container::{self, ContainerKind};
use super::error::ExportError;
use super::folder_swap::{NewFolder, finish_swap, remove_left_folders};
use super::hub::{self, CARD, MANIFEST};
use super::output::{SplitFiles, earlier_shards, stem_and_ending};
use super::pack::Packing;
use super::written::Written;
use super::{ExportRequest, ExportedFile, Shards};
use crate::os::files::{folder_of, put, put_new, remove_left_over, try_to_write, write_new};
use crate::source::would_read;

/// The folder of the files with rows, in a folder for the Hub.
pub(super) const DATA: &str = "data";

/// A file, or a folder for the Hub.
pub(super) struct Target<'a> {
    to: &'a Path,
    kind: &'static ContainerKind,
    packing: Packing,
    is_folder: bool,
    is_numbered: bool,
    force: bool,
    /// The folder of the run's outputs, which keeps the record of datasets.
    outputs: &'a Path,
}

/// Where files are while they have no name.
pub(super) enum Staging {
    Beside(PathBuf),
    Folder(NewFolder, PathBuf),
}

impl Staging {
    /// The folder that files are made in.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Staging::Beside(folder) | Staging::Folder(_, folder) => folder,
        }
    }
}

/// Tells whether a path is meant as a folder: by a slash at its end, because it is one, or because
/// its name has no ending.
fn is_folder(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy();
    // What other programs take for standard output would become a folder of that name.
    if text == "-" {
        return false;
    }
    text.ends_with(std::path::is_separator) || path.is_dir() || path.extension().is_none()
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = fs::canonicalize(one).ok();
    real.is_some() && real == fs::canonicalize(other).ok()
}

/// Tells whether a path is that of the questions, or in the folder of the outputs.
fn is_of_folders(spec: &JobSpec, path: &Path) -> bool {
    is_same(path, &spec.input) || is_same(folder_of(path), &spec.output)
}

/// Tells whether a file is the run's own, or would be: one of its questions, or in the folder of its
/// outputs.
#[must_use]
pub fn is_of_run(spec: &JobSpec, path: &Path) -> bool {
    is_of_folders(spec, path) || would_read(&spec.input, path)
}

impl<'a> Target<'a> {
    /// Fails where nothing can be written there, as far as that is known before.
    pub(super) fn new(
        spec: &'a JobSpec,
        request: &ExportRequest<'a>,
    ) -> Result<Target<'a>, ExportError> {
        let (to, force, outputs) = (request.to, request.force, &*spec.output);
        if is_of_folders(spec, to) || is_same(to, &spec.input.join(DATA)) {
            return Err(ExportError::OfRun(to.to_owned()));
        }
        if let Some(file) = to.ancestors().skip(1).find(|above| above.is_file()) {
            return Err(ExportError::BehindFile(file.to_owned()));
        }
        let is_special =
            |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        if is_special(to) {
            return Err(ExportError::NotAFile(to.to_owned()));
        }
        let is_numbered = request.shards != Shards::One;
        if is_folder(to) {
            let (kind, packing) = (container::of_folders(), Packing::None);
            let target =
                Target { to, kind, packing, is_folder: true, is_numbered: true, force, outputs };
            target.check_folder()?;
            return Ok(target);
        }
        let (kind, packing) = container::of_name(to).ok_or_else(|| {
            let name = to.file_name().unwrap_or_default().to_string_lossy();
            ExportError::UnknownEnding(name.into_owned())
        })?;
        let is_one = !is_numbered && request.splits.is_none();
        let target = Target { to, kind, packing, is_folder: false, is_numbered, force, outputs };
        if let Some(special) = target.paths(request).into_iter().find(|path| is_special(path)) {
            return Err(ExportError::NotAFile(special));
        }
        if let Some(own) = target.paths(request).into_iter().find(|path| is_of_run(spec, path)) {
            return Err(ExportError::OfRun(own));
        }
        if is_one && !target.may_replace(&Written::read(outputs), to) {
            return Err(ExportError::Exists(to.to_owned()));
        }
        Ok(target)
    }

    /// Tells whether a file of this name can be written: there is none, or it is a dataset that nobody
    /// changed, or the user says so.
    fn may_replace(&self, written: &Written, path: &Path) -> bool {
        self.force || fs::symlink_metadata(path).is_err() || written.is_unchanged(path)
    }

    /// Fails unless the folder is not there, empty, or one that dset wrote and may replace.
    fn check_folder(&self) -> Result<(), ExportError> {
        let folder = self.to;
        let failed = ExportError::io(folder);
        let mut entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(&failed)?,
        };
        if entries.next().is_none() {
            return Ok(());
        }
        let foreign = || ExportError::ForeignFolder(folder.to_owned());
        let path = folder.join(MANIFEST);
        let manifest = fs::read_to_string(&path).map_err(|_| foreign())?;
        let ours = hub::files_of(&manifest).ok_or_else(foreign)?;
        let data = fs::read_dir(folder.join(DATA)).into_iter().flatten().flatten();
        let mut names = data.map(|entry| Path::new(DATA).join(entry.file_name()));
        if names.any(|name| !ours.iter().any(|own| Path::new(own) == name)) {
            return Err(foreign());
        }
        let written = Written::read(self.outputs);
        let paths = ours.iter().map(|own| folder.join(own)).chain([path]);
        match paths.into_iter().all(|path| self.may_replace(&written, &path)) {
            true => Ok(()),
            false => Err(ExportError::Exists(folder.to_owned())),
        }
    }

    /// Returns the folder, or the files that may be written; of those with numbers the first.
    pub(super) fn paths(&self, request: &ExportRequest<'_>) -> Vec<PathBuf> {
        if self.is_folder {
            return vec![self.to.to_owned()];
        }
        let name = self.to.file_name().unwrap_or_default().to_string_lossy();
        let (stem, ending) = stem_and_ending(&name, self.kind);
        let number = if self.is_numbered { "-00000-of-00001" } else { "" };
        let path = |split: &str| self.to.with_file_name(format!("{stem}{split}{number}{ending}"));
        match request.splits {
            None => vec![path("")],
            Some(splits) => splits.names().map(|split| path(&format!("-{split}"))).collect(),
        }
    }

    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    pub(super) fn path(&self) -> &Path {
        self.to
    }

    pub(super) fn kind(&self) -> (&'static ContainerKind, Packing) {
        (self.kind, self.packing)
    }

    /// Tries whether files can be made where it goes.
    pub(super) fn try_to_write(&self) -> Result<(), ExportError> {
        let folder = folder_of(self.to);
        fs::create_dir_all(folder)
            .and_then(|()| try_to_write(folder))
            .map_err(ExportError::io(self.to))
    }

    /// Makes the place for files without a name, on the disk on which they stay.
    pub(super) fn stage(&self) -> Result<Staging, ExportError> {
        let failed = ExportError::io(self.to);
        let folder = folder_of(self.to);
        fs::create_dir_all(folder).map_err(&failed)?;
        remove_left_over(folder);
        if !self.is_folder {
            return Ok(Staging::Beside(folder.to_owned()));
        }
        finish_swap(self.to).map_err(&failed)?;
        remove_left_folders(folder);
        let made = NewFolder::make(folder).map_err(&failed)?;
        let data = made.path().join(DATA);
        fs::create_dir(&data).map_err(&failed)?;
        Ok(Staging::Folder(made, data))
    }

    /// Gives the files their names. In a folder `describe` says what stands beside them.
    pub(super) fn commit(
        &self,
        staging: Staging,
        splits: Vec<SplitFiles>,
        describe: impl FnOnce(&[ExportedFile]) -> Result<[String; 2], ExportError>,
    ) -> Result<Vec<ExportedFile>, ExportError> {
        match staging {
            Staging::Beside(folder) => self.commit_files(&folder, splits),
            Staging::Folder(made, data) => self.commit_folder(made, &data, splits, describe),
        }
    }

    fn commit_files(
        &self,
        folder: &Path,
        splits: Vec<SplitFiles>,
    ) -> Result<Vec<ExportedFile>, ExportError> {
        let name = self.to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (stem, ending) = stem_and_ending(&name, self.kind);
        let mut files = Vec::new();
        for split in splits {
            let names: Vec<_> = (0..split.files.len())
                .map(|at| self.to.with_file_name(split.name_of(at, stem, ending, self.is_numbered)))
                .collect();
            let of = split.files.into_iter().zip(names);
            files.extend(of.map(|((file, rows), path)| (file, rows, path, split.name.clone())));
        }
        let paths: Vec<PathBuf> = files.iter().map(|(_, _, path, _)| path.clone()).collect();
        let mut written = Written::read(self.outputs);
        let earlier = earlier_shards(folder, &paths);
        if let Some(path) = earlier.iter().find(|path| !written.is_unchanged(path)) {
            return Err(ExportError::EarlierShard(path.clone()));
        }
        if let Some(path) = paths.iter().find(|path| !self.may_replace(&written, path)) {
            return Err(ExportError::Exists(path.clone()));
        }
        let of_before = written.earlier(self.to, &paths);
        let failed = ExportError::io(self.outputs);
        written.note(self.to, &paths).map_err(failed)?;
        let is_new: Vec<bool> = paths.iter().map(|path| !path.exists()).collect();
        let new = files.iter().map(|(file, _, path, _)| (&**path, file.path()));
        written.record(self.outputs, new).map_err(ExportError::io(self.outputs))?;
        let mut exported = Vec::new();
        for ((file, rows, path, split), is_new) in files.into_iter().zip(is_new) {
            let bytes = file.as_file().metadata().map_err(ExportError::io(&path))?.len();
            let named = if is_new { put_new(file, &path) } else { put(file, &path) };
            named.map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => ExportError::Exists(path.clone()),
                _ => ExportError::io(&path)(error),
            })?;
            exported.push(ExportedFile { path, split, rows, bytes });
        }
        for path in earlier.into_iter().chain(of_before) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(ExportError::io(&path)(error));
                }
                _ => {}
            }
        }
        Ok(exported)
    }

    fn commit_folder(
        &self,
        made: NewFolder,
        data: &Path,
        splits: Vec<SplitFiles>,
        describe: impl FnOnce(&[ExportedFile]) -> Result<[String; 2], ExportError>,
    ) -> Result<Vec<ExportedFile>, ExportError> {
        let failed = ExportError::io(self.to);
        let mut files = Vec::new();
        // Loaders fail on a split without rows.
        for split in splits.into_iter().filter(|split| split.rows() > 0) {
            let ending = format!(".{}", self.kind.ending);
            let names: Vec<_> =
                (0..split.files.len()).map(|at| split.name_of(at, "", &ending, true)).collect();
            for ((file, rows), name) in split.files.into_iter().zip(names) {
                let bytes = file.as_file().metadata().map_err(&failed)?.len();
                put_new(file, &data.join(&name)).map_err(&failed)?;
                let path = Path::new(DATA).join(name);
                files.push(ExportedFile { path, split: split.name.clone(), rows, bytes });
            }
        }
        if files.is_empty() {
            return Err(ExportError::NoRows);
        }
        let [card, manifest] = describe(&files)?;
        write_new(&made.path().join(CARD), card.as_bytes()).map_err(&failed)?;
        write_new(&made.path().join(MANIFEST), manifest.as_bytes()).map_err(&failed)?;
        let names = files.iter().map(|file| &*file.path).chain([Path::new(MANIFEST)]);
        let new: Vec<_> = names.map(|name| (self.to.join(name), made.path().join(name))).collect();
        Written::read(self.outputs)
            .record(self.outputs, new.iter().map(|(name, bytes)| (&**name, &**bytes)))
            .map_err(ExportError::io(self.outputs))?;
        made.swap(self.to).map_err(&failed)?;
        for file in &mut files {
            file.path = self.to.join(&file.path);
        }
        Ok(files)
    }
}
