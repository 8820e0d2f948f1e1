//! What words say to data classes, remembered: the same few stand before values again and again.

use super::look::{Classes, Clues};

/// Bytes of the words before a value that are read.
pub(super) const NEAR: usize = 40;
/// Words remembered; a power of two.
const SLOTS: usize = 64;

/// What words were known to say, by their text. It only saves time: what it answers is what [`Classes::clues`] would.
#[derive(Default)]
pub(crate) struct Said {
    slots: Vec<Known>,
}

/// Words with what they say.
#[derive(Clone, Copy)]
struct Known {
    text: [u8; NEAR],
    /// Longer than any text where the slot is free.
    len: u8,
    clues: Clues,
}

impl Said {
    /// What the words before a value say.
    pub(crate) fn of(&mut self, classes: &Classes, words: &[u8]) -> Clues {
        if words.is_empty() {
            return Clues::default();
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Known { text: [0; NEAR], len: u8::MAX, clues: Clues::default() });
        }
        let Some(slot) = self.slots.get_mut(slot_of(words)) else { return classes.clues(b"", words) };
        if slot.text.get(..usize::from(slot.len)) == Some(words) {
            return slot.clues;
        }
        let clues = classes.clues(b"", words);
        if let Some(text) = slot.text.get_mut(..words.len()) {
            text.copy_from_slice(words);
            (slot.len, slot.clues) = (u8::try_from(words.len()).unwrap_or(u8::MAX), clues);
        }
        clues
    }
}

/// By length and the bytes at both ends: the words of one field differ little, those of two fields there.
fn slot_of(words: &[u8]) -> usize {
    let end = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or(0));
    let middle = words.get(words.len() / 2);
    (words.len() + 7 * end(words.first()) + 13 * end(middle) + 31 * end(words.last())) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_the_same_when_they_are_remembered() {
        let classes = Classes::default();
        let mut said = Said::default();
        let long = "x".repeat(NEAR + 1);
        for _ in 0..2 {
            for words in ["", "card ", "cord ", "ssn: ", "my phone is ", "your ", "phone", &long] {
                assert_eq!(
                    said.of(&classes, words.as_bytes()),
                    classes.clues(b"", words.as_bytes()),
                    "{words}"
                );
            }
        }
    }
}
