//! `state/`: pieces of bytes that pure crates give and take back.
//!
//! A file is a header of 20 bytes and the payload: `twstate1`, the payload's length (u64, little endian), its
//! CRC32C (u32, little endian). The last letter of the magic is the version of this frame. The payload is pieces, each
//! behind its length (u32, little endian); what they mean, and their own version, is the business of the crate that gave them.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crc32c::Crc32c;
use crate::files;
use crate::{Reader, StoreError};

pub(crate) const ROOM: &str = "state";

const MAGIC: &[u8; 8] = b"twstate1";
const HEADER: usize = 20;

/// A longer piece is none that was ever written, and is not read into memory.
const MAX_PIECE: usize = 64 << 20;

/// Damaged checkpoints of one name that are kept; another one takes the place of the last.
const MAX_ASIDE: usize = 9;

/// What became of a checkpoint.
#[derive(Debug)]
pub enum Loaded {
    /// None was saved yet.
    Absent,
    /// As it was saved.
    Whole(Pieces),
    /// There is one, but not as it was saved: start without it, and say so.
    Damaged {
        /// Where the file is now.
        path: PathBuf,
        /// One phrase.
        why: &'static str,
    },
}

/// The pieces of a checkpoint whose checksum was right, one after the other.
#[derive(Debug)]
pub struct Pieces {
    file: BufReader<File>,
    path: PathBuf,
    left: u64,
    piece: Vec<u8>,
}

/// Writes checkpoints in the directory of a [`Store`](crate::Store), which nobody else writes as long as this is there.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    reader: Reader,
    // Closing the last one releases the directory.
    _lock: Arc<File>,
}

/// A checkpoint that is being written. Until it is finished the one before stays, and where it is dropped, too.
#[derive(Debug)]
pub struct Checkpoint {
    file: BufWriter<File>,
    path: PathBuf,
    unfinished: PathBuf,
    length: u64,
    crc: Crc32c,
}

impl Checkpoints {
    pub(crate) const fn new(reader: Reader, lock: Arc<File>) -> Self {
        Self { reader, _lock: lock }
    }

    /// Begins to replace the checkpoint `name` (a–z, 0–9, `-`). After a kill at any moment the old or the new one is there.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn begin(&self, name: &str) -> Result<Checkpoint, StoreError> {
        let path = path(self.reader.directory(), name)?;
        let unfinished = files::beside(&path, files::UNFINISHED);
        let file = files::create_private(&unfinished).map_err(|e| StoreError::io("write", &path, &e))?;
        let file = BufWriter::with_capacity(1 << 16, file);
        let mut checkpoint = Checkpoint { file, path, unfinished, length: 0, crc: Crc32c::NEW };
        // Its place is taken; no file that begins so is whole.
        checkpoint.write(&[0; HEADER])?;
        Ok(checkpoint)
    }

    /// The checkpoint `name`. A damaged one is set aside, so that the next does not destroy it.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn load(&self, name: &str) -> Result<Loaded, StoreError> {
        match self.reader.load(name)? {
            Loaded::Damaged { why, .. } => Ok(Loaded::Damaged { path: self.set_aside(name)?, why }),
            whole => Ok(whole),
        }
    }

    /// Sets the checkpoint `name` aside as `NAME.damaged-1` or the next number that is free; where it is now.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn set_aside(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = path(self.reader.directory(), name)?;
        let mut places = (1..=MAX_ASIDE).map(|number| files::beside(&path, &format!(".damaged-{number}")));
        let last = files::beside(&path, &format!(".damaged-{MAX_ASIDE}"));
        let aside = places.find(|place| !place.exists()).unwrap_or(last);
        fs::rename(&path, &aside).map_err(|e| StoreError::io("set aside", &path, &e))?;
        Ok(aside)
    }
}

impl Checkpoint {
    /// Adds a piece.
    ///
    /// # Errors
    /// The path and the system's reason; the checkpoint before is still there.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        for part in [&length, bytes] {
            self.crc.add(part);
            self.length += part.len() as u64;
            self.write(part)?;
        }
        Ok(())
    }

    /// Puts it in the place of the one before; its bytes.
    ///
    /// # Errors
    /// The path and the system's reason; the checkpoint before is still there.
    pub fn finish(mut self) -> Result<u64, StoreError> {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&self.length.to_le_bytes());
        header.extend_from_slice(&self.crc.sum().to_le_bytes());
        let done = self.file.seek(SeekFrom::Start(0)).map(|_| ());
        let done = done.and_then(|()| self.file.write_all(&header)).and_then(|()| self.file.flush());
        let done = done.and_then(|()| self.file.get_ref().sync_all());
        let done = done.and_then(|()| files::put_in_place(&self.unfinished, &self.path));
        done.map_err(|e| StoreError::io("write", &self.path, &e))?;
        Ok(self.length + HEADER as u64)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|e| StoreError::io("write", &self.path, &e))
    }
}

impl Pieces {
    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// The path and the system's reason; a length that cannot be is one, too.
    pub fn next_piece(&mut self) -> Result<Option<&[u8]>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let read = self.read();
        read.map_err(|e| StoreError::io("read", &self.path, &e))?;
        Ok(Some(&self.piece))
    }

    fn read(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        let left = self.left.checked_sub(4).and_then(|left| left.checked_sub(length as u64));
        let fits = left.filter(|_| length <= MAX_PIECE);
        self.left = fits.ok_or_else(|| io::Error::other("its pieces are not as long as they say"))?;
        self.piece.clear();
        self.piece.resize(length, 0);
        self.file.read_exact(&mut self.piece)
    }
}

pub(crate) fn load(directory: &Path, name: &str) -> Result<Loaded, StoreError> {
    let path = path(directory, name)?;
    let failed = |e: &io::Error| StoreError::io("read", &path, e);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
        Err(e) => return Err(failed(&e)),
    };
    if let Err(why) = check(&mut file).map_err(|e| failed(&e))? {
        return Ok(Loaded::Damaged { path, why });
    }
    let length = file.metadata().map_err(|e| failed(&e))?.len();
    file.seek(SeekFrom::Start(HEADER as u64)).map_err(|e| failed(&e))?;
    let left = length.saturating_sub(HEADER as u64);
    Ok(Loaded::Whole(Pieces { file: BufReader::with_capacity(1 << 16, file), path, left, piece: Vec::new() }))
}

/// Whether a file is as it was written; it is read once for that, and not kept.
fn check(file: &mut File) -> io::Result<Result<(), &'static str>> {
    let actual = file.metadata()?.len();
    let mut header = [0; HEADER];
    if actual < HEADER as u64 {
        return Ok(Err("shorter than its header"));
    }
    file.read_exact(&mut header)?;
    let (magic, rest) = header.split_at(8);
    let (length, crc) = rest.split_at(8);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    if magic != MAGIC {
        return Ok(Err("no checkpoint of this version"));
    }
    if number(length) != actual - HEADER as u64 {
        return Ok(Err("not as long as its header says"));
    }
    let (mut sum, mut bytes) = (Crc32c::NEW, vec![0; 1 << 16]);
    loop {
        match file.read(&mut bytes)? {
            0 => break,
            read => sum.add(bytes.get(..read).unwrap_or_default()),
        }
    }
    let same = number(crc) == u64::from(sum.sum());
    Ok(same.then_some(()).ok_or("its checksum does not match"))
}

fn path(directory: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let named = plain && !name.is_empty();
    named.then(|| directory.join(ROOM).join(name)).ok_or_else(|| StoreError::Name(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn store() -> (tempfile::TempDir, Checkpoints) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store.checkpoints())
    }

    fn save(checkpoints: &Checkpoints, name: &str, pieces: &[&[u8]]) {
        let mut checkpoint = checkpoints.begin(name).unwrap();
        pieces.iter().for_each(|piece| checkpoint.piece(piece).unwrap());
        checkpoint.finish().unwrap();
    }

    fn pieces(loaded: Loaded) -> Vec<Vec<u8>> {
        let Loaded::Whole(mut pieces) = loaded else { panic!("{loaded:?}") };
        let mut all = Vec::new();
        while let Some(piece) = pieces.next_piece().unwrap() {
            all.push(piece.to_vec());
        }
        all
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (dir, checkpoints) = store();
        assert!(matches!(checkpoints.load("inventory").unwrap(), Loaded::Absent));
        for saved in [&[][..], &[b"one".as_slice()], &[b"", &[7; 100_000], b"three"]] {
            save(&checkpoints, "inventory", saved);
            assert_eq!(pieces(checkpoints.load("inventory").unwrap()), saved);
        }
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(pieces(reader.load("inventory").unwrap()).len(), 3);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed() {
        let (dir, checkpoints) = store();
        save(&checkpoints, "s", &[b"pay", b"load"]);
        let path = dir.path().join("state/s");
        let whole = fs::read(&path).unwrap();
        let damaged = || matches!(checkpoints.reader.load("s").unwrap(), Loaded::Damaged { .. });
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(damaged(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            assert!(damaged(), "flipped at {at}");
        }
    }

    #[test]
    fn pieces_that_do_not_fit_the_file_are_an_error() {
        let (dir, checkpoints) = store();
        save(&checkpoints, "s", &[b"payload"]);
        let path = dir.path().join("state/s");
        for length in [0_u32, 8, u32::MAX] {
            let mut file = fs::read(&path).unwrap();
            file[20..24].copy_from_slice(&length.to_le_bytes());
            let mut crc = Crc32c::NEW;
            crc.add(&file[20..]);
            file[16..20].copy_from_slice(&crc.sum().to_le_bytes());
            fs::write(&path, &file).unwrap();
            let Loaded::Whole(mut pieces) = checkpoints.load("s").unwrap() else {
                panic!("its sum is right")
            };
            let first = pieces.next_piece().map(|piece| piece.map(<[u8]>::len));
            assert!(first.is_err() || pieces.next_piece().is_err(), "{length}");
        }
    }

    #[test]
    fn damaged_checkpoints_are_set_aside_and_the_next_starts_anew() {
        let (dir, checkpoints) = store();
        for number in [1, 2, 3, 4, 5, 6, 7, 8, 9, 9] {
            fs::write(dir.path().join("state/s"), b"twstate1 nonsense, too short").unwrap();
            let Loaded::Damaged { path, why } = checkpoints.load("s").unwrap() else {
                panic!("it is damaged")
            };
            assert_eq!(path, dir.path().join(format!("state/s.damaged-{number}")));
            assert_eq!(why, "not as long as its header says");
            assert!(path.exists() && matches!(checkpoints.load("s").unwrap(), Loaded::Absent));
        }
        save(&checkpoints, "s", &[b"new"]);
        assert_eq!(pieces(checkpoints.load("s").unwrap()), [b"new"]);
    }

    #[test]
    fn what_is_not_finished_leaves_the_one_before() {
        let (_dir, checkpoints) = store();
        save(&checkpoints, "s", &[b"old"]);
        let mut begun = checkpoints.begin("s").unwrap();
        begun.piece(b"half of the new").unwrap();
        drop(begun);
        assert_eq!(pieces(checkpoints.load("s").unwrap()), [b"old"]);
        save(&checkpoints, "s", &[b"newer"]);
        assert_eq!(pieces(checkpoints.load("s").unwrap()), [b"newer"]);
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        let (_dir, checkpoints) = store();
        for name in ["", "../version", "a/b", "A", "a.new"] {
            assert!(matches!(checkpoints.begin(name), Err(StoreError::Name(_))), "{name}");
        }
    }
}
