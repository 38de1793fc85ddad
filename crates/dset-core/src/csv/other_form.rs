//! Files that hold questions in another form than CSV, by how they begin.

use super::header_names::is_header_word;

/// Tells whether a text begins as JSON does that is a list of objects or texts.
#[must_use]
pub fn begins_list(text: &str) -> bool {
    let rest = text.trim_start().strip_prefix('[').map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with("{\"") || rest.starts_with("[{\""))
}

/// Names a form that holds questions among what belongs to the form, by how the file's name ends or
/// how it begins.
#[must_use]
pub fn other_form(ending: &str, first: &str) -> Option<&'static str> {
    let first = first.trim_start().trim_start_matches('\u{feff}');
    let lower = first.to_ascii_lowercase();
    match ending {
        "yaml" | "yml" => return Some("YAML"),
        "toml" => return Some("TOML"),
        "xml" => return Some("XML"),
        "html" | "htm" => return Some("HTML"),
        "md" | "markdown" => return Some("Markdown"),
        _ => {}
    }
    let key = first.strip_prefix("- ").unwrap_or(first).split_once(':').map(|(key, _)| key.trim());
    let is_item = first.starts_with("- ") && key.is_some_and(is_header_word);
    if first.trim_end() == "---" || is_item {
        return Some("YAML");
    }
    if lower.starts_with("<?xml") {
        return Some("XML");
    }
    if lower.starts_with("{\\rtf") {
        return Some("RTF");
    }
    (lower.starts_with("<!doctype html") || lower.starts_with("<html")).then_some("HTML")
}
