//! Byte classes of RFC 9110 and RFC 9112, and ranges of a head's text.

use crate::Range;

/// A range of a head's text. Heads are far below 4 GiB, so the bound is never met.
pub(crate) fn range(start: usize, end: usize) -> Range {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Range { start: narrow(start), end: narrow(end) }
}

/// A range of a head's text, given by a part of the buffer that the text is a copy of.
pub(super) fn range_of(part: &[u8], buffer: &[u8]) -> Range {
    let start = part.as_ptr().addr().saturating_sub(buffer.as_ptr().addr());
    range(start, start + part.len())
}

/// `tchar` (RFC 9110, 5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
        | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Whether this is a token: one `tchar` or more.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// What a lenient reader takes for the space between the parts of a start line (RFC 9112, 3 and 4).
pub(super) const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | b'\r')
}

/// Optional white space (RFC 9110, 5.6.3).
pub(super) const fn is_ows(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether a request target may have this byte. Looser than RFC 3986 by what browsers leave unescaped in a query
/// (`{ } | \ ^` and the backtick), so that the anomaly means something.
pub(crate) const fn is_target_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~')
}

/// `part` without leading and trailing bytes of a class.
pub(super) fn trim(part: &[u8], class: fn(u8) -> bool) -> &[u8] {
    let start = part.iter().position(|byte| !class(*byte)).unwrap_or(part.len());
    let end = part.iter().rposition(|byte| !class(*byte)).map_or(start, |last| last + 1);
    part.get(start..end).unwrap_or_default()
}

/// `part` up to the first byte of a class, and from there on.
pub(super) fn split_before(part: &[u8], class: fn(u8) -> bool) -> (&[u8], &[u8]) {
    let at = part.iter().position(|byte| class(*byte)).unwrap_or(part.len());
    part.split_at_checked(at).unwrap_or((part, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_5_6_2_delimiters_are_no_token_bytes() {
        for byte in *b"\"(),/:;<=>?@[\\]{} \t\r\n\0\x7f\x80" {
            assert!(!is_token_byte(byte), "{byte:#x}");
        }
        assert!(is_token(b"M-SEARCH") && !is_token(b"") && !is_token(b"a b"));
    }

    #[test]
    fn target_bytes_exclude_what_no_uri_and_no_browser_sends() {
        for byte in *b" \"<>#\0\t\x7f\x80" {
            assert!(!is_target_byte(byte), "{byte:#x}");
        }
        assert!(b"/a-b_c.d~e%20?x=1&y[]={|}@:!$'()*+,;".iter().copied().all(is_target_byte));
    }

    #[test]
    fn trimming_keeps_what_is_inside() {
        assert_eq!(trim(b" \ta b\t ", is_ows), b"a b");
        assert_eq!(trim(b" \t ", is_ows), b"");
    }

    #[test]
    fn a_range_is_where_the_part_stands() {
        let buffer = b"GET /a HTTP/1.1";
        assert_eq!(range_of(&buffer[4..6], buffer), range(4, 6));
    }
}
