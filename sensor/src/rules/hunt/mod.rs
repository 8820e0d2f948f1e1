//! `tapwire hunt`: rules over what was seen before.
//!
//! The tables hold tokens and no bodies. So each rule is judged by them alone (*exact*), by packets, or not at all, and the
//! answer says which, and for which time.

mod fields;
mod hits;
mod rows;
mod told;

use super::args::HuntArgs;
use super::files;
use super::past::Past;
use super::since::Since;
use crate::failure::{Exit, Failure};
use crate::paper::print;
use crate::stored;
use hits::{Hits, Watched};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_lake::{LakeError, Reader};
use tapwire_rules::{Entry, Kind, Names};
use tapwire_wire::Timestamp;
use told::{Answer, How};

/// From when and until when hits count.
struct Window {
    since: Option<Since>,
    until: Option<Since>,
}

impl Window {
    fn of(args: &HuntArgs) -> Result<Self, Failure> {
        let read =
            |option, text: &Option<String>| text.as_deref().map(|text| Since::read(option, text)).transpose();
        Ok(Self { since: read("--since", &args.since)?, until: read("--until", &args.until)? })
    }

    /// What of the time that is there is asked for.
    fn within(&self, (first, last): (Timestamp, Timestamp)) -> Option<(Timestamp, Timestamp)> {
        let from = self.since.map_or(first, |since| since.before(last)).max(first);
        let until = self.until.map_or(last, |until| until.before(last)).min(last);
        (from <= until).then_some((from, until))
    }
}

/// `tapwire hunt`.
pub(super) fn hunt(args: &HuntArgs) -> Result<Exit, Failure> {
    let window = Window::of(args)?;
    let loaded = files::load(std::slice::from_ref(&args.rules))?;
    super::check::say(&loaded, args.json);
    let rules: Vec<&Entry> = loaded.applied.iter().filter(|rule| rule.kind != Kind::Filter).collect();
    if rules.is_empty() {
        return Err(Failure::new("no rule to ask: `tapwire rules check` says why"));
    }
    // Captures alone are asked alone.
    let data = match (&args.data, args.captures.is_empty()) {
        (None, false) => None,
        (data, _) => Some(stored::directory(data.clone())?),
    };
    let tables = data.as_deref().map(tables).transpose()?.flatten();
    // A store has tables alone.
    let data = data.filter(|data| !crate::lake::is_in_store(data));
    let is_exact = |rule: &Entry| tables.is_some() && lacking(rule).is_empty();
    let (exact, others): (Vec<&Entry>, Vec<&Entry>) = rules.iter().partition(|rule| is_exact(rule));
    let mut answers = Vec::new();
    if let Some(reader) = tables.as_ref().filter(|_| !exact.is_empty()) {
        answers.extend(by_tables(reader, loaded.judge, &exact, &window)?);
    }
    if !others.is_empty() {
        let kept = || data.as_deref().is_some_and(has_packets);
        match !args.captures.is_empty() || kept() {
            true => answers.extend(by_packets(args, data.as_deref(), &others, &window)?),
            false => answers.extend(others.iter().map(|rule| Answer::of(rule, How::NotPossible))),
        }
    }
    // In the order of the files, however each was answered.
    let place = |answer: &Answer<'_>| rules.iter().position(|rule| rule.id == answer.rule.id);
    answers.sort_by_key(place);
    let text = if args.json { told::lines(&answers) } else { told::page(&answers) };
    print(&text, true)?;
    Ok(Exit::Done)
}

/// Fields that a rule asks for and that the tables do not have.
fn lacking(rule: &Entry) -> Vec<&str> {
    rule.reads.iter().map(String::as_str).filter(|name| fields::find(name).is_none()).collect()
}

/// The tables, where there are any.
fn tables(data: &Path) -> Result<Option<Reader>, Failure> {
    match crate::lake::tables(data).and_then(Reader::open) {
        Ok(reader) => Ok(Some(reader)),
        Err(LakeError::Missing { .. }) => Ok(None),
        Err(error) => Err(Failure::new(format!("hunt: {error}"))),
    }
}

/// Whether packets are kept there.
fn has_packets(data: &Path) -> bool {
    let packets = tapwire_store::Reader::open(data).and_then(|reader| reader.packets());
    packets.is_ok_and(|packets| !packets.segments().is_empty())
}

fn by_tables<'a>(
    reader: &Reader,
    judge: tapwire_rules::Judge,
    rules: &[&'a Entry],
    window: &Window,
) -> Result<Vec<Answer<'a>>, Failure> {
    let span = rows::span(reader)?.and_then(|span| window.within(span));
    let Some((from, until)) = span else {
        return Ok(rules.iter().map(|rule| Answer::of(rule, How::Exact)).collect());
    };
    let done = rows::judge(reader, judge, rules, (from, until))?;
    let answer = |rule: &&'a Entry| Answer {
        interval: Some((from, until)),
        judged: done.hits.judged,
        sum: done.hits.of(&rule.id, from, until),
        unsure: done.unsure.get(&rule.id).copied().unwrap_or_default(),
        cut: done.hits.cut,
        ..Answer::of(rule, How::Exact)
    };
    Ok(rules.iter().map(answer).collect())
}

fn by_packets<'a>(
    args: &HuntArgs,
    data: Option<&Path>,
    rules: &[&'a Entry],
    window: &Window,
) -> Result<Vec<Answer<'a>>, Failure> {
    let hits = Arc::new(Mutex::new(Hits::default()));
    let inner = Box::new(files::load(std::slice::from_ref(&args.rules))?.judge);
    let watched = Watched { inner, names: Names::default(), hits: Arc::clone(&hits) };
    let captures: &[PathBuf] = &args.captures;
    let past = Past { captures, data, token_key: args.token_key.as_deref(), config: &args.config };
    let (report, _) = past.run(Box::new(watched), args.json)?;
    let hits = hits.lock().unwrap_or_else(PoisonError::into_inner);
    let span = report.wire.first.zip(report.wire.last).and_then(|span| window.within(span));
    let Some((from, until)) = span else {
        return Ok(rules.iter().map(|rule| Answer::of(rule, How::NotPossible)).collect());
    };
    let answer = |rule: &&'a Entry| Answer {
        interval: Some((from, until)),
        judged: hits.judged,
        sum: hits.of(&rule.id, from, until),
        cut: hits.cut,
        ..Answer::of(rule, How::FromPackets)
    };
    Ok(rules.iter().map(answer).collect())
}
