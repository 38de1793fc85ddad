//! What lies in the folder of the outputs beside the store and the outputs.
//!
//! Loaders of datasets take every file for data whose name has `.json`, `.csv` or the like in it, and
//! look into every folder that is not hidden. So whatever else is there has a name without such an
//! ending, earlier outputs are in a hidden folder, and a README names the one file with the data.

use std::io::{self, Write as _};
use std::path::Path;

use fs_err as fs;

use crate::os::files::{self, EARLIER};
use crate::output::live::{LIVE_FORMATS, LiveFormat};
use crate::store::{OLD_UNREAD, UNREAD};

/// How an earlier version called it.
const OLD_EARLIER: &str = "earlier";
const README: &str = "README.md";

/// Gives what an earlier version has left the names that it has now; returns both names of each. The
/// folder must be locked.
pub(crate) fn rename_old(folder: &Path) -> io::Result<Vec<(&'static str, &'static str)>> {
    let mut renamed = Vec::new();
    if move_earlier(folder)? {
        renamed.push((OLD_EARLIER, EARLIER));
    }
    let (old, new) = (folder.join(OLD_UNREAD), folder.join(UNREAD));
    if old.is_file() && !new.exists() {
        fs::rename(old, new)?;
        renamed.push((OLD_UNREAD, UNREAD));
    }
    if !renamed.is_empty() {
        files::sync_folder(folder)?;
    }
    Ok(renamed)
}

/// Moves what was put aside, and nothing that the user has put beside it.
fn move_earlier(folder: &Path) -> io::Result<bool> {
    let (old, new) = (folder.join(OLD_EARLIER), folder.join(EARLIER));
    let Ok(entries) = fs::read_dir(&old) else { return Ok(false) };
    let mut moved = false;
    for entry in entries {
        let name = entry?.file_name();
        let stamp = name.to_string_lossy();
        if !is_stamp(&stamp) {
            continue;
        }
        fs::create_dir_all(&new)?;
        let mut place = new.join(&name);
        let mut number = 1;
        while place.exists() {
            number += 1;
            place = new.join(format!("{stamp}-{number}"));
        }
        fs::rename(old.join(&name), place)?;
        moved = true;
    }
    // Gone unless something of the user's is in it.
    let _ = fs::remove_dir(&old);
    if moved {
        files::sync_folder(&new)?;
    }
    Ok(moved)
}

/// Tells whether a name is a time as `20261122T143045Z`.
fn is_stamp(name: &str) -> bool {
    let form = b"00000000T000000Z";
    name.len() == form.len()
        && name.bytes().zip(form).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == *form,
        })
}

/// Writes the README that names the file with the data, unless there is one of the user's. Nothing
/// depends on it, so that it is no fault where it cannot be written.
pub(crate) fn write_readme(folder: &Path, input: &Path, formats: &[LiveFormat]) {
    let real = |path: &Path| path.canonicalize().ok();
    // A folder that is the user's own gets no README of ours.
    if [real(input), real(files::folder_of(input))].contains(&real(folder)) {
        return;
    }
    let data = formats.iter().min_by_key(|format| format.loader_rank);
    let Some(wanted) = data.map(readme) else { return };
    let path = folder.join(README);
    match fs::read_to_string(&path) {
        Ok(there) if there == wanted => return,
        Ok(there) if !is_readme(&there) => return,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return,
        _ => {}
    }
    let write = || -> io::Result<()> {
        let mut file = files::new_in(folder)?;
        file.write_all(wanted.as_bytes())?;
        files::put(file, &path)
    };
    let _ = write();
}

/// Tells whether a README is one of ours, as we have written it.
pub(crate) fn is_readme(text: &str) -> bool {
    LIVE_FORMATS.iter().any(|format| readme(format) == text)
}

fn readme(data: &LiveFormat) -> String {
    let (data, others) = match data.is_legacy() {
        true => (data.file, String::new()),
        false => (data.file, format!("| `{}` | {} |\n", data.file, data.about)),
    };
    format!(
        "---
configs:
- config_name: default
  data_files: {data}
---

# A folder of dset

The answers are in `{data}`. The lines above tell loaders of datasets to read that file and no other:
the outputs hold the same rows in different forms.

| file | what it is |
| --- | --- |
| `output.json` | the answers in the order of the questions, an object a line, with all that is known of each |
| `output.csv`, `output.txt` | the same for a spreadsheet, and to read |
{others}| `dset.db` | the store, from which the outputs can be made again |
| `.earlier/` | what was moved out of the way; nothing is deleted |

dset writes this page. Once you have changed it, it is yours and stays as it is.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::live::legacy;

    #[test]
    fn what_an_earlier_version_put_aside_is_moved_once_and_the_users_own_stays() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let write = |path: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        assert_eq!(rename_old(folder).unwrap(), []);
        write("earlier/20261122T143045Z/output.json");
        write(".earlier/20261122T143045Z/output.json");
        write("earlier/notes.txt");
        write("rescue.jsonl.unread");
        let renamed = [(OLD_EARLIER, EARLIER), (OLD_UNREAD, UNREAD)];
        assert_eq!(rename_old(folder).unwrap(), renamed);
        for path in [
            ".earlier/20261122T143045Z/output.json",
            ".earlier/20261122T143045Z-2/output.json",
            "earlier/notes.txt",
            UNREAD,
        ] {
            assert!(folder.join(path).is_file(), "{path}");
        }
        assert_eq!(rename_old(folder).unwrap(), []);
        fs::remove_file(folder.join("earlier/notes.txt")).unwrap();
        rename_old(folder).unwrap();
        assert!(!folder.join("earlier").exists());
    }

    #[test]
    fn the_readme_names_the_file_with_the_data_and_one_of_the_users_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, input) = (folder.path().join("out"), folder.path().join("q.csv"));
        fs::create_dir(&folder).unwrap();
        let path = folder.join(README);
        let write = |formats: &[LiveFormat]| {
            write_readme(&folder, &input, formats);
            fs::read_to_string(&path).unwrap()
        };
        assert!(write(legacy::ALL).contains("\n  data_files: output.json\n"));
        assert!(write(&[legacy::CSV]).contains("\n  data_files: output.csv\n"));
        assert!(write(legacy::ALL).contains("\n  data_files: output.json\n"));
        fs::write(&path, "mine").unwrap();
        assert_eq!(write(legacy::ALL), "mine");
        // Beside the questions is the user's own folder.
        write_readme(input.parent().unwrap(), &input, legacy::ALL);
        write_readme(input.parent().unwrap(), input.parent().unwrap(), legacy::ALL);
        assert!(!input.with_file_name(README).exists());
    }
}
