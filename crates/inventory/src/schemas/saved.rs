//! Schemas as a checkpoint has them.

use super::{BODY_BYTES, BodySchema, MAX_BODIES, MAX_CODES, Room, Schema, Schemas};
use crate::hashing::Keyed;
use crate::state::{ClassMap, names};

impl Schemas {
    /// Fields of all of them, as a checkpoint weighs them.
    pub(crate) fn fields(&self) -> usize {
        self.every().map(|schema| 1 + schema.nodes().len()).sum()
    }

    fn every(&self) -> impl Iterator<Item = &Schema> {
        let answers = self.answers.iter().map(|answer| &answer.body);
        let bodies = self.requests.iter().chain(answers).map(|body| &body.schema);
        [&self.parameters, &self.headers].into_iter().chain(bodies)
    }

    /// Finds everything again after it was read. `false` when there is no room for it.
    pub(crate) fn restore(&mut self, room: &mut Room, hashing: &Keyed, classes: &ClassMap) -> bool {
        let known = |body: &BodySchema| body.format != Some(names::UNKNOWN);
        self.requests.retain(known);
        self.requests.truncate(MAX_BODIES);
        self.answers.retain(|answer| answer.class < 6 && known(&answer.body));
        self.answers.truncate(6 * MAX_BODIES);
        self.codes.sort_unstable_by_key(|count| count.code);
        self.codes.truncate(MAX_CODES);
        let mut bytes = self.own_bytes();
        let answers = self.answers.iter_mut().map(|answer| &mut answer.body);
        let bodies = self.requests.iter_mut().chain(answers).map(|body| &mut body.schema);
        for schema in [&mut self.parameters, &mut self.headers].into_iter().chain(bodies) {
            schema.nodes_mut().iter_mut().for_each(|node| node.restore(classes));
            bytes += schema.restore(hashing);
        }
        room.take(bytes)
    }
    /// Gives back what it holds, as it is dropped.
    pub(crate) fn leave(self, room: &mut Room) {
        room.give(self.own_bytes());
        let answers = self.answers.into_iter().map(|answer| answer.body);
        let bodies = self.requests.into_iter().chain(answers).map(|body| body.schema);
        [self.parameters, self.headers].into_iter().chain(bodies).for_each(|mut schema| schema.leave(room));
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>() + (self.requests.len() + self.answers.len()) * BODY_BYTES
    }
}
