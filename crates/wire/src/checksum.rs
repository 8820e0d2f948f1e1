//! The Internet checksum (RFC 1071) over a TCP segment and its pseudo header.

use crate::{FlowKey, Side};

/// IP protocol number of TCP, part of the pseudo header.
const TCP: u64 = 6;

/// Whether the checksum in `tcp`, a whole segment with its header, matches.
///
/// The sum is commutative, so the key's canonical order does not matter; and the `ffff` of an IPv4-mapped address is
/// zero in one's complement, so both families sum alike.
pub(crate) fn tcp_matches(key: &FlowKey, tcp: &[u8]) -> bool {
    let addresses = sum(key.endpoint(Side::Lower).octets()) + sum(key.endpoint(Side::Upper).octets());
    let length = tcp.len() as u64;
    let pseudo = u64::from(u16::from_be_bytes(fold(addresses).to_ne_bytes()))
        + TCP
        + (length >> 16)
        + (length & 0xffff);
    let data = u64::from(u16::from_be_bytes(fold(sum(tcp)).to_ne_bytes()));
    fold(pseudo + data) == 0xffff
}

/// One's complement sum in this machine's byte order (RFC 1071, 2 (B): the order only swaps the result), not folded.
///
/// 64-bit words with the carries counted apart: two instructions for eight bytes, at every level of optimisation, where
/// what a vectoriser makes of narrower words differs by a factor of three. 2^64 is 1 in one's complement.
#[allow(clippy::cast_possible_truncation, reason = "both halves are kept")]
fn sum(data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<8>();
    let (blocks, words) = words.as_chunks::<4>();
    let (mut even, mut odd) = (0u128, 0u128);
    for [a, b, c, d] in blocks {
        even += u128::from(u64::from_ne_bytes(*a)) + u128::from(u64::from_ne_bytes(*b));
        odd += u128::from(u64::from_ne_bytes(*c)) + u128::from(u64::from_ne_bytes(*d));
    }
    even += odd + words.iter().map(|word| u128::from(u64::from_ne_bytes(*word))).sum::<u128>();
    u64::from(fold(even as u64)) + u64::from(fold((even >> 64) as u64)) + sum_short(rest)
}

/// The sum of less than a word; an odd last byte is padded with zero on the right.
fn sum_short(data: &[u8]) -> u64 {
    let (pairs, odd) = data.as_chunks::<2>();
    let even: u64 = pairs.iter().map(|pair| u64::from(u16::from_ne_bytes(*pair))).sum();
    even + odd.first().map_or(0, |last| u64::from(u16::from_ne_bytes([*last, 0])))
}

/// Adds the carries back until 16 bits remain.
#[allow(clippy::cast_possible_truncation, reason = "three foldings leave 16 bits")]
const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}
