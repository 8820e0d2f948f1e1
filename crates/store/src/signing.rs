//! A key that signs: Ed25519 (RFC 8032), in a file of its own.

use crate::error::StoreError;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Who signs.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key in that file (PKCS #8, DER), which is made, for its owner only, where there is none; whether it was.
    ///
    /// # Errors
    /// The file holds no such key; it cannot be read or made.
    pub fn open(path: &Path) -> Result<(Self, bool), StoreError> {
        let failed = |e: io::Error| StoreError::io("read the signing key", path, &e);
        let (document, is_new) = match fs::read(path) {
            Ok(bytes) => (bytes, false),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                (make(path).map_err(|e| StoreError::io("make the signing key", path, &e))?, true)
            }
            Err(error) => return Err(failed(error)),
        };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document);
        let no_key =
            "it holds no Ed25519 key in PKCS #8 (DER); name a file that does not exist, and one is made";
        let pair = pair.map_err(|_| failed(io::Error::other(no_key)))?;
        Ok((Self(pair), is_new))
    }

    /// What verifies its signatures: 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The signature of these bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

fn make(path: &Path) -> io::Result<Vec<u8>> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let made = made.map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let made = made.as_ref().to_vec();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&made)?;
    file.sync_all()?;
    Ok(made)
}

/// Whether the signature is that key's, over those bytes.
#[must_use]
pub fn is_signed(public_key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(bytes, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_signs() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("case.key");
        let (key, is_new) = SigningKey::open(&path).unwrap();
        assert!(is_new);
        let signature = key.sign(b"manifest");
        let (again, is_new) = SigningKey::open(&path).unwrap();
        assert!(!is_new);
        assert_eq!(again.public_key(), key.public_key());
        assert!(is_signed(again.public_key(), b"manifest", &signature));
        assert!(!is_signed(again.public_key(), b"manifesT", &signature));
        let (other, _) = SigningKey::open(&room.path().join("other.key")).unwrap();
        assert!(!is_signed(other.public_key(), b"manifest", &signature));
        assert!(!is_signed(b"", b"manifest", &signature) && !is_signed(key.public_key(), b"manifest", b""));
    }

    #[test]
    fn what_is_no_key_is_named() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("text");
        std::fs::write(&path, "no key").unwrap();
        let why = SigningKey::open(&path).err().unwrap().to_string();
        assert!(why.contains("PKCS #8"), "{why}");
    }
}
