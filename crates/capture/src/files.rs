//! Which files a replay reads: paths as given, directories as listed.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use crate::SourceError;
use crate::reader::CaptureReader;

/// Every capture file that `paths` name. Directories are listed, not descended into, in natural order.
pub(crate) fn list(paths: &[PathBuf]) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { files.extend(captures_in(path)?) } else { files.push(path.clone()) }
    }
    Ok(files)
}

/// The capture files of a directory.
fn captures_in(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |error| SourceError::from_io(directory, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && !is_hidden(&path) && is_capture(&path) {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(SourceError::EmptyDirectory { path: directory.to_owned() });
    }
    found.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(found)
}

/// By its name, or by its first bytes. What is named like one and is none is reported, not passed over in silence;
/// only an empty file is, since a rotating writer has just made it.
fn is_capture(path: &Path) -> bool {
    if fs::metadata(path).is_ok_and(|meta| meta.len() == 0) {
        return false;
    }
    named_like_one(path) || CaptureReader::with_read_ahead(path, tapwire_wire::SourceId(0), 4096).is_ok()
}

pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// `.pcap`, `.pcapng`, `.cap`, with a number behind as tcpdump's rotation puts it, and `.gz` or `.zst`.
pub(crate) fn named_like_one(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    [".pcap", ".pcapng", ".cap"].iter().any(|end| name.ends_with(end))
}

/// Compares so that numbers inside names count: `a9` before `a10`.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let ((x, rest_x), (y, rest_y)) = (chunk(left), chunk(right));
        if x.is_empty() || y.is_empty() {
            return x.len().cmp(&y.len()).then_with(|| a.cmp(b));
        }
        let order = match (significant(x), significant(y)) {
            (Some(m), Some(n)) => m.len().cmp(&n.len()).then_with(|| m.cmp(n)),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest_x, rest_y);
    }
}

/// The leading run of digits, or of anything else.
fn chunk(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// A number without its leading zeros.
fn significant(chunk: &str) -> Option<&str> {
    chunk.starts_with(|c: char| c.is_ascii_digit()).then(|| chunk.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::{named_like_one, natural};
    use std::path::Path;

    #[test]
    fn numbers_in_names_count() {
        let mut names = ["b", "a10", "a9", "a09", "a", "a1x2", "a1x10", "a9b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a1x2", "a1x10", "a09", "a9", "a9b", "a10", "b"]);
    }

    #[test]
    fn rotated_and_packed_names_look_like_captures() {
        for name in ["x.pcap", "x.PCAPNG", "x.cap", "x.pcap12", "x.pcapng.gz", "x.pcap0.gz", "x.cap.zst"] {
            assert!(named_like_one(Path::new(name)), "{name}");
        }
        for name in ["x.txt", "pcap", "x.gz", "x.zst", "x.pcap.md"] {
            assert!(!named_like_one(Path::new(name)), "{name}");
        }
    }
}
