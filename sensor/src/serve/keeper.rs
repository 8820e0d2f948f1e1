//! Users of the console and its audit log, under `--data`.

use crate::failure::Failure;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_console::{Keeper, Roll};
use tapwire_store::{AuditLog, write_private};

const USERS: &str = "users.json";
const AUDIT: &str = "audit.jsonl";
/// Lines of the audit log that are shown.
const SHOWN: usize = 200;
/// Bytes from its end that are read for them.
const TAIL: u64 = 256 << 10;

/// What is kept under a data directory; captures alone keep nothing.
pub(super) struct Files {
    data: Option<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    known: Option<Known>,
    /// `None` where they cannot be read.
    roll: Option<Arc<Roll>>,
}

/// What tells one state of a file from the next, its owner and mode included.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    file: u64,
    changed: (i64, i64),
}

impl Known {
    fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok()?;
        Some(Self { file: about.ino(), changed: (about.ctime(), about.ctime_nsec()) })
    }
}

impl Files {
    pub(super) fn open(data: Option<PathBuf>) -> Result<Self, Failure> {
        let path = data.as_deref().map(|data| data.join(USERS));
        let known = path.as_deref().and_then(Known::of);
        let roll = path.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok(Self { data, held: Mutex::new(Held { known, roll: Some(Arc::new(roll)) }) })
    }
}

impl Keeper for Files {
    fn users(&self) -> Option<Arc<Roll>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = self.data.as_ref().map(|data| data.join(USERS)) else { return held.roll.clone() };
        let known = Known::of(&path);
        if known != held.known || held.roll.is_none() {
            let read = read(&path);
            // Said once, however many ask meanwhile.
            if let (Err(failure), Some(_)) = (&read, &held.roll) {
                eprintln!("tapwire: {failure}; nobody can log in to the console until it can be read");
            }
            *held = Held { known, roll: read.ok().map(Arc::new) };
        }
        held.roll.clone()
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
        let tail = self.data.as_ref().and_then(|data| tail(&data.join(AUDIT)).ok()).unwrap_or_default();
        let lines = tail.split(|byte| *byte == b'\n').rev();
        lines.filter_map(|line| serde_json::from_slice(line).ok()).take(SHOWN).collect()
    }
}

/// The end of a file, which may be long.
fn tail(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
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

/// Changes the users of a data directory: the file is replaced in one piece, and only the owner of the directory reads it.
pub(super) fn change<T>(
    data: &Path,
    change: impl FnOnce(&mut Roll) -> Result<T, Failure>,
) -> Result<(T, Roll), Failure> {
    let _alone = crate::stored::alone(data)?;
    let path = data.join(USERS);
    let mut roll = read(&path)?;
    let done = change(&mut roll)?;
    write_private(&path, roll.text().as_bytes())?;
    Ok((done, roll))
}

/// The users of a data directory, with roles.
pub(super) fn list(data: &Path) -> Result<Roll, Failure> {
    read(&data.join(USERS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_console::Role;

    const PASSWORD: &str = "correct horse battery";

    fn put(data: &Path, name: &str) {
        let add = |roll: &mut Roll| roll.put(name, Role::Viewer, PASSWORD).map_err(|_| Failure::new("unfit"));
        change(data, add).unwrap();
    }

    #[test]
    fn users_are_those_that_are_kept_now() {
        let data = tempfile::tempdir().unwrap();
        let files = Files::open(Some(data.path().to_owned())).unwrap();
        assert!(files.users().unwrap().is_empty());
        put(data.path(), "ana");
        assert_eq!(files.users().unwrap().role("ana"), Some(Role::Viewer));
        put(data.path(), "bob");
        change(data.path(), |roll| Ok(roll.remove("ana"))).unwrap();
        let users = files.users().unwrap();
        assert_eq!((users.role("ana"), users.role("bob")), (None, Some(Role::Viewer)));
    }

    #[test]
    fn of_two_who_change_users_at_once_none_is_lost() {
        let data = tempfile::tempdir().unwrap();
        let names = |thread: u32| (0..8).map(move |at| format!("u{thread}-{at}"));
        (0..8).flat_map(names).for_each(|name| put(data.path(), &name));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let data = data.path();
                let remove = |name: String| change(data, |roll| Ok(roll.remove(&name))).unwrap();
                scope.spawn(move || names(thread).for_each(|name| assert!(remove(name).0)));
            }
        });
        assert!(list(data.path()).unwrap().is_empty(), "a user that was removed may not log in again");
    }

    #[test]
    fn users_that_cannot_be_read_are_not_those_of_before() {
        let data = tempfile::tempdir().unwrap();
        put(data.path(), "ana");
        let files = Files::open(Some(data.path().to_owned())).unwrap();
        let path = data.path().join(USERS);
        let kept = fs::read(&path).unwrap();
        // Root may read every file, and no directory as one.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(files.users().is_none() && files.users().is_none());
        fs::remove_dir(&path).unwrap();
        fs::write(&path, kept).unwrap();
        assert!(files.users().unwrap().role("ana").is_some());
    }

    #[test]
    fn the_end_of_the_audit_log_is_shown() {
        let data = tempfile::tempdir().unwrap();
        let lines: String =
            (0..20_000).map(|at| format!("{{\"at\":{at},\"more\":\"{at:032}\"}}\n")).collect();
        fs::write(data.path().join(AUDIT), lines).unwrap();
        let files = Files::open(Some(data.path().to_owned())).unwrap();
        let noted = files.noted();
        assert_eq!((noted.len(), &noted[0]["at"], &noted[199]["at"]), (200, &19_999.into(), &19_800.into()));
    }
}
