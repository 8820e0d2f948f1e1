//! Bytes into whole lines.

use zeroize::{Zeroize, Zeroizing};

/// The longest line that is of use has 250 bytes; what is longer is no line of a key log.
const LONGEST: usize = 1_024;
/// Bytes that are read at a time.
pub(crate) const PIECE: usize = 16 << 10;

/// Whole lines, each with its end.
pub(crate) type Batch = Zeroizing<Vec<u8>>;

/// Cuts one sender's bytes into lines: those of two senders never mix.
pub(crate) struct Lines {
    partial: Batch,
    /// Inside a line that is too long.
    skipping: bool,
}

impl Default for Lines {
    fn default() -> Self {
        // Never grows, so no copy is left behind by growing.
        Self { partial: Zeroizing::new(Vec::with_capacity(LONGEST)), skipping: false }
    }
}

/// What came of a piece.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) lines: u64,
    pub(crate) too_long: u64,
}

impl Lines {
    /// The whole lines that a piece of at most [`PIECE`] bytes ends.
    pub(crate) fn cut(&mut self, piece: &[u8]) -> (Batch, Cut) {
        let mut batch = Zeroizing::new(Vec::with_capacity(piece.len() + LONGEST + 1));
        let mut cut = Cut::default();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.take(part, &mut batch, &mut cut);
        }
        (batch, cut)
    }

    /// The last line of a source that has ended may lack its end.
    pub(crate) fn end(&mut self) -> (Batch, Cut) {
        self.cut(b"\n")
    }

    fn take(&mut self, part: &[u8], batch: &mut Batch, cut: &mut Cut) {
        let ends = part.ends_with(b"\n");
        if self.skipping || self.partial.len() + part.len() > LONGEST {
            cut.too_long += u64::from(!self.skipping);
            self.partial.zeroize();
            self.skipping = !ends;
        } else if ends {
            let empty = self.partial.is_empty() && part.len() == 1;
            if !empty {
                batch.extend_from_slice(&self.partial);
                batch.extend_from_slice(part);
                cut.lines += 1;
            }
            self.partial.zeroize();
        } else {
            self.partial.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_wherever_they_are_cut() {
        let text = b"first\n\nsecond line\r\nthird\n";
        for at in 0..text.len() {
            let mut lines = Lines::default();
            let (one, first) = lines.cut(&text[..at]);
            let (two, second) = lines.cut(&text[at..]);
            assert_eq!([&one[..], &two[..]].concat(), b"first\nsecond line\r\nthird\n", "{at}");
            assert_eq!(first.lines + second.lines, 3);
        }
    }

    #[test]
    fn what_is_too_long_is_left_out_and_counted() {
        let mut lines = Lines::default();
        let long = vec![b'x'; 3 * LONGEST];
        assert_eq!(lines.cut(&long).1, Cut { lines: 0, too_long: 1 });
        assert_eq!(lines.cut(&long).1, Cut::default());
        let (batch, cut) = lines.cut(b"xx\ngood\nopen");
        assert_eq!((&batch[..], cut.lines), (&b"good\n"[..], 1));
        assert_eq!(&lines.end().0[..], b"open\n");
        assert!(lines.partial.capacity() <= LONGEST);
    }
}
