//! The user's own file of keys, for all folders: `keys.toml` beside the user's file of settings.
//!
//! A table for each service, with the key, the variable it stands for, and since when. A file that
//! others can read is not read: whoever finds it so is to know.

use std::path::{Path, PathBuf};

use dset_engine::os::files::{folder_of, is_open_to_others, private_folder, write_whole};
use secrecy::{ExposeSecret as _, SecretString};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::config_file;
use crate::display::text::{one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;

const HEAD: &str = "# Keys of dset, for your eyes alone: `dset keys list` shows which are here, and none of them.\n\n";

/// Where the file is, whether it is there or not.
#[derive(Debug)]
pub(crate) struct KeysFile {
    path: PathBuf,
}

/// A key that is kept.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The service it is for.
    pub(crate) provider: String,
    /// The variable it stands for.
    pub(crate) variable: String,
    /// When it was put here, as in the file.
    pub(crate) since: String,
    pub(crate) key: SecretString,
}

impl KeysFile {
    pub(crate) fn at(path: PathBuf) -> KeysFile {
        KeysFile { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; none are in a file that is not there. Fails where others can read it.
    pub(crate) fn read(&self) -> Result<Vec<Stored>, UserError> {
        let Some(document) = self.document()? else { return Ok(Vec::new()) };
        if is_open_to_others(&self.path) {
            return Err(self.open_to_others());
        }
        Ok(document.iter().filter_map(|(provider, item)| stored(provider, item)).collect())
    }

    /// Keeps a key, in place of an earlier one for the same service, and shuts the file to others.
    pub(crate) fn set(
        &self,
        provider: &str,
        variable: &str,
        key: &SecretString,
    ) -> Result<(), UserError> {
        let mut document = self.document()?.unwrap_or_default();
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut table = Table::new();
        table.insert("variable", value(variable));
        table.insert("key", value(key.expose_secret()));
        table.insert("since", value(now));
        document.insert(provider, Item::Table(table));
        self.write(&document)
    }

    /// Forgets the key of a service; tells whether there was one.
    pub(crate) fn remove(&self, provider: &str) -> Result<bool, UserError> {
        let Some(mut document) = self.document()? else { return Ok(false) };
        if document.remove(provider).is_none() {
            return Ok(false);
        }
        self.write(&document)?;
        Ok(true)
    }

    fn document(&self) -> Result<Option<DocumentMut>, UserError> {
        let Some(text) = config_file::text(&self.path)? else { return Ok(None) };
        // What the parser says may hold a key.
        let document = text.parse().map_err(|_| {
            UserError::new(Exit::Usage, format!("`{}` is not TOML", self.path.display()))
                .cause("a line of it cannot be read; it is not shown, because it may hold a key")
                .hint("Mend it, or remove it and set the keys anew with `dset keys set`")
        })?;
        Ok(Some(document))
    }

    fn write(&self, document: &DocumentMut) -> Result<(), UserError> {
        let text = document.to_string();
        let head = if text.starts_with(HEAD) { "" } else { HEAD };
        let write = || {
            private_folder(folder_of(&self.path))?;
            // A link stays one.
            let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
            write_whole(&path, format!("{head}{text}").as_bytes())
        };
        write().map_err(|error| {
            UserError::new(Exit::Ours, format!("cannot write `{}`", self.path.display()))
                .cause(one_line(&error.to_string()))
                .hint("Nothing was changed; mend that and try again")
        })
    }

    fn open_to_others(&self) -> UserError {
        let path = self.path.display().to_string();
        UserError::new(Exit::Key, format!("`{path}` can be read by others"))
            .cause("keys are taken from it only while nobody else can read it")
            .hint(format!("Shut it: `chmod 600 {}`", quoted(&path)))
            .hint("Make new keys if somebody may have read these")
    }
}

fn stored(provider: &str, item: &Item) -> Option<Stored> {
    let text = |name: &str| item.as_table_like()?.get(name)?.as_str().map(str::trim);
    Some(Stored {
        provider: provider.to_owned(),
        variable: text("variable")?.to_owned(),
        since: text("since").unwrap_or_default().to_owned(),
        key: text("key").filter(|key| !key.is_empty())?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_in_place_of_the_earlier_one_and_what_else_is_there_stays() {
        let home = tempfile::tempdir().unwrap();
        let file = KeysFile::at(home.path().join("new/dset/keys.toml"));
        assert!(file.read().unwrap().is_empty());
        assert!(!file.remove("one").unwrap());
        file.set("one", "ONE", &"first".into()).unwrap();
        file.set("a.b", "TWO", &"sk-\"'\\#".into()).unwrap();
        file.set("one", "ONE", &"second".into()).unwrap();
        let kept: Vec<_> = file
            .read()
            .unwrap()
            .into_iter()
            .map(|stored| (stored.provider, stored.variable, stored.key.expose_secret().to_owned()))
            .collect();
        let own = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(kept, [own("one", "ONE", "second"), own("a.b", "TWO", "sk-\"'\\#")]);
        assert!(file.remove("one").unwrap());
        assert_eq!(file.read().unwrap().len(), 1);
        assert!(fs_err::read_to_string(file.path()).unwrap().starts_with(HEAD));
        assert!(!format!("{:?}", file.read().unwrap()).contains("sk-"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_not_read_until_it_is_shut() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let file = KeysFile::at(home.path().join("dset/keys.toml"));
        file.set("one", "ONE", &"first".into()).unwrap();
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.path()), mode(&home.path().join("dset"))), (0o600, 0o700));
        for open in [0o604, 0o640, 0o620] {
            fs_err::set_permissions(file.path(), std::fs::Permissions::from_mode(open)).unwrap();
            let error = file.read().unwrap_err();
            assert!(error.hints[0].contains("chmod 600"), "{error:?}");
        }
        // A new key shuts it.
        file.set("two", "TWO", &"second".into()).unwrap();
        assert_eq!(mode(file.path()), 0o600);
        assert_eq!(file.read().unwrap().len(), 2);
    }
}
