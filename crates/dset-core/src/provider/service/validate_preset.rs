//! From a table to a service that can be asked.

use thiserror::Error;
use url::Url;

use super::preset::{Dialect, Preset};

/// What is wrong with a table that describes a service.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("provider `{id}`: {field} {detail}")]
pub struct PresetError {
    /// The id of the service that the preset is for.
    pub id: String,
    /// The field as it is written in the table.
    pub field: &'static str,
    /// What is wrong, as the end of a sentence.
    pub detail: String,
}

impl Preset {
    /// Gives a table its name and fills in what follows from the dialect and the base URL.
    ///
    /// Fails where no request could be made of it: a name with a slash, a base URL that is none, a
    /// path without a slash, a header that none can be.
    pub fn named(mut self, id: &str) -> Result<Preset, PresetError> {
        let fill = |field: &mut String, default: &str| {
            if field.is_empty() {
                default.clone_into(field);
            }
        };
        id.clone_into(&mut self.id);
        let (path, header, prefix) = match self.dialect {
            Dialect::Chat => ("/chat/completions", "authorization", "Bearer "),
            Dialect::Anthropic => ("/v1/messages", "x-api-key", ""),
        };
        fill(&mut self.name, id);
        fill(&mut self.path, path);
        if self.auth_header.is_empty() {
            header.clone_into(&mut self.auth_header);
            fill(&mut self.auth_prefix, prefix);
        }
        fill(&mut self.max_tokens_field, "max_tokens");
        if self.hosts.is_empty()
            && let Ok(url) = Url::parse(&self.base_url)
            && !crate::settings::is_loopback(&url)
        {
            self.hosts.extend(url.host_str().map(str::to_owned));
        }
        match self.fault() {
            Some((field, detail)) => Err(PresetError { id: self.id, field, detail }),
            None => Ok(self),
        }
    }

    fn fault(&self) -> Option<(&'static str, String)> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let is_header = |name: &str| {
            let may = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            !name.is_empty() && name.chars().all(may)
        };
        let headers = self.headers.keys().map(String::as_str);
        let bad_header = headers.chain([self.auth_header.as_str()]).find(|name| !is_header(name));
        let bad_value =
            self.headers.values().find(|value| !value.chars().all(|c| (' '..='~').contains(&c)));
        if self.id.is_empty() || !self.id.chars().all(is_name) {
            return Some(("name", "may have small letters, digits, `-`, `_` and `.`".into()));
        }
        if !self.base_url.is_empty() {
            match Url::parse(&self.base_url) {
                Err(error) => return Some(("base-url", format!("is not a URL: {error}"))),
                Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
                    return Some(("base-url", "must begin with http:// or https://".into()));
                }
                Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                    return Some(("base-url", "must not hold a user name or a password".into()));
                }
                Ok(_) => {}
            }
        }
        if !self.path.starts_with('/') {
            return Some(("path", "must begin with `/`".into()));
        }
        if let Some(name) = bad_header {
            return Some(("headers", format!("has a name that no header has: `{name}`")));
        }
        if bad_value.is_some() {
            return Some(("headers", "has a value with signs that no header may have".into()));
        }
        if self.headers.contains_key(&self.auth_header) {
            return Some(("headers", "must not hold the key: `key-env` names its variable".into()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: &str) -> Result<Preset, String> {
        let table: Preset = serde_json::from_str(json).map_err(|error| error.to_string())?;
        table.named("mine").map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_of_the_users_own_needs_a_base_url_and_gets_the_rest() {
        let mine = table(r#"{"base-url": "https://llm.example/v1", "key-env": ["MINE"]}"#).unwrap();
        assert_eq!((&*mine.id, &*mine.name, &*mine.path), ("mine", "mine", "/chat/completions"));
        assert_eq!((&*mine.auth_header, &*mine.auth_prefix), ("authorization", "Bearer "));
        assert_eq!(
            (mine.hosts, mine.key_env),
            (vec!["llm.example".into()], vec!["MINE".to_owned()])
        );
        let json = r#"{"base-url": "http://localhost:1", "dialect": "anthropic",
            "headers": {"anthropic-version": "2023-06-01"}, "reasoning-switch": "adaptive"}"#;
        let mine = table(json).unwrap();
        assert_eq!(
            (&*mine.path, &*mine.auth_header, &*mine.auth_prefix),
            ("/v1/messages", "x-api-key", "")
        );
        assert!(mine.hosts.is_empty(), "a server on this machine is nobody's own host");
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said_with_the_field() {
        for (json, said) in [
            (r#"{"base_url": "x"}"#, "unknown field `base_url`"),
            (r#"{"dialect": "gemini"}"#, "unknown variant `gemini`"),
            (r#"{"base-url": "llm.example"}"#, "provider `mine`: base-url is not a URL"),
            (r#"{"base-url": "ftp://x"}"#, "base-url must begin with http"),
            (r#"{"base-url": "http://me:secret@h"}"#, "base-url must not hold"),
            (r#"{"path": "chat"}"#, "path must begin with `/`"),
            (r#"{"headers": {"X Y": "1"}}"#, "headers has a name that no header has: `X Y`"),
            (r#"{"headers": {"x": "a\nb"}}"#, "headers has a value"),
            (r#"{"auth-header": "Api Key"}"#, "`Api Key`"),
            (r#"{"auth-header": "x-k", "headers": {"x-k": "secret"}}"#, "must not hold the key"),
        ] {
            let error = table(json).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{json}: {error}");
        }
        let named = Preset::default().named("a/b").unwrap_err();
        assert!(named.to_string().starts_with("provider `a/b`: name may have"));
    }
}
