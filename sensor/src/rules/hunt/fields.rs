//! Which fields of rules the table of exchanges has as they were, and where.

use std::borrow::Cow;
use tapwire_expr::Value;
use tapwire_inspect::percent_decode;
use tapwire_lake::Cell;
use tapwire_rules::KEYWORDS;

/// What a column holds, for rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Number,
    Truth,
    Address,
    /// The sensor's own word, or a token, which is one live, too.
    Own,
    /// Text of traffic, which is what was sent where nothing of it was replaced.
    Sent,
    /// A list of the sensor's own words.
    OwnList,
    /// A list of texts of traffic.
    SentList,
    /// Path and query, by a part of them.
    Target(Part),
}

impl Holds {
    /// Whether it is text that was sent, of which events have at most the beginning.
    pub(super) const fn is_of_traffic(self) -> bool {
        matches!(self, Self::Sent | Self::SentList | Self::Target(_))
    }
}

/// A part of the request target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Stem,
    Query,
    QueryAndWhole,
    Extension,
}

/// A field that the table has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// Names that rules have for it.
    pub(super) names: &'static [&'static str],
    pub(super) holds: Holds,
    /// What SQL says for it.
    pub(super) sql: &'static str,
}

const fn kept(names: &'static [&'static str], holds: Holds, sql: &'static str) -> Kept {
    Kept { names, holds, sql }
}

// Where SQL says `tok:`, the text is not known as it was sent.

/// A request header; of more than an event tells, some are not known.
macro_rules! header {
    ($name:literal) => {
        concat!(
            "CASE WHEN json_array_length(request_headers) > 63 THEN 'tok:' ELSE ",
            "(SELECT json_extract(value, '$.value') FROM json_each(request_headers) ",
            "WHERE lower(json_extract(value, '$.name')) = '",
            $name,
            "' LIMIT 1) END"
        )
    };
}

/// Of a response without a status, events tell only that there was one.
macro_rules! of_response {
    ($column:literal) => {
        concat!(
            "CASE WHEN status IS NULL AND json_extract(extra, '$.unmapped.response_seen') THEN 'tok:' ELSE ",
            $column,
            " END"
        )
    };
}

/// An event tells at most 32 places of data classes.
macro_rules! classes {
    ($of:literal) => {
        concat!(
            "CASE WHEN json_extract(extra, '$.unmapped.data_classes_left_out') > 0 THEN '[\"tok:\"]' ELSE ",
            "(SELECT json_group_array(DISTINCT json_extract(value, '$.class')) FROM json_each(data_classes) ",
            "WHERE json_extract(value, '$.where') LIKE '",
            $of,
            "%') END"
        )
    };
}

use Holds::{Address, Number, Own, OwnList, Sent, SentList, Target, Truth};

/// Every field that the table has.
pub(super) const KEPT: &[Kept] = &[
    kept(&["time"], Number, "coalesce(time_ns, ms(time) * 1000000)"),
    kept(&["client", "c-ip", "src_ip"], Address, "client"),
    kept(&["client_port", "src_port"], Number, "client_port"),
    kept(&["server", "s-ip", "dst_ip"], Address, "server"),
    kept(&["server_port", "s-port", "dst_port"], Number, "server_port"),
    kept(&["method", "cs-method"], Sent, "coalesce(method, json_extract(extra, '$.unmapped.method'))"),
    // CONNECT has no path, and events have no host without one.
    kept(&["host", "cs-host", "r-dns"], Sent, "CASE WHEN path IS NULL THEN 'tok:' ELSE host END"),
    kept(&["path"], Sent, "path"),
    kept(&["query"], Sent, "query"),
    kept(&["cs-uri"], Target(Part::Whole), "NULL"),
    kept(&["cs-uri-stem", "c-uri-stem"], Target(Part::Stem), "NULL"),
    kept(&["cs-uri-query"], Target(Part::QueryAndWhole), "NULL"),
    kept(&["c-uri-query"], Target(Part::Query), "NULL"),
    kept(&["c-uri-extension"], Target(Part::Extension), "NULL"),
    kept(&["version"], Sent, "coalesce(version, 'tok:')"),
    kept(&["cs-version"], Sent, "coalesce('HTTP/' || version, 'tok:')"),
    kept(&["status", "sc-status"], Number, "status"),
    kept(&["time-taken"], Number, "duration"),
    kept(&["request_length"], Number, "request_length"),
    kept(&["response_length"], Number, of_response!("response_length")),
    kept(&["content_type"], Sent, of_response!("content_type")),
    kept(&["request_content_type"], Sent, header!("content-type")),
    kept(&["user_agent", "cs-user-agent", "c-useragent"], Sent, "user_agent"),
    kept(&["referer", "cs-referer", "cs-referrer"], Sent, header!("referer")),
    kept(&["service"], Sent, "service"),
    kept(&["template"], Sent, "template"),
    kept(&["endpoint"], Own, "endpoint"),
    // Where nothing is called by a name, events have method and template instead.
    kept(
        &["operation"],
        Sent,
        "CASE WHEN operation = coalesce(method, json_extract(extra, '$.unmapped.method'), 'unknown') \
         || coalesce(' ' || template, '') THEN NULL ELSE operation END",
    ),
    kept(&["failed"], Truth, "coalesce(failed, 0)"),
    kept(
        &["outcome"],
        Own,
        "CASE WHEN status IS NULL THEN 'unseen' WHEN status IN (401, 403) THEN 'denied' \
         WHEN status >= 400 OR failed THEN 'failed' ELSE 'success' END",
    ),
    kept(&["principal"], Own, "principal_kind || '~' || substr(principal, 5)"),
    kept(&["principal.kind"], Own, "principal_kind"),
    kept(&["principal.by"], Own, "principal_by"),
    kept(&["principal.login"], Own, "json_extract(extra, '$.unmapped.principal.login')"),
    kept(&["session"], Own, "session"),
    kept(&["role"], SentList, "roles"),
    kept(&["scope"], SentList, "json_extract(extra, '$.unmapped.principal.scopes')"),
    kept(&["token_facts"], OwnList, "token_facts"),
    kept(&["zone"], Own, "zone"),
    kept(&["server_zone"], Own, "server_zone"),
    kept(&["owner"], Own, "owner"),
    kept(&["criticality"], Own, "json_extract(extra, '$.unmapped.server.criticality')"),
    kept(&["asset"], Own, "json_extract(extra, '$.unmapped.server.name')"),
    kept(&["client_claimed"], Address, "json_extract(extra, '$.unmapped.client.claimed')"),
    kept(&["lists"], OwnList, "json_extract(extra, '$.unmapped.lists')"),
    kept(&["data_classes"], SentList, classes!("")),
    kept(&["request_data_classes"], SentList, classes!("request.")),
    kept(&["response_data_classes"], SentList, classes!("response.")),
    kept(&["anomalies"], OwnList, "anomalies"),
    kept(&["protocols"], OwnList, "protocols"),
    kept(&["pairing"], Own, "pairing"),
    kept(&["seen_request"], Own, "coalesce(seen_request, 'missing')"),
    kept(&["seen_response"], Own, "coalesce(seen_response, 'missing')"),
    kept(&["missed_bytes"], Number, "missed_bytes"),
    kept(&["joined_late"], Truth, "json_extract(extra, '$.unmapped.seen.joined_late')"),
    kept(&["decrypted"], Truth, "coalesce(decrypted, 0)"),
    kept(&["sni"], Sent, "sni"),
    kept(&["ja3"], Own, "ja3"),
    kept(&["ja3s"], Own, "json_extract(extra, '$.unmapped.ja3s')"),
    kept(&["ja4"], Own, "ja4"),
    kept(&["vlan"], Number, "vlan"),
    kept(&["vni"], Number, "vni"),
    kept(&["tunnel"], OwnList, "json_extract(extra, '$.unmapped.tunnel')"),
    kept(&["flow"], Number, "flow"),
    kept(&["stream"], Number, "stream"),
    kept(&["uid"], Own, "uid"),
    kept(&["parent"], Own, "parent"),
    kept(&["child"], Number, "child"),
    kept(&["kind"], Own, "json_extract(extra, '$.unmapped.kind')"),
    kept(&["request_frame"], Number, "json_extract(extra, '$.unmapped.packets.request[0]')"),
    kept(&["response_frame"], Number, "json_extract(extra, '$.unmapped.packets.response[0]')"),
];

/// Fields that events do not have, or not as exactly: rules that read one need packets.
pub(super) const NOT_KEPT: &[(&str, &str)] = &[
    ("latency", "kept in milliseconds"),
    ("duration", "kept in milliseconds"),
    ("cs-bytes", "heads are not kept whole"),
    ("sc-bytes", "heads are not kept whole"),
    ("c-uri", "the port and the scheme are not kept with the host"),
    ("cs-cookie", "cookies are tokens"),
    ("credentials", "credentials are not kept"),
    ("authentication", "credentials are not kept"),
    ("request_fields", "bodies are not kept"),
    ("response_fields", "bodies are not kept"),
    ("request_format", "bodies are not kept"),
    ("response_format", "bodies are not kept"),
    ("discovered", "it depends on what was known at the time"),
    ("principal.calls", "it depends on what was known at the time"),
    ("number", "it is of the run"),
    (KEYWORDS, "the request is not kept as it was sent"),
];

/// Fields that are learned: packets of a part of the time may give others than the run that saw all.
pub(super) const LEARNED: &[&str] = &[
    "endpoint",
    "template",
    "service",
    "principal",
    "principal.login",
    "session",
    "discovered",
    "principal.calls",
];

/// The field of that name, where the table has it.
pub(super) fn find(name: &str) -> Option<&'static Kept> {
    KEPT.iter().find(|kept| kept.names.contains(&name))
}

/// Path and query of a row, where rules read them.
pub(super) struct Paths<'a> {
    pub(super) path: &'a Cell,
    pub(super) query: &'a Cell,
}

/// The value of a field as rules see it live; `None` where that is not known, since a text of it was replaced.
pub(super) fn value(holds: Holds, cell: &Cell, paths: &Paths<'_>) -> Option<Value<'static>> {
    Some(match (holds, cell) {
        (Target(part), _) => return target(part, paths),
        (OwnList | SentList, Cell::Null) => Value::List(Vec::new()),
        (_, Cell::Null) => Value::Unknown,
        (Truth, Cell::Int(number)) => Value::Bool(*number != 0),
        (_, Cell::Int(number)) => Value::Int(*number),
        (Own, Cell::Text(text)) => owned(text),
        (Sent, Cell::Text(text)) => sent(text).then(|| owned(text))?,
        (Address, Cell::Text(text)) => Value::Ip(text.parse().ok()?),
        (OwnList | SentList, Cell::Text(text)) => {
            let mut texts: Vec<String> = serde_json::from_str(text).ok()?;
            if holds == SentList && !texts.iter().all(|text| sent(text)) {
                return None;
            }
            if holds == SentList {
                texts.sort_unstable();
            }
            Value::List(texts.into_iter().map(|text| Cow::Owned(text.into_bytes())).collect())
        }
        _ => return None,
    })
}

fn owned(text: &str) -> Value<'static> {
    Value::Text(Cow::Owned(text.as_bytes().to_vec()))
}

/// Whether a text is surely what was sent: nothing in it was replaced, dropped or hidden, and no byte beyond ASCII was written
/// as an escape, which may have been sent as one, too.
fn sent(text: &str) -> bool {
    let bytes = text.as_bytes();
    let escaped = |at: usize| {
        bytes.get(at) == Some(&b'%')
            && bytes.get(at + 1).is_some_and(|digit| b"89abcdefABCDEF".contains(digit))
    };
    // Of a card's number `x` stands for digits.
    let hidden =
        |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit) && bytes.get(at + 1..at + 3) == Some(b"xx");
    let replaced = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        let rest = rest.strip_prefix("tok").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        rest.is_some_and(|rest| rest.starts_with(':'))
    };
    let is_changed = |at: usize| escaped(at) || hidden(at) || text.is_char_boundary(at) && replaced(at);
    let is_marked = text.contains("dropped:") || text.contains("enc:");
    !is_marked && !(0..bytes.len()).any(is_changed)
}

/// A part of the target as rules see it: as sent and, where it has escapes, without them.
fn target(part: Part, paths: &Paths<'_>) -> Option<Value<'static>> {
    if !matches!(paths.path, Cell::Text(_)) {
        return Some(Value::Unknown);
    }
    let path = || known(paths.path).map(Option::unwrap_or_default);
    let query = || known(paths.query);
    let whole = || {
        let (path, query) = (path()?, query()?);
        Some(query.map_or_else(|| path.clone(), |query| [path.as_slice(), b"?", query.as_slice()].concat()))
    };
    let both = |text: Vec<u8>| {
        let plain = text.contains(&b'%').then(|| percent_decode(&text, text.len()));
        [Some(text), plain].into_iter().flatten()
    };
    let texts: Vec<Vec<u8>> = match part {
        Part::Whole => both(whole()?).collect(),
        Part::Stem => both(path()?).collect(),
        Part::Query => query()?.into_iter().flat_map(both).collect(),
        Part::QueryAndWhole => query()?.into_iter().flat_map(both).chain(both(whole()?)).collect(),
        Part::Extension => extension(&path()?).into_iter().collect(),
    };
    let mut texts: Vec<Cow<'static, [u8]>> = texts.into_iter().map(Cow::Owned).collect();
    Some(match texts.len() {
        0 => Value::Unknown,
        1 => texts.pop().map(Value::Text).into(),
        _ => Value::List(texts),
    })
}

/// The text of a cell, where there is one; nothing where that was replaced.
fn known(cell: &Cell) -> Option<Option<Vec<u8>>> {
    match cell {
        Cell::Text(text) => sent(text).then(|| Some(text.clone().into_bytes())),
        _ => Some(None),
    }
}

fn extension(path: &[u8]) -> Option<Vec<u8>> {
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    name.get(dot + 1..).filter(|end| !end.is_empty()).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tapwire_rules::{Names, Taxonomy};

    #[test]
    fn every_field_of_rules_is_kept_or_named_as_not_kept() {
        let names = Names::default();
        let known: BTreeSet<&str> =
            Taxonomy::ALL.into_iter().flat_map(|taxonomy| names.of(taxonomy)).chain([KEYWORDS]).collect();
        let kept = KEPT.iter().flat_map(|kept| kept.names).copied();
        let mut named: Vec<&str> = kept.chain(NOT_KEPT.iter().map(|(name, _)| *name)).collect();
        named.sort_unstable();
        assert_eq!(named, known.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_was_replaced_is_not_taken_for_what_was_sent() {
        for text in ["/orders/17", "/token/x", "tokens: 3", "a%20b", "Mozilla/5.0 (xx)", "/stock:1"] {
            assert!(sent(text), "{text}");
        }
        for text in [
            "/u/tok:0011223344556677",
            "a=tok2:00",
            "dropped:cvv",
            "411111xxxxxx1111",
            "/caf%C3%A9",
            "enc:AAAA",
        ] {
            assert!(!sent(text), "{text}");
        }
    }

    #[test]
    fn targets_are_there_as_sent_and_decoded() {
        let (path, query) = (Cell::Text("/a%2fb/c.php".into()), Cell::Text("q=1".into()));
        let paths = Paths { path: &path, query: &query };
        let texts = |part| match target(part, &paths).unwrap() {
            Value::List(texts) => {
                texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
            }
            Value::Text(text) => vec![String::from_utf8_lossy(&text).into_owned()],
            other => panic!("{other:?}"),
        };
        assert_eq!(texts(Part::Whole), ["/a%2fb/c.php?q=1", "/a/b/c.php?q=1"]);
        assert_eq!(texts(Part::QueryAndWhole), ["q=1", "/a%2fb/c.php?q=1", "/a/b/c.php?q=1"]);
        assert_eq!((texts(Part::Query), texts(Part::Extension)), (vec!["q=1".into()], vec!["php".into()]));
        let hidden = Cell::Text("mail=tok:0011223344556677".into());
        let paths = Paths { path: &path, query: &hidden };
        assert_eq!((target(Part::Whole, &paths), target(Part::Query, &paths)), (None, None));
        assert!(target(Part::Stem, &paths).is_some(), "the path is known");
    }
}
