//! KPIs as JSON, one object a line.

use super::Line;
use super::targets::date;
use serde_json::{Value as Json, json};
use tapwire_event::Redactor;
use tapwire_inventory::kpis::{KPIS, Kpi, Scope, Series, Target, Value};

pub(super) fn lines(lines: &[Line<'_>], redactor: &mut Redactor) -> String {
    lines.iter().map(|line| format!("{}\n", object(line, redactor))).collect()
}

pub(super) fn object(line: &Line<'_>, redactor: &mut Redactor) -> Json {
    let mut object = figure(line.kpi, line.scope, line.value, redactor);
    if let Some(target) = line.target {
        object["target"] = goal(target);
    }
    if let Some(standing) = line.standing {
        object["standing"] = standing.name().into();
    }
    object
}

/// A point of every day, KPI and scope, by day.
pub(super) fn series(series: &Series, scopes: &[Scope], redactor: &mut Redactor) -> String {
    let mut text = String::new();
    for day in series.days() {
        for scope in scopes {
            for kpi in KPIS.iter().filter(|kpi| !kpi.is_blind_spot()) {
                let mut object = figure(kpi, scope, series.on(day, kpi, scope), redactor);
                object["date"] = date(day).into();
                text.push_str(&format!("{object}\n"));
            }
        }
    }
    text
}

fn figure(kpi: &Kpi, scope: &Scope, value: Value, redactor: &mut Redactor) -> Json {
    let mut object = json!({
        "name": kpi.name, "unit": kpi.unit.name(), "better": kpi.better.name(), "scope": self::scope(scope, redactor),
    });
    match value {
        Value::Judged(part) => {
            object["value"] = rounded(kpi.figure(part)).into();
            object["numerator"] = part.numerator.into();
            object["denominator"] = part.denominator.into();
        }
        Value::NotJudged(why) => object["not_judged"] = why.into(),
    }
    object
}

fn goal(target: &Target) -> Json {
    json!({"value": target.value, "by": date(target.by)})
}

fn scope(scope: &Scope, redactor: &mut Redactor) -> Json {
    match scope {
        Scope::All => json!({}),
        Scope::Service(name) => json!({"service": redactor.shown_host(name)}),
        Scope::Owner(owner) => json!({"owner": owner.as_deref()}),
        Scope::Tag(tag) => json!({"tag": &**tag}),
    }
}

/// Four digits behind the point; numerator and denominator have the rest.
fn rounded(figure: f64) -> f64 {
    (figure * 1e4).round() / 1e4
}
