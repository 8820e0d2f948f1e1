//! JSON-RPC 2.0: calls, batches of calls, and answers that fail with status 200.

use super::notes::{Notes, Value, Want};
use crate::style::{Fact, Facts, Name, Operation, Said, Spoken, Style};
use std::collections::BTreeSet;

pub(crate) const STYLE: Style = Style {
    name: "json-rpc",
    summary: "methods, size of the batch, errors with their codes",
    told_by: "`jsonrpc` in a JSON body, or in the data of server-sent events",
    read,
};

/// "The method does not exist / is not available" (JSON-RPC 2.0, 5.1).
const METHOD_NOT_FOUND: i64 = -32601;
/// Methods that a batch is named by, and those that are listed.
const NAMED: usize = 4;
const LISTED: usize = 16;

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let (asked, answered) = (spoken.asked, spoken.answered);
    if !asked.has(Want::JsonRpc) && !answered.has(Want::JsonRpc) {
        return;
    }
    said.protocols.push(STYLE.name);
    let methods = super::distinct(asked.texts(Want::Method).map(|name| name.as_str().to_owned()), NAMED);
    if !methods.is_empty() {
        let mut operation = Operation::new(STYLE.name, &methods);
        let mut codes = answered.numbers(Want::ErrorCode).peekable();
        operation.unknown = codes.peek().is_some() && codes.all(|code| code == METHOD_NOT_FOUND);
        said.operation = Some(operation);
    }
    said.failed |= errors(answered) > 0;
    said.facts.push(("jsonrpc", facts(asked, answered)));
}

/// Answers with an error.
fn errors(answered: &Notes) -> u64 {
    let failed = |mark: &&super::notes::Mark| mark.want == Want::Error && mark.value != Value::Null;
    answered.marks.iter().filter(failed).count() as u64
}

fn facts(asked: &Notes, answered: &Notes) -> Facts {
    let calls = asked.count(Want::Method) as u64;
    let methods: BTreeSet<&Name> = asked.texts(Want::Method).collect();
    let codes: BTreeSet<i64> = answered.numbers(Want::ErrorCode).collect();
    let is_long = methods.len() > LISTED || codes.len() > LISTED;
    let mut facts = Facts::new();
    if calls > 0 {
        facts.push(("calls", Fact::Count(calls)));
        let methods = methods.into_iter().take(LISTED).cloned().map(Fact::Name).collect();
        facts.push(("methods", Fact::List(methods)));
    }
    facts.push(("errors", Fact::Count(errors(answered))));
    if !codes.is_empty() {
        facts.push(("error_codes", Fact::List(codes.into_iter().take(LISTED).map(Fact::Number).collect())));
    }
    if asked.more || answered.more || is_long {
        facts.push(("more", Fact::Truth(true)));
    }
    facts
}
