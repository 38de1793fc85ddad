//! What a service tells for free: one GET, bounded in time and in bytes, with the key where it may
//! go and nowhere else.
//!
//! Redirects are not followed. What a reply means is decided elsewhere.

use std::time::{Duration, Instant};

use dset_core::provider::Preset;
use dset_core::settings::is_loopback;
use secrecy::SecretString;
use thiserror::Error;
use url::Url;

use crate::ask::{CONNECT_TIMEOUT, EndpointError, headers, plain, tls_in};
use crate::echo::Echo;
use crate::http::Client;

/// How long all of it may take: somebody waits for it at a terminal.
const TIMEOUT: Duration = Duration::from_secs(15);
/// More than any list of models; the longest known has some 2 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the service said.
#[derive(Debug)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The body, without the key.
    pub body: Vec<u8>,
    /// From the first packet to the last byte.
    pub took: Duration,
}

/// Why it said nothing.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The key cannot be sent, or there is no client.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Nobody knows the host.
    #[error("the name {host} is not known: {detail}")]
    Name {
        /// The host.
        host: String,
        /// What the system says.
        detail: String,
    },
    /// The proxy that the environment names cannot be used.
    #[error("through the proxy: {0}")]
    Proxy(String),
    /// No trust, or no TLS.
    #[error("{0}")]
    Tls(String),
    /// Nobody listens there, or no way leads there.
    #[error("{0}")]
    Connect(String),
    /// The connection broke, or what came is no HTTP.
    #[error("{0}")]
    Broken(String),
    /// Nothing whole came in time.
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Late,
    /// More than [`BODY_BYTES_MAX`].
    #[error("the reply is larger than {} MiB", BODY_BYTES_MAX >> 20)]
    TooLarge,
}

/// Asks this URL of a service once.
pub async fn get(
    preset: &Preset,
    url: &Url,
    key: Option<&SecretString>,
) -> Result<Told, ProbeError> {
    let headers = headers(preset, key)?;
    let client = Client::new(url, headers, CONNECT_TIMEOUT, !is_loopback(url))
        .map_err(|error| EndpointError::Client(error.to_string()))?;
    let began = Instant::now();
    let call = async {
        // Looked up on its own, because the client's errors do not tell a name from a connection.
        if !client.is_proxied() {
            look_up(url).await?;
        }
        call(&client).await
    };
    let (status, mut body) =
        tokio::time::timeout(TIMEOUT, call).await.map_err(|_| ProbeError::Late)??;
    Echo::of(key).leave_body(&mut body);
    Ok(Told { status, body, took: began.elapsed() })
}

async fn look_up(url: &Url) -> Result<(), ProbeError> {
    let (Some(url::Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default())
    else {
        return Ok(());
    };
    match tokio::net::lookup_host((host, port)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(ProbeError::Name { host: host.to_owned(), detail: plain(&error) }),
    }
}

async fn call(client: &Client) -> Result<(u16, Vec<u8>), ProbeError> {
    let mut response = client.get().await.map_err(|error| {
        let detail = plain(&error);
        match (error.is_connect(), tls_in(&error).is_some()) {
            (_, true) => ProbeError::Tls(detail),
            (true, false) if client.is_proxied() => ProbeError::Proxy(detail),
            (true, false) => ProbeError::Connect(detail),
            (false, false) => ProbeError::Broken(detail),
        }
    })?;
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok((response.status, body)),
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                return Err(ProbeError::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(ProbeError::Broken(plain(&*error))),
        }
    }
}
