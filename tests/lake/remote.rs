//! Tables in a store answer as those of the data directory do, and what goes wrong there is one line.

use crate::engines::BASIC;
use crate::store::{SECRET, Store};
use crate::{fixture, replayed, rows, sql};
use serde_json::Value;
use std::path::Path;
use tapwire_tests::{Ran, Tapwire, token_key};

const PLACE: &str = "s3://lake/site";

fn there(store: &Store, arguments: &[&str]) -> Ran {
    store.with(Tapwire::new(arguments).args(["--data", PLACE]), &[]).run()
}

fn as_here(store: &Store, data: &Path, query: &str) {
    let theirs = there(store, &["sql", "--json", query]).ok(query).events();
    assert!(!theirs.is_empty(), "{query}");
    assert_eq!(theirs, rows(data, query), "{query}");
}

#[test]
fn queries_are_answered_from_a_store() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("demo");
    let _ran = store.copy(data.path(), &[]).ok("copy");
    let events = "SELECT event FROM events";
    for query in
        BASIC.map(|query| query.replace("VARCHAR", "TEXT")).iter().map(String::as_str).chain([events])
    {
        as_here(&store, data.path(), query);
    }
    // Behind a checkpoint, with files that were put together.
    for _ in 0..20 {
        let run =
            Tapwire::new(["replay", "--again", "-q", "--events", "null://", "--data"]).args([data.path()]);
        let _ran = run.args([fixture("basic-rest").path()]).run().ok("the next run");
    }
    let maintain =
        Tapwire::new(["lake", "maintain", "--set", "lake.days.exchanges=0", "--data"]).args([data.path()]);
    let _ran = maintain.run().ok("maintain");
    let _ran = store.copy(data.path(), &[]).ok("copy");
    as_here(&store, data.path(), events);
    let until =
        "SELECT max(time) AS t, count(*) AS n FROM exchanges WHERE time < (SELECT max(time) FROM exchanges)";
    as_here(&store, data.path(), until);
    let info = |mut info: Value| {
        // The disk is that of the directory; the rate is that of the moment.
        ["free_bytes", "free_days", "bytes_a_day"].iter().for_each(|name| info[*name] = Value::Null);
        info
    };
    let ours =
        Tapwire::new(["lake", "info", "--json", "--data"]).args([data.path()]).run().ok("info").events();
    let theirs = there(&store, &["lake", "info", "--json"]).ok("info").events();
    assert_eq!(
        theirs.into_iter().map(info).collect::<Vec<_>>(),
        ours.into_iter().map(info).collect::<Vec<_>>()
    );
    // Tokens are named by the key, which stands in no table.
    let query = "SELECT token('alice') AS token";
    let keyless = there(&store, &["sql", query]);
    assert_eq!(keyless.code, Some(2));
    assert!(keyless.stderr.contains("give --token-key FILE"), "{}", keyless.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let key = token_key(folder.path());
    let named =
        there(&store, &["sql", "--csv", "--token-key", key.to_str().expect("UTF-8"), query]).ok("token");
    assert_eq!(named.stdout, sql(data.path(), &["--csv", query]).ok("token").stdout);
}

#[test]
fn the_inventory_of_sums_is_read_from_a_store() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("demo");
    let _ran = store.copy(data.path(), &[]).ok("copy");
    let endpoints = there(&store, &["inventory", "--json"]).ok("inventory").events();
    let calls = endpoints.iter().filter_map(|one| one["calls"].as_u64()).sum::<u64>();
    let query = "SELECT sum(calls) AS n FROM usage WHERE endpoint IS NOT NULL";
    assert_eq!(rows(data.path(), query)[0]["n"], calls);
    let template = format!("{} {}", endpoints[0]["method"], endpoints[0]["template"]).replace('"', "");
    let one = there(&store, &["inventory", "--json", "--endpoint", &template]).ok("inventory").events();
    assert!(one.contains(&endpoints[0]), "{one:?}");
    let refused = there(&store, &["inventory", "--egress"]);
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{}", refused.stderr);
}

#[test]
fn rules_are_asked_of_a_store() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("demo");
    let _ran = store.copy(data.path(), &[]).ok("copy");
    let rules = data.path().join("rules.yml");
    let text = "title: A call failed\nid: failed\nlogsource: {category: webserver}\n\
                detection:\n  one: {sc-status|gte: 400}\n  condition: one\n---\n\
                title: A field\nid: body\nlogsource: {category: api, product: tapwire}\n\
                detection:\n  one: {response_fields: total}\n  condition: one\n";
    std::fs::write(&rules, text).expect("a file");
    let rules = rules.to_str().expect("UTF-8");
    let ours =
        Tapwire::new(["hunt", rules, "--json", "--data"]).args([data.path()]).run().ok("hunt").events();
    let theirs = there(&store, &["hunt", rules, "--json"]).ok("hunt").events();
    assert_eq!((theirs[0]["answer"].as_str(), theirs[0]["hits"].as_u64() > Some(0)), (Some("exact"), true));
    assert_eq!(theirs, ours);
}

#[test]
fn what_goes_wrong_in_a_store_is_one_line() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("basic-rest");
    let is_told = |place: &str, variables: &[(&str, &str)], words: &str| {
        for command in [["sql", "SELECT 1"].as_slice(), &["lake", "info"], &["inventory"]] {
            let ran = store.with(Tapwire::new(command).args(["--data", place]), variables).run();
            assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{}", ran.stderr);
            assert!(ran.stderr.contains(words) && !ran.stderr.contains(SECRET), "{words}: {}", ran.stderr);
        }
    };
    is_told(PLACE, &[], "no tables are there");
    let _ran = store.copy(data.path(), &[]).ok("copy");
    is_told("s3://lake/other", &[], "no tables are there");
    is_told("s3://nowhere/site", &[], "the store has no bucket nowhere");
    is_told("s3://x", &[], "write it like s3://BUCKET/FOLDER");
    is_told(
        PLACE,
        &[("AWS_SECRET_ACCESS_KEY", "another")],
        "refuses these credentials (SignatureDoesNotMatch)",
    );
    is_told(PLACE, &[("AWS_ACCESS_KEY_ID", "nobody")], "refuses these credentials (InvalidAccessKeyId)");
    is_told(PLACE, &[("AWS_ACCESS_KEY_ID", "")], "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    is_told(PLACE, &[("AWS_ENDPOINT_URL", "http://store.example")], "give https://");
    // Nobody listens on the port of discarded bytes; the store speaks no TLS.
    is_told(PLACE, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")], "http://127.0.0.1:9 cannot be reached");
    let tls = store.endpoint().replace("http://", "https://");
    is_told(PLACE, &[("AWS_ENDPOINT_URL", &tls)], &format!("{tls} cannot be reached"));
}
