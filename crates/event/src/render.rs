//! One entry point for all formats.

use crate::community::CommunityIds;
use crate::fields::{FieldInfo, usual};
use crate::pen::Pen;
use crate::redact::Redactor;
use crate::sensor::SensorReport;
use crate::view::View;
use crate::{cef, ecs, eve, line, ocsf, tsv};
use tapwire_detect::incidents::Beside;
use tapwire_detect::{Finding, Posture, Told};
use tapwire_inventory::HourCoverage;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// An outside format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// OCSF 1.8.0, one JSON object a line.
    #[default]
    Ocsf,
    /// Records as Suricata's EVE log has them, one JSON object a line.
    Eve,
    /// Elastic Common Schema, one JSON document a line.
    Ecs,
    /// Common Event Format, for syslog receivers and Sentinel.
    Cef,
    /// A line for people.
    Line,
    /// Chosen fields, separated by tabs.
    Tsv,
}

impl Format {
    /// Every format with its name and what it is.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Ocsf, "ocsf", "OCSF 1.8.0 as JSON lines"),
        (Self::Eve, "eve", "Suricata EVE-compatible http and alert records as JSON lines"),
        (Self::Ecs, "ecs", "Elastic Common Schema 8 and 9 as JSON lines"),
        (Self::Cef, "cef", "Common Event Format, version 0"),
        (Self::Line, "line", "one line an exchange, for people"),
        (Self::Tsv, "tsv", "chosen fields separated by tabs, with a header line"),
    ];

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(format, _, _)| *format)
    }
}

/// The OCSF class of exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Class {
    /// API Activity, 6003.
    #[default]
    Api,
    /// HTTP Activity, 4002.
    Http,
}

impl Class {
    /// The class of that name: `api` or `http`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "api" => Some(Self::Api),
            "http" => Some(Self::Http),
            _ => None,
        }
    }
}

/// How much of an exchange an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Detail {
    /// With the headers.
    #[default]
    Full,
    /// Without the headers, and without what follows from the rest: `start_time` that is `time`, its nanoseconds, the uid
    /// again under `api`, the caller's token again under `principal`, the protocol that is the version, the sensor's own
    /// vendor and version, and how well it was seen where that is completely.
    Lean,
}

impl Detail {
    /// The detail of that name: `full` or `lean`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "full" => Some(Self::Full),
            "lean" => Some(Self::Lean),
            _ => None,
        }
    }
}

/// How events are rendered.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// The class of exchanges in OCSF.
    pub class: Class,
    /// How much is told in OCSF.
    pub detail: Detail,
    /// The columns of TSV; empty for the usual ones.
    pub fields: Vec<&'static FieldInfo>,
    /// Whether lines for people have colours.
    pub colour: bool,
    /// `metadata.tenant_uid`, when the operator names one.
    pub tenant: Option<String>,
    /// `metadata.reporter.name`: this sensor's name, when the operator gives one.
    pub reporter: Option<String>,
    /// The product's version.
    pub version: String,
}

/// Renders events into byte buffers, one line each. Holds caches and scratch space: make one for each output.
#[derive(Debug)]
pub struct Renderer {
    options: Options,
    /// The constant part of `metadata`.
    metadata: Vec<u8>,
    /// The constant part of an ECS document.
    observer: Vec<u8>,
    pen: Pen,
    community: CommunityIds,
    repeated: ocsf::RepeatedFields,
}

impl Renderer {
    /// A renderer; what leaves is decided by its redactor.
    pub fn new(mut options: Options, redactor: Redactor) -> Self {
        if options.fields.is_empty() {
            options.fields = usual();
        }
        let metadata = ocsf::metadata_prefix(&options);
        Self {
            observer: ecs::observer(&options),
            options,
            metadata,
            pen: Pen::new(redactor),
            community: CommunityIds::default(),
            repeated: ocsf::RepeatedFields::new(),
        }
    }

    /// What stands before the first event: TSV's header line.
    pub fn header(&self, out: &mut Vec<u8>) {
        if self.options.format == Format::Tsv {
            tsv::header(&self.options.fields, out);
        }
    }

    /// Appends an exchange. `sequence` counts the events of this output from 1.
    pub fn exchange(&mut self, view: &View<'_>, sequence: u64, out: &mut Vec<u8>) {
        self.turn_to(view.exchange.started());
        match self.options.format {
            Format::Ocsf => self.ocsf(sequence, view.exchange.uid()).exchange(view, out),
            Format::Eve => eve::exchange(view, &mut self.pen, out),
            Format::Ecs => self.ecs(sequence).exchange(view, out),
            Format::Cef => self.cef(sequence).exchange(view, out),
            Format::Line => line::exchange(view, &mut self.pen, self.options.colour, out),
            Format::Tsv => tsv::exchange(view, &self.options.fields, &mut self.pen, out),
        }
        out.push(b'\n');
    }

    /// Appends a finding with the exchange that raised it. TSV has columns for exchanges only and stays silent.
    pub fn finding(&mut self, finding: &Finding, view: &View<'_>, sequence: u64, out: &mut Vec<u8>) {
        self.turn_to(finding.time);
        match self.options.format {
            Format::Ocsf => self.ocsf(sequence, view.exchange.uid()).finding(finding, view, out),
            Format::Eve => eve::finding(finding, view, &mut self.pen, out),
            Format::Ecs => self.ecs(sequence).finding(finding, view, out),
            Format::Cef => self.cef(sequence).finding(finding, view, out),
            Format::Line => line::finding(finding, view, &mut self.pen, self.options.colour, out),
            Format::Tsv => return,
        }
        out.push(b'\n');
    }

    /// Appends what is told of an incident, with what is known beside it. TSV stays silent.
    pub fn incident(&mut self, told: &Told, beside: &Beside, sequence: u64, out: &mut Vec<u8>) {
        self.turn_to(told.time);
        match self.options.format {
            Format::Ocsf => self.ocsf(sequence, Uid([0; 16])).incident(told, beside, out),
            Format::Eve => eve::incident(told, &mut self.pen, out),
            Format::Ecs => self.ecs(sequence).incident(told, beside, out),
            Format::Cef => self.cef(sequence).incident(told, out),
            Format::Line => line::incident(told, &mut self.pen, self.options.colour, out),
            Format::Tsv => return,
        }
        out.push(b'\n');
    }

    /// Appends what a policy says of a service. TSV stays silent.
    pub fn posture(&mut self, posture: &Posture, sequence: u64, out: &mut Vec<u8>) {
        self.turn_to(posture.time);
        match self.options.format {
            Format::Ocsf => self.ocsf(sequence, Uid([0; 16])).posture(posture, out),
            Format::Eve => eve::posture(posture, &mut self.pen, out),
            Format::Ecs => self.ecs(sequence).posture(posture, out),
            Format::Cef => self.cef(sequence).posture(posture, out),
            Format::Line => line::posture(posture, &mut self.pen, self.options.colour, out),
            Format::Tsv => return,
        }
        out.push(b'\n');
    }

    /// Whether what is known of endpoints is told in this format, as [`crate::SensorCode::Endpoints`].
    pub fn tells_endpoints(&self) -> bool {
        self.options.format == Format::Ocsf
    }

    /// Appends what the sensor says about itself. TSV stays silent.
    pub fn sensor(&mut self, report: &SensorReport, sequence: u64, out: &mut Vec<u8>) {
        self.turn_to(report.time);
        let redacted = report.service.as_deref().map(|service| {
            // As exchanges have it.
            let service = String::from_utf8_lossy(self.pen.named(service).bytes()).into_owned();
            let message = format!("{service}: {}", report.message);
            SensorReport { message, service: Some(service.into()), ..report.clone() }
        });
        let report = redacted.as_ref().unwrap_or(report);
        match self.options.format {
            Format::Ocsf => self.ocsf(sequence, Uid([0; 16])).sensor(report, out),
            Format::Eve => eve::sensor(report, out),
            Format::Ecs => self.ecs(sequence).sensor(report, out),
            Format::Cef => self.cef(sequence).sensor(report, out),
            Format::Line => line::sensor(report, out),
            Format::Tsv => return,
        }
        out.push(b'\n');
    }

    /// Appends how well a service was seen in an hour. TSV stays silent.
    pub fn coverage(&mut self, hour: &HourCoverage, sequence: u64, out: &mut Vec<u8>) {
        self.turn_to(hour.hour);
        match self.options.format {
            Format::Ocsf => self.ocsf(sequence, Uid([0; 16])).coverage(hour, out),
            Format::Eve => eve::coverage(hour, &mut self.pen, out),
            Format::Ecs => self.ecs(sequence).coverage(hour, out),
            Format::Cef => self.cef(sequence).coverage(hour, out),
            Format::Line => line::coverage(hour, &mut self.pen, out),
            Format::Tsv => return,
        }
        out.push(b'\n');
    }

    /// Takes the key of tokens of that time; what is remembered was written with another.
    fn turn_to(&mut self, time: Timestamp) {
        if self.pen.redactor.turn_to(time) {
            self.repeated = ocsf::RepeatedFields::new();
        }
    }

    const fn ecs(&mut self, sequence: u64) -> ecs::Writer<'_> {
        ecs::Writer {
            observer: self.observer.as_slice(),
            sequence,
            pen: &mut self.pen,
            community: &mut self.community,
        }
    }

    fn cef(&mut self, sequence: u64) -> cef::Writer<'_> {
        let reporter = self.options.reporter.as_deref();
        cef::Writer { version: &self.options.version, sequence, reporter, pen: &mut self.pen }
    }

    const fn ocsf(&mut self, sequence: u64, exchange: Uid) -> ocsf::Writer<'_> {
        ocsf::Writer {
            metadata: self.metadata.as_slice(),
            class: self.options.class,
            detail: self.options.detail,
            sequence,
            exchange,
            pen: &mut self.pen,
            community: &mut self.community,
            repeated: &mut self.repeated,
        }
    }
}
