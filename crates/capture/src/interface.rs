//! Live capture from network interfaces, through libpcap.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Device, Precision};
use tapwire_wire::{LinkType, Packet, SourceId, Timestamp};

use crate::backlog::{Backlog, Counter, Ring};
use crate::filter::bad_filter;
use crate::link::Presence;
use crate::packet_socket;
use crate::{LinkNotice, Pressure, Source, SourceError, SourceNames, SourceStats, Status};

/// The smallest ring that is asked for: libpcap's own 2 MiB lose packets at rates where this one loses none.
pub const SMALLEST_RING: usize = 64 << 20;

/// Most bytes captured of a packet; larger than any offloaded one.
const SNAP_LEN: i32 = 262_144;
/// After how long the kernel hands on a block that is not full. Zero would mean never.
const BLOCK_TIMEOUT_MS: i32 = 50;
/// The longest a call waits on quiet links.
const WAIT_MS: u16 = 100;
/// Kernel counters are read this often; they are 32 bits wide and wrap.
const COUNTER_INTERVAL: Duration = Duration::from_millis(200);
/// Calls that may fail in a row, one every 100 ms or more often, before an interface is given up.
const MAX_FAILURES: u32 = 100;
/// How old a reading of how full the rings are may be: it costs some 15 µs.
const BACKLOG_INTERVAL: Duration = Duration::from_millis(10);
/// Packets handed on from one interface before the next has its turn, and the pipeline has a say whether to wait: few, so
/// that even offloaded packets of 64 KiB do not flood it.
const BATCH: usize = 256;

/// An interface that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its name, as `-i` takes it.
    pub name: String,
    /// What the system says about it.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is the loopback.
    pub loopback: bool,
}

/// The interfaces that packets can be captured from, as the system orders them. Needs no privileges.
///
/// # Errors
/// When the system does not tell.
pub fn interfaces() -> Result<Vec<InterfaceInfo>, SourceError> {
    let devices = Device::list()
        .map_err(|error| SourceError::Capture { name: "interfaces".to_owned(), message: message(&error) })?;
    Ok(devices.into_iter().filter(|device| is_network(&device.name)).map(describe).collect())
}

/// libpcap also lists message buses and the like.
fn is_network(name: &str) -> bool {
    !["bluetooth", "dbus-", "nflog", "nfqueue", "usbmon"].iter().any(|prefix| name.starts_with(prefix))
}

fn describe(device: Device) -> InterfaceInfo {
    InterfaceInfo {
        description: device.desc,
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        up: device.flags.is_up(),
        loopback: device.flags.is_loopback(),
        name: device.name,
    }
}

/// Several interfaces as one source. Their packets share one flow table; each has its own [`SourceId`], by position.
pub struct InterfaceSource {
    taps: Vec<Tap>,
    names: SourceNames,
    stats: SourceStats,
    counted: Instant,
    /// When the rings' counters were read last.
    gauged: Instant,
    notices: Vec<LinkNotice>,
    /// Further lanes, until a pipeline takes them.
    lanes: Vec<InterfaceSource>,
    /// Packets until then came before all lanes were there, and to each of them.
    begin: Timestamp,
}

/// One interface.
struct Tap {
    name: String,
    /// `None` once it failed.
    capture: Option<Capture<Active>>,
    link: LinkType,
    /// Nanoseconds in a unit of the time's fraction.
    fraction_nanos: i64,
    frames: u64,
    /// Between the numbers of two packets: lanes number theirs in turn.
    step: u64,
    ring: Ring,
    /// The ring held less than was asked for.
    drained: bool,
    dropped_interface: Counter,
    presence: Presence,
    /// Calls in a row that failed although the interface is there.
    failures: u32,
}

impl InterfaceSource {
    /// Opens interfaces in promiscuous mode, each with a ring of `ring_bytes`, at least [`SMALLEST_RING`].
    ///
    /// `filter` has tcpdump's syntax and runs in the kernel. Drop privileges after this.
    ///
    /// # Errors
    /// When there is no such interface, one is named twice, no permission, or the filter does not compile.
    pub fn open_many(names: &[String], filter: Option<&str>, ring_bytes: usize) -> Result<Self, SourceError> {
        let mut others = names.iter();
        while let Some(name) = others.next() {
            if others.as_slice().contains(name) {
                return Err(SourceError::GivenTwice { name: name.clone() });
            }
        }
        let taps = names.iter().map(|name| Tap::open(name, filter, ring_bytes)).collect::<Result<_, _>>()?;
        let known = SourceNames::default();
        for name in names {
            known.add(name);
        }
        Ok(Self {
            taps,
            names: known,
            stats: SourceStats::default(),
            counted: Instant::now(),
            gauged: Instant::now(),
            notices: Vec::new(),
            lanes: Vec::new(),
            begin: Timestamp::MIN,
        })
    }

    /// The same in several lanes, each with rings of its own, between which the kernel spreads connections.
    ///
    /// # Errors
    /// Those of [`open_many`](Self::open_many), and when the kernel does not spread.
    pub fn open_lanes(
        names: &[String],
        filter: Option<&str>,
        ring_bytes: usize,
        lanes: usize,
    ) -> Result<Self, SourceError> {
        let mut first = Self::open_many(names, filter, ring_bytes)?;
        if lanes < 2 {
            return Ok(first);
        }
        let others = (1..lanes).map(|_| Self::open_many(names, filter, ring_bytes));
        first.lanes = others.collect::<Result<_, _>>()?;
        for index in 0..names.len() {
            first.spread(index)?;
        }
        let (begin, count) = (now(), lanes as u64);
        first.become_lane(0, count, begin);
        for (lane, number) in first.lanes.iter_mut().zip(1..) {
            lane.names = first.names.clone();
            lane.become_lane(number, count, begin);
        }
        Ok(first)
    }

    /// Joins the sockets of one interface in a group of their own.
    fn spread(&mut self, index: usize) -> Result<(), SourceError> {
        let mut group = None;
        let Self { taps, lanes, .. } = self;
        let others = lanes.iter_mut().filter_map(|lane| lane.taps.get_mut(index));
        for tap in taps.get_mut(index).into_iter().chain(others) {
            group = Some(tap.join(group)?);
        }
        Ok(())
    }

    fn become_lane(&mut self, number: u64, count: u64, begin: Timestamp) {
        self.begin = begin;
        for tap in &mut self.taps {
            tap.frames = number;
            tap.step = count;
        }
    }

    /// Takes what the rings hold; true when that was anything.
    fn drain(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<bool, SourceError> {
        let before = self.stats.delivered;
        for (tap, id) in self.taps.iter_mut().zip(0..=u16::MAX) {
            tap.drain(SourceId(id), self.begin, &mut self.stats, deliver)?;
        }
        Ok(self.stats.delivered > before)
    }

    /// Waits until an interface has packets. Interrupts and errors end the wait; reading tells what is wrong.
    fn wait(&self) {
        let open =
            self.taps.iter().filter(|tap| tap.presence.is_there()).filter_map(|tap| tap.capture.as_ref());
        let mut fds: Vec<_> = open.map(|capture| PollFd::new(capture.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut fds, PollTimeout::from(WAIT_MS));
    }

    /// Reads what the rings hold.
    fn gauge(&mut self) {
        self.gauged = Instant::now();
        self.taps.iter_mut().for_each(Tap::gauge);
    }

    fn count_drops(&mut self) {
        self.counted = Instant::now();
        self.gauge();
        self.notices.extend(self.taps.iter_mut().filter_map(Tap::look));
        self.stats.outages = self.taps.iter().map(|tap| tap.presence.outages()).sum();
        self.stats.outage_ms = self.taps.iter().map(|tap| tap.presence.away_ms()).sum();
        self.stats.dropped_kernel = self.taps.iter().map(|tap| tap.ring.dropped.total).sum();
        self.stats.dropped_interface = self.taps.iter().map(|tap| tap.dropped_interface.total).sum();
    }
}

impl Source for InterfaceSource {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        if self.taps.iter().all(|tap| tap.capture.is_none()) {
            return Ok(Status::End);
        }
        if self.counted.elapsed() >= COUNTER_INTERVAL {
            self.count_drops();
        }
        let mut came = self.drain(deliver)?;
        if !came {
            self.wait();
            came = self.drain(deliver)?;
        }
        if self.gauged.elapsed() >= BACKLOG_INTERVAL {
            self.gauge();
            // At once: what came since then is not taken for read.
            self.taps.iter_mut().filter(|tap| tap.drained).for_each(|tap| tap.ring.is_empty());
        }
        Ok(if came { Status::More } else { Status::Idle })
    }

    fn backlog(&mut self) -> Backlog {
        if self.gauged.elapsed() >= BACKLOG_INTERVAL {
            self.gauge();
        }
        self.taps.iter().map(|tap| tap.ring.backlog()).fold(Backlog::default(), Backlog::with)
    }

    fn count(&mut self) {
        self.count_drops();
        self.stats.unread = self.backlog().packets;
    }

    fn stats(&self) -> SourceStats {
        self.stats
    }

    fn names(&self) -> SourceNames {
        self.names.clone()
    }

    fn pressure(&self) -> Pressure {
        Pressure::Shed
    }

    fn take_lanes(&mut self) -> Vec<Box<dyn Source>> {
        self.lanes.drain(..).map(|lane| Box::new(lane) as Box<dyn Source>).collect()
    }

    fn take_link_notices(&mut self) -> Vec<LinkNotice> {
        std::mem::take(&mut self.notices)
    }
}

impl Tap {
    fn open(name: &str, filter: Option<&str>, ring_bytes: usize) -> Result<Self, SourceError> {
        let mut capture = activate(name, ring_bytes).map_err(|error| refused(name, &error))?;
        let link = LinkType(u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX));
        if let Some(text) = filter {
            capture.filter(text, true).map_err(|error| bad_filter(text, link, &error))?;
        }
        let capture = capture.setnonblock().map_err(|error| refused(name, &error))?;
        let presence = Presence::new(name, capture.as_fd());
        // The one kind of Linux capture without a ring has no nanoseconds either.
        let nanos = HAS_NANOS && link != LinkType::NFLOG;
        Ok(Self {
            name: name.to_owned(),
            capture: Some(capture),
            link,
            fraction_nanos: if nanos { 1 } else { 1000 },
            frames: 0,
            step: 1,
            ring: Ring::new(ring_bytes.max(SMALLEST_RING)),
            drained: false,
            dropped_interface: Counter::default(),
            presence,
            failures: 0,
        })
    }

    fn drain(
        &mut self,
        source: SourceId,
        begin: Timestamp,
        stats: &mut SourceStats,
        deliver: &mut dyn FnMut(Packet<'_>),
    ) -> Result<(), SourceError> {
        let Self { capture: Some(capture), link, fraction_nanos, frames, step, presence, ring, .. } = self
        else {
            return Ok(());
        };
        if !presence.is_there() {
            return Ok(());
        }
        let result = capture.dispatch(Some(BATCH), |captured| {
            ring.take(captured.data.len());
            let ts = captured.header.ts;
            let time = Timestamp::from_parts(ts.tv_sec, ts.tv_usec.saturating_mul(*fraction_nanos));
            if time < begin {
                return;
            }
            *frames += *step;
            stats.received += 1;
            stats.delivered += 1;
            stats.bytes += captured.data.len() as u64;
            deliver(Packet {
                time,
                link: *link,
                data: captured.data,
                wire_len: captured.header.len,
                frame: *frames,
                source,
            });
        });
        match result {
            Ok(packets) => (self.failures, self.drained) = (0, packets < BATCH),
            Err(error) => self.failed(&error)?,
        }
        Ok(())
    }

    /// An interface that went away is waited for, and one that came back may fail once more for having been away.
    fn failed(&mut self, error: &pcap::Error) -> Result<(), SourceError> {
        self.failures += 1;
        let waits = self.presence.can_tell() && self.failures < MAX_FAILURES;
        if waits { Ok(()) } else { Err(self.fail(error)) }
    }

    fn join(&mut self, group: Option<u16>) -> Result<u16, SourceError> {
        let refused = |reason: &dyn std::fmt::Display| SourceError::Capture {
            name: self.name.clone(),
            message: format!("its packets cannot be spread over lanes ({reason}); set capture.lanes=1"),
        };
        let capture = self.capture.as_ref().ok_or_else(|| refused(&"it is closed"))?;
        let group = packet_socket::join_fanout(capture.as_fd(), group).map_err(|error| refused(&error))?;
        self.presence.bind_for_good();
        Ok(group)
    }

    /// Looks whether the interface is still there, and takes it up again when it is back.
    fn look(&mut self) -> Option<LinkNotice> {
        let capture = self.capture.as_ref()?;
        let change = self.presence.look(&self.name, capture.as_fd())?;
        self.failures = 0;
        Some(LinkNotice { interface: self.name.clone(), change })
    }

    /// Gives the interface up; the others go on.
    fn fail(&mut self, error: &pcap::Error) -> SourceError {
        self.gauge();
        self.capture = None;
        refused(&self.name, error)
    }

    fn gauge(&mut self) {
        if let Some(Ok(stat)) = self.capture.as_mut().map(Capture::stats) {
            self.ring.read(stat.received, stat.dropped);
            self.dropped_interface.update(stat.if_dropped);
        }
    }
}

/// The clock that the kernel stamps packets by.
#[allow(clippy::disallowed_methods, reason = "packets from before are known by no other mark")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_nanos(since.ok().and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0))
}

/// Linux rings always have nanoseconds, and the crate does not tell what the library chose.
const HAS_NANOS: bool = cfg!(target_os = "linux");

/// Opens an interface. The crate takes libpcap's warnings for errors, such as that the `any` device has no promiscuous
/// mode: so it is tried again without.
fn activate(name: &str, ring_bytes: usize) -> Result<Capture<Active>, pcap::Error> {
    let attempt = |promiscuous| configured(name, ring_bytes)?.promisc(promiscuous).open();
    attempt(true).or_else(|first| attempt(false).map_err(|_| first))
}

/// Immediate mode stays off: it would fall back to an older ring with one wake-up a packet.
fn configured(name: &str, ring_bytes: usize) -> Result<Capture<pcap::Inactive>, pcap::Error> {
    let ring = i32::try_from(ring_bytes.max(SMALLEST_RING)).unwrap_or(i32::MAX);
    let capture = Capture::from_device(name)?.snaplen(SNAP_LEN).buffer_size(ring).timeout(BLOCK_TIMEOUT_MS);
    Ok(if HAS_NANOS { capture.precision(Precision::Nano) } else { capture })
}

/// libpcap tells reasons in words only.
fn refused(name: &str, error: &pcap::Error) -> SourceError {
    let (name, message) = (name.to_owned(), message(error));
    let says = |words: &[&str]| words.iter().any(|word| message.to_ascii_lowercase().contains(word));
    if says(&["permission", "not permitted", "cap_net_raw"]) {
        SourceError::NoPermission { name }
    } else if says(&["no such device", "disappeared", "doesn't exist"]) {
        let available = interfaces().unwrap_or_default().into_iter().map(|info| info.name).collect();
        SourceError::NoSuchInterface { name, available }
    } else if says(&["is not up", "went down", "network is down"]) {
        SourceError::InterfaceDown { name }
    } else {
        SourceError::Capture { name, message }
    }
}

fn message(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::refused;
    use crate::SourceError;

    #[test]
    fn reasons_in_words_become_kinds() {
        let error = |words: &str| refused("eth9", &pcap::Error::PcapError(words.to_owned()));
        let permission = error("eth9: You don't have permission to perform this capture on that device");
        assert!(matches!(permission, SourceError::NoPermission { .. }));
        assert!(matches!(error("eth9: No such device exists"), SourceError::NoSuchInterface { .. }));
        assert!(matches!(error("eth9: That device is not up"), SourceError::InterfaceDown { .. }));
        assert!(matches!(error("out of cheese"), SourceError::Capture { .. }));
    }
}
