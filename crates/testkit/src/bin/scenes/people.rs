//! People: they arrive as days go, log in, look at what is theirs, and err.

use crate::apis::{Api, Auth, PEOPLES, Reach, Resource};
use crate::exchange::{Body, Exchange};
use crate::habits;
use crate::labels::About;
use crate::rpc;
use crate::values::mix;
use crate::world::{Actor, Client, DAY, HOUR, MINUTE, MONDAY, SECOND, World};
use tapwire_testkit::Random;

pub(crate) const BROWSERS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];
const APPS: &[&str] = &[
    "ExampleApp/5.3.0 (Android 15; Pixel 9) okhttp/4.12.0",
    "ExampleApp/5.3.0 (iOS 18.1; iPhone16,2) CFNetwork/1568",
];
/// After the release of the apps.
const NEW_APPS: &[&str] = &[
    "ExampleApp/5.4.0 (Android 15; Pixel 9) okhttp/4.12.0",
    "ExampleApp/5.4.0 (iOS 18.1; iPhone16,2) CFNetwork/1568",
];

/// What people type into searches, some of it like SQL, HTML or a path.
const SEARCHES: &[&str] = &[
    "lamp",
    "red shoes",
    "union jack mug",
    "select comfort pillow",
    "drop table lamp",
    "O'Brien",
    "rock 'n' roll",
    "50% off",
    "1=1 t-shirt",
    "c++ -- a primer",
    "size 7 or 8",
    "<3 card",
    "tea & biscuits",
    "where is my order",
    "order by mail kit",
    "AC/DC",
    "insert coin poster",
    "cat /dog bowl",
    "D'Angelo vinyl",
    "sleep(8) hours mask",
    "café crème",
    "exec chair",
    "a; b; c notes",
];

/// Begins sessions, more by day and on weekdays.
pub(crate) struct Arrivals {
    random: Random,
    /// Sessions in an hour of mean activity.
    rate: f64,
    number: u64,
}

impl Arrivals {
    pub(crate) fn new(world: &World, rate: f64) -> Self {
        Self { random: world.random("arrivals", 0), rate, number: 0 }
    }
}

/// Activity by the hour of the day; its mean is 1.
const HOURS: [f64; 24] = [
    0.3, 0.2, 0.12, 0.1, 0.12, 0.2, 0.45, 0.9, 1.3, 1.5, 1.5, 1.5, 1.6, 1.5, 1.4, 1.35, 1.3, 1.35, 1.5, 1.7,
    1.75, 1.4, 0.9, 0.56,
];

pub(crate) fn activity(at: i64) -> f64 {
    let since = at - MONDAY;
    let weekend = if since / DAY % 7 >= 5 { 0.75 } else { 1.1 };
    HOURS[(since.rem_euclid(DAY) / HOUR) as usize] * weekend
}

impl Actor for Arrivals {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        self.number += 1;
        let session = Session::new(world, self.number, &mut self.random);
        world.spawn(world.now, session);
        let uniform = (self.random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let hours = -(1.0 - uniform).ln() / (self.rate * activity(world.now));
        Some(world.now + (hours.min(1.0) * HOUR as f64) as i64)
    }
}

/// One visit of one user.
struct Session {
    api: &'static Api,
    user: u32,
    client: Client,
    random: Random,
    left: usize,
    /// Wrong passwords to come.
    typos: usize,
    new_user: bool,
    signs_in: bool,
    /// Comes with a token of an identity provider that nobody watches.
    sso: bool,
    moves: bool,
    issued: i64,
    seen: Vec<(&'static Resource, u32)>,
}

impl Session {
    fn new(world: &World, number: u64, random: &mut Random) -> Self {
        let mut random = Random::new(mix(random.next(), number));
        let mut part = random.below(100) as u64;
        let chosen = PEOPLES.iter().find(|api| {
            let hit = part < api.share;
            part = part.saturating_sub(api.share);
            hit
        });
        let api = chosen.unwrap_or(&PEOPLES[0]);
        let user = some_user(api, &mut random);
        let left = 3 + random.below(9) + random.below(9) + if random.chance(0.1) { 30 } else { 0 };
        let client = Client::new(home(api, user, &mut random), agent(world, user));
        let typos = if random.chance(0.05) { 1 + random.below(3) } else { 0 };
        let signs_in = api.name != "shop" || random.chance(0.75);
        let (new_user, moves) = (random.chance(0.012), random.chance(0.06));
        let sso = api.auth == Auth::Bearer && random.chance(0.06);
        Self {
            api,
            user,
            client,
            random,
            left,
            typos,
            new_user,
            signs_in,
            sso,
            moves,
            issued: 0,
            seen: Vec::new(),
        }
    }

    fn enter(&mut self, world: &mut World) -> i64 {
        if self.sso {
            self.client.identity = Some(world.identity(self.api, self.user));
            self.issued = world.now;
            return world.now + self.pause(0, 2);
        }
        if self.new_user {
            self.new_user = false;
            let sign_up = sign_up(world, self.api, self.user);
            return world.say(&mut self.client, self.api, &sign_up, &About::benign("sign-up")) + 4 * SECOND;
        }
        let identity = world.identity(self.api, self.user);
        let mut password = world.password(self.api, self.user);
        if self.typos > 0 {
            self.typos -= 1;
            password.truncate(password.len() - 1 - self.typos % 2);
            let wrong = world.login(self.api, &identity.login, &password, None);
            let end = world.say(&mut self.client, self.api, &wrong, &About::benign("typo"));
            if self.random.chance(0.15) {
                // Not everybody remembers the address either.
                let user = self.random.chance(0.8).then_some(self.user);
                let reset = habits::reset(world, self.api, user, self.random.next());
                world.say(&mut self.client, self.api, &reset, &About::benign("forgotten"));
            }
            return end + self.pause(4, 9);
        }
        let right = world.login(self.api, &identity.login, &password, Some(&identity));
        let end = world.say(&mut self.client, self.api, &right, &About::benign("human"));
        self.client.identity = Some(identity);
        self.issued = world.now;
        end + self.pause(0, 2)
    }

    fn pause(&mut self, low: usize, high: usize) -> i64 {
        self.random.between(low * 1_000, high * 1_000) as i64 * 1_000_000
            + self.random.below(900_000_000) as i64
    }

    fn renew(&mut self, world: &mut World) {
        let old = self.client.identity.take();
        let identity = world.identity(self.api, self.user);
        let refresh =
            format!(r#"{{"grant_type":"refresh_token","refresh_token":"{:016x}"}}"#, self.random.next());
        let mut exchange = world.login(self.api, "", "", Some(&identity)).with(Body::json(refresh));
        exchange.target = format!("{}/refresh", self.api.login);
        self.client.identity = old;
        world.say(&mut self.client, self.api, &exchange, &About::benign("human"));
        self.client.identity = Some(identity);
        self.issued = world.now;
    }

    fn browse(&mut self, world: &mut World) {
        let what = self.random.below(1_000);
        let signed = self.client.identity.is_some();
        let about = About::benign("human");
        let (api, user) = (self.api, self.user);
        let exchange = match what {
            // What only the new version has takes the place of some lists.
            0..50 if signed && world.released() => habits::new_feature(world, api, user, self.random.next()),
            0..250 => self.lists(world, signed),
            250..600 if !self.seen.is_empty() => {
                let (resource, object) = self.seen[self.random.below(self.seen.len())];
                world.get(api, resource, object)
            }
            600..660 if signed => world.me(api, user),
            660..760 => self.searches(world, signed),
            760..810 if signed => self.writes(world),
            810..818 => return self.errs(world),
            818..822 if signed => return self.oversteps(world),
            822..850 if signed => return rpc::of_people(world, api, &mut self.client, &mut self.random),
            850..854 => return self.retries(world),
            860..885 if signed => return self.buys(world),
            885..903 if signed => return habits::odd_job(world, api, &mut self.client, &mut self.random),
            _ => self.lists(world, signed),
        };
        world.say(&mut self.client, api, &exchange, &about);
    }

    fn resource(&mut self, signed: bool, suits: impl Fn(&Resource) -> bool) -> &'static Resource {
        let all = self.api.resources;
        let visible = |resource: &&Resource| (signed || resource.reach == Reach::Public) && suits(resource);
        let list: Vec<&'static Resource> = all.iter().filter(visible).collect();
        if list.is_empty() { &all[0] } else { list[self.random.below(list.len())] }
    }

    fn lists(&mut self, world: &World, signed: bool) -> Exchange {
        let resource = self.resource(signed, |_| true);
        let page = if resource.reach == Reach::Own { 0 } else { self.random.below(4) as u32 };
        let objects = world.page(self.api, resource, self.user, page, 20);
        self.seen.extend(objects.iter().take(6).map(|object| (resource, *object)));
        if self.seen.len() > 24 {
            self.seen.drain(..12);
        }
        world.list(self.api, resource, &objects, page, 20)
    }

    fn searches(&mut self, world: &World, signed: bool) -> Exchange {
        let resource = self.resource(signed, |resource| resource.reach != Reach::Own);
        let text = *self.random.pick(SEARCHES);
        if resource.reach == Reach::Tenant {
            let objects = world.page(self.api, resource, self.user, 0, 5);
            let mut exchange = world.list(self.api, resource, &objects, 0, 20);
            exchange.target = format!("{}?q={}", resource.path, crate::values::percent(text));
            return exchange;
        }
        let found = self.random.below(12) as u32;
        world.search(self.api, resource, text, found)
    }

    fn writes(&mut self, world: &mut World) -> Exchange {
        let resource = self.resource(true, |resource| resource.writable);
        let mine =
            self.seen.iter().find(|(seen, _)| std::ptr::eq(*seen, resource) && seen.reach == Reach::Own);
        match mine {
            Some((_, object)) if self.random.chance(0.15) => {
                let delete = world.about("DELETE", self.api, resource, *object);
                // The new version says what it did.
                let told = world.released().then(|| Body::json(r#"{"deleted":true}"#));
                told.into_iter().fold(delete, |delete, told| delete.answer(200, told))
            }
            Some((_, object)) if self.random.chance(0.5) => world.update(self.api, resource, *object),
            _ => world.create_exchange(self.api, resource, self.user),
        }
    }

    /// A link that leads nowhere, from an old mail or a typo.
    fn errs(&mut self, world: &mut World) {
        let resource = self.resource(self.client.identity.is_some(), |_| true);
        let gone = 3_000_000 + self.random.below(900_000) as u32;
        let status = if world.released() { 410 } else { 404 };
        let asked = world.about("GET", self.api, resource, gone);
        let exchange = asked.error(status, "not_found", "No such object");
        world.say(&mut self.client, self.api, &exchange, &About::benign("stale-link"));
    }

    /// Follows a link that a friend sent, to what is the friend's.
    fn oversteps(&mut self, world: &mut World) {
        let resource = self.resource(true, |resource| resource.reach == Reach::Own);
        let foreign = self.random.below((self.api.users * resource.each) as usize) as u32;
        let exchange =
            world.about("GET", self.api, resource, foreign).error(403, "forbidden", "This is not yours");
        world.say(&mut self.client, self.api, &exchange, &About::benign("honest-403"));
    }

    /// Checks out, pays, confirms; or begins a transfer and confirms it with a one-time password.
    fn buys(&mut self, world: &mut World) {
        let Some(steps) = flow(self.api) else { return };
        let reference = crate::values::opaque(self.random.next(), 10);
        for path in steps {
            let asked =
                Exchange::ask("POST", path).with(Body::json(format!(r#"{{"reference":"{reference}"}}"#)));
            let told = Body::json(format!(r#"{{"reference":"{reference}","status":"ok"}}"#));
            world.say(
                &mut self.client,
                self.api,
                &asked.answer(200, told).takes(18_000_000),
                &About::benign("human"),
            );
            self.client.busy += self.pause(2, 12);
            if self.random.chance(0.06) {
                return;
            }
        }
    }

    /// A gateway fails, and the client asks again.
    fn retries(&mut self, world: &mut World) {
        let again = world.me(self.api, self.user);
        let signed = self.client.identity.is_some();
        let again = if signed && self.random.chance(0.3) { again } else { self.lists(world, signed) };
        let status = *self.random.pick(&[502, 503, 504]);
        let failed = again.clone().error(status, "unavailable", "Try again").takes(SECOND);
        for _ in 0..1 + self.random.below(2) {
            world.say(&mut self.client, self.api, &failed, &About::benign("retry"));
        }
        world.say(&mut self.client, self.api, &again, &About::benign("retry"));
    }
}

impl Actor for Session {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        if self.signs_in && self.client.identity.is_none() {
            return Some(self.enter(world));
        }
        if self.left == 0 {
            if self.random.chance(0.3) && self.client.identity.is_some() {
                let path = logout_path(self.api);
                world.say(&mut self.client, self.api, &Exchange::ask("POST", path), &About::benign("human"));
            }
            self.client.close(world);
            return None;
        }
        self.left -= 1;
        if self.moves && self.random.chance(0.15) {
            self.moves = false;
            self.client.moves(mobile(self.random.next()));
        }
        if self.signs_in && self.api.auth == Auth::Bearer && world.now - self.issued > 50 * MINUTE {
            self.renew(world);
        } else {
            self.browse(world);
        }
        let busy = self.client.busy.max(world.now);
        // Now and then somebody is called away.
        let away = if self.random.chance(0.01) { self.random.between(5, 70) as i64 * MINUTE } else { 0 };
        Some(busy + self.pause(1, 25) + away)
    }
}

pub(crate) fn logout_path(api: &Api) -> &'static str {
    if api.auth == Auth::Cookie { "/api/logout" } else { "/v1/logout" }
}

/// The steps of a purchase or of a transfer, in their order.
pub(crate) fn flow(api: &Api) -> Option<[&'static str; 3]> {
    match api.name {
        "bank" => Some(["/api/transfers/draft", "/api/transfers/otp", "/api/transfers/confirm"]),
        "shop" => Some(["/api/v1/checkout", "/api/v1/checkout/payment", "/api/v1/checkout/confirm"]),
        _ => None,
    }
}

/// Some use a service often, most seldom.
fn some_user(api: &Api, random: &mut Random) -> u32 {
    let often = api.users as usize / 10;
    let all = api.users as usize;
    (if random.chance(0.5) { random.below(often) } else { random.below(all) }) as u32
}

pub(crate) fn sign_up(world: &World, api: &Api, user: u32) -> Exchange {
    let person = world.person(api, user);
    let body = format!(
        r#"{{"name":"{}","email":"{}","password":"{}"}}"#,
        person.name(),
        person.email(),
        world.password(api, user)
    );
    let id = world.subject(api, user);
    let answer = Body::json(format!(r#"{{"id":"{id}","status":"created"}}"#));
    let mut exchange = Exchange::ask("POST", sign_up_path(api)).with(Body::json(body)).answer(201, answer);
    exchange.anonymous = true;
    exchange.takes(140_000_000)
}

pub(crate) fn sign_up_path(api: &Api) -> &'static str {
    match api.name {
        "shop" => "/api/v1/users",
        "bank" => "/api/customers",
        "clinic" => "/v2/patients",
        _ => "/v1/signups",
    }
}

/// At home, at work behind one of a few exits, or on the road.
fn home(api: &Api, user: u32, random: &mut Random) -> [u8; 4] {
    let hash = mix(u64::from(user), crate::values::number_of(api.name));
    match random.below(100) {
        0..12 => [198, 18, 7, 1 + (hash % 3) as u8],
        12..35 => mobile(random.next()),
        _ => [81 + (hash % 3) as u8, (hash >> 8) as u8, (hash >> 16) as u8, 1 + (hash >> 24) as u8 % 250],
    }
}

/// One of 64 exits of two mobile networks.
fn mobile(number: u64) -> [u8; 4] {
    [100, 70 + (number % 2) as u8, (number >> 8) as u8 % 4, 1 + (number >> 16) as u8 % 8]
}

fn agent(world: &World, user: u32) -> &'static str {
    let hash = mix(u64::from(user), 31);
    match hash % 3 {
        // Who has it already is a matter of days.
        0 if world.released() && hash % 7 < 5 => crate::values::choose(NEW_APPS, hash >> 8),
        0 => crate::values::choose(APPS, hash >> 8),
        _ => crate::values::choose(BROWSERS, hash >> 8),
    }
}
