//! One HTTP call: an ask becomes a reply, or the way it broke.
//!
//! One attempt a call; every retry is the machine's decision, so the library's own are off.
//! Redirects are not followed, because they would carry the key elsewhere.

use std::fmt;
use std::time::Duration;

use dset_core::answer::Reading;
use dset_core::ask::Ask;
use dset_core::key::RequestSettings;
use dset_core::provider::{Preset, RateLimits, Request, rate_limits, read, read_broken};
use dset_core::reply::{Broken, HttpReply, REPLY_BYTES_MAX, Reply};
use dset_core::settings::is_loopback;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::Url;

use crate::clock::unix_ms;
use crate::echo::Echo;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every ask of a run has in common.
pub struct Endpoint {
    client: reqwest::Client,
    preset: &'static Preset,
    settings: RequestSettings,
    url: Url,
    at_home: bool,
    echo: Echo,
    timeout: Duration,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the query, in which some services want it.
        f.debug_struct("Endpoint").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// Why nothing can be asked.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// The key has a character that no header may have.
    #[error("the key has characters that no key has; is there a line break in it?")]
    Key,
    /// The client cannot be made.
    #[error("cannot set up HTTP: {0}")]
    Client(String),
}

/// What came of an ask, read.
#[derive(Debug)]
pub struct Came {
    /// What it means.
    pub reading: Reading,
    /// What the headers say about limits, where they say anything.
    pub limits: Option<Box<RateLimits>>,
    /// The body as it came, of a failure that may have been paid for.
    pub body: Option<Vec<u8>>,
}

impl Endpoint {
    /// Sets up a client for this service. The key goes to this URL and nowhere else.
    pub fn new(
        preset: &'static Preset,
        base_url: &Url,
        settings: RequestSettings,
        key: Option<SecretString>,
        timeout: Duration,
    ) -> Result<Endpoint, EndpointError> {
        // Whoever has installed another provider before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("dset/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        if let Some(key) = &key {
            let value = format!("{}{}", preset.auth_prefix, key.expose_secret());
            let mut value = HeaderValue::from_str(&value).map_err(|_| EndpointError::Key)?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(preset.auth_header.as_bytes());
            headers.insert(name.map_err(|_| EndpointError::Key)?, value);
        }
        let mut client = reqwest::Client::builder()
            .default_headers(headers)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(usize::MAX)
            .tcp_nodelay(true);
        if is_loopback(base_url) {
            client = client.no_proxy();
            if base_url.scheme() == "http" {
                // Reading the certificates of this machine takes longer than all else at a start,
                // and neither a proxy nor a redirect can lead to where they are needed.
                client = client.tls_certs_only([]);
            }
        }
        let client = client.build().map_err(|error| EndpointError::Client(error.to_string()))?;
        let (url, at_home) = (preset.url(base_url), preset.is_at(base_url));
        let echo = Echo::of(key.as_ref());
        Ok(Endpoint { client, preset, settings, url, at_home, echo, timeout })
    }

    /// Asks once. Cancel-safe: dropped, the connection is closed and nothing else happens.
    ///
    /// Calls `begun` when the reply has begun with a good status and more of it is awaited.
    pub async fn ask(&self, ask: &Ask, begun: impl FnOnce()) -> Came {
        let request = Request { settings: &self.settings, prompt: &ask.question.prompt };
        let body = self.preset.request_body(&request, self.at_home);
        let reply = match tokio::time::timeout(self.timeout, self.call(body, begun)).await {
            Ok(reply) => reply,
            Err(_) => Err(Broken::TimedOut(self.timeout)),
        };
        match reply {
            Ok(mut reply) => {
                let limits = rate_limits(&reply.headers, unix_ms());
                let limits = (!limits.is_empty()).then(|| Box::new(limits));
                self.echo.leave(&mut reply);
                let mut reading = read(&reply);
                self.echo.leave_failure(&mut reading);
                let paid = (200..300).contains(&reply.status);
                let failed = matches!(reading, Reading::Failure(_));
                Came { reading, limits, body: (paid && failed).then_some(reply.body) }
            }
            Err(broken) => {
                Came { reading: Reading::Failure(read_broken(&broken)), limits: None, body: None }
            }
        }
    }

    async fn call(&self, body: Vec<u8>, begun: impl FnOnce()) -> Reply {
        // A connection that lay idle may hold a reply that nobody asked for, which would pass for
        // the answer to this. The client closes such a connection as soon as it sees the bytes;
        // this lets it see those that are here. Bytes that come later nothing in HTTP/1.1 can tell
        // from the answer.
        tokio::task::yield_now().await;
        let sent = self.client.post(self.url.clone()).body(body).send().await;
        let mut response = sent.map_err(|error| {
            let detail = plain(&error);
            if error.is_connect() { Broken::Connect(detail) } else { Broken::Reset(detail) }
        })?;
        let status = response.status().as_u16();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut body = Vec::new();
        let mut begun = Some(begun).filter(|_| (200..300).contains(&status));
        loop {
            let chunk = async {
                let mut chunk = std::pin::pin!(response.chunk());
                tokio::select! {
                    biased;
                    chunk = &mut chunk => return chunk,
                    // It is not here yet.
                    () = std::future::ready(()) => {
                        if let Some(begun) = begun.take() {
                            begun();
                        }
                    }
                }
                chunk.await
            };
            match chunk.await {
                Ok(Some(chunk)) if body.len() + chunk.len() > REPLY_BYTES_MAX => {
                    return Err(Broken::TooLarge);
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(HttpReply { status, headers, body }),
                Err(error) => return Err(Broken::Cut(plain(&error))),
            }
        }
    }
}

/// The innermost cause of a network error in plain words, without the URL.
fn plain(error: &reqwest::Error) -> String {
    let mut innermost = None;
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(tls) = of_tls(cause) {
            return plain_tls(tls);
        }
        innermost = Some(cause);
        source = cause.source();
    }
    match innermost {
        Some(cause) => {
            let words = cause.to_string();
            // The number of an error says nothing that its words do not.
            words.split(" (os error").next().unwrap_or_default().to_owned()
        }
        None if error.is_timeout() => "timed out".to_owned(),
        None => "the connection broke".to_owned(),
    }
}

/// Finds the error of TLS in the errors of I/O that it is wrapped in.
fn of_tls<'a>(mut cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    while let Some(error) = cause.downcast_ref::<std::io::Error>() {
        cause = error.get_ref()?;
    }
    cause.downcast_ref()
}

fn plain_tls(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    match error {
        InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "TLS: nobody whom this machine trusts has signed the certificate".to_owned()
        }
        InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "TLS: the certificate has expired, or the clock of this machine is wrong".to_owned()
        }
        InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            "TLS: the certificate is not valid yet, or the clock of this machine is wrong"
                .to_owned()
        }
        InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "TLS: the certificate is for another host".to_owned(),
        InvalidMessage(_) => "TLS: what answers there does not speak it".to_owned(),
        other => format!("TLS: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use dset_core::provider::preset;

    use super::*;

    #[test]
    fn no_debug_output_holds_the_key_so_that_no_panic_can_either() {
        let key = "sk-canary-0123456789";
        let new = |key: &str| {
            let url = Url::parse("https://api.example/v1?token=sk-canary-0123456789").unwrap();
            let settings = RequestSettings::default();
            let preset = preset("openai-compatible").unwrap();
            Endpoint::new(preset, &url, settings, Some(key.into()), CONNECT_TIMEOUT)
        };
        let shown = format!("{:#?}", new(key).unwrap());
        assert!(shown.contains("api.example") && !shown.contains("canary"), "{shown}");
        let error = new(&format!("{key}\n{key}")).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
}
