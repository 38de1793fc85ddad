//! Opens a file: says what it is where it is none, and what its columns are.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{FieldRef, Fields, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescriptor;

use super::pandas::RangeIndex;
use super::{Position, Reader, fault, schema};
use crate::error::ReadError;
use crate::json::Shape;

/// What Parquet files begin and end with.
const MAGIC: &[u8; 4] = b"PAR1";
/// What they begin and end with where the footer is encrypted too.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";
/// Both, and the length of the footer: no file is shorter.
const SHORTEST: u64 = 12;
/// What follows a footer that is signed, because columns are encrypted: a nonce and a tag.
const SIGNATURE: usize = 28;

/// See [`Reader::open`].
pub(super) fn open(path: &Path) -> Result<Reader, ReadError> {
    let damaged = |why| ReadError::Damaged { path: path.to_owned(), why };
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let (footer, data_end) = footer(path, &mut file)?;
    let original = decode(&footer).map_err(damaged)?;
    if footer.len().checked_sub(SIGNATURE).is_some_and(|end| decode(&footer[..end]).is_ok()) {
        return Err(ReadError::Encrypted { path: path.to_owned() });
    }
    check_codecs(path, &original)?;
    check_places(&original, data_end).map_err(damaged)?;
    let rows = total_rows(&original).map_err(damaged)?;
    let readable = schema::without_intervals(&original).map_err(damaged)?;
    let fields = arrow_fields(path, readable.file_metadata().schema_descr())?;
    let fields = schema::wanted(&fields, readable.file_metadata().schema_descr());
    let metadata = arrow_metadata(readable, fields.clone()).map_err(damaged)?;
    let schema = original.file_metadata().schema_descr();
    let mut leaf = 0;
    let shape = |field: &FieldRef| Shape::of(field, schema, &mut leaf);
    let shapes = fields.iter().map(shape).collect();
    let mut columns = schema::distinct(fields.iter().map(|field| field.name().as_str()));
    let index = RangeIndex::of(&original, &columns);
    columns.extend(index.iter().map(|index| index.name.clone()));
    let (path, at) = (path.to_owned(), Position::default());
    Ok(Reader { path, file, metadata, columns, shapes, index, rows, at, bytes: Vec::new() })
}

/// Reads the footer, after a look at the first and the last bytes, and says where it begins.
fn footer(path: &Path, file: &mut File) -> Result<(Vec<u8>, u64), ReadError> {
    let path = || path.to_owned();
    let io = |source| ReadError::Io { path: path(), source };
    let bytes = file.seek(SeekFrom::End(0)).map_err(io)?;
    file.rewind().map_err(io)?;
    let mut first = Vec::new();
    file.by_ref().take(4).read_to_end(&mut first).map_err(io)?;
    if first == MAGIC_ENCRYPTED {
        return Err(ReadError::Encrypted { path: path() });
    }
    if first != MAGIC {
        return Err(ReadError::NotParquet { path: path() });
    }
    if bytes < SHORTEST {
        return Err(ReadError::CutShort { path: path(), bytes });
    }
    let mut last = [0; 8];
    file.seek(SeekFrom::End(-8)).map_err(io)?;
    file.read_exact(&mut last).map_err(io)?;
    let [a, b, c, d, magic @ ..] = last;
    // A footer longer than the file: what ends it is not its own end.
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if &magic != MAGIC || length > bytes - SHORTEST {
        return Err(ReadError::CutShort { path: path(), bytes });
    }
    let start = bytes - 8 - length;
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let mut footer = Vec::new();
    file.by_ref().take(length).read_to_end(&mut footer).map_err(io)?;
    Ok((footer, start))
}

fn decode(footer: &[u8]) -> Result<ParquetMetaData, String> {
    fault::caught(|| {
        ParquetMetaDataReader::decode_metadata(footer).map_err(|error| error.to_string())
    })
}

/// Refuses a column whose compression is not built in, before the first row.
fn check_codecs(path: &Path, metadata: &ParquetMetaData) -> Result<(), ReadError> {
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        if column.compression() == Compression::LZO {
            return Err(ReadError::UnreadableColumn {
                path: path.to_owned(),
                column: column.column_path().string(),
                why: "its compression, LZO, is not supported".to_owned(),
            });
        }
    }
    Ok(())
}

/// Checks that the data of every column is where data can be: the library panics at negative places.
fn check_places(metadata: &ParquetMetaData, data_end: u64) -> Result<(), String> {
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = u64::try_from(first).ok().zip(u64::try_from(column.compressed_size()).ok());
        let end = end.and_then(|(first, length)| first.checked_add(length));
        if column.data_page_offset() < 0 || end.is_none_or(|end| end > data_end) {
            let name = column.column_path().string();
            return Err(format!("the data of column \"{name}\" is said to be outside the file"));
        }
    }
    Ok(())
}

fn total_rows(metadata: &ParquetMetaData) -> Result<u64, String> {
    let groups = metadata.row_groups().iter();
    let add = |sum: u64, rows: i64| sum.checked_add(rows.try_into().ok()?);
    let sum = groups.map(|group| group.num_rows()).try_fold(0, add);
    sum.ok_or_else(|| "it says of a row group that it has less than no rows".to_owned())
}

/// The Arrow types of the columns; the first column that has none is named.
fn arrow_fields(path: &Path, schema: &SchemaDescriptor) -> Result<Fields, ReadError> {
    let caught = fault::caught(|| parquet_to_arrow_schema(schema, None).map_err(|e| e.to_string()));
    let unreadable = |column: &str, why| ReadError::UnreadableColumn {
        path: path.to_owned(),
        column: column.to_owned(),
        why,
    };
    let why = match caught {
        Ok(arrow) => {
            for field in arrow.fields() {
                if let Some(other) = schema::unknown(field.data_type()) {
                    let why = format!("its type, {other}, is not supported");
                    return Err(unreadable(field.name(), why));
                }
            }
            return Ok(arrow.fields().clone());
        }
        Err(why) => why,
    };
    for (root, field) in schema.root_schema().get_fields().iter().enumerate() {
        let only = ProjectionMask::roots(schema, [root]);
        let levels = || parquet_to_arrow_field_levels(schema, only, None);
        if let Err(why) = fault::caught(|| levels().map_err(|error| error.to_string())) {
            return Err(unreadable(field.name(), why));
        }
    }
    Err(ReadError::Damaged { path: path.to_owned(), why })
}

/// The types of values are those of the Parquet schema. The Arrow schema that some writers put beside it is
/// left alone, as DuckDB does: it says how values lay in the writer's memory, and is one more thing that
/// may be damaged.
fn arrow_metadata(
    metadata: ParquetMetaData,
    fields: Fields,
) -> Result<ArrowReaderMetadata, String> {
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_schema(Arc::new(Schema::new(fields)));
    fault::caught(|| {
        ArrowReaderMetadata::try_new(Arc::new(metadata), options).map_err(|error| error.to_string())
    })
}
