//! Numbers as text, without `format!`: it costs more than all the rest of an event.

use std::net::IpAddr;

/// Ten to the eighth: eight digits are written at a time.
const EIGHT_DIGITS: u64 = 100_000_000;

/// The digits of an octet and a dot behind them, with how many bytes that is.
const OCTETS: [([u8; 4], usize); 256] = octets();

const fn octets() -> [([u8; 4], usize); 256] {
    let mut table = [([b'.'; 4], 0); 256];
    let mut rest: &mut [([u8; 4], usize)] = &mut table;
    let mut octet = 0_u8;
    while let Some((entry, tail)) = rest.split_first_mut() {
        let [hundreds, tens, ones] = [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10];
        *entry = match octet {
            0..10 => ([ones, b'.', b'.', b'.'], 2),
            10..100 => ([tens, ones, b'.', b'.'], 3),
            _ => ([hundreds, tens, ones, b'.'], 4),
        };
        octet = octet.wrapping_add(1);
        rest = tail;
    }
    table
}

/// Eight decimal digits of a value below ten to the eighth as one number, the first digit in its lowest byte. All digits
/// are found at once: halves, quarters and eighths lie side by side, divided by multiplication.
const fn eight(value: u64) -> u64 {
    let halves = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = ((halves - hundreds * 100) << 16) | hundreds;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    ((quarters - tens * 10) << 8) | tens
}

/// Writes the last `width` (at most 8) of the eight digits. A copy of fixed length and a cut are cheaper than a copy of
/// unknown length.
fn put(out: &mut Vec<u8>, digits: u64, width: u32) {
    let unused = 8_u32.saturating_sub(width);
    let text = (digits | 0x3030_3030_3030_3030) >> (unused * 8);
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(out.len().saturating_sub(unused as usize));
}

/// Decimal digits.
pub(crate) fn unsigned(out: &mut Vec<u8>, value: u64) {
    if value >= EIGHT_DIGITS {
        unsigned(out, value / EIGHT_DIGITS);
        return put(out, eight(value % EIGHT_DIGITS), 8);
    }
    let digits = eight(value);
    // Zero has one digit too.
    put(out, digits, 8 - (digits.trailing_zeros() / 8).min(7));
}

/// Decimal digits with a sign where it is negative.
pub(crate) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// Exactly `width` decimal digits, at most 8, with zeros in front; further digits are left away.
pub(crate) fn padded(out: &mut Vec<u8>, value: u64, width: u32) {
    put(out, eight(value % EIGHT_DIGITS), width.min(8));
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
            for (digits, used) in v4.octets().iter().filter_map(|octet| OCTETS.get(usize::from(*octet))) {
                out.extend_from_slice(digits);
                out.truncate(out.len().saturating_sub(digits.len() - used));
            }
            // The dot behind the last.
            out.pop();
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
        let powers =
            (0..20).map(|n| 10_u64.pow(n)).flat_map(|power| [power - 1, power, power + 1, power / 7 * 3]);
        for value in powers.chain(0..=10_000).chain([65_535, u64::from(u32::MAX), u64::MAX]) {
            assert_eq!(written(|out| unsigned(out, value)), value.to_string());
        }
        for value in (0..EIGHT_DIGITS).step_by(9_973) {
            assert_eq!(written(|out| padded(out, value, 8)), format!("{value:08}"));
        }
        for value in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(written(|out| signed(out, value)), value.to_string());
        }
        assert_eq!(written(|out| padded(out, 42, 6)), "000042");
        assert_eq!(written(|out| padded(out, 7, 2)), "07");
        assert_eq!(written(|out| hex(out, &[0, 0xaf])), "00af");
        assert_eq!(written(|out| percent(out, 0xaf)), "%AF");
    }

    #[test]
    fn addresses_read_as_the_standard_library_writes_them() {
        for text in ["0.0.0.0", "10.0.0.255", "2001:db8::1", "::1"] {
            assert_eq!(written(|out| ip(out, text.parse().unwrap())), text);
        }
        for octet in 0..=u8::MAX {
            let text = format!("{octet}.1.{octet}.{octet}");
            assert_eq!(written(|out| ip(out, text.parse().unwrap())), text);
        }
    }
}
