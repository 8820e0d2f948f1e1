//! One capture file, packet by packet.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tapwire_wire::{LinkType, Packet, SourceId, Timestamp};

use crate::SourceError;
use crate::format::{FileInterface, Format, MAGIC_LEN, Step};
use crate::input::Input;
use crate::window::Window;

/// Uncompressed bytes read at a time.
pub(crate) const READ_AHEAD: usize = 1 << 20;

/// Packets handed on together, so that the receiver can look ahead.
const BURST: usize = 16;

/// A place for a packet.
const EMPTY: Packet<'static> = Packet {
    time: Timestamp::MIN,
    link: LinkType::ETHERNET,
    data: &[],
    wire_len: 0,
    frame: 0,
    source: SourceId(0),
};

/// Why [`CaptureReader::run`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The next packet, of this time, lies beyond the bound.
    Bound(Timestamp),
    /// As many packets as were asked for, or all that were at hand without reading.
    Batch,
    /// The file's end.
    End,
}

/// Reads a capture file, or any stream of such bytes, from its beginning.
///
/// Formats and compression are told by the first bytes, never by a name.
pub struct CaptureReader {
    path: PathBuf,
    source: SourceId,
    input: Input,
    window: Window,
    format: Format,
    packets: u64,
}

impl CaptureReader {
    /// Opens the file at `path`; `-` is standard input.
    ///
    /// # Errors
    /// When it does not exist, may not be read, or is not a capture.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        Self::with_read_ahead(path, SourceId(0), READ_AHEAD)
    }

    /// Reads any stream; `path` is what errors call it.
    ///
    /// # Errors
    /// When it is not a capture.
    pub fn new(path: &Path, stream: Box<dyn Read + Send>) -> Result<Self, SourceError> {
        let input = Input::new(stream).map_err(|error| SourceError::from_io(path, error))?;
        Self::start(path, SourceId(0), input, READ_AHEAD)
    }

    pub(crate) fn with_read_ahead(path: &Path, source: SourceId, bytes: usize) -> Result<Self, SourceError> {
        let input = Input::open(path).map_err(|error| SourceError::from_io(path, error))?;
        Self::start(path, source, input, bytes)
    }

    fn start(path: &Path, source: SourceId, mut input: Input, bytes: usize) -> Result<Self, SourceError> {
        let mut window = Window::new(bytes);
        // Trouble this early is told by what is, or is not, at hand.
        let filled = window.fill(MAGIC_LEN, &mut input);
        let format = window.bytes().first_chunk().and_then(|magic| Format::detect(*magic));
        match (format, filled) {
            (Some(format), _) => {
                Ok(Self { path: path.to_owned(), source, input, window, format, packets: 0 })
            }
            (None, Err(error)) if window.bytes().is_empty() && !is_damage(&error) => {
                Err(SourceError::from_io(path, error))
            }
            (None, _) => {
                let looks_like = crate::looks::like(window.bytes());
                Err(SourceError::NotACapture { path: path.to_owned(), looks_like })
            }
        }
    }

    /// Packets read so far.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes taken from the file, compressed where it is.
    pub fn bytes_read(&self) -> u64 {
        self.input.bytes_read()
    }

    /// Hands every packet to `deliver`, to the end of the file.
    ///
    /// # Errors
    /// When the file is cut or damaged, after all packets before that place.
    pub fn for_each(&mut self, mut deliver: impl FnMut(Packet<'_>)) -> Result<(), SourceError> {
        let mut each = |packets: &[Packet<'_>], _: &_| packets.iter().for_each(|packet| deliver(*packet));
        while self.run(Timestamp::from_nanos(i64::MAX), usize::MAX, &mut each)? != Stop::End {}
        Ok(())
    }

    /// The time of the next packet; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<Timestamp>, SourceError> {
        Ok(match self.run(Timestamp::MIN, 0, |_, _| ())? {
            Stop::Bound(time) => Some(time),
            Stop::Batch | Stop::End => None,
        })
    }

    /// Hands on packets of one interface, up to [`BURST`] together, until one is later than `until`, or `most` were
    /// handed on.
    #[inline]
    pub(crate) fn run(
        &mut self,
        until: Timestamp,
        most: usize,
        mut deliver: impl FnMut(&[Packet<'_>], &FileInterface),
    ) -> Result<Stop, SourceError> {
        let mut left = most;
        loop {
            match self.burst(until, &mut left, &mut deliver) {
                Step::Packet(record) if record.time > until || most == 0 => {
                    return Ok(Stop::Bound(record.time));
                }
                Step::Packet(_) if left == 0 => return Ok(Stop::Batch),
                Step::Packet(_) => {}
                Step::Pass(bytes) => self.pass(bytes)?,
                // A live pipe has shown all it has: what was delivered goes on before waiting for more.
                Step::Need(_) if left < most => return Ok(Stop::Batch),
                Step::Need(bytes) => {
                    if !self.fill(bytes)? {
                        return Ok(Stop::End);
                    }
                }
                Step::Corrupt(what) => return Err(self.corrupt(what)),
            }
        }
    }

    /// Hands on packets that are at hand, and gives the step that ended them: a packet when there are more.
    fn burst(
        &mut self,
        until: Timestamp,
        left: &mut usize,
        deliver: &mut impl FnMut(&[Packet<'_>], &FileInterface),
    ) -> Step {
        let bytes = self.window.bytes();
        let mut packets = [EMPTY; BURST];
        let (mut count, mut used, mut interface) = (0, 0, None);
        let step = loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match (self.format.step(rest), packets.get_mut(count)) {
                (Step::Packet(record), Some(place))
                    if record.time <= until
                        && *left > 0
                        && *interface.get_or_insert(record.interface) == record.interface =>
                {
                    *left -= 1;
                    self.packets += 1;
                    *place = Packet {
                        time: record.time,
                        link: record.link,
                        data: rest.get(record.start..record.start + record.len).unwrap_or_default(),
                        wire_len: record.wire_len,
                        frame: self.packets,
                        source: self.source,
                    };
                    count += 1;
                    used += record.next;
                }
                (step, _) => break step,
            }
        };
        if let Some(interface) = interface.filter(|_| count > 0) {
            deliver(packets.get(..count).unwrap_or_default(), self.format.interface(interface));
        }
        self.window.consume(used);
        step
    }
}

impl CaptureReader {
    /// Gets `need` bytes at hand; false at a clean end.
    fn fill(&mut self, need: usize) -> Result<bool, SourceError> {
        match self.window.fill(need, &mut self.input) {
            Ok(true) => Ok(true),
            Ok(false) if self.window.bytes().is_empty() => Ok(false),
            Ok(false) => Err(self.truncated(self.window.offset())),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn pass(&mut self, bytes: usize) -> Result<(), SourceError> {
        let begin = self.window.offset();
        match self.window.pass(bytes, &mut self.input) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.truncated(begin)),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated(self.window.offset()),
            _ if is_damage(&error) => self.corrupt("the compressed data is damaged"),
            _ => SourceError::from_io(&self.path, error),
        }
    }

    fn truncated(&self, offset: u64) -> SourceError {
        let (path, packets) = (self.path.clone(), self.packets);
        SourceError::Truncated { path, frame: packets + 1, offset, packets }
    }

    fn corrupt(&self, what: &'static str) -> SourceError {
        let (path, packets, offset) = (self.path.clone(), self.packets, self.window.offset());
        SourceError::Corrupt { path, frame: packets + 1, offset, packets, what }
    }
}

/// What the decompressor reports about its input, as opposed to trouble with reading.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    )
}
