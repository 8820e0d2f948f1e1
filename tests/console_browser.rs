//! What people do with the console, in Chromium, over what the real binary kept of a fixture. Without chromedriver (Debian:
//! chromium-driver) these tests say so and pass.

#[path = "../crates/console/tests/serve/driver.rs"]
mod driver;

use driver::{Axe, Browser};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Capture, Conversation, Turn};
use tapwire_tests::{Tapwire, binary, workspace};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery";

/// A data directory that a replay filled.
fn replayed(capture: &Path) -> TempDir {
    let data = tempfile::tempdir().expect("a temporary folder");
    let replay = Tapwire::new(["replay", "-q", "--events", "null://", "--data"]).args([data.path(), capture]);
    let _ran = replay.run().ok("replay");
    data
}

/// `tapwire serve` until it is dropped.
struct Console {
    child: Child,
    address: String,
}

impl Console {
    fn over(data: &Path) -> Self {
        let mut command = Command::new(binary());
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data"];
        command.args(arguments).arg(data).env("HOME", data).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("tapwire can be started");
        let mut lines =
            BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let begins = "tapwire: the console is at ";
        let line = lines.find(|line| line.starts_with(begins)).expect("where it is");
        let address = line[begins.len()..].split('/').nth(2).expect("an address").to_owned();
        // What else it says is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        Self { child, address: format!("http://{address}") }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// Somebody at a browser.
struct Reader {
    browser: Browser,
    base: String,
}

impl Reader {
    fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base));
    }

    /// Waits until the page of an address that begins so is there.
    fn is_at(&self, path: &str) {
        self.browser.until(&format!(
            "return document.readyState === 'complete' && (location.pathname + location.search).startsWith({})",
            Value::from(path)
        ));
    }

    /// Presses what a selector names, and waits for the page of an address that begins so.
    fn press(&self, selector: &str, path: &str) {
        self.browser.until(&format!("return document.querySelector({}) !== null", Value::from(selector)));
        self.browser.run(&format!("document.querySelector({}).click()", Value::from(selector)));
        self.is_at(path);
    }

    fn fill(&self, selector: &str, text: &str) {
        self.browser.run(&format!(
            "const field = document.querySelector({}); field.value = {}; field.dispatchEvent(new Event('input', {{bubbles: true}}))",
            Value::from(selector),
            Value::from(text)
        ));
    }

    /// Waits until the page says that.
    fn reads(&self, text: &str) {
        self.browser.until(&format!("return document.body.innerText.includes({})", Value::from(text)));
    }

    fn rows(&self) -> u64 {
        self.browser
            .run("return document.querySelectorAll('table tbody tr').length")
            .as_u64()
            .expect("a number")
    }

    /// The text of a file that the page leads to.
    fn file(&self, selector: &str) -> String {
        let text = self.browser.evaluate(&format!(
            "fetch(document.querySelector({}).href).then(answer => answer.text())",
            Value::from(selector)
        ));
        text.as_str().expect("a text").to_owned()
    }
}

/// The browser at a console over that data; nothing where there is no browser.
fn reader(data: &Path) -> Option<(Console, Reader)> {
    let browser = Browser::start()?;
    let console = Console::over(data);
    let base = console.address.clone();
    Some((console, Reader { browser, base }))
}

fn clinic() -> PathBuf {
    workspace().join("fixtures/case/clinic.pcap.gz")
}

#[test]
fn a_number_leads_to_its_exchanges() {
    let data = replayed(&clinic());
    let Some((_console, reader)) = reader(data.path()) else { return };
    reader.open("/");
    reader.reads("Needs attention");
    reader.press(".tiles a[href^='/apis?sort=-calls']", "/apis?sort=-calls");
    assert_eq!(reader.rows(), 17, "{}", reader.browser.seen());
    reader.fill("input[type=search]", "lab-results/{");
    reader.browser.until("return document.querySelectorAll('table tbody tr').length === 1");
    let calls =
        reader.browser.run("return document.querySelector('td[data-title=Calls]').firstChild.textContent");
    reader.press("td a.row", "/endpoints/");
    reader.reads("Answers 2xx");
    reader.press("a.exchanges", "/hunt?query=SELECT");
    reader.press("form.hunt button:not([name])", "/hunt/");
    reader.reads(&format!("{} rows", calls.as_str().expect("a number")));
    // What a row says of the caller leads to the caller, and from there to endpoints.
    reader.press("td[data-title=principal] a", "/callers/");
    reader.press("a.row[href^='/endpoints/']", "/endpoints/");
    reader.press("a.chip[href^='/callers/']", "/callers/");
}

#[test]
fn an_incident_is_judged_and_muted() {
    let data = replayed(&clinic());
    let Some((_console, reader)) = reader(data.path()) else { return };
    reader.open("/incidents?state=open");
    reader.press("td a.row", "/incidents/");
    reader.reads("What to do");
    assert_eq!(reader.rows(), 1, "its finding is listed: {}", reader.browser.seen());
    reader.browser.run("document.querySelector('input[name=verdict][value=benign]').checked = true");
    reader.fill("form.act input[name=why]", "a test of <b>ours</b>");
    reader.press("form.act button", "/incidents/");
    reader.reads("judged benign");
    reader.fill("form.act input[name=days]", "3");
    reader.fill("form.act input[name=why][required]", "known until Thursday");
    reader.browser.run("document.querySelector('input[name=days]').form.requestSubmit()");
    reader.reads("its kind is muted here until");
    reader.browser.run("document.querySelector('input[name=unmute]').form.requestSubmit()");
    reader.reads("Mute its kind at");
    let noted = fs::read_to_string(data.path().join("audit.jsonl")).expect("the audit log");
    for action in ["feedback", "mute", "unmute"] {
        assert!(noted.contains(&format!("\"action\":\"{action}\"")), "{action}: {noted}");
    }
    let said = fs::read_to_string(data.path().join("feedback.jsonl")).expect("what was said");
    assert!(said.contains("a test of <b>ours</b>"), "{said}");
}

#[test]
fn an_incident_leads_to_its_exchange_and_to_whose_records_left() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let kept = ["replay", "-q", "--events", "null://", "--set", "packets.budget=64MiB", "--data"];
    let _ran = Tapwire::new(kept).args([data.path(), &clinic()]).run().ok("replay");
    let Some((_console, reader)) = reader(data.path()) else { return };
    reader.open("/incidents");
    reader.press("td a.row", "/incidents/");
    reader.reads("tapwire case export");
    reader.press("#radius button", "/incidents/");
    reader.reads("Not seen");
    assert!(reader.browser.seen().contains("persons left, in"), "{}", reader.browser.seen());
    reader.press(".timeline a", "/exchanges/");
    reader.reads("How well it was seen");
    reader.press("dd a.chip[href^='/callers/']", "/callers/");
    reader.open("/hunt");
    reader.fill("textarea", "SELECT time, uid, exchanges FROM findings");
    reader.press("form.hunt button:not([name])", "/hunt/");
    reader.press("td[data-title=uid] a", "/");
}

#[test]
fn a_query_is_asked_drawn_taken_away_and_kept() {
    let data = replayed(&clinic());
    let Some((_console, reader)) = reader(data.path()) else { return };
    reader.open("/hunt");
    reader.fill("textarea", "SELECT method, stat FROM exchanges");
    reader.press("form.hunt button:not([name])", "/hunt");
    reader.reads("no such column: stat");
    let told = reader.browser.run("return document.querySelector('.wrong').textContent");
    assert_eq!(told, "no such column: stat\n    SELECT method, stat FROM exchanges\n                   ^");
    reader.fill("textarea", "SELECT operation, count(*) AS calls FROM exchanges GROUP BY 1 ORDER BY 2 DESC");
    reader.press("form.hunt button:not([name])", "/hunt/");
    assert!(reader.browser.run("return document.querySelectorAll('.bars li').length").as_u64() > Some(5));
    let whole = reader.rows();
    reader.fill("input[type=search]", "login");
    reader.browser.until(&format!("return document.querySelectorAll('tbody tr').length < {whole}"));
    assert!(reader.file(".files a").starts_with("operation,calls\r\n"));
    reader.browser.run("const one = document.querySelector('select[name=chart]'); one.focus(); one.value = 'line'; one.dispatchEvent(new Event('input', {bubbles: true}))");
    reader.browser.until(
        "return document.querySelector('svg.plot') !== null && document.activeElement.name === 'chart'",
    );
    reader.browser.run("document.querySelector('details').open = true");
    reader.fill("input[name=title]", "What is called most?");
    reader.press("button[value=keep]", "/hunt?kept=What");
    let kept = data.path().join("queries.json");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&kept).expect("they are kept").permissions());
    assert_eq!(mode & 0o777, 0o600);
    reader.press("button[value=forget]", "/hunt");
    reader.browser.until("return document.querySelector('button[value=forget]') === null");
    let noted = fs::read_to_string(data.path().join("audit.jsonl")).expect("the audit log");
    assert_eq!(noted.matches("\"action\":\"hunt\"").count(), 2, "{noted}");
}

#[test]
fn who_is_added_logs_in_and_out() {
    let data = replayed(&clinic());
    let Some((_console, reader)) = reader(data.path()) else { return };
    let password = data.path().join("password");
    fs::write(&password, PASSWORD).expect("a file");
    let add = Tapwire::new(["serve", "user", "add", "ana", "--role", "viewer", "--data"]).args([data.path()]);
    let _ran = add.input(&password).run().ok("a user");
    reader.open("/callers");
    reader.is_at("/login");
    for (given, text) in [("guessed by somebody", "Nobody of that name"), (PASSWORD, "Overview")] {
        reader.fill("input[name=name]", "ana");
        reader.fill("input[name=password]", given);
        reader.browser.run("document.querySelector('form').requestSubmit()");
        reader.reads(text);
    }
    reader.open("/hunt");
    reader.reads("ask for the role analyst");
    reader.open("/account");
    reader.reads("viewer: may read");
    reader.press("form.act button", "/login");
    reader.open("/apis");
    reader.is_at("/login");
}

/// The page of the exchange that begins the first incident.
fn exchange(reader: &Reader) -> String {
    reader.open("/incidents");
    reader.press("td a.row", "/incidents/");
    let address = reader.browser.run("return document.querySelector('.timeline a').getAttribute('href')");
    address.as_str().expect("an address").to_owned()
}

/// Pages that there are over the fixture.
fn pages(reader: &Reader) -> Vec<String> {
    let first = |list: &str, selector: &str| {
        reader.open(list);
        let address = reader
            .browser
            .run(&format!("return document.querySelector(\"{selector}\").getAttribute('href')"));
        address.as_str().expect("an address").to_owned()
    };
    let own = [
        first("/apis", "td a.row"),
        first("/incidents", "td a.row"),
        first("/callers", "td a.row"),
        exchange(reader),
        first("/apis", ".cards a.row"),
    ];
    let lists = [
        "/",
        "/apis",
        "/incidents",
        "/posture",
        "/callers",
        "/data",
        "/data?class=icd-10",
        "/governance",
        "/hunt",
        "/sensor",
        "/account",
        "/none",
    ];
    lists.into_iter().map(str::to_owned).chain(own).collect()
}

#[test]
fn pages_are_for_everybody() {
    let data = replayed(&clinic());
    let Some((_console, reader)) = reader(data.path()) else { return };
    let axe = Axe::find();
    let mut pages = pages(&reader);
    reader.open("/hunt");
    reader.fill("textarea", "SELECT day, count(*) AS calls FROM exchanges GROUP BY 1");
    reader.press("form.hunt button:not([name])", "/hunt/");
    pages.push(reader.browser.run("return location.pathname").as_str().expect("an address").to_owned());
    for scheme in ["dark", "light"] {
        reader.browser.scheme(scheme);
        for width in [1280, 390] {
            reader.browser.wide(width);
            for page in &pages {
                reader.open(page);
                reader.browser.look(&axe, &format!("{page} at {width}, {scheme}"));
            }
        }
    }
}

/// Exchanges with markup wherever somebody who calls, or answers, may write.
fn marked() -> Capture {
    let mark = "<script>document.title='owned'</script>";
    let coded = "%3Cscript%3Edocument.title='owned'%3C/script%3E";
    let image = "\"><img src=x onerror=document.title='owned'>";
    let json = json!({mark: mark, "email": format!("{mark}@shop.example"), "card": "4111111111111111", image: [image]}).to_string();
    let head = |line: String| {
        let more = format!(
            "User-Agent: {mark}\r\nAuthorization: Bearer {mark}\r\nCookie: {mark}={image}\r\n{mark}: {image}\r\nContent-Type: application/json\r\n"
        );
        format!("{line}\r\n{more}Content-Length: {}\r\n\r\n{json}", json.len()).into_bytes()
    };
    let answer = |status: &str| {
        let more =
            format!("Server: {mark}\r\nSet-Cookie: {mark}={mark}\r\nContent-Type: application/json\r\n");
        format!("HTTP/1.1 {status} {mark}\r\n{more}Content-Length: {}\r\n\r\n{json}", json.len()).into_bytes()
    };
    let lines = [
        format!("GET /{mark}/x HTTP/1.1\r\nHost: {mark}.example"),
        format!("POST /a?{mark}={mark} HTTP/1.1\r\nHost: shop.example"),
        format!("GET /b/{coded} HTTP/1.1\r\nHost: {image}"),
        format!("GET /c/{image}?q={coded} HTTP/1.1\r\nHost: shop.example"),
        format!("{mark} /d HTTP/1.1\r\nHost: shop.example"),
        "GET /users?id=1'%20OR%20'1'='1 HTTP/1.1\r\nHost: shop.example".to_owned(),
        "GET /../../etc/passwd HTTP/1.1\r\nHost: shop.example".to_owned(),
    ];
    let turns = lines.iter().cycle().take(70).enumerate();
    let turn = |(at, line): (usize, &String)| Turn {
        request: head(line.clone()),
        response: answer(if at % 9 == 8 { "500" } else { "200" }),
    };
    Conversation::new(turns.map(turn).collect(), 3).play()
}

#[test]
fn nothing_that_traffic_says_runs_in_a_browser() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("in.pcap");
    let file = fs::File::create(&path).expect("a file");
    let _file =
        marked().numbered().write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture");
    let data = replayed(&path);
    let Some((_console, reader)) = reader(data.path()) else { return };
    let none = Axe::none();
    let answer = |query: &str| {
        reader.open("/hunt");
        reader.fill("textarea", query);
        reader.press("form.hunt button:not([name])", "/hunt/");
        reader.browser.run("return location.pathname").as_str().expect("an address").to_owned()
    };
    let asked = ["SELECT * FROM exchanges", "SELECT * FROM findings", "SELECT event FROM events"].map(answer);
    let links = |list: &str| -> Vec<String> {
        reader.open(list);
        let all = reader.browser.run(
            "return [...document.querySelectorAll('main a[href]')].map(one => one.getAttribute('href'))",
        );
        let all = all.as_array().cloned().unwrap_or_default();
        all.iter()
            .filter_map(Value::as_str)
            .filter(|one| !one.contains("/openapi/") && !one.contains("/export/"))
            .map(str::to_owned)
            .collect()
    };
    let lists = ["/", "/apis", "/incidents", "/posture", "/callers", "/data", "/governance", "/sensor"];
    let mut pages: Vec<String> = lists.into_iter().flat_map(links).chain(asked).collect();
    pages.sort();
    pages.dedup();
    assert!(pages.iter().any(|page| page.starts_with("/endpoints/")), "{pages:?}");
    for page in &pages {
        reader.open(page);
        reader.browser.look(&none, page);
        assert_ne!(reader.browser.run("return document.title"), "owned", "{page}");
    }
    reader.open("/apis");
    assert!(reader.browser.seen().contains("shop.example"), "{}", reader.browser.seen());
}
