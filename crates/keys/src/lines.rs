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
    /// Of those, neither a line of a key log nor a remark.
    pub(crate) foreign: u64,
    /// Of those, remarks.
    pub(crate) remarks: u64,
    pub(crate) too_long: u64,
}

impl Cut {
    pub(crate) const fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.foreign += other.foreign;
        self.remarks += other.remarks;
        self.too_long += other.too_long;
    }

    /// Lines with a secret.
    pub(crate) const fn good(&self) -> u64 {
        self.lines.saturating_sub(self.foreign + self.remarks)
    }

    /// What is of no use.
    pub(crate) const fn odd(&self) -> u64 {
        self.foreign + self.too_long
    }
}

/// Whether a line has the shape of NSS's format, so that an operator hears at once of a file that holds something else:
/// a remark, or label, client random and secret. What the labels mean is the protocol's business.
fn is_of_key_log(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let label = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let hexadecimal = |word: &[u8]| word.len().is_multiple_of(2) && word.iter().all(u8::is_ascii_hexdigit);
    let mut next = || words.next().unwrap_or_default();
    let (name, random, secret) = (next(), next(), next());
    let three = name.iter().all(label) && random.len() == 64 && !secret.is_empty() && next().is_empty();
    line.is_empty() || line.starts_with(b"#") || three && hexadecimal(random) && hexadecimal(secret)
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
                let from = batch.len();
                batch.extend_from_slice(&self.partial);
                batch.extend_from_slice(part);
                cut.lines += 1;
                let line = batch.get(from..).unwrap_or_default();
                cut.foreign += u64::from(!is_of_key_log(line));
                cut.remarks += u64::from(line.starts_with(b"#"));
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
        assert_eq!(lines.cut(&long).1, Cut { too_long: 1, ..Cut::default() });
        assert_eq!(lines.cut(&long).1, Cut::default());
        let (batch, cut) = lines.cut(b"xx\ngood\nopen");
        assert_eq!((&batch[..], cut.lines), (&b"good\n"[..], 1));
        assert_eq!(&lines.end().0[..], b"open\n");
        assert!(lines.partial.capacity() <= LONGEST);
    }

    #[test]
    fn lines_that_are_none_of_a_key_log_are_told_apart() {
        let good = format!("CLIENT_TRAFFIC_SECRET_0 {} {}\r\n", "0a".repeat(32), "Fe".repeat(48));
        let short = good.replacen("0a", "0", 1);
        let text = format!("# SSL/TLS secrets log\n{good}hello\n{short}{}", good.replace("CLIENT", "client"));
        assert_eq!(
            Lines::default().cut(text.as_bytes()).1,
            Cut { lines: 5, foreign: 3, remarks: 1, too_long: 0 }
        );
    }
}
