//! The table of assets: who owns which network or host.

use super::{Network, Ranges, domain, host_of};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of a name, an owner, a zone or a criticality.
const MAX_FIELD: usize = 128;

/// What is known of a network or host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asset {
    /// What people call it.
    pub name: Option<Arc<str>>,
    /// Who answers for it.
    pub owner: Option<Arc<str>>,
    /// Where it belongs.
    pub zone: Option<Arc<str>>,
    /// How much depends on it, in the words of who wrote the file.
    pub criticality: Option<Arc<str>>,
}

/// What an asset is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Network(Network),
    Host(Box<str>),
}

/// One line; nothing for an empty one, a comment, and the line that names the columns.
pub(super) fn read(line: &str, first: bool) -> Result<Option<(Place, Asset)>, String> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let fields = split(line)?;
    let place = fields.first().map(String::as_str).unwrap_or_default();
    if first && ["network", "cidr", "host", "address"].iter().any(|name| place.eq_ignore_ascii_case(name)) {
        return Ok(None);
    }
    if fields.len() > 5 {
        return Err("there are more than five fields: network or host, name, owner, zone, criticality".into());
    }
    let place = match Network::parse(place) {
        Ok(network) => Place::Network(network),
        Err(wrong) if place.contains(['/', ' ']) || !place.contains(|c: char| c.is_ascii_alphanumeric()) => {
            return Err(wrong);
        }
        Err(_) => Place::Host(domain(place).into()),
    };
    let field =
        |index: usize| fields.get(index).filter(|text| !text.is_empty()).map(|text| text.as_str().into());
    let asset = Asset { name: field(1), owner: field(2), zone: field(3), criticality: field(4) };
    Ok(Some((place, asset)))
}

/// The fields of a line (RFC 4180, 2).
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut characters) = (false, line.chars().peekable());
    while let Some(character) = characters.next() {
        let Some(field) = fields.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                field.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(character),
        }
    }
    if quoted {
        return Err("a quote is not closed".into());
    }
    let trimmed: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
    match trimmed.iter().any(|field| field.len() > MAX_FIELD || field.chars().any(char::is_control)) {
        true => Err(format!("a field is longer than {MAX_FIELD} bytes, or no text")),
        false => Ok(trimmed),
    }
}

/// Assets by network and by host.
#[derive(Debug, Clone, Default)]
pub(super) struct Assets {
    all: Vec<Arc<Asset>>,
    networks: Ranges<u32>,
    hosts: BTreeMap<Box<str>, u32>,
}

impl Assets {
    pub(super) fn new(entries: Vec<(Place, Asset)>) -> Self {
        let (mut all, mut networks, mut hosts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (index, (place, asset)) in (0..).zip(entries) {
            all.push(Arc::new(asset));
            match place {
                Place::Network(network) => networks.push((network, index)),
                Place::Host(host) => drop(hosts.insert(host, index)),
            }
        }
        Self { all, networks: Ranges::new(networks), hosts }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The asset of a host, by its name with its port or without, else of an address.
    pub(super) fn of(&self, address: IpAddr, host: Option<&str>) -> Option<Arc<Asset>> {
        host.and_then(|host| self.of_host(host)).or_else(|| self.of_address(address))
    }

    /// The asset of a host, by its name with its port or without.
    pub(super) fn of_host(&self, host: &str) -> Option<Arc<Asset>> {
        let index = self.hosts.get(host).or_else(|| self.hosts.get(host_of(host)))?;
        self.all.get(*index as usize).cloned()
    }

    /// The asset of an address.
    pub(super) fn of_address(&self, address: IpAddr) -> Option<Arc<Asset>> {
        self.all.get(self.networks.get(address)? as usize).cloned()
    }
}
