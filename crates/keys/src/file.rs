//! A file that grows, is cut off, or is replaced; and a FIFO, which is a file that is read until nobody writes.

use crate::error::reason;
use crate::lines::{Batch, Cut, Lines, PIECE};
use crate::{Address, KeyError};
use nix::sys::stat::Mode;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Reads a key log as it is written.
pub(crate) struct Tail {
    path: PathBuf,
    file: File,
    at: u64,
    lines: Lines,
    buffer: Zeroizing<Vec<u8>>,
}

impl Tail {
    /// From its beginning, or its last `most` bytes.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self, KeyError> {
        let failed = |error: io::Error| KeyError::open(&path.display(), hint(&error));
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(KeyError::open(&path.display(), "is no file; a named pipe is given as fifo:PATH"));
        }
        let mut tail = Self::new(path.to_owned(), file);
        if metadata.len() > most {
            tail.at = tail.file.seek(SeekFrom::Start(metadata.len() - most)).map_err(failed)?;
            // The line that is cut there.
            tail.lines.cut(&[b'x'; 2 << 10]);
        }
        Ok(tail)
    }

    fn new(path: PathBuf, file: File) -> Self {
        Self { path, file, at: 0, lines: Lines::default(), buffer: Zeroizing::new(vec![0; PIECE]) }
    }

    /// Where it is, for people.
    pub(crate) fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// The next lines; nothing where there are none now.
    pub(crate) fn read(&mut self) -> io::Result<Option<(Batch, Cut)>> {
        let read = match self.file.read(&mut self.buffer) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => 0,
            other => other?,
        };
        self.at += read as u64;
        Ok((read > 0).then(|| self.lines.cut(self.buffer.get(..read).unwrap_or_default())))
    }

    /// Everything that is there now.
    pub(crate) fn read_all(&mut self, into: &mut Batch) -> io::Result<Cut> {
        let mut all = Cut::default();
        while let Some((batch, cut)) = self.read()? {
            into.extend_from_slice(&batch);
            all.add(cut);
        }
        Ok(all)
    }

    /// The last line, where it lacks its end.
    pub(crate) fn end(&mut self) -> (Batch, Cut) {
        self.lines.end()
    }

    /// Goes on where the name leads now: from the beginning of a file that was cut off, or of the one that took its place.
    pub(crate) fn follow_name(&mut self) -> io::Result<()> {
        let Ok(named) = std::fs::metadata(&self.path) else { return Ok(()) };
        let held = self.file.metadata()?;
        let pipe = held.file_type().is_fifo();
        if identity(&named) != identity(&held) {
            self.file = if pipe { endless(&self.path)? } else { regular(&self.path)? };
        } else if pipe {
            // It has no length, and nothing in it is read twice.
            return Ok(());
        } else if held.len() < self.at {
            self.file.seek(SeekFrom::Start(0))?;
        } else {
            return Ok(());
        }
        self.at = 0;
        self.lines = Lines::default();
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no such file; start the program that writes it first, or make it: touch FILE".into()
        }
        _ => reason(error),
    }
}

/// A FIFO that stays open whether or not anybody writes; made, for its owner only, where there is none.
pub(crate) fn open_fifo(path: &Path) -> Result<Tail, KeyError> {
    let file = fifo(path, &endless_options())?;
    Ok(Tail::new(path.to_owned(), file))
}

/// What took a FIFO's place; anything but a FIFO is not read in its stead.
fn endless(path: &Path) -> io::Result<File> {
    let file = endless_options().open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no named pipe any more"))
    }
}

/// What took a file's place. A FIFO there must not make opening it wait for a writer.
fn regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file any more")) }
}

/// Opened for writing as well, there is always a writer, and so never an end; and neither opening nor reading waits.
fn endless_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK);
    options
}

/// A FIFO that ends when its last writer closes it: waits for the first.
pub(crate) fn open_ending_fifo(path: &Path) -> Result<Tail, KeyError> {
    Ok(Tail::new(path.to_owned(), fifo(path, OpenOptions::new().read(true))?))
}

fn fifo(path: &Path, options: &OpenOptions) -> Result<File, KeyError> {
    let failed = |cause: String| KeyError::open(&Address::Fifo(path.to_owned()), cause);
    match nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(error) => return Err(failed(reason(&error.into()))),
    }
    let file = options.open(path).map_err(|error| failed(reason(&error)))?;
    let kind = file.metadata().map_err(|error| failed(reason(&error)))?.file_type();
    if kind.is_fifo() {
        Ok(file)
    } else {
        Err(failed("is no named pipe; a file is given without fifo:".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn text(tail: &mut Tail) -> String {
        let mut all = Zeroizing::new(Vec::new());
        tail.read_all(&mut all).unwrap();
        String::from_utf8(all.to_vec()).unwrap()
    }

    #[test]
    fn a_file_is_followed_as_it_grows_is_cut_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut tail = Tail::open(&path, 100).unwrap();
        assert_eq!(text(&mut tail), "one\n");
        file.write_all(b"o\n").unwrap();
        assert_eq!(text(&mut tail), "two\n");

        std::fs::write(&path, "3\n").unwrap();
        tail.follow_name().unwrap();
        assert_eq!(text(&mut tail), "3\n");

        std::fs::rename(&path, folder.path().join("keys.1")).unwrap();
        tail.follow_name().unwrap();
        std::fs::write(&path, "four\n").unwrap();
        tail.follow_name().unwrap();
        assert_eq!(text(&mut tail), "four\n");
        tail.follow_name().unwrap();
        assert_eq!(text(&mut tail), "");

        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert!(tail.follow_name().unwrap_err().to_string().contains("no file"));
    }

    #[test]
    fn of_a_long_file_the_last_whole_lines_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.log");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(text(&mut Tail::open(&path, 8).unwrap()), "three\n");
        assert_eq!(text(&mut Tail::open(&path, 14).unwrap()), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_fifo_is_made_and_has_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut tail = open_fifo(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        for turn in ["one\n", "two\n"] {
            OpenOptions::new().write(true).open(&path).unwrap().write_all(turn.as_bytes()).unwrap();
            assert_eq!(text(&mut tail), turn);
        }
    }

    #[test]
    fn a_fifo_that_was_read_is_followed_and_one_in_its_place_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let write =
            |text: &[u8]| OpenOptions::new().write(true).open(&path).unwrap().write_all(text).unwrap();
        let mut tail = open_fifo(&path).unwrap();
        write(b"one\n");
        assert_eq!(text(&mut tail), "one\n");
        tail.follow_name().unwrap();
        write(b"two\n");
        tail.follow_name().unwrap();
        assert_eq!(text(&mut tail), "two\n");

        std::fs::remove_file(&path).unwrap();
        tail.follow_name().unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        tail.follow_name().unwrap();
        write(b"three\n");
        assert_eq!(text(&mut tail), "three\n");

        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(tail.follow_name().unwrap_err().to_string().contains("named pipe"));
    }

    #[test]
    fn the_wrong_kind_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(open_fifo(&file).err().unwrap().to_string().contains("without fifo:"));
        assert!(Tail::open(folder.path(), 1).err().unwrap().to_string().contains("fifo:PATH"));
        assert!(Tail::open(&folder.path().join("none"), 1).err().unwrap().to_string().contains("touch"));
    }
}
