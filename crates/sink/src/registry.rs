//! The list of all outputs: `tapwire list sinks`, help and errors come from it.

use crate::{Context, FileSink, NullSink, Sink, SinkError, StreamSink, http, syslog};

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
    /// Opens a destination of this scheme.
    pub open: fn(&str, &Context) -> Opened,
}

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
    },
    SinkInfo {
        scheme: "file",
        name: "file",
        summary: "a file; replaced by replay, continued and rotated by size by run",
        example: "events.ndjson",
        open: FileSink::open,
    },
    SinkInfo {
        scheme: "http",
        name: "http",
        summary: "HTTP collector: batched, gzip, bearer token",
        example: "http://127.0.0.1:9000/events",
        open: http::open_ndjson,
    },
    SinkInfo {
        scheme: "https",
        name: "https",
        summary: "the same over TLS, with own authorities and client certificates",
        example: "https://collector.example/events",
        open: http::open_ndjson,
    },
    SinkInfo {
        scheme: "hec+https",
        name: "hec",
        summary: "Splunk HTTP Event Collector",
        example: "hec+https://splunk.example:8088",
        open: http::open_hec,
    },
    SinkInfo {
        scheme: "hec+http",
        name: "hec-plain",
        summary: "the same without TLS, for this machine",
        example: "hec+http://127.0.0.1:8088",
        open: http::open_hec,
    },
    SinkInfo {
        scheme: "elastic+https",
        name: "elastic",
        summary: "Elasticsearch or OpenSearch, by _bulk",
        example: "elastic+https://elastic.example:9200/tapwire-events",
        open: http::open_elastic,
    },
    SinkInfo {
        scheme: "elastic+http",
        name: "elastic-plain",
        summary: "the same without TLS, for this machine",
        example: "elastic+http://127.0.0.1:9200/tapwire-events",
        open: http::open_elastic,
    },
    SinkInfo {
        scheme: "webhook+https",
        name: "webhook",
        summary: "one signed request an event, for SOAR",
        example: "webhook+https://soar.example/hooks/tapwire",
        open: http::open_webhook,
    },
    SinkInfo {
        scheme: "webhook+http",
        name: "webhook-plain",
        summary: "the same without TLS, for this machine",
        example: "webhook+http://127.0.0.1:8080/hooks/tapwire",
        open: http::open_webhook,
    },
    SinkInfo {
        scheme: "syslog",
        name: "syslog",
        summary: "syslog over TCP, RFC 5424 with octet counting",
        example: "syslog://127.0.0.1:514",
        open: syslog::open_tcp,
    },
    SinkInfo {
        scheme: "syslog+tls",
        name: "syslog-tls",
        summary: "the same over TLS, RFC 5425",
        example: "syslog+tls://syslog.example:6514",
        open: syslog::open_tls,
    },
    SinkInfo {
        scheme: "syslog+udp",
        name: "syslog-udp",
        summary: "syslog over UDP, RFC 5426: what is lost on the way is not known",
        example: "syslog+udp://127.0.0.1:514",
        open: syslog::open_udp,
    },
    SinkInfo {
        scheme: "null",
        name: "null",
        summary: "nowhere: events are counted, not rendered; to measure what sensing costs",
        example: "null://",
        open: NullSink::open,
    },
];

/// Opens `-`, a path, or a URL.
///
/// # Errors
/// What is wrong with the destination. A collector is not contacted yet.
pub fn open(destination: &str, context: &Context) -> Opened {
    (find(destination)?.open)(destination, context)
}

/// Whether some output takes `destination`; nothing is opened. For checking a configuration.
///
/// # Errors
/// The unknown scheme, with those that are known.
pub fn check(destination: &str) -> Result<&'static SinkInfo, SinkError> {
    find(destination)
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
    fn every_example_is_taken_by_its_own_output() {
        for sink in SINKS {
            assert_eq!(check(sink.example).unwrap().name, sink.name);
        }
    }
}
