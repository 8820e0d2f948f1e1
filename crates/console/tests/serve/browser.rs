//! The console in Chromium, driven over WebDriver. Where chromedriver is not installed the tests say so and pass.

use super::*;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// What a slow machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser that is there until it is dropped.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let quiet = command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(driver) = quiet.spawn() else {
            eprintln!("skipped: chromedriver is not installed (Debian: chromium-driver)");
            return None;
        };
        let mut browser = Self { driver, port, session: String::new() };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "chromedriver does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let asked =
            serde_json::json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}});
        let session = browser.send("/session", &asked);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    fn send(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let answer = answer_of(&mut stream);
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer}");
        answer["value"].clone()
    }

    fn ask(&self, what: &str, body: &Value) -> Value {
        self.send(&format!("/session/{}/{what}", self.session), body)
    }

    fn open(&self, address: &str) {
        self.ask("url", &serde_json::json!({"url": address}));
    }

    /// What a script in the page gives back.
    fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", &serde_json::json!({"script": script, "args": []}))
    }

    fn wide(&self, width: u32) {
        let asked = serde_json::json!({"cmd": "Emulation.setDeviceMetricsOverride", "params":
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}});
        self.ask("goog/cdp/execute", &asked);
    }

    /// Waits until a script says true.
    fn until(&self, script: &str) {
        let begun = Instant::now();
        while self.run(script) != true {
            assert!(begun.elapsed() < PATIENCE, "never: {script}");
            std::thread::sleep(Duration::from_millis(50));
        }
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

#[test]
fn in_a_browser_nothing_of_traffic_runs_and_nothing_falls_off() {
    let Some(browser) = Browser::start() else { return };
    let console = Running::of(hostile());
    let axe = std::env::var("TAPWIRE_AXE").ok().and_then(|path| std::fs::read_to_string(path).ok());
    if axe.is_none() {
        eprintln!("not looked at by axe-core: TAPWIRE_AXE names no axe.min.js");
    }
    for width in [1280, 390] {
        browser.wide(width);
        for target in PAGES {
            browser.open(&format!("http://{}{target}", console.address));
            let made = "return document.querySelectorAll('script').length + document.querySelectorAll('[onerror]').length";
            assert_eq!(browser.run(made), 1, "{target}: only our own script is one");
            assert_eq!(browser.run(TOO_WIDE), serde_json::json!([]), "{target} at {width}");
            assert!(browser.run("return document.querySelector('h1') !== null") == true, "{target}");
            axe.iter().for_each(|axe| look(&browser, axe, target));
        }
    }
}

/// axe-core finds nothing that is serious.
fn look(browser: &Browser, axe: &str, target: &str) {
    let evaluate = |script: &str| {
        let asked = serde_json::json!({"cmd": "Runtime.evaluate", "params":
            {"expression": script, "awaitPromise": true, "returnByValue": true}});
        browser.ask("goog/cdp/execute", &asked)["result"]["value"].clone()
    };
    evaluate(axe);
    let found = evaluate(
        "axe.run().then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact)) \
         .map(one => one.id + ': ' + one.nodes[0].html))",
    );
    assert_eq!(found, serde_json::json!([]), "{target}");
}

#[test]
fn in_a_browser_a_table_is_filtered_while_one_types() {
    let Some(browser) = Browser::start() else { return };
    let endpoints = (0..250).map(|at| Endpoint {
        id: format!("{at:04}"),
        service: "shop.example".into(),
        method: "GET".into(),
        template: format!("/orders/{at}"),
        ..Endpoint::default()
    });
    let console = Running::of(Snapshot { endpoints: endpoints.collect(), ..Snapshot::default() });
    browser.open(&format!("http://{}/apis", console.address));
    assert_eq!(browser.run("return document.querySelectorAll('tbody tr').length"), 100);
    browser.run(
        "const field = document.querySelector('input[type=search]'); field.focus(); field.value = '/orders/249'; \
         field.dispatchEvent(new Event('input', {bubbles: true}))",
    );
    browser.until("return document.querySelectorAll('tbody tr').length === 1");
    assert_eq!(browser.run("return document.activeElement.value"), "/orders/249", "the field is kept");
    assert_eq!(browser.run("return location.search.includes('orders')"), true, "the view can be sent");
    browser.open(&format!("http://{}/apis", console.address));
    browser.run("document.querySelector('.pages a[rel=next]').click()");
    browser.until("return document.querySelector('.pages')?.textContent.includes('Page 2 of 3')");
}
