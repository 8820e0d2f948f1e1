use super::*;
use crate::context::Reading;
use crate::openapi::Given;
use crate::state::{Cursor, Loading};
use crate::transcript::exchange;
use crate::{Config, Inventory, PostureTimes};
use std::collections::BTreeMap;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_openapi::Reader;
use tapwire_protocol::tls::{Certificate, Facts};
use tapwire_wire::Timestamp;

const KEY: TokenKey = TokenKey::new([7; 32]);
const DAY: i64 = 86_400;

const SHOP: &str = "openapi: 3.1.0
info: {title: Shop, version: '1'}
servers: [{url: http://shop}]
paths:
  /orders:
    get: {responses: {'200': {description: x, content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}}}}
  /old:
    get: {deprecated: true, responses: {'200': {description: x}}}
  /unused:
    get: {responses: {'200': {description: x}}}
";

/// A call: when, what, and how it came.
#[derive(Clone, Copy)]
struct Call {
    second: i64,
    request: &'static str,
    status: u16,
    body: &'static str,
    tls: bool,
    certificate: bool,
}

const fn call(second: i64, request: &'static str, status: u16) -> Call {
    let body = if status == 200 { "{\"id\":1}" } else { "" };
    Call { second, request, status, body, tls: false, certificate: false }
}

impl Call {
    const fn over_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    const fn certified(self) -> Self {
        Self { tls: true, certificate: true, ..self }
    }

    const fn saying(self, body: &'static str) -> Self {
        Self { body, ..self }
    }
}

fn config(described: bool, sections: &str) -> Config {
    let mut config = Config::new(KEY);
    if described {
        let mut reader = Reader::default();
        reader.add("shop.yaml", SHOP.as_bytes());
        let reading = reader.finish();
        assert_eq!(reading.faults, []);
        let given = reading.descriptions.into_iter();
        config.descriptions = given.map(|one| Given { description: Arc::new(one), service: None }).collect();
    }
    let mut reading = Reading::new(KEY);
    assert_eq!(reading.sections(sections), []);
    config.context = Arc::new(reading.finish());
    config
}

fn learned(config: Config, calls: &[Call]) -> Inventory {
    let mut inventory = placed(config, calls);
    inventory.settle();
    inventory.keep_day();
    inventory
}

fn placed(config: Config, calls: &[Call]) -> Inventory {
    let mut inventory = Inventory::new(config);
    place(&mut inventory, calls);
    inventory
}

fn place(inventory: &mut Inventory, calls: &[Call]) {
    let mut inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
    for (number, call) in (1..).zip(calls) {
        let (line, fields) = call.request.split_once('\n').unwrap_or((call.request, "Host: shop"));
        let request = format!("{line} HTTP/1.1\r\n{}\r\n\r\n", fields.replace('\n', "\r\n"));
        let response =
            format!("HTTP/1.1 {} X\r\nContent-Type: application/json\r\n\r\n{}", call.status, call.body);
        let mut exchange = exchange(number, request.as_bytes(), response.as_bytes());
        let halves = [exchange.request.as_mut(), exchange.response.as_mut()];
        for (nanos, message) in [0, 250_000_000].into_iter().zip(halves.into_iter().flatten()) {
            message.started = Timestamp::from_parts(call.second, nanos);
            message.ended = message.started;
        }
        if call.tls {
            let shown = Certificate { subject_name: Some("CN=till".into()), ..Certificate::default() };
            let client_certificate = call.certificate.then_some(shown);
            exchange.flow.tls = Some(Arc::new(Facts { client_certificate, ..Facts::default() }));
        }
        let observation = inspector.exchange(exchange);
        inventory.place(observation);
    }
}

fn value(inventory: &Inventory, name: &str, scope: &Scope) -> Value {
    Kpis::new(inventory, &Sensed::default()).value(Kpi::named(name).expect(name), scope)
}

#[track_caller]
fn is(inventory: &Inventory, name: &str, numerator: u64, denominator: u64) {
    let expected = Value::Judged(Part::of(numerator, denominator));
    assert_eq!(value(inventory, name, &Scope::All), expected, "{name}");
}

#[track_caller]
fn is_not_judged(inventory: &Inventory, names: &[&str]) {
    for name in names {
        assert_eq!(value(inventory, name, &Scope::All).part(), None, "{name}");
    }
}

const JWT: &str = "GET /orders\nHost: shop\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxNyIsImV4cCI6OTk5OTk5OTk5OX0.c2lnbmF0dXJl";
const ENDLESS: &str = "GET /orders\nHost: shop\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxNyJ9.c2lnbmF0dXJlLW9mLW5vLW9uZQ";
const BASIC: &str = "GET /cards\nHost: pay\nAuthorization: Basic amFuZTpjb3JyZWN0LWhvcnNl";

/// Five endpoints of two services, 17 calls; the first two of a path that only fails are no endpoint's.
fn estate() -> Vec<Call> {
    vec![
        // GET shop/orders: 4 calls, mixed; described and as described.
        call(1, JWT, 200).over_tls(),
        call(2, ENDLESS, 200).over_tls(),
        call(3, "GET /orders", 200),
        call(4, "GET /orders", 401),
        // GET shop/old: 2 calls, deprecated, open.
        call(5, "GET /old", 200),
        call(6, "GET /old", 200),
        // GET shop/hidden: 3 calls, not described, by certificate.
        call(7, "GET /hidden", 200).certified(),
        call(8, "GET /hidden", 200).certified(),
        call(9, "GET /hidden", 500).certified(),
        // GET pay/cards: 5 calls with a password in clear; cards in answers.
        call(10, BASIC, 200).saying(CARD),
        call(11, BASIC, 200).saying(CARD),
        call(12, BASIC, 200).saying(CARD),
        call(13, "GET /cards\nHost: pay", 200).saying(CARD),
        call(14, "GET /cards\nHost: pay", 403),
        // GET pay/health: 3 calls, none with success.
        call(15, "GET /health\nHost: pay", 503),
        call(16, "GET /health\nHost: pay", 503),
        call(17, "GET /health\nHost: pay", 503),
    ]
}

const CARD: &str = "{\"card_number\":\"4111111111111111\",\"email\":\"jane@shop.example\"}";

#[test]
fn what_is_described() {
    let shop = learned(config(true, ""), &estate());
    // Of shop's three endpoints /orders and /old.
    is(&shop, "inventory-coverage", 2, 3);
    // The 3 calls to /hidden, of 4 + 2 + 3.
    is(&shop, "shadow-traffic", 3, 9);
    // /unused, of it, /orders and /old.
    is(&shop, "orphans", 1, 3);
    // Both calls to /old, which is deprecated, of all 15.
    is(&shop, "zombie-traffic", 2, 15);
    // /old differs by being used, /orders by its 401.
    is(&shop, "conformance", 0, 2);
    let conforming = learned(config(true, ""), &[call(1, "GET /orders", 200)]);
    is(&conforming, "conformance", 1, 1);
    let none = learned(config(false, ""), &estate());
    is_not_judged(&none, &["inventory-coverage", "shadow-traffic", "orphans", "conformance"]);
    is(&none, "zombie-traffic", 0, 15);
}

#[test]
fn who_proves_who_they_are() {
    let shop = learned(config(false, ""), &estate());
    // Four endpoints answered with 2xx; of /hidden every caller showed a certificate.
    is(&shop, "authentication-coverage", 1, 4);
    // /orders and /cards.
    is(&shop, "mixed-authentication", 2, 4);
    // 2 to /orders, 3 to /hidden.
    is(&shop, "tls-coverage", 5, 15);
    // 2 tokens, 3 certificates, 3 passwords; one token has no end, and no password was encrypted.
    is(&shop, "credential-hygiene", 4, 8);
    let encrypted: Vec<Call> = estate().into_iter().map(Call::over_tls).collect();
    is(&learned(config(false, ""), &encrypted), "credential-hygiene", 7, 8);
    let in_url = [call(1, "GET /orders?api_key=7f3kQ9zLw2VbN8xR4mTy", 200).over_tls()];
    is(&learned(config(false, ""), &in_url), "credential-hygiene", 0, 1);
}

#[test]
fn what_is_sensitive_is_no_credential() {
    let shop = learned(config(false, ""), &estate());
    // /orders, /old, /hidden and /cards were read; /cards has cards.
    is(&shop, "sensitive-exposure", 1, 4);
    is(&shop, "unauthenticated-sensitive", 1, 1);
    let token = "{\"access_token\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxNyJ9.c2lnbmF0dXJlLW9mLW5vLW9uZQ\"}";
    let logins: Vec<Call> = (1..5).map(|second| call(second, "POST /login", 200).saying(token)).collect();
    let login = learned(config(false, ""), &logins);
    is(&login, "sensitive-exposure", 0, 1);
    is_not_judged(&login, &["unauthenticated-sensitive"]);
}

#[test]
fn how_calls_end_and_what_is_found() {
    let mut shop = learned(config(false, ""), &estate());
    is(&shop, "client-errors", 2, 15);
    is(&shop, "server-errors", 2, 15);
    // Every first answer came 250 ms after its request.
    is(&shop, "time-to-discover", 5 * 250, 5);
    shop.found("pay", 3);
    is(&shop, "alert-load", 3, 1);
    assert_eq!(value(&shop, "alert-load", &Scope::Service("shop".into())), Value::Judged(Part::of(0, 1)));
    is_not_judged(&shop, &["time-to-detect", "time-to-remediate", "quota-adherence", "drift"]);
}

#[test]
fn what_findings_took_and_who_kept_within_limits() {
    let mut shop = learned(config(false, ""), &[call(1, "GET /orders", 200), call(2, "GET /orders", 429)]);
    is(&shop, "quota-adherence", 0, 1);
    shop.set_posture("shop", PostureTimes { waited: 600, detected: 2, stood: 90_000, remedied: 1 });
    is(&shop, "time-to-detect", 600, 2);
    is(&shop, "time-to-remediate", 90_000, 1);
}

#[test]
fn what_files_say_of_the_network() {
    let none = learned(config(false, ""), &estate());
    is_not_judged(&none, &["gateway-coverage", "owner-coverage", "third-party-exposure"]);
    // The client of all calls is 10.0.0.7, the server 10.0.0.80.
    let sections =
        "[networks]\ngateways = 10.0.0.7\npublic = 10.0.0.80\n[owners]\npayments = pay\n[tags]\npci = pay\n";
    let shop = learned(config(false, sections), &estate());
    is(&shop, "gateway-coverage", 15, 15);
    is(&learned(config(false, "[networks]\ngateways = 10.9.9.9"), &estate()), "gateway-coverage", 0, 15);
    // /cards and /health of pay.
    is(&shop, "owner-coverage", 2, 5);
    is(&shop, "third-party-exposure", 0, 15);
    let sent = [call(1, "GET /send?card_number=4111111111111111", 200); 4];
    is(&learned(config(false, "[networks]\npartner = 10.0.0.80"), &sent), "third-party-exposure", 4, 4);
    let payments = Scope::Owner(Some("payments".into()));
    assert_eq!(value(&shop, "server-errors", &payments), Value::Judged(Part::of(1, 6)));
    assert_eq!(value(&shop, "server-errors", &Scope::Tag("pci".into())), Value::Judged(Part::of(1, 6)));
    assert_eq!(value(&shop, "server-errors", &Scope::Owner(None)), Value::Judged(Part::of(1, 9)));
}

#[test]
fn what_the_sensor_missed() {
    let shop = learned(config(false, ""), &estate());
    let sensed = Sensed {
        loss: Part::of(5, 1_000),
        unparsed: Part::of(1, 10),
        undecrypted: Part::of(2, 3),
        unpaired: BTreeMap::from([("shop".into(), Part::of(1, 9)), ("pay".into(), Part::of(2, 8))]),
        precision: Part::of(4, 5),
        not_kept: None,
    };
    let kpis = Kpis::new(&shop, &sensed);
    let of = |name: &str, scope: &Scope| kpis.value(Kpi::named(name).expect(name), scope);
    for (name, part) in [
        ("capture-loss", Part::of(5, 1_000)),
        ("unparsed", Part::of(1, 10)),
        ("undecrypted", Part::of(2, 3)),
        ("unpaired", Part::of(3, 17)),
        ("incident-precision", Part::of(4, 5)),
    ] {
        assert_eq!(of(name, &Scope::All), Value::Judged(part));
    }
    let pay = Scope::Service("pay".into());
    assert_eq!(of("unpaired", &pay), Value::Judged(Part::of(2, 8)));
    assert_eq!(of("capture-loss", &pay), Value::NotJudged("it is counted for the sensor as a whole"));
}

#[test]
fn services_and_owners_add_up_to_everything() {
    let shop = learned(config(true, "[owners]\npayments = pay"), &estate());
    let kpis = Kpis::new(&shop, &Sensed::default());
    for kpi in KPIS.iter().filter(|kpi| !kpi.is_sensors()) {
        let all = kpis.value(kpi, &Scope::All).part().unwrap_or(Part::NONE);
        for by in [By::Service, By::Owner] {
            let parts = kpis.scopes(by).filter_map(|scope| kpis.value(kpi, scope).part());
            assert_eq!(parts.fold(Part::NONE, |sum, part| sum.plus(part, kpi.unit)), all, "{}", kpi.name);
        }
    }
}

#[test]
fn the_order_of_calls_does_not_matter() {
    let all = |calls: &[Call]| {
        let shop = learned(config(true, "[owners]\npayments = pay"), calls);
        let kpis = Kpis::new(&shop, &Sensed::default());
        // When an endpoint was known is told by the call with which it was.
        let told = KPIS.iter().filter(|kpi| kpi.name != "time-to-discover");
        let scopes: Vec<Scope> = [Scope::All].into_iter().chain(kpis.scopes(By::Service).cloned()).collect();
        told.flat_map(|kpi| scopes.iter().map(|scope| (kpi.name, kpis.value(kpi, scope))).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    // The first calls of a path that fail are no endpoint's.
    let mut calls = estate();
    calls.retain(|call| call.status == 200);
    let mut backwards = calls.clone();
    backwards.reverse();
    assert_eq!(all(&calls), all(&backwards));
}

#[test]
fn a_day_has_what_came_on_it() {
    let on = |day: i64, second: i64, path: &'static str, status| call(day * DAY + second, path, status);
    let calls = [
        on(10, 1, "GET /orders", 200),
        on(10, 2, "GET /orders", 500),
        on(11, 1, "GET /orders", 200),
        on(11, 2, "GET /orders", 200),
        // A clock that steps back: it counts for the day that is open.
        on(10, 9, "GET /orders", 500),
        on(14, 1, "GET /cards\nHost: pay", 200),
    ];
    let shop = learned(config(false, ""), &calls);
    let series = shop.series();
    assert_eq!(series.days().collect::<Vec<_>>(), [10, 11, 14]);
    let errors = Kpi::named("server-errors").unwrap();
    let on = |first, last| series.between(first, last, errors, &Scope::All).part();
    assert_eq!(on(10, 10), Some(Part::of(1, 2)));
    assert_eq!(on(11, 11), Some(Part::of(1, 3)));
    assert_eq!(on(14, 14), Some(Part::of(0, 1)));
    assert_eq!(on(10, 14), Some(Part::of(2, 6)));
    assert_eq!(on(11, 13), Some(Part::of(1, 3)));
    assert_eq!(series.on(12, errors, &Scope::All), Value::NotJudged("no call was seen then"));
    let load = Kpi::named("alert-load").unwrap();
    assert_eq!(
        series.between(11, 30, load, &Scope::All).part(),
        Some(Part::of(0, 4)),
        "from the 11th to the 14th"
    );
    assert_eq!(series.on(14, load, &Scope::All).part(), Some(Part::of(0, 1)));
    // What is, and not what came: one endpoint until the 11th, two on the 14th.
    let open = Kpi::named("authentication-coverage").unwrap();
    assert_eq!(series.on(11, open, &Scope::All).part(), Some(Part::of(0, 1)));
    assert_eq!(series.on(14, open, &Scope::All).part(), Some(Part::of(0, 2)));
    let pay = Scope::Service("pay".into());
    assert_eq!(series.on(11, open, &pay).part(), None);
    assert_eq!(series.on(14, open, &pay).part(), Some(Part::of(0, 1)));
    // On the 14th: known since the 10th, and new within seven days.
    is(&shop, "drift", 0, 1);
}

#[test]
fn a_checkpoint_of_an_open_day_goes_on_with_it() {
    let on = |day: i64, status| call(day * DAY, "GET /orders", status);
    let shop = placed(config(false, ""), &[on(10, 200), on(11, 200), on(11, 500)]);
    let mut loading = Loading::new(config(false, ""));
    let (mut cursor, mut piece) = (Cursor::default(), Vec::new());
    while shop.save(&mut cursor, &mut piece) {
        assert_eq!(loading.take(&piece), Ok(()));
    }
    let (mut loaded, _) = loading.finish().expect("a checkpoint");
    loaded.keep_day();
    let errors = Kpi::named("server-errors").unwrap();
    let on = |day| loaded.series().on(day, errors, &Scope::All).part();
    assert_eq!((on(10), on(11)), (Some(Part::of(0, 1)), Some(Part::of(1, 2))));
}

#[test]
fn days_and_scopes_are_bounded_and_counted() {
    let mut config = config(false, "");
    config.max_series_scopes = 2;
    let calls: Vec<Call> = (0..500)
        .flat_map(|day| [call(day * DAY, "GET /a", 200), call(day * DAY + 1, "GET /b\nHost: b", 200)])
        .collect();
    let shop = learned(config, &calls);
    let series = shop.series();
    let days: Vec<i64> = series.days().collect();
    assert_eq!((days.len(), days[0], days[399]), (MAX_DAYS, 100, 499));
    assert_eq!(series.counters(), SeriesCounters { beyond_scopes: 500, forgotten_days: 99 });
    let errors = Kpi::named("server-errors").unwrap();
    assert_eq!(series.on(100, errors, &Scope::All).part(), Some(Part::of(0, 2)), "of that day alone");
    assert_eq!(series.between(0, 200, errors, &Scope::All).part(), None, "its beginning is forgotten");
    let mut saved = Vec::new();
    let (mut at, mut loaded) = (0, Series::new(2));
    loop {
        let written = series.save(at, &mut saved);
        assert_eq!(loaded.load(&std::mem::take(&mut saved)), Ok(0));
        match written {
            Some(more) => at += more,
            None => break,
        }
    }
    assert!(at > 100, "in pieces");
    assert_eq!(loaded.days().collect::<Vec<_>>(), days);
    assert_eq!(loaded.between(99, 300, errors, &Scope::All), series.between(99, 300, errors, &Scope::All));
    assert_eq!((loaded.open(), loaded.load(&[9; 3])), (Some(499), Err(crate::state::Unfit::Unreadable)));
    let (mut piece, mut small) = (Vec::new(), Series::new(1));
    series.save(0, &mut piece);
    assert_eq!(small.load(&piece).map(|left_out| left_out > 0), Ok(true));
}

#[test]
fn what_came_up_within_a_week_is_drift() {
    let calls = [
        call(0, "GET /orders", 200),
        call(3 * DAY, "GET /cards", 200),
        call(9 * DAY, "GET /refunds", 200),
        call(9 * DAY, "GET /first\nHost: pay", 200),
    ];
    // /cards is older than seven days by then; pay is known for a moment.
    let calls = learned(config(false, ""), &[&calls[..], &[call(11 * DAY, "GET /orders", 200)]].concat());
    is(&calls, "drift", 1, 1);
}

#[test]
fn the_worst_of_a_kpi_come_first() {
    let shop = learned(config(false, ""), &estate());
    let failing = worst(&shop, Kpi::named("tls-coverage").unwrap(), &Scope::All, 1);
    let endpoint = failing[0].endpoint.and_then(|id| shop.endpoint(id)).unwrap();
    assert_eq!((failing.len(), &*endpoint.template, failing[0].part), (1, "/cards", Part::of(0, 5)));
    let pay = worst(&shop, Kpi::named("authentication-coverage").unwrap(), &Scope::Service("pay".into()), 9);
    assert_eq!(pay.len(), 1);
}

#[test]
fn a_target_is_met_missed_or_overdue() {
    let kpi = Kpi::named("tls-coverage").unwrap();
    let of = |value, scope| Target { kpi, value, by: 20, scope };
    let target = of(95.0, Scope::All);
    assert_eq!(target.standing(95.0, 30), Standing::Met);
    assert_eq!(target.standing(94.9, 20), Standing::Missed);
    assert_eq!(target.standing(94.9, 21), Standing::Overdue);
    let less = Target { kpi: Kpi::named("drift").unwrap(), ..target.clone() };
    assert_eq!((less.standing(96.0, 1), less.standing(95.0, 1)), (Standing::Missed, Standing::Met));
    let pay = Scope::Service("pay".into());
    let targets = [target.clone(), of(50.0, pay.clone())];
    assert_eq!(target_of(&targets, kpi, &pay).unwrap().value, 50.0);
    assert_eq!(target_of(&targets, kpi, &Scope::Tag("x".into())), Some(&target));
    assert_eq!(target_of(&targets, less.kpi, &pay), None);
}

#[test]
fn the_registry_reads_well() {
    for (at, kpi) in KPIS.iter().enumerate() {
        assert!(KPIS.iter().skip(at + 1).all(|other| other.name != kpi.name), "{}", kpi.name);
        assert!(kpi.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", kpi.name);
        assert!(kpi.formula.ends_with('.') && kpi.advice.ends_with('.'), "{}", kpi.name);
        assert!(!kpi.unjudged.ends_with('.') && kpi.unjudged.starts_with(char::is_lowercase), "{}", kpi.name);
    }
}

#[test]
fn a_day_of_many_endpoints_is_summed_over_several_calls() {
    // Names and answers that are not alike, so that none of them stands for a value.
    let word = |number: u32| {
        let letter = |at: u32| char::from(b"bcdfghjk"[(at % 8) as usize]);
        format!("{}a{}i", letter(number), letter(number / 8))
    };
    let named = |number: u32| {
        let (service, one, other) = (number / 1_000, number / 32 % 32, number % 32);
        format!("GET /{}/{}\nHost: s{service}", word(one), word(other))
    };
    let names: Vec<(String, String)> = (0..3_000)
        .map(|number| (named(number), format!("{{\"a{number}\":1,\"b{number}\":\"x\"}}")))
        .collect();
    let names: &'static [(String, String)] = names.leak();
    let mut calls: Vec<Call> = (10..)
        .zip(names)
        .map(|(second, (name, body))| call(10 * DAY + second, name, 200).saying(body))
        .collect();
    let mut shop = placed(config(false, ""), &calls);
    let endpoints = shop.endpoints().count() as u64;
    assert!(endpoints > 2_500, "{endpoints}");
    assert_eq!(shop.series().days().count(), 0);
    let calls_of = |shop: &Inventory, day| {
        shop.series().on(day, Kpi::named("server-errors").unwrap(), &Scope::All).part()
    };
    calls.truncate(2);
    calls.iter_mut().for_each(|call| call.second += DAY);
    place(&mut shop, &calls[..1]);
    assert_eq!(shop.series().days().count(), 0, "not all of them are summed");
    place(&mut shop, &calls[1..]);
    assert_eq!(shop.series().days().collect::<Vec<_>>(), [10]);
    // The first of the next day came before the last of them were summed.
    let counted = calls_of(&shop, 10).unwrap().denominator;
    assert!((endpoints..=endpoints + 1).contains(&counted), "{counted} of {endpoints}");
    shop.keep_day();
    assert_eq!(calls_of(&shop, 11), Some(Part::of(0, endpoints + 2 - counted)));
}
