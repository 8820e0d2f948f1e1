//! Limits of the inventory.

use crate::context::Context;
use crate::{Given, Silence};
use std::sync::Arc;
use tapwire_inspect::TokenKey;
use tapwire_inspect::classes::Classes;

/// Limits of the inventory.
///
/// Memory: about 2 KiB an endpoint and 400 bytes a service at most, and the schemas, so the defaults stay within 250 MiB
/// when a scanner fills every table; callers and sessions take about 110 and 210 bytes each on top.
#[derive(Debug, Clone)]
pub struct Config {
    /// The key of tokens that name callers known by address and User-Agent only.
    pub token_key: TokenKey,
    /// Services kept; calls to further ones are placed without endpoint.
    pub max_services: usize,
    /// Endpoints kept in all.
    pub max_endpoints: usize,
    /// Endpoints kept of one service, so that one that is scanned leaves room for the others.
    pub max_endpoints_per_service: u32,
    /// Operations of one path that are endpoints of their own; calls of further ones are placed on the path.
    pub max_operations_per_path: u32,
    /// Segments of paths kept in all, known words and parameters with what follows them.
    pub max_segments: usize,
    /// Bytes of all learned schemas together; an endpoint of 30 fields takes about 6 KiB.
    pub max_schema_bytes: usize,
    /// Callers kept; what was used least lately makes room.
    pub max_principals: usize,
    /// Credentials of sessions kept, likewise.
    pub max_sessions: usize,
    /// The data classes that are looked for: fields have their numbers, a checkpoint their names.
    pub classes: Arc<Classes>,
    /// Services, owners and tags whose KPIs are kept day by day; 400 days of one take about 170 KiB.
    pub max_series_scopes: usize,
    /// When a service counts as silent.
    pub silence: Silence,
    /// Hours of callers at endpoints that are kept while they go on; 64 bytes each.
    pub max_hours: usize,
    /// Groups of callers that are compared; about 13 KiB each.
    pub max_peer_groups: usize,
    /// Quotas that are declared.
    pub quotas: Vec<crate::Declared>,
    /// What describes services beforehand.
    pub descriptions: Vec<Given>,
    /// What files say of the network.
    pub context: Arc<Context>,
}

impl Config {
    /// The defaults with that key: 10,000 services, 100,000 endpoints, 10,000 of one service, 1,000 operations of one path,
    /// 1,000,000 callers, 200,000 sessions.
    pub fn new(token_key: TokenKey) -> Self {
        Self {
            token_key,
            max_services: 10_000,
            max_endpoints: 100_000,
            max_endpoints_per_service: 10_000,
            max_operations_per_path: 1000,
            max_segments: 250_000,
            max_schema_bytes: 40 << 20,
            max_principals: 1_000_000,
            max_sessions: 200_000,
            classes: Arc::default(),
            max_series_scopes: 48,
            max_hours: 250_000,
            max_peer_groups: 2_000,
            quotas: Vec::new(),
            silence: Silence::USUAL,
            descriptions: Vec::new(),
            context: Arc::default(),
        }
    }

    /// Shrinks the limits of all tables to such a part, for a run with so much less memory: none below what a small network
    /// needs.
    pub fn scale(&mut self, (part, whole): (usize, usize)) {
        for (limit, least) in [
            (&mut self.max_services, 50),
            (&mut self.max_endpoints, 50),
            (&mut self.max_segments, 50),
            (&mut self.max_schema_bytes, 4 << 10),
            (&mut self.max_principals, 50),
            (&mut self.max_sessions, 50),
            (&mut self.max_series_scopes, 4),
            (&mut self.max_hours, 50),
            (&mut self.max_peer_groups, 50),
        ] {
            *limit = (limit.saturating_mul(part) / whole.max(1)).max(least);
        }
        let tenth = u32::try_from(self.max_endpoints / 10).unwrap_or(u32::MAX);
        self.max_endpoints_per_service = self.max_endpoints_per_service.min(tenth).max(100);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_shrink_with_memory_down_to_what_is_needed() {
        let scaled = |part| {
            let mut config = Config::new(TokenKey::new([7; 32]));
            config.scale(part);
            [config.max_services, config.max_endpoints, config.max_series_scopes, config.max_peer_groups]
        };
        assert_eq!(scaled((8, 8)), [10_000, 100_000, 48, 2_000]);
        assert_eq!(scaled((1, 2)), [5_000, 50_000, 24, 1_000]);
        assert_eq!(scaled((1, 64)), [156, 1_562, 4, 50]);
    }
}
