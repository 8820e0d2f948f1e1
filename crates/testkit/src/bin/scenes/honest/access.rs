//! Accounts and sessions: people open each other's profiles, mistype, share addresses, and come with tokens that nobody saw issued.

use super::{Honest, Visit};
use crate::exchange::{Body, Exchange};
use crate::habits;
use crate::json::Json;
use crate::values::{mix, opaque, percent, words};
use crate::world::{HOUR, MINUTE, SECOND, World};

pub(super) const SCENES: &[Honest] = &[
    Honest {
        name: "directory",
        says: "people open their own profile first, then each other's, and follow",
        weight: 4.0,
        each: 14.0,
        visit: directory,
    },
    Honest {
        name: "workspace",
        says: "members of a tenant work on each other's objects; login and objects name the tenant",
        weight: 3.0,
        each: 12.0,
        visit: workspace,
    },
    Honest {
        name: "office",
        says: "colleagues behind one address come in on Monday and mistype their passwords",
        weight: 2.0,
        each: 7.0,
        visit: office,
    },
    Honest {
        name: "sign-up-conflict",
        says: "people of one school sign up, find names taken, and try others",
        weight: 1.0,
        each: 4.0,
        visit: sign_up_conflict,
    },
    Honest {
        name: "mfa",
        says: "a login is answered 200 and asks for a second factor, which some mistype",
        weight: 2.0,
        each: 6.0,
        visit: mfa,
    },
    Honest {
        name: "sso",
        says: "tokens come from an identity provider that nobody watches",
        weight: 2.0,
        each: 9.0,
        visit: sso,
    },
    Honest {
        name: "old-password",
        says: "a program tries its old password every few minutes until its owner types the new one",
        weight: 1.0,
        each: 40.0,
        visit: old_password,
    },
    Honest {
        name: "reset",
        says: "after a mailing many ask for a new password, and open the link with its one-time token",
        weight: 1.0,
        each: 5.0,
        visit: reset,
    },
    Honest {
        name: "expired-session",
        says: "a page wakes up: all its calls are refused at once, then it refreshes its token",
        weight: 1.5,
        each: 16.0,
        visit: expired_session,
    },
    Honest {
        name: "native-login",
        says: "programs log in by a browser and a loopback address (RFC 8252)",
        weight: 1.5,
        each: 5.0,
        visit: native_login,
    },
    Honest {
        name: "challenge",
        says: "clients call bare, are asked for credentials, and come back with them",
        weight: 1.0,
        each: 12.0,
        visit: challenge,
    },
    Honest {
        name: "own-plan",
        says: "customers with roles manage their own subscription below a path named manage",
        weight: 1.5,
        each: 6.0,
        visit: own_plan,
    },
    Honest {
        name: "new-device",
        says: "an app is updated with its session kept, then its owner walks out of the house",
        weight: 1.5,
        each: 14.0,
        visit: new_device,
    },
];

fn profile(visit: &Visit, world: &World, user: u32) -> Exchange {
    let api = visit.stage.api;
    let people = visit.stage.word(&["people", "users", "members", "profiles", "contacts", "authors"], 21);
    let id = world.subject(api, user);
    let mut json = Json::new();
    json.text("id", &id).text("name", &world.person(api, user).name());
    json.text("bio", &words(mix(visit.stage.number, u64::from(user)), 6, " ")).plain("followers", user % 400);
    Exchange {
        object: Some(format!("{people}/{id}")),
        ..Exchange::ask("GET", visit.stage.path(&format!("/{people}/{id}")))
    }
    .answer(200, Body::json(json.end()))
    .takes(4_000_000)
}

fn directory(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let own = profile(visit, world, visit.user);
    visit.ask(world, &own);
    // Recruiters look at many, and some people are known to everybody.
    let many = if visit.random.chance(0.04) { 90 } else { 3 + visit.random.below(14) };
    for _ in 0..many {
        let range = if visit.random.chance(0.3) { 12 } else { visit.stage.api.users as usize };
        let other = visit.random.below(range) as u32;
        let seen = profile(visit, world, other);
        visit.ask(world, &seen);
        if visit.random.chance(0.1) {
            let follow = Exchange::ask("POST", format!("{}/follow", seen.target))
                .answer(200, Body::json(r#"{"following":true}"#));
            visit.ask(world, &follow);
        }
    }
}

fn workspace(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    let tenant = visit.user % api.tenants;
    for _ in 0..5 + visit.random.below(9) {
        let mates = (api.users - 1 - tenant) / api.tenants + 1;
        let mate = tenant + api.tenants * visit.random.below(mates as usize) as u32;
        let object = api.object_of(resource, mate, visit.random.below(5) as u32);
        let exchange = if visit.random.chance(0.2) {
            world.update(api, resource, object)
        } else {
            world.get(api, resource, object)
        };
        visit.ask(world, &exchange);
    }
}

fn things(visit: &mut Visit, world: &mut World, count: usize) {
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    for nth in 0..count {
        let object = api.object_of(resource, visit.user, visit.random.below(6) as u32);
        let exchange = match nth % 4 {
            0 => {
                let objects = world.page(api, resource, visit.user, 0, 20);
                world.list(api, resource, &objects, 0, 20)
            }
            1 => world.me(api, visit.user),
            _ => world.get(api, resource, object),
        };
        visit.ask(world, &exchange);
    }
}

fn office(visit: &mut Visit, world: &mut World) {
    // A dozen come within minutes, each with a browser, all by one address.
    for place in 0..1 + visit.random.below(3) as u32 {
        visit.user = (visit.user + place * 31) % 60;
        visit.client.close(world);
        visit.client = visit.stage.office(visit.user);
        for _ in 0..[0, 0, 1, 0, 2, 3][visit.random.below(6)] {
            visit.wrong_password(world, visit.user);
            visit.waits(3, 9);
        }
        visit.logs_in(world);
        things(visit, world, 3);
    }
}

fn sign_up_conflict(visit: &mut Visit, world: &mut World) {
    let at_school = visit.random.chance(0.5);
    if at_school {
        visit.client = visit.stage.office(visit.user);
    }
    let place = visit
        .stage
        .word(&["/auth/register", "/users", "/accounts", "/signup", "/registrations", "/auth/sign-up"], 22);
    let name = world.person(visit.stage.api, visit.user);
    for nth in 0..1 + visit.random.below(4) {
        let handle = format!("{}{nth}", name.first().to_ascii_lowercase());
        let hash = visit.hash();
        if visit.random.chance(0.4) {
            let free = Exchange::ask("GET", visit.stage.path(&format!("{place}/available?name={handle}")));
            visit.ask(world, &free.answer(200, Body::json(r#"{"available":false}"#)));
        }
        let body = format!(
            r#"{{"username":"{handle}","email":"{}","password":"{}"}}"#,
            name.email(),
            opaque(hash, 11)
        );
        let asked = Exchange::ask("POST", visit.stage.path(place)).with(Body::json(body)).takes(90_000_000);
        let told = match hash % 5 {
            0 | 1 => asked.error(409, "name_taken", "This name is taken, please choose another"),
            2 => asked.error(422, "weak_password", "Use at least one digit and one symbol"),
            _ => asked.answer(201, Body::json(format!(r#"{{"id":"{}"}}"#, opaque(hash, 9)))),
        };
        let done = told.status == 201;
        visit.ask(world, &told);
        if done {
            return;
        }
    }
}

fn mfa(visit: &mut Visit, world: &mut World) {
    if visit.random.chance(0.4) {
        visit.client = visit.stage.office(visit.user);
    }
    let api = visit.stage.api;
    let (login, password) = (world.person(api, visit.user).email(), world.password(api, visit.user));
    let marker = visit.stage.word(
        &[
            r#""mfaRequired":true"#,
            r#""status":"MFA_REQUIRED""#,
            r#""challenge":"totp""#,
            r#""next":"second_factor""#,
            r#""two_factor":"pending""#,
            r#""requires_otp":true"#,
        ],
        23,
    );
    let first = Body::json(format!(r#"{{{marker},"transaction":"{}"}}"#, opaque(visit.hash(), 20)));
    let asked = world.login(api, &login, &password, None).answer(200, first);
    visit.ask(world, &asked);
    let path = format!(
        "{}/{}",
        api.login,
        visit.stage.word(&["verify", "otp", "mfa", "second-factor", "totp", "challenge"], 24)
    );
    for _ in 0..[0, 0, 0, 1, 2][visit.random.below(5)] {
        let code = format!(r#"{{"code":"{:06}"}}"#, visit.hash() % 1_000_000);
        let wrong =
            Exchange { anonymous: true, ..Exchange::ask("POST", path.clone()).with(Body::json(code)) };
        visit.ask(world, &wrong.error(401, "wrong_code", "This code is wrong or too old"));
    }
    let identity = world.identity(api, visit.user);
    let code = format!(r#"{{"code":"{:06}"}}"#, visit.hash() % 1_000_000);
    let mut right = world.login(api, &login, &password, Some(&identity)).with(Body::json(code));
    right.target = path;
    visit.ask(world, &right);
    visit.client.identity = Some(identity);
    things(visit, world, 3);
}

fn sso(visit: &mut Visit, world: &mut World) {
    visit.knows_token(world);
    let count = 4 + visit.random.below(9);
    things(visit, world, count);
}

fn old_password(visit: &mut Visit, world: &mut World) {
    let mut browser = visit.stage.client(visit.user);
    browser.agent = visit.client.agent.clone();
    let agents = [
        "MailSync/4.2",
        "CalDAV-Agent/2.0",
        "backup-daemon/1.9 (linux)",
        "sync-client/7.1",
        "PrinterConnect 3.3",
        "feedreader/0.8",
    ];
    visit.client.agent = visit.stage.word(&agents, 25).to_owned();
    for _ in 0..24 + visit.random.below(40) {
        let login = world.person(visit.stage.api, visit.user).email();
        let wrong = world.login(visit.stage.api, &login, "Autumn-2024-old", None);
        visit.say(world, &wrong);
        visit.client.busy += 5 * MINUTE + visit.random.below(9) as i64 * SECOND;
    }
    let evening = visit.client.busy;
    visit.client.close(world);
    browser.busy = evening;
    visit.client = browser;
    visit.logs_in(world);
    things(visit, world, 3);
}

fn reset(visit: &mut Visit, world: &mut World) {
    let known = visit.random.chance(0.85).then_some(visit.user);
    if visit.random.chance(0.3) {
        visit.client = visit.stage.office(visit.user);
    }
    let hash = visit.hash();
    let asked = habits::reset(world, visit.stage.api, known, hash);
    visit.ask(world, &asked);
    if known.is_none() {
        return;
    }
    visit.waits(20, 90);
    let place =
        visit.stage.word(&["/password/reset", "/account/recover", "/reset-password", "/passwords/new"], 26);
    let open = Exchange::ask("GET", format!("{}?code={}", visit.stage.path(place), opaque(hash, 22)));
    visit.ask(world, &open.answer(200, Body::new("text/html", "<html><form method=post></form></html>")));
    let body = format!(r#"{{"code":"{}","password":"{}"}}"#, opaque(hash, 22), opaque(hash + 1, 12));
    let set = Exchange::ask("POST", visit.stage.path(place))
        .with(Body::json(body))
        .answer(200, Body::json(r#"{"status":"changed"}"#));
    visit.ask(world, &set);
    visit.logs_in(world);
}

fn expired_session(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    things(visit, world, 3);
    // The lid is closed, and opened again after the token's hour.
    visit.client.busy += HOUR + 20 * MINUTE;
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    let panels = ["/notifications", "/settings", "/messages?unread=true", "/badges", "/features"];
    let mut calls = vec![world.me(api, visit.user), world.list(api, resource, &[], 0, 20)];
    calls.extend(panels.map(|panel| Exchange::ask("GET", visit.stage.path(panel))));
    for call in &calls {
        let late = Exchange { persons: Vec::new(), ..call.clone() };
        visit.say(world, &late.error(401, "token_expired", "The token has expired"));
    }
    visit.waits(0, 1);
    let now = world.now;
    world.now = visit.client.busy;
    let identity = world.identity(api, visit.user);
    world.now = now;
    let body = format!(r#"{{"grant_type":"refresh_token","refresh_token":"{}"}}"#, opaque(visit.hash(), 40));
    let mut refresh = world.login(api, "", "", Some(&identity)).with(Body::json(body));
    refresh.target = format!("{}/refresh", api.login);
    visit.say(world, &refresh);
    visit.client.identity = Some(identity);
    for call in &calls {
        let answered = if call.status == 204 {
            call.clone().answer(200, Body::json(r#"{"items":[]}"#))
        } else {
            call.clone()
        };
        visit.say(world, &answered);
    }
}

fn native_login(visit: &mut Visit, world: &mut World) {
    let port = 49_152 + visit.hash() % 16_000;
    let host = visit.stage.word(&["127.0.0.1", "[::1]", "localhost"], 27);
    let callback =
        format!("http://{host}:{port}/{}", visit.stage.word(&["cb", "callback", "oauth2redirect", ""], 28));
    let hash = visit.hash();
    let client = visit.stage.word(&["desktop-cli", "notes-app", "deploy-tool", "desk"], 29);
    let authorize = format!(
        "{}?response_type=code&client_id={client}&redirect_uri={}&state={}&code_challenge={}&code_challenge_method=S256",
        visit.stage.path("/oauth/authorize"),
        percent(&callback),
        opaque(hash, 16),
        opaque(hash + 1, 43)
    );
    let code = opaque(hash + 2, 24);
    let sent = Exchange { status: 302, ..Exchange::ask("GET", authorize) };
    visit.ask(world, &sent.says("Location", format!("{callback}?code={code}&state={}", opaque(hash, 16))));
    let form = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={}&client_id={client}&code_verifier={}",
        percent(&callback),
        opaque(hash + 3, 43)
    );
    let identity = world.identity(visit.stage.api, visit.user);
    let token = identity.credential.1.trim_start_matches("Bearer ").to_owned();
    let told = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
    let asked = Exchange::ask("POST", visit.stage.path("/oauth/token"))
        .with(Body::new("application/x-www-form-urlencoded", form));
    visit.ask(world, &asked.answer(200, Body::json(told)));
    visit.client.identity = Some(identity);
    things(visit, world, 3);
}

fn challenge(visit: &mut Visit, world: &mut World) {
    let agents = [
        "Microsoft-WebDAV-MiniRedir/10.0",
        "git/2.43.0",
        "curl/8.5.0",
        "Java-http-client/21",
        "davfs2/1.7",
        "DeltaV-Client",
    ];
    visit.client.agent = visit.stage.word(&agents, 30).to_owned();
    visit.knows_token(world);
    for _ in 0..4 + visit.random.below(4) {
        let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
        let object = api.object_of(resource, visit.user, visit.random.below(6) as u32);
        let full = world.get(api, resource, object);
        let bare = Exchange { anonymous: true, persons: Vec::new(), ..full.clone() };
        let asked = bare
            .error(401, "credentials_needed", "Please say who you are")
            .says("WWW-Authenticate", "Bearer realm=\"files\"");
        visit.say(world, &asked);
        visit.ask(world, &full);
    }
}

fn own_plan(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let below = visit.stage.word(
        &[
            "/manage/subscription",
            "/admin-settings/mine",
            "/system/status",
            "/manage/seats",
            "/internal/preferences",
            "/root-account/plan",
        ],
        31,
    );
    let path = visit.stage.path(below);
    let plan = r#"{"plan":"family","seats":4,"renews":"2026-03-01"}"#;
    visit.ask(world, &Exchange::ask("GET", path.clone()).answer(200, Body::json(plan)));
    if visit.random.chance(0.3) {
        let change = Exchange::ask("PUT", path).with(Body::json(r#"{"seats":5}"#));
        visit.ask(world, &change.answer(200, Body::json(plan)));
    }
    things(visit, world, 3);
}

fn new_device(visit: &mut Visit, world: &mut World) {
    let minor = visit.stage.number % 9;
    visit.client.agent = format!(
        "{}/5.{minor}.0 (Android 15; Pixel 9) okhttp/4.12.0",
        visit.stage.word(&["Parcels", "Wallet", "Tickets", "Homely"], 32)
    );
    visit.logs_in(world);
    things(visit, world, 4);
    visit.client.agent = visit
        .client
        .agent
        .replacen(&format!("5.{minor}.0"), &format!("5.{}.0", minor + 1), 1)
        .replace("okhttp/4.12.0", "okhttp/5.0.0");
    visit.client.busy += 2 * MINUTE;
    things(visit, world, 3);
    let hash = visit.hash();
    visit.client.moves([100, 80, (hash >> 8) as u8, 1 + (hash >> 16) as u8 % 250]);
    things(visit, world, 4);
    if hash.is_multiple_of(3) {
        visit.client.moves([100, 81, (hash >> 24) as u8, 1 + (hash >> 32) as u8 % 250]);
        things(visit, world, 2);
    }
}
