//! One column of the rows that were not encoded yet.

use std::mem::size_of;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    StructBuilder, TimestampMillisecondBuilder,
};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use dset_core::layout::{Cell, Column, Kind};

/// What holds the cells of a column. It is as the column's kind is.
pub(super) enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Truth(BooleanBuilder),
    Time(TimestampMillisecondBuilder),
    Texts(ListBuilder<StringBuilder>),
    Objects(ListBuilder<StructBuilder>),
}

impl ColumnBuilder {
    pub(super) fn new(kind: Kind) -> ColumnBuilder {
        match kind {
            // JSON of any kind is text: of the type for it, many readers know nothing.
            Kind::Text | Kind::Json => ColumnBuilder::Text(StringBuilder::new()),
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
            (ColumnBuilder::Text(column), Cell::Text(text) | Cell::Json(text)) => {
                column.append_value(text);
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
        }
    }
}

/// The column in Arrow's schema. Every column may be null there, as in what others write, because files
/// that differ in this cannot be put together by some readers.
pub(super) fn field(column: &Column) -> Field {
    Field::new(&column.name, data_type(column.kind), true)
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Json => DataType::Utf8,
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

/// Returns true if a cell may stand in a column of this kind.
pub(super) fn fits(cell: &Cell<'_>, kind: Kind) -> bool {
    cell.is_of(kind)
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
