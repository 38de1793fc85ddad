//! The JSON value of a place in a column: the one that DuckDB's `to_json` gives, but for what the crate's
//! documentation names.

mod calendar;
mod text;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, Field, TimeUnit};
use parquet::basic::{ConvertedType, LogicalType};
use parquet::schema::types::SchemaDescriptor;
use serde_json::{Map, Value};

/// What the Parquet type of a column says beyond the type of its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Nothing.
    Plain,
    /// Its texts are JSON.
    Json,
    /// Its texts are names, kept as bytes.
    Enum,
    /// Its 16 bytes are a UUID.
    Uuid,
    /// Its 12 bytes are an interval.
    Interval,
    /// Its times of day are in UTC.
    TimeInUtc,
    /// The shape of each item.
    List(Box<Shape>),
    /// The shape of keys and of values.
    Map(Box<Shape>, Box<Shape>),
    /// The name and shape of each field.
    Struct(Vec<(String, Shape)>),
}

impl Shape {
    /// The shape of a column whose first leaf in the Parquet schema is `leaf`, which then is the leaf after
    /// its last.
    pub(crate) fn of(field: &Field, schema: &SchemaDescriptor, leaf: &mut usize) -> Shape {
        match field.data_type() {
            DataType::List(item) => Shape::List(Box::new(Shape::of(item, schema, leaf))),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(pair) if pair.len() == 2 => {
                    let key = Box::new(Shape::of(&pair[0], schema, leaf));
                    Shape::Map(key, Box::new(Shape::of(&pair[1], schema, leaf)))
                }
                _ => Shape::Plain,
            },
            DataType::Struct(fields) => {
                let named = |field: &arrow_schema::FieldRef| {
                    (field.name().clone(), Shape::of(field, schema, leaf))
                };
                Shape::Struct(fields.iter().map(named).collect())
            }
            _ => {
                let shape = if *leaf < schema.num_columns() {
                    Shape::of_leaf(schema, *leaf)
                } else {
                    Shape::Plain
                };
                *leaf += 1;
                shape
            }
        }
    }

    fn of_leaf(schema: &SchemaDescriptor, leaf: usize) -> Shape {
        let column = schema.column(leaf);
        match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Shape::Json,
            (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => Shape::Enum,
            (Some(LogicalType::Uuid), _) => Shape::Uuid,
            (None, ConvertedType::INTERVAL) => Shape::Interval,
            (Some(LogicalType::Time(time)), _) if time.is_adjusted_to_u_t_c => Shape::TimeInUtc,
            _ => Shape::Plain,
        }
    }
}

/// Returns the value of a row of a column; `is_bytes` becomes true where it holds bytes that are no text.
pub(crate) fn value(array: &dyn Array, shape: &Shape, row: usize, is_bytes: &mut bool) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => at::<Int8Type>(array, row).into(),
        DataType::Int16 => at::<Int16Type>(array, row).into(),
        DataType::Int32 => at::<Int32Type>(array, row).into(),
        DataType::Int64 => at::<Int64Type>(array, row).into(),
        DataType::UInt8 => at::<UInt8Type>(array, row).into(),
        DataType::UInt16 => at::<UInt16Type>(array, row).into(),
        DataType::UInt32 => at::<UInt32Type>(array, row).into(),
        DataType::UInt64 => at::<UInt64Type>(array, row).into(),
        DataType::Float16 => text::float(f64::from(at::<Float16Type>(array, row))),
        DataType::Float32 => text::float(f64::from(at::<Float32Type>(array, row))),
        DataType::Float64 => text::float(at::<Float64Type>(array, row)),
        DataType::Utf8View => string(array.as_string_view().value(row), shape),
        DataType::BinaryView => bytes(array.as_binary_view().value(row), shape, is_bytes),
        DataType::FixedSizeBinary(_) => {
            bytes(array.as_fixed_size_binary().value(row), shape, is_bytes)
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row), shape, is_bytes),
        DataType::Struct(_) => object(array.as_struct(), shape, row, is_bytes),
        DataType::Map(..) => map(array.as_map().value(row).columns(), shape, is_bytes),
        DataType::Decimal32(..) => {
            text::decimal(&array.as_primitive::<Decimal32Type>().value_as_string(row))
        }
        DataType::Decimal64(..) => {
            text::decimal(&array.as_primitive::<Decimal64Type>().value_as_string(row))
        }
        DataType::Decimal128(..) => {
            text::decimal(&array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Decimal256(..) => {
            text::decimal(&array.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        moment => time(array, moment, shape, row),
    }
}

fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn time(array: &dyn Array, data_type: &DataType, shape: &Shape, row: usize) -> Value {
    let utc = *shape == Shape::TimeInUtc;
    match data_type {
        DataType::Date32 => calendar::date(at::<Date32Type>(array, row)),
        DataType::Time32(_) => {
            calendar::time(at::<Time32MillisecondType>(array, row).into(), 1_000, utc)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            calendar::time(at::<Time64MicrosecondType>(array, row), 1_000_000, utc)
        }
        DataType::Time64(_) => {
            calendar::time(at::<Time64NanosecondType>(array, row), 1_000_000_000, utc)
        }
        DataType::Timestamp(unit, zone) => {
            let (stamp, second) = match unit {
                TimeUnit::Second => (at::<TimestampSecondType>(array, row), 1),
                TimeUnit::Millisecond => (at::<TimestampMillisecondType>(array, row), 1_000),
                TimeUnit::Microsecond => (at::<TimestampMicrosecondType>(array, row), 1_000_000),
                TimeUnit::Nanosecond => (at::<TimestampNanosecondType>(array, row), 1_000_000_000),
            };
            calendar::timestamp(stamp, second, zone.is_some())
        }
        // Refused when the file is opened.
        _ => Value::Null,
    }
}

fn string(text: &str, shape: &Shape) -> Value {
    if *shape == Shape::Json
        && let Ok(value) = serde_json::from_str(text)
    {
        return value;
    }
    text.into()
}

fn bytes(bytes: &[u8], shape: &Shape, is_bytes: &mut bool) -> Value {
    match shape {
        Shape::Uuid => return text::uuid(bytes),
        Shape::Interval => return calendar::interval(bytes),
        _ => {}
    }
    // Many writers leave out that a text is one; none has a NUL in it.
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text.into(),
        _ => {
            *is_bytes = true;
            text::escaped(bytes)
        }
    }
}

fn list(items: &dyn Array, shape: &Shape, is_bytes: &mut bool) -> Value {
    let Shape::List(item) = shape else { return Value::Null };
    (0..items.len()).map(|row| value(items, item, row, is_bytes)).collect()
}

fn object(
    array: &arrow_array::StructArray,
    shape: &Shape,
    row: usize,
    is_bytes: &mut bool,
) -> Value {
    let Shape::Struct(fields) = shape else { return Value::Null };
    let cells = array.columns().iter().zip(fields);
    let named = |(column, (name, shape)): (&arrow_array::ArrayRef, &(String, Shape))| {
        (name.clone(), value(column.as_ref(), shape, row, is_bytes))
    };
    Value::Object(cells.map(named).collect())
}

fn map(entries: &[arrow_array::ArrayRef], shape: &Shape, is_bytes: &mut bool) -> Value {
    let (Shape::Map(key_shape, value_shape), [keys, values]) = (shape, entries) else {
        return Value::Null;
    };
    let entry = |row| {
        let key = match value(keys.as_ref(), key_shape, row, is_bytes) {
            Value::String(key) => key,
            other => other.to_string(),
        };
        (key, value(values.as_ref(), value_shape, row, is_bytes))
    };
    Value::Object((0..keys.len()).map(entry).collect::<Map<_, _>>())
}
