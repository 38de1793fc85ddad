//! Which file was meant where the one with the questions is not there.

use std::path::{Path, PathBuf};

use dset_engine::files::folder_of;

use crate::display::text::{arguments, one_line, quoted, same_command};
use crate::error::import_and_run;
use crate::setting::meant;

/// How the names of files end that may hold questions, those that a run reads first.
const ENDINGS: [&str; 6] = ["csv", "tsv", "txt", "jsonl", "ndjson", "json"];
/// How the names of files begin that lie in many folders and hold none.
const OTHERS: [&str; 4] = ["license", "package", "readme", "requirements"];
/// Commands that take a file of questions.
const TAKE_A_FILE: [&str; 3] = ["run", "doctor", "status"];

/// Returns a hint at the file beside `path` that was probably meant: one with a name much like it,
/// or the only one.
pub(crate) fn nearby(path: &Path) -> Option<String> {
    let beside = beside(path);
    let near = meant(&stem(path), beside.iter().map(|file| stem(file)));
    let near = near.and_then(|near| beside.iter().find(|file| stem(file) == near));
    let file = match (near, beside.as_slice()) {
        (Some(near), _) => near,
        (None, [only]) => only,
        _ => return None,
    };
    let words = arguments();
    let command = words.first().map(String::as_str).unwrap_or_default();
    if ending(file) != "csv" && command != "import" {
        let (import, run) = match path == Path::new("q.csv") {
            true => (format!("dset import {} -o q.csv", shown(file)), "dset run".to_owned()),
            false => import_and_run(file),
        };
        let name = one_line(&file.to_string_lossy());
        return Some(format!("There is `{name}`: convert it with `{import}`, then run `{run}`"));
    }
    let given = words.iter().position(|word| Path::new(word) == path);
    let again = match given {
        Some(given) => {
            let word = |(at, word): (usize, &String)| match at == given {
                true => shown(file),
                false => quoted(word),
            };
            format!("dset {}", words.iter().enumerate().map(word).collect::<Vec<_>>().join(" "))
        }
        None if TAKE_A_FILE.contains(&command) => format!("{} {}", same_command(), shown(file)),
        None => format!("dset run {}", shown(file)),
    };
    Some(format!("Did you mean `{again}`?"))
}

/// Returns the files in the same folder that may hold questions, those that a run reads first.
fn beside(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && one_line(name) == *name)
        .filter(|name| !OTHERS.iter().any(|other| name.to_lowercase().starts_with(other)))
        .map(|name| path.with_file_name(name))
        .filter(|file| ENDINGS.contains(&ending(file).as_str()))
        .collect();
    files.sort_by_key(|file| (ENDINGS.iter().position(|own| *own == ending(file)), file.clone()));
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn shown(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}
