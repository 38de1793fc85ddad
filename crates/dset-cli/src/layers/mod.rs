//! What the environment, `.env` and files of settings say, as layers; and where the key is.
//!
//! The one place that reads the environment. Variables and files are read by the same grammar as
//! flags, so that a setting is its flag.

mod dot_env;
mod key;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::mem;
use std::path::{Path, PathBuf};

use dset_core::money::{OwnPrice, Prices};
use dset_core::provider::{PresetError, Providers, Table};
use dset_core::settings::Layer;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config_file::{ConfigFile, PROJECT, SEE_SCHEMA};
use crate::display;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::keys_file::KeysFile;
use crate::setting::{SEE_REFERENCE, Setting, ticked};
use crate::spelling::meant;

use dot_env::{DotEnv, HOW};
pub(crate) use key::Key;
pub(crate) use terminal::{LogFormat, SettingsLayer, TerminalLayer, TerminalOptions};

/// Where a value came from; files with the line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    DotEnv,
    Project(usize),
    User(usize),
    /// What a job keeps of the settings that it was split with.
    Job,
    /// The user's own file of keys.
    KeysFile,
    Default,
}

impl Origin {
    /// Tells whether whoever made the folder said it, who may be a stranger.
    fn is_from_folder(self) -> bool {
        matches!(self, Origin::DotEnv | Origin::Project(_) | Origin::Job)
    }
}

/// In which SLURM, Kubernetes, and MPI or torchrun say which of many processes this is, from 0.
pub(crate) const SCHEDULER_VARIABLES: [&str; 3] =
    ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "RANK"];

/// In which the address of the server with a job stands, which may hold a password.
pub(crate) const STORE_VARIABLE: &str = "DSET_STORE";

/// The fields of a service's table that name a place where it is asked, or is at home.
const NAMES_HOSTS: [&str; 3] = ["base-url", "continuing-base-url", "hosts"];

/// Everything that was said, and where.
#[derive(Debug, Default)]
pub(crate) struct MergedLayer {
    pub(crate) layer: Layer,
    pub(crate) terminal: TerminalLayer,
    origins: BTreeMap<&'static str, Origin>,
}

impl MergedLayer {
    /// Returns where the value of a field came from.
    pub(crate) fn origin(&self, id: &str) -> Origin {
        self.origins.get(id).copied().unwrap_or(Origin::Default)
    }

    /// Forgets what anybody said of the place and the key, and who.
    pub(crate) fn forget_place(&mut self) {
        (self.layer.base_url, self.layer.key) = (None, None);
        self.origins.remove("base_url");
        self.origins.remove("key");
    }

    /// Puts what was said over what this place says.
    fn over(&mut self, lower: SettingsLayer, origin: impl Fn(&'static str) -> Origin) {
        let (layer, terminal) = (mem::take(&mut self.layer), mem::take(&mut self.terminal));
        let both = SettingsLayer { layer, terminal }.over(lower);
        for id in both.said() {
            self.origins.entry(id).or_insert_with(|| origin(id));
        }
        (self.layer, self.terminal) = (both.layer, both.terminal);
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
    /// What is probably not meant, each with what to do about it.
    pub(crate) warnings: Vec<(String, Option<String>)>,
}

impl Environment {
    pub(crate) fn read(folder: &Path) -> Result<Environment, UserError> {
        let environment = Environment::without_files(folder)?;
        let user = environment.user_path();
        let user = user.map(|path| ConfigFile::read(&path)).transpose()?;
        environment.with_files(ConfigFile::read(&project_path(folder))?, user.unwrap_or_default())
    }

    /// Says what is odd about the variables.
    pub(crate) fn warn(&self) {
        self.warnings.iter().for_each(|(text, hint)| display::warn(text, hint.as_deref()));
    }

    /// Reads what is no file of settings: those can be in need of mending.
    pub(crate) fn without_files(folder: &Path) -> Result<Environment, UserError> {
        let real = Environment::process_variables();
        let path = folder.join(".env");
        let DotEnv { values: file, unreadable } = match fs_err::read(&path) {
            Ok(bytes) => DotEnv::parse(&bytes)?,
            // A folder of this name is a virtual environment of Python.
            Err(error) if error.kind() == ErrorKind::NotFound || path.is_dir() => DotEnv::default(),
            Err(error) => {
                return Err(UserError::new(Exit::Usage, "cannot read `.env`")
                    .cause(one_line(&error.to_string()))
                    .hint("Make it readable for you, or move it away"));
            }
        };
        let left_out = |line| format!("line {line} of .env cannot be read; it is left out");
        let warned = unreadable.into_iter().map(|line| (left_out(line), Some(HOW.to_owned())));
        let mut environment = Environment { real, file, ..Environment::default() };
        environment.warnings = warned.chain(environment.unknown_variables()).collect();
        Ok(environment)
    }

    /// Finds variables that look like settings and are none.
    fn unknown_variables(&self) -> Vec<(String, Option<String>)> {
        let ours = |name: &&String| name.starts_with("DSET_") && *name != STORE_VARIABLE;
        let names: BTreeSet<&String> =
            self.real.keys().chain(self.file.keys()).filter(ours).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let known: Vec<String> = Setting::all().iter().map(Setting::variable).collect();
        let unknown = names.into_iter().filter(|name| !known.contains(name));
        let told = unknown.map(|name| {
            let place = if self.real.contains_key(name) { "" } else { " in .env" };
            // Compared without what all of them begin with, which would make any two alike.
            let bare = |name: &String| name["DSET_".len()..].to_lowercase().replace('_', "-");
            let near = meant(&bare(name), known.iter().map(bare));
            let near = near.map(|near| near.to_uppercase().replace('-', "_"));
            let hint = match near {
                Some(near) => format!("Did you mean `DSET_{near}`?"),
                None => SEE_REFERENCE.to_owned(),
            };
            (format!("{}{place} is no setting, and does nothing", one_line(name)), Some(hint))
        });
        told.collect()
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
        if !user.datasets.is_empty() {
            let path = user.path.display();
            return Err(UserError::new(
                Exit::Usage,
                format!("{path}: [[export]] has no place there"),
            )
            .cause("it would write a dataset into every folder that is worked in")
            .hint("Move it into the `dset.toml` of the folder that it is meant for"));
        }
        let names_hosts =
            |table: &Table| NAMES_HOSTS.iter().any(|field| table.contains_key(*field));
        let strangers = project.providers.iter().filter(|(_, own)| names_hosts(&own.table));
        self.strangers = strangers.map(|(id, _)| id.clone()).collect();
        self.providers =
            Providers::from_tables(tables).map_err(|error| no_provider(&error, &project, &user))?;
        (self.project, self.user) = (project, user);
        Ok(self)
    }

    /// Returns the prices that hold: the folder's file outranks the user's own, which outranks the
    /// table of dset.
    pub(crate) fn prices(&self) -> Prices {
        let with_id = |name: &str| {
            let (provider, model) = name.split_once('/')?;
            let preset = self.providers.preset(provider).filter(|preset| preset.id != provider)?;
            Some(format!("{}/{model}", preset.id))
        };
        let files = [&self.project.prices, &self.user.prices].into_iter().enumerate();
        let own = files.flat_map(|(file, prices)| prices.iter().map(move |own| (file, own)));
        let own = own.map(|(file, own)| {
            let with_id = with_id(&own.name);
            OwnPrice { with_id, file, ..own.clone() }
        });
        Prices { own: own.collect(), ..Prices::default() }
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

    /// Reads what is the user's alone, and nothing of any folder.
    pub(crate) fn from_user_files() -> Result<Environment, UserError> {
        let real = Environment::process_variables();
        let environment = Environment { real, ..Environment::default() };
        let user = environment.user_path().map(|path| ConfigFile::read(&path)).transpose()?;
        environment.with_files(ConfigFile::default(), user.unwrap_or_default())
    }

    fn process_variables() -> HashMap<String, String> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Returns the user's own file of keys, whether it is there or not.
    pub(crate) fn keys_file(&self) -> Option<KeysFile> {
        Some(KeysFile::at(self.user_path()?.with_file_name("keys.toml")))
    }

    /// Tells whether `.env` in the folder says a variable.
    pub(crate) fn is_in_dot_env(&self, name: &str) -> bool {
        self.file.get(name).is_some_and(|value| !value.trim().is_empty())
    }

    /// Tells whether `.env` in the folder says another key under this name.
    pub(crate) fn has_another_in_dot_env(&self, name: &str, key: &SecretString) -> bool {
        self.is_in_dot_env(name) && self.file[name].trim() != key.expose_secret()
    }

    /// Tells whether `.env` in the folder holds anything that is to be kept from others.
    pub(crate) fn has_secrets_in_dot_env(&self) -> bool {
        let is_secret = |name: &String| {
            let name = name.to_uppercase();
            name != "DSET_KEY" && ["KEY", "TOKEN", "SECRET"].iter().any(|word| name.contains(word))
        };
        self.file.keys().any(is_secret)
    }

    /// Says where a variable is empty, if it is there.
    fn empty_in(&self, name: &str) -> Option<&'static str> {
        let places = [(&self.real, "the environment"), (&self.file, ".env")];
        places.into_iter().find(|(values, _)| values.contains_key(name)).map(|(_, place)| place)
    }

    /// Looks a variable up: the real environment outranks `.env`. An empty one is none.
    fn get(&self, name: &str) -> Option<(&str, Origin)> {
        let full = |value: &&String| !value.trim().is_empty();
        let real =
            self.real.get(name).filter(full).map(|value| (value.as_str(), Origin::Environment));
        let file = || self.file.get(name).filter(full).map(|v| (v.as_str(), Origin::DotEnv));
        real.or_else(file)
    }

    /// Returns what a variable of the process says; one that only the folder says is none.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_process(&self, name: &str) -> Option<&str> {
        self.real.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Returns the number by which a scheduler tells this process from others of one job, and the
    /// variable that holds it.
    pub(crate) fn place_in_job(&self) -> Option<(&'static str, &str)> {
        let named = |name| Some((name, self.real.get(name)?.trim()));
        SCHEDULER_VARIABLES.into_iter().find_map(named)
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
    fn variables(&self, wanted: Origin) -> Result<SettingsLayer, UserError> {
        let mut layer = SettingsLayer::default();
        for setting in Setting::all() {
            let name = setting.variable();
            let Some((value, _)) = self.get(&name).filter(|(_, origin)| *origin == wanted) else {
                continue;
            };
            let one = setting.read(value).map_err(|fault| fault.at("", &name, &ticked(value)))?;
            if layer.says_otherwise(&one) {
                let place = if wanted == Origin::DotEnv { " in .env" } else { "" };
                return Err(said_twice(&format!("DSET_SYSTEM and DSET_SYSTEM_FILE{place}")));
            }
            layer = layer.over(one);
        }
        Ok(layer)
    }

    /// Says where the value of a setting came from.
    pub(crate) fn place(&self, setting: &Setting, said: &MergedLayer) -> String {
        match said.origin(setting.id()) {
            Origin::Flag => "flag".to_owned(),
            Origin::Environment => setting.variable(),
            Origin::DotEnv => format!("{} in .env", setting.variable()),
            Origin::Project(line) => format!("{}:{line}", self.project.path.display()),
            Origin::User(line) => format!("{}:{line}", self.user.path.display()),
            Origin::Job => "job.json".to_owned(),
            Origin::Default | Origin::KeysFile => "default".to_owned(),
        }
    }

    /// Puts flags over the environment over `.env` over the folder's file over the user's.
    pub(crate) fn under(&self, flags: impl Into<SettingsLayer>) -> Result<MergedLayer, UserError> {
        self.under_with(flags, None)
    }

    /// Does the same, with what a job says over the files of settings.
    pub(crate) fn under_with(
        &self,
        flags: impl Into<SettingsLayer>,
        job: Option<Layer>,
    ) -> Result<MergedLayer, UserError> {
        let mut said = MergedLayer::default();
        let line = |file: &ConfigFile, id: &str| file.lines.get(id).copied().unwrap_or(1);
        said.over(flags.into(), |_| Origin::Flag);
        for origin in [Origin::Environment, Origin::DotEnv] {
            said.over(self.variables(origin)?, |_| origin);
        }
        if let Some(job) = job {
            said.over(job.into(), |_| Origin::Job);
        }
        let (project, user) = (&self.project, &self.user);
        said.over(project.settings.clone(), |id| Origin::Project(line(project, id)));
        said.over(user.settings.clone(), |id| Origin::User(line(user, id)));
        Ok(said)
    }
}

/// The error of one place that says in two ways what can be said in one.
pub(crate) fn said_twice(names: &str) -> UserError {
    UserError::new(Exit::Usage, format!("{names} say the same thing twice"))
        .hint("Keep one of them")
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
