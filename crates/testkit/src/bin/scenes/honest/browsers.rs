//! What pages do by themselves: they poll, load what is missing, send parts, ask for their configuration.

use super::{Honest, Visit};
use crate::exchange::{Body, Exchange};
use crate::values::{mix, opaque, words};
use crate::world::{MINUTE, SECOND, World};

pub(super) const SCENES: &[Honest] = &[
    Honest {
        name: "idle-tab",
        says: "an open page asks for news at a fixed interval while nobody looks",
        weight: 2.0,
        each: 120.0,
        visit: idle_tab,
    },
    Honest {
        name: "avatars",
        says: "lists of people load pictures, of which most do not exist",
        weight: 2.0,
        each: 30.0,
        visit: avatars,
    },
    Honest {
        name: "page-load",
        says: "pages ask for configuration, manifests and icons, some of them missing",
        weight: 2.0,
        each: 12.0,
        visit: page_load,
    },
    Honest {
        name: "parts",
        says: "uploads in numbered parts, map tiles, days of a calendar, pages of an own export",
        weight: 2.0,
        each: 30.0,
        visit: parts,
    },
    Honest {
        name: "vouchers",
        says: "customers type the code of a leaflet, some of them wrongly",
        weight: 1.0,
        each: 4.0,
        visit: vouchers,
    },
    Honest {
        name: "partner-page",
        says: "pages of allowed partners call from their own origins, with credentials",
        weight: 1.0,
        each: 7.0,
        visit: partner_page,
    },
    Honest {
        name: "slow-line",
        says: "reports that always take long, and uploads over slow lines",
        weight: 1.0,
        each: 4.0,
        visit: slow_line,
    },
    Honest {
        name: "throttled",
        says: "an app is told to slow down, and does",
        weight: 1.0,
        each: 14.0,
        visit: throttled,
    },
    Honest {
        name: "old-links",
        says: "bookmarks and mails lead to pages that an older version had",
        weight: 1.0,
        each: 6.0,
        visit: old_links,
    },
];

fn idle_tab(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let path = visit.stage.path(visit.stage.word(
        &["/notifications", "/events?since=0", "/messages/unread", "/status", "/cart/count", "/presence"],
        51,
    ));
    let every = [5, 10, 15, 30][(visit.stage.number >> 9) as usize % 4] * SECOND;
    let nothing = Exchange::ask("GET", path).answer(200, Body::json(r#"{"items":[],"unread":0}"#));
    let begun = visit.client.busy.max(world.now);
    for nth in 0..60 + visit.random.below(120) as i64 {
        visit.client.busy = visit.client.busy.max(begun + nth * every);
        visit.say(world, &nothing);
    }
}

fn avatars(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let (before, after) = match visit.stage.number % 3 {
        0 => ("/avatars/", ".jpg"),
        1 => ("/users/", "/photo"),
        _ => ("/thumbnails/", ""),
    };
    let first = visit.random.below(visit.stage.api.users as usize);
    for nth in 0..20 + visit.random.below(18) {
        let user = ((first + nth * 3) % visit.stage.api.users as usize) as u32;
        let place = format!("{before}{}{after}", world.subject(visit.stage.api, user));
        let asked = Exchange::ask("GET", visit.stage.path(&place)).takes(2_000_000);
        let told = if mix(visit.stage.number, u64::from(user)).is_multiple_of(12) {
            asked.answer(
                200,
                Body::new("image/jpeg", vec![0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F']),
            )
        } else {
            asked.error(404, "not_found", "No picture")
        };
        visit.say(world, &told);
    }
}

const CONFIGURATIONS: &[&str] = &[
    "/config.json",
    "/env.json",
    "/assets/config.prod.json",
    "/settings.json",
    "/app-config",
    "/runtime-config.json",
];

fn page_load(visit: &mut Visit, world: &mut World) {
    let configuration = visit.stage.word(CONFIGURATIONS, 52);
    let told = format!(
        r#"{{"apiUrl":"{}","theme":"{}","release":"1.{}"}}"#,
        visit.stage.root,
        words(visit.stage.number, 1, ""),
        visit.stage.number % 40
    );
    visit.say(world, &Exchange::ask("GET", configuration).answer(200, Body::json(told)));
    let there = ["/manifest.json", "/asset-manifest.json", "/version.json", "/locales/en.json"];
    let manifest = visit.stage.word(&there, 53);
    visit.say(world, &Exchange::ask("GET", manifest).answer(200, Body::json(r#"{"name":"app"}"#)));
    let missing = [
        "/favicon.ico",
        "/apple-touch-icon.png",
        "/robots.txt",
        "/.well-known/assetlinks.json",
        "/browserconfig.xml",
        "/.well-known/apple-app-site-association",
        "/sw.js",
        "/static/js/main.js.map",
    ];
    for _ in 0..visit.random.below(5) {
        let path = visit.stage.among(&missing, visit.random.next());
        visit.say(world, &Exchange::ask("GET", path).error(404, "not_found", "No such page"));
    }
    let (api, resource) = (visit.stage.api, visit.stage.goods_of_all());
    for page in 0..3 + visit.random.below(5) as u32 {
        let objects = world.page(api, resource, 0, page, 20);
        let list = world.list(api, resource, &objects, page, 20);
        visit.ask(world, &list);
    }
}

fn parts(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let upload = opaque(visit.hash(), 12);
    let first = visit.random.below(40);
    for nth in 0..20 + visit.random.below(40) {
        let exchange = match visit.stage.number % 4 {
            0 => Exchange::ask("PUT", visit.stage.path(&format!("/uploads/{upload}/parts/{}", nth + 1)))
                .with(Body::new("application/octet-stream", vec![7; 600])),
            1 => Exchange::ask(
                "GET",
                visit.stage.path(&format!("/tiles/12/{}/{}.png", 2_100 + nth % 8, 1_400 + nth / 8)),
            )
            .answer(200, Body::new("image/png", vec![9; 400])),
            2 => Exchange::ask(
                "GET",
                visit.stage.path(&format!(
                    "/slots/2026-0{}-{:02}",
                    1 + (first + nth) / 28 % 9,
                    1 + (first + nth) % 28
                )),
            )
            .answer(200, Body::json(r#"{"free":[9,10,14]}"#)),
            _ => {
                let resource = visit.stage.things_of_users();
                let objects = world.page(visit.stage.api, resource, visit.user, 0, 6);
                world.list(visit.stage.api, resource, &objects, nth as u32, 6)
            }
        };
        visit.say(world, &exchange);
        visit.client.busy += visit.random.below(700_000_000) as i64;
    }
}

fn vouchers(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let path = visit.stage.path(
        visit.stage.word(&["/basket/voucher", "/checkout/promo", "/gift-cards/redeem", "/codes/apply"], 54),
    );
    for nth in 0..1 + visit.random.below(4) {
        let body = format!(r#"{{"code":"SPRING{}"}}"#, 20 + visit.hash() % 8);
        let asked = Exchange::ask("POST", path.clone()).with(Body::json(body));
        let told = if nth % 2 == 0 && visit.random.chance(0.5) {
            asked.error(404, "unknown_code", "This code does not exist")
        } else {
            asked.answer(200, Body::json(r#"{"discount":10}"#))
        };
        visit.ask(world, &told);
    }
}

fn partner_page(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let domain = visit
        .stage
        .word(&["partner.example", "shop-widgets.example", "reseller.example", "embed.example"], 55);
    let origin =
        format!("https://{}.{domain}", visit.stage.among(&["www", "store", "app", "m"], visit.random.next()));
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    for nth in 0..4 + visit.random.below(4) as u32 {
        let exchange = world.get(api, resource, api.object_of(resource, visit.user, nth));
        let preflight = Exchange::ask("OPTIONS", exchange.target.clone())
            .header("Origin", origin.clone())
            .header("Access-Control-Request-Method", "GET");
        let preflight =
            Exchange { anonymous: true, ..preflight.says("Access-Control-Allow-Origin", origin.clone()) };
        visit.say(world, &preflight.says("Access-Control-Allow-Credentials", "true"));
        let told =
            exchange.header("Origin", origin.clone()).says("Access-Control-Allow-Origin", origin.clone());
        visit.ask(world, &told.says("Access-Control-Allow-Credentials", "true").says("Vary", "Origin"));
    }
}

fn slow_line(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let report = visit
        .stage
        .path(visit.stage.word(&["/reports/annual", "/exports/statement", "/analysis/run", "/render"], 56));
    let takes = (7 + visit.random.below(4) as i64) * SECOND;
    let told = Exchange::ask("GET", format!("{report}?year=20{}", 20 + visit.random.below(6)));
    visit.ask(world, &told.answer(200, Body::json(r#"{"rows":[],"state":"ready"}"#)).takes(takes));
    let text = words(visit.hash(), 160, " ");
    let mut photo = Exchange::ask("POST", visit.stage.path("/attachments"))
        .with(Body::json(format!(r#"{{"text":"{text}"}}"#)));
    photo.slow = 180_000_000 + visit.random.below(300_000_000) as i64;
    visit.ask(world, &photo.answer(201, Body::json(r#"{"id":7}"#)));
}

fn throttled(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    for nth in 0..10 + visit.random.below(8) {
        let me =
            world.me(visit.stage.api, visit.user).says("RateLimit-Limit", "8").says("RateLimit-Reset", "30");
        if nth % 9 == 8 {
            let later = Exchange { persons: Vec::new(), ..me.clone() };
            visit.say(
                world,
                &later.error(429, "slow_down", "Try again in half a minute").says("Retry-After", "30"),
            );
            visit.client.busy += 31 * SECOND;
        }
        visit.say(world, &me.says("RateLimit-Remaining", (7 - nth % 8).to_string()));
        visit.waits(0, 2);
    }
}

fn old_links(visit: &mut Visit, world: &mut World) {
    let olds = [
        "/v0/start",
        "/old/index.html",
        "/2019/winter/offers",
        "/admin-manual.pdf",
        "/blog/feed.xml",
        "/wp-content/flyer.pdf",
        "/test-drive/book",
        "/backup-heating/quote",
    ];
    for _ in 0..1 + visit.random.below(4) {
        let path = visit.stage.among(&olds, visit.random.next());
        visit.ask(world, &Exchange::ask("GET", path).error(404, "not_found", "This page has moved"));
    }
    visit.client.busy += MINUTE / 4;
    let (api, resource) = (visit.stage.api, visit.stage.goods_of_all());
    for page in 0..3 {
        let objects = world.page(api, resource, 0, page, 20);
        let list = world.list(api, resource, &objects, page, 20);
        visit.ask(world, &list);
    }
}
