//! The sensor's own state, as a Base Event (class 0) whose `metadata.event_code` says which.

use super::{Kind, Writer};
use crate::json;
use crate::sensor::SensorReport;

impl Writer<'_> {
    /// Writes the event, without a line end.
    pub(crate) fn sensor(self, report: &SensorReport, out: &mut Vec<u8>) {
        json::open(out);
        json::integer(out, "time", report.time.millis());
        Kind { category: 0, class: 0, activity: 99, severity: report.code.severity() }.write(out);
        json::own(out, "activity_name", report.code.name());
        json::own(out, "message", &report.message);
        out.extend_from_slice(self.metadata);
        json::count(out, "sequence", self.sequence);
        json::own(out, "event_code", report.code.name());
        json::close(out);
        json::object(out, "unmapped");
        json::object(out, "counters");
        report.counters.iter().for_each(|(name, value)| json::count(out, name, *value));
        json::close(out);
        json::close(out);
        json::close(out);
    }
}
