//! Whether text that comes in pieces is UTF-8 (RFC 6455, 5.6 and 8.1).

/// The longest character, in bytes.
const LONGEST: usize = 4;

/// Watches the text of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character that a piece ended within.
    tail: [u8; LONGEST],
    len: u8,
    invalid: bool,
}

impl Utf8 {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.len > 0 && !self.invalid {
            let Some((first, behind)) = rest.split_first() else { return };
            rest = behind;
            self.push(*first);
        }
        if let Err(error) = std::str::from_utf8(rest) {
            self.invalid |= error.error_len().is_some();
            let tail = rest.get(error.valid_up_to()..).unwrap_or_default();
            tail.iter().take(LONGEST - 1).for_each(|byte| self.keep(*byte));
        }
    }

    /// One more byte of the character that a piece ended within.
    fn push(&mut self, byte: u8) {
        self.keep(byte);
        match std::str::from_utf8(self.tail.get(..usize::from(self.len)).unwrap_or_default()) {
            Ok(_) => self.len = 0,
            Err(error) => self.invalid |= error.error_len().is_some(),
        }
    }

    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.tail.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len += 1;
        }
    }

    /// Whether all of it was valid; the text ends here when `whole`.
    pub(super) const fn is_valid(&self, whole: bool) -> bool {
        !self.invalid && (!whole || self.len == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn valid<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut text = Utf8::default();
        pieces.into_iter().for_each(|piece| text.feed(piece));
        text.is_valid(true)
    }

    proptest! {
        #[test]
        fn it_says_what_the_standard_library_says(
            bytes in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..12),
                proptest::collection::vec(prop::sample::select(vec![0xf0_u8, 0x9f, 0x98, 0x80, 0xe2, 0x82, 0xac, 0x41]), 0..12),
            ],
        ) {
            let expected = std::str::from_utf8(&bytes).is_ok();
            prop_assert_eq!(valid([bytes.as_slice()]), expected);
            prop_assert_eq!(valid(bytes.chunks(1)), expected);
            for cut in 0..=bytes.len() {
                prop_assert_eq!(valid([&bytes[..cut], &bytes[cut..]]), expected, "cut at {}", cut);
            }
        }
    }

    #[test]
    fn a_message_may_not_end_within_a_character() {
        let mut text = Utf8::default();
        text.feed("€".as_bytes().split_last().unwrap().1);
        assert!(text.is_valid(false) && !text.is_valid(true));
    }
}
