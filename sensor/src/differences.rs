//! `openapi --diff`: how what was seen of a service differs from its description.

use crate::paper::{Paper, plain};
use crate::size::counted;
use serde_json::{Value, json};
use std::cmp::Reverse;
use tapwire_detect::Severity;
use tapwire_event::{Redactor, shown_media_type};
use tapwire_inventory::{Difference, DifferenceKind, FieldStep, Side, Spot};

/// How bad a difference is.
pub(crate) const fn severity(kind: DifferenceKind) -> Severity {
    match kind {
        DifferenceKind::MissingAuthentication => Severity::High,
        DifferenceKind::UndocumentedEndpoint | DifferenceKind::UndocumentedMethod => Severity::Medium,
        DifferenceKind::UndocumentedField
        | DifferenceKind::UndocumentedParameter
        | DifferenceKind::TypeMismatch
        | DifferenceKind::MissingField
        | DifferenceKind::FormatMismatch
        | DifferenceKind::UndocumentedValue
        | DifferenceKind::OutOfBounds
        | DifferenceKind::UndocumentedContentType
        | DifferenceKind::DeprecatedUsed => Severity::Low,
        DifferenceKind::UndocumentedStatus | DifferenceKind::Orphan => Severity::Informational,
    }
}

/// A line of the table.
struct Row {
    severity: Severity,
    kind: &'static str,
    operation: String,
    what: String,
}

/// The table, what matters most first.
pub(crate) fn table(service: &str, files: &str, all: &[Difference], redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    let title = paper.strong(&plain(&redactor.shown_host(service)));
    let count = counted(all.len() as u64, "difference");
    let count = if all.is_empty() { "no difference".to_owned() } else { count };
    paper.line(&format!("{title} against {files}: {count}"));
    if all.is_empty() {
        return paper.into_text();
    }
    let mut rows: Vec<Row> = all.iter().map(|one| row(one, redactor)).collect();
    rows.sort_by_key(|row| Reverse(row.severity));
    let widest = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (severity, kind) = (widest(|row| row.severity.name().len()), widest(|row| row.kind.len()));
    paper.line("");
    for row in &rows {
        let lead =
            format!("  {:<severity$}  {:<kind$}  ", row.severity.name().to_ascii_lowercase(), row.kind);
        let what = if row.what.is_empty() {
            row.operation.clone()
        } else {
            format!("{}: {}", row.operation, row.what)
        };
        paper.hang(&lead, &what);
    }
    paper.into_text()
}

/// An object a line, in the same order.
pub(crate) fn lines(service: &str, all: &[Difference], redactor: &mut Redactor) -> String {
    let mut sorted: Vec<&Difference> = all.iter().collect();
    sorted.sort_by_key(|one| Reverse(severity(one.kind)));
    sorted.into_iter().map(|one| format!("{}\n", object(service, one, redactor))).collect()
}

fn object(service: &str, one: &Difference, redactor: &mut Redactor) -> Value {
    let mut object = json!({
        "kind": one.kind.name(),
        "severity": severity(one.kind).name().to_ascii_lowercase(),
        "service": redactor.shown_host(service),
        "method": redactor.shown_method(&one.method),
        "template": redactor.shown_path(&one.template),
        "calls": one.calls,
    });
    if let Some(operation) = &one.operation {
        object["operation"] = redactor.shown_operation(operation).into();
    }
    let (place, seen) = (place(&one.spot, redactor), seen(one, redactor));
    for (key, text) in [("where", &place), ("described", &one.described), ("seen", &seen)] {
        if !text.is_empty() {
            object[key] = text.as_str().into();
        }
    }
    object
}

fn row(one: &Difference, redactor: &mut Redactor) -> Row {
    let mut operation =
        format!("{} {}", redactor.shown_method(&one.method), redactor.shown_path(&one.template));
    if let Some(name) = &one.operation {
        operation.push_str(&format!(" {}", redactor.shown_operation(name)));
    }
    let place = place(&one.spot, redactor);
    let what = format!("{}{}", plain(&place), plain(&said(one, &seen(one, redactor))));
    let what = what.trim_start_matches([',', ' ']).to_owned();
    Row { severity: severity(one.kind), kind: one.kind.name(), operation: plain(&operation), what }
}

/// What is behind the place of a difference.
fn said(one: &Difference, seen: &str) -> String {
    let calls = counted(one.calls, "call");
    match (one.kind, one.described.as_str(), seen) {
        (DifferenceKind::Orphan, ..) => "not seen".into(),
        (DifferenceKind::MissingAuthentication, ..) => format!("{calls} without credential answered"),
        (DifferenceKind::MissingField, _, seen) => format!(", {seen}, {calls}"),
        (_, "", "") => format!(", {calls}"),
        (_, "", seen) => format!(", {seen}, {calls}"),
        (_, described, "") => format!(", described {described}, {calls}"),
        (_, described, seen) => format!(", described {described}, seen {seen}, {calls}"),
    }
}

/// What was seen: the values, where all of them may leave, else what they are.
fn seen(one: &Difference, redactor: &mut Redactor) -> String {
    let name = match &one.spot {
        Spot::Parameter(_, name) => &**name,
        Spot::Field(_, steps) => {
            let names = steps
                .iter()
                .rev()
                .filter_map(|step| if let FieldStep::Key(name) = step { Some(&**name) } else { None });
            names.take(1).next().unwrap_or_default()
        }
        _ => "",
    };
    let shown: Option<Vec<String>> =
        one.values.iter().map(|value| redactor.shown_choice(name, value)).collect();
    shown.filter(|shown| !shown.is_empty()).map_or_else(|| one.seen.clone(), |shown| shown.join(", "))
}

fn place(spot: &Spot, redactor: &mut Redactor) -> String {
    match spot {
        Spot::Operation => String::new(),
        Spot::Status(code) => format!("response.{code}"),
        Spot::Parameter(place, name) => format!("{place}.{}", redactor.shown_operation(name)),
        Spot::MediaType(side, text) => format!("{} {}", message(*side), shown_media_type(text)),
        Spot::Field(side, steps) => format!("{}.body.{}", message(*side), path(steps, redactor)),
    }
}

fn message(side: Side) -> String {
    match side {
        Side::Request => "request".into(),
        Side::Response(class) => format!("response.{class}xx"),
    }
}

fn path(steps: &[FieldStep], redactor: &mut Redactor) -> String {
    let mut path = "$".to_owned();
    for step in steps {
        match step {
            FieldStep::Key(name) => path.push_str(&format!(".{}", redactor.shown_operation(name))),
            FieldStep::Value => path.push_str(".{key}"),
            FieldStep::Item => path.push_str("[]"),
        }
    }
    path
}
