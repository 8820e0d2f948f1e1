//! What the tables hold. Every column, its type and what it means stands here and nowhere else.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Real,
    /// True or false.
    Bool,
    /// A time. Events say milliseconds since 1970-01-01 UTC.
    Time,
    /// A list of texts.
    List,
    /// A list or an object, as JSON text.
    Json,
}

impl Kind {
    /// The type as SQL and the manual name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "integer",
            Self::Real => "number",
            Self::Bool => "boolean",
            Self::Time => "timestamp",
            Self::List => "list of text",
            Self::Json => "JSON",
        }
    }
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where the event has it: names of members, a dot is a level. Empty where no event has it, and its writer knows.
    pub path: &'static str,
    /// What it means.
    pub comment: &'static str,
}

/// A table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name, and that of its directory.
    pub name: &'static str,
    /// Which events it takes, by `class_uid`; none: its rows are made, of exchanges or of what was learned.
    pub classes: &'static [u32],
    /// What a row is.
    pub comment: &'static str,
    /// What goes first where room is needed.
    pub worth: Worth,
    /// Its columns beside `day` and `extra`.
    pub columns: &'static [Column],
}

/// What a table is worth where room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Its oldest rows go first.
    Least,
    /// They go when nothing of the least worth is left.
    More,
    /// They never go for want of room.
    Most,
}

/// A view.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What it answers.
    pub comment: &'static str,
    /// The query behind it.
    pub query: &'static str,
}

/// The column of the partitions: the UTC day of `time`.
pub(crate) const DAY: &str = "day";

/// The table of what sensors say of themselves and of what they know.
pub(crate) const OF_SENSORS: &str = "sensors";

/// The table of sums.
pub(crate) const USAGE: &str = "usage";

/// The column of what no other column has.
pub(crate) const EXTRA: &str = "extra";

/// The column of the run that wrote the row.
const RUN: &str = "run";

const fn column(name: &'static str, kind: Kind, path: &'static str, comment: &'static str) -> Column {
    Column { name, kind, path, comment }
}

use Kind::{Bool, Int, Json, List, Real, Text, Time};

impl Table {
    /// The place of the column that names the run.
    #[cfg(feature = "lake")]
    pub(crate) fn run_column(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.name == RUN)
    }
}

/// Every table.
pub const TABLES: &[Table] = &[
    Table {
        name: "exchanges",
        classes: &[6003, 4002],
        comment: "A request with its response, or a message of a stream",
        worth: Worth::Least,
        columns: EXCHANGES,
    },
    Table {
        name: "findings",
        classes: &[2004, 2006, 2007],
        comment: "What is wrong: of one exchange (2004), or of a service (2007)",
        worth: Worth::Most,
        columns: FINDINGS,
    },
    Table {
        name: "incidents",
        classes: &[2005],
        comment: "What one actor did, each time that it opened, grew or was over",
        worth: Worth::Most,
        columns: INCIDENTS,
    },
    Table {
        name: USAGE,
        classes: &[],
        comment: "Who used what in which hour: sums of exchanges, for longer than these are kept. Rows of one hour add up",
        worth: Worth::More,
        columns: USAGES,
    },
    Table {
        name: "endpoints",
        classes: &[],
        comment: "The inventory as `tapwire inventory --json` has it, an endpoint a row, each time that it was written down",
        worth: Worth::More,
        columns: ENDPOINTS,
    },
    Table {
        name: "kpis",
        classes: &[],
        comment: "KPIs as `tapwire kpis --json` has them, each time that they were written down",
        worth: Worth::More,
        columns: KPIS,
    },
    Table {
        name: OF_SENSORS,
        classes: &[0],
        comment: "What sensors say of themselves, how well services are seen, and how they rate endpoints",
        worth: Worth::More,
        columns: SENSORS,
    },
];

const EXCHANGES: &[Column] = &[
    column("time", Time, "time", "when the exchange began, UTC"),
    column("time_ns", Int, "unmapped.time_ns", "the same in nanoseconds since 1970-01-01"),
    column("uid", Text, "metadata.uid", "identity of the exchange, the same on every sensor"),
    column("class_uid", Int, "class_uid", "class of OCSF"),
    column("activity_id", Int, "activity_id", "1 create, 2 read, 3 update, 4 delete, 99 other"),
    column("status_id", Int, "status_id", "1 success, 2 failure, 0 unknown"),
    column("duration", Int, "duration", "milliseconds from the first byte to the last"),
    column("client", Text, "src_endpoint.ip", "address of the client"),
    column("client_port", Int, "src_endpoint.port", "its port"),
    column("zone", Text, "src_endpoint.zone", "zone of the client, as context files say"),
    column("server", Text, "dst_endpoint.ip", "address of the server"),
    column("server_port", Int, "dst_endpoint.port", "its port"),
    column("server_zone", Text, "dst_endpoint.zone", "zone of the server"),
    column("service", Text, "api.service.name", "service the exchange belongs to"),
    column("operation", Text, "api.operation", "what is called: an operation, or method and template"),
    column("endpoint", Text, "unmapped.endpoint.id", "id of the endpoint"),
    column("template", Text, "unmapped.endpoint.template", "path template, such as /orders/{orderId}"),
    column("method", Text, "http_request.http_method", "request method"),
    column("host", Text, "http_request.url.hostname", "host the request was sent to"),
    column("path", Text, "http_request.url.path", "path, redacted"),
    column("query", Text, "http_request.url.query_string", "query string, redacted"),
    column("version", Text, "http_request.version", "HTTP version"),
    column("user_agent", Text, "http_request.user_agent", "User-Agent"),
    column("request_length", Int, "http_request.body_length", "bytes of the request body"),
    column("request_headers", Json, "http_request.http_headers", "headers with name and value, redacted"),
    column("status", Int, "http_response.code", "status code of the final response"),
    column(
        "latency",
        Int,
        "http_response.latency",
        "milliseconds from the request's last byte to the response's first",
    ),
    column("content_type", Text, "http_response.content_type", "Content-Type of the response"),
    column("response_length", Int, "http_response.body_length", "bytes of the response body"),
    column("response_headers", Json, "http_response.http_headers", "headers with name and value, redacted"),
    column("principal", Text, "unmapped.principal.token", "token of the caller"),
    column("principal_kind", Text, "unmapped.principal.kind", "user, key, session, cert, token, net"),
    column(
        "principal_by",
        Text,
        "unmapped.principal.by",
        "by which credential the caller is known; network: by none",
    ),
    column(
        "session",
        Text,
        "unmapped.principal.session",
        "token of the credential that stands for the session",
    ),
    column("token_facts", List, "unmapped.principal.facts", "facts about the credential, such as expired"),
    column("roles", List, "unmapped.principal.roles", "roles and groups of the caller"),
    column("data_classes", Json, "unmapped.data_classes", "sensitive data: class, where and count of each"),
    column(
        "anomalies",
        List,
        "unmapped.anomalies",
        "facts about the bytes, such as duplicate-content-length",
    ),
    column("protocols", List, "unmapped.protocols", "protocols, outermost first"),
    column("failed", Bool, "unmapped.failed", "whether the payload says that the call failed"),
    column("owner", Text, "unmapped.server.owner", "who answers for the server"),
    column("seen_request", Text, "unmapped.seen.request", "how well the request was seen"),
    column("seen_response", Text, "unmapped.seen.response", "how well the response was seen"),
    column("pairing", Text, "unmapped.seen.pairing", "whether the response surely answers the request"),
    column("missed_bytes", Int, "unmapped.seen.missed_bytes", "bytes that were not captured"),
    column("decrypted", Bool, "unmapped.seen.decrypted", "whether it was read out of TLS"),
    column("sni", Text, "unmapped.sni", "server name that the client asked for in TLS"),
    column("ja3", Text, "unmapped.ja3", "fingerprint of the client's TLS, by JA3"),
    column("ja4", Text, "unmapped.ja4", "the same by JA4"),
    column("vlan", Int, "unmapped.vlan", "VLAN of the connection"),
    column("vni", Int, "unmapped.vni", "network identifier of the innermost tunnel"),
    column("flow", Int, "unmapped.flow", "number of the connection in its run"),
    column("stream", Int, "unmapped.stream", "stream of HTTP/2"),
    column("parent", Text, "unmapped.parent", "uid of the exchange that carries this message"),
    column("child", Int, "unmapped.child", "number of the message in it"),
    column("source", Text, "unmapped.source", "capture file or interface"),
    column("community_id", Text, "unmapped.community_id", "Community ID of the connection"),
    column("reporter", Text, "metadata.reporter.name", "name of the sensor"),
    column("tenant", Text, "metadata.tenant_uid", "tenant of the sensor"),
    column("site", Text, "unmapped.site", "site of the sensor, as its collector knows it"),
    column("sequence", Int, "metadata.sequence", "number of the event in its run"),
    column(RUN, Text, "", "which run counted it, where that run wrote the row itself"),
];

const FINDINGS: &[Column] = &[
    column("time", Time, "time", "when it was found, UTC"),
    column("uid", Text, "finding_info.uid", "identity of the finding"),
    column("class_uid", Int, "class_uid", "2004 of an exchange, 2007 of a service"),
    column("activity_id", Int, "activity_id", "1 new, 2 changed, 3 over"),
    column("severity_id", Int, "severity_id", "1 informational to 5 critical"),
    column("severity", Text, "severity", "the same as a word"),
    column("confidence", Int, "confidence_score", "0 to 100"),
    column("title", Text, "finding_info.title", "what is wrong"),
    column("message", Text, "message", "one sentence with what was seen, expected and compared"),
    column("detector", Text, "unmapped.detector", "which detector or rule found it"),
    column("policy", Text, "unmapped.policy", "which policy found it"),
    column("state", Text, "unmapped.state", "of a policy: whether it still holds"),
    column("owasp", Text, "unmapped.owasp", "risk of the OWASP API Security Top 10"),
    column("cwe", Text, "unmapped.cwe", "weakness"),
    column("outcome", Text, "unmapped.outcome", "attempted, blocked, no-effect, likely, confirmed"),
    column("incident", Text, "unmapped.incident", "incident that it belongs to"),
    column("service", Text, "unmapped.service", "service that a policy is about"),
    column("endpoint", Text, "unmapped.endpoint.id", "id of the endpoint"),
    column("template", Text, "unmapped.endpoint.template", "path template"),
    column("exchanges", List, "unmapped.exchanges", "uids of the exchanges that show it"),
    column("evidences", Json, "evidences", "the exchange that raised it"),
    column("next_steps", List, "unmapped.next_steps", "what to do"),
    column("source", Text, "unmapped.source", "capture file or interface"),
    column("reporter", Text, "metadata.reporter.name", "name of the sensor"),
    column("tenant", Text, "metadata.tenant_uid", "tenant of the sensor"),
    column("site", Text, "unmapped.site", "site of the sensor, as its collector knows it"),
    column("sequence", Int, "metadata.sequence", "number of the event in its run"),
];

const INCIDENTS: &[Column] = &[
    column("time", Time, "time", "when this was told, UTC"),
    column("uid", Text, "unmapped.incident", "identity of the incident"),
    column("change", Text, "unmapped.change", "opened, grew, closed"),
    column("revision", Int, "unmapped.revision", "how often it was told"),
    column("severity_id", Int, "severity_id", "1 informational to 5 critical"),
    column("severity", Text, "severity", "the same as a word"),
    column("message", Text, "message", "the reason of its worst finding"),
    column("start_time", Time, "start_time", "its first finding"),
    column("end_time", Time, "end_time", "its latest finding"),
    column("findings", Int, "unmapped.findings", "findings so far"),
    column("outcome", Text, "unmapped.outcome", "outcome of its worst finding"),
    column("reached", Text, "unmapped.reached", "the furthest outcome"),
    column("service", Text, "unmapped.service", "service that it is about"),
    column("addresses", List, "unmapped.actor.addresses", "addresses of the actor"),
    column("callers", Json, "unmapped.actor.callers", "callers that the actor is"),
    column("endpoints", Json, "unmapped.endpoints", "endpoints that were reached"),
    column("timeline", Json, "unmapped.timeline", "what happened, in order"),
    column("next_steps", List, "unmapped.next_steps", "what to do"),
    column("reporter", Text, "metadata.reporter.name", "name of the sensor"),
    column("tenant", Text, "metadata.tenant_uid", "tenant of the sensor"),
    column("site", Text, "unmapped.site", "site of the sensor, as its collector knows it"),
    column("sequence", Int, "metadata.sequence", "number of the event in its run"),
];

const SENSORS: &[Column] = &[
    column("time", Time, "time", "when it was said, UTC"),
    column("code", Text, "metadata.event_code", "what it is about, such as heartbeat"),
    column("severity_id", Int, "severity_id", "1 informational to 5 critical"),
    column("message", Text, "message", "one sentence"),
    column("service", Text, "unmapped.service", "service that it is about"),
    column(
        "endpoints",
        Json,
        "unmapped.endpoints",
        "of the code service.endpoints: endpoints of the service with states, exposure, threat, owner and tags",
    ),
    column("reporter", Text, "metadata.reporter.name", "name of the sensor"),
    column("tenant", Text, "metadata.tenant_uid", "tenant of the sensor"),
    column("site", Text, "unmapped.site", "site of the sensor, as its collector knows it"),
    column("sequence", Int, "metadata.sequence", "number of the event in its run"),
];

const USAGES: &[Column] = &[
    column("time", Time, "time", "when the hour began, UTC"),
    column("service", Text, "service", "service"),
    column("endpoint", Text, "endpoint", "id of the endpoint"),
    column("template", Text, "template", "path template"),
    column("method", Text, "method", "request method"),
    column("operation", Text, "operation", "what is called: an operation, or method and template"),
    column("principal_kind", Text, "principal_kind", "user, key, session, cert, token, net"),
    column("principal", Text, "principal", "token of the caller"),
    column("reporter", Text, "reporter", "name of the sensor"),
    column("tenant", Text, "tenant", "tenant of the sensor"),
    column("site", Text, "site", "site of the sensor, as its collector knows it"),
    column("owner", Text, "owner", "who answers for the server, as the latest of them says"),
    column("first_ms", Int, "first_ms", "when the first of them began, in milliseconds since 1970-01-01"),
    column("last_ms", Int, "last_ms", "when the last of them began"),
    column("calls", Int, "calls", "exchanges"),
    column("messages", Int, "messages", "messages of streams, which are no calls"),
    column("successes", Int, "successes", "calls with a status of 200 to 299"),
    column("redirects", Int, "redirects", "calls with a status of 300 to 399"),
    column("failures", Int, "failures", "calls with a status of 400 to 499"),
    column("errors", Int, "errors", "calls with a status of 500 or more"),
    column("unanswered", Int, "unanswered", "calls whose status was not seen"),
    column("clear_text", Int, "clear_text", "calls that were not read out of TLS"),
    column("auth", Json, "auth", "calls by the credential that the caller is known by; network: by none"),
    column("request_bytes", Int, "request_bytes", "bytes of request bodies"),
    column("response_bytes", Int, "response_bytes", "bytes of response bodies"),
    column("answered", Int, "answered", "calls whose latency is known"),
    column("latency_sum", Int, "latency_sum", "milliseconds of these calls together"),
    column("latency_max", Int, "latency_max", "milliseconds of the slowest of them"),
    column("data_classes", Json, "data_classes", "values in responses, by class of sensitive data"),
    column("sent_classes", Json, "sent_classes", "values in requests, by class of sensitive data"),
];

const ENDPOINTS: &[Column] = &[
    column("time", Time, "time", "when it was written down: the last packet before"),
    column("id", Text, "id", "id of the endpoint"),
    column("service", Text, "service", "service"),
    column("method", Text, "method", "request method"),
    column("template", Text, "template", "path template"),
    column("operation", Text, "operation", "what is called, where that has a name"),
    column("first_seen", Text, "first_seen", "first call, RFC 3339"),
    column("last_seen", Text, "last_seen", "last call, RFC 3339"),
    column("calls", Int, "calls", "calls so far"),
    column("callers", Int, "callers", "callers so far"),
    column("states", List, "states", "undocumented, shadow, zombie, orphan, dormant, and so on"),
    column("status", Json, "status", "calls by class of status"),
    column("auth", Json, "auth", "share of calls by kind of credential"),
    column("data_classes", Json, "data_classes", "sensitive data of its messages"),
    column("exposure", Int, "exposure", "how exposed it is, 0 to 100"),
    column("threat", Int, "threat", "how threatened it is, 0 to 100"),
    column("clear_text", Int, "clear_text", "calls without TLS"),
    column("latency_us", Json, "latency_us", "microseconds until the answer: p50, p90, p99"),
    column("owner", Text, "owner", "who answers for it"),
    column("zone", Text, "zone", "zone of its servers"),
    column("criticality", Text, "criticality", "how much depends on it"),
    column("tags", List, "tags", "its tags"),
];

const KPIS: &[Column] = &[
    column("time", Time, "time", "when it was written down: the last packet before"),
    column("name", Text, "name", "the KPI"),
    column("unit", Text, "unit", "its unit"),
    column("better", Text, "better", "whether more or less of it is better"),
    column("service", Text, "scope.service", "the service that it is about"),
    column("owner", Text, "scope.owner", "the owner that it is about"),
    column(
        "tag",
        Text,
        "scope.tag",
        "the tag that it is about; without any of these three it is about everything",
    ),
    column("value", Real, "value", "the figure"),
    column("numerator", Int, "numerator", "what was counted"),
    column("denominator", Int, "denominator", "of how many"),
    column("not_judged", Text, "not_judged", "why there is no figure"),
    column("target", Real, "target.value", "what it should be"),
    column("target_by", Text, "target.by", "and by which day"),
    column("standing", Text, "standing", "met, missed, overdue"),
];

/// Every view.
pub const VIEWS: &[View] = &[
    View {
        name: "unauthenticated_sensitive",
        comment: "Endpoints that gave sensitive data to callers without a credential",
        query: "SELECT service, method, template, json_extract(class.value, '$.class') AS data_class, count(*) AS calls, \
                count(DISTINCT client) AS clients, min(time) AS first, max(time) AS last \
                FROM exchanges, json_each(data_classes) AS class \
                WHERE principal_by = 'network' AND status < 400 \
                AND json_extract(class.value, '$.where') LIKE 'response.%' \
                GROUP BY service, method, template, data_class",
    },
    View {
        name: "undocumented_endpoints",
        comment: "Endpoints that no description has, as they were written down last, the most exposed to be looked at first",
        query: "SELECT service, method, template, states, calls, callers, exposure, data_classes, first_seen, last_seen \
                FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY time DESC) AS place FROM endpoints) \
                WHERE place = 1 AND EXISTS \
                (SELECT 1 FROM json_each(states) WHERE value IN ('undocumented', 'shadow'))",
    },
    View {
        name: "endpoints_seen",
        comment: "Endpoints that were called, by the sums of hours: also where nothing is learned, as in a collector",
        query: "SELECT service, method, template, endpoint, sum(calls) AS calls, sum(failures) AS failures, \
                sum(errors) AS errors, count(DISTINCT principal) AS callers, count(DISTINCT reporter) AS sensors, \
                min(time) AS first, max(time) AS last FROM usage GROUP BY service, method, template, endpoint",
    },
    View {
        name: "endpoints_known",
        comment: "Endpoints as each sensor knows them: its last word on states, exposure, threat, owner and tags",
        query: "SELECT reporter, site, tenant, service, method, template, operation, states, exposure, threat, owner, zone, \
                tags, time AS told FROM (SELECT reporter, site, tenant, service, sensors.time AS time, \
                json_extract(one.value, '$.method') AS method, json_extract(one.value, '$.template') AS template, \
                json_extract(one.value, '$.operation') AS operation, json_extract(one.value, '$.states') AS states, \
                json_extract(one.value, '$.exposure') AS exposure, json_extract(one.value, '$.threat') AS threat, \
                json_extract(one.value, '$.owner') AS owner, json_extract(one.value, '$.zone') AS zone, \
                json_extract(one.value, '$.tags') AS tags, \
                row_number() OVER (PARTITION BY tenant, reporter, json_extract(one.value, '$.id') \
                ORDER BY sensors.time DESC, sequence DESC) AS place \
                FROM sensors, json_each(endpoints) AS one WHERE code = 'service.endpoints') WHERE place = 1",
    },
    View {
        name: "top_callers",
        comment: "Who calls, with calls, failures, endpoints and bytes taken away",
        query: "SELECT principal_kind, principal, count(*) AS calls, sum(status >= 400) AS failures, \
                count(DISTINCT endpoint) AS endpoints, sum(response_length) AS bytes, min(time) AS first, max(time) AS last \
                FROM exchanges WHERE principal IS NOT NULL GROUP BY principal_kind, principal",
    },
    View {
        name: "data_by_caller_day",
        comment: "How many values of each class of sensitive data each caller got each day",
        query: "SELECT day, principal_kind, principal, json_extract(class.value, '$.class') AS data_class, \
                count(*) AS places, sum(json_extract(class.value, '$.count')) AS seen \
                FROM exchanges, json_each(data_classes) AS class \
                WHERE json_extract(class.value, '$.where') LIKE 'response.%' AND status < 400 \
                GROUP BY day, principal_kind, principal, data_class",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_places_are_given_once() {
        for table in TABLES {
            let names: BTreeSet<_> = table.columns.iter().map(|column| column.name).collect();
            let places: BTreeSet<_> = table.columns.iter().map(|column| column.path).collect();
            assert_eq!(
                (names.len(), places.len()),
                (table.columns.len(), table.columns.len()),
                "{}",
                table.name
            );
            assert!(!names.contains(DAY) && !names.contains(EXTRA));
            assert!(
                table.columns.len() + 2 <= 64,
                "with day and the rest: SQLite's mask of columns in use has 64 bits"
            );
            assert_eq!(table.columns[0].path, "time", "tables are in the order of time");
            // A member that is a column may not hold another column.
            for place in &places {
                assert!(!places.iter().any(|other| other.starts_with(&format!("{place}."))), "{place}");
            }
        }
    }
}
