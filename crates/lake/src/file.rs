//! Rows to Parquet files and back.

use crate::batch::{Lists, Rows, Texts, Values};
use crate::error::LakeError;
use crate::object::Remote;
use crate::place::Store;
use crate::schema::{EXTRA, Kind, Table};
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type};
use std::fmt::Write;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A list is absent, empty, or has elements; Parquet counts an absent element, too, and there is none.
const ABSENT: i16 = 0;
const EMPTY: i16 = 1;
const ELEMENT: i16 = 3;

/// The columns of a table's files: `day` is in the name of their directory.
fn message(table: &Table) -> Result<Arc<Type>, ParquetError> {
    let mut text = String::from("message row {\n");
    let columns = table.columns.iter().map(|column| (column.name, column.kind));
    for (name, kind) in columns.chain([(EXTRA, Kind::Json)]) {
        // Writing to a text cannot fail.
        let _ = match kind {
            Kind::Int => writeln!(text, "optional int64 {name};"),
            Kind::Real => writeln!(text, "optional double {name};"),
            Kind::Time => writeln!(text, "optional int64 {name} (TIMESTAMP(MICROS,true));"),
            Kind::Bool => writeln!(text, "optional boolean {name};"),
            Kind::Text | Kind::Json => writeln!(text, "optional binary {name} (STRING);"),
            Kind::List => writeln!(
                text,
                "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}"
            ),
        };
    }
    text.push('}');
    Ok(Arc::new(parse_message_type(&text)?))
}

/// Columns whose values are nearly all different: a dictionary of them is given up after it was made.
const UNLIKE: [&str; 5] = ["time", "time_ns", "uid", "sequence", EXTRA];

fn properties() -> WriterProperties {
    // Readers leave out row groups by what stands in these; pages have none, which saves comparing each value twice.
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("Tapwire".into());
    let without = |properties: WriterPropertiesBuilder, name: &str| {
        properties.set_column_dictionary_enabled(ColumnPath::from(name), false)
    };
    let properties = UNLIKE.into_iter().fold(properties, without);
    properties.set_column_statistics_enabled(ColumnPath::from(EXTRA), EnabledStatistics::None).build()
}

/// A file that is being written. It is no part of its table until the log says so.
pub(crate) struct FileWriter {
    path: PathBuf,
    kinds: Vec<Kind>,
    writer: SerializedFileWriter<File>,
}

/// What a finished file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl FileWriter {
    /// A new file.
    pub(crate) fn create(path: &Path, table: &Table) -> Result<Self, LakeError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| LakeError::io("write", path, &error))?;
        let failed = |error| LakeError::parquet(path, &error);
        let schema = message(table).map_err(failed)?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties())).map_err(failed)?;
        let kinds = table.columns.iter().map(|column| column.kind).chain([Kind::Json]).collect();
        Ok(Self { path: path.to_owned(), kinds, writer })
    }

    /// Writes the rows as one row group, in the order of time.
    pub(crate) fn write(&mut self, rows: Rows) -> Result<(), LakeError> {
        let order = rows.order();
        let mut group = self.writer.next_row_group().map_err(|e| LakeError::parquet(&self.path, &e))?;
        let columns = rows.columns.into_iter().zip(&self.kinds);
        for (values, kind) in columns {
            write_column(&mut group, values, *kind, &order)
                .map_err(|error| LakeError::parquet(&self.path, &error))?;
        }
        group.close().map_err(|error| LakeError::parquet(&self.path, &error))?;
        Ok(())
    }

    /// Bytes of its row groups so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// How many row groups it has so far.
    pub(crate) fn groups(&self) -> usize {
        self.writer.flushed_row_groups().len()
    }

    /// Ends the file and has the system write it to the disk.
    pub(crate) fn finish(mut self) -> Result<Written, LakeError> {
        let about = self.writer.finish().map_err(|error| LakeError::parquet(&self.path, &error))?;
        let rows = u64::try_from(about.file_metadata().num_rows()).unwrap_or_default();
        let file = self.writer.inner();
        let synced = file.sync_all().and_then(|()| file.metadata());
        let bytes = synced.map_err(|error| LakeError::io("write", &self.path, &error))?.len();
        Ok(Written { rows, bytes })
    }
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: Values,
    kind: Kind,
    order: &[usize],
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    match values {
        Values::Ints(ints) => {
            let scale = if kind == Kind::Time { 1_000 } else { 1 };
            let scaled = |value: &i64| value.saturating_mul(scale);
            let get = |row: usize| ints.get(row).and_then(|value| value.as_ref().map(scaled));
            optional(column.typed::<Int64Type>(), order, get)?;
        }
        Values::Reals(reals) => {
            optional(column.typed::<DoubleType>(), order, |row| reals.get(row).copied().flatten())?;
        }
        Values::Bools(bools) => {
            optional(column.typed::<BoolType>(), order, |row| bools.get(row).copied().flatten())?;
        }
        Values::Texts(texts) => write_texts(column.typed::<ByteArrayType>(), texts, order)?,
        Values::Lists(lists) => write_lists(column.typed::<ByteArrayType>(), lists, order)?,
    }
    column.close()
}

fn optional<T: DataType>(
    column: &mut ColumnWriterImpl<'_, T>,
    order: &[usize],
    get: impl Fn(usize) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::with_capacity(order.len());
    let mut present = Vec::with_capacity(order.len());
    for row in order {
        let value = get(*row);
        levels.push(i16::from(value.is_some()));
        present.extend(value);
    }
    column.write_batch(&present, Some(&levels), None).map(|_| ())
}

fn write_texts(
    column: &mut ColumnWriterImpl<'_, ByteArrayType>,
    mut texts: Texts,
    order: &[usize],
) -> Result<(), ParquetError> {
    // All values share the bytes.
    let bytes = ByteArray::from(std::mem::take(&mut texts.bytes));
    optional(column, order, |row| texts.span(row).map(|(begin, end)| bytes.slice(begin, end - begin)))
}

fn write_lists(
    column: &mut ColumnWriterImpl<'_, ByteArrayType>,
    mut lists: Lists,
    order: &[usize],
) -> Result<(), ParquetError> {
    let bytes = ByteArray::from(std::mem::take(&mut lists.texts.bytes));
    let (mut present, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
    for row in order {
        let before = levels.len();
        match lists.span(*row) {
            None => levels.push(ABSENT),
            Some((begin, end)) if begin == end => levels.push(EMPTY),
            Some((begin, end)) => {
                for (begin, end) in (begin..end).filter_map(|at| lists.texts.span(at)) {
                    present.push(bytes.slice(begin, end - begin));
                    levels.push(ELEMENT);
                }
            }
        }
        repeats.extend((before..levels.len()).map(|at| i16::from(at > before)));
    }
    column.write_batch(&present, Some(&levels), Some(&repeats)).map(|_| ())
}

/// An open file of a table.
pub(crate) struct FileRows {
    path: PathBuf,
    reader: Box<dyn FileReader>,
    /// The object that it is in a store.
    remote: Option<Remote>,
}

impl FileRows {
    pub(crate) fn open(path: &Path) -> Result<Self, LakeError> {
        let file = File::open(path).map_err(|error| LakeError::io("read", path, &error))?;
        let reader = SerializedFileReader::new(file).map_err(|error| LakeError::parquet(path, &error))?;
        Ok(Self { path: path.to_owned(), reader: Box::new(reader), remote: None })
    }

    /// The same of an object of so many bytes.
    pub(crate) fn stored(store: Store, name: String, bytes: u64) -> Result<Self, LakeError> {
        let path = PathBuf::from(&name);
        let remote = Remote::new(store, name, bytes);
        let reader = SerializedFileReader::new(remote.clone());
        let reader = reader.map_err(|error| LakeError::parquet(&path, &error))?;
        Ok(Self { path, reader: Box::new(reader), remote: Some(remote) })
    }

    /// Whether each of its columns is one of the table's.
    pub(crate) fn has_only(&self, table: &Table) -> bool {
        let leaves = self.reader.metadata().file_metadata().schema_descr();
        let known = |name: &String| name == EXTRA || table.columns.iter().any(|column| column.name == name);
        leaves.columns().iter().all(|leaf| leaf.path().parts().first().is_some_and(known))
    }

    /// How many row groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// How many rows a row group has.
    pub(crate) fn rows_of(&self, group: usize) -> usize {
        let rows = self.reader.metadata().row_groups().get(group).map_or(0, |about| about.num_rows());
        usize::try_from(rows).unwrap_or_default()
    }

    /// A column of a row group, found by its name; `None` where the file is from before there was one.
    pub(crate) fn column(&self, group: usize, name: &str, kind: Kind) -> Result<Option<Values>, LakeError> {
        let leaves = self.reader.metadata().file_metadata().schema_descr();
        let first = |at: &usize| leaves.column(*at).path().parts().first().is_some_and(|part| part == name);
        let Some(at) = (0..leaves.num_columns()).find(first) else { return Ok(None) };
        let failed = |error| LakeError::parquet(&self.path, &error);
        self.fetch(group, at)?;
        let rows = self.rows_of(group);
        let column = self.reader.get_row_group(group).and_then(|group| group.get_column_reader(at));
        read_column(column.map_err(failed)?, kind, rows).map(Some).map_err(failed)
    }
}

impl FileRows {
    /// Asks a store for all of a column at once, whose pages are then read one by one.
    fn fetch(&self, group: usize, at: usize) -> Result<(), LakeError> {
        let about = self.reader.metadata().row_groups().get(group).and_then(|group| group.columns().get(at));
        let Some((remote, about)) = self.remote.as_ref().zip(about) else { return Ok(()) };
        let (start, bytes) = about.byte_range();
        remote.fetch(start, bytes).map(|_| ()).map_err(|unread| LakeError::Store(unread.to_string()))
    }
}

fn read_column(column: ColumnReader, kind: Kind, rows: usize) -> Result<Values, ParquetError> {
    Ok(match kind {
        Kind::Int => Values::Ints(read_optional::<Int64Type>(column, rows)?),
        Kind::Time => {
            let micros = read_optional::<Int64Type>(column, rows)?;
            Values::Ints(micros.into_iter().map(|value| value.map(|value| value.div_euclid(1_000))).collect())
        }
        Kind::Real => Values::Reals(read_optional::<DoubleType>(column, rows)?),
        Kind::Bool => Values::Bools(read_optional::<BoolType>(column, rows)?),
        Kind::Text | Kind::Json => {
            let mut texts = Texts::default();
            for text in read_optional::<ByteArrayType>(column, rows)? {
                texts.push(text.as_ref().map(ByteArray::data));
            }
            Values::Texts(texts)
        }
        Kind::List => Values::Lists(read_lists(column, rows)?),
    })
}

fn read_optional<T: DataType>(column: ColumnReader, rows: usize) -> Result<Vec<Option<T::T>>, ParquetError> {
    let mut reader = get_typed_column_reader::<T>(column);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    let mut values = values.into_iter();
    Ok(levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect())
}

fn read_lists(column: ColumnReader, rows: usize) -> Result<Lists, ParquetError> {
    let mut reader = get_typed_column_reader::<ByteArrayType>(column);
    let (mut levels, mut repeats, mut values) = (Vec::new(), Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut levels), Some(&mut repeats), &mut values)?;
    let mut lists = Lists::default();
    let mut values = values.iter();
    let mut at = 0;
    while let Some(level) = levels.get(at) {
        let more = repeats.iter().skip(at + 1).take_while(|repeat| **repeat > 0).count();
        match *level {
            ABSENT => lists.push(None::<[&[u8]; 0]>),
            EMPTY => lists.push(Some([])),
            _ => lists.push(Some(values.by_ref().take(more + 1).map(ByteArray::data))),
        }
        at += more + 1;
    }
    Ok(lists)
}
