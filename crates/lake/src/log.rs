//! The log of a table, as the Delta protocol has it: reader version 1, writer version 2.
//!
//! A commit is a file of JSON lines with the next number. It is written beside, synced, and linked into place: whoever
//! finds the number taken takes the next one, and nobody ever reads half a commit.

use crate::error::LakeError;
use crate::schema::{DAY, EXTRA, Kind, Table};
use crate::time;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOG: &str = "_delta_log";

/// Tries to find a free number before something must be wrong.
const TRIES: u64 = 1_000;

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its path below the table's directory.
    pub(crate) path: String,
    /// Its day, as its directory is named.
    pub(crate) day: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// The first and last `time` in it, in milliseconds.
    pub(crate) times: Option<(i64, i64)>,
}

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    directory: PathBuf,
}

/// The table at one commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// The next commit's number.
    next: u64,
    /// The files, by path.
    pub(crate) parts: BTreeMap<String, Part>,
}

impl Log {
    /// Of the table in that directory.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.join(LOG) }
    }

    /// Whether there is a table.
    pub(crate) fn exists(&self) -> bool {
        self.commit_path(0).exists()
    }

    /// Makes the table where there is none.
    pub(crate) fn create(&self, table: &Table, now_ms: i64) -> Result<(), LakeError> {
        private_directory(&self.directory)?;
        if self.exists() {
            return Ok(());
        }
        let lines = [
            json!({"commitInfo": info("CREATE TABLE", now_ms)}),
            json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
            json!({"metaData": {
                "id": table_id(table, now_ms), "name": table.name, "description": table.comment,
                "format": {"provider": "parquet", "options": {}}, "schemaString": schema(table).to_string(),
                "partitionColumns": [DAY], "configuration": {}, "createdTime": now_ms,
            }}),
        ];
        self.put(0, &lines).map(|_| ())
    }

    /// Adds files to the table and takes others out, in one step.
    pub(crate) fn commit(
        &self,
        what: &str,
        add: &[Part],
        remove: &[Part],
        now_ms: i64,
    ) -> Result<u64, LakeError> {
        let mut lines = vec![json!({"commitInfo": info(what, now_ms)})];
        // Where files are only put together, readers of changes have nothing to hear.
        let changes = what != OPTIMIZE;
        lines.extend(remove.iter().map(|part| removal(part, now_ms, changes)));
        lines.extend(add.iter().map(|part| addition(part, now_ms, changes)));
        let next = self.last()?.map_or(0, |last| last + 1);
        for number in next..next + TRIES {
            if self.put(number, &lines)? {
                return Ok(number);
            }
        }
        Err(LakeError::Log { path: self.directory.clone(), why: "no number for a commit is free".into() })
    }

    /// The table as it is.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, LakeError> {
        let mut snapshot = Snapshot::default();
        for number in self.numbers()? {
            let path = self.commit_path(number);
            let text = fs::read_to_string(&path).map_err(|error| LakeError::io("read", &path, &error))?;
            for line in text.lines() {
                snapshot.take(line, &path)?;
            }
            snapshot.next = number + 1;
        }
        Ok(snapshot)
    }

    fn last(&self) -> Result<Option<u64>, LakeError> {
        Ok(self.numbers()?.last().copied())
    }

    fn numbers(&self) -> Result<Vec<u64>, LakeError> {
        let failed = |error: &std::io::Error| LakeError::io("read", &self.directory, error);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(|error| failed(&error))? {
            let name = entry.map_err(|error| failed(&error))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn commit_path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:020}.json"))
    }

    /// Puts a commit into place; `false` where the number is taken.
    fn put(&self, number: u64, lines: &[Value]) -> Result<bool, LakeError> {
        let place = self.commit_path(number);
        let beside = self.directory.join(format!(".{number:020}.{}.new", std::process::id()));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let written = write_durably(&beside, text.as_bytes());
        written.map_err(|error| LakeError::io("write", &beside, &error))?;
        let linked = fs::hard_link(&beside, &place);
        let _ = fs::remove_file(&beside);
        match linked {
            Ok(()) => {
                sync_directory(&self.directory)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(LakeError::io("write", &place, &error)),
        }
    }
}

/// What a commit says that changes no row.
pub(crate) const OPTIMIZE: &str = "OPTIMIZE";

impl Snapshot {
    fn take(&mut self, line: &str, path: &Path) -> Result<(), LakeError> {
        let wrong = |why: &str| LakeError::Log { path: path.to_owned(), why: why.into() };
        let action: Value = serde_json::from_str(line).map_err(|_| wrong("holds a line that is no JSON"))?;
        if let Some(protocol) = action.get("protocol")
            && protocol.get("minReaderVersion").and_then(Value::as_u64).is_none_or(|version| version > 1)
        {
            return Err(wrong("asks for a newer reader of Delta tables than this one"));
        }
        if let Some(add) = action.get("add") {
            let part = part_of(add).ok_or_else(|| wrong("adds a file that it does not describe"))?;
            self.parts.insert(part.path.clone(), part);
        }
        if let Some(path) = action.get("remove").and_then(|remove| remove.get("path")).and_then(Value::as_str)
        {
            self.parts.remove(path);
        }
        Ok(())
    }
}

fn part_of(add: &Value) -> Option<Part> {
    let stats: Value =
        add.get("stats").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok())?;
    let tag = |name: &str| add.get("tags")?.get(name)?.as_str()?.parse::<i64>().ok();
    Some(Part {
        path: add.get("path")?.as_str()?.to_owned(),
        day: add.get("partitionValues")?.get(DAY)?.as_str()?.to_owned(),
        bytes: add.get("size")?.as_u64()?,
        rows: stats.get("numRecords")?.as_u64()?,
        times: tag("firstMs").zip(tag("lastMs")),
    })
}

fn addition(part: &Part, now_ms: i64, changes: bool) -> Value {
    let mut stats = json!({"numRecords": part.rows});
    let mut tags = json!({});
    if let Some((first, last)) = part.times {
        stats["minValues"] = json!({"time": time::text(first)});
        stats["maxValues"] = json!({"time": time::text(last)});
        tags = json!({"firstMs": first.to_string(), "lastMs": last.to_string()});
    }
    json!({"add": {
        "path": part.path, "partitionValues": {DAY: part.day}, "size": part.bytes, "modificationTime": now_ms,
        "dataChange": changes, "stats": stats.to_string(), "tags": tags,
    }})
}

fn removal(part: &Part, now_ms: i64, changes: bool) -> Value {
    json!({"remove": {
        "path": part.path, "deletionTimestamp": now_ms, "dataChange": changes, "extendedFileMetadata": true,
        "partitionValues": {DAY: part.day}, "size": part.bytes,
    }})
}

fn info(what: &str, now_ms: i64) -> Value {
    json!({"timestamp": now_ms, "operation": what, "engineInfo": "Tapwire"})
}

/// Delta wants an id of the table in the form of a UUID.
fn table_id(table: &Table, now_ms: i64) -> String {
    let name = table
        .name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hex = format!("{name:016x}{:016x}", now_ms.unsigned_abs());
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// The schema as Delta writes it, with comments.
fn schema(table: &Table) -> Value {
    let field = |name: &str, kind: Value, comment: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {"comment": comment}});
    let mut fields: Vec<Value> =
        table.columns.iter().map(|column| field(column.name, type_of(column.kind), column.comment)).collect();
    fields.push(field(EXTRA, json!("string"), "every member of the event that is no column, as JSON"));
    fields.push(field(DAY, json!("date"), "UTC day of time"));
    json!({"type": "struct", "fields": fields})
}

fn type_of(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Json => json!("string"),
        Kind::Int => json!("long"),
        Kind::Bool => json!("boolean"),
        Kind::Time => json!("timestamp"),
        Kind::List => json!({"type": "array", "elementType": "string", "containsNull": true}),
    }
}

/// Makes the directory, for its owner only.
pub(crate) fn private_directory(path: &Path) -> Result<(), LakeError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| LakeError::io("make", path, &error))
}

/// Has the system write the directory's entries to the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<(), LakeError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| LakeError::io("write", path, &error))
}

fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
