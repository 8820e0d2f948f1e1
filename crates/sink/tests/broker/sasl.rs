//! The broker's side of a login: SCRAM with any of its hashes, and PLAIN.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

const ROUNDS: u32 = 4096;
const SALT: &[u8] = b"salt of a test";

/// Who may come in, and how.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) mechanisms: &'static [&'static str],
}

/// One connection's login.
#[derive(Default)]
pub(crate) struct Visit {
    mechanism: String,
    client_first: String,
    server_first: String,
    pub(crate) is_in: bool,
}

impl Visit {
    /// To `SaslHandshake`.
    pub(crate) fn handshake(&mut self, door: &Door, mechanism: &[u8]) -> Vec<u8> {
        self.mechanism = String::from_utf8(mechanism.to_vec()).unwrap();
        let code: i16 = if door.mechanisms.contains(&self.mechanism.as_str()) { 0 } else { 33 };
        let mut out = code.to_be_bytes().to_vec();
        out.extend(u32::try_from(door.mechanisms.len()).unwrap().to_be_bytes());
        for name in door.mechanisms {
            out.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
            out.extend(name.as_bytes());
        }
        out
    }

    /// To `SaslAuthenticate`.
    pub(crate) fn authenticate(&mut self, door: &Door, message: &[u8]) -> Vec<u8> {
        let message = String::from_utf8(message.to_vec()).unwrap();
        let said = match self.mechanism.as_str() {
            "PLAIN" => {
                self.is_in = message == format!("\0{}\0{}", door.user, door.password);
                self.is_in.then(String::new)
            }
            _ if self.client_first.is_empty() => Some(self.greet(&message)),
            _ => self.judge(door, &message),
        };
        let mut out = if said.is_some() { vec![0, 0] } else { vec![0, 58] };
        out.extend([0xff, 0xff]);
        let said = said.unwrap_or_default();
        out.extend(u32::try_from(said.len()).unwrap().to_be_bytes());
        out.extend(said.as_bytes());
        out
    }

    fn greet(&mut self, message: &str) -> String {
        self.client_first = message.strip_prefix("n,,").unwrap().to_owned();
        let nonce = self.client_first.split_once(",r=").unwrap().1;
        self.server_first = format!("r={nonce}more,s={},i={ROUNDS}", STANDARD.encode(SALT));
        self.server_first.clone()
    }

    fn judge(&mut self, door: &Door, message: &str) -> Option<String> {
        let (hash, mac, of, length) = match self.mechanism.as_str() {
            "SCRAM-SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256, 32),
            _ => (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512, &digest::SHA512, 64),
        };
        let user = self.client_first.split_once(',').unwrap().0;
        if user.replace("=3D", "=") != format!("n={}", door.user) {
            return None;
        }
        let (unproved, proof) = message.split_once(",p=").unwrap();
        let mut salted = vec![0; length];
        let rounds = NonZeroU32::new(ROUNDS).unwrap();
        pbkdf2::derive(hash, rounds, SALT, door.password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(mac, &salted);
        let about = format!("{},{},{unproved}", self.client_first, self.server_first);
        // What is stored is the hash of the client's key: the proof gives the key back.
        let stored = digest::digest(of, hmac::sign(&salted, b"Client Key").as_ref());
        let signed = hmac::sign(&hmac::Key::new(mac, stored.as_ref()), about.as_bytes());
        let proof = STANDARD.decode(proof).unwrap();
        let key: Vec<u8> = proof.iter().zip(signed.as_ref()).map(|(a, b)| a ^ b).collect();
        self.is_in = digest::digest(of, &key).as_ref() == stored.as_ref();
        let server = hmac::Key::new(mac, hmac::sign(&salted, b"Server Key").as_ref());
        let told = hmac::sign(&server, about.as_bytes());
        self.is_in.then(|| format!("v={}", STANDARD.encode(told)))
    }
}
