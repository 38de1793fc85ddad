//! What the environment, `.env` and files of settings say, as layers; and where the key is.
//!
//! The one place that reads the environment. Variables and files are read by the same grammar as
//! flags, so that a setting is its flag.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use dset_core::provider::{PresetError, Providers, Table};
use dset_core::settings::{Layer, Model, is_loopback};
use secrecy::SecretString;
use url::Url;

use crate::config_file::{ConfigFile, PROJECT, SEE_SCHEMA};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::setting::{Setting, ticked};

/// Where a value came from; files with the line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    DotEnv,
    Project(usize),
    User(usize),
    Default,
}

impl Origin {
    /// Tells whether whoever made the folder said it, who may be a stranger.
    fn is_of_the_folder(self) -> bool {
        matches!(self, Origin::DotEnv | Origin::Project(_))
    }
}

/// Everything that was said, and where.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) layer: Layer,
    origins: BTreeMap<&'static str, Origin>,
}

impl Said {
    /// Returns where the value of a field came from.
    pub(crate) fn origin(&self, id: &str) -> Origin {
        self.origins.get(id).copied().unwrap_or(Origin::Default)
    }

    /// Puts what was said over what this place says.
    fn over(&mut self, lower: Layer, origin: impl Fn(&'static str) -> Origin) {
        let layer = std::mem::take(&mut self.layer).over(lower);
        for id in layer.said() {
            self.origins.entry(id).or_insert_with(|| origin(id));
        }
        self.layer = layer;
    }
}

/// The environment of this process, `.env` and `dset.toml` in the working folder, and the user's
/// own file of settings.
#[derive(Default)]
pub(crate) struct Environment {
    real: HashMap<String, String>,
    file: HashMap<String, String>,
    pub(crate) project: ConfigFile,
    pub(crate) user: ConfigFile,
    /// The services that can be chosen.
    pub(crate) providers: Providers,
    /// Those of them whose URL or hosts only the folder names.
    strangers: BTreeSet<String>,
    /// What is wrong with `.env`.
    pub(crate) warning: Option<String>,
}

impl Environment {
    pub(crate) fn read(folder: &Path) -> Result<Environment, UserError> {
        let environment = Environment::without_files(folder);
        let user = environment.user_path();
        let user = user.map(|path| ConfigFile::read(&path)).transpose()?;
        environment.with_files(ConfigFile::read(&project_path(folder))?, user.unwrap_or_default())
    }

    /// Reads what is no file of settings: those can be in need of mending.
    pub(crate) fn without_files(folder: &Path) -> Environment {
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
        Environment { real, file, warning, ..Environment::default() }
    }

    fn with_files(
        mut self,
        project: ConfigFile,
        user: ConfigFile,
    ) -> Result<Environment, UserError> {
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for (id, own) in user.providers.iter().chain(&project.providers) {
            tables.entry(id.clone()).or_default().extend(own.table.clone());
        }
        let names_hosts =
            |table: &Table| ["base-url", "hosts"].iter().any(|f| table.contains_key(*f));
        let strangers = project.providers.iter().filter(|(_, own)| names_hosts(&own.table));
        self.strangers = strangers.map(|(id, _)| id.clone()).collect();
        self.providers =
            Providers::with(tables).map_err(|error| no_provider(&error, &project, &user))?;
        (self.project, self.user) = (project, user);
        Ok(self)
    }

    /// Returns where the user's own file of settings is, whether it is there or not.
    pub(crate) fn user_path(&self) -> Option<PathBuf> {
        let set = |name| self.real.get(name).filter(|value| Path::new(value).is_absolute());
        let folder = |name| set(name).map(PathBuf::from);
        let folder = match cfg!(windows) {
            true => folder("APPDATA"),
            false => folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config"))),
        };
        Some(folder?.join("dset").join("config.toml"))
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

    /// Reads the settings that variables of this origin say.
    fn variables(&self, wanted: Origin) -> Result<Layer, UserError> {
        let mut layer = Layer::default();
        for setting in Setting::all() {
            let name = setting.variable();
            let Some((value, _)) = self.get(&name).filter(|(_, origin)| *origin == wanted) else {
                continue;
            };
            let one = setting.read(value).map_err(|fault| fault.at("", &name, &ticked(value)))?;
            layer = layer.over(one);
        }
        Ok(layer)
    }

    /// Puts flags over the environment over `.env` over the folder's file over the user's.
    pub(crate) fn under(&self, flags: Layer) -> Result<Said, UserError> {
        let mut said = Said { layer: Layer::default(), origins: BTreeMap::new() };
        let line = |file: &ConfigFile, id: &str| file.lines.get(id).copied().unwrap_or(1);
        said.over(flags, |_| Origin::Flag);
        for origin in [Origin::Environment, Origin::DotEnv] {
            said.over(self.variables(origin)?, |_| origin);
        }
        let (project, user) = (&self.project, &self.user);
        said.over(project.layer.clone(), |id| Origin::Project(line(project, id)));
        said.over(user.layer.clone(), |id| Origin::User(line(user, id)));
        Ok(said)
    }

    /// Returns the key that these settings name, if it is there and may go where they say.
    pub(crate) fn key(
        &self,
        model: &Model,
        said: &Said,
    ) -> Result<Option<SecretString>, UserError> {
        let Some(name) = &model.key_variable else { return Ok(None) };
        let Some((key, origin)) = self.get(name) else { return Ok(None) };
        let stranger = self.strangers.contains(&model.preset.id);
        let of_the_folder = match said.origin("base_url") {
            Origin::Default => stranger,
            origin => origin.is_of_the_folder(),
        };
        let is_safe = |url: &&Url| is_loopback(url) || !stranger && model.preset.is_at(url);
        // Whoever wrote a downloaded folder must not get the keys of whoever runs it.
        if let Some(url) = model.base_urls.iter().find(|url| !is_safe(url))
            && of_the_folder
            && !origin.is_of_the_folder()
        {
            let file = if said.origin("base_url") == Origin::DotEnv { ".env" } else { PROJECT };
            let host = url.host_str().unwrap_or_default();
            return Err(UserError::new(
                Exit::Usage,
                format!("the key {name} would be sent to {host}, which only {file} names"),
            )
            .cause(format!(
                "the key is from the environment, the base URL from {file} in this folder"
            ))
            .hint(format!("If that is meant, say so: `dset run --base-url {url}`")));
        }
        Ok(Some(SecretString::from(key.trim())))
    }
}

/// Returns the path of a folder's file of settings.
pub(crate) fn project_path(folder: &Path) -> PathBuf {
    if folder == Path::new(".") { PROJECT.into() } else { folder.join(PROJECT) }
}

/// Returns the error of a table that is no service, at the line that says it.
fn no_provider(error: &PresetError, project: &ConfigFile, user: &ConfigFile) -> UserError {
    let own = |file: &ConfigFile| {
        let own = file.providers.get(&error.id)?;
        Some((file.path.clone(), own.lines.get(error.field).copied(), own.line))
    };
    let places: Vec<_> = [project, user].into_iter().filter_map(own).collect();
    let place = places.iter().find(|(_, line, _)| line.is_some()).or(places.first());
    let at = place.map(|(path, line, table)| {
        format!("{}, line {}: ", path.display(), line.unwrap_or(*table))
    });
    let id = one_line(&error.id);
    UserError::new(Exit::Usage, format!("{}[provider.{id}] is no service", at.unwrap_or_default()))
        .cause(one_line(&format!("{} {}", error.field, error.detail)))
        .hint(SEE_SCHEMA)
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
    use dset_core::settings::resolve_among;

    use super::*;

    fn environment(real: &[(&str, &str)], file: &[(&str, &str)]) -> Environment {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Environment { real: map(real), file: map(file), ..Environment::default() }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(".env"), "\u{feff}A_KEY=one\nOTHER=two\n").unwrap();
        let environment = Environment::without_files(folder.path());
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
        let layer = environment.under(flags).unwrap().layer;
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
            let layer =
                environment(&[(variable, value)], &[]).under(Layer::default()).unwrap().layer;
            assert_ne!(layer, Layer::default(), "{variable}");
        }
        let count = Setting::all().len();
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
            let said = environment.under(Layer::default()).unwrap();
            let layer = said.layer.clone();
            let (settings, _) = resolve_among(layer, None, &environment.providers).unwrap();
            environment.key(settings.model(), &said)
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

    #[test]
    fn a_file_of_a_downloaded_folder_collects_no_keys_and_the_users_own_file_may_name_any_host() {
        let file = |text: &str| ConfigFile::parse(Path::new("dset.toml"), text).unwrap();
        let none = ConfigFile::default;
        let key = |project: ConfigFile, user: ConfigFile, dot_env: &[(&str, &str)]| {
            let real = [("DEEPSEEK_API_KEY", "sk-secret"), ("MINE_KEY", "sk-secret")];
            let environment = environment(&real, dot_env).with_files(project, user).unwrap();
            let said = environment.under(Layer::default()).unwrap();
            let layer = said.layer.clone();
            let (settings, _) = resolve_among(layer, None, &environment.providers).unwrap();
            environment.key(settings.model(), &said)
        };
        let url = "base-url = 'https://evil.example'\n";
        let own = format!("model = 'mine/m'\n[provider.mine]\nkey-env = 'MINE_KEY'\n{url}");
        let known = format!("[provider.deepseek]\n{url}");
        let hosts = "[provider.deepseek]\nhosts = ['evil.example']\n";
        let later = "base-url = ['http://localhost:1', 'https://evil.example']\n";
        for trap in [url, &own, &known, later] {
            let error = key(file(trap), none(), &[]).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{trap}");
            assert!(error.message.contains("evil.example, which only dset.toml names"), "{trap}");
            assert!(key(none(), file(trap), &[]).unwrap().is_some(), "{trap}");
        }
        let dot_env = [("DSET_BASE_URL", "https://evil.example")];
        assert!(key(file(hosts), none(), &dot_env).is_err());
        // The folder moves a service that the user's own file describes.
        let mine = file("[provider.mine]\nkey-env = 'MINE_KEY'\nbase-url = 'https://my.example'\n");
        let moved = format!("model = 'mine/m'\n[provider.mine]\n{url}");
        assert!(key(file(&moved), mine.clone(), &[]).is_err());
        let chosen = file("model = 'mine/m'\n[provider.mine]\nmodels = ['m']\n");
        assert!(key(chosen, mine, &[]).unwrap().is_some());
    }
}
