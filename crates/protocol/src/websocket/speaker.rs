//! One direction of a WebSocket: frames become messages.

use super::deflate::{Inflation, Unreadable, Window};
use super::frame::{FrameHead, FramePart, FrameReader, MAX_CONTROL, Opcode, unmask};
use super::handshake::Terms;
use super::seek::{Seek, Sought};
use super::utf8::Utf8;
use crate::h1::reader::Origin;
use crate::output::Output;
use crate::stream::Stream;
use crate::{Anomalies, Anomaly, Direction, ExchangeSink, Message, Seen};

/// What a speaker works with, for the time of one event.
pub(super) struct Context<'c, 'o, E> {
    pub(super) out: &'c mut Output<'o, E>,
    pub(super) stream: &'c mut Stream,
    pub(super) terms: Terms,
    pub(super) direction: Direction,
}

/// A message that is open.
#[derive(Debug)]
struct Open {
    message: Box<Message>,
    /// It will be an exchange.
    told: bool,
    /// It should be text.
    text: Option<Utf8>,
    /// It is compressed.
    inflation: Option<Inflation>,
    /// It cannot be read on.
    unreadable: Option<Unreadable>,
}

/// Who sends on one direction.
#[derive(Debug)]
pub(super) struct Speaker {
    frames: FrameReader,
    /// The frame that is open, and where it began.
    frame: Option<(FrameHead, Origin)>,
    /// Where the head that is arriving began.
    arriving: Option<Origin>,
    message: Option<Open>,
    /// Payload of the control frame that is open; `None` when bytes of it are missing.
    control: Option<Vec<u8>>,
    window: Option<Window>,
    /// The place of the next frame is not known.
    sought: Option<Seek>,
    /// Continuations belong to a message whose beginning is missing.
    headless: bool,
    /// Facts that belong to no message yet.
    pub(super) pending: Anomalies,
    /// A close frame came, with that code.
    pub(super) closed: Option<Option<u16>>,
}

impl Speaker {
    /// `lost`: something is missing in front of the first byte.
    pub(super) fn new(terms: Terms, direction: Direction, lost: bool) -> Self {
        let mut window = terms.deflate(direction).map(Window::new);
        if lost {
            window.iter_mut().for_each(Window::lose);
        }
        Self {
            frames: FrameReader::new(),
            frame: None,
            arriving: None,
            message: None,
            control: None,
            window,
            sought: lost.then(Seek::default),
            headless: false,
            pending: Anomalies::default(),
            closed: None,
        }
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        let open = self
            .message
            .as_ref()
            .map_or(0, |open| open.message.held() + open.inflation.as_ref().map_or(0, |_| Inflation::HELD));
        let window = self.window.as_ref().map_or(0, Window::held);
        open + window + self.control.as_ref().map_or(0, Vec::capacity)
    }

    /// Takes bytes that begin at `origin`, up to a close frame; `segment` says that they begin where a segment does.
    /// Returns how many it took.
    pub(super) fn bytes<E: ExchangeSink>(
        &mut self,
        cx: &mut Context<'_, '_, E>,
        origin: Origin,
        bytes: &[u8],
        segment: bool,
    ) -> usize {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let here = Origin { at: origin.at + used as u64, ..origin };
            if self.sought.is_some() {
                match self.seek(cx, here, rest, segment && used == 0) {
                    Some(skipped) => used += skipped,
                    None => return bytes.len(),
                }
                continue;
            }
            if self.frames.is_at_boundary() {
                self.arriving = Some(here);
            }
            let step = self.frames.feed(rest);
            used += step.consumed;
            match step.part {
                FramePart::Partial => {
                    cx.out.counters.framing_bytes += step.consumed as u64;
                    return used;
                }
                FramePart::Head(head) => {
                    cx.out.counters.framing_bytes += step.consumed as u64;
                    let began = self.arriving.unwrap_or(here);
                    self.begin(cx, head, began);
                }
                FramePart::Payload(payload, at) => self.payload(cx, here, payload, at),
                FramePart::End => {
                    let closes = self.frame.is_some_and(|(head, _)| head.opcode == Opcode::Close);
                    self.end(cx);
                    if closes {
                        return used;
                    }
                }
                FramePart::Broken => {
                    self.pending.insert(Anomaly::WebsocketInvalidLength);
                    lose_bytes(cx, step.consumed);
                    self.lose(cx);
                }
            }
        }
    }

    /// Looks for a frame in the middle of a stream. Returns how many bytes are before it; `None`: there is none in these.
    fn seek<E: ExchangeSink>(
        &mut self,
        cx: &mut Context<'_, '_, E>,
        here: Origin,
        bytes: &[u8],
        segment: bool,
    ) -> Option<usize> {
        let seek = self.sought.as_mut()?;
        match seek.bytes(cx.terms, cx.direction, here, bytes, segment) {
            Sought::Nothing => {
                lose_bytes(cx, bytes.len());
                None
            }
            Sought::Here => {
                self.sought = None;
                self.frames = FrameReader::new();
                self.headless = true;
                Some(0)
            }
            Sought::Within { skipped, head, began } => {
                lose_bytes(cx, skipped);
                self.frames = FrameReader::within(&head);
                self.sought = None;
                self.headless = true;
                self.begin(cx, head, began);
                Some(skipped)
            }
        }
    }

    /// A frame begins.
    fn begin<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>, head: FrameHead, began: Origin) {
        let mut facts = self.facts(cx, &head);
        self.frame = Some((head, began));
        if head.opcode.is_control() {
            self.control = Some(Vec::new());
        } else if head.opcode == Opcode::Continuation {
            if self.message.is_none() && !self.headless {
                facts.insert(Anomaly::WebsocketInvalidFragment);
                self.open(cx, &head, began);
            }
        } else {
            self.headless = false;
            if self.message.is_some() {
                facts.insert(Anomaly::WebsocketInvalidFragment);
                self.finish(cx, false);
            }
            self.open(cx, &head, began);
        }
        match &mut self.message {
            Some(open) => open.message.anomalies |= facts | std::mem::take(&mut self.pending),
            None => self.pending |= facts,
        }
    }

    /// What is odd about the head of a frame.
    fn facts<E>(&self, cx: &Context<'_, '_, E>, head: &FrameHead) -> Anomalies {
        let (control, masked) = (head.opcode.is_control(), head.mask.is_some());
        let begins = matches!(head.opcode, Opcode::Text | Opcode::Binary);
        let compressed = head.reserved == 4 && begins && self.window.is_some();
        let to_server = cx.direction == Direction::ToServer;
        [
            (to_server && !masked, Anomaly::WebsocketUnmaskedFrame),
            (!to_server && masked, Anomaly::WebsocketMaskedFrame),
            (head.reserved != 0 && !compressed && !cx.terms.unknown, Anomaly::WebsocketReservedBits),
            (matches!(head.opcode, Opcode::Reserved(_)), Anomaly::WebsocketUnknownOpcode),
            (!head.minimal, Anomaly::WebsocketInvalidLength),
            (control && head.len > u64::from(MAX_CONTROL), Anomaly::WebsocketOversizedControl),
            (control && !head.fin, Anomaly::WebsocketFragmentedControl),
            (self.closed.is_some(), Anomaly::WebsocketDataAfterClose),
        ]
        .into_iter()
        .filter_map(|(holds, anomaly)| holds.then_some(anomaly))
        .collect()
    }

    fn open<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>, head: &FrameHead, began: Origin) {
        let (message, told) = cx.stream.open(cx.out, began);
        // What nobody reads is not undone: the text before the next message is then not known.
        let reads = cx.out.config.body_bytes > 0;
        let inflation = match &mut self.window {
            Some(window) if head.reserved & 4 != 0 && reads => {
                Some(Inflation::begin(window, cx.out.inflaters))
            }
            Some(window) if head.reserved & 4 != 0 => {
                window.lose();
                None
            }
            _ => None,
        };
        let plain = head.reserved == 0 || inflation.is_some();
        let text = (head.opcode == Opcode::Text && plain && !cx.terms.unknown).then(Utf8::default);
        // Reserved bits that nothing gives a meaning: what the payload is, nobody knows.
        let unreadable = (!plain).then_some(Unreadable::Lost);
        self.message = Some(Open { message, told, text, inflation, unreadable });
    }

    fn payload<E: ExchangeSink>(
        &mut self,
        cx: &mut Context<'_, '_, E>,
        here: Origin,
        payload: &[u8],
        at: u64,
    ) {
        let Some((head, _)) = self.frame else { return };
        let mut plain = std::mem::take(cx.out.unmasked);
        plain.clear();
        let bytes = match head.mask {
            Some(key) => {
                unmask(payload, key, at, &mut plain);
                plain.as_slice()
            }
            None => payload,
        };
        if head.opcode.is_control() {
            cx.out.counters.framing_bytes += payload.len() as u64;
            let room = usize::from(MAX_CONTROL);
            self.control.iter_mut().for_each(|control| {
                control.extend(bytes.iter().take(room.saturating_sub(control.len())));
            });
        } else if self.message.is_some() {
            cx.out.counters.body_bytes += payload.len() as u64;
            cx.stream.count(cx.direction, payload.len() as u64);
            self.content(cx, here, bytes);
        } else {
            lose_bytes(cx, payload.len());
        }
        *cx.out.unmasked = plain;
    }

    /// Content of the open message, without mask.
    fn content<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>, here: Origin, bytes: &[u8]) {
        let Some(Open { message, text, inflation, unreadable, .. }) = &mut self.message else { return };
        (message.ended, message.frames.last) = (here.time, here.frame);
        if unreadable.is_some() {
            message.body.cut = true;
            return;
        }
        let mut inflaters = std::mem::take(cx.out.inflaters);
        let mut take = |content: &[u8]| {
            text.iter_mut().for_each(|text| text.feed(content));
            cx.out.keep(message, content);
        };
        match (inflation, &mut self.window) {
            (Some(inflation), Some(window)) => inflation.feed(window, &mut inflaters, bytes, &mut take),
            _ => take(bytes),
        }
        *cx.out.inflaters = inflaters;
    }

    /// The open frame has ended.
    fn end<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>) {
        let Some((head, _)) = self.frame.take() else { return };
        if head.opcode == Opcode::Close {
            let said = self.control.take();
            self.close(said.as_deref());
        } else if !head.opcode.is_control() && head.fin {
            self.headless = false;
            self.finish(cx, true);
        }
        if head.opcode.is_control() {
            self.control = None;
        }
    }

    /// A close frame said this; the first one counts.
    fn close(&mut self, said: Option<&[u8]>) {
        let (code, valid) = match said {
            None | Some([]) => (None, true),
            Some([_]) => (None, false),
            Some([high, low, ..]) => {
                let code = u16::from_be_bytes([*high, *low]);
                (Some(code), may_be_sent(code))
            }
        };
        let reason = said.and_then(|said| said.get(2..)).unwrap_or_default();
        if !valid {
            self.pending.insert(Anomaly::WebsocketInvalidCloseCode);
        }
        if std::str::from_utf8(reason).is_err() {
            self.pending.insert(Anomaly::WebsocketInvalidUtf8);
        }
        self.closed.get_or_insert(code);
    }

    /// The open message has ended, or will not be whole.
    pub(super) fn finish<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>, whole: bool) {
        let Some(Open { mut message, told, mut text, inflation, mut unreadable }) = self.message.take()
        else {
            return;
        };
        if let (Some(inflation), Some(window)) = (inflation, &mut self.window) {
            let mut inflaters = std::mem::take(cx.out.inflaters);
            let whole = whole && unreadable.is_none();
            let failed = inflation.finish(whole, window, &mut inflaters, &mut |content| {
                text.iter_mut().for_each(|text| text.feed(content));
                cx.out.keep(&mut message, content);
            });
            *cx.out.inflaters = inflaters;
            unreadable = unreadable.or(failed);
        }
        if text.is_some_and(|text| !text.is_valid(whole && unreadable.is_none())) {
            message.anomalies.insert(Anomaly::WebsocketInvalidUtf8);
        }
        match unreadable {
            Some(Unreadable::Invalid) => message.anomalies.insert(Anomaly::InvalidContentCoding),
            Some(Unreadable::Bomb) => message.anomalies.insert(Anomaly::ContentCodingBomb),
            Some(Unreadable::Lost) | None => {}
        }
        message.body.cut |= unreadable.is_some();
        if !whole || unreadable == Some(Unreadable::Lost) {
            message.seen = Seen::Truncated;
        } else if unreadable == Some(Unreadable::Bomb) {
            // What it would have become, nobody wants to know.
            message.seen = Seen::Capped;
        }
        cx.stream.message(cx.out, cx.direction, message, told);
    }

    /// So many bytes are missing.
    pub(super) fn gap<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>, len: u64) {
        cx.stream.miss(len);
        if self.sought.is_some() {
            self.sought = Some(Seek::default());
            return;
        }
        let control = self.frame.is_some_and(|(head, _)| head.opcode.is_control());
        if !self.frames.skip_gap(len) {
            return self.lose(cx);
        }
        if control {
            self.control = None;
            return;
        }
        let Some(open) = &mut self.message else { return };
        open.message.missed_bytes += len;
        open.message.body.cut = true;
        open.message.seen = Seen::Truncated;
        open.text = None;
        match &mut self.window {
            Some(window) if open.inflation.is_some() => {
                open.unreadable = Some(Unreadable::Lost);
                window.lose();
            }
            _ => {
                open.message.body.missed += len;
                open.message.body.len += len;
            }
        }
    }

    /// The place of the next frame is not known any more.
    pub(super) fn lose<E: ExchangeSink>(&mut self, cx: &mut Context<'_, '_, E>) {
        self.finish(cx, false);
        self.window.iter_mut().for_each(Window::lose);
        self.frame = None;
        self.control = None;
        self.sought = Some(Seek::default());
    }
}

/// Bytes of which nobody knows what they are.
fn lose_bytes<E>(cx: &mut Context<'_, '_, E>, bytes: usize) {
    cx.out.counters.lost_bytes += bytes as u64;
    cx.stream.miss(bytes as u64);
}

/// Whether an endpoint may send that code (RFC 6455, 7.4; the registry has 1012 to 1014 since).
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
