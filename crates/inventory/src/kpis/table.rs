//! All KPIs of all scopes, summed in one pass over what is learned.

use super::ground::{Looks, days};
use super::reckoning::Reckoning;
use super::{Area, By, Ground, KPIS, Kpi, Measure, Part, Scope, Value};
use crate::openapi::State;
use crate::{EndpointId, Inventory};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one figure of the sensor that is not about what it saw.
const PRECISION: &str = "incident-precision";

/// What the sensor knows of itself, and the inventory does not.
#[derive(Debug, Clone, Default)]
pub struct Sensed {
    /// Bytes that receivers acknowledged and that are not in the capture, of all that they acknowledged.
    pub loss: Part,
    /// Connections of protocols that are not read, of all.
    pub unparsed: Part,
    /// TLS connections that were not decrypted, of all.
    pub undecrypted: Part,
    /// Exchanges of each service of which a half is missing, or of which it is not sure that the halves belong together.
    pub unpaired: BTreeMap<Arc<str>, Part>,
    /// Incidents that people said were attacks, of all that they judged.
    pub precision: Part,
    /// Why the sensor's blind spots are not told, where nobody counted them.
    pub not_kept: Option<&'static str>,
}

/// The parts of one scope, in the order of [`KPIS`].
pub(crate) type Parts = Box<[Part]>;

/// What is summed of one scope.
#[derive(Debug, Clone)]
pub(crate) struct Sum {
    /// Calls to its endpoints.
    pub(crate) calls: u64,
    pub(crate) parts: Parts,
}

/// Every KPI of every scope.
#[derive(Debug, Clone)]
pub struct Kpis {
    scopes: BTreeMap<Scope, Sum>,
    not_kept: Option<&'static str>,
}

/// What stands against a KPI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributor {
    /// The service.
    pub service: Arc<str>,
    /// The endpoint; `None` where it is the service as a whole.
    pub endpoint: Option<EndpointId>,
    /// Its own share of the figure.
    pub part: Part,
}

impl Kpis {
    /// By what is learned and sensed until now.
    pub fn new(inventory: &Inventory, sensed: &Sensed) -> Self {
        let mut reckoning = Reckoning::new(inventory, sensed);
        reckoning.step(inventory, usize::MAX);
        reckoning.finish(inventory, sensed)
    }

    pub(super) fn nothing(not_kept: Option<&'static str>) -> Self {
        Self { scopes: BTreeMap::from([(Scope::All, Sum::nothing())]), not_kept }
    }

    /// Adds services and the sensor.
    pub(super) fn others(
        &mut self,
        inventory: &Inventory,
        sensed: &Sensed,
        documented: &BTreeMap<Arc<str>, u64>,
    ) {
        let owners_known = inventory.context().has_owners();
        for area in areas(inventory, sensed, documented) {
            let about = inventory.about_service(&area.service.name);
            let owner = owners_known.then_some(Scope::Owner(about.owner));
            self.service(&area, owner.into_iter().chain(about.tags.into_iter().map(Scope::Tag)));
        }
        if let Some(all) = self.scopes.get_mut(&Scope::All) {
            all.add(KPIS.iter().map(|kpi| match kpi.measure {
                Measure::Sensor(of) => Some(of(sensed)),
                _ => None,
            }));
        }
    }

    /// The figure of a KPI.
    pub fn value(&self, kpi: &Kpi, scope: &Scope) -> Value {
        if *scope != Scope::All && kpi.is_sensors() {
            return Value::NotJudged("it is counted for the sensor as a whole");
        }
        let sum = self.scopes.get(scope);
        let part = sum.and_then(|sum| sum.parts.get(place(kpi)?)).copied().unwrap_or(Part::NONE);
        // What people say of incidents is kept.
        match self.not_kept.filter(|_| part.denominator == 0 && kpi.is_blind_spot() && kpi.name != PRECISION)
        {
            Some(why) => Value::NotJudged(why),
            None => kpi.value(part),
        }
    }

    /// The scopes of one sort, by name.
    pub fn scopes(&self, by: By) -> impl Iterator<Item = &Scope> {
        self.scopes.keys().filter(move |scope| scope.by() == Some(by))
    }

    pub(crate) const fn sums(&self) -> &BTreeMap<Scope, Sum> {
        &self.scopes
    }

    /// Adds an endpoint; its own figures are found once, in `mine`.
    pub(super) fn endpoint(&mut self, ground: &Ground<'_>, mine: &mut Vec<Option<Part>>) {
        mine.clear();
        mine.extend(KPIS.iter().map(|kpi| match kpi.measure {
            Measure::Endpoint(of) => Some(of(ground)),
            _ => None,
        }));
        let service = Scope::Service(Arc::clone(&ground.endpoint.service));
        let owner = ground.owners_known.then(|| Scope::Owner(ground.owner.clone()));
        let tags = ground.tags.iter().map(|tag| Scope::Tag(Arc::clone(tag)));
        for scope in [Scope::All, service].into_iter().chain(owner).chain(tags) {
            let sum = self.scopes.entry(scope).or_insert_with(Sum::nothing);
            sum.calls += ground.endpoint.calls;
            sum.add(mine.iter().copied());
        }
    }

    fn service(&mut self, area: &Area<'_>, more: impl Iterator<Item = Scope>) {
        let service = Scope::Service(Arc::clone(&area.service.name));
        for scope in [Scope::All, service].into_iter().chain(more) {
            let mine = KPIS.iter().map(|kpi| match kpi.measure {
                Measure::Service(of) | Measure::Seen(of) => Some(of(area)),
                _ => None,
            });
            self.scopes.entry(scope).or_insert_with(Sum::nothing).add(mine);
        }
    }
}

/// What stands against a KPI in a scope, at most `most`, the worst first.
pub fn worst(inventory: &Inventory, kpi: &Kpi, scope: &Scope, most: usize) -> Vec<Contributor> {
    let looks = Looks::new(inventory);
    let mut found: Vec<Contributor> = match kpi.measure {
        Measure::Endpoint(of) => {
            let mine = looks.grounds().filter(|ground| is_in(ground, scope));
            mine.map(|ground| Contributor {
                service: Arc::clone(&ground.endpoint.service),
                endpoint: Some(ground.endpoint.id),
                part: of(&ground),
            })
            .collect()
        }
        Measure::Service(of) if *scope == Scope::All => {
            let documented = documented(&looks);
            areas(inventory, &Sensed::default(), &documented)
                .map(|area| Contributor {
                    service: Arc::clone(&area.service.name),
                    endpoint: None,
                    part: of(&area),
                })
                .collect()
        }
        _ => Vec::new(),
    };
    found.retain(|one| kpi.against(one.part) > 0);
    found.sort_by_key(|one| Reverse(kpi.against(one.part)));
    found.truncate(most);
    found
}

/// Endpoints of each service that are described.
fn documented(looks: &Looks<'_>) -> BTreeMap<Arc<str>, u64> {
    let mut documented: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for ground in looks.grounds().filter(|ground| ground.is(State::Documented)) {
        *documented.entry(Arc::clone(&ground.endpoint.service)).or_default() += 1;
    }
    documented
}

fn is_in(ground: &Ground<'_>, scope: &Scope) -> bool {
    match scope {
        Scope::All => true,
        Scope::Service(service) => ground.endpoint.service == *service,
        Scope::Owner(owner) => ground.owners_known && ground.owner == *owner,
        Scope::Tag(tag) => ground.tags.contains(tag),
    }
}

fn areas<'a>(
    inventory: &'a Inventory,
    sensed: &'a Sensed,
    documented: &'a BTreeMap<Arc<str>, u64>,
) -> impl Iterator<Item = Area<'a>> {
    let mut orphans: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for orphan in inventory.orphans() {
        *orphans.entry(orphan.service).or_default() += 1;
    }
    let days = days(inventory);
    inventory.services().map(move |service| Area {
        service,
        orphans: orphans.get(&service.name).copied().unwrap_or(0),
        documented: documented.get(&service.name).copied().unwrap_or(0),
        days,
        unpaired: sensed.unpaired.get(&service.name).copied().unwrap_or(Part::NONE),
    })
}

impl Sum {
    fn nothing() -> Self {
        Self { calls: 0, parts: vec![Part::NONE; KPIS.len()].into() }
    }

    /// Adds what there is of each of [`KPIS`].
    fn add(&mut self, more: impl Iterator<Item = Option<Part>>) {
        for ((kpi, part), more) in KPIS.iter().zip(self.parts.iter_mut()).zip(more) {
            if let Some(more) = more {
                *part = part.plus(more, kpi.unit);
            }
        }
    }
}

/// Where a KPI stands in the registry.
pub(crate) fn place(kpi: &Kpi) -> Option<usize> {
    KPIS.iter().position(|known| known == kpi)
}
