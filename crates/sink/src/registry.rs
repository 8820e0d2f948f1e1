//! The list of all outputs: `tapwire list sinks`, help and errors come from it.

use crate::{Context, FileSink, NullSink, Sink, SinkError, StreamSink, http, kafka, syslog};

/// One kind of output.
#[derive(Debug)]
pub struct SinkInfo {
    /// What stands before `://`; `-` is standard output.
    pub scheme: &'static str,
    /// For tables.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// A destination as typed.
    pub example: &'static str,
    /// Names of the formats that its receivers understand; none: any.
    pub formats: &'static [&'static str],
    /// Whether it is meant to be called for incidents, unless other classes of events are asked for.
    pub incidents: bool,
    /// One text for each place, however its address is spelled; it may hold credentials.
    pub place: fn(&str) -> Result<String, SinkError>,
    /// What of the network it takes.
    pub reach: fn(&str) -> Result<Reach, SinkError>,
    /// Opens a destination of this scheme.
    pub open: fn(&str, &Context) -> Opened,
}

/// What of the network a destination takes, beside the look-up of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// None, or no connection.
    None,
    /// Connections to this port.
    Port(u16),
    /// Connections to ports that only the receiver knows.
    Any,
}

/// What most kinds have in common.
const USUAL: SinkInfo = SinkInfo {
    scheme: "",
    name: "",
    summary: "",
    example: "",
    formats: &[],
    incidents: false,
    place: |as_given| Ok(as_given.to_owned()),
    reach: |_| Ok(Reach::None),
    open: NullSink::open,
};

/// Receivers whose fields are those of OCSF.
const OCSF: &[&str] = &["ocsf"];
/// Receivers whose fields are those of OCSF or of ECS.
const DOCUMENTS: &[&str] = &["ocsf", "ecs"];
/// Receivers that take one JSON object.
const JSON: &[&str] = &["ocsf", "eve"];

/// A sink that is ready to write, or why there is none.
pub type Opened = Result<Box<dyn Sink>, SinkError>;

/// Every output there is.
pub static SINKS: &[SinkInfo] = &[
    SinkInfo {
        scheme: "-",
        name: "stdout",
        summary: "standard output, one event a line",
        example: "-",
        open: StreamSink::open,
        ..USUAL
    },
    SinkInfo {
        scheme: "file",
        name: "file",
        summary: "a file; replaced by replay, continued and rotated by size by run",
        example: "events.ndjson",
        open: FileSink::open,
        ..USUAL
    },
    SinkInfo {
        scheme: "http",
        name: "http",
        summary: "HTTP collector: batched, gzip, bearer token",
        example: "http://127.0.0.1:9000/events",
        open: http::open_ndjson,
        place: http::place,
        reach: http::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "https",
        name: "https",
        summary: "the same over TLS, with own authorities and client certificates",
        example: "https://collector.example/events",
        open: http::open_ndjson,
        place: http::place,
        reach: http::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "hec+https",
        name: "hec",
        summary: "Splunk HTTP Event Collector",
        example: "hec+https://splunk.example:8088",
        open: http::open_hec,
        formats: OCSF,
        place: http::place,
        reach: http::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "hec+http",
        name: "hec-plain",
        summary: "the same without TLS, for this machine",
        example: "hec+http://127.0.0.1:8088",
        open: http::open_hec,
        formats: OCSF,
        place: http::place,
        reach: http::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "elastic+https",
        name: "elastic",
        summary: "Elasticsearch or OpenSearch, by _bulk",
        example: "elastic+https://elastic.example:9200/tapwire-events",
        open: http::open_elastic,
        formats: DOCUMENTS,
        place: http::place,
        reach: http::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "elastic+http",
        name: "elastic-plain",
        summary: "the same without TLS, for this machine",
        example: "elastic+http://127.0.0.1:9200/tapwire-events",
        open: http::open_elastic,
        formats: DOCUMENTS,
        place: http::place,
        reach: http::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "webhook+https",
        name: "webhook",
        summary: "one signed request an event, for SOAR",
        example: "webhook+https://soar.example/hooks/tapwire",
        open: http::open_webhook,
        formats: JSON,
        incidents: true,
        place: http::place,
        reach: http::reach,
    },
    SinkInfo {
        scheme: "webhook+http",
        name: "webhook-plain",
        summary: "the same without TLS, for this machine",
        example: "webhook+http://127.0.0.1:8080/hooks/tapwire",
        open: http::open_webhook,
        formats: JSON,
        incidents: true,
        place: http::place,
        reach: http::reach,
    },
    SinkInfo {
        scheme: "syslog",
        name: "syslog",
        summary: "syslog over TCP, RFC 5424 with octet counting",
        example: "syslog://127.0.0.1:514",
        open: syslog::open_tcp,
        place: syslog::place,
        reach: syslog::reach,
        ..USUAL
    },
    SinkInfo {
        scheme: "syslog+tls",
        name: "syslog-tls",
        summary: "the same over TLS, RFC 5425",
        example: "syslog+tls://syslog.example:6514",
        open: syslog::open_tls,
        place: syslog::place_tls,
        reach: syslog::reach_tls,
        ..USUAL
    },
    SinkInfo {
        scheme: "syslog+udp",
        name: "syslog-udp",
        summary: "syslog over UDP, RFC 5426: what is lost on the way is not known",
        example: "syslog+udp://127.0.0.1:514",
        open: syslog::open_udp,
        place: syslog::place,
        ..USUAL
    },
    SinkInfo {
        scheme: "kafka",
        name: "kafka",
        summary: "a topic of Kafka, a caller's events in one partition, acknowledged by all replicas",
        example: "kafka://127.0.0.1:9092/tapwire-events",
        open: kafka::open_plain,
        place: kafka::place,
        reach: |_| Ok(Reach::Any),
        ..USUAL
    },
    SinkInfo {
        scheme: "kafka+tls",
        name: "kafka-tls",
        summary: "the same over TLS, with own authorities and client certificates",
        example: "kafka+tls://kafka.example:9093/tapwire-events",
        open: kafka::open_tls,
        place: kafka::place,
        reach: |_| Ok(Reach::Any),
        ..USUAL
    },
    SinkInfo {
        scheme: "null",
        name: "null",
        summary: "nowhere: events are counted, not rendered; to measure what sensing costs",
        example: "null://",
        open: NullSink::open,
        ..USUAL
    },
];

/// Opens `-`, a path, or a URL.
///
/// # Errors
/// What is wrong with the destination. A collector is not contacted yet.
pub fn open(destination: &str, context: &Context) -> Opened {
    (find(destination)?.open)(destination, context)
}

/// Which output takes `destination`; nothing is opened. For checking a configuration.
///
/// # Errors
/// The unknown scheme, with those that are known, or what is wrong with the address.
pub fn check(destination: &str) -> Result<&'static SinkInfo, SinkError> {
    let info = find(destination)?;
    (info.place)(destination).map(|_| info)
}

/// One text for each place that events can go to, to find what is named twice. It may hold credentials.
///
/// # Errors
/// As for [`check`].
pub fn place(destination: &str) -> Result<String, SinkError> {
    (find(destination)?.place)(destination)
}

/// What of the network a destination takes.
///
/// # Errors
/// As for [`check`].
pub fn reach(destination: &str) -> Result<Reach, SinkError> {
    (find(destination)?.reach)(destination)
}

fn find(destination: &str) -> Result<&'static SinkInfo, SinkError> {
    let scheme = scheme_of(destination);
    SINKS.iter().find(|s| s.scheme.eq_ignore_ascii_case(scheme)).ok_or_else(|| unknown(scheme))
}

/// A path has no scheme; whoever has a file named `-` writes `./-`.
fn scheme_of(destination: &str) -> &str {
    match destination.split_once("://") {
        Some((scheme, _)) => scheme,
        None if destination == "-" => "-",
        None => "file",
    }
}

fn unknown(scheme: &str) -> SinkError {
    let known: Vec<_> = SINKS.iter().map(|s| format!("`{}`", s.example)).collect();
    let near = SINKS.iter().map(|s| (distance(scheme, s.scheme), s.scheme)).min();
    SinkError::UnknownScheme {
        scheme: scheme.chars().take(32).filter(|c| !c.is_control()).collect(),
        known: known.join(", "),
        near: near.filter(|(d, _)| *d <= 2).map(|(_, s)| s),
    }
}

/// Levenshtein distance, with one row.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().take(32).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(ca != cb)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_finds_its_output() {
        for (given, scheme) in [
            ("-", "-"),
            ("a.ndjson", "file"),
            ("./-", "file"),
            ("file:///a", "file"),
            ("http://h/", "http"),
            ("HTTPS://h/", "https"),
        ] {
            assert_eq!(check(given).unwrap().scheme, scheme, "{given}");
        }
    }

    #[test]
    fn an_unknown_scheme_names_the_nearest_and_all_known() {
        let text = check("htps://h/").unwrap_err().to_string();
        assert!(text.contains("did you mean `https`?"), "{text}");
        assert!(SINKS.iter().all(|s| text.contains(s.example)), "{text}");
        assert!(!check("carrier-pigeon://coop").unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn distance_is_that_of_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn no_output_shows_credentials_or_takes_a_port_that_is_none() {
        for scheme in SINKS.iter().map(|s| s.scheme).filter(|s| !matches!(*s, "-" | "file" | "null")) {
            let text = check(&format!("{scheme}://u:p4ss@127.0.0.1:9/x?k=p4ss")).unwrap_err().to_string();
            assert!(!text.contains("p4ss") && text.contains("no credentials in the URL"), "{text}");
            for port in ["70000", "x", ""] {
                let text = check(&format!("{scheme}://127.0.0.1:{port}")).unwrap_err().to_string();
                assert!(text.contains("its port is no number from 0 to 65535"), "{scheme}:{port}: {text}");
                assert!(text.starts_with(&format!("output {scheme}://127.0.0.1")), "{text}");
            }
        }
    }

    #[test]
    fn a_place_has_one_text_and_another_query_is_another_place() {
        let same = |a: &str, b: &str| place(a).unwrap() == place(b).unwrap();
        assert!(same("http://h/in", "HTTP://h:80/in"));
        assert!(same("syslog://h", "syslog://h:514"));
        assert!(!same("http://h/in?a=1", "http://h/in?a=2"));
        assert!(!same("hec+http://h/in", "http://h/in"));
    }

    #[test]
    fn every_example_is_taken_by_its_own_output() {
        for sink in SINKS {
            assert_eq!(check(sink.example).unwrap().name, sink.name);
        }
    }
}
