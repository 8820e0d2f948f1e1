//! permessage-deflate undone (RFC 7692, 7.2.2).
//!
//! This lives here and not with the content codings in `inspect`, because it is a property of the connection: unless
//! told otherwise a sender goes on compressing with the 32 KiB that it said before, so a message can only be read by
//! whoever read all messages before it, also those that nobody wants to look at. What a connection keeps between two
//! messages is that text and nothing else; the machinery is lent out while a message is open.
//!
//! Text that was missed is never made up: the window is empty behind a loss, and a message that refers to what was lost
//! is said to be unreadable, which deflate tells exactly. A message that refers to nothing lost is read all the same.

use flate2::{Decompress, FlushDecompress, Status};

/// What a sender cuts off each message (RFC 7692, 7.2.1).
const TAIL: &[u8] = &[0, 0, 0xff, 0xff];
/// Output of one step.
const STEP: usize = 4 << 10;
/// Text beyond the window that gathers before it is moved to the front.
const SLACK: usize = 8 << 10;
/// Decoded bytes before the ratio counts, as for content codings: short, very regular messages are no bomb.
const FREE_BYTES: u64 = 64 << 10;
/// Decoded bytes for each coded byte, beyond that.
const MAX_RATIO: u64 = 100;
/// Decoded bytes of one message.
const MAX_DECODED: u64 = 8 << 20;
/// Machinery that waits to be lent out.
const KEPT: usize = 4;
/// What the machinery holds, in bytes: a window and tables.
const INFLATER_BYTES: usize = 48 << 10;

/// Why a message cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is no deflate, or refers to text that nobody said.
    Invalid,
    /// It refers, or may refer, to text that was missed.
    Lost,
    /// Decoding it would pass the cap on bytes or ratio.
    Bomb,
}

/// How one direction compresses, as the handshake agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Whether a message may refer to those before it.
    pub(super) takeover: bool,
    /// The window's size is 2 to this.
    pub(super) window_bits: u8,
}

impl Default for Agreed {
    fn default() -> Self {
        Self { takeover: true, window_bits: 15 }
    }
}

/// What one direction said last: all that the next message may refer to. Its `Debug` shows no content.
#[derive(Default)]
pub(super) struct Window {
    agreed: Agreed,
    text: Vec<u8>,
    /// Text is missing in front of what is held.
    lost: bool,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Window({:?}, {} bytes, lost {})", self.agreed, self.text.len(), self.lost)
    }
}

impl Window {
    pub(super) const fn new(agreed: Agreed) -> Self {
        Self { agreed, text: Vec::new(), lost: false }
    }

    /// Bytes on the heap.
    pub(super) const fn held(&self) -> usize {
        self.text.capacity()
    }

    /// What was said from here back is not known.
    pub(super) fn lose(&mut self) {
        self.text = Vec::new();
        self.lost = true;
    }

    fn size(&self) -> usize {
        1 << self.agreed.window_bits.clamp(8, 15)
    }

    fn dictionary(&self) -> &[u8] {
        self.text.get(self.text.len().saturating_sub(self.size())..).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        let (len, size) = (self.text.len(), self.size());
        if len > size + SLACK {
            self.text.copy_within(len - size.., 0);
            self.text.truncate(size);
        }
    }
}

/// The machinery that undoes deflate, shared by all connections.
#[derive(Default)]
pub(crate) struct Inflaters {
    spare: Vec<Decompress>,
    /// Where a step's output goes.
    out: Vec<u8>,
}

impl std::fmt::Debug for Inflaters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inflaters({} spare)", self.spare.len())
    }
}

/// A compressed message that is open.
pub(super) struct Inflation {
    raw: Decompress,
    taken: u64,
    given: u64,
    failed: Option<Unreadable>,
}

impl std::fmt::Debug for Inflation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inflation({} to {} bytes, {:?})", self.taken, self.given, self.failed)
    }
}

impl Inflation {
    /// Bytes on the heap.
    pub(super) const HELD: usize = INFLATER_BYTES;

    /// Begins a message of that direction.
    pub(super) fn begin(window: &mut Window, inflaters: &mut Inflaters) -> Self {
        if !window.agreed.takeover {
            window.text = Vec::new();
            window.lost = false;
        }
        inflaters.out.resize(STEP, 0);
        let raw = inflaters.spare.pop().unwrap_or_else(|| Decompress::new(false));
        let mut inflation = Self { raw, taken: 0, given: 0, failed: None };
        inflation.restart(window);
        inflation
    }

    fn restart(&mut self, window: &Window) {
        self.raw.reset(false);
        let dictionary = window.dictionary();
        if !dictionary.is_empty() && self.raw.set_dictionary(dictionary).is_err() {
            self.failed = Some(Unreadable::Invalid);
        }
    }

    /// Takes compressed bytes and hands on text in steps of at most 4 KiB. What came before it became unreadable is
    /// right.
    pub(super) fn feed(
        &mut self,
        window: &mut Window,
        inflaters: &mut Inflaters,
        bytes: &[u8],
        take: &mut dyn FnMut(&[u8]),
    ) {
        self.taken += bytes.len() as u64;
        let mut rest = bytes;
        while self.failed.is_none() {
            let (before_in, before_out) = (self.raw.total_in(), self.raw.total_out());
            let status = self.raw.decompress(rest, &mut inflaters.out, FlushDecompress::None);
            let used = usize::try_from(self.raw.total_in() - before_in).unwrap_or(usize::MAX);
            let made = usize::try_from(self.raw.total_out() - before_out).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            self.give(window, inflaters.out.get(..made).unwrap_or_default(), take);
            match status {
                Err(_) => self.failed = Some(invalid(window)),
                // A sender may end its stream within a message and begin another (RFC 7692, 7.2.3.4).
                Ok(Status::StreamEnd) => self.restart(window),
                Ok(_) if rest.is_empty() && made < STEP => return,
                Ok(_) if used == 0 && made == 0 => self.failed = Some(invalid(window)),
                Ok(_) => {}
            }
        }
    }

    fn give(&mut self, window: &mut Window, bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
        self.given += bytes.len() as u64;
        window.push(bytes);
        take(bytes);
        let steep = self.given > FREE_BYTES && self.given / MAX_RATIO > self.taken;
        if self.failed.is_none() && (steep || self.given > MAX_DECODED) {
            self.failed = Some(Unreadable::Bomb);
        }
    }

    /// Ends the message; `whole` says that all of it was fed. Why it could not be read to its end, if so.
    pub(super) fn finish(
        mut self,
        whole: bool,
        window: &mut Window,
        inflaters: &mut Inflaters,
        take: &mut dyn FnMut(&[u8]),
    ) -> Option<Unreadable> {
        if whole {
            self.feed(window, inflaters, TAIL, take);
        }
        let failed = self.failed.or_else(|| (!whole).then_some(Unreadable::Lost));
        if failed.is_some() {
            window.lose();
        } else if !window.agreed.takeover {
            window.text = Vec::new();
        }
        if inflaters.spare.len() < KEPT {
            inflaters.spare.push(self.raw);
        }
        failed
    }
}

/// Behind a loss it is not the sender's fault.
const fn invalid(window: &Window) -> Unreadable {
    if window.lost { Unreadable::Lost } else { Unreadable::Invalid }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    /// Compresses messages as a sender does; without takeover each anew.
    fn compressed(messages: &[&[u8]], takeover: bool) -> Vec<Vec<u8>> {
        let mut raw = Compress::new(Compression::default(), false);
        let pack = |message: &&[u8]| {
            if message.is_empty() {
                // An encoder has nothing to flush then (RFC 7692, 7.2.3.6).
                return vec![0];
            }
            if !takeover {
                raw.reset();
            }
            let mut out = Vec::with_capacity(message.len() + 1_000);
            raw.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
            assert!(out.ends_with(TAIL));
            out.truncate(out.len() - TAIL.len());
            out
        };
        messages.iter().map(pack).collect()
    }

    fn read(
        coded: &[u8],
        step: usize,
        window: &mut Window,
        inflaters: &mut Inflaters,
    ) -> (Vec<u8>, Option<Unreadable>) {
        let mut text = Vec::new();
        let mut inflation = Inflation::begin(window, inflaters);
        for piece in coded.chunks(step) {
            inflation.feed(window, inflaters, piece, &mut |bytes| text.extend_from_slice(bytes));
        }
        let failed = inflation.finish(true, window, inflaters, &mut |bytes| text.extend_from_slice(bytes));
        (text, failed)
    }

    /// The examples of RFC 7692, 7.2.3: one block, a reference to the message before, no compression, a final block, two
    /// blocks.
    #[test]
    fn rfc7692_7_2_3_examples() {
        let (mut window, mut inflaters) = (Window::new(Agreed::default()), Inflaters::default());
        for coded in [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\xf2\x00\x11\x00\x00",
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ] {
            for step in [1, 3, 100] {
                let mut copy = Window { text: window.text.clone(), ..Window::new(window.agreed) };
                assert_eq!(read(coded, step, &mut copy, &mut inflaters), (b"Hello".to_vec(), None));
            }
            assert_eq!(read(coded, 100, &mut window, &mut inflaters).0, b"Hello");
        }
    }

    #[test]
    fn messages_refer_to_those_before_them() {
        let long: Vec<u8> =
            (0..90_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_be_bytes()).collect();
        let messages: Vec<&[u8]> =
            vec![b"{\"a\":1,\"b\":2}", b"{\"a\":1,\"b\":3}", &long, b"", &long[300_000..], b"{\"a\":1}"];
        for takeover in [true, false] {
            let agreed = Agreed { takeover, ..Agreed::default() };
            let (mut window, mut inflaters) = (Window::new(agreed), Inflaters::default());
            for (message, coded) in messages.iter().zip(compressed(&messages, takeover)) {
                let (text, failed) = read(&coded, 1_000, &mut window, &mut inflaters);
                assert_eq!(failed, None);
                assert!(text == *message, "{} bytes for {}", text.len(), message.len());
            }
            assert!(window.held() <= 2 * ((32 << 10) + SLACK + STEP), "{}", window.held());
            assert!(takeover || window.text.is_empty(), "nothing is kept that nobody refers to");
        }
    }

    /// Nothing is made up behind a loss, and what refers to nothing lost is read.
    #[test]
    fn what_refers_to_lost_text_is_unreadable_and_nothing_else() {
        let messages: Vec<&[u8]> = vec![b"the first of them", b"the first of them again", b"zyxwv"];
        let coded = compressed(&messages, true);
        let (mut window, mut inflaters) = (Window::new(Agreed::default()), Inflaters::default());
        window.lose();
        let (text, failed) = read(&coded[1], 100, &mut window, &mut inflaters);
        assert_eq!(failed, Some(Unreadable::Lost));
        assert!(messages[1].starts_with(&text), "only what is right");
        assert_eq!(read(&coded[2], 100, &mut window, &mut inflaters), (b"zyxwv".to_vec(), None));
    }

    #[test]
    fn what_is_no_deflate_is_invalid() {
        let (mut window, mut inflaters) = (Window::new(Agreed::default()), Inflaters::default());
        let (_, failed) = read(b"\xff\xff\xff\xff", 100, &mut window, &mut inflaters);
        assert_eq!(failed, Some(Unreadable::Invalid));
        let (_, failed) = read(b"\xff\xff\xff\xff", 100, &mut window, &mut inflaters);
        assert_eq!(failed, Some(Unreadable::Lost), "what came before was not read either");
    }

    #[test]
    fn a_bomb_ends_at_its_cap() {
        let zeros = vec![0; 20 << 20];
        let coded = compressed(&[&zeros], true).remove(0);
        let (mut window, mut inflaters) = (Window::new(Agreed::default()), Inflaters::default());
        let (text, failed) = read(&coded, 1_000, &mut window, &mut inflaters);
        assert_eq!(failed, Some(Unreadable::Bomb));
        assert!(text.len() < 1 << 20, "{}", text.len());
    }

    #[test]
    fn a_small_window_keeps_little() {
        let agreed = Agreed { window_bits: 8, ..Agreed::default() };
        let mut window = Window::new(agreed);
        (0..1_000).for_each(|_| window.push(&[7; 100]));
        assert!(window.dictionary().len() == 256 && window.held() < 3 * SLACK);
    }
}
