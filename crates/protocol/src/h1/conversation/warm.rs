//! Reads ahead of an event, so that memory is at hand when it comes. Nothing is decided here and nothing changes.

use super::Conversation;
use crate::h1::reader::Reader;
use std::hint::black_box;

impl Conversation {
    /// Reads from each part of the state.
    pub(crate) fn warm(&self) {
        self.requests.warm();
        self.responses.warm();
        self.pairer.warm();
    }
}

impl Reader {
    fn warm(&self) {
        black_box(self.next);
        black_box(self.serial);
        black_box(self.held.len());
        black_box(self.open.as_ref().map(|message| message.id));
    }
}
