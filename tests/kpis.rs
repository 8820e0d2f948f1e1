//! KPIs and the monthly report, over captures of real software and over what an attacker would send.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Capture, Conversation, Turn};
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures};
use tapwire_wire::Timestamp;

/// Nanoseconds.
const DAY: i64 = 86_400_000_000_000;

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn kpis(name: &str, arguments: &[&str]) -> Ran {
    let fixture = fixture(name);
    Tapwire::new(["kpis"]).args(arguments).args([fixture.path()]).key().within(&fixture).run().ok(name)
}

fn page(ran: &Ran) -> String {
    String::from_utf8(ran.stdout.clone()).expect("UTF-8")
}

/// Numerator and denominator of a KPI, by scope: `{}`, or one member.
#[track_caller]
fn parts(all: &[Value], name: &str, scope: &Value) -> Option<(u64, u64)> {
    let mut found = all.iter().filter(|one| one["name"] == name && one["scope"] == *scope);
    let one = found.next().unwrap_or_else(|| panic!("{name} of {scope}"));
    assert!(found.next().is_none(), "{name} of {scope} stands there once");
    assert_ne!(one.get("value").is_some(), one.get("not_judged").is_some(), "{one}");
    Some((one.get("numerator")?.as_u64()?, one["denominator"].as_u64()?))
}

#[test]
fn the_shop_has_these_figures() {
    let all = kpis("demo", &["--json", "--openapi", "orders.yaml"]).events();
    for (name, expected) in [
        // Of orders.test: GET and POST /orders…, DELETE; not PUT. 99 of 839 + 238 + 99 + 68 calls are PUT.
        ("inventory-coverage", Some((3, 4))),
        ("shadow-traffic", Some((99, 1_244))),
        ("orphans", Some((1, 4))),
        // DELETE is deprecated: 68 calls.
        ("zombie-traffic", Some((68, 2_980))),
        // Both of catalog.test are open.
        ("authentication-coverage", Some((10, 12))),
        ("mixed-authentication", Some((0, 12))),
        ("tls-coverage", Some((0, 2_980))),
        ("conformance", Some((0, 3))),
        // All of GET /users/{userId}.
        ("client-errors", Some((21, 2_968))),
        ("server-errors", Some((0, 2_968))),
        ("alert-load", Some((1, 1))),
        ("undecrypted", Some((1, 1))),
        ("drift", None),
        ("time-to-remediate", None),
        ("quota-adherence", None),
        ("gateway-coverage", None),
        ("owner-coverage", None),
    ] {
        assert_eq!(parts(&all, name, &json!({})), expected, "{name}");
    }
    let coverage = all.iter().find(|one| one["name"] == "authentication-coverage").expect("there");
    assert_eq!(
        (&coverage["value"], &coverage["unit"], &coverage["better"]),
        (&json!(83.3333), &json!("%"), &json!("more"))
    );
}

#[test]
fn a_certificate_proves_who_calls() {
    let all = kpis("mtls", &["--json"]).events();
    // Four calls over TLS to one endpoint; three showed a certificate, one nothing.
    assert_eq!(parts(&all, "tls-coverage", &json!({})), Some((4, 4)));
    assert_eq!(parts(&all, "credential-hygiene", &json!({})), Some((3, 3)));
    assert_eq!(parts(&all, "mixed-authentication", &json!({})), Some((1, 1)));
    assert_eq!(parts(&all, "authentication-coverage", &json!({})), Some((0, 1)));
    assert_eq!(parts(&all, "undecrypted", &json!({})), Some((0, 4)));
}

#[test]
fn services_add_up_to_everything() {
    for name in ["demo", "logins", "forms", "llm"] {
        let all = kpis(name, &["--json"]).events();
        let services = kpis(name, &["--json", "--by", "service"]).events();
        for one in &all {
            let kpi = one["name"].as_str().expect("a name");
            // A rate has the days of all for a denominator, and the sensor is not divided.
            if one.get("value").is_none()
                || one["unit"] != "%"
                || ["capture-loss", "unparsed", "undecrypted"].contains(&kpi)
            {
                continue;
            }
            let sum = |member: &str| {
                let mine = services.iter().filter(|other| other["name"] == kpi);
                mine.filter_map(|other| other.get(member)?.as_u64()).sum::<u64>()
            };
            assert_eq!(
                (&json!(sum("numerator")), &json!(sum("denominator"))),
                (&one["numerator"], &one["denominator"]),
                "{name} {kpi}"
            );
        }
    }
}

#[test]
fn owners_and_tags_have_figures_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let labels = write(
        folder.path(),
        "labels.toml",
        "[owners]\nshop = [\"orders.test\"]\n[tags]\npci = [\"payments.test\"]\n",
    );
    let by = |sort| kpis("demo", &["--json", "--by", sort, "--context", &labels]).events();
    let owners = by("owner");
    assert_eq!(parts(&owners, "zombie-traffic", &json!({"owner": "shop"})), Some((0, 1_244)));
    assert_eq!(parts(&owners, "zombie-traffic", &json!({"owner": null})), Some((0, 2_980 - 1_244)));
    assert_eq!(parts(&owners, "owner-coverage", &json!({"owner": null})).map(|(owned, _)| owned), Some(0));
    // The one finding is of reports.test, whose key stands in the URL.
    assert_eq!(parts(&owners, "alert-load", &json!({"owner": "shop"})), Some((0, 1)));
    assert_eq!(parts(&by("tag"), "client-errors", &json!({"tag": "pci"})), Some((0, 314)));
    let text = page(&kpis("demo", &["--by", "owner", "--context", &labels]));
    assert!(text.contains("owner shop") && text.contains("nobody's"), "{text}");
}

#[test]
fn what_misses_its_target_comes_first() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = |name: &str, value: f64, by: &str| {
        format!("[[kpi.target]]\nname = \"{name}\"\nvalue = {value}\nby = {by}\n")
    };
    let text = [
        target("tls-coverage", 100.0, "2999-12-31"),
        target("client-errors", 5.0, "2999-12-31"),
        target("credential-hygiene", 90.0, "2020-12-31"),
    ];
    let config = write(folder.path(), "tapwire.toml", &text.concat());
    let text = page(&kpis("demo", &["--config", &config]));
    let first: Vec<&str> =
        text.lines().skip(1).take(2).map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(first, ["credential-hygiene", "tls-coverage"], "{text}");
    assert!(text.contains("OVERDUE: at least 90 % by 2020-12-31"), "{text}");
    assert!(
        text.contains("misses at least 100 % by 2999-12-31")
            && text.contains("meets at most 5 % by 2999-12-31"),
        "{text}"
    );
    let all = kpis("demo", &["--json", "--config", &config]).events();
    let standing: Vec<&str> = all.iter().filter_map(|one| one.get("standing")?.as_str()).collect();
    assert_eq!(standing, ["overdue", "missed", "met"]);
}

#[test]
fn what_policies_found_is_done_first() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let capture = days(folder.path());
    let config = "[owners]\norders-team = [\"orders.test\"]\n\
                  [[kpi.target]]\nname = \"tls-coverage\"\nvalue = 100\nby = 2026-11-02\n\
                  [[policy]]\nid = \"orders\"\ntitle = \"Orders\"\nseverity = \"high\"\nfix = \"Ask <them> first.\"\n\
                  where = \"service == 'orders.test'\"\n";
    let with = write(folder.path(), "tapwire.toml", config);
    let html = report(&capture, &["--config", &with]);
    let (_, tasks) = html.split_once("things to do").expect("the section");
    let at = |text: &str| tasks.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    let (fix, owner) = (at("Ask &lt;them&gt; first."), at("orders-team"));
    assert!(at("Orders (High) on orders.test: ") > fix && owner < at("at least 100 % by 2026-11-02"));
    let off = write(folder.path(), "off.toml", &format!("{config}enabled = false\n"));
    assert!(!report(&capture, &["--config", &off]).contains("Ask &lt;them"));
}

#[test]
fn a_wrong_target_or_month_is_one_clear_line() {
    let fixture = fixture("logins");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (text, expected) in [
        ("name = \"tls-covrage\"\nvalue = 1\nby = 2026-12-31", "did you mean 'tls-coverage'?"),
        ("name = \"drift\"\nvalue = 1\nby = \"soon\"", "'soon' is no date; write it like 2026-12-31"),
    ] {
        let config = write(folder.path(), "tapwire.toml", &format!("[[kpi.target]]\n{text}\n"));
        for command in [&["kpis"][..], &["report", "-w", "-"]] {
            let ran = Tapwire::new(command).args(["--config", &config]).args([fixture.path()]).run();
            assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        }
        let ran = Tapwire::new(["config", "check", "--config", &config]).run();
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{}", ran.stderr);
    }
    for (month, expected) in
        [("november", "write it like 2026-11"), ("1999-01", "no call was seen then; there are calls from")]
    {
        let ran = Tapwire::new(["report", "--month", month, "-w", "-"]).args([fixture.path()]).run();
        assert!(
            ran.code == Some(2) && ran.stderr.contains(expected) && ran.stdout.is_empty(),
            "{}",
            ran.stderr
        );
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path.display().to_string()
}

fn write_capture(folder: &Path, name: &str, capture: Capture) -> PathBuf {
    let path = folder.join(name);
    let file = std::fs::File::create(&path).expect("a temporary file");
    let _ =
        capture.numbered().write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture");
    path
}

/// Eleven calls a day, on the 28th and 31st of October, the 1st, 2nd and 5th of November 2026: ten to orders.test, of which
/// two fail, and one to reports.test with its key in the URL.
fn days(folder: &Path) -> PathBuf {
    let turn = |host: &str, target: &str, status: u16| Turn {
        request: format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
        response: format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into_bytes(),
    };
    // 2026-10-28 is day 20,754.
    let days = [20_754, 20_757, 20_758, 20_759, 20_762].into_iter().map(|day: u64| {
        let mut turns: Vec<Turn> = (0..8).map(|_| turn("orders.test", "/orders/17", 200)).collect();
        turns.extend((0..2).map(|_| turn("orders.test", "/orders/17", 500)));
        turns.push(turn("reports.test", "/reports?api_key=7f3kQ9zLw2VbN8xR4mTy", 200));
        let start = Timestamp::from_nanos(i64::try_from(day).expect("a day") * DAY);
        Conversation { start, ..Conversation::new(turns, day) }.play()
    });
    write_capture(folder, "days.pcap", days.fold(Capture::default(), Capture::merged))
}

#[test]
fn days_have_figures_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = Tapwire::new(["kpis", "--series", "--json"]).args([days(folder.path())]).run().ok("series");
    let all = ran.events();
    let on = |date: &str| -> Vec<Value> { all.iter().filter(|one| one["date"] == date).cloned().collect() };
    for date in ["2026-10-28", "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-05"] {
        assert_eq!(parts(&on(date), "server-errors", &json!({})), Some((2, 11)), "{date}");
        assert_eq!(parts(&on(date), "credential-hygiene", &json!({})), Some((0, 1)), "{date}");
    }
    assert_eq!(all.iter().filter(|one| one["name"] == "drift").count(), 5);
    let text = Tapwire::new(["kpis", "--series"]).args([days(folder.path())]).run().ok("series");
    assert!(page(&text).starts_with("2026-10-28 to 2026-11-05, 5 days with calls"), "{}", page(&text));
}

fn report(capture: &Path, arguments: &[&str]) -> String {
    page(&Tapwire::new(["report", "-w", "-"]).args(arguments).args([capture]).run().ok("report"))
}

#[test]
fn a_month_stands_on_one_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let capture = days(folder.path());
    let config = write(
        folder.path(),
        "tapwire.toml",
        "[owners]\norders-team = [\"orders.test\"]\n[[kpi.target]]\nname = \"tls-coverage\"\nvalue = 100\nby = 2026-11-02\n",
    );
    let html = report(&capture, &["--month", "2026-11", "--config", &config]);
    for part in [
        "<h1>November 2026</h1>",
        "Calls were seen on 3 days from 2026-11-01 to 2026-11-05 (UTC).",
        // 3 of 5 days: 3 × 11 calls.
        "<strong>33</strong><span>calls in the month</span>",
        "<strong>0 of 1</strong><span>targets met</span>",
        // No TLS anywhere; a key in a URL; an open endpoint, which also fails.
        "Three things to do",
        "at least 100 % by 2026-11-02",
        "<span class=\"mark overdue\">overdue</span>",
        "orders-team",
        "Blind spots of the sensor",
        "no answer advertised a limit",
        "unchanged",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let october = report(&capture, &["--month", "2026-10"]);
    assert!(october.contains("<strong>22</strong>") && october.contains("no figure before"));
    assert!(report(&capture, &[]).contains("<h1>November 2026</h1>"), "the last month, where none is named");
    assert_eq!(html, report(&capture, &["--month", "2026-11", "--config", &config, "--threads", "2"]));
    let out = folder.path().join("report.html");
    let ran = Tapwire::new(["report", "--config", &config, "-w"]).args([&out, &capture]).run().ok("report");
    assert!(ran.stdout.is_empty());
    assert_eq!(std::fs::read_to_string(&out).expect("the page"), html);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("the folder").flatten().map(|one| one.file_name()).collect();
    assert_eq!(left.len(), 3, "nothing else is left: {left:?}");
    let nowhere = folder.path().join("none").join("report.html");
    let ran = Tapwire::new(["report", "-w"]).args([&nowhere, &capture]).run();
    assert!(ran.code == Some(2) && ran.stderr.contains("-w "), "{}", ran.stderr);
}

#[test]
fn what_an_attacker_sends_is_no_markup_and_no_secret_of_the_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = "<script>alert(1)</script>";
    let turn = |head: &str| {
        Turn {
        request: format!("{head}\r\n\r\n").into_bytes(),
        response: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n{\"email\":\"jane.doe@shop.example\"}"
            .to_vec(),
    }
    };
    let turns = [
        format!("GET /{script}/x HTTP/1.1\r\nHost: {script}.example"),
        format!("GET /a?{script}={script} HTTP/1.1\r\nHost: shop.example"),
        "GET /b/%3Cscript%3Ealert(1) HTTP/1.1\r\nHost: \"><img src=x onerror=alert(1)>".to_owned(),
        format!("{script} /c HTTP/1.1\r\nHost: shop.example\r\n{script}: {script}"),
        "GET /k?api_key=7f3kQ9zLw2VbN8xR4mTy HTTP/1.1\r\nHost: shop.example".to_owned(),
    ];
    let turns = turns.iter().map(|head| turn(head)).collect();
    let capture = write_capture(folder.path(), "in.pcap", Conversation::new(turns, 3).play());
    let context =
        write(folder.path(), "labels.toml", &format!("[owners]\n\"{script}\" = [\"shop.example\"]\n"));
    let html = report(&capture, &["--context", &context]);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the owner is shown as it is written");
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("javascript:"), "{html}");
    assert!(!html.contains("7f3kQ9zLw2VbN8xR4mTy") && !html.contains("jane.doe"), "{html}");
    let text = page(&Tapwire::new(["kpis", "--by", "service", "--json"]).args([&capture]).run().ok("kpis"));
    assert!(!text.contains("7f3kQ9zLw2VbN8xR4mTy"));
}
