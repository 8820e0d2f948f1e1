//! Rule files on disk: each that is named, and all below folders that are named.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use tapwire_rules::{Fault, Loaded, RuleFile, load as load_texts};

/// A larger file holds no rule that a person wrote.
const LARGEST: u64 = 1 << 20;
/// Files of all folders, and how deep these may be nested.
const MOST_FILES: usize = 50_000;
const DEEPEST: usize = 16;
/// What tests of rules are called.
pub(super) const TESTS: &str = ".test.yml";

/// Reads and loads rules. What cannot be read is a fault like one in a text.
pub(super) fn load(paths: &[PathBuf]) -> Result<Loaded, Failure> {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in named(paths)? {
        let name = path.display().to_string();
        match text_of(&path) {
            Ok(text) => files.push(RuleFile { name, text }),
            Err(what) => faults.push(Fault { file: name, line: 0, what }),
        }
    }
    let mut loaded = load_texts(&files);
    loaded.faults.splice(0..0, faults);
    Ok(loaded)
}

/// The rule files that paths stand for, those of a folder by name.
pub(super) fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let failed = |error| Failure::new(format!("--rules {}: {error}", path.display()));
        match std::fs::metadata(path).map_err(failed)?.is_dir() {
            true => below(path, DEEPEST, &mut found).map_err(failed)?,
            false => found.push(path.clone()),
        }
    }
    if found.len() > MOST_FILES {
        return Err(Failure::new(format!("--rules: more than {MOST_FILES} files; name fewer folders")));
    }
    Ok(found)
}

/// Links to folders are not followed, so that this ends.
fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden && depth > 0 {
            below(&path, depth - 1, found)?;
        } else if !kind.is_dir() && is_rules(&path) && found.len() <= MOST_FILES {
            found.push(path);
        }
    }
    Ok(())
}

fn is_rules(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    (name.ends_with(".yml") || name.ends_with(".yaml")) && !name.ends_with(TESTS)
}

/// A file's text, or why there is none.
pub(super) fn text_of(path: &Path) -> Result<String, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > LARGEST {
        return Err("this is no file of at most 1 MiB".into());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "this is no text in UTF-8".into())
}
