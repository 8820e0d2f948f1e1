//! Who we are, to a broker that asks: SCRAM (RFC 5802, RFC 7677), else PLAIN (RFC 4616) where TLS hides it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// Rounds that a broker may ask for: less protects nothing (RFC 7677, 4), more would keep the core busy for seconds.
const ROUNDS: std::ops::RangeInclusive<u32> = 4_096..=500_000;
/// Header of GS2 without channel binding, and as it is told in the end.
const GS2: &str = "n,,";
const NO_BINDING: &str = "c=biws";

/// How a client may say who it is; the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    ScramSha512,
    ScramSha256,
    Plain,
}

impl Mechanism {
    pub(super) const ALL: [Self; 3] = [Self::ScramSha512, Self::ScramSha256, Self::Plain];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }

    /// The strongest of those that a broker takes; a password never goes over a wire that everybody reads.
    pub(super) fn best(taken: &[&[u8]], is_hidden: bool) -> Option<Self> {
        let fits =
            |one: &Self| taken.contains(&one.name().as_bytes()) && (is_hidden || !matches!(one, Self::Plain));
        Self::ALL.into_iter().find(fits)
    }
}

/// `\0user\0password`.
pub(super) fn plain(user: &str, password: &str) -> Vec<u8> {
    [b"\0", user.as_bytes(), b"\0", password.as_bytes()].concat()
}

/// A client's side of SCRAM.
pub(super) struct Scram {
    hash: pbkdf2::Algorithm,
    mac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
    nonce: String,
    bare: String,
    /// What the server must prove that it knows, once it was asked.
    expected: Option<Vec<u8>>,
}

impl Scram {
    /// With a nonce of 18 random bytes or more in base64.
    pub(super) fn new(mechanism: Mechanism, user: &str, nonce: String) -> Option<Self> {
        let (hash, mac, digest) = match mechanism {
            Mechanism::ScramSha512 => (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512, &digest::SHA512),
            Mechanism::ScramSha256 => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256),
            Mechanism::Plain => return None,
        };
        let bare = format!("n={},r={nonce}", user.replace('=', "=3D").replace(',', "=2C"));
        Some(Self { hash, mac, digest, nonce, bare, expected: None })
    }

    pub(super) fn first(&self) -> Vec<u8> {
        format!("{GS2}{}", self.bare).into_bytes()
    }

    /// The proof, for what the server said first; `None` where that is no such message, or not for us.
    pub(super) fn proof(&mut self, server: &[u8], password: &str) -> Option<Vec<u8>> {
        let server = std::str::from_utf8(server).ok()?;
        let mut parts = server.split(',');
        let nonce = parts.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let rounds: u32 = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() || !ROUNDS.contains(&rounds) {
            return None;
        }
        let mut salted = vec![0; self.digest.output_len()];
        pbkdf2::derive(self.hash, NonZeroU32::new(rounds)?, &salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(self.mac, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored = hmac::Key::new(self.mac, digest::digest(self.digest, client_key.as_ref()).as_ref());
        let unproved = format!("{NO_BINDING},r={nonce}");
        let about = format!("{},{server},{unproved}", self.bare);
        let signed = hmac::sign(&stored, about.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signed.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::Key::new(self.mac, hmac::sign(&salted, b"Server Key").as_ref());
        self.expected = Some(hmac::sign(&server_key, about.as_bytes()).as_ref().to_vec());
        Some(format!("{unproved},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// Whether the server's last word proves that it knows the password, too.
    pub(super) fn is_proved(&self, server: &[u8]) -> bool {
        let told = server.strip_prefix(b"v=").and_then(|told| STANDARD.decode(told).ok());
        told.is_some() && told == self.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, 3.
    #[test]
    fn the_published_exchange_is_reckoned() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let mut scram = Scram::new(Mechanism::ScramSha256, "user", nonce).unwrap();
        assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.proof(server, "pencil").unwrap();
        assert_eq!(
            String::from_utf8(proof).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(scram.is_proved(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!scram.is_proved(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
        assert!(!scram.is_proved(b"e=invalid-proof") && !scram.is_proved(b""));
    }

    #[test]
    fn what_a_server_says_is_not_believed() {
        for server in [
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            "r=abcd,s=*,i=4096",
            "m=x,r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "",
        ] {
            let mut scram = Scram::new(Mechanism::ScramSha512, "u=,", "abc".into()).unwrap();
            assert_eq!(scram.first(), b"n,,n=u=3D=2C,r=abc");
            assert_eq!(scram.proof(server.as_bytes(), "p"), None, "{server}");
        }
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        let all: [&[u8]; 3] = [b"PLAIN", b"GSSAPI", b"SCRAM-SHA-256"];
        assert_eq!(Mechanism::best(&all, true), Some(Mechanism::ScramSha256));
        assert_eq!(Mechanism::best(&[b"PLAIN"], true), Some(Mechanism::Plain));
        assert_eq!(Mechanism::best(&[b"PLAIN"], false), None);
        assert_eq!(plain("me", "secret"), b"\0me\0secret");
    }
}
