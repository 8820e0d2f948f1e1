//! The sensor's own state, as a Base Event (class 0) whose `metadata.event_code` says which.

use super::{Kind, Writer};
use crate::coverage::seen_share;
use crate::json;
use crate::sensor::{SensorCode, SensorReport, Told};
use tapwire_inventory::{HourCoverage, Interval};
use tapwire_protocol::Anomaly;
use tapwire_wire::Timestamp;

impl Writer<'_> {
    /// Writes the event, without a line end.
    pub(crate) fn sensor(mut self, report: &SensorReport, out: &mut Vec<u8>) {
        json::open(out);
        self.sensor_head(report.code, report.time, &report.message, out);
        json::object(out, "unmapped");
        if let Some(service) = &report.service {
            json::own(out, "service", service);
        }
        if !report.anomalies.is_empty() {
            json::words(out, "anomalies", report.anomalies.iter().map(Anomaly::name));
        }
        report.told.iter().for_each(|(name, told)| self.told(name, told, out));
        json::object(out, "counters");
        report.counters.iter().for_each(|(name, value)| json::count(out, name, *value));
        json::close(out);
        json::close(out);
        json::close(out);
    }

    /// Writes how well a service was seen in an hour, without a line end. Its name comes from traffic.
    pub(crate) fn coverage(self, hour: &HourCoverage, out: &mut Vec<u8>) {
        let seen = &hour.seen;
        json::open(out);
        self.sensor_head(SensorCode::Coverage, hour.until, &seen_share(seen), out);
        json::integer(out, "start_time", hour.hour.millis());
        json::integer(out, "end_time", hour.until.millis());
        json::object(out, "unmapped");
        json::object(out, "coverage");
        json::text(out, "service", self.pen.named(&hour.service));
        json::count(out, "pairs", seen.pairs);
        json::count(out, "pairs_uncertain", seen.uncertain);
        json::count(out, "halves", seen.halves);
        interval(out, "unseen", seen.unseen, 1);
        interval(out, "share", seen.share, 5);
        json::close(out);
        json::close(out);
        json::close(out);
    }

    fn told(&mut self, name: &str, told: &Told, out: &mut Vec<u8>) {
        match told {
            Told::Own(words) if words.is_empty() => {}
            Told::Own(words) => json::words(out, name, words.iter().map(String::as_str)),
            Told::Hosts(hosts) if hosts.is_empty() => {}
            Told::Hosts(hosts) => {
                json::list(out, name);
                for host in hosts {
                    json::element(out);
                    json::string(out, self.pen.redactor.shown_wildcard(host).as_bytes());
                }
                json::close_list(out);
            }
            Told::Endpoints(endpoints) => self.known_endpoints(name, endpoints, out),
            Told::Name(text) => json::text(out, name, self.pen.payload_name(text)),
        }
    }

    fn sensor_head(&self, code: SensorCode, time: Timestamp, message: &str, out: &mut Vec<u8>) {
        json::integer(out, "time", time.millis());
        Kind { category: 0, class: 0, activity: 99, severity: code.severity() }.write(out);
        json::own(out, "activity_name", code.name());
        json::own(out, "message", message);
        out.extend_from_slice(self.metadata);
        self.profiles(None, out);
        json::count(out, "sequence", self.sequence);
        json::own(out, "event_code", code.name());
        json::close(out);
    }
}

pub(crate) fn interval(out: &mut Vec<u8>, name: &str, interval: Interval, digits: usize) {
    json::object(out, name);
    json::decimal(out, "low", interval.low, digits);
    json::decimal(out, "likely", interval.likely, digits);
    json::decimal(out, "high", interval.high, digits);
    json::close(out);
}
