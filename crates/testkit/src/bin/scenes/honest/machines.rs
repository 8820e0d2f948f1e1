//! Programs that people let run: monitors, batches, webhooks, deployments.

use super::{Honest, Visit};
use crate::exchange::{Body, Exchange};
use crate::values::{choose, mix, opaque, percent};
use crate::world::{MINUTE, SECOND, World};

pub(super) const SCENES: &[Honest] = &[
    Honest {
        name: "webhooks",
        says: "customers and colleagues register addresses to be called, also inside their own company",
        weight: 1.5,
        each: 6.0,
        visit: webhooks,
    },
    Honest {
        name: "links",
        says: "addresses as values: pictures to import, previews, return paths",
        weight: 1.5,
        each: 7.0,
        visit: links,
    },
    Honest {
        name: "monitor",
        says: "monitors look at health, metrics and a page that wants credentials, at fixed times",
        weight: 1.5,
        each: 40.0,
        visit: monitor,
    },
    Honest {
        name: "synthetic",
        says: "a test user logs in every few minutes and walks the same way",
        weight: 1.0,
        each: 36.0,
        visit: synthetic,
    },
    Honest {
        name: "sync",
        says: "a partner's program with a key fetches by id what changed, up or down or in parallel",
        weight: 2.0,
        each: 80.0,
        visit: sync,
    },
    Honest {
        name: "help-desk",
        says: "support looks at what callers ask about, one customer after the other",
        weight: 2.0,
        each: 30.0,
        visit: help_desk,
    },
    Honest {
        name: "export",
        says: "a company takes its own monthly data home",
        weight: 1.0,
        each: 14.0,
        visit: export,
    },
    Honest {
        name: "corporate-proxy",
        says: "a client behind a proxy hides its methods in a header",
        weight: 1.0,
        each: 6.0,
        visit: corporate_proxy,
    },
    Honest {
        name: "data-upload",
        says: "programs send XML, serialised state and large lists that they made themselves",
        weight: 1.0,
        each: 5.0,
        visit: data_upload,
    },
];

const HOOKS: &[&str] = &[
    "http://jenkins.corp.internal:8080/hook",
    "https://hooks.chat.example/T02/B7/x",
    "http://10.20.4.17:9000/events",
    "https://erp.customer.example/in/orders",
    "http://build.lan/generic-webhook-trigger/invoke",
    "https://automation.example.org/flows/9/run",
    "http://192.168.12.4/api/notify",
    "http://gitlab.intranet/api/trigger",
    "https://n8n.internal.example/webhook/77",
    "http://mq-bridge.svc.cluster.local/in",
];

fn webhooks(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let place = visit.stage.path(visit.stage.word(
        &["/webhooks", "/subscriptions", "/hooks", "/integrations", "/callbacks", "/event-targets"],
        61,
    ));
    let field = visit.stage.word(&["url", "target", "callbackUrl", "endpoint", "notify_url", "address"], 62);
    for _ in 0..1 + visit.random.below(3) {
        let hook = visit.stage.among(HOOKS, visit.random.next());
        let number = visit.hash() % 9_000;
        let body = format!(r#"{{"{field}":"{hook}","events":["created","paid"]}}"#);
        let told = format!(r#"{{"id":{number},"{field}":"{hook}","active":true}}"#);
        visit.ask(
            world,
            &Exchange::ask("POST", place.clone())
                .with(Body::json(body))
                .answer(201, Body::json(told.clone())),
        );
        visit.ask(world, &Exchange::ask("GET", format!("{place}/{number}")).answer(200, Body::json(told)));
        let test = Exchange::ask("POST", format!("{place}/{number}/test"));
        visit.ask(
            world,
            &test.answer(200, Body::json(r#"{"delivered":true,"status":204}"#)).takes(180_000_000),
        );
    }
}

fn links(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let hash = visit.hash();
    let picture = format!(
        "https://{}/{}.png",
        visit.stage.among(
            &["cdn.images.example", "img.example.net", "media.example.org", "static.example.com"],
            hash
        ),
        opaque(hash, 8)
    );
    let name = visit.stage.word(&["avatar_url", "imageUrl", "photo", "logo", "src", "link"], 63);
    for nth in 0..5 {
        let exchange = match nth {
            0 => Exchange::ask("PATCH", visit.stage.api.me)
                .with(Body::json(format!(r#"{{"{name}":"{picture}"}}"#)))
                .answer(200, Body::json(format!(r#"{{"{name}":"{picture}"}}"#))),
            1 => Exchange::ask("GET", visit.stage.path(&format!("/preview?url={}", percent(&picture))))
                .answer(200, Body::json(r#"{"title":"A picture","bytes":88123}"#))
                .takes(160_000_000),
            2 => {
                let back = format!("https://{}/welcome?from=mail", visit.stage.api.host);
                Exchange {
                    status: 302,
                    ..Exchange::ask("GET", visit.stage.path(&format!("/go?next={}", percent(&back))))
                }
                .says("Location", back)
            }
            3 => Exchange {
                status: 302,
                ..Exchange::ask("GET", visit.stage.path("/leave?returnTo=%2Fstart%3Ftab%3D2"))
            }
            .says("Location", "/start?tab=2"),
            _ => Exchange::ask("POST", visit.stage.path("/feeds"))
                .with(Body::json(r#"{"feed":"http://blog.example.net/rss.xml"}"#))
                .answer(201, Body::json(r#"{"entries":12}"#))
                .takes(210_000_000),
        };
        visit.ask(world, &exchange);
    }
}

fn monitor(visit: &mut Visit, world: &mut World) {
    let agents = [
        "UptimeRobot/2.0",
        "Prometheus/2.53.0",
        "Pingdom.com_bot_version_1.4",
        "ELB-HealthChecker/2.0",
        "blackbox-exporter/0.25",
        "Zabbix",
    ];
    visit.client.agent = visit.stage.word(&agents, 64).to_owned();
    let site = visit.random.below(4) as u8;
    visit.client.moves([178, 33, (visit.stage.number >> 5) as u8, 10 + site]);
    let health = visit.stage.word(&["/health", "/healthz", "/ping", "/ready", "/live", "/up"], 65);
    let begun = visit.client.busy.max(world.now);
    for nth in 0..10 + visit.random.below(8) as i64 {
        visit.client.busy = visit.client.busy.max(begun + nth * MINUTE);
        visit.say(world, &Exchange { status: 200, ..Exchange::ask("HEAD", health) });
        visit.say(world, &Exchange::ask("GET", health).answer(200, Body::json(r#"{"status":"ok"}"#)));
        visit.say(
            world,
            &Exchange::ask("GET", "/metrics")
                .answer(200, Body::new("text/plain", "up 1\nrequests_total 9\n")),
        );
        // That it answers 401 is what is checked.
        visit.say(
            world,
            &Exchange::ask("GET", visit.stage.api.me).error(401, "unauthorized", "Please log in"),
        );
    }
}

fn synthetic(visit: &mut Visit, world: &mut World) {
    visit.user = 3;
    visit.client = visit.stage.client(3);
    visit.client.agent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/131.0.0.0 Safari/537.36"
            .to_owned();
    let begun = visit.client.busy.max(world.now);
    for round in 0..6 {
        visit.client.busy = visit.client.busy.max(begun + round * 5 * MINUTE);
        visit.logs_in(world);
        let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
        let mine = world.page(api, resource, visit.user, 0, 6);
        let way = [
            world.me(api, visit.user),
            world.list(api, resource, &mine, 0, 6),
            world.get(api, resource, mine[0]),
            world.get(api, resource, mine[1]),
        ];
        for step in way {
            visit.say(world, &step);
            visit.client.busy += SECOND;
        }
    }
}

fn sync(visit: &mut Visit, world: &mut World) {
    let agents = [
        "erp-sync/4.0 (Java/17)",
        "warehouse-bot/2.2",
        "python-requests/2.31.0",
        "DataBridge/9",
        "Apache-HttpClient/5.3",
    ];
    let mut identity = world.identity(visit.stage.api, visit.stage.api.users + 40);
    identity.role = "integration";
    identity.credential = ("X-API-Key", world.key(visit.stage.api, visit.stage.api.users + 40));
    visit.client = visit.stage.office(visit.stage.api.users + 40);
    visit.client.agent = visit.stage.word(&agents, 66).to_owned();
    visit.client.identity = Some(identity);
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    let all = api.users * resource.each;
    let count = 50 + visit.random.below(60) as u32;
    let first = visit.nth as u32 * 90;
    for nth in 0..count {
        let place = match visit.stage.number % 3 {
            0 => nth,
            1 => count - nth,
            // Four workers take turns, in no strict order.
            _ => nth ^ (mix(visit.stage.number, u64::from(nth)) % 4) as u32,
        };
        let exchange = world.get(api, resource, (first + place) % all);
        visit.say(world, &exchange);
        visit.client.busy += 40_000_000 + visit.random.below(60_000_000) as i64;
    }
}

fn help_desk(visit: &mut Visit, world: &mut World) {
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    visit.user = api.users + visit.nth as u32 % api.staff;
    visit.client = visit.stage.office(visit.user);
    visit.logs_in(world);
    for _ in 0..5 + visit.random.below(6) {
        let customer = visit.random.below(api.users as usize) as u32;
        let objects = world.page(api, resource, customer, 0, 6);
        let mut list = world.list(api, resource, &objects, 0, 6);
        list.target = format!("{}?customer={}", resource.path, percent(&world.subject(api, customer)));
        visit.ask(world, &list);
        for object in objects.iter().take(1 + visit.random.below(4)) {
            let exchange = world.get(api, resource, *object);
            visit.ask(world, &exchange);
        }
        visit.waits(30, 120);
    }
}

fn export(visit: &mut Visit, world: &mut World) {
    visit.user = visit.nth as u32 % 40;
    visit.client = visit.stage.client(visit.user);
    visit.logs_in(world);
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    let mine = world.page(api, resource, visit.user, 0, 6);
    let many: Vec<u32> = mine.iter().copied().cycle().take(120).collect();
    for page in 0..8 + visit.random.below(8) as u32 {
        let mut list = world.list(api, resource, &many, page, 120);
        list.target = format!("{}/export?month=2025-{:02}&format=json", resource.path, 1 + page % 12);
        visit.ask(world, &list);
    }
}

fn corporate_proxy(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    for nth in 0..3 + visit.random.below(4) as u32 {
        let mut exchange = world.update(api, resource, api.object_of(resource, visit.user, nth));
        let meant = std::mem::replace(&mut exchange.method, "POST");
        visit.ask(world, &exchange.header("X-HTTP-Method-Override", meant));
    }
}

fn data_upload(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    for _ in 0..2 + visit.random.below(3) {
        let hash = visit.hash();
        let exchange = match hash % 3 {
            0 => {
                let xml = "<?xml version=\"1.0\"?><!DOCTYPE order PUBLIC \"-//ACME//DTD Order 1.0//EN\" \"order.dtd\"><order><line sku=\"A1\">2</line></order>";
                Exchange::ask("POST", visit.stage.path("/inbound/xml"))
                    .with(Body::new("application/xml", xml))
                    .answer(202, Body::new("application/xml", "<ok/>"))
            }
            1 => {
                let state = format!(r#"{{"viewState":"{}","step":{}}}"#, opaque(hash, 120), hash % 7);
                Exchange::ask("PUT", visit.stage.path("/drafts/current"))
                    .with(Body::json(state))
                    .answer(200, Body::json(r#"{"saved":true}"#))
            }
            _ => {
                let rows: Vec<String> = (0..300)
                    .map(|nth| format!(r#"{{"sku":"{}","count":{}}}"#, opaque(mix(hash, nth), 6), nth % 50))
                    .collect();
                Exchange::ask("POST", visit.stage.path("/stock/bulk"))
                    .with(Body::json(format!("[{}]", rows.join(","))))
                    .answer(200, Body::json(r#"{"taken":300}"#))
            }
        };
        visit.ask(world, &exchange);
        visit.client.agent =
            choose(&["inventory-uploader/3.0", "stock-agent/1.1"], visit.stage.number).to_owned();
    }
}
