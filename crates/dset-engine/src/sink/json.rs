//! `output.json`: one object a line, spaced as Python's `json.dumps` spaces it.

use std::io;

use dset_core::row::{Metadata, Row};
use dset_core::time::stamp;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::Format;

pub(super) const FORMAT: Format =
    Format { name: "json", file: "output.json", header: b"", newline: b"\n", write };

#[derive(Serialize)]
struct Line<'a> {
    metadata: Head<'a>,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Head<'a> {
    timestamp: String,
    question: &'a str,
    #[serde(flatten)]
    rest: &'a Metadata,
}

#[derive(Serialize)]
struct Response<'a> {
    reasoning: &'a str,
    answer: &'a str,
}

fn write(row: &Row, output: &mut Vec<u8>) {
    let line = Line {
        metadata: Head {
            timestamp: stamp(row.answered_at),
            question: &row.question,
            rest: &row.metadata,
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
