//! Where the key of a model is, and where it may go.

use dset_core::provider::{Preset, Providers};
use dset_core::settings::{Layer, Model, is_loopback, resolve_with_providers};
use secrecy::SecretString;
use url::Url;

use super::{Environment, MergedLayer, Origin};
use crate::config_file::PROJECT;
use crate::display::text::{quoted, service, written};
use crate::error::UserError;
use crate::exit::Exit;
use crate::keys_file::Stored;
use crate::same_command::same_command_with;

/// A key, and where it was found.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) secret: SecretString,
    pub(crate) origin: Origin,
}

impl Key {
    /// Says where it was found, as the end of "from …".
    pub(crate) fn place(&self) -> &'static str {
        match self.origin {
            Origin::DotEnv => ".env",
            Origin::KeysFile => "your keys file",
            _ => "the environment",
        }
    }
}

impl Environment {
    /// Returns the key that these settings name, if it is there and may go where they say.
    pub(crate) fn key(&self, model: &Model, said: &MergedLayer) -> Result<Option<Key>, UserError> {
        let (Some(name), Some(key)) = (&model.key_variable, self.find_key(model, said)?) else {
            return Ok(None);
        };
        if let Some(url) = self.only_of_the_folder(model, said)
            && !key.origin.is_from_folder()
        {
            let words = (&*format!("the key {name}"), &*format!("from {}", key.place()));
            return Err(self.refused_host(model, said, url, words));
        }
        Ok(Some(key))
    }

    /// Fails where a key that a program was given must not go to where these settings ask.
    pub(crate) fn check_given_key(
        &self,
        model: &Model,
        said: &MergedLayer,
    ) -> Result<(), UserError> {
        match self.only_of_the_folder(model, said) {
            Some(url) => Err(self.refused_host(model, said, url, ("the key", "the caller's"))),
            None => Ok(()),
        }
    }

    /// Explains that whoever wrote a downloaded folder must not get the keys of whoever runs it.
    fn refused_host(
        &self,
        model: &Model,
        said: &MergedLayer,
        url: &Url,
        (key, whose): (&str, &str),
    ) -> UserError {
        let file = match said.origin("base_url") {
            Origin::DotEnv => ".env",
            Origin::Job => "job.json",
            _ => PROJECT,
        };
        // Of a host that is the service's own it is the protocol or the port that is not.
        let is_at_home = !self.strangers.contains(&model.preset.id);
        let host = match is_at_home && model.preset.is_official_host(url) {
            true => url.origin().ascii_serialization(),
            false => url.host_str().unwrap_or_default().to_owned(),
        };
        UserError::new(
            Exit::Usage,
            format!("{key} would be sent to {host}, which only {file} names"),
        )
        .cause(format!("the key is {whose}, the base URL from {file} in this folder"))
        .hint(format!(
            "If that is meant, say so: `{} --base-url {}`",
            same_command_with("base_url"),
            written(url.as_str())
        ))
    }

    /// Tells whether a key of the user's may be sent to every place where this model is asked.
    pub(crate) fn may_send(&self, model: &Model, said: &MergedLayer) -> bool {
        self.only_of_the_folder(model, said).is_none()
    }

    /// Finds a place that nobody but the folder names.
    fn only_of_the_folder<'a>(&self, model: &'a Model, said: &MergedLayer) -> Option<&'a Url> {
        let stranger = self.strangers.contains(&model.preset.id);
        let of_the_folder = match said.origin("base_url") {
            Origin::Default => stranger,
            origin => origin.is_from_folder(),
        };
        let is_safe =
            |url: &&Url| is_loopback(url) || !stranger && model.preset.is_official_origin(url);
        model.base_urls.iter().find(|url| of_the_folder && !is_safe(url))
    }

    /// Looks for a key in the environment, then in `.env`, then in the user's file of keys; whether
    /// it may be sent is another question.
    pub(crate) fn find_key(
        &self,
        model: &Model,
        said: &MergedLayer,
    ) -> Result<Option<Key>, UserError> {
        let Some(name) = &model.key_variable else { return Ok(None) };
        // Kept for one service, a key goes to another only where the user names it, not a folder.
        let origin = said.origin("key");
        let is_named = origin != Origin::Default && !origin.is_from_folder();
        self.find(name, |stored| is_named || stored.provider == model.preset.id)
    }

    /// Looks for the usual key of a service.
    pub(crate) fn usual_key(&self, preset: &Preset) -> Result<Option<Key>, UserError> {
        match preset.key_env.first() {
            Some(name) => self.find(name, |stored| stored.provider == preset.id),
            None => Ok(None),
        }
    }

    /// Tells whether `dset keys set` takes the key that this model wants. It hears no folder: a
    /// service that only a folder describes has its key in that folder.
    pub(crate) fn may_keep(&self, model: &Model) -> bool {
        let own = self.user.providers.iter().map(|(id, own)| (id.clone(), own.table.clone()));
        let Ok(providers) = Providers::from_tables(own) else { return false };
        providers.preset(&model.preset.id).is_some_and(|preset| {
            preset.may_have_key() && model.key_variable.as_deref() == Some(preset.key_variable())
        })
    }

    /// Returns the error of a key that is not there.
    pub(crate) fn no_key(&self, model: &Model) -> UserError {
        let name = model.key_variable.as_deref().unwrap_or_default();
        let preset = &model.preset;
        let cause = match self.empty_in(name) {
            Some(place) => format!("{name} is empty in {place}"),
            None => format!(
                "{name} is neither in the environment, nor in .env here, nor in your keys file"
            ),
        };
        let error =
            UserError::new(Exit::Key, format!("no API key for {}", service(model))).cause(cause);
        let error = match self.may_keep(model) {
            true => error.hint(format!(
                "Keep one for all folders with `dset keys set {}`, for this one {}",
                preset.id,
                self.way_for_this_folder(model, name)
            )),
            false => error.hint(format!("Put `{name}=…` into .env")),
        };
        let error = match preset.key_page.as_str() {
            "" => error,
            _ if !model.uses_official_hosts() => error,
            page => error.hint(format!("Get one at {page}")),
        };
        error.hint("A service without keys takes `--key none`; `dset demo` works without any")
    }

    /// Says how this folder gets a key: `dset init` asks for that of the model it is told, and tries it
    /// at the service's own hosts alone.
    fn way_for_this_folder(&self, model: &Model, name: &str) -> String {
        if !model.uses_official_hosts() {
            return format!("put `{name}=…` into .env");
        }
        let usual = self.under(Layer::default()).ok().and_then(|said| {
            resolve_with_providers(said.layer, None, &self.providers).ok().map(|now| now.spec)
        });
        match usual.is_some_and(|usual| usual.model().preset.id == model.preset.id) {
            true => "with `dset init`".to_owned(),
            false => {
                let named = format!("{}/{}", model.preset.id, model.request.model);
                format!("with `dset init -m {}`", quoted(&named))
            }
        }
    }

    fn find(
        &self,
        name: &str,
        is_meant: impl Fn(&Stored) -> bool,
    ) -> Result<Option<Key>, UserError> {
        if let Some((text, origin)) = self.get(name) {
            return Ok(Some(Key { secret: SecretString::from(text.trim()), origin }));
        }
        let Some(file) = self.keys_file() else { return Ok(None) };
        let is_meant = |stored: &Stored| stored.variable == name && is_meant(stored);
        let stored = file.read()?.into_iter().find(is_meant);
        Ok(stored.map(|stored| Key { secret: stored.key, origin: Origin::KeysFile }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret as _;

    use super::super::tests::environment;
    use super::*;
    use crate::config_file::ConfigFile;

    fn found(environment: &Environment, flags: Layer) -> Result<Option<Key>, UserError> {
        let said = environment.under(flags).unwrap();
        let layer = said.layer.clone();
        let now = resolve_with_providers(layer, None, &environment.providers).unwrap();
        environment.key(now.spec.model(), &said)
    }

    /// A home with these keys, each of a provider, in a variable.
    fn home(keys: &[(&str, &str)]) -> (tempfile::TempDir, String) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        let environment = environment(&[("XDG_CONFIG_HOME", &path), ("APPDATA", &path)], &[]);
        for (provider, variable) in keys {
            let key = SecretString::from(format!("sk-of-{provider}"));
            environment.keys_file().unwrap().set(provider, variable, &key).unwrap();
        }
        (home, path)
    }

    #[test]
    fn the_environment_outranks_dot_env_which_outranks_the_keys_file() {
        let (_home, home) = home(&[("deepseek", "DEEPSEEK_API_KEY")]);
        let home = [("XDG_CONFIG_HOME", &*home), ("APPDATA", &*home)];
        let real = [home[0], home[1], ("DEEPSEEK_API_KEY", "sk-real")];
        let file = [("DEEPSEEK_API_KEY", "sk-file")];
        for (environment, key, origin) in [
            (environment(&real, &file), "sk-real", Origin::Environment),
            (environment(&home, &file), "sk-file", Origin::DotEnv),
            (environment(&home, &[]), "sk-of-deepseek", Origin::KeysFile),
        ] {
            let found = found(&environment, Layer::default()).unwrap().unwrap();
            assert_eq!((found.secret.expose_secret(), found.origin), (key, origin));
        }
    }

    #[test]
    fn a_stored_key_goes_to_its_own_service_or_where_the_user_says() {
        let (_home, home) = home(&[("deepseek", "DEEPSEEK_API_KEY"), ("openai", "OPENAI_API_KEY")]);
        let home = [("XDG_CONFIG_HOME", &*home), ("APPDATA", &*home)];
        let file = |text: &str| ConfigFile::parse(Path::new("dset.toml"), text).unwrap();
        let within = |project: &str, dot_env: &[(&str, &str)]| {
            environment(&home, dot_env).with_files(file(project), ConfigFile::default()).unwrap()
        };
        let flags = |words: &[(&str, &str)]| {
            let mut layer = Layer::default();
            for (name, word) in words {
                let setting = crate::setting::Setting::named(name).unwrap();
                layer = layer.over(setting.read(word).unwrap().layer);
            }
            layer
        };
        let key = |environment: &Environment, words: &[(&str, &str)]| {
            let found = found(environment, flags(words));
            found.map(|key| key.map(|key| key.secret.expose_secret().to_owned()))
        };
        let plain = within("", &[]);
        let is = |key: &str| Some(key.to_owned());
        assert_eq!(key(&plain, &[]).unwrap(), is("sk-of-deepseek"));
        assert_eq!(key(&plain, &[("model", "gpt-6-luna")]).unwrap(), is("sk-of-openai"));
        // The user names the host.
        let mine = ("base-url", "https://mine.example/v1");
        assert_eq!(
            key(&plain, &[mine, ("model", "deepseek-flash")]).unwrap(),
            is("sk-of-deepseek")
        );
        // Any server's usual variable is DeepSeek's, and that key was not kept for any server.
        let other = ("model", "some-model");
        assert_eq!(key(&plain, &[mine, other]).unwrap(), None);
        let named = ("key", "DEEPSEEK_API_KEY");
        assert_eq!(key(&plain, &[mine, other, named]).unwrap(), is("sk-of-deepseek"));
        // A folder names a host, in every way that it can.
        let url = "base-url = 'https://evil.example/v1'\n";
        let known = format!("[provider.deepseek]\n{url}");
        let hosts = format!("{url}[provider.deepseek]\nhosts = ['evil.example']\n");
        for trap in [url, &known, &hosts] {
            let error = key(&within(trap, &[]), &[]).unwrap_err();
            assert!(error.message.contains("evil.example, which only dset.toml names"), "{trap}");
            assert!(error.cause.unwrap().contains("from your keys file"), "{trap}");
        }
        let dot_env = [("DSET_BASE_URL", "https://evil.example/v1")];
        assert!(key(&within("", &dot_env), &[]).is_err());
        // A folder names the key of one service for another, which it describes or which is known.
        let own = format!("model = 'evil/m'\n[provider.evil]\nkey-env = 'OPENAI_API_KEY'\n{url}");
        let known = "key = 'OPENAI_API_KEY'\n";
        let moved = "[provider.deepseek]\nkey-env = 'OPENAI_API_KEY'\n";
        for trap in [&own, known, moved] {
            assert_eq!(key(&within(trap, &[]), &[]).unwrap(), None, "{trap}");
        }
        assert_eq!(key(&within("", &[("DSET_KEY", "OPENAI_API_KEY")]), &[]).unwrap(), None);
    }

    #[test]
    fn a_key_is_to_be_kept_where_it_would_be_found() {
        let file = |text: &str| ConfigFile::parse(Path::new("dset.toml"), text).unwrap();
        let mine = "[provider.mine]\nkey-env = 'MINE_KEY'\nbase-url = 'https://my.example'\n";
        let stolen =
            "[provider.mine]\nkey-env = 'OPENAI_API_KEY'\nbase-url = 'https://my.example'\n";
        for (project, user, model, hint) in [
            ("", "", "deepseek-flash", "`dset keys set deepseek`"),
            (mine, "", "mine/m", "Put `MINE_KEY=…` into .env"),
            ("", mine, "mine/m", "`dset keys set mine`"),
            (stolen, mine, "mine/m", "Put `OPENAI_API_KEY=…` into .env"),
            ("key = 'OTHER_KEY'\n", "", "deepseek-flash", "Put `OTHER_KEY=…` into .env"),
        ] {
            let environment = environment(&[], &[]).with_files(file(project), file(user)).unwrap();
            let flags = Layer { model: Some(vec![model.to_owned()]), ..Layer::default() };
            let layer = environment.under(flags).unwrap().layer;
            let now = resolve_with_providers(layer, None, &environment.providers).unwrap();
            let error = environment.no_key(now.spec.model());
            assert!(error.hints[0].contains(hint), "{project}: {error:?}");
        }
    }

    #[test]
    fn init_is_told_the_model_whose_key_it_would_not_ask_for_by_itself() {
        let environment = environment(&[], &[]);
        for (model, url, way) in [
            ("deepseek-pro", None, "for this one with `dset init`"),
            ("anthropic/claude-x", None, "for this one with `dset init -m anthropic/claude-x`"),
            (
                "deepseek-flash",
                Some("https://x.example"),
                "for this one put `DEEPSEEK_API_KEY=…` into .env",
            ),
        ] {
            let base_url = url.map(|url| vec![url.to_owned()]);
            let layer = Layer { model: Some(vec![model.to_owned()]), base_url, ..Layer::default() };
            let spec = resolve_with_providers(layer, None, &environment.providers).unwrap().spec;
            let error = environment.no_key(spec.model());
            assert!(error.hints[0].ends_with(way), "{:?}", error.hints);
        }
    }

    #[test]
    fn a_base_url_out_of_a_downloaded_folder_collects_no_keys() {
        let real = [("DEEPSEEK_API_KEY", "sk-secret")];
        let key = |environment: &Environment| found(environment, Layer::default());
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
            found(&environment, Layer::default())
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
        for (way, is_safe) in [
            ("https://api.deepseek.com/beta", true),
            ("http://api.deepseek.com", false),
            ("https://api.deepseek.com:8443", false),
        ] {
            let project = || file(&format!("base-url = '{way}'\n"));
            assert_eq!(key(project(), none(), &[]).is_ok(), is_safe, "{way}");
            assert!(key(none(), project(), &[]).unwrap().is_some(), "{way}");
        }
        let going_on = format!("last = 'continue'\n[provider.deepseek]\ncontinuing-{url}");
        assert!(key(file(&going_on), none(), &[]).is_err());
        assert!(key(none(), file(&going_on), &[]).unwrap().is_some());
        // The folder moves a service that the user's own file describes.
        let mine = file("[provider.mine]\nkey-env = 'MINE_KEY'\nbase-url = 'https://my.example'\n");
        let moved = format!("model = 'mine/m'\n[provider.mine]\n{url}");
        assert!(key(file(&moved), mine.clone(), &[]).is_err());
        let chosen = file("model = 'mine/m'\n[provider.mine]\nmodels = ['m']\n");
        assert!(key(chosen, mine, &[]).unwrap().is_some());
    }
}
