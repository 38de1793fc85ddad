//! Server-sent events: bytes in any pieces become the data of events.
//!
//! Follows the WHATWG's HTML standard on `text/event-stream`, without what is not used here: the
//! names of events but that of an error (the others are said in the data once more), ids and
//! reconnection times. Beyond it, events of JSON are separated where the blank lines between them
//! are missing, and a field `error` is an event of that name: servers of llama.cpp's line end a stream with one.
//!
//! Not eventsource-stream: it knows events by their blank lines alone.

use std::fmt;

/// The longest line, and the longest data of one event: a service that sends its whole answer in
/// one event has 384 K tokens to say at the most, some 2 MB, and escapes may double them.
pub(crate) const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A line or an event longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// What has come of the line and of the event that are not at their end.
#[derive(Default)]
pub(crate) struct Sse {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The event that has begun is called an error.
    is_error: bool,
    /// A CR was the last byte: an LF after it is part of the same end of a line.
    after_cr: bool,
    /// The first line that is no field.
    pub(crate) stray: Option<String>,
    /// The first line is behind; it may begin with a byte order mark.
    has_begun: bool,
}

impl fmt::Debug for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse").field("data", &self.data.len()).finish_non_exhaustive()
    }
}

impl Sse {
    /// Takes the next bytes, and hands over the data of each event that they end, and whether it is
    /// called an error.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        each: &mut impl FnMut(&[u8], bool),
    ) -> Result<(), TooLong> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            if self.line.is_empty() {
                self.take(&bytes[..end], each)?;
            } else {
                self.extend(&bytes[..end])?;
                let mut line = std::mem::take(&mut self.line);
                self.take(&line, each)?;
                line.clear();
                self.line = line;
            }
            let is_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.extend(bytes)
    }

    /// Hands over what came after the last blank line. The standard throws it away; some services
    /// leave out the last blank line, and the reader of the data sees whether it is whole.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(&[u8], bool)) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        self.take(&line, each)?;
        self.take(b"", each)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > EVENT_BYTES_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take(&mut self, line: &[u8], each: &mut impl FnMut(&[u8], bool)) -> Result<(), TooLong> {
        let line = match self.has_begun {
            true => line,
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        };
        self.has_begun = true;
        if line.is_empty() {
            let is_error = std::mem::take(&mut self.is_error);
            if std::mem::take(&mut self.has_data) || is_error {
                each(&self.data, is_error);
                self.data.clear();
            }
            return Ok(());
        }
        if let Some(name) = line.strip_prefix(b"event:") {
            self.is_error = name.trim_ascii() == b"error";
            return Ok(());
        }
        if let Some(data) = line.strip_prefix(b"error:") {
            if std::mem::take(&mut self.has_data) {
                each(&self.data, std::mem::take(&mut self.is_error));
                self.data.clear();
            }
            each(data.trim_ascii(), true);
            return Ok(());
        }
        let data = match line.strip_prefix(b"data") {
            Some(b"") => b"",
            Some([b':', b' ', data @ ..] | [b':', data @ ..]) => data,
            // What some proxies make of the name of the field, or leave of the line.
            _ if line.len() > 5 && line[..5].eq_ignore_ascii_case(b"data:") => {
                line[5..].trim_ascii()
            }
            _ if line.starts_with(b"{")
                && (!self.has_data || is_of_another_event(&self.data, line)) =>
            {
                line
            }
            // A comment, or a field that is not used.
            _ => {
                let is_used_elsewhere = [&b":"[..], b"id", b"retry", b"event"]
                    .iter()
                    .any(|field| line.starts_with(field));
                if !is_used_elsewhere && self.stray.is_none() {
                    self.stray = Some(String::from_utf8_lossy(line).into_owned());
                }
                return Ok(());
            }
        };
        if self.has_data && is_of_another_event(&self.data, data) {
            each(&self.data, false);
            self.data.clear();
            self.has_data = false;
        }
        if self.data.len() + data.len() >= EVENT_BYTES_MAX {
            return Err(TooLong);
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(data);
        Ok(())
    }
}

/// Returns true if a line of data begins another event though no blank line came before it: no JSON
/// goes on with `{` or `[` after a `}`, but another document does, or `[DONE]`.
fn is_of_another_event(data: &[u8], line: &[u8]) -> bool {
    data.trim_ascii_end().ends_with(b"}") && matches!(line.trim_ascii_start(), [b'{' | b'[', ..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut sse, mut events) = (Sse::default(), Vec::new());
        let mut each =
            |data: &[u8], _: bool| events.push(String::from_utf8_lossy(data).into_owned());
        for piece in pieces {
            sse.push(piece, &mut each).unwrap();
        }
        sse.finish(&mut each).unwrap();
        events
    }

    #[test]
    fn the_data_of_an_event_is_found_in_every_way_that_it_may_be_written() {
        for (text, expected) in [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            ("\u{feff}data: a\n\n", vec!["a"]),
            (": comment\n\n:\n\n\n\ndata: a\n\n", vec!["a"]),
            ("data: a\ndata: b\n\n", vec!["a\nb"]),
            ("data:a\n\ndata:  b\n\n", vec!["a", " b"]),
            ("data: {}\ndata: {}\ndata: [DONE]\n", vec!["{}", "{}", "[DONE]"]),
            (
                "data: {\ndata:  \"a\": [{},\ndata: {}]\ndata: }\n\n",
                vec!["{\n \"a\": [{},\n{}]\n}"],
            ),
            ("event: x\nid: 7\nretry: 1\ndata: a\nnews: b\n\n", vec!["a"]),
            ("data: a\nerror: b\n\ndata: c\n\n", vec!["a", "b", "c"]),
            ("Data: a\n\n{\"b\": 1}\n\ndata: c\n\n", vec!["a", "{\"b\": 1}", "c"]),
            ("data: {}\n{\"b\": 1}\n\n", vec!["{}", "{\"b\": 1}"]),
            ("event: error\n\ndata: a\n\n", vec!["", "a"]),
            ("event: ping\n\n", vec![]),
            ("data\n\ndata:\n\n", vec!["", ""]),
            ("dataset: a\n\n data: b\n\n", vec![]),
            ("data: no blank line after it", vec!["no blank line after it"]),
        ] {
            assert_eq!(events([text.as_bytes()]), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_or_an_event_without_end_is_refused_before_it_fills_the_memory() {
        let refuse = |piece: &[u8]| {
            let mut sse = Sse::default();
            let times = 2 * EVENT_BYTES_MAX / piece.len();
            let pushed = (0..times).try_for_each(|_| sse.push(piece, &mut |_, _| {}));
            assert_eq!(pushed, Err(TooLong));
            assert!(sse.line.len() + sse.data.len() <= EVENT_BYTES_MAX);
        };
        refuse(&[b'x'; 1000]);
        refuse(&[&b"data: "[..], &[b'x'; 1000], b"\n"].concat());
    }

    proptest! {
        #[test]
        fn any_split_of_the_same_bytes_gives_the_same_events(
            text in r"(data: ?|: |\r|\n|\r\n|\n\n|a|\{|\}|\u{feff}){0,40}",
            splits in prop::collection::vec(0usize..80, 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut ends: Vec<usize> = splits.into_iter().map(|at| at.min(bytes.len())).collect();
            ends.sort_unstable();
            ends.push(bytes.len());
            let mut from = 0;
            let pieces: Vec<&[u8]> =
                ends.iter().map(|&end| &bytes[std::mem::replace(&mut from, end)..end]).collect();
            prop_assert_eq!(events(pieces), events([bytes]));
        }
    }
}
