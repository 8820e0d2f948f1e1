//! Keys, and the values that follow them at once.

use super::members::Member;
use super::numbers::Number;
use super::places::Place;
use super::strings::plain_len;
use super::{Json, State};
use crate::fields::MAX_NAME;
use crate::payload::Wanted;

impl Json {
    /// Behind a value: most often the next member follows at once.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let bytes = self.rows(bytes);
        let key = match bytes {
            [b',', b'"', key @ ..] | [b',', b' ', b'"', key @ ..] => Some(key),
            _ => None,
        };
        let in_object = self.frames.get(self.depth.wrapping_sub(1)).is_some_and(|top| top.object);
        let Some(key) = key.filter(|_| in_object) else { return self.structure(bytes) };
        self.next_member();
        self.open_key(key)
    }

    /// A key begins. One that was met here before is told by its bytes; another one that is here whole and without escapes
    /// is hashed where it lies.
    pub(super) fn open_key<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if let Some(rest) = self.known_key(bytes) {
            return self.behind_key(rest);
        }
        let len = plain_len(bytes);
        if let Some((key, [b'"', rest @ ..])) = bytes.split_at_checked(len) {
            self.key_ended(key, len, true);
            return self.behind_key(rest);
        }
        self.key = true;
        self.text.clear();
        self.text_len = 0;
        self.state = State::Text;
        bytes
    }

    fn known_key<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let top = self.frames.get_mut(self.depth.wrapping_sub(1))?;
        let (at, member) = self.members.after(top.field, top.last)?;
        let (path, name) = self.fields.known(at)?;
        let rest = bytes.strip_prefix(name)?.strip_prefix(b"\"")?;
        top.last = at;
        (self.path, self.names, self.field) = (path, top.names.saturating_add(1), at);
        self.member_began(member, name_before(bytes, rest));
        Some(rest)
    }

    pub(super) fn key_ended(&mut self, key: &[u8], len: usize, plain: bool) {
        let Some(top) = self.frames.get_mut(self.depth.wrapping_sub(1)) else { return };
        self.path = top.path.member(key, len);
        self.names = top.names.saturating_add(1);
        let (field, is_new) = self.fields.member(top.field, self.path, key);
        self.field = field;
        self.fields.key(top.field, field, key, len);
        if is_new {
            self.paths.field(self.path, self.names);
        }
        let plain = plain && len <= MAX_NAME;
        let member = Member { place: top.place.member(key), wanted: Wanted::by_name(key), plain };
        self.members.met(top.field, top.last, field, member, key);
        top.last = field;
        self.member_began(member, key);
    }

    fn member_began(&mut self, member: Member, name: &[u8]) {
        self.login.begin_as(member.wanted);
        self.place = member.place;
        if self.place != Place::Nowhere {
            self.gather.member(self.place, name);
        }
        self.state = State::Colon;
    }

    /// Behind a key: the colon and a text or a number, where they follow at once. What is hashed is read in smaller steps,
    /// so that its beginning and its end are told.
    fn behind_key<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let value = match bytes {
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            _ => return bytes,
        };
        let Some((first @ (b'"' | b'-' | b'0'..=b'9'), rest)) = value.split_first() else { return bytes };
        if self.gather.hashes() {
            return bytes;
        }
        self.value(*first);
        match (first, self.gather.hashes()) {
            (b'"', false) => self.text(rest),
            (b'"', true) => rest,
            (_, false) => self.number(value, Number::Begin),
            (_, true) => value,
        }
    }
}

/// The key in front of a quote and `rest`.
fn name_before<'a>(bytes: &'a [u8], rest: &[u8]) -> &'a [u8] {
    bytes.get(..bytes.len() - rest.len() - 1).unwrap_or_default()
}
