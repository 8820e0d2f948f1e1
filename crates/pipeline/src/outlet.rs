//! Where rendered events go: one format, its filter, and the sinks that share its bytes.

use std::collections::BTreeSet;
use tapwire_detect::incidents::{Beside, Change};
use tapwire_detect::{Finding, Posture, Severity, Told};
use tapwire_event::{Renderer, SensorCode, SensorReport, View, value};
use tapwire_expr::Expr;
use tapwire_inventory::HourCoverage;
use tapwire_protocol::Uid;
use tapwire_sink::{Batch, Mark, Notice, Reader, Sink, SinkError, SinkReport};

/// Which classes of events an outlet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes {
    /// Every exchange.
    pub exchanges: bool,
    /// Findings.
    pub findings: bool,
    /// Incidents.
    pub incidents: bool,
    /// What is known of endpoints beside their calls.
    pub endpoints: bool,
    /// The sensor's own state.
    pub sensor: bool,
}

impl Classes {
    /// None of them.
    pub const NONE: Self =
        Self { exchanges: false, findings: false, incidents: false, endpoints: false, sensor: false };
}

impl Default for Classes {
    fn default() -> Self {
        Self { exchanges: true, findings: true, incidents: true, endpoints: true, sensor: true }
    }
}

/// Rendered bytes go to the sinks in batches of about this size.
const BATCH_BYTES: usize = 128 << 10;

/// The same in events, for sinks that want no bytes.
const BATCH_EVENTS: u32 = 64 << 10;

/// One rendering, shared by every sink that wants it.
pub struct Outlet {
    renderer: Renderer,
    classes: Classes,
    filter: Option<Expr>,
    sinks: Vec<Box<dyn Sink>>,
    /// Open incidents of which something was told here, where a filter lets only some through.
    open: BTreeSet<Uid>,
    /// Some sink does not throw its bytes away.
    is_read: bool,
    buffer: Vec<u8>,
    events: u32,
    /// Of the buffer, what matters more than the rest where room is short.
    marks: Vec<Mark>,
    /// The last packet of the buffer's oldest exchange.
    captured: Option<i64>,
    sequence: u64,
    pub(crate) error: Option<SinkError>,
    pub(crate) reader_gone: bool,
}

impl Outlet {
    /// Renders with `renderer` what `classes` and `filter` let through, for all of `sinks`, whose numbers go on alike.
    pub fn new(
        renderer: Renderer,
        classes: Classes,
        filter: Option<Expr>,
        sinks: Vec<Box<dyn Sink>>,
    ) -> Self {
        let mut buffer = Vec::with_capacity(BATCH_BYTES + (16 << 10));
        renderer.header(&mut buffer);
        Self {
            is_read: sinks.iter().any(|sink| !sink.discards()),
            renderer,
            classes,
            filter,
            sequence: sinks
                .iter()
                .find_map(|sink| sink.next_sequence())
                .map_or(0, |next| next.saturating_sub(1)),
            sinks,
            open: BTreeSet::new(),
            buffer,
            events: 0,
            marks: Vec::new(),
            captured: None,
            error: None,
            reader_gone: false,
        }
    }

    /// Whether the exchange passes this outlet's filter.
    pub(crate) fn wants(&self, view: &View<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(&|field| value(view, field)))
    }

    pub(crate) fn exchange(&mut self, view: &View<'_>) {
        if self.classes.exchanges {
            self.sequence += 1;
            if self.is_read {
                self.renderer.exchange(view, self.sequence, &mut self.buffer);
            }
            self.stamp(view);
            self.rendered();
        }
    }

    pub(crate) fn finding(&mut self, finding: &Finding, view: &View<'_>) {
        if self.classes.findings {
            self.sequence += 1;
            let begin = self.buffer.len();
            if self.is_read {
                self.renderer.finding(finding, view, self.sequence, &mut self.buffer);
            }
            self.mark(finding.severity, begin);
            self.stamp(view);
            self.rendered();
        }
    }

    /// What is told of an incident goes where the call that made it grow goes; that it is over, where something was told of it.
    pub(crate) fn incident(&mut self, told: &Told, beside: &Beside, call: Option<&View<'_>>) {
        let uid = told.incident.uid;
        let wanted = self.filter.is_none()
            || match told.change {
                Change::Closed => self.open.remove(&uid),
                Change::Opened | Change::Grew => call.is_some_and(|view| self.wants(view)),
            };
        if !self.classes.incidents || !wanted {
            return;
        }
        if self.filter.is_some() && told.change != Change::Closed {
            self.open.insert(uid);
        }
        self.sequence += 1;
        let begin = self.buffer.len();
        if self.is_read {
            self.renderer.incident(told, beside, self.sequence, &mut self.buffer);
        }
        self.mark(told.incident.worst.severity, begin);
        self.rendered();
    }

    /// What a policy says of a service is about no exchange, so that an expression over exchanges leaves it out.
    pub(crate) fn posture(&mut self, posture: &Posture) {
        if self.classes.findings && self.filter.is_none() {
            self.sequence += 1;
            let begin = self.buffer.len();
            if self.is_read {
                self.renderer.posture(posture, self.sequence, &mut self.buffer);
            }
            self.mark(posture.rule.severity, begin);
            self.rendered();
        }
    }

    /// Whether what is known of endpoints goes out here.
    pub(crate) fn wants_endpoints(&self) -> bool {
        self.classes.endpoints && self.is_read && self.renderer.tells_endpoints()
    }

    pub(crate) fn sensor(&mut self, report: &SensorReport) {
        let is_wanted = match report.code {
            SensorCode::Endpoints => self.wants_endpoints(),
            _ => self.classes.sensor,
        };
        if is_wanted {
            self.sequence += 1;
            if self.is_read {
                self.renderer.sensor(report, self.sequence, &mut self.buffer);
            }
            self.rendered();
        }
    }

    pub(crate) fn coverage(&mut self, hour: &HourCoverage) {
        if self.classes.sensor {
            self.sequence += 1;
            if self.is_read {
                self.renderer.coverage(hour, self.sequence, &mut self.buffer);
            }
            self.rendered();
        }
    }

    /// What was rendered last outlives exchanges where room is short, by how bad it is.
    fn mark(&mut self, severity: Severity, begin: usize) {
        let rank = match severity {
            Severity::Informational => return,
            Severity::Low => 1,
            Severity::Medium => 2,
            Severity::High | Severity::Critical => 3,
        };
        if self.buffer.len() > begin {
            self.marks.push(Mark { event: self.events, begin, end: self.buffer.len(), rank });
        }
    }

    fn stamp(&mut self, view: &View<'_>) {
        let ended = view.exchange.ended().nanos();
        self.captured = Some(self.captured.map_or(ended, |oldest| oldest.min(ended)));
    }

    fn rendered(&mut self) {
        self.events += 1;
        if self.buffer.len() >= BATCH_BYTES || self.events >= BATCH_EVENTS {
            self.write();
        }
    }

    /// Hands what is rendered to the sinks; `push` also asks them to send it on.
    pub(crate) fn flush(&mut self, push: bool) {
        self.write();
        if push {
            for index in 0..self.sinks.len() {
                let result = self.sinks.get_mut(index).map(|sink| sink.flush());
                self.note(result);
            }
        }
    }

    fn write(&mut self) {
        if self.buffer.is_empty() && self.events == 0 {
            return;
        }
        let fresh = Vec::with_capacity(self.buffer.capacity());
        let batch = Batch::new(std::mem::replace(&mut self.buffer, fresh), std::mem::take(&mut self.events))
            .marked(&self.marks)
            .captured(self.captured.take());
        self.marks.clear();
        for index in 0..self.sinks.len() {
            let result = self.sinks.get_mut(index).map(|sink| sink.write(&batch));
            self.note(result);
        }
    }

    fn note(&mut self, result: Option<Result<Reader, SinkError>>) {
        match result {
            Some(Ok(Reader::Gone)) => self.reader_gone = true,
            Some(Err(error)) => {
                self.error.get_or_insert(error);
            }
            Some(Ok(Reader::Listening)) | None => {}
        }
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        self.sinks.iter_mut().filter_map(|sink| sink.poll_notice()).collect()
    }

    /// Hands on the rest; gives what became of the events, and whether a reader went away.
    pub(crate) fn finish(mut self) -> (Vec<SinkReport>, bool) {
        self.flush(false);
        let reports = self.sinks.into_iter().map(|sink| sink.finish()).collect();
        (reports, self.reader_gone)
    }
}
