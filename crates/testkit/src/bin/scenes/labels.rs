//! The two label files: what every request was, and which attacks there were.

use crate::apis::Api;
use crate::exchange::Exchange;
use crate::json::Json;
use crate::world::{Client, SECOND};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use tapwire_wire::Endpoint;

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
    /// Lines of requests that something earlier may still come before.
    pending: BTreeMap<(i64, u64), String>,
    /// Lines not yet written, so that a failure is told once, by `flush`.
    waiting: String,
}

impl Log {
    pub(crate) fn new(requests: Option<File>, attacks: File) -> Self {
        let requests = requests.map(BufWriter::new);
        Self {
            requests,
            attacks: BufWriter::new(attacks),
            number: 0,
            pending: BTreeMap::new(),
            waiting: String::new(),
        }
    }

    /// Writes what was before `until`.
    pub(crate) fn flush(&mut self, until: i64) -> io::Result<()> {
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 < until) {
            let line = entry.remove();
            if let Some(requests) = &mut self.requests {
                requests.write_all(line.as_bytes())?;
            }
        }
        self.attacks.write_all(self.waiting.as_bytes())?;
        self.waiting.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush(i64::MAX)?;
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
            .plain("answer_seen", !said.unseen)
            .maybe("object", said.object.as_deref())
            .text("what", about.what)
            .maybe("label", about.attack.as_deref())
            .plain("n", self.number - 1);
        let line = line.end() + "\n";
        self.pending.insert((at, self.number), line);
    }

    /// A line of `OUT.requests.jsonl` of a connection on which nobody says a word.
    pub(crate) fn knock(&mut self, at: i64, client: &str, port: u16, server: &Endpoint, attack: &str) {
        self.number += 1;
        let mut line = Json::new();
        line.plain("time", seconds(at))
            .text("client_ip", client)
            .plain("client_port", port)
            .text("server_ip", &server.ip().to_string())
            .plain("server_port", server.port)
            .plain("knock", true)
            .text("what", "attack")
            .text("label", attack)
            .plain("n", self.number - 1);
        self.pending.insert((at, self.number), line.end() + "\n");
    }

    /// A line of `OUT.labels.jsonl`.
    pub(crate) fn attack(&mut self, line: &str) {
        self.waiting.push_str(line);
        self.waiting.push('\n');
    }
}

/// Seconds since the epoch, to the microsecond.
pub(crate) fn seconds(at: i64) -> String {
    format!("{}.{:06}", at.div_euclid(SECOND), at.rem_euclid(SECOND) / 1_000)
}
