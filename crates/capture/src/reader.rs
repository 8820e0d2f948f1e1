//! One capture file, packet by packet.

use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tapwire_wire::{LinkType, Packet, SourceId, Timestamp};

use crate::format::pcapng::SMALLEST_BLOCK;
use crate::format::{FileInterface, Format, Losses, MAGIC_LEN, Secrets, Step};
use crate::input::Input;
use crate::window::Window;
use crate::{SourceError, SourceNames};

/// Uncompressed bytes read at a time: few enough to be in the second cache still when they are parsed.
pub(crate) const READ_AHEAD: usize = 256 << 10;

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
    /// The file's end, or of a growing one the end so far.
    End,
}

/// What the end of the bytes means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The file is whole: an end inside a packet is damage.
    Final,
    /// More may be written.
    Growing,
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
    ending: Ending,
    /// Bytes of a block that are still to be read past.
    passing: usize,
    /// The number of packets of each interface; one for all while the file has but one.
    sources: Vec<SourceId>,
    naming: Option<Naming>,
    /// Blocks that were passed over, told at the end.
    damage: Option<Damage>,
}

/// Damaged blocks that were passed over.
#[derive(Debug, Clone, Copy)]
struct Damage {
    /// Of the first.
    frame: u64,
    offset: u64,
    what: &'static str,
    /// Of all.
    blocks: u64,
    bytes: u64,
}

/// How a file begins: what tells one capture from another, whatever it is called and however it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// Of the first packet.
    pub(crate) time: Timestamp,
    wire_len: u32,
    /// Of its bytes.
    hash: u64,
}

/// Where a file of several interfaces gets their numbers from.
struct Naming {
    file: String,
    names: SourceNames,
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
        let input = Input::open(path, bytes).map_err(|error| SourceError::from_io(path, error))?;
        Self::start(path, source, input, bytes)
    }

    fn start(path: &Path, source: SourceId, mut input: Input, bytes: usize) -> Result<Self, SourceError> {
        let mut window = Window::new(bytes);
        // Trouble this early is told by what is, or is not, at hand.
        let filled = window.fill(MAGIC_LEN, &mut input);
        let format = window.bytes().first_chunk().and_then(|magic| Format::detect(*magic));
        match (format, filled) {
            (Some(format), _) => Ok(Self {
                path: path.to_owned(),
                source,
                input,
                window,
                format,
                packets: 0,
                ending: Ending::Final,
                passing: 0,
                sources: vec![source],
                naming: None,
                damage: None,
            }),
            (None, Err(error)) if window.bytes().is_empty() && !is_damage(&error) => {
                Err(SourceError::from_io(path, error))
            }
            (None, _) => {
                let looks_like = match (window.bytes().is_empty(), input.is_compressed()) {
                    (true, true) => "a compressed file that is cut or damaged where it begins",
                    _ => crate::looks::like(window.bytes()),
                };
                Err(SourceError::NotACapture { path: path.to_owned(), looks_like })
            }
        }
    }

    /// Gives packets of several interfaces numbers of their own, named `FILE:INTERFACE`.
    pub(crate) fn naming_interfaces(mut self, file: &str, names: &SourceNames) -> Self {
        self.naming = Some(Naming { file: file.to_owned(), names: names.clone() });
        self
    }

    /// Gives its packets this number.
    pub(crate) fn numbered(mut self, source: SourceId) -> Self {
        self.source = source;
        self.sources = vec![source];
        self
    }

    /// The file is still being written: its end is not the last word until [`settle`](Self::settle).
    pub(crate) const fn growing(mut self) -> Self {
        self.ending = Ending::Growing;
        self
    }

    /// Nothing more will be written.
    ///
    /// # Errors
    /// When the end lies inside a packet or block.
    pub(crate) fn end(&mut self) -> Result<(), SourceError> {
        self.ending = Ending::Final;
        self.run(Timestamp::MIN, 0, |_, _| ()).map(|_| ())
    }

    /// The bytes that the packets come from.
    pub(crate) const fn input(&self) -> &Input {
        &self.input
    }

    /// Closes the file's handle until the next read.
    pub(crate) fn rest(&mut self) {
        self.input.rest();
    }

    /// Takes what the file says was lost before it was written, since the last call.
    pub(crate) fn take_losses(&mut self) -> Losses {
        self.format.take_losses()
    }

    /// Whether secrets wait to be taken.
    pub(crate) fn has_secrets(&self) -> bool {
        self.format.secrets() > 0
    }

    /// Takes the secrets met since the last call, and how many bytes were too many to keep.
    pub(crate) fn take_secrets(&mut self) -> (Vec<Secrets>, u64) {
        self.format.take_secrets()
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

    /// How the file begins; `None` while it has no whole packet.
    pub(crate) fn mark(&mut self) -> Result<Option<Mark>, SourceError> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let Step::Packet(record) = self.format.step(self.window.bytes()) else { return Ok(None) };
        let data = self.window.bytes().get(record.start..record.start + record.len).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        hasher.write(data);
        Ok(Some(Mark { time: record.time, wire_len: record.wire_len, hash: hasher.finish() }))
    }

    /// Reads past so many packets, or all there are.
    pub(crate) fn skip_packets(&mut self, count: u64) -> Result<(), SourceError> {
        let last = Timestamp::from_nanos(i64::MAX);
        while self.packets < count {
            let left = usize::try_from(count - self.packets).unwrap_or(usize::MAX);
            if self.run(last, left, |_, _| ())? == Stop::End {
                break;
            }
        }
        Ok(())
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
        let secrets = self.format.secrets();
        loop {
            if self.passing > 0 && !self.pass()? {
                return Ok(Stop::End);
            }
            match self.burst(until, &mut left, &mut deliver) {
                Step::Packet(record) if record.time > until || most == 0 => {
                    return Ok(Stop::Bound(record.time));
                }
                Step::Packet(_) if left == 0 => return Ok(Stop::Batch),
                Step::Packet(_) => {}
                Step::Pass(bytes) => {
                    self.passing = bytes;
                    self.name_interfaces();
                    // They are for the packets that follow: whoever decrypts must have them before.
                    if most > 0 && self.format.secrets() > secrets {
                        return Ok(Stop::Batch);
                    }
                }
                // A live pipe has shown all it has: what was delivered goes on before waiting for more.
                Step::Need(_) if left < most => return Ok(Stop::Batch),
                Step::Need(bytes) => {
                    if !self.fill(bytes)? {
                        return self.stop();
                    }
                }
                Step::Corrupt(what) => return Err(self.corrupt(what)),
                Step::Damaged { what, length, framed } => {
                    match if framed { Some(true) } else { self.goes_on_behind(length)? } {
                        Some(true) => self.pass_over(what, length),
                        Some(false) => return Err(self.corrupt(what)),
                        None => return Ok(Stop::End),
                    }
                }
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
                        source: *self.sources.get(usize::from(record.name)).unwrap_or(&self.source),
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
    /// Gets `need` bytes at hand; false at a clean end, or where more is still to be written.
    fn fill(&mut self, need: usize) -> Result<bool, SourceError> {
        match self.window.fill(need, &mut self.input) {
            Ok(true) => Ok(true),
            Ok(false) if self.window.bytes().is_empty() || self.ending == Ending::Growing => Ok(false),
            Ok(false) => Err(self.truncated(self.window.offset())),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Reads past the rest of a block; false where more of it is still to be written.
    fn pass(&mut self) -> Result<bool, SourceError> {
        let begin = self.window.offset();
        let result = self.window.pass(self.passing, &mut self.input);
        self.passing -= usize::try_from(self.window.offset() - begin).unwrap_or(self.passing);
        match result {
            Ok(true) => Ok(true),
            Ok(false) if self.ending == Ending::Growing => Ok(false),
            Ok(false) => Err(self.truncated(begin)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The end, or the end so far. What was passed over is told once.
    fn stop(&mut self) -> Result<Stop, SourceError> {
        match self.damage.take_if(|_| self.ending == Ending::Final) {
            Some(damage) => Err(self.damaged(&damage, None)),
            None => Ok(Stop::End),
        }
    }

    /// Whether the file ends, or goes on with a block, behind so many bytes; `None` where that is still to be written.
    ///
    /// Only lengths lead from block to block. Looking for something like a block anywhere would take packets for
    /// captured that somebody else captured and sent through this network.
    fn goes_on_behind(&mut self, length: usize) -> Result<Option<bool>, SourceError> {
        let mut need = length + SMALLEST_BLOCK;
        loop {
            let filled = self.window.fill(need, &mut self.input).map_err(|error| self.failed(error))?;
            if !filled && self.ending == Ending::Growing {
                return Ok(None);
            }
            let behind = self.window.bytes().get(length..).unwrap_or_default();
            match self.format.block_length(behind) {
                Some(next) if filled && next > behind.len() => need = length + next,
                next => return Ok(Some(behind.is_empty() || next.is_some_and(|next| next <= behind.len()))),
            }
        }
    }

    fn pass_over(&mut self, what: &'static str, length: usize) {
        let (frame, offset) = (self.packets + 1, self.window.offset());
        let damage = self.damage.get_or_insert(Damage { frame, offset, what, blocks: 0, bytes: 0 });
        damage.blocks += 1;
        damage.bytes += length as u64;
        self.passing = length;
    }

    /// Numbers interfaces that were described since, once there are several.
    fn name_interfaces(&mut self) {
        let interfaces = self.format.interfaces();
        if interfaces.len() < 2 || interfaces.len() == self.sources.len() {
            return;
        }
        let Some(Naming { file, names }) = &self.naming else { return };
        // The first one had the file's own number as long as it was alone.
        let from = if self.sources.len() == 1 { 0 } else { self.sources.len() };
        let fresh: Vec<SourceId> = interfaces
            .iter()
            .skip(from)
            .map(|interface| names.add(&format!("{file}:{interface}")).unwrap_or(self.source))
            .collect();
        self.sources.truncate(from);
        self.sources.extend(fresh);
    }

    fn failed(&self, error: io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated(self.window.offset()),
            _ if is_damage(&error) => self.corrupt("the compressed data is damaged"),
            _ => SourceError::from_io(&self.path, error),
        }
    }

    fn damaged(&self, damage: &Damage, end: Option<(u64, &'static str)>) -> SourceError {
        let Damage { frame, offset, what, blocks, bytes } = *damage;
        let (path, packets) = (self.path.clone(), self.packets);
        SourceError::Damaged { path, frame, offset, what, blocks, bytes, packets, end }
    }

    fn truncated(&self, offset: u64) -> SourceError {
        if let Some(damage) = &self.damage {
            return self.damaged(damage, Some((offset, "the file is cut there")));
        }
        let (path, packets) = (self.path.clone(), self.packets);
        SourceError::Truncated { path, frame: packets + 1, offset, packets }
    }

    fn corrupt(&self, what: &'static str) -> SourceError {
        if let Some(damage) = &self.damage {
            return self.damaged(damage, Some((self.window.offset(), what)));
        }
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
