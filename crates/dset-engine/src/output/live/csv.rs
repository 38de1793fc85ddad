//! `output.csv`: a header, CRLF line ends, quotes where they are needed, as Python's `csv` writes.

use dset_core::answer::row::Row;
use dset_core::time::stamp;
use memchr::{memchr, memchr_iter, memchr3};

use super::format::{BOM, Beside, LiveFormat, Look, Looks};

pub(super) const FORMAT: LiveFormat = LiveFormat {
    name: "csv",
    file: "output.csv",
    about: "the answers, in the order of the questions",
    header: ORIGINAL.header,
    header_with_bom: ORIGINAL.header_with_bom,
    newline: b"\r\n",
    shape: 1,
    earlier_shapes: &[],
    loader_rank: 2,
    write: ORIGINAL.write,
    looks: Some(Looks { of: look, of_file: beside }),
};

/// Makes a look of the names of its columns, and of which come behind the original's four.
macro_rules! look {
    ($names:literal, $id:literal, $origin:literal) => {
        Look {
            header: concat!($names, "\r\n").as_bytes(),
            header_with_bom: Some(concat!("\u{feff}", $names, "\r\n").as_bytes()),
            write: write::<$id, $origin>,
        }
    };
}

const ORIGINAL: Look = look!("timestamp,question,thoughts,final_answer", false, false);
const WITH_ID: Look = look!("timestamp,question,thoughts,final_answer,id", true, false);
const WITH_ORIGIN: Look =
    look!("timestamp,question,thoughts,final_answer,model,sample", false, true);
const WITH_BOTH: Look =
    look!("timestamp,question,thoughts,final_answer,model,sample,id", true, true);

fn look(beside: Beside) -> Look {
    match beside {
        Beside { id: false, origin: false } => ORIGINAL,
        Beside { id: true, origin: false } => WITH_ID,
        Beside { id: false, origin: true } => WITH_ORIGIN,
        Beside { id: true, origin: true } => WITH_BOTH,
    }
}

/// Tells what a file has beside the original's columns, by its first bytes.
fn beside(head: &[u8]) -> Beside {
    let head = head.strip_prefix(BOM).unwrap_or(head);
    let all = [false, true].map(|id| [false, true].map(|origin| Beside { id, origin }));
    let is_it = |beside: &Beside| head.starts_with(look(*beside).header);
    all.into_iter().flatten().find(is_it).unwrap_or_default()
}

fn write<const ID: bool, const ORIGIN: bool>(row: &Row, output: &mut Vec<u8>) {
    let stamp = stamp(row.answered_at);
    for text in [&stamp, &row.question, &row.reasoning] {
        write_cell(text.as_bytes(), output);
        output.push(b',');
    }
    write_cell(row.answer.as_bytes(), output);
    if ORIGIN {
        let (model, sample) = row.origin();
        output.push(b',');
        write_cell(model.as_bytes(), output);
        output.extend_from_slice(format!(",{sample}").as_bytes());
    }
    if ID {
        output.push(b',');
        write_cell(row.metadata.id.as_deref().unwrap_or_default().as_bytes(), output);
    }
    output.extend_from_slice(b"\r\n");
}

/// Writes a cell of several; alone, an empty one would need quotes.
fn write_cell(text: &[u8], output: &mut Vec<u8>) {
    if memchr3(b'"', b',', b'\n', text).is_none() && memchr(b'\r', text).is_none() {
        output.extend_from_slice(text);
        return;
    }
    output.push(b'"');
    let mut written = 0;
    for quote in memchr_iter(b'"', text) {
        output.extend_from_slice(&text[written..=quote]);
        output.push(b'"');
        written = quote + 1;
    }
    output.extend_from_slice(&text[written..]);
    output.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cells_are_written_as_another_writer_writes_them(
            question in "[a\"',\r\n\t\0 é]{0,12}",
            reasoning in any::<String>(),
            answer in any::<String>(),
        ) {
            let row = Row {
                answered_at: 0,
                question,
                reasoning,
                answer,
                metadata: Default::default(),
                reading: None,
            };
            let mut ours = Vec::new();
            (FORMAT.write)(&row, &mut ours);
            let mut other = ::csv::WriterBuilder::new();
            let mut other = other.terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
            let stamp = stamp(0);
            other.write_record([&stamp, &row.question, &row.reasoning, &row.answer]).unwrap();
            prop_assert_eq!(ours, other.into_inner().unwrap());
        }
    }
}
