//! Percent-encoding (RFC 3986, 2.1) and base64 (RFC 4648), into bounded buffers.

/// Undoes percent-encoding, of at most `cap` decoded bytes. A `%` without two hexadecimal digits stays as it is.
pub fn decode(text: &[u8], cap: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().min(cap));
    decode_into(text, cap, b'%', &mut out);
    out
}

/// The same behind what `out` holds, up to `cap` bytes in all; a `+` is a space (HTML, form submission).
pub(crate) fn decode_form(text: &[u8], cap: usize, out: &mut Vec<u8>) {
    decode_into(text, cap, b'+', out);
}

/// Undoes escapes; `space` is what stands for a space, `%` where nothing does.
fn decode_into(text: &[u8], cap: usize, space: u8, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        if out.len() >= cap {
            break;
        }
        let escaped = (byte == b'%').then(|| escape(tail)).flatten();
        let plain = if byte == space && byte != b'%' { b' ' } else { byte };
        out.push(escaped.unwrap_or(plain));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn escape(digits: &[u8]) -> Option<u8> {
    let [high, low] = *digits.first_chunk::<2>()?;
    Some(nibble(high)? << 4 | nibble(low)?)
}

/// The value of a hexadecimal digit.
pub(crate) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Decodes base64 in either alphabet, with or without padding, of at most `cap` decoded bytes; `None` for other bytes.
pub(crate) fn base64(text: &[u8], cap: usize) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let mut out = Vec::with_capacity((text.len() / 4 * 3 + 2).min(cap));
    let mut bits = 0_u32;
    for (index, &byte) in text.iter().enumerate() {
        bits = bits << 6 | u32::from(sextet(byte)?);
        if index % 4 != 0 && out.len() < cap {
            let unused = 6 - 2 * u32::try_from(index % 4).unwrap_or(0);
            out.push((bits >> unused & 0xff).try_into().unwrap_or(0));
        }
    }
    Some(out)
}

/// The six bits that a character of base64 stands for, in either alphabet.
pub(crate) const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decoding_keeps_what_is_no_escape() {
        assert_eq!(decode(b"a%20b%2Fc%2f", 64), b"a b/c/");
        assert_eq!(decode(b"100%", 64), b"100%");
        assert_eq!(decode(b"%zz%4", 64), b"%zz%4");
        assert_eq!(decode(b"%41%41%41", 2), b"AA");
    }

    #[test]
    fn base64_rfc4648_section_10() {
        let vectors: [(&[u8], &[u8]); 7] = [
            (b"", b""),
            (b"Zg==", b"f"),
            (b"Zm8=", b"fo"),
            (b"Zm9v", b"foo"),
            (b"Zm9vYg==", b"foob"),
            (b"Zm9vYmE=", b"fooba"),
            (b"Zm9vYmFy", b"foobar"),
        ];
        for (coded, plain) in vectors {
            assert_eq!(base64(coded, 64).as_deref(), Some(plain));
        }
        assert_eq!(base64(b"-_-_", 64), base64(b"+/+/", 64));
        assert_eq!(base64(b"Zm9vYg", 64).as_deref(), Some(&b"foob"[..]));
        assert_eq!(base64(b"Zm9 vYg", 64), None);
        assert_eq!(base64(b"Zm9vYmFy", 4).as_deref(), Some(&b"foob"[..]));
    }
}
