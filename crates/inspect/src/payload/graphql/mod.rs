//! GraphQL over HTTP: a query string, a JSON body or a batch of them, or a bare document.

mod document;
mod scan;

use document::Defined;
pub(crate) use document::{Asked, Document, Meant};
pub(crate) use scan::Scanner;

use super::notes::{Mark, Notes, Value, Want};
use super::{PayloadFormat, PayloadParser, Reading, json};
use crate::style::{Fact, Facts, Name, Operation, Said, Spoken, Style};
use crate::{PayloadState, percent};
use std::collections::BTreeSet;

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "graphql",
    summary: "A GraphQL document without JSON around it",
    media_types: &["application/graphql"],
    matches: |media_type| media_type == b"application/graphql",
    begins: |_| false,
    parser: || Box::<Bare>::default(),
};

pub(crate) const STYLE: Style = Style {
    name: "graphql",
    summary: "operation with its root fields, variables, batch, aliases, depth, introspection, persisted queries, errors",
    told_by: "a document in `query` of JSON, a form, the query string or a WebSocket message, or a persisted query's hash",
    read,
};

/// Bytes of a query string's value that are read.
const MAX_PARAMETER: usize = 16 << 10;
/// Operations that a batch is named by, and error codes that are kept.
const MOST: usize = 4;

/// A document without JSON around it.
#[derive(Default)]
struct Bare {
    scanner: Scanner,
    empty: bool,
}

impl PayloadParser for Bare {
    fn feed(&mut self, bytes: &[u8]) {
        self.empty &= bytes.is_empty();
        self.scanner.feed(bytes);
    }

    fn finish(&mut self, whole: bool) -> Reading {
        let document = self.scanner.finish();
        self.empty = true;
        let state = match (&document, whole) {
            (_, false) => PayloadState::Partial,
            (Some(_), true) => PayloadState::Read,
            (None, true) => PayloadState::Invalid,
        };
        let notes = document.filter(|_| whole).map(|document| {
            let mut asked = Asked::default();
            asked.add(document, &Meant::Only);
            Box::new(Notes { graphql: Some(Box::new(asked)), ..Notes::default() })
        });
        Reading { state, notes, ..Reading::default() }
    }
}

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    // What a POST has in its body counts more than what its query string has: that is how servers have it.
    let in_body = spoken.asked.graphql.is_some() && !is_get(spoken);
    let from_query = if in_body { None } else { in_query_string(spoken) };
    let notes = from_query.as_ref().unwrap_or(spoken.asked);
    let Some(asked) = notes.graphql.as_deref() else { return };
    let answered = spoken.answered;
    // A document that cannot be read may be any text; where it is refused, it was meant as one.
    if asked.batch == 0 && answered.errors == 0 {
        return;
    }
    let name = operations(asked);
    let facts = facts(notes, asked, answered);
    if !name.is_empty() {
        let mut operation = Operation::new(STYLE.name, &name);
        operation.unknown = answered.no_data
            && answered.texts(Want::GraphQlCode).any(|code| UNKNOWN.contains(&code.as_str()));
        said.operation = Some(operation);
    }
    said.protocols.push(STYLE.name);
    said.failed |= answered.errors > 0;
    said.facts.push(("graphql", facts));
}

fn is_get(spoken: &Spoken<'_>) -> bool {
    let method = spoken.request.and_then(|head| head.method());
    method.is_some_and(|method| method.bytes() == b"GET")
}

/// Error codes that say that the server has no such operation.
const UNKNOWN: &[&str] = &[
    "GRAPHQL_VALIDATION_FAILED",
    "GRAPHQL_PARSE_FAILED",
    "PERSISTED_QUERY_NOT_FOUND",
    "PersistedQueryNotFound",
];

/// A GET request has in its query string what a POST has in its body.
fn in_query_string(spoken: &Spoken<'_>) -> Option<Notes> {
    let decoded = |name: &[u8]| {
        let value = spoken.parameter(name)?;
        let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        Some(percent::decode(&spaced, MAX_PARAMETER))
    };
    let (query, extensions) = (decoded(b"query"), decoded(b"extensions"));
    if query.is_none() && extensions.is_none() {
        return None;
    }
    let variables = decoded(b"variables").unwrap_or_else(|| b"null".to_vec());
    let extensions = extensions.unwrap_or_else(|| b"null".to_vec());
    let parts: [&[u8]; 5] = [b"{\"extensions\":", &extensions, b",\"variables\":", &variables, b"}"];
    let mut notes = json::note(&parts);
    let meant = decoded(b"operationName").map_or(Meant::Only, |name| Meant::Named(Name::new(&name)));
    let mut scanner = Scanner::default();
    scanner.feed(&query.unwrap_or_default());
    let began = scanner.began();
    // The hash beside a document is that of the document.
    match (scanner.finish(), notes.graphql.take().is_some()) {
        (Some(document), _) => notes.graphql.get_or_insert_default().add(document, &meant),
        (None, true) => {
            let hash = notes.texts(Want::PersistedHash).next().cloned().unwrap_or_default();
            notes.graphql.get_or_insert_default().add_persisted(hash.as_str().as_bytes(), &meant);
        }
        (None, false) if began => notes.graphql.get_or_insert_default().broken = true,
        _ => {}
    }
    Some(notes)
}

/// The operations of a request by name and root fields: `query Orders {orders viewer}`.
fn operations(asked: &Asked) -> String {
    let persisted = asked.persisted.iter().map(|name| format!("persisted {}", name.as_str()));
    super::distinct(asked.operations.iter().map(named).chain(persisted), MOST)
}

fn named(operation: &Defined) -> String {
    let name = operation.name.as_ref().map(|name| format!(" {}", name.as_str())).unwrap_or_default();
    let fields: BTreeSet<&str> = operation.root_fields.iter().map(Name::as_str).collect();
    let fields = fields.into_iter().collect::<Vec<_>>().join(" ");
    format!("{}{name} {{{fields}}}", operation.kind)
}

fn digest(hash: &Name) -> Option<Fact> {
    let mut digest = [0; 8];
    for (byte, digits) in digest.iter_mut().zip(hash.as_str().as_bytes().chunks(2)) {
        *byte = percent::escape(digits)?;
    }
    (hash.as_str().len() == 64).then_some(Fact::Digest(digest))
}

fn facts(notes: &Notes, asked: &Asked, answered: &Notes) -> Facts {
    let mut facts = match asked.operations.as_slice() {
        [] => asked.unmatched.iter().chain(&asked.persisted).take(1).map(of_name).collect(),
        [one] => described(one),
        several => {
            vec![("operations", Fact::List(several.iter().map(described).map(Fact::Group).collect()))]
        }
    };
    let declared = asked.operations.iter().any(|operation| !operation.variables.is_empty());
    if !declared && asked.batch <= 1 {
        facts.extend(given(notes));
    }
    facts.push(("batch", Fact::Count(asked.batch.max(1))));
    facts.push(("depth", Fact::Count(asked.depth.into())));
    facts.push(("fields", Fact::Count(asked.fields)));
    facts.push(("aliases", Fact::Count(asked.aliases)));
    facts.push(("directives", Fact::Count(asked.directives)));
    facts.push(("fragments", Fact::Count(asked.fragments)));
    facts.push(("introspection", Fact::Truth(asked.introspection)));
    facts.extend(notes.texts(Want::PersistedHash).next().and_then(digest).map(|hash| ("persisted", hash)));
    facts.push(("errors", Fact::Count(answered.errors.into())));
    let codes: BTreeSet<&Name> = answered.texts(Want::GraphQlCode).collect();
    if !codes.is_empty() {
        let listed = codes.iter().take(MOST).map(|code| Fact::Name((*code).clone())).collect();
        facts.push(("error_codes", Fact::List(listed)));
    }
    if asked.more || notes.more || answered.more || codes.len() > MOST {
        facts.push(("more", Fact::Truth(true)));
    }
    facts
}

fn of_name(name: &Name) -> (&'static str, Fact) {
    ("name", Fact::Name(name.clone()))
}

/// An operation with its variables as the document declares them.
fn described(operation: &Defined) -> Facts {
    let mut facts = vec![("type", Fact::Own(operation.kind))];
    facts.extend(operation.name.as_ref().map(of_name));
    facts.push(("root_fields", Fact::List(operation.root_fields.iter().cloned().map(Fact::Name).collect())));
    let one = |(name, kind): &(Name, Name)| variable(name, Fact::Name(kind.clone()));
    if !operation.variables.is_empty() {
        facts.push(("variables", Fact::List(operation.variables.iter().map(one).collect())));
    }
    facts
}

fn variable(name: &Name, kind: Fact) -> Fact {
    Fact::Group(vec![of_name(name), ("type", kind)])
}

/// Variables that no document declares, with the types that their values have.
fn given(notes: &Notes) -> Option<(&'static str, Fact)> {
    let pairs = notes.marks.windows(2).filter_map(|pair| match pair {
        [
            Mark { want: Want::Variable, value: Value::Text(name), .. },
            Mark { want: Want::VariableType, value, .. },
        ] => Some(variable(name, Fact::Own(value.kind()))),
        _ => None,
    });
    let variables: Vec<Fact> = pairs.take(32).collect();
    (!variables.is_empty()).then_some(("variables", Fact::List(variables)))
}

#[cfg(test)]
mod tests;
