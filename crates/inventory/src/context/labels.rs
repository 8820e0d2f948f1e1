//! Owners and tags that files give to hosts, to paths of a host, and to networks.

use super::{Network, domain, host_of};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of an owner or a tag.
const MAX_LABEL: usize = 128;
/// Places of one kind of label; a person does not write more.
const MAX_PLACES: usize = 10_000;

/// Where a label counts, the least specific first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    /// On every service.
    Any,
    /// Where the server's address lies in it.
    Network(Network),
    /// Below that domain.
    Below(Box<str>),
    /// On that host, or on that host and port.
    Named(Box<str>),
}

#[derive(Debug, Clone)]
struct Place {
    host: Host,
    /// Segments that the template begins with; none for the whole service.
    path: Vec<Box<str>>,
    label: Arc<str>,
}

/// Labels by place.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    all: Vec<Place>,
    /// Places of named hosts, by name.
    by_host: BTreeMap<Box<str>, Vec<usize>>,
    /// The others.
    by_rule: Vec<usize>,
}

impl Labels {
    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a place of a label: `shop.example`, `shop.example:8080/v1/cards`, `*.example.com`, `*/admin` or `10.1.0.0/16`.
    pub(super) fn add(&mut self, label: &str, place: &str) -> Result<(), String> {
        let label = label.trim_matches(['"', '\'']).trim();
        if label.is_empty() || label.len() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(format!("'{label}' is no name of at most {MAX_LABEL} bytes"));
        }
        if self.all.len() >= MAX_PLACES {
            return Err(format!("there are more than {MAX_PLACES} places"));
        }
        let (host, path) = read(place)?;
        let index = self.all.len();
        match &host {
            Host::Named(name) => self.by_host.entry(name.clone()).or_default().push(index),
            _ => self.by_rule.push(index),
        }
        self.all.push(Place { host, path, label: label.into() });
        Ok(())
    }

    /// The labels of a template on a service, the most specific last: a longer path counts more than a closer host, and of
    /// two that are equal the later one.
    pub(super) fn of(&self, service: &str, servers: &[IpAddr], template: &str) -> Vec<Arc<str>> {
        if self.is_empty() {
            return Vec::new();
        }
        let named = [service, host_of(service)].into_iter().filter_map(|name| self.by_host.get(name));
        let indices = named.flatten().chain(&self.by_rule);
        let mut found: Vec<(usize, &Host, usize)> = indices
            .filter_map(|index| Some((self.all.get(*index)?, *index)))
            .filter(|(place, _)| place.holds(service, servers, template))
            .map(|(place, index)| (place.path.len(), &place.host, index))
            .collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|(_, _, index)| Some(Arc::clone(&self.all.get(index)?.label))).collect()
    }
}

impl Place {
    fn holds(&self, service: &str, servers: &[IpAddr], template: &str) -> bool {
        let here = match &self.host {
            Host::Any | Host::Named(_) => true,
            Host::Network(network) => servers.iter().any(|server| network.contains(*server)),
            Host::Below(domain) => {
                let above = host_of(service).strip_suffix(&**domain);
                above.is_some_and(|above| above.ends_with('.'))
            }
        };
        here && self.begins(template)
    }

    /// Whether the template begins with the path, by whole segments; a parameter is one whatever it is called.
    fn begins(&self, template: &str) -> bool {
        let mut segments = template.split('/').filter(|segment| !segment.is_empty());
        self.path.iter().all(|wanted| {
            segments.next().is_some_and(|segment| {
                segment == &**wanted || wanted.starts_with('{') && segment.starts_with('{')
            })
        })
    }
}

fn read(text: &str) -> Result<(Host, Vec<Box<str>>), String> {
    if let Ok(network) = Network::parse(text) {
        return Ok((Host::Network(network), Vec::new()));
    }
    let wrong = || {
        format!(
            "'{text}' is no place; write it like shop.example, shop.example/v1/cards, *.example.com, */admin or 10.1.0.0/16"
        )
    };
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    let path: Vec<Box<str>> = path.split('/').filter(|one| !one.is_empty()).map(Into::into).collect();
    let is_name = |name: &str| {
        name.contains(|c: char| c.is_alphanumeric())
            && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*')
    };
    let host = match host.strip_prefix("*.") {
        Some(below) if is_name(below) => Host::Below(domain(below).into()),
        None if host == "*" && !path.is_empty() => Host::Any,
        None if is_name(host) => Host::Named(domain(host).into()),
        _ => return Err(wrong()),
    };
    Ok((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &Labels, service: &str, template: &str) -> Vec<String> {
        let servers = ["10.1.2.3".parse().unwrap()];
        labels.of(service, &servers, template).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_longer_path_counts_more_than_a_closer_host() {
        let mut labels = Labels::default();
        for (label, place) in [
            ("cards", "shop.example/v1/cards"),
            ("shop", "Shop.Example"),
            ("admins", "*/v1/cards/{any}/lock"),
            ("network", "10.1.0.0/16"),
            ("domain", "*.example"),
            ("other", "shop.example:9/v1"),
        ] {
            labels.add(label, place).unwrap();
        }
        assert_eq!(of(&labels, "shop.example:8080", "/"), ["network", "domain", "shop"]);
        let locks = of(&labels, "shop.example", "/v1/cards/{cardId}/lock");
        assert_eq!(locks, ["network", "domain", "shop", "cards", "admins"]);
        assert_eq!(of(&labels, "shop.example", "/v1/cardsets"), ["network", "domain", "shop"]);
        assert_eq!(of(&labels, "shop.example:9", "/v1"), ["network", "domain", "shop", "other"]);
        assert_eq!(of(&labels, "badexample", "/v1"), ["network"]);
    }

    #[test]
    fn what_is_no_place_is_said() {
        let mut labels = Labels::default();
        for place in ["", "*", "a b", "/v1", "*.", "**"] {
            let error = labels.add("team", place).unwrap_err();
            assert!(error.contains(&format!("'{place}'")), "{error}");
        }
        assert!(labels.add("", "shop.example").is_err());
        assert!(labels.is_empty());
    }
}
