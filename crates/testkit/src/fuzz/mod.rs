//! Bodies of the fuzz targets: each takes any bytes, drives a layer with them and asserts what must hold for all.
//!
//! They are ordinary functions. `tests/fuzz` gives them to libFuzzer, `tests/fuzz_corpus.rs` runs them over the stored
//! corpus. A body panics when a law is broken, and only then.

pub mod body;
pub mod capture_file;
pub mod decode;
pub mod flow;
mod flow_info;
pub mod http1;
pub mod http2;
mod input;
mod laws;
pub mod openapi;
pub mod payloads;
pub mod state;
pub mod tls;
pub mod websocket;
pub mod whole;

/// A target, by its name in `tests/fuzz`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its binary and the folder of its corpus.
    pub name: &'static str,
    /// What it does with bytes.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "decode", run: decode::run },
    Target { name: "flow", run: flow::run },
    Target { name: "http1", run: http1::run },
    Target { name: "http2", run: http2::run },
    Target { name: "body", run: body::run },
    Target { name: "payloads", run: payloads::run },
    Target { name: "capture_file", run: capture_file::run },
    Target { name: "tls", run: tls::run },
    Target { name: "websocket", run: websocket::run },
    Target { name: "whole", run: whole::run },
    Target { name: "state", run: state::run },
    Target { name: "openapi", run: openapi::run },
];
