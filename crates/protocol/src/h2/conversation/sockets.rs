//! WebSockets on streams (RFC 8441): what DATA carries is read as frames of RFC 6455.

use super::Conversation;
use super::bodies::Piece;
use crate::output::Output;
use crate::websocket::Socket;
use crate::{Anomalies, Direction, ExchangeSink};

impl Conversation {
    /// Whether the request of that stream asks for WebSocket (RFC 8441, 5).
    pub(super) fn asks_for_websocket(&mut self, index: usize) -> bool {
        let request = self.streams.get(index).and_then(|stream| stream.request.message.as_ref());
        let protocol = request.and_then(|request| request.head.header(b":protocol"));
        protocol.is_some_and(|protocol| protocol.is(b"websocket"))
    }

    /// The server accepted: the exchange is reported, and the stream goes on as a WebSocket.
    pub(super) fn open_socket<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, index: usize) {
        let Some(mut opened) = self.take_opened(index) else { return };
        let Some(exchange) = self.exchange_of(out, &mut opened) else { return };
        let socket = Socket::open(out, exchange, &["http/2", "websocket"]);
        let (asked, answered) = (self.requests.losses, self.responses.losses);
        if let Some(stream) = self.streams.get(index) {
            (stream.request.losses, stream.response.losses) = (asked, answered);
            stream.anomalies = Anomalies::default();
            stream.socket = Some(Box::new(socket));
        }
        self.streams.recount(index);
    }

    /// Content of DATA.
    pub(super) fn say<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        index: usize,
        piece: Piece<'_>,
    ) {
        let (origin, losses) = (self.start_of(out, direction, &piece), self.reader(direction).losses);
        let Some(stream) = self.streams.get(index) else { return };
        let missed = std::mem::replace(&mut stream.half(direction).losses, losses) != losses;
        if let Some(socket) = &mut stream.socket {
            if missed {
                // What came while frames were lost may have been its.
                socket.lose(out, direction);
            }
            socket.bytes(out, direction, origin, piece.bytes, piece.begins);
        }
        self.streams.recount(index);
        self.relieve(out, direction, index);
    }

    /// One direction of a stream has ended. Whether all of it has: END_STREAM stands for FIN (RFC 8441, 5).
    pub(super) fn hang_up(&mut self, direction: Direction, index: usize) -> bool {
        let socket = self.streams.get(index).and_then(|stream| stream.socket.as_mut());
        socket.is_none_or(|socket| socket.hang_up(direction))
    }
}
