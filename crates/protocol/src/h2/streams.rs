//! The streams of a connection that are open, by identifier.

use crate::stream::Ongoing;
use crate::websocket::Socket;
use crate::{Anomalies, Direction, Message};
use std::collections::VecDeque;

/// Streams that are kept open on one connection. Servers allow 100 to 250, as a rule.
pub(super) const MAX_STREAMS: usize = 1_024;

/// Streams that were reset and whose late frames are expected.
const RESETS: usize = 16;

/// How far one direction of a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Progress {
    /// Its head has not come.
    #[default]
    Idle,
    /// More frames may come.
    Open,
    /// Its last frame has come.
    Ended,
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) progress: Progress,
    pub(super) message: Option<Box<Message>>,
    /// How often its direction had lost frames when the last one of this stream came.
    pub(super) losses: u32,
}

/// A stream: a request and its response.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) request: Half,
    pub(super) response: Half,
    pub(super) interim: [u16; 4],
    pub(super) anomalies: Anomalies,
    /// CONNECT was accepted: what follows is another protocol.
    pub(super) tunnel: bool,
    /// That protocol, where it is read.
    pub(super) socket: Option<Box<Socket>>,
    /// It was reported, and goes on.
    pub(super) ongoing: Option<Box<Ongoing>>,
    /// The response has ended, and the request is not there yet.
    pub(super) waits: bool,
    /// Bytes on the heap that were counted for it.
    charged: usize,
}

impl Stream {
    pub(super) fn new(id: u32) -> Self {
        Self { id, ..Self::default() }
    }

    pub(super) const fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        }
    }

    fn held(&self) -> usize {
        let of = |half: &Half| half.message.as_ref().map_or(0, |message| message.held());
        let ongoing = self.ongoing.as_ref().map_or(0, |ongoing| ongoing.held());
        let socket = self.socket.as_ref().map_or(0, |socket| socket.held());
        of(&self.request) + of(&self.response) + ongoing + socket
    }
}

/// Every open stream, in the order of identifiers.
#[derive(Debug, Default)]
pub(super) struct Streams {
    list: VecDeque<Stream>,
    /// Bytes of messages on the heap.
    held: usize,
    /// The highest identifier that the client has used, and the highest that the server has promised.
    last: [u32; 2],
    reset: [u32; RESETS],
    resets: usize,
}

impl Streams {
    /// Where a stream is in the list.
    pub(super) fn find(&self, id: u32) -> Option<usize> {
        // Most frames are of the newest stream.
        match self.list.back() {
            Some(newest) if newest.id == id => Some(self.list.len() - 1),
            _ => self.list.binary_search_by_key(&id, |stream| stream.id).ok(),
        }
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Stream> {
        self.list.get_mut(index)
    }

    /// Adds a stream that is not there; gives its place.
    pub(super) fn add(&mut self, id: u32) -> usize {
        if let Some(last) = self.last.get_mut(parity(id)) {
            *last = (*last).max(id);
        }
        let place = self.list.partition_point(|stream| stream.id < id);
        self.list.insert(place, Stream::new(id));
        place
    }

    /// Whether that identifier was passed by a higher one, or used.
    pub(super) fn is_past(&self, id: u32) -> bool {
        self.last.get(parity(id)).is_some_and(|last| id <= *last)
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Stream> {
        let stream = self.list.remove(index)?;
        self.held = self.held.saturating_sub(stream.charged);
        Some(stream)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.list.iter()
    }

    /// Counts anew what a stream holds.
    pub(super) fn recount(&mut self, index: usize) {
        if let Some(stream) = self.list.get_mut(index) {
            let now = stream.held();
            self.held = (self.held + now).saturating_sub(std::mem::replace(&mut stream.charged, now));
        }
    }

    /// Bytes of messages on the heap.
    pub(super) const fn messages(&self) -> usize {
        self.held
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        self.held + self.list.capacity() * size_of::<Stream>()
    }

    /// Remembers that frames of a stream may still come.
    pub(super) fn remember_reset(&mut self, id: u32) {
        if let Some(place) = self.reset.get_mut(self.resets % RESETS) {
            *place = id;
        }
        self.resets = self.resets.wrapping_add(1);
    }

    pub(super) fn was_reset(&self, id: u32) -> bool {
        self.reset.contains(&id)
    }

    /// Gives room back when hardly any stream is open.
    pub(super) fn tidy(&mut self) {
        if self.list.capacity() > 64 && self.list.len() < 8 {
            self.list.shrink_to(8);
        }
    }
}

/// Identifiers of clients are odd, those of servers even (RFC 9113, 5.1.1).
const fn parity(id: u32) -> usize {
    if id % 2 == 1 { 0 } else { 1 }
}
