//! `output.txt`: a transcript for people.

use dset_core::answer::row::Row;
use dset_core::time::stamp;

use super::format::{Beside, LiveFormat, Look, Looks};

pub(super) const FORMAT: LiveFormat = LiveFormat {
    name: "txt",
    file: "output.txt",
    about: "the same, to read",
    header: b"",
    header_with_bom: None,
    newline: b"\n",
    shape: 1,
    earlier_shapes: &[],
    loader_rank: 3,
    write: write::<false>,
    looks: Some(Looks { of: look, of_file: beside }),
};

/// The line behind the first that tells which answer of several it is.
const ORIGIN: &str = "Model: ";

fn look(beside: Beside) -> Look {
    let write = if beside.origin { write::<true> } else { write::<false> };
    Look { header: b"", header_with_bom: None, write }
}

/// Tells whether the rows of a file name the model, by its first bytes.
fn beside(head: &[u8]) -> Beside {
    let mut lines = head.split(|&byte| byte == b'\n');
    let is_ours = lines.next().is_some_and(|line| line.starts_with(b"Timestamp: "));
    let origin = is_ours && lines.next().is_some_and(|line| line.starts_with(ORIGIN.as_bytes()));
    Beside { id: false, origin }
}

fn write<const NAMES_ORIGIN: bool>(row: &Row, output: &mut Vec<u8>) {
    let stamp = stamp(row.answered_at);
    let (model, sample) = row.origin();
    let origin = format!("{model}, sample {sample}");
    let origin = NAMES_ORIGIN.then_some((ORIGIN, origin.as_str()));
    let fields = [
        Some(("Timestamp: ", stamp.as_str())),
        origin,
        Some(("Question: ", row.question.as_str())),
        Some(("Thought Process: ", row.reasoning.as_str())),
        Some(("Final Answer: ", row.answer.as_str())),
    ];
    for (name, text) in fields.into_iter().flatten() {
        output.extend_from_slice(name.as_bytes());
        output.extend_from_slice(text.as_bytes());
        output.push(b'\n');
    }
    output.extend_from_slice(&[b'-'; 50]);
    output.extend_from_slice(b"\n\n");
}
