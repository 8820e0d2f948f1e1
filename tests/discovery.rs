//! How well path templates are learned: from the corpus, and from exchanges that `discovery/generate.py` made of published
//! descriptions, where they are at hand. Wrong merges have tests beside the code.

#[path = "discovery/score.rs"]
mod score;

use score::{Score, Truth, score};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tapwire_flow::FlowTable;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::{Given, Inventory};
use tapwire_openapi::Reader;
use tapwire_protocol::{BodyPart, Exchange, ExchangeSink, Protocols};
use tapwire_testkit::{Capture, Conversation, Turn};
use tapwire_wire::{Decoded, decode};

/// What stands behind the parsers.
struct Learner {
    inspector: Inspector,
    inventory: Inventory,
}

impl Learner {
    fn new() -> Self {
        Self::with_prior(Vec::new())
    }

    fn with_prior(descriptions: Vec<Given>) -> Self {
        let key = TokenKey::new([7; 32]);
        let config =
            tapwire_inventory::Config { descriptions, ..tapwire_inventory::Config::new(key.clone()) };
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(key)),
            inventory: Inventory::new(config),
        }
    }

    fn endpoints(&self) -> impl Iterator<Item = (String, String, String)> + '_ {
        self.inventory.endpoints().map(|endpoint| {
            (endpoint.service.to_string(), endpoint.method.to_string(), endpoint.template.to_string())
        })
    }
}

impl ExchangeSink for Learner {
    fn exchange(&mut self, exchange: Exchange) {
        let observation = self.inspector.exchange(exchange);
        self.inventory.place(observation);
    }

    fn body_part(&mut self, part: BodyPart) {
        self.inspector.part(&part);
    }
}

/// Learns from a capture.
fn learn_capture(capture: &Capture, learner: Learner) -> Learner {
    let mut flows = FlowTable::new(tapwire_flow::Config::default());
    let mut protocols = Protocols::new(tapwire_protocol::Config::default(), learner);
    for packet in &capture.packets {
        if let Decoded::Segment(segment) = decode(&packet.packet()) {
            flows.handle(&segment, &mut protocols);
        }
    }
    flows.finish(&mut protocols);
    protocols.into_sink()
}

/// Exchanges as the generator writes them.
fn read_rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the generator's output is readable");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn truth(row: &Value) -> Truth {
    Truth {
        host: text(row, "host").into(),
        method: text(row, "method").into(),
        path: text(row, "path").into(),
        template: row["template"].as_str().filter(|_| row["noise"] != true).map(str::to_owned),
    }
}

fn turn(row: &Value) -> Turn {
    let (body, status) = (text(row, "body"), row["status"].as_u64().unwrap_or_default());
    let head =
        format!("{} {} HTTP/1.1\r\nHost: {}\r\n", text(row, "method"), text(row, "path"), text(row, "host"));
    let content = match status {
        204 => String::new(),
        _ => format!("Content-Type: {}\r\nContent-Length: {}\r\n", text(row, "type"), body.len()),
    };
    Turn {
        request: format!("{head}\r\n").into_bytes(),
        response: format!("HTTP/1.1 {status} X\r\n{content}\r\n{body}").into_bytes(),
    }
}

fn learn(rows: &[Value], learner: Learner) -> Learner {
    rows.chunks(100).enumerate().fold(learner, |learner, (index, rows)| {
        let conversation = Conversation::new(rows.iter().map(turn).collect(), index as u64 + 1);
        learn_capture(&conversation.play(), learner)
    })
}

/// The descriptions of the folder that DISCOVERY_PRIOR names; without, none.
fn prior() -> Vec<Given> {
    let Ok(folder) = std::env::var("DISCOVERY_PRIOR") else { return Vec::new() };
    let mut reader = Reader::default();
    for file in tapwire_tests::files_below(Path::new(&folder), &|_| true) {
        reader.add(&file.display().to_string(), &fs::read(&file).expect("a readable description"));
    }
    reader.missing().iter().for_each(|name| reader.absent(name));
    let descriptions = reader.finish().descriptions.into_iter();
    descriptions.map(|one| Given { description: Arc::new(one), service: None }).collect()
}

fn report(name: &str, score: &Score) {
    println!(
        "{name}: {} requests, group accuracy {:.4}, {} templates of {} ({:.3} times), {} of noise",
        score.requests,
        score.accuracy(),
        score.templates,
        score.true_templates,
        score.inflation(),
        score.of_noise
    );
    for (size, line) in score.wrong.iter().take(std::env::var("WRONG").map_or(0, |n| n.parse().unwrap_or(0)))
    {
        println!("    {size} {line}");
    }
}

#[test]
#[ignore = "needs files of exchanges, named in DISCOVERY_ROWS, and DISCOVERY_PRIOR may name their descriptions: docs/inventory.md says how they are made"]
fn published_descriptions_are_grouped() {
    for path in std::env::var("DISCOVERY_ROWS").unwrap_or_default().split_whitespace() {
        let rows = read_rows(Path::new(path));
        let truths: Vec<Truth> = rows.iter().map(truth).collect();
        let mut learner = learn(&rows, Learner::with_prior(prior()));
        learner.inventory.settle();
        report(path, &score(&truths, learner.endpoints()));
        println!("{:?} {} bytes", learner.inventory.counters(), learner.inventory.template_bytes());
    }
}

#[test]
fn corpus_is_grouped() {
    let corpus = tapwire_tests::workspace().join("../shared/corpus/discovery");
    let Ok(requests) = fs::read_to_string(corpus.join("dev.requests.jsonl")) else {
        tapwire_testkit::peers::skipped("no corpus at ../shared/corpus");
        return;
    };
    let truths: Vec<Truth> = requests
        .lines()
        .map(|line| truth(&serde_json::from_str(line).expect("a JSON object a line")))
        .collect();
    let capture = Capture::read(&corpus.join("dev.pcap")).expect("the corpus has its capture");
    let mut learner = learn_capture(&capture, Learner::new());
    learner.inventory.settle();
    let hosts = learner.endpoints().map(|(host, method, template)| {
        (host.split(':').next().unwrap_or_default().to_owned(), method, template)
    });
    let score = score(&truths, hosts);
    report("corpus", &score);
    assert!(score.accuracy() >= 0.97 && score.inflation() <= 1.1 && score.of_noise == 0, "{score:?}");
}
