//! A file of events.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::reason;
use crate::{
    Batch, Context, Counts, DropReason, Notice, Pressure, Reader, Rotation, Sink, SinkError, SinkReport,
    Tally, Trouble,
};

/// Appends whole batches to a file that only its owner reads.
///
/// Behind a file the events are one result: the file is replaced. Behind a tap it is continued, and put aside as
/// `NAME.1` when it reaches its size (`NAME.1` becomes `NAME.2`, and so on): each step is one rename, no line is
/// split between two files. A failed write is taken back, so that the file always ends with a whole line.
pub struct FileSink {
    path: PathBuf,
    file: File,
    /// Bytes of whole batches; for a pipe or device, bytes written.
    length: u64,
    regular: bool,
    rotation: Option<Rotation>,
    pressure: Pressure,
    counts: Counts,
    trouble: Trouble,
    reader: Reader,
}

impl FileSink {
    pub(crate) fn open(destination: &str, context: &Context) -> Result<Box<dyn Sink>, SinkError> {
        let path = destination.strip_prefix("file://").unwrap_or(destination);
        Ok(Box::new(Self::at(Path::new(path), context.pressure, &context.config.rotate)?))
    }

    /// Opens `path`, creating it with mode 0600. `rotation` applies under [`Pressure::Shed`].
    ///
    /// # Errors
    /// The path, what is wrong, and what to try.
    pub fn at(path: &Path, pressure: Pressure, rotation: &Rotation) -> Result<Self, SinkError> {
        let named = |cause| SinkError::Open { path: path.display().to_string(), cause };
        check_path(path).map_err(named)?;
        let mut file = open_file(path).map_err(|e| named(reason(&e)))?;
        let regular = file.metadata().is_ok_and(|m| m.is_file());
        if regular && is_capture(&mut file) {
            return Err(named("is a capture or a gzip file: name another file for the events".into()));
        }
        let length = match (regular, pressure) {
            (false, _) => 0,
            (true, Pressure::Block) => replace(&mut file).map_err(|e| named(reason(&e)))?,
            (true, Pressure::Shed) => proceed(&mut file).map_err(|e| named(reason(&e)))?,
        };
        let rotates = regular && pressure == Pressure::Shed && rotation.bytes > 0;
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            regular,
            rotation: rotates.then(|| rotation.clone()),
            pressure,
            counts: Counts::default(),
            trouble: Trouble::default(),
            reader: Reader::Listening,
        })
    }

    fn rotate_before(&mut self, more: usize) -> io::Result<()> {
        let Some(rotation) = &self.rotation else { return Ok(()) };
        if self.length == 0 || self.length + more as u64 <= rotation.bytes {
            return Ok(());
        }
        self.file.sync_data()?;
        shift(&self.path, rotation.keep)?;
        self.file = open_file(&self.path)?;
        self.length = proceed(&mut self.file)?;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rotate_before(bytes.len())?;
        let written = self.file.write_all(bytes);
        match &written {
            Ok(()) => self.length += bytes.len() as u64,
            Err(_) if self.regular => self.take_back(),
            Err(_) => {}
        }
        written
    }

    /// A torn line would spoil what follows it. Where even this fails the write's own error is what is told.
    fn take_back(&mut self) {
        let _shortened = self.file.set_len(self.length);
        let _placed = self.file.seek(SeekFrom::Start(self.length));
    }

    fn delivered(&mut self, amount: Tally) {
        self.counts.delivered.add(amount);
        self.trouble.worked(&self.path.display().to_string());
    }

    fn failed(&mut self, cause: &io::Error, amount: Tally) -> Result<Reader, SinkError> {
        self.counts.drop_for(DropReason::WriteFailed, amount);
        let error = SinkError::Write { destination: self.path.display().to_string(), cause: reason(cause) };
        self.trouble.failed(error.clone(), amount);
        match self.pressure {
            Pressure::Block => Err(error),
            Pressure::Shed => Ok(Reader::Listening),
        }
    }
}

impl Sink for FileSink {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        self.counts.accepted.add(amount);
        if self.reader == Reader::Gone {
            self.counts.drop_for(DropReason::ReaderGone, amount);
            return Ok(Reader::Gone);
        }
        match self.append(batch.bytes()) {
            Ok(()) => self.delivered(amount),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.reader = Reader::Gone;
                self.counts.drop_for(DropReason::ReaderGone, amount);
            }
            Err(e) => return self.failed(&e, amount),
        }
        Ok(self.reader)
    }

    /// Batches go straight to the file: nothing is buffered.
    fn flush(&mut self) -> Result<Reader, SinkError> {
        Ok(self.reader)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.trouble.poll()
    }

    fn report(&self) -> SinkReport {
        let destination = self.path.display().to_string();
        let error = self.trouble.error().cloned();
        SinkReport {
            destination,
            counts: self.counts,
            error,
            lapse: self.trouble.lapse(),
            notices: Vec::new(),
        }
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        if self.regular
            && let Err(e) = self.file.sync_all()
        {
            // The reason is in the report.
            let _outcome = self.failed(&e, Tally::default());
        }
        self.report()
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).or_else(
        |e| {
            // A device or pipe may be writable only.
            match e.kind() {
                io::ErrorKind::PermissionDenied => OpenOptions::new().write(true).open(path),
                _ => Err(e),
            }
        },
    )
}

fn check_path(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        return Err("no name given: `-` is standard output".into());
    }
    if path.is_dir() {
        return Err("is a directory: name a file in it".into());
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    match parent {
        Some(p) if !p.is_dir() => {
            Err(format!("the directory {} does not exist: create it first", p.display()))
        }
        _ => Ok(()),
    }
}

fn replace(file: &mut File) -> io::Result<u64> {
    file.set_len(0)?;
    file.rewind()?;
    Ok(0)
}

/// Goes on at the end of what a former run wrote. A line that it left torn stays, but ends there.
fn proceed(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(0);
    }
    let mut last = [0u8];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(length);
    }
    file.write_all(b"\n")?;
    Ok(length + 1)
}

/// Whether evidence was given as an output by mistake: it is neither replaced nor continued. The magic numbers
/// are those of pcap in both byte orders with µs and ns, of pcapng, and of gzip around either.
fn is_capture(file: &mut File) -> bool {
    let mut magic = [0u8; 4];
    let read = file.rewind().and_then(|()| file.read_exact(&mut magic));
    let known = [0xa1b2_c3d4u32, 0xa1b2_3c4d, 0xd4c3_b2a1, 0x4d3c_b2a1, 0x0a0d_0d0a];
    read.is_ok() && (known.contains(&u32::from_be_bytes(magic)) || magic.starts_with(&[0x1f, 0x8b]))
}

/// `NAME.2` to `NAME.3`, `NAME.1` to `NAME.2`, `NAME` to `NAME.1`; what was `NAME.keep` is overwritten.
fn shift(path: &Path, keep: u32) -> io::Result<()> {
    // Somebody else may have moved it already, or a former attempt ended half way.
    if !path.exists() {
        return Ok(());
    }
    if keep == 0 {
        return std::fs::remove_file(path);
    }
    for n in (1..keep).rev() {
        let older = numbered(path, n);
        if older.exists() {
            std::fs::rename(older, numbered(path, n + 1))?;
        }
    }
    std::fs::rename(path, numbered(path, 1))
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn batch(text: &str) -> Batch {
        Batch::new(text.as_bytes().to_vec(), u32::try_from(text.lines().count()).unwrap())
    }

    fn open(path: &Path, pressure: Pressure, bytes: u64, keep: u32) -> Box<FileSink> {
        Box::new(FileSink::at(path, pressure, &Rotation { bytes, keep }).unwrap())
    }

    fn refusal(path: &Path) -> String {
        FileSink::at(path, Pressure::Block, &Rotation::default()).err().unwrap().to_string()
    }

    #[test]
    fn a_new_file_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.ndjson");
        let mut sink = open(&path, Pressure::Block, 0, 0);
        assert_eq!(sink.write(&batch("{}\n{}\n")), Ok(Reader::Listening));
        let report = sink.finish();
        assert_eq!(report.counts.delivered, Tally { events: 2, bytes: 6 });
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn replay_replaces_and_run_continues() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.ndjson");
        fs::write(&path, "{\"old\":1}\n{\"torn\"").unwrap();
        let _ = open(&path, Pressure::Shed, 0, 0).write(&batch("{\"new\":1}\n")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"old\":1}\n{\"torn\"\n{\"new\":1}\n");
        let _ = open(&path, Pressure::Block, 0, 0).write(&batch("{}\n")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    }

    #[test]
    fn rotation_keeps_every_kept_line_whole_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e");
        let mut sink = open(&path, Pressure::Shed, 25, 2);
        for n in 0..9 {
            let _ = sink.write(&batch(&format!("line{n:04}\n"))).unwrap();
        }
        let text = |p: PathBuf| fs::read_to_string(p).unwrap();
        assert_eq!(text(path.clone()), "line0008\n");
        assert_eq!(text(numbered(&path, 1)), "line0006\nline0007\n");
        assert_eq!(text(numbered(&path, 2)), "line0004\nline0005\n");
        assert!(!numbered(&path, 3).exists());
        assert_eq!(sink.finish().counts.delivered.events, 9);
    }

    #[test]
    fn a_file_that_somebody_moved_away_is_made_anew_at_the_next_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e");
        let mut sink = open(&path, Pressure::Shed, 10, 1);
        let _ = sink.write(&batch("line0000\n")).unwrap();
        fs::remove_file(&path).unwrap();
        let _ = sink.write(&batch("line0001\n")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line0001\n");
        assert_eq!(sink.finish().error, None);
    }

    #[test]
    fn operator_errors_name_the_path_and_what_to_try() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refusal(&dir.path().join("none/e")).contains("none does not exist: create it first"));
        assert!(refusal(dir.path()).contains("is a directory"));
        assert!(refusal(Path::new("")).contains("no name given"));
    }

    #[test]
    fn a_capture_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("case.pcap");
        for magic in [[0xd4, 0xc3, 0xb2, 0xa1], [0x0a, 0x0d, 0x0d, 0x0a], [0x1f, 0x8b, 8, 0]] {
            fs::write(&path, magic).unwrap();
            assert!(refusal(&path).contains("is a capture or a gzip file"));
            assert!(FileSink::at(&path, Pressure::Shed, &Rotation::default()).is_err());
            assert_eq!(fs::read(&path).unwrap(), magic);
        }
    }

    #[test]
    fn a_full_disk_is_an_error_behind_a_file_and_counted_behind_a_tap() {
        let full = Path::new("/dev/full");
        let error = open(full, Pressure::Block, 0, 0).write(&batch("{}\n")).unwrap_err();
        assert_eq!(error.to_string(), "writing to /dev/full: the disk is full");
        let mut tap = open(full, Pressure::Shed, 10, 1);
        for _ in 0..3 {
            assert_eq!(tap.write(&batch("{}\n")), Ok(Reader::Listening));
        }
        assert_eq!(tap.poll_notice(), Some(Notice::Failing(error)));
        assert_eq!(tap.poll_notice(), None);
        let counts = tap.finish().counts;
        assert_eq!(counts.dropped(DropReason::WriteFailed).events, 3);
        assert_eq!(counts.queued(), Tally::default());
    }

    #[test]
    fn a_write_that_failed_half_way_leaves_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = open(&dir.path().join("e"), Pressure::Shed, 0, 0);
        let _ = sink.write(&batch("{\"a\":1}\n")).unwrap();
        sink.file.write_all(b"{\"to").unwrap();
        sink.take_back();
        let _ = sink.write(&batch("{\"b\":2}\n")).unwrap();
        assert_eq!(fs::read_to_string(&sink.path).unwrap(), "{\"a\":1}\n{\"b\":2}\n");
    }
}
