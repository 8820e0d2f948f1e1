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
