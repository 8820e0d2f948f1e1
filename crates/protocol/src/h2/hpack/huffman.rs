//! The static Huffman code of header strings (RFC 7541, 5.2 and appendix B), decoded a symbol a look-up.

/// Bits of the code of each octet, and of EOS at the end. The code is canonical: codes of one length ascend with their
/// symbols and go on where the next shorter ones end, so that the lengths say all of it.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
    30, // EOS
];

/// The longest code.
const LONGEST: u32 = 30;

/// Lengths, 0 included.
const SIZES: usize = LONGEST as usize + 1;

/// Codes up to this length are found by one look-up: all printable text but five symbols.
const FAST: u32 = 11;

/// Symbols by the order of their codes, and per length the first code, how many there are and where they begin.
struct Canonical {
    symbols: [u16; 257],
    first: [u64; SIZES],
    count: [u64; SIZES],
    begin: [u64; SIZES],
}

#[allow(clippy::indexing_slicing, reason = "worked out by the compiler, where a bad index does not compile")]
#[allow(clippy::cast_possible_truncation, reason = "a symbol is below 257")]
const fn canonical() -> Canonical {
    let mut code = Canonical { symbols: [0; 257], first: [0; SIZES], count: [0; SIZES], begin: [0; SIZES] };
    let (mut next, mut placed, mut length) = (0, 0, 1);
    while length < SIZES {
        next <<= 1;
        code.first[length] = next;
        code.begin[length] = placed as u64;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                code.symbols[placed] = symbol as u16;
                placed += 1;
                next += 1;
                code.count[length] += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    assert!(next == 1_u64 << LONGEST, "every bit string is the beginning of one code");
    code
}

const CODE: Canonical = canonical();

/// By the next bits: a symbol in the high byte, the length of its code in the low one; 0 where the code is longer.
static TABLE: [u16; 1 << FAST] = table();

#[allow(clippy::indexing_slicing, reason = "worked out by the compiler, where a bad index does not compile")]
#[allow(clippy::cast_possible_truncation, reason = "symbols of short codes are octets")]
const fn table() -> [u16; 1 << FAST] {
    let mut table = [0; 1 << FAST];
    let mut length = 1;
    while length <= FAST as usize {
        let mut nth = 0;
        while nth < CODE.count[length] {
            let entry = CODE.symbols[(CODE.begin[length] + nth) as usize] << 8 | length as u16;
            let spare = FAST as usize - length;
            let mut low = 0;
            while low < 1 << spare {
                table[((CODE.first[length] + nth) as usize) << spare | low] = entry;
                low += 1;
            }
            nth += 1;
        }
        length += 1;
    }
    table
}

/// Appends the octets that `coded` stands for. False when it is no Huffman-coded string: a code of EOS, a padding longer
/// than 7 bits, or one of other than its first bits; what came before is appended.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> bool {
    let mut bits = Bits { window: 0, filled: 0, rest: coded };
    out.reserve(coded.len() * 8 / 5 + 1);
    loop {
        bits.refill();
        let before = out.len();
        // A refilled window has bits for several codes.
        while bits.filled >= FAST {
            let Some(octet) = bits.fast() else { break };
            out.push(octet);
        }
        if out.len() > before {
            continue;
        }
        match bits.next() {
            Next::Octet(octet) => out.push(octet),
            Next::End => return true,
            Next::Invalid => return false,
        }
    }
}

enum Next {
    Octet(u8),
    End,
    Invalid,
}

/// The bits that come next, the first one the highest.
struct Bits<'a> {
    window: u64,
    filled: u32,
    rest: &'a [u8],
}

impl Bits<'_> {
    fn refill(&mut self) {
        if let Some((eight, _)) = self.rest.split_first_chunk::<8>() {
            let taken = (64 - self.filled) / 8;
            self.window |= u64::from_be_bytes(*eight).checked_shr(self.filled).unwrap_or(0);
            self.filled += taken * 8;
            // Bits beyond the whole bytes taken come again, equal.
            self.rest = self.rest.get(taken as usize..).unwrap_or_default();
            return;
        }
        while self.filled <= 56 {
            let Some((byte, rest)) = self.rest.split_first() else { return };
            self.window |= u64::from(*byte) << (56 - self.filled);
            self.filled += 8;
            self.rest = rest;
        }
    }

    fn drop(&mut self, bits: u32) {
        self.window <<= bits;
        self.filled -= bits;
    }

    /// The next symbol when its code is short; there must be bits enough.
    fn fast(&mut self) -> Option<u8> {
        let entry = TABLE.get((self.window >> (64 - FAST)) as usize).copied().unwrap_or(0);
        let [octet, length] = entry.to_be_bytes();
        if length == 0 {
            return None;
        }
        self.drop(u32::from(length));
        Some(octet)
    }

    /// The next symbol by all lengths, near the end of the string too.
    fn next(&mut self) -> Next {
        for length in 5..=LONGEST {
            if length > self.filled {
                return self.end();
            }
            let code = self.window >> (64 - length);
            let at = |table: &[u64]| table.get(length as usize).copied().unwrap_or(0);
            let nth = code.wrapping_sub(at(&CODE.first));
            if nth < at(&CODE.count) {
                let place = usize::try_from(at(&CODE.begin) + nth).unwrap_or(usize::MAX);
                let symbol = CODE.symbols.get(place).copied().unwrap_or(256);
                self.drop(length);
                return u8::try_from(symbol).map_or(Next::Invalid, Next::Octet);
            }
        }
        Next::Invalid
    }

    /// What is left is no whole code: padding, or not.
    fn end(&self) -> Next {
        let ones = u64::MAX.checked_shl(64 - self.filled).unwrap_or(0);
        if self.filled < 8 && self.window == ones { Next::End } else { Next::Invalid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(coded, &mut out).then_some(out)
    }

    /// Bit by bit, from the lengths alone.
    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for octet in text {
            let length = usize::from(LENGTHS[usize::from(*octet)]);
            let shorter = (0..257_u16).filter(|symbol| {
                let other = usize::from(LENGTHS[usize::from(*symbol)]);
                other < length || other == length && *symbol < u16::from(*octet)
            });
            let code: u64 =
                shorter.map(|symbol| 1_u64 << (length - usize::from(LENGTHS[usize::from(symbol)]))).sum();
            bits += &format!("{code:0length$b}");
        }
        bits += &"1".repeat(bits.len().next_multiple_of(8) - bits.len());
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    #[test]
    fn rfc7541_c_4_1_www_example_com() {
        let coded = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decoded(&coded).unwrap(), b"www.example.com");
    }

    #[test]
    fn rfc7541_5_2_padding_is_the_beginning_of_eos_and_shorter_than_an_octet() {
        assert_eq!(decoded(&[]), Some(Vec::new()));
        assert_eq!(decoded(&[0b0001_1111]).unwrap(), b"a", "three bits of padding");
        assert_eq!(decoded(&[0b0001_1110]), None, "padding has a zero");
        assert_eq!(decoded(&[0xff]), None, "eight bits of padding");
        assert_eq!(decoded(&[0b0001_1111, 0xff]), None, "eleven bits of padding");
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), None, "EOS");
    }

    proptest! {
        #[test]
        fn what_is_coded_is_decoded(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decoded(&encoded(&text)), Some(text));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(coded in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(text) = decoded(&coded) {
                prop_assert_eq!(encoded(&text), coded);
            }
        }
    }
}
