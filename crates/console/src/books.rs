//! What the console shows: rows of text and numbers, as of one moment.

mod exchange;

pub use exchange::{Exchange, Part, Told};

use crate::hunt::Tables;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// Where what is shown comes from. Texts that came out of traffic have gone through redaction.
pub trait Books: Send + Sync {
    /// Everything as it stands; the same `Arc` as long as nothing changed.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// One endpoint with its schemas, parameters and scores, as `tapwire inventory --json` writes it.
    fn endpoint(&self, id: &str) -> Option<Value>;

    /// One caller with its sessions, as `tapwire callers --json` writes them; `None` where nobody of that name called.
    fn caller(&self, name: &str) -> Option<Value>;

    /// The OpenAPI 3.1 description of a service, as `tapwire openapi` writes it.
    fn openapi(&self, service: &str) -> Option<String>;

    /// Outputs of the run beside which it serves, as they stand; none where it serves by itself.
    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    /// The tap of the run beside which it serves, as it stands; none where it serves by itself.
    fn tap(&self) -> Option<Tap> {
        None
    }

    /// Tables that SQL asks.
    ///
    /// # Errors
    /// Why there are none, and what to do, in a line.
    fn tables(&self) -> Result<Arc<dyn Tables>, String> {
        Err("no tables are kept here".to_owned())
    }

    /// Does something with the incident of that uid, by a user of that name.
    ///
    /// # Errors
    /// Why it cannot be done, in a line.
    fn act(&self, uid: &str, by: &str, action: &Action) -> Result<(), String>;

    /// The exchange of that uid, or the findings, or what alone begins so; `None` where nothing does. `day` (`2026-11-22`) is
    /// where it is looked for first. Takes as long as looking does, within bounds.
    ///
    /// # Errors
    /// Why it cannot be told, in a line.
    fn exchange(&self, uid: &str, day: Option<&str>) -> Result<Option<Exchange>, String>;

    /// Whose records the caller of that name got, or whoever is behind the incident of that uid, as `tapwire blast-radius
    /// --json` writes it. Takes as long as reading the packets does, within bounds.
    ///
    /// # Errors
    /// Why that cannot be counted, in a line.
    fn radius(&self, whose: &str) -> Result<Value, String>;

    /// The packets of an incident as pcapng. Takes as long as reading the packets does.
    ///
    /// # Errors
    /// Why they cannot be had, in a line.
    fn carve(&self, uid: &str) -> Result<Vec<u8>, String>;
}

/// What a tap counted since its run began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tap {
    /// Packets that were read.
    pub packets: u64,
    /// Exchanges that were found.
    pub exchanges: u64,
    /// Packets that were lost before they were read, by who lost them.
    pub dropped: [(&'static str, u64); 2],
    /// Times that an interface was away.
    pub outages: u64,
    /// For how long, in milliseconds.
    pub outage_ms: u64,
    /// What is shed: 0 is nothing.
    pub shed_level: u64,
}

/// An output on the network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// Its own name, or its destination.
    pub name: String,
    /// Events by what became of them.
    pub events: Vec<(&'static str, u64)>,
    /// From the last packet until the receiver had them: bound in seconds, and the events that were not slower.
    pub delays: Vec<(f64, u64)>,
    /// All of these delays together, in seconds.
    pub delay_sum: f64,
    /// Why it failed last; empty where it never did.
    pub failure: String,
    /// When that was.
    pub failed: String,
    /// Whether it works again since.
    pub recovered: bool,
}

/// What a person does with an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Says whether it was one.
    Feedback {
        /// What it was.
        verdict: Verdict,
        /// Why; may be empty.
        why: String,
    },
    /// Wants to hear no more of its kind at its service for a while.
    Mute {
        /// For how long.
        days: u32,
        /// Why.
        why: String,
    },
    /// Wants to hear of its kind at its service again.
    Unmute {
        /// Why; may be empty.
        why: String,
    },
}

impl Action {
    /// As the audit log has it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Feedback { .. } => "feedback",
            Self::Mute { .. } => "mute",
            Self::Unmute { .. } => "unmute",
        }
    }
}

/// What an incident was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An attack, whether it worked or not.
    True,
    /// Nothing of the kind happened.
    False,
    /// It happened, and is allowed.
    Benign,
}

impl Verdict {
    /// All, with what each says.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::True, "true", "It was an attack"),
        (Self::False, "false", "Nothing of the kind happened"),
        (Self::Benign, "benign", "It happened, and is allowed"),
    ];

    /// Of its name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, own, _)| *own == name).map(|(verdict, ..)| verdict)
    }
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// To know.
    #[default]
    Informational,
    /// Can wait.
    Low,
    /// This week.
    Medium,
    /// Today.
    High,
    /// Now.
    Critical,
}

impl Level {
    /// All, the worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational];

    /// Of a name, however it is capitalised; to know, where it is none.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name)).unwrap_or_default()
    }

    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Everything that lists show. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// A number that changes with the content.
    pub version: u64,
    /// What it was learned from.
    pub source: String,
    /// What `tapwire show UID` is given to find there what is shown here, with a space before it.
    pub evidence: String,
    /// Descriptions of APIs that `tapwire case export` is given, too, each with a space before it.
    pub described: String,
    /// Whether what people say of incidents is kept, and packets may be had.
    pub keeps: bool,
    /// Whether packets can be read again: captures, or what a run keeps of them.
    pub has_packets: bool,
    /// Whether it is a collector's directory: what only a sensor learns is not there.
    pub is_collectors: bool,
    /// Whether exchanges are kept in tables that SQL asks.
    pub has_tables: bool,
    /// Time of the first and of the last call; empty where none was seen.
    pub first: String,
    /// See `first`.
    pub last: String,
    /// Services, by name.
    pub services: Vec<Service>,
    /// Endpoints, by service, template and method.
    pub endpoints: Vec<Endpoint>,
    /// Incidents, worst first.
    pub incidents: Vec<Incident>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Findings of posture, worst first.
    pub postures: Vec<Posture>,
    /// Callers, who calls most first.
    pub callers: Vec<Caller>,
    /// Which data goes where.
    pub flows: Vec<DataFlow>,
    /// KPIs that are judged.
    pub figures: Vec<Figure>,
    /// What the sensor did not see.
    pub blind_spots: Vec<Figure>,
    /// What could not be judged, and why.
    pub not_judged: Vec<Spot>,
    /// Calls of each day: the date and how many.
    pub days: Vec<(String, u64)>,
    /// Calls of each of the last hours, where that is kept: the hour and how many.
    pub hours: Vec<(String, u64)>,
    /// Every counter of every stage.
    pub counters: Value,
}

/// So many digits of an incident's uid name it, at least.
const MIN_DIGITS: usize = 6;

impl Snapshot {
    /// Incidents that need somebody.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.state() == OPEN)
    }

    /// Incidents, those behind the others of which people said that there was nothing to be done.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Incident> {
        let all = || self.incidents.iter();
        all().filter(|one| !one.is_dismissed()).chain(all().filter(|one| one.is_dismissed()))
    }

    /// The incident of that uid, or the only one whose uid begins so.
    pub(crate) fn incident(&self, uid: &str) -> Option<&Incident> {
        let uid = uid.to_ascii_lowercase();
        let exact = self.incidents.iter().find(|incident| incident.uid == uid);
        let mut begins = self.incidents.iter().filter(|incident| incident.uid.starts_with(&uid));
        exact.or_else(|| match (begins.next(), begins.next()) {
            (Some(only), None) if uid.len() >= MIN_DIGITS => Some(only),
            _ => None,
        })
    }
}

/// Where an API lives.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Service {
    /// Its authority.
    pub name: String,
    /// Calls.
    pub calls: u64,
    /// Endpoints.
    pub endpoints: u64,
    /// Findings made of its calls.
    pub findings: u64,
    /// Who answers for it; empty where no file says so.
    pub owner: String,
    /// Zone; empty where no file says so.
    pub zone: String,
    /// Worst exposure and worst threat of an endpoint, 0 to 100.
    pub exposure: u8,
    /// See `exposure`.
    pub threat: u8,
    /// Time of the first call.
    pub first: String,
    /// Time of the last call.
    pub last: String,
}

/// A line of the inventory.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Endpoint {
    /// 16 hexadecimal digits.
    pub id: String,
    /// Its service.
    pub service: String,
    /// Method.
    pub method: String,
    /// Path template.
    pub template: String,
    /// Operation; empty where the path says all.
    pub operation: String,
    /// Calls.
    pub calls: u64,
    /// Distinct callers.
    pub callers: u64,
    /// Whether there are more than those.
    pub more_callers: bool,
    /// Answers by class, 1xx to 5xx, then those not seen.
    pub status: [u64; 6],
    /// Kinds of credentials with the percent of calls that had one.
    pub auth: Vec<(String, u8)>,
    /// Data classes.
    pub classes: Vec<String>,
    /// `undocumented`, `shadow`, …
    pub states: Vec<String>,
    /// 0 to 100.
    pub exposure: u8,
    /// 0 to 100.
    pub threat: u8,
    /// Who answers for it.
    pub owner: String,
    /// Microseconds until half and until 99 of 100 answers began; `None` where none was seen.
    pub latency: Option<(u64, u64)>,
    /// Time of the first call.
    pub first: String,
    /// Time of the last call.
    pub last: String,
}

/// What one actor did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Incident {
    /// Its id.
    pub uid: String,
    /// How bad.
    pub level: Level,
    /// What it is.
    pub title: String,
    /// `attempted`, `blocked`, `no-effect`, `likely`, `confirmed`.
    pub outcome: String,
    /// Who: callers and addresses.
    pub who: String,
    /// The service where it began.
    pub service: String,
    /// Time of the first finding.
    pub first: String,
    /// Time of the last finding.
    pub last: String,
    /// Findings.
    pub findings: u64,
    /// Whether it is over.
    pub closed: bool,
    /// What people said of it: `true`, `false`, `benign`; empty where nobody did.
    pub verdict: String,
    /// Until when its kind is muted at its service; empty where it is not.
    pub muted: String,
    /// Everything known of it, as `tapwire incidents --json` writes it.
    pub whole: Value,
}

/// States of an incident, as tables are filtered by them.
pub(crate) const OPEN: &str = "open";
pub(crate) const CLOSED: &str = "closed";
/// People said that it was none, or that it is allowed.
pub(crate) const DISMISSED: &str = "dismissed";

impl Incident {
    /// How it stands.
    pub(crate) fn state(&self) -> &'static str {
        match (self.is_dismissed(), self.closed) {
            (true, _) => DISMISSED,
            (false, true) => CLOSED,
            (false, false) => OPEN,
        }
    }

    /// Whether people said that nobody has to look after it.
    pub(crate) fn is_dismissed(&self) -> bool {
        matches!(Verdict::of(&self.verdict), Some(Verdict::False | Verdict::Benign))
    }
}

/// What one detector said of one exchange.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Finding {
    /// Its id.
    pub uid: String,
    /// The exchange that shows it; empty where none does.
    pub exchange: String,
    /// Its incident.
    pub incident: String,
    /// When.
    pub time: String,
    /// Which detector; `rule` for what a user's rule found.
    pub detector: String,
    /// The title of that rule; empty of a detector's.
    pub rule: String,
    /// How bad.
    pub level: Level,
    /// Whether it worked.
    pub outcome: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// What a policy says of a service.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Posture {
    /// The policy's name.
    pub policy: String,
    /// In words.
    pub title: String,
    /// The service.
    pub service: String,
    /// How bad.
    pub level: Level,
    /// `open`, `accepted`, `fixed`, …
    pub state: String,
    /// Whether it still needs somebody.
    pub stands: bool,
    /// Why, in a sentence.
    pub reason: String,
    /// What to do.
    pub fix: String,
    /// How to show that it is done.
    pub test: String,
    /// What it goes back to.
    pub references: Vec<String>,
    /// Endpoints that violate it: id, and method with template.
    pub endpoints: Vec<(String, String)>,
    /// How many they are.
    pub total: u64,
    /// Since when.
    pub since: String,
    /// Who answers for the service; empty where no file says so.
    pub owner: String,
    /// Who accepted it, until when and why; empty where nobody did.
    pub accepted: String,
}

/// Who calls.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Caller {
    /// `user~3f2a…`, as `--where principal == …` takes it.
    pub name: String,
    /// What names it.
    pub kind: String,
    /// Calls.
    pub calls: u64,
    /// How it proves who it is.
    pub credentials: Vec<String>,
    /// Roles and scopes.
    pub grants: Vec<String>,
    /// Services it called.
    pub services: Vec<String>,
    /// Networks it came from.
    pub networks: Vec<String>,
    /// Families of clients.
    pub agents: Vec<String>,
    /// Sessions.
    pub sessions: u64,
    /// Time of the first call.
    pub first: String,
    /// Time of the last call.
    pub last: String,
}

/// A data class that an endpoint carries.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DataFlow {
    /// The class.
    pub class: String,
    /// How much harm it does in wrong hands.
    pub sensitivity: String,
    /// The endpoint's id.
    pub endpoint: String,
    /// Its service.
    pub service: String,
    /// Its method and template.
    pub name: String,
    /// Fields of requests that are of the class.
    pub sent: u64,
    /// Fields of answers that are.
    pub answered: u64,
    /// Whether calls without credentials are answered.
    pub open: bool,
    /// Whether calls came in clear text.
    pub clear: bool,
}

/// How a figure stands to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It has none.
    #[default]
    None,
    /// It meets it.
    Met,
    /// It misses it, and there is time.
    Missed,
    /// It misses it, and the day has passed.
    Overdue,
}

/// A KPI.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figure {
    /// Its name in commands.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// With its unit.
    pub now: String,
    /// Of what.
    pub of: String,
    /// As a share from 0 to 1, where it is one.
    pub share: Option<f64>,
    /// What it should be, and by when.
    pub target: String,
    /// How it stands to that.
    pub mark: Mark,
    /// A value for each day that is known, from 0 to 1.
    pub trend: Vec<Option<f64>>,
}

/// Something with a reason.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Spot {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}
