//! The lines of commits, as the Delta protocol spells them.

use super::{Part, Tombstone};
use crate::schema::{DAY, EXTRA, Kind, Table};
use crate::time;
use serde_json::{Value, json};

/// What the first commit of a table says.
pub(super) fn creation(table: &Table, now_ms: i64) -> [Value; 3] {
    [
        info("CREATE TABLE", now_ms),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": table_id(table, now_ms), "name": table.name, "description": table.comment,
            "format": {"provider": "parquet", "options": {}}, "schemaString": schema(table).to_string(),
            "partitionColumns": [DAY], "configuration": {}, "createdTime": now_ms,
        }}),
    ]
}

/// What a commit says that adds the columns which the table lacks; `None` where it has them all. Those that are not known here
/// stay.
pub(super) fn widening(about: &Value, table: &Table, now_ms: i64) -> Option<[Value; 2]> {
    let mut told: Value = serde_json::from_str(about.get("schemaString")?.as_str()?).ok()?;
    let fields = told.get_mut("fields")?.as_array_mut()?;
    let mut wanted = schema(table);
    let mut missing = std::mem::take(wanted.get_mut("fields")?.as_array_mut()?);
    missing.retain(|field| fields.iter().all(|known| known.get("name") != field.get("name")));
    if missing.is_empty() {
        return None;
    }
    fields.append(&mut missing);
    let mut about = about.clone();
    *about.get_mut("schemaString")? = told.to_string().into();
    Some([info("ADD COLUMNS", now_ms), json!({"metaData": about})])
}

pub(super) fn info(what: &str, now_ms: i64) -> Value {
    json!({"commitInfo": {"timestamp": now_ms, "operation": what, "engineInfo": "Tapwire"}})
}

pub(super) fn addition(part: &Part, now_ms: i64, changes: bool) -> Value {
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

pub(super) fn removal(part: &Part, now_ms: i64, changes: bool) -> Value {
    json!({"remove": {
        "path": part.path, "deletionTimestamp": now_ms, "dataChange": changes, "extendedFileMetadata": true,
        "partitionValues": {DAY: part.day}, "size": part.bytes,
    }})
}

/// How far a writer is.
pub(super) fn mark(who: &str, version: u64) -> Value {
    json!({"txn": {"appId": who, "version": version}})
}

pub(super) fn mark_of(txn: &Value) -> Option<(String, u64)> {
    Some((txn.get("appId")?.as_str()?.to_owned(), txn.get("version")?.as_u64()?))
}

/// The file that a line of a commit adds with rows that were in none before.
pub(super) fn added(action: &Value) -> Option<Part> {
    let add = action.get("add").filter(|add| add.get("dataChange") == Some(&Value::Bool(true)))?;
    part_of(add)
}

/// The file that an `add` is about; `None` where it does not say what is needed.
pub(super) fn part_of(add: &Value) -> Option<Part> {
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

/// The file that a `remove` takes out.
pub(super) fn tombstone_of(remove: &Value) -> Option<(String, Tombstone)> {
    let path = remove.get("path")?.as_str()?.to_owned();
    let removed_ms = remove.get("deletionTimestamp").and_then(Value::as_i64).unwrap_or_default();
    let bytes = remove.get("size").and_then(Value::as_u64).unwrap_or_default();
    Some((path, Tombstone { removed_ms, bytes }))
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
        Kind::Real => json!("double"),
        Kind::Bool => json!("boolean"),
        Kind::Time => json!("timestamp"),
        Kind::List => json!({"type": "array", "elementType": "string", "containsNull": true}),
    }
}
