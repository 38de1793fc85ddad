//! The answers alone, as the model wrote them.

use dset_engine::view::show::{ShowReport, SlotOutcome};

use super::tried;
use crate::display::{page, warn};
use crate::exit::Exit;

/// Writes answers and nothing else.
pub(super) fn write(shown: &ShowReport) -> Exit {
    let entries = shown.questions.iter().flat_map(|question| &question.entries);
    let answers: Vec<&str> = entries
        .filter_map(|entry| match &entry.outcome {
            SlotOutcome::Answered(row) => Some(&*row.answer),
            _ => None,
        })
        .collect();
    if answers.is_empty() {
        return reply(shown);
    }
    let mut out = String::new();
    for answer in answers {
        if !out.is_empty() {
            out.push('\n');
        }
        out += answer;
        if !answer.ends_with('\n') {
            out.push('\n');
        }
    }
    page::data(&out);
    Exit::Done
}

/// Writes what came in place of an answer, where it was kept.
fn reply(shown: &ShowReport) -> Exit {
    let entries = || shown.questions.iter().flat_map(|question| &question.entries);
    if let Some(last) = entries().find_map(|entry| entry.tries.last()) {
        warn("no answer is accepted; this is the last one", None);
        let end = if last.row.answer.ends_with('\n') { "" } else { "\n" };
        page::data(&format!("{}{end}", last.row.answer));
        return Exit::Ours;
    }
    let reply = entries().filter_map(tried).find_map(|tried| tried.reply.as_deref());
    match reply {
        Some(reply) => {
            warn("there is no answer; this is the last reply that was kept", None);
            let mut out = String::from_utf8_lossy(reply).into_owned();
            if !out.ends_with('\n') {
                out.push('\n');
            }
            page::data(&out);
        }
        None => warn("there is no answer yet", None),
    }
    Exit::Ours
}
