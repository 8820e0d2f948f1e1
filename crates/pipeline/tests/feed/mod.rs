//! A source that a test holds and lets go, and outputs that stand still.

pub(crate) mod lanes;

use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tapwire_capture::{Backlog, Pressure, Source, SourceError, SourceNames, SourceStats, Status};
use tapwire_event::{Fidelity, Options, Redactor, Renderer};
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Classes, Config, Outlet, Report};
use tapwire_sink::{Batch, Counts, Reader, Sink, SinkError, SinkReport, Tally};
use tapwire_testkit::{Capture, Conversation, Turn, shop_turns};
use tapwire_wire::Packet;

/// Server errors in each conversation of [`shop`].
pub(crate) const ERRORS: usize = 15;

/// Packets of one call.
const CALL: usize = 64;

/// Longest wait of a paused source, in calls of a millisecond: far beyond what it takes.
const PATIENCE: u32 = 60_000;

/// Conversations at the same time, with server errors spread over each.
pub(crate) fn shop(conversations: u16, turns: usize) -> Capture {
    let every = turns / ERRORS;
    let talk = |number: u16| {
        let seed = u64::from(number);
        let mut turns = shop_turns(turns as u64, seed);
        turns.iter_mut().step_by(every).take(ERRORS).for_each(fail);
        let mut conversation = Conversation::new(turns, seed);
        conversation.client.port = 40_000 + number;
        conversation.play()
    };
    (0..conversations).map(talk).reduce(Capture::merged).expect("a conversation").numbered()
}

fn fail(turn: &mut Turn) {
    turn.request = b"GET /failing HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_vec();
    turn.response = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec();
}

/// A capture as a source of any pressure.
pub(crate) struct Feed {
    capture: Capture,
    at: usize,
    pressure: Pressure,
    paused: Handle,
    waited: u32,
}

/// Holds a source and lets it go.
#[derive(Clone, Default)]
pub(crate) struct Handle(Arc<AtomicBool>);

impl Handle {
    pub(crate) fn pause(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn go_on(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Feed {
    pub(crate) fn new(capture: Capture, pressure: Pressure) -> Self {
        Self { capture, at: 0, pressure, paused: Handle::default(), waited: 0 }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.paused.clone()
    }
}

impl Source for Feed {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        if self.paused.0.load(Ordering::Relaxed) && self.waited < PATIENCE {
            self.waited += 1;
            std::thread::sleep(Duration::from_millis(1));
            return Ok(Status::Idle);
        }
        let rest = self.capture.packets.get(self.at..).unwrap_or_default();
        let batch = rest.iter().take(CALL);
        self.at += batch.len();
        batch.for_each(|packet| deliver(packet.packet()));
        Ok(if self.at < self.capture.packets.len() { Status::More } else { Status::End })
    }

    fn stats(&self) -> SourceStats {
        SourceStats { received: self.at as u64, delivered: self.at as u64, ..SourceStats::default() }
    }

    fn names(&self) -> SourceNames {
        let names = SourceNames::default();
        names.add("feed");
        names
    }

    fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// As of a tap whose ring is full while packets come: none can wait there.
    fn backlog(&mut self) -> Backlog {
        let all = self.capture.packets.len();
        let comes = self.at < all - all / 32 && !self.paused.0.load(Ordering::Relaxed);
        Backlog { packets: 0, percent: if comes { 100 } else { 0 } }
    }
}

/// Everything that a sink was given.
#[derive(Clone, Default)]
pub(crate) struct Collected(Arc<Mutex<(Vec<u8>, Counts)>>);

impl Collected {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no panic while it was held").0.clone()
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        let bytes = self.bytes();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("an event is JSON")).collect()
    }

    fn take(&self, batch: &Batch) -> Result<Reader, SinkError> {
        let mut collected = self.0.lock().expect("no panic while it was held");
        let amount = Tally::of(batch.events(), batch.bytes().len());
        collected.0.extend_from_slice(batch.bytes());
        collected.1.accept(amount);
        collected.1.deliver(amount);
        Ok(Reader::Listening)
    }

    fn report(&self) -> SinkReport {
        let counts = self.0.lock().expect("no panic while it was held").1;
        SinkReport { destination: "test".into(), counts, error: None, lapse: None, notices: Vec::new() }
    }
}

/// Stands still until its gate is opened.
pub(crate) struct Gated {
    gate: Option<Receiver<()>>,
    collected: Collected,
}

impl Gated {
    pub(crate) fn new(gate: Receiver<()>, collected: Collected) -> Self {
        Self { gate: Some(gate), collected }
    }
}

/// Takes its time for each batch.
pub(crate) struct Slow {
    collected: Collected,
}

impl Slow {
    pub(crate) fn new(collected: Collected) -> Self {
        Self { collected }
    }
}

macro_rules! sink {
    ($name:ident, $before:expr) => {
        impl Sink for $name {
            fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
                $before(self);
                self.collected.take(batch)
            }

            fn report(&self) -> SinkReport {
                self.collected.report()
            }
        }
    };
}

// The other end drops its sender to open the gate.
sink!(Gated, |sink: &mut Gated| sink.gate.take().map(|gate| gate.recv()));
sink!(Slow, |_: &mut Slow| std::thread::sleep(Duration::from_millis(2)));

pub(crate) fn outlet(sink: Box<dyn Sink>) -> Outlet {
    let redactor = Redactor::new(TokenKey::new([7; 32]), Fidelity::Default);
    Outlet::new(Renderer::new(Options::default(), redactor), Classes::default(), None, vec![sink])
}

pub(crate) fn config(threads: usize, analysis: bool, in_flight_bytes: usize) -> Config {
    let key = TokenKey::new([7; 32]);
    Config {
        threads,
        analysis,
        tells: true,
        max_exchanges: None,
        in_flight_bytes,
        heartbeat: tapwire_pipeline::Heartbeat::default(),
        wire: tapwire_wire::Config::default(),
        flow: tapwire_flow::Config::default(),
        secrets: tapwire_pipeline::Secrets::default(),
        protocol: tapwire_protocol::Config::default(),
        inspect: tapwire_inspect::Config::new(key.clone()),
        inventory: tapwire_inventory::Config::new(key),
        context: tapwire_pipeline::ContextFeed::default(),
        rules: tapwire_detect::policies::Rules::default(),
        mutes: Vec::new(),
        radius: None,
        policies: tapwire_detect::policies::Settings::default(),
        policy_feed: tapwire_pipeline::PolicyFeed::default(),
        rule_feed: tapwire_pipeline::RuleFeed::default(),
        mute_feed: tapwire_pipeline::MuteFeed::default(),
        detect: tapwire_detect::Config::default(),
    }
}

/// Exchanges with that status.
pub(crate) fn statuses(events: &[Value], status: u64) -> usize {
    let code = |event: &&Value| event.pointer("/http_response/code").and_then(Value::as_u64) == Some(status);
    events.iter().filter(code).count()
}

/// The levels before and after each `sensor.degraded`, in the order of events.
pub(crate) fn levels(events: &[Value]) -> Vec<(u64, u64)> {
    let degraded = events.iter().filter(|event| {
        event.pointer("/metadata/event_code").and_then(Value::as_str) == Some("sensor.degraded")
    });
    let counter = |event: &Value, name: &str| {
        event.pointer(&format!("/unmapped/counters/{name}")).and_then(Value::as_u64).expect("a counter")
    };
    degraded.map(|event| (counter(event, "level_before"), counter(event, "level"))).collect()
}

/// Events that the outputs accepted and delivered.
pub(crate) fn ledger(report: &Report) -> (u64, u64) {
    let sum = |of: fn(&SinkReport) -> u64| report.sinks.iter().map(of).sum();
    (sum(|sink| sink.counts.accepted.events), sum(|sink| sink.counts.delivered.events))
}
