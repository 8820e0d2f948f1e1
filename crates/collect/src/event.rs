//! Checks an event, and gives it the labels of its sensor's record.

use crate::json::{Bad, Member, members};
use crate::roll::Place;
use std::borrow::Cow;
use std::fmt;

/// The newest schema (OCSF, `metadata.version`) that is taken: major and minor number.
pub const NEWEST_SCHEMA: (u32, u32) = (1, 8);
/// The oldest: two versions before.
pub const OLDEST_SCHEMA: (u32, u32) = (1, 6);

/// Bytes of an event.
pub(crate) const LONGEST: usize = 1 << 20;
/// Bytes of a uid.
const LONGEST_UID: usize = 64;
/// An event is from after 2000-01-01.
const FIRST_MS: i64 = 946_684_800_000;
/// How far a sensor's clock may be ahead.
const AHEAD_MS: i64 = 86_400_000;

/// Classes that events may be of. An exchange is what there are many of.
const EXCHANGES: [&str; 2] = ["6003", "4002"];
const OTHERS: [&str; 5] = ["2004", "2005", "2006", "2007", OF_ITSELF];
/// What a sensor says of itself.
const OF_ITSELF: &str = "0";

/// Why a line is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Text,
    Json(Bad),
    Long,
    NoTime,
    Ahead,
    Class,
    NoUid,
    NoSchema,
    OldSchema,
    NewSchema,
    Days,
    Object,
}

impl Fault {
    /// Whether it is the sensor's version rather than this event.
    pub(crate) const fn is_schema(self) -> bool {
        matches!(self, Self::OldSchema | Self::NewSchema)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((major, oldest), (_, newest)) = (OLDEST_SCHEMA, NEWEST_SCHEMA);
        let versions = format!("this collector takes {major}.{oldest} to {major}.{newest}");
        match self {
            Self::Text => f.write_str("this is no UTF-8 text"),
            Self::Json(Bad::Syntax) => f.write_str("this is no JSON object"),
            Self::Json(Bad::Deep) => f.write_str("objects and lists are nested too deeply"),
            Self::Json(Bad::Twice) => f.write_str("an object has too many members, or two of one name"),
            Self::Json(Bad::Name) => f.write_str("a member's name has an escape"),
            Self::Long => write!(f, "longer than {LONGEST} bytes"),
            Self::NoTime => f.write_str("no time in milliseconds after 2000-01-01"),
            Self::Ahead => f.write_str("a time more than a day ahead: look at the sensor's clock"),
            Self::Class => f.write_str("no class_uid that is known: events are sent in the format ocsf"),
            Self::NoUid => f.write_str("no metadata.uid"),
            Self::NoSchema => f.write_str("no metadata.version"),
            Self::OldSchema => write!(f, "an old schema: {versions}; upgrade the sensor"),
            Self::NewSchema => write!(f, "a newer schema: {versions}; upgrade the collector first"),
            Self::Object => f.write_str("metadata or unmapped is no object"),
            Self::Days => f.write_str("events of too many days in one batch; send smaller ones"),
        }
    }
}

/// What is known of an event that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About<'a> {
    pub(crate) ms: i64,
    pub(crate) uid: Cow<'a, str>,
    pub(crate) is_exchange: bool,
}

/// Where the members stand that are looked at.
#[derive(Default)]
struct Found<'a> {
    time: Option<&'a str>,
    class: Option<&'a str>,
    metadata: Option<Inner<'a>>,
    unmapped: Option<Inner<'a>>,
}

/// A member that is an object, with its members.
struct Inner<'a> {
    begin: usize,
    end: usize,
    members: Vec<Member<'a>>,
}

/// Checks the event of that line and appends it to `out`, with the labels and a line end. Without a time of its own the
/// collector has taken it before, perhaps in another version.
pub(crate) fn take<'a>(
    line: &'a str,
    place: &Place,
    now_ms: Option<i64>,
    out: &mut String,
) -> Result<About<'a>, Fault> {
    if line.len() > LONGEST {
        return Err(Fault::Long);
    }
    let found = find(line)?;
    let ms = found.time.and_then(|text| text.parse::<i64>().ok()).filter(|ms| *ms >= FIRST_MS);
    let ms = ms.ok_or(Fault::NoTime)?;
    if now_ms.is_some_and(|now_ms| ms > now_ms.saturating_add(AHEAD_MS)) {
        return Err(Fault::Ahead);
    }
    let class = found.class.ok_or(Fault::Class)?;
    let is_exchange = EXCHANGES.contains(&class);
    if !is_exchange && !OTHERS.contains(&class) {
        return Err(Fault::Class);
    }
    let metadata = found.metadata.as_ref().ok_or(Fault::NoSchema)?;
    let value = |name: &str| {
        metadata.members.iter().find(|member| member.name == name).and_then(|member| text(line, member))
    };
    let version = value("version").ok_or(Fault::NoSchema)?;
    if now_ms.is_some() {
        suits(version)?;
    }
    let uid = match value("uid") {
        Some(text) => plain_uid(text).map(Cow::Borrowed),
        // What a sensor says of itself has a number only.
        None if class == OF_ITSELF => {
            let number = value("sequence").and_then(|text| text.parse::<u64>().ok());
            number.map(|number| format!("{}#{number}", place.name).into())
        }
        None => None,
    };
    let uid = uid.ok_or(Fault::NoUid)?;
    label(line, metadata, found.unmapped.as_ref(), place, out);
    Ok(About { ms, uid, is_exchange })
}

fn text<'a>(line: &'a str, member: &Member<'_>) -> Option<&'a str> {
    line.get(member.begin..member.end)
}

fn find(line: &str) -> Result<Found<'_>, Fault> {
    let mut found = Found::default();
    let mut inner = Vec::new();
    let mut strange = false;
    members(line, &mut |member| {
        if member.is_inner {
            return inner.push(member);
        }
        let mut object = || {
            let members = std::mem::take(&mut inner);
            strange |= !line.get(member.begin..).is_some_and(|value| value.starts_with('{'));
            Some(Inner { begin: member.begin, end: member.end, members })
        };
        match member.name {
            "time" => found.time = text(line, &member),
            "class_uid" => found.class = text(line, &member),
            "metadata" => found.metadata = object(),
            "unmapped" => found.unmapped = object(),
            _ => {}
        }
        inner.clear();
    })
    .map_err(Fault::Json)?;
    if strange { Err(Fault::Object) } else { Ok(found) }
}

fn plain_uid(text: &str) -> Option<&str> {
    let uid = text.strip_prefix('"')?.strip_suffix('"')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=LONGEST_UID).contains(&uid.len()) && uid.bytes().all(fits)).then_some(uid)
}

/// Appends the event with its sensor's labels.
fn label(line: &str, metadata: &Inner<'_>, unmapped: Option<&Inner<'_>>, place: &Place, out: &mut String) {
    let mut pieces = [Some((metadata, true)), unmapped.map(|unmapped| (unmapped, false))];
    pieces.sort_by_key(|piece| piece.as_ref().map(|(inner, _)| inner.begin));
    let part = |from: usize, to: usize| line.get(from..to).unwrap_or_default();
    let mut at = 0;
    for (inner, is_metadata) in pieces.into_iter().flatten() {
        out.push_str(part(at, inner.begin));
        if is_metadata {
            relabel(line, inner, &["reporter", "tenant_uid"], out);
            member("reporter", &["{\"name\":\"", &place.name, "\"}"], out);
            place.tenant.iter().for_each(|tenant| member("tenant_uid", &["\"", tenant, "\""], out));
        } else {
            relabel(line, inner, &["site"], out);
            place.site.iter().for_each(|site| member("site", &["\"", site, "\""], out));
        }
        out.push('}');
        at = inner.end;
    }
    let rest = part(at, line.len()).trim_end();
    match (&place.site, unmapped) {
        (Some(site), None) => {
            out.push_str(rest.strip_suffix('}').unwrap_or(rest));
            member("unmapped", &["{\"site\":\"", site, "\"}"], out);
            out.push('}');
        }
        _ => out.push_str(rest),
    }
    out.push('\n');
}

/// Appends an object without some of its members, and without its end.
fn relabel(line: &str, inner: &Inner<'_>, without: &[&str], out: &mut String) {
    out.push('{');
    for one in inner.members.iter().filter(|one| !without.contains(&one.name)) {
        member(one.name, &[text(line, one).unwrap_or_default()], out);
    }
}

/// Appends a member to an object that is open.
fn member(name: &str, value: &[&str], out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push('"');
    out.push_str(name);
    out.push_str("\":");
    value.iter().for_each(|text| out.push_str(text));
}

/// Whether events of that schema are understood.
fn suits(version: &str) -> Result<(), Fault> {
    let mut numbers = version.trim_matches('"').split('.').map(|part| part.parse::<u32>());
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return Err(Fault::NoSchema);
    };
    if (major, minor) > NEWEST_SCHEMA {
        Err(Fault::NewSchema)
    } else if (major, minor) < OLDEST_SCHEMA {
        Err(Fault::OldSchema)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000_000;

    fn place(site: Option<&str>, tenant: Option<&str>) -> Place {
        Place { name: "north-1".into(), site: site.map(Into::into), tenant: tenant.map(Into::into) }
    }

    fn event() -> Value {
        json!({
            "time": 1_700_000_000_000_i64, "class_uid": 6003,
            "metadata": {"version": "1.8.0", "uid": "ab12", "reporter": {"name": "other"}, "tenant_uid": "other"},
            "unmapped": {"site": "other", "flow": 1},
        })
    }

    fn taken(event: &Value, place: &Place) -> Result<Value, Fault> {
        let (line, mut out) = (event.to_string(), String::from("before\n"));
        let told = take(&line, place, Some(NOW), &mut out);
        let written = out.strip_prefix("before\n").unwrap();
        match told {
            Ok(about) => {
                assert_eq!((about.uid.as_ref(), about.ms), ("ab12", 1_700_000_000_000));
                Ok(serde_json::from_str(written.strip_suffix('\n').unwrap()).unwrap())
            }
            Err(fault) => {
                assert_eq!(written, "");
                Err(fault)
            }
        }
    }

    #[test]
    fn a_sensor_cannot_say_who_or_where_it_is() {
        let taken_here = taken(&event(), &place(Some("Oslo"), Some("acme"))).unwrap();
        let expected =
            json!({"version": "1.8.0", "uid": "ab12", "reporter": {"name": "north-1"}, "tenant_uid": "acme"});
        assert_eq!(taken_here["metadata"], expected);
        assert_eq!(taken_here["unmapped"], json!({"flow": 1, "site": "Oslo"}));
        let nowhere = taken(&event(), &place(None, None)).unwrap();
        assert_eq!(
            nowhere["metadata"],
            json!({"version": "1.8.0", "uid": "ab12", "reporter": {"name": "north-1"}})
        );
        assert_eq!(nowhere["unmapped"], json!({"flow": 1}));
        let mut bare = event();
        bare.as_object_mut().unwrap().remove("unmapped");
        assert_eq!(taken(&bare, &place(Some("Oslo"), None)).unwrap()["unmapped"], json!({"site": "Oslo"}));
        assert_eq!(taken(&bare, &place(None, None)).unwrap().get("unmapped"), None);
    }

    #[test]
    fn what_is_no_event_is_refused_with_its_reason() {
        let with = |path: &str, value: Value| {
            let mut event = event();
            *event.pointer_mut(path).unwrap() = value;
            taken(&event, &place(None, None)).unwrap_err()
        };
        assert_eq!(with("/time", json!("now")), Fault::NoTime);
        assert_eq!(with("/time", json!(12)), Fault::NoTime);
        assert_eq!(with("/time", json!(NOW + 2 * AHEAD_MS)), Fault::Ahead);
        assert_eq!(with("/class_uid", json!(9)), Fault::Class);
        assert_eq!(with("/metadata", json!([])), Fault::Object);
        assert_eq!(with("/metadata", json!({})), Fault::NoSchema);
        assert_eq!(with("/metadata/uid", json!("a\"b")), Fault::NoUid);
        assert_eq!(with("/metadata/version", json!("1.5.0")), Fault::OldSchema);
        assert_eq!(with("/metadata/version", json!("1.9.0")), Fault::NewSchema);
        assert_eq!(with("/metadata/version", json!("2.0.0")), Fault::NewSchema);
        assert_eq!(with("/metadata/version", json!("x")), Fault::NoSchema);
        assert_eq!(with("/unmapped", json!(7)), Fault::Object);
        let mut heartbeat = event();
        heartbeat["class_uid"] = json!(0);
        heartbeat["metadata"] = json!({"version": "1.8.0", "sequence": 7});
        let mut out = String::new();
        let told =
            take(&heartbeat.to_string(), &place(None, None), Some(NOW), &mut out).unwrap().uid.into_owned();
        assert_eq!(told, "north-1#7");
        out.clear();
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST));
        assert_eq!(take(&long, &place(None, None), Some(NOW), &mut out), Err(Fault::Long));
        for version in ["1.6.2", "1.7.0", "1.8.0"] {
            assert_eq!(suits(version), Ok(()), "{version}");
        }
    }
}
