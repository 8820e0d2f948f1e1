//! Rules over the table of exchanges.

use super::fields::{self, Kept, Paths};
use super::hits::Hits;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use tapwire_expr::Value;
use tapwire_lake::{Answer, Cell, LakeError, Reader};
use tapwire_protocol::Uid;
use tapwire_rules::{Entry, Judge, Kind, StoredCall};
use tapwire_wire::Timestamp;

/// Columns before those of fields.
const OWN: [&str; 7] = [
    "uid",
    "coalesce(time_ns, ms(time) * 1000000)",
    "status",
    "principal_kind || '~' || substr(principal, 5)",
    "json_extract(extra, '$.unmapped.text_cut')",
    "path",
    "query",
];

/// What the table said.
pub(super) struct Told {
    pub(super) hits: Hits,
    /// By rule: exchanges of which it is not known whether it holds, since a text that it reads was replaced.
    pub(super) unsure: BTreeMap<String, u64>,
}

/// The oldest and the newest exchange of the table.
pub(super) fn span(reader: &Reader) -> Result<Option<(Timestamp, Timestamp)>, Failure> {
    let mut span = None;
    let mut take = |piece: Answer<'_>| {
        if let Answer::Row([Cell::Int(first), Cell::Int(last)]) = piece {
            span = Some((first.saturating_mul(1_000_000), last.saturating_mul(1_000_000)));
        }
        ControlFlow::Continue(())
    };
    reader.query("SELECT ms(min(time)), ms(max(time)) FROM exchanges", &mut take).map_err(|e| told(&e))?;
    // Times are kept by the millisecond, the newest may be within the one that is named.
    Ok(span.map(|(first, last)| (Timestamp::from_nanos(first), Timestamp::from_nanos(last + 999_999))))
}

fn told(error: &LakeError) -> Failure {
    Failure::new(format!("hunt: {error}"))
}

/// Judges the exchanges of the table. Correlations count from the first that is kept; without one, only those between the
/// two times are looked at.
pub(super) fn judge(
    reader: &Reader,
    mut judge: Judge,
    rules: &[&Entry],
    (from, until): (Timestamp, Timestamp),
) -> Result<Told, Failure> {
    let mut read: Vec<(&str, &Kept)> = Vec::new();
    for name in rules.iter().flat_map(|rule| &rule.reads) {
        if let Some(kept) = fields::find(name).filter(|_| !read.iter().any(|(known, _)| known == name)) {
            read.push((name, kept));
        }
    }
    let mut walk = Walk {
        rules: rules.iter().map(|rule| (*rule, places(rule, &read))).collect(),
        read: &read,
        told: Told { hits: Hits::default(), unsure: BTreeMap::new() },
        from,
        findings: Vec::new(),
    };
    let counts = rules.iter().any(|rule| rule.kind == Kind::Correlation);
    let query = query(&read, counts, from, until);
    let mut take = |piece: Answer<'_>| {
        if let Answer::Row(cells) = piece {
            walk.row(cells, &mut judge);
        }
        ControlFlow::Continue(())
    };
    reader.query(&query, &mut take).map_err(|error| told(&error))?;
    Ok(walk.told)
}

/// Which of the fields that are read the rule asks for.
fn places(rule: &Entry, read: &[(&str, &Kept)]) -> Vec<usize> {
    let asks = |(_, (name, _)): &(usize, &(&str, &Kept))| rule.reads.iter().any(|read| read == name);
    read.iter().enumerate().filter(asks).map(|(at, _)| at).collect()
}

/// Exchanges that rules look at: requests that were seen, and no messages of streams.
fn query(read: &[(&str, &Kept)], counts: bool, from: Timestamp, until: Timestamp) -> String {
    let columns: Vec<&str> = OWN.into_iter().chain(read.iter().map(|(_, kept)| kept.sql)).collect();
    let text = crate::summary::rfc3339;
    let mut query = format!(
        "SELECT {} FROM exchanges WHERE parent IS NULL AND child IS NULL AND seen_request <> 'missing' \
         AND time <= '{}'",
        columns.join(", "),
        text(until)
    );
    if counts {
        query.push_str(&format!(" ORDER BY {}", order()));
    } else {
        query.push_str(&format!(" AND time >= '{}'", text(from)));
    }
    query
}

/// Rules count calls in the order in which their run told them. An exchange may be told long after it ended, so rows of one run
/// stand in the order of its numbers, and those of several by the latest end that each had told by then.
fn order() -> String {
    let ended = "coalesce(json_extract(extra, '$.end_time'), ms(time) + coalesce(duration, 0))";
    let told = format!(
        "max({ended}) OVER (PARTITION BY run ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    );
    format!("CASE WHEN run IS NULL THEN {ended} ELSE {told} END, run, sequence")
}

struct Walk<'a> {
    rules: Vec<(&'a Entry, Vec<usize>)>,
    read: &'a [(&'a str, &'a Kept)],
    told: Told,
    from: Timestamp,
    findings: Vec<tapwire_detect::Finding>,
}

impl Walk<'_> {
    fn row(&mut self, cells: &[Cell], judge: &mut Judge) {
        let [uid, time, status, principal, cut, path, query, values @ ..] = cells else { return };
        let (Some(uid), Cell::Int(nanos)) = (uid_of(uid), time) else { return };
        let time = Timestamp::from_nanos(*nanos);
        let paths = Paths { path, query };
        let known: Vec<Option<Value<'static>>> = self
            .read
            .iter()
            .zip(values)
            .map(|((_, kept), cell)| fields::value(kept.holds, cell, &paths))
            .collect();
        let is_cut = *cut == Cell::Int(1);
        if time >= self.from {
            self.told.hits.judged(time);
            self.doubt(&known, is_cut);
        }
        let fields: Vec<(&str, Value<'_>)> =
            self.read.iter().zip(known).filter_map(|((name, _), value)| Some((*name, value?))).collect();
        let status = if let Cell::Int(status) = status { u16::try_from(*status).ok() } else { None };
        judge.judge_stored(&StoredCall { uid, time, status, fields: &fields }, &mut self.findings);
        let principal = if let Cell::Text(text) = principal { Some(text.as_str()) } else { None };
        self.told.hits.take(self.findings.drain(..), principal);
    }

    /// Counts for which rules it is not known whether they hold.
    fn doubt(&mut self, known: &[Option<Value<'static>>], is_cut: bool) {
        for (rule, places) in &self.rules {
            let unknown = |at: &usize| {
                let is_text = self.read.get(*at).is_some_and(|(_, kept)| kept.holds.is_of_traffic());
                known.get(*at).is_some_and(Option::is_none) || is_cut && is_text
            };
            if places.iter().any(unknown) {
                *self.told.unsure.entry(rule.id.clone()).or_default() += 1;
            }
        }
    }
}

fn uid_of(cell: &Cell) -> Option<Uid> {
    let Cell::Text(text) = cell else { return None };
    u128::from_str_radix(text, 16).ok().map(|number| Uid(number.to_be_bytes()))
}
