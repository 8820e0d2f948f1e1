//! A capture file through all layers to events, as the product runs it on one thread.

use super::laws;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tapwire_capture::{CaptureReader, Pressure, Source, SourceError, SourceNames, SourceStats, Status};
use tapwire_event::{Fidelity, Format, Options, Redactor, Renderer};
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Classes, Config, Outlet, Report, Unwatched};
use tapwire_sink::{Batch, Counts, Reader, Sink, SinkError, SinkReport, Tally};
use tapwire_wire::Packet;

/// The bytes are those of a capture file.
pub fn run(data: &[u8]) {
    let Some(whole) = sense(data, Format::Ocsf, config(usize::MAX, 1)) else { return };
    let again = sense(data, Format::Ocsf, config(usize::MAX, 2));
    assert!(again.is_some_and(|again| again == whole), "another hash seed gives other events");
    // Tables that overflow at once, and no analysis.
    sense(data, Format::Eve, Config { analysis: false, ..config(12_000, 1) });
}

fn config(memory: usize, hash_seed: u64) -> Config {
    let key = TokenKey::new([7; 32]);
    let flow = tapwire_flow::Config::default();
    Config {
        threads: 0,
        analysis: true,
        tells: true,
        max_exchanges: None,
        in_flight_bytes: 1 << 20,
        heartbeat: tapwire_pipeline::Heartbeat::default(),
        wire: tapwire_wire::Config::default(),
        flow: tapwire_flow::Config {
            memory: flow.memory.min(memory),
            out_of_order_memory: flow.out_of_order_memory.min(memory / 4),
            // A changed byte is a wrong checksum: believed, it gets farther.
            accept_bad_checksums: true,
            hash_seed,
            ..flow
        },
        secrets: tapwire_pipeline::Secrets::default(),
        protocol: tapwire_protocol::Config { body_bytes: memory.min(512), ..Default::default() },
        inspect: tapwire_inspect::Config::new(key.clone()),
        inventory: tapwire_inventory::Config::new(key),
        context: tapwire_pipeline::ContextFeed::default(),
        rules: tapwire_detect::policies::Rules::new(&[], &[]).unwrap_or_default(),
        mutes: Vec::new(),
        radius: None,
        policies: tapwire_detect::policies::Settings::default(),
        policy_feed: tapwire_pipeline::PolicyFeed::default(),
        rule_feed: tapwire_pipeline::RuleFeed::default(),
        mute_feed: tapwire_pipeline::MuteFeed::default(),
        detect: tapwire_detect::Config::default(),
    }
}

/// Runs the pipeline and gives the events' bytes; `None` when the bytes are no capture.
fn sense(data: &[u8], format: Format, config: Config) -> Option<Vec<u8>> {
    let reader = CaptureReader::new(Path::new("fuzz"), Box::new(Cursor::new(data.to_vec()))).ok()?;
    let mut file = File { reader: Some(reader), stats: SourceStats::default() };
    let redactor = Redactor::new(TokenKey::new([7; 32]), Fidelity::Default);
    let options = Options { format, ..Options::default() };
    let collected = Collected::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(collected.clone())];
    let outlet = Outlet::new(Renderer::new(options, redactor), Classes::default(), None, sinks);
    let report = tapwire_pipeline::run(&mut file, &config, vec![outlet], &mut Unwatched);
    let bytes = std::mem::take(&mut collected.0.lock().expect("one thread").0);
    check(&report, config.analysis);
    check_events(&report, &bytes);
    Some(bytes)
}

/// `in = out + Σ dropped` for every stage.
fn check(report: &Report, analysis: bool) {
    assert!(report.wire.conserved(), "{:?}", report.wire);
    assert_eq!(report.wire.packets, report.source.delivered);
    assert_eq!(report.wire.segments, report.flow.segments);
    laws::flow(&report.flow);
    laws::protocol(&report.protocol, report.flow.delivered_bytes);
    let tally = &report.tally;
    assert_eq!(report.protocol.exchanges, tally.exchanges);
    assert_eq!(tally.exchanges, tally.reported + tally.shed + tally.beyond_limit);
    assert_eq!((tally.shed, tally.beyond_limit), (0, 0), "a file never sheds");
    let halves =
        tally.whole + tally.truncated + tally.requests_alone + tally.responses_alone + tally.children;
    assert_eq!(tally.reported, halves);
    assert_eq!(report.inventory.is_some(), analysis);
}

/// Every event is one line of JSON, and every exchange has one.
fn check_events(report: &Report, bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    for line in &lines {
        let event: Result<serde_json::Value, _> = serde_json::from_slice(line);
        assert!(event.is_ok_and(|event| event.is_object()), "{}", String::from_utf8_lossy(line));
    }
    let [sink] = &report.sinks[..] else { panic!("one sink") };
    assert_eq!(sink.counts.accepted.events, lines.len() as u64);
    assert_eq!(sink.counts.delivered.bytes, bytes.len() as u64);
    assert!(lines.len() as u64 >= report.tally.reported, "an exchange without an event");
}

/// The file as a source that hands on everything at once.
struct File {
    reader: Option<CaptureReader>,
    stats: SourceStats,
}

impl Source for File {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        let Some(mut reader) = self.reader.take() else { return Ok(Status::End) };
        let stats = &mut self.stats;
        reader.for_each(|packet| {
            stats.received += 1;
            stats.delivered += 1;
            stats.bytes += packet.data.len() as u64;
            deliver(packet);
        })?;
        Ok(Status::End)
    }

    fn stats(&self) -> SourceStats {
        self.stats
    }

    fn names(&self) -> SourceNames {
        let names = SourceNames::default();
        names.add("fuzz");
        names
    }

    fn pressure(&self) -> Pressure {
        Pressure::Block
    }
}

/// Everything that a sink was given.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<(Vec<u8>, Counts)>>);

impl Sink for Collected {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        let mut collected = self.0.lock().expect("one thread");
        let amount = Tally::of(batch.events(), batch.bytes().len());
        collected.0.extend_from_slice(batch.bytes());
        collected.1.accept(amount);
        collected.1.deliver(amount);
        Ok(Reader::Listening)
    }

    fn report(&self) -> SinkReport {
        let counts = self.0.lock().expect("one thread").1;
        SinkReport { destination: "fuzz".into(), counts, error: None, lapse: None, notices: Vec::new() }
    }
}
