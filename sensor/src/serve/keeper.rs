//! Users of the console and its audit log, under `--data`.

use crate::failure::Failure;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tapwire_console::{Keeper, Roll};
use tapwire_store::AuditLog;

const USERS: &str = "users.json";
const AUDIT: &str = "audit.jsonl";
/// Lines of the audit log that are shown.
const SHOWN: usize = 200;
/// Bytes from its end that are read for them.
const TAIL: usize = 256 << 10;

/// What is kept under a data directory; captures alone keep nothing.
pub(super) struct Files {
    data: Option<PathBuf>,
    held: Mutex<(Option<SystemTime>, Arc<Roll>)>,
}

impl Files {
    pub(super) fn open(data: Option<PathBuf>) -> Result<Self, Failure> {
        let path = data.as_deref().map(|data| data.join(USERS));
        let roll = path.as_deref().map(read).transpose()?.unwrap_or_default();
        let stamp = path.as_ref().and_then(super::stamp);
        Ok(Self { data, held: Mutex::new((stamp, Arc::new(roll))) })
    }
}

impl Keeper for Files {
    fn users(&self) -> Arc<Roll> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.data.as_ref().map(|data| data.join(USERS)) {
            let now = super::stamp(&path);
            if now != held.0 {
                match read(&path) {
                    Ok(roll) => *held = (now, Arc::new(roll)),
                    // Those that were known stay: a torn file opens no door.
                    Err(failure) => eprintln!("tapwire: {failure}"),
                }
            }
        }
        Arc::clone(&held.1)
    }

    fn note(&self, line: &Value) -> Result<(), String> {
        let Some(data) = &self.data else { return Ok(()) };
        let mut line = line.clone();
        line["time"] = jiff::Timestamp::now().to_string().into();
        line["by"] = "console".into();
        AuditLog::open(&data.join(AUDIT))
            .and_then(|mut log| log.append(format!("{line}\n").as_bytes()))
            .map_err(|error| error.to_string())
    }

    fn noted(&self) -> Vec<Value> {
        let bytes = self.data.as_ref().and_then(|data| fs::read(data.join(AUDIT)).ok()).unwrap_or_default();
        let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
        let lines = tail.split(|byte| *byte == b'\n').rev();
        lines.filter_map(|line| serde_json::from_slice(line).ok()).take(SHOWN).collect()
    }
}

/// The users of a data directory; a file that cannot be read is no empty one.
fn read(path: &Path) -> Result<Roll, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Roll::of(&text).ok_or_else(|| {
            Failure::new(format!(
                "{}: this is no list of users; remove it and add them again: tapwire serve user add",
                path.display()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Roll::default()),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
    }
}

/// Changes the users of a data directory: the file is replaced in one piece, and only its owner reads it.
pub(super) fn change<T>(
    data: &Path,
    change: impl FnOnce(&mut Roll) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let path = data.join(USERS);
    let mut roll = read(&path)?;
    let done = change(&mut roll)?;
    let fresh = data.join(format!("{USERS}.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(roll.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    };
    write().map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    Ok(done)
}

/// The users of a data directory, with roles.
pub(super) fn list(data: &Path) -> Result<Roll, Failure> {
    read(&data.join(USERS))
}
