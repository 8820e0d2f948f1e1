//! What may and what must be heard, from every byte that was captured.

use tapwire_flow::{
    Chunk, Config, Counters, Evidence, FlowInfo, Gap, Patience, StreamEvent, StreamOffset, StreamSink,
};
use tapwire_wire::{Segment, SeqNumber, Side, TcpFlags};

/// A packet as it was captured; `seq` is that of its first payload byte.
struct Frame {
    side: Side,
    seq: u32,
    ack: Option<u32>,
    payload: Vec<u8>,
}

/// One event in short: flow, kind, side, offset, length.
pub(super) type Heard = (u64, u8, u8, Option<StreamOffset>, u64);

/// The kind of event that tells the time.
const TIME: u8 = 6;

/// What a connection's listener was told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    next: [Option<StreamOffset>; 2],
    fin: [bool; 2],
    closed: bool,
    /// It has asked to be told the time.
    asked: bool,
}

/// Which frame carried each byte of a direction, by its distance from the first; 0 is none.
type Carriers = Vec<u64>;

/// Everything captured, and everything heard of it.
#[derive(Default)]
pub(super) struct Model {
    frames: Vec<Frame>,
    pub(super) heard: Vec<Heard>,
    delivered: Vec<(Side, u32, u64, u64)>,
    delivered_bytes: u64,
    /// Gaps with the number of the frame at which they were declared.
    gaps: Vec<(Gap, u64)>,
    closed: u64,
    hasty: bool,
    /// What the connection of the last event asks for.
    alarm: Option<i64>,
}

impl Model {
    /// For a table whose limits are `config`.
    pub(super) fn new(config: &Config) -> Self {
        let cramped = config.out_of_order_per_direction < Config::default().out_of_order_per_direction;
        Self { hasty: cramped || config.gap_after_ms.is_some(), ..Self::default() }
    }

    pub(super) fn next_frame(&self) -> u64 {
        self.frames.len() as u64 + 1
    }

    pub(super) fn capture(&mut self, segment: &Segment<'_>) {
        let (ack, payload) = (segment.ack.map(|ack| ack.0), segment.payload.to_vec());
        let seq = segment.seq.add(u32::from(segment.flags.has(TcpFlags::SYN))).0;
        self.frames.push(Frame { side: segment.side, seq, ack, payload });
    }

    /// What the counters say is what was heard, and no input makes more events than its packets account for.
    pub(super) fn check(&self, counters: &Counters) {
        assert_eq!(counters.delivered_bytes, self.delivered_bytes);
        assert_eq!(counters.gaps, self.gaps.len() as u64);
        assert_eq!(counters.gap_bytes, self.gaps.iter().map(|(gap, _)| gap.len).sum::<u64>());
        assert_eq!(counters.flows_opened, self.closed, "every connection is closed once");
        let most = 12 * self.frames.len() + 12;
        let said = self.heard.iter().filter(|(_, kind, ..)| *kind != TIME).count();
        assert!(said <= most, "{said} events of {} frames", self.frames.len());
    }

    /// Of one connection watched from its handshake: every captured byte is delivered, the first copy of it, unless it
    /// came after its hole had been given up. `starts` are the first sequence numbers of the two directions.
    pub(super) fn check_orderly(&self, counters: &Counters, starts: [u32; 2]) {
        if counters.flows_opened != 1 || counters.dropped_bytes > 0 {
            return;
        }
        let hasty = self.hasty || counters.waits_given_up > 0;
        for side in [Side::Lower, Side::Upper] {
            let start = starts[side as usize];
            let (captured, delivered) = (self.captured(side, start), self.delivered(side, start));
            assert!(delivered.len() <= captured.len());
            for (at, frame) in captured.into_iter().enumerate().filter(|(_, frame)| *frame > 0) {
                match delivered.get(at).copied().unwrap_or(0) {
                    0 => assert!(
                        self.was_given_up(side, start.wrapping_add(at as u32), frame, hasty),
                        "byte {at} of {side:?}, captured in frame {frame}, is gone"
                    ),
                    heard => assert_eq!(heard, frame, "byte {at} of {side:?} is not its first copy"),
                }
            }
        }
    }

    /// The first frame that carried each byte.
    fn captured(&self, side: Side, start: u32) -> Carriers {
        let mut carriers = Carriers::new();
        for (frame, number) in self.frames.iter().zip(1..).filter(|(frame, _)| frame.side == side) {
            mark(&mut carriers, frame.seq.wrapping_sub(start), frame.payload.len() as u64, number);
        }
        carriers
    }

    fn delivered(&self, side: Side, start: u32) -> Carriers {
        let mut carriers = Carriers::new();
        for (_, seq, len, frame) in self.delivered.iter().filter(|(from, ..)| *from == side) {
            mark(&mut carriers, seq.wrapping_sub(start), *len, *frame);
        }
        carriers
    }

    /// Whether a gap over that byte was declared before the frame that first carried it came; where the table is `hasty`,
    /// or as it came: where there is no room, a segment makes the table give up what it could have filled, and a wait that
    /// ends by its time ends before the segment that shows the time is looked at.
    fn was_given_up(&self, side: Side, seq: u32, frame: u64, hasty: bool) -> bool {
        self.gaps.iter().any(|(gap, declared)| {
            let into = SeqNumber(seq).distance(gap.at.seq());
            let inside = into >= 0 && (into as u64) < gap.len;
            gap.side == side && inside && (*declared < frame || hasty && *declared == frame)
        })
    }

    /// A chunk is what its frame carried, with its frame's acknowledgement.
    fn check_chunk(&self, chunk: &Chunk<'_>) {
        assert!(!chunk.bytes.is_empty());
        let frame = &self.frames[chunk.frame as usize - 1];
        assert_eq!(frame.side, chunk.side);
        assert_eq!(frame.ack, chunk.peer_at.map(|at| at.seq().0), "the acknowledgement of its own segment");
        let skipped = usize::try_from(chunk.at.seq().distance(SeqNumber(frame.seq)));
        let carried = skipped.ok().and_then(|from| frame.payload.get(from..));
        let is_carried = carried.is_some_and(|bytes| bytes.starts_with(chunk.bytes));
        assert!(is_carried, "{chunk:?} was not in its frame");
    }

    fn data(&mut self, chunk: &Chunk<'_>) {
        self.check_chunk(chunk);
        self.delivered_bytes += chunk.bytes.len() as u64;
        self.delivered.push((chunk.side, chunk.at.seq().0, chunk.bytes.len() as u64, chunk.frame));
    }
}

/// Notes who carried a range, where nobody did before.
fn mark(carriers: &mut Carriers, from: u32, len: u64, frame: u64) {
    let (from, len) = (from as usize, len as usize);
    carriers.resize(carriers.len().max(from + len), 0);
    carriers[from..from + len]
        .iter_mut()
        .filter(|carrier| **carrier == 0)
        .for_each(|carrier| *carrier = frame);
}

impl StreamSink<Told> for Model {
    fn looks_like_start(&self, bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|byte| byte & 1 == 1)
    }

    fn event(&mut self, flow: &FlowInfo, told: &mut Told, event: StreamEvent<'_>) {
        assert!(!told.closed, "{event:?} behind the close");
        let now = self.frames.len() as u64;
        let (kind, side, at, len) = match &event {
            StreamEvent::Data(chunk) => {
                self.data(chunk);
                (0, chunk.side, Some(chunk.at), chunk.bytes.len() as u64)
            }
            StreamEvent::Gap(gap) => {
                assert!(gap.len > 0 && gap.acknowledged <= gap.len, "{gap:?}");
                self.gaps.push((*gap, now));
                (1, gap.side, Some(gap.at), gap.len)
            }
            StreamEvent::Fin(side) => (2, *side, None, 0),
            StreamEvent::Evidence(side, at, evidence) => {
                // The FIN was none.
                told.fin[*side as usize] &= *evidence != Evidence::DataAfterFin;
                (3, *side, Some(*at), 0)
            }
            StreamEvent::Again { chunk, .. } => {
                self.check_chunk(chunk);
                (5, chunk.side, Some(chunk.at), chunk.bytes.len() as u64)
            }
            StreamEvent::Time(_) => {
                assert!(std::mem::take(&mut told.asked), "the time, and nobody asked");
                (TIME, Side::Lower, None, 0)
            }
            StreamEvent::Close(_) => (4, Side::Lower, None, 0),
        };
        self.heard.push((flow.id, kind, side as u8, at, len));
        // Some connections ask once they have data, and ever again.
        if kind == TIME || kind == 0 && len % 3 == 1 && !told.asked {
            told.asked = true;
            self.alarm = Some(len.cast_signed() * 50_000_000);
        }
        let direction = side as usize;
        match (kind, at) {
            (0 | 1, Some(at)) => {
                let overtaken = told.next[direction].is_none() && std::mem::take(&mut told.fin[direction]);
                assert!(overtaken || !told.fin[direction], "{event:?} behind the FIN");
                let expected = told.next[direction].replace(at + len);
                assert!(expected.is_none_or(|expected| expected == at), "chunks and gaps tile the stream");
            }
            (2, _) => assert!(!std::mem::replace(&mut told.fin[direction], true), "two FINs"),
            (4, _) => {
                told.closed = true;
                self.closed += 1;
            }
            _ => {}
        }
    }

    fn take_alarm(&mut self) -> Option<i64> {
        self.alarm.take()
    }

    fn patience(&self, _: &Told) -> Patience {
        Patience::Idle
    }
}
