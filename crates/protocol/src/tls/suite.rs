//! Cipher suites: those that can be decrypted, and the names of the usual others.

/// Hash of a suite's key schedule, or of a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
}

/// How records are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20,
    /// AES in CBC mode with this key length in bytes, and an HMAC.
    Cbc(usize, Hash),
}

/// A suite that can be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) id: u16,
    pub(super) name: &'static str,
    pub(super) protection: Protection,
    /// Of the key schedule of TLS 1.2 and 1.3; older versions have their own.
    pub(super) hash: Hash,
    /// The client sends the premaster secret, encrypted to the server's RSA key.
    pub(super) static_rsa: bool,
}

macro_rules! suites {
    ($($id:literal $name:literal $protection:expr, $hash:ident;)+) => {
        const SUITES: &[Suite] = &[$(Suite {
            id: $id,
            name: $name,
            protection: $protection,
            hash: Hash::$hash,
            static_rsa: is_static_rsa($name),
        },)+];
    };
}

use Protection::{Aes128Gcm, Aes256Gcm, Cbc, ChaCha20};

suites! {
    0x002f "TLS_RSA_WITH_AES_128_CBC_SHA" Cbc(16, Hash::Sha1), Sha256;
    0x0033 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA" Cbc(16, Hash::Sha1), Sha256;
    0x0035 "TLS_RSA_WITH_AES_256_CBC_SHA" Cbc(32, Hash::Sha1), Sha256;
    0x0039 "TLS_DHE_RSA_WITH_AES_256_CBC_SHA" Cbc(32, Hash::Sha1), Sha256;
    0x003c "TLS_RSA_WITH_AES_128_CBC_SHA256" Cbc(16, Hash::Sha256), Sha256;
    0x003d "TLS_RSA_WITH_AES_256_CBC_SHA256" Cbc(32, Hash::Sha256), Sha256;
    0x0067 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256" Cbc(16, Hash::Sha256), Sha256;
    0x006b "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256" Cbc(32, Hash::Sha256), Sha256;
    0x009c "TLS_RSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0x009d "TLS_RSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0x009e "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0x009f "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0x1301 "TLS_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0x1302 "TLS_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0x1303 "TLS_CHACHA20_POLY1305_SHA256" ChaCha20, Sha256;
    0xc009 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" Cbc(16, Hash::Sha1), Sha256;
    0xc00a "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" Cbc(32, Hash::Sha1), Sha256;
    0xc013 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" Cbc(16, Hash::Sha1), Sha256;
    0xc014 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" Cbc(32, Hash::Sha1), Sha256;
    0xc023 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" Cbc(16, Hash::Sha256), Sha256;
    0xc024 "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" Cbc(32, Hash::Sha384), Sha384;
    0xc027 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" Cbc(16, Hash::Sha256), Sha256;
    0xc028 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384" Cbc(32, Hash::Sha384), Sha384;
    0xc02b "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0xc02c "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0xc02f "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0xc030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0xcca8 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" ChaCha20, Sha256;
    0xcca9 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" ChaCha20, Sha256;
    0xccaa "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" ChaCha20, Sha256;
}

const fn is_static_rsa(name: &str) -> bool {
    matches!(name.as_bytes(), [b'T', b'L', b'S', b'_', b'R', b'S', b'A', ..])
}

impl Suite {
    pub(super) fn by_id(id: u16) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.id == id)
    }

    /// Suites of TLS 1.3 whose secrets have this length: what is left to try where the ServerHello was not captured.
    pub(super) fn with_secret_of(length: usize) -> impl Iterator<Item = &'static Self> {
        SUITES.iter().filter(move |suite| suite.id >> 8 == 0x13 && suite.hash.length() == length)
    }
}

impl Hash {
    /// Bytes of its output.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

impl Protection {
    /// Bytes of a key.
    pub(super) const fn key(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20 => 32,
            Self::Cbc(key, _) => key,
        }
    }
}

/// A suite's name, its number where it is no usual one.
pub(super) fn name(id: u16) -> String {
    Suite::by_id(id).map_or_else(|| format!("0x{id:04x}"), |suite| suite.name.to_owned())
}

/// A version as people write it.
pub(super) const fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "unknown",
    }
}
