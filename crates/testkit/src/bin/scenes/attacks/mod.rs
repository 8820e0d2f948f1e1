//! Attacks: what each kind does step by step, at three intensities, blocked or successful.

mod abuse;
mod auth;
mod injection;
mod objects;
mod posture;
mod roles;

use crate::apis::{Api, Auth, PEOPLES, Reach, Resource};
use crate::exchange::Exchange;
use crate::json::{Json, quoted};
use crate::labels::{About, seconds};
use crate::people::BROWSERS;
use crate::values::{choose, mix, number_of};
use crate::world::{Actor, Client, HOUR, MINUTE, SECOND, World};
use std::collections::{BTreeMap, BTreeSet};
use tapwire_testkit::Random;

/// A kind of attack.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) owasp: &'static str,
    pub(crate) says: &'static str,
    /// Where it can be blocked, and where it can succeed.
    outcomes: Outcomes,
    /// Fast, slow, distributed.
    steps: [usize; 3],
    /// The services it is done to; the scenario's number chooses.
    apis: &'static [&'static Api],
    begin: fn(&mut Attack, &mut World),
    step: fn(&mut Attack, &mut World),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcomes {
    Both,
    /// It has no way to be blocked.
    Successful,
    /// It is the attempt that is to be seen.
    Blocked,
}

/// How an attack is spread over time and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intensity {
    Fast,
    Slow,
    Distributed,
}

/// What rules may be chosen on, and what only counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Tuning,
    HeldOut,
}

impl Part {
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let found = [Self::Tuning, Self::HeldOut].into_iter().find(|part| part.name() == word);
        found.ok_or_else(|| format!("unknown part: {word}; there are tuning and held-out"))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held-out",
        }
    }
}

impl Intensity {
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let found = INTENSITIES.into_iter().find(|intensity| intensity.name() == word);
        found.ok_or_else(|| format!("unknown intensity: {word}; there are fast, slow and distributed"))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Distributed => "distributed",
        }
    }
}

const INTENSITIES: [Intensity; 3] = [Intensity::Fast, Intensity::Slow, Intensity::Distributed];

/// All kinds, in the order of OWASP's categories.
pub(crate) static KINDS: &[&Kind] = &[
    &objects::BOLA_READ,
    &objects::BOLA_RANDOM,
    &objects::BOLA_WRITE,
    &objects::BOLA_ENUM,
    &objects::BOLA_UNOWNED,
    &objects::BOLA_TENANT,
    &objects::BOLA_COLLEAGUES,
    &objects::BOLA_GRAPHQL,
    &objects::BOLA_GRPC,
    &objects::DENIED_PROBES,
    &objects::POLLUTION,
    &auth::UNAUTH_ACCESS,
    &auth::EXPIRED_TOKEN,
    &auth::FOREIGN_TOKEN,
    &auth::LOGGED_OUT,
    &auth::IN_URL,
    &auth::BRUTE_FORCE,
    &auth::SPRAYING,
    &auth::STUFFING,
    &auth::TAKEOVER,
    &auth::USER_ENUMERATION,
    &auth::TWO_PLACES,
    &auth::ALG_NONE,
    &auth::FORGED,
    &auth::LONG_LIVED,
    &abuse::MASS_ASSIGNMENT,
    &abuse::EXCESSIVE_DATA,
    &roles::PROPERTY_ACCESS,
    &roles::ROLE_ASSIGNMENT,
    &objects::EXFILTRATION,
    &abuse::PAGE_SIZE,
    &abuse::DEEP,
    &abuse::ALIASES,
    &abuse::BATCHING,
    &abuse::SLOW_REQUESTS,
    &abuse::LIMIT_IGNORED,
    &abuse::BFLA,
    &abuse::METHOD_SWAP,
    &abuse::SCRAPING,
    &abuse::BOT,
    &abuse::SIGN_UPS,
    &abuse::FLOW_SKIPPING,
    &abuse::COUPONS,
    &injection::SSRF,
    &injection::SQL_ERROR,
    &injection::SQL_BOOLEAN,
    &injection::SQL_TIME,
    &injection::NOSQL,
    &injection::COMMAND,
    &injection::TRAVERSAL,
    &injection::XSS,
    &injection::SSTI,
    &injection::XXE,
    &injection::LDAP,
    &injection::DESERIALISATION,
    &injection::LOG4SHELL,
    &injection::CRLF,
    &injection::SMUGGLING,
    &posture::SECRETS,
    &posture::STACK_TRACE,
    &posture::CORS,
    &posture::DEBUG,
    &posture::LISTING,
    &posture::INTROSPECTION,
    &posture::TOOL_DRIFT,
    &posture::PROMPT_INJECTION,
    &posture::RECON,
    &posture::METHODS,
    &posture::PORT_SCAN,
];

impl Kind {
    /// Each intensity with each outcome that it can have.
    pub(crate) fn scenarios(&'static self, seed: u64) -> Vec<Scenario> {
        let outcomes: &[bool] = match self.outcomes {
            Outcomes::Both => &[false, true],
            Outcomes::Successful => &[true],
            Outcomes::Blocked => &[false],
        };
        let each = |intensity| {
            outcomes.iter().map(move |success| Scenario { kind: self, intensity, success: *success, seed })
        };
        INTENSITIES.into_iter().flat_map(each).collect()
    }
}

/// An attack to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) kind: &'static Kind,
    pub(crate) intensity: Intensity,
    pub(crate) success: bool,
    seed: u64,
}

impl Scenario {
    /// Follows from all that it is.
    pub(crate) fn number(&self) -> u64 {
        let text = format!("{}/{}/{}", self.kind.name, self.intensity.name(), self.success);
        mix(number_of(&text), self.seed)
    }

    /// The rule that splits: a bit of the number, so nobody chooses.
    pub(crate) fn part(&self) -> Part {
        if self.number() >> 20 & 1 == 0 { Part::Tuning } else { Part::HeldOut }
    }
}

/// An attack under way.
#[derive(Debug)]
pub(crate) struct Attack {
    scenario: Scenario,
    id: String,
    api: &'static Api,
    clients: Vec<Client>,
    random: Random,
    nth: usize,
    begun: Option<i64>,
    /// When the fault began, where nobody attacks: before the first call that is sure to show it.
    since: Option<i64>,
    ended: i64,
    /// Distinct users whose records came back.
    persons: BTreeSet<u32>,
    actors: BTreeSet<String>,
    /// Whom its own accounts are called by.
    users: BTreeSet<String>,
    /// Accounts that it has by right: others that it acts as are victims.
    own: BTreeSet<u32>,
    victims: BTreeSet<String>,
    /// Methods with paths, where ids stand as `*`.
    places: BTreeSet<String>,
    statuses: BTreeMap<u16, usize>,
    paths: BTreeSet<u64>,
    requests: usize,
    /// A number that a kind keeps from step to step.
    mark: u64,
    /// Nanoseconds between steps, where a machine keeps them exactly.
    pace: Option<i64>,
    /// Nobody is to be blamed: the fault is the service's.
    nobody: bool,
}

impl Attack {
    pub(crate) fn new(world: &World, scenario: &Scenario) -> Self {
        let number = scenario.number();
        let mut attack = Self {
            scenario: *scenario,
            id: format!(
                "{}-{}-{}-{}",
                scenario.kind.name,
                scenario.intensity.name(),
                if scenario.success { "ok" } else { "no" },
                scenario.seed
            ),
            api: choose(scenario.kind.apis, number >> 7),
            clients: Vec::new(),
            random: world.random("attack", number),
            nth: 0,
            begun: None,
            since: None,
            ended: 0,
            persons: BTreeSet::new(),
            actors: BTreeSet::new(),
            users: BTreeSet::new(),
            own: BTreeSet::new(),
            victims: BTreeSet::new(),
            places: BTreeSet::new(),
            statuses: BTreeMap::new(),
            paths: BTreeSet::new(),
            requests: 0,
            mark: 0,
            pace: None,
            nobody: false,
        };
        let addresses = if scenario.intensity == Intensity::Distributed { 24 } else { 1 };
        let agent = choose(AGENTS, number >> 13);
        attack.clients = (0..addresses).map(|_| Client::new(attack.address(), agent)).collect();
        // Now and then somebody in an office where honest people sit.
        if addresses == 1 && mix(number, 5).is_multiple_of(8) {
            attack.clients[0].ip = [198, 18, 7, 1 + (number % 3) as u8];
        }
        attack
    }

    fn address(&mut self) -> [u8; 4] {
        let number = self.random.next();
        [
            choose(&[45, 91, 141, 185], number),
            (number >> 8) as u8,
            (number >> 16) as u8,
            1 + (number >> 24) as u8 % 250,
        ]
    }

    /// Nanoseconds that it is likely to take.
    pub(crate) fn span(&self) -> i64 {
        match self.scenario.intensity {
            Intensity::Fast => 20 * MINUTE,
            Intensity::Slow => 9 * HOUR,
            Intensity::Distributed => 2 * HOUR,
        }
    }

    const fn steps(&self) -> usize {
        self.scenario.kind.steps[self.scenario.intensity as usize]
    }

    /// Nanoseconds from step to step, on average.
    const fn mean_gap(&self) -> i64 {
        match self.scenario.intensity {
            Intensity::Fast => 600_000_000,
            Intensity::Slow => 7 * HOUR / self.steps() as i64,
            Intensity::Distributed => HOUR / self.steps() as i64,
        }
    }

    fn gap(&mut self) -> i64 {
        let mean = self.mean_gap();
        mean / 2 + (self.random.next() % mean as u64) as i64
    }

    /// Which of its clients acts.
    const fn turn(&self) -> usize {
        self.nth % self.clients.len()
    }

    /// Puts a step on the wire, by the client whose turn it is.
    fn say(&mut self, world: &mut World, exchange: &Exchange) {
        self.say_to(world, self.api, exchange);
    }

    fn say_to(&mut self, world: &mut World, api: &'static Api, exchange: &Exchange) {
        let turn = self.turn();
        let about = About { what: "attack", attack: Some(self.id.clone()) };
        let client = &mut self.clients[turn];
        self.ended = world.say(client, api, exchange, &about);
        self.actors.insert(client.address());
        if let Some(identity) = client.identity.as_ref().filter(|_| !exchange.anonymous) {
            let own = self.own.contains(&identity.user);
            let names = if own { &mut self.users } else { &mut self.victims };
            names.extend([identity.login.clone(), identity.subject.clone()]);
        }
        if self.places.len() < 40 {
            self.places.insert(place(exchange));
        }
        self.persons.extend(&exchange.persons);
        *self.statuses.entry(exchange.status).or_default() += 1;
        self.paths.insert(number_of(&exchange.target));
        self.requests += 1;
    }

    /// Puts on the wire what is true of either outcome.
    fn say_either(&mut self, world: &mut World, successful: Exchange, refusal: (u16, &str)) {
        let exchange = if self.scenario.success { successful } else { self.refuse(successful, refusal) };
        self.say(world, &exchange);
    }

    /// The same request, refused.
    fn refuse(&self, exchange: Exchange, (status, code): (u16, &str)) -> Exchange {
        let refused = Exchange { persons: Vec::new(), answer_headers: Vec::new(), ..exchange };
        refused.error(status, code, "The request was refused").takes(2_000_000)
    }

    /// Logs in with an account of its own, or one for each address.
    fn sign_in(&mut self, world: &mut World) {
        self.sign_in_to(world, self.api, 0);
    }

    fn sign_in_to(&mut self, world: &mut World, api: &'static Api, first_user: u32) {
        let alone = self.scenario.number() >> 33 & 1 == 0;
        let first = first_user + self.random.below(api.users as usize / 2) as u32;
        let mut shared = None;
        for (place, user) in (0..self.clients.len()).zip(first..) {
            let identity = shared.clone().unwrap_or_else(|| world.identity(api, user));
            self.own.insert(identity.user);
            let fresh = !alone || shared.is_none();
            let client = &mut self.clients[place];
            if fresh && api.auth != Auth::Key {
                let login = world.login(api, &identity.login, &world.password(api, user), Some(&identity));
                let about = About { what: "attacker-login", attack: Some(self.id.clone()) };
                world.say(client, api, &login, &about);
                client.identity = Some(identity.clone());
                let me = world.me(api, user);
                world.say(client, api, &me, &about);
            }
            client.identity = Some(identity.clone());
            shared = alone.then_some(identity);
        }
    }

    /// The user that acts now.
    fn user(&self) -> u32 {
        self.clients[self.turn()].identity.as_ref().map_or(0, |identity| identity.user)
    }

    /// An object that is not the acting user's to read.
    fn foreign(&self, world: &World, resource: &Resource, from: u32) -> u32 {
        let all = self.api.users * resource.each;
        let mut object = from % all;
        while self.api.may_read(resource, self.user(), world.owner(self.api, resource, object)) {
            object = (object + 1) % all;
        }
        object
    }

    /// A resource that suits, of those that are not public.
    fn resource(&self, suits: impl Fn(&Resource) -> bool) -> &'static Resource {
        let closed = self.api.resources.iter().filter(|resource| resource.reach != Reach::Public);
        let list: Vec<&'static Resource> = closed.clone().filter(|resource| suits(resource)).collect();
        let list = if list.is_empty() { closed.collect() } else { list };
        list[(self.scenario.number() >> 40) as usize % list.len()]
    }

    /// What happened in truth.
    fn outcome(&self) -> &'static str {
        match (self.scenario.success, self.statuses.keys().any(|status| *status >= 400)) {
            (true, _) => "confirmed",
            (false, true) => "blocked",
            (false, false) => "attempted",
        }
    }

    /// Its line in the label file, in the form of the corpus's.
    fn label(&self, begun: i64) -> String {
        let kind = self.scenario.kind;
        let minutes = (self.ended - begun).max(SECOND) as f64 / MINUTE as f64;
        let statuses =
            self.statuses.iter().map(|(status, count)| format!("{}:{count}", quoted(&status.to_string())));
        let intensity =
            format!(r#"{{"requests":{},"per_minute":{:.3}}}"#, self.requests, self.requests as f64 / minutes);
        let mut line = Json::new();
        line.text("id", &self.id)
            .text("kind", kind.name)
            .text("owasp", kind.owasp)
            .text("variant", self.scenario.intensity.name())
            .text("part", self.scenario.part().name())
            .text("service", self.api.name)
            .text("host", self.api.host)
            .text("outcome", self.outcome())
            .plain("hard", self.scenario.intensity != Intensity::Fast)
            .plain("start", seconds(self.since.unwrap_or(begun)))
            .plain("end", seconds(self.ended))
            .plain("actors_known", !self.nobody)
            .texts("actor_ips", self.actors.iter().map(String::as_str))
            .texts("actor_users", self.users.iter().map(String::as_str))
            .texts("victims", self.victims.iter().map(String::as_str))
            .texts("places", self.places.iter().map(String::as_str))
            .plain("requests", self.requests)
            .plain("distinct_paths", self.paths.len())
            .plain("statuses", format_args!("{{{}}}", statuses.collect::<Vec<_>>().join(",")))
            .plain("intensity", intensity);
        if self.scenario.success && !self.persons.is_empty() {
            line.plain("persons", self.persons.len());
        }
        line.end()
    }
}

/// Method and path of an exchange, without the object's id.
fn place(exchange: &Exchange) -> String {
    let path = exchange.target.split('?').next().unwrap_or_default();
    match path.rsplit_once('/').filter(|_| exchange.object.is_some() && exchange.grpc_status.is_none()) {
        Some((before, _)) => format!("{} {before}/*", exchange.method),
        None => format!("{} {path}", exchange.method),
    }
}

const AGENTS: &[&str] = &[BROWSERS[0], BROWSERS[2], "python-requests/2.32.3", "curl/8.9.1", BROWSERS[1]];

impl Actor for Attack {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let Some(begun) = self.begun else {
            (self.scenario.kind.begin)(self, world);
            self.since = self.nobody.then_some(world.now);
            let ready =
                self.clients.iter().map(|client| client.busy).max().unwrap_or(world.now).max(world.now);
            let warm = if self.scenario.intensity == Intensity::Fast { 20 * SECOND } else { 4 * MINUTE };
            self.begun = Some(ready + warm);
            return self.begun;
        };
        (self.scenario.kind.step)(self, world);
        self.nth += 1;
        if self.nth < self.steps() {
            if let Some(pace) = self.pace {
                return Some(begun + pace * self.nth as i64);
            }
            let turn = self.turn();
            return Some(self.clients[turn].busy.max(world.now) + self.gap());
        }
        let label = self.label(begun);
        world.log.attack(&label);
        self.clients.iter_mut().for_each(|client| client.close(world));
        None
    }
}

/// For kinds without preparation.
fn nothing(_: &mut Attack, _: &mut World) {}

/// Any service with people.
static ANY: &[&Api] = &PEOPLES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
    }
}
