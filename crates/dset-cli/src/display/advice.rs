//! What to do about questions that ended without an answer.

/// Returns what helps, from the causes. `again` writes the command that asks them again, between
/// ticks: without the settings that are named, and with more words.
///
/// An answer that was cut, or that repeated itself, is asked again under a higher token limit alone:
/// without one the same would be bought once more.
pub(crate) fn advice<'a>(
    causes: impl IntoIterator<Item = &'a str>,
    again: impl Fn(&[&str], &str) -> String,
) -> Vec<String> {
    let (mut cut, mut repeats, mut other) = (false, false, false);
    for cause in causes {
        match cause {
            "length limit" => cut = true,
            "repeats itself" => repeats = true,
            _ => other = true,
        }
    }
    let mut hints = Vec::new();
    if cut {
        let command = again(&["max_tokens"], " --max-tokens N --continue");
        hints.push(format!(
            "Answers cut by the token limit are asked again under a higher one: {command}"
        ));
    }
    if repeats {
        let more = " --temperature T --max-tokens N --continue";
        let command = again(&["max_tokens", "temperature"], more);
        hints.push(format!(
            "Answers that repeat themselves may end at another temperature; they are asked again \
             under a higher token limit: {command}"
        ));
    }
    if other {
        hints.push(format!("Ask the failed questions again with {}", again(&[], "")));
    }
    hints
}
