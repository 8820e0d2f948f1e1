//! A small world in front of the detectors: clients that call, a clock, and what was found.

use crate::transcript::exchange;
use crate::{Config, Detectors, Finding, Outcome, Severity};
use tapwire_flow::StreamOffset;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::{Inventory, state};
use tapwire_protocol::{Anomaly, ConnectionEnd, Knock, KnockAnswer, Unseen};
use tapwire_wire::{Endpoint, FlowKey, SeqNumber, SourceId, Timestamp};

const KEY: TokenKey = TokenKey::new([7; 32]);
const PHONE: &str = "ShopApp/4.2 okhttp/4.12.0";

/// Calls after which the process ends and another goes on: no story ends otherwise for it.
const RESTART: u32 = 53;

/// Detectors with the stages in front of them, and a clock in seconds.
pub(super) struct World {
    inspector: Inspector,
    inventory: Inventory,
    detectors: Detectors,
    /// What a pass before learned of the same calls.
    known: Option<Inventory>,
    number: u32,
    scheme: Option<String>,
    /// Milliseconds until an answer comes.
    pub(super) latency: u64,
    /// Milliseconds from a request's first byte to its last, and the pauses in between.
    pub(super) sending: u64,
    pub(super) pauses: u8,
    /// What is odd about the framing of what comes next: of the request, or of the answer.
    pub(super) anomaly: Option<(bool, Anomaly)>,
    pub(super) now: i64,
    pub(super) found: Vec<Finding>,
}

/// Who calls.
#[derive(Clone)]
pub(super) struct Client {
    address: [u8; 4],
    agent: String,
    /// The field that says who it is.
    credential: Option<String>,
}

impl Client {
    pub(super) fn at(last: u8) -> Self {
        Self { address: [10, 1, last, 9], agent: PHONE.into(), credential: None }
    }

    pub(super) fn from(address: [u8; 4]) -> Self {
        Self { address, ..Self::at(0) }
    }

    pub(super) fn with(mut self, token: &str) -> Self {
        self.credential = Some(format!("Authorization: Bearer {token}"));
        self
    }

    pub(super) fn in_session(mut self, cookie: &str) -> Self {
        self.credential = Some(format!("Cookie: {cookie}"));
        self
    }

    /// What it says that it is.
    pub(super) fn program_name(&self) -> &str {
        &self.agent
    }

    pub(super) fn program(mut self, agent: &str) -> Self {
        self.agent = agent.into();
        self
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            detectors: Detectors::new(Config::default()),
            known: None,
            number: 0,
            scheme: None,
            latency: 0,
            sending: 0,
            pauses: 5,
            anomaly: None,
            now: 1_700_000_000,
            found: Vec::new(),
        }
    }

    /// A call with a JSON body, unless that is empty, and its answer; the clock goes on by a second.
    pub(super) fn call(
        &mut self,
        client: &Client,
        line: &str,
        body: &str,
        status: u16,
        answer: &str,
    ) -> Vec<&'static str> {
        let credential = client.credential.as_ref().map_or(String::new(), |field| format!("{field}\r\n"));
        let agent = &client.agent;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: shop\r\nUser-Agent: {agent}\r\n{credential}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let challenge =
            self.scheme.as_ref().map_or(String::new(), |scheme| format!("WWW-Authenticate: {scheme}\r\n"));
        // Without a status the answer was not seen.
        let response = if status == 0 {
            String::new()
        } else {
            format!(
                "HTTP/1.1 {status} X\r\n{challenge}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            )
        };
        self.raw(client, &request, &response)
    }

    /// The same of two messages as they are written.
    pub(super) fn raw(&mut self, client: &Client, request: &str, response: &str) -> Vec<&'static str> {
        self.number += 1;
        self.now += 1;
        if self.number.is_multiple_of(RESTART) {
            self.restart();
        }
        let mut exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        let (key, side) =
            FlowKey::new(Endpoint::v4(client.address, 40_000), Endpoint::v4([10, 200, 0, 80], 8080));
        (exchange.flow.key, exchange.flow.client) = (key, side);
        for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            (half.started, half.ended) =
                (Timestamp::from_parts(self.now, 0), Timestamp::from_parts(self.now, 0));
        }
        let later =
            |time: Timestamp, millis: u64| Timestamp::from_nanos(time.nanos() + millis as i64 * 1_000_000);
        if let Some(request) = &mut exchange.request {
            request.ended = later(request.started, self.sending);
            request.pauses = if self.sending > 0 { self.pauses } else { 0 };
        }
        if let Some(response) = &mut exchange.response {
            let late = later(response.started, self.sending + self.latency);
            (response.started, response.ended) = (late, late);
        }
        if let Some((asked, anomaly)) = self.anomaly {
            let half = if asked { &mut exchange.request } else { &mut exchange.response };
            half.iter_mut().for_each(|half| half.anomalies.insert(anomaly));
        }
        let mut call = self.inventory.place(self.inspector.exchange(exchange));
        self.known.iter_mut().for_each(|known| known.recall(&mut call));
        let endpoint = call.endpoint.and_then(|id| self.inventory.endpoint(id));
        let before = self.found.len();
        self.detectors.judge(&call, endpoint, &mut self.found);
        self.found[before..].iter().map(|finding| finding.detector).collect()
    }

    /// A connection of a client to a port of 10.200.*.*, on which nobody says a word; the clock stands.
    pub(super) fn knock(
        &mut self,
        client: &Client,
        (host, port): (u16, u16),
        answer: KnockAnswer,
    ) -> Vec<&'static str> {
        self.number += 1;
        // How many wait at a server is counted within a minute: a restart begins anew, and a flood goes on.
        if self.number.is_multiple_of(RESTART) && answer != KnockAnswer::Abandoned {
            self.restart();
        }
        let [high, low] = host.to_be_bytes();
        let mut flow = exchange(self.number, b"GET / HTTP/1.1\r\n\r\n", b"").flow;
        let server = Endpoint::v4([10, 200, high, low], port);
        (flow.key, flow.client) = FlowKey::new(Endpoint::v4(client.address, 40_000), server);
        let end = ConnectionEnd {
            flow,
            unseen: Unseen::default(),
            time: Timestamp::from_parts(self.now, 0),
            knock: Some(Knock { answer, at: StreamOffset::first(SeqNumber(self.number)) }),
            source: SourceId::default(),
        };
        let before = self.found.len();
        if let Some(call) = self.inventory.knocked(&end) {
            self.detectors.judge(&call, None, &mut self.found);
        }
        self.found[before..].iter().map(|finding| finding.detector).collect()
    }

    /// The process ends, and another goes on with what was kept.
    fn restart(&mut self) {
        let (mut cursor, mut piece) = (state::Cursor::default(), Vec::new());
        let mut loading = state::Loading::new(tapwire_inventory::Config::new(KEY));
        while self.inventory.save(&mut cursor, &mut piece) {
            loading.take(&piece).unwrap();
        }
        let (inventory, of_inventory) = loading.finish().unwrap();
        let mut cursor = crate::Cursor::default();
        let mut loading = crate::Loading::new(Config::default(), KEY);
        while self.detectors.save(&KEY, &mut cursor, &mut piece) {
            loading.take(&piece).unwrap();
        }
        let (detectors, of_detectors) = loading.finish().unwrap();
        assert_eq!([of_inventory, of_detectors], [state::Restored::default(); 2]);
        (self.inventory, self.detectors) = (inventory, detectors);
    }

    /// A call that is answered with 401 and a challenge of that scheme.
    pub(super) fn challenge(&mut self, client: &Client, line: &str, scheme: &str) -> Vec<&'static str> {
        self.scheme = Some(scheme.into());
        let found = self.call(client, line, "", 401, "{}");
        self.scheme = None;
        found
    }

    pub(super) fn get(&mut self, client: &Client, path: &str, answer: &str) -> Vec<&'static str> {
        self.call(client, &format!("GET {path}"), "", 200, answer)
    }

    pub(super) fn login(
        &mut self,
        client: &Client,
        user: &str,
        password: &str,
        right: bool,
    ) -> Vec<&'static str> {
        let body = format!(r#"{{"username":"{user}","password":"{password}"}}"#);
        let token = jwt(user);
        let answer = if right {
            format!(r#"{{"access_token":"{token}"}}"#)
        } else {
            r#"{"error":"wrong"}"#.to_owned()
        };
        self.call(client, "POST /login", &body, if right { 200 } else { 401 }, &answer)
    }

    /// Calls that are read twice, and judged the second time.
    pub(super) fn twice(play: impl Fn(&mut Self)) -> Self {
        let (mut first, mut second) = (Self::new(), Self::new());
        play(&mut first);
        first.inventory.settle();
        second.known = Some(first.inventory);
        play(&mut second);
        second
    }

    /// A pass that tells nothing.
    pub(super) fn learns(&mut self, pass: impl FnOnce(&mut Self)) {
        let lessons = self.detectors.lessons();
        let own = std::mem::replace(&mut self.detectors, lessons);
        let found = std::mem::take(&mut self.found);
        pass(self);
        let pass = std::mem::replace(&mut self.detectors, own);
        self.detectors.take_lessons(pass);
        self.found = found;
    }

    /// The only finding of a detector so far.
    #[track_caller]
    pub(super) fn one(&self, detector: &str) -> (Severity, Outcome, &str) {
        let found: Vec<&Finding> = self.found.iter().filter(|finding| finding.detector == detector).collect();
        assert_eq!(found.len(), 1, "{:?}", self.found);
        (found[0].severity, found[0].outcome, &found[0].reason)
    }

    #[track_caller]
    pub(super) fn is_quiet(&self) {
        assert!(self.found.is_empty(), "{:?}", self.found);
    }

    /// Users who each read their own two orders.
    pub(super) fn shop(&mut self, users: u32) {
        for user in 0..users {
            let client = Client::at(u8::try_from(user).unwrap()).with(&jwt(&format!("user{user}")));
            for order in [user * 2, user * 2 + 1] {
                self.get(&client, &format!("/orders/{}", 1000 + order), &order_of(1000 + order, user));
            }
        }
    }
}

pub(super) fn order_of(order: u32, user: u32) -> String {
    format!(r#"{{"id":{order},"customer_id":"user{user}","total":10}}"#)
}

/// An unchecked token of that subject.
pub(super) fn jwt(subject: &str) -> String {
    token(
        r#"{"alg":"HS256","typ":"JWT"}"#,
        &format!(r#"{{"sub":"{subject}","iat":1699999000,"exp":1800000000}}"#),
    )
}

pub(super) fn token(header: &str, claims: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let encode = |text: &str| {
        let mut out = String::new();
        for chunk in text.as_bytes().chunks(3) {
            let mut bytes = [0; 4];
            bytes[1..=chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes(bytes);
            for index in 0..=chunk.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize]));
            }
        }
        out
    };
    format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims))
}
