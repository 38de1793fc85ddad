//! What the environment and `.env` say, as layers of settings; and where the key is.
//!
//! The one place that reads the environment. Variables are read by the same grammar as flags, so
//! that a setting is its flag.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args as _, Command, FromArgMatches as _};
use dset_core::settings::{Layer, Model, is_loopback};
use secrecy::SecretString;
use url::Url;

use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    DotEnv,
    Default,
}

/// The environment of this process, and `.env` in the working folder.
pub(crate) struct Environment {
    real: HashMap<String, String>,
    file: HashMap<String, String>,
    /// What is wrong with `.env`.
    pub(crate) warning: Option<String>,
}

impl Environment {
    pub(crate) fn read(folder: &Path) -> Environment {
        let real = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut file = HashMap::new();
        let mut warning = None;
        if let Ok(bytes) = fs_err::read(folder.join(".env")) {
            // Editors on Windows put a byte order mark before the first name.
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            for entry in dotenvy::from_read_iter(text) {
                match entry {
                    Ok((name, value)) => drop(file.insert(name, value)),
                    // The line itself may hold a key.
                    Err(_) => {
                        warning = Some("a line of .env cannot be read; it is left out".into())
                    }
                }
            }
        }
        Environment { real, file, warning }
    }

    /// Looks a variable up: the real environment outranks `.env`. An empty one is none.
    fn get(&self, name: &str) -> Option<(&str, Origin)> {
        let full = |value: &&String| !value.trim().is_empty();
        let real =
            self.real.get(name).filter(full).map(|value| (value.as_str(), Origin::Environment));
        let file = || self.file.get(name).filter(full).map(|v| (v.as_str(), Origin::DotEnv));
        real.or_else(file)
    }

    /// Returns the folder in which this user's programs keep what they learn, where there is one.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        let set = |name| self.real.get(name).filter(|value| Path::new(value).is_absolute());
        let folder = |name| set(name).map(PathBuf::from);
        folder("XDG_STATE_HOME")
            .or_else(|| Some(folder("HOME")?.join(".local").join("state")))
            .or_else(|| folder("LOCALAPPDATA"))
    }

    /// Reads the settings that variables say.
    fn layer(&self) -> Result<(Layer, Option<Origin>), UserError> {
        let grammar = || Layer::augment_args(Command::new("environment").no_binary_name(true));
        let mut layer = Layer::default();
        let mut base_url = None;
        for argument in grammar().get_arguments() {
            let id = argument.get_id().as_str();
            let name = format!("DSET_{}", id.to_uppercase());
            let Some((value, origin)) = self.get(&name) else { continue };
            let word = match argument.get_long() {
                Some(long) => format!("--{long}={value}"),
                None => value.to_owned(),
            };
            let matches = grammar().try_get_matches_from([word]).map_err(|_| {
                UserError::new(Exit::Usage, format!("{name} cannot be `{}`", one_line(value)))
                    .hint("`dset run --help` says what each setting takes")
            })?;
            let one = Layer::from_arg_matches(&matches).expect("the grammar is the layer's own");
            if id == "base_url" {
                base_url = Some(origin);
            }
            layer = layer.over(one);
        }
        Ok((layer, base_url))
    }

    /// Puts flags over the environment over `.env`; tells where the base URL came from.
    pub(crate) fn under(&self, flags: Layer) -> Result<(Layer, Origin), UserError> {
        let by_flag = flags.base_url.is_some();
        let (layer, base_url) = self.layer()?;
        let origin = match base_url {
            _ if by_flag => Origin::Flag,
            Some(origin) => origin,
            None => Origin::Default,
        };
        Ok((flags.over(layer), origin))
    }

    /// Returns the key that these settings name, if it is there and may go where they say.
    pub(crate) fn key(
        &self,
        model: &Model,
        base_url: Origin,
    ) -> Result<Option<SecretString>, UserError> {
        let Some(name) = &model.key_variable else { return Ok(None) };
        let Some((key, origin)) = self.get(name) else { return Ok(None) };
        let is_safe = |url: &&Url| model.preset.is_at(url) || is_loopback(url);
        // Whoever wrote a downloaded folder must not get the keys of whoever runs it.
        if let Some(url) = model.base_urls.iter().find(|url| !is_safe(url))
            && base_url == Origin::DotEnv
            && origin != Origin::DotEnv
        {
            let host = url.host_str().unwrap_or_default();
            return Err(UserError::new(
                Exit::Usage,
                format!("the key {name} would be sent to {host}, which only .env names"),
            )
            .cause("the key is from the environment, the base URL from .env in this folder")
            .hint(format!("If that is meant, say so: `dset run --base-url {url}`")));
        }
        Ok(Some(SecretString::from(key.trim())))
    }
}

/// Returns the error of a key that is not there.
pub(crate) fn no_key(model: &Model) -> UserError {
    let name = model.key_variable.as_deref().unwrap_or_default();
    let error = UserError::new(Exit::Key, format!("no API key for {}", model.preset.name))
        .cause(format!("{name} is set neither in the environment nor in .env in this folder"))
        .hint(format!("Put `{name}=…` into .env"));
    let error = match model.preset.key_page.as_str() {
        "" => error,
        page => error.hint(format!("Get one at {page}")),
    };
    error.hint("A service without keys takes `--key none`; `dset demo` works without any")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(real: &[(&str, &str)], file: &[(&str, &str)]) -> Environment {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Environment { real: map(real), file: map(file), warning: None }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(".env"), "\u{feff}A_KEY=one\nOTHER=two\n").unwrap();
        let environment = Environment::read(folder.path());
        assert_eq!(environment.warning, None);
        assert_eq!(environment.file.get("A_KEY").map(String::as_str), Some("one"));
    }

    #[test]
    fn flags_outrank_the_environment_which_outranks_the_file() {
        let environment = environment(
            &[("DSET_MODEL", "real"), ("DSET_MAX_TOKENS", "5")],
            &[("DSET_MODEL", "file"), ("DSET_MAX_TOKENS", "6"), ("DSET_RETRIES", "7")],
        );
        let flags = Layer { model: Some(vec!["flag".into()]), ..Layer::default() };
        let (layer, _) = environment.under(flags).unwrap();
        assert_eq!(layer.model, Some(vec!["flag".to_owned()]));
        assert_eq!((layer.max_tokens, layer.retries), (Some(5), Some(7)));
    }

    #[test]
    fn every_setting_has_a_variable() {
        for (variable, value) in [
            ("DSET_INPUT", "x.csv"),
            ("DSET_OUTPUT", "out"),
            ("DSET_FORMATS", "csv,txt"),
            ("DSET_MODEL", "m"),
            ("DSET_SAMPLES", "2"),
            ("DSET_BASE_URL", "http://localhost:1"),
            ("DSET_KEY", "NAME"),
            ("DSET_SYSTEM", "s"),
            ("DSET_SYSTEM_FILE", "f"),
            ("DSET_TEMPLATE", "-t {{ question }}"),
            ("DSET_COLUMN", "c"),
            ("DSET_HEADER", "yes"),
            ("DSET_CONCURRENCY", "3"),
            ("DSET_RPM", "60"),
            ("DSET_TPM", "60000"),
            ("DSET_SHARE_PACE", "off"),
            ("DSET_MAX_TOKENS", "9"),
            ("DSET_TEMPERATURE", "0.5"),
            ("DSET_REASONING", "off"),
            ("DSET_REASONING_EFFORT", "low"),
            ("DSET_RETRIES", "1"),
            ("DSET_BACKOFF", "1s,2s"),
            ("DSET_TIMEOUT", "1m"),
            ("DSET_IDLE_TIMEOUT", "1m"),
            ("DSET_STREAM", "on"),
            ("DSET_STOP_LOOPS", "true"),
            ("DSET_ON_ERROR", "pause"),
            ("DSET_JSON", "true"),
            ("DSET_QUIET", "true"),
            ("DSET_VERBOSE", "true"),
        ] {
            let (layer, _) =
                environment(&[(variable, value)], &[]).under(Layer::default()).unwrap();
            assert_ne!(layer, Layer::default(), "{variable}");
        }
        let count = Layer::augment_args(Command::new("x")).get_arguments().count();
        assert_eq!(count, 30, "the list above names every setting");
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_named() {
        let environment = environment(&[("DSET_CONCURRENCY", "many")], &[]);
        let error = environment.under(Layer::default()).unwrap_err();
        assert!(error.message.contains("DSET_CONCURRENCY"), "{}", error.message);
    }

    #[test]
    fn a_base_url_out_of_a_downloaded_folder_collects_no_keys() {
        let real = [("DEEPSEEK_API_KEY", "sk-secret")];
        let key = |environment: &Environment| {
            let (layer, origin) = environment.under(Layer::default()).unwrap();
            let (settings, _) = dset_core::settings::resolve(layer, None).unwrap();
            environment.key(settings.model(), origin)
        };
        let evil = [("DSET_BASE_URL", "https://evil.example")];
        let error = key(&environment(&real, &evil)).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        // Both from the folder, the URL from the user, or to this machine: as it is meant.
        let both = [("DSET_BASE_URL", "https://my.example"), ("DEEPSEEK_API_KEY", "sk-own")];
        assert!(key(&environment(&[], &both)).unwrap().is_some());
        assert!(key(&environment(&[real[0], evil[0]], &[])).unwrap().is_some());
        let local = [("DSET_BASE_URL", "http://127.0.0.1:8000")];
        assert!(key(&environment(&real, &local)).unwrap().is_some());
    }
}
