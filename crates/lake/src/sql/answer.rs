//! An answer as a Parquet file.

use super::{Answer, Cell, Reader};
use crate::error::LakeError;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group. What a column holds is decided by those of the first.
const GROUP: usize = 20_000;

impl Reader {
    /// Writes the answer to a query into a Parquet file; gives its rows. A column of whole numbers becomes integers, one with
    /// other numbers doubles, any other one text. The file is there when it is whole; one that is there is replaced only where
    /// `replace` says so.
    ///
    /// # Errors
    /// The query is wrong; the file cannot be written; a column holds other values behind twenty thousand rows of numbers.
    pub fn write_answer(&self, query: &str, path: &Path, replace: bool) -> Result<u64, LakeError> {
        let (names, rows) = (Vec::new(), Vec::new());
        let mut out = Out { path, beside: beside(path), replace, names, rows, file: None, count: 0 };
        let mut result = Ok(());
        let asked = self.query(query, &mut |piece| {
            result = out.take(piece);
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let written = asked.and(result).and_then(|()| out.finish());
        if written.is_err() {
            // Nobody needs a part of an answer.
            let _ = fs::remove_file(&out.beside);
        }
        written.map(|()| out.count)
    }
}

/// Where the file grows.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

struct Out<'a> {
    path: &'a Path,
    beside: PathBuf,
    replace: bool,
    names: Vec<String>,
    rows: Vec<Vec<Cell>>,
    file: Option<(Vec<Physical>, SerializedFileWriter<File>)>,
    count: u64,
}

impl Out<'_> {
    fn take(&mut self, piece: Answer<'_>) -> Result<(), LakeError> {
        match piece {
            Answer::Columns(names) => self.names = unique(names),
            Answer::Row(cells) => self.rows.push(cells.to_vec()),
        }
        if self.rows.len() < GROUP { Ok(()) } else { self.group() }
    }

    fn group(&mut self) -> Result<(), LakeError> {
        let rows = std::mem::take(&mut self.rows);
        if self.file.is_none() {
            self.file = Some(self.begin(&rows)?);
        }
        let failed = |error| LakeError::parquet(self.path, &error);
        let Some((kinds, file)) = &mut self.file else { return Ok(()) };
        self.count += rows.len() as u64;
        let mut group = file.next_row_group().map_err(failed)?;
        for (at, kind) in kinds.iter().enumerate() {
            let cells: Vec<&Cell> = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Null)).collect();
            let name = self.names.get(at).map_or("", String::as_str);
            let is_other = |cell: &&Cell| {
                matches!(
                    (kind, cell),
                    (Physical::INT64, Cell::Real(_)) | (Physical::INT64 | Physical::DOUBLE, Cell::Text(_))
                )
            };
            if cells.iter().any(is_other) {
                return Err(LakeError::Query(format!(
                    "{name} holds whole numbers, and behind {GROUP} rows other values: CAST it AS TEXT or REAL"
                )));
            }
            column(&mut group, *kind, &cells).map_err(failed)?;
        }
        group.close().map(|_| ()).map_err(failed)
    }

    fn begin(&self, rows: &[Vec<Cell>]) -> Result<(Vec<Physical>, SerializedFileWriter<File>), LakeError> {
        let kinds: Vec<Physical> = (0..self.names.len()).map(|at| kind(rows, at)).collect();
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&self.beside);
        let file = file.map_err(|error| LakeError::io("write", self.path, &error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("Tapwire".into())
            .build();
        let writer = schema(&self.names, &kinds)
            .and_then(|schema| SerializedFileWriter::new(file, schema, Arc::new(properties)));
        Ok((kinds, writer.map_err(|error| LakeError::parquet(self.path, &error))?))
    }

    fn finish(&mut self) -> Result<(), LakeError> {
        // An answer without rows is a file without rows.
        self.group()?;
        if let Some((_, mut file)) = self.file.take() {
            file.finish().map_err(|error| LakeError::parquet(self.path, &error))?;
            // Making the name first fails where somebody has made the file meanwhile, which a rename does not.
            let reserve = || if self.replace { Ok(()) } else { File::create_new(self.path).map(drop) };
            let synced = file.inner().sync_all().and_then(|()| reserve());
            let named = synced.and_then(|()| fs::rename(&self.beside, self.path));
            named.map_err(|error| LakeError::io("write", self.path, &error))?;
        }
        Ok(())
    }
}

/// Names of columns, each once: readers find columns by them.
fn unique(names: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let free = |name: &String| {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        let free = free.unwrap_or_default();
        taken.insert(free.clone());
        free
    };
    names.iter().map(free).collect()
}

fn kind(rows: &[Vec<Cell>], at: usize) -> Physical {
    let cells = || rows.iter().filter_map(|row| row.get(at)).filter(|cell| **cell != Cell::Null);
    if cells().next().is_none() || cells().any(|cell| matches!(cell, Cell::Text(_))) {
        Physical::BYTE_ARRAY
    } else if cells().any(|cell| matches!(cell, Cell::Real(_))) {
        Physical::DOUBLE
    } else {
        Physical::INT64
    }
}

fn schema(names: &[String], kinds: &[Physical]) -> Result<Arc<Type>, ParquetError> {
    let fields = names.iter().zip(kinds).map(|(name, kind)| {
        let field = Type::primitive_type_builder(name, *kind).with_repetition(Repetition::OPTIONAL);
        let text = (*kind == Physical::BYTE_ARRAY).then_some(LogicalType::String);
        field.with_logical_type(text).build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("row").with_fields(fields).build().map(Arc::new)
}

fn column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    kind: Physical,
    cells: &[&Cell],
) -> Result<(), ParquetError> {
    match kind {
        Physical::INT64 => values::<Int64Type>(group, cells, |cell| match cell {
            Cell::Int(number) => Some(*number),
            _ => None,
        }),
        Physical::DOUBLE => values::<DoubleType>(group, cells, |cell| match cell {
            Cell::Int(number) => Some(*number as f64),
            Cell::Real(number) => Some(*number),
            _ => None,
        }),
        _ => values::<ByteArrayType>(group, cells, |cell| match cell {
            Cell::Null => None,
            Cell::Int(number) => Some(ByteArray::from(number.to_string().into_bytes())),
            Cell::Real(number) => Some(ByteArray::from(number.to_string().into_bytes())),
            Cell::Text(text) => Some(ByteArray::from(text.as_bytes().to_vec())),
        }),
    }
}

fn values<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: &[&Cell],
    value: impl Fn(&Cell) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    let all: Vec<Option<T::T>> = cells.iter().map(|cell| value(cell)).collect();
    let levels: Vec<i16> = all.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = all.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&present, Some(&levels), None)?;
    column.close()
}
