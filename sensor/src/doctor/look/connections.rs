//! What all connections together show.

use super::Trace;
use super::clocks::{MAX_SECONDS, second_of};
use super::trace::Late;
use std::collections::{BTreeMap, HashMap};
use tapwire_wire::{Endpoint, FlowKey, Segment, Side, TcpFlags, Timestamp};

/// Connections that are watched at once. Others are counted, and the shares are those of the watched ones.
const MAX_TRACES: usize = 1 << 16;

/// Servers that are told apart.
const MAX_SERVERS: usize = 1_024;

/// A connection that was silent for so long makes room for others: nanoseconds.
const SILENT: i64 = 30_000_000_000;

/// Connections that are first seen later than this had their handshake while the capture ran, or were silent for so
/// long: nanoseconds.
const EARLY: i64 = 10_000_000_000;

/// How long reassembly waits for bytes that are late: nanoseconds. Later ones are lost to it.
pub(crate) const WAIT: i64 = 20_000_000;

/// Connections by server.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Servers {
    /// Connections that carried payload.
    pub(crate) connections: u64,
    /// Of those, where nothing of the server was seen.
    pub(crate) only_clients: u64,
    /// Of those, where nothing of the client was seen.
    pub(crate) only_servers: u64,
}

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    traces: HashMap<FlowKey, Trace>,
    start: Option<Timestamp>,
    swept: Option<Timestamp>,
    /// Connections watched.
    pub(crate) seen: u64,
    /// Segments of connections for which there was no room.
    pub(crate) unwatched: u64,
    /// Connections in which nothing but SYN and RST was seen.
    pub(crate) only_syn: u64,
    /// First seen in the first seconds, without SYN.
    pub(crate) early_without_syn: u64,
    /// First seen later.
    pub(crate) later: u64,
    /// Of those, without SYN.
    pub(crate) later_without_syn: u64,
    /// Connections that carried payload.
    pub(crate) spoke: u64,
    /// Of those, where nothing of the server was seen.
    pub(crate) only_clients: u64,
    /// Of those, where nothing of the client was seen.
    pub(crate) only_servers: u64,
    /// By server.
    pub(crate) servers: BTreeMap<Endpoint, Servers>,
    /// Connections whose two directions are each of one VLAN, or of none.
    pub(crate) vlans_compared: u64,
    /// Of those, tagged in one direction only.
    pub(crate) tagged_one_way: u64,
    /// Of those, tagged in both with different numbers.
    pub(crate) tagged_apart: u64,
    /// Connections that begin with a PROXY header.
    pub(crate) proxied: u64,
    /// Bytes that are missing although they were acknowledged, by second.
    pub(crate) missing: BTreeMap<i64, u64>,
    /// Bytes that connections seen from one side only acknowledged of the other.
    pub(crate) silent_bytes: u64,
    /// Bytes that came after their acknowledgement, long enough to be taken for lost.
    pub(crate) late_bytes: u64,
    /// Segments that came longer than [`WAIT`] after their acknowledgement, by the same source.
    pub(crate) late: u64,
    /// The latest of them, in nanoseconds.
    pub(crate) latest: i64,
    /// Segments that came after their acknowledgement, which another source had captured.
    pub(crate) apart: u64,
    /// The most by which, in nanoseconds.
    pub(crate) most_apart: i64,
    /// The most connections that were watched at once.
    pub(crate) most: u64,
    /// Payload bytes of connections by the number of their name.
    pub(crate) named_bytes: BTreeMap<u32, u64>,
}

impl Connections {
    /// Takes a segment; gives its connection, unless there is no room for it.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>) -> Option<&mut Trace> {
        self.start.get_or_insert(segment.time);
        let mut traces = std::mem::take(&mut self.traces);
        if self.begins_again(&traces, segment)
            && let Some(trace) = traces.remove(&segment.key)
        {
            self.retire(&trace);
        }
        if traces.len() >= MAX_TRACES && !traces.contains_key(&segment.key) {
            self.sweep(&mut traces, segment.time);
        }
        if traces.len() < MAX_TRACES || traces.contains_key(&segment.key) {
            traces.entry(segment.key).or_insert_with(|| Trace::new(segment)).segment(segment, self);
        } else {
            self.unwatched += 1;
        }
        self.traces = traces;
        self.most = self.most.max(self.traces.len() as u64);
        self.traces.get_mut(&segment.key)
    }

    /// Whether the addresses and ports are used for another connection.
    fn begins_again(&self, traces: &HashMap<FlowKey, Trace>, segment: &Segment<'_>) -> bool {
        let is_syn = segment.flags.has(TcpFlags::SYN) && segment.ack.is_none();
        is_syn && traces.get(&segment.key).is_some_and(|trace| trace.payload() > 0)
    }

    /// Makes room, at most once a second: that costs a look at every connection.
    fn sweep(&mut self, traces: &mut HashMap<FlowKey, Trace>, now: Timestamp) {
        if self.swept.is_some_and(|swept| now.since(swept).abs() < 1_000_000_000) {
            return;
        }
        self.swept = Some(now);
        traces.retain(|_, trace| {
            let keep = !trace.only_syn && now.since(trace.active) < SILENT;
            if !keep {
                self.retire(trace);
            }
            keep
        });
    }

    /// Counts every connection that is still open.
    pub(crate) fn finish(&mut self) {
        let traces = std::mem::take(&mut self.traces);
        traces.values().for_each(|trace| self.retire(trace));
    }

    pub(super) fn missing(&mut self, time: Timestamp, bytes: u64) {
        let second = second_of(time);
        if bytes > 0 && (self.missing.len() < MAX_SECONDS || self.missing.contains_key(&second)) {
            *self.missing.entry(second).or_default() += bytes;
        }
    }

    pub(super) fn late(&mut self, late: Late) {
        if let Some(missing) = self.missing.get_mut(&second_of(late.since)) {
            *missing = missing.saturating_sub(late.bytes);
        }
        self.late_bytes += if late.nanos > WAIT { late.bytes } else { 0 };
        if late.from_another_source {
            self.apart += 1;
            self.most_apart = self.most_apart.max(late.nanos);
        } else if late.nanos > WAIT {
            self.late += 1;
            self.latest = self.latest.max(late.nanos);
        }
    }

    fn retire(&mut self, trace: &Trace) {
        self.seen += 1;
        self.only_syn += u64::from(trace.only_syn && trace.from_syn);
        let later = self.start.is_some_and(|start| trace.opened.since(start) > EARLY);
        if later {
            self.later += 1;
            self.later_without_syn += u64::from(!trace.from_syn);
        } else {
            self.early_without_syn += u64::from(!trace.from_syn);
        }
        if let Some(name) = trace.name {
            *self.named_bytes.entry(name).or_default() += trace.payload();
        }
        self.directions(trace);
        self.vlans(trace);
    }

    fn directions(&mut self, trace: &Trace) {
        if trace.payload() == 0 {
            return;
        }
        let silent = trace.silent();
        let only_client = silent == Some(trace.server());
        let only_server = silent.is_some() && !only_client;
        self.spoke += 1;
        self.silent_bytes += trace.silent_bytes();
        self.only_clients += u64::from(only_client);
        self.only_servers += u64::from(only_server);
        let endpoint = trace.server_endpoint();
        if self.servers.len() < MAX_SERVERS || self.servers.contains_key(&endpoint) {
            let server = self.servers.entry(endpoint).or_default();
            server.connections += 1;
            server.only_clients += u64::from(only_client);
            server.only_servers += u64::from(only_server);
        }
    }

    fn vlans(&mut self, trace: &Trace) {
        let enough = |side: Side| trace.half(side).packets >= 2;
        let Some((lower, upper)) = trace.vlans().filter(|_| enough(Side::Lower) && enough(Side::Upper))
        else {
            return;
        };
        self.vlans_compared += 1;
        self.tagged_one_way += u64::from(lower.is_some() != upper.is_some());
        self.tagged_apart += u64::from(lower.is_some() && upper.is_some() && lower != upper);
    }
}
