//! Webhooks: `webhook+https://HOST/PATH`, one request an event, signed.

use super::dialect::{Dialect, by_status, trimmed};
use crate::queue::Load;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `sha256=` and the HMAC-SHA256 of the body in hexadecimal.
pub(super) const SIGNATURE: &str = "x-tapwire-signature";

pub(super) const WEBHOOK: Dialect = Dialect {
    content_type: "application/json",
    authorization: None,
    gzip: false,
    most_events: 1,
    place: |_as_given| Ok(()),
    encode,
    judge: |_one, status, _said| by_status(status),
    understands: |_any| true,
};

fn encode(load: &Load, out: &mut Vec<u8>) {
    load.lines().for_each(|line| out.extend_from_slice(trimmed(line)));
}

/// The value of the header field.
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    let sum = mac.finalize().into_bytes();
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4231_test_case_2() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature("Jefe", b"what do ya want for nothing?"), expected);
    }
}
