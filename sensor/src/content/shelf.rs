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

/// The file that says which version is in use.
pub(super) fn current_file(folder: &Path) -> PathBuf {
    folder.join(CURRENT)
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
        let path = current_file(&self.folder);
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

    /// The folder of a version that is kept.
    pub(super) fn there(&self, version: u64) -> Result<PathBuf, Failure> {
        let folder = self.folder_of(version);
        // Each file of it may be missing, this one is always there.
        match fs::metadata(folder.join(SIGNED)) {
            Ok(_) => Ok(folder),
            Err(error) => Err(Failure::new(format!(
                "{}: {error}, though version {version} is in use: install it again, or `tapwire content rollback`",
                folder.display()
            ))),
        }
    }

    /// Those that are kept, by number. Without a key that they have to be signed by, each says itself by which it was.
    pub(super) fn versions(&self, key: &str) -> Result<Vec<Version>, Failure> {
        let mut numbers = self.numbers()?;
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.version(number, key)).collect()
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

    /// Whether it still is what was signed.
    fn version(&self, number: u64, key: &str) -> Result<Version, Failure> {
        let folder = self.folder_of(number);
        let signed = folder.join(SIGNED);
        let bytes = fs::read(&signed).map_err(|error| failed(&signed, &error))?;
        let own = Content::key_of(&bytes).unwrap_or_default();
        Ok(match Content::read(&bytes, if key.is_empty() { &own } else { key }) {
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
        let swept = || {
            let left = [new.clone(), new.with_extension("old")];
            left.iter().try_for_each(|left| match fs::remove_dir_all(left) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(left, &error)),
                _ => Ok(()),
            })
        };
        swept()?;
        let files = content.files().iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
        let mut all = files.chain([(SIGNED, bytes)]);
        let written = all.try_for_each(|(name, bytes)| {
            let file = new.join(name);
            write(&file, bytes).map_err(|error| failed(&file, &error))
        });
        let moved = written.and_then(|()| check(&new)).and_then(|()| {
            make(&self.folder.join(VERSIONS))
                .and_then(|()| replace(&new, &place))
                .map_err(|error| failed(&place, &error))
        });
        moved.and(swept())
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
        let (path, new) = (current_file(&self.folder), self.folder.join(".current"));
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

/// Puts a folder in the place of another, which goes when it is not needed any more: a tap may read it.
fn replace(new: &Path, place: &Path) -> io::Result<()> {
    if !place.exists() {
        return fs::rename(new, place);
    }
    let old = new.with_extension("old");
    fs::rename(place, &old)?;
    fs::rename(new, place)?;
    fs::remove_dir_all(&old)
}

/// Folders and files that the sensor's user reads, and who installs them writes: whatever mask the installer has, each folder
/// on the way is one that is read.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().filter(|above| !above.as_os_str().is_empty()).map_or(Ok(()), make)?;
    fs::create_dir(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), make)?;
    let mut file = fs::File::create(path)?;
    io::Write::write_all(&mut file, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    file.sync_all()
}
