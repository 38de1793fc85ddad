//! Who may see anything: whoever has the token, at this machine's own name, from no other page.
//!
//! The token is in the address that the command opens. The page takes it from there into a cookie that
//! no other site's page can send (`SameSite=Strict`) and no script can read. A name that somebody made
//! point here (DNS rebinding) is told by its `Host`, a page of somebody else's by its `Origin`.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::{API, Shared, api};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 16;

/// What every answer says of itself: nothing from elsewhere, no script but the page's own files, in no
/// frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A secret for one run of the viewer.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Draws one. Fails where the system has no randomness.
    pub fn random() -> std::io::Result<Token> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Returns it as it stands in an address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares without telling by time how much of it fits.
    fn is(&self, said: &str) -> bool {
        let differ = self.0.bytes().zip(said.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        differ == 0 && self.0.len() == said.len()
    }
}

/// What a request is held against.
#[derive(Debug)]
pub(crate) struct Guard {
    token: Token,
    cookie: String,
    hosts: [String; 2],
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It was meant for somebody else.
    Host,
    /// It comes from a page of somebody else's.
    Origin,
    /// It has no token.
    Token,
}

impl Guard {
    pub(crate) fn new(address: SocketAddr, token: Token) -> Guard {
        let port = address.port();
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        Guard { token, cookie: format!("dset-{port}"), hosts }
    }

    /// Tells whether a request may be answered.
    pub(crate) fn judge(
        &self,
        method: &Method,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let of = |name: header::HeaderName| {
            headers.get(name).map(|value| value.to_str().unwrap_or_default())
        };
        let host = of(header::HOST).unwrap_or_default();
        if !self.hosts.iter().any(|own| own == host) {
            return Err(Refusal::Host);
        }
        let origin = of(header::ORIGIN);
        let is_own = |origin: &str| origin.strip_prefix("http://") == Some(host);
        // Whatever changes something comes from the page, and a page always says from where.
        if origin.map_or(*method != Method::GET && *method != Method::HEAD, |o| !is_own(o)) {
            return Err(Refusal::Origin);
        }
        let cookies = of(header::COOKIE).unwrap_or_default();
        let mut of_cookies = cookies.split(';').filter_map(|one| one.trim().split_once('='));
        let has_cookie = of_cookies.any(|(name, said)| name == self.cookie && self.token.is(said));
        if has_cookie || self.has_token(query) { Ok(()) } else { Err(Refusal::Token) }
    }

    fn has_token(&self, query: Option<&str>) -> bool {
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .any(|(name, said)| name == "token" && self.token.is(&said))
    }

    fn set_cookie(&self) -> HeaderValue {
        let cookie =
            format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.token.as_str());
        HeaderValue::from_str(&cookie).expect("a token is hexadecimal")
    }
}

/// Answers what may be answered, and says with every answer what a page may do.
pub(crate) async fn check(State(viewer): State<Shared>, request: Request, next: Next) -> Response {
    let guard = &viewer.guard;
    let query = request.uri().query();
    let refuse = |words: &str| match request.uri().path().starts_with(API) {
        true => api::forbidden(words),
        false => (StatusCode::FORBIDDEN, format!("{words}\n")).into_response(),
    };
    let mut response = match guard.judge(request.method(), query, request.headers()) {
        Err(Refusal::Host | Refusal::Origin) => refuse("this is for pages of this viewer alone"),
        Err(Refusal::Token) => {
            refuse("open the address that `dset view` has written: it has the token")
        }
        Ok(()) => {
            let said = guard.has_token(query).then(|| guard.set_cookie());
            let mut response = next.run(request).await;
            if let Some(cookie) = said {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: Method, query: Option<&str>, said: &[(&str, &str)]) -> Result<(), Refusal> {
        let guard = Guard::new(([127, 0, 0, 1], 7000).into(), Token("00ff".into()));
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            let name: header::HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        guard.judge(&method, query, &headers)
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:7000");

    #[test]
    fn who_has_the_token_may_look_and_nobody_else() {
        let get = |query, said: &[(&str, &str)]| judged(Method::GET, query, said);
        assert_eq!(get(Some("token=00ff"), &[HOST]), Ok(()));
        assert_eq!(get(Some("a=1&token=00ff"), &[("host", "localhost:7000")]), Ok(()));
        assert_eq!(get(None, &[HOST, ("cookie", "x=y; dset-7000=00ff")]), Ok(()));
        for token in ["token=", "token=00f", "token=00fff", "token=00fe", "n=00ff"] {
            assert_eq!(get(Some(token), &[HOST]), Err(Refusal::Token), "{token}");
        }
        assert_eq!(get(None, &[HOST, ("cookie", "dset-7001=00ff")]), Err(Refusal::Token));
        assert_eq!(get(None, &[HOST]), Err(Refusal::Token));
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_refused() {
        for host in ["evil.example:7000", "127.0.0.1", "127.0.0.1:7001", ""] {
            let said = [("host", host)];
            assert_eq!(
                judged(Method::GET, Some("token=00ff"), &said),
                Err(Refusal::Host),
                "{host}"
            );
        }
    }

    #[test]
    fn nothing_is_changed_or_read_by_a_page_of_somebody_elses() {
        let of = |method, origin| judged(method, Some("token=00ff"), &[HOST, ("origin", origin)]);
        assert_eq!(of(Method::POST, "http://127.0.0.1:7000"), Ok(()));
        for origin in
            ["http://evil.example", "null", "http://localhost:7000", "https://127.0.0.1:7000"]
        {
            assert_eq!(of(Method::POST, origin), Err(Refusal::Origin), "{origin}");
            assert_eq!(of(Method::GET, origin), Err(Refusal::Origin), "{origin}");
        }
        let silent = judged(Method::POST, Some("token=00ff"), &[HOST]);
        assert_eq!(silent, Err(Refusal::Origin));
    }
}
