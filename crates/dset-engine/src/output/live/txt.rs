//! `output.txt`: a transcript for people.

use dset_core::answer::row::Row;
use dset_core::time::stamp;

use super::format::LiveFormat;

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
    write,
};

fn write(row: &Row, output: &mut Vec<u8>) {
    let stamp = stamp(row.answered_at);
    let fields = [
        ("Timestamp: ", stamp.as_str()),
        ("Question: ", &row.question),
        ("Thought Process: ", &row.reasoning),
        ("Final Answer: ", &row.answer),
    ];
    for (name, text) in fields {
        output.extend_from_slice(name.as_bytes());
        output.extend_from_slice(text.as_bytes());
        output.push(b'\n');
    }
    output.extend_from_slice(&[b'-'; 50]);
    output.extend_from_slice(b"\n\n");
}
