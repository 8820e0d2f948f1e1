//! Community ID version 1: the name of a connection that other tools compute alike.

use sha1::{Digest, Sha1};
use tapwire_wire::{FlowKey, Side};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Cached ids; a power of two.
const SLOTS: usize = 1024;
/// IP's number of TCP.
const TCP: u8 = 6;

/// `1:` and 28 characters of base64.
type Id = [u8; 30];

/// Computes ids and remembers the last ones: exchanges of one connection come together.
#[derive(Debug)]
pub(crate) struct CommunityIds {
    slots: Box<[Option<(FlowKey, Id)>]>,
    spare: Id,
}

impl Default for CommunityIds {
    fn default() -> Self {
        Self { slots: vec![None; SLOTS].into(), spare: [0; 30] }
    }
}

impl CommunityIds {
    /// The id of a connection with seed 0. The tenant is no part of it.
    pub(crate) fn of(&mut self, key: &FlowKey) -> &Id {
        let ports = key.endpoint(Side::Lower).port ^ key.endpoint(Side::Upper).port.rotate_left(5);
        let Some(slot) = self.slots.get_mut(usize::from(ports) % SLOTS) else { return &self.spare };
        if slot.as_ref().is_none_or(|(known, _)| known != key) {
            *slot = Some((*key, compute(key)));
        }
        slot.as_ref().map_or(&self.spare, |(_, id)| id)
    }
}

fn compute(key: &FlowKey) -> Id {
    let (lower, upper) = (key.endpoint(Side::Lower), key.endpoint(Side::Upper));
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for end in [lower, upper] {
        match end.ip() {
            std::net::IpAddr::V4(v4) => hash.update(v4.octets()),
            std::net::IpAddr::V6(v6) => hash.update(v6.octets()),
        }
    }
    hash.update([TCP, 0]);
    hash.update(lower.port.to_be_bytes());
    hash.update(upper.port.to_be_bytes());
    let mut id = *b"1:============================";
    let encoded = hash.finalize().chunks(3).flat_map(quartet).collect::<Vec<_>>();
    id.iter_mut().skip(2).zip(encoded).for_each(|(slot, byte)| *slot = byte);
    id
}

/// Four base64 characters for up to three bytes (RFC 4648).
fn quartet(bytes: &[u8]) -> [u8; 4] {
    let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(bytes.get(at).copied().unwrap_or(0)));
    let sextet = |at: usize| match at <= bytes.len() {
        true => ALPHABET.get(bits >> (18 - 6 * at) & 0x3f).copied().unwrap_or(b'='),
        false => b'=',
    };
    [sextet(0), sextet(1), sextet(2), sextet(3)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_wire::Endpoint;

    fn id(src: (&str, u16), dst: (&str, u16)) -> String {
        let end = |(ip, port): (&str, u16)| Endpoint::from_ip(ip.parse().unwrap(), port);
        let key = FlowKey::new(end(src), end(dst)).0;
        String::from_utf8(CommunityIds::default().of(&key).to_vec()).unwrap()
    }

    #[test]
    fn known_connections_have_the_published_ids() {
        let expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        assert_eq!(id(("128.232.110.120", 34855), ("66.35.250.204", 80)), expected);
        assert_eq!(id(("66.35.250.204", 80), ("128.232.110.120", 34855)), expected);
    }

    #[test]
    fn two_connections_in_one_slot_keep_their_ids() {
        let end = |a, port| Endpoint::v4([10, 0, 0, a], port);
        let (one, two) = (FlowKey::new(end(1, 80), end(2, 80)).0, FlowKey::new(end(3, 80), end(4, 80)).0);
        let mut ids = CommunityIds::default();
        let first = *ids.of(&one);
        assert_ne!(*ids.of(&two), first);
        assert_eq!(*ids.of(&one), first);
    }
}
