//! A tunnel through a proxy: `CONNECT`, and a proxy's word where it refuses.
//!
//! hyper speaks it. Not hyper-util's tunnel: it keeps nothing of a refusal, and whether somebody has to
//! give a password, ask for leave or wait depends on its status.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, StatusCode, Uri};

use crate::http::describe_error::describe_error;

/// Why there is no tunnel. Says nothing of a user and a password.
#[derive(Debug)]
pub(crate) struct TunnelError {
    /// The proxy's host, and its port where that is named.
    proxy: String,
    kind: TunnelErrorKind,
}

#[derive(Debug)]
enum TunnelErrorKind {
    Refused(StatusCode),
    Broken(String),
}

impl TunnelError {
    /// Says what went wrong before the proxy answered.
    pub(crate) fn broken(proxy: &Uri, error: &(dyn StdError + 'static)) -> TunnelError {
        let kind = TunnelErrorKind::Broken(describe_error(error));
        TunnelError { proxy: shown(proxy), kind }
    }

    /// Finds it among the causes of an error.
    pub(crate) fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TunnelError> {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(found) = cause.downcast_ref() {
                return Some(found);
            }
            next = cause.source();
        }
        None
    }

    /// Returns the status with which the proxy refused.
    pub(crate) fn refused_with(&self) -> Option<u16> {
        match self.kind {
            TunnelErrorKind::Refused(status) => Some(status.as_u16()),
            TunnelErrorKind::Broken(_) => None,
        }
    }
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TunnelError { proxy, kind } = self;
        match kind {
            TunnelErrorKind::Refused(status) => write!(f, "the proxy {proxy} answers {status}"),
            TunnelErrorKind::Broken(detail) => write!(f, "the proxy {proxy}: {detail}"),
        }
    }
}

impl StdError for TunnelError {}

fn shown(proxy: &Uri) -> String {
    let host = proxy.host().unwrap_or_default();
    match proxy.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Makes a tunnel of a connection to a proxy: what is written from then on goes to the host.
pub(crate) async fn open<Io>(
    io: Io,
    proxy: &Uri,
    headers: HeaderMap,
    to: &Uri,
) -> Result<Io, TunnelError>
where
    Io: Read + Write + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| TunnelError::broken(proxy, &error);
    let host = format!("{}:{}", to.host().unwrap_or_default(), to.port_u16().unwrap_or(443));
    let request = Request::builder().method(Method::CONNECT).uri(&host).header(HOST, &host);
    let request = request.body(Empty::<Bytes>::new());
    let mut request = request.map_err(|error| TunnelError::broken(proxy, &error))?;
    request.headers_mut().extend(headers);
    let (mut sender, connection) = http1::Builder::new()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .handshake(io)
        .await
        .map_err(broken)?;
    // It ends with the tunnel, or with the sender.
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await.map_err(broken)?;
    if !response.status().is_success() {
        let kind = TunnelErrorKind::Refused(response.status());
        return Err(TunnelError { proxy: shown(proxy), kind });
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    Ok(upgraded.downcast().expect("it is the connection that was given").io)
}
