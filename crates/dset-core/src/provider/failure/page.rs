//! Pages for people in the place of a reply: what an HTML body says, in a few words.
//!
//! [`super::error`] quotes them in failures; whether a status makes one a refusal is decided in
//! [`super::refusal`].

use super::error::{ERROR_BYTES_MAX, beginning, printable, request_id};
use crate::answer::{Cause, Failure, FailureClass, Refusal};
use crate::provider::reply::HttpReply;

/// Reads a page for people that came with a good status.
pub(crate) fn read_page(reply: &HttpReply, text: &str) -> Failure {
    Failure {
        class: FailureClass::Refused(Refusal::Address),
        cause: Cause::PageForPeople,
        status: Some(reply.status),
        message: printable(&plain(text)),
        wait: None,
        request_id: request_id(reply),
        partial: None,
    }
}

/// How many characters of a page's text are quoted beside its title.
const PAGE_CHARS: usize = 120;

/// The text of a body that is no JSON: as it is, or what an HTML page says.
pub(crate) fn plain(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('<') {
        return beginning(text);
    }
    let mut ends = (0..=text.len().min(ERROR_BYTES_MAX)).rev();
    let text = &text[..ends.find(|&end| text.is_char_boundary(end)).unwrap_or(0)];
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").zip(lower.find("</title>"));
    let title = title.and_then(|(from, to)| text.get(from..to)?.split_once('>'));
    let title = title.map_or(String::new(), |(_, title)| unspaced(title));
    let shown = shown(text, &lower);
    let rest = shown.strip_prefix(title.as_str()).unwrap_or(&shown).trim();
    let rest: String = rest.chars().take(PAGE_CHARS).collect();
    match (title.is_empty(), rest.is_empty()) {
        (true, true) => "an HTML page".to_owned(),
        (false, false) => format!("{title}: {rest}"),
        (true, false) => rest,
        (false, true) => title,
    }
}

/// Returns what a browser shows of a page, in one line; `lower` is the page in lower case.
fn shown(page: &str, lower: &str) -> String {
    const UNSEEN: [(&str, &str); 4] =
        [("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<title", "</title>")];
    let mut shown = String::new();
    let mut at = 0;
    while let Some(tag) = page[at..].find('<') {
        shown.push_str(&page[at..at + tag]);
        shown.push(' ');
        at += tag;
        let unseen = UNSEEN.iter().find(|(begin, _)| lower[at..].starts_with(begin));
        let end = unseen.map_or(">", |(_, end)| *end);
        let Some(length) = lower[at..].find(end) else { return unspaced(&shown) };
        at += length + end.len();
    }
    shown.push_str(&page[at..]);
    unspaced(&shown)
}

fn unspaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
