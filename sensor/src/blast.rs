//! `blast-radius`: whose records somebody got, by which endpoints, and what of it was not seen.

use crate::carve::RingSource;
use crate::cli::{BlastRadiusArgs, OnOff, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::incidents::span;
use crate::keys::Keys;
use crate::paper::{Paper, plain, print};
use crate::sense::{load_key, pipeline_config, redactor};
use crate::settings::Effective;
use crate::size::{self, counted};
use crate::stored::directory;
use crate::summary::rfc3339;
use crate::watch::{Terminal, catch_signals};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tapwire_capture::{Pressure, Source, open_files};
use tapwire_detect::Incident;
use tapwire_detect::radius::{MAX_IDS, Persons, Radius, Reached, Target};
use tapwire_event::Redactor;
use tapwire_inspect::{Token, TokenKey};
use tapwire_inventory::{EndpointId, Inventory};
use tapwire_pipeline::{Config, Report, run};
use tapwire_store::Reader;

/// Fewer digits would match too much.
const MIN_DIGITS: usize = 6;

/// `tapwire blast-radius`.
pub(crate) fn blast_radius(args: &BlastRadiusArgs) -> Result<Exit, Failure> {
    let digits = digits(&args.who)?;
    let looking = Looking::new(args)?;
    let found = looking.pass(looking.config.clone())?;
    let Some(inventory) = found.inventory.as_ref().filter(|_| !found.interrupted) else {
        return Ok(Exit::Interrupted);
    };
    let (name, target) = target(&found, inventory, &args.who, &digits)?;
    let mut config = looking.config.clone();
    config.inspect.max_ids = MAX_IDS;
    config.radius = Some(Radius::new(target));
    let seen = looking.pass(config)?;
    let (Some(radius), Some(inventory)) = (&seen.radius, seen.inventory.as_ref()) else {
        return Ok(Exit::Interrupted);
    };
    if seen.interrupted {
        return Ok(Exit::Interrupted);
    }
    let mut redactor = redactor(&looking.effective, looking.key.clone());
    let left = Left::new(name, radius, inventory);
    let text = if args.json { format!("{}\n", left.json(&mut redactor)) } else { left.page(&mut redactor) };
    print(&text, true)?;
    Ok(Exit::Done)
}

/// The digits of an incident's uid or of a token.
fn digits(who: &str) -> Result<String, Failure> {
    let text = who.rsplit(':').next().unwrap_or(who).to_ascii_lowercase();
    if text.len() < MIN_DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(format!(
            "blast-radius {who}: give at least {MIN_DIGITS} hexadecimal digits of an incident's uid, or of a caller's token: \
             `tapwire incidents` and `tapwire callers` have them"
        )));
    }
    Ok(text)
}

/// Where packets come from, and how they are read.
struct Looking {
    paths: Vec<PathBuf>,
    data: Option<PathBuf>,
    effective: Effective,
    key: TokenKey,
    config: Config,
    quiet: bool,
}

impl Looking {
    fn new(args: &BlastRadiusArgs) -> Result<Self, Failure> {
        let effective = Effective::load(&args.config)?;
        let data = args.paths.is_empty().then(|| directory(args.data.clone())).transpose()?;
        let key = match (&args.token_key, &data) {
            (None, Some(data)) => TokenKey::new(*Reader::open(data)?.token_key()?.bytes()),
            (explicit, _) => load_key(explicit.as_deref(), None)?,
        };
        let sense = SenseArgs { analysis: OnOff::On, ..SenseArgs::default() };
        let mut config = pipeline_config(&effective, &sense, key.clone(), Pressure::Block)?;
        config.secrets = Keys::of_captures(&args.keys)?.secrets;
        Ok(Self { paths: args.paths.clone(), data, effective, key, config, quiet: args.json })
    }

    fn pass(&self, config: Config) -> Result<Report, Failure> {
        let mut source: Box<dyn Source> = match &self.data {
            Some(data) => Box::new(RingSource::open(data, None)?),
            None => Box::new(open_files(&self.paths, None)?),
        };
        let mut terminal = Terminal::new(catch_signals()?, self.quiet, Pressure::Block);
        let report = run(source.as_mut(), &config, Vec::new(), &mut terminal);
        terminal.finish();
        report.source_errors.iter().for_each(|error| eprintln!("tapwire: {error}"));
        Ok(report)
    }
}

/// What was asked for, in words, and whose calls that means.
fn target(
    report: &Report,
    inventory: &Inventory,
    who: &str,
    digits: &str,
) -> Result<(String, Target), Failure> {
    let incidents: Vec<&Incident> =
        report.incidents.all().iter().filter(|one| one.uid.to_string().starts_with(digits)).collect();
    let hex = |token: Token| token.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if !who.contains(':') {
        match incidents.as_slice() {
            [] => {}
            [one] => return Ok((format!("incident {}", one.uid), of_incident(one))),
            many => {
                let many = many.len();
                return Err(Failure::new(format!("{who}: {many} incidents begin so; give more digits")));
            }
        }
    }
    let callers = inventory.principals().callers();
    let mut callers = callers.iter().filter(|caller| hex(caller.principal.token).starts_with(digits));
    match (callers.next(), callers.next()) {
        (Some(one), None) => {
            let token = hex(one.principal.token);
            let name = format!("{} tok:{}", one.principal.kind.name(), token.get(..16).unwrap_or(&token));
            Ok((name, Target { callers: vec![one.principal.token], ..Target::default() }))
        }
        (Some(_), Some(_)) => Err(Failure::new(format!("{who}: several callers begin so; give more digits"))),
        (None, _) => Err(Failure::new(format!(
            "{who}: neither an incident nor a caller of these packets begins so; tokens are those of the token key: \
             --token-key FILE"
        ))),
    }
}

fn of_incident(incident: &Incident) -> Target {
    Target {
        callers: incident.callers.iter().map(|caller| caller.token).collect(),
        addresses: incident.addresses.clone(),
        // Where there were more endpoints than are kept, all of them count.
        endpoints: (!incident.more_endpoints && !incident.endpoints.is_empty())
            .then(|| incident.endpoints.clone()),
    }
}

/// What left.
struct Left<'a> {
    name: String,
    radius: &'a Radius,
    inventory: &'a Inventory,
    endpoints: Vec<(EndpointId, Reached)>,
    persons: Persons,
}

impl<'a> Left<'a> {
    fn new(name: String, radius: &'a Radius, inventory: &'a Inventory) -> Self {
        let endpoints = radius.reached(inventory);
        let mut persons = Persons::new();
        endpoints.iter().for_each(|(_, reached)| persons.join(&reached.persons));
        Self { name, radius, inventory, endpoints, persons }
    }

    fn sum(&self, of: impl Fn(&Reached) -> u64) -> u64 {
        self.endpoints.iter().map(|(_, reached)| of(reached)).sum()
    }

    /// Persons in what was not read, were they as close together there as in what was; `None` where nothing tells.
    fn unseen(&self) -> Option<u64> {
        let (count, _) = self.persons.count();
        let (read, unread) = (self.sum(|one| one.read_bytes), self.sum(|one| one.unread_bytes));
        if self.sum(|one| one.unread) == 0 {
            return Some(0);
        }
        let unknown = self.sum(|one| one.unknown_length) > 0;
        (!unknown && read > 0 && count > 0).then(|| count.saturating_mul(unread).div_ceil(read))
    }

    fn page(&self, redactor: &mut Redactor) -> String {
        let mut paper = Paper::new(true);
        paper.line(&paper.strong(&format!("Blast radius of {}", self.name)));
        paper.hang("  ", &self.headline());
        if !self.endpoints.is_empty() {
            paper.heading("Endpoints");
        }
        for (id, reached) in &self.endpoints {
            paper.hang("  ", &paper.strong(&self.place(*id, redactor)));
            paper.hang("    ", &self.given(reached));
            paper.hang("    ", &span(reached.first, reached.last));
        }
        paper.heading("Not seen");
        self.not_seen().iter().for_each(|line| paper.hang("  - ", line));
        paper.into_text()
    }

    fn headline(&self) -> String {
        let (count, exact) = self.persons.count();
        let answers = counted(self.sum(|one| one.calls), "answer");
        let bound = if self.unseen() == Some(0) { "" } else { "at least " };
        match (count, exact) {
            (0, _) => format!("no person was told by what was read of {answers}"),
            (_, true) => format!(
                "records of {bound}{} left, in {answers}: counted one by one",
                counted(count, "person")
            ),
            (_, false) => {
                format!("records of {bound}about {} left, in {answers}: within 2 %", counted(count, "person"))
            }
        }
    }

    fn place(&self, id: EndpointId, redactor: &mut Redactor) -> String {
        let Some(endpoint) = self.inventory.endpoint(id) else { return "no endpoint".into() };
        let (method, host) =
            (redactor.shown_method(&endpoint.method), redactor.shown_host(&endpoint.service));
        plain(&format!("{method} {host}{}", redactor.shown_path(&endpoint.template)))
    }

    fn given(&self, reached: &Reached) -> String {
        let (count, exact) = reached.persons.count();
        let about = if exact { "" } else { "about " };
        let by: Vec<String> = reached.told_by.iter().map(|name| plain(name)).collect();
        let persons = match count {
            0 => "no person told".to_owned(),
            _ => format!("{about}{} by {}", counted(count, "person"), by.join(", ")),
        };
        let classes: Vec<String> = self
            .classes(reached)
            .iter()
            .map(|(name, count)| format!("{name} {}", size::count(*count)))
            .collect();
        let classes = if classes.is_empty() { "no sensitive data".to_owned() } else { classes.join(", ") };
        format!("{}, {persons}; {classes}", counted(reached.calls, "answer"))
    }

    fn classes(&self, reached: &Reached) -> BTreeMap<String, u64> {
        reached
            .classes
            .iter()
            .map(|(class, count)| (self.inventory.class_name(*class).to_owned(), *count))
            .collect()
    }

    /// What is in no figure, each in a sentence.
    fn not_seen(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (unread, bytes) = (self.sum(|one| one.unread), self.sum(|one| one.unread_bytes));
        if unread > 0 {
            let bound = match self.unseen() {
                Some(more) => {
                    format!("as dense as the rest, they name up to {} more", counted(more, "person"))
                }
                None => "nothing bounds whom they name".to_owned(),
            };
            lines.push(format!(
                "{} of {} not read whole (missing, cut, or of no format that is read), {}: {bound}",
                counted(unread, "answer"),
                size::count(self.sum(|one| one.calls)),
                size::bytes(bytes)
            ));
        } else {
            lines.push("every answer to these calls was read whole".to_owned());
        }
        if self.radius.beyond > 0 {
            lines.push(format!("{} of further endpoints", counted(self.radius.beyond, "call")));
        }
        lines.push("what passed outside of these packets, or was not decrypted".to_owned());
        lines.push(
            "a person who is named by e-mail in one answer and only by number in another counts twice"
                .to_owned(),
        );
        lines
    }

    fn json(&self, redactor: &mut Redactor) -> Value {
        let (count, exact) = self.persons.count();
        let endpoints: Vec<Value> =
            self.endpoints.iter().map(|(id, one)| self.endpoint_json(*id, one, redactor)).collect();
        json!({
            "of": self.name, "persons": count, "exact": exact, "endpoints": endpoints,
            "answers": self.sum(|one| one.calls), "refused": self.radius.refused,
            "unread_answers": self.sum(|one| one.unread), "unread_bytes": self.sum(|one| one.unread_bytes),
            "unseen_persons_at_most": self.unseen(), "calls_beyond": self.radius.beyond,
        })
    }

    fn endpoint_json(&self, id: EndpointId, reached: &Reached, redactor: &mut Redactor) -> Value {
        let (count, exact) = reached.persons.count();
        json!({
            "id": format!("{:016x}", id.0), "name": self.place(id, redactor), "answers": reached.calls,
            "persons": count, "exact": exact, "told_by": reached.told_by.iter().collect::<Vec<_>>(),
            "data_classes": self.classes(reached), "first": rfc3339(reached.first), "last": rfc3339(reached.last),
            "unread_answers": reached.unread, "unread_bytes": reached.unread_bytes,
        })
    }
}
