//! Key schedules: HKDF labels of TLS 1.3, the pseudorandom functions of the versions before.

use super::suite::{Hash, Suite};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

/// The longest output of a hash, and so the longest secret.
pub(super) const MAX_SECRET: usize = 48;

/// A secret of up to 48 bytes, overwritten when it is dropped. It can be neither shown nor compared.
#[derive(Clone)]
pub(super) struct Secret {
    bytes: Zeroizing<[u8; MAX_SECRET]>,
    length: u8,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.length)
    }
}

impl Secret {
    /// The first 48 bytes of what is given.
    pub(super) fn new(text: &[u8]) -> Self {
        let mut bytes = Zeroizing::new([0; MAX_SECRET]);
        bytes.iter_mut().zip(text).for_each(|(place, byte)| *place = *byte);
        let length = u8::try_from(text.len().min(MAX_SECRET)).unwrap_or_default();
        Self { bytes, length }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// The HMAC of some bytes.
pub(super) fn hmac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Secret {
    match hash {
        Hash::Md5 => hmac_with::<Hmac<Md5>>(key, parts),
        Hash::Sha1 => hmac_with::<Hmac<Sha1>>(key, parts),
        Hash::Sha256 => hmac_with::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => hmac_with::<Hmac<Sha384>>(key, parts),
    }
}

fn hmac_with<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Secret {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Secret::new(&[]) };
    parts.iter().for_each(|part| mac.update(part));
    Secret::new(&mac.finalize().into_bytes())
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1). `out` is at most 255 hashes long.
pub(super) fn expand_label(hash: Hash, secret: &[u8], label: &str, out: &mut [u8]) {
    let length = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
    let label_length = u8::try_from(6 + label.len()).unwrap_or(u8::MAX);
    let info = [&length[..], &[label_length], b"tls13 ", label.as_bytes(), &[0]].concat();
    expand(hash, secret, &info, out);
}

/// HKDF-Expand (RFC 5869, 2.3).
fn expand(hash: Hash, secret: &[u8], info: &[u8], out: &mut [u8]) {
    let mut block = Secret::new(&[]);
    for (count, part) in (1_u8..=255).zip(out.chunks_mut(hash.length())) {
        block = hmac(hash, secret, &[block.bytes(), info, &[count]]);
        part.iter_mut().zip(block.bytes()).for_each(|(place, byte)| *place = *byte);
    }
}

/// HKDF-Extract (RFC 5869, 2.2).
pub(super) fn extract(hash: Hash, salt: &[u8], material: &[u8]) -> Secret {
    hmac(hash, salt, &[material])
}

/// The pseudorandom function of a version before 1.3 (RFC 5246, 5; RFC 2246, 5).
pub(super) fn prf(version: u16, suite: &Suite, secret: &[u8], label: &str, seeds: &[&[u8]], out: &mut [u8]) {
    let seed = [&[label.as_bytes()], seeds].concat().concat();
    out.fill(0);
    if version >= 0x0303 {
        return mix(suite.hash, secret, &seed, out);
    }
    // Two halves, which share the middle byte of an odd length.
    let half = secret.len().div_ceil(2);
    mix(Hash::Md5, secret.get(..half).unwrap_or_default(), &seed, out);
    mix(Hash::Sha1, secret.get(secret.len() - half..).unwrap_or_default(), &seed, out);
}

/// P_hash, added to what is there.
fn mix(hash: Hash, secret: &[u8], seed: &[u8], out: &mut [u8]) {
    let mut a = hmac(hash, secret, &[seed]);
    for part in out.chunks_mut(hash.length()) {
        let block = hmac(hash, secret, &[a.bytes(), seed]);
        part.iter_mut().zip(block.bytes()).for_each(|(place, byte)| *place ^= byte);
        a = hmac(hash, secret, &[a.bytes()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .bytes()
            .filter(u8::is_ascii_hexdigit)
            .map(|d| u8::try_from(char::from(d).to_digit(16).unwrap()).unwrap())
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn hkdf_gives_the_first_vector_of_rfc_5869() {
        let secret = extract(Hash::Sha256, &bytes("000102030405060708090a0b0c"), &[0x0b; 22]);
        assert_eq!(secret.bytes(), bytes("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
        let mut out = [0; 42];
        expand(Hash::Sha256, secret.bytes(), &bytes("f0f1f2f3f4f5f6f7f8f9"), &mut out);
        assert_eq!(
            out[..],
            bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        );
    }

    /// RFC 8448, 3: the server's handshake traffic secret gives these keys.
    #[test]
    fn labels_give_the_keys_of_rfc_8448() {
        let secret = bytes("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(Hash::Sha256, &secret, "key", &mut key);
        expand_label(Hash::Sha256, &secret, "iv", &mut iv);
        assert_eq!(key[..], bytes("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(iv[..], bytes("5d313eb2671276ee13000b30"));
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new(b"abc")), "Secret(3 bytes)");
    }
}
