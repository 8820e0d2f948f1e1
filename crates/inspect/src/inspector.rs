//! The inspector: exchanges and body parts in, observations out.

use crate::attempts::{Answer, Attempts, text};
use crate::body::{BodyReader, Inspected, Spares};
use crate::content::Caps;
use crate::credential::Credentials;
use crate::fields::{Equipment, HeadFields};
use crate::ids::IdKey;
use crate::marks::Marks;
use crate::open::OpenBodies;
use crate::payload::{Login, Notes};
use crate::style::{self, Said, Spoken};
use crate::target::{self, Target};
use crate::{Config, Observation, Parameter, Payload, Tokens, Used};
use std::sync::Arc;
use tapwire_protocol::{Anomalies, Anomaly, BodyPart, Exchange, Head, Message, Seen};

/// Turns exchanges into observations. Its only state is that of messages whose body parts came ahead, and caches that
/// change no result.
pub struct Inspector {
    config: Config,
    credentials: Credentials,
    /// Of requests, and of bodies of which parts come ahead: whose they are is not known then.
    spares: Spares,
    /// Of answers.
    answering: Spares,
    asked: HeadFields,
    answered: HeadFields,
    open: OpenBodies,
    counters: Counters,
    attempts: Attempts,
    /// Of sessions that payloads name.
    tokens: Tokens,
}

/// What an inspector could not do. Each is counted once a message, orphan parts once a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Open messages given up because too many were open; their payload reads as partial.
    pub evicted_messages: u64,
    /// Body parts of messages that were given up before.
    pub orphan_parts: u64,
    /// Values of requests that may be attacks and were not looked at, or not to their end, because there were too many.
    pub unread_values: u64,
    /// Answers to attacks of which the beginning alone was searched.
    pub unread_answers: u64,
}

impl Counters {
    /// Adds those of another inspector.
    pub const fn add(&mut self, other: Self) {
        let Self { evicted_messages, orphan_parts, unread_values, unread_answers } = other;
        self.evicted_messages += evicted_messages;
        self.orphan_parts += orphan_parts;
        self.unread_values += unread_values;
        self.unread_answers += unread_answers;
    }
}

impl Inspector {
    /// With nothing open.
    pub fn new(config: Config) -> Self {
        let ids = IdKey::new(config.token_key.table_key());
        let equipment =
            Equipment { classes: Arc::clone(&config.classes), ids, max_ids: config.max_ids, odd: true };
        let answering = Equipment { odd: false, ..equipment.clone() };
        Self {
            credentials: Credentials::new(Tokens::new(config.token_key.clone())),
            tokens: Tokens::new(config.token_key.clone()),
            open: OpenBodies::new(config.max_open_messages, config.max_open_bytes),
            asked: HeadFields::new(&equipment),
            answered: HeadFields::new(&answering),
            spares: Spares::new(equipment),
            answering: Spares::new(answering),
            counters: Counters::default(),
            attempts: Attempts::default(),
            config,
        }
    }

    /// What could not be done so far.
    pub const fn counters(&self) -> Counters {
        let unread = self.attempts.unread();
        Counters { unread_values: unread.values, unread_answers: unread.answers, ..self.counters }
    }

    /// Takes back what it made of an exchange, to fill it again. It changes no result.
    pub fn reuse(&mut self, used: Used) {
        used.lists.into_iter().flatten().for_each(|list| self.spares.take_list(list));
    }

    /// Takes a part of a long body. Parts of one message come in order, before their exchange.
    pub fn part(&mut self, part: &BodyPart) {
        if let Some((content_type, content_encoding)) = &part.content {
            let content_type = (!content_type.is_empty()).then_some(content_type.as_slice());
            let body = BodyReader::new(content_type, content_encoding, &mut self.spares);
            self.open.insert(part.message, body.keeping_begin());
            self.give_up_excess();
        }
        let caps = self.caps();
        match self.open.get(part.message) {
            Some(body) => {
                body.feed(&part.bytes, caps, &mut self.spares);
                self.open.measure(part.message);
                self.give_up_excess();
            }
            None => self.counters.orphan_parts += 1,
        }
    }

    fn give_up_excess(&mut self) {
        while let Some(given_up) = self.open.excess() {
            self.counters.evicted_messages += 1;
            given_up.finish(false, &mut self.spares);
        }
    }

    /// Says what an exchange says by itself, with the parts that came ahead of it.
    pub fn exchange(&mut self, mut exchange: Exchange) -> Observation {
        let (asked, answered) = (self.spares.list(), self.spares.list());
        self.asked.reuse(asked);
        self.answered.reuse(answered);
        let request = self.message(&mut exchange.request, false);
        let mut response = self.message(&mut exchange.response, true);
        response.payload.list.iter_mut().for_each(|list| list.forget_odd());
        let mut observation = Observation {
            exchange,
            authority: None,
            path: None,
            query: None,
            segments: Vec::new(),
            parameters: Vec::new(),
            credentials: Vec::new(),
            request_fields: None,
            response_fields: None,
            issuance: None,
            request_payload: request.payload,
            response_payload: response.payload,
            said: None,
            own_classes: self.config.classes.own().then(|| Arc::clone(&self.config.classes)),
            anomalies: request.anomalies | response.anomalies,
            attempts: None,
            marks: Marks::default(),
        };
        self.request(&mut observation);
        observation.response_fields = observation
            .exchange
            .response
            .as_deref()
            .and_then(|response| self.answered.of_response(&response.head));
        self.name_fields(&mut observation);
        let (said, odd) = self.said(&observation, request.notes.as_deref(), response.notes.as_deref());
        observation.said = said;
        observation.anomalies |= odd;
        let described = || self.described_login(&observation, request.notes.as_deref());
        let login = request.login.or_else(described);
        if let Some(login) = login.as_ref().filter(|login| !login.password().is_empty()) {
            observation.credentials.push(self.credentials.of_login(login));
        }
        let answered = response.login.as_ref();
        observation.issuance = {
            let answer =
                || text(observation.exchange.response.as_deref(), &response.begin, self.config.caps());
            self.credentials.issuance(&observation, login.as_ref(), answered, &answer)
        };
        if observation.exchange.child.is_none() {
            let mut answer = Answer::new(&observation.exchange, &response.begin, self.config.caps());
            observation.attempts = self.attempts.of(&observation, &request.begin, &mut answer);
        }
        observation.marks = Marks::of(&observation);
        observation
    }

    /// Everything that the request's head says.
    fn request(&mut self, observation: &mut Observation) {
        let Some(head) = observation.exchange.request_head() else { return };
        let target = target::split(head).unwrap_or_default();
        observation.authority = authority(head, &target);
        observation.path = target.path;
        observation.query = target.query;
        observation.segments = target.path.map(|path| target::segments(head, path)).unwrap_or_default();
        observation.parameters =
            target.query.map(|query| target::parameters(head, query)).unwrap_or_default();
        observation.credentials = self.credentials.of_head(head, &target, &observation.parameters);
        observation.request_fields =
            self.asked.of_request(head, &observation.segments, &observation.parameters);
    }

    /// What the payloads say in the style they are written in, and what is odd about it.
    fn said(
        &mut self,
        observation: &Observation,
        asked: Option<&Notes>,
        answered: Option<&Notes>,
    ) -> (Option<Box<Said>>, Anomalies) {
        let exchange = &observation.exchange;
        let head = exchange.request_head();
        let format = observation.request_payload.format;
        let is_usual = matches!(format, None | Some("json" | "form" | "xml" | "text"));
        let parameters = parameters(observation);
        let says_nothing = asked.is_none() && answered.is_none() && is_usual && parameters.is_empty();
        if says_nothing && !head.is_some_and(style::speaks_by_head) {
            return (None, Anomalies::default());
        }
        let empty = Notes::default();
        let path = head.zip(observation.path).map(|(head, path)| head.slice(path).bytes());
        // The end of a stream has the trailers; what else a child knows of heads is its parent's.
        let own = exchange.response.as_deref().map(|response| &response.head);
        let own = own.filter(|head| exchange.child.is_none() || !head.fields.is_empty());
        let mut spoken = Spoken {
            request: head,
            response: own.or_else(|| exchange.response_head()),
            response_payload: &observation.response_payload,
            asked: asked.unwrap_or(&empty),
            answered: answered.unwrap_or(&empty),
            path: path.unwrap_or_default(),
            parameters: &parameters,
            descriptors: &self.config.descriptors,
            tokens: &mut self.tokens,
            is_message: exchange.child.is_some(),
            answered_whole: is_whole(exchange),
            anomalies: Anomalies::default(),
        };
        (style::read(&mut spoken), spoken.anomalies)
    }

    /// Gives the fields of gRPC's messages the names that a description has for them.
    fn name_fields(&self, observation: &mut Observation) {
        let descriptors = &self.config.descriptors;
        if descriptors.is_empty() {
            return;
        }
        let Observation { exchange, path, request_payload, response_payload, .. } = observation;
        let Some((head, path)) = exchange.request_head().zip(*path) else { return };
        let path = String::from_utf8_lossy(head.slice(path).bytes());
        for (payload, answer) in [(request_payload, false), (response_payload, true)] {
            if let (Some("grpc"), Some(list)) = (payload.format, &mut payload.list) {
                list.name_numbers(|numbers| {
                    let (name, _) = descriptors.field(&path, answer, numbers)?;
                    name.rsplit('.').next().map(str::to_owned)
                });
            }
        }
    }

    /// A password in a message of gRPC, where its description names the field.
    fn described_login(&self, observation: &Observation, asked: Option<&Notes>) -> Option<Login> {
        let descriptors = &self.config.descriptors;
        let frames = asked?.frames.as_ref().filter(|_| !descriptors.is_empty())?;
        let head = observation.exchange.request_head()?;
        frames.login(descriptors, &String::from_utf8_lossy(head.slice(observation.path?).bytes()))
    }

    fn message(&mut self, message: &mut Option<Box<Message>>, answers: bool) -> Inspected {
        let Some(message) = message.as_deref() else { return Inspected::default() };
        let ahead = message.body.parts.then(|| self.open.remove(message.id));
        let body = match ahead {
            Some(Some(body)) => body,
            Some(None) => return Inspected { payload: lost(message), ..Inspected::default() },
            None if message.body.len == 0 && message.body.bytes.is_empty() => return Inspected::default(),
            None => self.begin(message, answers),
        };
        self.end(message, body, answers)
    }

    fn begin(&mut self, message: &Message, answers: bool) -> BodyReader {
        let value = |name: &[u8]| message.head.header(name).map(|value| value.bytes());
        let own = message.body.media_type.map(str::as_bytes);
        let content_type = own.or_else(|| value(b"content-type")).filter(|value| !value.is_empty());
        let content_encoding = value(b"content-encoding").unwrap_or_default();
        let spares = if answers { &mut self.answering } else { &mut self.spares };
        BodyReader::new(content_type, content_encoding, spares)
    }

    fn end(&mut self, message: &Message, mut body: BodyReader, answers: bool) -> Inspected {
        let caps = self.caps();
        let spares = if answers && !message.body.parts { &mut self.answering } else { &mut self.spares };
        body.feed(&message.body.bytes, caps, spares);
        let whole = !message.body.cut
            && message.body.missed == 0
            && matches!(message.seen, Seen::Complete | Seen::Capped);
        body.finish(whole, spares)
    }

    const fn caps(&self) -> Caps {
        self.config.caps()
    }
}

/// Whether an exchange has ended and nothing of its answer is missing: what the answer does not say, it does not have.
fn is_whole(exchange: &Exchange) -> bool {
    const UNSURE: [Anomaly; 3] =
        [Anomaly::UnknownFields, Anomaly::LostHeaderBlock, Anomaly::InvalidHeaderBlock];
    let whole =
        |message: &Message| message.seen == Seen::Complete && !message.body.cut && message.body.missed == 0;
    exchange.child.is_none()
        && exchange.response.as_deref().is_some_and(whole)
        && !UNSURE.into_iter().any(|anomaly| exchange.anomalies.contains(anomaly))
}

/// The query parameters that a style may be told by; none in most exchanges.
fn parameters(observation: &Observation) -> Vec<(&[u8], &[u8])> {
    const TELL: &[&[u8]] = &[b"query", b"extensions", b"Action"];
    const READ: &[&[u8]] = &[b"variables", b"operationName"];
    let Some(request) = observation.exchange.request.as_deref() else { return Vec::new() };
    let name = |parameter: &Parameter| request.head.slice(parameter.name).bytes();
    if !observation.parameters.iter().any(|parameter| TELL.contains(&name(parameter))) {
        return Vec::new();
    }
    let value = |parameter: &Parameter| request.head.slice(parameter.value).bytes();
    let read = observation.parameters.iter().map(|parameter| (name(parameter), value(parameter)));
    read.filter(|(name, _)| TELL.contains(name) || READ.contains(name)).collect()
}

/// The payload of a message whose state was given up.
fn lost(message: &Message) -> Payload {
    let content_type = message.head.header(b"content-type").map_or(&b""[..], |value| value.bytes());
    Payload {
        format: crate::payload::by_media_type(content_type).map(|format| format.name),
        state: crate::PayloadState::Partial,
        ..Payload::default()
    }
}

/// The authority that a request was sent to, as [`Observation::authority`] has it.
pub fn request_authority(head: &Head) -> Option<String> {
    authority(head, &target::split(head).unwrap_or_default())
}

/// The authority of the target, else that of `Host`. An absolute target wins (RFC 9112, 3.2.2).
fn authority(head: &Head, target: &Target) -> Option<String> {
    match target.authority {
        Some(range) => target::normalise(head.slice(range).bytes(), target.https),
        None => target::normalise(head.header(b"host")?.bytes(), false),
    }
}

#[cfg(test)]
mod tests;
