//! Broken authentication (API2).

use super::{ANY, Attack, Intensity, Kind, Outcomes};
use crate::apis::{Api, Auth, CLINIC, Ids, Owner, Reach, SAAS, SHOP};
use crate::exchange::{Body, Exchange};
use crate::habits;
use crate::labels::About;
use crate::people;
use crate::values::{base64url, mix, number_of, words};
use crate::world::{Client, DAY, HOUR, MINUTE, SECOND, World};

static TOKENS: &[&Api] = &[&SHOP, &CLINIC, &SAAS];

pub(crate) static UNAUTH_ACCESS: Kind = Kind {
    name: "unauth_access",
    owasp: "API2",
    says: "calls without credentials what is nearly always called with them",
    outcomes: Outcomes::Both,
    steps: [40, 30, 60],
    apis: ANY,
    begin: super::nothing,
    step: |attack, world| {
        let resource = attack.resource(|resource| resource.owner != Owner::Nowhere);
        let object =
            mix(attack.scenario.number(), attack.nth as u64) as u32 % (attack.api.users * resource.each);
        let exchange = Exchange { anonymous: true, ..world.get(attack.api, resource, object) };
        attack.say_either(world, exchange, (401, "unauthorized"));
    },
};

pub(crate) static EXPIRED_TOKEN: Kind = Kind {
    name: "expired_token",
    owasp: "API2",
    says: "goes on with a token that has expired",
    apis: TOKENS,
    begin: |attack, world| {
        attack.sign_in(world);
        // Issued three hours ago, for one hour.
        let now = world.now;
        world.now -= 3 * HOUR;
        let tokens: Vec<String> = (0..attack.clients.len()).map(|_| attack.own_token(world, 3_600)).collect();
        world.now = now;
        attack.show(&tokens);
    },
    step: |attack, world| own_things(attack, world, (401, "token_expired")),
    ..UNAUTH_ACCESS
};

pub(crate) static LOGGED_OUT: Kind = Kind {
    name: "logged_out_token",
    owasp: "API2",
    says: "goes on with a session that its owner has ended",
    begin: |attack, world| {
        attack.sign_in(world);
        for client in &mut attack.clients {
            let out = Exchange::ask("POST", people::logout_path(attack.api));
            let about = About { what: "attacker-login", attack: Some(attack.id.clone()) };
            world.say(client, attack.api, &out, &about);
        }
    },
    step: |attack, world| own_things(attack, world, (401, "session_ended")),
    ..UNAUTH_ACCESS
};

pub(crate) static IN_URL: Kind = Kind {
    name: "credentials_in_url",
    owasp: "API2",
    says: "shows its token in the query, where logs keep it",
    apis: TOKENS,
    begin: Attack::sign_in,
    step: |attack, world| {
        let identity = attack.clients[attack.turn()].identity.as_ref();
        let token =
            identity.map_or("", |identity| identity.credential.1.trim_start_matches("Bearer ")).to_owned();
        let mut exchange = Exchange { anonymous: true, ..world.me(attack.api, attack.user()) };
        exchange.target = format!("{}?access_token={token}", attack.api.me);
        attack.say_either(world, exchange, (401, "token_not_in_header"));
    },
    ..UNAUTH_ACCESS
};

pub(crate) static FOREIGN_TOKEN: Kind = Kind {
    name: "foreign_token",
    owasp: "API2",
    says: "shows a token that another service's issuer made",
    apis: TOKENS,
    begin: |attack, world| {
        attack.sign_in(world);
        let other = if attack.api.name == "saas" { &SHOP } else { &SAAS };
        let make = |user: u32| {
            world.token(
                other,
                user % other.users,
                &world.subject(other, user % other.users),
                "customer",
                3_600,
            )
        };
        let tokens: Vec<String> = attack
            .clients
            .iter()
            .filter_map(|client| client.identity.as_ref())
            .map(|own| make(own.user))
            .collect();
        attack.show(&tokens);
    },
    step: |attack, world| own_things(attack, world, (401, "invalid_issuer")),
    ..UNAUTH_ACCESS
};

pub(crate) static ALG_NONE: Kind = Kind {
    name: "jwt_alg_none",
    owasp: "API2",
    says: "shows tokens that nothing signs, of other users",
    apis: TOKENS,
    begin: Attack::sign_in,
    step: |attack, world| {
        let victim = mix(attack.scenario.number(), attack.nth as u64) as u32 % attack.api.users;
        let claims = claims(attack, world, victim, 3_600, attack.api.roles[0]);
        let token =
            format!("{}.{}.", base64url(br#"{"alg":"none","typ":"JWT"}"#), base64url(claims.as_bytes()));
        as_victim(attack, world, victim, token);
    },
    ..UNAUTH_ACCESS
};

pub(crate) static FORGED: Kind = Kind {
    name: "jwt_forged",
    owasp: "API2",
    says: "shows tokens with changed claims: another user, a higher role",
    apis: TOKENS,
    begin: Attack::sign_in,
    step: |attack, world| {
        let victim = mix(attack.scenario.number(), attack.nth as u64) as u32 % attack.api.users;
        let claims = claims(attack, world, victim, 3_600, attack.api.roles[2]);
        let signature = base64url(&mix(number_of(&claims), 4).to_be_bytes().repeat(4));
        let token = format!(
            "{}.{}.{signature}",
            base64url(br#"{"alg":"HS256","typ":"JWT"}"#),
            base64url(claims.as_bytes())
        );
        as_victim(attack, world, victim, token);
    },
    ..UNAUTH_ACCESS
};

pub(crate) static LONG_LIVED: Kind = Kind {
    name: "jwt_long_lived",
    owasp: "API2",
    says: "uses a token that is good for ten years",
    outcomes: Outcomes::Successful,
    apis: TOKENS,
    begin: |attack, world| {
        attack.sign_in(world);
        let tokens: Vec<String> =
            (0..attack.clients.len()).map(|_| attack.own_token(world, 10 * 365 * DAY / SECOND)).collect();
        attack.show(&tokens);
    },
    step: |attack, world| own_things(attack, world, (401, "token_rejected")),
    ..UNAUTH_ACCESS
};

pub(crate) static BRUTE_FORCE: Kind = Kind {
    name: "brute_force",
    owasp: "API2",
    says: "many passwords for one user",
    steps: [220, 70, 300],
    step: |attack, world| {
        let victim = attack.scenario.number() as u32 % attack.api.users;
        let last = attack.nth + 1 == attack.steps();
        guess(attack, world, victim, last);
    },
    ..UNAUTH_ACCESS
};

pub(crate) static SPRAYING: Kind = Kind {
    name: "password_spraying",
    owasp: "API2",
    says: "one password for many users",
    steps: [200, 80, 260],
    step: |attack, world| {
        let victim = (attack.scenario.number() as u32 % 1_000 + attack.nth as u32) % attack.api.users;
        let login = world.person(attack.api, victim).email();
        log_in_with(attack, world, victim, &login, "Winter2026!", attack.nth % 70 == 69);
    },
    ..UNAUTH_ACCESS
};

pub(crate) static STUFFING: Kind = Kind {
    name: "credential_stuffing",
    owasp: "API2",
    says: "pairs of user and password that leaked elsewhere; most users are unknown here",
    steps: [260, 90, 420],
    step: |attack, world| {
        let hash = mix(attack.scenario.number(), attack.nth as u64);
        let victim = hash as u32 % attack.api.users;
        let hits = attack.nth % 40 == 39;
        let login = match hits || hash >> 40 & 3 == 0 {
            true => world.person(attack.api, victim).email(),
            false => crate::values::Person(hash).email(),
        };
        log_in_with(attack, world, victim, &login, &words(hash, 2, "_"), hits);
    },
    ..UNAUTH_ACCESS
};

pub(crate) static TAKEOVER: Kind = Kind {
    name: "account_takeover",
    owasp: "API2",
    says: "guesses until it is in, reads what is there and changes the address",
    outcomes: Outcomes::Successful,
    steps: [90, 40, 120],
    step: |attack, world| {
        let victim = attack.scenario.number() as u32 % attack.api.users;
        match (attack.steps() - attack.nth).checked_sub(6) {
            Some(0) => guess(attack, world, victim, true),
            Some(_) => guess(attack, world, victim, false),
            None => live_as(attack, world, victim),
        }
    },
    ..UNAUTH_ACCESS
};

pub(crate) static USER_ENUMERATION: Kind = Kind {
    name: "user_enumeration",
    owasp: "API2",
    says: "asks which addresses have an account by starting password resets",
    steps: [160, 70, 220],
    step: |attack, world| {
        let hash = mix(attack.scenario.number(), attack.nth as u64);
        // Three of four have no account.
        let user = (hash & 3 == 0).then_some((hash >> 9) as u32 % attack.api.users);
        let told = habits::reset(world, attack.api, user, hash);
        attack.say_either(world, told, (429, "too_many_requests"));
    },
    ..UNAUTH_ACCESS
};

pub(crate) static TWO_PLACES: Kind = Kind {
    name: "token_two_places",
    owasp: "API2",
    says: "uses a stolen session while its owner goes on with it",
    steps: [50, 40, 70],
    begin: |attack, world| {
        let victim = attack.scenario.number() as u32 % attack.api.users;
        let identity = world.identity(attack.api, victim);
        // The owner: from home, with another browser, and in the same hours.
        let mut owner = Client::new([82, 3, 77, (attack.scenario.number() % 200) as u8], people::BROWSERS[3]);
        let login =
            world.login(attack.api, &identity.login, &world.password(attack.api, victim), Some(&identity));
        world.say(&mut owner, attack.api, &login, &About::benign("victim"));
        owner.identity = Some(identity.clone());
        for client in &mut attack.clients {
            client.identity = Some(identity.clone());
        }
        let every = if attack.scenario.intensity == Intensity::Slow { 9 * MINUTE } else { 20 * SECOND };
        let victim = Victim { api: attack.api, client: owner, left: 40, every };
        world.spawn(world.now + 2 * SECOND, victim);
    },
    step: |attack, world| own_things(attack, world, (401, "session_bound_elsewhere")),
    ..UNAUTH_ACCESS
};

/// Goes on as always.
struct Victim {
    api: &'static Api,
    client: Client,
    left: usize,
    every: i64,
}

impl crate::world::Actor for Victim {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let user = self.client.identity.as_ref()?.user;
        let resource = self.api.private(|_| true);
        let object = self.api.object_of(resource, user, self.left as u32);
        let exchange = if self.left.is_multiple_of(3) {
            world.me(self.api, user)
        } else {
            world.get(self.api, resource, object)
        };
        world.say(&mut self.client, self.api, &exchange, &About::benign("victim"));
        self.left = self.left.checked_sub(1)?;
        Some(self.client.busy.max(world.now) + self.every)
    }
}

impl Attack {
    fn own_token(&self, world: &World, lives: i64) -> String {
        let user = self.user();
        world.token(self.api, user, &world.subject(self.api, user), self.api.role(user), lives)
    }

    /// Each client shows one of these from now on.
    fn show(&mut self, tokens: &[String]) {
        for (client, token) in self.clients.iter_mut().zip(tokens) {
            if let Some(identity) = &mut client.identity {
                identity.credential = ("Authorization", format!("Bearer {token}"));
            }
        }
    }
}

/// What the holder of the session would do.
fn own_things(attack: &mut Attack, world: &mut World, refusal: (u16, &str)) {
    let resource = attack.resource(|resource| resource.reach == Reach::Own && resource.ids != Ids::Slug);
    let object = attack.api.object_of(resource, attack.user(), attack.nth as u32);
    let exchange = match attack.nth % 3 {
        0 => world.me(attack.api, attack.user()),
        _ => world.get(attack.api, resource, object),
    };
    attack.say_either(world, exchange, refusal);
}

fn claims(attack: &Attack, world: &World, user: u32, lives: i64, role: &str) -> String {
    let subject = world.subject(attack.api, user);
    let issued = world.now / SECOND;
    let tenant = if attack.api.tenants > 1 {
        format!(r#","tenant":"{}""#, attack.api.tenant(user))
    } else {
        String::new()
    };
    let host = attack.api.host;
    format!(
        r#"{{"iss":"https://id.{host}","sub":"{subject}","role":"{role}"{tenant},"iat":{issued},"exp":{}}}"#,
        issued + lives
    )
}

/// Reads the victim's things with this token.
fn as_victim(attack: &mut Attack, world: &mut World, victim: u32, token: String) {
    let turn = attack.turn();
    let mut identity = world.identity(attack.api, victim);
    identity.credential = ("Authorization", format!("Bearer {token}"));
    let own = attack.clients[turn].identity.replace(identity);
    own_things(attack, world, (401, "invalid_token"));
    attack.clients[turn].identity = own;
}

fn guess(attack: &mut Attack, world: &mut World, victim: u32, right: bool) {
    let login = world.person(attack.api, victim).email();
    let password =
        format!("{}{}", words(mix(attack.scenario.number(), attack.nth as u64), 1, ""), attack.nth);
    log_in_with(attack, world, victim, &login, &password, right);
}

/// A login that succeeds only where the attack does.
fn log_in_with(
    attack: &mut Attack,
    world: &mut World,
    victim: u32,
    login: &str,
    password: &str,
    right: bool,
) {
    let identity = (right && attack.scenario.success).then(|| world.identity(attack.api, victim));
    let exchange = world.login(attack.api, login, password, identity.as_ref());
    attack.victims.insert(login.to_owned());
    attack.say(world, &exchange);
    if identity.is_some() && attack.api.auth != Auth::Key {
        let turn = attack.turn();
        attack.clients[turn].identity = identity;
    }
}

/// Behind a takeover, with the session of the client that got in.
fn live_as(attack: &mut Attack, world: &mut World, victim: u32) {
    let place = attack.clients.iter().position(|client| client.identity.is_some()).unwrap_or(0);
    let identity = attack.clients[place].identity.clone();
    let turn = attack.turn();
    attack.clients[turn].identity = identity;
    let exchange = if attack.steps() - attack.nth == 3 {
        let body = Body::json(r#"{"email":"mailbox77@example.net"}"#);
        Exchange::ask("PATCH", attack.api.me)
            .with(body)
            .answer(200, Body::json(world.profile(attack.api, victim)))
    } else {
        world.me(attack.api, victim)
    };
    attack.say(world, &exchange);
}
