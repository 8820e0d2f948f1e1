//! Addresses of crypto currencies. They are off unless the configuration asks for them.

use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};
use sha2::{Digest, Sha256};

pub(super) const BITCOIN: DataClass = DataClass {
    name: "bitcoin-address",
    title: "Bitcoin address",
    summary: "Base58 with a checksum of SHA-256, or Bech32 with its own (BIP 173, BIP 350)",
    kind: ClassKind::Crypto,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Medium,
    keys: &["bitcoin", "btc", "bitcoin address", "btc address", "wallet address", "wallet"],
    example: ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    twin: "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Word]), 26, 65).first(b"13bB"),
    check: bitcoin,
};

pub(super) const ETHEREUM: DataClass = DataClass {
    name: "ethereum-address",
    title: "Ethereum address",
    summary: "0x and 40 hexadecimal digits; transactions and storage have 64",
    kind: ClassKind::Crypto,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Medium,
    keys: &["ethereum", "eth", "eth address", "ethereum address", "wallet address", "wallet"],
    example: ("wallet", "0x52908400098527886E0F7030069857D2E4169EE7"),
    twin: "0x52908400098527886E0F7030069857D2E4169EE",
    gate: Gate::new(Forms::of(&[Form::Mixed]), 42, 42).first(b"0"),
    check: ethereum,
};

fn bitcoin(value: &Value<'_>) -> Option<Evidence> {
    let base58 = || matches!(value.text.first(), Some(b'1' | b'3')) && is_base58_checked(value.text);
    (base58() || is_bech32(value.text)).then_some(Evidence::Sure)
}

/// 25 bytes: a version, 20 bytes of hash, four of the hash of these hashed twice.
fn is_base58_checked(text: &[u8]) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    if !(26..=35).contains(&text.len()) {
        return false;
    }
    for letter in text {
        let Some(digit) = ALPHABET.iter().position(|known| known == letter) else { return false };
        let mut carry = digit;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap_or_default();
            carry /= 256;
        }
        if carry != 0 {
            return false;
        }
    }
    let (body, sum) = bytes.split_at_checked(21).unwrap_or_default();
    Sha256::digest(Sha256::digest(body)).starts_with(sum)
}

/// BIP 173, "Bech32", and BIP 350 for later witness versions.
fn is_bech32(text: &[u8]) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let lower = text.to_ascii_lowercase();
    let Some(data) = lower.strip_prefix(b"bc1").filter(|data| (11..=71).contains(&data.len())) else {
        return false;
    };
    let mixed = text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase);
    let step = |sum: u32, value: u32| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATORS
            .iter()
            .enumerate()
            .filter(|(at, _)| top >> at & 1 == 1)
            .fold(next, |next, (_, generator)| next ^ generator)
    };
    // The expanded prefix "bc".
    let mut sum = [3, 3, 0, 2, 3].into_iter().fold(1, step);
    for letter in data {
        let Some(value) = ALPHABET.iter().position(|known| known == letter) else { return false };
        sum = step(sum, u32::try_from(value).unwrap_or_default());
    }
    !mixed && matches!(sum, 1 | 0x2bc8_30a3)
}

fn ethereum(value: &Value<'_>) -> Option<Evidence> {
    let digits = value.text.strip_prefix(b"0x")?;
    let hex = digits.iter().all(u8::is_ascii_hexdigit);
    let zeros = digits.iter().filter(|byte| **byte == b'0').count() > 20;
    (hex && !zeros).then_some(Evidence::Layout)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found_with_crypto as found;

    #[test]
    fn addresses_have_their_checksums() {
        for text in [
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        ] {
            assert_eq!(found("x", text), ["bitcoin-address"], "{text}");
        }
        for text in ["3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLz", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"] {
            assert_eq!(found("x", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn they_are_off_by_default() {
        assert_eq!(super::super::tests::found("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"), [""; 0]);
    }
}
