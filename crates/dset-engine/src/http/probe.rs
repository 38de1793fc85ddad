//! What a service tells for free: one GET, bounded in time and in bytes, with the key where it may
//! go and nowhere else. And whether it answers: one question of one token, which is not kept.
//!
//! Redirects are not followed. What a reply means is decided elsewhere.

use std::time::{Duration, Instant};

use dset_core::answer::ParsedReply;
use dset_core::item::question::{Key, Question, QuestionId};
use dset_core::provider::Preset;
use dset_core::run::ask::{Ask, AskId};
use dset_core::settings::is_loopback;
use hyper::header::LOCATION;
use secrecy::SecretString;
use thiserror::Error;
use url::Url;

use crate::http::ask::{CONNECT_TIMEOUT, Endpoint, EndpointError, EndpointSettings, headers};
use crate::http::client::Client;
use crate::http::describe_error::{describe_error, find_tls_error, is_not_http};
use crate::http::redact::KeyRedactor;

/// How long all of it may take: the user waits for it at a terminal.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a question may take: a local server may have to load its model first.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The question of a probe, as short as an answer to it is.
const QUESTION: &str = "Say OK.";
/// More than any list of models; the longest known has some 2 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the service said.
#[derive(Debug)]
pub struct ProbeReply {
    /// The HTTP status code.
    pub status: u16,
    /// The body, without the key.
    pub body: Vec<u8>,
    /// Where it sends to, if it sends elsewhere.
    pub location: Option<String>,
    /// From the first packet to the last byte.
    pub took: Duration,
}

/// Why it said nothing.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The key cannot be sent, or there is no client.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The host's name does not resolve.
    #[error("the name {host} is not known: {detail}")]
    Name {
        /// The host, without a port.
        host: String,
        /// What the system says.
        detail: String,
    },
    /// The proxy that the environment names cannot be used.
    #[error("through the proxy: {0}")]
    Proxy(String),
    /// The server speaks no TLS, or no HTTP where TLS is not wanted.
    #[error("{0}")]
    Foreign(String),
    /// No trust, or no TLS.
    #[error("{0}")]
    Tls(String),
    /// The connection is refused, or there is no route.
    #[error("{0}")]
    Connect(String),
    /// The connection broke, or what came is no HTTP.
    #[error("{0}")]
    Broken(String),
    /// Nothing whole came in time.
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Late,
    /// The body is longer than `BODY_BYTES_MAX`.
    #[error("the reply is larger than {} MiB", BODY_BYTES_MAX >> 20)]
    TooLarge,
}

/// Asks this URL of a service once.
pub async fn get(
    preset: &Preset,
    url: &Url,
    key: Option<&SecretString>,
) -> Result<ProbeReply, ProbeError> {
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
    let (status, mut location, mut body) =
        tokio::time::timeout(TIMEOUT, call).await.map_err(|_| ProbeError::Late)??;
    let echo = KeyRedactor::new(key);
    echo.redact_headers(&mut location);
    echo.redact_body(&mut body);
    let location = location.into_iter().next().map(|(_, place)| place);
    Ok(ProbeReply { status, body, location, took: began.elapsed() })
}

/// Asks one short question as a run would ask it, with a limit of one token; returns what came of
/// it and how long that took.
pub async fn question(
    wire: EndpointSettings,
    key: Option<SecretString>,
) -> Result<(ParsedReply, Duration), EndpointError> {
    let mut wire = wire;
    wire.request.max_tokens = Some(1);
    wire.timeout = wire.timeout.min(QUESTION_TIMEOUT);
    // One that is rendered for every row is left out: there is no row.
    let system = wire.request.fixed_system().map(Into::into);
    let endpoint = Endpoint::new(wire, key)?;
    let question = Question {
        system,
        ..Question::new(
            0,
            1,
            QUESTION.into(),
            Key([0; 16]),
            QuestionId { text_hash: 0, ordinal: 0 },
        )
    };
    let ask = Ask {
        id: AskId(1),
        question: question.into(),
        attempt: 1,
        endpoint: 0,
        model: 0,
        sample: 0,
    };
    let began = Instant::now();
    let came = endpoint.ask(&ask, |_| ()).await;
    Ok((came.reading, began.elapsed()))
}

async fn look_up(url: &Url) -> Result<(), ProbeError> {
    let (Some(url::Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default())
    else {
        return Ok(());
    };
    match tokio::net::lookup_host((host, port)).await {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(ProbeError::Name { host: host.to_owned(), detail: describe_error(&error) })
        }
    }
}

/// The status, the `location`, and the body.
type Reply = (u16, Vec<(String, String)>, Vec<u8>);

async fn call(client: &Client) -> Result<Reply, ProbeError> {
    let mut response = client.get().await.map_err(|error| {
        let detail = describe_error(&error);
        if !client.is_proxied() && is_not_http(&error) {
            return ProbeError::Foreign(detail);
        }
        match (error.is_connect(), find_tls_error(&error).is_some()) {
            (_, true) => ProbeError::Tls(detail),
            (true, false) if client.is_proxied() => ProbeError::Proxy(detail),
            (true, false) => ProbeError::Connect(detail),
            (false, false) => ProbeError::Broken(detail),
        }
    })?;
    let location = response.headers.get(LOCATION);
    let location = location.map(|at| String::from_utf8_lossy(at.as_bytes()).into_owned());
    let location: Vec<_> = location.map(|at| ("location".to_owned(), at)).into_iter().collect();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok((response.status, location, body)),
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                return Err(ProbeError::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(ProbeError::Broken(describe_error(&*error))),
        }
    }
}
