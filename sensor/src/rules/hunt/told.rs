//! Answers, for people and for machines.

use super::fields::{LEARNED, NOT_KEPT};
use super::hits::{MOST_NAMED, Sum};
use super::lacking;
use crate::paper::{Paper, plain};
use crate::size::{count, counted};
use crate::summary::rfc3339;
use serde_json::json;
use tapwire_rules::Entry;
use tapwire_wire::Timestamp;

/// Exchanges that a page names.
const SHOWN: usize = 5;

/// How a rule was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By the tables alone, which have all that it reads.
    Exact,
    /// By packets.
    FromPackets,
    /// By nothing that is there.
    NotPossible,
}

impl How {
    const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::FromPackets => "from-packets",
            Self::NotPossible => "not-possible",
        }
    }
}

/// The answer to one rule.
pub(super) struct Answer<'a> {
    pub(super) rule: &'a Entry,
    pub(super) how: How,
    /// What of the time that was asked for is there.
    pub(super) interval: Option<(Timestamp, Timestamp)>,
    /// Exchanges that were looked at.
    pub(super) judged: u64,
    pub(super) sum: Sum,
    /// Exchanges of which it is not known.
    pub(super) unsure: u64,
    /// Hits of all rules that found no room.
    pub(super) cut: u64,
}

impl<'a> Answer<'a> {
    /// Of nothing that was found.
    pub(super) fn of(rule: &'a Entry, how: How) -> Self {
        Self { rule, how, interval: None, judged: 0, sum: Sum::default(), unsure: 0, cut: 0 }
    }

    /// Fields that it reads and that were learned anew.
    fn learned(&self) -> Vec<&str> {
        let learned = self.rule.reads.iter().map(String::as_str).filter(|name| LEARNED.contains(name));
        if self.how == How::FromPackets { learned.collect() } else { Vec::new() }
    }
}

/// As JSON, a rule a line.
pub(super) fn lines(answers: &[Answer<'_>]) -> String {
    let line = |answer: &Answer<'_>| {
        let Answer { rule, sum, .. } = answer;
        let mut value = json!({
            "id": rule.id, "title": rule.title, "severity": rule.severity.name(), "answer": answer.how.name(),
            "lacking": lacking(rule), "learned_anew": answer.learned(),
        });
        if answer.how != How::NotPossible {
            let (from, until) =
                (answer.interval.map(|(from, _)| rfc3339(from)), answer.interval.map(|(_, to)| rfc3339(to)));
            value["from"] = from.into();
            value["until"] = until.into();
            value["exchanges"] = answer.judged.into();
            value["not_known"] = answer.unsure.into();
            value["hits"] = sum.hits.into();
            value["first"] = sum.first.map(rfc3339).into();
            value["last"] = sum.last.map(rfc3339).into();
            value["principals"] = json!(sum.principals);
            value["uids"] = json!(sum.uids);
            value["hits_left_out"] = answer.cut.into();
        }
        format!("{value}\n")
    };
    answers.iter().map(line).collect()
}

/// For people.
pub(super) fn page(answers: &[Answer<'_>]) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Hunt");
    for answer in answers {
        paper.row(answer.rule.severity.name(), &format!("{}: {}", plain(&answer.rule.title), said(answer)));
        for line in more(answer) {
            paper.row("", &line);
        }
    }
    if let Some(cut) = answers.iter().map(|answer| answer.cut).max().filter(|cut| *cut > 0) {
        paper.line(&format!("{} more hits were left out", count(cut)));
    }
    paper.into_text()
}

/// What was found, and by what.
fn said(answer: &Answer<'_>) -> String {
    let how = match answer.how {
        How::NotPossible => return not_possible(answer),
        How::Exact => "exact, by the tables",
        How::FromPackets => "by packets",
    };
    let Some((from, until)) = answer.interval else {
        return format!("not seen: {how}, and none of that time is there");
    };
    let (from, until) = (rfc3339(from), rfc3339(until));
    let exchanges = counted(answer.judged, "exchange");
    let hits = match answer.sum.hits {
        0 => "none".into(),
        hits => counted(hits, "hit"),
    };
    format!("{hits}; {how}, {exchanges} of {from} to {until}")
}

fn not_possible(answer: &Answer<'_>) -> String {
    let why = |name: &&str| NOT_KEPT.iter().find(|(known, _)| known == name).map_or("", |(_, why)| why);
    let lacking = lacking(answer.rule);
    let fields: Vec<String> = lacking.iter().map(|name| format!("{name} ({})", why(name))).collect();
    match fields.as_slice() {
        [] => "not possible: no tables and no packets are kept there".into(),
        fields => format!(
            "not possible: the tables lack {}, and no packets of that time are kept; name captures",
            fields.join(", ")
        ),
    }
}

/// What else there is to say.
fn more(answer: &Answer<'_>) -> Vec<String> {
    let sum = &answer.sum;
    let mut lines = Vec::new();
    if let (Some(first), Some(last)) = (sum.first, sum.last) {
        lines.push(format!("first {}, last {}", rfc3339(first), rfc3339(last)));
    }
    let some = |texts: Vec<&str>, whole: usize| {
        let left = whole.saturating_sub(texts.len());
        let at_least = if whole >= MOST_NAMED { "at least " } else { "" };
        let rest = if left > 0 { format!(", and {at_least}{left} more") } else { String::new() };
        format!("{}{rest}", texts.join(", "))
    };
    if !sum.principals.is_empty() {
        let names = sum.principals.iter().take(SHOWN).map(String::as_str).collect();
        lines.push(format!("callers: {}", some(names, sum.principals.len())));
    }
    if !sum.uids.is_empty() {
        let uids = sum.uids.iter().take(SHOWN).map(String::as_str).collect();
        lines.push(format!("tapwire show {}", some(uids, sum.uids.len())));
    }
    if answer.unsure > 0 {
        let exchanges = counted(answer.unsure, "exchange");
        lines.push(format!("not known of {exchanges}: a text that it reads was replaced there"));
    }
    let learned = answer.learned();
    if !learned.is_empty() {
        lines.push(format!("learned anew of these packets: {}", learned.join(", ")));
    }
    lines
}
