//! An inventory out of the pieces of a checkpoint.

use super::piece::{take, take_all};
use super::{FORMAT, Head, OLDEST, Section, Unfit, behind_preface, class_names};
use crate::endpoints::{MAX_METHODS, MAX_PENDING, Owners, Saved};
use crate::templates::NodeId;
use crate::{Config, Inventory, Service, hours};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What became of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Services, endpoints, callers and the rest that were read and found no room, or nothing to belong to.
    pub left_out: u64,
    /// Parts that another version wrote, and states of detectors that are gone: they begin anew.
    pub outdated: u64,
}

/// Takes the pieces of a checkpoint, in their order.
pub struct Loading {
    inventory: Inventory,
    /// The head, once it was read.
    head: Option<Head>,
    saved: Saved,
    services: Vec<(Service, NodeId)>,
    hours: hours::Saved,
    restored: Restored,
}

/// The numbers that data classes have now, by those that they had.
pub(crate) struct ClassMap(Vec<Option<u16>>);

impl ClassMap {
    fn new(head: &Head, config: &Config) -> Self {
        let now = |name: &String| class_names(config).position(|known| known == name);
        let number = |name| now(name).and_then(|at| u16::try_from(at).ok());
        Self(head.classes.iter().map(number).collect())
    }

    pub(crate) fn get(&self, class: u16) -> Option<u16> {
        self.0.get(usize::from(class)).copied().flatten()
    }
}

impl Loading {
    /// Into an inventory of that configuration, whose limits hold for what is read, too.
    pub fn new(config: Config) -> Self {
        Self {
            inventory: Inventory::new(config),
            head: None,
            saved: Saved::default(),
            services: Vec::new(),
            hours: hours::Saved::default(),
            restored: Restored::default(),
        }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// It is of another version or key, or none.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Unfit> {
        let (section, mut entries) = piece.split_first().ok_or(Unfit::Unreadable)?;
        let section = Section::of(*section).ok_or(Unfit::Unreadable)?;
        if (section == Section::Head) != self.head.is_none() {
            return Err(Unfit::Unreadable);
        }
        if let Some(version) = section.version()
            && take::<u8>(&mut entries)? != version
        {
            self.restored.outdated += 1;
            return Ok(());
        }
        let Self { inventory, saved, services, restored, hours, .. } = self;
        let config = &inventory.config;
        restored.left_out += match section {
            Section::Head => return self.take_head(entries),
            Section::Callers => inventory.principals.load_callers(entries)?,
            Section::Sessions => inventory.principals.load_sessions(entries)?,
            Section::Grants => inventory.principals.load_grants(entries)?,
            Section::Endpoints => fill(&mut saved.endpoints, entries, config.max_endpoints)?,
            // Roots are nodes, too.
            Section::Nodes => {
                let most = config.max_segments + config.max_services;
                fill(&mut saved.nodes, entries, most)?
            }
            Section::Merges => fill(&mut saved.merges, entries, config.max_endpoints)?,
            Section::Pending => fill(&mut saved.pending, entries, MAX_PENDING)?,
            Section::Methods => fill(&mut saved.methods, entries, MAX_METHODS)?,
            Section::Services => fill(services, entries, config.max_services)?,
            Section::Days => inventory.series.load(entries)?,
            Section::Servers => inventory.agents.load_servers(entries)?,
            Section::Models => inventory.agents.load_models(entries)?,
            Section::Values => inventory.endpoints.load_values(entries)?,
            Section::Relations => {
                let Restored { left_out, outdated } = inventory.related.load(entries)?;
                restored.outdated += outdated;
                left_out
            }
            Section::Quotas => inventory.hours.load_quotas(hours, entries)?,
            Section::Hours => inventory.hours.load_cells(hours, config.max_hours, entries)?,
            Section::Groups => inventory.hours.load_groups(entries)?,
            Section::Probing => inventory.probing.load(entries)?,
            Section::Counted => inventory.endpoints.load_counted(entries)?,
            Section::Favoured => inventory.endpoints.load_favoured(entries)?,
            Section::Knocking => inventory.knocking.load(entries)?,
            Section::Prints => inventory.principals.load_prints(entries)?,
        };
        Ok(())
    }

    fn take_head(&mut self, entries: &[u8]) -> Result<(), Unfit> {
        let key = &self.inventory.config.token_key;
        let mut rest = match behind_preface(entries, FORMAT, key) {
            Err(Unfit::Format { found, .. }) if (OLDEST..FORMAT).contains(&found) => {
                behind_preface(entries, found, key)?
            }
            known => known?,
        };
        self.head = Some(take(&mut rest)?);
        Ok(())
    }

    /// The inventory.
    ///
    /// # Errors
    /// No piece was a checkpoint's first.
    pub fn finish(self) -> Result<(Inventory, Restored), Unfit> {
        let Self { mut inventory, head, saved, services, hours, mut restored } = self;
        let head = head.ok_or(Unfit::Unreadable)?;
        let classes = ClassMap::new(&head, &inventory.config);
        inventory.principals.set_hands(head.hands);
        for (service, root) in services {
            restored.left_out += u64::from(!inventory.add_service(service, root));
        }
        restored.left_out += inventory.restore(saved, &classes) + inventory.hours.restore(hours);
        // The day of the last call is open: its point is made when it ends.
        let last = inventory.services.iter().map(|service| service.last_seen).max();
        if let Some(last) = last {
            inventory.series.hear(last);
        }
        Ok((inventory, restored))
    }
}

impl Inventory {
    /// Adds a service that was known; `false` where there is one of its name. Its place stays taken all the same, for callers
    /// know services by their places.
    fn add_service(&mut self, service: Service, root: NodeId) -> bool {
        let index = self.services.len();
        let new = !self.service_by_name.contains_key(&service.name);
        if new {
            self.service_by_name.insert(Arc::clone(&service.name), index);
        }
        self.scopes.push(self.endpoints.prior().scope(&service.name));
        self.roots.push(root);
        self.services.push(Service { endpoints: 0, ..service });
        new
    }

    fn restore(&mut self, saved: Saved, classes: &ClassMap) -> u64 {
        let max = self.config.max_endpoints_per_service;
        let Self { services, service_by_name, roots, scopes, endpoints, .. } = self;
        let mut owners = Owners { services, by_name: service_by_name, roots, scopes, max };
        endpoints.restore(saved, classes, &mut owners)
    }
}

/// Adds entries to a list of at most so many; how many found no room.
fn fill<T: DeserializeOwned>(list: &mut Vec<T>, entries: &[u8], most: usize) -> Result<u64, Unfit> {
    take_all(entries, |entry| {
        let room = list.len() < most;
        list.extend(room.then_some(entry));
        room
    })
}
