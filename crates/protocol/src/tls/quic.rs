//! QUIC's first packets: their keys follow from what they say in clear (RFC 9001, 5.2; RFC 9369), so the client's hello can
//! be read. Everything after it cannot.

use super::bytes::{byte, take};
use super::hello::{ClientHello, MAX_HELLO};
use super::schedule::{Secret, expand_label, extract};
use super::shared::Shared;
use super::suite::Hash;
use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use tapwire_wire::{Datagram, FlowKey, Timestamp};

/// A client's first datagrams have at least so many bytes (RFC 9000, 14.1).
const SMALLEST: usize = 1_200;
/// The longest connection identifier (RFC 9000, 17.2).
const MAX_ID: usize = 20;
/// Connections whose hello is not whole yet, and such as had one, which are remembered.
const MAX_OPEN: usize = 1_024;
const MAX_DONE: usize = 8_192;
/// Of these, as many of the latest are looked at.
const LOOKED_AT: usize = 64;
/// Pieces of a hello: a client may send many, and in any order.
const MAX_PIECES: usize = 64;
/// Bytes of all hellos that are not whole.
const MAX_BYTES: usize = 4 << 20;
/// How long the rest of a hello is waited for, in nanoseconds of packet time: far longer than a client sends it again.
const PATIENCE: i64 = 30 * 1_000_000_000;
/// About what one takes beside its pieces.
const RECORD: usize = 256;
const TAG: usize = 16;

/// A version whose first packets can be read.
struct Version {
    name: &'static str,
    salt: [u8; 20],
    /// Key, initial vector, header protection.
    labels: [&'static str; 3],
    /// The two bits that mark an Initial packet.
    initial: u8,
}

const V1: Version = Version {
    name: "QUIC 1",
    salt: [
        0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
        0xbb, 0x7f, 0x0a,
    ],
    labels: ["quic key", "quic iv", "quic hp"],
    initial: 0,
};
const V2: Version = Version {
    name: "QUIC 2",
    salt: [
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
        0xbd, 0x2e, 0xd9,
    ],
    labels: ["quicv2 key", "quicv2 iv", "quicv2 hp"],
    initial: 1,
};

const fn version(number: [u8; 4]) -> Option<&'static Version> {
    match number {
        [0, 0, 0, 1] => Some(&V1),
        [0x6b, 0x33, 0x43, 0xcf] => Some(&V2),
        _ => None,
    }
}

/// Whether a datagram may hold a client's first packets.
pub(crate) fn may_begin(payload: &[u8]) -> bool {
    matches!(payload, [first, a, b, c, d, ..]
        if payload.len() >= SMALLEST && first & 0xc0 == 0xc0 && version([*a, *b, *c, *d]).is_some())
}

/// What is known of connections whose hello is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Initials {
    open: BTreeMap<FlowKey, Opening>,
    order: VecDeque<FlowKey>,
    /// Bytes of their pieces.
    bytes: usize,
    clock: Timestamp,
    /// Of them, such as were given up: the rest did not come in time, or there was no room to wait for it.
    pub(super) given_up: u64,
    /// Connections whose hello was read, by the oldest first: their later packets say nothing new, nor does a hello again
    /// that a client sends which was told to retry. It keeps its own identifier and should keep its hello (RFC 9000,
    /// 17.2.5.2 and 17.2.5.3); not all do both.
    done: VecDeque<Done>,
}

#[derive(Debug)]
struct Done {
    key: FlowKey,
    id: Vec<u8>,
    /// The identifier that the client chose for itself; many choose none.
    own: Vec<u8>,
    hello: [u8; 32],
}

#[derive(Debug)]
struct Opening {
    /// The identifier that the client chose: all keys of first packets follow from it.
    id: Vec<u8>,
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Of all pieces.
    bytes: usize,
    since: Timestamp,
}

impl Shared {
    /// Reads the first packets in a datagram.
    pub(crate) fn quic(&mut self, datagram: &Datagram<'_>) {
        let Some((version, id, own)) = long_header(datagram.payload) else { return };
        let known = |done: &Done| done.key == datagram.key && done.id == id;
        if self.initials.done.iter().rev().take(LOOKED_AT).any(known) {
            return;
        }
        self.initials.pass(datagram.time);
        let hello = self.initials.take(datagram, version, &id, own);
        self.counters.quic_given_up = self.initials.given_up;
        let Some(hello) = hello else { return };
        self.services.quic(datagram.key.endpoint(datagram.side.peer()), version.name, &hello, datagram.time);
    }
}

impl Initials {
    /// Bytes on the heap for hellos that are not whole.
    pub(crate) fn held(&self) -> usize {
        self.bytes + self.open.len() * RECORD
    }

    /// Gives up what has waited for too long, and all of it where the clock was set back.
    fn pass(&mut self, time: Timestamp) {
        let is_set_back = self.clock.follow(time);
        while let Some(oldest) = self.order.front().and_then(|key| self.open.get(key)) {
            if !is_set_back && self.clock.since(oldest.since) <= PATIENCE {
                break;
            }
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        let Some(opening) = self.order.pop_front().and_then(|key| self.open.remove(&key)) else { return };
        self.bytes = self.bytes.saturating_sub(opening.bytes);
        self.given_up += 1;
    }

    fn take(
        &mut self,
        datagram: &Datagram<'_>,
        version: &Version,
        id: &[u8],
        own: Vec<u8>,
    ) -> Option<ClientHello> {
        // Where the server has chosen an identifier of its own, keys still follow from the first one.
        let opening = self.open.get(&datagram.key);
        let first = opening.map_or(id, |opening| &opening.id).to_vec();
        let mut pieces = read(datagram.payload, version, &first);
        let mut used = first;
        if pieces.is_empty() && used != id {
            pieces = read(datagram.payload, version, id);
            used = id.to_vec();
        }
        if pieces.is_empty() {
            return None;
        }
        if opening.is_none_or(|opening| opening.id != used) {
            self.begin(datagram.key, used.clone());
        }
        let opening = self.open.get_mut(&datagram.key)?;
        pieces.into_iter().for_each(|(offset, piece)| self.bytes += opening.add(offset, piece));
        let Some((hello, digest)) = opening.hello() else {
            while self.bytes > MAX_BYTES && !self.order.is_empty() {
                self.give_up();
            }
            return None;
        };
        let bytes = self.open.remove(&datagram.key).map_or(0, |opening| opening.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.order.retain(|key| *key != datagram.key);
        if self.done.len() >= MAX_DONE {
            self.done.pop_front();
        }
        let same = |done: &Done| done.hello == digest || !own.is_empty() && done.own == own;
        let known = |done: &Done| done.key == datagram.key && same(done);
        let again = self.done.iter().rev().take(LOOKED_AT).any(known);
        self.done.push_back(Done { key: datagram.key, id: used, own, hello: digest });
        (!again).then_some(hello)
    }

    fn begin(&mut self, key: FlowKey, id: Vec<u8>) {
        match self.open.insert(key, Opening::new(id, self.clock)) {
            Some(before) => self.bytes = self.bytes.saturating_sub(before.bytes),
            None => self.order.push_back(key),
        }
        if self.order.len() > MAX_OPEN {
            self.give_up();
        }
    }
}

impl Opening {
    const fn new(id: Vec<u8>, since: Timestamp) -> Self {
        Self { id, pieces: BTreeMap::new(), bytes: 0, since }
    }

    /// Adds a piece, unless there is one or all of them become more than a hello has; how many bytes were added.
    fn add(&mut self, offset: usize, piece: Vec<u8>) -> usize {
        let length = piece.len();
        let ends = offset.saturating_add(length) <= MAX_HELLO && self.bytes + length <= MAX_HELLO;
        if self.pieces.len() >= MAX_PIECES || !ends || self.pieces.contains_key(&offset) {
            return 0;
        }
        self.pieces.insert(offset, piece);
        self.bytes += length;
        length
    }

    /// The ClientHello with its digest, when all of it is there.
    fn hello(&self) -> Option<(ClientHello, [u8; 32])> {
        let mut whole = Vec::new();
        for (offset, piece) in &self.pieces {
            let new = whole.len().checked_sub(*offset)?;
            whole.extend_from_slice(piece.get(new..).unwrap_or_default());
        }
        let [1, high, middle, low, body @ ..] = whole.as_slice() else { return None };
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        let body = body.get(..length)?;
        Some((ClientHello::parse(body)?, Sha256::digest(body).into()))
    }
}

/// Version, destination and source identifier (RFC 8999, 5.1).
fn long_header(payload: &[u8]) -> Option<(&'static Version, Vec<u8>, Vec<u8>)> {
    let mut rest = payload.get(1..)?;
    let version = version(*take(&mut rest, 4)?.first_chunk()?)?;
    let mut identifier = || {
        let length = usize::from(byte(&mut rest)?);
        take(&mut rest, length).filter(|id| id.len() <= MAX_ID)
    };
    let (id, own) = (identifier()?, identifier()?);
    Some((version, id.to_vec(), own.to_vec()))
}

/// The pieces of the hello in all Initial packets of a datagram, with their offsets.
fn read(mut payload: &[u8], version: &Version, id: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    let Some(keys) = Keys::new(version, id) else { return pieces };
    while let Some((packet, head, behind)) = next_packet(payload, version) {
        if let Some(plain) = keys.open(packet, head) {
            frames(&plain, &mut pieces);
        }
        payload = behind;
    }
    pieces
}

/// The next Initial packet, the length of its head without the packet number, and what follows it.
fn next_packet<'a>(payload: &'a [u8], version: &Version) -> Option<(&'a [u8], usize, &'a [u8])> {
    let mut rest = payload;
    let first = byte(&mut rest)?;
    if first & 0xc0 != 0xc0 || first >> 4 & 3 != version.initial {
        return None;
    }
    take(&mut rest, 4)?;
    for _ in 0..2 {
        let length = usize::from(byte(&mut rest)?);
        take(&mut rest, length)?;
    }
    let token = variable(&mut rest)?;
    take(&mut rest, token)?;
    let length = variable(&mut rest)?;
    let head = payload.len() - rest.len();
    take(&mut rest, length)?;
    Some((payload.get(..head + length)?, head, rest))
}

/// A number of variable length (RFC 9000, 16).
fn variable(rest: &mut &[u8]) -> Option<usize> {
    let first = byte(rest)?;
    let more = take(rest, (1 << (first >> 6)) - 1)?;
    more.iter().try_fold(usize::from(first & 0x3f), |sum, byte| {
        sum.checked_mul(256)?.checked_add(usize::from(*byte))
    })
}

/// The client's keys of its first packets.
struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    protection: HeaderProtectionKey,
}

impl Keys {
    fn new(version: &Version, id: &[u8]) -> Option<Self> {
        let initial = extract(Hash::Sha256, &version.salt, id);
        let mut secret = [0; 32];
        expand_label(Hash::Sha256, initial.bytes(), "client in", &mut secret);
        let secret = Secret::new(&secret);
        let [key_label, iv_label, protection_label] = version.labels;
        let (mut key, mut iv, mut protection) = ([0; 16], [0; 12], [0; 16]);
        expand_label(Hash::Sha256, secret.bytes(), key_label, &mut key);
        expand_label(Hash::Sha256, secret.bytes(), iv_label, &mut iv);
        expand_label(Hash::Sha256, secret.bytes(), protection_label, &mut protection);
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            iv,
            protection: HeaderProtectionKey::new(&AES_128, &protection).ok()?,
        })
    }

    /// Removes both protections of a packet (RFC 9001, 5.3 and 5.4).
    fn open(&self, packet: &[u8], head: usize) -> Option<Vec<u8>> {
        let sample = packet.get(head + 4..)?.get(..16)?;
        let [mask, number_mask @ ..] = self.protection.new_mask(sample).ok()?;
        let first = packet.first()? ^ (mask & 0x0f);
        let length = usize::from(first & 3) + 1;
        let masked = packet.get(head..head + length)?;
        let number: Vec<u8> = masked.iter().zip(number_mask).map(|(byte, mask)| byte ^ mask).collect();
        let mut nonce = self.iv;
        nonce.iter_mut().rev().zip(number.iter().rev()).for_each(|(place, byte)| *place ^= byte);
        let mut known = packet.get(..head)?.to_vec();
        *known.first_mut()? = first;
        known.extend_from_slice(&number);
        let mut sealed = packet.get(head + length..)?.to_vec();
        let plain = sealed.len().checked_sub(TAG)?;
        self.key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(known), &mut sealed).ok()?;
        sealed.truncate(plain);
        Some(sealed)
    }
}

/// The pieces of the hello among a packet's frames (RFC 9000, 19), up to one that an Initial packet may not have.
fn frames(mut rest: &[u8], pieces: &mut Vec<(usize, Vec<u8>)>) -> Option<()> {
    loop {
        match byte(&mut rest)? {
            // PADDING and PING.
            0 | 1 => {}
            // ACK: the largest, the delay, ranges, the first range, pairs, and counts of ECN.
            kind @ (2 | 3) => {
                variable(&mut rest)?;
                variable(&mut rest)?;
                let ranges = variable(&mut rest)?;
                let numbers = 1 + 2 * ranges.min(rest.len()) + if kind == 3 { 3 } else { 0 };
                (0..numbers).try_for_each(|_| variable(&mut rest).map(drop))?;
            }
            // CRYPTO.
            6 => {
                let offset = variable(&mut rest)?;
                let length = variable(&mut rest)?;
                pieces.push((offset, take(&mut rest, length)?.to_vec()));
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9001, A.1.
    #[test]
    fn keys_follow_from_the_identifier_as_in_rfc_9001() {
        let id = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        assert_eq!(
            Keys::new(&V1, &id).unwrap().iv,
            [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c]
        );
    }

    #[test]
    fn pieces_of_a_hello_are_joined_in_any_order() {
        let mut hello = vec![1, 0, 0, 41, 3, 3];
        hello.extend([5; 32]);
        hello.extend([0, 0, 2, 0x13, 1, 1, 0]);
        let mut opening = Opening::new(Vec::new(), Timestamp::default());
        opening.add(20, hello[20..].to_vec());
        assert!(opening.hello().is_none());
        opening.add(0, hello[..24].to_vec());
        assert_eq!(opening.hello().unwrap().0.suites, [0x1301]);
    }

    #[test]
    fn pieces_that_overlap_come_to_no_more_than_a_hello() {
        let mut opening = Opening::new(Vec::new(), Timestamp::default());
        let added: usize = (0..64).map(|offset| opening.add(offset, vec![0; 1_100])).sum();
        assert_eq!(added, opening.bytes);
        assert!(added <= MAX_HELLO && added > MAX_HELLO - 1_100, "{added}");
        assert_eq!(opening.add(usize::MAX, vec![0; 9]), 0);
    }

    fn key(client: u16) -> FlowKey {
        let endpoint = |port| tapwire_wire::Endpoint::v4([10, 0, 0, 1], port);
        FlowKey::new(endpoint(client), endpoint(443)).0
    }

    #[test]
    fn what_never_becomes_whole_is_given_up_and_counted() {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let mut initials = Initials::default();
        initials.pass(at(1_000));
        for client in 0..2_000 {
            initials.begin(key(client), vec![1]);
        }
        assert_eq!((initials.open.len(), initials.given_up), (MAX_OPEN, 2_000 - MAX_OPEN as u64));
        assert_eq!(initials.held(), MAX_OPEN * RECORD);
        initials.pass(at(1_031));
        assert_eq!((initials.open.len(), initials.order.len(), initials.given_up), (0, 0, 2_000));
        initials.begin(key(7), vec![1]);
        initials.pass(at(1_031 - 7_200));
        assert!(initials.open.is_empty(), "by a clock that was set back its time would not pass");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut pieces = Vec::new();
            frames(&bytes, &mut pieces);
            let packet = [&[0xc0, 0, 0, 0, 1][..], &bytes].concat();
            if let Some((version, id, _)) = long_header(&packet) {
                read(&packet, version, &id);
            }
        }
    }
}
