//! What only analysis tells: what findings show, and expressions over what was learned.

use super::Carving;
use super::choose::{Answer, Wish};
use super::wordless::Tried;
use crate::cli::{OnOff, SenseArgs};
use crate::failure::Failure;
use crate::sense::{pipeline_config, redactor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tapwire_capture::Pressure;
use tapwire_event::{Format, Options, Renderer, choose};
use tapwire_pipeline::{Classes, Outlet, run};
use tapwire_protocol::Uid;
use tapwire_sink::{Batch, Reader, Sink, SinkError, SinkReport};

/// What a wish means.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meant {
    pub(crate) exchanges: BTreeSet<Uid>,
    /// Of findings that no exchange shows.
    pub(crate) tried: BTreeSet<Tried>,
}

impl Meant {
    pub(crate) fn is_nothing(&self) -> bool {
        self.exchanges.is_empty() && self.tried.is_empty()
    }

    /// Adds what the event of a finding or an incident shows.
    pub(super) fn add(&mut self, event: &Value) {
        self.exchanges.extend(exchanges_named_by(event));
        self.tried.extend(Tried::of(event));
    }
}

/// For each wish what it means; `None` when interrupted.
pub(crate) fn meant_by(carving: &Carving, wishes: &[Wish]) -> Result<Option<Vec<Answer>>, Failure> {
    let sense = SenseArgs { analysis: OnOff::On, ..SenseArgs::default() };
    let mut config = pipeline_config(&carving.effective, &sense, carving.key.clone(), Pressure::Block)?;
    config.secrets = carving.config.secrets.clone();
    let mut answers = Vec::new();
    let mut outlets = Vec::new();
    for wish in wishes {
        let found = Arc::new(Mutex::new(Meant::default()));
        outlets.push(outlet(carving, wish, &found));
        answers.push((wish.clone(), found));
    }
    let mut source = carving.open()?;
    let mut terminal = carving.terminal();
    let report = run(source.as_mut(), &config, outlets, &mut terminal);
    terminal.finish();
    let taken = |found: &Arc<Mutex<Meant>>| found.lock().map(|found| found.clone()).unwrap_or_default();
    let answers = answers.iter().map(|(wish, found)| (wish.clone(), taken(found))).collect();
    Ok((!report.interrupted).then_some(answers))
}

fn outlet(carving: &Carving, wish: &Wish, found: &Arc<Mutex<Meant>>) -> Outlet {
    let redactor = redactor(&carving.effective, carving.key.clone());
    let (format, classes, filter) = match wish {
        Wish::Uid(_) => (Format::Ocsf, Classes { findings: true, incidents: true, ..Classes::NONE }, None),
        Wish::Where { expr, .. } => {
            (Format::Tsv, Classes { exchanges: true, ..Classes::NONE }, Some(expr.clone()))
        }
    };
    let fields = choose("uid").unwrap_or_default();
    let options = Options { format, fields, ..Options::default() };
    let sink = Uids { wish: wish.clone(), found: Arc::clone(found) };
    Outlet::new(Renderer::new(options, redactor), classes, filter, vec![Box::new(sink)])
}

/// Collects what events say of a wish.
struct Uids {
    wish: Wish,
    found: Arc<Mutex<Meant>>,
}

impl Uids {
    fn hear(&self, line: &[u8], found: &mut Meant) {
        match &self.wish {
            Wish::Where { .. } => found.exchanges.extend(std::str::from_utf8(line).ok().and_then(uid)),
            Wish::Uid(prefix) => found_by(line, &prefix.text().to_ascii_lowercase(), found),
        }
    }
}

fn found_by(line: &[u8], prefix: &str, found: &mut Meant) {
    if memchr::memmem::find(line, prefix.as_bytes()).is_none() {
        return;
    }
    let event = serde_json::from_slice::<Value>(line);
    event.iter().filter(|event| is_about(event, prefix)).for_each(|event| found.add(event));
}

/// Whether it is the finding of that uid, or about the incident, as its findings are, too.
pub(super) fn is_about(event: &Value, prefix: &str) -> bool {
    let own = |path| event.pointer(path).and_then(Value::as_str).is_some_and(|own| own.starts_with(prefix));
    own("/finding_info/uid") || own("/unmapped/incident")
}

/// The exchanges that a finding names, or that an incident tells of.
fn exchanges_named_by(event: &Value) -> Vec<Uid> {
    let list = |path| event.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let told = list("/unmapped/timeline").filter_map(|moment| moment.get("exchange"));
    list("/unmapped/exchanges").chain(told).filter_map(Value::as_str).filter_map(uid).collect()
}

/// From its 32 digits.
pub(crate) fn uid(text: &str) -> Option<Uid> {
    let text = text.trim();
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok().map(Uid)
}

impl Sink for Uids {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        for line in batch.bytes().split(|byte| *byte == b'\n') {
            if let Ok(mut found) = self.found.lock() {
                self.hear(line, &mut found);
            }
        }
        Ok(Reader::Listening)
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: "carve".into(),
            counts: Default::default(),
            error: None,
            lapse: None,
            notices: Vec::new(),
        }
    }
}
