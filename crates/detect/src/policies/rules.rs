//! The policies that are judged: those that are built in, as the configuration changes them, and users' own.

use super::exposure::AGAIN;
use super::fields::{Names, mark_of};
use super::settings::{UserAcceptance, UserPolicy};
use super::{POLICIES, PolicyInfo};
use crate::Severity;
use std::sync::Arc;
use tapwire_expr::{Expr, nearest};
use tapwire_inspect::Mark;
use tapwire_inventory::Endpoint;
use tapwire_wire::Timestamp;

/// Policies of the configuration.
const MOST_OWN: usize = 1_000;
/// Bytes of each of its texts.
const LONGEST: usize = 2_000;

/// A policy that is judged.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// The finding's title.
    pub title: String,
    /// What an endpoint did that it is about.
    pub says: String,
    /// How bad it is.
    pub severity: Severity,
    /// Which endpoints it is about.
    pub text: String,
    /// Where it is demanded or described.
    pub references: Vec<String>,
    /// What to do.
    pub fix: String,
    /// A test that fails as long as it is not done.
    pub test: String,
    /// Whether it is the configuration's.
    pub own: bool,
    pub(crate) expr: Expr,
    /// What is enough of endpoints that its finding was about before.
    pub(crate) again: Option<Expr>,
    /// The mark that shows it, where the expression asks for one.
    pub(crate) evidence: Option<Mark>,
}

/// A finding that somebody takes responsibility for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The policy.
    pub policy: String,
    /// The service.
    pub service: String,
    /// One of its endpoints, by id or as `GET /orders/{orderId}`; all without.
    pub endpoint: Option<String>,
    /// Who accepts it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When that ends.
    pub until: Timestamp,
}

impl Acceptance {
    /// Whether it is about an endpoint, at a time.
    pub(crate) fn covers(&self, policy: &str, endpoint: &Endpoint, now: Timestamp) -> bool {
        let one = |wanted: &String| {
            let named = wanted.split_once(' ').is_some_and(|(method, template)| {
                method == &*endpoint.method && template == &*endpoint.template
            });
            named || *wanted == format!("{:016x}", endpoint.id.0)
        };
        self.policy == policy
            && self.service == *endpoint.service
            && now < self.until
            && self.endpoint.as_ref().is_none_or(one)
    }
}

/// What of the configuration is no policy, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPolicy(String);

impl std::fmt::Display for BadPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPolicy {}

/// Everything that is judged, and what of it is accepted.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) accepted: Vec<Arc<Acceptance>>,
}

impl Rules {
    /// The policies that are on by themselves, as the configuration changes them, and its own.
    ///
    /// # Errors
    /// The first entry that is wrong: which one, what of it, and what to write.
    pub fn new(own: &[UserPolicy], accepted: &[UserAcceptance]) -> Result<Self, BadPolicy> {
        if own.len() > MOST_OWN {
            return Err(BadPolicy(format!("[[policy]]: {} entries; give at most {MOST_OWN}", own.len())));
        }
        let mut rules = Vec::new();
        for info in POLICIES {
            let changed = own.iter().rfind(|policy| policy.id == info.id);
            if changed.and_then(|policy| policy.enabled).unwrap_or(info.on) {
                rules.push(Arc::new(built_in(info, changed)?));
            }
        }
        for (index, policy) in own.iter().enumerate() {
            let at = format!("[[policy]] {} ('{}')", index + 1, policy.id);
            check(policy, own.get(..index).unwrap_or_default())
                .map_err(|what| BadPolicy(format!("{at}: {what}")))?;
            let built_in = POLICIES.iter().any(|info| info.id == policy.id);
            if !built_in {
                let rule = users(policy).map_err(|what| BadPolicy(format!("{at}: {what}")))?;
                rules.extend(policy.enabled.unwrap_or(true).then(|| Arc::new(rule)));
            }
        }
        let accepted = accepted.iter().enumerate().map(|(index, one)| {
            acceptance(one, own)
                .map(Arc::new)
                .map_err(|what| BadPolicy(format!("[[accept]] {} ('{}'): {what}", index + 1, one.policy)))
        });
        Ok(Self { rules, accepted: accepted.collect::<Result<_, _>>()? })
    }

    /// How many acceptances there are.
    pub const fn acceptances(&self) -> usize {
        self.accepted.len()
    }

    /// The policies that are judged, in the order of lists.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|rule| &**rule)
    }
}

fn built_in(info: &'static PolicyInfo, changed: Option<&UserPolicy>) -> Result<Rule, BadPolicy> {
    let of = |text: Option<&String>, own: &str| text.map_or_else(|| own.to_owned(), Clone::clone);
    let at = |what: String| BadPolicy(format!("[[policy]] ('{}'): {what}", info.id));
    let text = of(changed.and_then(|policy| policy.rule.as_ref()), info.rule);
    let severity =
        changed.and_then(|policy| policy.severity.as_deref()).map(severity).transpose().map_err(at)?;
    let references = changed.map(|policy| policy.references.clone()).filter(|own| !own.is_empty());
    let (expr, evidence) = read(&text).map_err(at)?;
    let again = AGAIN.iter().find(|(id, _)| *id == info.id && text == info.rule);
    Ok(Rule {
        again: again.and_then(|(_, text)| read(text).ok()).map(|(expr, _)| expr),
        id: info.id.to_owned(),
        title: of(changed.and_then(|policy| policy.title.as_ref()), info.title),
        says: of(changed.and_then(|policy| policy.says.as_ref()), info.says),
        severity: severity.unwrap_or(info.severity),
        references: references.unwrap_or_else(|| info.references.iter().map(ToString::to_string).collect()),
        fix: of(changed.and_then(|policy| policy.fix.as_ref()), info.fix),
        test: of(changed.and_then(|policy| policy.test.as_ref()), info.test),
        own: false,
        text,
        expr,
        evidence,
    })
}

fn users(policy: &UserPolicy) -> Result<Rule, String> {
    let text = policy.rule.clone().ok_or("'where' is missing: say which endpoints it is about")?;
    let (expr, evidence) = read(&text)?;
    let title = policy.title.clone().unwrap_or_else(|| policy.id.clone());
    Ok(Rule {
        says: policy.says.clone().unwrap_or_else(|| format!("came under the policy \"{title}\"")),
        severity: policy.severity.as_deref().map_or(Ok(Severity::Medium), severity)?,
        references: policy.references.clone(),
        fix: policy.fix.clone().unwrap_or_default(),
        test: policy.test.clone().unwrap_or_default(),
        id: policy.id.clone(),
        own: true,
        title,
        text,
        expr,
        again: None,
        evidence,
    })
}

fn check(policy: &UserPolicy, before: &[UserPolicy]) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if policy.id.is_empty() || policy.id.len() > 64 || !policy.id.bytes().all(plain) {
        return Err(
            "id: write small letters, digits and '-', at most 64, such as \"orders-need-a-token\"".into()
        );
    }
    if before.iter().any(|other| other.id == policy.id) {
        return Err("this id stands there twice".into());
    }
    let texts = [&policy.title, &policy.says, &policy.fix, &policy.test];
    if texts.into_iter().flatten().chain(&policy.references).any(|text| text.len() > LONGEST) {
        return Err(format!("a text is longer than {LONGEST} bytes"));
    }
    if let Some(name) = &policy.severity {
        severity(name)?;
    }
    Ok(())
}

/// Reads an expression, and finds the mark that shows what it is about.
fn read(text: &str) -> Result<(Expr, Option<Mark>), String> {
    let expr = tapwire_expr::parse(text, &Names).map_err(|error| {
        let hint = error.hint.as_ref().map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        format!("where: column {}: {}{hint}", error.offset + 1, error.message)
    })?;
    // That it was answered at all is a condition, and no evidence.
    let shows = |mark: &Mark| mark.among() != *mark && *mark != Mark::Ok && *mark != Mark::PublicClients;
    let marks: Vec<Mark> = expr.fields().into_iter().filter_map(mark_of).collect();
    let evidence = marks.iter().copied().find(shows).or_else(|| marks.into_iter().find(|m| m.among() != *m));
    Ok((expr, evidence))
}

fn severity(name: &str) -> Result<Severity, String> {
    let all = [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    all.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        format!("severity: '{name}' is none; there are informational, low, medium, high and critical")
    })
}

fn acceptance(one: &UserAcceptance, own: &[UserPolicy]) -> Result<Acceptance, String> {
    let ids = || POLICIES.iter().map(|info| info.id).chain(own.iter().map(|policy| policy.id.as_str()));
    if !ids().any(|id| id == one.policy) {
        let names: Vec<&str> = ids().collect();
        let hint =
            nearest(&one.policy, &names).map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        return Err(format!("policy: none is named so{hint}"));
    }
    for (key, text) in [("service", &one.service), ("who", &one.who), ("why", &one.why)] {
        if text.trim().is_empty() || text.len() > LONGEST {
            return Err(format!("{key}: it is missing, or longer than {LONGEST} bytes"));
        }
    }
    let until = tapwire_expr::time(&one.until)
        .ok_or_else(|| format!("until: '{}' is no date; write it like \"2027-01-31\"", one.until))?;
    Ok(Acceptance {
        policy: one.policy.clone(),
        service: one.service.clone(),
        endpoint: one.endpoint.clone(),
        who: one.who.clone(),
        why: one.why.clone(),
        until: Timestamp::from_nanos(until),
    })
}
