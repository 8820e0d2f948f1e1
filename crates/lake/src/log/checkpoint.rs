//! Checkpoints: the table at one commit as one Parquet file, a row for each action that still counts.

use super::{Snapshot, action};
use crate::error::LakeError;
use crate::schema::DAY;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Field, Row};
use parquet::schema::parser::parse_message_type;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// What a column of a checkpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Long,
    Int,
    Bool,
    /// Names to texts: two columns of the file.
    Map,
    /// Texts.
    List,
}

/// The members of actions, in the order of the file's columns; the protocol's chapter "Checkpoint Schema".
const LEAVES: &[(&[&str], Shape)] = &[
    (&["txn", "appId"], Shape::Text),
    (&["txn", "version"], Shape::Long),
    (&["txn", "lastUpdated"], Shape::Long),
    (&["add", "path"], Shape::Text),
    (&["add", "partitionValues"], Shape::Map),
    (&["add", "size"], Shape::Long),
    (&["add", "modificationTime"], Shape::Long),
    (&["add", "dataChange"], Shape::Bool),
    (&["add", "tags"], Shape::Map),
    (&["add", "stats"], Shape::Text),
    (&["remove", "path"], Shape::Text),
    (&["remove", "deletionTimestamp"], Shape::Long),
    (&["remove", "dataChange"], Shape::Bool),
    (&["remove", "extendedFileMetadata"], Shape::Bool),
    (&["remove", "partitionValues"], Shape::Map),
    (&["remove", "size"], Shape::Long),
    (&["metaData", "id"], Shape::Text),
    (&["metaData", "name"], Shape::Text),
    (&["metaData", "description"], Shape::Text),
    (&["metaData", "format", "provider"], Shape::Text),
    (&["metaData", "format", "options"], Shape::Map),
    (&["metaData", "schemaString"], Shape::Text),
    (&["metaData", "partitionColumns"], Shape::List),
    (&["metaData", "configuration"], Shape::Map),
    (&["metaData", "createdTime"], Shape::Long),
    (&["protocol", "minReaderVersion"], Shape::Int),
    (&["protocol", "minWriterVersion"], Shape::Int),
];

/// The file's schema.
fn message() -> String {
    let mut text = String::from("message checkpoint {\n");
    let mut open: &[&str] = &[];
    for (path, shape) in LEAVES {
        let Some((name, groups)) = path.split_last() else { continue };
        let same = open.iter().zip(groups).take_while(|(a, b)| a == b).count();
        text.push_str(&"}\n".repeat(open.len() - same));
        for group in groups.iter().skip(same) {
            text.push_str(&format!("optional group {group} {{\n"));
        }
        open = groups;
        text.push_str(&match shape {
            Shape::Text => format!("optional binary {name} (STRING);\n"),
            Shape::Long => format!("optional int64 {name};\n"),
            Shape::Int => format!("optional int32 {name};\n"),
            Shape::Bool => format!("optional boolean {name};\n"),
            Shape::Map => format!(
                "optional group {name} (MAP) {{ repeated group key_value {{ required binary key (STRING); \
                 optional binary value (STRING); }} }}\n"
            ),
            Shape::List => format!(
                "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}\n"
            ),
        });
    }
    text.push_str(&"}\n".repeat(open.len() + 1));
    text
}

/// Writes the table at that commit; gives the number of rows.
pub(super) fn write(path: &Path, file: File, snapshot: &Snapshot) -> Result<usize, LakeError> {
    let rows = actions(snapshot);
    let file = write_rows(file, &rows).map_err(|error| LakeError::parquet(path, &error))?;
    file.sync_all().map_err(|error| LakeError::io("write", path, &error))?;
    Ok(rows.len())
}

/// What still counts: the protocol, the schema, files, and those that were taken out and are on the disk still.
fn actions(snapshot: &Snapshot) -> Vec<Value> {
    let mut rows = vec![json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})];
    rows.extend(snapshot.about.iter().map(|about| json!({"metaData": about})));
    rows.extend(snapshot.marks.iter().map(|(who, version)| action::mark(who, *version)));
    // A file was complete by the last time in it; nothing depends on when exactly.
    let added = |part: &super::Part| part.times.map_or(0, |(_, last)| last);
    rows.extend(snapshot.parts.values().map(|part| action::addition(part, added(part), false)));
    rows.extend(snapshot.removed.iter().map(|(path, tombstone)| {
        let mut row = json!({"remove": {
            "path": path, "deletionTimestamp": tombstone.removed_ms, "dataChange": false,
            "extendedFileMetadata": true, "size": tombstone.bytes,
        }});
        let day = path.strip_prefix("day=").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        row["remove"]["partitionValues"] = json!({DAY: day});
        row
    }));
    rows
}

fn write_rows(file: File, rows: &[Value]) -> Result<File, ParquetError> {
    let schema = Arc::new(parse_message_type(&message())?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .set_created_by("Tapwire".into())
        .build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (path, shape) in LEAVES {
        // A map has a column for its keys and one for its values.
        let sides: &[Side] = if *shape == Shape::Map { &[Side::Key, Side::Value] } else { &[Side::Value] };
        for side in sides {
            let Some(mut column) = group.next_column()? else { continue };
            let leaf = Leaf::of(rows, path, *shape, *side);
            match column.untyped() {
                ColumnWriter::Int32ColumnWriter(to) => {
                    let ints = leaf.values.iter().filter_map(|value| i32::try_from(value.as_i64()?).ok());
                    leaf.put::<Int32Type>(to, &ints.collect::<Vec<_>>())?;
                }
                ColumnWriter::Int64ColumnWriter(to) => {
                    let ints: Vec<i64> = leaf.values.iter().filter_map(|value| value.as_i64()).collect();
                    leaf.put::<Int64Type>(to, &ints)?;
                }
                ColumnWriter::BoolColumnWriter(to) => {
                    let bools: Vec<bool> = leaf.values.iter().filter_map(|value| value.as_bool()).collect();
                    leaf.put::<BoolType>(to, &bools)?;
                }
                ColumnWriter::ByteArrayColumnWriter(to) => {
                    let texts = leaf.values.iter().filter_map(|value| value.as_str().map(ByteArray::from));
                    leaf.put::<ByteArrayType>(to, &texts.collect::<Vec<_>>())?;
                }
                _ => return Err(ParquetError::General("a checkpoint has no such column".into())),
            }
            column.close()?;
        }
    }
    group.close()?;
    writer.into_inner()
}

/// Which half of a map; other shapes have only values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Key,
    Value,
}

/// A column of the file: values with the levels at which they stand.
#[derive(Debug, Default)]
struct Leaf {
    values: Vec<Value>,
    levels: Vec<i16>,
    repeats: Vec<i16>,
}

impl Leaf {
    fn of(rows: &[Value], path: &[&str], shape: Shape, side: Side) -> Self {
        let mut leaf = Self::default();
        rows.iter().for_each(|row| leaf.push(row, path, shape, side));
        leaf
    }

    fn push(&mut self, row: &Value, path: &[&str], shape: Shape, side: Side) {
        let (mut at, mut level) = (row, 0);
        for name in path {
            match at.get(name).filter(|value| fits(value, name, path, shape)) {
                Some(inner) => (at, level) = (inner, level + 1),
                None => return self.put_one(None, level, 0),
            }
        }
        match (shape, at) {
            (Shape::Map, Value::Object(members)) if !members.is_empty() => {
                for (number, (key, value)) in members.iter().enumerate() {
                    let repeat = i16::from(number > 0);
                    match (side, value) {
                        (Side::Key, _) => self.put_one(Some(key.as_str().into()), level + 1, repeat),
                        (Side::Value, Value::String(_)) => {
                            self.put_one(Some(value.clone()), level + 2, repeat);
                        }
                        (Side::Value, _) => self.put_one(None, level + 1, repeat),
                    }
                }
            }
            (Shape::List, Value::Array(items)) if !items.is_empty() => {
                for (number, item) in items.iter().enumerate() {
                    self.put_one(Some(item.clone()), level + 2, i16::from(number > 0));
                }
            }
            (Shape::Map | Shape::List, _) => self.put_one(None, level, 0),
            _ => self.put_one(Some(at.clone()), level, 0),
        }
    }

    fn put_one(&mut self, value: Option<Value>, level: i16, repeat: i16) {
        self.values.extend(value);
        self.levels.push(level);
        self.repeats.push(repeat);
    }

    fn put<T: DataType>(
        &self,
        to: &mut parquet::column::writer::ColumnWriterImpl<'_, T>,
        values: &[T::T],
    ) -> Result<(), ParquetError> {
        let is_flat = self.repeats.iter().all(|repeat| *repeat == 0);
        let repeats =
            (!is_flat || to.get_descriptor().max_rep_level() > 0).then_some(self.repeats.as_slice());
        to.write_batch(values, Some(&self.levels), repeats).map(|_| ())
    }
}

/// Whether a value is of its column's kind: one of another kind counts as absent.
fn fits(value: &Value, name: &str, path: &[&str], shape: Shape) -> bool {
    if path.last() != Some(&name) {
        return value.is_object();
    }
    match shape {
        Shape::Text => value.is_string(),
        Shape::Long => value.is_i64(),
        Shape::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Shape::Bool => value.is_boolean(),
        Shape::Map => value.is_object(),
        Shape::List => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
    }
}

/// Reads a checkpoint, ours or another engine's, which stands at `path`.
pub(super) fn read<R: ChunkReader + 'static>(file: R, path: &Path) -> Result<Snapshot, LakeError> {
    let failed = |error: ParquetError| LakeError::parquet(path, &error);
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let mut snapshot = Snapshot::default();
    for row in reader.get_row_iter(None).map_err(failed)? {
        let action = object(row.map_err(failed)?);
        snapshot.take(&action, path)?;
    }
    Ok(snapshot)
}

fn object(row: Row) -> Value {
    let members = row.into_columns().into_iter();
    let members = members.map(|(name, field)| (name, value(field))).filter(|(_, value)| !value.is_null());
    Value::Object(members.collect::<Map<_, _>>())
}

/// A field as JSON; kinds that no action has are absent.
fn value(field: Field) -> Value {
    match field {
        Field::Bool(value) => value.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::Str(text) => text.into(),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().cloned().map(value).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().cloned();
            let members = entries.filter_map(|(key, inner)| match key {
                Field::Str(key) => Some((key, value(inner))),
                _ => None,
            });
            Value::Object(members.collect())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Part, Tombstone};

    #[test]
    fn a_table_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut snapshot = Snapshot::default();
        let table = &crate::schema::TABLES[0];
        for line in action::creation(table, 7) {
            snapshot.take(&line, &path).unwrap();
        }
        for number in 0..300_u64 {
            let name = format!("day=2026-11-21/{number}.parquet");
            let times = (number % 3 > 0).then_some((5, 9 + i64::try_from(number).unwrap()));
            let part = Part { path: name.clone(), day: "2026-11-21".into(), bytes: number, rows: 2, times };
            if number % 7 == 0 {
                snapshot.removed.insert(name, Tombstone { removed_ms: 11, bytes: 3 });
            } else {
                snapshot.parts.insert(name, part);
            }
        }
        snapshot.marks.insert("sums".into(), 17);
        assert_eq!(write(&path, File::create(&path).unwrap(), &snapshot).unwrap(), 303);
        let back = read(File::open(&path).unwrap(), &path).unwrap();
        assert_eq!(back.parts, snapshot.parts);
        assert_eq!(back.removed, snapshot.removed);
        assert_eq!((back.about, back.marks), (snapshot.about, snapshot.marks));
    }
}
