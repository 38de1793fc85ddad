//! What models set in LaTeX, as far as a number or a letter needs it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

static FRACTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\\[dtc]?frac ?(?:\{([^{}]*)\}|(\d)) ?(?:\{([^{}]*)\}|(\d))")
        .expect("a test compiles it")
});

static IN_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox) ?\{([^{}]*)\}")
        .expect("a test compiles it")
});

/// Returns what the last `\boxed{…}` holds, where it ends the text and is not a part of a larger term.
pub(super) fn boxed(text: &str) -> Option<&str> {
    let (before, behind) = text.rsplit_once(r"\boxed")?;
    let before = before.trim_end();
    if before.ends_with(|c: char| c.is_ascii_digit() || "+-−^/×·\\".contains(c)) {
        return None;
    }
    let inner = behind.trim_start();
    if !inner.starts_with('{') {
        return None;
    }
    let mut depth = 0_usize;
    let end = inner.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let (inner, rest) = (&inner[1..end], &inner[end + 1..]);
    rest.chars().all(|c| c.is_whitespace() || "$\\)].*!。".contains(c)).then_some(inner)
}

/// Returns a text without the commands that set words.
pub(super) fn without_commands(text: &str) -> Cow<'_, str> {
    IN_WORDS.replace_all(text, "$1")
}

/// Writes fractions with a slash, apart from what stands beside them: `3\frac{1}{2}` is `3 1/2`.
pub(super) fn fractions(text: &str) -> Cow<'_, str> {
    FRACTION.replace_all(text, |found: &Captures<'_>| {
        let part = |one: usize| found.get(one).or_else(|| found.get(one + 1));
        let [top, bottom] = [1, 3].map(|one| part(one).map_or("", |part| part.as_str()));
        format!(" {top}/{bottom} ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_box_is_read_where_it_is_all_that_the_text_ends_with() {
        for (text, inner) in [
            (r"\boxed{7}", Some("7")),
            (r"So \[ x = \boxed{\frac{1}{2}} \].", Some(r"\frac{1}{2}")),
            (r"\boxed{1}, and then $\boxed{2}$", Some("2")),
            (r"-\boxed{7}", None),
            (r"2\boxed{7}", None),
            (r"\boxed{7}\pi", None),
            (r"\boxed{7", None),
            (r"\boxed", None),
            ("7", None),
        ] {
            assert_eq!(boxed(text), inner, "{text}");
        }
    }
}
