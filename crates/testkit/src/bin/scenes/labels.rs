//! The two label files: what every request was, and which attacks there were.

use crate::apis::Api;
use crate::exchange::Exchange;
use crate::json::Json;
use crate::world::{Client, SECOND};
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// What a request is.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// The sort of caller or deed: `human`, `support`, `partner-batch`, `typo` …
    pub(crate) what: &'static str,
    /// The attack that it belongs to.
    pub(crate) attack: Option<String>,
}

impl About {
    pub(crate) const fn benign(what: &'static str) -> Self {
        Self { what, attack: None }
    }
}

/// Where label lines go.
pub(crate) struct Log {
    requests: Option<BufWriter<File>>,
    attacks: BufWriter<File>,
    number: u64,
    /// Lines not yet written, so that a failure is told once, by `flush`.
    waiting: [String; 2],
}

impl Log {
    pub(crate) fn new(requests: Option<File>, attacks: File) -> Self {
        let requests = requests.map(BufWriter::new);
        Self { requests, attacks: BufWriter::new(attacks), number: 0, waiting: Default::default() }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(requests) = &mut self.requests {
            requests.write_all(self.waiting[0].as_bytes())?;
        }
        self.attacks.write_all(self.waiting[1].as_bytes())?;
        self.waiting.iter_mut().for_each(String::clear);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.attacks.flush()?;
        self.requests.map_or(Ok(()), |mut requests| requests.flush())
    }

    /// A line of `OUT.requests.jsonl`.
    pub(crate) fn request(
        &mut self,
        at: i64,
        from: &Client,
        port: u16,
        api: &Api,
        said: &Exchange,
        about: &About,
    ) {
        self.number += 1;
        if self.requests.is_none() {
            return;
        }
        let user = from.identity.as_ref().filter(|_| !said.anonymous).map(|identity| identity.login.as_str());
        let [a, b, c, d] = api.server;
        let mut line = Json::new();
        line.plain("time", seconds(at))
            .text("client_ip", &from.address())
            .plain("client_port", port)
            .text("service", api.name)
            .text("server_ip", &format!("{a}.{b}.{c}.{d}"))
            .plain("server_port", api.port)
            .maybe("user", user)
            .text("method", said.method)
            .text("path", &said.target)
            .plain("status", said.status)
            .maybe("object", said.object.as_deref())
            .text("what", about.what)
            .maybe("label", about.attack.as_deref())
            .plain("n", self.number - 1);
        self.waiting[0].push_str(&line.end());
        self.waiting[0].push('\n');
    }

    /// A line of `OUT.labels.jsonl`.
    pub(crate) fn attack(&mut self, line: &str) {
        self.waiting[1].push_str(line);
        self.waiting[1].push('\n');
    }
}

/// Seconds since the epoch, to the microsecond.
pub(crate) fn seconds(at: i64) -> String {
    format!("{}.{:06}", at.div_euclid(SECOND), at.rem_euclid(SECOND) / 1_000)
}
