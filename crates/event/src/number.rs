//! Numbers as text, without `format!`: it costs more than all the rest of an event.

use std::net::IpAddr;

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Decimal digits.
pub(crate) fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = digit(value % 10);
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.last_chunk::<20>().and_then(|d| d.get(20 - used..)).unwrap_or_default());
}

/// Decimal digits with a sign where it is negative.
pub(crate) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// Exactly `width` decimal digits, with zeros in front.
pub(crate) fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let from = out.len();
    out.resize(from + width, b'0');
    let mut rest = value;
    for slot in out.iter_mut().skip(from).rev() {
        *slot = digit(rest % 10);
        rest /= 10;
    }
}

/// Two decimal digits.
pub(crate) fn two(out: &mut Vec<u8>, value: u8) {
    let at = usize::from(value % 100) * 2;
    out.extend_from_slice(PAIRS.get(at..at + 2).unwrap_or_default());
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).unwrap_or(0)
}

const fn nibble(value: u8) -> u8 {
    match value & 0xf {
        low @ 0..=9 => b'0' + low,
        high => b'a' + high - 10,
    }
}

/// Two lower-case hexadecimal digits a byte.
pub(crate) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for part in bytes.chunks(16) {
        let mut digits = [0; 32];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(part) {
            *pair = [nibble(byte >> 4), nibble(*byte)];
        }
        out.extend_from_slice(digits.get(..part.len() * 2).unwrap_or_default());
    }
}

/// `%XX`, as URIs escape a byte.
pub(crate) fn percent(out: &mut Vec<u8>, byte: u8) {
    out.extend([b'%', nibble(byte >> 4).to_ascii_uppercase(), nibble(byte).to_ascii_uppercase()]);
}

/// An address in its usual form.
pub(crate) fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            unsigned(out, a.into());
            for octet in [b, c, d] {
                out.push(b'.');
                unsigned(out, octet.into());
            }
        }
        // Rare enough for the standard library's RFC 5952 form.
        IpAddr::V6(v6) => out.extend_from_slice(v6.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_read_as_the_standard_library_writes_them() {
        for value in [0, 9, 10, 99, 100, 65_535, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(written(|out| unsigned(out, value)), value.to_string());
        }
        for value in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(written(|out| signed(out, value)), value.to_string());
        }
        assert_eq!(written(|out| padded(out, 42, 6)), "000042");
        assert_eq!(written(|out| two(out, 7)), "07");
        assert_eq!(written(|out| hex(out, &[0, 0xaf])), "00af");
        assert_eq!(written(|out| percent(out, 0xaf)), "%AF");
    }

    #[test]
    fn addresses_read_as_the_standard_library_writes_them() {
        for text in ["0.0.0.0", "10.0.0.255", "2001:db8::1", "::1"] {
            assert_eq!(written(|out| ip(out, text.parse().unwrap())), text);
        }
    }
}
