//! `quotas`: what callers may do within an hour, by what APIs advertise and by what is declared, and whether they keep to it.
//! And drift: many callers that changed at once.

use crate::cli::QuotasArgs;
use crate::failure::{Exit, Failure};
use crate::learn::{Learned, learn};
use crate::paper::{Paper, plain, print};
use crate::size::{self, counted};
use crate::summary::rfc3339;
use crate::whom::Named;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tapwire_event::Redactor;
use tapwire_inventory::{Declared, Drift, Endpoint, Inventory, QuotaUse, Suggested, Whom};
use tapwire_pipeline::Report;
use tapwire_wire::Timestamp;

/// As many quotas can be declared.
const MOST: usize = 255;

/// A `[[quota]]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaSettings {
    /// As it is called.
    name: String,
    /// Callers with that role or scope: a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// One caller: its token, as events and `tapwire callers` write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    /// One service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// One path template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// Calls of one caller at one endpoint within an hour of the clock.
    calls_an_hour: u64,
}

/// The quotas that are declared.
pub(crate) fn declared(all: &[QuotaSettings]) -> Result<Vec<Declared>, Failure> {
    if all.len() > MOST {
        return Err(Failure::new(format!("quota: {} are declared; there is room for {MOST}", all.len())));
    }
    all.iter().map(one_declared).collect()
}

fn one_declared(one: &QuotaSettings) -> Result<Declared, Failure> {
    let whom = match (&one.role, &one.principal) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(format!(
                "quota '{}': it is for a role or for a principal; give one of them",
                one.name
            )));
        }
        (Some(role), None) => Whom::Role(role.clone()),
        (None, Some(principal)) => Whom::Principal(caller(principal).map_err(|what| {
            Failure::new(format!("quota '{}': principal = \"{}\": {what}", one.name, plain(principal)))
        })?),
        (None, None) => Whom::Everybody,
    };
    Ok(Declared {
        name: one.name.clone(),
        whom,
        service: one.service.clone(),
        endpoint: one.endpoint.clone(),
        calls_an_hour: one.calls_an_hour,
    })
}

/// The digits of a caller that has hours of its own.
fn caller(principal: &str) -> Result<String, String> {
    let named = Named::of(principal)?;
    match named.kind {
        Some("net") => Err("callers without a name of their own are not counted; name another".to_owned()),
        _ => Ok(named.digits),
    }
}

/// `tapwire quotas`.
pub(crate) fn quotas(args: &QuotasArgs) -> Result<Exit, Failure> {
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor, .. } = &mut learned;
    if let Some(inventory) = &report.inventory {
        print(&if args.json { lines(inventory, redactor) } else { page(inventory, redactor) }, true)?;
    }
    Ok(learned.exit())
}

/// Endpoints that named callers called, or that advertise a limit.
fn limited(inventory: &Inventory) -> Vec<(&Endpoint, Option<Suggested>)> {
    let hours = inventory.hours();
    let all = inventory.endpoints().map(|endpoint| (endpoint, hours.suggested(endpoint.id)));
    all.filter(|(endpoint, suggested)| suggested.is_some() || endpoint.usage.limits.adherence.limited > 0)
        .collect()
}

fn name(endpoint: &Endpoint, redactor: &mut Redactor) -> String {
    format!(
        "{} {} {}",
        plain(&redactor.shown_host(&endpoint.service)),
        plain(&redactor.shown_method(&endpoint.method)),
        plain(&redactor.shown_path(&endpoint.template))
    )
}

fn page(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Declared quotas");
    let mut any = false;
    for (quota, used) in inventory.hours().declared() {
        any = true;
        paper.row(&quota.name, &declared_line(quota, used));
    }
    if !any {
        paper.line("  none: write [[quota]] to the configuration");
    }
    paper.heading("Endpoints");
    let all = limited(inventory);
    if all.is_empty() {
        paper.line("  not seen: no answer advertised a limit, and no caller with a name called an endpoint");
    }
    for (endpoint, suggested) in all {
        let title = paper.strong(&name(endpoint, redactor));
        paper.line(&format!("  {title}"));
        if let Some(text) = advertised_line(endpoint) {
            paper.row("advertised", &text);
        }
        if let Some(suggested) = suggested {
            paper.row("suggested", &suggested_line(&suggested));
        }
    }
    paper.into_text()
}

fn declared_line(quota: &Declared, used: &QuotaUse) -> String {
    if used.hours == 0 {
        return format!("{} an hour: not used", counted(quota.calls_an_hour, "call"));
    }
    let (hours, calls) = used.exceeded;
    format!(
        "{} an hour: {} in {} of callers, {} at most in one; exceeded in {} by {}, in {} of these nothing was refused (not enforced)",
        counted(quota.calls_an_hour, "call"),
        counted(used.calls, "call"),
        counted(used.hours, "hour"),
        size::count(used.most),
        counted(hours, "hour"),
        counted(calls, "call"),
        size::count(used.unenforced),
    )
}

fn advertised_line(endpoint: &Endpoint) -> Option<String> {
    let limits = &endpoint.usage.limits;
    let adherence = &limits.adherence;
    let told: Vec<String> = limits
        .iter()
        .map(|limit| {
            let window = limit.window.map_or(String::new(), |seconds| format!(" in {seconds} s"));
            format!("{}{window} ({})", size::count(limit.quota), limit.field.name())
        })
        .collect();
    (adherence.limited > 0).then(|| {
        let told = if told.is_empty() { "by 429 alone".to_owned() } else { told.join(", ") };
        format!(
            "{told}: {} kept within it, {} refused, {} answered though nothing was left (not enforced)",
            counted(adherence.within(), "call"),
            size::count(adherence.refused),
            size::count(adherence.beyond),
        )
    })
}

fn suggested_line(suggested: &Suggested) -> String {
    let unusual = match suggested.unusual {
        0 => String::new(),
        hours => format!("; {} left out as unusual", counted(hours.into(), "hour")),
    };
    format!(
        "{} an hour: it would have hit {} of the last seven days, in {} of callers; 99 of 100 of these had at most {}{unusual}",
        counted(suggested.calls, "call"),
        counted(suggested.hit, "legitimate call"),
        counted(suggested.hours.into(), "hour"),
        size::count(suggested.p99),
    )
}

fn lines(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let declared = inventory.hours().declared().map(|(quota, used)| declared_json(quota, used));
    let mut all: Vec<Value> = declared.collect();
    for (endpoint, suggested) in limited(inventory) {
        all.push(endpoint_json(endpoint, suggested, redactor));
    }
    all.iter().map(|value| format!("{value}\n")).collect()
}

fn declared_json(quota: &Declared, used: &QuotaUse) -> Value {
    let clock = |hour: u32| rfc3339(Timestamp::from_parts(i64::from(hour) * 3_600, 0));
    let by_hour: Vec<Value> =
        used.by_hour.iter().map(|(hour, calls)| json!({"hour": clock(*hour), "calls": calls})).collect();
    json!({
        "quota": quota.name, "calls_an_hour": quota.calls_an_hour, "hours": used.hours, "calls": used.calls, "most": used.most,
        "exceeded_hours": used.exceeded.0, "exceeded_calls": used.exceeded.1, "unenforced_hours": used.unenforced, "by_hour": by_hour,
    })
}

fn endpoint_json(endpoint: &Endpoint, suggested: Option<Suggested>, redactor: &mut Redactor) -> Value {
    let adherence = &endpoint.usage.limits.adherence;
    let advertised: Vec<Value> = endpoint
        .usage
        .limits
        .iter()
        .map(|limit| json!({"header": limit.field.name(), "quota": limit.quota, "window_seconds": limit.window}))
        .collect();
    json!({
        "service": redactor.shown_host(&endpoint.service), "method": redactor.shown_method(&endpoint.method),
        "template": redactor.shown_path(&endpoint.template), "advertised": advertised,
        "within": adherence.within(), "refused": adherence.refused, "unenforced": adherence.beyond,
        "suggested": suggested.map(|one| json!({
            "calls_an_hour": one.calls, "would_have_hit": one.hit, "hours": one.hours, "p99": one.p99, "most": one.most,
            "unusual_hours": one.unusual,
        })),
    })
}

fn all_drifts(report: &Report) -> impl Iterator<Item = (&Drift, &Inventory)> {
    let inventory = report.inventory.iter();
    inventory.flat_map(|inventory| inventory.hours().drifts().iter().map(move |drift| (drift, inventory)))
}

/// Writes what many callers changed at once, and what of behaviour was not told.
pub(crate) fn drifts(report: &Report, redactor: &mut Redactor, paper: &mut Paper) {
    for (drift, inventory) in all_drifts(report).take(8) {
        let place =
            inventory.endpoint(drift.endpoint).map_or_else(String::new, |endpoint| name(endpoint, redactor));
        let text = format!(
            "{place}: {} of about {} had far more {} in an hour than {} from {} on, as after a release; no finding",
            counted(drift.callers.into(), "caller"),
            size::count(drift.of.into()),
            drift.measure.name(),
            size::count(drift.usual),
            rfc3339(drift.time),
        );
        paper.row("drift", &text);
    }
    if report.detect.over_budget > 0 {
        let text = format!(
            "{} beyond the day's budget (detect.behaviour_findings_a_day)",
            counted(report.detect.over_budget, "finding of behaviour")
        );
        paper.row("not told", &text);
    }
}

/// The same as objects.
pub(crate) fn drifts_json(report: &Report, redactor: &mut Redactor) -> Vec<Value> {
    all_drifts(report)
        .map(|(drift, inventory)| {
            json!({
                "endpoint": inventory.endpoint(drift.endpoint).map(|endpoint| name(endpoint, redactor)),
                "measure": drift.measure.name(), "time": rfc3339(drift.time), "callers": drift.callers, "of": drift.of,
                "usual": drift.usual,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(principal: &str) -> Result<Whom, String> {
        let quota = QuotaSettings {
            name: "one".into(),
            role: None,
            principal: Some(principal.into()),
            service: None,
            endpoint: None,
            calls_an_hour: 5,
        };
        declared(&[quota]).map(|mut all| all.remove(0).whom).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_quota_is_for_the_caller_that_is_printed_and_for_nobody_by_mistake() {
        let whom = Ok(Whom::Principal("243577e011d4e197".into()));
        for same in ["user~243577e011d4e197", "tok:243577E011d4e197", "243577e011d4e197"] {
            assert_eq!(of(same), whom);
        }
        for wrong in ["tok:", "", "tok:24357", "user 243577e011d4e197", "net~243577e011d4e197"] {
            let said = of(wrong).expect_err("nobody is named so");
            assert!(said.starts_with("quota 'one': principal = "), "{said}");
        }
    }
}
