//! Holds: days that stay whatever retention says, each with a name.

use crate::error::LakeError;
use crate::log::write_durably;
use crate::sql::{Answer, Cell, Reader};
use crate::time;
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Fewer digits of a uid would match too much.
const MIN_DIGITS: usize = 6;
/// Bytes of a hold's name.
const LONGEST_NAME: usize = 200;

/// Days of all tables that are kept until somebody lets go of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What people call it.
    pub name: String,
    /// The first day, `2026-11-21`.
    pub from: String,
    /// The last day.
    pub until: String,
    /// The incident that it is about: while that grows, the days do.
    pub incident: Option<String>,
    /// Since when, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
}

/// What is to be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// These days and those between.
    Days(String, String),
    /// The days of this incident, its findings and the exchanges that show them.
    Incident(String),
}

impl Hold {
    pub(super) fn holds(&self, day: &str) -> bool {
        self.from.as_str() <= day && day <= self.until.as_str()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "from": self.from, "until": self.until, "incident": self.incident,
            "since_ms": self.since_ms,
        })
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let day = |name: &str| text(name).filter(|day| time::parse_day(day).is_some());
        Some(Self {
            name: text("name")?,
            from: day("from")?,
            until: day("until")?,
            incident: text("incident"),
            since_ms: value.get("since_ms")?.as_i64()?,
        })
    }
}

fn place(data: &Path) -> PathBuf {
    data.join(crate::ROOM).join("holds.json")
}

/// Every hold on that lake.
///
/// # Errors
/// The file that has them cannot be read: then nothing may be deleted.
pub fn holds(data: &Path) -> Result<Vec<Hold>, LakeError> {
    let path = place(data);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LakeError::io("read", &path, &error)),
    };
    let list: Option<Vec<Value>> = serde_json::from_str(&text).ok();
    let list = list.and_then(|list| list.iter().map(Hold::read).collect());
    list.ok_or_else(|| LakeError::Log {
        path,
        why: "is no list of holds; nothing is deleted until it is".into(),
    })
}

fn write(data: &Path, holds: &[Hold]) -> Result<(), LakeError> {
    let (place, beside) = (place(data), data.join(crate::ROOM).join(".holds.json.new"));
    let list: Vec<Value> = holds.iter().map(Hold::json).collect();
    let written = write_durably(&beside, format!("{}\n", Value::from(list)).as_bytes());
    let written = written.and_then(|()| fs::rename(&beside, &place));
    written.map_err(|error| LakeError::io("write", &place, &error))
}

/// Holds days of that lake under a name.
///
/// # Errors
/// The name is taken; the days are none; no such incident is in the tables; the lake is being maintained.
pub fn hold(data: &Path, name: &str, held: &Held, now_ms: i64) -> Result<Hold, LakeError> {
    let _lock = super::lock(data)?;
    let mut all = holds(data)?;
    if name.trim().is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(LakeError::Hold(format!("a hold is named by 1 to {LONGEST_NAME} letters on one line")));
    }
    if all.iter().any(|one| one.name == name) {
        return Err(LakeError::Hold(format!("{name}: there is a hold of this name; release it first")));
    }
    let (from, until, incident) = match held {
        Held::Days(from, until) => {
            let is_range = time::parse_day(from).zip(time::parse_day(until)).is_some_and(|(a, b)| a <= b);
            if !is_range {
                return Err(LakeError::Hold(format!(
                    "{from} to {until}: give days as 2026-11-01, the first one first"
                )));
            }
            (from.clone(), until.clone(), None)
        }
        Held::Incident(given) => {
            let uid = incident_of(data, given)?;
            let days = days_of(data, &uid, true)?;
            let (from, until) =
                days.ok_or_else(|| LakeError::Hold(format!("{given}: no such incident is in the tables")))?;
            (from, until, Some(uid))
        }
    };
    let one = Hold { name: name.to_owned(), from, until, incident, since_ms: now_ms };
    all.push(one.clone());
    write(data, &all)?;
    Ok(one)
}

/// Lets go of what is held under that name.
///
/// # Errors
/// There is no such hold; the lake is being maintained.
pub fn release(data: &Path, name: &str) -> Result<Hold, LakeError> {
    let _lock = super::lock(data)?;
    let mut all = holds(data)?;
    let Some(at) = all.iter().position(|one| one.name == name) else {
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let known =
            if names.is_empty() { "there is none".into() } else { format!("there are {}", names.join(", ")) };
        return Err(LakeError::Hold(format!("{name}: no such hold; {known}")));
    };
    let one = all.remove(at);
    write(data, &all)?;
    Ok(one)
}

/// The holds, those of incidents that grew with the days that these took. `dry`: the file stays as it is.
pub(super) fn grown(data: &Path, dry: bool) -> Result<Vec<Hold>, LakeError> {
    let mut all = holds(data)?;
    let mut has_grown = false;
    for one in &mut all {
        let Some(uid) = &one.incident else { continue };
        // The exchanges of its first findings are held since it was made.
        let Some((from, until)) = days_of(data, uid, false)? else { continue };
        let wider = (one.from.clone().min(from), one.until.clone().max(until));
        has_grown |= wider != (one.from.clone(), one.until.clone());
        (one.from, one.until) = wider;
    }
    if has_grown && !dry {
        write(data, &all)?;
    }
    Ok(all)
}

/// The incident that is called so, or whose uid begins so: as many digits as other commands take.
fn incident_of(data: &Path, given: &str) -> Result<String, LakeError> {
    let quoted = given.replace('\'', "''");
    let begins = match given.len() >= MIN_DIGITS {
        true => format!(" OR substr(uid, 1, {}) = '{quoted}'", given.chars().count()),
        false => String::new(),
    };
    let query = format!(
        "SELECT DISTINCT uid FROM (SELECT uid FROM incidents UNION SELECT incident FROM findings) \
         WHERE uid = '{quoted}'{begins} LIMIT 2"
    );
    let mut found = Vec::new();
    Reader::open(data)?.query(&query, &mut |piece| {
        if let Answer::Row([Cell::Text(uid)]) = piece {
            found.push(uid.clone());
        }
        ControlFlow::Continue(())
    })?;
    match <[String; 1]>::try_from(found) {
        Ok([uid]) => Ok(uid),
        Err(found) if found.is_empty() => {
            Err(LakeError::Hold(format!("{given}: no such incident is in the tables")))
        }
        Err(_) => Err(LakeError::Hold(format!("{given}: several incidents begin so; give more digits"))),
    }
}

/// The first and last day of an incident and its findings, and where asked of the exchanges that show them.
fn days_of(data: &Path, uid: &str, exchanges: bool) -> Result<Option<(String, String)>, LakeError> {
    let uid = uid.replace('\'', "''");
    let shown = "SELECT day FROM exchanges WHERE uid IN \
                 (SELECT value FROM findings, json_each(exchanges) WHERE incident = ";
    let shown = if exchanges { format!(" UNION ALL {shown}'{uid}')") } else { String::new() };
    let query = format!(
        "SELECT min(day), max(day) FROM (SELECT day FROM incidents WHERE uid = '{uid}' \
         UNION ALL SELECT substr(start_time, 1, 10) FROM incidents WHERE uid = '{uid}' \
         UNION ALL SELECT day FROM findings WHERE incident = '{uid}'{shown})"
    );
    let mut days = None;
    Reader::open(data)?.query(&query, &mut |piece| {
        if let Answer::Row([Cell::Text(from), Cell::Text(until)]) = piece {
            days = Some((from.clone(), until.clone()));
        }
        ControlFlow::Continue(())
    })?;
    Ok(days)
}
