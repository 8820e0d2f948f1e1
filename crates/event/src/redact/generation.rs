//! Keys that follow each other: from a time of packets on, a profile's tokens are made with another key.
//!
//! The tokens by which the sensor itself knows callers stay: what was learned, policies, quotas and rules go on. Only what an
//! output gets is made with the profile's keys.

use super::{Redacted, Redactor, Remembered};
use crate::number;
use memchr::memchr;
use tapwire_inspect::{Domain, Token, TokenKey, Tokens};
use tapwire_protocol::Untrusted;
use tapwire_wire::Timestamp;

/// A key of tokens that takes over at a time.
#[derive(Debug, Clone)]
pub struct Generation {
    /// Its number, from 2: its tokens begin with `tok2:`.
    pub number: u32,
    /// Of packets.
    pub from: Timestamp,
    /// The key.
    pub key: TokenKey,
}

/// One key, ready for use.
#[derive(Debug)]
struct Made {
    number: u32,
    from: Option<Timestamp>,
    tokens: Tokens,
    id: [u8; 4],
}

/// The keys by their times; never empty of the first.
#[derive(Debug)]
pub(super) struct Keys {
    current: Made,
    others: Vec<Made>,
}

impl Keys {
    pub(super) fn new(key: TokenKey) -> Self {
        let id = key.id();
        Self { current: Made { number: 1, from: None, tokens: Tokens::new(key), id }, others: Vec::new() }
    }

    /// Whether it took another key for that time.
    fn turn_to(&mut self, time: Timestamp) -> bool {
        let begun = |made: &Made| made.from.is_none_or(|from| from <= time);
        // Of two that have begun the later one counts; the first has begun before all.
        let best =
            self.others.iter().enumerate().filter(|(_, made)| begun(made)).max_by_key(|(_, made)| made.from);
        let Some((place, made)) = best else { return false };
        if begun(&self.current) && made.from <= self.current.from {
            return false;
        }
        if let Some(other) = self.others.get_mut(place) {
            std::mem::swap(other, &mut self.current);
        }
        true
    }
}

impl Redactor {
    /// Makes tokens with another key from a time on.
    #[must_use]
    pub fn generation(mut self, generation: Generation) -> Self {
        let Generation { number, from, key } = generation;
        let id = key.id();
        self.keys.others.push(Made { number, from: Some(from), tokens: Tokens::new(key), id });
        self
    }

    /// Takes the key of that time; says whether it is another.
    pub(crate) fn turn_to(&mut self, time: Timestamp) -> bool {
        let turned = !self.keys.others.is_empty() && self.keys.turn_to(time);
        if turned {
            self.remembered = Remembered::new();
        }
        turned
    }

    /// Names the key of the tokens.
    pub const fn key_id(&self) -> [u8; 4] {
        self.keys.current.id
    }

    /// A caller's token as fields write it, `user~0123456789abcdef`. Where tokens are the profile's own, a token of that.
    pub(crate) fn shown_token<'s>(&mut self, text: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        scratch.clear();
        let text = text.bytes();
        if self.profile.own_tokens {
            let (kind, token) = text.split_at(memchr(b'~', text).map_or(0, |at| at + 1));
            scratch.extend_from_slice(kind);
            match half_of(token) {
                Some(half) => self.write_own_token(half, scratch),
                None => self.write_token_of(Domain::Value, text, scratch),
            }
        } else {
            scratch.extend_from_slice(text);
        }
        Redacted(scratch)
    }

    /// A token of the profile's own for one of the sensor's: of the half that is shown, so that every format tells the same.
    pub(super) fn write_own_token(&mut self, half: [u8; 8], out: &mut Vec<u8>) {
        self.write_token_of(Domain::Value, &half, out);
    }

    pub(super) fn write_token_of(&mut self, domain: Domain, text: &[u8], out: &mut Vec<u8>) {
        let made = &mut self.keys.current;
        write_token(made.number, made.tokens.token(domain, text), out);
    }
}

/// The half of a token that events show.
pub(super) fn shown_half(token: &Token) -> [u8; 8] {
    token.0.first_chunk().copied().unwrap_or_default()
}

/// The same half, as text has it: 16 hexadecimal digits.
fn half_of(text: &[u8]) -> Option<[u8; 8]> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.len() == 16)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
    u64::from_str_radix(digits, 16).ok().map(u64::to_be_bytes)
}

pub(super) fn write_token(generation: u32, token: Token, out: &mut Vec<u8>) {
    out.extend_from_slice(b"tok");
    if generation > 1 {
        number::unsigned(out, generation.into());
    }
    out.push(b':');
    number::hex(out, &shown_half(&token));
}

#[cfg(test)]
mod tests {
    use crate::redact::{Fidelity, Generation, Profile, Redactor};
    use tapwire_inspect::{Domain, Token, TokenKey};
    use tapwire_protocol::Untrusted;
    use tapwire_wire::Timestamp;

    fn generation(number: u8, from: i64) -> Generation {
        let from = Timestamp::from_nanos(from);
        Generation { number: number.into(), from, key: TokenKey::new([number; 32]) }
    }

    fn told(redactor: &mut Redactor, time: i64) -> (String, String, [u8; 4]) {
        let _another = redactor.turn_to(Timestamp::from_nanos(time));
        let mut scratch = Vec::new();
        let text = Untrusted::new(b"Bearer s3cr3t-of-somebody-1234567");
        let header = redactor.header(b"authorization", text, &mut scratch);
        let header = String::from_utf8(header.bytes().to_vec()).unwrap();
        let caller = redactor.token(Token([3; 16]), &mut scratch);
        (header, String::from_utf8(caller.bytes().to_vec()).unwrap(), redactor.key_id())
    }

    #[test]
    fn a_caller_has_one_token_in_every_format() {
        let profile = Profile { own_tokens: true, ..Profile::default() };
        let mut redactor = Redactor::new(TokenKey::new([1; 32]), Fidelity::Default).profile(profile);
        let mut scratch = Vec::new();
        let whole = redactor.token(Token([0xa7; 16]), &mut scratch).bytes().to_vec();
        let field = redactor.shown_token(Untrusted::new(b"user~a7a7a7a7a7a7a7a7"), &mut scratch);
        assert_eq!(field.bytes(), [b"user~".as_slice(), &whole].concat());
        let other = redactor.shown_token(Untrusted::new(b"user~unlike"), &mut scratch).bytes().to_vec();
        assert!(other.starts_with(b"user~tok:") && other != [b"user~".as_slice(), &whole].concat());
    }

    #[test]
    fn each_time_has_its_key_in_whatever_order_events_come() {
        let first = TokenKey::new([1; 32]);
        let profile = Profile { own_tokens: true, ..Profile::default() };
        let mut redactor = Redactor::new(first, Fidelity::Default)
            .profile(profile)
            .generation(generation(3, 200))
            .generation(generation(2, 100));
        for (time, number) in [(250, 3), (50, 1), (100, 2), (99, 1), (199, 2), (200, 3), (100, 2)] {
            let (header, caller, id) = told(&mut redactor, time);
            let prefix = if number == 1 { "tok:".to_owned() } else { format!("tok{number}:") };
            assert!(header.starts_with(&format!("Bearer {prefix}")), "{time}: {header}");
            assert!(caller.starts_with(&prefix), "{time}: {caller}");
            assert_eq!(id, TokenKey::new([number; 32]).id(), "{time}");
            let key = TokenKey::new([number; 32]);
            let token = key.token(Domain::Value, &[3; 8]);
            let digits: String = token.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(caller, format!("{prefix}{digits}"), "{time}");
        }
    }
}
