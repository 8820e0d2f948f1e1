//! Packets on their way to a segment, in the bytes that it will hold.

/// Bytes of a record before its packet.
const HEADER: usize = 40;

/// A captured packet. Its `Debug` shows no content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// Which connection it belongs to; 0 is none in particular.
    pub label: u64,
    /// Its number in its source.
    pub frame: u64,
    /// LINKTYPE of its first bytes.
    pub link: u32,
    /// Its length on the wire.
    pub wire_len: u32,
    /// Which source, of the names that the ring was opened with.
    pub source: u16,
    /// The captured bytes.
    pub data: &'a [u8],
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record(frame {}, {} bytes)", self.frame, self.data.len())
    }
}

/// A block of packets, filled by whoever captures and sealed by whoever writes.
#[derive(Clone, Default)]
pub struct Block {
    pub(crate) bytes: Vec<u8>,
    /// Those of its packets, as they came: a burst of one connection gives one.
    pub(crate) labels: Vec<u64>,
    pub(crate) span: Option<(i64, i64)>,
    packets: u64,
    last: u64,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({} packets, {} bytes)", self.packets, self.bytes.len())
    }
}

impl Block {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Copies a packet in.
    pub fn push(&mut self, record: &Record<'_>) {
        let Ok(len) = u32::try_from(record.data.len()) else { return };
        let mut header = [0; HEADER];
        let fields: [&[u8]; 7] = [
            &record.time.to_le_bytes(),
            &record.label.to_le_bytes(),
            &record.frame.to_le_bytes(),
            &record.link.to_le_bytes(),
            &record.wire_len.to_le_bytes(),
            &len.to_le_bytes(),
            &record.source.to_le_bytes(),
        ];
        let mut rest = header.as_mut_slice();
        for field in fields {
            let (place, behind) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = behind;
        }
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(record.data);
        self.packets += 1;
        let (first, last) = self.span.unwrap_or((record.time, record.time));
        self.span = Some((first.min(record.time), last.max(record.time)));
        // Packets come in bursts of one connection.
        if self.last != record.label || self.packets == 1 {
            self.last = record.label;
            self.labels.push(record.label);
        }
    }

    /// Packets in it.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes in it.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.labels.clear();
        self.span = None;
        self.packets = 0;
    }
}

/// The packets of a block that was opened.
#[derive(Clone)]
pub struct Records<'a> {
    bytes: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl std::fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Records({} bytes)", self.bytes.len())
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (header, rest) = self.bytes.split_at_checked(HEADER)?;
        let long = |at: usize| header.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let word = |at: usize| header.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let (data, behind) = rest.split_at_checked(word(32)? as usize)?;
        self.bytes = behind;
        Some(Record {
            time: long(0)?.cast_signed(),
            label: long(8)?,
            frame: long(16)?,
            link: word(24)?,
            wire_len: word(28)?,
            source: u16::try_from(word(36)? & 0xffff).ok()?,
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in() {
        let record = |label: u64, data: &'static [u8]| Record {
            time: -5 + label.cast_signed(),
            label,
            frame: 1 << 40,
            link: 276,
            wire_len: 9_000,
            source: 65_535,
            data,
        };
        let records = [record(7, b"abc"), record(u64::MAX, b""), record(7, &[9; 300])];
        let mut block = Block::default();
        records.iter().for_each(|record| block.push(record));
        assert!(Records::new(&block.bytes).eq(records));
        assert_eq!(block.labels, [7, u64::MAX, 7]);
        assert_eq!((block.packets(), block.span), (3, Some((-6, 2))));
        assert_eq!(Records::new(&block.bytes[..block.len() - 1]).count(), 2, "cut short");
    }
}
