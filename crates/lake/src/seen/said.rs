//! What sensors say of endpoints beside their calls: the last word of each.
//!
//! A sensor tells everything that it knows at least once a day. So its last days with words have all of it, and what they have not
//! it has forgotten. It speaks of itself alone: its name is its record's, and its word stands beside those of others.

use super::{All, NEVER, Room, SeenEndpoint, Teller, Told, Wanted, is_id, key_of};
use crate::batch::Values;
use crate::error::LakeError;
use crate::file::FileRows;
use crate::known::{int, text};
use crate::log::Part;
use crate::place::Place;
use crate::schema::{OF_SENSORS, TABLES, Table};
use crate::usage::cut;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

/// The report that says it.
const CODE: &str = "service.endpoints";
/// Days of a sensor that are read: the last ones on which it said something.
const DAYS: usize = 3;
/// Endpoints of one event.
const MOST_ENDPOINTS: usize = 1_000;
/// Words of a list, and reasons of a score.
const MOST_WORDS: usize = 64;

/// What one sensor said of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// When, in milliseconds since 1970.
    pub ms: i64,
    /// The number of the event that said it.
    sequence: i64,
    /// Members of an object, as JSON.
    text: Box<str>,
}

impl Word {
    /// What it said: `states`, `exposure` and `threat` with their reasons, `owner`, `zone`, `criticality`, `asset`, `tags`. Each of
    /// them has its form, or is not there.
    pub fn said(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// The form of a member.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Words,
    /// 0 to 100.
    Points,
    /// Objects with a name, points, and what was seen.
    Reasons,
}

const MEMBERS: [(&str, Form); 10] = [
    ("states", Form::Words),
    ("exposure", Form::Points),
    ("exposure_reasons", Form::Reasons),
    ("threat", Form::Points),
    ("threat_reasons", Form::Reasons),
    ("owner", Form::Text),
    ("zone", Form::Text),
    ("criticality", Form::Text),
    ("asset", Form::Text),
    ("tags", Form::Words),
];

impl Form {
    /// What is believed of a member, where it has that form.
    fn checked(self, value: &Value) -> Option<Value> {
        Some(match self {
            Self::Text => cut(value.as_str()?).into(),
            Self::Words => value
                .as_array()?
                .iter()
                .take(MOST_WORDS)
                .map(|one| one.as_str().map(cut))
                .collect::<Option<_>>()?,
            Self::Points => value.as_u64().filter(|points| *points <= 100)?.into(),
            Self::Reasons => value.as_array()?.iter().take(MOST_WORDS).map(reason).collect::<Option<_>>()?,
        })
    }
}

fn reason(value: &Value) -> Option<Value> {
    let text = |name: &str| Some(Value::from(cut(value.get(name)?.as_str()?)));
    let points = Form::Points.checked(value.get("points")?)?;
    let members = [("reason", text("reason")?), ("points", points), ("seen", text("seen")?)];
    Some(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into())
}

/// An event with words on endpoints of one service.
struct Event<'e> {
    reporter: Option<&'e str>,
    tenant: Option<&'e str>,
    site: Option<&'e str>,
    service: &'e str,
    ms: i64,
    sequence: i64,
}

/// Columns of a row group of the table, by name.
struct Group(BTreeMap<&'static str, Option<Values>>);

/// Whose words they are, and where they are looked for first.
const SHORT: [&str; 4] = ["code", "reporter", "tenant", "site"];
const LONG: [&str; 4] = ["time", "sequence", "service", "endpoints"];

impl Group {
    fn read(
        &mut self,
        file: &FileRows,
        at: usize,
        table: &Table,
        names: &[&'static str],
    ) -> Result<(), LakeError> {
        for column in table.columns.iter().filter(|column| names.contains(&column.name)) {
            self.0.insert(column.name, file.column(at, column.name, column.kind)?);
        }
        Ok(())
    }

    fn text(&self, name: &str, row: usize) -> Option<&str> {
        text(self.0.get(name)?.as_ref(), row)
    }

    fn int(&self, name: &str, row: usize) -> Option<i64> {
        int(self.0.get(name)?.as_ref(), row)
    }

    /// Whether the row is one of such words that are wanted.
    fn is_word(&self, row: usize, wanted: &Wanted<'_>) -> bool {
        let fits = |wanted: Option<&str>, is: Option<&str>| wanted.is_none() || wanted == is;
        self.text("code", row) == Some(CODE)
            && fits(wanted.tenant, self.text("tenant", row))
            && fits(wanted.site, self.text("site", row))
    }

    fn sensor(&self, row: usize) -> Sensor {
        let owned = |name: &str| self.text(name, row).map(str::to_owned);
        (owned("tenant"), owned("reporter"))
    }

    fn event(&self, row: usize) -> Option<Event<'_>> {
        Some(Event {
            reporter: self.text("reporter", row),
            tenant: self.text("tenant", row),
            site: self.text("site", row),
            service: self.text("service", row)?,
            ms: self.int("time", row)?,
            sequence: self.int("sequence", row).unwrap_or_default(),
        })
    }
}

/// Tenant and name.
type Sensor = (Option<String>, Option<String>);

/// A file of the table in which sensors say something, and its rows that do, by row group.
struct Found {
    part: Part,
    rows: Vec<(usize, Vec<(usize, Sensor)>)>,
}

impl All {
    /// Takes the last words of sensors.
    pub(super) fn hear(&mut self, place: &Place, wanted: &Wanted<'_>) -> Result<(), LakeError> {
        let Some(table) = TABLES.iter().find(|table| table.name == OF_SENSORS) else { return Ok(()) };
        let mut parts: Vec<Part> = place.snapshot(table)?.unwrap_or_default().parts.into_values().collect();
        // The newest first: what is older takes no room.
        parts.sort_by(|a, b| (&b.day, b.times, &b.path).cmp(&(&a.day, a.times, &a.path)));
        let mut days: BTreeMap<Sensor, BTreeSet<String>> = BTreeMap::new();
        for part in parts {
            let found = find(place, part, table, wanted, &mut days)?;
            if !found.rows.is_empty() {
                self.hear_file(place, &found, table, wanted)?;
            }
        }
        Ok(())
    }

    fn hear_file(
        &mut self,
        place: &Place,
        found: &Found,
        table: &Table,
        wanted: &Wanted<'_>,
    ) -> Result<(), LakeError> {
        let file = place.open(table.name, &found.part)?;
        for (at, rows) in &found.rows {
            let mut group = Group(BTreeMap::new());
            group.read(&file, *at, table, &SHORT)?;
            group.read(&file, *at, table, &LONG)?;
            for (row, _) in rows.iter().rev() {
                let endpoints =
                    group.text("endpoints", *row).and_then(|text| serde_json::from_str(text).ok());
                if let (Some(event), Some(Value::Array(endpoints))) = (group.event(*row), endpoints) {
                    endpoints.iter().take(MOST_ENDPOINTS).for_each(|one| self.say(&event, one, wanted));
                }
            }
        }
        Ok(())
    }

    /// Takes a word on an endpoint, where it is the sensor's last.
    fn say(&mut self, event: &Event<'_>, one: &Value, wanted: &Wanted<'_>) {
        let member = |name: &str| one.get(name).and_then(Value::as_str);
        let Some(id) = member("id").filter(|id| is_id(id)) else { return };
        let (Some(method), Some(template)) = (member("method"), member("template")) else { return };
        let fresh = SeenEndpoint {
            tenant: event.tenant.filter(|_| !wanted.together).map(str::to_owned),
            service: event.service.to_owned(),
            method: method.to_owned(),
            template: template.to_owned(),
            operation: member("operation").map(str::to_owned),
            times: NEVER,
            ..SeenEndpoint::default()
        };
        let who = self.hasher.hash_one((event.tenant, event.reporter));
        let is_taken = self.place(fresh, who).is_some_and(|at| {
            let Self { endpoints, room, .. } = self;
            endpoints.get_mut(at).is_some_and(|endpoint| {
                endpoint.take_id(id);
                endpoint.hear(event, one, who, room)
            })
        });
        self.unsaid = self.unsaid.saturating_add(u64::from(!is_taken));
    }

    /// The place of an endpoint with those names, which may be a new one; `None` where there is no room.
    fn place(&mut self, fresh: SeenEndpoint, who: u64) -> Option<usize> {
        let SeenEndpoint { tenant, service, method, template, operation, .. } = &fresh;
        let texts: [Option<&str>; 5] =
            [tenant.as_deref(), Some(service), Some(method), Some(template), operation.as_deref()];
        let key = key_of(texts, None);
        if let Some(at) = self.places.get(key.as_slice()) {
            return Some(*at);
        }
        self.room.takes_endpoint(who, key.len()).then(|| {
            self.endpoints.push(fresh);
            self.places.insert(key.into(), self.endpoints.len() - 1);
            self.endpoints.len() - 1
        })
    }
}

/// The rows of a file that are such words, of days that are among the last of their sensors.
fn find(
    place: &Place,
    part: Part,
    table: &Table,
    wanted: &Wanted<'_>,
    days: &mut BTreeMap<Sensor, BTreeSet<String>>,
) -> Result<Found, LakeError> {
    let file = place.open(table.name, &part)?;
    let mut found = Found { part, rows: Vec::new() };
    for at in (0..file.groups()).rev() {
        let mut group = Group(BTreeMap::new());
        group.read(&file, at, table, &SHORT)?;
        let rows = (0..file.rows_of(at)).filter(|row| group.is_word(*row, wanted));
        let rows = rows.map(|row| (row, group.sensor(row))).filter(|(_, sensor)| {
            let days = days.entry(sensor.clone()).or_default();
            // Files come by their days, the last first.
            days.contains(&found.part.day) || days.len() < DAYS && days.insert(found.part.day.clone())
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            found.rows.push((at, rows));
        }
    }
    Ok(found)
}

/// What is believed of a word.
fn checked(one: &Value) -> Value {
    let members =
        MEMBERS.iter().filter_map(|(name, form)| Some(((*name).to_owned(), form.checked(one.get(*name)?)?)));
    Value::Object(members.collect())
}

/// When the sensor saw its first and its last call.
fn times(one: &Value) -> (i64, i64) {
    let time = |name: &str| one.get(name).and_then(Value::as_i64);
    time("first_ms").zip(time("last_ms")).filter(|(first, last)| first <= last).unwrap_or(NEVER)
}

impl SeenEndpoint {
    /// Takes what that event says of it, where nothing later is known of its sensor; false where there is no room.
    fn hear(&mut self, event: &Event<'_>, one: &Value, who: u64, room: &mut Room) -> bool {
        let name = |text: Option<&str>| text.map(|text| cut(text).to_owned());
        let teller = Teller {
            name: name(event.reporter).unwrap_or_default(),
            tenant: name(event.tenant),
            site: name(event.site),
        };
        if self.knows_later(&teller, (event.ms, event.sequence)) {
            return true;
        }
        let word = Word { ms: event.ms, sequence: event.sequence, text: checked(one).to_string().into() };
        let takes = room.bytes.takes(who, word.text.len())
            && (self.sensors.contains_key(&teller)
                || room.takes_name(who, self.sensors.len(), teller.name.len()));
        if takes {
            self.take_word(teller, word, times(one));
        }
        takes
    }

    /// Whether something later is known of that sensor, wherever it stood.
    fn knows_later(&self, teller: &Teller, order: (i64, i64)) -> bool {
        let its =
            |(other, _): &(&Teller, &Told)| (&other.name, &other.tenant) == (&teller.name, &teller.tenant);
        let words = self.sensors.iter().filter(its).filter_map(|(_, told)| told.word.as_ref());
        words.map(|word| (word.ms, word.sequence)).max().is_some_and(|known| known >= order)
    }

    fn take_word(&mut self, teller: Teller, word: Word, times: (i64, i64)) {
        // What it said elsewhere it has said before.
        for (other, told) in &mut self.sensors {
            if (&other.name, &other.tenant) == (&teller.name, &teller.tenant) {
                told.word = None;
            }
        }
        if !self.is_summed {
            self.times = (self.times.0.min(times.0), self.times.1.max(times.1));
        }
        let told = self.sensors.entry(teller).or_insert_with(|| Told { times, ..Told::default() });
        told.word = Some(word);
    }
}

#[cfg(test)]
mod tests;
