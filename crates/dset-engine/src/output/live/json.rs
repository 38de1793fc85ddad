//! `output.json`: one object a line, spaced as Python's `json.dumps` spaces it.

use std::io;

use dset_core::answer::row::{CompleteMetadata, Metadata, Row};
use dset_core::time::stamp;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::format::LiveFormat;

pub(super) const FORMAT: LiveFormat = LiveFormat {
    name: "json",
    file: "output.json",
    about: "the same, an object a line, with all that is known of each",
    header: b"",
    header_with_bom: None,
    newline: b"\n",
    shape: 3,
    // Shape 1 has the keys of what is known, shape 2 no id.
    earlier_shapes: &[
        (1, |row, output| write(row, &Metadata { id: None, ..row.metadata.clone() }, output)),
        (2, |row, output| {
            let complete = CompleteMetadata { id: "", ..CompleteMetadata::from(&row.metadata) };
            write(row, &complete, output);
        }),
    ],
    loader_rank: 1,
    write: |row, output| write(row, &CompleteMetadata::from(&row.metadata), output),
    looks: None,
};

#[derive(Serialize)]
struct Line<'a, M> {
    metadata: Head<'a, M>,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Head<'a, M> {
    timestamp: String,
    question: &'a str,
    #[serde(flatten)]
    rest: &'a M,
}

#[derive(Serialize)]
struct Response<'a> {
    reasoning: &'a str,
    answer: &'a str,
}

fn write(row: &Row, metadata: &impl Serialize, output: &mut Vec<u8>) {
    let line = Line {
        metadata: Head {
            timestamp: stamp(row.answered_at),
            question: &row.question,
            rest: metadata,
        },
        response: Response { reasoning: &row.reasoning, answer: &row.answer },
    };
    let mut serializer = serde_json::Serializer::with_formatter(&mut *output, Spaced);
    line.serialize(&mut serializer).expect("a row is plain values");
    output.push(b'\n');
}

/// `", "` between and `": "` behind keys.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }
}
