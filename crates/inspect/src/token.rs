//! Keyed tokens: how identities and credentials are named without being told.

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

/// The key of all tokens. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// From 32 secret bytes.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// A keyed hash of a secret text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub [u8; 16]);
