//! The keys under `[sink]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Secret;

/// Everything under `[sink]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Event files of `run`.
    pub rotate: Rotation,
    /// Receivers on the network: requests, credentials, patience.
    pub http: Http,
    /// What waits for a receiver, where there is `--data`.
    pub spool: SpoolSize,
    /// Syslog receivers.
    pub syslog: Syslog,
}

/// `[sink.spool]`: events that wait under `--data` for a receiver on the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolSize {
    /// Cap in bytes for each output; beyond it the oldest of the least important events are dropped. 0: no spool.
    pub bytes: u64,
}

impl Default for SpoolSize {
    fn default() -> Self {
        Self { bytes: 1 << 30 }
    }
}

/// `[sink.syslog]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Syslog {
    /// RFC 5424 facility, 0 to 23; 16 is local0.
    pub facility: u8,
    /// HOSTNAME of the messages; empty: none is told.
    pub hostname: String,
    /// Longest message over UDP, in bytes; a longer event is refused and counted.
    pub datagram_bytes: usize,
}

impl Default for Syslog {
    fn default() -> Self {
        Self { facility: 16, hostname: String::new(), datagram_bytes: 65_000 }
    }
}

/// `[sink.rotate]`: event files of `run`. `replay` never rotates: its file is one result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// Size in bytes from which a file is put aside as `NAME.1`; 0 = never.
    pub bytes: u64,
    /// How many files are kept beside the current one; older ones are removed.
    pub keep: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes: 256 << 20, keep: 7 }
    }
}

/// `[sink.http]`: requests to a collector. A request is sent when the first of the three bounds is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Largest request body in bytes before compression. An event that is longer travels alone.
    pub batch_bytes: usize,
    /// Most events in a request.
    pub batch_events: u32,
    /// Longest wait for more events, in milliseconds.
    pub batch_ms: u64,
    /// Whether bodies are compressed with gzip.
    pub gzip: bool,
    /// Bearer token. Better given by `token_file` or `token_env`; never in the URL.
    pub token: Option<Secret>,
    /// File whose first line is the bearer token.
    pub token_file: Option<PathBuf>,
    /// Environment variable that holds the bearer token; unset means no token.
    pub token_env: String,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client's certificate chain, for mutual TLS; needs `client_key`.
    pub client_cert: Option<PathBuf>,
    /// PEM file with the client's private key.
    pub client_key: Option<PathBuf>,
    /// Tries of one request, the first included.
    pub tries: u32,
    /// Wait before the second try in milliseconds; five times as long before each further one, and longer
    /// where the collector says so (`Retry-After`).
    pub backoff_ms: u64,
    /// Longest wait between tries in milliseconds, also where the collector asks for more.
    pub backoff_max_ms: u64,
    /// Longest time for connecting, and for a request with its answer, in milliseconds.
    pub timeout_ms: u64,
    /// Bound of what waits for delivery, in bytes.
    pub queue_bytes: usize,
    /// Longest time that a tap's sink goes on delivering at the end, in milliseconds.
    pub finish_ms: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            batch_bytes: 1 << 20,
            batch_events: 1000,
            batch_ms: 1000,
            gzip: true,
            token: None,
            token_file: None,
            token_env: "TAPWIRE_COLLECTOR_TOKEN".into(),
            ca_file: None,
            client_cert: None,
            client_key: None,
            tries: 3,
            backoff_ms: 200,
            backoff_max_ms: 5000,
            timeout_ms: 10_000,
            queue_bytes: 16 << 20,
            finish_ms: 5000,
        }
    }
}
