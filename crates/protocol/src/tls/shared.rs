//! What all TLS connections share: keys, sessions that RSA keys opened, a buffer, counters.

use super::keys::{KeyCounters, KeyStore};
use super::parked::Lot;
use super::quic::Initials;
use super::schedule::Secret;
use super::summary::Services;
use std::collections::{BTreeMap, VecDeque};

/// What an operator can set about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Bytes of all connections that may wait for keys.
    pub waiting_bytes: usize,
    /// Names of servers whose connections may be decrypted, `*.example.com` for all below one; empty for all.
    pub decrypt_hosts: Vec<String>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { waiting_bytes: 32 << 20, decrypt_hosts: Vec::new() }
    }
}

impl TlsConfig {
    /// Whether connections to this server may be decrypted.
    pub fn allows(&self, sni: Option<&str>) -> bool {
        let fits = |name: &str, host: &String| match host.strip_prefix("*.") {
            Some(parent) => name
                .len()
                .checked_sub(parent.len() + 1)
                .and_then(|at| name.get(at..))
                .and_then(|end| end.strip_prefix('.'))
                .is_some_and(|end| end.eq_ignore_ascii_case(parent)),
            None => name.eq_ignore_ascii_case(host),
        };
        self.decrypt_hosts.is_empty()
            || sni.is_some_and(|name| self.decrypt_hosts.iter().any(|host| fits(name, host)))
    }
}

/// What came of TLS connections. A connection counts once it shows that it is encrypted, records when they are whole.
/// `records = opened + failed + blind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsCounters {
    /// Connections that began with a hello.
    pub connections: u64,
    /// Of those, with records that were decrypted.
    pub decrypted: u64,
    /// Connections whose keys did not come in time, where keys were expected.
    pub no_keys: u64,
    /// Connections whose keys opened nothing.
    pub wrong_keys: u64,
    /// Connections that no key could open: their hellos were not captured, or the cipher suite is not known.
    pub hopeless: u64,
    /// Connections to hosts that are not to be decrypted.
    pub not_allowed: u64,
    /// Protected records.
    pub records: u64,
    /// Of those, decrypted.
    pub opened: u64,
    /// Of those, not authentic under the connection's keys, or with bytes missing.
    pub failed: u64,
    /// Of those, without keys.
    pub blind: u64,
    /// Bytes that could not wait for keys because there was no room.
    pub no_room: u64,
    /// Bytes that were decrypted and handed on: they are counted as those of the protocol inside.
    pub content_bytes: u64,
    /// QUIC connections whose hello was given up before it was whole: its rest did not come, or there was no room to wait.
    pub quic_given_up: u64,
    /// Lines of key logs.
    pub keys: KeyCounters,
}

impl TlsCounters {
    /// Adds what another parser counted.
    pub const fn add(&mut self, other: &Self) {
        // Every field, so that a new one is not forgotten.
        let Self {
            connections,
            decrypted,
            no_keys,
            wrong_keys,
            hopeless,
            not_allowed,
            records,
            opened,
            failed,
            blind,
            no_room,
            content_bytes,
            quic_given_up,
            keys,
        } = other;
        self.connections += *connections;
        self.decrypted += *decrypted;
        self.no_keys += *no_keys;
        self.wrong_keys += *wrong_keys;
        self.hopeless += *hopeless;
        self.not_allowed += *not_allowed;
        self.records += *records;
        self.opened += *opened;
        self.failed += *failed;
        self.blind += *blind;
        self.no_room += *no_room;
        self.content_bytes += *content_bytes;
        self.quic_given_up += *quic_given_up;
        self.keys.add(*keys);
    }
}

/// Sessions that an RSA key opened and that may go on.
const MAX_RESUMED: usize = 4_096;
/// The longest name of a session that is remembered; tickets are some 200 bytes.
const MAX_NAME: usize = 2_048;

/// What all connections share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) keys: KeyStore,
    pub(crate) config: TlsConfig,
    pub(crate) counters: TlsCounters,
    pub(crate) services: Services,
    /// Where records are decrypted.
    pub(super) scratch: Vec<u8>,
    /// Bytes that wait for keys.
    pub(super) waiting: usize,
    /// Connections that have ended and wait for keys.
    pub(crate) parked: Lot,
    resumable: BTreeMap<Vec<u8>, Secret>,
    order: VecDeque<Vec<u8>>,
    pub(crate) initials: Initials,
}

impl Shared {
    pub(super) fn remember(&mut self, name: &[u8], master: &Secret) {
        if name.is_empty() || name.len() > MAX_NAME {
            return;
        }
        if self.resumable.insert(name.to_vec(), master.clone()).is_none() {
            self.order.push_back(name.to_vec());
        }
        if self.order.len() > MAX_RESUMED
            && let Some(oldest) = self.order.pop_front()
        {
            self.resumable.remove(&oldest);
        }
    }

    pub(super) fn resumed(&self, name: &[u8]) -> Option<&Secret> {
        self.resumable.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_what_is_below_a_name() {
        let decrypt_hosts = vec!["api.example".into(), "*.shop.example".into()];
        let config = TlsConfig { decrypt_hosts, ..TlsConfig::default() };
        for name in ["api.example", "API.example", "a.shop.example", "a.b.shop.example"] {
            assert!(config.allows(Some(name)), "{name}");
        }
        for name in ["x.api.example", "shop.example", "ashop.example", "example", ""] {
            assert!(!config.allows(Some(name)), "{name}");
        }
        assert!(!config.allows(None));
        assert!(TlsConfig::default().allows(None));
    }
}
