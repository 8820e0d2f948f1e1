//! Signs of life of a tap, by this machine's clock: a tap that hears nothing has no packet time.

use crate::config::Heartbeat;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tapwire_capture::{LinkNotice, SourceStats};
use tapwire_event::{SensorCode, SensorReport};
use tapwire_protocol::Anomalies;
use tapwire_wire::Timestamp;

/// What a heartbeat tells of a tap, as it stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vitals {
    /// Counters of the interfaces.
    pub source: SourceStats,
    /// Packets so far.
    pub packets: u64,
    /// Exchanges so far.
    pub exchanges: u64,
    /// What is shed, by its number: 0 is nothing.
    pub level: u64,
}

/// What all lanes have counted, each by itself.
#[derive(Debug)]
pub(crate) struct Totals(Vec<Mutex<Vitals>>);

impl Totals {
    pub(crate) fn new(lanes: usize) -> Self {
        Self((0..lanes).map(|_| Mutex::default()).collect())
    }

    pub(crate) const fn lanes(&self) -> usize {
        self.0.len()
    }

    /// Takes what a lane counted; gives the sum over all of them.
    pub(crate) fn update(&self, lane: usize, vitals: Vitals) -> Vitals {
        self.with(lane, |own| *own = vitals);
        let mut sum = Vitals::default();
        for lane in 0..self.0.len() {
            self.with(lane, |own| sum.add(own));
        }
        sum
    }

    /// A lane ended with these counters of its source.
    pub(crate) fn end(&self, lane: usize, source: SourceStats) {
        self.with(lane, |own| own.source = source);
    }

    pub(crate) fn source(&self) -> SourceStats {
        let mut sum = Vitals::default();
        for lane in 0..self.0.len() {
            self.with(lane, |own| sum.add(own));
        }
        sum.source
    }

    fn with(&self, lane: usize, then: impl FnOnce(&mut Vitals)) {
        if let Some(vitals) = self.0.get(lane) {
            then(&mut vitals.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Vitals {
    fn add(&mut self, other: &Self) {
        self.source.add(&other.source);
        self.packets += other.packets;
        self.exchanges += other.exchanges;
        self.level = self.level.max(other.level);
    }
}

/// Says that the sensor lives, and when it hears nothing.
#[derive(Debug)]
pub(crate) struct Heart {
    config: Heartbeat,
    beaten: Instant,
    /// When the last packet was seen to have come.
    heard: Instant,
    silent: bool,
    packets: u64,
    /// At the last beat.
    before: Vitals,
}

impl Heart {
    pub(crate) fn new(config: Heartbeat, now: Instant) -> Self {
        Self { config, beaten: now, heard: now, silent: false, packets: 0, before: Vitals::default() }
    }

    /// What is to be said at `now`.
    pub(crate) fn beat(&mut self, now: Instant, vitals: &Vitals) -> Vec<SensorReport> {
        let mut reports = Vec::new();
        reports.extend(self.listen(now, vitals.packets));
        let every = self.config.every;
        if every > Duration::ZERO && now.duration_since(self.beaten) >= every {
            reports.push(self.alive(now.duration_since(self.beaten), vitals));
            self.beaten = now;
            self.before = *vitals;
        }
        reports
    }

    /// Once when it has become silent, and once when it is not any more.
    fn listen(&mut self, now: Instant, packets: u64) -> Option<SensorReport> {
        let quiet = now.duration_since(self.heard);
        let heard = packets != self.packets;
        self.packets = packets;
        if heard {
            self.heard = now;
            let was = std::mem::take(&mut self.silent);
            return was.then(|| silent(format!("packets again after {} without any", words(quiet)), quiet));
        }
        let after = self.config.silent_after;
        if self.silent || after == Duration::ZERO || quiet < after {
            return None;
        }
        self.silent = true;
        let message = format!("no packet for {}: is the mirror still sending?", words(quiet));
        Some(silent(message, quiet))
    }

    fn alive(&self, span: Duration, vitals: &Vitals) -> SensorReport {
        let (source, before) = (&vitals.source, &self.before);
        let (packets, exchanges) = (vitals.packets - before.packets, vitals.exchanges - before.exchanges);
        SensorReport {
            code: SensorCode::Heartbeat,
            time: self::now(),
            message: format!("{packets} packets and {exchanges} exchanges in the last {}", words(span)),
            service: None,
            anomalies: Anomalies::default(),
            told: Vec::new(),
            counters: vec![
                ("packets", vitals.packets),
                ("exchanges", vitals.exchanges),
                ("packets_dropped_kernel", source.dropped_kernel),
                ("packets_dropped_interface", source.dropped_interface),
                ("interface_outages", source.outages),
                ("interface_outage_ms", source.outage_ms),
                ("level", vitals.level),
                ("packets_since", packets),
                ("exchanges_since", exchanges),
                (
                    "packets_dropped_kernel_since",
                    source.dropped_kernel.saturating_sub(before.source.dropped_kernel),
                ),
            ],
        }
    }
}

fn silent(message: String, quiet: Duration) -> SensorReport {
    let counters = vec![("quiet_seconds", quiet.as_secs())];
    SensorReport {
        code: SensorCode::Silent,
        time: now(),
        message,
        service: None,
        anomalies: Anomalies::default(),
        told: Vec::new(),
        counters,
    }
}

/// An interface went away or came back.
pub(crate) fn link(notice: &LinkNotice, source: &SourceStats, time: Timestamp) -> SensorReport {
    SensorReport {
        code: SensorCode::Degraded,
        time,
        message: notice.to_string(),
        service: None,
        anomalies: Anomalies::default(),
        told: Vec::new(),
        counters: vec![("interface_outages", source.outages), ("interface_outage_ms", source.outage_ms)],
    }
}

/// The time of day. The kernel stamps a tap's packets by the same clock.
#[allow(clippy::disallowed_methods, reason = "a silent tap has no packet whose time could be taken")]
pub(crate) fn now() -> Timestamp {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// A span in the largest unit that leaves at least two of it.
fn words(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heart(every: u32, silent_after: u32) -> (Heart, Instant) {
        let start = Instant::now();
        let config = Heartbeat { every: SECOND * every, silent_after: SECOND * silent_after };
        (Heart::new(config, start), start)
    }

    fn vitals(packets: u64) -> Vitals {
        Vitals { packets, exchanges: packets / 10, ..Vitals::default() }
    }

    /// Codes said in each second of a run that saw so many packets by then.
    fn said(every: u32, silent_after: u32, packets: &[u64]) -> Vec<(usize, &'static str)> {
        let (mut heart, start) = heart(every, silent_after);
        let mut said = Vec::new();
        for (second, packets) in packets.iter().enumerate() {
            let now = start + SECOND * u32::try_from(second).unwrap();
            let reports = heart.beat(now, &vitals(*packets));
            said.extend(reports.iter().map(|report| (second, report.code.name())));
        }
        said
    }

    #[test]
    fn it_beats_once_in_every_interval() {
        let beats = said(3, 0, &[0, 10, 20, 30, 40, 50, 60, 70]);
        assert_eq!(beats, [(3, "sensor.heartbeat"), (6, "sensor.heartbeat")]);
        assert_eq!(said(0, 0, &[0; 100]), []);
    }

    #[test]
    fn silence_is_said_once_and_its_end_once() {
        let codes = said(0, 3, &[0, 5, 5, 5, 5, 5, 5, 9, 9, 12]);
        assert_eq!(codes, [(4, "sensor.silent"), (7, "sensor.silent")]);
    }

    #[test]
    fn a_beat_tells_what_came_since_the_last() {
        let (mut heart, start) = heart(1, 0);
        heart.beat(start + SECOND, &vitals(100));
        let report = &heart.beat(start + SECOND * 2, &vitals(130))[0];
        assert_eq!(report.message, "30 packets and 3 exchanges in the last 1 s");
        assert!(
            report.counters.contains(&("packets", 130)) && report.counters.contains(&("packets_since", 30))
        );
    }
}
