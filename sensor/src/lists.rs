//! `list` and `explain`: what this build knows, straight from the registries.

mod own;

use crate::cli::Listing;
use crate::doctor::{Ailment, ailments};
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::posture;
use crate::risk;
use own::Own;
use serde_json::json;
use std::path::PathBuf;
use tapwire_capture::InterfaceInfo;
use tapwire_detect::policies::{self, EndpointField};
use tapwire_detect::{DETECTORS, DetectorInfo, POLICIES};
use tapwire_event::{FIELDS, FieldInfo, SensorCode};
use tapwire_inspect::classes::{DATA_CLASSES, DataClass};
use tapwire_inspect::{PAYLOADS, PayloadFormat, STYLES, Style};
use tapwire_inventory::kpis::{KPIS, Kpi};
use tapwire_inventory::{FACTORS, Score};
use tapwire_protocol::{Anomaly, PROTOCOLS, ProtocolInfo};
use tapwire_sink::SINKS;

/// A line of a list.
struct Entry {
    name: String,
    what: String,
}

fn entry(name: impl Into<String>, what: impl Into<String>) -> Entry {
    Entry { name: name.into(), what: what.into() }
}

/// `tapwire list`.
pub(crate) fn list(what: Listing, as_json: bool, config: Option<PathBuf>) -> Result<Exit, Failure> {
    let mut entries = entries(what)?;
    entries.extend(Own::of(config)?.entries(what));
    let mut paper = Paper::new(true);
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in entries {
        if as_json {
            paper.line(&json!({"name": entry.name, "what": entry.what}).to_string());
        } else {
            paper.line(&format!("{:<width$}  {}", entry.name, entry.what));
        }
    }
    print(&paper.into_text(), true)?;
    Ok(Exit::Done)
}

fn entries(what: Listing) -> Result<Vec<Entry>, Failure> {
    Ok(match what {
        Listing::Detectors => {
            DETECTORS.iter().map(|d| entry(d.name, format!("{} ({}, {})", d.title, d.owasp, d.cwe))).collect()
        }
        Listing::Protocols => PROTOCOLS.iter().map(|p| entry(p.name, p.summary)).collect(),
        Listing::Payloads => {
            let formats = PAYLOADS.iter().map(|p| entry(p.name, p.media_types.join(", ")));
            formats
                .chain(STYLES.iter().map(|s| entry(s.name, format!("a style of calls: {}", s.summary))))
                .collect()
        }
        Listing::DataClasses => DATA_CLASSES
            .iter()
            .map(|class| {
                entry(
                    class.name,
                    format!("{} ({}, {})", class.title, class.kind.name(), class.sensitivity.name()),
                )
            })
            .collect(),
        Listing::Kpis => KPIS.iter().map(|kpi| entry(kpi.name, kpi.formula)).collect(),
        Listing::Policies => POLICIES.iter().map(|p| entry(p.id, posture::listed(p))).collect(),
        Listing::Sinks => SINKS.iter().map(|s| entry(s.example, s.summary)).collect(),
        Listing::Fields => {
            let own = FIELDS.iter().map(|f| entry(f.name, format!("{}: {}", f.kind.name(), f.doc)));
            let endpoints = policies::FIELDS
                .iter()
                .map(|f| entry(f.name, format!("of endpoints, in policies: {}: {}", f.kind.name(), f.doc)));
            own.chain(endpoints).collect()
        }
        Listing::Anomalies => Anomaly::ALL.iter().map(|a| entry(a.name(), a.meaning().trim())).collect(),
        Listing::Ailments => ailments()
            .iter()
            .map(|a| entry(a.name, format!("{} ({}; told from: {})", a.title, a.harm.name(), a.told)))
            .collect(),
        Listing::Interfaces => tapwire_capture::interfaces()?
            .into_iter()
            .map(|interface| entry(interface.name.clone(), describe(&interface)))
            .collect(),
    })
}

fn describe(interface: &InterfaceInfo) -> String {
    let state = if interface.up { "up" } else { "down" };
    let addresses = interface.addresses.iter().map(ToString::to_string);
    let described = interface.description.iter().cloned();
    std::iter::once(state.to_owned()).chain(addresses).chain(described).collect::<Vec<_>>().join(", ")
}

/// `tapwire explain`: everything that has this name, since a payload and its style may share one.
pub(crate) fn explain(name: &str, config: Option<PathBuf>) -> Result<Exit, Failure> {
    let mut paper = Paper::new(true);
    let own = Own::of(config)?;
    let explainers: [fn(&str, &mut Paper) -> bool; 14] = [
        |name, paper| told(DETECTORS.iter().find(|known| known.name == name), explain_detector, paper),
        |name, paper| told(POLICIES.iter().find(|known| known.id == name), posture::explain, paper),
        |name, paper| told(Anomaly::ALL.iter().find(|known| known.name() == name), explain_anomaly, paper),
        |name, paper| told(DATA_CLASSES.iter().find(|known| known.name == name), explain_class, paper),
        |name, paper| told(ailments().into_iter().find(|known| known.name == name), explain_ailment, paper),
        |name, paper| told(Kpi::named(name), explain_kpi, paper),
        |name, paper| told(Score::ALL.into_iter().find(|known| known.name() == name), risk::explain, paper),
        |name, paper| {
            told(FACTORS.iter().find(|known| known.name == name).copied(), risk::explain_factor, paper)
        },
        |name, paper| told(FIELDS.iter().find(|known| known.name == name), explain_field, paper),
        |name, paper| {
            told(policies::FIELDS.iter().find(|known| known.name == name), explain_endpoint_field, paper)
        },
        |name, paper| told(PROTOCOLS.iter().find(|known| known.name == name), explain_protocol, paper),
        |name, paper| told(PAYLOADS.iter().find(|known| known.name == name), explain_payload, paper),
        |name, paper| told(STYLES.iter().find(|known| known.name == name), explain_style, paper),
        |name, paper| told(SensorCode::ALL.iter().find(|known| known.name() == name), explain_code, paper),
    ];
    let mut known = false;
    for explain in explainers {
        let mut one = Paper::new(true);
        if explain(name, &mut one) {
            if known {
                paper.line("");
            }
            known = true;
            paper.page(one);
        }
    }
    if !own.explain(name, &mut paper) && !known {
        return Err(Failure::new(unknown(name)));
    }
    print(&paper.into_text(), true)?;
    Ok(Exit::Done)
}

fn told<T>(found: Option<T>, tell: fn(T, &mut Paper), paper: &mut Paper) -> bool {
    found.map(|found| tell(found, paper)).is_some()
}

fn explain_anomaly(anomaly: &Anomaly, paper: &mut Paper) {
    let title = paper.strong(anomaly.name());
    paper.line(&format!("{title}, an anomaly: a fact about the bytes of an exchange"));
    paper.line(&format!("  {}", anomaly.meaning().trim()));
}

fn explain_field(field: &FieldInfo, paper: &mut Paper) {
    let title = paper.strong(field.name);
    paper.line(&format!("{title}, a field ({}) of --where and --fields", field.kind.name()));
    paper.line(&format!("  {}", field.doc));
}

fn explain_endpoint_field(field: &EndpointField, paper: &mut Paper) {
    let title = paper.strong(field.name);
    paper.line(&format!(
        "{title}, a field ({}) of endpoints, for the expressions of policies",
        field.kind.name()
    ));
    paper.line(&format!("  {}", field.doc));
}

fn explain_protocol(protocol: &ProtocolInfo, paper: &mut Paper) {
    let title = paper.strong(protocol.name);
    paper.line(&format!("{title}, a protocol on the wire"));
    paper.line(&format!("  {}", protocol.summary));
}

fn explain_payload(format: &PayloadFormat, paper: &mut Paper) {
    let title = paper.strong(format.name);
    paper.line(&format!("{title}, a payload format ({})", format.media_types.join(", ")));
    paper.line(&format!("  {}", format.summary));
}

fn explain_style(style: &Style, paper: &mut Paper) {
    let title = paper.strong(style.name);
    paper.line(&format!("{title}, a style of calls, told by {}", style.told_by));
    paper.line(&format!("  Read: {}.", style.summary));
}

fn explain_code(code: &SensorCode, paper: &mut Paper) {
    let title = paper.strong(code.name());
    paper.line(&format!("{title}, an event of the sensor about itself"));
    paper.line(&format!("  {}", code.meaning()));
}

fn explain_detector(detector: &DetectorInfo, paper: &mut Paper) {
    let title = paper.strong(detector.title);
    paper.line(&format!("{title} ({}, a detector)", detector.name));
    paper.line(&format!("  {}", detector.summary));
    paper.line("");
    let (number, technique) = detector.attack;
    paper.row("OWASP", detector.owasp);
    paper.row("CWE", detector.cwe);
    paper.row("ATT&CK", &format!("{number} {technique}"));
    paper.row("severity", detector.severity);
    paper.row("judges after", detector.warm_up);
    if detector.needs.least > 0 {
        paper.row("needs", &format!("{} {}", detector.needs.least, detector.needs.of));
    }
    paper.heading("What to do");
    for step in detector.next_steps {
        paper.line(&format!("  - {step}"));
    }
}

fn explain_class(class: &DataClass, paper: &mut Paper) {
    let title = paper.strong(class.title);
    paper.line(&format!("{title} ({}, a data class)", class.name));
    paper.line(&format!("  {}.", class.summary));
    paper.line("");
    paper.row("sort", class.kind.name());
    paper.row("sensitivity", class.sensitivity.name());
    paper.row("region", class.region.unwrap_or("any"));
    paper.row("counts", class.strength.meaning());
    if !class.keys.is_empty() {
        paper.row("names", &class.keys.join(", "));
    }
    paper.row("example", &format!("{}: {}", class.example.0, class.example.1));
}

fn explain_kpi(kpi: &Kpi, paper: &mut Paper) {
    let title = paper.strong(kpi.title);
    paper.line(&format!("{title} ({}, a KPI)", kpi.name));
    paper.hang("  ", kpi.formula);
    paper.line("");
    paper.row("unit", kpi.unit.name());
    paper.row("better", kpi.better.name());
    paper.row("not judged", &format!("where {}", kpi.unjudged));
    paper.row("what to do", kpi.advice);
}

fn explain_ailment(ailment: &Ailment, paper: &mut Paper) {
    let title = paper.strong(ailment.title);
    paper.line(&format!("{title} ({}, an ailment of a mirror: {})", ailment.name, ailment.harm.name()));
    paper.line("");
    paper.row("told from", ailment.told);
    paper.row("it means", ailment.means);
    paper.row("what to do", ailment.remedy);
}

fn unknown(name: &str) -> String {
    let detectors = DETECTORS.iter().map(|detector| detector.name);
    let anomalies = Anomaly::ALL.iter().map(|anomaly| anomaly.name());
    let codes = SensorCode::ALL.iter().map(|code| code.name());
    let fields = FIELDS.iter().map(|field| field.name);
    let ailments = ailments().into_iter().map(|ailment| ailment.name);
    let read = PROTOCOLS.iter().map(|protocol| protocol.name);
    let payloads = PAYLOADS.iter().map(|format| format.name);
    let styles = STYLES.iter().map(|style| style.name);
    let classes = DATA_CLASSES.iter().map(|class| class.name);
    let kpis = KPIS.iter().map(|kpi| kpi.name);
    let scores = Score::ALL.into_iter().map(Score::name).chain(FACTORS.iter().map(|factor| factor.name));
    let names: Vec<&str> = detectors
        .chain(POLICIES.iter().map(|policy| policy.id))
        .chain(policies::FIELDS.iter().map(|field| field.name))
        .chain(classes)
        .chain(kpis)
        .chain(anomalies)
        .chain(ailments)
        .chain(read)
        .chain(payloads)
        .chain(styles)
        .chain(fields)
        .chain(codes)
        .chain(scores)
        .collect();
    let hint =
        tapwire_expr::nearest(name, &names).map_or(String::new(), |near| format!("; did you mean '{near}'?"));
    format!(
        "explain {name}: no detector, policy, data class, KPI, score, anomaly, ailment, protocol, payload or field is named so{hint}"
    )
}
