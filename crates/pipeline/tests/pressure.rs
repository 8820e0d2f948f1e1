//! What a run does when an output cannot keep up: a tap sheds in the stated order and counts it, a file waits.

mod feed;

use feed::lanes::Quiet;
use feed::{Collected, Feed, Gated, Slow, config, ledger, levels, outlet, shop, statuses};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use tapwire_capture::Pressure;
use tapwire_pipeline::{Control, Notice, Report, ShedLevel, Snapshot, Unwatched, Watch, run};
use tapwire_testkit::mutate::{Link, Route, Wrapping, carry};
use tapwire_testkit::{Capture, OwnedPacket};

/// Bytes in flight that the tests allow.
const IN_FLIGHT: usize = 4 << 20;

/// More than any exchange of the shop weighs.
const LARGEST: u64 = 256 << 10;

/// Exchanges that are let in after the worst level was reached.
const BEYOND: u64 = 600;

/// Opens the sink's gate once the worst level has held for some exchanges, then holds the source until nothing is shed.
struct Pressing {
    gate: Option<Sender<()>>,
    feed: feed::Handle,
    reached: Option<u64>,
}

impl Watch for Pressing {
    fn tick(&mut self, snapshot: Snapshot) -> Control {
        if snapshot.shedding == ShedLevel::Exchanges {
            self.reached.get_or_insert(snapshot.exchanges);
        }
        if self.reached.is_some_and(|reached| snapshot.exchanges >= reached + BEYOND)
            && self.gate.take().is_some()
        {
            self.feed.pause();
        }
        // What comes afterwards waits for its turn, however slow this machine is.
        match snapshot.shedding {
            ShedLevel::None => self.feed.go_on(),
            _ if self.gate.is_none() => self.feed.pause(),
            _ => {}
        }
        Control::Continue
    }

    fn notice(&mut self, _notice: &Notice) {}
}

fn pressed(threads: usize, analysis: bool) -> (Report, Vec<serde_json::Value>) {
    let (open, gate) = channel();
    let collected = Collected::default();
    let mut source = Feed::new(shop(8, 1_500), Pressure::Shed);
    let mut watch = Pressing { gate: Some(open), feed: source.handle(), reached: None };
    let sink = Gated::new(gate, collected.clone());
    let report =
        run(&mut source, &config(threads, analysis, IN_FLIGHT), vec![outlet(Box::new(sink))], &mut watch);
    assert!(watch.reached.is_some(), "the worst level was never reached");
    (report, collected.events())
}

fn check_shedding(threads: usize, analysis: bool) {
    let (report, events) = pressed(threads, analysis);
    let (tally, shedding) = (&report.tally, &report.shedding);
    assert!(tally.shed > 0, "nothing was shed");
    assert_eq!(tally.exchanges, report.protocol.exchanges, "a number is missing");
    assert_eq!(tally.exchanges, tally.reported + tally.shed, "in = out + shed");
    assert!(shedding.peak_bytes <= IN_FLIGHT as u64 + LARGEST, "{} bytes in flight", shedding.peak_bytes);
    assert_eq!(shedding.precious, 0, "what is precious was shed although there was room");
    assert_eq!(statuses(&events, 503), feed::ERRORS * 8, "a server error is missing");
    let (accepted, delivered) = ledger(&report);
    assert_eq!((accepted, delivered), (events.len() as u64, events.len() as u64));

    let levels = levels(&events);
    assert_eq!(shedding.changes, levels.len() as u64, "each change is an event");
    assert_eq!(levels.iter().map(|(_, to)| *to).max(), Some(ShedLevel::Exchanges as u64));
    let mut level = 0;
    for (from, to) in &levels {
        assert_eq!(*from, level, "a change of level is missing in {levels:?}");
        level = *to;
    }
    assert!(levels.iter().any(|(_, to)| *to == 0), "the run never recovered: {levels:?}");
}

#[test]
fn a_tap_sheds_in_order_and_counts_it() {
    check_shedding(1, true);
}

#[test]
fn several_inspectors_leave_no_hole_in_the_numbers() {
    check_shedding(3, true);
}

#[test]
fn a_tap_sheds_without_analysis_too() {
    check_shedding(1, false);
}

#[test]
fn a_file_waits_for_a_slow_output_and_loses_nothing() {
    let events = |threads: usize| {
        let collected = Collected::default();
        let mut source = Feed::new(shop(4, 500), Pressure::Block);
        let limit = 64 << 10;
        let sink = Slow::new(collected.clone());
        let report =
            run(&mut source, &config(threads, true, limit), vec![outlet(Box::new(sink))], &mut Unwatched);
        assert_eq!(report.tally.reported, report.protocol.exchanges);
        assert_eq!((report.tally.shed, report.shedding.changes), (0, 0), "a file sheds nothing");
        assert!(
            report.shedding.peak_bytes <= limit as u64 + LARGEST,
            "{} in flight",
            report.shedding.peak_bytes
        );
        collected.bytes()
    };
    let reference = events(0);
    for threads in 1..=4 {
        assert!(events(threads) == reference, "{threads} threads changed the events");
    }
}

/// Conversations that travel through a tunnel, in two parts of each.
fn tunnelled() -> [Capture; 2] {
    let route = Route { wrapping: Some(Wrapping::Vxlan), ..Route::plain(Link::Ethernet) };
    let all = carry(&shop(16, 30), &route).expect("Ethernet carries VXLAN").numbered();
    let middle = all.packets.len() / 2;
    let part = |packets: &[OwnedPacket]| Capture { packets: packets.to_vec() };
    [part(&all.packets[..middle]), part(&all.packets[middle..])]
}

#[test]
fn connections_of_a_lane_that_others_feed_do_not_end_as_idle() {
    let mut config = config(1, false, IN_FLIGHT);
    config.flow.idle_timeout = 5;
    // Longer than what is idle is waited for, before anything comes.
    let mut source = Quiet::beside(tunnelled(), Duration::from_secs(6));
    let report = run(&mut source, &config, Vec::new(), &mut Unwatched);
    assert!(report.lanes.handed_over > 0 && report.lanes.lane_full == 0, "{:?}", report.lanes);
    assert_eq!(report.flow.closed_idle, 0, "{:?}", report.flow);
}
