//! Where the answers to a file of questions are, for whoever names the file and no folder.
//!
//! The folder of the outputs is meant from the working folder. Named from another one, a file would
//! get a second store there, and every answer would be bought again; so the folders beside the file
//! are looked at first. Nothing is made or changed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::QuestionId;
use dset_core::recover::legacy::{LegacyFile, ids, read_csv, read_json};
use dset_core::settings::JobSpec;
use fs_err as fs;

use crate::error::JobError;
use crate::os::files::folder_of;
use crate::output::live::{LiveFormat, has_outputs, legacy};
use crate::source::{self, SourceError, SourceOptions};
use crate::store::{Store, open_readonly};
use crate::view::index::as_it_was_read;

/// Where the answers to a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswersLocation {
    /// In the folder that is meant, or nowhere yet.
    Here,
    /// Beside the file, in a folder of the name that is meant.
    Nearby(PathBuf),
    /// In these folders, and only the user knows which of them is meant.
    Several(Vec<PathBuf>),
}

/// Looks for the answers to the file of these settings, whose folder nobody has named.
#[must_use]
pub fn locate_answers(settings: &JobSpec) -> AnswersLocation {
    let here = &settings.output;
    let real = |path: &Path| path.canonicalize().ok();
    let mut parents = vec![folder_of(&settings.input).to_owned()];
    // Where a link leads to is beside the file, too.
    parents.extend(real(&settings.input).map(|file| folder_of(&file).to_owned()));
    let working = real(Path::new("."));
    let mut seen: HashSet<PathBuf> = real(here).into_iter().collect();
    let mut folders: Vec<(bool, PathBuf)> = Vec::new();
    for parent in parents.iter().filter(|parent| real(parent) != working) {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let named = parent.join(here);
        let others = entries.map(|entry| parent.join(entry.file_name()));
        for folder in std::iter::once(named.clone()).chain(others) {
            if has_record(&folder) && real(&folder).is_some_and(|path| seen.insert(path)) {
                folders.push((folder == named, folder));
            }
        }
    }
    if folders.is_empty() {
        return AnswersLocation::Here;
    }
    // Whoever reads the file next says what is wrong with it.
    let Ok(questions) = questions(settings) else { return AnswersLocation::Here };
    let is_here = has_record(here) && has_any_of(here, &questions);
    folders.retain(|(_, folder)| has_any_of(folder, &questions));
    let named: Vec<PathBuf> =
        folders.iter().filter(|(is_named, _)| *is_named).map(|(_, f)| f.clone()).collect();
    match (is_here, named.as_slice(), folders.is_empty()) {
        (false, [only], _) => AnswersLocation::Nearby(only.clone()),
        (_, [], true) | (true, [], _) => AnswersLocation::Here,
        _ => {
            let all = folders.into_iter().map(|(_, folder)| folder);
            AnswersLocation::Several(std::iter::once(here.clone()).chain(all).collect())
        }
    }
}

/// Tells whether the store of these settings has an answer to one of the questions of their input, read as
/// its last run read its own.
#[must_use]
pub fn has_answers_to(settings: &JobSpec) -> bool {
    let read = |store: &Store| -> Result<bool, JobError> {
        let settings = as_it_was_read(store, settings)?;
        Ok(store.has_record_of(&questions(&settings)?)?)
    };
    open_readonly(&settings.output, read).ok().flatten().unwrap_or(false)
}

fn has_record(folder: &Path) -> bool {
    Store::exists(folder) || has_outputs(folder)
}

/// Returns what every question of the file is known by.
fn questions(settings: &JobSpec) -> Result<HashSet<[u8; 16]>, SourceError> {
    let mut source =
        source::open(&settings.input, &SourceOptions::new(settings, MarksColumn::Unknown))?;
    let (mut seen, mut questions) = (HashMap::new(), HashSet::new());
    while let Some(item) = source.next()? {
        let text = item.text.trim();
        if !text.is_empty() {
            let text_hash = QuestionId::hash_text(text);
            let next: &mut u32 = seen.entry(text_hash).or_default();
            questions.insert(QuestionId { text_hash, ordinal: *next }.hash());
            *next += 1;
        }
    }
    Ok(questions)
}

/// Tells whether a folder has a record of one of these questions. One that cannot be read may have:
/// whoever opens it then says what is wrong.
fn has_any_of(folder: &Path, questions: &HashSet<[u8; 16]>) -> bool {
    match open_readonly(folder, |store| store.has_record_of(questions)) {
        Ok(Some(knows)) => knows,
        Err(_) => true,
        Ok(None) => {
            let bytes = |format: LiveFormat| fs::read(folder.join(format.file)).unwrap_or_default();
            let has = |found: LegacyFile| {
                ids(&found.rows, false).into_iter().any(|id| questions.contains(&id.hash()))
            };
            has(read_json(&bytes(legacy::JSON))) || has(read_csv(&bytes(legacy::CSV)))
        }
    }
}

#[cfg(test)]
mod tests {
    use dset_core::settings::{Layer, resolve};

    use super::*;

    /// A folder with these files of questions, and another with a place for a folder of outputs.
    fn two(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (data, work) = (folder.path().join("data"), folder.path().join("work"));
        [&data, &work].iter().for_each(|folder| fs::create_dir(folder).unwrap());
        for (name, text) in files {
            fs::write(data.join(name), text).unwrap();
        }
        (folder, data, work)
    }

    fn outputs(folder: &Path, questions: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        let line = |question: &&str| {
            format!(
                "{{\"metadata\": {{\"question\": \"{question}\"}}, \"response\": {{\"answer\": \"x\"}}}}\n"
            )
        };
        fs::write(folder.join("output.json"), questions.iter().map(line).collect::<String>())
            .unwrap();
    }

    fn of(input: PathBuf, output: PathBuf) -> AnswersLocation {
        let layer = Layer { input: Some(input), output: Some(output), ..Layer::default() };
        locate_answers(&resolve(layer, None).unwrap().spec)
    }

    #[test]
    fn a_folder_beside_the_file_counts_where_it_has_answers_to_that_file() {
        let file = "question\na\nb\n";
        let (_folder, data, work) = two(&[("q.csv", file), ("other.csv", "question\nc\n")]);
        let name = Path::new("dset_generator");
        let here = |input: &str| of(data.join(input), name.to_owned());
        assert_eq!(here("q.csv"), AnswersLocation::Here, "there is nothing yet");
        outputs(&data.join(name), &["b"]);
        assert_eq!(here("q.csv"), AnswersLocation::Nearby(data.join(name)));
        assert_eq!(here("other.csv"), AnswersLocation::Here, "those are another file's");
        assert_eq!(here("not-there.csv"), AnswersLocation::Here);
        // A link is followed, and so is a path with `..` in it.
        #[cfg(unix)]
        {
            fs::os::unix::fs::symlink(data.join("q.csv"), work.join("link.csv")).unwrap();
            let there = data.canonicalize().unwrap().join(name);
            assert_eq!(of(work.join("link.csv"), name.to_owned()), AnswersLocation::Nearby(there));
        }
        let around = work.join("../data/q.csv");
        let there = work.join("../data").join(name);
        assert_eq!(of(around, name.to_owned()), AnswersLocation::Nearby(there));
    }

    #[test]
    fn where_two_folders_have_answers_to_a_file_both_are_named() {
        let (_folder, data, work) = two(&[("q.csv", "question\na\nb\n")]);
        // The name that is meant from the working folder, which a test cannot change.
        let here = work.join("dset_generator");
        let of = || of(data.join("q.csv"), here.clone());
        outputs(&data.join("mine"), &["a"]);
        let both = AnswersLocation::Several(vec![here.clone(), data.join("mine")]);
        assert_eq!(of(), both, "another name is not meant by itself");
        outputs(&here, &["a", "b"]);
        assert_eq!(
            of(),
            AnswersLocation::Here,
            "nor does it stand in the way of what was begun here"
        );
    }
}
