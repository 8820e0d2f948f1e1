//! What a wire protocol does with a connection that speaks it.

use crate::output::Output;
use crate::{Exchange, ExchangeSink};
use tapwire_flow::{Chunk, Patience, StreamEvent};

/// A wire protocol on one connection. It may be entered in the middle of a stream and after a gap.
pub(crate) trait Talk<E: ExchangeSink> {
    /// Takes the bytes of `chunk` from `skip` on. Returns how many bytes of the chunk are used up: fewer than all only
    /// where [`Talk::becomes`] has an answer, and what is left belongs to what comes next.
    fn data(&mut self, out: &mut Output<'_, E>, chunk: &Chunk<'_>, skip: usize) -> usize;

    /// Takes whatever is not data.
    fn event(&mut self, out: &mut Output<'_, E>, event: &StreamEvent<'_>);

    /// How long to keep the connection when it is silent.
    fn patience(&self) -> Patience;

    /// Counts anew what it holds on the heap; gives what it counted before and what it counts now, in bytes.
    fn recount(&mut self) -> (usize, usize);

    /// What the connection speaks from here on, once, when it has left this protocol for one that is known.
    fn becomes(&mut self) -> Option<Next> {
        None
    }

    /// Whether the connection turned out to speak something else: nothing of this chunk was used, and what was made of it
    /// so far is worth nothing.
    fn is_refuted(&self) -> bool {
        false
    }

    /// Reads what the next event will touch.
    fn warm(&self) {}
}

/// What a connection goes on in.
#[derive(Debug)]
pub(crate) enum Next {
    /// What an exchange switched to.
    Upgraded(Box<Switch>),
    /// TLS, inside a tunnel that CONNECT opened (RFC 9110, 9.3.6).
    Tls,
}

/// The connection goes on in another protocol.
#[derive(Debug)]
pub(crate) struct Switch {
    /// Which.
    pub(crate) to: Upgrade,
    /// The exchange that brought it about. It has not been reported: its successor knows best what it is.
    pub(crate) exchange: Exchange,
}

/// A protocol that HTTP/1 can give way to (RFC 9110, 7.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// RFC 6455.
    WebSocket,
    /// RFC 7540, 3.2: the request that asked for it is stream 1.
    H2c,
}

impl Upgrade {
    /// By its name in an Upgrade field, as [`crate::h1::upgrade`] gives it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "websocket" => Some(Self::WebSocket),
            "h2c" => Some(Self::H2c),
            _ => None,
        }
    }
}
