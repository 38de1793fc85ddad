//! What to do about questions that ended without an answer.

/// Returns what helps, from the causes; `again` is the command that asks them again, between ticks.
pub(crate) fn advice<'a>(causes: impl IntoIterator<Item = &'a str>, again: &str) -> Vec<String> {
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
        hints.push(
            "Answers cut by the token limit: raise it with `--max-tokens N --continue`".to_owned(),
        );
    }
    if repeats {
        hints.push(
            "Answers that repeat themselves: another `--temperature T --continue` may end them"
                .to_owned(),
        );
    }
    if other {
        hints.push(format!("Ask the failed questions again with {again}"));
    }
    hints
}
