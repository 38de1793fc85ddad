//! stub
/// stub
#[must_use]
pub fn refusal_signature(m: &str) -> String { m.chars().filter(|c| !c.is_ascii_digit()).collect() }
