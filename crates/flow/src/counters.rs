//! What happened to every segment and every byte.

use tapwire_wire::SourceId;

/// Counts since the table was made.
///
/// Conservation: `segments` equals the sum of [`Counters::segment_fates`], and `payload_bytes` that of
/// [`Counters::byte_fates`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Segments handled.
    pub segments: u64,
    /// Listeners that asked to be told the time and found no room.
    pub alarms_refused: u64,
    /// Payload delivered at once, at least in part.
    pub in_order: u64,
    /// Payload held because of a hole before it, because the start of its direction was not known yet, or because its
    /// sender had heard more of the other direction than the capture has shown.
    pub out_of_order: u64,
    /// Payload that came before, sent again by its sender.
    pub retransmissions: u64,
    /// Payload that came before, from a mirror that copies packets twice.
    pub span_duplicates: u64,
    /// Payload from before the first byte of its direction.
    pub before_start: u64,
    /// Wrong checksum, from a sender whose checksums are otherwise right.
    pub bad_checksum: u64,
    /// Too far from the bytes of its direction to belong to the connection.
    pub out_of_window: u64,
    /// Neither payload nor SYN, FIN or RST.
    pub empty: u64,
    /// Keep-alive probes.
    pub keep_alive: u64,
    /// SYN without payload.
    pub syn: u64,
    /// FIN without payload.
    pub fin: u64,
    /// RST, accepted or not.
    pub rst: u64,
    /// Payload after the sender's FIN.
    pub after_fin: u64,
    /// For a connection that was closed a moment ago.
    pub after_close: u64,
    /// FIN or RST of a connection of which nothing else is known.
    pub stray: u64,

    /// Payload bytes handled.
    pub payload_bytes: u64,
    /// Payload bytes delivered.
    pub delivered_bytes: u64,
    /// Payload bytes that are held now.
    pub held_bytes: u64,
    /// Payload bytes that came before.
    pub duplicate_bytes: u64,
    /// Payload bytes of the segments counted in `before_start`, `bad_checksum`, `out_of_window`, `keep_alive`, `rst`,
    /// `after_fin`, `after_close` and `stray`.
    pub dropped_bytes: u64,
    /// Bytes that IP headers state and the capture does not hold.
    pub cut_bytes: u64,

    /// Gaps delivered.
    pub gaps: u64,
    /// Bytes in them.
    pub gap_bytes: u64,
    /// Bytes in them that their receiver acknowledged: captured nowhere although they passed.
    pub missed_bytes: u64,
    /// Bytes acknowledged by their receivers.
    pub acknowledged_bytes: u64,
    /// Gaps declared because the out-of-order memory was full, in one direction or in all.
    pub gaps_for_memory: u64,
    /// Times that payload or a FIN stopped waiting for bytes of the other direction that its sender had heard: they
    /// were late by more than the wait allows, or lost.
    pub waits_given_up: u64,

    /// Ranges that came twice with different bytes.
    pub overlap_conflicts: u64,
    /// Times that a receiver went on without acknowledging bytes that were delivered here.
    pub never_acknowledged: u64,
    /// FINs after which their sender went on.
    pub fins_withdrawn: u64,
    /// RSTs that were ignored.
    pub rst_out_of_window: u64,
    /// Senders whose checksums were found to be filled in by their network card.
    pub offloaded_senders: u64,

    /// Connections opened.
    pub flows_opened: u64,
    /// Of those, by a first packet without SYN.
    pub flows_without_syn: u64,
    /// Of those, the rest of a connection that went on after a reset, which its receiver must have ignored. It is opened
    /// without SYN, by the first segment that answers bytes sent after the reset; these are counted in `after_close`.
    pub revived: u64,
    /// Connections closed in which only one side was seen to send payload.
    pub flows_one_sided: u64,
    /// Closed after both FINs.
    pub closed_fin: u64,
    /// Closed by a reset.
    pub closed_reset: u64,
    /// Closed for silence.
    pub closed_idle: u64,
    /// Closed by another connection on the same addresses and ports.
    pub closed_replaced: u64,
    /// Closed because the table was full and only a SYN had been seen.
    pub evicted_syn: u64,
    /// Closed because the table was full.
    pub evicted: u64,
    /// Closed by the end of the capture.
    pub closed_end: u64,

    /// Bytes of records in use.
    pub memory: u64,
    /// Bytes that the listener keeps for connections.
    pub listener_memory: u64,
    /// The most that was ever in use, by both.
    pub memory_peak: u64,
    /// Bytes of out-of-order buffers in use.
    pub out_of_order_memory: u64,

    /// By [`SourceId`]: what each source saw twice.
    pub sources: Vec<SourceCounters>,
}

/// What one source saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceCounters {
    /// Segments handled.
    pub segments: u64,
    /// Payload that came before, sent again by its sender.
    pub retransmissions: u64,
    /// Payload that came before, from a mirror that copies packets twice.
    pub span_duplicates: u64,
}

/// Adds up the counts of these names, which have to be all there are beside the sources.
macro_rules! add_up {
    ($sum:expr, $other:expr; $($count:ident)+) => {
        let Counters { $($count,)+ sources: _ } = $other;
        $($sum.$count += $count;)+
    };
}

impl Counters {
    /// Adds what another table counted, of the same sources.
    pub fn add(&mut self, other: &Self) {
        add_up!(self, other;
            segments in_order out_of_order retransmissions span_duplicates before_start bad_checksum
            out_of_window empty keep_alive syn fin rst after_fin after_close stray payload_bytes
            delivered_bytes held_bytes duplicate_bytes dropped_bytes cut_bytes gaps gap_bytes missed_bytes
            acknowledged_bytes gaps_for_memory waits_given_up overlap_conflicts never_acknowledged
            fins_withdrawn rst_out_of_window offloaded_senders flows_opened flows_without_syn revived
            flows_one_sided closed_fin closed_reset closed_idle closed_replaced evicted_syn evicted
            closed_end alarms_refused memory listener_memory memory_peak out_of_order_memory
        );
        if self.sources.len() < other.sources.len() {
            self.sources.resize(other.sources.len(), SourceCounters::default());
        }
        for (sum, source) in self.sources.iter_mut().zip(&other.sources) {
            sum.segments += source.segments;
            sum.retransmissions += source.retransmissions;
            sum.span_duplicates += source.span_duplicates;
        }
    }
}

impl Counters {
    /// Every segment is counted in one of these.
    pub const fn segment_fates(&self) -> [(&'static str, u64); 15] {
        [
            ("in_order", self.in_order),
            ("out_of_order", self.out_of_order),
            ("retransmission", self.retransmissions),
            ("span_duplicate", self.span_duplicates),
            ("before_start", self.before_start),
            ("bad_checksum", self.bad_checksum),
            ("out_of_window", self.out_of_window),
            ("empty", self.empty),
            ("keep_alive", self.keep_alive),
            ("syn", self.syn),
            ("fin", self.fin),
            ("rst", self.rst),
            ("after_fin", self.after_fin),
            ("after_close", self.after_close),
            ("stray", self.stray),
        ]
    }

    /// Every payload byte is counted in one of these.
    pub const fn byte_fates(&self) -> [(&'static str, u64); 4] {
        [
            ("delivered", self.delivered_bytes),
            ("held", self.held_bytes),
            ("duplicate", self.duplicate_bytes),
            ("dropped", self.dropped_bytes),
        ]
    }

    /// Every connection that is no longer open is counted in one of these.
    pub const fn flow_fates(&self) -> [(&'static str, u64); 7] {
        [
            ("fin", self.closed_fin),
            ("reset", self.closed_reset),
            ("idle", self.closed_idle),
            ("replaced", self.closed_replaced),
            ("evicted_syn", self.evicted_syn),
            ("evicted", self.evicted),
            ("end", self.closed_end),
        ]
    }

    /// Whether nothing was lost silently.
    pub fn conserved(&self) -> bool {
        self.segments == self.segment_fates().iter().map(|(_, count)| count).sum::<u64>()
            && self.payload_bytes == self.byte_fates().iter().map(|(_, count)| count).sum::<u64>()
    }

    pub(crate) fn source(&mut self, source: SourceId) -> Option<&mut SourceCounters> {
        let at = usize::from(source.0);
        if self.sources.len() <= at {
            self.sources.resize(at + 1, SourceCounters::default());
        }
        self.sources.get_mut(at)
    }
}
