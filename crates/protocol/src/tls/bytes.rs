//! Vectors with a length in front (RFC 8446, 3.4).

/// Takes so many bytes.
pub(super) fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (content, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(content)
}

/// Takes one byte.
pub(super) fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(*first)
}

/// Takes a number of two bytes.
pub(super) fn number(rest: &mut &[u8]) -> Option<u16> {
    let (first, behind) = rest.split_first_chunk::<2>()?;
    *rest = behind;
    Some(u16::from_be_bytes(*first))
}

/// Takes what a length of one byte announces.
pub(super) fn vector_8<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = byte(rest)?;
    take(rest, usize::from(length))
}

/// Takes what a length of two bytes announces.
pub(super) fn vector_16<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    take(rest, usize::from(length))
}

/// Takes what a length of three bytes announces.
pub(super) fn vector_24<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let high = byte(rest)?;
    let low = number(rest)?;
    take(rest, usize::from(high) << 16 | usize::from(low))
}

/// A list of numbers of two bytes; an odd byte at its end is no number.
pub(super) fn numbers(list: &[u8]) -> Vec<u16> {
    list.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(*pair.first_chunk()?))).collect()
}
