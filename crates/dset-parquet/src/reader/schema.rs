//! As which types columns are read.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::basic::{ConvertedType, Type as PhysicalType};
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

/// Makes intervals the 12 bytes that they are. The library reads them as days and milliseconds
/// otherwise, and leaves their months out without a word.
pub(super) fn without_intervals(metadata: &ParquetMetaData) -> Result<ParquetMetaData, String> {
    let file = metadata.file_metadata();
    let schema = file.schema_descr();
    let is_interval = |leaf| schema.column(leaf).converted_type() == ConvertedType::INTERVAL;
    if !(0..schema.num_columns()).any(is_interval) {
        return Ok(metadata.clone());
    }
    let root = plain(&schema.root_schema_ptr()).map_err(|error| error.to_string())?;
    let changed = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        None,
        Arc::new(SchemaDescriptor::new(root)),
        None,
    );
    Ok(ParquetMetaData::new(changed, metadata.row_groups().to_vec()))
}

/// The type with every interval in it as bytes.
fn plain(of: &TypePtr) -> Result<TypePtr, parquet::errors::ParquetError> {
    let info = of.get_basic_info();
    match of.as_ref() {
        Type::PrimitiveType { physical_type, type_length, .. }
            if info.converted_type() == ConvertedType::INTERVAL =>
        {
            let bytes = Type::primitive_type_builder(info.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_length(*type_length);
            Ok(Arc::new(bytes.build()?))
        }
        Type::PrimitiveType { .. } => Ok(Arc::clone(of)),
        Type::GroupType { fields, .. } => {
            let mut group = Type::group_type_builder(info.name())
                .with_fields(fields.iter().map(plain).collect::<Result<_, _>>()?)
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned());
            if info.has_repetition() {
                group = group.with_repetition(info.repetition());
            }
            Ok(Arc::new(group.build()?))
        }
    }
}

/// The types that values are read as: text and bytes as views, which point into a page and are not copied;
/// and times of the kind that takes 96 bits by the microsecond, which reach further than
/// by the nanosecond.
pub(super) fn wanted(fields: &Fields, schema: &SchemaDescriptor) -> Fields {
    let mut leaf = 0;
    fields.iter().map(|field| wanted_field(field, schema, &mut leaf)).collect()
}

fn wanted_field(field: &FieldRef, schema: &SchemaDescriptor, leaf: &mut usize) -> FieldRef {
    let mut inner = |field: &FieldRef| wanted_field(field, schema, leaf);
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => {
            let column = (*leaf < schema.num_columns()).then(|| schema.column(*leaf));
            *leaf += 1;
            match (other, column.map(|column| column.physical_type())) {
                (DataType::Utf8, _) => DataType::Utf8View,
                (DataType::Binary, _) => DataType::BinaryView,
                (DataType::Timestamp(..), Some(PhysicalType::INT96)) => {
                    DataType::Timestamp(TimeUnit::Microsecond, None)
                }
                (other, _) => other.clone(),
            }
        }
    };
    let wanted = Field::new(field.name(), data_type, field.is_nullable());
    Arc::new(wanted.with_metadata(field.metadata().clone()))
}

/// The first type in a type that no JSON value is known for: [`crate::json::value`] has to know it first.
pub(super) fn unknown(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item) => unknown(item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                pair.iter().find_map(|field| unknown(field.data_type()))
            }
            _ => Some(data_type),
        },
        DataType::Struct(fields) => fields.iter().find_map(|field| unknown(field.data_type())),
        known if known.is_integer() || known.is_floating() || known.is_decimal() => None,
        DataType::Null | DataType::Boolean | DataType::Utf8 | DataType::Binary => None,
        DataType::FixedSizeBinary(_) | DataType::Date32 | DataType::Timestamp(..) => None,
        DataType::Time32(TimeUnit::Millisecond) => None,
        DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => None,
        other => Some(other),
    }
}

/// Names that differ from each other: where one was there before, a later one is numbered.
pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let given: HashSet<&str> = names.clone().collect();
    let mut taken = HashSet::new();
    let mut free = |name: &str| {
        if taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        let numbered = (1u64..).map(|number| format!("{name}_{number}"));
        let mut unused = numbered.filter(|it| !given.contains(it.as_str()));
        // The numbers do not end before a name is free.
        unused.find(|it| taken.insert(it.clone())).unwrap_or_default()
    };
    names.map(&mut free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_from_each_other_and_from_what_the_file_calls_its_columns() {
        let names = ["x", "x", "x_1", "x", "y"];
        assert_eq!(distinct(names.into_iter()), ["x", "x_2", "x_1", "x_3", "y"]);
    }
}
