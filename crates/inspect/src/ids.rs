//! Identifiers: values that name a person, a thing or a tenant, as keyed hashes, so that what one exchange says can be
//! compared with what others said without keeping it.

use crate::fields::FieldIndex;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// Identifiers kept of one body or head.
pub(crate) const MAX_IDS: usize = 128;
/// Bytes of an identifier: what is longer names nothing that people or programs pass on.
const MAX_ID: usize = 128;

/// A value of a field whose name says that it names something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdValue {
    /// Its field in the list.
    pub field: FieldIndex,
    /// Whether it is the field's name rather than its value: the key of a map.
    pub is_key: bool,
    /// The keyed hash of the text.
    pub hash: u64,
    /// The number that it ends with, in requests.
    pub number: Option<u64>,
}

/// The number that a text ends with.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    std::str::from_utf8(text.get(digits..)?).ok()?.parse().ok()
}

/// Hashes identifiers. The same text has the same hash wherever it stands: in a path, as a number of JSON, as the subject of
/// a token.
#[derive(Clone, Copy, Default)]
pub struct IdKey([u8; 16]);

impl IdKey {
    /// With the key of tables that are filled from traffic.
    pub const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// The hash of an identifier; case does not count. `None` of what is too long, empty, or no more than a sign.
    pub fn hash(&self, text: &[u8]) -> Option<u64> {
        let text = text.trim_ascii();
        if text.is_empty() || text.len() > MAX_ID {
            return None;
        }
        let mut lower = [0; MAX_ID];
        let lower = lower.get_mut(..text.len())?;
        lower.iter_mut().zip(text).for_each(|(to, from)| *to = from.to_ascii_lowercase());
        let mut hash = SipHasher13::new_with_key(&self.0);
        hash.write(lower);
        Some(hash.finish().max(1))
    }
}

impl std::fmt::Debug for IdKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdKey(..)")
    }
}

/// Last words of names whose values name something.
const ENDS: &[&[u8]] = &[b"id", b"ids", b"uuid", b"guid", b"uid", b"sub", b"slug"];
/// Words that name who owns, made or holds something, wherever they stand in a name that has at most two words.
const WHO: &[&[u8]] = &[
    b"owner",
    b"user",
    b"username",
    b"login",
    b"account",
    b"customer",
    b"client",
    b"tenant",
    b"org",
    b"organization",
    b"organisation",
    b"author",
    b"creator",
    b"patient",
    b"member",
    b"merchant",
    b"subject",
    b"holder",
    b"assignee",
    b"seller",
    b"buyer",
    b"recipient",
    b"email",
    b"workspace",
    b"company",
];

/// Whether values of a field of that name name something: `id`, `customer_id`, `ownerId`, `user`, `createdBy`.
pub(crate) fn is_name(name: &[u8]) -> bool {
    if name.len() > 40 {
        return false;
    }
    let (mut words, mut last, mut who) = (0, 0..0, false);
    for word in (WordsOf { name, at: 0 }) {
        words += 1;
        who |= WHO.iter().any(|known| eq(name, &word, known));
        last = word;
    }
    ENDS.iter().any(|known| eq(name, &last, known))
        || words <= 2 && who
        || words == 2 && eq(name, &last, b"by")
}

/// Whether the name of a member is no name of a field, but what tells one entry of a map from others: an e-mail address, a
/// number, or the digits of a UUID.
pub(crate) fn is_entry(name: &[u8]) -> bool {
    let hex = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let digits = name.iter().filter(|byte| byte.is_ascii_digit()).count();
    match name.iter().position(|byte| *byte == b'@') {
        Some(at) => {
            let host = name.get(at + 1..).unwrap_or_default();
            at > 0 && host.contains(&b'.') && name.iter().all(|byte| !byte.is_ascii_whitespace())
        }
        None => digits > 0 && (digits == name.len() || name.len() >= 24 && name.iter().all(hex)),
    }
}

fn eq(name: &[u8], word: &std::ops::Range<usize>, known: &[u8]) -> bool {
    name.get(word.clone()).is_some_and(|word| word.eq_ignore_ascii_case(known))
}

/// The words of `customer_id`, `customerId` and `customer-id`.
struct WordsOf<'a> {
    name: &'a [u8],
    at: usize,
}

impl Iterator for WordsOf<'_> {
    type Item = std::ops::Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric();
        let start = self.at + self.name.get(self.at..)?.iter().position(is_part)?;
        let mut end = start + 1;
        while let (Some(before), Some(byte)) = (self.name.get(end - 1), self.name.get(end)) {
            if !is_part(byte) || before.is_ascii_lowercase() && byte.is_ascii_uppercase() {
                break;
            }
            end += 1;
        }
        self.at = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_maps_are_told_from_names() {
        for key in
            ["a@x.example", "7", "1001", "2b8f0b1e-75b5-4c53-8f0a-6d9d1c2f3a4b", "65f1c2d3e4b5a69788776655"]
        {
            assert!(is_entry(key.as_bytes()), "{key}");
        }
        for name in ["", "id", "@type", "a@b", "user1", "a@x.example name", "decade", "x-1", "-"] {
            assert!(!is_entry(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn names_of_identifiers_are_told_by_their_words() {
        for name in [
            "id",
            "ID",
            "_id",
            "customer_id",
            "customerId",
            "owner",
            "user",
            "account-owner",
            "createdBy",
            "created_by",
            "patientUUID",
            "tenant",
        ] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
        for name in [
            "paid",
            "grid",
            "valid",
            "status",
            "total",
            "created",
            "userAgentFamilyName",
            "standby",
            "idea",
            "",
        ] {
            assert!(!is_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_same_text_has_the_same_hash_in_any_case() {
        let key = IdKey::new([7; 16]);
        assert_eq!(key.hash(b"Jane@Example.com"), key.hash(b" jane@example.com"));
        assert_ne!(key.hash(b"1034"), key.hash(b"1035"));
        assert_ne!(key.hash(b"1034"), IdKey::new([8; 16]).hash(b"1034"));
        assert_eq!((key.hash(b""), key.hash(&[b'a'; 200])), (None, None));
    }
}
