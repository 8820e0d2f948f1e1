//! The folder that a case is put together in, and taken apart in: whoever reads it by hand finds the same.

use super::manifest::{Derivation, Input, Manifest, Sum};
use crate::content::ContentSettings;
use crate::failure::Failure;
use crate::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tapwire_store::Directories;
use tempfile::TempDir;

/// Files of one folder that are put in, and how deep they may lie.
const MOST_FILES: usize = 10_000;
const DEEPEST: usize = 16;
/// Letters of a name that are kept.
const MOST_LETTERS: usize = 80;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SIGNATURE: &str = "manifest.sig";
pub(super) const CONFIGURATION: &str = "config.toml";
pub(super) const TOKEN_KEY: &str = "token.key";
pub(super) const EVENTS: &str = "events.jsonl";
pub(super) const PACKETS: &str = "incident.pcapng";

/// The folder; it is removed in the end.
pub(super) struct Stage {
    room: TempDir,
    inputs: Vec<Input>,
}

impl Stage {
    /// Beside the file that the case is, or is to be, so that evidence stays on its disk.
    pub(super) fn beside(case: &Path) -> Result<Self, Failure> {
        let parent = case.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let room = tempfile::Builder::new().prefix(".tapwire-case-").tempdir_in(parent);
        let room = room.map_err(|error| Failure::new(format!("{}: {error}", parent.display())))?;
        Ok(Self { room, inputs: Vec::new() })
    }

    /// Where temporary files are.
    pub(super) fn in_temporary() -> Result<Self, Failure> {
        Self::beside(&std::env::temp_dir().join("case"))
    }

    pub(super) fn path(&self) -> &Path {
        self.room.path()
    }

    /// Copies a file or a folder in, under what it is for; its name there.
    pub(super) fn take(&mut self, role: &str, path: &Path) -> Result<String, Failure> {
        let was = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let number =
            self.inputs.iter().filter(|input| input.name.starts_with(&format!("{role}/"))).count() + 1;
        let name = format!("{role}/{number:02}-{}", plain(&was));
        let place = self.room.path().join(&name);
        let mut left = MOST_FILES;
        copy(path, &place, DEEPEST, &mut left).map_err(|error| self.failed(path, &error))?;
        self.inputs.push(Input { name: name.clone(), was });
        Ok(name)
    }

    /// Which of the two is to blame: the disk that is written, or what is read.
    fn failed(&self, path: &Path, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let beside = self.path().parent().unwrap_or(self.path()).display();
        match error.kind() {
            StorageFull | QuotaExceeded => Failure::new(format!(
                "{beside}: the disk is full: a case takes room there for all that goes into it, twice; make room, or write \
                 it to another disk"
            )),
            _ => Failure::new(format!("{}: {error}", path.display())),
        }
    }

    /// Writes the packets that a sensor kept, under what they are for; their name there.
    pub(super) fn take_ring(&mut self, role: &str, data: &Path) -> Result<String, Failure> {
        let name = format!("{role}/01-packets.pcapng");
        super::ring::write(data, &self.room.path().join(&name))?;
        self.inputs.push(Input { name: name.clone(), was: "packets kept by the sensor".into() });
        Ok(name)
    }

    /// Writes a file that the case makes itself.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let place = self.room.path().join(name);
        let mut file = create(&place).map_err(|error| self.failed(&place, &error))?;
        file.write_all(bytes).map_err(|error| self.failed(&place, &error))
    }

    /// Writes the settings that say what is derived. Where events go is nobody's business here.
    pub(super) fn configure(&self, settings: &Settings) -> Result<(), Failure> {
        let text = toml::to_string(&harmless(settings)).map_err(|error| Failure::new(error.to_string()))?;
        self.write(CONFIGURATION, text.as_bytes())
    }

    /// A key of tokens for this case alone: the operator's would open the tokens of every other event.
    pub(super) fn make_key(&self) -> Result<(), Failure> {
        tapwire_store::token_key(None, Some(self.path()), &Directories::from_env())?;
        Ok(())
    }

    /// The sums of all files.
    pub(super) fn sums(&self) -> Result<BTreeMap<String, Sum>, Failure> {
        let mut sums = BTreeMap::new();
        for name in names(self.room.path())? {
            if name != MANIFEST && name != SIGNATURE {
                sums.insert(name.clone(), Sum::of(&self.room.path().join(&name))?);
            }
        }
        Ok(sums)
    }

    pub(super) fn inputs(&self) -> &[Input] {
        &self.inputs
    }
}

/// Settings with everything that leaves, listens or is kept taken out; nor has a case a say in what confines who reads it.
pub(super) fn harmless(settings: &Settings) -> Settings {
    let usual = Settings::default();
    Settings {
        capture: usual.capture,
        packets: usual.packets,
        heartbeat: usual.heartbeat,
        events: usual.events,
        state: usual.state,
        sandbox: usual.sandbox,
        content: ContentSettings::nowhere(),
        sink: usual.sink,
        output: usual.output,
        keys: usual.keys,
        ..settings.clone()
    }
}

/// Whether all that the settings and the derivation name lies in the case.
pub(super) fn is_within(settings: &Settings, how: &Derivation, manifest: &Manifest) -> bool {
    let is_here = |path: &Path| {
        let path = path.to_string_lossy();
        manifest.files.keys().any(|name| *name == path || name.starts_with(&format!("{path}/")))
    };
    let described =
        settings.openapi.iter().all(|named| is_here(Path::new(named.rsplit('=').next().unwrap_or(named))));
    let files = settings.rules.iter().chain(&settings.context.files).chain(&settings.inspect.proto);
    let read = how.captures.iter().chain(&how.learn_from).chain(&how.keylogs).map(PathBuf::from);
    described && files.cloned().chain(read).all(|path| is_here(&path))
}

/// The files below, as the manifest names them.
pub(super) fn names(room: &Path) -> Result<Vec<String>, Failure> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(room.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => folders.push(path),
                false => found.push(path.to_string_lossy().into_owned()),
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A new file for its owner alone, in a folder that is made where it is not there.
pub(super) fn create(place: &Path) -> std::io::Result<File> {
    if let Some(folder) = place.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(place)
}

/// Copies what is a file or a folder; links within folders are left out, since what they lead to may be anywhere.
fn copy(from: &Path, to: &Path, depth: usize, left: &mut usize) -> std::io::Result<()> {
    let about = fs::metadata(from)?;
    if about.is_file() {
        *left =
            left.checked_sub(1).ok_or_else(|| std::io::Error::other("more than 10,000 files; name fewer"))?;
        return std::io::copy(&mut File::open(from)?, &mut create(to)?).map(drop);
    }
    if !about.is_dir() {
        return Err(std::io::Error::other("is neither a file nor a folder; save it to a file first"));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    let mut entries = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut taken = BTreeSet::new();
    for entry in entries {
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_symlink() || name.starts_with('.') {
            continue;
        }
        let below = match depth.checked_sub(1) {
            Some(below) => below,
            None if kind.is_file() => 0,
            None => {
                return Err(std::io::Error::other("folders are nested more than 16 deep; name those below"));
            }
        };
        // Names that differ in other letters may become one.
        let plain = plain(&name);
        let free = (2..).map(|number| format!("{number}-{plain}")).find(|name| !taken.contains(name));
        let name = if taken.contains(&plain) { free.unwrap_or_default() } else { plain };
        copy(&entry.path(), &to.join(&name), below, left)?;
        taken.insert(name);
    }
    Ok(())
}

/// A name with letters that every system takes.
fn plain(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let letters = name.chars().map(|letter| if is_plain(letter) { letter } else { '_' });
    let kept: String = letters.take(MOST_LETTERS).collect();
    if kept.trim_matches('.').is_empty() { "_".into() } else { kept }
}
