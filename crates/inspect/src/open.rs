//! Messages whose body parts came ahead of their exchange, bounded in number and bytes.

use crate::body::BodyReader;
use std::collections::BTreeMap;
use tapwire_protocol::MessageId;

/// The bodies under way, and in which order they were heard of.
pub(crate) struct OpenBodies {
    max_count: usize,
    max_bytes: usize,
    bodies: BTreeMap<MessageId, Open>,
    by_age: BTreeMap<u64, MessageId>,
    bytes: usize,
    /// Counts what was heard, which is all the time there is here.
    clock: u64,
}

struct Open {
    body: BodyReader,
    heard: u64,
    /// What it was counted with: a body may turn out to need less.
    held: usize,
}

impl OpenBodies {
    pub(crate) const fn new(max_count: usize, max_bytes: usize) -> Self {
        Self { max_count, max_bytes, bodies: BTreeMap::new(), by_age: BTreeMap::new(), bytes: 0, clock: 0 }
    }

    /// Opens a body. Whether there is room is for [`OpenBodies::excess`] to say.
    pub(crate) fn insert(&mut self, id: MessageId, body: BodyReader) {
        self.remove(id);
        self.clock += 1;
        let held = body.held();
        self.bytes += held;
        self.by_age.insert(self.clock, id);
        self.bodies.insert(id, Open { body, heard: self.clock, held });
    }

    /// The body of that message, which was heard of now.
    pub(crate) fn get(&mut self, id: MessageId) -> Option<&mut BodyReader> {
        let open = self.bodies.get_mut(&id)?;
        self.clock += 1;
        self.by_age.remove(&open.heard);
        self.by_age.insert(self.clock, id);
        open.heard = self.clock;
        Some(&mut open.body)
    }

    /// Counts anew what that body holds: reading on may have made it more.
    pub(crate) fn measure(&mut self, id: MessageId) {
        if let Some(open) = self.bodies.get_mut(&id) {
            let held = open.body.held();
            self.bytes = self.bytes - open.held + held;
            open.held = held;
        }
    }

    pub(crate) fn remove(&mut self, id: MessageId) -> Option<BodyReader> {
        let open = self.bodies.remove(&id)?;
        self.by_age.remove(&open.heard);
        self.bytes -= open.held;
        Some(open.body)
    }

    /// While there are too many: the body that was heard of longest ago. The last one stays.
    pub(crate) fn excess(&mut self) -> Option<BodyReader> {
        let over = self.bodies.len() > self.max_count || self.bytes > self.max_bytes;
        let oldest = self.by_age.first_key_value().map(|(_, id)| *id);
        if over && self.bodies.len() > 1 { self.remove(oldest?) } else { None }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.bodies.len(), self.by_age.len());
        assert_eq!(self.bytes, self.bodies.values().map(|open| open.held).sum::<usize>());
        self.bodies.len()
    }
}
