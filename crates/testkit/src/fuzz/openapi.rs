//! Descriptions of APIs from nobody knows where, one file or two that refer to each other.

use super::input::Choices;
use std::sync::Arc;
use tapwire_inspect::TokenKey;
use tapwire_inventory::{Config, Given, Inventory};
use tapwire_openapi::{Reader, Reading, SchemaId, Schemas, StatusRange, Step};

const NAMES: [&str; 4] = ["api.yaml", "api.json", "parts/other.yaml", "other.json"];

/// The first byte: how many files; then each with two bytes of length and its text, the last with all that is left.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let more = usize::from(choices.byte() % 3);
    let mut files: Vec<&[u8]> = Vec::new();
    for _ in 0..more {
        let most = usize::from(choices.word());
        files.push(choices.take(most));
    }
    files.push(choices.all());
    let reading = read(&files);
    let again = read(&files);
    assert_eq!(format!("{reading:?}"), format!("{again:?}"), "the same files say the same");
    let bytes: usize = files.iter().map(|file| file.len()).sum();
    assert!(reading.descriptions.len() <= files.len() && reading.faults.len() <= 1_000 + 10 * bytes);
    for description in &reading.descriptions {
        for path in &description.paths {
            path.operations.iter().for_each(|operation| {
                operation.needs_proof();
                (100..600).step_by(50).for_each(|status| _ = operation.response(status).is_some());
                let default = operation.responses.iter().any(|one| one.status == StatusRange::Default);
                assert!(!default || operation.response(599).is_some());
                let answered = operation.responses.iter().flat_map(|response| &response.content);
                let content = operation.request.iter().flat_map(|body| &body.content).chain(answered);
                let parameters = operation.parameters.iter().filter_map(|parameter| parameter.schema);
                let all = content.filter_map(|content| content.schema).chain(parameters);
                all.for_each(|schema| look(&description.schemas, schema));
            });
        }
    }
    prior(reading);
}

fn read(files: &[&[u8]]) -> Reading {
    let mut reader = Reader::default();
    files.iter().zip(NAMES).for_each(|(file, name)| reader.add(name, file));
    // Two rounds are enough: what is not there is said to be absent.
    for missing in reader.missing() {
        reader.absent(&missing);
    }
    assert_eq!(reader.missing(), Vec::<String>::new());
    reader.finish()
}

/// Paths into a value: what refers to itself ends.
fn look(schemas: &Schemas, schema: SchemaId) {
    assert!(schemas.get(schema).is_some(), "what is referred to is there");
    for name in schemas.required(schema) {
        schemas.look(schema, [Step::Key(name), Step::Item, Step::Value]);
        schemas.limits(&[schema], &[Step::Key(name), Step::Item, Step::Value]);
    }
    schemas.look(schema, [Step::Item; 20]);
    schemas.limits(&[schema], &[Step::Item; 20]);
}

/// What is read becomes an inventory's prior, with what was not seen yet.
fn prior(reading: Reading) {
    let given = reading.descriptions.into_iter();
    let given = given.map(|one| Given { description: Arc::new(one), service: Some("shop".into()) });
    let descriptions = given.collect();
    let inventory = Inventory::new(Config { descriptions, ..Config::new(TokenKey::new([7; 32])) });
    let _ = inventory.orphans().len();
}
