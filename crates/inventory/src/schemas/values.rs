//! The different texts of a field, while they are few.

use tapwire_inspect::fields::{Field, FieldList, Step};

/// Different texts kept of a field; one with more is no choice of few.
const MAX_VALUES: usize = 12;
/// Values that a field must have had to be called a choice, and as many for each different text.
const LEAST: u64 = 20;
const LEAST_EACH: u64 = 5;

/// The texts.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Values {
    /// Sorted; empty once they are many.
    texts: Vec<Box<str>>,
    many: bool,
}

impl Values {
    /// None yet. Of what may be a secret or a person nothing is kept.
    pub(super) fn of(step: Step, name: &str) -> Self {
        Self { texts: Vec::new(), many: step == Step::Cookie || is_personal(name) }
    }

    pub(super) const fn are_many(&self) -> bool {
        self.many
    }

    /// All that were kept, sorted.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// Puts its texts in order after they were read.
    pub(super) fn restore(&mut self) {
        self.texts.sort_unstable();
        self.texts.dedup();
        self.texts.truncate(if self.many { 0 } else { MAX_VALUES });
    }

    pub(super) fn bytes(&self) -> usize {
        self.texts.iter().map(|text| size_of::<Box<str>>() + text.len()).sum()
    }

    /// Takes in the texts of a field; how many bytes it grew.
    pub(super) fn learn(&mut self, list: &FieldList, field: &Field) -> isize {
        if field.many {
            return self.give_up();
        }
        let samples = list.samples(field).filter_map(|sample| std::str::from_utf8(sample).ok());
        samples.map(|sample| self.add(sample)).sum()
    }

    pub(super) fn absorb(&mut self, other: &Self) -> isize {
        if other.many {
            return self.give_up();
        }
        other.texts.iter().map(|text| self.add(text)).sum()
    }

    fn give_up(&mut self) -> isize {
        let shrunk = self.bytes();
        self.many = true;
        self.texts = Vec::new();
        -isize::try_from(shrunk).unwrap_or(0)
    }

    fn add(&mut self, text: &str) -> isize {
        let Err(at) = self.texts.binary_search_by(|known| (**known).cmp(text)) else { return 0 };
        if self.many {
            return 0;
        }
        if self.texts.len() >= MAX_VALUES || !is_plain(text) {
            return self.give_up();
        }
        self.texts.insert(at, text.into());
        isize::try_from(size_of::<Box<str>>() + text.len()).unwrap_or(0)
    }

    pub(super) fn choices(&self, values: u64) -> Option<Vec<&str>> {
        let different = self.texts.len() as u64;
        let few = different >= 2 && values >= LEAST && values >= different * LEAST_EACH;
        (few && !self.many).then(|| self.texts.iter().map(|text| &**text).collect())
    }
}

/// Whether a text is a number or a word. Others may be anybody's, would not leave as a choice, and are not kept: what is learned
/// is kept on disk.
fn is_plain(text: &str) -> bool {
    let all = |test: fn(&u8) -> bool| text.bytes().all(|byte| test(&byte));
    all(u8::is_ascii_digit) && text.len() <= 18
        || all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-')) && text.len() <= 24
}

/// Whether a field of that name holds a secret or something of a person: its values are never kept.
fn is_personal(name: &str) -> bool {
    const PARTS: [&str; 17] = [
        "pass",
        "pwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "auth",
        "session",
        "signature",
        "mail",
        "phone",
        "login",
        "user",
        "name",
        "birth",
        "address",
    ];
    const WHOLE: [&str; 8] = ["pin", "otp", "sid", "ssn", "iban", "cvv", "cvc", "key"];
    let lower = name.to_ascii_lowercase();
    WHOLE.contains(&lower.as_str()) || PARTS.iter().any(|part| lower.contains(part))
}
