//! What to do where a service refuses the settings, or is not where it is asked.

use dset_core::answer::{Cause, Failure};
use dset_core::provider::Preset;
use dset_core::settings::{JobSpec, Model, endpoint, is_loopback};
use url::Url;

use super::text::quoted;

/// What an address that is wrong, or may be, was probably meant to be.
pub(crate) fn of_address(settings: &JobSpec, failure: &Failure, unmarked: &str) -> Vec<String> {
    let (model, base_url) = place(settings, failure);
    let mut hints = address(&model.preset, base_url, failure);
    if let Some(last) = hints.last_mut() {
        last.push_str(&format!("; {unmarked}"));
    }
    hints
}

/// The same of one place that was asked.
pub(crate) fn address(preset: &Preset, base_url: &Url, failure: &Failure) -> Vec<String> {
    let mut hints = Vec::new();
    let cause = failure.cause;
    let is_on_the_way =
        matches!(cause, Cause::ProxyLogin | Cause::ProxyRefused | Cause::NetworkLogin);
    let meant = preset.suggested_base_url(base_url, failure).filter(|_| !is_on_the_way);
    if let Some(meant) = meant {
        let meant = quoted(meant.as_str().trim_end_matches('/'));
        hints.push(match cause {
            Cause::Redirect => format!(
                "It has moved, and nothing is sent after a redirect: name the place itself with \
                 `--base-url {meant}`"
            ),
            _ => format!("Did you mean `--base-url {meant}`?"),
        });
    }
    hints.push(match cause {
        Cause::ProxyLogin => {
            "Look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY: `http://USER:PASSWORD@HOST:PORT`".into()
        }
        Cause::ProxyRefused => of_proxy(base_url),
        Cause::NetworkLogin => "Log in to the network with a browser first".into(),
        _ => format!(
            "Look at the base URL: `{}` is asked below it; `dset config show --origin` tells where \
             it is from",
            preset.path
        ),
    });
    hints
}

/// What may be wrong where a connection cannot be made, or breaks before a reply.
pub(crate) fn of_connection(settings: &JobSpec, failure: &Failure) -> Option<String> {
    let (model, base_url) = place(settings, failure);
    let url = model.preset.shown_url(base_url);
    match (failure.cause, failure.message.to_lowercase()) {
        (Cause::ConnectionFailed, message) if message.contains("handshake eof") => {
            Some(format!("Does {url} speak TLS? If not, it is asked with `http://`"))
        }
        (Cause::ConnectionLost, _) if base_url.scheme() == "http" => {
            Some(format!("Does {url} want TLS? If so, it is asked with `https://`"))
        }
        (Cause::ConnectionFailed, message) if message.contains("the proxy ") => {
            Some(of_proxy(base_url))
        }
        (Cause::ProxyRefused | Cause::ProxyLogin, _) => Some(of_proxy(base_url)),
        (Cause::ConnectionFailed, _) if base_url.port().is_none() && is_loopback(base_url) => {
            Some(format!("Look whether it runs at {url}: that names no port"))
        }
        (Cause::ConnectionFailed, _) => Some(format!("Look whether it runs at {url}")),
        _ => None,
    }
}

fn of_proxy(base_url: &Url) -> String {
    let host = base_url.host_str().unwrap_or_default();
    format!(
        "Look at HTTPS_PROXY and ALL_PROXY, and whether that proxy leads to {host}; NO_PROXY={host} asks \
         without it"
    )
}

/// What the setting is called that a service does not take.
pub(crate) fn of_settings(settings: &JobSpec, failure: &Failure) -> Option<String> {
    let (model, base_url) = place(settings, failure);
    parameter(model, base_url, failure)
}

/// The same of one place that was asked.
pub(crate) fn parameter(model: &Model, base_url: &Url, failure: &Failure) -> Option<String> {
    let message = failure.message.to_lowercase();
    let field = &model.preset.max_tokens_field;
    let other = match field.as_str() {
        "max_tokens" => "max_completion_tokens",
        _ => "max_tokens",
    };
    let is_about = |word: &str| message.contains(word);
    let is_unknown =
        ["unsupported", "not supported", "unrecognized", "unknown", "extra", "not permitted"]
            .iter()
            .any(|word| is_about(word));
    if model.request.max_tokens.is_some() && is_about(field) && is_unknown {
        let id = &model.preset.id;
        let name = &model.request.model;
        return Some(match model.preset.hosts.is_empty() && model.preset.base_url.is_empty() {
            true => format!(
                "Put `[provider.mine]` into dset.toml, with `base-url = \"{}\"` and \
                 `max-tokens-field = \"{other}\"`, and ask with `-m {}`",
                endpoint(base_url),
                quoted(&format!("mine/{name}"))
            ),
            false => format!(
                "Put `[provider.{id}]` into dset.toml, with `max-tokens-field = \"{other}\"`"
            ),
        });
    }
    if model.asked_for().is_some() && is_about("response_format") {
        let id = &model.preset.id;
        let forms =
            "`structured = \"json-object\"`, or `\"prompt\"` where it takes no form of JSON";
        return Some(match model.preset.hosts.is_empty() && model.preset.base_url.is_empty() {
            true => format!(
                "It takes no JSON Schema: put `[provider.mine]` into dset.toml, with `base-url = \"{}\"` \
                 and {forms}, and ask with `-m {}`",
                endpoint(base_url),
                quoted(&format!("mine/{}", model.request.model))
            ),
            false => format!(
                "It takes no JSON Schema: put `[provider.{id}]` into dset.toml, with {forms}"
            ),
        });
    }
    let leave_out = [
        ("temperature", model.request.temperature.is_some(), "Leave out `--temperature`"),
        ("stream_options", model.stream, "Ask without streams: `--stream off`"),
    ];
    let named = leave_out.into_iter().find(|(word, is_set, _)| *is_set && is_about(word));
    named.map(|(_, _, hint)| hint.to_owned())
}

/// The place that a failure came from, if it names one; the first otherwise.
fn place<'a>(settings: &'a JobSpec, failure: &Failure) -> (&'a Model, &'a Url) {
    let places = settings
        .models
        .iter()
        .flat_map(|model| model.base_urls.iter().map(move |base_url| (model, base_url)));
    let mut named = places.filter(|(model, base_url)| {
        failure.message.starts_with(&format!("{}: ", model.preset.shown_url(base_url)))
    });
    named.next().unwrap_or((settings.model(), settings.model().base_url()))
}
