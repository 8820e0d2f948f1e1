use super::piece::HEAVY;
use super::*;
use crate::Call;
use crate::transcript::exchange;
use proptest::prelude::*;
use tapwire_inspect::{Inspector, TokenKey};

mod related;
mod stored;

const KEY: TokenKey = TokenKey::new([7; 32]);

/// An inventory with the inspector in front of it.
struct Sensor {
    inspector: Inspector,
    inventory: Inventory,
}

impl Sensor {
    fn new(inventory: Inventory) -> Self {
        Self { inspector: Inspector::new(tapwire_inspect::Config::new(KEY)), inventory }
    }

    fn empty() -> Self {
        Self::new(Inventory::new(Config::new(KEY)))
    }

    /// The call of that number: words that turn out to be data, several services, bodies, logins and who calls.
    fn call(&mut self, number: u32) -> Call {
        let host = ["shop", "bank.example", "10.0.0.80:8080"][number as usize % 3];
        let name =
            ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"][number as usize / 3 % 8];
        let (line, body) = match number % 7 {
            0 => (format!("GET /users/{name}/orders?page={number}"), String::new()),
            1 => (format!("GET /users/{name}"), String::new()),
            2 => (
                "POST /orders".to_owned(),
                format!("{{\"sku\":\"a{number}\",\"count\":{number},\"gift\":true}}"),
            ),
            3 => (format!("GET /v1/orders/{number}"), String::new()),
            4 => {
                ("POST /login".to_owned(), format!("{{\"username\":\"{name}\",\"password\":\"x{number}\"}}"))
            }
            5 => (format!("DELETE /files/{number}.txt"), String::new()),
            _ => ("GET /gone".to_owned(), String::new()),
        };
        let status = [200, 200, 201, 200, 200, 204, 500][number as usize % 7];
        let answer = match number % 7 {
            5 => String::new(),
            4 => format!("{{\"access_token\":\"t-{name}-{}\",\"token_type\":\"bearer\"}}", number / 40),
            _ => format!(
                "{{\"id\":{number},\"name\":\"{name}\",\"mail\":\"{name}@shop.example\",\"nested\":{{\"a\":[1,2]}}}}"
            ),
        };
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer t-{name}-{}\r\nContent-Type: application/json\r\n\r\n{body}",
            number / 40
        );
        let response = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n{answer}");
        self.place(number, &request, &response)
    }

    fn place(&mut self, number: u32, request: &str, response: &str) -> Call {
        let observation = self.inspector.exchange(exchange(number, request.as_bytes(), response.as_bytes()));
        self.inventory.place(observation)
    }
}

fn learned(calls: std::ops::Range<u32>) -> Sensor {
    let mut sensor = Sensor::empty();
    calls.for_each(|number| drop(sensor.call(number)));
    sensor
}

fn pieces(inventory: &Inventory) -> Vec<Vec<u8>> {
    let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::new(), Vec::new());
    while inventory.save(&mut cursor, &mut piece) {
        all.push(piece.clone());
    }
    all
}

fn load(config: Config, pieces: &[Vec<u8>]) -> Result<(Inventory, Restored), Unfit> {
    let mut loading = Loading::new(config);
    pieces.iter().try_for_each(|piece| loading.take(piece))?;
    loading.finish()
}

fn reloaded(inventory: &Inventory) -> Inventory {
    let (inventory, restored) = load(Config::new(KEY), &pieces(inventory)).unwrap();
    assert_eq!(restored.left_out, 0);
    inventory
}

/// All that can be asked for, as text.
fn told(inventory: &Inventory) -> Vec<String> {
    let mut all: Vec<String> = inventory.services().map(|service| format!("{service:?}")).collect();
    all.extend(inventory.endpoints().map(|endpoint| {
        let mut bytes = Vec::new();
        put(endpoint, &mut bytes);
        format!("{} {} {:?} {bytes:?}", endpoint.method, endpoint.template, endpoint.id)
    }));
    all.extend(inventory.merged().iter().map(|merge| format!("{merge:?}")));
    all.extend(inventory.principals().callers().iter().map(|caller| format!("{caller:?}")));
    all.extend(inventory.principals().sessions().iter().map(|session| format!("{session:?}")));
    all
}

#[test]
fn what_is_loaded_is_what_was_saved() {
    let sensor = learned(1..900);
    assert!(!sensor.inventory.merged().is_empty(), "names became a parameter");
    assert_eq!(told(&reloaded(&sensor.inventory)), told(&sensor.inventory));
}

#[test]
fn learning_goes_on_as_if_nothing_had_happened() {
    let whole = learned(1..900);
    for cut in [1, 2, 10, 24, 40, 100, 450, 899] {
        let mut rest = Sensor::new(reloaded(&learned(1..cut).inventory));
        (cut..900).for_each(|number| drop(rest.call(number)));
        assert_eq!(told(&rest.inventory), told(&whole.inventory), "cut at {cut}");
        rest.inventory.settle();
    }
}

#[test]
fn pieces_of_another_key_or_version_are_told() {
    let all = pieces(&learned(1..50).inventory);
    let other = Config::new(TokenKey::new([8; 32]));
    assert_eq!(load(other, &all).err(), Some(Unfit::Key));
    let mut newer = all.clone();
    newer[0][1] = 9;
    assert_eq!(load(Config::new(KEY), &newer).err(), Some(Unfit::Format { found: 9, known: FORMAT }));
    assert_eq!(load(Config::new(KEY), &all[1..]).err(), Some(Unfit::Unreadable));
    assert_eq!(load(Config::new(KEY), &[]).err(), Some(Unfit::Unreadable));
}

#[test]
fn limits_hold_for_what_is_loaded() {
    let sensor = learned(1..900);
    let all = pieces(&sensor.inventory);
    let config = Config {
        max_services: 2,
        max_endpoints: 7,
        max_endpoints_per_service: 4,
        max_segments: 20,
        max_principals: 5,
        max_sessions: 3,
        max_schema_bytes: 20_000,
        ..Config::new(KEY)
    };
    let (inventory, restored) = load(config, &all).unwrap();
    assert!(restored.left_out > 20, "{restored:?}");
    assert!(inventory.services().count() == 2 && inventory.endpoints().count() <= 7);
    assert!(inventory.services().all(|service| service.endpoints <= 4));
    assert_eq!((inventory.principals().len(), inventory.principals().sessions().len()), (5, 3));
    assert!(inventory.schema_bytes() <= 20_000);
    let mut sensor = Sensor::new(inventory);
    (900..1200).for_each(|number| drop(sensor.call(number)));
    assert!(sensor.inventory.endpoints().count() <= 7);
}

#[test]
fn calls_may_come_between_the_pieces() {
    for pace in [1, 3, 10, 40] {
        let mut sensor = learned(1..30);
        let (mut cursor, mut piece, mut all, mut number) = (Cursor::default(), Vec::new(), Vec::new(), 30);
        while sensor.inventory.save(&mut cursor, &mut piece) {
            all.push(piece.clone());
            (0..pace).for_each(|at| drop(sensor.call(number + at)));
            number += pace;
        }
        let (inventory, _) = load(Config::new(KEY), &all).unwrap();
        consistent(&inventory);
        let mut later = Sensor::new(inventory);
        (number..2000).for_each(|number| drop(later.call(number)));
        later.inventory.settle();
        let (mut whole, named) = (learned(1..2000), |inventory: &Inventory| -> Vec<String> {
            inventory
                .endpoints()
                .map(|one| format!("{} {} {}", one.service, one.method, one.template))
                .collect()
        });
        whole.inventory.settle();
        assert_eq!(named(&later.inventory), named(&whole.inventory), "{pace} calls a piece");
    }
}

/// Every endpoint is found by its id, and each service counts its own.
fn consistent(inventory: &Inventory) {
    for endpoint in inventory.endpoints() {
        assert_eq!(inventory.endpoint(endpoint.id).map(|found| found.id), Some(endpoint.id));
    }
    for service in inventory.services() {
        let own = inventory.endpoints().filter(|endpoint| endpoint.service == service.name).count();
        assert_eq!(own, service.endpoints as usize, "{}", service.name);
    }
}

#[test]
fn data_classes_keep_their_names() {
    let sensor = learned(1..100);
    let all = pieces(&sensor.inventory);
    let head = |names: &[&str]| {
        let mut piece = vec![Section::Head as u8];
        piece.extend_from_slice(&preface(FORMAT, &KEY));
        let classes = names.iter().map(|name| (*name).to_owned()).collect();
        put(&Head { classes, hands: (0, 0) }, &mut piece);
        piece
    };
    let classes = |inventory: &Inventory| -> std::collections::BTreeSet<u16> {
        let schemas = inventory.endpoints().filter_map(|endpoint| endpoint.schemas());
        let bodies = schemas.flat_map(|schemas| schemas.answers()).map(|answer| &answer.body.schema);
        let nodes = bodies.flat_map(|schema| schema.nodes());
        nodes
            .flat_map(|node| node.classes)
            .filter(|count| count.values > 0)
            .map(|count| count.class)
            .collect()
    };
    let email = ClassId::of("email").unwrap().get();
    assert!(classes(&sensor.inventory).contains(&email));
    // A version that had another class where mail addresses are now, and mail addresses behind all.
    let mut names: Vec<&str> = class_names(&sensor.inventory.config).collect();
    names[usize::from(email)] = "no longer known";
    let moved = [&[head(&names)], &all[1..]].concat();
    let (inventory, _) = load(Config::new(KEY), &moved).unwrap();
    assert!(!classes(&inventory).contains(&email));
}

/// How large a checkpoint of full tables is, and how long its pieces take: what a call may have to wait for. Times are
/// printed, not asserted.
#[test]
fn pieces_of_full_tables_are_small() {
    let mut sensor = Sensor::empty();
    let mut call = |request: String, answer: &str| {
        let response = format!("HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n{answer}");
        let observation = sensor.inspector.exchange(exchange(1, request.as_bytes(), response.as_bytes()));
        sensor.inventory.place(observation);
    };
    for number in 0..1_000_000_u32 {
        // Every fourth is somebody with a list and an object, so that what relates calls is full, too.
        if number % 4 == 0 {
            let bearer = related::jwt(&format!(r#"{{"sub":"user-{number:x}"}}"#));
            let head = format!("Host: shop\r\nAuthorization: Bearer {bearer}\r\n\r\n");
            let five: Vec<String> = (0..5).map(|at| format!(r#"{{"id":{}}}"#, number * 8 + at)).collect();
            call(format!("GET /orders HTTP/1.1\r\n{head}"), &format!("[{}]", five.join(",")));
            let order = format!(r#"{{"id":{number},"customer_id":"user-{number:x}"}}"#);
            call(format!("GET /orders/{} HTTP/1.1\r\n{head}", number * 8), &order);
            continue;
        }
        call(format!("GET /a HTTP/1.1\r\nHost: shop\r\nX-Api-Key: k-{number:x}-0123456789\r\n\r\n"), "");
    }
    // Answers of their own, so that no word is taken for a value.
    for number in 0..100_000_u32 {
        let (service, one, other) = (number / 1_000, number / 32 % 32, number % 32);
        let answer = format!("{{\"a{number}\":1,\"b{number}\":\"x\",\"c{number}\":[true]}}");
        call(format!("GET /{}/{} HTTP/1.1\r\nHost: s{service}\r\n\r\n", word(one), word(other)), &answer);
    }
    let inventory = &sensor.inventory;
    let endpoints = inventory.endpoints().count();
    assert!(endpoints > 95_000 && inventory.principals().len() == 1_000_000, "{endpoints} endpoints");
    let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::with_capacity(1 << 20), Vec::new());
    let mut took = Vec::new();
    loop {
        let began = std::time::Instant::now();
        if !inventory.save(&mut cursor, &mut piece) {
            break;
        }
        took.push(began.elapsed());
        all.push(piece.clone());
    }
    for section in [Section::Relations, Section::Hours, Section::Groups] {
        let own = all.iter().zip(&took).filter(|(piece, _)| piece[0] == section as u8);
        let (pieces, longest) = (own.clone().count(), own.clone().map(|(_, took)| took).max());
        let bytes = own.map(|(piece, _)| piece.len()).sum::<usize>();
        println!("{section:?}: {pieces} pieces of {bytes} bytes; the longest took {longest:?}");
    }
    let (bytes, largest) = (all.iter().map(Vec::len).sum::<usize>(), all.iter().map(Vec::len).max());
    println!(
        "{} pieces of {bytes} bytes in {:?}; the longest took {:?}, the largest has {largest:?} bytes",
        all.len(),
        took.iter().sum::<std::time::Duration>(),
        took.iter().max(),
    );
    let callers: Vec<&Vec<u8>> = all.iter().filter(|piece| piece[0] == Section::Callers as u8).collect();
    assert_eq!(callers.len(), 1_000_000_usize.div_ceil(HEAVY));
    assert!(callers.iter().all(|piece| piece.len() < 100 * HEAVY), "a caller takes less than 100 bytes");
    assert!(largest < Some(200 * HEAVY));
    let began = std::time::Instant::now();
    let (loaded, restored) = load(Config::new(KEY), &all).unwrap();
    println!("loaded in {:?}", began.elapsed());
    assert_eq!((restored.left_out, loaded.principals().len()), (0, 1_000_000));
    assert_eq!(loaded.endpoints().count(), endpoints);
}

/// A word that no other is like.
fn word(number: u32) -> String {
    let letter = |at: u32| char::from(b"bcdfghjk"[(at % 8) as usize]);
    format!("{}a{}i", letter(number), letter(number / 8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Bytes that nobody wrote are an error, or an inventory that holds together, with which calls go on.
    #[test]
    fn hostile_pieces_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
        drop_one in prop::option::of(any::<prop::sample::Index>()),
    ) {
        static WHOLE: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let mut all = WHOLE.get_or_init(|| pieces(&related::told_before().inventory)).clone();
        for (piece, at, byte) in changes {
            let piece = piece.get_mut(&mut all);
            *at.get_mut(piece) = byte;
        }
        if let Some((piece, at)) = cut {
            let piece = piece.get_mut(&mut all);
            piece.truncate(at.index(piece.len()));
        }
        if let Some(one) = drop_one {
            all.remove(one.index(all.len()));
        }
        if let Ok((inventory, _)) = load(Config::new(KEY), &all) {
            consistent(&inventory);
            let mut sensor = Sensor::new(inventory);
            (120..160).for_each(|number| drop(sensor.call(number)));
            related::play(&mut sensor, 200..300, |_| {});
            sensor.inventory.settle();
            told(&sensor.inventory);
            sensor.inventory.states();
            pieces(&sensor.inventory);
        }
    }
}
