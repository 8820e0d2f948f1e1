//! `inventory --egress`: public services that are called from one's own network.

use crate::paper::{Paper, plain};
use crate::size::{self, counted};
use crate::summary::rfc3339;
use crate::usage::class;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tapwire_event::Redactor;
use tapwire_inspect::classes::ClassId;
use tapwire_inventory::{AuthCounts, Carried, Egress, Inventory, Service};

/// Services that are called from inside, the busiest first.
fn outside(inventory: &Inventory) -> Vec<(&Service, &Egress)> {
    let mut all: Vec<_> =
        inventory.services().filter_map(|service| Some((service, service.egress.as_deref()?))).collect();
    all.sort_by_key(|(_, egress)| Reverse(egress.calls));
    all
}

/// Data classes that calls from inside send to each service, in the order of their registry, beside what callers prove
/// themselves with.
fn sent(inventory: &Inventory) -> BTreeMap<&str, BTreeMap<ClassId, u32>> {
    let mut sent: BTreeMap<&str, BTreeMap<ClassId, u32>> = BTreeMap::new();
    for endpoint in inventory.endpoints().filter(|endpoint| endpoint.usage.egress > 0) {
        let classes = sent.entry(&endpoint.service).or_default();
        let is_sent = |carried: &Carried| carried.in_requests > 0 && !carried.is_credential();
        for carried in endpoint.data_classes().into_iter().filter(is_sent) {
            *classes.entry(carried.class).or_default() += carried.in_requests;
        }
    }
    sent
}

/// Writes the table.
pub(crate) fn page(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Egress: public services called from inside");
    let (all, sent) = (outside(inventory), sent(inventory));
    if all.is_empty() {
        paper.line("  not seen");
        paper.hang(
            "  ",
            "What is inside and what is public say [networks]; without it, private addresses are inside.",
        );
    }
    for (service, egress) in all {
        let name = paper.strong(&plain(&redactor.shown_host(&service.name)));
        let (callers, more) = egress.callers.count();
        let least = if more { "at least " } else { "" };
        let callers = counted(callers as u64, "caller");
        paper.line(&format!("  {name}  {} of {least}{callers}", counted(egress.calls, "call")));
        let methods = egress.methods().map(|(method, calls)| {
            format!("{} {}", size::count(calls), plain(&redactor.shown_method(method)))
        });
        let mut said = vec![methods.collect::<Vec<_>>().join(", "), credentials(&egress.auth)];
        said.push(match egress.clear {
            0 => "all over TLS".into(),
            clear if clear == egress.calls => "all in clear text".into(),
            clear => format!("{} in clear text", size::count(clear)),
        });
        said.push(format!("{} sent", size::bytes(egress.sent_bytes)));
        said.push(format!("since {}", rfc3339(egress.first_seen)));
        paper.hang("    ", &said.join("; "));
        let classes = sent.get(&*service.name).into_iter().flatten();
        let classes: Vec<&str> = classes.map(|(class, _)| inventory.class_name(*class)).collect();
        if !classes.is_empty() {
            paper.hang("    sends ", &classes.join(", "));
        }
    }
    paper.into_text()
}

fn credentials(auth: &AuthCounts) -> String {
    let kinds = auth.iter().map(|(kind, calls)| format!("{} {}", size::count(calls), kind.name()));
    let none = (auth.none > 0).then(|| format!("{} without credentials", size::count(auth.none)));
    kinds.chain(none).collect::<Vec<_>>().join(", ")
}

/// An object a line, sorted by service.
pub(crate) fn lines(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let sent = sent(inventory);
    let mut all = outside(inventory);
    all.sort_by_key(|(service, _)| &service.name);
    let objects = all.into_iter().map(|(service, egress)| {
        let mut object = object(service, egress, redactor);
        let classes = sent.get(&*service.name).into_iter().flatten();
        object["sends"] = classes
            .map(|(id, fields)| {
                class(inventory, &Carried { class: *id, in_requests: *fields, in_answers: 0 })
            })
            .collect();
        format!("{object}\n")
    });
    objects.collect()
}

fn object(service: &Service, egress: &Egress, redactor: &mut Redactor) -> Value {
    let methods = egress.methods().map(|(method, calls)| (redactor.shown_method(method), Value::from(calls)));
    let methods: Map<String, Value> = methods.collect();
    let kinds =
        egress.auth.iter().map(|(kind, calls)| (kind.name(), calls)).chain([("none", egress.auth.none)]);
    let auth: Map<String, Value> =
        kinds.filter(|(_, calls)| *calls > 0).map(|(kind, calls)| (kind.to_owned(), calls.into())).collect();
    let mut object = json!({
        "service": redactor.shown_host(&service.name),
        "servers": service.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "first_seen": rfc3339(egress.first_seen), "last_seen": rfc3339(egress.last_seen),
        "calls": egress.calls, "callers": egress.callers.count().0, "methods": methods, "auth": auth,
        "clear_text": egress.clear, "tls": egress.calls - egress.clear, "sent_bytes": egress.sent_bytes,
    });
    if egress.callers.count().1 {
        object["callers_at_least"] = true.into();
    }
    if egress.other_methods > 0 {
        object["other_methods"] = egress.other_methods.into();
    }
    object
}
