//! Versions of content on disk: a folder for each with the file it came in, and which one is used.

use super::file::Content;
use crate::case::hex;
use crate::failure::Failure;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tapwire_store::AuditLog;

/// Versions that are kept beside the one that is used.
const KEPT: usize = 10;
const CURRENT: &str = "current";
const VERSIONS: &str = "versions";
const SIGNED: &str = "signed";
const AUDIT: &str = "audit.jsonl";

/// The folder of all versions.
pub(super) struct Shelf {
    folder: PathBuf,
}

/// One that is kept.
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) name: String,
    /// How many files it has.
    pub(super) files: usize,
    /// The first that is not as it was signed.
    pub(super) changed: Option<String>,
}

impl Shelf {
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn folder_of(&self, version: u64) -> PathBuf {
        self.folder.join(VERSIONS).join(version.to_string())
    }

    /// The version that is used.
    pub(super) fn current(&self) -> Result<Option<u64>, Failure> {
        let path = self.folder.join(CURRENT);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                Failure::new(format!(
                    "{}: names no version; write one of `tapwire content list` there",
                    path.display()
                ))
            }),
        }
    }

    /// Those that are kept, by number.
    pub(super) fn versions(&self) -> Result<Vec<Version>, Failure> {
        let mut numbers = self.numbers()?;
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.version(number)).collect()
    }

    fn numbers(&self) -> Result<Vec<u64>, Failure> {
        let path = self.folder.join(VERSIONS);
        match fs::read_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(&path, &error)),
            Ok(entries) => {
                let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
                Ok(names.collect())
            }
        }
    }

    /// Whether it still is what was signed: the file that it came in says by which key.
    fn version(&self, number: u64) -> Result<Version, Failure> {
        let folder = self.folder_of(number);
        let signed = folder.join(SIGNED);
        let bytes = fs::read(&signed).map_err(|error| failed(&signed, &error))?;
        let key = Content::key_of(&bytes).unwrap_or_default();
        Ok(match Content::read(&bytes, &key) {
            Err(_) => Version { number, name: "?".into(), files: 0, changed: Some(SIGNED.into()) },
            Ok(content) => {
                let is_same = |name: &str, text: &str| {
                    fs::read(folder.join(name)).is_ok_and(|there| there == text.as_bytes())
                };
                let mut files = content.files().iter();
                let changed = files.find(|(name, text)| !is_same(name, text)).map(|(name, _)| name.clone());
                let changed = changed.or_else(|| added(&folder, &content));
                Version { number, name: content.name().to_owned(), files: content.files().len(), changed }
            }
        })
    }

    /// Keeps a version, when `check` finds no fault with its folder.
    pub(super) fn put(
        &self,
        content: &Content,
        bytes: &[u8],
        check: &dyn Fn(&Path) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (place, new) = (self.folder_of(content.version()), self.folder.join(".new"));
        let swept = || match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&new, &error)),
            _ => Ok(()),
        };
        swept()?;
        let files = content.files().iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
        for (name, bytes) in files.chain([(SIGNED, bytes)]) {
            write(&new.join(name), bytes).map_err(|error| failed(&new.join(name), &error))?;
        }
        let moved = check(&new).and_then(|()| {
            make(&self.folder.join(VERSIONS))
                .and_then(|()| if place.exists() { fs::remove_dir_all(&place) } else { Ok(()) })
                .and_then(|()| fs::rename(&new, &place))
                .map_err(|error| failed(&place, &error))
        });
        swept()?;
        moved
    }

    /// Uses a version from now on, records that, and removes the oldest ones that are too many.
    pub(super) fn choose(&self, version: u64, action: &str) -> Result<(), Failure> {
        let user = nix::unistd::getuid().as_raw();
        let signed = fs::read(self.folder_of(version).join(SIGNED)).unwrap_or_default();
        let line = serde_json::json!({
            "time": jiff::Timestamp::now().to_string(), "action": format!("content {action}"), "user_id": user,
            "version": version, "sha256": hex(&Sha256::digest(&signed)),
        });
        AuditLog::open(&self.folder.join(AUDIT))?.append(format!("{line}\n").as_bytes())?;
        let (path, new) = (self.folder.join(CURRENT), self.folder.join(".current"));
        let chosen = write(&new, format!("{version}\n").as_bytes()).and_then(|()| fs::rename(&new, &path));
        chosen.map_err(|error| failed(&path, &error))?;
        let mut others: Vec<u64> = self.numbers()?.into_iter().filter(|number| *number != version).collect();
        others.sort_unstable_by(|one, other| other.cmp(one));
        for old in others.iter().skip(KEPT) {
            let folder = self.folder_of(*old);
            fs::remove_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        }
        Ok(())
    }
}

/// A file in the folder that was not signed, and would be used.
fn added(folder: &Path, content: &Content) -> Option<String> {
    let entries = |below: &str| fs::read_dir(folder.join(below)).into_iter().flatten().flatten();
    let above = entries("").map(|entry| entry.file_name().to_string_lossy().into_owned());
    let rules = entries(super::RULES)
        .map(|entry| format!("{}/{}", super::RULES, entry.file_name().to_string_lossy()));
    let mut names: Vec<String> =
        above.filter(|name| name != SIGNED && name != super::RULES).chain(rules).collect();
    names.sort_unstable();
    names.into_iter().find(|name| !content.files().contains_key(name))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// Folders and files that the sensor's user reads, and who installs them writes.
fn make(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), make)?;
    let mut file = fs::File::create(path)?;
    io::Write::write_all(&mut file, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    file.sync_all()
}
