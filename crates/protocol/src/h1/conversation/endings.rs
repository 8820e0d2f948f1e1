//! Gaps, FIN and close: what becomes of what was open.

use super::{Conversation, MAX_PROXY_HEADER};
use crate::h1::reader::{Interim, Place, Reader};
use crate::output::Output;
use crate::{Anomaly, Direction, ExchangeSink, Seen};
use tapwire_flow::{CloseReason, Gap};
use tapwire_wire::Side;

impl Conversation {
    /// Bytes that will not come.
    pub(crate) fn gap<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, gap: &Gap) {
        let direction = self.direction(gap.side);
        let end = gap.at + gap.len;
        let may_be_proxy_header = self.expects_proxy && gap.len <= MAX_PROXY_HEADER;
        self.account_gap(direction, gap, may_be_proxy_header);
        if let (Direction::ToClient, Some(ongoing)) = (direction, &mut self.ongoing) {
            ongoing.gap(out, direction, gap.len);
        }
        let reader = self.reader(direction);
        reader.next = Some(gap.at);
        match &mut reader.place {
            Place::Boundary if may_be_proxy_header && reader.serial == 0 && reader.contiguous => {}
            Place::Boundary => {
                reader.missing_message = reader.contiguous;
                let missing = reader.missing_message && direction == Direction::ToServer;
                reader.lose();
                if let (true, Some(acked_at)) = (missing, gap.acked_at) {
                    self.pairer.miss_request(acked_at);
                }
            }
            Place::Head => self.cut_held(out, direction),
            Place::Length(remaining) if gap.len <= *remaining => {
                *remaining -= gap.len;
                let ended = *remaining == 0;
                miss(reader, gap.len, gap.len);
                if ended {
                    self.finish(direction, Some(end));
                }
            }
            Place::Length(remaining) => {
                let tail = *remaining;
                miss(reader, tail, tail);
                self.finish(direction, Some(gap.at + tail));
                self.reader(direction).lose();
            }
            Place::Chunked(decoder) => {
                let exact = decoder.skip_gap(gap.len);
                miss(reader, gap.len, if exact { gap.len } else { 0 });
                if !exact {
                    self.truncate(direction);
                }
            }
            Place::UntilClose => miss(reader, gap.len, gap.len),
            Place::TunnelStart => reader.place = Place::Tunnel,
            Place::Undecided(_) | Place::Lost | Place::Tunnel => {}
        }
        if matches!(self.responses.place, Place::Lost) {
            self.stay_in_http();
        }
        self.reader(direction).interim = Interim::default();
        self.reader(direction).next = Some(end);
        self.settle(out, false);
    }

    /// A direction that was watched from its beginning begins with a hole.
    fn account_gap(&mut self, direction: Direction, gap: &Gap, may_be_proxy_header: bool) {
        let reader = self.reader(direction);
        if reader.next.is_some() || !reader.contiguous || may_be_proxy_header {
            return;
        }
        match direction {
            Direction::ToServer => self.account.begin_client(gap.at),
            Direction::ToClient => self.account.begin_server(gap.at),
        }
    }

    /// The head that was arriving will not become whole.
    fn cut_held<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction) {
        let reader = self.reader(direction);
        let (held, origin) = (std::mem::take(&mut reader.held), reader.origin);
        if let Some(origin) = origin {
            self.cut_head(out, direction, &held, origin, Seen::Truncated);
        }
        self.reader(direction).lose();
    }

    /// The open message ends here with its end unknown.
    pub(super) fn truncate(&mut self, direction: Direction) {
        if let Some(open) = &mut self.reader(direction).open {
            open.seen = Seen::Truncated;
        }
        self.close_open(direction, None);
        self.finish_ongoing(direction, false);
        self.reader(direction).lose();
    }

    /// That side sends nothing more.
    pub(crate) fn fin<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, side: Side) {
        let direction = self.direction(side);
        self.finish_bodiless();
        let hung_up = direction == Direction::ToClient && self.requests.finished;
        let goes_on = self.ongoing.as_ref().is_some_and(|ongoing| ongoing.is_events());
        let reader = self.reader(direction);
        reader.finished = true;
        let next = reader.next;
        match reader.place {
            Place::UntilClose => self.finish(direction, next),
            // An event stream has no end of its own: a client that has heard enough hangs up, and the server stops there.
            Place::Chunked(decoder)
                if hung_up && decoder.is_between_chunks() && (goes_on || is_event_stream(reader)) =>
            {
                self.finish(direction, next);
            }
            Place::Length(_) | Place::Chunked(_) => {
                if let Some(open) = &mut reader.open {
                    open.anomalies.insert(Anomaly::ShortBody);
                }
                self.truncate(direction);
            }
            Place::Head => self.cut_held(out, direction),
            Place::Boundary | Place::Undecided(_) | Place::Lost | Place::TunnelStart | Place::Tunnel => {}
        }
        self.settle(out, false);
    }

    /// The connection is over: everything open is reported as far as it is known.
    pub(crate) fn close<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, reason: CloseReason) {
        self.finish_bodiless();
        for direction in [Direction::ToServer, Direction::ToClient] {
            let reader = self.reader(direction);
            let next = reader.next;
            match reader.place {
                Place::UntilClose if reason == CloseReason::Fin => self.finish(direction, next),
                Place::Head => self.cut_held(out, direction),
                _ => self.truncate(direction),
            }
        }
        self.settle(out, true);
        let tunnel = matches!(self.requests.place, Place::Tunnel | Place::TunnelStart | Place::Undecided(_));
        if !self.tunnelled && !tunnel {
            let unseen = self.account.until(self.requests.next, self.responses.next);
            out.end(self.client, self.proxy, unseen, self.requests.seen.0.max(self.responses.seen.0));
        }
    }
}

/// Whether the open message is a stream of events.
fn is_event_stream(reader: &Reader) -> bool {
    let content_type = reader.open.as_ref().and_then(|open| open.head.header(b"content-type"));
    content_type.is_some_and(|value| {
        let name = value.bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
    })
}

fn miss(reader: &mut Reader, bytes: u64, body: u64) {
    if let Some(open) = &mut reader.open {
        open.missed_bytes += bytes;
        open.body.missed += body;
        open.body.len += body;
        open.body.cut = true;
        open.seen = Seen::Truncated;
    }
}
