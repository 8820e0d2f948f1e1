//! What flow says of a connection, for targets that stand behind it.

use crate::{OwnedPacket, PSH, Tcp};
use tapwire_flow::{Config, FlowInfo, FlowTable, Patience, StreamEvent, StreamSink};
use tapwire_wire::{Endpoint, TcpFlags, Timestamp};

/// A connection of which the first packet of the client was captured: the SYN of the handshake, or one from its middle.
/// The client is the side that sorts first.
pub(crate) fn flow_info(handshake: bool) -> FlowInfo {
    let tcp = Tcp {
        source: Endpoint::v4([10, 0, 0, 1], 40_000),
        destination: Endpoint::v4([192, 0, 2, 1], 80),
        seq: 100,
        ack: (!handshake).then_some(500),
        flags: if handshake { TcpFlags::SYN } else { PSH },
        window: 0xffff,
        ttl: 64,
        payload: if handshake { Vec::new() } else { b"x".to_vec() },
    };
    let packet = OwnedPacket::ethernet(Timestamp::from_parts(1_000, 0), tcp.ethernet());
    let mut table = FlowTable::new(Config::default());
    let mut last = Last::default();
    table.handle(&packet.segment().expect("a segment"), &mut last);
    table.finish(&mut last);
    last.0.expect("every connection is closed")
}

#[derive(Default)]
struct Last(Option<FlowInfo>);

impl StreamSink<()> for Last {
    fn looks_like_start(&self, _: &[u8]) -> bool {
        true
    }

    fn event(&mut self, flow: &FlowInfo, (): &mut (), _: StreamEvent<'_>) {
        self.0 = Some(flow.clone());
    }

    fn patience(&self, (): &()) -> Patience {
        Patience::Idle
    }
}
