//! Callers that look like attackers and are none: staff, partners, machines.

use crate::apis::{Api, BANK, CLINIC, Ids, Kind, PEOPLES, Reach, Resource, SAAS, SHOP};
use crate::exchange::{Body, Exchange};
use crate::labels::About;
use crate::people::BROWSERS;
use crate::rpc;
use crate::values::{choose, mix};
use crate::views::{self, View};
use crate::world::{
    Actor, Client, DAY, HOUR, Identity, MINUTE, MONDAY, Release, SECOND, Trouble, World, Wrong,
};
use tapwire_testkit::Random;

/// All of them, for a capture with so many exchanges a day. Fewer exchanges have fewer of them, at the same share.
pub(crate) fn gather(world: &mut World, daily: f64) {
    let busy = (daily / 400_000.0).clamp(0.05, 1.0);
    for (place, api) in PEOPLES.into_iter().enumerate() {
        of_service(world, api, world.now + place as i64 * SECOND, busy);
    }
    let walked = [(&SHOP, "orders"), (&CLINIC, "lab-results"), (&BANK, "transactions")];
    for (nth, (api, resource)) in walked.into_iter().enumerate() {
        let partner = Partner::new(world, api, api.resource(resource), nth as u32, (daily / 90.0) as u32);
        world.spawn(world.now + (2 * HOUR) + nth as i64 * 40 * MINUTE, partner);
    }
    for nth in 0..3 {
        let random = world.random("crawler", u64::from(nth));
        let client = Client::new([66, 249, 66, 10 + nth], CRAWLERS[usize::from(nth)]);
        let crawler = Crawler { client, next: u32::from(nth) * 900, random, pace: (1.0 / busy) as i64 };
        world.spawn(world.now + i64::from(nth) * MINUTE, crawler);
    }
    pollers(world, busy);
    for user in 0..((8.0 * busy) as u32).max(2) {
        let agent = rpc::Agent::new(world, user);
        world.spawn(world.now + i64::from(user) * 3 * MINUTE, agent);
    }
}

fn of_service(world: &mut World, api: &'static Api, at: i64, busy: f64) {
    let every = (30.0 / busy) as i64 * SECOND;
    let probe = Probe { api, client: Client::new([10, 50, 3, 9], "kube-probe/1.31"), every };
    world.spawn(at, probe);
    let staff = (f64::from(api.staff) * busy) as u32;
    for nth in 0..staff.max(3) {
        let desk = Desk::new(world, api, api.users + nth);
        world.spawn(at + i64::from(nth) * 7 * SECOND, desk);
    }
    for nth in 0..2 {
        let admin = Admin::new(world, api, api.users + api.staff + nth);
        world.spawn(at + 8 * HOUR + i64::from(nth) * 13 * MINUTE, admin);
    }
}

/// Fields that a new version of the services adds, at one time for everybody.
pub(crate) fn release(world: &mut World, at: i64) {
    const ADDED: &[(&str, Kind)] =
        &[("loyaltyTier", Kind::Status(&["bronze", "silver", "gold"])), ("updatedBy", Kind::Title)];
    let places = [
        ("shop", "orders"),
        ("shop", "products"),
        ("bank", "accounts"),
        ("clinic", "appointments"),
        ("saas", "tickets"),
    ];
    for (api, resource) in places {
        world.releases.push(Release { api, resource, from: at, until: i64::MAX, fields: ADDED });
    }
}

/// A service fails for ten minutes, and a mirror loses one side for twenty, now and then in a capture that is long enough.
pub(crate) fn troubles(world: &mut World, begin: i64, span: i64) {
    if span < DAY {
        return;
    }
    let mut random = world.random("troubles", 0);
    for nth in 0..(span / DAY) * 3 {
        let api = random.pick(&PEOPLES).name;
        let from = begin + random.below((span / MINUTE) as usize) as i64 * MINUTE;
        let (what, minutes) = if nth % 3 == 0 { (Wrong::OneSided, 20) } else { (Wrong::Down, 10) };
        world.troubles.push(Trouble { api, from, until: from + minutes * MINUTE, what });
    }
}

const CRAWLERS: [&str; 3] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "PriceCompare/2.0 (+https://compare.example/bot)",
];

struct Probe {
    api: &'static Api,
    client: Client,
    every: i64,
}

impl Actor for Probe {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let alive =
            Exchange::ask("GET", "/healthz").answer(200, Body::json(r#"{"status":"up"}"#)).takes(400_000);
        world.say(&mut self.client, self.api, &alive, &About::benign("health-check"));
        Some(world.now + self.every)
    }
}

/// Support, advisors, clinicians, agents: they look at what belongs to others, all day.
struct Desk {
    api: &'static Api,
    client: Client,
    user: u32,
    random: Random,
    issued: i64,
}

impl Desk {
    fn new(world: &World, api: &'static Api, user: u32) -> Self {
        let client = Client::new([10, 50, 1, 20 + (user % 90) as u8], choose(BROWSERS, u64::from(user)));
        Self { api, client, user, random: world.random(api.name, u64::from(user)), issued: i64::MIN / 2 }
    }

    fn looks(&mut self, world: &mut World) {
        let customer = self.random.below(self.api.users as usize) as u32;
        let shown =
            |resource: &&Resource| resource.reach != Reach::Public || views::of(self.api, resource).is_some();
        let all: Vec<&'static Resource> = self.api.resources.iter().filter(shown).collect();
        let resource = *self.random.pick(&all);
        let object = self.api.object_of(resource, customer, self.random.below(4) as u32);
        let changes = self.random.chance(0.06) && views::of(self.api, resource).is_some_and(View::sets);
        let exchange = if changes {
            world.set_as_staff(self.api, resource, object, self.random.next())
        } else {
            world.as_staff(self.api, resource, object, world.get(self.api, resource, object))
        };
        world.say(&mut self.client, self.api, &exchange, &About::benign("staff"));
    }
}

impl Actor for Desk {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let today = (world.now - MONDAY).rem_euclid(DAY);
        if !(8 * HOUR..18 * HOUR).contains(&today) {
            self.client.close(world);
            let morning = world.now - today + 8 * HOUR + if today < 8 * HOUR { 0 } else { DAY };
            return Some(morning + self.random.below(3_600) as i64 * SECOND);
        }
        if world.now - self.issued > 50 * MINUTE {
            log_in(world, self.api, self.user, &mut self.client, "staff");
            self.issued = world.now;
        }
        for _ in 0..1 + self.random.below(4) {
            self.looks(world);
            self.client.busy += self.random.between(2, 30) as i64 * SECOND;
        }
        Some(self.client.busy.max(world.now) + self.random.between(20, 400) as i64 * SECOND)
    }
}

fn log_in(world: &mut World, api: &'static Api, user: u32, client: &mut Client, what: &'static str) {
    let identity: Identity = world.identity(api, user);
    let login = world.login(api, &identity.login, &world.password(api, user), Some(&identity));
    world.say(client, api, &login, &About::benign(what));
    client.identity = Some(identity);
}

/// A program or an open dashboard: always the same, at intervals that no human keeps.
struct Poller {
    client: Client,
    resource: &'static Resource,
    limit: u32,
    every: i64,
    next: i64,
    what: &'static str,
}

impl Actor for Poller {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let user = self.client.identity.as_ref().map_or(0, |identity| identity.user);
        let objects = world.page(&SAAS, self.resource, user, 0, self.limit);
        let exchange = world.list(&SAAS, self.resource, &objects, 0, self.limit);
        world.say(&mut self.client, &SAAS, &exchange, &About::benign(self.what));
        self.next += self.every;
        Some(self.next)
    }
}

/// Service accounts with keys, one of which fetches many at once, and screens on walls.
fn pollers(world: &mut World, busy: f64) {
    for nth in 0..6_u32 {
        let user = 90 + nth * 7;
        let screen = nth % 2 == 1;
        let (agent, what) =
            if screen { (BROWSERS[1], "dashboard") } else { ("work-sync/2.3 (Go)", "service-account") };
        let mut client = Client::new([198, 18, 40, 10 + nth as u8], agent);
        let key = world.key(&SAAS, user);
        let credential = if screen { ("Cookie", format!("session={key}")) } else { ("X-API-Key", key) };
        client.identity = Some(Identity { credential, ..world.identity(&SAAS, user) });
        let usual = (f64::from(60 + 30 * nth) / busy) as i64 * SECOND;
        let (limit, every) = if nth == 4 { (80, 20 * MINUTE) } else { (20, usual) };
        let next = world.now + i64::from(nth) * SECOND;
        let resource = SAAS.resource("tickets");
        world.spawn(next, Poller { client, resource, limit, every, next, what });
    }
}

/// Does now and then what only admins may.
struct Admin {
    api: &'static Api,
    client: Client,
    user: u32,
    random: Random,
}

impl Admin {
    fn new(world: &World, api: &'static Api, user: u32) -> Self {
        let client = Client::new([10, 50, 2, 10 + (user % 9) as u8], choose(BROWSERS, u64::from(user)));
        Self { api, client, user, random: world.random(api.name, u64::from(user)) }
    }
}

impl Actor for Admin {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        log_in(world, self.api, self.user, &mut self.client, "admin");
        for _ in 0..2 + self.random.below(6) {
            let nth = self.random.below(self.api.admin.len());
            let exchange = admin_call(world, self.api, nth, self.random.next());
            world.say(&mut self.client, self.api, &exchange, &About::benign("admin"));
            self.client.busy += self.random.between(5, 60) as i64 * SECOND;
        }
        let today = (world.now - MONDAY).rem_euclid(DAY);
        let late = today > 17 * HOUR;
        Some(if late {
            world.now - today + DAY + 8 * HOUR
        } else {
            self.client.busy + self.random.between(20, 90) as i64 * MINUTE
        })
    }
}

/// One of the admins' operations, allowed.
pub(crate) fn admin_call(world: &World, api: &Api, nth: usize, hash: u64) -> Exchange {
    let (method, path) = api.admin[nth % api.admin.len()];
    let user = (hash % u64::from(api.users)) as u32;
    let target = path.replace("{id}", &world.subject(api, user));
    let exchange = Exchange::ask(method, target).takes(20_000_000);
    match method {
        "GET" => {
            let users: Vec<u32> = (0..8).map(|nth| (mix(hash, nth) % u64::from(api.users)) as u32).collect();
            let items: Vec<String> = users.iter().map(|user| world.profile(api, *user)).collect();
            let mut exchange =
                exchange.answer(200, Body::json(format!(r#"{{"items":[{}]}}"#, items.join(","))));
            exchange.persons = users;
            exchange
        }
        "DELETE" => exchange,
        _ => {
            let body =
                format!(r#"{{"target":"{}","reason":"ticket {}"}}"#, world.subject(api, user), hash % 9_000);
            exchange.with(Body::json(body)).answer(200, Body::json(r#"{"status":"done"}"#))
        }
    }
}

/// Fetches by night what changed, by walking ids.
struct Partner {
    api: &'static Api,
    resource: &'static Resource,
    client: Client,
    next: u32,
    left: u32,
    batch: u32,
}

impl Partner {
    fn new(world: &World, api: &'static Api, resource: &'static Resource, nth: u32, batch: u32) -> Self {
        let mut client = Client::new([192, 0, 2, 40 + nth as u8], "PartnerSync/3.1 (Java/21)");
        let user = api.users + api.staff + 50 + nth;
        let mut identity = world.identity(api, user);
        identity.role = "partner";
        identity.login = format!("partner-{nth}@{}", api.host);
        identity.credential = ("X-API-Key", world.key(api, user));
        client.identity = Some(identity);
        Self { api, resource, client, next: 40 * nth, left: batch, batch }
    }
}

impl Actor for Partner {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let object = self.next % (self.api.users * self.resource.each);
        self.next += 1;
        let exchange = world.get(self.api, self.resource, object);
        world.say(&mut self.client, self.api, &exchange, &About::benign("partner-batch"));
        self.left -= 1;
        if self.left > 0 {
            return Some(self.client.busy + 60_000_000);
        }
        self.client.close(world);
        self.left = self.batch.max(1);
        let today = (world.now - MONDAY).rem_euclid(DAY);
        Some(world.now - today + DAY + 2 * HOUR)
    }
}

/// Walks what is public.
struct Crawler {
    client: Client,
    next: u32,
    random: Random,
    /// How many times slower than usual.
    pace: i64,
}

impl Actor for Crawler {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let api = *self.random.pick(&[&SHOP, &SHOP, &BANK, &SAAS]);
        let public = |resource: &&Resource| resource.reach == Reach::Public && resource.ids == Ids::Slug;
        let about = About::benign("crawler");
        match api.resources.iter().find(public) {
            Some(resource) if self.random.chance(0.93) => {
                self.next += 1;
                let exchange = world.get(api, resource, self.next % api.users);
                world.say(&mut self.client, api, &exchange, &about);
            }
            _ => {
                let robots = Exchange::ask("GET", "/robots.txt").error(404, "not_found", "No such page");
                world.say(&mut self.client, api, &robots, &about);
            }
        }
        Some(self.client.busy.max(world.now) + self.random.between(8, 90) as i64 * self.pace * SECOND)
    }
}
