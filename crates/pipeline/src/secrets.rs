//! Secrets of TLS connections on their way to the parsers.

use std::fmt;
use tapwire_keys::{Feed, Log};
use tapwire_protocol::tls::TlsConfig;
use tapwire_protocol::{ExchangeSink, Protocols};
use tapwire_wire::Timestamp;

/// `TLSK`: a key log in the format of NSS (draft-ietf-opsawg-pcapng, 4.7).
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// What is decrypted, and the secrets that are known when a run begins. It shows none.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Lines of key logs.
    pub log: Log,
    /// Servers' private RSA keys, each a PEM file's text that was found usable.
    pub rsa: Vec<Log>,
    /// Which connections may be decrypted.
    pub config: TlsConfig,
    /// Whether more secrets will come: then connections wait for theirs.
    pub expected: bool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Secrets");
        shown.field("config", &self.config).field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Gives the parsers what is known.
    pub(crate) fn give<E: ExchangeSink>(&self, protocols: &mut Protocols<E>) {
        let Self { log, rsa, config, expected } = self;
        if *config != TlsConfig::default() {
            protocols.configure_tls(config.clone());
        }
        if *expected {
            protocols.keys().expect();
        }
        if !log.is_empty() {
            protocols.keys().feed(log);
        }
        for key in rsa {
            // Found usable before; what is not opens nothing.
            let text = std::str::from_utf8(key).unwrap_or_default();
            let _ = protocols.keys().add_rsa(text);
        }
    }
}

/// Gives the parsers what has come since.
pub(crate) fn give_new<E: ExchangeSink>(feed: &Feed, protocols: &mut Protocols<E>) {
    feed.take(|lines| protocols.keys().feed(lines));
}

/// Gives the parsers what a file brings along, where its packets are at `now`.
pub(crate) fn give_carried<E: ExchangeSink>(
    secrets: &tapwire_capture::Secrets,
    protocols: &mut Protocols<E>,
    now: Timestamp,
) {
    if secrets.kind == TLS_KEY_LOG {
        protocols.keys().feed(&secrets.data);
        protocols.keys().end_line();
        protocols.look_for_keys(now);
    }
}
