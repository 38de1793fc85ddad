//! What is a key, and what the name of its variable, by its looks.

/// A name that a variable can have; a key has dashes, or is longer than any name.
pub(crate) fn is_variable(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // Names of words are written with underscores; some services' keys are letters and digits.
    let looks_like_a_key =
        name.len() >= 20 && !name.contains('_') && name.contains(|c: char| c.is_ascii_digit());
    starts && rest && name.len() <= 64 && !looks_like_a_key
}

/// How keys of services begin, that no model's name begins with.
const KEYS_BEGIN: [&str; 8] = ["sk-", "sk_", "gsk_", "aizasy", "nvapi-", "pplx-", "csk-", "tgp_"];
/// No key is shorter.
const KEY_CHARS_MIN: usize = 8;

/// Tells whether a text, or a part of it, begins as keys do: what is meant for a key may be typed or
/// pasted elsewhere, also with the name of its variable or of its service before it.
#[must_use]
pub fn begins_like_a_key(text: &str) -> bool {
    let apart = |c: char| c.is_whitespace() || "=/,'\"".contains(c);
    text.split(apart).any(|part| {
        let lower = part.to_lowercase();
        let is_long = part.len() >= KEY_CHARS_MIN;
        is_long && KEYS_BEGIN.iter().any(|begin| lower.starts_with(begin))
    })
}
