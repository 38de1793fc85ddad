//! Files that are packed as they are written: by their name, `.gz` or `.zst`, one stream a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use flate2::write::GzEncoder;

/// So much is written to the disk at once.
const BUFFER_BYTES: usize = 1 << 18;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// A file that is packed as it is written.
pub(super) enum Packed {
    None(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Packing {
    /// Returns the name without the ending of a packing, and the packing.
    pub(super) fn of_name(name: &str) -> (&str, Packing) {
        let ending = |ending| name.strip_suffix(ending);
        match (ending(".gz"), ending(".zst")) {
            (Some(stem), _) => (stem, Packing::Gzip),
            (_, Some(stem)) => (stem, Packing::Zstd),
            _ => (name, Packing::None),
        }
    }

    /// Packs what is written to a file. The same bytes in give the same bytes out: neither stream
    /// holds a name or a time.
    pub(super) fn writer(self, file: File) -> io::Result<Packed> {
        let to = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(match self {
            Packing::None => Packed::None(to),
            Packing::Gzip => Packed::Gzip(GzEncoder::new(to, flate2::Compression::default())),
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(to, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                Packed::Zstd(encoder)
            }
        })
    }
}

impl Packed {
    /// Ends the stream.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Packed::None(to) => Ok(to),
            Packed::Gzip(encoder) => encoder.finish(),
            Packed::Zstd(encoder) => encoder.finish(),
        }?
        .flush()
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::None(to) => to.write(bytes),
            Packed::Gzip(encoder) => encoder.write(bytes),
            Packed::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::None(to) => to.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstd(encoder) => encoder.flush(),
        }
    }
}
