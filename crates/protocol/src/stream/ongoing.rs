//! An exchange that goes on after it was reported: an event stream, a gRPC stream, a long poll, an endless download.

use super::splitter::Splitter;
use super::{Ending, Stream};
use crate::h1::reader::Origin;
use crate::output::Output;
use crate::{Anomalies, Direction, Exchange, ExchangeSink, Message};
use tapwire_flow::StreamOffset;

/// What comes of an exchange behind its report.
#[derive(Debug)]
pub(crate) struct Ongoing {
    stream: Stream,
    client_says: Splitter,
    server_says: Splitter,
    /// What the last bytes came with; where they end, if that is told, or the frame that carried them begins: where a
    /// segment began has no say.
    last: Option<Origin>,
    /// It is over, and whether as it should be.
    over: Option<bool>,
    /// Facts that belong to no message.
    anomalies: Anomalies,
    /// What the server said at the end.
    trailers: Option<Box<Message>>,
}

impl Ongoing {
    /// What goes on behind `exchange`, which is about to be reported. Names the protocol, when it is one of its own.
    pub(crate) fn of(exchange: &mut Exchange) -> Self {
        let splitter =
            |half: &Option<Box<Message>>| half.as_deref().map_or_else(Splitter::default, Splitter::of);
        let (client_says, server_says) = (splitter(&exchange.request), splitter(&exchange.response));
        if server_says.is_events() {
            exchange.protocols = match exchange.protocols {
                ["http/1.1"] => &["http/1.1", "sse"],
                ["http/2"] => &["http/2", "sse"],
                other => other,
            };
        }
        let mut stream = Stream::of(exchange, exchange.protocols);
        for (direction, half, told) in [
            (Direction::ToServer, &exchange.request, client_says.told_before()),
            (Direction::ToClient, &exchange.response, server_says.told_before()),
        ] {
            stream.count(direction, half.as_ref().map_or(0, |message| message.body.len));
            stream.count_told(direction, told);
        }
        Self {
            stream,
            client_says,
            server_says,
            last: None,
            over: None,
            anomalies: Anomalies::default(),
            trailers: None,
        }
    }

    /// Whether the server tells events, which have no end of their own.
    pub(crate) const fn is_events(&self) -> bool {
        self.server_says.is_events()
    }

    /// Bytes on the heap, its own included.
    pub(crate) fn held(&self) -> usize {
        let trailers = self.trailers.as_ref().map_or(0, |message| message.held());
        let open = self.client_says.held() + self.server_says.held();
        size_of::<Self>() + self.stream.held() + open + trailers
    }

    /// Takes content of one direction that begins at `origin`, without transfer coding; who calls has counted it.
    pub(crate) fn bytes<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        origin: Origin,
        bytes: &[u8],
    ) {
        self.stream.count(direction, bytes.len() as u64);
        self.last = Some(origin);
        let (stream, splitter) = self.parts(direction);
        splitter.bytes(stream, out, direction, origin, bytes);
    }

    /// The content that came last ends there.
    pub(crate) fn reached(&mut self, at: StreamOffset) {
        self.last.iter_mut().for_each(|last| last.at = at);
    }

    /// So many bytes of one direction are missing; where messages begin behind them is not known.
    pub(crate) fn gap<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction, len: u64) {
        self.stream.miss(len);
        let (stream, splitter) = self.parts(direction);
        splitter.lose(stream, out, direction);
    }

    const fn parts(&mut self, direction: Direction) -> (&mut Stream, &mut Splitter) {
        match direction {
            Direction::ToServer => (&mut self.stream, &mut self.client_says),
            Direction::ToClient => (&mut self.stream, &mut self.server_says),
        }
    }

    /// Facts about the exchange that are no message's.
    pub(crate) fn note(&mut self, anomalies: Anomalies) {
        self.anomalies |= anomalies;
    }

    /// The server's trailers: they travel with the end.
    pub(crate) fn put_trailers(&mut self, message: Box<Message>) {
        self.trailers = Some(message);
    }

    /// It is over; `whole` says that it ended as it should. [`Ongoing::end`] tells it.
    pub(crate) fn finish(&mut self, whole: bool) {
        self.over.get_or_insert(whole);
    }

    /// Whether it is over.
    pub(crate) const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Whether it has ended as it should.
    pub(crate) fn is_whole(&self) -> bool {
        self.over == Some(true)
    }

    /// Tells the end; `origin` is where the answer is known up to.
    pub(crate) fn end<E: ExchangeSink>(mut self, out: &mut Output<'_, E>, origin: Origin) {
        let whole = self.is_whole();
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (stream, splitter) = self.parts(direction);
            splitter.finish(stream, out, direction, whole);
        }
        let anomalies = self.anomalies | self.client_says.anomalies() | self.server_says.anomalies();
        let ending = Ending { whole, close: None, anomalies };
        // Its place is where the answer ends, however the bytes before were cut into segments.
        let last = self.last.map_or(origin, |last| Origin { at: origin.at, ..last });
        let message = self.trailers.take().unwrap_or_else(|| out.message(last));
        self.stream.end(out, Direction::ToClient, message, ending);
    }
}
