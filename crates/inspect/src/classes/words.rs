//! Names taken apart into words, and the phrases in them that say what a value is.

/// Words read of a name, and of the name of what holds it.
const MOST_WORDS: usize = 8;
/// Words of the longest phrase.
const LONGEST_PHRASE: usize = 4;
/// Last words that make something else of a name.
const TURNING: &[&[u8]] = &[
    b"ms",
    b"policy",
    b"type",
    b"format",
    b"count",
    b"status",
    b"enabled",
    b"verified",
    b"hint",
    b"label",
    b"title",
    b"url",
    b"uri",
    b"length",
    b"size",
    b"template",
    b"required",
    b"expiry",
    b"expires",
    b"at",
    b"hash",
    b"version",
    b"schema",
    b"rule",
    b"setting",
    b"mode",
    b"kind",
    b"total",
    b"limit",
    b"age",
    b"model",
    b"color",
    b"index",
    b"order",
    b"confirmed",
    b"valid",
    b"name",
];
/// Bytes read of a name; longer ones are data.
const MOST_BYTES: usize = 64;

/// The words of a name, in lower case and in the singular, and of the name before it.
pub(super) struct Words {
    bytes: [u8; 2 * MOST_BYTES],
    len: usize,
    /// Where each word begins and ends.
    ends: [(usize, usize); 2 * MOST_WORDS],
    count: usize,
    /// The first word of the name itself.
    own: usize,
}

impl Words {
    pub(super) fn of(parent: &[u8], key: &[u8]) -> Self {
        let mut words =
            Self { bytes: [0; 2 * MOST_BYTES], len: 0, ends: [(0, 0); 2 * MOST_WORDS], count: 0, own: 0 };
        words.add(parent);
        // Only the last words can be of one phrase with those of the key.
        let dropped = words.count.saturating_sub(LONGEST_PHRASE - 1);
        words.ends.rotate_left(dropped);
        words.count -= dropped;
        words.own = words.count;
        words.add(key);
        words
    }

    /// Takes `camelCase`, `snake_case`, `kebab-case` and `HTTPName` apart; digits are words of their own behind four letters and less.
    fn add(&mut self, name: &[u8]) {
        let name = name.get(..MOST_BYTES).unwrap_or(name);
        let mut start = self.len;
        let mut before = b' ';
        for (at, byte) in name.iter().enumerate() {
            let next_is_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let begins = byte.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next_is_lower));
            if begins || !is_word(*byte) {
                self.end(start);
                start = self.len;
            }
            if is_word(*byte) {
                self.push(byte.to_ascii_lowercase());
            }
            before = *byte;
        }
        self.end(start);
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn end(&mut self, start: usize) {
        let len = singular(self.bytes.get(start..self.len).unwrap_or_default());
        self.len = start + len;
        let room = len > 0 && self.count - self.own < MOST_WORDS;
        if let Some(slot) = self.ends.get_mut(self.count).filter(|_| room) {
            *slot = (start, start + len);
            self.count += 1;
        } else {
            self.len = start;
        }
    }

    /// Every run of words, glued together, with whether it says what the value is: it is of the name itself, and no word behind it
    /// makes something else of it, as in `passwordPolicy`.
    pub(super) fn runs(&self, mut each: impl FnMut(&[u8], bool)) {
        let ends = self.ends.get(..self.count).unwrap_or_default();
        let last_word = ends.last().and_then(|(start, end)| self.bytes.get(*start..*end)).unwrap_or_default();
        let turned = TURNING.contains(&last_word);
        for (first, (start, _)) in ends.iter().enumerate() {
            for (last, (_, end)) in ends.iter().enumerate().skip(first).take(LONGEST_PHRASE) {
                let whole = last + 1 == ends.len() || !turned;
                each(self.bytes.get(*start..*end).unwrap_or_default(), last >= self.own && whole);
            }
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The length of a word without the `s` of its plural: `cards`, but not `address`, `gps` or `status`.
fn singular(word: &[u8]) -> usize {
    match word {
        [.., b's', b's', b'e', b's'] => word.len() - 2,
        [.., b's' | b'u' | b'i', b's'] => word.len(),
        [_, _, _, .., b's'] => word.len() - 1,
        _ => word.len(),
    }
}

/// A phrase as the runs of [`Words`] spell it.
pub(super) fn glued(phrase: &str) -> Vec<u8> {
    let words = Words::of(b"", phrase.as_bytes());
    words.bytes.get(..words.len).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(parent: &str, key: &str) -> Vec<(String, bool)> {
        let mut runs = Vec::new();
        Words::of(parent.as_bytes(), key.as_bytes())
            .runs(|run, own| runs.push((String::from_utf8_lossy(run).into_owned(), own)));
        runs
    }

    fn words(key: &str) -> Vec<String> {
        let words = Words::of(b"", key.as_bytes());
        words.ends[..words.count]
            .iter()
            .map(|(a, b)| String::from_utf8_lossy(&words.bytes[*a..*b]).into_owned())
            .collect()
    }

    #[test]
    fn names_fall_into_words() {
        assert_eq!(words("cardNumber"), ["card", "number"]);
        assert_eq!(words("X-Card_Number"), ["x", "card", "number"]);
        assert_eq!(words("userSSNHash"), ["user", "ssn", "hash"]);
        assert_eq!(words("emailAddresses"), ["email", "address"]);
        assert_eq!(words("status"), ["status"]);
        assert_eq!(words("addressLine1"), ["address", "line1"]);
    }

    #[test]
    fn runs_go_over_parent_and_key() {
        let runs = runs("card", "number");
        assert!(runs.contains(&("cardnumber".into(), true)));
        assert!(runs.contains(&("card".into(), false)));
        assert!(runs.contains(&("number".into(), true)));
        assert!(self::runs("", "passwordPolicy").contains(&("password".into(), false)));
    }

    #[test]
    fn long_names_cost_no_more() {
        let long = "aB".repeat(1000);
        let mut count = 0;
        Words::of(long.as_bytes(), long.as_bytes()).runs(|_, _| count += 1);
        assert!(count <= 44, "{count}");
    }
}
