//! How fast calls are judged by 150 rules, on one core: `cargo run --release -p tapwire-rules --features sigma --example rate`.
//! With an argument, so many rounds over the calls instead of as many as make a second: for counting instructions.

use std::hint::black_box;
use std::time::Instant;
use tapwire_detect::CallRules;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::{Call, Inventory};
use tapwire_rules::{RuleFile, load};

#[path = "../../inspect/src/transcript.rs"]
mod transcript;

const RULES: usize = 150;
const KEY: TokenKey = TokenKey::new([7; 32]);

fn main() {
    let files = [RuleFile { name: "rules".into(), text: rules() }];
    let loaded = load(&files);
    assert!(
        loaded.faults.is_empty() && loaded.skipped.is_empty(),
        "{:?} {:?}",
        loaded.faults,
        loaded.skipped
    );
    assert_eq!(loaded.applied.len(), RULES);
    let (mut judge, calls) = (loaded.judge, calls());
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse::<usize>().ok());
    let (mut found, mut judged, began) = (Vec::new(), 0_u64, Instant::now());
    for round in 0.. {
        for call in &calls {
            judge.judge(black_box(call), &mut found);
        }
        judged += calls.len() as u64;
        if rounds.map_or(began.elapsed().as_secs() >= 1, |rounds| round + 1 >= rounds) {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{RULES} rules: {:.0} calls a second, {:.2} µs a call; {} findings of {judged} calls",
        judged as f64 / seconds,
        seconds * 1e6 / judged as f64,
        found.len()
    );
}

/// In the shares of the public ones for access logs and proxies: mostly texts in URIs, some agents, methods and statuses, a few
/// expressions, keywords and networks.
fn rules() -> String {
    let mut text = String::new();
    for number in 0..RULES {
        let (category, detection) = match number % 10 {
            0..=2 => (
                "webserver",
                format!(
                    "    cs-uri-query|contains:\n      - '/planted-{number}.php'\n      - 'cmd{number}='\n      - '/x{number}/../'\n"
                ),
            ),
            3 => (
                "webserver",
                format!(
                    "    cs-method: POST\n    cs-uri-stem|endswith: '/upload-{number}.jsp'\n    sc-status: 200\n"
                ),
            ),
            4 => ("webserver", format!("    cs-user-agent|contains: 'scanner-{number}'\n")),
            5 => (
                "proxy",
                format!(
                    "    c-uri|contains:\n      - '/gate{number}.php'\n      - '.bad{number}.example/'\n"
                ),
            ),
            6 => (
                "proxy",
                format!("    c-useragent:\n      - 'Agent {number}'\n      - 'Mozilla/{number}.0'\n"),
            ),
            7 => (
                "proxy",
                format!(
                    "    c-uri|endswith: '/stage{number}.bin'\n    cs-host|endswith: '.example{number}'\n"
                ),
            ),
            8 => ("webserver", format!("    cs-uri-query|re: 'id{number}=[0-9]{{20,}}'\n")),
            _ => ("api", format!("    template: '/v{number}/orders/{{orderId}}'\n    outcome: success\n")),
        };
        text.push_str(&format!("---\ntitle: Rule {number}\nid: rule-{number}\nlogsource:\n  category: {category}\ndetection:\n  selection:\n{detection}  condition: selection\n"));
    }
    text
}

/// Of a shop: nothing that a rule holds for but one call in 500.
fn calls() -> Vec<Call> {
    let (mut inspector, mut inventory) = (
        Inspector::new(tapwire_inspect::Config::new(KEY)),
        Inventory::new(tapwire_inventory::Config::new(KEY)),
    );
    let call = |number: u32| {
        let target = match number % 5 {
            _ if number == 250 => "/shop/planted-0.php".into(),
            0 => format!("/api/v2/orders/{}", 1000 + number),
            1 => format!("/api/v2/products?page={number}&q=blue%20shoes&sort=price"),
            2 => "/api/v2/me/cart".into(),
            3 => format!("/api/v2/customers/{number}/addresses"),
            _ => format!("/assets/app.{number}.js"),
        };
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: application/json\r\nAuthorization: Bearer 0a1b2c3d4e5f{number}\r\nReferer: https://shop.example/cart\r\n\r\n"
        );
        let body =
            format!(r#"{{"id":{number},"items":[{{"sku":"a-{number}","price":12.5}}],"state":"open"}}"#);
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        inventory.place(inspector.exchange(transcript::exchange(
            number + 1,
            request.as_bytes(),
            response.as_bytes(),
        )))
    };
    (0..500).map(call).collect()
}
