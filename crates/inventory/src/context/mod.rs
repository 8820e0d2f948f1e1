//! What an operator knows of the network: zones, proxies, who owns what, and lists. Pure: text in, tables out.
//!
//! A broken line is told with its number, and the others count.

mod about;
mod assets;
mod labels;
mod lines;
mod ranges;
mod side;

pub use about::About;
pub use assets::Asset;
pub use ranges::{Network, Ranges};
pub use side::Side;

use self::assets::Assets;
use self::labels::Labels;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use tapwire_inspect::{Domain, Token, TokenKey};
use tapwire_protocol::FlowStamp;

/// Lines of all files together that are kept.
const MAX_LINES: usize = 1_000_000;

/// Where an address belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// One's own.
    Internal,
    /// A partner's.
    Partner,
    /// Named as public.
    Public,
}

impl Zone {
    /// As events and files spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Partner => "partner",
            Self::Public => "public",
        }
    }
}

/// A list of the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    /// Client addresses and networks.
    Addresses,
    /// Fingerprints of TLS clients.
    Ja4,
    /// Hosts that are asked, with those below them.
    Domains,
    /// Users, by the name that they log in with or the subject of their tokens.
    Users,
}

impl List {
    /// Every list.
    pub const ALL: &[Self] = &[Self::Addresses, Self::Ja4, Self::Domains, Self::Users];

    /// As files and events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Ja4 => "ja4",
            Self::Domains => "domains",
            Self::Users => "users",
        }
    }
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong, and what to write.
    pub what: String,
}

impl Trouble {
    const fn new(line: usize, what: String) -> Self {
        Self { line, what }
    }
}

/// Everything that files say about the network.
#[derive(Debug, Clone, Default)]
pub struct Context {
    zones: Ranges<Zone>,
    /// Whether public networks are among them.
    names_public: bool,
    proxies: Ranges<()>,
    gateways: Ranges<()>,
    assets: Assets,
    addresses: Ranges<()>,
    ja4: BTreeSet<Box<str>>,
    domains: BTreeSet<Box<str>>,
    users: BTreeSet<Token>,
    owners: Labels,
    tags: Labels,
}

/// What is gathered of files before it is a [`Context`].
#[derive(Debug)]
pub struct Reading {
    key: TokenKey,
    zones: Vec<(Network, Zone)>,
    proxies: Vec<(Network, ())>,
    gateways: Vec<(Network, ())>,
    assets: Vec<(assets::Place, Asset)>,
    addresses: Vec<(Network, ())>,
    ja4: BTreeSet<Box<str>>,
    domains: BTreeSet<Box<str>>,
    users: BTreeSet<Token>,
    owners: Labels,
    tags: Labels,
    lines: usize,
}

impl Reading {
    /// Nothing yet. Users are kept as tokens of that key.
    pub fn new(key: TokenKey) -> Self {
        Self {
            key,
            zones: Vec::new(),
            proxies: Vec::new(),
            gateways: Vec::new(),
            assets: Vec::new(),
            addresses: Vec::new(),
            ja4: BTreeSet::new(),
            domains: BTreeSet::new(),
            users: BTreeSet::new(),
            owners: Labels::default(),
            tags: Labels::default(),
            lines: 0,
        }
    }

    /// Takes a file with `[networks]`, `[lists]`, `[owners]` and `[tags]`. Gives what of it could not be used.
    pub fn sections(&mut self, text: &str) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for entry in lines::entries(text, &mut troubles) {
            let added = self.room().and_then(|()| self.add(entry.section, entry.key, entry.value));
            troubles.extend(added.err().map(|what| Trouble::new(entry.line, what)));
        }
        troubles.sort_by_key(|trouble| trouble.line);
        troubles
    }

    /// Takes one value of a section.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, section: &str, key: &str, value: &str) -> Result<(), String> {
        match (section, key) {
            ("networks", "internal") => self.zones.push((Network::parse(value)?, Zone::Internal)),
            ("networks", "partner") => self.zones.push((Network::parse(value)?, Zone::Partner)),
            ("networks", "public") => self.zones.push((Network::parse(value)?, Zone::Public)),
            ("networks", "proxies") => self.proxies.push((Network::parse(value)?, ())),
            ("networks", "gateways") => self.gateways.push((Network::parse(value)?, ())),
            ("lists", "addresses") => self.addresses.push((Network::parse(value)?, ())),
            ("lists", "ja4") => drop(self.ja4.insert(value.to_ascii_lowercase().into())),
            ("lists", "domains") => drop(self.domains.insert(domain(value).into())),
            ("lists", "users") => drop(self.users.insert(self.key.token(Domain::Identity, value.as_bytes()))),
            ("owners", owner) => self.owners.add(owner, value)?,
            ("tags", tag) => self.tags.add(tag, value)?,
            ("networks", _) => return Err(unknown(key, "internal, partner, public, proxies or gateways")),
            ("lists", _) => return Err(unknown(key, "addresses, ja4, domains or users")),
            _ => {
                return Err(format!(
                    "'{section}' is no section; there are [networks], [lists], [owners] and [tags]"
                ));
            }
        }
        Ok(())
    }

    /// Takes a table of assets: `network or host,name,owner,zone,criticality`, with such a first line or without.
    pub fn assets(&mut self, text: &str) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            match self.room().and_then(|()| assets::read(text, line == 1)) {
                Ok(found) => self.assets.extend(found),
                Err(what) => troubles.push(Trouble::new(line, what)),
            }
        }
        troubles
    }

    fn room(&mut self) -> Result<(), String> {
        self.lines += 1;
        (self.lines <= MAX_LINES)
            .then_some(())
            .ok_or_else(|| format!("there are more than {MAX_LINES} lines"))
    }

    /// The tables.
    pub fn finish(self) -> Context {
        Context {
            names_public: self.zones.iter().any(|(_, zone)| *zone == Zone::Public),
            zones: Ranges::new(self.zones),
            proxies: Ranges::new(self.proxies),
            gateways: Ranges::new(self.gateways),
            assets: Assets::new(self.assets),
            addresses: Ranges::new(self.addresses),
            ja4: self.ja4,
            domains: self.domains,
            users: self.users,
            owners: self.owners,
            tags: self.tags,
        }
    }
}

fn unknown(key: &str, known: &str) -> String {
    format!("'{key}' is not known here; write {known}")
}

/// A host or domain as it is compared: lower case, no dots around it, `*.` counts as nothing.
fn domain(text: &str) -> String {
    text.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase()
}

/// What is known of one end of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// Its zone: the asset's, else that of its network.
    pub zone: Option<Arc<str>>,
    /// The asset.
    pub asset: Option<Arc<Asset>>,
}

impl Context {
    /// Whether files said anything.
    pub fn is_empty(&self) -> bool {
        let Self {
            zones,
            names_public: _,
            proxies,
            gateways,
            assets,
            addresses,
            ja4,
            domains,
            users,
            owners,
            tags,
        } = self;
        zones.is_empty()
            && proxies.is_empty()
            && gateways.is_empty()
            && assets.is_empty()
            && addresses.is_empty()
            && ja4.is_empty()
            && domains.is_empty()
            && users.is_empty()
            && owners.is_empty()
            && tags.is_empty()
    }

    /// Whether an address is a proxy whose word on clients counts.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.get(address).is_some()
    }

    /// Whether any proxy was named.
    pub fn has_proxies(&self) -> bool {
        !self.proxies.is_empty()
    }

    /// Whether an address is a gateway.
    pub fn is_gateway(&self, address: IpAddr) -> bool {
        self.gateways.get(address).is_some()
    }

    /// Whether a connection comes from a gateway or goes to one; `None` where no gateway is named.
    pub fn is_through_gateway(&self, flow: &FlowStamp) -> Option<bool> {
        let ends = [flow.client(), flow.server()];
        (!self.gateways.is_empty()).then(|| ends.iter().any(|end| self.is_gateway(end.ip())))
    }

    /// Whether files say who answers for anything: `[owners]`, or a table of assets.
    pub fn has_owners(&self) -> bool {
        !self.owners.is_empty() || !self.assets.is_empty()
    }

    /// The zone of an address, by `[networks]`.
    pub fn zone(&self, address: IpAddr) -> Option<Zone> {
        self.zones.get(address)
    }

    /// What is known of an end: of a host by its name, else by its address.
    pub fn place(&self, address: IpAddr, host: Option<&str>) -> Placed {
        let asset = self.assets.of(address, host);
        let own = asset.as_ref().and_then(|asset| asset.zone.clone());
        Placed { zone: own.or_else(|| self.zone(address).map(|zone| zone.name().into())), asset }
    }

    /// On which lists a call stands.
    pub fn hits(&self, client: IpAddr, ja4: Option<&str>, host: Option<&str>, users: &[Token]) -> Hits {
        let mut hits = Hits::default();
        hits.set(List::Addresses, self.addresses.get(client).is_some());
        hits.set(List::Ja4, ja4.is_some_and(|ja4| self.ja4.contains(ja4)));
        hits.set(List::Domains, !self.domains.is_empty() && host.is_some_and(|host| self.has_domain(host)));
        hits.set(List::Users, users.iter().any(|user| self.users.contains(user)));
        hits
    }

    /// Whether a host, or a domain above it, stands on the list.
    fn has_domain(&self, host: &str) -> bool {
        let mut rest = host_of(host);
        loop {
            if self.domains.contains(rest) {
                return true;
            }
            match rest.split_once('.') {
                Some((_, above)) => rest = above,
                None => return false,
            }
        }
    }
}

/// An authority's host.
fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.split_once(']').map_or(authority, |(host, _)| host.trim_start_matches('['));
    }
    authority.split_once(':').map_or(authority, |(host, _)| host)
}

/// The lists on which a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hits(u8);

impl Hits {
    const fn set(&mut self, list: List, on: bool) {
        if on {
            self.0 |= 1 << list as u8;
        }
    }

    /// The lists.
    pub fn iter(self) -> impl Iterator<Item = List> {
        List::ALL.iter().copied().filter(move |list| self.0 & (1 << *list as u8) != 0)
    }

    /// Whether it stands on none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests;
