//! What is known of services behind TLS: the row that they have in an inventory where nothing was decrypted.

use super::estimate::{Estimate, Tally};
use super::facts::protocol_name;
use super::layer::Blind;
use super::{Certificate, ClientHello, Facts, Transport, ja3, ja4};
use crate::{Anomalies, Anomaly};
use std::collections::{BTreeMap, BTreeSet};
use tapwire_wire::{Endpoint, Timestamp};

/// Services that are told apart; connections to further ones are counted together.
const MAX_SERVICES: usize = 4_096;
/// Protocols, versions and fingerprints that are listed of each.
const MAX_LISTED: usize = 16;

/// A server behind TLS, by the name that clients ask for, or by its address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsService {
    /// Connections.
    pub connections: u64,
    /// Of those, over QUIC: of them only the beginning is read.
    pub quic: u64,
    /// Of those, decrypted: their exchanges are reported by themselves.
    pub decrypted: u64,
    /// Of those, whose keys were expected and did not come in time.
    pub no_keys: u64,
    /// Of those, whose keys opened nothing.
    pub wrong_keys: u64,
    /// Of the connections that were not decrypted: an estimate.
    pub estimate: Estimate,
    /// Stream bytes of clients and of servers, protection included.
    pub bytes: [u64; 2],
    /// When it was seen first and last.
    pub seen: Option<(Timestamp, Timestamp)>,
    /// Versions, such as `TLS 1.3` or `QUIC 1`.
    pub versions: BTreeSet<String>,
    /// Protocols inside: chosen, or offered first where the choice is not visible.
    pub alpn: BTreeSet<String>,
    /// Cipher suites that servers chose.
    pub ciphers: BTreeSet<String>,
    /// Fingerprints of clients (JA3).
    pub ja3: BTreeSet<String>,
    /// Fingerprints of servers (JA3S).
    pub ja3s: BTreeSet<String>,
    /// Fingerprints of clients (JA4).
    pub ja4: BTreeSet<String>,
    /// The certificate that was seen last.
    pub certificate: Option<Certificate>,
}

impl TlsService {
    /// Adds what another parser saw of it.
    pub fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.quic += other.quic;
        self.decrypted += other.decrypted;
        self.no_keys += other.no_keys;
        self.wrong_keys += other.wrong_keys;
        self.estimate.exchanges += other.estimate.exchanges;
        self.estimate.request_bytes += other.estimate.request_bytes;
        self.estimate.response_bytes += other.estimate.response_bytes;
        self.bytes.iter_mut().zip(other.bytes).for_each(|(sum, bytes)| *sum += bytes);
        if let Some((first, last)) = other.seen {
            self.see(first, last);
        }
        for (known, more) in [
            (&mut self.versions, other.versions),
            (&mut self.alpn, other.alpn),
            (&mut self.ciphers, other.ciphers),
            (&mut self.ja3, other.ja3),
            (&mut self.ja3s, other.ja3s),
            (&mut self.ja4, other.ja4),
        ] {
            list(known, more);
        }
        self.certificate = other.certificate.or_else(|| self.certificate.take());
    }

    /// What its connections run over, by the names of [`crate::PROTOCOLS`].
    pub fn protocols(&self) -> impl Iterator<Item = &'static str> + use<> {
        let both = [("tls", self.connections > self.quic), ("quic", self.quic > 0)];
        both.into_iter().filter(|(_, seen)| *seen).map(|(name, _)| name)
    }

    /// What of it was not decrypted because of its keys.
    pub fn anomalies(&self) -> Anomalies {
        let both = [(self.no_keys, Anomaly::TlsNoKeys), (self.wrong_keys, Anomaly::TlsWrongKeys)];
        both.into_iter().filter(|(connections, _)| *connections > 0).map(|(_, anomaly)| anomaly).collect()
    }

    fn see(&mut self, first: Timestamp, last: Timestamp) {
        let (before, after) = self.seen.unwrap_or((first, last));
        self.seen = Some((before.min(first), after.max(last)));
    }
}

fn list(into: &mut BTreeSet<String>, more: impl IntoIterator<Item = String>) {
    for one in more {
        if into.len() < MAX_LISTED {
            into.insert(one);
        }
    }
}

/// Services behind TLS, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services {
    /// By the name that clients ask for, else by address and port.
    pub by_name: BTreeMap<String, TlsService>,
    /// Connections to services that found no room.
    pub overflow: u64,
    /// Of all connections, those over QUIC.
    pub quic: u64,
}

impl Services {
    /// Adds what another parser saw.
    pub fn add(&mut self, other: Self) {
        self.overflow += other.overflow;
        self.quic += other.quic;
        for (name, service) in other.by_name {
            match self.place(name) {
                Some(place) => place.add(service),
                None => self.overflow += service.connections,
            }
        }
    }

    fn place(&mut self, name: String) -> Option<&mut TlsService> {
        if self.by_name.len() >= MAX_SERVICES && !self.by_name.contains_key(&name) {
            return None;
        }
        Some(self.by_name.entry(name).or_default())
    }

    /// A connection over TCP ended.
    pub(super) fn connection(
        &mut self,
        server: &Endpoint,
        facts: &Facts,
        tally: &Tally,
        blind: Option<Blind>,
    ) {
        let mut service = TlsService {
            connections: 1,
            decrypted: u64::from(facts.decrypted),
            no_keys: u64::from(blind == Some(Blind::NoKeys)),
            wrong_keys: u64::from(blind == Some(Blind::WrongKeys)),
            bytes: tally.stream(),
            seen: tally.seen(),
            certificate: facts.certificate.clone(),
            ..TlsService::default()
        };
        if !facts.decrypted {
            service.estimate = tally.estimate(facts.alpn.as_deref() == Some("h2"));
        }
        service.versions.extend(facts.version.map(str::to_owned));
        service.alpn.extend(facts.alpn.clone());
        service.ciphers.extend(facts.cipher.clone());
        service.ja3.extend(facts.ja3.clone());
        service.ja3s.extend(facts.ja3s.clone());
        service.ja4.extend(facts.ja4.clone());
        self.note(server, facts.sni.as_deref(), service);
    }

    /// A connection over QUIC began.
    pub(super) fn quic(&mut self, server: &Endpoint, version: &str, hello: &ClientHello, time: Timestamp) {
        self.quic += 1;
        let seen = Some((time, time));
        let mut service = TlsService { connections: 1, quic: 1, seen, ..TlsService::default() };
        service.versions.insert(version.to_owned());
        service.alpn.extend(hello.alpn.first().and_then(|name| protocol_name(name)));
        service.ja3.insert(ja3(hello));
        service.ja4.insert(ja4(hello, Transport::Quic));
        self.note(server, hello.server_name.as_deref(), service);
    }

    /// A connection to a service, by the name it was asked for by.
    fn note(&mut self, server: &Endpoint, name: Option<&str>, service: TlsService) {
        let name = name
            .map_or_else(|| std::net::SocketAddr::new(server.ip(), server.port).to_string(), str::to_owned);
        match self.place(name) {
            Some(place) => place.add(service),
            None => self.overflow += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_what_its_connections_run_over_whether_or_not_their_version_is_known() {
        let over = |connections, quic| TlsService { connections, quic, ..TlsService::default() };
        let mut service = over(1, 0);
        assert_eq!(service.protocols().collect::<Vec<_>>(), ["tls"]);
        service.add(over(1, 1));
        assert_eq!(service.protocols().collect::<Vec<_>>(), ["tls", "quic"]);
        assert_eq!(over(1, 1).protocols().collect::<Vec<_>>(), ["quic"]);
    }
}
