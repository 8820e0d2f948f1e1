//! The diagnosis as people and programs read it.

use super::ailment::{Case, Found, Harm};
use super::sizing::{self, Needs};
use crate::paper::{Paper, capital};
use crate::size::{count, counted, duration};
use serde_json::{Map, Value, json};

/// What is true of a mirror without ailments.
const GOOD: &str = "Both directions arrive, whole, once and in time; nothing is lost, encrypted or wrapped in what cannot \
                    be read.";

/// Whether there is nothing to mend.
fn is_good(found: &[Found]) -> bool {
    found.iter().all(|found| found.ailment.harm == Harm::Harmless)
}

/// The verdict, by the worst that was found.
fn verdict(found: &[Found]) -> &'static str {
    match found.first().map_or(Harm::Harmless, |worst| worst.ailment.harm) {
        Harm::Blind => "This mirror does not show what is needed",
        Harm::Loses => "This mirror loses traffic",
        Harm::Unread => "This mirror carries traffic that cannot be read here",
        Harm::Costs => "This mirror works, and could be better",
        Harm::Harmless => "This mirror is good",
    }
}

/// For people: the verdict, what was looked at, and the ailments, the worst first.
pub(super) fn text(case: &Case<'_>, found: &[Found], needs: Option<&Needs>) -> String {
    let mut paper = Paper::new(true);
    let title = paper.strong(verdict(found));
    paper.line(&title);
    paper.hang("", &looked_at(case));
    if is_good(found) {
        paper.line("");
        paper.hang("", GOOD);
    }
    for found in found {
        let harmless = if found.ailment.harm == Harm::Harmless { " (harmless)" } else { "" };
        paper.heading(&format!("{}{harmless}", found.ailment.title));
        paper.row("figure", &sentence(&found.figure));
        paper.row("it means", &sentence(found.ailment.means));
        paper.row("what to do", &sentence(&found.remedy));
        paper.row("more", &paper.faint(&format!("tapwire explain {}", found.ailment.name)));
    }
    if let Some(needs) = needs {
        sizing::text(needs, &mut paper);
    }
    paper.into_text()
}

fn looked_at(case: &Case<'_>) -> String {
    let (wire, tally) = (&case.report.wire, &case.report.tally);
    let whole = match (tally.reported, tally.whole) {
        (0, _) => String::new(),
        (_, 0) => ", none of them whole".to_owned(),
        (_, whole) => format!(", {} of them whole", count(whole)),
    };
    let Some((first, last)) = wire.first.zip(wire.last) else {
        return format!("{}: 0 packets", sources(case));
    };
    format!(
        "{}: {} in {}, {}, {}{whole}",
        sources(case),
        counted(wire.packets, "packet"),
        duration(last.since(first)),
        counted(case.report.flow.flows_opened, "connection"),
        counted(tally.reported, "exchange"),
    )
}

/// Interfaces and files, the first of many.
fn sources(case: &Case<'_>) -> String {
    const SHOWN: usize = 5;
    let names = &case.report.sources;
    let more = names.len().saturating_sub(SHOWN);
    let and = if more > 0 { format!(" and {}", counted(more as u64, "more file")) } else { String::new() };
    format!("{}{and}", names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

/// With a full stop; commands and quotations stay as they are.
fn sentence(text: &str) -> String {
    format!("{}.", capital(text))
}

/// As one JSON object.
pub(super) fn json(case: &Case<'_>, found: &[Found], needs: Option<&Needs>) -> String {
    let report = case.report;
    let skipped: Map<String, Value> = report
        .wire
        .skipped
        .iter()
        .map(|((layer, reason), count)| (format!("{layer}/{reason}"), json!(count)))
        .collect();
    let flow = &report.flow;
    let mut value = json!({
        "sources": report.sources, "good": is_good(found), "verdict": verdict(found),
        "ailments": found.iter().map(ailment_json).collect::<Vec<_>>(),
        "packets": report.wire.packets, "skipped": skipped, "cut_packets": report.wire.cut_packets,
        "dropped_kernel": report.source.dropped_kernel, "dropped_interface": report.source.dropped_interface,
        "filtered": report.source.filtered,
        "connections": flow.flows_opened, "segments": flow.segments, "span_duplicates": flow.span_duplicates,
        "retransmissions": flow.retransmissions, "acknowledged_bytes": flow.acknowledged_bytes,
        "missed_bytes": flow.missed_bytes, "offloaded_senders": flow.offloaded_senders,
        "exchanges": report.tally.reported, "whole": report.tally.whole,
    });
    if let Some((needs, members)) = needs.zip(value.as_object_mut()) {
        members.insert("needs".to_owned(), sizing::json(needs));
    }
    format!("{value}\n")
}

fn ailment_json(found: &Found) -> Value {
    json!({
        "name": found.ailment.name, "title": found.ailment.title, "harm": found.ailment.harm.name(),
        "harmless": found.ailment.harm == Harm::Harmless,
        "what": sentence(&found.figure), "means": sentence(found.ailment.means), "remedy": sentence(&found.remedy),
    })
}
