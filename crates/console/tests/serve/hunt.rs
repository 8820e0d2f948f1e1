//! Hunting over a socket: who may ask, what is noted, and what becomes of answers.

use super::*;
use tapwire_console::{Answer, Limits, Query, Table, Tables};

/// Tables that answer each query with hostile rows; `wrong` is a wrong one.
pub(super) struct Lake;

impl Tables for Lake {
    fn described(&self) -> Vec<Table> {
        vec![Table {
            name: HOSTILE.into(),
            what: HOSTILE.into(),
            columns: vec![(HOSTILE.into(), HOSTILE.into())],
        }]
    }

    fn limits(&self) -> Limits {
        Limits { rows: 1_000, seconds: 7, bytes: 1 << 20 }
    }

    fn ask(&self, query: &str) -> Result<Answer, String> {
        if query == "wrong" {
            return Err(format!("no such column: {HOSTILE}\n    SELECT x\n           ^"));
        }
        let row = |at: u64| vec![Value::from(HOSTILE), at.into(), Value::Null, "=1+2".into()];
        let columns = [HOSTILE, "n", "none", "text"].map(str::to_owned).to_vec();
        Ok(Answer { columns, rows: (0..250).map(row).collect(), cut: "There are more.".into() })
    }

    fn kept(&self) -> Vec<Query> {
        let query = |by: &str| Query { title: HOSTILE.into(), text: HOSTILE.into(), by: by.into() };
        vec![query(""), query(HOSTILE)]
    }

    fn keep(&self, query: &Query) -> Result<(), String> {
        Err(format!("{} keeps {}", query.by, query.title))
    }

    fn forget(&self, title: &str) -> Result<(), String> {
        Err(format!("{title} is forgotten"))
    }
}

/// The value after `name="token" value="`.
fn token(page: &str) -> &str {
    let from = page.split_once("name=\"token\" value=\"").expect("a form").1;
    from.split_once('"').expect("its end").0
}

/// Where an answer leads to.
fn place(answer: &str) -> &str {
    let line = answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a redirect");
    line.trim()
}

fn asked(console: &Running, query: &str) -> String {
    let page = console.get("/hunt");
    console.post("/hunt", "", &format!("token={}&query={query}", token(&page)))
}

#[test]
fn an_answer_is_listed_sorted_drawn_and_taken_away() {
    let console = Running::of(hostile());
    let address = place(&asked(&console, "SELECT")).to_owned();
    let page = console.get(&format!("{address}?sort=-c1&page=3"));
    assert!(
        page.contains("250 rows") && page.contains("There are more.") && page.contains("Page 3 of 3"),
        "{page}"
    );
    assert!(page.contains("<td class=\"number\" data-title=\"n\">49</td>"), "{page}");
    assert!(page.contains("the first 40 of 250 rows"), "bars are drawn: {page}");
    assert!(console.get(&format!("{address}?chart=line&x=1&y=1")).contains("<polyline"));
    let csv = console.get(&format!("{address}.csv?q=249"));
    assert_eq!(csv.split_once("\r\n\r\n").expect("a body").1.lines().count(), 2, "{csv}");
    assert!(csv.contains(",249,,'=1+2"), "a formula is text: {csv}");
    let json = console.get(&format!("{address}.json?q=249"));
    let rows: Value = serde_json::from_str(json.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!((&rows[0]["n"], &rows[0]["none"]), (&249.into(), &Value::Null));
    for none in ["/hunt/none", &format!("{address}.xml"), "/hunt/.csv"] {
        assert!(console.get(none).starts_with("HTTP/1.1 404"), "{none}");
    }
}

#[test]
fn what_is_wrong_with_a_query_is_told_with_its_place() {
    let console = Running::of(hostile());
    let page = asked(&console, "wrong");
    assert!(page.starts_with("HTTP/1.1 422") && page.contains("    SELECT x\n           ^</pre>"), "{page}");
    assert!(!page.contains("<img src=x") && page.matches("<script").count() == 1, "{page}");
    assert!(page.contains("wrong</textarea>"), "what was written stays");
    let long = asked(&console, &"x".repeat(5_001));
    assert!(long.starts_with("HTTP/1.1 422") && long.contains("at most 5,000 bytes"), "{long}");
}

#[test]
fn a_query_is_a_form_of_these_pages() {
    let console = Running::of(hostile());
    for (head, form) in [
        ("", "query=SELECT&token=guessed".to_owned()),
        ("Sec-Fetch-Site: cross-site\r\n", format!("query=SELECT&token={}", token(&console.get("/hunt")))),
        ("Origin: https://evil.example\r\n", format!("query=SELECT&token={}", token(&console.get("/hunt")))),
    ] {
        let answer = console.post("/hunt", head, &form);
        assert!(answer.starts_with("HTTP/1.1 403"), "{head}: {answer}");
    }
    let begun = console.get("/hunt?query=SELECT+%3Cscript%3E");
    assert!(begun.contains("SELECT &lt;script&gt;</textarea>"), "an address only writes it: {begun}");
}

/// A console with a viewer, vic, and two analysts, ana and bob.
fn peopled() -> Running {
    let mut roll = Roll::default();
    for (name, role) in [("vic", Role::Viewer), ("ana", Role::Analyst), ("bob", Role::Analyst)] {
        roll.put(name, role, PASSWORD).expect("it is fit");
    }
    Running::with(hostile(), roll)
}

/// The header of somebody who logged in.
fn entered(console: &Running, name: &str) -> String {
    let answer = console.post("/login", "", &format!("name={name}&password=correct+horse+battery"));
    let line = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    format!("Cookie: {}\r\n", line.split(';').next().expect("its value"))
}

#[test]
fn analysts_ask_and_each_sees_own_answers() {
    let console = peopled();
    let [vic, ana, bob] = ["vic", "ana", "bob"].map(|name| entered(&console, name));
    assert!(console.get_as("/hunt", &vic).contains("ask for the role analyst"));
    let form = |cookie: &str| format!("query=SELECT&token={}", token(&console.get_as("/account", cookie)));
    let refused = console.post("/hunt", &vic, &form(&vic));
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("viewers only read"), "{refused}");
    let found = console.post("/hunt", &ana, &form(&ana));
    let address = place(&found);
    assert!(console.get_as(address, &ana).starts_with("HTTP/1.1 200"));
    for other in [&bob, &vic] {
        assert!(console.get_as(address, other).starts_with("HTTP/1.1 404"));
    }
    assert!(console.get(&format!("{address}.csv")).starts_with("HTTP/1.1 303"), "nobody logged in");
    let kept = console.post("/hunt", &ana, &format!("{}&action=keep&title=mine", form(&ana)));
    assert!(kept.contains("ana keeps mine"), "{kept}");
}

/// What a program sends, and the answer's status and body.
fn sent(console: &Running, line: &str, head: &str, body: &str) -> (String, Value) {
    let length = body.len();
    let head = format!("Host: localhost\r\nConnection: close\r\n{head}Content-Length: {length}\r\n");
    let answer = console.ask(&format!("{line} HTTP/1.1\r\n{head}\r\n{body}"));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

const JSON: &str = "Content-Type: application/json\r\n";

/// The header with what `/api/v1/session` tells.
fn shown(console: &Running, cookie: &str) -> String {
    let (_, session) = sent(console, "GET /api/v1/session", cookie, "");
    format!("{JSON}{cookie}X-Tapwire-Token: {}\r\n", session["token"].as_str().expect("a token"))
}

#[test]
fn programs_ask_as_people_do() {
    let console = Running::of(hostile());
    let head = shown(&console, "");
    let (status, answer) = sent(&console, "POST /api/v1/hunt", &head, r#"{"query": "SELECT"}"#);
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    assert_eq!(answer["rows"].as_array().map(Vec::len), Some(250));
    assert_eq!((&answer["columns"][1], &answer["rows"][7][1]), (&"n".into(), &7.into()));
    let (_, tables) = sent(&console, "GET /api/v1/hunt/tables", "", "");
    assert_eq!((&tables["limits"]["seconds"], &tables["rows"][0]["name"]), (&7.into(), &HOSTILE.into()));
    let (_, queries) = sent(&console, "GET /api/v1/hunt/queries", "", "");
    assert_eq!(queries["rows"][1]["by"], HOSTILE);
    for (line, body, code, why) in [
        ("POST /api/v1/hunt", r#"{"query": "wrong"}"#, "422", "no such column"),
        ("POST /api/v1/hunt", r#"{"query": " "}"#, "422", "1 to 5,000 bytes"),
        ("POST /api/v1/hunt", r#"{"query": "x", "more": 1}"#, "422", "unknown field"),
        ("POST /api/v1/hunt", r#"{"query""#, "400", "JSON"),
        ("PUT /api/v1/hunt/queries/mine", r#"{"query": "SELECT"}"#, "409", "local keeps mine"),
        ("DELETE /api/v1/hunt/queries/mine", "", "404", "nobody keeps"),
        ("PATCH /api/v1/hunt", "", "405", "method not allowed"),
        (
            "PUT /api/v1/incidents/u1/mute",
            r#"{"days": 7, "why": "x"}"#,
            "409",
            "did Mute { days: 7, why: \"x\" } to u1",
        ),
        ("PUT /api/v1/incidents/u1/mute", r#"{"days": 91, "why": "x"}"#, "422", "1 to 90 days"),
        ("PUT /api/v1/incidents/u1/mute", r#"{"days": 7, "why": " "}"#, "422", "say why"),
        ("DELETE /api/v1/incidents/u1/mute", "", "409", "did Unmute"),
        ("DELETE /api/v1/incidents/u2/mute", "", "404", "no incident of that id"),
        ("GET /api/v1/endpoints?page=x", "", "400", "a number from 1 on"),
    ] {
        let (status, told) = sent(&console, line, &head, body);
        assert!(status.starts_with(&format!("HTTP/1.1 {code}")), "{line} {body}: {status}");
        assert!(told["error"].as_str().is_some_and(|error| error.contains(why)), "{line} {body}: {told}");
    }
}

#[test]
fn programs_are_let_in_as_people_are() {
    let console = peopled();
    let [vic, ana] = ["vic", "ana"].map(|name| entered(&console, name));
    // ana:correct horse battery
    let basic = "Authorization: Basic YW5hOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==\r\n";
    let (form, own) = ("Content-Type: text/plain\r\n", shown(&console, &ana));
    for (head, code) in [
        (JSON.to_owned(), 401),
        (shown(&console, &vic), 403),
        (format!("{JSON}{ana}"), 403),
        (format!("{JSON}{ana}X-Tapwire-Token: guessed\r\n"), 403),
        (format!("{own}Sec-Fetch-Site: cross-site\r\n"), 403),
        (format!("{own}Origin: https://evil.example\r\n"), 403),
        (format!("{form}{basic}"), 415),
        (format!("{JSON}{basic}"), 200),
        (own, 200),
    ] {
        let (status, told) = sent(&console, "POST /api/v1/hunt", &head, r#"{"query": "SELECT"}"#);
        assert!(status.starts_with(&format!("HTTP/1.1 {code}")), "{head}: {status}");
        assert_eq!(told["error"].is_string(), code != 200, "{head}: {told}");
        let (status, told) =
            sent(&console, "PUT /api/v1/incidents/u1/mute", &head, r#"{"days": 1, "why": "x"}"#);
        let code = if code == 200 { 409 } else { code };
        assert!(status.starts_with(&format!("HTTP/1.1 {code}")), "{head}: {status}");
        assert_eq!(
            told["error"].as_str().is_some_and(|why| why.contains("ana did Mute")),
            code == 409,
            "{told}"
        );
    }
    let (_, session) = sent(&console, "GET /api/v1/session", basic, "");
    assert_eq!(session, serde_json::json!({"name": "ana", "role": "analyst", "token": null}));
}

#[test]
fn what_cannot_be_noted_is_not_asked() {
    let console = Running::noting(hostile(), |line| match line["action"] == "hunt" {
        true => Err(format!("no room for {}", line["more"]["query"])),
        false => Ok(()),
    });
    let refused = asked(&console, "SELECT");
    assert!(
        refused.starts_with("HTTP/1.1 422") && refused.contains("no room for &quot;SELECT&quot;"),
        "{refused}"
    );
    let (status, told) = sent(&console, "POST /api/v1/hunt", &shown(&console, ""), r#"{"query": "SELECT"}"#);
    assert!(status.starts_with("HTTP/1.1 503") && told["error"] == "no room for \"SELECT\"", "{status}");
}
