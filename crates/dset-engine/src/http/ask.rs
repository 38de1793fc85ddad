//! One HTTP call: an ask becomes a reply, or the way it broke.
//!
//! One attempt a call; every retry is the machine's decision, so the library's own are off.
//! Redirects are not followed, because they would carry the key elsewhere. A reply is read as it
//! comes, whether it is streamed or in one piece.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use dset_core::answer::{Failure, ParsedReply};
use dset_core::key::RequestSettings;
use dset_core::provider::rate_limits;
use dset_core::provider::reply::TransportError;
use dset_core::provider::{
    ChunkKind, FinishReasons, Preset, RateLimits, Repetition, Request, StreamParser,
    classify_transport_error, is_address_failure,
};
use dset_core::run::ask::Ask;
use dset_core::schema::dialect::Conveyed;
use dset_core::settings::{Model, RunOptions, is_loopback};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::Instant;
use url::Url;

use crate::http::client::{Client, Response};
use crate::http::deadline::{Deadline, IdleTimeout};
use crate::http::describe_error::{NO_HTTP, broken_by, describe_error, is_not_http};
use crate::http::redact::KeyRedactor;
use crate::http::tunnel::TunnelError;
use crate::os::clock::unix_ms;

/// How long a connection may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The interval of the reports of how much has come.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What every ask of a model at one place has in common.
#[derive(Debug, Clone)]
pub struct EndpointSettings {
    /// Whose wire is spoken.
    pub preset: Arc<Preset>,
    /// The base URL that paths are appended to.
    pub base_url: Url,
    /// Model, system prompt and parameters.
    pub request: RequestSettings,
    /// What is sent of the schema that answers have to fit.
    pub conveyed: Option<Arc<Conveyed>>,
    /// Answers are asked for as they are written.
    pub stream: bool,
    /// The longest time for one ask.
    pub timeout: Duration,
    /// The longest time without a word of an answer that has begun to stream.
    pub idle_timeout: Duration,
    /// A streamed answer that repeats itself without end is ended.
    pub stop_loops: bool,
}

impl EndpointSettings {
    /// One of the models of a job at one of its places.
    #[must_use]
    pub fn new(options: &RunOptions, model: &Model, base_url: &Url) -> EndpointSettings {
        EndpointSettings {
            preset: Arc::clone(&model.preset),
            base_url: base_url.clone(),
            request: model.request.clone(),
            conveyed: model.conveyed.clone(),
            stream: model.stream,
            timeout: options.timeout,
            idle_timeout: options.idle_timeout,
            stop_loops: options.stop_loops,
        }
    }
}

/// Where a model is asked.
pub struct Endpoint {
    client: Client,
    settings: EndpointSettings,
    is_official_host: bool,
    redactor: KeyRedactor,
    finish_reasons: FinishReasons,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the query, in which some services want it.
        f.debug_struct("Endpoint")
            .field("host", &self.settings.base_url.host_str())
            .finish_non_exhaustive()
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
pub struct AskResult {
    /// The answer or the failure that the reply means.
    pub reading: ParsedReply,
    /// What the headers say about limits, where they say anything.
    pub limits: Option<Box<RateLimits>>,
    /// Of a failure that may have been paid for: the body as it came, or what had been written of
    /// a stream.
    pub body: Option<Vec<u8>>,
}

/// A reply that has begun.
struct PartialResponse {
    status: u16,
    limits: RateLimits,
    reply: StreamParser,
    unknown_encoding: Option<String>,
}

/// How a reply came to its end, if it did not break.
enum BodyEnd {
    Whole,
    /// It would not have ended by itself.
    Looped(Repetition),
    /// Nobody waits for it any more.
    Dropped,
}

impl Endpoint {
    /// Sets up a client for this service. The key goes to this URL and nowhere else.
    pub fn new(
        settings: EndpointSettings,
        key: Option<SecretString>,
    ) -> Result<Endpoint, EndpointError> {
        let headers = headers(&settings.preset, key.as_ref())?;
        let (url, at_home) = (
            settings.preset.url(&settings.base_url),
            settings.preset.is_official_host(&settings.base_url),
        );
        // No proxy leads back to this machine.
        let may_be_proxied = !is_loopback(&settings.base_url);
        let client = Client::new(&url, headers, CONNECT_TIMEOUT, may_be_proxied)
            .map_err(|error| EndpointError::Client(error.to_string()))?;
        let echo = KeyRedactor::new(key.as_ref());
        // All services that are known say why an answer stopped; servers on this machine may not.
        let finish_reasons = FinishReasons::new(at_home && !is_loopback(&settings.base_url));
        Ok(Endpoint { client, settings, is_official_host: at_home, redactor: echo, finish_reasons })
    }

    /// Asks once, as [`Endpoint::ask_until`] that nobody drops.
    pub async fn ask(&self, ask: &Ask, tell: impl FnMut(u64)) -> AskResult {
        let asked = self.ask_until(ask, tell, std::future::pending()).await;
        asked.expect("nobody drops it")
    }

    /// Asks once, until `dropped`; `None` where no whole answer is here by then. A streamed one that
    /// only waits for its counts is whole. Cancel-safe: dropped, the connection is closed and nothing
    /// else happens.
    ///
    /// Calls `tell` when the reply has begun with a good status and more of it is awaited, and
    /// while a stream comes every half second, with about how many tokens have come.
    pub async fn ask_until(
        &self,
        ask: &Ask,
        tell: impl FnMut(u64),
        dropped: impl Future<Output = ()>,
    ) -> Option<AskResult> {
        let (settings, question) = (&self.settings.request, &ask.question);
        let system = question.system.as_deref();
        let params = question.params.as_deref();
        let conveyed = self.settings.conveyed.as_deref();
        let content = &question.content;
        let request = Request { settings, system, content, params, conveyed };
        let body = match self.settings.stream {
            true => self.settings.preset.streamed_body(&request, self.is_official_host),
            false => self.settings.preset.request_body(&request, self.is_official_host),
        };
        let mut coming = None;
        let dropped = pin!(dropped);
        let call = self.call(body, &mut coming, tell, dropped);
        let end = with_deadline(self.settings.timeout, call).await;
        if let Ok(BodyEnd::Dropped) = end {
            return None;
        }
        let Some(PartialResponse { status, limits, mut reply, unknown_encoding }) = coming else {
            let broken = end.err().expect("a reply that came to its end had begun");
            let reading = ParsedReply::Failure(classify_transport_error(&broken));
            let reading = self.with_address(reading);
            return Some(AskResult { reading, limits: None, body: None });
        };
        self.redactor.redact_reply(&mut reply);
        reply.compare_end(&self.finish_reasons);
        reply = reply.in_reply_to(content, question.system.as_ref());
        let is_paid = (200..300).contains(&status);
        let body = (is_paid && !reply.is_stream()).then(|| reply.body().to_vec());
        let beside = extra_fields(&reply);
        let mut reading = match end {
            Ok(BodyEnd::Whole | BodyEnd::Dropped) => reply.finish(),
            Ok(BodyEnd::Looped(found)) => reply.finish_repetition(found),
            Err(broken) => reply.finish_broken(&broken),
        };
        if let Some(encoding) = unknown_encoding {
            reading = reading.packed_with(&encoding);
        }
        if let Some(beginning) = content.beginning() {
            reading = reading.with_beginning(beginning, self.settings.preset.repeats_beginning);
        }
        self.redactor.redact_failure(&mut reading);
        let body = match &reading {
            ParsedReply::Answer(_) => None,
            ParsedReply::Failure(failure) => body.or_else(|| partial_body(failure, beside)),
        };
        let limits = (!limits.is_empty()).then(|| Box::new(limits));
        Some(AskResult { reading: self.with_address(reading), limits, body })
    }

    /// Names where was asked, where that may be what is wrong.
    fn with_address(&self, mut reading: ParsedReply) -> ParsedReply {
        if let ParsedReply::Failure(failure) = &mut reading
            && is_address_failure(failure)
        {
            let url = self.settings.preset.shown_url(&self.settings.base_url);
            failure.message = format!("{url}: {}", failure.message);
        }
        reading
    }

    async fn call(
        &self,
        body: Vec<u8>,
        coming: &mut Option<PartialResponse>,
        mut tell: impl FnMut(u64),
        mut dropped: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<BodyEnd, TransportError> {
        // An idle connection may hold a reply that was not asked for, which would pass for the
        // answer to this. The client closes such a connection as soon as it sees the bytes; this
        // lets it see those that are here. Bytes that come later cannot be distinguished from the
        // answer in HTTP/1.1.
        tokio::task::yield_now().await;
        let sent = tokio::select! {
            biased;
            sent = self.client.post(body) => sent,
            () = dropped.as_mut() => return Ok(BodyEnd::Dropped),
        };
        let mut response = sent.map_err(|error| {
            let detail = describe_error(&error);
            if let Some(status) = TunnelError::find(&error).and_then(TunnelError::refused_with) {
                return TransportError::ProxyRefused(status, detail);
            }
            // A proxy is another matter than the address, and who has answered speaks HTTP.
            let is_foreign =
                !self.client.is_proxied() && !self.client.has_answered() && is_not_http(&error);
            match (error.is_connect(), is_foreign) {
                (true, true) => TransportError::Foreign(detail),
                (false, true) => TransportError::NotHttp(NO_HTTP.to_owned()),
                (true, false) => TransportError::Connect(detail),
                (false, false) => TransportError::Reset(detail),
            }
        })?;
        let PartialResponse { status, reply, .. } = coming.insert(self.partial_response(&response));
        let mut is_to_be_told = (200..300).contains(status);
        let mut told_at = Instant::now();
        let mut patience = IdleTimeout::new(self.settings.idle_timeout);
        let mut silence = pin!(tokio::time::sleep_until(patience.until.at));
        loop {
            let chunk = tokio::select! {
                biased;
                chunk = response.chunk() => chunk,
                () = dropped.as_mut() => {
                    return Ok(if patience.is_whole { BodyEnd::Whole } else { BodyEnd::Dropped });
                }
                // Nothing is here yet.
                () = std::future::ready(()), if is_to_be_told => {
                    is_to_be_told = false;
                    tell(0);
                    continue;
                }
                () = &mut silence, if self.settings.stream => {
                    if patience.until.has_passed(Instant::now()) {
                        return if patience.is_whole { Ok(BodyEnd::Whole) } else { Err(patience.broken()) };
                    }
                    silence.as_mut().reset(patience.until.at);
                    continue;
                }
            };
            let chunk = match chunk {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(BodyEnd::Whole),
                Err(error) => return Err(broken_by(&*error)),
            };
            let progress = reply.push(&chunk);
            if progress.is_too_large {
                return Err(TransportError::TooLarge);
            }
            if let Some(found) = progress.looped.filter(|_| !progress.has_end) {
                return Ok(BodyEnd::Looped(found));
            }
            if !self.settings.stream {
                continue;
            }
            let now = Instant::now();
            if patience.note_progress(now, &progress) {
                silence.as_mut().reset(patience.until.at);
            }
            if progress.kind != ChunkKind::Blank && now - told_at >= PROGRESS_EVERY {
                told_at = now;
                tell(progress.tokens_about());
            }
        }
    }

    fn partial_response(&self, response: &Response) -> PartialResponse {
        let status = response.status;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers.iter();
        let mut headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        self.redactor.redact_headers(&mut headers);
        let now = unix_ms();
        let limits = rate_limits(&headers, now);
        let max_tokens = self.settings.preset.max_tokens(&self.settings.request);
        let mut reply =
            StreamParser::new(status, headers).received_at(now).with_token_limit(max_tokens);
        if self.settings.stop_loops && self.settings.stream {
            reply = reply.detecting_repetition();
        }
        let unknown_encoding = response.unknown_encoding.clone();
        PartialResponse { status, limits, reply, unknown_encoding }
    }
}

async fn with_deadline(
    timeout: Duration,
    call: impl Future<Output = Result<BodyEnd, TransportError>>,
) -> Result<BodyEnd, TransportError> {
    let mut call = pin!(call);
    let mut deadline = Deadline::after(timeout);
    loop {
        match tokio::time::timeout_at(deadline.at, &mut call).await {
            Ok(end) => return end,
            Err(_) if deadline.has_passed(Instant::now()) => {
                return Err(TransportError::TimedOut(timeout));
            }
            Err(_) => {}
        }
    }
}

/// What came of a stream beside the texts of an answer.
fn extra_fields(reply: &StreamParser) -> serde_json::Map<String, serde_json::Value> {
    reply.side_texts().map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// What had been written of a stream that is no answer, and what came beside it.
fn partial_body(
    failure: &Failure,
    mut texts: serde_json::Map<String, serde_json::Value>,
) -> Option<Vec<u8>> {
    if let Some(partial) = failure.partial.as_deref() {
        texts.insert("reasoning".to_owned(), (&*partial.reasoning).into());
        texts.insert("answer".to_owned(), (&*partial.content).into());
    }
    (!texts.is_empty()).then(|| serde_json::Value::from(texts).to_string().into_bytes())
}

/// The headers of every request to a service, its key among them.
pub(crate) fn headers(
    preset: &Preset,
    key: Option<&SecretString>,
) -> Result<HeaderMap, EndpointError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let agent = concat!("dset/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let own = preset.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    headers.extend(own);
    if let Some(key) = key {
        let value = format!("{}{}", preset.auth_prefix, key.expose_secret());
        let mut value = HeaderValue::from_str(&value).map_err(|_| EndpointError::Key)?;
        value.set_sensitive(true);
        let name = HeaderName::from_bytes(preset.auth_header.as_bytes());
        headers.insert(name.map_err(|_| EndpointError::Key)?, value);
    }
    Ok(headers)
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
            let wire = EndpointSettings {
                conveyed: None,
                preset: Arc::clone(preset("openai-compatible").unwrap()),
                base_url: url,
                request: RequestSettings::default(),
                stream: false,
                timeout: CONNECT_TIMEOUT,
                idle_timeout: CONNECT_TIMEOUT,
                stop_loops: false,
            };
            Endpoint::new(wire, Some(key.into()))
        };
        let shown = format!("{:#?}", new(key).unwrap());
        assert!(shown.contains("api.example") && !shown.contains("canary"), "{shown}");
        let error = new(&format!("{key}\n{key}")).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
}
