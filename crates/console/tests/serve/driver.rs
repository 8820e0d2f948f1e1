//! Chromium, driven over WebDriver. Where chromedriver is not installed the tests say so and pass.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a slow machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// It asks nobody else for anything.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
];

/// A browser that is there until it is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    pub(crate) fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        // It takes a port itself: one that was free a moment ago may be another's by now.
        let quiet = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut driver) = quiet.spawn() else {
            tapwire_testkit::peers::lacks("chromedriver");
            return None;
        };
        let said = BufReader::new(driver.stdout.take().expect("it is piped"));
        let mut lines = said.lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        // What else it says is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self { driver, port: port.expect("chromedriver listens"), session: String::new() };
        // Chromedriver gives it a folder of its own.
        let asked = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": FLAGS}}}});
        let session = browser.send("/session", &asked).expect("a session");
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    /// What chromedriver answers; `Err` is what it says is wrong.
    fn send(&self, path: &str, body: &Value) -> Result<Value, String> {
        let text = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(2 * PATIENCE)).expect("a timeout");
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .expect("it reads");
        let answer: Value = serde_json::from_slice(&answer_of(&mut stream)).expect("JSON");
        match answer["value"]["error"].is_null() {
            true => Ok(answer["value"].clone()),
            false => Err(format!("{path} {text}: {answer}")),
        }
    }

    fn tried(&self, what: &str, body: &Value) -> Result<Value, String> {
        self.send(&format!("/session/{}/{what}", self.session), body)
    }

    fn ask(&self, what: &str, body: &Value) -> Value {
        self.tried(what, body).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    pub(crate) fn open(&self, address: &str) {
        self.ask("url", &json!({"url": address}));
    }

    /// What a script in the page gives back.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", &json!({"script": script, "args": []}))
    }

    /// What an expression in the page comes to, when it is there.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({"cmd": "Runtime.evaluate", "params":
            {"expression": expression, "awaitPromise": true, "returnByValue": true}});
        self.ask("goog/cdp/execute", &asked)["result"]["value"].clone()
    }

    pub(crate) fn wide(&self, width: u32) {
        let asked = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params":
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}});
        self.ask("goog/cdp/execute", &asked);
    }

    /// `dark` or `light`.
    #[allow(dead_code, reason = "one of the two binaries that this is part of")]
    pub(crate) fn scheme(&self, scheme: &str) {
        let asked = json!({"cmd": "Emulation.setEmulatedMedia", "params":
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]}});
        self.ask("goog/cdp/execute", &asked);
    }

    /// Waits until a script says true. While a page gives way to the next, none can be asked.
    pub(crate) fn until(&self, script: &str) {
        let begun = Instant::now();
        let asked = json!({"script": script, "args": []});
        while self.tried("execute/sync", &asked) != Ok(Value::Bool(true)) {
            assert!(begun.elapsed() < PATIENCE, "never: {script}\n{}", self.seen());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where it is and what it reads there.
    pub(crate) fn seen(&self) -> String {
        self.run("return location.href + '\\n' + document.body.innerText")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// The body of an answer, as long as its head says: chromedriver may keep the connection.
fn answer_of(stream: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|text| text.trim().parse().ok()).expect("a length");
            if bytes.len() >= end + 4 + length {
                return bytes[end + 4..end + 4 + length].to_vec();
            }
        }
        let read = stream.read(&mut piece).expect("chromedriver answers");
        assert!(read > 0, "chromedriver hung up");
        bytes.extend_from_slice(&piece[..read]);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let asked = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                self.session
            );
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let _sent = stream.write_all(asked.as_bytes());
                let _ended = stream.set_read_timeout(Some(PATIENCE)).map(|()| stream.read(&mut [0; 64]));
            }
        }
        let _gone = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

/// What makes a page wider than its window; what scrolls by itself may be wider.
const TOO_WIDE: &str = "if (document.documentElement.scrollWidth <= window.innerWidth) return []; \
    return [...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll, pre, nav, .hidden') && \
    one.getBoundingClientRect().right > window.innerWidth).map(one => one.outerHTML.slice(0, 90)).slice(0, 5)";
/// Layout shift so far (W3C Layout Instability), when two frames were drawn.
const SHIFT: &str = "new Promise(done => { let sum = 0; new PerformanceObserver(list => list.getEntries() \
    .forEach(one => sum += one.value)).observe({type: 'layout-shift', buffered: true}); \
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum), 0))); })";
const AXE: &str = "axe.run().then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact)) \
    .map(one => one.id + ': ' + one.nodes[0].html))";
/// Whether anything in the page is a script, a handler or a picture that is not ours.
const FOREIGN: &str = "return [...document.querySelectorAll('script, img, iframe, object, embed, base, [onerror], [onload], [onclick]')] \
    .filter(one => !['/console.js', '/mark.svg'].includes(one.getAttribute('src'))).map(one => one.outerHTML)";

/// axe-core's program, where there is one.
pub(crate) struct Axe(Option<String>);

impl Axe {
    /// Does not look.
    #[allow(dead_code, reason = "one of the two binaries that this is part of")]
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn find() -> Self {
        let axe = std::env::var("TAPWIRE_AXE").ok().and_then(|path| std::fs::read_to_string(path).ok());
        if axe.is_none() {
            tapwire_testkit::peers::skipped("axe-core: TAPWIRE_AXE names no axe.min.js");
        }
        Self(axe)
    }
}

impl Browser {
    /// Looks at the page that is open: it is as wide as the window, nothing in it is foreign, nothing jumped while it came, and
    /// axe-core finds nothing that is serious.
    pub(crate) fn look(&self, axe: &Axe, place: &str) {
        assert_eq!(self.run(FOREIGN), json!([]), "{place}");
        assert_eq!(self.run(TOO_WIDE), json!([]), "{place}");
        let shift = self.evaluate(SHIFT).as_f64().expect("a number");
        assert!(shift < 0.05, "{place} jumps by {shift}");
        if let Axe(Some(axe)) = axe {
            self.evaluate(axe);
            assert_eq!(self.evaluate(AXE), json!([]), "{place}");
        }
    }
}
