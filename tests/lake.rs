//! The lake through the real binary, built with the feature `lake`: what is kept is what was told, a kill leaves whole
//! tables, queries of the manual work.

#[path = "lake/copy.rs"]
mod copy;
#[path = "lake/engines.rs"]
mod engines;
#[path = "lake/remote.rs"]
mod remote;
#[path = "lake/store.rs"]
mod store;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_capture::{ByteOrder, PcapWriter, Resolution};
use tapwire_testkit::{Conversation, Turn};
use tapwire_tests::{Fixture, Ran, Tapwire, binary, fixtures, replay_of_a_pipe, token_key, workspace};
use tapwire_wire::{Endpoint, LinkType, Timestamp};

/// Longer than any machine takes that still works.
const PATIENCE: Duration = Duration::from_secs(120);

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

/// A data directory of a replay of that fixture, and the events that it told.
fn replayed(name: &str) -> (tempfile::TempDir, Vec<Value>) {
    let data = tempfile::tempdir().expect("a temporary folder");
    let ran =
        Tapwire::replay(&fixture(name)).args(["--data".as_ref(), data.path().as_os_str()]).run().ok(name);
    let told = ran.events();
    (data, told)
}

fn sql(data: &Path, arguments: &[&str]) -> Ran {
    Tapwire::new(["sql"]).key().args(arguments).args(["--data".as_ref(), data.as_os_str()]).run()
}

fn rows(data: &Path, query: &str) -> Vec<Value> {
    sql(data, &["--json", query]).ok(query).events()
}

fn sorted(events: impl Iterator<Item = Value>) -> BTreeSet<String> {
    // The number of an event is that of its output: standard output and --data are two.
    let lines = events.map(|mut event| {
        if let Some(metadata) = event["metadata"].as_object_mut() {
            metadata.remove("sequence");
        }
        event.sort_all_objects();
        event.to_string()
    });
    lines.collect()
}

#[test]
fn the_lake_holds_the_events_that_were_told() {
    for name in ["credentials-in-url", "websocket", "grpc"] {
        let (data, told) = replayed(name);
        let kept = rows(data.path(), "SELECT event FROM events");
        assert_eq!(kept.len(), told.len(), "{name}");
        let kept = kept
            .iter()
            .map(|row| serde_json::from_str(row["event"].as_str().expect("a text")).expect("an event"));
        assert_eq!(sorted(kept), sorted(told.into_iter()), "{name}");
    }
}

#[test]
fn captures_answer_without_keeping_anything() {
    let path = fixture("basic-rest").path();
    let query = "SELECT count(*) AS n FROM exchanges WHERE status IS NOT NULL";
    let short =
        Tapwire::new(["-r".as_ref(), path.as_os_str(), "sql".as_ref(), query.as_ref()]).args(["--csv"]).run();
    let short = String::from_utf8(short.ok("-r").stdout).expect("UTF-8");
    let mut lines = short.lines();
    assert_eq!(lines.next(), Some("n"), "{short}");
    assert!(lines.next().expect("a row").parse::<u32>().expect("a number") > 0);
}

#[test]
fn answers_are_tables_json_and_csv() {
    let (data, _) = replayed("basic-rest");
    let query = "SELECT 1 AS one, 'a,\"b\"' AS text, NULL AS missing";
    let text =
        |arguments: &[&str]| String::from_utf8(sql(data.path(), arguments).ok("sql").stdout).expect("UTF-8");
    assert_eq!(text(&[query]), "one  text   missing\n---  -----  -------\n1    a,\"b\"\n");
    assert_eq!(text(&["--csv", query]), "one,text,missing\n1,\"a,\"\"b\"\"\",\n");
    assert_eq!(text(&["--json", query]), "{\"one\":1,\"text\":\"a,\\\"b\\\"\",\"missing\":null}\n");
    assert!(text(&["\\d"]).contains("exchanges"));
    assert!(text(&["\\d exchanges"]).contains("principal_by"));
    let wrong = sql(data.path(), &["SELECT stat FROM exchanges"]);
    assert_eq!(wrong.code, Some(2));
    assert_eq!(
        wrong.stderr,
        "tapwire: sql: no such column: stat\n    SELECT stat FROM exchanges\n           ^\n"
    );
}

#[test]
fn queries_of_standard_input_end_where_sql_says() {
    let (data, _) = replayed("basic-rest");
    let mut child = Command::new(binary())
        .args(["sql", "--csv", "--data"])
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    let queries = "SELECT ';' AS one; -- nothing; here\n\\d kpis\nSELECT 'it''s; ' AS \"t;wo\" /* ; */ ;\nSELECT 3 AS three";
    input.write_all(queries.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && text.starts_with("one\n;\n"), "{text}");
    assert!(text.contains("numerator"), "{text}");
    assert!(text.ends_with("t;wo\nit's; \nthree\n3\n"), "{text}");
}

#[test]
fn what_the_tables_do_not_take_is_counted_as_dropped() {
    let (data, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("another"));
    let capture = folder.path().join("in.pcap");
    fs::write(&capture, minutes(3)).expect("a capture");
    let replay = |arguments: &[&str]| {
        let ran =
            Tapwire::new(["replay", "-q", "--events", "null://", "--data"]).args([data.path(), &capture]);
        ran.args(["--again"]).args(arguments).run()
    };
    let _ran = replay(&["--set", "events.lake=false"]).ok("a data directory");
    fs::create_dir_all(data.path().join("lake")).expect("a folder");
    // A file where a folder is wanted stops root, too.
    fs::write(data.path().join("lake/exchanges"), "").expect("a file");
    let ran = replay(&["--json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--data lake") && ran.stderr.contains("lake/exchanges"), "{}", ran.stderr);
    let report = ran.events().pop().expect("a report");
    let sinks = report.pointer("/stages/sinks").and_then(Value::as_array).expect("outputs");
    let lake = sinks.iter().find(|sink| sink["destination"] == "--data lake").expect("the lake");
    let count = |name: &str| lake[name].as_u64().expect("a number");
    assert!(count("dropped") > 0, "{lake}");
    assert_eq!(count("accepted"), count("delivered") + count("dropped"), "{lake}");
}

#[test]
fn recipes_of_the_manual_run() {
    let (data, _) = replayed("demo");
    // There some answers without a credential tell something.
    let logins = Tapwire::replay(&fixture("logins")).args(["--data".as_ref(), data.path().as_os_str()]);
    let _ran = logins.run().ok("logins");
    let page = fs::read_to_string(workspace().join("docs/lake.md")).expect("the page");
    let recipes: Vec<&str> =
        page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(recipes.len() >= 6, "{}", recipes.len());
    for recipe in recipes {
        // These two have something to say to each of them.
        assert!(!rows(data.path(), recipe).is_empty(), "{recipe}");
    }
}

#[test]
fn tables_are_kept_as_long_as_is_said() {
    // Of 2023, so that all of it is older than is kept.
    let (data, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("another"));
    let capture = folder.path().join("in.pcap");
    fs::write(&capture, minutes(3)).expect("a capture");
    let replay =
        Tapwire::new(["replay", "-q", "--events", "null://", "--data"]).args([data.path(), &capture]);
    let _ran = replay.run().ok("replay");
    let count = |table: &str| {
        rows(data.path(), &format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_u64().expect("a number")
    };
    let lake = |arguments: &[&str]| {
        let ran = Tapwire::new(["lake"]).args(arguments);
        ran.args(["--data".as_ref(), data.path().as_os_str()]).run()
    };
    let exchanges = count("exchanges");
    assert!(exchanges > 0);
    let info = lake(&["info", "--json"]).ok("info").events();
    let tables = info[0]["tables"].as_array().expect("a list");
    let (table, day) = (&tables[0], &tables[0]["oldest"]);
    assert_eq!((&table["table"], &table["rows"]), (&"exchanges".into(), &exchanges.into()));
    assert!(info[0]["free_bytes"].as_u64() > Some(0), "{info:?}");
    let text = String::from_utf8(lake(&["info"]).ok("info").stdout).expect("UTF-8");
    assert!(text.contains("exchanges") && text.contains("14 days"), "{text}");
    let day = day.as_str().expect("a day");
    let held = lake(&["hold", "case 7", "--from", day, "--until", day]).ok("hold");
    assert_eq!(
        String::from_utf8_lossy(&held.stdout),
        format!("held: case 7: all tables of {day} to {day}\n")
    );
    let done = lake(&["maintain", "--json"]).ok("maintain").events();
    assert_eq!((done[0]["taken_out"].as_array().map(Vec::len), count("exchanges")), (Some(0), exchanges));
    assert!(done[0]["held_files"].as_u64() > Some(0), "{done:?}");
    let unknown = lake(&["release", "case 8"]);
    assert_eq!(unknown.code, Some(2));
    assert_eq!(unknown.stderr, "tapwire: lake: case 8: no such hold; there are case 7\n");
    let _ran = lake(&["release", "case 7"]).ok("release");
    let dry = String::from_utf8(lake(&["maintain", "--dry-run"]).ok("dry").stdout).expect("UTF-8");
    assert!(dry.starts_with("Nothing was done") && dry.contains("taken out: exchanges of"), "{dry}");
    assert_eq!(count("exchanges"), exchanges);
    let _ran = lake(&["maintain", "--set", "lake.grace_minutes=0"]).ok("maintain");
    assert_eq!(count("exchanges"), 0);
    let left = fs::read_dir(data.path().join("lake/exchanges").join(format!("day={day}"))).expect("the day");
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_used_adds_up_to_exchanges() {
    let (data, _) = replayed("demo");
    let sums = rows(
        data.path(),
        "SELECT sum(calls) AS calls, sum(response_bytes) AS bytes, sum(failures + errors) AS failed, \
         sum(latency_sum) AS latency FROM usage",
    );
    let exchanges = rows(
        data.path(),
        "SELECT count(*) AS calls, sum(response_length) AS bytes, sum(status >= 400) AS failed, \
         sum(latency) AS latency FROM exchanges WHERE parent IS NULL",
    );
    assert_eq!(sums, exchanges);
    let classes = rows(
        data.path(),
        "SELECT class.key AS class, sum(class.value) AS seen FROM usage, json_each(data_classes) AS class GROUP BY class.key",
    );
    let from_exchanges = rows(
        data.path(),
        "SELECT json_extract(one.value, '$.class') AS class, sum(json_extract(one.value, '$.count')) AS seen \
         FROM exchanges, json_each(data_classes) AS one \
         WHERE json_extract(one.value, '$.where') LIKE 'response.%' GROUP BY class",
    );
    assert!(!classes.is_empty());
    assert_eq!(classes, from_exchanges);
}

#[test]
fn what_was_learned_is_written_down() {
    let (data, _) = replayed("demo");
    let json = |command: &str| {
        let ran = Tapwire::new([command, "--json"]).key().args(["--data".as_ref(), data.path().as_os_str()]);
        ran.run().ok(command).events()
    };
    let (endpoints, kpis) = (json("inventory"), json("kpis"));
    let kept = rows(data.path(), "SELECT id, calls, template, states FROM endpoints ORDER BY id");
    assert_eq!(kept.len(), endpoints.iter().filter(|one| one["template"].is_string()).count());
    for one in &kept {
        let known = endpoints.iter().find(|known| known["id"] == one["id"]).expect("the endpoint");
        assert_eq!((&known["calls"], &known["template"]), (&one["calls"], &one["template"]));
        assert_eq!(known["states"].to_string(), one["states"].as_str().expect("a list"));
    }
    let figures = rows(
        data.path(),
        "SELECT name, value FROM kpis WHERE service IS NULL AND owner IS NULL AND tag IS NULL AND value IS NOT NULL",
    );
    // The run itself knows of the sensor's own blind spots, too, which are not learned.
    let judged: Vec<&Value> = kpis.iter().filter(|one| one["value"].is_number()).collect();
    assert!(!judged.is_empty() && judged.len() <= figures.len());
    for known in judged {
        let figure = figures.iter().find(|figure| known["name"] == figure["name"]).expect("the KPI");
        assert_eq!(known["value"].as_f64(), figure["value"].as_f64(), "{}", known["name"]);
    }
    // Once more, as of a tap that runs on.
    let note = Tapwire::new(["lake", "note"]).key().args(["--data".as_ref(), data.path().as_os_str()]).run();
    assert!(String::from_utf8(note.ok("note").stdout).expect("UTF-8").starts_with("written down: "));
    let twice = rows(data.path(), "SELECT count(*) AS n FROM endpoints")[0]["n"].as_u64();
    assert_eq!(twice, Some(2 * kept.len() as u64));
    let views = rows(data.path(), "SELECT count(*) AS n FROM undocumented_endpoints")[0]["n"].as_u64();
    assert!(views > Some(0) && views <= Some(kept.len() as u64), "each endpoint once: {views:?}");
}

#[test]
fn names_become_the_tokens_of_events() {
    let (data, _) = replayed("logins");
    let token =
        rows(data.path(), "SELECT token('alice') AS one, token('a', 'b') AS two, token(NULL) AS none");
    let one = token[0]["one"].as_str().expect("a text");
    assert!(one.starts_with("tok:") && one.len() == 20 && token[0]["two"] != token[0]["one"], "{token:?}");
    assert!(token[0]["none"].is_null());
    let wrong = sql(data.path(), &["SELECT token(1, 2, 3)"]);
    assert_eq!((wrong.code, wrong.stderr.contains("takes a name")), (Some(2), true), "{}", wrong.stderr);
    let query = ["sql", "SELECT token('alice')", "--data"];
    let keyless = Tapwire::new(query).args([data.path()]).run();
    assert_eq!(keyless.code, Some(2));
    assert!(keyless.stderr.contains("give --token-key FILE"), "{}", keyless.stderr);
}

#[test]
fn an_answer_becomes_a_parquet_file() {
    let (data, _) = replayed("basic-rest");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("answer.parquet");
    let path = file.to_str().expect("UTF-8");
    let query =
        "SELECT service, service, status, latency / 2.0 AS half, NULL AS absent FROM exchanges ORDER BY time";
    let wrote = sql(data.path(), &["--parquet", path, query]).ok("parquet");
    assert!(wrote.stderr.contains("answer.parquet") && wrote.stdout.is_empty(), "{}", wrote.stderr);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing beside it");
    let bytes = fs::read(&file).expect("the file");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let again = sql(data.path(), &["--parquet", path, "SELECT 1 AS one"]);
    let told = format!("tapwire: --parquet {path}: exists; give another name, or --force\n");
    assert_eq!((again.code, again.stderr), (Some(2), told));
    assert_eq!(fs::read(&file).expect("the file"), bytes, "what was there stays");
    let _ran = sql(data.path(), &["--parquet", path, "--force", "SELECT 1 AS one"]).ok("--force");
    assert_ne!(fs::read(&file).expect("the file"), bytes);
    let _ran = sql(data.path(), &["--parquet", path, "--force", query]).ok("--force");
    assert_eq!(fs::read(&file).expect("the file"), bytes);
    for (queries, words) in [
        ("SELECT missing FROM exchanges", "no such column"),
        ("SELECT 1; SELECT 2", "the answer to one query"),
    ] {
        let wrong = sql(data.path(), &["--parquet", path, "--force", queries]);
        assert_eq!((wrong.code, wrong.stderr.contains(words)), (Some(2), true), "{}", wrong.stderr);
    }
    assert_eq!(fs::read(&file).expect("the file"), bytes, "a wrong query leaves what was there");
    let Some(packages) = engines::engines() else { return };
    let read = "import duckdb, json, sys; rows = duckdb.read_parquet(sys.argv[1]); \
                print(json.dumps([rows.columns, [str(one) for one in rows.types], rows.fetchall()]))";
    let output = Command::new("python3").args(["-c", read, path]).env("PYTHONPATH", packages).output();
    let output = output.expect("python3 runs");
    let read: Value = serde_json::from_slice(&output.stdout).expect("what it read");
    assert_eq!(read[0], serde_json::json!(["service", "service_2", "status", "half", "absent"]));
    assert_eq!(read[1], serde_json::json!(["VARCHAR", "VARCHAR", "BIGINT", "DOUBLE", "VARCHAR"]));
    let ours =
        rows(data.path(), "SELECT service, status, latency / 2.0 AS half FROM exchanges ORDER BY time");
    let theirs = read[2].as_array().expect("rows");
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!((&theirs[0], &theirs[2], &theirs[3]), (&ours["service"], &ours["status"], &ours["half"]));
    }
}

#[test]
fn the_prompt_completes_remembers_and_counts() {
    let (data, _) = replayed("basic-rest");
    let state = tempfile::tempdir().expect("a folder");
    // Each line with what is waited for behind it; `\t` asks for what may follow.
    let first = [
        ["SELECT count(*) AS n FRO\t", "FROM"],
        [" exch\t", "exchanges"],
        [";\r", "1 row, "],
        // The query goes on at the next line, which has no prompt of its own.
        ["SELECT 'a;b'\r", ""],
        [" AS c;\r", "1 row, "],
        ["\\d kpis\r", "numerator"],
        ["SELECT missing;\r", "no such column: missing"],
        ["\\q\r", ""],
    ];
    let talk = |lines: &[[&str; 2]]| {
        let output = Command::new("python3")
            .arg(workspace().join("tests/prompt.py"))
            .args([serde_json::json!(lines).to_string()])
            .arg(binary())
            .args(["sql", "--data"])
            .arg(data.path())
            .env("XDG_STATE_HOME", state.path())
            .env("TERM", "xterm")
            .env("PAGER", "cat")
            .output()
            .expect("python3 runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let _said = talk(&first);
    let history = state.path().join("tapwire/sql-history");
    let about = fs::metadata(&history).expect("queries are remembered");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777, 0o600);
    // The next time, the arrow up brings back the last.
    let _said = talk(&[["\u{1b}[A\u{1b}[A\r", "no such column: missing"], ["\u{4}", ""]]);
}

/// A capture of minutes of calls, as bytes.
fn minutes(count: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = PcapWriter::new(&mut bytes, ByteOrder::Little, Resolution::Nanoseconds, LinkType::ETHERNET)
        .expect("a header");
    for minute in 0..count {
        let turn = Turn {
            request: b"GET /orders/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_vec(),
            response: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        let mut talk = Conversation::new(vec![turn], u64::from(minute));
        talk.client = Endpoint::v4([10, 0, 2, 1], 10_000 + minute);
        talk.start = Timestamp::from_parts(1_700_000_000 + 60 * i64::from(minute), 0);
        talk.play().packets.iter().for_each(|packet| out.write(&packet.packet()).expect("memory"));
    }
    bytes
}

#[test]
fn a_kill_leaves_whole_tables() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let _key = token_key(data.path());
    let (mut child, mut input) = replay_of_a_pipe(data.path());
    let writer = std::thread::spawn(move || {
        // More than the queues between threads hold, so that files are cut while it goes on; then nothing more, and no end.
        let _killed = input.write_all(&minutes(20_000));
        input
    });
    let began = Instant::now();
    let count = || {
        let room = data.path().join("lake/exchanges/_delta_log/00000000000000000001.json");
        if !room.exists() {
            return 0;
        }
        rows(data.path(), "SELECT count(*) AS n FROM exchanges")[0]["n"].as_u64().expect("a number")
    };
    while count() == 0 {
        assert!(began.elapsed() < PATIENCE, "nothing was committed");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it is waited for");
    drop(writer.join().expect("the writer ends"));
    let known = count();
    assert!(known > 0);
    let events = rows(data.path(), "SELECT event FROM events WHERE table_name = 'exchanges'");
    assert_eq!(events.len() as u64, known);
    // The next run goes on in the same tables.
    let path = fixture("basic-rest").path();
    let again = Tapwire::new(["replay", "-q", "--events", "null://", "--data"]);
    let _ran = again.args([data.path(), &path]).run().ok("the next run");
    assert!(count() > known);
}
