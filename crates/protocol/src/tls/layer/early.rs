//! Early data (0-RTT): the server may refuse it, and then nobody has read it (RFC 8446, 4.2.10).

use super::waiting::{Item, MAX_BYTES};
use super::{Emit, Layer};
use crate::Direction;
use crate::tls::Shared;
use crate::tls::handshake::Epoch;

impl Layer {
    /// Whether a record of this direction may be early data of which the server has not said yet whether it takes it.
    pub(super) fn is_early(&mut self, from: Direction) -> bool {
        from == Direction::ToServer
            && self.lane(from).epoch == Some(Epoch::Early)
            && self.handshake.takes_early_data.is_none()
    }

    /// Keeps a record until the server says it.
    pub(super) fn hold_early(&mut self, shared: &mut Shared, item: Item) {
        let held: usize = self.early.iter().map(Item::bytes).sum();
        self.early.push(item);
        if held > MAX_BYTES || !self.handshake.knows_of_early_data(&shared.keys) {
            self.refuse_early(shared);
        }
    }

    /// The server may have said it: what it takes is read now, before its answer.
    pub(super) fn settle_early(&mut self, shared: &mut Shared, emit: &mut Emit<'_>) {
        let [client, server] = &self.lanes;
        if client.epoch != Some(Epoch::Early) || self.early.is_empty() {
            return;
        }
        match self.handshake.takes_early_data {
            Some(true) => {
                for item in std::mem::take(&mut self.early) {
                    self.item(shared, item, emit);
                }
            }
            Some(false) => self.refuse_early(shared),
            // What it said was not captured.
            None if server.epoch == Some(Epoch::Application) => self.refuse_early(shared),
            None => {}
        }
    }

    /// Nobody reads it.
    fn refuse_early(&mut self, shared: &mut Shared) {
        self.handshake.takes_early_data = Some(false);
        self.drop_early(shared);
        self.lane(Direction::ToServer).enter(Epoch::Handshake);
    }

    pub(super) fn drop_early(&mut self, shared: &mut Shared) {
        let dropped = std::mem::take(&mut self.early);
        shared.counters.blind += dropped.len() as u64;
    }
}
