//! What a wrong address was probably meant to be.

use url::Url;

use crate::answer::{Cause, Failure, FailureClass, Refusal};
use crate::provider::failure::error::SENDS_TO;
use crate::provider::{Dialect, Preset};
use crate::settings::endpoint;

/// Paths of APIs that people copy into a base URL, the longest first.
const TAILS: [&str; 10] = [
    "/chat/completions",
    "/completions",
    "/completion",
    "/messages",
    "/responses",
    "/embeddings",
    "/generate",
    "/models",
    "/chat",
    "/docs",
];

/// Returns true if a failure is about where was asked, and not about what.
#[must_use]
pub fn is_address_failure(failure: &Failure) -> bool {
    failure.class == FailureClass::Refused(Refusal::Address) || failure.cause == Cause::Redirect
}

impl Preset {
    /// Returns the URL that is asked below a base URL as it may be written down: without a password
    /// and a query, which can be secret.
    #[must_use]
    pub fn shown_url(&self, base_url: &Url) -> String {
        let mut url = self.url(base_url);
        let _ = (url.set_username(""), url.set_password(None));
        endpoint(&url)
    }

    /// Returns the base URL that was probably meant where this failure came from another.
    #[must_use]
    pub fn suggested_base_url(&self, base_url: &Url, failure: &Failure) -> Option<Url> {
        let mut meant = base_url.clone();
        meant.set_query(None);
        if failure.cause == Cause::Redirect {
            return self.moved_to(base_url, failure);
        }
        if matches!(failure.cause, Cause::WrongProtocol | Cause::NotHttp) {
            // TLS was spoken before that was seen.
            if (base_url.scheme(), failure.cause) == ("https", Cause::NotHttp) {
                return None;
            }
            let other = if base_url.scheme() == "https" { "http" } else { "https" };
            return meant.set_scheme(other).is_ok().then_some(meant);
        }
        let asked = self.url(base_url);
        let is_other =
            |own: &Url| own.host() == base_url.host() && self.url(own).path() != asked.path();
        let own = Url::parse(&self.base_url).ok().filter(is_other);
        meant = own.unwrap_or_else(|| {
            let path = self.likely_path(base_url.path());
            meant.set_path(&path);
            meant
        });
        (self.url(&meant).path() != asked.path()).then_some(meant)
    }

    /// Where a redirect points to, if that is where the API may be now.
    fn moved_to(&self, base_url: &Url, failure: &Failure) -> Option<Url> {
        let at = failure.message.find(SENDS_TO)? + SENDS_TO.len();
        // What the body says may stand behind it.
        let place = failure.message[at..].split(": ").next().unwrap_or_default();
        let mut moved = self.url(base_url).join(place).ok()?;
        let path = moved.path().trim_end_matches('/').strip_suffix(self.path.as_str())?.to_owned();
        moved.set_path(&path);
        (moved != *base_url).then_some(moved)
    }

    fn likely_path(&self, path: &str) -> String {
        let mut path = path.trim_end_matches('/');
        while let Some(rest) = TAILS.iter().find_map(|tail| path.strip_suffix(tail)) {
            path = rest.trim_end_matches('/');
        }
        if let Some(rest) = path.strip_suffix("/v1/v1") {
            return format!("{rest}/v1");
        }
        let is_versioned = path.split('/').any(|part| {
            let number = part.strip_prefix('v').unwrap_or_default();
            number.starts_with(|c: char| c.is_ascii_digit())
        });
        match self.dialect {
            // Ollama's own API, beside which there is this one.
            Dialect::Chat if path == "/api" => "/v1".to_owned(),
            Dialect::Chat if !is_versioned => format!("{path}/v1"),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::preset;

    fn failure(cause: Cause, message: &str) -> Failure {
        Failure {
            class: FailureClass::Refused(Refusal::Address),
            cause,
            status: Some(404),
            message: message.to_owned(),
            wait: None,
            request_id: None,
            partial: None,
        }
    }

    #[test]
    fn the_address_that_was_meant_is_told() {
        let any = "openai-compatible";
        for (id, base, cause, message, meant) in [
            (any, "http://h:8000", Cause::WrongAddress, "", Some("http://h:8000/v1")),
            (any, "http://h:8000/", Cause::PageForPeople, "", Some("http://h:8000/v1")),
            (any, "http://h/v1/v1", Cause::WrongAddress, "", Some("http://h/v1")),
            (any, "http://h/v1/chat", Cause::WrongAddress, "", Some("http://h/v1")),
            (any, "http://h/v1/completions/", Cause::WrongAddress, "", Some("http://h/v1")),
            (any, "http://h/v1/models", Cause::WrongAddress, "", Some("http://h/v1")),
            (any, "http://h/v1/responses", Cause::WrongAddress, "", Some("http://h/v1")),
            (any, "http://h:11434/api", Cause::WrongAddress, "", Some("http://h:11434/v1")),
            (any, "http://h:11434/api/chat", Cause::WrongAddress, "", Some("http://h:11434/v1")),
            (any, "http://h/x", Cause::WrongAddress, "", Some("http://h/x/v1")),
            (any, "http://h/chat/completions", Cause::WrongAddress, "", Some("http://h/v1")),
            (any, "http://h/v1", Cause::WrongAddress, "", None),
            (any, "http://h//v1/", Cause::WrongAddress, "", None),
            (any, "http://h/openai/v1beta", Cause::WrongAddress, "", None),
            (
                "openrouter",
                "https://openrouter.ai/v1",
                Cause::WrongAddress,
                "",
                Some("https://openrouter.ai/api/v1"),
            ),
            (
                "openai",
                "https://api.openai.com",
                Cause::WrongAddress,
                "",
                Some("https://api.openai.com/v1"),
            ),
            (any, "http://h/v1", Cause::WrongProtocol, "", Some("https://h/v1")),
            (any, "http://h/v1", Cause::NotHttp, "", Some("https://h/v1")),
            (any, "https://h/v1", Cause::NotHttp, "", None),
            (any, "https://h:8000/v1", Cause::WrongProtocol, "", Some("http://h:8000/v1")),
            (
                any,
                "http://h/v1",
                Cause::Redirect,
                "http://h/v1/chat/completions: sends to https://h/v1/chat/completions",
                Some("https://h/v1"),
            ),
            (
                any,
                "http://h/v1",
                Cause::Redirect,
                "sends to /v2/chat/completions",
                Some("http://h/v2"),
            ),
            (
                any,
                "http://h/v1",
                Cause::Redirect,
                "sends to https://g/v1/chat/completions/: Moved",
                Some("https://g/v1"),
            ),
            (any, "http://h/v1", Cause::Redirect, "sends to https://h/login", None),
        ] {
            let preset = preset(id).unwrap();
            let read =
                preset.suggested_base_url(&Url::parse(base).unwrap(), &failure(cause, message));
            assert_eq!(read.as_ref().map(Url::as_str), meant, "{base} {cause} {message}");
        }
    }

    #[test]
    fn no_password_and_no_query_is_shown() {
        let base = Url::parse("https://me:secret@h/v1?key=secret").unwrap();
        let shown = preset("openai-compatible").unwrap().shown_url(&base);
        assert_eq!(shown, "https://h/v1/chat/completions");
    }
}
