//! A case as one file: a tar archive whose first member is the manifest and whose second is its signature.

use super::manifest::Manifest;
use super::stage::{MANIFEST, SIGNATURE, create};
use crate::failure::Failure;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use tar::{Archive, Builder, EntryType, Header};

/// A manifest or signature is no longer.
const LONGEST: u64 = 64 << 20;

/// Writes the files of a folder, the manifest and its signature first.
pub(super) fn pack(
    room: &Path,
    manifest: &Manifest,
    out: &mut impl Write,
    seconds: u64,
) -> Result<(), std::io::Error> {
    let mut archive = Builder::new(out);
    for name in [MANIFEST, SIGNATURE].into_iter().chain(manifest.files.keys().map(String::as_str)) {
        let mut file = File::open(room.join(name))?;
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(file.metadata()?.len());
        header.set_mode(0o600);
        header.set_mtime(seconds);
        archive.append_data(&mut header, name, &mut file)?;
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

/// Whether the archive is what [`pack`] makes of these files, to the byte; only zeros may be behind it, as other programs
/// put them there.
pub(super) fn is_as_packed(
    case: &Path,
    room: &Path,
    manifest: &Manifest,
    seconds: u64,
) -> Result<bool, std::io::Error> {
    let mut same = Same { file: BufReader::with_capacity(1 << 16, File::open(case)?), differs: false };
    let packed = pack(room, manifest, &mut same, seconds);
    if same.differs {
        return Ok(false);
    }
    packed?;
    let mut rest = vec![0; 1 << 16];
    loop {
        match same.file.read(&mut rest)? {
            0 => return Ok(true),
            read if rest.iter().take(read).any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// Takes what is written only as long as a file has the same.
struct Same<R> {
    file: R,
    differs: bool,
}

impl<R: Read> Write for Same<R> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut there = vec![0; bytes.len()];
        let read = self.file.read_exact(&mut there);
        self.differs |= read.is_err() || there != bytes;
        if self.differs { Err(std::io::Error::other("differs")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is wrong with an archive as a case.
pub(super) enum Wrong {
    /// It cannot be read, or is none.
    Unread(Failure),
    /// It is one, and was changed.
    Changed(String),
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Self {
        Self::Unread(error.into())
    }
}

/// Takes the archive apart: the bytes of its manifest, and its signature. Nothing is written but what the manifest names,
/// and of that no more than it says.
pub(super) fn unpack(case: &Path, room: &Path) -> Result<(Vec<u8>, String, Manifest), Wrong> {
    let unread = |why: &str| Wrong::Unread(Failure::new(format!("{}: {why}", case.display())));
    let file = File::open(case).map_err(|error| unread(&error.to_string()))?;
    let mut archive = Archive::new(file);
    let no_case = "is no case, as `tapwire case export` writes them";
    let mut members = archive.entries().map_err(|_| unread(no_case))?;
    let mut front = |name: &str| -> Result<Vec<u8>, Wrong> {
        let member = members.next().and_then(Result::ok).filter(|member| member.size() <= LONGEST);
        let member = member.filter(|member| *member.path_bytes() == *name.as_bytes());
        let mut bytes = Vec::new();
        member.ok_or_else(|| unread(no_case))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let (manifest_bytes, signature) = (front(MANIFEST)?, front(SIGNATURE)?);
    let manifest: Manifest = serde_json::from_slice(&manifest_bytes).map_err(|_| unread(no_case))?;
    std::fs::write(room.join(MANIFEST), &manifest_bytes)?;
    std::fs::write(room.join(SIGNATURE), &signature)?;
    let signature = String::from_utf8_lossy(&signature).into_owned();
    let mut seen = std::collections::BTreeSet::new();
    for member in members {
        let mut member = member.map_err(|_| Wrong::Changed("the archive is damaged".into()))?;
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let meant = manifest.files.get(&name).filter(|_| is_plain(&name) && seen.insert(name.clone()));
        let is_meant = member.header().entry_type() == EntryType::Regular
            && meant.is_some_and(|sum| sum.bytes == member.size());
        if !is_meant {
            return Err(Wrong::Changed(format!("{}: is not as the manifest says", name.escape_debug())));
        }
        std::io::copy(&mut member, &mut create(&room.join(&name))?)?;
    }
    match manifest.files.keys().find(|name| !seen.contains(*name)) {
        Some(missing) => Err(Wrong::Changed(format!("{}: is missing", missing.escape_debug()))),
        None => Ok((manifest_bytes, signature, manifest)),
    }
}

/// A relative path of plain names, so that nothing is written elsewhere.
fn is_plain(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(letter) && !part.trim_matches('.').is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn paths_stay_within() {
        for good in ["report.md", "captures/01-in.pcap.gz", "rules/01-x/a.yml", "..a"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a\\b", "a b", "a\0"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
