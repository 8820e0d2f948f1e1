//! Devices and vehicles, and where they are in networks.

use super::check::{all_same, luhn};
use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const VIN: DataClass = DataClass {
    name: "vin",
    title: "Vehicle identification number",
    summary: "Seventeen letters and digits without I, O and Q, with a check character in place nine (ISO 3779, 49 CFR 565)",
    kind: ClassKind::Device,
    region: None,
    strength: Strength::Checked,
    sensitivity: Sensitivity::Medium,
    keys: &[
        "vin",
        "vehicle identification",
        "vehicle identification number",
        "vin number",
        "chassis",
        "chassis number",
        "vehicle vin",
    ],
    example: ("vin", "1HGCM82633A004352"),
    twin: "1HGCM82633A004353",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Digits]), 17, 17),
    check: vin,
};

pub(super) const IMEI: DataClass = DataClass {
    name: "imei",
    title: "IMEI of a phone",
    summary: "Fifteen digits that begin with a reporting body, with Luhn's check digit (3GPP TS 23.003)",
    kind: ClassKind::Device,
    region: None,
    strength: Strength::Checked,
    sensitivity: Sensitivity::Medium,
    keys: &["imei", "imei1", "imei2", "imei number", "device imei", "imei no", "phone imei"],
    example: ("imei", "490154203237518"),
    twin: "490154203237519",
    gate: Gate::new(Forms::NUMBER, 15, 18).first(b"0134589"),
    check: imei,
};

pub(super) const MAC: DataClass = DataClass {
    name: "mac-address",
    title: "MAC address",
    summary: "Six bytes in hexadecimal with colons or dashes, or in three groups with points",
    kind: ClassKind::Device,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Low,
    keys: &["mac", "mac address", "macaddress", "hardware address", "ethernet address", "bssid", "wifi mac"],
    example: ("mac", "00:1B:44:11:3A:B7"),
    twin: "00:1B:44:11:3A:G7",
    gate: Gate::new(Forms::of(&[Form::Token, Form::Grouped]), 14, 17),
    check: mac,
};

pub(super) const IP: DataClass = DataClass {
    name: "ip-address",
    title: "IP address",
    summary: "An IPv4 address with four parts, or an IPv6 address; those that belong to nobody (unspecified, loopback, masks) are left out",
    kind: ClassKind::Device,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Low,
    keys: &[
        "ip",
        "ip address",
        "ipaddress",
        "ipv4",
        "ipv6",
        "client ip",
        "remote addr",
        "remote address",
        "source ip",
        "src ip",
        "dst ip",
        "last login ip",
        "peer address",
    ],
    example: ("clientIp", "203.0.113.77"),
    twin: "203.0.113.277",
    gate: Gate::new(Forms::of(&[Form::Token, Form::Grouped]), 3, 45)
        .texts()
        .first(b"0123456789abcdefABCDEF:"),
    check: ip,
};

fn vin(value: &Value<'_>) -> Option<Evidence> {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if value.is_plain() && all_same(value.digits()) {
        return None;
    }
    let mut sum = 0;
    for (byte, weight) in value.text.iter().zip(WEIGHTS) {
        sum += transliterated(byte.to_ascii_uppercase())? * weight;
    }
    let check = match sum % 11 {
        10 => b'X',
        rest => b'0' + u8::try_from(rest).ok()?,
    };
    (value.text.get(8)?.to_ascii_uppercase() == check).then_some(Evidence::Checked)
}

/// 49 CFR 565.15, table III.
fn transliterated(byte: u8) -> Option<u32> {
    Some(match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'N' => u32::from(byte - b'J') + 1,
        b'P' => 7,
        b'R' => 9,
        b'S'..=b'Z' => u32::from(byte - b'S') + 2,
        _ => return None,
    })
}

fn imei(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 15] = value.exactly()?;
    let body = super::check::value(digits.get(..2)?);
    let known = matches!(body, 1 | 10 | 30 | 33 | 35 | 44 | 45 | 49..=54 | 86 | 91 | 98 | 99);
    (known && luhn(&digits) && value.is_plain_or(&["99-999999-999999-9", "99 999999 999999 9"]))
        .then_some(Evidence::Checked)
}

fn mac(value: &Value<'_>) -> Option<Evidence> {
    let (mark, group) = match value.text.len() {
        17 => (*value.text.get(2)?, 3),
        14 => (b'.', 5),
        _ => return None,
    };
    let is_mark = matches!((mark, group), (b':' | b'-', 3) | (b'.', 5));
    let fits = value.text.iter().enumerate().all(|(at, byte)| match (at + 1) % group {
        0 => *byte == mark,
        _ => byte.is_ascii_hexdigit(),
    });
    let nobody = value.text.iter().all(|byte| !byte.is_ascii_hexdigit() || *byte == b'0')
        || value.text.iter().all(|byte| !byte.is_ascii_hexdigit() || matches!(byte, b'f' | b'F'));
    (is_mark && fits && !nobody).then_some(if group == 3 { Evidence::Sure } else { Evidence::Layout })
}

fn ip(value: &Value<'_>) -> Option<Evidence> {
    let text = value.str()?;
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    if !mask.is_none_or(|mask| mask.parse::<u8>().is_ok_and(|mask| mask <= 128)) {
        return None;
    }
    if address.contains(':') {
        let address = address.split('%').next()?.parse::<Ipv6Addr>().ok()?;
        let few = address.segments().iter().filter(|part| **part != 0).count() < 2;
        return (!address.is_unspecified() && !address.is_loopback()).then_some(if few {
            Evidence::Shape
        } else {
            Evidence::Sure
        });
    }
    // Parts of zero in front are versions and numbers of sections; masks end in zeros.
    let address: Ipv4Addr = address.parse().ok()?;
    let [a, .., d] = address.octets();
    let nobody = a == 0
        || address.is_loopback()
        || (a == 255 && matches!(d, 0 | 128 | 192 | 224 | 240 | 248 | 252 | 254 | 255));
    let small = address.octets().iter().all(|part| *part < 20);
    (!nobody).then_some(if small { Evidence::Shape } else { Evidence::Layout })
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn vehicles_and_phones_need_a_name() {
        assert_eq!(found("vehicle.vin", "1M8GDM9AXKP042788"), ["vin"]);
        assert_eq!(found("token", "1M8GDM9AXKP042788"), [""; 0]);
        assert_eq!(found("imei", "49-015420-323751-8"), ["imei"]);
        assert_eq!(found("orderId", "490154203237518"), [""; 0]);
    }

    #[test]
    fn hardware_addresses_count_under_any_name() {
        for text in ["00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7"] {
            assert_eq!(found("x", text), ["mac-address"], "{text}");
        }
        for text in ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00:1b-44:11:3a:b7", "2026-01-01T10:00:00"] {
            assert_eq!(found("x", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn network_addresses_are_told_from_versions() {
        for text in ["203.0.113.77", "2001:db8::8a2e:370:7334", "10.11.12.200", "192.168.1.0/24"] {
            assert_eq!(found("x", text), ["ip-address"], "{text}");
        }
        for text in [
            "1.2.3.4",
            "127.0.0.1",
            "255.255.255.0",
            "0.0.0.0",
            "::1",
            "12:30:45",
            "203.0.113",
            "203.0.113.077",
        ] {
            assert_eq!(found("x", text), [""; 0], "{text}");
        }
        assert_eq!(found("clientIp", "1.2.3.4"), ["ip-address"]);
        assert_eq!(found("version", "10.0.19041.200"), [""; 0]);
        assert_eq!(found("version", "121.0.61.200"), [""; 0]);
    }
}
