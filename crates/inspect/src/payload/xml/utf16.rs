//! XML in UTF-16 (XML 1.0, 4.3.3 and appendix F), which SOAP of older tools is written in, as UTF-8.

/// The order of a unit's two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

/// What the first two bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Encoding {
    /// The first byte, once it came.
    #[default]
    Unread,
    Begun(u8),
    /// UTF-8, or another that has ASCII in it.
    Plain,
    Wide(Order),
}

/// A decoder for one document, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Utf16 {
    encoding: Encoding,
    /// The first byte of a unit, and the leading surrogate before it.
    byte: Option<u8>,
    surrogate: Option<u16>,
    out: Vec<u8>,
}

impl Utf16 {
    /// Makes it ready for another document.
    pub(super) fn restart(&mut self) {
        (self.encoding, self.byte, self.surrogate) = (Encoding::Unread, None, None);
    }

    /// Hands on the bytes as UTF-8, where they lie if they are no UTF-16.
    pub(super) fn feed(&mut self, bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while let Encoding::Unread | Encoding::Begun(_) = self.encoding {
            let Some((&byte, tail)) = rest.split_first() else { return };
            rest = tail;
            self.first(byte, take);
        }
        match self.encoding {
            Encoding::Wide(order) => self.wide(rest, order, take),
            _ => take(rest),
        }
    }

    /// Ends the document: a single byte is what it is.
    pub(super) fn finish(&mut self, take: &mut dyn FnMut(&[u8])) {
        if let Encoding::Begun(byte) = self.encoding {
            take(&[byte]);
        } else if self.byte.is_some() || self.surrogate.is_some() {
            take("\u{fffd}".as_bytes());
        }
        self.restart();
    }

    /// A byte order mark, or the `<` that every document begins with.
    fn first(&mut self, byte: u8, take: &mut dyn FnMut(&[u8])) {
        self.encoding = match (self.encoding, byte) {
            (Encoding::Unread, 0xfe | 0xff | 0 | b'<') => Encoding::Begun(byte),
            (Encoding::Begun(0xfe), 0xff) => Encoding::Wide(Order::Big),
            (Encoding::Begun(0xff), 0xfe) => Encoding::Wide(Order::Little),
            (Encoding::Begun(0), b'<') => {
                take(b"<");
                Encoding::Wide(Order::Big)
            }
            (Encoding::Begun(b'<'), 0) => {
                take(b"<");
                Encoding::Wide(Order::Little)
            }
            (Encoding::Begun(first), _) => {
                take(&[first, byte]);
                Encoding::Plain
            }
            _ => {
                take(&[byte]);
                Encoding::Plain
            }
        };
    }

    fn wide(&mut self, bytes: &[u8], order: Order, take: &mut dyn FnMut(&[u8])) {
        let mut out = std::mem::take(&mut self.out);
        for piece in bytes.chunks(4 << 10) {
            piece.iter().for_each(|byte| self.byte(*byte, order, &mut out));
            take(&out);
            out.clear();
        }
        self.out = out;
    }

    fn byte(&mut self, byte: u8, order: Order, out: &mut Vec<u8>) {
        let Some(first) = self.byte.take() else {
            self.byte = Some(byte);
            return;
        };
        let unit = match order {
            Order::Big => u16::from_be_bytes([first, byte]),
            Order::Little => u16::from_le_bytes([first, byte]),
        };
        // A surrogate without its other half stands for nothing.
        if unit & 0xfc00 == 0xd800 {
            if self.surrogate.replace(unit).is_some() {
                put(char::REPLACEMENT_CHARACTER, out);
            }
            return;
        }
        for character in char::decode_utf16(self.surrogate.take().into_iter().chain([unit])) {
            put(character.unwrap_or(char::REPLACEMENT_CHARACTER), out);
        }
    }
}

fn put(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}
