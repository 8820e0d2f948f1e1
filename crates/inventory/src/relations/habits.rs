//! What is usual at a place: which methods are answered there, to which roles, what callers do before it, and how many
//! records a caller of a role is given in a day.

use super::ages::{Ages, Forgotten};
use super::given::{Page, Records};
use super::{Seen, mix};

/// Seconds after which what was not met is forgotten.
const SPAN: i64 = 14 * 86_400;
const DAY: i64 = 86_400;
/// Roles of one endpoint that are told apart, steps that may come before one, a caller's last steps, peers with most records.
const MAX_ROLES: usize = 6;
const MAX_BEFORE: usize = 4;
const MAX_STEPS: usize = 8;
const MAX_PEERS: usize = 6;
/// Seconds within which one step follows another.
const SOON: i64 = 3_600;
/// Times that a step must have been made before what comes before it is known, and the share of those with it.
const ENOUGH: u32 = 30;
const SHARE: (u32, u32) = (95, 100);

/// What is usual where a call goes, before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usual {
    /// Answers with 2xx to GET and HEAD on this path template.
    pub reads: u32,
    /// Answers with 2xx to this call's method on it.
    pub same_method: u32,
    /// Answers with 2xx by this method to callers whose roles differ from this caller's.
    pub other_roles: u32,
    /// Those to callers of its own roles.
    pub same_role: u32,
    /// Where nearly everybody made another call within the hour before: how often this one was made, where this caller did not.
    pub skipped: Option<u32>,
    /// Different records that lists gave this caller today, about, with this answer; 0 where it is no list.
    pub records: u32,
    /// The most that another caller of its roles was given in a day; of three and more, the third.
    pub peers_records: u32,
    /// The most that another was given on this very day.
    pub peers_today: u32,
    /// Callers of its roles that were given lists, itself left out, up to 6.
    pub peers: u32,
    /// The most that this caller itself was given in a day before, where it is among the callers with most.
    pub own_records: u32,
}

/// Answers with 2xx on one template, by method.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Methods([u32; 6]);

/// Answers with 2xx of one endpoint, by role.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Roles([(u64, u32); MAX_ROLES]);

/// What was called within the hour before an endpoint, and how often.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Before {
    all: u32,
    steps: [(u64, u32); MAX_BEFORE],
}

/// The last steps of a caller, each with its second.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Steps([(u64, i64); MAX_STEPS]);

/// The callers of a role with most records in a day.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Peers([Peer; MAX_PEERS]);

/// The most records that a caller was given in a day, which day that was, and the most on the days before it.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Peer {
    who: u64,
    most: u32,
    day: i64,
    before: u32,
}

pub(super) struct Habits {
    pub(super) methods: Ages<Methods>,
    pub(super) roles: Ages<Roles>,
    pub(super) before: Ages<Before>,
    pub(super) steps: Ages<Steps>,
    pub(super) records: Ages<Records>,
    pub(super) peers: Ages<Peers>,
    /// What each caller adds to roles and to what comes before a step: where calls come a second time, nobody is judged by its
    /// own.
    pub(super) own_roles: Ages<u32>,
    pub(super) own_before: Ages<Before>,
    /// What is usual is known of all calls; these come a second time.
    recalls: bool,
}

impl Habits {
    pub(super) fn new(callers: usize) -> Self {
        Self {
            methods: Ages::new(callers / 20, SPAN),
            roles: Ages::new(callers / 20, SPAN),
            before: Ages::new(callers / 50, SPAN),
            steps: Ages::new(callers / 20, SPAN),
            records: Ages::new(callers / 10, SPAN),
            peers: Ages::new(callers / 100, SPAN),
            own_roles: Ages::new(callers / 10, SPAN),
            own_before: Ages::new(callers / 50, SPAN),
            recalls: false,
        }
    }

    /// The calls that this was learned of come again: what is usual stays, and what each caller does is followed anew.
    pub(super) fn recall(&mut self, callers: usize) {
        if !self.recalls {
            self.recalls = true;
            self.steps = Ages::new(callers / 20, SPAN);
            self.records = Ages::new(callers / 10, SPAN);
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.methods
            .forgotten()
            .and(self.roles.forgotten())
            .and(self.before.forgotten())
            .and(self.steps.forgotten())
            .and(self.records.forgotten())
            .and(self.peers.forgotten())
            .and(self.own_roles.forgotten())
            .and(self.own_before.forgotten())
    }

    /// What is usual where a call goes; learns from it.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Usual {
        let mut usual = Usual::default();
        let is_ok = matches!(seen.status, Some(200..=299)) && !seen.observation.failed();
        if is_ok || seen.method > Method::Read {
            self.method(seen, is_ok, &mut usual);
        }
        let Some(who) = seen.who else { return usual };
        if is_ok {
            self.role(seen, who, &mut usual);
            self.given(seen, who, &mut usual);
        }
        if matches!(seen.method, Method::Post | Method::Put) && !seen.is_rpc {
            usual.skipped = self.step(seen, who, is_ok);
        }
        usual
    }

    fn method(&mut self, seen: &Seen<'_>, is_ok: bool, usual: &mut Usual) {
        let methods = self.methods.met_or_new(seen.shape.place, seen.now);
        usual.reads = methods.0.first().copied().unwrap_or(0);
        if let Some(count) = methods.0.get_mut(seen.method as usize) {
            usual.same_method = *count;
            *count = count.saturating_add((is_ok && !self.recalls).into());
        }
    }

    fn role(&mut self, seen: &Seen<'_>, who: u64, usual: &mut Usual) {
        let recalls = self.recalls;
        let own = mix(mix(seen.endpoint, seen.role), who);
        let roles = &mut self.roles.met_or_new(seen.endpoint, seen.now).0;
        let all: u32 = roles.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count));
        let known = roles.iter().position(|(role, count)| *count > 0 && *role == seen.role);
        if recalls {
            let same = known.and_then(|at| roles.get(at)).map_or(0, |(_, count)| *count);
            let own = self.own_roles.get(own).copied().unwrap_or(0);
            (usual.same_role, usual.other_roles) = (same.saturating_sub(own), all.saturating_sub(same));
            return;
        }
        let at =
            known.or_else(|| roles.iter().enumerate().min_by_key(|(_, (_, count))| *count).map(|(at, _)| at));
        let Some(place) = at.and_then(|at| roles.get_mut(at)) else { return };
        if known.is_none() {
            *place = (seen.role, 0);
        }
        (usual.same_role, usual.other_roles) = (place.1, all.saturating_sub(place.1));
        place.1 = place.1.saturating_add(1);
        let own = self.own_roles.met_or_new(own, seen.now);
        *own = own.saturating_add(1);
    }

    /// What comes before a step as a rule, and whether it was left out.
    fn step(&mut self, seen: &Seen<'_>, who: u64, is_ok: bool) -> Option<u32> {
        let lately = self.steps.met(who, seen.now).copied().unwrap_or_default().0;
        let was = |step: u64| lately.iter().any(|(known, at)| *known == step && is_soon(seen.now, *at));
        let before = self.before.met_or_new(seen.endpoint, seen.now);
        let by_caller = mix(seen.endpoint, who);
        let own = self.own_before.get(by_caller).filter(|_| self.recalls).copied().unwrap_or_default();
        let all = before.all.saturating_sub(own.all);
        let must = |(step, count): &&(u64, u32)| {
            let others = count.saturating_sub(own.with(*step));
            let is_rule = others.saturating_mul(SHARE.1) >= all.saturating_mul(SHARE.0);
            *step != 0 && all >= ENOUGH && is_rule
        };
        let skipped = before.steps.iter().filter(must).find(|(step, _)| !was(*step)).map(|_| all);
        if is_ok {
            // Who makes a step again and again is one caller, and no custom.
            if !self.recalls && !was(seen.endpoint) {
                let steps =
                    || lately.iter().filter(|(step, at)| *step != seen.endpoint && is_soon(seen.now, *at));
                before.learn(steps());
                self.own_before.met_or_new(by_caller, seen.now).learn(steps());
            }
            let steps = &mut self.steps.met_or_new(who, seen.now).0;
            let oldest = steps.iter_mut().min_by_key(|(step, at)| (*step != seen.endpoint, *at));
            oldest.into_iter().for_each(|place| *place = (seen.endpoint, seen.now));
        }
        skipped
    }

    /// How many records lists gave the caller today, beside its peers.
    fn given(&mut self, seen: &Seen<'_>, who: u64, usual: &mut Usual) {
        let Some(page) = Page::of(seen) else { return };
        let (key, today) = (mix(seen.shape.service, who), seen.now / DAY);
        let most = self.records.met_or_new(key, seen.now).add(&page, seen.now);
        let peers = &mut self.peers.met_or_new(mix(seen.shape.service, seen.role), seen.now).0;
        let others = peers.iter().filter(|peer| peer.who != who && peer.most > 0);
        (usual.records, usual.peers) = (most, u32::try_from(others.clone().count()).unwrap_or(0));
        usual.peers_records = usually_most(others.clone().map(|peer| peer.most));
        usual.peers_today = others.filter(|peer| peer.day == today).map(|peer| peer.most).max().unwrap_or(0);
        let own = peers.iter().position(|peer| peer.who == who);
        let fewest = || peers.iter().enumerate().min_by_key(|(_, peer)| peer.most).map(|(at, _)| at);
        let Some(place) = own.or_else(fewest).and_then(|at| peers.get_mut(at)) else { return };
        if own.is_some() {
            usual.own_records = if place.day < today { place.most } else { place.before };
        }
        if place.most < most {
            *place = Peer { who, most, day: today, before: usual.own_records };
        }
    }
}

/// Whether a step at that second is followed by one that comes now.
fn is_soon(now: i64, at: i64) -> bool {
    (0..=SOON).contains(&now.saturating_sub(at))
}

/// The most of peers, without the two that have far more than the third, where there are so many: who carried records away before
/// is no measure.
fn usually_most(counts: impl Iterator<Item = u32>) -> u32 {
    let mut most = [0; 3];
    for count in counts {
        if let Some(at) = most.iter().position(|known| count > *known) {
            most.get_mut(at..).into_iter().for_each(|rest| rest.rotate_right(1));
            most.get_mut(at).into_iter().for_each(|place| *place = count);
        }
    }
    let [first, _, third] = most;
    if third > 0 { third } else { first }
}

impl Before {
    /// How often that step came before.
    fn with(&self, step: u64) -> u32 {
        self.steps.iter().find(|(known, _)| *known == step).map_or(0, |(_, count)| *count)
    }

    /// A step was made; these had come before it.
    fn learn<'a>(&mut self, lately: impl Iterator<Item = &'a (u64, i64)>) {
        for (step, _) in lately.filter(|(step, _)| *step != 0) {
            if let Some(known) = self.steps.iter_mut().find(|(known, _)| known == step) {
                known.1 = known.1.saturating_add(1);
            } else if let Some(fewest) = self.steps.iter_mut().min_by_key(|(_, count)| *count)
                // What comes late comes too seldom to be a rule.
                && self.all < ENOUGH / 4
                && fewest.1 <= self.all / 2
            {
                *fewest = (*step, 1);
            }
        }
        self.all = self.all.saturating_add(1);
        if self.all >= u32::MAX / 200 {
            self.all /= 2;
            self.steps.iter_mut().for_each(|(_, count)| *count /= 2);
        }
    }
}

/// Methods that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    Read,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl Method {
    pub(super) const fn of(method: &[u8]) -> Self {
        match method {
            b"GET" | b"HEAD" => Self::Read,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"PATCH" => Self::Patch,
            b"DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}
