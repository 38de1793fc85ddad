//! `output.csv`: a header, CRLF line ends, quotes where they are needed, as Python's `csv` writes.

use dset_core::row::Row;
use dset_core::time::stamp;

use super::Format;

pub(super) const FORMAT: Format = Format {
    name: "csv",
    file: "output.csv",
    header: b"timestamp,question,thoughts,final_answer\r\n",
    newline: b"\r\n",
    write,
};

fn write(row: &Row, output: &mut Vec<u8>) {
    let length = row.question.len() + row.reasoning.len() + row.answer.len();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity(length + 64)
        .from_writer(output);
    let cells = [&stamp(row.answered_at), &row.question, &row.reasoning, &row.answer];
    writer.write_record(cells).and_then(|()| Ok(writer.flush()?)).expect("memory takes every row");
}
