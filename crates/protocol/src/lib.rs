//! StreamEvent to Exchange: framing, pairing and anomalies; one folder a wire protocol.
//!
//! A pure crate: no clock, no threads, no I/O. [`Protocols`] implements `flow`'s `StreamSink`; what a connection needs
//! between packets lives in [`Connection`], inside the flow's record. Parsers resume across packets, may be entered in
//! the middle of a stream and after a gap, and never join bytes across one. Transfer coding is removed here, content
//! coding never.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod anomaly;
mod authority;
mod body;
mod child;
mod connection;
mod exchange;
pub mod h1;
pub mod h2;
mod head;
mod kind;
mod output;
mod protocols;
pub mod proxy;
mod remembered;
mod stream;
mod talk;
pub mod tls;
mod unseen;
pub mod websocket;

pub use anomaly::{Anomalies, Anomaly};
pub use authority::{host_of, origin_host, without_user};
pub use body::{Body, BodyPart, Framing, MessageId};
pub use child::{Child, ChildKind, Close, EachWay, Heads, Totals};
pub use connection::Connection;
pub use exchange::{
    Direction, Exchange, ExchangeSink, FlowStamp, Frames, Message, Pairing, ProxyHeader, Seen, Uid,
};
pub use head::{Field, Head, Range, Untrusted, Version};
pub use kind::Kind;
pub use output::{Config, Counters};
pub use protocols::{PROTOCOLS, ProtocolInfo, Protocols};
pub use unseen::{Answer, ConnectionEnd, Unseen};

// What a connection without a byte came to, for the crates above, which know no flows.
pub use tapwire_flow::{Knock, KnockAnswer};
