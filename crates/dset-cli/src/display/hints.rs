//! What to do about questions that ended without an answer.

use std::collections::BTreeSet;

use dset_core::answer::Cause;

/// Returns what helps, from the causes. `again` writes the command that asks them again, between
/// ticks: without the settings that are named, and with more words; `redo` is the one that asks those
/// again that used up their tries. `is_shard` says that settings stay as they are.
///
/// An answer that was cut, or that repeated itself, is asked again under a higher token limit alone:
/// without one the same would be bought once more.
pub(crate) fn advice<'a>(
    causes: impl IntoIterator<Item = &'a str>,
    again: impl Fn(&[&str], &str) -> String,
    redo: &str,
    is_shard: bool,
) -> Vec<String> {
    let (mut cut, mut repeats, mut checks) = (false, false, false);
    let (mut unjudged, mut other) = (false, false);
    let mut without = BTreeSet::new();
    for cause in causes {
        if nothing(cause).is_some() {
            without.insert(cause);
        }
        match Cause::from_code(cause) {
            Some(Cause::LengthLimit) => cut = true,
            Some(Cause::RepeatsItself) => repeats = true,
            Some(Cause::FailedCheck) => checks = true,
            Some(Cause::NoVerdict) => unjudged = true,
            _ => other = true,
        }
    }
    let mut hints = Vec::new();
    hints.extend(without.into_iter().filter_map(nothing));
    if is_shard && (cut || repeats || checks) {
        hints.push(format!(
            "Answers that were cut, or fail a check and have no tries left, are asked anew with {redo}: \
             what a job asks stays as it was split"
        ));
        (cut, repeats, checks) = (false, false, false);
    }
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
    if checks {
        hints.push(format!(
            "No tries are left for answers that fail a check: raise `--tries` where the check retries, \
             or ask anew with {redo}"
        ));
    }
    if unjudged {
        hints.push(format!(
            "Answers on which a program gave no verdict: mend it, then {} judges what is there and asks for none of \
             that again",
            again(&[], "")
        ));
    }
    if other {
        hints.push(format!("Ask the failed questions again with {}", again(&[], "")));
    }
    hints
}

/// Returns what helps where something came in place of an answer.
pub(crate) fn nothing(cause: &str) -> Option<String> {
    Some(match Cause::from_code(cause)? {
        Cause::OnlyReasoning | Cause::EndlessReasoning => {
            "Reasoning and no answer: raise the limit with `--max-tokens N`, or switch reasoning off \
             with `--reasoning off`"
                .to_owned()
        }
        Cause::ToolCall => {
            "A tool called in place of an answer: dset offers none, so ask another model, or switch \
             the tools off where it is served"
                .to_owned()
        }
        Cause::NoText => {
            "An answer that is no text: have the service give it as a text, as JSON in a string".into()
        }
        Cause::TooLarge => {
            "A reply that is too large to read: leave out what makes it so long (`logprobs`, `top_logprobs`), or \
             take it as a stream, of which the texts alone count: `--stream on`"
                .into()
        }
        _ => return None,
    })
}
