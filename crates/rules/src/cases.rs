//! Tests of rules: a file beside the rules that says of which events they hold.

use crate::{Names, RuleFile, load};
use rsigma_eval::JsonEvent;
use serde::Deserialize;
use serde_json::{Map, Value};

/// When the first event of a test happens, in seconds since 1970; the others say how long after.
const BEGIN: i64 = 1_700_000_000;

/// A test of rules that are not judged shows nothing, whatever it expects.
pub const NONE_JUDGED: &str = "no rule of the file is judged: `tapwire rules check` says why";

/// A test file, `NAME.test.yml` beside `NAME.yml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// The id of the rule that is tested; without one, any rule of the file.
    #[serde(default)]
    pub rule: Option<String>,
    /// The tests.
    pub tests: Vec<Case>,
}

/// One test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Whether the rule is to hold.
    #[serde(default = "yes")]
    pub holds: bool,
    /// Fields of the one event.
    #[serde(default)]
    pub event: Option<Map<String, Value>>,
    /// Several events, in order.
    #[serde(default)]
    pub events: Vec<Moment>,
    /// A capture, beside the test file, instead of events.
    #[serde(default)]
    pub capture: Option<String>,
    /// The exchanges of that capture that findings of the rule name, all of them.
    #[serde(default)]
    pub uids: Vec<String>,
}

/// An event at a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Seconds after the test begins.
    #[serde(default)]
    pub at: u32,
    /// Its fields.
    pub event: Map<String, Value>,
}

const fn yes() -> bool {
    true
}

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn read(text: &str) -> Result<Self, String> {
        yaml_serde::from_str(text).map_err(|error| error.to_string())
    }
}

impl Case {
    /// Tries the case's events on rules; what is wrong is said. Cases of captures are not tried here.
    ///
    /// # Errors
    /// What is not as the case says.
    pub fn run(&self, rule: Option<&str>, files: &[RuleFile]) -> Result<(), String> {
        let one = self.event.iter().map(|event| (0, event));
        let events: Vec<(u32, &Map<String, Value>)> =
            one.chain(self.events.iter().map(|moment| (moment.at, &moment.event))).collect();
        if events.is_empty() {
            return Err("it has no event, no events and no capture".into());
        }
        let names = Names::default();
        let unknown =
            events.iter().flat_map(|(_, event)| event.keys()).find(|name| names.find(name).is_none());
        if let Some(name) = unknown {
            return Err(format!("no field is named {name}; see tapwire list fields and docs/rules.md"));
        }
        match (self.holds, fires(rule, files, &events)?) {
            (true, false) => Err("the rule does not hold".into()),
            (false, true) => Err("the rule holds".into()),
            _ => Ok(()),
        }
    }
}

/// Whether the rule fires for any of the events.
fn fires(
    rule: Option<&str>,
    files: &[RuleFile],
    events: &[(u32, &Map<String, Value>)],
) -> Result<bool, String> {
    let mut judge = load(files).judge;
    if let Some(rule) = rule.filter(|rule| !judge.known.contains_key(*rule)) {
        return Err(format!("no rule that is judged has the id {rule}"));
    }
    if judge.known.is_empty() {
        return Err(NONE_JUDGED.into());
    }
    let mut fired = false;
    for (at, event) in events {
        let value = Value::Object((*event).clone());
        let now = BEGIN + i64::from(*at);
        let mut results = judge.engine.process_event_at(&JsonEvent::borrow(&value), now);
        results.retain(|result| judge.percentiles.hold(result, now));
        fired |= results.iter().any(|result| rule.is_none() || result.header.rule_id.as_deref() == rule);
    }
    Ok(fired)
}
