//! `events/`: rendered events, one file a UTC day, compressed.
//!
//! Each append is one compressed member of whole lines. After a kill the file ends with a part of a member: reading
//! gives everything before it, and the next append cuts it off. Damage in the middle costs the members it touches.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::member::Encoder;
use crate::uids::{self, Beginning};
use crate::{Day, StoreError, files, member};

pub(crate) const ROOM: &str = "events";

/// How a day's file is named, by its compression. A day has one file: one that was begun by a former version goes on as
/// it began.
const SUFFIX: &str = ".ndjson.zst";
const FORMER_SUFFIX: &str = ".ndjson.gz";
/// Lines of one member, in bytes: compresses well, and is little to lose or to hold.
const CHUNK: usize = 1 << 20;
/// Read at once in search of a member behind damage.
const WINDOW: usize = 64 << 10;

/// The events of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayFile {
    /// UTC.
    pub day: Day,
    /// Compressed.
    pub bytes: u64,
}

/// What a kill had left of a last append, and is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Whose file.
    pub day: Day,
    /// Compressed bytes.
    pub cut_bytes: u64,
}

/// A part of a day's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Whole lines.
    Lines(Vec<u8>),
    /// Nothing can be read here.
    Unreadable {
        /// Offset in the file.
        at: u64,
        /// Compressed.
        bytes: u64,
        /// Nothing follows: an append was cut by a kill, or is under way.
        at_end: bool,
    },
}

/// Appends to one day.
#[derive(Debug)]
pub(crate) struct DayWriter {
    day: Day,
    path: PathBuf,
    file: File,
    encoder: Encoder,
    /// The members of an append.
    members: Vec<u8>,
    /// Of whole members.
    length: u64,
}

impl DayWriter {
    pub(crate) fn open(directory: &Path, day: Day) -> Result<(Self, Option<Recovered>), StoreError> {
        let path = path(directory, day);
        let failed = |e: io::Error| StoreError::io("open", &path, &e);
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        let whole = file.metadata().map_err(failed)?.len();
        let length = end_of_members(&file, whole).map_err(failed)?;
        let recovered = (length < whole).then(|| Recovered { day, cut_bytes: whole - length });
        if recovered.is_some() {
            file.set_len(length).map_err(failed)?;
        }
        if whole == 0 {
            files::sync_parent(&path).map_err(failed)?;
        }
        let former = path.to_string_lossy().ends_with(FORMER_SUFFIX);
        let encoder = if former { Encoder::Gzip } else { Encoder::zstd().map_err(failed)? };
        Ok((Self { day, path, file, encoder, members: Vec::new(), length }, recovered))
    }

    pub(crate) fn day(&self) -> Day {
        self.day
    }

    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), StoreError> {
        self.members.clear();
        let result = chunks(lines)
            .try_for_each(|chunk| self.encoder.encode(chunk, &mut self.members))
            .and_then(|()| io::Write::write_all(&mut self.file, &self.members));
        if let Err(e) = result {
            // Should this fail too, the next open cuts what is torn; the write's own error is what is told.
            let _shortened = self.file.set_len(self.length);
            return Err(StoreError::io("append to", &self.path, &e));
        }
        self.length += self.members.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| StoreError::io("sync", &self.path, &e))
    }
}

/// Reads one day, as long as it was when opened.
#[derive(Debug)]
pub struct DayReader {
    path: PathBuf,
    walk: Walk<File>,
    /// Only members that can name it are read.
    wanted: Option<Beginning>,
}

impl DayReader {
    pub(crate) fn open(directory: &Path, day: Day) -> Result<Self, StoreError> {
        let path = path(directory, day);
        let opened = File::open(&path).and_then(|f| f.metadata().map(|m| (f, m.len())));
        let (file, length) = opened.map_err(|e| StoreError::io("read", &path, &e))?;
        Ok(Self { path, walk: Walk { file, length, at: 0 }, wanted: None })
    }

    pub(crate) fn naming(self, uid: &str) -> Self {
        Self { wanted: Beginning::of(uid.as_bytes()), ..self }
    }

    /// The day's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a member can name what is looked for, as it says itself.
    fn is_wanted(&self, at: u64, length: usize) -> io::Result<bool> {
        let Some(wanted) = self.wanted else { return Ok(true) };
        let mut header = [0; uids::HEADER];
        let room = length.saturating_sub(member::HEADER + header.len());
        if room == 0 {
            return Ok(true);
        }
        let at = at + member::HEADER as u64;
        self.walk.file.read_exact_at(&mut header, at)?;
        let Some(length) = uids::length(&header).filter(|length| *length <= room) else { return Ok(true) };
        let mut keys = vec![0; length];
        self.walk.file.read_exact_at(&mut keys, at + header.len() as u64)?;
        Ok(uids::may_name(&header, &keys, wanted))
    }

    fn poll(&mut self) -> io::Result<Option<Piece>> {
        let (at, length) = loop {
            match self.walk.next_span()? {
                Some(Span::Member { at, length }) if !self.is_wanted(at, length)? => {}
                Some(Span::Member { at, length }) => break (at, length),
                other => return Ok(other.and_then(Span::unreadable)),
            }
        };
        let mut bytes = vec![0; length];
        self.walk.file.read_exact_at(&mut bytes, at)?;
        if let Some(lines) = member::decode(&bytes) {
            return Ok(Some(Piece::Lines(lines)));
        }
        // Perhaps it is the length that is damaged: look for the next member from here.
        self.walk.damage_from(at).map(Span::unreadable)
    }
}

impl Iterator for DayReader {
    type Item = Result<Piece, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.poll().map_err(|e| StoreError::io("read", &self.path, &e));
        if piece.is_err() {
            // An error would come again forever.
            self.walk.at = self.walk.length;
        }
        piece.transpose()
    }
}

pub(crate) fn days(directory: &Path) -> Result<Vec<DayFile>, StoreError> {
    let room = directory.join(ROOM);
    let failed = |e: io::Error| StoreError::io("read", &room, &e);
    let mut days = Vec::new();
    for entry in fs::read_dir(&room).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let stem = |n: &str| {
            let stem = [SUFFIX, FORMER_SUFFIX].into_iter().find_map(|suffix| n.strip_suffix(suffix))?;
            stem.parse().ok()
        };
        let day = name.to_str().and_then(stem);
        if let Some(day) = day {
            days.push(DayFile { day, bytes: entry.metadata().map_err(failed)?.len() });
        }
    }
    days.sort_by_key(|d| d.day);
    Ok(days)
}

/// Goes from member to member by their lengths.
#[derive(Debug)]
struct Walk<F> {
    file: F,
    length: u64,
    at: u64,
}

enum Span {
    Member { at: u64, length: usize },
    Damage { at: u64, bytes: u64, at_end: bool },
}

impl Span {
    fn unreadable(self) -> Option<Piece> {
        match self {
            Span::Damage { at, bytes, at_end } => Some(Piece::Unreadable { at, bytes, at_end }),
            Span::Member { .. } => None,
        }
    }
}

impl<F: FileExt> Walk<F> {
    fn next_span(&mut self) -> io::Result<Option<Span>> {
        let at = self.at;
        if at >= self.length {
            return Ok(None);
        }
        match self.member_at(at)? {
            Some(length) => {
                self.at += length as u64;
                Ok(Some(Span::Member { at, length }))
            }
            None => self.damage_from(at).map(Some),
        }
    }

    /// The length of a member that begins at `at` and is whole.
    fn member_at(&self, at: u64) -> io::Result<Option<usize>> {
        if self.length - at < member::HEADER as u64 {
            return Ok(None);
        }
        let mut header = [0; member::HEADER];
        self.file.read_exact_at(&mut header, at)?;
        Ok(member::length(&header).filter(|l| at + *l as u64 <= self.length))
    }

    /// The span from `from` to the next whole member, or to the end.
    fn damage_from(&mut self, from: u64) -> io::Result<Span> {
        let mut window = vec![0; WINDOW + member::HEADER];
        let mut base = from + 1;
        while base < self.length {
            let size = usize::try_from(self.length - base).unwrap_or(usize::MAX).min(window.len());
            let bytes = window.get_mut(..size).unwrap_or_default();
            self.file.read_exact_at(bytes, base)?;
            for (n, header) in bytes.windows(member::HEADER).enumerate() {
                let at = base + n as u64;
                if member::length(header).is_some_and(|l| at + l as u64 <= self.length) {
                    self.at = at;
                    return Ok(Span::Damage { at: from, bytes: at - from, at_end: false });
                }
            }
            base += WINDOW as u64;
        }
        self.at = self.length;
        Ok(Span::Damage { at: from, bytes: self.length - from, at_end: true })
    }
}

fn end_of_members(file: &File, length: u64) -> io::Result<u64> {
    let mut walk = Walk { file: file.try_clone()?, length, at: 0 };
    while let Some(span) = walk.next_span()? {
        if let Span::Damage { at, at_end: true, .. } = span {
            return Ok(at);
        }
    }
    Ok(length)
}

/// Cuts between lines; a line longer than a chunk stays whole.
fn chunks(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let limit = lines.get(..CHUNK).unwrap_or(lines);
        let cut = if limit.len() == lines.len() { None } else { limit.iter().rposition(|b| *b == b'\n') };
        let cut =
            cut.or_else(|| lines.iter().skip(limit.len()).position(|b| *b == b'\n').map(|n| n + limit.len()));
        let (chunk, rest) = lines.split_at_checked(cut.map_or(lines.len(), |c| c + 1))?;
        lines = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn path(directory: &Path, day: Day) -> PathBuf {
    let former = directory.join(ROOM).join(format!("{day}{FORMER_SUFFIX}"));
    if former.exists() { former } else { directory.join(ROOM).join(format!("{day}{SUFFIX}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reader, Store};

    const DAY_MS: i64 = 86_400_000;

    fn day() -> Day {
        Day::from_unix_ms(1_795_219_200_000)
    }

    fn lines(n: usize) -> Vec<u8> {
        format!("{{\"n\":{n},\"text\":\"{}\"}}\n", n * 7919).into_bytes()
    }

    /// A directory with `n` appends, its day file and where each append ends.
    fn filled(n: usize) -> (tempfile::TempDir, PathBuf, Vec<u64>) {
        let dir = tempfile::tempdir().unwrap();
        fill(dir, n)
    }

    /// The same by a former version.
    fn formerly_filled(n: usize) -> (tempfile::TempDir, PathBuf, Vec<u64>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(ROOM)).unwrap();
        fs::write(dir.path().join("version"), "tapwire data 1\n").unwrap();
        fs::write(dir.path().join(ROOM).join(format!("{}{FORMER_SUFFIX}", day())), []).unwrap();
        fill(dir, n)
    }

    fn fill(dir: tempfile::TempDir, n: usize) -> (tempfile::TempDir, PathBuf, Vec<u64>) {
        let file = path(dir.path(), day());
        let mut store = Store::open(dir.path()).unwrap();
        let append = |n| {
            store.append_events(day(), &lines(n)).unwrap();
            fs::metadata(&file).unwrap().len()
        };
        let ends = (0..n).map(append).collect();
        (dir, file, ends)
    }

    fn read(dir: &Path) -> (Vec<u8>, Vec<Piece>) {
        let pieces = Reader::open(dir).unwrap().day(day()).unwrap().map(Result::unwrap);
        let (whole, bad): (Vec<_>, Vec<_>) = pieces.partition(|p| matches!(p, Piece::Lines(_)));
        let text = |p| if let Piece::Lines(l) = p { l } else { Vec::new() };
        (whole.into_iter().flat_map(text).collect(), bad)
    }

    fn uid(n: usize) -> String {
        format!("{:016x}{n:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Texts that were read, and how many pieces these were.
    fn naming(dir: &Path, uid: &str) -> (Vec<u8>, usize) {
        let pieces: Vec<_> =
            Reader::open(dir).unwrap().day_naming(day(), uid).unwrap().map(Result::unwrap).collect();
        let text = |piece: &Piece| if let Piece::Lines(lines) = piece { lines.clone() } else { Vec::new() };
        (pieces.iter().flat_map(text).collect(), pieces.len())
    }

    #[test]
    fn events_that_name_a_uid_are_among_what_is_read_and_little_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        for append in 0..200 {
            let event = |n| {
                format!("{{\"metadata\":{{\"uid\":\"{}\"}},\"exchanges\":[\"{}\"]}}\n", uid(n), uid(n / 2))
            };
            let lines: String = (append * 50..append * 50 + 50).map(event).collect();
            store.append_events(day(), lines.as_bytes()).unwrap();
        }
        for n in (0..10_000).step_by(97) {
            for digits in [32, 9, 6] {
                let (text, pieces) = naming(dir.path(), &uid(n)[..digits]);
                let found = memchr::memmem::find_iter(&text, &uid(n)).count();
                let all = memchr::memmem::find_iter(&read(dir.path()).0, &uid(n)).count();
                assert!(
                    found == all && pieces <= 12,
                    "{n}, {digits} digits: {found} of {all} in {pieces} pieces"
                );
            }
        }
        assert_eq!(naming(dir.path(), &uid(0)[..5]).1, 200, "too few digits to be looked up");
    }

    #[test]
    fn what_says_nothing_of_uids_is_read() {
        let (dir, ..) = formerly_filled(3);
        assert_eq!(naming(dir.path(), "abcdef").1, 3);
        let (dir, file, ends) = filled(3);
        assert_eq!(naming(dir.path(), "abcdef").1, 0);
        let mut bytes = fs::read(&file).unwrap();
        bytes[usize::try_from(ends[0]).unwrap() + member::HEADER + uids::HEADER - 1] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(naming(dir.path(), "abcdef"), (expected(1..2), 1), "its keys are damaged");
    }

    fn expected(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
        numbers.into_iter().flat_map(lines).collect()
    }

    #[test]
    fn appended_lines_are_read_in_order_over_days_and_runs() {
        let (dir, ..) = filled(3);
        let mut store = Store::open(dir.path()).unwrap();
        let next = Day::from_unix_ms(day().start_ms() + DAY_MS);
        assert_eq!(store.append_events(next, b"{}\n").unwrap(), None);
        assert_eq!(store.append_events(day(), &lines(3)).unwrap(), None);
        store.sync().unwrap();
        assert_eq!(read(dir.path()), (expected(0..4), vec![]));
        let days = store.reader().days().unwrap();
        assert_eq!(days.iter().map(|d| d.day).collect::<Vec<_>>(), [day(), next]);
        assert!(days.iter().all(|d| d.bytes > 0));
    }

    #[test]
    fn any_zstd_or_gzip_program_reads_the_file() {
        let (_dir, file, _) = filled(5);
        let mut text = Vec::new();
        let mut decoder = zstd::stream::read::Decoder::new(File::open(file).unwrap()).unwrap();
        std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
        assert_eq!(text, expected(0..5));
        let (_dir, file, _) = formerly_filled(5);
        let mut text = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(File::open(file).unwrap());
        io::Read::read_to_end(&mut decoder, &mut text).unwrap();
        assert_eq!(text, expected(0..5));
    }

    #[test]
    fn a_day_that_a_former_version_began_goes_on_in_its_file() {
        let (dir, file, _) = formerly_filled(3);
        assert!(file.to_string_lossy().ends_with(FORMER_SUFFIX));
        let mut store = Store::open(dir.path()).unwrap();
        let next = Day::from_unix_ms(day().start_ms() + DAY_MS);
        store.append_events(next, b"{}\n").unwrap();
        store.append_events(day(), &lines(3)).unwrap();
        assert_eq!(read(dir.path()), (expected(0..4), vec![]));
        let days = store.reader().days().unwrap();
        assert_eq!(days.iter().map(|d| d.day).collect::<Vec<_>>(), [day(), next]);
        assert_eq!(fs::read_dir(dir.path().join(ROOM)).unwrap().count(), 2, "one file a day");
        assert_eq!(fs::read_to_string(dir.path().join("version")).unwrap(), "tapwire data 2\n");
    }

    #[test]
    fn a_kill_at_any_byte_of_an_append_costs_that_append_only() {
        killed_at_any_byte(filled(3));
        killed_at_any_byte(formerly_filled(3));
    }

    fn killed_at_any_byte((dir, file, ends): (tempfile::TempDir, PathBuf, Vec<u64>)) {
        let whole = fs::read(&file).unwrap();
        for cut in ends[1]..ends[2] {
            fs::write(&file, &whole[..usize::try_from(cut).unwrap()]).unwrap();
            let torn = cut - ends[1];
            let (text, bad) = read(dir.path());
            assert_eq!(text, expected(0..2), "cut at {cut}");
            let tail = Piece::Unreadable { at: ends[1], bytes: torn, at_end: true };
            assert_eq!(bad, Vec::from_iter((torn > 0).then_some(tail)));
            let mut store = Store::open(dir.path()).unwrap();
            let recovered = store.append_events(day(), &lines(9)).unwrap();
            assert_eq!(recovered, (torn > 0).then(|| Recovered { day: day(), cut_bytes: torn }));
            assert_eq!(read(dir.path()), (expected([0, 1, 9]), vec![]));
        }
    }

    #[test]
    fn damage_in_the_middle_costs_one_append_and_is_told() {
        damaged_at_any_byte(filled(4), 0..0);
        // MTIME, XFL and OS of gzip mean nothing to us.
        damaged_at_any_byte(formerly_filled(4), 4..10);
    }

    fn damaged_at_any_byte(
        (dir, file, ends): (tempfile::TempDir, PathBuf, Vec<u64>),
        unread: std::ops::Range<u64>,
    ) {
        let whole = fs::read(&file).unwrap();
        let mut unnoticed = 0;
        for at in (ends[0]..ends[1]).filter(|at| !unread.contains(&(at - ends[0]))) {
            let mut damaged = whole.clone();
            damaged[usize::try_from(at).unwrap()] ^= 0x20;
            fs::write(&file, &damaged).unwrap();
            let (text, bad) = read(dir.path());
            // One bit changes nothing: of deflate one that fills the last byte, of zstd one that says how a size is told.
            if bad.is_empty() {
                assert_eq!(text, expected(0..4), "byte {}", at - ends[0]);
                unnoticed += 1;
                continue;
            }
            assert_eq!(text, expected([0, 2, 3]), "byte {}", at - ends[0]);
            let hole = Piece::Unreadable { at: ends[0], bytes: ends[1] - ends[0], at_end: false };
            assert_eq!(bad, [hole]);
            let mut store = Store::open(dir.path()).unwrap();
            assert_eq!(store.append_events(day(), &lines(9)).unwrap(), None, "nothing good is cut");
            assert_eq!(read(dir.path()).0, expected([0, 2, 3, 9]));
        }
        // Nor does a checksum of uids: what it is wrong for is read.
        assert!(unnoticed <= 1 + uids::CHECKSUM, "{unnoticed} changes went unnoticed");
    }

    #[test]
    fn a_tail_of_zeros_after_a_power_cut_is_cut() {
        let (dir, file, ends) = filled(2);
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend(vec![0; 3 * WINDOW]);
        fs::write(&file, &bytes).unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let recovered = store.append_events(day(), &lines(2)).unwrap();
        assert_eq!(recovered, Some(Recovered { day: day(), cut_bytes: bytes.len() as u64 - ends[1] }));
        assert_eq!(read(dir.path()), (expected(0..3), vec![]));
    }

    #[test]
    fn chunks_are_whole_lines_and_lose_nothing() {
        let long = [vec![b'x'; 3 * CHUNK], b"\n".to_vec()].concat();
        let short = b"{\"a\":1}\n".repeat(CHUNK / 4);
        for text in [vec![], b"no newline".to_vec(), long.clone(), short.clone(), [short, long].concat()] {
            let parts: Vec<_> = chunks(&text).collect();
            assert_eq!(parts.concat(), text);
            assert!(parts.iter().rev().skip(1).all(|p| p.ends_with(b"\n")));
            assert!(parts.iter().all(|p| p.len() <= CHUNK || p.iter().filter(|b| **b == b'\n').count() == 1));
        }
    }
}
