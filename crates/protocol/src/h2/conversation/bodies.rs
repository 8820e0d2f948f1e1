//! DATA frames (RFC 9113, 6.1).

use super::{Conversation, narrow};
use crate::h2::frame::{FrameHead, HEAD, flag};
use crate::h2::reader::{Data, Place};
use crate::h2::streams::Progress;
use crate::output::Output;
use crate::{Anomaly, Direction, ExchangeSink, Framing, Message, Seen};

/// Bytes of messages that a connection holds before bodies are sent ahead, or cut.
const MAX_BODIES: usize = 4 << 20;

/// Bytes of messages that a connection holds before its oldest stream is reported as it is.
const MAX_MESSAGES: usize = 8 << 20;

/// Content of a DATA frame.
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes of the frame before it, its head included.
    pub(super) from: u64,
    /// It is the frame's first content.
    pub(super) begins: bool,
}

impl Conversation {
    pub(super) fn data_frame<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
        mut data: Data,
    ) -> usize {
        let used = match (data.padding, rest.first()) {
            (None, Some(padding)) => {
                data.padding = Some(u32::from(*padding));
                out.counters.framing_bytes += 1;
                if u32::from(*padding) > data.left - 1 {
                    self.reader(direction).pending.insert(Anomaly::InvalidPadding);
                    data.padding = Some(data.left - 1);
                }
                1
            }
            _ if data.body() > 0 => {
                let take = (data.body() as usize).min(rest.len());
                let passed = data.head.len - data.left;
                let piece = Piece {
                    bytes: rest.get(..take).unwrap_or_default(),
                    from: HEAD as u64 + u64::from(passed),
                    begins: passed == u32::from(data.head.has(flag::PADDED)),
                };
                self.body(out, direction, data.head.stream, piece);
                take
            }
            _ => {
                let take = (data.left as usize).min(rest.len());
                out.counters.framing_bytes += take as u64;
                data.padding = Some(data.left - narrow(take));
                take
            }
        };
        data.left -= narrow(used);
        self.reader(direction).place = Place::Data(data);
        if data.left == 0 {
            self.end_data(out, direction, &data.head);
        }
        used
    }

    /// A DATA frame has passed.
    pub(super) fn end_data<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
    ) {
        self.reader(direction).place = Place::Head;
        if head.has(flag::END_STREAM)
            && let Some(index) = self.streams.find(head.stream)
        {
            self.end_half(out, direction, index);
        }
    }

    fn body<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        id: u32,
        piece: Piece<'_>,
    ) {
        let bytes = piece.bytes;
        let Some(index) = self.body_of(out, direction, id) else {
            out.counters.lost_bytes += bytes.len() as u64;
            return;
        };
        let reader = self.reader(direction);
        let (seen, losses) = (reader.seen, reader.losses);
        let Some(stream) = self.streams.get(index) else { return };
        if stream.socket.is_some() {
            return self.say(out, direction, index, piece);
        }
        if stream.tunnel {
            out.counters.tunnel_bytes += bytes.len() as u64;
            return;
        }
        if stream.ongoing.is_some() {
            return self.more(out, direction, index, piece);
        }
        let half = stream.half(direction);
        let missed = std::mem::replace(&mut half.losses, losses) != losses;
        let Some(message) = half.message.as_deref_mut() else {
            out.counters.lost_bytes += bytes.len() as u64;
            return;
        };
        message.goes_on(seen);
        if missed {
            // What came while frames were lost may have been its.
            message.seen = Seen::Truncated;
            message.body.cut = true;
        }
        out.body(message, bytes);
        self.streams.recount(index);
        self.relieve(out, direction, index);
    }

    /// The stream whose body these bytes are; `None` when they are nobody's.
    fn body_of<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        id: u32,
    ) -> Option<usize> {
        let lossy = self.reader(direction).has_losses();
        let Some(index) = self.streams.find(id) else {
            let expected = lossy || self.requests.has_losses() || self.streams.was_reset(id);
            if !expected {
                self.reader(direction).pending.insert(Anomaly::DataOnClosedStream);
            }
            return None;
        };
        let stream = self.streams.get(index)?;
        let (tunnel, requested) = (stream.tunnel, stream.request.message.is_some());
        match stream.half(direction).progress {
            _ if tunnel => Some(index),
            Progress::Open => Some(index),
            Progress::Idle if lossy && requested && direction == Direction::ToClient => {
                self.open_headless(out, direction, index);
                Some(index)
            }
            Progress::Idle => {
                if !lossy {
                    stream.anomalies.insert(Anomaly::MisplacedFrame);
                }
                None
            }
            Progress::Ended => {
                stream.anomalies.insert(Anomaly::DataOnClosedStream);
                None
            }
        }
    }

    /// Keeps what the connection holds within bounds.
    pub(super) fn relieve<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        index: usize,
    ) {
        if self.streams.messages() <= MAX_BODIES {
            return;
        }
        if let Some(stream) = self.streams.get(index)
            && let Some(message) = stream.half(direction).message.as_deref_mut()
        {
            out.relieve(message);
        }
        self.streams.recount(index);
        if self.streams.messages() > MAX_MESSAGES {
            if let Some(oldest) = self.streams.get(0) {
                oldest.anomalies.insert(Anomaly::TooManyStreams);
            }
            self.finish(out, 0);
        }
    }
}

/// Whether the body is as long as the head says, as far as both were seen (RFC 9113, 8.1.1).
pub(super) fn keeps_length(message: &Message, bodiless: bool) -> bool {
    match message.body.framing {
        Framing::Length(length) => length == message.body.len || bodiless && message.body.len == 0,
        _ => true,
    }
}
