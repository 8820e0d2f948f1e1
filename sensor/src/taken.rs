//! Which captures a data directory has taken in: what is learned of one a second time counts twice in every figure.

use crate::failure::Failure;
use crate::paper::plain;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tapwire_store::write_private;

/// In the data directory, one capture a line, the oldest first.
const FILE: &str = "captures.jsonl";
/// Captures that are remembered; the oldest are forgotten.
const MOST: usize = 10_000;
/// Bytes of a file's beginning, and of its end, that are looked at. The first packet and its time are among them.
const EDGE: u64 = 64 << 10;

/// A capture that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Capture {
    /// Its name then, without folders.
    file: String,
    bytes: u64,
    /// SHA-256 of its first and last 64 KiB.
    edges: String,
    /// When that began.
    at: String,
    /// Whether all of it was; not where the run was killed or stopped, or stopped by itself after so many exchanges.
    whole: bool,
}

impl Capture {
    fn is(&self, other: &Self) -> bool {
        (self.bytes, &self.edges) == (other.bytes, &other.edges)
    }
}

/// Those of a data directory, and those of this run.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    path: PathBuf,
    known: Vec<Capture>,
    own: Vec<Capture>,
}

impl Taken {
    /// Of a directory that this process writes. Refused where it has one of `files`, unless it is to have it `again`.
    pub(crate) fn open(data: &Path, files: &[PathBuf], again: bool) -> Result<Self, Failure> {
        let path = data.join(FILE);
        let mut taken = Self { known: read(&path)?, path, own: Vec::new() };
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        for file in files {
            let Some(own) = identity(file, &at)? else { continue };
            if let (Some(known), false) = (taken.known.iter().rfind(|known| known.is(&own)), again) {
                return Err(taken.refusal(file, known));
            }
            taken.own.push(own);
        }
        Ok(taken)
    }

    /// Notes that this run's are about to be taken in.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        self.write(&self.own)
    }

    /// Notes that all of them were taken in; or `nothing` of any.
    pub(crate) fn end(&mut self, nothing: bool) -> Result<(), Failure> {
        self.own.iter_mut().for_each(|own| own.whole = true);
        self.write(if nothing { &[] } else { &self.own })
    }

    fn refusal(&self, path: &Path, known: &Capture) -> Failure {
        let data = self.path.parent().unwrap_or(&self.path).display();
        let (path, at) = (plain(&path.display().to_string()), plain(&known.at));
        let named = format!("{path}: --data {data}");
        Failure::new(match known.whole {
            true => format!(
                "{named} has it since {at} (as {}), and would count all of it twice: read what is kept there, leave --data out, \
                 give a new directory, or --again to count it again",
                plain(&known.file)
            ),
            false => format!(
                "{named} has a part of it: the run of {at} was killed or stopped before its end. Replay into a new directory, or \
                 give --again, by which that part counts twice"
            ),
        })
    }

    fn write(&self, own: &[Capture]) -> Result<(), Failure> {
        if self.own.is_empty() {
            return Ok(());
        }
        let is_other = |known: &&Capture| !own.iter().any(|own| own.is(known));
        let all: Vec<&Capture> = self.known.iter().filter(is_other).chain(own).collect();
        let mut text = String::new();
        for capture in all.get(all.len().saturating_sub(MOST)..).unwrap_or_default() {
            text.push_str(&serde_json::to_string(capture).map_err(|error| Failure::new(error.to_string()))?);
            text.push('\n');
        }
        Ok(write_private(&self.path, text.as_bytes())?)
    }
}

fn read(path: &Path) -> Result<Vec<Capture>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?,
    };
    text.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|_| {
        Failure::new(format!(
            "{}: is damaged: it says which captures were taken in, so that none counts twice; remove it where you know that \
             yourself",
            path.display()
        ))
    })
}

/// By what a capture is known again, whatever its name; `None` of what is read once, as pipes are.
fn identity(path: &Path, at: &str) -> Result<Option<Capture>, Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", path.display()));
    if path.as_os_str() == "-" || !path.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut hash = Sha256::new();
    for (from, to) in [(0, bytes.min(EDGE)), (bytes.saturating_sub(EDGE), bytes)] {
        let mut edge = vec![0; usize::try_from(to - from).unwrap_or_default()];
        file.read_exact_at(&mut edge, from).map_err(failed)?;
        hash.update(&edge);
    }
    Ok(Some(Capture {
        file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        bytes,
        edges: crate::case::hex(&hash.finalize()),
        at: at.to_owned(),
        whole: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_in_is_known_again_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let (data, capture) = (folder.path().join("data"), folder.path().join("a.pcap"));
        std::fs::create_dir(&data).unwrap();
        std::fs::write(&capture, "a capture").unwrap();
        let files = [capture];
        let mut taken = Taken::open(&data, &files, false).unwrap();
        taken.begin().unwrap();
        assert!(Taken::open(&data, &files, false).unwrap_err().to_string().contains("has a part of it"));
        taken.end(false).unwrap();
        assert!(Taken::open(&data, &files, false).unwrap_err().to_string().contains("has it since"));
        let own = taken.own.first().unwrap().clone();
        taken.known =
            (0..2 * MOST as u64).map(|bytes| Capture { bytes: 1_000 + bytes, ..own.clone() }).collect();
        taken.begin().unwrap();
        let known = Taken::open(&data, &files, true).unwrap().known;
        assert_eq!((known.len(), known.last()), (MOST, Some(&own)));
        std::fs::write(data.join(FILE), "{").unwrap();
        assert!(Taken::open(&data, &files, true).unwrap_err().to_string().contains("is damaged"));
    }
}
