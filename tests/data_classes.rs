//! How well data classes are told: on documents that `classes/generate.py` made, held-out ones beside those that rules were chosen
//! on, and per type on a corpus of others where one is at hand. `docs/detection-quality.md` has the figures.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tapwire_flow::FlowTable;
use tapwire_inspect::classes::{ClassId, Classes, DATA_CLASSES, Settings};
use tapwire_inspect::{Config, Inspector, Observation, TokenKey};
use tapwire_protocol::{BodyPart, Exchange, ExchangeSink, Protocols};
use tapwire_testkit::{Conversation, Turn};
use tapwire_wire::{Decoded, decode};

/// Keeps what is found of each exchange, as class and place.
struct Finder {
    inspector: Inspector,
    found: Vec<BTreeSet<(String, String)>>,
}

impl ExchangeSink for Finder {
    fn exchange(&mut self, exchange: Exchange) {
        let observation = self.inspector.exchange(exchange);
        self.found.push(found(&observation));
    }

    fn body_part(&mut self, part: BodyPart) {
        self.inspector.part(&part);
    }
}

fn found(observation: &Observation) -> BTreeSet<(String, String)> {
    let classes = observation.data_classes();
    classes.map(|found| (observation.class_name(found.class).to_owned(), found.place())).collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().expect("a text")
}

fn rows(name: &str) -> Vec<Value> {
    let path = tapwire_tests::workspace().join("tests/classes").join(name);
    let text = std::fs::read_to_string(path).expect("documents");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

fn turn(row: &Value) -> Turn {
    let (asked, answer) = (text(row, "request"), text(row, "response"));
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: shop.example\r\n{}",
        text(row, "method"),
        text(row, "target"),
        text(row, "headers")
    );
    let length =
        if asked.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", asked.len()) };
    Turn {
        request: format!("{head}{length}\r\n{asked}").into_bytes(),
        response: format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{answer}",
            text(row, "type"),
            answer.len()
        )
        .into_bytes(),
    }
}

/// What the real layers find in the rows, one set a row.
fn inspected(rows: &[Value]) -> Vec<BTreeSet<(String, String)>> {
    let mut finder =
        Finder { inspector: Inspector::new(Config::new(TokenKey::new([7; 32]))), found: Vec::new() };
    for (index, rows) in rows.chunks(50).enumerate() {
        let capture = Conversation::new(rows.iter().map(turn).collect(), index as u64 + 1).play();
        let mut flows = FlowTable::new(tapwire_flow::Config::default());
        let mut protocols = Protocols::new(tapwire_protocol::Config::default(), finder);
        for packet in &capture.packets {
            if let Decoded::Segment(segment) = decode(&packet.packet()) {
                flows.handle(&segment, &mut protocols);
            }
        }
        flows.finish(&mut protocols);
        finder = protocols.into_sink();
    }
    assert_eq!(finder.found.len(), rows.len());
    finder.found
}

/// Right, too much, and missing.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn precision(self) -> f64 {
        share(self.right, self.wrong)
    }

    fn recall(self) -> f64 {
        share(self.right, self.missed)
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.missed += other.missed;
    }
}

fn share(right: u32, other: u32) -> f64 {
    if right + other == 0 { 1.0 } else { f64::from(right) / f64::from(right + other) }
}

/// A score for each class. `WRONG=1` says what was wrong.
fn judged(rows: &[Value]) -> BTreeMap<String, Score> {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for (row, found) in rows.iter().zip(inspected(rows)) {
        let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
        let truth: BTreeSet<(String, String)> =
            row["truth"].as_array().expect("a list").iter().filter_map(pair).collect();
        for (class, place) in truth.union(&found) {
            let (is_true, is_found) = (
                truth.contains(&(class.clone(), place.clone())),
                found.contains(&(class.clone(), place.clone())),
            );
            if is_true != is_found && std::env::var_os("WRONG").is_some() {
                println!("{} {class} {place}: {row}", if is_true { "missed" } else { "wrong" });
            }
            scores.entry(class.clone()).or_default().add(Score {
                right: (is_true && is_found).into(),
                wrong: (!is_true).into(),
                missed: (!is_found).into(),
            });
        }
    }
    scores
}

fn report(title: &str, scores: &BTreeMap<String, Score>) -> Score {
    println!("\n{title}\n\n| class | values | precision | recall |\n|---|---|---|---|");
    let mut all = Score::default();
    for (class, score) in scores {
        let (precision, recall) = (score.precision(), score.recall());
        println!("| {class} | {} | {precision:.3} | {recall:.3} |", score.right + score.missed);
        all.add(*score);
    }
    println!("| all | {} | {:.3} | {:.3} |", all.right + all.missed, all.precision(), all.recall());
    all
}

#[test]
fn held_out_documents_are_judged_well() {
    let tuning = rows("tuning.jsonl");
    report(&format!("tuning: {} documents", tuning.len()), &judged(&tuning));
    let held_out = rows("held-out.jsonl");
    assert!(held_out.len() >= 200);
    let all = report(&format!("held out: {} documents", held_out.len()), &judged(&held_out));
    assert!(all.precision() >= 0.98, "precision {:.3}", all.precision());
    assert!(all.recall() >= 0.95, "recall {:.3}", all.recall());
}

/// The types of the corpus that have a class here, each with a name that an API would give the value.
const TYPES: &[(&str, &str, &str)] = &[
    ("ABA_ROUTING_NUMBER", "us-aba", "routingNumber"),
    ("AU_ABN", "au-abn", "abn"),
    ("AU_MEDICARE", "au-medicare", "medicareNumber"),
    ("AU_TFN", "au-tfn", "tfn"),
    ("CA_SIN", "ca-sin", "sin"),
    ("CREDIT_CARD", "card", "cardNumber"),
    ("CRYPTO", "bitcoin-address", "wallet"),
    ("DE_TAX_ID", "de-steuer-id", "steuerId"),
    ("EMAIL_ADDRESS", "email", "email"),
    ("ES_NIE", "es-nif", "nie"),
    ("ES_NIF", "es-nif", "nif"),
    ("FI_PERSONAL_IDENTITY_CODE", "fi-hetu", "hetu"),
    ("IBAN_CODE", "iban", "iban"),
    ("IN_AADHAAR", "in-aadhaar", "aadhaar"),
    ("IN_GSTIN", "in-gstin", "gstin"),
    ("IN_PAN", "in-pan", "panNumber"),
    ("IP_ADDRESS", "ip-address", "clientIp"),
    ("IT_FISCAL_CODE", "it-codice-fiscale", "codiceFiscale"),
    ("KR_FRN", "kr-rrn", "frn"),
    ("KR_RRN", "kr-rrn", "rrn"),
    ("MAC_ADDRESS", "mac-address", "mac"),
    ("MEDICAL_LICENSE", "us-dea", "deaNumber"),
    ("PERSON", "person-name", "fullName"),
    ("PHONE_NUMBER", "phone", "phone"),
    ("PL_PESEL", "pl-pesel", "pesel"),
    ("SE_PERSONNUMMER", "se-personnummer", "personnummer"),
    ("SG_NRIC_FIN", "sg-nric", "nric"),
    ("TR_NATIONAL_ID", "tr-kimlik", "tckn"),
    ("TR_PHONE_NUMBER", "phone", "telefon"),
    ("UK_NHS", "uk-nhs", "nhsNumber"),
    ("UK_NINO", "uk-nino", "nino"),
    ("US_ITIN", "us-itin", "itin"),
    ("US_MBI", "us-mbi", "mbi"),
    ("US_NPI", "us-npi", "npi"),
    ("US_SSN", "us-ssn", "ssn"),
    ("ZA_ID_NUMBER", "za-id", "idNumber"),
];

/// Whether a text has the class, under a name.
fn has(classes: &Classes, name: &str, text: &str, class: ClassId) -> bool {
    let hits = classes.look(&classes.clues(b"", name.as_bytes()), false, text.as_bytes(), text.len() as u64);
    hits.reported().any(|hit| hit.class == class)
}

fn score(classes: &Classes, rows: &[Value], entity: &str, class: ClassId, name: &str) -> Score {
    let mut score = Score::default();
    for row in rows.iter().filter(|row| row["entity"] == *entity) {
        let (expected, found) =
            (row["count"].as_u64().unwrap_or(1) > 0, has(classes, name, text(row, "text"), class));
        score.add(Score {
            right: (expected && found).into(),
            wrong: (!expected && found).into(),
            missed: (expected && !found).into(),
        });
        if expected != found && std::env::var_os("WRONG").is_some() {
            println!(
                "{} {entity} '{name}': {}",
                if expected { "missed" } else { "wrong" },
                text(row, "text")
            );
        }
    }
    score
}

#[test]
fn corpus_of_others_is_reported_by_type() {
    let Some(folder) = std::env::var_os("PII_CORPUS") else {
        tapwire_testkit::peers::skipped("PII_CORPUS names no folder with presidio_unit.jsonl");
        return;
    };
    let file = std::path::Path::new(&folder).join("presidio_unit.jsonl");
    let file = std::fs::read_to_string(file).expect("presidio_unit.jsonl");
    let rows: Vec<Value> =
        file.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    let classes =
        Classes::new(&Settings { crypto_addresses: true, ..Settings::default() }).expect("good settings");
    println!(
        "| type | class | texts | alone: precision, recall | under its name: precision, recall |\n|---|---|---|---|---|"
    );
    let (mut alone, mut named) = (Score::default(), Score::default());
    for (entity, class, name) in TYPES {
        let id = ClassId::of(class).expect("a class");
        let (a, n) = (score(&classes, &rows, entity, id, "value"), score(&classes, &rows, entity, id, name));
        let texts = rows.iter().filter(|row| row["entity"] == **entity).count();
        println!(
            "| {entity} | `{class}` | {texts} | {:.2}, {:.2} | {:.2}, {:.2} |",
            a.precision(),
            a.recall(),
            n.precision(),
            n.recall()
        );
        alone.add(a);
        named.add(n);
    }
    println!(
        "| all | | {} | {:.2}, {:.2} | {:.2}, {:.2} |",
        rows.iter().filter(|row| TYPES.iter().any(|(entity, ..)| row["entity"] == **entity)).count(),
        alone.precision(),
        alone.recall(),
        named.precision(),
        named.recall()
    );
    let left_out: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row["entity"].as_str())
        .filter(|entity| !TYPES.iter().any(|(known, ..)| known == entity))
        .collect();
    println!("\nno class here: {}", left_out.into_iter().collect::<Vec<_>>().join(", "));
    assert!(!DATA_CLASSES.is_empty() && named.precision() >= 0.9, "precision {:.3}", named.precision());
}

/// Prints what a look costs, by kind of value: nothing is asserted of a time.
#[test]
#[ignore = "prints times: docs/detection-quality.md"]
fn cost_of_a_look() {
    const ROUNDS: u32 = 2_000_000;
    let classes = Classes::default();
    for (what, name, text) in [
        ("word", "status", "pending"),
        ("small number", "quantity", "17"),
        ("number", "total", "129900"),
        ("UUID", "id", "123e4567-e89b-42d3-a456-426614174000"),
        ("time", "createdAt", "2026-01-01T12:00:00Z"),
        ("milliseconds", "at", "1767268800123"),
        ("hash", "etag", "d41d8cd98f00b204e9800998ecf8427e"),
        ("title of three words", "title", "Oak Desk Large"),
        ("sentence", "note", "Left at the door, please ring twice before you leave again"),
        ("16 digits", "number", "4829104958271048"),
        ("card", "cardNumber", "4539578763621486"),
        ("e-mail", "email", "jane.doe@example.com"),
    ] {
        let clues = classes.clues(b"", name.as_bytes());
        let began = std::time::Instant::now();
        let hits: usize = (0..ROUNDS)
            .map(|_| {
                let text = std::hint::black_box(text.as_bytes());
                classes.look(&clues, false, text, text.len() as u64).list().len()
            })
            .sum();
        let nanos = began.elapsed().as_nanos() / u128::from(ROUNDS);
        println!("| {what} | {nanos} ns | {} |", if hits > 0 { "hit" } else { "" });
    }
    let began = std::time::Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(
            classes.clues(std::hint::black_box(b"customer"), std::hint::black_box(b"emailAddress")),
        );
    }
    println!("| names of a new path | {} ns | |", began.elapsed().as_nanos() / u128::from(ROUNDS));
}
