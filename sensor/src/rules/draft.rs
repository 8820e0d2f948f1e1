//! `rules new`: a rule with its tests, drafted from an exchange or finding.

use super::args::RulesNewArgs;
use super::past::Past;
use crate::failure::{Exit, Failure};
use crate::paper::print;
use crate::whom::{MIN_DIGITS, is_beginning};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_detect::{CallRules, Finding, RuleCounters};
use tapwire_event::Redactor;
use tapwire_expr::Value;
use tapwire_inventory::Call;
use tapwire_rules::{Names, Subject};

/// Fields that a draft begins with, as far as the call has them. None holds more of the traffic than templates do.
const DRAFTED: &[&str] =
    &["service", "method", "template", "status", "authentication", "response_data_classes", "zone", "lists"];

/// `tapwire rules new`.
pub(super) fn new(args: &RulesNewArgs) -> Result<Exit, Failure> {
    let from = args.from.to_ascii_lowercase();
    if !is_beginning(&from) {
        return Err(Failure::new(format!("--from {}: give {MIN_DIGITS} or more digits of a uid", args.from)));
    }
    let sought = Arc::new(Mutex::new(None));
    let seeker = Seeker { from, found: Arc::clone(&sought) };
    let past = Past {
        captures: &args.captures,
        data: args.data.as_deref(),
        token_key: args.token_key.as_deref(),
        config: &args.config,
    };
    let (_, mut redactor) = past.run(Box::new(seeker), true)?;
    let found = sought.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(found) = found else {
        return Err(Failure::new(format!("--from {}: no exchange or finding there has that uid", args.from)));
    };
    let capture = match args.captures.as_slice() {
        [one] => std::path::absolute(one).ok(),
        _ => None,
    };
    let (rule, tests) = found.drafted(&mut redactor, capture.as_deref());
    match &args.out {
        None => print(&format!("{rule}# --- NAME.test.yml ---\n{tests}"), true)?,
        Some(path) => write(path, &rule, &tests)?,
    }
    Ok(Exit::Done)
}

/// Two new files: nothing is written over.
fn write(path: &Path, rule: &str, tests: &str) -> Result<(), Failure> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    for (path, text) in [(path.to_owned(), rule), (path.with_file_name(stem + super::files::TESTS), tests)] {
        let failed = |error| Failure::new(format!("{}: {error}", path.display()));
        let mut file = std::fs::File::create_new(&path).map_err(failed)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// What a draft is made of.
#[derive(Debug)]
struct Found {
    uid: String,
    /// What was found in it already.
    finding: Option<String>,
    fields: Vec<(&'static str, Drafted)>,
}

/// A value as a rule says it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Drafted {
    Number(i64),
    Text(String),
    Texts(Vec<String>),
}

/// Looks for the call.
#[derive(Debug)]
struct Seeker {
    from: String,
    found: Arc<Mutex<Option<Found>>>,
}

impl CallRules for Seeker {
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>) {
        let uid = call.observation.exchange.uid().to_string();
        let finding = out.iter().find(|finding| finding.uid.to_string().starts_with(&self.from));
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_none() && (finding.is_some() || uid.starts_with(&self.from)) {
            let finding = finding.or(out.first()).map(|finding| finding.found_by().to_owned());
            *found = Some(Found { uid, finding, fields: fields(call) });
        }
    }

    fn counters(&self) -> RuleCounters {
        RuleCounters::default()
    }
}

fn fields(call: &Call) -> Vec<(&'static str, Drafted)> {
    let (subject, names) = (Subject::new(call), Names::default());
    let value = |name: &&'static str| Some((*name, value(names.find(name)?.value(&subject))?));
    DRAFTED.iter().filter_map(value).collect()
}

fn value(value: Value<'_>) -> Option<Drafted> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    match value {
        Value::Int(number) => Some(Drafted::Number(number)),
        Value::Text(bytes) => text(&bytes).map(Drafted::Text),
        Value::List(all) if !all.is_empty() => {
            Some(Drafted::Texts(all.iter().filter_map(|bytes| text(bytes)).collect()))
        }
        _ => None,
    }
}

impl Drafted {
    /// In YAML, which takes JSON's strings.
    fn yaml(&self) -> String {
        let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => quoted(text),
            Self::Texts(all) => format!("[{}]", all.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The same for a rule, in which `*` and `?` stand for other characters unless escaped.
    fn pattern(&self) -> Self {
        let plain = |text: &String| text.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?");
        match self {
            Self::Number(number) => Self::Number(*number),
            Self::Text(text) => Self::Text(plain(text)),
            Self::Texts(all) => Self::Texts(all.iter().map(plain).collect()),
        }
    }
}

impl Found {
    /// Rule and tests. What redaction would change is left out: it would tell what events do not.
    fn drafted(&self, redactor: &mut Redactor, capture: Option<&Path>) -> (String, String) {
        let mut fields: Vec<_> =
            self.fields.iter().filter(|(name, value)| may_leave(name, value, redactor)).collect();
        if fields.is_empty() {
            fields = self.fields.iter().filter(|(name, _)| *name == "status").collect();
        }
        let lines = |indent: &str, of: fn(&Drafted) -> String| {
            fields.iter().map(|(name, value)| format!("{indent}{name}: {}\n", of(value))).collect::<String>()
        };
        let short = self.uid.get(..12).unwrap_or(&self.uid);
        let why = self.finding.as_ref().map_or_else(String::new, |finding| {
            format!("# {finding} was found in it already: a rule that says the same would find it twice.\n")
        });
        let rule = format!(
            "# Drafted from exchange {}. Take out what is not the point; then try it:\n# tapwire rules test, tapwire rules backtest\n{why}title: Calls like {short}\nid: calls-like-{short}\nstatus: experimental\ndescription: Say what is wrong about such calls, and what to do.\nlogsource:\n  category: api\n  product: tapwire\ndetection:\n  selection:\n{}  condition: selection\nfalsepositives:\n  - unknown\nlevel: medium\n",
            self.uid,
            lines("    ", |value| value.pattern().yaml()),
        );
        let event = lines("      ", Drafted::yaml);
        let other = event.replacen(
            &format!("{}\n", fields.first().map_or(String::new(), |(_, v)| v.yaml())),
            "\"other\"\n",
            1,
        );
        let mut tests = format!(
            "rule: calls-like-{short}\ntests:\n  - name: the call it was drafted from\n    event:\n{event}  - name: another call\n    holds: false\n    event:\n{other}"
        );
        if let Some(capture) = capture {
            let capture = serde_json::Value::from(capture.display().to_string());
            tests.push_str(&format!("  - name: the capture it was drafted from; name further calls that it should find\n    capture: {capture}\n    uids: [\"{}\"]\n", self.uid));
        }
        (rule, tests)
    }
}

fn may_leave(name: &str, value: &Drafted, redactor: &mut Redactor) -> bool {
    match (name, value) {
        ("service", Drafted::Text(text)) => redactor.shown_host(text) == *text,
        ("method", Drafted::Text(text)) => redactor.shown_method(text) == *text,
        ("template", Drafted::Text(text)) => redactor.shown_path(text) == *text,
        _ => true,
    }
}
