//! Texts that only the holder of a private key can read: X25519 (RFC 7748), HKDF-SHA256 (RFC 5869), ChaCha20-Poly1305
//! (RFC 8439).
//!
//! A sealed text is `enc:` and base64url, without padding, of
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 1, the version |
//! | 4 | beginning of SHA-256 of the recipient's public key: which private key opens it |
//! | 32 | the sender's public key, one a run |
//! | 12 | nonce: beginning of a keyed HMAC-SHA256 of the text, so that equal texts of a run are equal |
//! | rest | the text, encrypted, and 16 bytes of tag |
//!
//! The key is HKDF with both public keys, the sender's first, as salt, the shared secret as input, and the label below.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hkdf, hmac};
use std::fmt;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

const LABEL: &[u8] = b"tapwire sealed text 1";
const NONCE_LABEL: &[u8] = b"tapwire sealed text 1 nonce";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Encrypts to one recipient.
pub struct Seal {
    key: LessSafeKey,
    nonces: hmac::Key,
    /// Version, recipient and sender.
    head: Vec<u8>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Seals to the holder of the private key of `recipient`. `secret` is 32 random bytes that nobody keeps. `None` where the
    /// public key is none: every secret gives the same with it (RFC 7748, section 6.1).
    #[must_use]
    pub fn new(recipient: [u8; 32], secret: [u8; 32]) -> Option<Self> {
        let sender = x25519(secret, X25519_BASEPOINT_BYTES);
        let shared = x25519(secret, recipient);
        if shared == [0; 32] {
            return None;
        }
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[sender, recipient].concat()).extract(&shared);
        let key = derived(&extracted, LABEL)?;
        let nonces = hmac::Key::new(hmac::HMAC_SHA256, &derived(&extracted, NONCE_LABEL)?);
        let id = digest::digest(&digest::SHA256, &recipient);
        let head = [&[1], id.as_ref().first_chunk::<4>()?.as_slice(), &sender].concat();
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?);
        Some(Self { key, nonces, head })
    }

    /// Writes a text sealed; nothing where it cannot be, which a text of traffic is never long enough for.
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        let tag = hmac::sign(&self.nonces, text);
        let Some(nonce) = tag.as_ref().first_chunk::<12>() else { return };
        let mut sealed = text.to_vec();
        let done = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(*nonce),
            Aad::empty(),
            &mut sealed,
        );
        if done.is_ok() {
            out.extend_from_slice(b"enc:");
            base64url(&[self.head.as_slice(), nonce, &sealed].concat(), out);
        }
    }
}

fn derived(from: &hkdf::Prk, label: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    from.expand(&[label], hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
    Some(key)
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8], out: &mut Vec<u8>) {
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let index = (word >> (18 - 6 * place)) as usize & 63;
            out.extend(ALPHABET.get(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Fidelity, Profile, Redactor, Treatment};
    use tapwire_inspect::TokenKey;
    use tapwire_protocol::Untrusted;

    const PRIVATE: [u8; 32] = [9; 32];

    fn seal(secret: u8) -> Seal {
        Seal::new(x25519(PRIVATE, X25519_BASEPOINT_BYTES), [secret; 32]).unwrap()
    }

    fn unsealed(text: &[u8]) -> Vec<u8> {
        let places = text.strip_prefix(b"enc:").unwrap().iter();
        let place = |byte: &u8| (0u32..).zip(ALPHABET).find(|(_, known)| *known == byte).unwrap().0;
        let bits: Vec<u32> = places.map(place).collect();
        let bytes: Vec<u8> = bits
            .chunks(4)
            .flat_map(|four| {
                let word = four.iter().fold(0, |word, six| word << 6 | six) << (6 * (4 - four.len()));
                word.to_be_bytes()[1..four.len()].to_vec()
            })
            .collect();
        assert_eq!(bytes[0], 1);
        let sender: [u8; 32] = bytes[5..37].try_into().unwrap();
        let recipient = x25519(PRIVATE, X25519_BASEPOINT_BYTES);
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &[sender, recipient].concat());
        let key = derived(&salt.extract(&x25519(PRIVATE, sender)), LABEL).unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).unwrap());
        let nonce = Nonce::assume_unique_for_key(bytes[37..49].try_into().unwrap());
        let mut sealed = bytes[49..].to_vec();
        key.open_in_place(nonce, Aad::empty(), &mut sealed).unwrap().to_vec()
    }

    #[test]
    fn the_holder_of_the_private_key_reads_what_was_sealed() {
        for length in 0..70 {
            let text = vec![b'a' + length; length.into()];
            let mut out = Vec::new();
            seal(1).write(&text, &mut out);
            assert_eq!(unsealed(&out), text);
        }
    }

    #[test]
    fn equal_texts_are_equal_in_one_run_and_not_in_another() {
        let of = |secret, text: &[u8]| {
            let mut out = Vec::new();
            seal(secret).write(text, &mut out);
            out
        };
        assert_eq!(of(1, b"alice"), of(1, b"alice"));
        assert_ne!(of(1, b"alice"), of(1, b"alicf"));
        assert_ne!(of(1, b"alice"), of(2, b"alice"));
    }

    #[test]
    fn a_public_key_that_is_none_is_refused() {
        assert!(Seal::new([0; 32], [1; 32]).is_none());
    }

    #[test]
    fn a_profile_that_encrypts_leaves_nothing_in_clear() {
        let profile = Profile { identities: Treatment::Encrypt, ..Profile::default() };
        let redact = |redactor: Redactor| {
            let mut scratch = Vec::new();
            let text = Untrusted::new(b"email=alice@example.com&cvv=123");
            let mut redactor = redactor.profile(profile.clone());
            String::from_utf8(redactor.query(text, &mut scratch).bytes().to_vec()).unwrap()
        };
        let redactor = || Redactor::new(TokenKey::new([7; 32]), Fidelity::Default);
        let told = redact(redactor().seal(seal(1)));
        let sealed = told.strip_prefix("email=").and_then(|rest| rest.strip_suffix("&cvv=dropped:")).unwrap();
        assert_eq!(unsealed(sealed.as_bytes()), b"alice@example.com");
        // What proves that a card is at hand is not sealed either.
        let mut scratch = Vec::new();
        let mut all =
            redactor().seal(seal(1)).profile(Profile { values: Treatment::Encrypt, ..Profile::default() });
        let text = Untrusted::new(br#"data={"card":"4111111111111111","cvv":"123"}"#);
        let told = all.query(text, &mut scratch).bytes();
        let opened = unsealed(told.strip_prefix(b"data=").unwrap());
        assert_eq!(opened, br#"{"card":"4111111111111111","cvv":"dropped:"}"#);
        // Without a key there is nobody to encrypt to.
        assert_eq!(redact(redactor()), "email=dropped:&cvv=dropped:");
    }
}
