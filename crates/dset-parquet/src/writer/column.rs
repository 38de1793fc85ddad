//! One column of the rows that were not encoded yet.

use std::mem::size_of;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    StructBuilder, TimestampMillisecondBuilder,
};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use dset_core::layout::{Cell, Column, Kind, ValueType};
use serde_json::Value;

/// What holds the cells of a column. It is as the column's kind is.
pub(super) enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Truth(BooleanBuilder),
    Time(TimestampMillisecondBuilder),
    Texts(ListBuilder<StringBuilder>),
    Objects(ListBuilder<StructBuilder>),
    Values(Box<dyn ArrayBuilder>, Arc<ValueType>),
}

impl ColumnBuilder {
    pub(super) fn new(column: &Column) -> ColumnBuilder {
        if let Some(values) = typed(column) {
            return ColumnBuilder::Values(builder_of(values), Arc::clone(values));
        }
        let kind = column.kind;
        match kind {
            // JSON of any kind is text: of the type for it, many readers know nothing.
            Kind::Text | Kind::Json | Kind::Row => ColumnBuilder::Text(StringBuilder::new()),
            Kind::Integer => ColumnBuilder::Integer(Int64Builder::new()),
            Kind::Float => ColumnBuilder::Float(Float64Builder::new()),
            Kind::Truth => ColumnBuilder::Truth(BooleanBuilder::new()),
            Kind::Time => ColumnBuilder::Time(
                TimestampMillisecondBuilder::new().with_data_type(data_type(kind)),
            ),
            Kind::Texts => ColumnBuilder::Texts(
                ListBuilder::new(StringBuilder::new()).with_field(element(DataType::Utf8)),
            ),
            Kind::Objects(keys) => {
                let texts = keys.iter().map(|_| Box::new(StringBuilder::new()) as Box<_>);
                let objects = StructBuilder::new(texts_named(keys), texts.collect());
                let element = element(DataType::Struct(texts_named(keys)));
                ColumnBuilder::Objects(ListBuilder::new(objects).with_field(element))
            }
        }
    }

    /// Adds a cell that [fits] the kind.
    pub(super) fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (ColumnBuilder::Text(column), Cell::Json(text)) if *text == "null" => {
                column.append_null();
            }
            (ColumnBuilder::Text(column), Cell::Text(text) | Cell::Json(text)) => {
                column.append_value(text);
            }
            (ColumnBuilder::Values(column, values), Cell::Json(text)) => {
                append(&mut **column, values, &value_of(text));
            }
            (ColumnBuilder::Integer(column), Cell::Integer(value)) => column.append_option(*value),
            (ColumnBuilder::Float(column), Cell::Float(value)) => column.append_option(*value),
            (ColumnBuilder::Truth(column), Cell::Truth(value)) => column.append_option(*value),
            (ColumnBuilder::Time(column), Cell::Time(millis)) => column.append_value(*millis),
            (ColumnBuilder::Texts(column), Cell::Texts(texts)) => {
                texts.iter().for_each(|text| column.values().append_value(text));
                column.append(true);
            }
            (ColumnBuilder::Objects(column), Cell::Objects(objects)) => {
                for texts in objects {
                    let object = column.values();
                    for (index, text) in texts.iter().enumerate() {
                        if let Some(field) = object.field_builder::<StringBuilder>(index) {
                            field.append_value(text);
                        }
                    }
                    object.append(true);
                }
                column.append(true);
            }
            _ => debug_assert!(false, "a cell of another kind"),
        }
    }

    /// Takes the cells.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Text(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Integer(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Float(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Truth(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Time(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Texts(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Objects(column) => ArrayBuilder::finish(column),
            ColumnBuilder::Values(column, _) => column.finish(),
        }
    }
}

/// The column in Arrow's schema. Every column may be null there, as in what others write, because files
/// that differ in this cannot be put together by some readers.
pub(super) fn field(column: &Column) -> Field {
    let data_type = typed(column).map_or_else(|| data_type(column.kind), |of| type_of(of));
    Field::new(&column.name, data_type, true)
}

/// Returns what all values of a column of JSON are, where that is known.
fn typed(column: &Column) -> Option<&Arc<ValueType>> {
    column.values.as_ref().filter(|_| column.kind == Kind::Json)
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn type_of(values: &ValueType) -> DataType {
    match values {
        ValueType::Text => DataType::Utf8,
        ValueType::Integer => DataType::Int64,
        ValueType::Float => DataType::Float64,
        ValueType::Truth => DataType::Boolean,
        ValueType::List(of) => DataType::List(element(type_of(of))),
        ValueType::Object(keys) => DataType::Struct(fields_of(keys)),
    }
}

fn fields_of(keys: &[(String, ValueType)]) -> Fields {
    keys.iter().map(|(key, of)| Field::new(key, type_of(of), true)).collect()
}

fn builder_of(values: &ValueType) -> Box<dyn ArrayBuilder> {
    match values {
        ValueType::Text => Box::new(StringBuilder::new()),
        ValueType::Integer => Box::new(Int64Builder::new()),
        ValueType::Float => Box::new(Float64Builder::new()),
        ValueType::Truth => Box::new(BooleanBuilder::new()),
        ValueType::List(of) => {
            Box::new(ListBuilder::new(builder_of(of)).with_field(element(type_of(of))))
        }
        ValueType::Object(keys) => {
            let builders = keys.iter().map(|(_, of)| builder_of(of)).collect();
            Box::new(StructBuilder::new(fields_of(keys), builders))
        }
    }
}

/// Adds a value that is of the type to the builder that was made for it.
fn append(builder: &mut dyn ArrayBuilder, values: &ValueType, value: &Value) {
    let builder = builder.as_any_mut();
    match values {
        ValueType::Text => {
            let builder = builder.downcast_mut::<StringBuilder>();
            builder.expect(MADE).append_option(value.as_str());
        }
        ValueType::Integer => {
            let builder = builder.downcast_mut::<Int64Builder>();
            builder.expect(MADE).append_option(value.as_i64());
        }
        ValueType::Float => {
            let builder = builder.downcast_mut::<Float64Builder>();
            builder.expect(MADE).append_option(value.as_f64());
        }
        ValueType::Truth => {
            let builder = builder.downcast_mut::<BooleanBuilder>();
            builder.expect(MADE).append_option(value.as_bool());
        }
        ValueType::List(of) => {
            let builder = builder.downcast_mut::<ListBuilder<Box<dyn ArrayBuilder>>>();
            let builder = builder.expect(MADE);
            let elements = value.as_array();
            for element in elements.into_iter().flatten() {
                append(&mut **builder.values(), of, element);
            }
            builder.append(elements.is_some());
        }
        ValueType::Object(keys) => {
            let builder = builder.downcast_mut::<StructBuilder>().expect(MADE);
            for ((key, of), field) in keys.iter().zip(builder.field_builders_mut()) {
                append(&mut **field, of, value.get(key).unwrap_or(&Value::Null));
            }
            builder.append(value.is_object());
        }
    }
}

/// Why a builder is of the type that is asked.
const MADE: &str = "the builder was made for the type";

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Json | Kind::Row => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Truth => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        Kind::Texts => DataType::List(element(DataType::Utf8)),
        Kind::Objects(keys) => DataType::List(element(DataType::Struct(texts_named(keys)))),
    }
}

/// What a list holds, under the name that the format wants.
fn element(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("element", data_type, true))
}

fn texts_named(keys: &[&str]) -> Fields {
    keys.iter().map(|&key| Field::new(key, DataType::Utf8, true)).collect()
}

/// Returns true if a cell may stand in a column.
pub(super) fn fits(cell: &Cell<'_>, column: &Column) -> bool {
    let has = |values: &Arc<ValueType>| match cell {
        Cell::Json(text) => values.has(&value_of(text)),
        _ => false,
    };
    cell.is_of(column.kind) && typed(column).is_none_or(has)
}

/// About how many bytes a cell takes before it is encoded: its text, and where each text ends.
pub(super) fn bytes_of(cell: &Cell<'_>) -> usize {
    let text = |text: &std::borrow::Cow<'_, str>| text.len() + size_of::<i32>();
    match cell {
        Cell::Text(it) | Cell::Json(it) => text(it),
        Cell::Integer(_) | Cell::Float(_) | Cell::Time(_) => size_of::<i64>(),
        Cell::Truth(_) => 1,
        Cell::Texts(texts) => size_of::<i32>() + texts.iter().map(text).sum::<usize>(),
        Cell::Objects(objects) => {
            size_of::<i32>() + objects.iter().flatten().map(text).sum::<usize>()
        }
    }
}
