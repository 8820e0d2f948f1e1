//! Linux netfilter log: a family, then attributes, one of which is the packet.

use crate::view::View;
use crate::walk::Next;
use crate::{Layer, Skip, SkipReason};

/// The attribute that holds the packet (`NFULA_PAYLOAD`).
const PAYLOAD: u8 = 9;
/// The kernel knows 19 attributes and writes each at most once.
const MAX_ATTRIBUTES: usize = 64;

/// Finds the packet among the attributes.
pub(crate) fn message(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Nflog, reason);
    let [family, _version, _, _] = *view.header::<4>().map_err(blame)?;
    let mut view = view.skip(4).map_err(blame)?;
    for _ in 0..MAX_ATTRIBUTES {
        if view.stated == 0 {
            return Err(blame(SkipReason::NotTcp));
        }
        let (kind, length) = attribute(*view.header::<4>().map_err(blame)?);
        if length < 4 || length > view.stated {
            return Err(blame(SkipReason::BadLength));
        }
        if kind == Some(PAYLOAD) {
            let view = view.limit(length).skip(4).map_err(blame)?;
            return Ok(Next::Ip { view, version: version(family), layer: Layer::Nflog });
        }
        // Attributes are padded to four bytes, the last one perhaps not.
        view = view.skip(length.next_multiple_of(4).min(view.stated)).map_err(blame)?;
    }
    Err(blame(SkipReason::TooDeep))
}

/// Type, where it is a known one, and length with the header, in the byte order of the machine that captured.
///
/// Types are below 256 and not 0, so only one order leaves a zero on the high side.
const fn attribute([l0, l1, t0, t1]: [u8; 4]) -> (Option<u8>, usize) {
    match (t0, t1) {
        (0, kind) => (Some(kind), u16::from_be_bytes([l0, l1]) as usize),
        (kind, 0) => (Some(kind), u16::from_le_bytes([l0, l1]) as usize),
        _ => (None, 0),
    }
}

/// `AF_INET` and `AF_INET6` of Linux; a bridge logs both kinds.
const fn version(family: u8) -> Option<u8> {
    match family {
        2 => Some(4),
        10 => Some(6),
        _ => None,
    }
}
