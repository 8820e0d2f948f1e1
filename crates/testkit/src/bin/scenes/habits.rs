//! Lawful uses of what attackers use too: uploads by address, redirects, resets, vouchers, changes of the own profile.

use crate::apis::Api;
use crate::exchange::{Body, Exchange};
use crate::labels::About;
use crate::values::{Person, mix, opaque, percent, words};
use crate::world::{Client, World};
use tapwire_testkit::Random;

/// One of these, by somebody who is logged in.
pub(crate) fn odd_job(world: &mut World, api: &'static Api, client: &mut Client, random: &mut Random) {
    let Some(user) = client.identity.as_ref().map(|identity| identity.user) else { return };
    let hash = random.next();
    let (what, exchange) = match hash % 10 {
        0 | 1 => ("human", profile_change(world, api, user, hash >> 8)),
        2 => ("human", import(hash)),
        3 => (
            "human",
            Exchange::ask("GET", format!("/download?file=manual-{}.pdf", hash >> 8 & 63))
                .answer(200, Body::new("application/pdf", "%PDF-1.7 ..."))
                .takes(9_000_000),
        ),
        4 => ("human", redirect(hash)),
        5 if api.name == "shop" => ("human", coupon(hash)),
        6 => ("preflight", preflight(api)),
        7 => ("human", xml_import(hash)),
        8 => (
            "server-error",
            Exchange::ask("GET", api.me).error(500, "internal", "Something went wrong").takes(30_000_000),
        ),
        _ if world.released() => ("new-release", recommendations(world, api, hash)),
        _ => ("human", world.me(api, user)),
    };
    world.say(client, api, &exchange, &About::benign(what));
}

/// Endpoints that come with the release: everybody's app calls them from then on.
pub(crate) fn new_feature(world: &World, api: &'static Api, user: u32, hash: u64) -> Exchange {
    let root = api.me.rsplit_once('/').map_or("", |(root, _)| root);
    let resource = &api.resources[0];
    let object = api.object_of(resource, user, (hash >> 8) as u32 % 4);
    match hash % 4 {
        0 => {
            let device =
                format!(r#"{{"token":"{}","platform":"android","version":"5.4.0"}}"#, opaque(hash, 60));
            let told = Body::json(r#"{"status":"registered"}"#);
            Exchange::ask("PUT", format!("{root}/devices/current")).with(Body::json(device)).answer(200, told)
        }
        1 => {
            let told = r#"{"events":[{"at":"2026-01-08T09:00:00Z","what":"created"}]}"#;
            let asked = world.about("GET", api, resource, object);
            let target = format!("{}/history", asked.target);
            Exchange { target, ..asked }.answer(200, Body::json(told))
        }
        // For those who are not in the trial yet.
        2 => {
            Exchange::ask("GET", format!("{root}/trial/board")).error(403, "not_in_trial", "Not yet for you")
        }
        _ => recommendations(world, api, hash >> 2),
    }
}

/// Only after the release.
fn recommendations(world: &World, api: &Api, hash: u64) -> Exchange {
    let root = api.me.rsplit_once('/').map_or("", |(root, _)| root);
    let items: Vec<String> = (0..4)
        .map(|nth| format!(r#"{{"title":"{}","score":0.{}}}"#, words(mix(hash, nth), 2, " "), hash % 90 + 10))
        .collect();
    let body = format!(r#"{{"items":[{}],"model":"v{}"}}"#, items.join(","), world.seed % 9);
    Exchange::ask("GET", format!("{root}/recommendations?limit=4"))
        .answer(200, Body::json(body))
        .takes(14_000_000)
}

/// People change their settings, their name, and now and then their address.
fn profile_change(world: &World, api: &Api, user: u32, hash: u64) -> Exchange {
    let (first, last) = api
        .me_fields
        .split_first()
        .map_or(("name", "name"), |(first, rest)| (first.0, rest.last().map_or("name", |last| last.0)));
    let change = match hash % 8 {
        0 => format!(r#"{{"email":"{}"}}"#, Person(hash).email()),
        1..=3 => format!(r#"{{"{first}":"{}"}}"#, world.person(api, user).name()),
        _ => format!(r#"{{"{last}":true}}"#),
    };
    Exchange::ask("PATCH", api.me)
        .with(Body::json(change))
        .answer(200, Body::json(world.profile(api, user)))
        .takes(11_000_000)
}

fn import(hash: u64) -> Exchange {
    let host = ["images.example", "cdn.example.net", "www.example.org"][(hash >> 9) as usize % 3];
    let asked = format!(r#"{{"url":"https://{host}/{}.jpg"}}"#, opaque(hash, 9));
    let told = format!(r#"{{"status":"fetched","bytes":{}}}"#, 20_000 + (hash >> 20) % 90_000);
    Exchange::ask("POST", "/api/import-image")
        .with(Body::json(asked))
        .answer(200, Body::json(told))
        .takes(200_000_000)
}

fn redirect(hash: u64) -> Exchange {
    let place = ["/home", "/orders", "/help?topic=returns & refunds"][(hash >> 9) as usize % 3];
    let asked = Exchange { status: 302, ..Exchange::ask("GET", format!("/redirect?to={}", percent(place))) };
    asked.says("Location", place.replace(' ', "%20"))
}

fn coupon(hash: u64) -> Exchange {
    let code = opaque(hash >> 12, 8).to_ascii_uppercase();
    let asked =
        Exchange::ask("POST", "/api/v1/cart/coupon").with(Body::json(format!(r#"{{"code":"{code}"}}"#)));
    match hash >> 9 & 3 {
        0 => asked.error(404, "unknown_coupon", "This voucher does not exist"),
        _ => asked.answer(200, Body::json(r#"{"discount":15,"currency":"EUR"}"#)),
    }
}

fn xml_import(hash: u64) -> Exchange {
    let body = format!(r#"<?xml version="1.0"?><import><name>{}</name></import>"#, words(hash, 2, " "));
    let told = format!("<result><name>{}</name></result>", words(hash, 2, " "));
    let asked = Exchange::ask("POST", format!("/import?batch={}", hash % 400))
        .with(Body::new("application/xml", body));
    asked.answer(200, Body::new("application/xml", told)).takes(8_000_000)
}

/// A browser asks whether another origin of the same house may call.
fn preflight(api: &Api) -> Exchange {
    let origin = format!("https://www.{}", api.host);
    let asked = Exchange::ask("OPTIONS", api.resources[0].path).header("Origin", origin.clone());
    let asked = asked.header("Access-Control-Request-Method", "GET");
    Exchange { anonymous: true, ..asked.says("Access-Control-Allow-Origin", origin) }
}

/// Asks for a new password: of a user, or with an address that no user has.
pub(crate) fn reset(world: &World, api: &Api, user: Option<u32>, hash: u64) -> Exchange {
    let known = user.is_some();
    let login = user.map_or_else(|| Person(hash).email(), |user| world.person(api, user).email());
    let path = format!("{}/reset", api.login.trim_end_matches("/login"));
    let asked =
        Exchange::ask("POST", path).with(Body::json(format!(r#"{{"email":"{login}"}}"#))).takes(60_000_000);
    let asked = Exchange { anonymous: true, ..asked };
    match known {
        true => asked.answer(200, Body::json(r#"{"status":"sent"}"#)),
        false => asked.error(404, "unknown_user", "There is no account with this address"),
    }
}
