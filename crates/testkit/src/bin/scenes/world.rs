//! What holds at a moment: time, releases, created objects, and the way out of exchanges.

use crate::apis::{Api, Auth, Reach, Resource, Subject};
use crate::attacks::Part;
use crate::exchange::Exchange;
use crate::labels::{About, Log};
use crate::values::{self, Person, mix, number_of};
use crate::wire::{Heads, Link, Tap};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use tapwire_testkit::Random;
use tapwire_wire::Endpoint;

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Midnight of a Monday, 2026-01-05.
pub(crate) const MONDAY: i64 = 1_767_571_200 * SECOND;

/// Something that acts now and then.
pub(crate) trait Actor {
    /// Acts at `world.now`; returns when it will act again.
    fn act(&mut self, world: &mut World) -> Option<i64>;
}

pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) seed: u64,
    /// Whose words and forms honest scenes take; all where none is said.
    pub(crate) part: Option<Part>,
    /// Nothing is said after this, nor more than so many exchanges.
    pub(crate) end: i64,
    pub(crate) most: u64,
    /// Minutes in which something is wrong.
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) tap: Tap<BufWriter<File>>,
    pub(crate) log: Log,
    /// Actors that begin at a time.
    pub(crate) born: Vec<(i64, Box<dyn Actor>)>,
    /// New fields of answers, from a time on.
    pub(crate) releases: Vec<Release>,
    /// Owners of objects that were created since the beginning, by service and resource.
    created: BTreeMap<(&'static str, &'static str), Vec<u32>>,
    pub(crate) exchanges: u64,
    connections: u64,
}

/// From `from` to `until` the objects of a resource have further members.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) api: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) fields: &'static [(&'static str, crate::apis::Kind)],
}

/// From `from` to `until` something is wrong with a service, or with how it is seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) api: &'static str,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) what: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Every third call is answered 500 with a stack trace.
    Down,
    /// The mirror has what clients send, and no answer.
    OneSided,
}

/// Who calls from where.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) ip: [u8; 4],
    pub(crate) agent: String,
    pub(crate) identity: Option<Identity>,
    links: Vec<(&'static str, Link)>,
    /// When the last answer was in.
    pub(crate) busy: i64,
}

/// Who a credential stands for.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user: u32,
    pub(crate) login: String,
    pub(crate) subject: String,
    pub(crate) role: &'static str,
    /// Header and value.
    pub(crate) credential: (&'static str, String),
}

impl Client {
    pub(crate) fn new(ip: [u8; 4], agent: impl Into<String>) -> Self {
        Self { ip, agent: agent.into(), identity: None, links: Vec::new(), busy: 0 }
    }

    pub(crate) fn address(&self) -> String {
        let [a, b, c, d] = self.ip;
        format!("{a}.{b}.{c}.{d}")
    }

    /// Goes on from another network: with new connections.
    pub(crate) fn moves(&mut self, ip: [u8; 4]) {
        self.ip = ip;
        self.links.clear();
    }

    pub(crate) fn close(&mut self, world: &mut World) {
        for (_, mut link) in std::mem::take(&mut self.links) {
            world.tap.close(&mut link, world.now.max(self.busy));
        }
    }
}

impl World {
    pub(crate) fn new(now: i64, seed: u64, tap: Tap<BufWriter<File>>, log: Log) -> Self {
        Self {
            now,
            seed,
            part: None,
            end: i64::MAX,
            most: u64::MAX,
            troubles: Vec::new(),
            tap,
            log,
            born: Vec::new(),
            releases: Vec::new(),
            created: BTreeMap::new(),
            exchanges: 0,
            connections: 0,
        }
    }

    /// A generator of its own for each purpose.
    pub(crate) fn random(&self, purpose: &str, number: u64) -> Random {
        Random::new(mix(mix(self.seed, number_of(purpose)), number))
    }

    /// Whether the services and apps have their new version.
    pub(crate) fn released(&self) -> bool {
        self.releases.iter().any(|release| release.from <= self.now && release.until == i64::MAX)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.tap.flush(self.now)?;
        self.log.flush(self.now)
    }

    pub(crate) fn spawn(&mut self, at: i64, actor: impl Actor + 'static) {
        self.born.push((at, Box::new(actor)));
    }

    /// Puts an exchange on the wire and into the log; returns when its answer is in.
    pub(crate) fn say(
        &mut self,
        client: &mut Client,
        api: &'static Api,
        exchange: &Exchange,
        about: &About,
    ) -> i64 {
        if self.now.max(client.busy) > self.end || self.exchanges >= self.most {
            return client.busy;
        }
        let at = self.connect(client, api);
        let troubled = self.troubled(api, exchange, about, at);
        let exchange = troubled.as_ref().unwrap_or(exchange);
        let heads = heads(client, api, exchange, at / SECOND);
        let own = client.links.iter_mut().find(|(name, _)| *name == api.name);
        let Some((_, link)) = own else { return at };
        let port = link.port();
        let end = self.tap.exchange(link, exchange, &heads, at);
        client.busy = end + 1_000_000;
        self.exchanges += 1;
        self.log.request(at, client, port, api, exchange, about);
        client.busy
    }

    /// What comes of an exchange that is no attack, where something is wrong at that time.
    fn troubled(&self, api: &Api, exchange: &Exchange, about: &About, at: i64) -> Option<Exchange> {
        let hash = mix(at as u64, self.seed);
        let wrong = |what| {
            let hit = |trouble: &&Trouble| trouble.what == what && trouble.api == api.name;
            self.troubles.iter().filter(hit).any(|trouble| (trouble.from..trouble.until).contains(&at))
        };
        // HPACK's table would be lost with an answer, and all that follows with it.
        let plain = !api.http2 && exchange.raw.is_none() && about.attack.is_none();
        if plain && (wrong(Wrong::OneSided) || exchange.target == api.login && hash.is_multiple_of(90)) {
            return Some(Exchange { unseen: true, ..exchange.clone() });
        }
        if plain && about.what != "health-check" && hash.is_multiple_of(3) && wrong(Wrong::Down) {
            const TRACE: &str = r#"{"status":500,"error":"Internal Server Error","trace":"java.sql.SQLTransientConnectionException: pool - Connection is not available\n\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:197)\n\tat com.example.Api.load(Api.java:51)"}"#;
            let down = Exchange { persons: Vec::new(), answer_headers: Vec::new(), ..exchange.clone() };
            return Some(down.answer(500, crate::exchange::Body::json(TRACE)).takes(2 * SECOND));
        }
        None
    }

    /// Makes sure of a connection that is fresh enough; returns when the client may send.
    fn connect(&mut self, client: &mut Client, api: &'static Api) -> i64 {
        let at = self.now.max(client.busy);
        if let Some(place) = client.links.iter().position(|(name, _)| *name == api.name) {
            if at - client.links[place].1.last < 55 * SECOND {
                return at;
            }
            let (_, mut old) = client.links.remove(place);
            self.tap.close(&mut old, at);
        }
        let mut link = self.link(client.ip, Endpoint::v4(api.server, api.port), api.http2);
        let open = self.tap.open(&mut link, at + 1_000_000);
        client.links.push((api.name, link));
        open
    }

    /// The next connection there is; ports come again after 28,000 of them.
    pub(crate) fn link(&mut self, from: [u8; 4], to: Endpoint, http2: bool) -> Link {
        self.connections += 1;
        let port = 32_768 + (self.connections % 28_000) as u16;
        Link::new(from, port, to, http2, mix(self.seed, self.connections))
    }

    /// Adds an object; returns its number.
    pub(crate) fn create(&mut self, api: &'static Api, resource: &'static Resource, owner: u32) -> u32 {
        let new = self.created.entry((api.name, resource.name)).or_default();
        new.push(owner);
        api.users * resource.each + new.len() as u32 - 1
    }

    /// Whose an object is.
    pub(crate) fn owner(&self, api: &Api, resource: &Resource, object: u32) -> u32 {
        let first = api.users * resource.each;
        match object.checked_sub(first) {
            None => (u64::from(object % api.users) * SPREAD % u64::from(api.users)) as u32,
            Some(nth) => {
                let new = self.created.get(&(api.name, resource.name));
                new.and_then(|owners| owners.get(nth as usize)).copied().unwrap_or(0)
            }
        }
    }

    /// A user of a service as a human being.
    pub(crate) fn person(&self, api: &Api, user: u32) -> Person {
        Person(mix(mix(self.seed, number_of(api.issuer())), u64::from(user)))
    }

    /// Logged in since now.
    pub(crate) fn identity(&self, api: &Api, user: u32) -> Identity {
        let (role, subject) = (api.role(user), self.subject(api, user));
        let login = self.person(api, user).email();
        let credential = self.credential(api, user, &subject, role, 3_600);
        Identity { user, login, subject, role, credential }
    }

    fn credential(
        &self,
        api: &Api,
        user: u32,
        subject: &str,
        role: &str,
        lives: i64,
    ) -> (&'static str, String) {
        let moment = mix(mix(self.seed, self.now as u64), u64::from(user));
        match api.auth {
            Auth::Bearer => {
                ("Authorization", format!("Bearer {}", self.token(api, user, subject, role, lives)))
            }
            Auth::Cookie => ("Cookie", format!("sid={}", values::opaque(moment, 40))),
            Auth::Key => ("X-API-Key", self.key(api, user)),
        }
    }

    /// Stays the same for ever.
    pub(crate) fn key(&self, api: &Api, user: u32) -> String {
        format!("wk-{}", values::opaque(mix(mix(self.seed, number_of(api.name)), u64::from(user)), 36))
    }

    /// A JSON Web Token that nobody can check: its signature is drawn.
    pub(crate) fn token(&self, api: &Api, user: u32, subject: &str, role: &str, lives: i64) -> String {
        let issued = self.now / SECOND;
        let tenant =
            if api.tenants > 1 { format!(r#","tenant":"{}""#, api.tenant(user)) } else { String::new() };
        let claims = format!(
            r#"{{"iss":"https://id.{}","sub":"{subject}","role":"{role}"{tenant},"iat":{issued},"exp":{}}}"#,
            api.host,
            issued + lives
        );
        let signature: Vec<u8> =
            (0..4).flat_map(|part| mix(number_of(&claims), part).to_be_bytes()).collect();
        let head = values::base64url(br#"{"alg":"HS256","typ":"JWT"}"#);
        format!("{head}.{}.{}", values::base64url(claims.as_bytes()), values::base64url(&signature))
    }

    pub(crate) fn subject(&self, api: &Api, user: u32) -> String {
        let hash = mix(mix(self.seed, number_of(api.issuer())), u64::from(user));
        match api.subject {
            Subject::Number(first) => (first + u64::from(user)).to_string(),
            Subject::Padded(prefix) => format!("{prefix}{:08}", 30_000 + u64::from(user) * 7),
            Subject::Uuid => values::uuid(hash),
            Subject::Code(prefix) => format!("{prefix}{}", values::opaque(hash, 14)),
        }
    }
}

/// Multiplies a place to the owner; its inverse leads back.
const SPREAD: u64 = 7_919;

impl Api {
    /// The user's `nth` object of those that were there from the beginning.
    pub(crate) fn object_of(&self, resource: &Resource, user: u32, nth: u32) -> u32 {
        let prime = u64::from(self.users);
        // Fermat: SPREAD^(p-2) is the inverse of SPREAD modulo p.
        let (mut inverse, mut base, mut power) = (1, SPREAD % prime, prime - 2);
        while power > 0 {
            if power & 1 == 1 {
                inverse = inverse * base % prime;
            }
            base = base * base % prime;
            power >>= 1;
        }
        (u64::from(user % self.users) * inverse % prime) as u32 + self.users * (nth % resource.each)
    }

    pub(crate) const fn role(&self, user: u32) -> &'static str {
        let [usual, staff, admin] = self.roles;
        if user < self.users {
            usual
        } else if user < self.users + self.staff {
            staff
        } else {
            admin
        }
    }

    pub(crate) fn tenant(&self, user: u32) -> String {
        let number = user % self.tenants;
        format!("{}-{number}", values::words(u64::from(number) + 77, 1, ""))
    }

    pub(crate) fn may_read(&self, resource: &Resource, reader: u32, owner: u32) -> bool {
        match resource.reach {
            Reach::Public => true,
            Reach::Tenant => reader % self.tenants == owner % self.tenants,
            Reach::Own => reader == owner,
        }
    }

    /// Whose users these are: the laboratory has those of the clinic.
    pub(crate) fn issuer(&self) -> &'static str {
        self.host.rsplit('.').nth(1).unwrap_or(self.host)
    }
}

fn heads(client: &Client, api: &Api, exchange: &Exchange, seconds: i64) -> Heads {
    let port = if api.port == 80 { String::new() } else { format!(":{}", api.port) };
    let mut request = vec![("Host", format!("{}{port}", api.host)), ("User-Agent", client.agent.clone())];
    request.push(("Accept", "application/json, */*;q=0.5".to_owned()));
    if let Some(identity) = client.identity.as_ref().filter(|_| !exchange.anonymous) {
        request.push(identity.credential.clone());
    }
    request.extend(exchange.headers.iter().cloned());
    if let Some(body) = &exchange.body {
        request.push(("Content-Type", body.media.to_owned()));
        request.push(("Content-Length", body.bytes.len().to_string()));
    }
    let mut response = vec![("Server", "nginx".to_owned()), ("Date", values::http_date(seconds))];
    response.extend(exchange.answer_headers.iter().cloned());
    match &exchange.answer {
        Some(body) => {
            response.push(("Content-Type", body.media.to_owned()));
            response.push(("Content-Length", body.bytes.len().to_string()));
        }
        None if exchange.status != 204 => response.push(("Content-Length", "0".to_owned())),
        None => {}
    }
    Heads { request, response }
}
