//! Unpacks the body of a reply as it comes.
//!
//! What a service says of the encoding is held against the bytes: an answer that was paid for is read
//! where it can be.

use std::io::{self, Write as _};

use bytes::{Buf as _, Bytes};
use flate2::write::GzDecoder;
use hyper::header::{CONTENT_ENCODING, HeaderMap};

/// What is asked for.
pub(crate) const ENCODING: &str = "gzip";
/// How every member of a gzip file begins, and no text does.
const GZIP: u8 = 0x1f;
/// So much is unpacked at once, at most a thousand times as much comes of it.
const PIECE: usize = 1024;

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Unpacker {
    kind: Kind,
    /// What has come and is not unpacked yet.
    packed: Bytes,
}

#[derive(Debug)]
enum Kind {
    Plain,
    /// It is said to be gzip, and nothing of it has come.
    Gzip,
    Unpacking(Box<GzDecoder<Vec<u8>>>),
    /// Its last member has ended.
    Ended,
}

impl Unpacker {
    /// Returns how a body with these headers is unpacked, and the name of an encoding that is not known.
    pub(crate) fn new(headers: &HeaderMap) -> (Unpacker, Option<String>) {
        let said = headers.get_all(CONTENT_ENCODING).iter();
        let said: Vec<String> = said
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        let (kind, unknown) = match said.as_slice() {
            [] => (Kind::Plain, None),
            [name] if name == ENCODING || name == "x-gzip" => (Kind::Gzip, None),
            others => (Kind::Plain, Some(others.join(", "))),
        };
        (Unpacker { kind, packed: Bytes::new() }, unknown)
    }

    /// Takes what has come; all of what came before was taken out.
    pub(crate) fn push(&mut self, packed: Bytes) {
        if let (Kind::Gzip, Some(first)) = (&self.kind, packed.first()) {
            self.kind = match *first == GZIP {
                true => Kind::Unpacking(Box::new(GzDecoder::new(Vec::new()))),
                false => Kind::Plain,
            };
        }
        self.packed = packed;
    }

    /// Returns what comes next; `None` where more has to come first.
    pub(crate) fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.packed.is_empty() {
            match &mut self.kind {
                Kind::Plain | Kind::Gzip => return Ok(Some(std::mem::take(&mut self.packed))),
                Kind::Ended if self.packed[0] == GZIP => {
                    self.kind = Kind::Unpacking(Box::new(GzDecoder::new(Vec::new())));
                }
                // Padding, or what else is behind the end.
                Kind::Ended => self.packed.clear(),
                Kind::Unpacking(decoder) => {
                    let piece = &self.packed[..PIECE.min(self.packed.len())];
                    let taken = decoder.write(piece)?;
                    match taken {
                        0 => decoder.try_finish()?,
                        _ => decoder.flush()?,
                    }
                    let unpacked = std::mem::take(decoder.get_mut());
                    self.packed.advance(taken);
                    if taken == 0 {
                        self.kind = Kind::Ended;
                    }
                    if !unpacked.is_empty() {
                        return Ok(Some(unpacked.into()));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Takes the end of the body; returns the last of what it holds. Fails where more was to come.
    pub(crate) fn finish(&mut self) -> io::Result<Option<Bytes>> {
        let Kind::Unpacking(mut decoder) = std::mem::replace(&mut self.kind, Kind::Ended) else {
            return Ok(None);
        };
        // Behind its sum, it takes nothing more.
        if decoder.write(&[0])? > 0 {
            let broken_off = "the packed reply broke off";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, broken_off));
        }
        decoder.try_finish()?;
        let rest = std::mem::take(decoder.get_mut());
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use hyper::header::HeaderValue;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    fn unpacked(encoding: &str, bytes: &[u8], step: usize) -> io::Result<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        let (mut unpacker, _) = Unpacker::new(&headers);
        let mut all = Vec::new();
        for chunk in bytes.chunks(step) {
            unpacker.push(Bytes::copy_from_slice(chunk));
            while let Some(piece) = unpacker.next()? {
                all.extend_from_slice(&piece);
            }
        }
        all.extend(unpacker.finish()?.into_iter().flatten());
        assert!(unpacker.finish()?.is_none());
        Ok(String::from_utf8(all).unwrap())
    }

    #[test]
    fn gzip_is_unpacked_however_it_is_called_and_in_whatever_pieces_it_comes() {
        let text = "An answer. ".repeat(500);
        let padded = [gzip(&text), vec![0; 300]].concat();
        for name in ["gzip", "GZIP", "x-gzip", " X-GZip", "identity, gzip"] {
            for step in [1, 2, 7, 1024, 100_000] {
                assert_eq!(unpacked(name, &gzip(&text), step).unwrap(), text, "{name} {step}");
                assert_eq!(unpacked(name, &padded, step).unwrap(), text, "{name} {step}");
            }
        }
    }

    #[test]
    fn members_of_gzip_are_one_text_and_half_of_one_is_an_error() {
        let two = [gzip("one, "), gzip("two")].concat();
        for step in [1, 5, 1000] {
            assert_eq!(unpacked("gzip", &two, step).unwrap(), "one, two");
            for cut in [1, 9, 20] {
                assert!(unpacked("gzip", &two[..two.len() - cut], step).is_err(), "{step} {cut}");
            }
        }
    }

    #[test]
    fn what_is_called_packed_and_is_not_is_read_as_it_is() {
        for name in ["gzip", "br", "zstd", "gzip, br", "identity", ""] {
            assert_eq!(unpacked(name, b"{\"a\": 1}", 3).unwrap(), "{\"a\": 1}", "{name}");
        }
        assert_eq!(unpacked("gzip", b"", 1).unwrap(), "");
    }

    #[test]
    fn a_piece_of_a_stream_is_there_as_soon_as_it_has_come() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let (mut unpacker, _) = Unpacker::new(&headers);
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        for word in ["data: one\n\n", "data: two\n\n"] {
            packer.write_all(word.as_bytes()).unwrap();
            packer.flush().unwrap();
            unpacker.push(std::mem::take(packer.get_mut()).into());
            let mut came = Vec::new();
            while let Some(piece) = unpacker.next().unwrap() {
                came.extend_from_slice(&piece);
            }
            assert_eq!(came, word.as_bytes());
        }
    }
}
