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
/// 32-bit words go into 64-bit lanes, whose carries never overflow below 16 GiB: a loop that vectorises.
fn sum(data: &[u8]) -> u64 {
    let (blocks, rest) = data.as_chunks::<32>();
    let mut lanes = [0u64; 8];
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.iter().sum::<u64>() + sum_short(rest)
}

/// The sum of less than a block; an odd last byte is padded with zero on the right.
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
