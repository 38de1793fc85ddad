//! The page: files that are compiled in, without a build step.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A file of the page.
pub(crate) struct Asset {
    /// Its path, without the slash before it.
    pub(crate) path: &'static str,
    /// What it is.
    pub(crate) kind: &'static str,
    pub(crate) bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal: $kind:expr,)*) => {
        &[$(Asset { path: $path, kind: $kind, bytes: include_bytes!(concat!("../assets/", $path)) },)*]
    };
}

pub(crate) const ASSETS: &[Asset] = assets! {
    "index.html": HTML,
    "style.css": CSS,
    "icon.svg": "image/svg+xml",
    "app.js": SCRIPT,
    "api.js": SCRIPT,
    "dom.js": SCRIPT,
    "list.js": SCRIPT,
    "record.js": SCRIPT,
    "text.js": SCRIPT,
    "markdown.js": SCRIPT,
    "vendor/markdown-it.js": SCRIPT,
    "vendor/purify.js": SCRIPT,
    "vendor/katex.js": SCRIPT,
    "vendor/uplot.js": SCRIPT,
    "vendor/uplot.css": CSS,
    "vendor/LICENSES.txt": TEXT,
};

/// Answers with a file of the page.
pub(crate) async fn asset(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match ASSETS.iter().find(|asset| asset.path == path) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
    }
}
