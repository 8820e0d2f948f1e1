//! Secrets for decryption: where they come from, and how this process keeps them to itself.

use crate::cli::{ForwardArgs, KeyArgs};
use crate::failure::{Exit, Failure};
use crate::watch::catch_signals;
use std::path::Path;
use std::sync::Arc;
use tapwire_keys::{Address, Feed, Forward, Log, Sources, Target, Tell, Tls};
use tapwire_pipeline::Secrets;
use tapwire_protocol::tls::{KeyStore, RsaKeyError, TlsConfig};
use zeroize::Zeroizing;

/// What a run decrypts with.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Known when it begins.
    pub(crate) secrets: Secrets,
    /// Come later, one feed for each capture thread.
    pub(crate) feeds: Vec<Feed>,
    sources: Option<Sources>,
}

impl Keys {
    /// Of traffic that goes on: sources are open, and followed from [`Self::start`] on until this value is dropped.
    pub(crate) fn of_a_tap(args: &KeyArgs, files: &Tls, lanes: usize, quiet: bool) -> Result<Self, Failure> {
        let Some((addresses, mut secrets)) = asked(args)? else { return Ok(Self::default()) };
        if addresses.is_empty() {
            return Ok(Self { secrets, ..Self::default() });
        }
        let (sources, log, feeds) = Sources::follow(&addresses, files, lanes, tell(quiet))?;
        secrets.log = log;
        secrets.expected = true;
        Ok(Self { secrets, feeds, sources: Some(sources) })
    }

    /// Of captures: everything is known before the first packet, so that every replay gives the same. A source without a key
    /// is told: what comes of it looks like traffic that nobody can decrypt.
    pub(crate) fn of_captures(args: &KeyArgs) -> Result<Self, Failure> {
        // A capture may bring secrets along, whether or not others are given.
        keep_to_oneself()?;
        let Some((addresses, mut secrets)) = asked(args)? else { return Ok(Self::default()) };
        secrets.log = Sources::read(&addresses, &tell(false))?;
        Ok(Self { secrets, ..Self::default() })
    }

    /// Follows the sources of a tap; before that they are only open.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        Ok(self.sources.as_mut().map_or(Ok(()), Sources::start)?)
    }

    /// What the sources have to tell when the run is over.
    pub(crate) fn told(&self) -> Option<String> {
        let counters = self.sources.as_ref()?.counters();
        let mut line = format!("keys: {} lines taken", counters.lines.saturating_sub(counters.foreign));
        let others = [
            (counters.foreign, "lines that are none of a key log"),
            (counters.senders, "senders connected"),
            (counters.refused, "senders refused"),
            (counters.too_long, "lines too long to be of a key log"),
        ];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            line.push_str(&format!(", {count} {what}"));
        }
        Some(line)
    }
}

/// Reads the options; `None` where nothing is to be decrypted.
fn asked(args: &KeyArgs) -> Result<Option<(Vec<Address>, Secrets)>, Failure> {
    let KeyArgs { keylog, rsa_key, decrypt_host } = args;
    if keylog.is_empty() && rsa_key.is_empty() {
        return match decrypt_host.first() {
            Some(host) => Err(Failure::new(format!(
                "--decrypt-host {host}: there are no keys; give them with --keylog or --rsa-key"
            ))),
            None => Ok(None),
        };
    }
    keep_to_oneself()?;
    let mut addresses: Vec<Address> = Vec::new();
    for text in keylog {
        let address = text.parse().map_err(|error| Failure::new(format!("--keylog {error}")))?;
        if addresses.contains(&address) {
            return Err(Failure::new(format!("--keylog {text}: given twice")));
        }
        addresses.push(address);
    }
    decrypt_host.iter().try_for_each(|host| host_pattern(host))?;
    let rsa = rsa_key.iter().map(|path| private_key(path)).collect::<Result<_, _>>()?;
    let config = TlsConfig { decrypt_hosts: decrypt_host.clone(), ..TlsConfig::default() };
    Ok(Some((addresses, Secrets { rsa, config, ..Secrets::default() })))
}

/// What fits no name that a client could ask for would decrypt nothing, and nobody would know why.
fn host_pattern(host: &str) -> Result<(), Failure> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let why = match name {
        "*" => "leave the option out to decrypt every host",
        _ if name.parse::<std::net::IpAddr>().is_ok() => "clients ask for names, never for addresses",
        _ if name.starts_with('.') || name.ends_with('.') || name.is_empty() || !name.bytes().all(plain) => {
            "give a name as clients ask for it, such as shop.test, or *.shop.test for all below it"
        }
        _ => return Ok(()),
    };
    Err(Failure::new(format!("--decrypt-host {host}: {why}")))
}

/// The text of a PEM file that holds a usable key.
fn private_key(path: &Path) -> Result<Log, Failure> {
    let failed = |why: &str| Failure::new(format!("--rsa-key {}: {why}", path.display()));
    let text = std::fs::read(path).map(Zeroizing::new).map_err(|error| failed(&error.to_string()))?;
    let pem = std::str::from_utf8(&text).unwrap_or_default();
    match KeyStore::default().add_rsa(pem) {
        Ok(()) => Ok(Arc::new(text)),
        Err(RsaKeyError::Unreadable) => {
            Err(failed("no private RSA key in PEM form without a passphrase; openssl pkey writes one"))
        }
        Err(RsaKeyError::TooMany) => Err(failed("too many keys")),
    }
}

/// `tapwire keys forward`: until it is interrupted, or everything is sent.
pub(crate) fn forward(args: &ForwardArgs) -> Result<Exit, Failure> {
    let source: Address = args.source.parse()?;
    let target: Target = args.to.parse()?;
    let files = Tls { ca: args.ca.clone(), cert: args.cert.clone(), key: args.key.clone() };
    keep_to_oneself()?;
    let forward = Forward::new(&source, target, &files, tell(args.quiet))?;
    let stop = catch_signals()?;
    let sent = forward.run(args.once, &stop);
    if !args.quiet {
        eprintln!(
            "tapwire: keys: {} lines sent and taken, {} dropped because too many waited, {} left; connected {} times",
            sent.lines, sent.dropped, sent.left, sent.connections
        );
    }
    let done = args.once && sent.left == 0;
    Ok(if done { Exit::Done } else { Exit::Interrupted })
}

fn tell(quiet: bool) -> Tell {
    Arc::new(move |line: &str| {
        if !quiet {
            eprintln!("tapwire: {line}");
        }
    })
}

/// No core of this process is written, and no other process of the same user may read its memory.
pub(crate) fn keep_to_oneself() -> Result<(), Failure> {
    use nix::sys::{prctl, resource};
    let failed =
        |error: nix::errno::Errno| Failure::new(format!("keys: memory cannot be kept out of cores: {error}"));
    resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0).map_err(failed)?;
    prctl::set_dumpable(false).map_err(failed)
}
