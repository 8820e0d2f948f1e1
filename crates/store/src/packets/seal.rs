//! Blocks, sealed and opened.

use std::io;

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::key::{self, LENGTH};

/// GCM's tag behind what it seals.
pub(crate) const TAG: usize = 16;

const MAGIC: [u8; 8] = *b"TWPKTS01";
/// What is in front of the wrapped key and bound to it.
const NAMED: usize = 16;
pub(crate) const HEADER: usize = NAMED + NONCE_LEN + LENGTH + TAG;
/// Kind, zeros, length.
pub(crate) const BLOCK_HEADER: usize = 8;
/// No block is longer: what states more is damage.
pub(crate) const LONGEST_BLOCK: usize = 64 << 20;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Packets = 1,
    Names = 2,
    Index = 3,
}

/// The key of one segment.
pub(crate) struct Seal {
    key: LessSafeKey,
}

impl Seal {
    /// A fresh key, and the header that holds it wrapped.
    pub(crate) fn fresh(data_key: &LessSafeKey, number: u64) -> io::Result<(Self, Vec<u8>)> {
        let key: [u8; LENGTH] = key::random()?;
        let nonce: [u8; NONCE_LEN] = key::random()?;
        let mut header = MAGIC.to_vec();
        header.extend(number.to_le_bytes());
        let mut wrapped = key.to_vec();
        let about = Aad::from(header.clone());
        let sealed =
            data_key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut wrapped);
        sealed.map_err(|_| io::Error::other("the segment's key cannot be sealed"))?;
        header.extend(nonce);
        header.extend(wrapped);
        Ok((Self { key: key::cipher(&key)? }, header))
    }

    /// From a segment's header; `None` when it is no segment, or another key wrapped it.
    pub(crate) fn unwrap(data_key: &LessSafeKey, header: &[u8]) -> Option<Self> {
        let (named, rest) = header.split_at_checked(NAMED)?;
        let (nonce, wrapped) = rest.split_at_checked(NONCE_LEN)?;
        if !named.starts_with(&MAGIC) {
            return None;
        }
        let mut wrapped = wrapped.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let key = data_key.open_in_place(nonce, Aad::from(named), &mut wrapped).ok()?;
        let key: [u8; LENGTH] = (&*key).try_into().ok()?;
        Some(Self { key: key::cipher(&key).ok()? })
    }

    /// Seals `bytes` where they lie, and gives what stands before them.
    pub(crate) fn seal(
        &self,
        kind: Kind,
        position: u64,
        bytes: &mut Vec<u8>,
    ) -> io::Result<[u8; BLOCK_HEADER]> {
        let head = header(kind, bytes.len() + TAG).ok_or(io::ErrorKind::FileTooLarge)?;
        let sealed = self.key.seal_in_place_append_tag(nonce(position), Aad::from(head), bytes);
        sealed.map(|()| head).map_err(|_| io::Error::other("a block cannot be sealed"))
    }

    /// Opens a block where it lies. `None` when anything of it is not as it was sealed.
    pub(crate) fn open<'a>(
        &self,
        head: [u8; BLOCK_HEADER],
        position: u64,
        bytes: &'a mut [u8],
    ) -> Option<(Kind, &'a [u8])> {
        let kind = kind(head)?;
        let opened = self.key.open_in_place(nonce(position), Aad::from(head), bytes).ok()?;
        Some((kind, opened))
    }
}

fn header(kind: Kind, len: usize) -> Option<[u8; BLOCK_HEADER]> {
    let [a, b, c, d] = u32::try_from(len).ok().filter(|_| len <= LONGEST_BLOCK)?.to_le_bytes();
    Some([kind as u8, 0, 0, 0, a, b, c, d])
}

fn kind([kind, ..]: [u8; BLOCK_HEADER]) -> Option<Kind> {
    [Kind::Packets, Kind::Names, Kind::Index].into_iter().find(|known| *known as u8 == kind)
}

/// The sealed bytes behind that header; `None` where no block is so long.
pub(crate) fn sealed_len([_, _, _, _, a, b, c, d]: [u8; BLOCK_HEADER]) -> Option<usize> {
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    (TAG..=LONGEST_BLOCK).contains(&len).then_some(len)
}

fn nonce(position: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    for (place, byte) in bytes.iter_mut().zip(position.to_le_bytes()) {
        *place = byte;
    }
    Nonce::assume_unique_for_key(bytes)
}
