//! Removes the protection of one direction's records, in place.

use super::schedule::{Secret, expand_label, hmac};
use super::suite::{Hash, Protection, Suite};
use aes::{Aes128, Aes256};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::NoPadding};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use std::ops::Range;
use zeroize::Zeroizing;

/// Bytes of a record's head: type, version, length.
pub(super) const HEAD: usize = 5;

const TAG: usize = 16;
/// The part of a nonce that TLS 1.2 sends with each record of GCM (RFC 5288, 3).
const EXPLICIT: usize = 8;
const BLOCK: usize = 16;

/// What was in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opened {
    /// The content's type, in TLS 1.3 the inner one.
    pub(super) kind: u8,
    /// Where in the record's body the content lies.
    pub(super) content: Range<usize>,
}

/// The keys of one direction from one change of keys to the next.
pub(super) struct Opener {
    version: u16,
    keys: Keys,
    /// Of TLS 1.3: what the next keys are made from.
    secret: Option<(Secret, &'static Suite)>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "an opener lies in a box of its own, and most are the large kind"
)]
enum Keys {
    /// The initial vector is combined with the sequence number, or with what the record brings.
    Aead {
        key: LessSafeKey,
        iv: Zeroizing<[u8; 12]>,
        explicit: bool,
    },
    Cbc(Cbc),
}

struct Cbc {
    key: Secret,
    mac_key: Secret,
    mac: Hash,
    encrypt_then_mac: bool,
    /// Of TLS 1.0, whose records bring no initial vector.
    chain: Option<Chain>,
}

/// What the next record goes on from.
struct Chain {
    /// The last block of the record before.
    block: [u8; BLOCK],
    /// The number of the record that goes on from it. A MAC over what is encrypted does not cover the block before, so
    /// behind a record that was lost or damaged the first block of an authentic one would be anything.
    next: u64,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("version", &self.version).finish_non_exhaustive()
    }
}

fn aead_key(protection: Protection, key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match protection {
        Protection::Aes128Gcm => &aead::AES_128_GCM,
        Protection::Aes256Gcm => &aead::AES_256_GCM,
        Protection::ChaCha20 => &aead::CHACHA20_POLY1305,
        Protection::Cbc(..) => return None,
    };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

/// What a key block gives to one direction (RFC 5246, 6.3).
pub(super) struct Block<'a> {
    pub(super) mac_key: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) iv: &'a [u8],
}

impl Opener {
    /// From a traffic secret of TLS 1.3.
    pub(super) fn from_secret(secret: &Secret, suite: &'static Suite) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = Zeroizing::new([0; 12]);
        let key = key.get_mut(..suite.protection.key())?;
        expand_label(suite.hash, secret.bytes(), "key", key);
        expand_label(suite.hash, secret.bytes(), "iv", &mut iv[..]);
        let key = aead_key(suite.protection, key)?;
        let keys = Keys::Aead { key, iv, explicit: false };
        Some(Self { version: 0x0304, keys, secret: Some((secret.clone(), suite)) })
    }

    /// The keys behind a KeyUpdate (RFC 8446, 7.2).
    pub(super) fn updated(&self) -> Option<Self> {
        let (secret, suite) = self.secret.as_ref()?;
        let mut next = Zeroizing::new([0; 48]);
        let next = next.get_mut(..suite.hash.length())?;
        expand_label(suite.hash, secret.bytes(), "traffic upd", next);
        Self::from_secret(&Secret::new(next), suite)
    }

    /// From the key block of TLS 1.2 or older.
    pub(super) fn from_block(
        version: u16,
        suite: &'static Suite,
        block: &Block<'_>,
        encrypt_then_mac: bool,
    ) -> Option<Self> {
        let keys = match suite.protection {
            Protection::Cbc(_, mac) => Keys::Cbc(Cbc {
                key: Secret::new(block.key),
                mac_key: Secret::new(block.mac_key),
                mac,
                encrypt_then_mac,
                chain: Chain::first(version, block.iv),
            }),
            protection => {
                let mut iv = Zeroizing::new([0; 12]);
                iv.iter_mut().zip(block.iv).for_each(|(place, byte)| *place = *byte);
                let key = aead_key(protection, block.key)?;
                Keys::Aead { key, iv, explicit: protection != Protection::ChaCha20 }
            }
        };
        Some(Self { version, keys, secret: None })
    }

    /// Content bytes of a record with a body of `length` bytes; of CBC and of padded records at most so many.
    pub(super) fn content_length(&self, length: usize) -> usize {
        let overhead = match &self.keys {
            Keys::Aead { explicit: true, .. } => EXPLICIT + TAG,
            Keys::Aead { .. } => TAG + usize::from(self.version >= 0x0304),
            Keys::Cbc(cbc) => cbc.mac.length() + 1 + if cbc.chain.is_some() { 0 } else { BLOCK },
        };
        length.saturating_sub(overhead)
    }

    /// Opens a record in place; `None` where it is not authentic under these keys and this number. Its body is then
    /// destroyed.
    pub(super) fn open(&mut self, sequence: u64, head: [u8; HEAD], body: &mut [u8]) -> Option<Opened> {
        match &mut self.keys {
            Keys::Aead { key, iv, explicit: true } => open_explicit(key, iv, sequence, head, body),
            Keys::Aead { key, iv, .. } if self.version >= 0x0304 => open_13(key, iv, sequence, head, body),
            Keys::Aead { key, iv, .. } => open_combined(key, iv, sequence, head, body),
            Keys::Cbc(cbc) => cbc.open(sequence, head, body),
        }
    }

    /// A record went by that none of the numbers opened.
    pub(super) fn pass(&mut self, body: &[u8]) {
        if let Keys::Cbc(Cbc { chain: Some(chain), encrypt_then_mac: false, .. }) = &mut self.keys
            && let Some(last) = body.last_chunk()
        {
            chain.block = *last;
        }
    }
}

impl Chain {
    fn first(version: u16, iv: &[u8]) -> Option<Self> {
        let block = *iv.first_chunk()?;
        (version < 0x0302).then_some(Self { block, next: 0 })
    }
}

/// The nonce of TLS 1.3 and of ChaCha20 (RFC 8446, 5.3; RFC 7905, 2).
fn nonce(iv: &[u8; 12], sequence: u64) -> Nonce {
    let mut nonce = *iv;
    let places = nonce.iter_mut().skip(4);
    places.zip(sequence.to_be_bytes()).for_each(|(place, byte)| *place ^= byte);
    Nonce::assume_unique_for_key(nonce)
}

fn open_13(
    key: &LessSafeKey,
    iv: &[u8; 12],
    sequence: u64,
    head: [u8; HEAD],
    body: &mut [u8],
) -> Option<Opened> {
    let inner = key.open_in_place(nonce(iv, sequence), Aad::from(head), body).ok()?;
    // Padding is zeros behind the type (RFC 8446, 5.4).
    let end = inner.iter().rposition(|byte| *byte != 0)?;
    Some(Opened { kind: *inner.get(end)?, content: 0..end })
}

/// Sequence number, type, version and length of what is authenticated (RFC 5246, 6.2.3.3).
fn additional(sequence: u64, head: [u8; HEAD], length: usize) -> [u8; 13] {
    let [kind, major, minor, ..] = head;
    let [a, b, c, d, e, f, g, h] = sequence.to_be_bytes();
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [a, b, c, d, e, f, g, h, kind, major, minor, high, low]
}

fn open_explicit(
    key: &LessSafeKey,
    iv: &[u8; 12],
    sequence: u64,
    head: [u8; HEAD],
    body: &mut [u8],
) -> Option<Opened> {
    let (explicit, sealed) = body.split_first_chunk_mut::<EXPLICIT>()?;
    let mut nonce = *iv;
    nonce.iter_mut().skip(4).zip(explicit).for_each(|(place, byte)| *place = *byte);
    let length = sealed.len().checked_sub(TAG)?;
    let additional = Aad::from(additional(sequence, head, length));
    key.open_in_place(Nonce::assume_unique_for_key(nonce), additional, sealed).ok()?;
    Some(Opened { kind: head[0], content: EXPLICIT..EXPLICIT + length })
}

fn open_combined(
    key: &LessSafeKey,
    iv: &[u8; 12],
    sequence: u64,
    head: [u8; HEAD],
    body: &mut [u8],
) -> Option<Opened> {
    let length = body.len().checked_sub(TAG)?;
    let additional = Aad::from(additional(sequence, head, length));
    key.open_in_place(nonce(iv, sequence), additional, body).ok()?;
    Some(Opened { kind: head[0], content: 0..length })
}

impl Cbc {
    /// RFC 5246, 6.2.3.2; RFC 7366, 3.
    fn open(&mut self, sequence: u64, head: [u8; HEAD], body: &mut [u8]) -> Option<Opened> {
        let whole = body.len();
        let mac_length = self.mac.length();
        let sealed = if self.encrypt_then_mac { whole.checked_sub(mac_length)? } else { whole };
        if self.encrypt_then_mac {
            let (text, mac) = body.split_at_checked(sealed)?;
            if self.mac(sequence, head, text).bytes() != mac {
                return None;
            }
        }
        let last = *body.get(..sealed)?.last_chunk::<BLOCK>()?;
        let behind = Chain { block: last, next: sequence + 1 };
        let (iv, from) = match &mut self.chain {
            None => (*body.first_chunk()?, BLOCK),
            Some(chain) if self.encrypt_then_mac && chain.next != sequence => {
                *chain = behind;
                return None;
            }
            Some(chain) => (chain.block, 0),
        };
        let text = body.get_mut(from..sealed).filter(|text| !text.is_empty())?;
        self.decrypt(&iv, text)?;
        let padding = usize::from(*text.last()?);
        let end = text.len().checked_sub(padding + 1)?;
        if text.get(end..)?.iter().any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        let length = if self.encrypt_then_mac {
            end
        } else {
            let (content, mac) = text.get(..end)?.split_at_checked(end.checked_sub(mac_length)?)?;
            (self.mac(sequence, head, content).bytes() == mac).then_some(content.len())?
        };
        if let Some(chain) = &mut self.chain {
            *chain = behind;
        }
        Some(Opened { kind: head[0], content: from..from + length })
    }

    fn mac(&self, sequence: u64, head: [u8; HEAD], text: &[u8]) -> Secret {
        hmac(self.mac, self.mac_key.bytes(), &[&additional(sequence, head, text.len()), text])
    }

    fn decrypt(&self, iv: &[u8; BLOCK], text: &mut [u8]) -> Option<()> {
        let key = self.key.bytes();
        match key.len() {
            16 => cbc_decrypt::<cbc::Decryptor<Aes128>>(key, iv, text),
            _ => cbc_decrypt::<cbc::Decryptor<Aes256>>(key, iv, text),
        }
    }
}

fn cbc_decrypt<D: BlockModeDecrypt + KeyIvInit>(key: &[u8], iv: &[u8], text: &mut [u8]) -> Option<()> {
    D::new_from_slices(key, iv).ok()?.decrypt_padded::<NoPadding>(text).ok().map(|_| ())
}

#[cfg(test)]
mod tests;
