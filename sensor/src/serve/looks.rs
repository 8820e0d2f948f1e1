//! Looking again at what was captured, for somebody at the console: one exchange, and whose records left.

use super::Shared;
use crate::blast::{Bounds, within};
use crate::cli::BlastRadiusArgs;
use crate::failure::Failure;
use crate::page;
use crate::settings::{Effective, Look};
use crate::sheet::{Part as Section, Piece};
use crate::show::{Captures, Matching};
use crate::summary::milliseconds;
use crate::watch::Terminal;
use crate::whom::is_beginning;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tapwire_capture::Pressure;
use tapwire_console::{Exchange, Level, Part, Told};
use tapwire_store::{Piece as Stored, Reader};

/// What is kept, or the captures, with what a look may take.
pub(super) struct Looking<'s> {
    shared: &'s Shared,
    look: &'s Look,
    /// Set when the console ends.
    over: &'s Arc<AtomicBool>,
    end: Instant,
}

impl<'s> Looking<'s> {
    pub(super) fn begin(shared: &'s Shared, over: &'s Arc<AtomicBool>) -> Self {
        let look = &shared.look;
        Self { shared, look, over, end: Instant::now() + Duration::from_secs(look.seconds) }
    }

    /// The exchange of that uid, or the findings.
    pub(super) fn exchange(&self, uid: &str, day: Option<&str>) -> Result<Option<Exchange>, String> {
        let uid = uid.to_ascii_lowercase();
        if !is_beginning(&uid) {
            return Ok(None);
        }
        let events = match &self.shared.data {
            Some(data) => self.kept(data, &uid, day),
            None => self.captured(&uid),
        };
        told(&uid, events.map_err(|failure| failure.to_string())?)
    }

    /// Of that day first, then of the newest: who asks mostly comes from what is going on.
    fn kept(&self, data: &Path, uid: &str, day: Option<&str>) -> Result<Vec<Value>, Failure> {
        let reader = Reader::open(data)?;
        let mut days = reader.days()?;
        days.sort_by_key(|one| (Some(one.day.to_string().as_str()) != day, Reverse(one.day)));
        let matching = Matching::new(uid);
        for day in days {
            for piece in reader.day_naming(day.day, uid)? {
                self.goes_on()?;
                if let Stored::Lines(lines) = piece? {
                    matching.take(&lines);
                }
            }
            // What was found in it was told on the same day, but for what began before midnight.
            if matching.found().iter().any(is_exchange) {
                break;
            }
        }
        Ok(matching.found())
    }

    fn captured(&self, uid: &str) -> Result<Vec<Value>, Failure> {
        let args = &self.shared.args;
        let mut effective = Effective::load(&args.config)?;
        effective.settings.memory.clone_from(&self.look.memory);
        let captures = Captures {
            paths: &args.paths,
            bpf: args.bpf.as_deref(),
            keys: &args.keys,
            token_key: args.token_key.as_deref(),
            rules: &[],
            openapi: &args.openapi,
            two_pass: false,
        };
        let mut terminal = Terminal::new(Arc::clone(self.over), true, Pressure::Block).until(Some(self.end));
        let (events, interrupted) = captures.events(uid, &effective, &mut terminal, || {})?;
        if interrupted {
            self.goes_on()?;
        }
        Ok(events)
    }

    /// Whose records left, as `tapwire blast-radius --json` has it, and when that was counted.
    pub(super) fn radius(&self, whose: &str) -> Result<Value, String> {
        let args = &self.shared.args;
        let asked = BlastRadiusArgs {
            who: whose.to_owned(),
            paths: args.paths.clone(),
            data: self.shared.data.clone(),
            two_pass: false,
            learn_from: Vec::new(),
            rules: Vec::new(),
            keys: args.keys.clone(),
            token_key: args.token_key.clone(),
            json: true,
            config: args.config.clone(),
        };
        let bounds = Bounds {
            memory: &self.look.memory,
            end: self.end,
            stop: Arc::clone(self.over),
            openapi: &args.openapi,
            bpf: args.bpf.as_deref(),
        };
        let counted = within(&asked, bounds).and_then(|counted| {
            counted.map_or_else(|| Err(self.goes_on().err().unwrap_or_else(|| self.too_long())), Ok)
        });
        let mut counted = counted.map_err(|failure| failure.to_string())?;
        counted["counted"] = jiff::Timestamp::now().to_string().into();
        Ok(counted)
    }

    /// Whether whoever waits may still wait.
    fn goes_on(&self) -> Result<(), Failure> {
        if self.over.load(Ordering::Relaxed) {
            return Err(Failure::new("the console is ending"));
        }
        if Instant::now() >= self.end { Err(self.too_long()) } else { Ok(()) }
    }

    fn too_long(&self) -> Failure {
        Failure::new(format!(
            "not done within {} s (console.look.seconds): `tapwire show` and `tapwire blast-radius` take as long as it takes",
            self.look.seconds
        ))
    }
}

fn text(event: &Value, path: &str) -> String {
    event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn is_exchange(event: &Value) -> bool {
    !page::is_finding(event) && !page::is_incident(event)
}

/// As the page has it; several exchanges are no answer.
fn told(uid: &str, events: Vec<Value>) -> Result<Option<Exchange>, String> {
    let events: Vec<Value> = events.into_iter().filter(|event| !page::is_incident(event)).collect();
    let exchanges = || events.iter().filter(|event| is_exchange(event));
    // One that was replayed again is kept twice.
    let several = exchanges().map(|event| text(event, "/metadata/uid")).collect::<BTreeSet<_>>().len();
    if several > 1 {
        return Err(format!("{uid}: {several} exchanges begin so; give more digits"));
    }
    let mut known = BTreeSet::new();
    let findings = events.iter().filter(|event| page::is_finding(event)).map(finding);
    let findings: Vec<Told> = findings.filter(|one| known.insert(one.uid.clone())).collect();
    let Some(event) = exchanges().next() else {
        let time = events.first().and_then(|event| event.get("time")?.as_i64()).map(milliseconds);
        let alone = Exchange { uid: uid.to_owned(), time: time.unwrap_or_default(), ..Exchange::default() };
        return Ok((!findings.is_empty()).then_some(Exchange { findings, events, ..alone }));
    };
    let status = event.pointer("/http_response/code").map(ToString::to_string);
    let template = text(event, "/unmapped/endpoint/template");
    let place = if template.is_empty() { text(event, "/http_request/url/path") } else { template };
    Ok(Some(Exchange {
        uid: text(event, "/metadata/uid"),
        time: event.get("time").and_then(Value::as_i64).map(milliseconds).unwrap_or_default(),
        method: text(event, "/http_request/http_method"),
        place,
        status: status.unwrap_or_default(),
        carried: page::carried_by(event).unwrap_or_default(),
        carrier: text(event, "/unmapped/parent"),
        endpoint: text(event, "/unmapped/endpoint/id"),
        principal: text(event, "/unmapped/principal/token"),
        parts: page::sheet(event).parts().iter().map(part).collect(),
        findings,
        events,
    }))
}

fn part(section: &Section) -> Part {
    let mut part = Part { title: section.title.clone(), ..Part::default() };
    for piece in &section.pieces {
        match piece {
            Piece::Row(name, text) | Piece::Fact(name, text) => part.rows.push((name.clone(), text.clone())),
            Piece::Header(name, value) => part.headers.push((name.clone(), value.clone())),
            Piece::Said(said) => (*said).clone_into(&mut part.said),
        }
    }
    part
}

fn finding(event: &Value) -> Told {
    let list = |path: &str| -> Vec<String> {
        let all = event.pointer(path).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Told {
        uid: text(event, "/finding_info/uid"),
        incident: text(event, "/unmapped/incident"),
        title: text(event, "/finding_info/title"),
        level: Level::named(&text(event, "/severity")),
        outcome: text(event, "/unmapped/outcome"),
        reason: text(event, "/unmapped/reason"),
        steps: list("/unmapped/next_steps"),
        exchanges: list("/unmapped/exchanges"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn exchange(uid: &str) -> Value {
        json!({
            "metadata": {"uid": uid}, "time": 1_767_607_487_000_i64, "http_request": {"http_method": "GET", "url": {"path": "/a"}},
            "http_response": {"code": 404}, "unmapped": {"seen": {"request": "complete"}},
        })
    }

    fn about(uid: &str) -> Value {
        json!({
            "finding_info": {"uid": "f1", "title": "T"}, "severity": "High", "time": 1_767_607_487_000_i64,
            "unmapped": {"incident": "i1", "outcome": "likely", "reason": "why", "exchanges": [uid], "next_steps": ["look"]},
        })
    }

    #[test]
    fn an_exchange_comes_with_what_was_found_in_it() {
        let found = told("abcdef", vec![exchange("abcdef01"), about("abcdef01")]).unwrap().unwrap();
        assert_eq!(
            (found.uid.as_str(), found.place.as_str(), found.status.as_str()),
            ("abcdef01", "/a", "404")
        );
        assert_eq!(found.time, "2026-01-05T10:04:47.000Z");
        let titles: Vec<&str> = found.parts.iter().map(|part| part.title.as_str()).collect();
        assert_eq!(titles, ["Who", "Request", "Response", "How well it was seen"]);
        let [one] = found.findings.as_slice() else { panic!("one finding") };
        assert_eq!((one.level, one.incident.as_str(), one.steps.len()), (Level::High, "i1", 1));
    }

    #[test]
    fn what_is_no_exchange_or_several_is_told_as_that() {
        assert_eq!(told("abcdef", Vec::new()), Ok(None));
        let alone = told("f1", vec![about("abcdef01")]).unwrap().unwrap();
        assert!(alone.parts.is_empty() && alone.findings[0].exchanges == ["abcdef01"]);
        let many = told("abcdef", vec![exchange("abcdef01"), exchange("abcdef02")]).unwrap_err();
        assert!(many.contains("2 exchanges begin so"), "{many}");
        let again = told(
            "abcdef",
            vec![exchange("abcdef01"), about("abcdef01"), exchange("abcdef01"), about("abcdef01")],
        );
        let again = again.unwrap().expect("it was replayed twice");
        assert_eq!((again.uid.as_str(), again.findings.len()), ("abcdef01", 1));
    }
}
