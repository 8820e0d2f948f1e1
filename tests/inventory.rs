//! What the inventory says of endpoints beside their templates and schemas, over captures of real software.

use serde_json::{Value, json};
use std::path::Path;
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn inventory(name: &str, arguments: &[&str]) -> Ran {
    let fixture = fixture(name);
    Tapwire::new(["inventory"]).args(arguments).args([fixture.path()]).key().within(&fixture).run().ok(name)
}

/// The objects of `--json` that are endpoints.
fn endpoints(name: &str, arguments: &[&str]) -> Vec<Value> {
    let all = inventory(name, &[&["--json"], arguments].concat()).events();
    all.into_iter().filter(|one| one.get("template").is_some()).collect()
}

fn page(name: &str, arguments: &[&str]) -> String {
    String::from_utf8(inventory(name, arguments).stdout).expect("UTF-8")
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path.display().to_string()
}

#[test]
fn files_say_whose_endpoints_are_and_a_path_of_a_service_may_be_anothers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let assets = write(folder.path(), "assets.csv", "10.77.0.2,\"Shop, cluster\",web,dmz,high\n");
    let labels = write(
        folder.path(),
        "labels.toml",
        "[owners]\norders = [\"*/orders\"]\nbroken = [\"a b\"]\n[tags]\npci = [\"10.77.0.0/16\"]\ncore = [\"*/orders/{id}\"]\n",
    );
    let context = ["--context", &assets, "--context", &labels];
    let ran = inventory("demo", &[&["--json"], &context[..]].concat());
    assert!(ran.stderr.contains("labels.toml:3: 'a b' is no place"), "{}", ran.stderr);
    let all = endpoints("demo", &context);
    let owners = |owner: &str| all.iter().filter(|one| one["owner"] == owner).count();
    assert!(owners("orders") > 1 && owners("web") > 1, "{} {}", owners("orders"), owners("web"));
    assert_eq!(owners("orders") + owners("web"), all.len());
    for endpoint in &all {
        let template = endpoint["template"].as_str().expect("a template");
        assert_eq!(endpoint["owner"] == "orders", template.split('/').nth(1) == Some("orders"), "{template}");
        assert_eq!(
            [&endpoint["zone"], &endpoint["criticality"], &endpoint["asset"]],
            ["dmz", "high", "Shop, cluster"]
        );
        let core = template.starts_with("/orders/{");
        let tags = if core { json!(["core", "pci"]) } else { json!(["pci"]) };
        assert_eq!(endpoint["tags"], tags, "{template}");
    }
    let table = page("demo", &context);
    assert!(
        table.contains("    owner web, zone dmz, criticality high, asset Shop, cluster, tags pci\n"),
        "{table}"
    );
    let one = page("demo", &[&["--endpoint", "GET /orders/{orderId}"], &context[..]].concat());
    assert!(one.contains("owner         orders\n") && one.contains("tags          core, pci\n"), "{one}");
    assert!(endpoints("demo", &[]).iter().all(|one| one.get("owner").is_none() && one.get("tags").is_none()));
}

fn endpoint<'a>(all: &'a [Value], method: &str, template: &str) -> &'a Value {
    let found = all.iter().find(|one| one["method"] == method && one["template"] == template);
    found.unwrap_or_else(|| panic!("{method} {template}"))
}

/// Reasons of a score with their points.
fn reasons(endpoint: &Value, score: &str) -> Vec<(String, u64)> {
    let all = endpoint[format!("{score}_reasons")].as_array().expect("reasons");
    all.iter()
        .map(|one| {
            let points = one["points"].as_u64().expect("points");
            (one["reason"].as_str().expect("a name").to_owned(), points)
        })
        .collect()
}

#[test]
fn both_scores_are_the_sums_of_their_reasons_and_sort_the_table() {
    let all = endpoints("demo", &[]);
    for one in &all {
        for score in ["exposure", "threat"] {
            let sum: u64 = reasons(one, score).iter().map(|(_, points)| points).sum();
            assert_eq!(one[score], sum.min(100), "{one}");
        }
    }
    let users = endpoint(&all, "GET", "/users/{userId}");
    let named = |pairs: &[(&str, u64)]| {
        pairs.iter().map(|(name, points)| ((*name).to_owned(), *points)).collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(users, "exposure"),
        named(&[("sensitive-data", 12), ("undocumented", 3), ("clear-text", 3)])
    );
    assert_eq!(reasons(users, "threat"), named(&[("denied", 3)]));
    assert_eq!(users["threat_reasons"][0]["seen"], "21 of 148 calls");
    let leaking = all.iter().find(|one| one["service"] == "reports.test" && one["template"] == "/orders");
    assert_eq!(reasons(leaking.expect("reports"), "threat"), named(&[("findings", 20)]));
    let table = page("demo", &[]);
    let rated: Vec<u64> = table
        .lines()
        .filter_map(|line| {
            line.strip_prefix("    ")?.split_whitespace().take(2).map(|one| one.parse().ok()).max()?
        })
        .collect();
    assert_eq!(rated.len(), all.len(), "{table}");
    assert_eq!(
        rated[0],
        all.iter()
            .flat_map(|one| [one["exposure"].as_u64(), one["threat"].as_u64()])
            .flatten()
            .max()
            .unwrap_or(0)
    );
    let one = page("demo", &["--endpoint", "POST /orders"]);
    assert!(
        one.contains("exposure      11 of 100\n") && one.contains("  5  writes                     POST\n"),
        "{one}"
    );
    let public = endpoints("demo", &["--set", "networks.public=[\"10.77.0.0/16\"]"]);
    let users = endpoint(&public, "GET", "/users/{userId}");
    assert_eq!(reasons(users, "exposure")[0], ("public-callers".to_owned(), 25));
    assert_eq!(users["clients"], json!({"public": 148}));
}

#[test]
fn endpoints_say_how_they_are_used() {
    let all = endpoints("demo", &[]);
    let orders = endpoint(&all, "POST", "/orders");
    assert_eq!(orders["request_bytes"], json!({"p50": 91, "p90": 91, "p99": 91, "error_percent": 7}));
    assert_eq!(
        orders["content_types"],
        json!({"requests": {"application/json": 238}, "responses": {"application/json": 235}})
    );
    let latency = ["p50", "p90", "p99"].map(|name| orders["latency_us"][name].as_u64().expect("a number"));
    assert!(latency.is_sorted() && latency[0] > 100, "{latency:?}");
    assert_eq!((&orders["clients"], &orders["clear_text"]), (&json!({"internal": 238}), &json!(238)));
    let encrypted = endpoints("tls13", &[]);
    assert!(encrypted.iter().all(|one| one["clear_text"] == 0), "{encrypted:?}");
}

#[test]
fn what_leaves_ones_own_network_is_an_inventory_of_its_own() {
    let outside = [
        "--egress",
        "--set",
        "networks.internal=[\"10.77.0.1\"]",
        "--set",
        "networks.public=[\"10.77.0.2\"]",
    ];
    let services = inventory("logins", &[&["--json"], &outside[..]].concat()).events();
    assert_eq!(services.len(), 1);
    let service = &services[0];
    assert_eq!((&service["calls"], &service["callers"], &service["tls"]), (&json!(20), &json!(7), &json!(0)));
    assert_eq!(service["methods"], json!({"POST": 11, "GET": 9}));
    assert_eq!(
        service["auth"],
        json!({"jwt": 1, "bearer": 5, "cookie": 5, "basic": 2, "password": 5, "none": 5})
    );
    assert_eq!((&service["sent_bytes"], &service["servers"]), (&json!(538), &json!(["10.77.0.2"])));
    let table = page("logins", &outside);
    assert!(table.contains("20 calls of 7 callers") && table.contains("11 POST, 9 GET; "), "{table}");
    assert!(page("logins", &["--egress"]).contains("not seen"), "private addresses are inside");
    let marked = endpoints("logins", &outside[1..]);
    let calls: u64 = marked.iter().filter_map(|one| one["egress"].as_u64()).sum();
    assert!(calls > 0 && marked.iter().all(|one| one["egress"] == one["calls"]), "{marked:?}");
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let all = list.as_array().into_iter().flatten();
    all.into_iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {list}"))
}

#[test]
fn servers_of_mcp_show_their_tools_and_who_calls_them() {
    let servers = inventory("mcp", &["--mcp", "--json"]).events();
    assert_eq!(servers.len(), 3);
    let of_order = |server: &Value| {
        let order = named(&server["tools"], "get_order");
        ["calls", "failed", "changes"].map(|name| order[name].as_u64().unwrap_or(u64::MAX))
    };
    // The second revision of the protocol on the first server writes schemas in another way; the third answers on a stream.
    assert_eq!(servers.iter().map(of_order).collect::<Vec<_>>(), [[6, 4, 1], [3, 2, 0], [3, 0, 0]]);
    for server in &servers {
        assert_eq!(server["tools"].as_array().map(Vec::len), Some(4), "{server}");
        let order = named(&server["tools"], "get_order");
        let [first, last] = ["first_definition", "last_definition"].map(|time| &order[time]);
        assert_eq!(
            (&first["description"], &last["description"]),
            (&json!("4452802fe6f5701f"), &first["description"])
        );
        assert_eq!(first["schema"] == last["schema"], order["changes"] == 0);
        assert_eq!(named(&server["tools"], "no_such_tool")["listed"], false);
        assert_eq!(server["resources_read"], 2);
    }
    assert_eq!((&servers[0]["name"], &servers[0]["version"]), (&json!("shop"), &json!("1.2.3")));
    let table = page("mcp", &["--mcp"]);
    assert!(table.contains("no_such_tool") && table.contains("never listed"), "{table}");
    assert!(page("mcp", &[]).contains("3 servers of MCP with 12 tools: tapwire inventory --mcp"), "a hint");
    assert!(!page("demo", &[]).contains("tapwire inventory --mcp"));
}

#[test]
fn language_models_show_tokens_and_tools() {
    let models = inventory("llm", &["--llm", "--json"]).events();
    let told: Vec<_> = models
        .iter()
        .map(|one| {
            let figures = ["calls", "failed", "streamed", "input_tokens", "output_tokens"];
            (one["model"].as_str().unwrap_or(""), figures.map(|name| one[name].as_u64().unwrap_or(u64::MAX)))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("embed-1", [1, 0, 0, 8, 0]),
            ("llama-1", [3, 0, 0, 42, 15]),
            ("small-1", [1, 0, 0, 17, 6]),
            ("small-1-2026-01-01", [3, 0, 1, 63, 27]),
            ("tall-1", [3, 0, 1, 69, 30]),
        ]
    );
    let small = models.iter().find(|one| one["model"] == "small-1-2026-01-01").expect("a model");
    assert_eq!(
        (&small["tools_offered"], &small["tools_called"]),
        (&json!({"get_order": 1}), &json!({"get_order": 1}))
    );
    let table = page("llm", &["--llm"]);
    assert!(table.contains("tokens: 63 in, 27 out; 1 streamed, 0 failed"), "{table}");
}
