//! Tells what is known of endpoints beside their calls: what changed, from time to time in packet time; everything once a day;
//! and all as it is when the run ends. Some endpoints are looked at with each call, so that none waits for all of them.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::vec;
use tapwire_event::{KnownEndpoint, SensorCode, SensorReport, Told};
use tapwire_inventory::{EndpointId, Inventory, Moment, Orphan};
use tapwire_protocol::Anomalies;
use tapwire_wire::Timestamp;

const SECOND: i64 = 1_000_000_000;
/// How often it is looked for what changed.
const EVERY: i64 = 600 * SECOND;
/// What did not change is told again after so long.
const AGAIN: i64 = 86_400 * SECOND;
/// Endpoints that are looked at with one call.
const STEP: usize = 32;
/// Endpoints of one event, and bytes of their texts: an event is some 40 KiB at most.
const MOST_OF_EVENT: usize = 32;
const MOST_BYTES: usize = 32 << 10;
/// What an endpoint takes in an event beside its texts, about.
const ENDPOINT_BYTES: usize = 400;
/// Endpoints that wait for others of their service.
const MOST_WAITING: usize = 512;

/// Who tells it.
#[derive(Default)]
pub(crate) struct Teller {
    /// When the last call was made.
    now: Option<Timestamp>,
    due: Option<Timestamp>,
    round: Option<Round>,
    /// Of endpoints that were there in the round before.
    told: HashMap<EndpointId, Last>,
    rounds: u32,
}

/// What was told of an endpoint.
#[derive(Clone, Copy)]
struct Last {
    time: Timestamp,
    marks: Marks,
    round: u32,
}

/// By which it is known whether something changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Marks {
    /// States, scores and what files say.
    short: u64,
    /// The same with what was counted.
    long: u64,
}

/// A look at all endpoints.
struct Round {
    moment: Moment,
    place: usize,
    /// What is only described, behind the others.
    orphans: Option<vec::IntoIter<Orphan>>,
    waiting: Waiting,
    /// The run is over: what was counted matters, too.
    is_last: bool,
}

/// What is to be told, by service.
#[derive(Default)]
struct Waiting {
    services: BTreeMap<Arc<str>, Vec<KnownEndpoint>>,
    count: usize,
}

impl Teller {
    /// A call was made at that time: tells what is due.
    pub(crate) fn heed(
        &mut self,
        inventory: &Inventory,
        time: Timestamp,
        tell: &mut dyn FnMut(&SensorReport),
    ) {
        self.now = Some(time);
        let due = *self.due.get_or_insert(time + EVERY);
        if self.round.is_none() && time >= due {
            self.due = Some(time + EVERY);
            self.begin(inventory, false);
        } else if time + EVERY < due {
            // By a clock that was set back, the next look would be hours away.
            self.due = Some(time + EVERY);
        }
        self.step(inventory, time, tell);
    }

    /// The run is over: tells everything that is not told as it is.
    pub(crate) fn finish(&mut self, inventory: &Inventory, tell: &mut dyn FnMut(&SensorReport)) {
        let latest = inventory.services().map(|service| service.last_seen).max();
        let Some(now) = self.now.max(latest) else { return };
        // What a look found that is under way counts as told.
        while self.round.is_some() {
            self.step(inventory, now, tell);
        }
        self.begin(inventory, true);
        while self.round.is_some() {
            self.step(inventory, now, tell);
        }
    }

    fn begin(&mut self, inventory: &Inventory, is_last: bool) {
        let moment = inventory.risks().into_moment();
        self.rounds = self.rounds.wrapping_add(1);
        self.round = Some(Round { moment, place: 0, orphans: None, waiting: Waiting::default(), is_last });
    }

    /// Looks at some endpoints, or tells of one service.
    fn step(&mut self, inventory: &Inventory, now: Timestamp, tell: &mut dyn FnMut(&SensorReport)) {
        let Some(mut round) = self.round.take() else { return };
        let is_full = round.waiting.count > MOST_WAITING;
        let is_looked_at = !is_full && self.look(&mut round, inventory, now);
        if (is_looked_at || is_full)
            && let Some(report) = round.waiting.take(now)
        {
            tell(&report);
        }
        if is_looked_at && round.waiting.count == 0 {
            let rounds = self.rounds;
            self.told.retain(|_, last| last.round == rounds);
        } else {
            self.round = Some(round);
        }
    }

    /// Looks at the next ones; whether there are no more.
    fn look(&mut self, round: &mut Round, inventory: &Inventory, now: Timestamp) -> bool {
        let places = inventory.endpoint_places();
        if round.place < places {
            let end = round.place.saturating_add(STEP).min(places);
            let risks = inventory.risks_at(std::mem::take(&mut round.moment));
            for endpoint in (round.place..end).filter_map(|place| inventory.endpoint_at(place)) {
                let known = KnownEndpoint::of(inventory, &risks, endpoint);
                self.compare(round.is_last, &endpoint.service, known, now, &mut round.waiting);
            }
            round.moment = risks.into_moment();
            round.place = end;
            return false;
        }
        let Some(orphans) = &mut round.orphans else {
            round.orphans = Some(inventory.orphans().into_iter());
            return false;
        };
        for orphan in orphans.by_ref().take(STEP) {
            let known = KnownEndpoint::unseen(inventory, &orphan);
            self.compare(round.is_last, &orphan.service, known, now, &mut round.waiting);
        }
        orphans.len() == 0
    }

    fn compare(
        &mut self,
        is_last: bool,
        service: &Arc<str>,
        known: KnownEndpoint,
        now: Timestamp,
        to: &mut Waiting,
    ) {
        let marks = Marks::of(&known);
        let last = self.told.get_mut(&known.id).filter(|last| {
            let is_recent = now.nanos().abs_diff(last.time.nanos()) < AGAIN.unsigned_abs();
            is_recent && last.marks.short == marks.short && (!is_last || last.marks == marks)
        });
        match last {
            Some(last) => last.round = self.rounds,
            None => {
                self.told.insert(known.id, Last { time: now, marks, round: self.rounds });
                to.services.entry(Arc::clone(service)).or_default().push(known);
                to.count += 1;
            }
        }
    }
}

impl Marks {
    fn of(known: &KnownEndpoint) -> Self {
        let mut hasher = DefaultHasher::new();
        (&known.method, &known.template, &known.operation).hash(&mut hasher);
        known.states.iter().for_each(|state| state.name().hash(&mut hasher));
        for rated in known.scores.iter().flatten() {
            (rated.points, rated.reasons.len()).hash(&mut hasher);
            rated.reasons.iter().for_each(|reason| (reason.factor.name, reason.points).hash(&mut hasher));
        }
        known.about.texts().for_each(|text| text.hash(&mut hasher));
        known.about.tags.hash(&mut hasher);
        let short = hasher.finish();
        known.seen.map(|(first, last)| (first.nanos(), last.nanos())).hash(&mut hasher);
        let reasons = known.scores.iter().flatten().flat_map(|rated| &rated.reasons);
        reasons.for_each(|reason| reason.seen.hash(&mut hasher));
        Self { short, long: hasher.finish() }
    }
}

impl Waiting {
    /// An event of the first service.
    fn take(&mut self, now: Timestamp) -> Option<SensorReport> {
        let mut entry = self.services.first_entry()?;
        let all = entry.get_mut();
        let mut bytes = 0;
        let fits = |known: &&KnownEndpoint| {
            bytes += weight(known);
            bytes <= MOST_BYTES
        };
        let count = all.iter().take(MOST_OF_EVENT).take_while(fits).count().clamp(1, all.len().max(1));
        let rest = all.split_off(count.min(all.len()));
        let told = std::mem::replace(all, rest);
        let service = Arc::clone(entry.key());
        if entry.get().is_empty() {
            entry.remove();
        }
        self.count = self.count.saturating_sub(told.len());
        Some(report(service, told, now))
    }
}

/// Bytes that it takes in an event, about.
fn weight(known: &KnownEndpoint) -> usize {
    let reasons = known.scores.iter().flatten().flat_map(|rated| &rated.reasons);
    let reasons: usize = reasons.map(|one| one.factor.name.len() + one.seen.len() + 40).sum();
    let about: usize = known.about.texts().map(|(name, text)| name.len() + text.len()).sum();
    let tags: usize = known.about.tags.iter().map(|tag| tag.len() + 3).sum();
    let operation = known.operation.as_ref().map_or(0, |text| text.len());
    ENDPOINT_BYTES + known.method.len() + known.template.len() + operation + reasons + about + tags
}

fn report(service: Arc<str>, endpoints: Vec<KnownEndpoint>, now: Timestamp) -> SensorReport {
    let count = endpoints.len();
    let message = match count {
        1 => "what is known of 1 endpoint".to_owned(),
        count => format!("what is known of {count} endpoints"),
    };
    SensorReport {
        code: SensorCode::Endpoints,
        time: now,
        message,
        service: Some(service),
        anomalies: Anomalies::default(),
        told: vec![("endpoints", Told::Endpoints(endpoints))],
        counters: vec![("endpoints", count as u64)],
    }
}

#[cfg(test)]
mod tests;
