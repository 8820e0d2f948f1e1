//! Connections on which nobody says a word: port scans and floods are made of these, and no exchange shows them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use tapwire_pipeline::Member;
use tapwire_wire::{Endpoint, Segment, TcpFlags, Timestamp, site};

/// Connections of one carving that are remembered.
const MOST: usize = 1 << 20;
/// Nanoseconds without such a connection after which another scan begins, as the detectors have it.
const QUIET: i64 = 3_600 * 1_000_000_000;

/// What a finding of such connections is about, and when it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tried {
    whose: Whose,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Whoever asked from there, as far as detectors tell addresses apart.
    From(u128),
    /// Whoever asked there.
    At(IpAddr, u16),
}

impl Tried {
    /// Of a finding's event, where it is one of these.
    pub(super) fn of(event: &Value) -> Option<Self> {
        let end = |name: &str| event.pointer("/evidences/0")?.get(name);
        let ip = |end: &Value| -> Option<IpAddr> { end.get("ip")?.as_str()?.parse().ok() };
        let whose = match event.pointer("/unmapped/detector")?.as_str()? {
            "port-scan" => Whose::From(site(ip(end("src_endpoint")?)?)),
            "syn-flood" => {
                let server = end("dst_endpoint")?;
                Whose::At(ip(server)?, u16::try_from(server.get("port")?.as_u64()?).ok()?)
            }
            _ => return None,
        };
        let millis = event.get("time")?.as_i64()?;
        Some(Self { whose, at: Timestamp::from_parts(millis.div_euclid(1_000), 0) })
    }

    fn is_by(&self, from: &Endpoint, to: &Endpoint) -> bool {
        match self.whose {
            Whose::From(client) => site(from.ip()) == client,
            Whose::At(ip, port) => (to.ip(), to.port) == (ip, port),
        }
    }
}

/// Finds such connections while a capture passes.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    wanted: BTreeSet<Tried>,
    /// By its number when each was asked for, from where, and where.
    asked: BTreeMap<u64, (Timestamp, Endpoint, Endpoint)>,
    left_out: u64,
}

impl Listener {
    /// From now on these are listened for, from the beginning of the capture.
    pub(crate) fn want(&mut self, tried: impl Iterator<Item = Tried>) {
        self.wanted.extend(tried);
        (self.asked, self.left_out) = (BTreeMap::new(), 0);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    pub(crate) fn see(&mut self, member: &Member<'_>) {
        if self.wanted.is_empty() {
            return;
        }
        let segment = &member.segment;
        if !segment.payload.is_empty() || segment.cut > 0 {
            self.asked.remove(&member.connection);
        } else if begins(segment) && !self.asked.contains_key(&member.connection) {
            let (from, to) = (segment.key.endpoint(segment.side), segment.key.endpoint(segment.side.peer()));
            if !self.wanted.iter().any(|tried| tried.is_by(from, to)) {
                return;
            }
            if self.asked.len() >= MOST {
                self.left_out += 1;
                return;
            }
            self.asked.insert(member.connection, (segment.time, *from, *to));
        }
    }

    /// The connections of each scan or flood around the moment at which it was told.
    pub(crate) fn into_found(self) -> Wordless {
        let mut connections = BTreeSet::new();
        for tried in &self.wanted {
            let own = self.asked.iter().filter(|(_, (_, from, to))| tried.is_by(from, to));
            let mut own: Vec<(Timestamp, u64)> = own.map(|(number, (time, ..))| (*time, *number)).collect();
            own.sort_unstable();
            let stretches = own.chunk_by(|(before, _), (next, _)| next.since(*before) <= QUIET);
            let around = stretches.filter(|stretch| is_around(stretch, tried.at));
            connections.extend(around.flatten().map(|(_, number)| *number));
        }
        Wordless { connections, left_out: self.left_out }
    }
}

/// Whether it asks for a connection.
const fn begins(segment: &Segment<'_>) -> bool {
    segment.flags.has(TcpFlags::SYN) && !segment.flags.has(TcpFlags::ACK)
}

fn is_around(stretch: &[(Timestamp, u64)], at: Timestamp) -> bool {
    let ends = stretch.first().zip(stretch.last());
    ends.is_some_and(|((first, _), (last, _))| first.since(at) <= QUIET && at.since(*last) <= QUIET)
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Wordless {
    /// Numbers of the connections.
    pub(crate) connections: BTreeSet<u64>,
    /// Connections beyond those that are remembered.
    pub(crate) left_out: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(detector: &str) -> Value {
        json!({
            "time": 1_795_426_974_854_i64,
            "evidences": [{"src_endpoint": {"ip": "2001:db8:1:2:3::4", "port": 9}, "dst_endpoint": {"ip": "10.0.0.2", "port": 111}}],
            "unmapped": {"detector": detector, "exchanges": []},
        })
    }

    #[test]
    fn a_scan_is_of_its_sender_and_a_flood_of_its_server() {
        let of = |detector| Tried::of(&event(detector)).map(|tried| tried.whose);
        let site = super::site("2001:db8:1:2::".parse().expect("an address"));
        assert_eq!(of("port-scan"), Some(Whose::From(site)));
        assert_eq!(of("syn-flood"), Some(Whose::At([10, 0, 0, 2].into(), 111)));
        assert_eq!(of("reconnaissance"), None);
        assert_eq!(Tried::of(&json!({"unmapped": {"detector": "port-scan"}})), None);
    }

    #[test]
    fn a_scan_is_what_was_tried_without_an_hour_in_between() {
        let scanner = Endpoint::from_ip([10, 0, 0, 1].into(), 5);
        let server = Endpoint::from_ip([10, 0, 0, 2].into(), 80);
        let at = |second: i64| Timestamp::from_parts(second, 0);
        let tried = Tried { whose: Whose::From(site([10, 0, 0, 1].into())), at: at(10_000) };
        let mut listener = Listener::default();
        listener.want(std::iter::once(tried));
        let times = [(1, 1_000), (2, 9_000), (3, 10_001), (4, 13_000), (5, 20_000)];
        listener.asked.extend(times.map(|(number, second)| (number, (at(second), scanner, server))));
        listener.asked.insert(6, (at(10_000), server, scanner));
        assert_eq!(listener.into_found().connections, BTreeSet::from([2, 3, 4]));
    }
}
