//! Which file was meant where the one with the questions is not there.

use std::path::{Path, PathBuf};

use dset_engine::os::files::folder_of;
use dset_engine::output::live::LIVE_FORMATS;
use dset_engine::source::SOURCES;

use crate::display::text::{arguments, one_line, quoted, same_command};
use crate::error::UserError;
use crate::spelling::meant;

/// How the names of files begin that lie in many folders and hold none.
const OTHERS: [&str; 4] = ["license", "package", "readme", "requirements"];
/// Commands that take a file of questions as it is.
const TAKE_A_FILE: [&str; 9] =
    ["run", "doctor", "status", "stats", "verify", "export", "view", "report", "check"];
/// Commands that take it by a flag.
const TAKE_IT_BY_FLAG: [&str; 3] = ["show", "search", "redo"];

/// Returns a hint at the file beside `path` that was probably meant: one with a name much like it,
/// or the only one.
pub(crate) fn nearby(path: &Path) -> Option<String> {
    let beside = beside(path);
    let near = meant(&stem(path), beside.iter().map(|file| stem(file)));
    let near = near.and_then(|near| beside.iter().find(|file| stem(file) == near));
    let words = arguments();
    let command = words.first().map(String::as_str).unwrap_or_default();
    let given = words.iter().position(|word| Path::new(word) == path);
    let file = match (near, beside.as_slice()) {
        (Some(near), _) => near,
        // Whoever names a file means no other one.
        (None, [only]) if given.is_some() => {
            let name = one_line(&only.to_string_lossy());
            return Some(format!("Check the name; beside it there is only `{name}`"));
        }
        (None, [only]) => only,
        _ => return None,
    };
    let again = match given {
        Some(given) => {
            let word = |(at, word): (usize, &String)| match at == given {
                true => shown(file),
                false => quoted(word),
            };
            format!("dset {}", words.iter().enumerate().map(word).collect::<Vec<_>>().join(" "))
        }
        None => with_file(command, &shown(file))?,
    };
    Some(format!("Did you mean `{again}`?"))
}

/// Tells whether a command is about what is still to be asked.
fn asks(command: &str) -> bool {
    matches!(command, "run" | "doctor")
}

/// Returns the command that was given with a file of questions, where it takes one.
pub(crate) fn with_file(command: &str, file: &str) -> Option<String> {
    let same = same_command();
    match command {
        _ if TAKE_A_FILE.contains(&command) => Some(format!("{same} {file}")),
        _ if TAKE_IT_BY_FLAG.contains(&command) => Some(format!("{same} --questions {file}")),
        _ => None,
    }
}

/// The error of a file of questions that nobody named, and that is not there.
pub(crate) fn no_default(user: UserError, near: Option<String>) -> UserError {
    let words = arguments();
    let command = words.first().map(String::as_str).unwrap_or("run");
    let is_taken = |command: &str| with_file(command, "FILE").is_some();
    let command = if is_taken(command) { command } else { "run" };
    let user =
        user.cause(format!("`dset {command}` reads questions from `q.csv` when no file is named"));
    if asks(command) {
        return user
            .hint(near.unwrap_or_else(|| {
                "Make one with `dset init`, or name the file with your questions: `dset run FILE`"
                    .into()
            }))
            .hint("`dset demo` works without any file");
    }
    user.hint(near.unwrap_or_else(|| {
        let again = with_file(command, "FILE").unwrap_or_default();
        format!("Name the file whose questions were asked: `{again}`")
    }))
}

/// Returns the command that makes a CSV file of a file, and the one that asks that.
pub(crate) fn import_and_run(path: &Path) -> (String, String) {
    let ending = path.extension().unwrap_or_default();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = format!("{stem}.csv");
    let names = [plain, format!("{stem}-utf8.csv"), format!("{stem}-2.csv")];
    let taken = usize::from(ending.eq_ignore_ascii_case("csv"));
    let mut paths = names[taken..].iter().map(|name| path.with_file_name(name));
    let to = paths.find(|path| !path.exists()).unwrap_or_else(|| "OUT.csv".into());
    let (from, to) = (quoted(&path.to_string_lossy()), quoted(&to.to_string_lossy()));
    let run = if to == "q.csv" { "dset run".to_owned() } else { format!("dset run {to}") };
    (format!("dset import {from} -o {to}"), run)
}

/// Tells whether a path is that of a file of questions: by its name, or because it is there.
pub(crate) fn may_hold_questions(path: &Path) -> bool {
    kind_of(path).is_some() || path.is_file()
}

/// Returns the files in the same folder that may hold questions, those that a run reads first.
fn beside(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && one_line(name) == *name)
        // What dset itself writes: asked, the answers would be bought again.
        .filter(|name| !LIVE_FORMATS.iter().any(|format| format.file == name))
        .filter(|name| !OTHERS.iter().any(|other| name.to_lowercase().starts_with(other)))
        .map(|name| path.with_file_name(name))
        .filter(|file| kind_of(file).is_some())
        .collect();
    files.sort_by_key(|file| (kind_of(file), file.clone()));
    files
}

/// Returns the place in [`SOURCES`] of the form that a file's name says; `None` where it says none.
fn kind_of(path: &Path) -> Option<usize> {
    let ending = ending(path);
    SOURCES.iter().position(|kind| kind.endings.contains(&ending.as_str()))
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
