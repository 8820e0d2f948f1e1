//! Pages that a service answers with wherever it is asked: single-page applications and "not found" with status 200.
//!
//! A page is told by its length and media type: a hash of HTML would ask for reading what is not read otherwise.

use super::Called;
use crate::hashing::{BuildAsIs, Keyed};
use crate::schemas::media_type;
use crate::templates::NodeId;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use tapwire_protocol::Seen;
use tapwire_wire::Timestamp;

/// Pages that are known of all services.
const MAX_PAGES: usize = 2048;
/// Places that tell a page for every path from one that some share.
const MANY: usize = 8;
/// A page that no unknown path had for so long is forgotten: a new release has another length.
const KEPT_NS: i64 = 24 * 3600 * 1_000_000_000;

/// Pages, by a keyed hash of service, media type and length.
pub(super) struct Pages {
    hashing: Keyed,
    known: HashMap<u64, Page, BuildAsIs>,
}

struct Page {
    /// Hashes of the places that it was on, at most [`MANY`].
    places: Vec<u64>,
    last: Timestamp,
}

/// On how many places a page was, apart from the path that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// On none, or it is no page.
    None,
    /// On another: two pages may have the same length.
    Some,
    /// On so many that it is everywhere.
    Everywhere,
}

impl Pages {
    pub(super) fn new(hashing: Keyed) -> Self {
        Self { hashing, known: HashMap::default() }
    }

    /// Notes that an unknown path was answered with a page, and says where else that page was. `evicted` counts pages that had
    /// to go for newer ones.
    pub(super) fn see(&mut self, root: NodeId, called: Called<'_>, evicted: &mut u64) -> Spread {
        let observation = called.observation;
        let Some(answer) = observation.exchange.response.as_deref() else { return Spread::None };
        let media_type = media_type(Some(&answer.head));
        let is_html = [&b"text/html"[..], b"application/xhtml+xml"]
            .iter()
            .any(|html| media_type.eq_ignore_ascii_case(html));
        // The root has a page of its own.
        let is_page = is_html && answer.head.status == Some(200) && answer.body.len > 0;
        if !is_page || answer.seen != Seen::Complete || observation.segments.is_empty() {
            return Spread::None;
        }
        let mut hash = self.hashing.build_hasher();
        root.hash(&mut hash);
        hash.write_u16(called.what.method);
        hash.write_u64(answer.body.len);
        let (key, place) = (hash.finish(), self.place(called));
        let now = observation.exchange.started();
        self.make_room(key, now, evicted);
        let page = self.known.entry(key).or_insert(Page { places: Vec::new(), last: now });
        page.last = page.last.max(now);
        let elsewhere = page.places.iter().filter(|known| **known != place).count();
        if page.places.len() < MANY && !page.places.contains(&place) {
            page.places.push(place);
        }
        match elsewhere {
            0 => Spread::None,
            more if more + 1 >= MANY => Spread::Everywhere,
            _ => Spread::Some,
        }
    }

    /// What a path lies in; below the root, its word: values of one parameter are one place.
    fn place(&self, called: Called<'_>) -> u64 {
        let mut hash = self.hashing.build_hasher();
        let segments = called.path.segments;
        let within = segments.len().saturating_sub(1).max(1);
        for segment in segments.iter().take(within) {
            hash.write_u8(segment.kind as u8);
            if !segment.kind.is_parameter() {
                hash.write(called.path.head.slice(segment.range).bytes());
                hash.write_u8(b'/');
            }
        }
        hash.write_usize(segments.len());
        hash.finish()
    }

    fn make_room(&mut self, key: u64, now: Timestamp, evicted: &mut u64) {
        if self.known.get(&key).is_some_and(|page| now.since(page.last) > KEPT_NS) {
            self.known.remove(&key);
        }
        if self.known.len() >= MAX_PAGES && !self.known.contains_key(&key) {
            self.known.retain(|_, page| now.since(page.last) <= KEPT_NS);
            if self.known.len() >= MAX_PAGES {
                *evicted += self.known.len() as u64;
                self.known.clear();
            }
        }
    }
}
