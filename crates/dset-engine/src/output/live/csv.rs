//! `output.csv`: a header, CRLF line ends, quotes where they are needed, as Python's `csv` writes.

use dset_core::answer::row::Row;
use dset_core::time::stamp;
use memchr::{memchr, memchr_iter, memchr3};

use super::format::LiveFormat;

pub(super) const FORMAT: LiveFormat = LiveFormat {
    name: "csv",
    file: "output.csv",
    about: "the answers, in the order of the questions",
    header: b"timestamp,question,thoughts,final_answer\r\n",
    header_with_bom: Some(b"\xef\xbb\xbftimestamp,question,thoughts,final_answer\r\n"),
    newline: b"\r\n",
    shape: 1,
    earlier_shapes: &[],
    loader_rank: 2,
    write,
};

fn write(row: &Row, output: &mut Vec<u8>) {
    let stamp = stamp(row.answered_at);
    for text in [&stamp, &row.question, &row.reasoning] {
        write_cell(text.as_bytes(), output);
        output.push(b',');
    }
    write_cell(row.answer.as_bytes(), output);
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
            };
            let mut ours = Vec::new();
            write(&row, &mut ours);
            let mut other = ::csv::WriterBuilder::new();
            let mut other = other.terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
            let stamp = stamp(0);
            other.write_record([&stamp, &row.question, &row.reasoning, &row.answer]).unwrap();
            prop_assert_eq!(ours, other.into_inner().unwrap());
        }
    }
}
