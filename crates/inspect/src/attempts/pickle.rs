//! Python's pickles: programs for a small machine. Random bytes that begin like one are none.

/// What follows an instruction.
enum Argument {
    /// So many bytes.
    Bytes(usize),
    /// A length in so many bytes, least first, and a text or bytes of it.
    Counted(usize),
    /// So many lines.
    Lines(usize),
}

/// The argument of an instruction, by pickletools; `None`: there is no such instruction.
const fn argument(instruction: u8) -> Option<Argument> {
    Some(match instruction {
        b'(' | b'0' | b'1' | b'2' | b'N' | b'Q' | b'R' | b'a' | b'b' | b'd' | b'e' | b'l' | b'o' | b's'
        | b't' | b'u' | b'}' | b']' | b')' => Argument::Bytes(0),
        0x81 | 0x85..=0x89 | 0x8f..=0x94 | 0x97 | 0x98 => Argument::Bytes(0),
        b'K' | b'h' | b'q' | 0x80 | 0x82 => Argument::Bytes(1),
        b'M' | 0x83 => Argument::Bytes(2),
        b'J' | b'j' | b'r' | 0x84 => Argument::Bytes(4),
        b'G' | 0x95 => Argument::Bytes(8),
        b'U' | b'C' | 0x8a | 0x8c => Argument::Counted(1),
        b'X' | b'T' | b'B' | 0x8b => Argument::Counted(4),
        0x8d | 0x8e | 0x96 => Argument::Counted(8),
        b'F' | b'I' | b'L' | b'S' | b'V' | b'P' | b'g' | b'p' => Argument::Lines(1),
        b'c' | b'i' => Argument::Lines(2),
        _ => return None,
    })
}

/// Whether these bytes are a pickle of protocol 2 to 5 that holds a text or names a class: instructions to the last byte, which
/// stops. Of one that is cut off, the instructions that are there.
pub(super) fn is_pickle(bytes: &[u8], is_cut: bool) -> bool {
    let [0x80, 2..=5, rest @ ..] = bytes else { return false };
    let (mut rest, mut holds) = (rest, false);
    while let Some((instruction, behind)) = rest.split_first() {
        if *instruction == b'.' {
            return holds && behind.is_empty();
        }
        let Some(argument) = argument(*instruction) else { return false };
        holds |= matches!(argument, Argument::Counted(_) | Argument::Lines(_));
        match after(behind, &argument) {
            Some(next) => rest = next,
            None => return is_cut && holds,
        }
    }
    is_cut && holds
}

/// What stands behind an argument; `None` where the bytes end within it.
fn after<'a>(bytes: &'a [u8], argument: &Argument) -> Option<&'a [u8]> {
    match *argument {
        Argument::Bytes(count) => bytes.get(count..),
        Argument::Counted(width) => {
            let (length, text) = bytes.split_at_checked(width)?;
            let length = length.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            text.get(usize::try_from(length).ok()?..)
        }
        Argument::Lines(count) => {
            let line = |rest: &'a [u8]| rest.get(memchr::memchr(b'\n', rest)? + 1..);
            (0..count).try_fold(bytes, |rest, _| line(rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_pickle;

    #[test]
    fn programs_are_told_from_bytes_that_begin_alike() {
        for program in [
            &b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R."[..],
            b"\x80\x03}q\x00X\x03\x00\x00\x00cmdq\x01X\x02\x00\x00\x00idq\x02s.",
            b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93.",
        ] {
            assert!(is_pickle(program, false), "{program:?}");
        }
        for other in [
            &b"\x80\x04N."[..],
            b"\x80\x02\x1fa\xb2.",
            b"\x80\x02cos.",
            b"\x80\x02X\x02\x00\x00\x00idN",
            b"\x80\x09X\x02\x00\x00\x00id.",
            b"\x80\x02X\x02\x00\x00\x00id.more.",
        ] {
            assert!(!is_pickle(other, false), "{other:?}");
        }
        assert!(is_pickle(b"\x80\x02X\x02\x00\x00\x00idX\xff\x00\x00\x00a longer tex", true));
        assert!(!is_pickle(b"\x80\x02\x1fa\xb2", true));
    }

    #[test]
    fn random_bytes_are_hardly_ever_one() {
        let (mut found, mut state) = (0, 7_u64);
        for _ in 0..200_000 {
            let mut bytes = vec![0x80, 4];
            for _ in 0..11 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                bytes.extend_from_slice(&(state >> 16).to_be_bytes()[..6]);
            }
            bytes.push(b'.');
            found += u32::from(is_pickle(&bytes, false));
        }
        assert!(found < 200, "{found} of 200,000");
    }
}
