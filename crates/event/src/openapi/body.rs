//! What is sent and answered: media types, statuses, and what bodies look like.

use super::document::Document;
use super::names::{Names, shown_media_type};
use super::schema;
use std::collections::BTreeMap;
use tapwire_inventory::{BodySchema, Endpoint, Schemas};

/// What was sent, where something was.
pub(super) fn request(endpoints: &[&Endpoint], names: &mut Names<'_>) -> Option<Document> {
    let sent: Vec<&BodySchema> = learned(endpoints).flat_map(Schemas::requests).collect();
    if sent.is_empty() {
        return None;
    }
    let calls: u64 = endpoints.iter().map(|endpoint| endpoint.calls).sum();
    let always = sent.iter().map(|body| body.schema.bodies()).sum::<u64>() >= calls;
    let content = content(&sent, endpoints.len() > 1, names);
    Some(Document::map().with("required", always).with("content", content))
}

/// What was answered, by status. What a body looks like is learned by class: each code of it has the same.
pub(super) fn responses(endpoints: &[&Endpoint], names: &mut Names<'_>) -> Document {
    let mut codes: BTreeMap<u16, u64> = BTreeMap::new();
    for count in learned(endpoints).flat_map(Schemas::codes).filter(|count| (100..=599).contains(&count.code))
    {
        *codes.entry(count.code).or_default() += count.calls;
    }
    let mut responses = Document::map();
    for (code, calls) in &codes {
        let bodies: Vec<&BodySchema> = learned(endpoints)
            .flat_map(Schemas::answers)
            .filter(|answer| u16::from(answer.class) == code / 100)
            .map(|answer| &answer.body)
            .collect();
        let content =
            if has_body(*code) { content(&bodies, endpoints.len() > 1, names) } else { Document::map() };
        let mut response = Document::map().with("description", description(*code));
        if !content.is_empty() {
            response.put("content", content);
        }
        responses.put(&code.to_string(), response.with("x-tapwire-calls", *calls));
    }
    if responses.is_empty() {
        responses.put("default", Document::map().with("description", "No answer was seen."));
    }
    responses
}

/// Whether an answer of that status may have a body (RFC 9110, 6.4.1).
const fn has_body(code: u16) -> bool {
    !matches!(code, 100..=199 | 204 | 304)
}

/// The class of a status in words: what exactly each means stands in RFC 9110.
const fn description(code: u16) -> &'static str {
    match code / 100 {
        1 => "Informational, as seen in traffic.",
        2 => "Success, as seen in traffic.",
        3 => "Redirection, as seen in traffic.",
        4 => "Refused, as seen in traffic.",
        _ => "Failed, as seen in traffic.",
    }
}

fn learned<'e>(endpoints: &[&'e Endpoint]) -> impl Iterator<Item = &'e Schemas> {
    endpoints.iter().filter_map(|endpoint| endpoint.schemas())
}

/// Bodies by media type. Where several operations share a path, each has schemas of its own.
fn content(bodies: &[&BodySchema], shared: bool, names: &mut Names<'_>) -> Document {
    let mut by_type: BTreeMap<String, Document> = BTreeMap::new();
    for body in bodies {
        let media_type = match &*body.media_type {
            "" if body.format.is_none() && body.schema.nodes().is_empty() => continue,
            named => shown_media_type(named).to_owned(),
        };
        let schema = if shared { Document::map() } else { schema::body(body, names) };
        let content = match schema.is_empty() {
            true => Document::map(),
            false => Document::map().with("schema", schema),
        };
        let place = by_type.entry(media_type).or_insert_with(Document::map);
        if place.is_empty() {
            *place = content;
        }
    }
    Document::Map(by_type.into_iter().collect())
}
