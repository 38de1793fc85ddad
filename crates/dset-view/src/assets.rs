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
    "files.js": SCRIPT,
    "dom.js": SCRIPT,
    "list.js": SCRIPT,
    "record.js": SCRIPT,
    "health.js": SCRIPT,
    "compare.js": SCRIPT,
    "diff.js": SCRIPT,
    "export.js": SCRIPT,
    "text.js": SCRIPT,
    "markdown.js": SCRIPT,
    "vendor/markdown-it.js": SCRIPT,
    "vendor/purify.js": SCRIPT,
    "vendor/katex.js": SCRIPT,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of scripts and styles, without the one that is loaded where there are formulas.
    const WEIGHT_MAX: usize = 250_000;
    const FORMULAS: &str = "vendor/katex.js";

    #[test]
    fn the_page_weighs_no_more_than_it_may() {
        let is_counted = |asset: &&Asset| asset.kind == SCRIPT || asset.kind == CSS;
        let all = ASSETS.iter().filter(is_counted).filter(|asset| asset.path != FORMULAS);
        let weight: usize = all.map(|asset| asset.bytes.len()).sum();
        assert!(weight <= WEIGHT_MAX, "{weight}");
        let formulas = ASSETS.iter().find(|asset| asset.path == FORMULAS).unwrap();
        assert!(formulas.bytes.len() <= 300_000);
    }

    #[test]
    fn vendored_files_are_as_they_were_published() {
        let list = include_str!("../assets/vendor/vendored.txt");
        let vendored = || ASSETS.iter().filter_map(|asset| asset.path.strip_prefix("vendor/"));
        for name in vendored().filter(|name| *name != "LICENSES.txt") {
            let line = list.lines().find(|line| line.split_whitespace().next() == Some(name));
            let hash = line.and_then(|line| line.split_whitespace().last()).unwrap();
            let path = format!("vendor/{name}");
            let asset = ASSETS.iter().find(|asset| asset.path == path).unwrap();
            let digest = ring::digest::digest(&ring::digest::SHA256, asset.bytes);
            let found: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, hash, "{name}");
        }
        assert_eq!(list.lines().count() + 1, vendored().count());
    }

    #[test]
    fn no_page_of_ours_has_a_script_or_a_style_in_its_markup() {
        let page = ASSETS.iter().find(|asset| asset.path == "index.html").unwrap();
        let page = std::str::from_utf8(page.bytes).unwrap();
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onclick"));
        assert!(page.split("<script").skip(1).all(|rest| rest.trim_start().starts_with("src=")));
    }
}
