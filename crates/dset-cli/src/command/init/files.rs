//! The files of a folder: each is made where it is missing, and kept where it is there.

use std::io;
use std::path::{Path, PathBuf};

use dset_engine::os::files::{folder_of, write_new, write_whole};
use dset_engine::source::SOURCES;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::config_file::PROJECT;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;

const SAMPLES: [&str; 3] = [
    "Why is the sky blue at noon and red at sunset?",
    "What is 17 times 23?",
    "How does a seed know which way is up, and which is down?",
];

/// Endings of files that no text can be written into.
const NO_TEXT: [&str; 11] =
    ["parquet", "gz", "zst", "bz2", "xz", "zip", "xlsx", "xls", "ods", "pdf", "docx"];

pub(super) const SAMPLED: &str = "3 sample questions";

/// What became of a file, and a word on it.
#[derive(Debug, PartialEq)]
pub(super) enum Wrote {
    Made(String),
    Kept(String),
}

/// Returns the sample questions in the form that the ending of a file says; nothing where that holds no text.
fn samples(path: &Path) -> Option<String> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let kind = SOURCES.iter().find(|kind| kind.endings.contains(&&*ending));
    let object = |question: &str| json!({ "question": question }).to_string();
    Some(match kind.map_or("csv", |kind| kind.name) {
        _ if NO_TEXT.contains(&&*ending) => return None,
        "jsonl" => SAMPLES.map(|sample| object(sample) + "\n").concat(),
        "json" => format!("[\n  {}\n]\n", SAMPLES.map(object).join(",\n  ")),
        "text" => SAMPLES.map(|sample| format!("{sample}\n")).concat(),
        "tsv" => {
            let rows = SAMPLES.map(|sample| format!("{sample}\t\n"));
            format!("question\tstatus\n{}", rows.concat())
        }
        _ => {
            let cell = |sample: &str| match sample.contains(',') {
                true => format!("\"{sample}\""),
                false => sample.to_owned(),
            };
            let rows = SAMPLES.map(|sample| format!("{},\n", cell(sample)));
            format!("question,status\n{}", rows.concat())
        }
    })
}

/// Makes sample questions.
pub(super) fn questions(path: &Path) -> Result<Wrote, UserError> {
    let Some(samples) = samples(path).or_else(|| path.exists().then(String::new)) else {
        let shown = one_line(&path.display().to_string());
        return Err(UserError::new(Exit::Usage, format!("there is no `{shown}`"))
            .cause("sample questions are text, and cannot be written into such a file")
            .hint(
                "Name one that ends with .csv, .tsv, .jsonl, .json or .txt, or one that is there",
            ));
    };
    let make = || {
        fs_err::create_dir_all(folder_of(path))?;
        made(path, &samples)
    };
    Ok(match make().map_err(|error| cannot(path, &error))? {
        true => Wrote::Made(SAMPLED.into()),
        false => Wrote::Kept("kept as it is".into()),
    })
}

/// Makes settings that say these two alone.
pub(super) fn settings(
    folder: &Path,
    input: Option<&str>,
    model: Option<&str>,
) -> Result<Wrote, UserError> {
    let line = |name: &str, value: Option<&str>, default: &str| match value {
        Some(value) => format!("{name} = {}\n", toml_edit::Value::from(value)),
        None => format!("# {name} = \"{default}\"\n"),
    };
    let text = format!(
        "# Settings of this folder. A line without # says something; flags outrank it.\n\
         # `dset config show --origin` tells what holds, `dset config reference` what else there is.\n\n\
         {}{}\
         # system = \"Answer in one sentence.\"\n\
         # template = \"{{{{ question }}}}\"   # any column: {{{{ topic }}}}\n\
         # concurrency = 32                # found by itself where nobody says\n",
        line("input", input, "q.csv"),
        line("model", model, "deepseek-flash"),
    );
    let path = path_in(folder, PROJECT);
    Ok(match made(&path, &text).map_err(|error| cannot(&path, &error))? {
        true if model.is_some() => Wrote::Made("settings: the model".into()),
        true => Wrote::Made("settings, all of them comments".into()),
        false => Wrote::Kept("kept as it is".into()),
    })
}

/// Puts a key into `.env`, behind what is there, and shuts that to others.
pub(super) fn dot_env(
    folder: &Path,
    variable: &str,
    key: &SecretString,
    has_one: bool,
) -> Result<Wrote, UserError> {
    if has_one {
        return Ok(Wrote::Kept(format!("kept as it is: it has {variable}")));
    }
    let path = path_in(folder, ".env");
    let key = key.expose_secret();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+=:@%,~".contains(c);
    let written = match key.chars().all(plain) {
        true => key.to_owned(),
        false if !key.contains('\'') => format!("'{key}'"),
        false => {
            return Err(UserError::new(Exit::Usage, "this key cannot be written into .env")
                .cause("there is a quote in it")
                .hint("Keep it for all folders with `dset keys set`"));
        }
    };
    if is_link(&path) {
        return Err(UserError::new(Exit::Usage, "`.env` is a link to another file")
            .cause("the key would be in that file, which git may take and others may read")
            .hint("Put the key there yourself, or keep it for all folders with `dset keys set`"));
    }
    let write = || {
        let before = match fs_err::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let is_new = before.is_none();
        let mut bytes = before.unwrap_or_default();
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(format!("{variable}={written}\n").as_bytes());
        write_whole(&path, &bytes).map(|()| is_new)
    };
    Ok(match write().map_err(|error| cannot(&path, &error))? {
        true => Wrote::Made("the key; only you can read it".into()),
        false => Wrote::Made("the key was added; only you can read it".into()),
    })
}

/// Puts `.env` into `.gitignore`, where there is one or a repository around the folder; `None`
/// where there is nothing to be done.
pub(super) fn ignore(folder: &Path) -> Result<Option<Wrote>, UserError> {
    let path = path_in(folder, ".gitignore");
    if crate::git::ignores_dot_env(folder) || !path.exists() && !crate::git::is_within(folder) {
        return Ok(None);
    }
    if is_link(&path) {
        return Err(UserError::new(
            Exit::Usage,
            "`.gitignore` is a link, which git does not follow",
        )
        .hint("Make it a file, so that it can keep .env out of the repository"));
    }
    let write = || {
        let mut text = match fs_err::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return made(&path, ".env\n").map(drop);
            }
            read => read?,
        };
        let end: &[u8] = if text.is_empty() || text.ends_with(b"\n") { b"" } else { b"\n" };
        text.extend_from_slice(end);
        text.extend_from_slice(b".env\n");
        let all = |file: &mut dyn io::Write| file.write_all(&text).map(Some);
        dset_engine::os::files::replace(&path, all, || Ok::<(), io::Error>(())).map(drop)
    };
    match write() {
        Ok(()) => Ok(Some(Wrote::Made("a line .env".into()))),
        Err(error) => Err(cannot(&path, &error)),
    }
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink())
}

/// Makes a file that others may read, unless there is one; tells whether it did.
fn made(path: &Path, text: &str) -> io::Result<bool> {
    match write_new(path, text.as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn path_in(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { name.into() } else { folder.join(name) }
}

fn cannot(path: &Path, error: &io::Error) -> UserError {
    UserError::new(Exit::Ours, format!("cannot write `{}`", path.display()))
        .cause(one_line(&error.to_string()))
        .hint("Mend that and run `dset init` again: what is made stays")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file::ConfigFile;
    use crate::layers::Environment;

    #[test]
    fn new_settings_say_what_was_chosen_and_nothing_else() {
        for (input, model) in
            [(None, None), (Some("my \"own\".csv"), None), (None, Some("openai/gpt-6-luna"))]
        {
            let folder = tempfile::tempdir().unwrap();
            settings(folder.path(), input, model).unwrap();
            let layer = ConfigFile::read(&folder.path().join(PROJECT)).unwrap().settings.layer;
            let expected = dset_core::settings::Layer {
                input: input.map(Into::into),
                model: model.map(|model| vec![model.to_owned()]),
                ..Default::default()
            };
            assert_eq!(layer, expected);
            // Every comment that looks like a setting is one.
            let text = fs_err::read_to_string(folder.path().join(PROJECT)).unwrap();
            let spoken: String = text
                .lines()
                .filter(|l| l.contains(" = "))
                .map(|line| format!("{}\n", line.trim_start_matches("# ")))
                .collect();
            assert_eq!(ConfigFile::parse(Path::new(PROJECT), &spoken).unwrap().lines.len(), 5);
        }
    }

    #[test]
    fn a_key_is_read_from_dot_env_as_it_was_given() {
        for key in ["sk-0123456789", "a#b$c", "a b`c\"\\d", "x${HOME}y", "=+/~"] {
            let folder = tempfile::tempdir().unwrap();
            fs_err::write(folder.path().join(".env"), "OTHER=1").unwrap();
            dot_env(folder.path(), "A_KEY", &key.into(), false).unwrap();
            let read = Environment::without_files(folder.path()).unwrap();
            assert!(read.is_in_dot_env("OTHER") && read.is_in_dot_env("A_KEY"));
            assert!(!read.has_another_in_dot_env("A_KEY", &key.into()), "{key}");
        }
        let folder = tempfile::tempdir().unwrap();
        let error = dot_env(folder.path(), "A_KEY", &"it's".into(), false).unwrap_err();
        assert!(!format!("{error:?}").contains("it's"));
        assert!(!folder.path().join(".env").exists());
    }
}
