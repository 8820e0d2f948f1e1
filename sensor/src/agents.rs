//! `inventory --mcp` and `--llm`: what programs that think for themselves use.

use crate::paper::{Paper, fit, plain};
use crate::size::{self, counted};
use crate::summary::rfc3339;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use tapwire_event::Redactor;
use tapwire_inventory::{Agents, Callers, Inventory, Model, Names, Offer, OfferKind, Server};

/// Width of the names of tools.
const WIDEST: usize = 40;

/// One line each for what there is beside endpoints, with the option that shows it.
pub(crate) fn hint(inventory: &Inventory, paper: &mut Paper) {
    let agents = inventory.agents();
    let servers = agents.servers().count() as u64;
    let tools = agents.servers().map(|(_, server)| server.offers_of(OfferKind::Tool).len() as u64).sum();
    let models = agents.models().count() as u64;
    let outside = inventory.services().filter(|service| service.egress.is_some()).count() as u64;
    let mut lines = Vec::new();
    if servers > 0 {
        lines.push(format!(
            "{} of MCP with {}: tapwire inventory --mcp",
            counted(servers, "server"),
            counted(tools, "tool")
        ));
    }
    if models > 0 {
        lines.push(format!("{}: tapwire inventory --llm", counted(models, "language model")));
    }
    if outside > 0 {
        lines.push(format!(
            "{} called from inside: tapwire inventory --egress",
            counted(outside, "public service")
        ));
    }
    if !lines.is_empty() {
        paper.heading("There is more");
        lines.iter().for_each(|line| paper.line(&format!("  {line}")));
    }
}

/// Servers of MCP, the busiest first.
pub(crate) fn servers(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    paper.heading("MCP servers");
    let mut all: Vec<_> = inventory.agents().servers().collect();
    all.sort_by_key(|(_, server)| Reverse(server.calls));
    if all.is_empty() {
        paper.line("  not seen");
    }
    for (service, server) in all {
        let name = paper.strong(&plain(&redactor.shown_host(service)));
        let called = format!("{} of {}", counted(server.calls, "request"), callers(&server.callers));
        paper.line(&format!("  {name}  {called}{}", itself(server, redactor)));
        for kind in OfferKind::ALL {
            offers(server, kind, redactor, &mut paper);
        }
        if server.reads > 0 {
            let (distinct, more) = server.read.count();
            let least = if more { "at least " } else { "" };
            let reads = counted(server.reads, "read");
            let of = counted(distinct as u64, "resource");
            paper.line(&format!("    {reads} of {least}{of}, {} failed", size::count(server.failed_reads)));
        }
    }
    beyond(inventory.agents(), &mut paper);
    paper.into_text()
}

fn itself(server: &Server, redactor: &mut Redactor) -> String {
    let mut text = String::new();
    for (what, said) in
        [("", &server.name), ("version ", &server.version), ("protocol ", &server.protocol_version)]
    {
        if let Some(said) = said {
            text.push_str(&format!(", {what}{}", plain(&redactor.shown_operation(said))));
        }
    }
    text
}

fn offers(server: &Server, kind: OfferKind, redactor: &mut Redactor, paper: &mut Paper) {
    let mut all: Vec<_> = server.offers_of(kind).iter().collect();
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|(name, offer)| (Reverse(offer.calls), *name));
    paper.line(&format!("    {}", kind.name()));
    let rows: Vec<(String, &Offer)> = all
        .into_iter()
        .map(|(name, offer)| (fit(&plain(&redactor.shown_operation(name)), WIDEST), offer))
        .collect();
    let width = rows.iter().map(|(name, _)| console::measure_text_width(name)).max().unwrap_or(0);
    for (name, offer) in rows {
        let name = console::pad_str(&name, width, console::Alignment::Left, None).into_owned();
        paper.line(&format!("      {name}  {}", said(kind, offer)));
    }
}

fn said(kind: OfferKind, offer: &Offer) -> String {
    let mut parts = Vec::new();
    if kind != OfferKind::Resource {
        let failed =
            if offer.failed > 0 { format!(", {} failed", size::count(offer.failed)) } else { String::new() };
        parts.push(match offer.calls {
            0 => "never called".to_owned(),
            calls => format!("{} of {}{failed}", counted(calls, "call"), callers(&offer.callers)),
        });
    }
    if offer.defined.is_none() {
        parts.push("never listed".into());
    }
    if let Some(changed) = offer.changed {
        let changes = counted(u64::from(offer.changes), "change");
        parts.push(format!("definition changed: {changes}, last {}", rfc3339(changed)));
    }
    if parts.is_empty() { "listed".into() } else { parts.join(", ") }
}

fn callers(callers: &Callers) -> String {
    let (count, more) = callers.count();
    format!("{}{}", if more { "at least " } else { "" }, counted(count as u64, "caller"))
}

/// An object a line, sorted by service.
pub(crate) fn server_lines(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let all: Vec<Value> = inventory
        .agents()
        .servers()
        .map(|(service, server)| {
            let mut object = json!({
                "service": redactor.shown_host(service),
                "first_seen": rfc3339(server.first_seen), "last_seen": rfc3339(server.last_seen),
                "calls": server.calls, "callers": server.callers.count().0,
                "reads": server.reads, "failed_reads": server.failed_reads, "resources_read": server.read.count().0,
            });
            for (name, said) in [
                ("name", &server.name),
                ("version", &server.version),
                ("protocol_version", &server.protocol_version),
            ] {
                if let Some(said) = said {
                    object[name] = redactor.shown_operation(said).into();
                }
            }
            for kind in OfferKind::ALL {
                let offers = server.offers_of(kind).iter();
                object[kind.name()] = offers.map(|(name, one)| offer(name, one, redactor)).collect();
            }
            object
        })
        .collect();
    all.iter().map(|object| format!("{object}\n")).collect()
}

fn offer(name: &str, offer: &Offer, redactor: &mut Redactor) -> Value {
    let mut object = json!({
        "name": redactor.shown_operation(name),
        "first_seen": rfc3339(offer.first_seen), "last_seen": rfc3339(offer.last_seen),
        "calls": offer.calls, "failed": offer.failed, "callers": offer.callers.count().0,
        "listed": offer.defined.is_some(), "changes": offer.changes,
    });
    if let Some(changed) = offer.changed {
        object["changed"] = rfc3339(changed).into();
    }
    for (at, time) in ["first", "last"].into_iter().enumerate() {
        let Some(definition) = offer.defined.as_ref().and_then(|both| both.get(at)) else { continue };
        let digests = [("description", definition.description), ("schema", definition.schema)];
        let digests =
            digests.into_iter().filter_map(|(what, digest)| Some((what.to_owned(), hex(digest?).into())));
        object[format!("{time}_definition")] = digests.collect::<Map<_, _>>().into();
    }
    object
}

fn hex(digest: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(digest))
}

/// Language models, the busiest first.
pub(crate) fn models(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Language models");
    let mut all: Vec<_> = inventory.agents().models().collect();
    all.sort_by_key(|(_, _, model)| Reverse(model.calls));
    if all.is_empty() {
        paper.line("  not seen");
    }
    for (service, name, model) in all {
        let name = paper.strong(&plain(&shown_model(name, redactor)));
        let service = plain(&redactor.shown_host(service));
        let called = format!("{} of {}", counted(model.calls, "call"), callers(&model.callers));
        paper.line(&format!("  {name} at {service}  {called}"));
        let tokens =
            format!("{} in, {} out", size::count(model.input_tokens), size::count(model.output_tokens));
        let (streamed, failed) = (size::count(model.streamed), size::count(model.failed));
        paper.line(&format!("    tokens: {tokens}; {streamed} streamed, {failed} failed"));
        for (what, names) in [("tools offered", &model.offered), ("tools called", &model.called)] {
            let names = listed(names, redactor);
            if !names.is_empty() {
                paper.hang(&format!("    {what}: "), &names);
            }
        }
    }
    beyond(inventory.agents(), &mut paper);
    paper.into_text()
}

fn shown_model(name: &str, redactor: &mut Redactor) -> String {
    if name.is_empty() { "a model without name".into() } else { redactor.shown_operation(name) }
}

fn listed(names: &Names, redactor: &mut Redactor) -> String {
    let all = names
        .iter()
        .map(|(name, count)| format!("{} ({})", plain(&redactor.shown_operation(name)), size::count(count)));
    let more = (names.beyond > 0).then(|| format!("and {} more", size::count(names.beyond)));
    all.chain(more).collect::<Vec<_>>().join(", ")
}

/// An object a line, sorted by service and model.
pub(crate) fn model_lines(inventory: &Inventory, redactor: &mut Redactor) -> String {
    let all: Vec<Value> = inventory
        .agents()
        .models()
        .map(|(service, name, model)| object(service, name, model, redactor))
        .collect();
    all.iter().map(|object| format!("{object}\n")).collect()
}

fn object(service: &str, name: &str, model: &Model, redactor: &mut Redactor) -> Value {
    let mut object = json!({
        "service": redactor.shown_host(service),
        "first_seen": rfc3339(model.first_seen), "last_seen": rfc3339(model.last_seen),
        "calls": model.calls, "failed": model.failed, "streamed": model.streamed,
        "callers": model.callers.count().0,
        "input_tokens": model.input_tokens, "output_tokens": model.output_tokens,
        "tools_offered": counts(&model.offered, redactor), "tools_called": counts(&model.called, redactor),
    });
    if !name.is_empty() {
        object["model"] = redactor.shown_operation(name).into();
    }
    object
}

fn counts(names: &Names, redactor: &mut Redactor) -> Map<String, Value> {
    names.iter().map(|(name, count)| (redactor.shown_operation(name), count.into())).collect()
}

/// What found no room.
fn beyond(agents: &Agents, paper: &mut Paper) {
    let counters = agents.counters();
    for (count, what) in [
        (counters.beyond_servers, ["request to a further server", "requests to further servers"]),
        (
            counters.beyond_offers,
            ["call or definition of a further tool", "calls or definitions of further tools"],
        ),
        (counters.evicted_models, ["model that was forgotten", "models that were forgotten"]),
    ] {
        if count > 0 {
            let what = if count == 1 { what[0] } else { what[1] };
            paper.line(&format!("  and {} {what}, only counted", size::count(count)));
        }
    }
}
