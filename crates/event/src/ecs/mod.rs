//! Elastic Common Schema 8.17, which 9 reads unchanged: exchanges as `event`, findings and incidents as `alert`, what
//! policies say as `state`, the sensor itself as `metric`.
//!
//! What the schema has no field for stands under `tapwire`. Header fields are left out but for those that it names.

mod exchange;
mod told;

use crate::community::CommunityIds;
use crate::coverage::seen_share;
use crate::json;
use crate::number;
use crate::ocsf::interval;
use crate::pen::Pen;
use crate::render::Options;
use crate::sensor::{SensorCode, SensorReport};
use crate::time::Civil;
use tapwire_inventory::HourCoverage;
use tapwire_wire::Timestamp;

/// The schema's release that field names were taken from.
const VERSION: &str = "8.17.0";

/// What every document is written with.
pub(crate) struct Writer<'w> {
    pub observer: &'w [u8],
    pub sequence: u64,
    pub pen: &'w mut Pen,
    pub community: &'w mut CommunityIds,
}

/// The part of a document that is the same in all of them.
pub(crate) fn observer(options: &Options) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b",\"ecs\":{\"version\":\"");
    out.extend_from_slice(VERSION.as_bytes());
    out.extend_from_slice(
        b"\"},\"observer\":{\"vendor\":\"Tapwire\",\"product\":\"Tapwire\",\"type\":\"sensor\"",
    );
    json::own(&mut out, "version", &options.version);
    if let Some(reporter) = &options.reporter {
        json::own(&mut out, "name", reporter);
    }
    json::close(&mut out);
    if let Some(tenant) = &options.tenant {
        json::object(&mut out, "organization");
        json::own(&mut out, "id", tenant);
        json::close(&mut out);
    }
    out
}

/// What kind of thing a document tells.
struct Kind {
    kind: &'static str,
    category: &'static [&'static str],
    types: &'static [&'static str],
    dataset: &'static str,
}

impl Writer<'_> {
    /// Opens the document and its `event`, which the caller goes on with and closes.
    fn open(&self, time: Timestamp, uid: &[u8], kind: &Kind, out: &mut Vec<u8>) {
        json::raw(out, r#"{"@timestamp":"#);
        date(time, out);
        out.extend_from_slice(self.observer);
        json::object(out, "event");
        if uid.iter().any(|byte| *byte != 0) {
            hex("id", uid, out);
        }
        json::own(out, "kind", kind.kind);
        if !kind.category.is_empty() {
            json::words(out, "category", kind.category.iter().copied());
            json::words(out, "type", kind.types.iter().copied());
        }
        json::own(out, "module", "tapwire");
        json::own(out, "dataset", kind.dataset);
        json::count(out, "sequence", self.sequence);
    }

    /// Writes a report of the sensor, without a line end.
    pub(crate) fn sensor(self, report: &SensorReport, out: &mut Vec<u8>) {
        self.open(report.time, &[], &METRIC, out);
        json::own(out, "action", report.code.name());
        json::close(out);
        json::own(out, "message", &report.message);
        json::object(out, "tapwire");
        json::object(out, "stats");
        report.counters.iter().for_each(|(name, value)| json::count(out, name, *value));
        json::close(out);
        json::close(out);
        json::close(out);
    }

    /// Writes how well a service was seen in an hour, without a line end.
    pub(crate) fn coverage(self, hour: &HourCoverage, out: &mut Vec<u8>) {
        let seen = &hour.seen;
        self.open(hour.until, &[], &METRIC, out);
        json::own(out, "action", SensorCode::Coverage.name());
        json::close(out);
        json::own(out, "message", &seen_share(seen));
        json::object(out, "service");
        json::text(out, "name", self.pen.named(&hour.service));
        json::close(out);
        json::object(out, "tapwire");
        json::object(out, "stats");
        json::count(out, "pairs", seen.pairs);
        json::count(out, "halves", seen.halves);
        interval(out, "share", seen.share, 5);
        json::close(out);
        json::close(out);
        json::close(out);
    }

    /// The id of the key that tokens were made with, and whether text was cut. Closes `tapwire` and the document.
    fn end(&mut self, out: &mut Vec<u8>) {
        hex("token_key", &self.pen.redactor.key_id(), out);
        if self.pen.redactor.take_cut() {
            json::truth(out, "text_cut", true);
        }
        json::close(out);
        json::close(out);
    }
}

const METRIC: Kind = Kind { kind: "metric", category: &[], types: &[], dataset: "tapwire.sensor" };

/// RFC 3339 with microseconds.
fn date(time: Timestamp, out: &mut Vec<u8>) {
    out.push(b'"');
    Civil::new(time).date_time(out, 6);
    out.extend_from_slice(b"Z\"");
}

fn hex(name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    json::key(out, name);
    out.push(b'"');
    number::hex(out, bytes);
    out.push(b'"');
}
