//! Keyed tokens: how identities and credentials are named without being told.

use crate::ids::IdKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// What a token stands for. Equal text in two domains gives two unrelated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A credential: bearer token, API key, cookie, password.
    Credential,
    /// A user or another identity.
    Identity,
    /// Any other value that must not leave in clear text.
    Value,
}

impl Domain {
    /// Ends in NUL, so that no label is the beginning of another with its text.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Credential => b"tapwire credential\0",
            Self::Identity => b"tapwire identity\0",
            Self::Value => b"tapwire value\0",
        }
    }
}

/// The key of all tokens. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// From 32 secret bytes.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The token of a text: HMAC-SHA-256 (RFC 2104) over the domain's label and the text, cut to 128 bits.
    ///
    /// Tokens leave the process and are compared for years, so they must not be invertible by who sees many of them. Where
    /// the same texts come again and again, [`Tokens`] remembers them.
    pub fn token(&self, domain: Domain, text: &[u8]) -> Token {
        Token(self.digest(domain.label(), text))
    }

    /// A key of its own for what `label` names: its tokens cannot be compared with those of this key, nor can either key be
    /// found from the other's.
    pub fn derived(&self, label: &[u8]) -> Self {
        let halves =
            [self.digest(b"tapwire derived key 1\0", label), self.digest(b"tapwire derived key 2\0", label)];
        Self(std::array::from_fn(|at| halves.as_flattened().get(at).copied().unwrap_or_default()))
    }

    /// Names the key without telling it: events carry it, so that tokens of two keys are not compared.
    pub fn id(&self) -> [u8; 4] {
        self.digest(b"tapwire key id\0", b"").first_chunk().copied().unwrap_or_default()
    }

    /// A secret for hash tables that are filled from traffic: the same in every run with this key, and unknown to who
    /// would choose colliding texts.
    pub fn table_key(&self) -> [u8; 16] {
        self.digest(b"tapwire table key\0", b"")
    }

    fn digest(&self, label: &[u8], text: &[u8]) -> [u8; 16] {
        keyed(&self.0).map_or([0; 16], |mac| finish(mac, label, text))
    }
}

/// HMAC takes keys of any length, so there always is one.
fn keyed(key: &[u8; 32]) -> Option<Hmac<Sha256>> {
    Hmac::<Sha256>::new_from_slice(key).ok()
}

fn finish(mut mac: Hmac<Sha256>, label: &[u8], text: &[u8]) -> [u8; 16] {
    mac.update(label);
    mac.update(text);
    mac.finalize().into_bytes().first_chunk().copied().unwrap_or_default()
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// A keyed hash of a secret text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Token(pub [u8; 16]);

/// Slots of the cache of [`Tokens`]; a power of two.
const SLOTS: usize = 8192;

/// The keyed hash of a text, with the text's token.
type Slot = ([u8; 16], Token);

/// A [`TokenKey`] that remembers its last tokens: callers send the same credential with every request.
///
/// A direct-mapped cache of 270 KiB. It is searched by a keyed 128-bit SipHash of the text, so it holds no secret, and
/// what it answers is what the key would.
pub struct Tokens {
    /// What the key makes of every text first: made once, it halves the cost of a token.
    keyed: Option<Hmac<Sha256>>,
    table_key: [u8; 16],
    slots: Box<[Option<Slot>]>,
}

impl Tokens {
    /// With an empty cache.
    pub fn new(key: TokenKey) -> Self {
        Self { table_key: key.table_key(), keyed: keyed(&key.0), slots: vec![None; SLOTS].into() }
    }

    /// The same as [`TokenKey::token`].
    pub fn token(&mut self, domain: Domain, text: &[u8]) -> Token {
        let mark = self.mark(domain, text);
        let index = usize::from(u16::from_le_bytes([mark[0], mark[1]])) % SLOTS;
        let Self { keyed, slots, .. } = self;
        let fresh = || Token(keyed.clone().map_or([0; 16], |mac| finish(mac, domain.label(), text)));
        match slots.get_mut(index) {
            Some(Some((known, token))) if *known == mark => *token,
            Some(slot) => slot.insert((mark, fresh())).1,
            None => fresh(),
        }
    }

    /// What hashes identifiers.
    pub(crate) const fn ids(&self) -> IdKey {
        IdKey::new(self.table_key)
    }

    /// A keyed hasher, for what never leaves.
    pub(crate) fn hasher(&self) -> SipHasher24 {
        SipHasher24::new_with_key(&self.table_key)
    }

    fn mark(&self, domain: Domain, text: &[u8]) -> [u8; 16] {
        let mut hash = self.hasher();
        hash.write(domain.label());
        hash.write(text);
        hash.finish128().as_bytes()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TokenKey = TokenKey::new([7; 32]);

    #[test]
    fn token_is_stable_across_versions() {
        // Events of years are joined by tokens: whoever changes this value breaks every stored lake. It is
        // HMAC-SHA-256(32 x 0x07, "tapwire identity\0alice"), computed with another implementation.
        let hex: String =
            KEY.token(Domain::Identity, b"alice").0.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "613ea0f33550a13400ebb2df245a0809");
    }

    #[test]
    fn domains_and_keys_separate() {
        let alice = KEY.token(Domain::Identity, b"alice");
        assert_ne!(alice, KEY.token(Domain::Credential, b"alice"));
        assert_ne!(alice, TokenKey::new([8; 32]).token(Domain::Identity, b"alice"));
        assert_ne!(KEY.id(), TokenKey::new([8; 32]).id());
    }

    #[test]
    fn cache_answers_what_the_key_would() {
        let mut tokens = Tokens::new(KEY);
        for _ in 0..2 {
            for n in 0..5000_u32 {
                let text = n.to_string();
                assert_eq!(
                    tokens.token(Domain::Credential, text.as_bytes()),
                    KEY.token(Domain::Credential, text.as_bytes())
                );
            }
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{KEY:?}{:?}", Tokens::new(KEY)), "TokenKey(..)Tokens(..)");
    }
}
