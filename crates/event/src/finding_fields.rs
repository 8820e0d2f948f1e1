//! Fields of findings for expressions: their own, and those of the exchange that raised them.

use crate::fields::{ExchangeFields, value};
use crate::view::View;
use tapwire_detect::Finding;
use tapwire_expr::{FieldId, FieldNames, Kind, Value};

/// Where the numbers of their own fields begin.
const OWN: u16 = 60_000;

/// A field of a finding.
struct Own {
    name: &'static str,
    kind: Kind,
    get: for<'a> fn(&'a Finding) -> Value<'a>,
}

const FIELDS: &[Own] = &[
    Own { name: "detector", kind: Kind::Text, get: |finding| Value::text(finding.detector.as_bytes()) },
    Own {
        name: "severity",
        kind: Kind::Text,
        get: |finding| Value::text(finding.severity.name().as_bytes()),
    },
    Own { name: "outcome", kind: Kind::Text, get: |finding| Value::text(finding.outcome.name().as_bytes()) },
    Own { name: "confidence", kind: Kind::Int, get: |finding| Value::Int(finding.confidence.into()) },
    Own { name: "reason", kind: Kind::Text, get: |finding| Value::text(finding.reason.as_bytes()) },
];

/// `detector`, `severity`, `outcome`, `confidence` and `reason` of a finding, and every field of its exchange.
#[derive(Debug, Clone, Copy, Default)]
pub struct FindingFields;

impl FieldNames for FindingFields {
    fn find(&self, name: &str) -> Option<(FieldId, Kind)> {
        let own = FIELDS.iter().zip(OWN..).find(|(field, _)| field.name == name);
        own.map(|(field, number)| (FieldId(number), field.kind)).or_else(|| ExchangeFields.find(name))
    }

    fn names(&self) -> Vec<&str> {
        FIELDS.iter().map(|field| field.name).chain(ExchangeFields.names()).collect()
    }
}

/// The value of a field of [`FindingFields`], for `Expr::matches`.
pub fn finding_value<'a>(finding: &'a Finding, view: &View<'a>, id: FieldId) -> Value<'a> {
    let own = id.0.checked_sub(OWN).and_then(|at| FIELDS.get(usize::from(at)));
    own.map_or_else(|| value(view, id), |field| (field.get)(finding))
}
