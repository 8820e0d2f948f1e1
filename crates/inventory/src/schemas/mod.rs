//! Schemas: what the requests and the answers of an endpoint consist of, learned from what passes.
//!
//! For each endpoint there is a [`Schema`] of the parameters of its requests, one of request bodies for each media type,
//! and one of answers for each class of status and media type. A body whose fields come in an order that was met before
//! costs counters only; nothing is allocated for it. How much all schemas may take is limited; what finds no room is
//! counted.
//!
//! To read one: walk [`Schema::nodes`] or [`Schema::children`] from node 0, the document, and ask each [`Node`] for its
//! [types](Node::types), [format](Node::format), [choices](Node::choices) and bounds, and the schema whether it is
//! [required](Schema::is_required). Names and choices are content: they leave only through redaction.

mod maps;
mod node;
mod room;
mod saved;
mod tree;
mod values;

pub use node::{ClassCount, Node};
pub(crate) use room::Room;
pub use tree::Schema;

use crate::endpoint::status;
use crate::hashing::Keyed;
use tapwire_inspect::fields::{FieldList, Step};
use tapwire_inspect::{Observation, Payload, PayloadState};
use tapwire_protocol::Head;

/// Media types of one endpoint and direction, or class of status, that have a schema of their own.
const MAX_BODIES: usize = 8;
/// Status codes that are counted each.
const MAX_CODES: usize = 12;
/// Bytes of a media type, and of a body's schema with it and without nodes.
const MAX_MEDIA_TYPE: usize = 64;
const BODY_BYTES: usize = size_of::<AnswerSchema>() + MAX_MEDIA_TYPE;

/// A name that the program has for good. As a type of its own it is no text that a reader could borrow.
pub type OwnName = &'static str;

/// What bodies of one media type consist of.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct BodySchema {
    /// The media type without parameters, in lower case; empty where none was stated.
    pub media_type: Box<str>,
    /// The format in which it was read; `None` where there is no parser for it, and no schema.
    #[serde(with = "crate::state::names::format")]
    pub format: Option<OwnName>,
    /// What is learned; empty of bodies that could not be read.
    pub schema: Schema,
}

impl BodySchema {
    /// Whether the format has types; where not, everything is text.
    pub fn is_typed(&self) -> bool {
        !matches!(self.format, Some("form" | "xml" | "multipart") | None)
    }
}

/// What answers of one class of status and media type consist of.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct AnswerSchema {
    /// 1 to 5 for 1xx to 5xx; 0 where the status was not seen.
    pub class: u8,
    /// Their bodies; of answers without, one of no media type and no schema.
    pub body: BodySchema,
}

/// How often a status code came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CodeCount {
    /// The code.
    pub code: u16,
    /// Answers.
    pub calls: u64,
}

/// Everything that is learned of the messages of one endpoint.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Schemas {
    parameters: Schema,
    requests: Vec<BodySchema>,
    answers: Vec<AnswerSchema>,
    headers: Schema,
    codes: Vec<CodeCount>,
}

impl Schemas {
    /// The parameters of requests: nodes of the steps `Segment`, `Query`, `Header` and `Cookie` beside each other. Those of
    /// the path have the number of their segment for a name, counted from 0. Everything is text.
    pub const fn parameters(&self) -> &Schema {
        &self.parameters
    }

    /// Request bodies, by media type, in the order they were first seen.
    pub fn requests(&self) -> &[BodySchema] {
        &self.requests
    }

    /// Answers, by class of status and media type, in the order they were first seen.
    pub fn answers(&self) -> &[AnswerSchema] {
        &self.answers
    }

    /// Header fields of answers that are the API's own, and cookies that they set.
    pub const fn headers(&self) -> &Schema {
        &self.headers
    }

    /// Status codes, sorted.
    pub fn codes(&self) -> &[CodeCount] {
        &self.codes
    }

    /// Takes in a call. `is_parameter` says which segments of the path are.
    pub(crate) fn learn(
        &mut self,
        observation: &Observation,
        is_parameter: impl Fn(usize) -> bool,
        room: &mut Room,
        hashing: &Keyed,
    ) {
        let wanted =
            |step: Step, name: &[u8]| step != Step::Segment || number(name).is_some_and(&is_parameter);
        take(&mut self.parameters, observation.request_fields.as_deref(), wanted, room, hashing);
        if observation.exchange.response.is_some() {
            take(&mut self.headers, observation.response_fields.as_deref(), |_, _| true, room, hashing);
        }
        if let Some(code) = status(observation) {
            self.count_code(code, 1);
        }
        self.hear(observation, room, hashing);
    }

    /// Takes in the bodies alone: of a message on an exchange that goes on.
    pub(crate) fn hear(&mut self, observation: &Observation, room: &mut Room, hashing: &Keyed) {
        let exchange = &observation.exchange;
        let payload = &observation.request_payload;
        if let (Some(_), false) = (&exchange.request, payload.state == PayloadState::Empty) {
            let media_type = media_type(exchange.request_head());
            if let Some(body) = body(&mut self.requests, media_type, payload.format, room) {
                learn_body(body, payload, room, hashing);
            }
        }
        if exchange.response.is_some() {
            let code = status(observation).unwrap_or(0) / 100;
            let class = u8::try_from(code).ok().filter(|class| *class < 6).unwrap_or(0);
            self.answer(class, observation, room, hashing);
        }
    }

    fn answer(&mut self, class: u8, observation: &Observation, room: &mut Room, hashing: &Keyed) {
        let payload = &observation.response_payload;
        let empty = payload.state == PayloadState::Empty;
        let media_type = if empty { b"" } else { media_type(observation.exchange.response_head()) };
        let known = |one: &AnswerSchema| {
            one.class == class && one.body.format == payload.format && is(&one.body.media_type, media_type)
        };
        let at = self.answers.iter().position(known);
        let at = match at {
            Some(at) => at,
            None => {
                let of_class = self.answers.iter().filter(|one| one.class == class).count();
                if of_class >= MAX_BODIES || !room.take(BODY_BYTES) {
                    room.leave_out(u64::from(of_class >= MAX_BODIES));
                    return;
                }
                let body = new_body(media_type, payload.format);
                self.answers.push(AnswerSchema { class, body });
                self.answers.len() - 1
            }
        };
        if let Some(answer) = self.answers.get_mut(at) {
            learn_body(&mut answer.body, payload, room, hashing);
        }
    }

    fn count_code(&mut self, code: u16, calls: u64) {
        match self.codes.binary_search_by_key(&code, |known| known.code) {
            Ok(at) => self.codes.get_mut(at).into_iter().for_each(|known| known.calls += calls),
            Err(at) if self.codes.len() < MAX_CODES => self.codes.insert(at, CodeCount { code, calls }),
            Err(_) => {}
        }
    }

    /// Takes in what was learned of an endpoint that turned out to be this one.
    pub(crate) fn absorb(&mut self, other: Self, room: &mut Room, hashing: &Keyed) {
        self.parameters.absorb(other.parameters, room, hashing);
        self.headers.absorb(other.headers, room, hashing);
        other.codes.iter().for_each(|one| self.count_code(one.code, one.calls));
        for mut theirs in other.requests {
            room.give(BODY_BYTES);
            match body(&mut self.requests, theirs.media_type.as_bytes(), theirs.format, room) {
                Some(mine) => mine.schema.absorb(theirs.schema, room, hashing),
                None => theirs.schema.leave(room),
            }
        }
        for theirs in other.answers {
            self.absorb_answer(theirs, room, hashing);
        }
    }

    fn absorb_answer(&mut self, mut theirs: AnswerSchema, room: &mut Room, hashing: &Keyed) {
        let of_class = self.answers.iter().filter(|mine| mine.class == theirs.class).count();
        let same = self.answers.iter_mut().find(|mine| {
            let (mine, theirs) = ((mine.class, &mine.body), (theirs.class, &theirs.body));
            (mine.0, &mine.1.media_type, mine.1.format) == (theirs.0, &theirs.1.media_type, theirs.1.format)
        });
        match same {
            None if of_class < MAX_BODIES => return self.answers.push(theirs),
            Some(mine) => mine.body.schema.absorb(theirs.body.schema, room, hashing),
            None => theirs.body.schema.leave(room),
        }
        room.give(BODY_BYTES);
    }

    /// Bytes that were taken from the room.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let requests = self.requests.iter().map(|body| BODY_BYTES + body.schema.bytes());
        let answers = self.answers.iter().map(|answer| BODY_BYTES + answer.body.schema.bytes());
        let bodies: usize = requests.chain(answers).sum();
        size_of::<Self>() + self.parameters.bytes() + self.headers.bytes() + bodies
    }

    /// The path template changed: other segments are parameters now.
    pub(crate) fn retitle(&mut self, room: &mut Room) {
        self.parameters.forget(room);
    }
}

fn take(
    schema: &mut Schema,
    list: Option<&FieldList>,
    wanted: impl Fn(Step, &[u8]) -> bool,
    room: &mut Room,
    hashing: &Keyed,
) {
    match list {
        Some(list) => schema.learn(list, wanted, room, hashing),
        None => schema.count(),
    }
}

fn learn_body(body: &mut BodySchema, payload: &Payload, room: &mut Room, hashing: &Keyed) {
    take(&mut body.schema, payload.list.as_deref(), |_, _| true, room, hashing);
}

/// The body of that media type, made where it is not there and there is room.
fn body<'a>(
    bodies: &'a mut Vec<BodySchema>,
    media_type: &[u8],
    format: Option<&'static str>,
    room: &mut Room,
) -> Option<&'a mut BodySchema> {
    let known = |one: &BodySchema| one.format == format && is(&one.media_type, media_type);
    if let Some(at) = bodies.iter().position(known) {
        return bodies.get_mut(at);
    }
    if bodies.len() >= MAX_BODIES {
        room.leave_out(1);
        return None;
    }
    if !room.take(BODY_BYTES) {
        return None;
    }
    bodies.push(new_body(media_type, format));
    bodies.last_mut()
}

fn new_body(media_type: &[u8], format: Option<&'static str>) -> BodySchema {
    let media_type = media_type.get(..MAX_MEDIA_TYPE).unwrap_or(media_type);
    let media_type = String::from_utf8_lossy(media_type).to_ascii_lowercase().into();
    let schema = if format == Some("grpc") { Schema::numbered() } else { Schema::default() };
    BodySchema { media_type, format, schema }
}

fn is(known: &str, media_type: &[u8]) -> bool {
    media_type.get(..MAX_MEDIA_TYPE).unwrap_or(media_type).eq_ignore_ascii_case(known.as_bytes())
}

/// The media type that a head states, without parameters.
pub(crate) fn media_type(head: Option<&Head>) -> &[u8] {
    let value = head.and_then(|head| head.header(b"content-type")).map_or(&b""[..], |value| value.bytes());
    value.split(|byte| matches!(byte, b';' | b',')).next().unwrap_or_default().trim_ascii()
}

/// The number of a segment.
fn number(name: &[u8]) -> Option<usize> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
