//! A content file: one line that says who signed it, then what was signed.

use super::{CONTEXT, RULES, SETTINGS};
use crate::case::{from_hex, hex};
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use tapwire_store::{SigningKey, is_signed};

/// The form that this build writes and reads.
const FORMAT: u32 = 1;
/// More text was written by no person.
const LARGEST: usize = 64 << 20;
/// Letters of a name.
const MOST_LETTERS: usize = 80;

/// Who signed what follows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    /// The form of the whole file.
    tapwire_content: u32,
    /// In hexadecimal digits.
    public_key: String,
    signature: String,
}

/// The form of any version, looked at before the rest.
#[derive(Debug, Deserialize)]
struct Form {
    tapwire_content: u32,
}

/// What is signed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    name: String,
    version: u64,
    /// Texts by their names.
    files: BTreeMap<String, String>,
}

impl Content {
    /// Of a folder that somebody wrote, and what in it is no content.
    pub(super) fn of(folder: &Path, name: &str, version: u64) -> Result<(Self, Vec<String>), Failure> {
        let (mut files, mut left_out) = (BTreeMap::new(), Vec::new());
        for (name, path) in entries(folder)?.into_iter().chain(rules(folder)?) {
            if is_known(&name) {
                files.insert(name, std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?);
            } else if looks_like_a_rule(&name, &path) {
                return Err(Failure::new(format!(
                    "{}: rules of content stand in {RULES}/ itself, with names of A–Z, a–z, 0–9, '.', '_' and '-' that end \
                     in .yml or .yaml",
                    path.display()
                )));
            } else if name != RULES {
                left_out.push(name);
            }
        }
        if files.is_empty() {
            let told =
                format!("{}: neither {SETTINGS} nor {CONTEXT} nor {RULES}/*.yml is there", folder.display());
            return Err(Failure::new(told));
        }
        let content = Self { name: name.to_owned(), version, files };
        content.fit()?;
        Ok((content, left_out))
    }

    /// The bytes of the file.
    pub(super) fn signed(&self, key: &SigningKey) -> Result<Vec<u8>, Failure> {
        let failed = |error: serde_json::Error| Failure::new(error.to_string());
        let body = serde_json::to_vec_pretty(self).map_err(failed)?;
        let (public_key, signature) = (hex(key.public_key()), hex(&key.sign(&body)));
        let seal = Seal { tapwire_content: FORMAT, public_key, signature };
        let line = serde_json::to_vec(&seal).map_err(failed)?;
        Ok([line.as_slice(), b"\n", body.as_slice()].concat())
    }

    /// From such bytes, if that key signed them. Nothing of it is read before.
    pub(super) fn read(bytes: &[u8], public_key: &str) -> Result<Self, Failure> {
        let no_content = || Failure::new("is no content file, as `tapwire content pack` writes them");
        let (line, body) = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .filter(|_| bytes.len() <= LARGEST)
            .and_then(|at| Some((bytes.get(..at)?, bytes.get(at + 1..)?)))
            .ok_or_else(no_content)?;
        let form: Form = serde_json::from_slice(line).map_err(|_| no_content())?;
        if form.tapwire_content != FORMAT {
            return Err(Failure::new(format!(
                "a content file of form {}; this build reads form {FORMAT}",
                form.tapwire_content
            )));
        }
        let seal: Seal = serde_json::from_slice(line).map_err(|_| no_content())?;
        let wanted = from_hex(public_key.trim()).filter(|key| key.len() == 32);
        let wanted = wanted.ok_or_else(|| {
            Failure::new(format!(
                "'{}' is no public key: give 64 hexadecimal digits",
                public_key.escape_debug()
            ))
        })?;
        if from_hex(&seal.public_key).as_ref() != Some(&wanted) {
            return Err(Failure::new(format!(
                "is not signed by the key that was given, but by {}",
                seal.public_key.escape_debug()
            )));
        }
        if !is_signed(&wanted, body, &from_hex(&seal.signature).unwrap_or_default()) {
            return Err(Failure::new("was changed since it was signed"));
        }
        let content: Self = serde_json::from_slice(body).map_err(|_| no_content())?;
        content.fit()?;
        Ok(content)
    }

    /// The key that such bytes say they were signed by.
    pub(super) fn key_of(bytes: &[u8]) -> Option<String> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        serde_json::from_slice::<Seal>(line).ok().map(|seal| seal.public_key)
    }

    /// Even who signs does not say where files are written.
    fn fit(&self) -> Result<(), Failure> {
        if self.name.is_empty() || self.name.len() > MOST_LETTERS || !self.name.bytes().all(is_letter) {
            return Err(Failure::new(
                "its name has other letters than A–Z, a–z, 0–9, '.', '_' and '-', or too many",
            ));
        }
        match self.files.keys().find(|name| !is_known(name)) {
            Some(other) => Err(Failure::new(format!("{}: content has no such file", other.escape_debug()))),
            None => Ok(()),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) const fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }
}

/// What lies in a folder by its names; what is hidden is an editor's, not content.
fn entries(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, path);
        }
    }
    Ok(found)
}

/// The same of the folder of rules, where there is one.
fn rules(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let folder = folder.join(RULES);
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    Ok(entries(&folder)?.into_iter().map(|(name, path)| (format!("{RULES}/{name}"), path)).collect())
}

/// Whether somebody who wrote that would miss it.
fn looks_like_a_rule(name: &str, path: &Path) -> bool {
    let end = name.to_ascii_lowercase();
    name != RULES && (end.ends_with(".yml") || end.ends_with(".yaml") || name.contains('/') && path.is_dir())
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// The bytes of a file, no more than could be content.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(path, &error));
    read.map(|_| bytes)
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn is_known(name: &str) -> bool {
    let rule = |name: &str| {
        let ends = name.ends_with(".yml") || name.ends_with(".yaml");
        ends && !name.starts_with('.') && name.len() <= MOST_LETTERS && name.bytes().all(is_letter)
    };
    [SETTINGS, CONTEXT].contains(&name)
        || name.strip_prefix(RULES).and_then(|rest| rest.strip_prefix('/')).is_some_and(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(folder: &Path, name: &str) -> SigningKey {
        SigningKey::open(&folder.join(name)).unwrap().0
    }

    fn content(files: &[(&str, &str)]) -> Content {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Content { name: "base".into(), version: 7, files }
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (key(folder.path(), "own"), key(folder.path(), "other"));
        let made = content(&[("lists.toml", "[lists]\n"), ("rules/a.yml", "title: a\n")]);
        let bytes = made.signed(&own).unwrap();
        let public = hex(own.public_key());
        assert_eq!(Content::read(&bytes, &public).unwrap(), made);
        let why = |bytes: &[u8], key: &str| Content::read(bytes, key).unwrap_err().to_string();
        assert!(
            why(&bytes, &hex(other.public_key())).contains("is not signed by the key that was given, but by")
        );
        let end = bytes.len();
        for at in (0..end).step_by(7).chain([end - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Content::read(&changed, &public).is_err(), "a changed byte at {at} of {end} goes unseen");
        }
        assert!(why(&bytes, "12").contains("is no public key"));
        assert!(why(b"{}\n{}", &public).contains("is no content file"));
        let newer = String::from_utf8(bytes).unwrap().replacen(
            "\"tapwire_content\":1",
            "\"tapwire_content\":2,\"x\":1",
            1,
        );
        assert_eq!(why(newer.as_bytes(), &public), "a content file of form 2; this build reads form 1");
    }

    #[test]
    fn files_stand_where_they_may() {
        for good in ["content.toml", "lists.toml", "rules/a-b.yml", "rules/x.yaml"] {
            assert!(is_known(good), "{good}");
        }
        for bad in [
            "",
            "rules/",
            "rules/../a.yml",
            "rules/.a.yml",
            "/etc/a.yml",
            "rules/a/b.yml",
            "a.yml",
            "rules/a.toml",
        ] {
            assert!(!is_known(bad) && content(&[(bad, "")]).fit().is_err(), "{bad}");
        }
    }
}
