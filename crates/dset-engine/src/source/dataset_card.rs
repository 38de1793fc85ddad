//! Folders of the Hugging Face Hub: the card, `README.md`, names in its front matter the files of each
//! configuration and split. <https://huggingface.co/docs/hub/datasets-manual-configuration>

use std::path::{Path, PathBuf};

use dset_core::settings::Reading;
use serde::Deserialize;

use super::files::{OwnOutputs, in_folder, is_pattern, matching};
use super::{SourceError, SourceKind};
use crate::output::folder::is_readme;

const CARD: &str = "README.md";

#[derive(Debug, Default, Deserialize)]
struct FrontMatter {
    #[serde(default)]
    configs: Vec<Config>,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default = "default_name")]
    config_name: String,
    #[serde(default)]
    default: bool,
    data_dir: Option<String>,
    data_files: Option<DataFiles>,
}

impl Default for Config {
    fn default() -> Config {
        Config { config_name: default_name(), default: true, data_dir: None, data_files: None }
    }
}

fn default_name() -> String {
    "default".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DataFiles {
    Pattern(String),
    Splits(Vec<Split>),
    Patterns(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Split {
    split: String,
    path: Patterns,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Patterns {
    One(String),
    Several(Vec<String>),
}

/// Where the rows of a configuration are.
#[derive(Debug)]
pub(super) enum Rows {
    /// In the files of the split that is meant.
    Files(Vec<PathBuf>),
    /// In a folder, of whose files names tell the split.
    Folder(PathBuf),
}

/// Finds the configuration and split that are meant. Without a card, or with one that names nothing, that is
/// the folder. Fails where what it names is not there; a pattern may match nothing, as the Hub's loader has it.
pub(super) fn rows(
    kinds: &[SourceKind],
    folder: &Path,
    reading: &Reading,
    own: &OwnOutputs,
) -> Result<Rows, SourceError> {
    let whole = || Rows::Folder(folder.to_owned());
    let card = fs_err::read_to_string(folder.join(CARD)).unwrap_or_default();
    let front = front_matter(&card).map(serde_yaml_ng::from_str).transpose();
    let front: Option<FrontMatter> = front.map_err(|error| SourceError::Card {
        path: folder.to_owned(),
        detail: error.to_string(),
    })?;
    let mut front = front.unwrap_or_default();
    let is_named = |config: &Config| config.data_files.is_some() || config.data_dir.is_some();
    if reading.config.is_none() && !front.configs.iter().any(is_named) {
        return Ok(whole());
    }
    if front.configs.is_empty() {
        // Where no card says otherwise there is one.
        front.configs.push(Config::default());
    }
    let names = front.configs.iter().map(|config| config.config_name.clone()).collect();
    let part = |what, given: &Option<String>, found| SourceError::WhichPart {
        path: folder.to_owned(),
        what,
        given: given.clone(),
        found,
    };
    let config = match (&reading.config, front.configs.as_slice()) {
        (Some(name), configs) => configs.iter().find(|config| config.config_name == *name),
        (None, [only]) => Some(only),
        (None, configs) => configs
            .iter()
            .find(|config| config.default)
            .or_else(|| configs.iter().find(|config| config.config_name == default_name())),
    };
    let config = config.ok_or_else(|| part("configurations", &reading.config, names))?;
    let base = config.data_dir.as_ref().map_or_else(|| folder.to_owned(), |dir| folder.join(dir));
    let missing = |pattern: &str| {
        let (path, pattern) = (folder.to_owned(), pattern.to_owned());
        SourceError::NamedFileMissing { path, pattern }
    };
    let wanted = reading.split.as_deref().unwrap_or("train");
    let patterns: Vec<&String> = match &config.data_files {
        Some(DataFiles::Pattern(pattern)) => vec![pattern],
        Some(DataFiles::Patterns(patterns)) => patterns.iter().collect(),
        Some(DataFiles::Splits(splits)) => {
            let found = splits.iter().find(|split| split.split == wanted);
            let only = splits.first().filter(|_| splits.len() == 1 && reading.split.is_none());
            let names = splits.iter().map(|split| split.split.clone()).collect();
            match found.or(only).map(|split| &split.path) {
                Some(Patterns::One(pattern)) => vec![pattern],
                Some(Patterns::Several(patterns)) => patterns.iter().collect(),
                None => return Err(part("splits", &reading.split, names)),
            }
        }
        None if base.is_dir() => return Ok(Rows::Folder(base)),
        None => return Err(missing(config.data_dir.as_deref().unwrap_or_default())),
    };
    let mut files = Vec::new();
    for pattern in patterns {
        let path = base.join(pattern);
        match path.is_dir() {
            true => files.extend(in_folder(kinds, &path, own)),
            false => files.extend(matching(&path)),
        }
        if !is_pattern(Path::new(pattern)) && !path.exists() {
            return Err(missing(pattern));
        }
    }
    files.sort();
    files.dedup();
    Ok(Rows::Files(files))
}

/// Tells whether the card of a folder is the one that a run writes beside its outputs.
pub(super) fn is_of_run(folder: &Path) -> bool {
    fs_err::read_to_string(folder.join(CARD)).is_ok_and(|card| is_readme(&card))
}

/// Returns what stands between the two lines of dashes at the beginning of a card.
fn front_matter(card: &str) -> Option<&str> {
    let rest = card.trim_start_matches('\u{feff}').strip_prefix("---")?;
    let rest = rest.strip_prefix('\r').unwrap_or(rest).strip_prefix('\n')?;
    let end = rest.find("\n---")?;
    Some(&rest[..=end])
}
