//! What files say of a service and of its endpoints.

use super::Context;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What files say of a service, or of one of its endpoints. It is looked up when it is asked for, so that files which are
/// read again count at once for everything that was learned before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// What people call it.
    pub asset: Option<Arc<str>>,
    /// Who answers for it: by `[owners]`, else the asset's.
    pub owner: Option<Arc<str>>,
    /// Where it belongs: the asset's zone, else that of its network.
    pub zone: Option<Arc<str>>,
    /// How much depends on it, in the words of who wrote the file.
    pub criticality: Option<Arc<str>>,
    /// Its tags, sorted.
    pub tags: Vec<Arc<str>>,
}

impl About {
    /// Everything but the tags, with the names that lists and events have for it.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("owner", &self.owner),
            ("zone", &self.zone),
            ("criticality", &self.criticality),
            ("asset", &self.asset),
        ];
        all.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }
}

impl Context {
    /// What is known of a template on a service that these addresses serve. Where they lie in different assets or zones, the
    /// first that says something counts.
    pub fn about(&self, service: &str, servers: &[IpAddr], template: &str) -> About {
        let asset = self.assets.of_host(service);
        let asset = asset.or_else(|| servers.iter().find_map(|server| self.assets.of_address(*server)));
        let zone = asset.as_ref().and_then(|asset| asset.zone.clone());
        let of_network = || Some(servers.iter().find_map(|server| self.zone(*server))?.name().into());
        let owner = self.owners.of(service, servers, template).pop();
        let tags: BTreeSet<Arc<str>> = self.tags.of(service, servers, template).into_iter().collect();
        About {
            owner: owner.or_else(|| asset.as_ref()?.owner.clone()),
            zone: zone.or_else(of_network),
            criticality: asset.as_ref().and_then(|asset| asset.criticality.clone()),
            asset: asset.and_then(|asset| asset.name.clone()),
            tags: tags.into_iter().collect(),
        }
    }
}
