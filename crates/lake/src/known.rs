//! Which events the tables have: who takes events that may come twice asks that when it starts.

use crate::batch::Values;
use crate::error::LakeError;
use crate::file::FileRows;
use crate::log::Log;
use crate::scan::{Members, plain_text};
use crate::schema::{EXTRA, Kind, TABLES, Table};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Where events have their identity, and whose they are.
const UID: &str = "metadata.uid";
const TENANT: &str = "metadata.tenant_uid";
/// What an event without one is known by.
const REPORTER: &str = "metadata.reporter.name";
const SEQUENCE: &str = "metadata.sequence";

/// A file of a table.
#[derive(Debug, Clone)]
pub struct KnownFile {
    table: &'static Table,
    path: PathBuf,
    /// The first and the last time in it, in milliseconds since 1970.
    pub times: (i64, i64),
    /// Its rows.
    pub rows: u64,
}

/// The files of all tables that events go to.
///
/// # Errors
/// A log cannot be read.
pub fn known_files(data: &Path) -> Result<Vec<KnownFile>, LakeError> {
    let mut found = Vec::new();
    for table in TABLES.iter().filter(|table| !table.classes.is_empty()) {
        let directory = data.join(crate::ROOM).join(table.name);
        let log = Log::of(&directory);
        if !log.exists()? {
            continue;
        }
        for part in log.snapshot()?.parts.into_values() {
            let path = directory.join(&part.path);
            let times = part.times.unwrap_or((i64::MIN, i64::MAX));
            found.push(KnownFile { table, path, times, rows: part.rows });
        }
    }
    Ok(found)
}

impl KnownFile {
    /// Hands out the events in it: tenant, uid and time in milliseconds. What has no uid, as sensors tell it of themselves, is
    /// known as `REPORTER#SEQUENCE`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events(&self, take: &mut dyn FnMut(Option<&str>, &str, i64)) -> Result<(), LakeError> {
        let name_of = |path: &str| {
            self.table.columns.iter().find(|column| column.path == path).map(|column| column.name)
        };
        let file = FileRows::open(&self.path)?;
        for group in 0..file.groups() {
            let column = |name: Option<&str>, kind| match name {
                Some(name) => file.column(group, name, kind),
                None => Ok(None),
            };
            let times = column(Some("time"), Kind::Time)?;
            let tenants = column(name_of(TENANT), Kind::Text)?;
            let reporters = column(name_of(REPORTER), Kind::Text)?;
            let numbers = column(name_of(SEQUENCE), Kind::Int)?;
            let uids = column(name_of(UID), Kind::Text)?;
            let extra = if uids.is_none() { file.column(group, EXTRA, Kind::Json)? } else { None };
            for row in 0..file.rows_of(group) {
                let uid = text(uids.as_ref(), row)
                    .or_else(|| uid_of(text(extra.as_ref(), row)?))
                    .map(Cow::Borrowed);
                let numbered = || {
                    let number = int(numbers.as_ref(), row)?;
                    Some(Cow::Owned(format!("{}#{number}", text(reporters.as_ref(), row)?)))
                };
                if let (Some(uid), Some(ms)) = (uid.or_else(numbered), int(times.as_ref(), row)) {
                    take(text(tenants.as_ref(), row), &uid, ms);
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn text(values: Option<&Values>, row: usize) -> Option<&str> {
    match values? {
        Values::Texts(texts) => std::str::from_utf8(texts.get(row)?).ok(),
        _ => None,
    }
}

pub(crate) fn int(values: Option<&Values>, row: usize) -> Option<i64> {
    match values? {
        Values::Ints(ints) => ints.get(row).copied().flatten(),
        _ => None,
    }
}

/// Of an event's members that are no columns.
fn uid_of(extra: &str) -> Option<&str> {
    let member =
        |object, wanted: &str| Members::of(object)?.find(|(name, _)| *name == wanted).map(|(_, value)| value);
    plain_text(member(member(extra, "metadata")?, "uid")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::Lake;

    #[test]
    fn every_event_is_known_by_its_uid() {
        let data = tempfile::tempdir().unwrap();
        let event = |class: u32, ms: i64, uid: &str, tenant: &str| {
            format!("{{\"time\":{ms},\"class_uid\":{class},\"metadata\":{{\"uid\":\"{uid}\"{tenant}}}}}\n")
        };
        assert!(known_files(data.path()).unwrap().is_empty());
        let mut lake = Lake::open(data.path(), 0).unwrap();
        lake.write(&event(6003, 5, "one", ",\"tenant_uid\":\"t\"")).unwrap();
        lake.write(&event(2005, 6, "two", "")).unwrap();
        let numbered =
            "{\"time\":7,\"class_uid\":0,\"metadata\":{\"reporter\":{\"name\":\"a\"},\"sequence\":3}}\n";
        lake.write(numbered).unwrap();
        lake.commit().unwrap();
        let mut found = Vec::new();
        for file in known_files(data.path()).unwrap() {
            let mut take = |tenant: Option<&str>, uid: &str, ms| {
                assert!(file.times.0 <= ms && ms <= file.times.1);
                found.push((ms, uid.to_owned(), tenant.map(str::to_owned)));
            };
            file.events(&mut take).unwrap();
        }
        found.sort();
        let expected = [(5, "one", Some("t")), (6, "two", None), (7, "a#3", None)];
        assert_eq!(found, expected.map(|(ms, uid, tenant)| (ms, uid.to_owned(), tenant.map(str::to_owned))));
    }
}
