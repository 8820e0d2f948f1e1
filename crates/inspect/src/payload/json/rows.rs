//! Members that come again: nearly all bytes of a body with many objects of one kind.
//!
//! In the objects of an array the same members follow each other. Where one follows that came behind its neighbour before, that
//! no style and no login wants, and that is here whole, its key is compared, its value is told, and nothing else of the
//! parser's state is touched. Everything else is left where it lies, for the plain way.

use super::numbers::whole_number;
use super::places::Place;
use super::strings::plain_len;
use super::{Frame, Json, KEPT};
use crate::fields::{FieldIndex, Kind};

impl Json {
    /// Behind a value: reads the members that follow and came before, in this object and in those of its array behind it.
    pub(super) fn rows<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some((top, around)) = self.row() else { return bytes };
        let (mut last, mut rest, mut begun) = (top.last, bytes, 0_u32);
        loop {
            let (key, begins) = match rest {
                [b',', b'"', key @ ..] => (key, false),
                [b'}', b',', b'{', b'"', key @ ..] if around.is_some() => (key, true),
                _ => break,
            };
            let before = if begins { FieldIndex::NOWHERE } else { last };
            let Some((at, value)) = self.key_again(top.field, before, key) else { break };
            let ids = self.fields.ids();
            let Some(behind) = self.value_again(at, value) else { break };
            if begins {
                self.fields.value_before(top.field, Kind::Object, ids);
                begun = begun.saturating_add(1);
            }
            (last, rest) = (at, behind);
        }
        if let Some(frame) = self.frames.get_mut(self.depth.wrapping_sub(1)) {
            frame.last = last;
        }
        if let Some(array) = around.and_then(|at| self.frames.get_mut(at)) {
            array.commas = array.commas.saturating_add(begun);
        }
        rest
    }

    /// The open object, and the place of the array whose element it is, where no style wants anything of either.
    fn row(&self) -> Option<(Frame, Option<usize>)> {
        let depth = self.depth.checked_sub(1)?;
        let top = *self.frames.get(depth)?;
        if !top.object || self.gather.hashes() || self.gather.is_open() {
            return None;
        }
        let array = depth.checked_sub(1).filter(|at| self.frames.get(*at).is_some_and(|frame| !frame.object));
        Some((top, array.filter(|_| top.place == Place::Nowhere)))
    }

    /// The member that came behind `last` before, where its key stands here, and what follows the colon.
    fn key_again<'a>(
        &self,
        object: FieldIndex,
        last: FieldIndex,
        bytes: &'a [u8],
    ) -> Option<(FieldIndex, &'a [u8])> {
        let (at, key) = self.members.again(object, last)?;
        if let Some(len) = key.of(bytes) {
            return Some((at, bytes.get(len..)?));
        }
        if key.is_short() {
            return None;
        }
        let (_, name) = self.fields.known(at)?;
        Some((at, bytes.strip_prefix(name)?.strip_prefix(b"\":")?))
    }

    /// Tells a value that is no object and no array and that is here whole; what follows it.
    fn value_again<'a>(&mut self, at: FieldIndex, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match bytes {
            [b'"', text @ ..] => {
                let (text, rest) = text.split_at_checked(plain_len(text))?;
                let rest = rest.strip_prefix(b"\"")?;
                self.fields.text(at, text, text.len());
                Some(rest)
            }
            [b'-' | b'0'..=b'9', ..] => {
                let (digits, number, value) = whole_number(bytes)?;
                self.fields.number(at, number.kind(), digits.get(..KEPT).unwrap_or(digits), value);
                bytes.get(digits.len()..)
            }
            _ => {
                let (kind, rest) = literal(bytes)?;
                self.fields.value(at, kind);
                Some(rest)
            }
        }
    }
}

fn literal(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    match bytes {
        [b't', b'r', b'u', b'e', rest @ ..] | [b'f', b'a', b'l', b's', b'e', rest @ ..] => {
            Some((Kind::Boolean, rest))
        }
        [b'n', b'u', b'l', b'l', rest @ ..] => Some((Kind::Null, rest)),
        _ => None,
    }
}
