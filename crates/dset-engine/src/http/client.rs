//! One request to one URL: HTTP/1.1 over hyper-util's pool, plain or by TLS, through a proxy where
//! the environment names one.
//!
//! What a reply means, how long to wait for it and whether to ask again is decided elsewhere.
//!
//! Not reqwest: a row took 205,000 instructions with it and 173,000 without (docs/performance.md), and
//! it does not tell whether a connection that broke had been used before, which decides whether an
//! ask may be repeated.

use std::error::Error as StdError;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{
    Connected, Connection, HttpConnector, capture_connection,
};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;
use url::Url;

use crate::http::tunnel::{self, TunnelError};
use crate::http::unpack::{ENCODING, Unpacker};

/// How long a connection may lie idle: most services close theirs after one to two minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// When the system begins to ask whether the other side is still there, how often, and when it
/// takes it for gone: a connection that waits for an answer is silent for minutes.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// When connections count as used up by a server: this many asks without a reply, and one in
/// `LOST_OF` replies, are no accidents; both are counted anew after `COUNTED_REPLIES`.
const LOST_MIN: u32 = 3;
const LOST_OF: u32 = 4;
const COUNTED_REPLIES: u32 = 64;
/// Some gateways send more than the hundred that are usual as the most.
const HEADERS_MAX: usize = 256;

type Failed = Box<dyn StdError + Send + Sync>;
type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send>>;

/// Asks one URL. Has no `Debug`: it holds the key.
pub(crate) struct Client {
    pool: legacy::Client<Connector, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    /// It says for how long it keeps a connection. A server that counts has a thread for each,
    /// which idle ones withhold from new ones (llama.cpp's eight: of sixteen asks, eight wait for
    /// five seconds), or closes it at any moment, llama.cpp's behind every stream: the next ask on
    /// it is lost. So none is used twice.
    is_counted: AtomicBool,
    losses: Mutex<Losses>,
    is_proxied: bool,
    has_answered: AtomicBool,
}

/// Asks on used connections that are lost again and again: the service closes them behind each
/// reply without saying so, so that none is used twice until a window has no loss.
#[derive(Default)]
struct Losses {
    replies: u32,
    lost: u32,
    are_many: bool,
}

impl Losses {
    fn note_reply(&mut self) {
        self.replies += 1;
        if self.replies == COUNTED_REPLIES {
            let are_many = self.are_many && self.lost > 0;
            *self = Losses { are_many, ..Losses::default() };
        }
    }

    fn note_loss(&mut self) {
        self.lost = self.lost.saturating_add(1);
        if self.lost >= LOST_MIN && self.replies > 0 && self.lost >= self.replies.div_ceil(LOST_OF)
        {
            self.are_many = true;
        }
    }
}

/// A reply whose head has come.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// What the body is said to be packed with, where nobody here can unpack that.
    pub(crate) unknown_encoding: Option<String>,
    body: Incoming,
    unpacker: Unpacker,
}

impl Client {
    /// A client that sends these headers with every request. Reads proxies from the environment
    /// where there may be any, and what the machine trusts where TLS is spoken.
    pub(crate) fn new(
        url: &Url,
        mut headers: HeaderMap,
        connect_timeout: Duration,
        may_be_proxied: bool,
    ) -> Result<Client, Failed> {
        let uri: Uri = url.as_str().parse()?;
        let proxy = may_be_proxied.then(|| Matcher::from_env().intercept(&uri)).flatten();
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(ENCODING));
        let is_https = |uri: &Uri| uri.scheme_str() == Some("https");
        if let Some(auth) = proxy.as_ref().and_then(Intercept::basic_auth) {
            // Of a tunnel, this is for the proxy alone.
            if !is_https(&uri) {
                let mut auth = auth.clone();
                auth.set_sensitive(true);
                headers.insert(PROXY_AUTHORIZATION, auth);
            }
        }
        let is_proxied = proxy.is_some();
        let proxy_uri = proxy.as_ref().map(|proxy| proxy.uri().clone());
        let is_tls = is_https(&uri) || proxy.as_ref().is_some_and(|proxy| is_https(proxy.uri()));
        let mut tls = tls(is_tls)?;
        let to_proxy = Arc::new(tls.clone());
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        let way = match proxy {
            None => ProxyRoute::Direct(tcp),
            Some(proxy) => {
                let tcp = HttpsConnector::from((tcp, to_proxy));
                match is_https(&uri) {
                    false => ProxyRoute::Forwarded(tcp, proxy.uri().clone()),
                    true => {
                        let headers = of_tunnel(&proxy, headers.get(USER_AGENT));
                        ProxyRoute::Tunnelled(tcp, proxy.uri().clone(), headers)
                    }
                }
            }
        };
        let route = (way, Arc::new(tls)).into();
        let connector = Connector { route, proxy: proxy_uri, timeout: connect_timeout };
        let pool = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(usize::MAX)
            .http1_max_headers(HEADERS_MAX)
            // Old gateways write both, and an answer is paid for by then.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            // Only what was not begun to be written, because the connection that lay idle was gone:
            // nothing of it reached the service.
            .retry_canceled_requests(true)
            .build(connector);
        Ok(Client {
            pool,
            uri,
            headers,
            is_counted: false.into(),
            losses: Mutex::default(),
            is_proxied,
            has_answered: false.into(),
        })
    }

    /// Returns true if it reaches the service through a proxy.
    pub(crate) fn is_proxied(&self) -> bool {
        self.is_proxied
    }

    /// Returns true if the head of a reply has come, be it a refusal.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Relaxed)
    }

    /// Sends this body; the head of the reply. Dropped, it closes the connection.
    pub(crate) async fn post(&self, body: Vec<u8>) -> Result<Response, legacy::Error> {
        self.send(hyper::Method::POST, body).await
    }

    /// Asks for what is there; the head of the reply. Dropped, it closes the connection.
    pub(crate) async fn get(&self) -> Result<Response, legacy::Error> {
        self.send(hyper::Method::GET, Vec::new()).await
    }

    async fn send(&self, method: hyper::Method, body: Vec<u8>) -> Result<Response, legacy::Error> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if self.is_counted.load(Relaxed) || self.with_losses(|losses| losses.are_many) {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let connection = capture_connection(&mut request);
        let sent = self.pool.request(request).await;
        let lost = |error: &legacy::Error| {
            if !error.is_connect() {
                self.with_losses(Losses::note_loss);
            }
        };
        let (head, body) = sent.inspect_err(lost)?.into_parts();
        self.with_losses(Losses::note_reply);
        self.has_answered.store(true, Relaxed);
        // Over TLS a handshake for each ask would cost more than a lost connection now and then.
        let is_plain = self.uri.scheme_str() == Some("http");
        if is_plain && head.headers.contains_key("keep-alive") {
            self.is_counted.store(true, Relaxed);
            if let Some(connection) = connection.connection_metadata().as_ref() {
                connection.poison();
            }
        }
        let status = head.status.as_u16();
        let (unpacker, unknown_encoding) = Unpacker::new(&head.headers);
        Ok(Response { status, headers: head.headers, unknown_encoding, body, unpacker })
    }

    fn with_losses<T>(&self, does: impl FnOnce(&mut Losses) -> T) -> T {
        does(&mut self.losses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Response {
    /// What comes next of the body, unpacked; `None` at its end. Cancel-safe.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failed> {
        loop {
            if let Some(unpacked) = self.unpacker.next()? {
                return Ok(Some(unpacked));
            }
            match self.body.frame().await {
                // What is no data is a trailer.
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.unpacker.push(data);
                    }
                }
                None => return Ok(self.unpacker.finish()?),
            }
        }
    }
}

/// What this machine trusts, if any TLS will be spoken: reading it takes longer than all else at a
/// start.
pub(crate) fn tls(is_spoken: bool) -> Result<ClientConfig, Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    if !is_spoken {
        return Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider)?;
    // Dangerous by its name alone: this verifier asks the system's trust.
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

/// What a proxy is told that makes a tunnel: never the key.
fn of_tunnel(proxy: &Intercept, agent: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(auth) = proxy.basic_auth() {
        let mut auth = auth.clone();
        auth.set_sensitive(true);
        headers.insert(PROXY_AUTHORIZATION, auth);
    }
    if let Some(agent) = agent {
        headers.insert(USER_AGENT, agent.clone());
    }
    headers
}

/// Makes connections in bounded time, TLS included.
#[derive(Clone)]
struct Connector {
    route: HttpsConnector<ProxyRoute>,
    proxy: Option<Uri>,
    timeout: Duration,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<HttpStream>;
    type Error = Failed;
    type Future = Boxed<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.timeout, self.route.call(to));
        let proxy = self.proxy.clone();
        Box::pin(async move {
            let late = |_| -> Failed {
                let late = io::Error::new(io::ErrorKind::TimedOut, "operation timed out");
                match proxy {
                    Some(proxy) => TunnelError::broken(&proxy, &late).into(),
                    None => late.into(),
                }
            };
            connecting.await.map_err(late)?
        })
    }
}

/// How the service is reached, below the TLS that is spoken with it.
#[derive(Clone)]
enum ProxyRoute {
    Direct(HttpConnector),
    /// The proxy gets the whole URL in the request line.
    Forwarded(HttpsConnector<HttpConnector>, Uri),
    /// The proxy sees nothing but the host.
    Tunnelled(HttpsConnector<HttpConnector>, Uri, HeaderMap),
}

impl Service<Uri> for ProxyRoute {
    type Response = HttpStream;
    type Error = Failed;
    type Future = Boxed<HttpStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            ProxyRoute::Direct(tcp) => {
                let connecting = tcp.call(to);
                Box::pin(async {
                    Ok(HttpStream { io: connecting.await?.into(), is_forwarded: false })
                })
            }
            ProxyRoute::Forwarded(tcp, proxy) => {
                let connecting = tcp.call(proxy.clone());
                Box::pin(async { Ok(HttpStream { io: connecting.await?, is_forwarded: true }) })
            }
            ProxyRoute::Tunnelled(tcp, proxy, headers) => {
                let (connecting, proxy, headers) =
                    (tcp.call(proxy.clone()), proxy.clone(), headers.clone());
                Box::pin(async move {
                    let io = connecting.await;
                    let io = io.map_err(|error| TunnelError::broken(&proxy, &*error))?;
                    let io = tunnel::open(io, &proxy, headers, &to).await?;
                    Ok(HttpStream { io, is_forwarded: false })
                })
            }
        }
    }
}

/// A connection to the service or its proxy.
struct HttpStream {
    io: MaybeHttpsStream<TokioIo<tokio::net::TcpStream>>,
    is_forwarded: bool,
}

impl Connection for HttpStream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl Write for HttpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proxy_that_says_nothing_is_named() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy: Uri = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
        let tls = Arc::new(tls(false).unwrap());
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let to_proxy = HttpsConnector::from((tcp, Arc::clone(&tls)));
        let way = ProxyRoute::Tunnelled(to_proxy, proxy.clone(), HeaderMap::new());
        let timeout = Duration::from_millis(50);
        let mut connector =
            Connector { route: (way, tls).into(), proxy: Some(proxy.clone()), timeout };
        let to = Uri::from_static("https://service.example/v1");
        let Err(error) = connector.call(to).await else { panic!("nothing was said") };
        let named = format!("the proxy {}", proxy.authority().unwrap());
        assert!(error.to_string().contains(&named), "{error}");
    }
}
