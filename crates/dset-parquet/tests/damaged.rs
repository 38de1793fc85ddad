//! Files that are cut short, changed byte by byte or no Parquet at all: each is an error that names what is
//! known, or rows; never a panic that comes through, never an end that does not come.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use dset_parquet::{ReadError, Reader};
use serde_json::{Map, Value};
use tempfile::TempDir;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/parquet");
    fs::read(folder.join(name)).unwrap()
}

fn read(path: &Path) -> Result<Vec<Map<String, Value>>, ReadError> {
    let mut reader = Reader::open(path)?;
    let (mut rows, mut row) = (Vec::new(), Map::new());
    while reader.next(&mut row)? {
        rows.push(row.clone());
    }
    assert_eq!(rows.len() as u64, reader.rows());
    assert!(!reader.next(&mut row).unwrap());
    Ok(rows)
}

fn written(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("it.parquet");
    fs::write(&path, bytes).unwrap();
    path
}

/// Panics that the library caught are counted and not printed: thousands of files are read.
fn counted_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let ours = panic.location().is_some_and(|it| it.file().contains("dset-parquet"));
            if ours {
                usual(panic);
            } else {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
        }));
    });
    &PANICS
}

#[test]
fn a_file_that_ends_early_is_cut_short_wherever_it_ends() {
    let folder = TempDir::new().unwrap();
    for name in ["codec_zstd.parquet", "pyarrow_nested.parquet", "no_rows.parquet"] {
        let bytes = fixture(name);
        for length in 0..bytes.len() {
            let error = read(&written(&folder, &bytes[..length])).unwrap_err();
            match error {
                ReadError::NotParquet { .. } if length < 4 => {}
                ReadError::CutShort { bytes, .. } if length >= 4 && bytes == length as u64 => {}
                error => panic!("{name} after {length} bytes: {error}"),
            }
        }
    }
}

#[test]
fn what_is_no_parquet_is_called_so() {
    let folder = TempDir::new().unwrap();
    for bytes in [&b"question\nWhy?\n"[..], b"", b"{\"a\": 1}\n", b"PK\x03\x04", b"PAR"] {
        let error = read(&written(&folder, bytes)).unwrap_err();
        assert!(matches!(error, ReadError::NotParquet { .. }), "{error}");
    }
    let missing = read(&folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing, ReadError::Io { .. }), "{missing}");
    assert!(matches!(read(folder.path()).unwrap_err(), ReadError::Io { .. }));
}

#[test]
fn a_damaged_page_is_named_by_row_and_column() {
    let folder = TempDir::new().unwrap();
    let mut bytes = fixture("small_pages.parquet");
    // A page in the middle of the texts: its texts claim to be longer than the page.
    let place = bytes.windows(6).rposition(|it| it == b"text 7").unwrap();
    bytes[place - 1] = 0x70;
    let error = read(&written(&folder, &bytes)).unwrap_err();
    let ReadError::DamagedRow { row, column, .. } = &error else { panic!("{error}") };
    assert_eq!(column.as_deref(), Some("t"), "{error}");
    // Text 7 is there last in row 108; a page is read whole, so that its first row is the one.
    assert!((90..=108).contains(row), "{error}");
}

#[test]
fn bytes_that_have_a_checksum_are_never_read_otherwise() {
    let folder = TempDir::new().unwrap();
    let bytes = fixture("pages_v2.parquet");
    let expected = read(&written(&folder, &bytes)).unwrap();
    let place = bytes.windows(4).position(|it| it == b"text").unwrap();
    for bit in 0..8 {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << bit;
        let error = read(&written(&folder, &bytes)).unwrap_err();
        let ReadError::DamagedRow { column, .. } = &error else { panic!("{error}") };
        assert_eq!(column.as_deref(), Some("t"), "{error}");
    }
    assert_eq!(expected.len(), 121);
}

#[test]
fn any_byte_changed_gives_rows_or_an_error() {
    let folder = TempDir::new().unwrap();
    let panics = counted_panics();
    let (mut errors, mut rows) = (0, 0);
    for name in [
        "pyarrow_nested.parquet",
        "pyarrow_numbers.parquet",
        "duckdb_types.parquet",
        "pages_v2.parquet",
        "small_pages.parquet",
        "codec_lz4.parquet",
        "codec_snappy.parquet",
        "int96.parquet",
    ] {
        let bytes = fixture(name);
        // Every byte takes minutes without optimization, and was tried.
        let step = if cfg!(debug_assertions) { 101 } else { 1 };
        for place in (4..bytes.len()).step_by(step) {
            for flip in [0x01, 0x80, 0xFF, bytes[place]] {
                let mut bytes = bytes.clone();
                bytes[place] ^= flip;
                match read(&written(&folder, &bytes)) {
                    Ok(_) => rows += 1,
                    Err(_) => errors += 1,
                }
            }
        }
    }
    // Few of them are panics of the library; that they are none of ours is what this shows.
    let panics = panics.load(Ordering::Relaxed);
    assert!(errors > 100 && rows > 100, "{errors} errors, {rows} read, {panics} panics caught");
}
