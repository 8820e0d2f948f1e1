//! What was seen against what is described.

use super::fields;
use crate::{Endpoint, Inventory, Schemas};
use std::sync::Arc;
use tapwire_inspect::fields::Step;
use tapwire_openapi::{Content, Description, Kinds, Look, Operation, ParameterPlace, SecurityScheme};

/// A way in which traffic differs from a description; what matters most stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// Calls without credential were answered with 2xx, and the description asks for one.
    MissingAuthentication,
    /// A path that is not described.
    UndocumentedEndpoint,
    /// A method that is not described, on a path that is.
    UndocumentedMethod,
    /// A member of a body that is not described.
    UndocumentedField,
    /// A parameter that is not described.
    UndocumentedParameter,
    /// A value of another type than is described.
    TypeMismatch,
    /// A member that is always there by the description, and was not in an answer.
    MissingField,
    /// A value that is not of the described format.
    FormatMismatch,
    /// A value that is not among the described choices.
    UndocumentedValue,
    /// A number, a text or an array that is smaller or larger than is described.
    OutOfBounds,
    /// A status that is not described.
    UndocumentedStatus,
    /// A media type that is not described.
    UndocumentedContentType,
    /// Described as deprecated, and still answering.
    DeprecatedUsed,
    /// Described, and not seen.
    Orphan,
}

impl DifferenceKind {
    /// As output spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingAuthentication => "missing-authentication",
            Self::UndocumentedEndpoint => "undocumented-endpoint",
            Self::UndocumentedMethod => "undocumented-method",
            Self::UndocumentedField => "undocumented-field",
            Self::UndocumentedParameter => "undocumented-parameter",
            Self::TypeMismatch => "type-mismatch",
            Self::MissingField => "missing-field",
            Self::FormatMismatch => "format-mismatch",
            Self::UndocumentedValue => "undocumented-value",
            Self::OutOfBounds => "out-of-bounds",
            Self::UndocumentedStatus => "undocumented-status",
            Self::UndocumentedContentType => "undocumented-content-type",
            Self::DeprecatedUsed => "deprecated-used",
            Self::Orphan => "orphan",
        }
    }
}

/// A message of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What is sent.
    Request,
    /// What is answered with a status of that class, 1 to 5.
    Response(u8),
}

/// One step of a path into a body. Names are content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldStep {
    /// A member.
    Key(Box<str>),
    /// Any member of a map.
    Value,
    /// Any element.
    Item,
}

/// What differs. Names in it are content: they leave only through redaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// The operation as a whole.
    Operation,
    /// A status.
    Status(u16),
    /// A parameter: its place as OpenAPI spells it, and its name.
    Parameter(&'static str, Box<str>),
    /// A media type.
    MediaType(Side, Box<str>),
    /// A field of a body.
    Field(Side, Vec<FieldStep>),
}

/// A difference between traffic and a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which way.
    pub kind: DifferenceKind,
    /// The method.
    pub method: Arc<str>,
    /// The path template.
    pub template: Arc<str>,
    /// The operation, where one path has many. Content.
    pub operation: Option<Arc<str>>,
    /// What differs.
    pub spot: Spot,
    /// What is described, in words of OpenAPI; empty where nothing is.
    pub described: String,
    /// What was seen, in the same words.
    pub seen: String,
    /// Values that were seen, which say it better where they may leave. Content.
    pub values: Vec<String>,
    /// Calls that show it.
    pub calls: u64,
}

impl Inventory {
    /// How a service differs from what describes it: what matters most first, then what most calls show.
    pub fn differences(&self, service: &str) -> Vec<Difference> {
        let mut found = Vec::new();
        for endpoint in self.endpoints().filter(|endpoint| &*endpoint.service == service) {
            let description = endpoint
                .documented
                .and_then(|documented| self.descriptions().get(documented.description))
                .map(|given| &*given.description);
            match (endpoint.documented, description, self.documented(endpoint)) {
                (_, Some(description), Some(operation)) => {
                    Comparison { endpoint, description, operation, found: &mut found }.all();
                }
                (Some(_), ..) => found.push(of(endpoint, DifferenceKind::UndocumentedMethod)),
                (None, ..) => found.push(of(endpoint, DifferenceKind::UndocumentedEndpoint)),
            }
        }
        for orphan in self.orphans().into_iter().filter(|orphan| &*orphan.service == service) {
            found.push(Difference {
                kind: DifferenceKind::Orphan,
                method: (*orphan.method).into(),
                template: orphan.template,
                operation: None,
                spot: Spot::Operation,
                described: String::new(),
                seen: String::new(),
                values: Vec::new(),
                calls: 0,
            });
        }
        found.sort_by(|a, b| {
            let place = |one: &Difference| (one.template.clone(), one.method.clone(), one.spot.clone());
            (a.kind, std::cmp::Reverse(a.calls))
                .cmp(&(b.kind, std::cmp::Reverse(b.calls)))
                .then(place(a).cmp(&place(b)))
        });
        found
    }

    /// Whether an endpoint differs in nothing from the operation that it is described as; `None` where it is not.
    pub fn conforms(&self, endpoint: &Endpoint) -> Option<bool> {
        let operation = self.documented(endpoint)?;
        let description = &*self.descriptions().get(endpoint.documented?.description)?.description;
        let mut found = Vec::new();
        Comparison { endpoint, description, operation, found: &mut found }.all();
        Some(found.is_empty())
    }
}

/// A difference of an endpoint as a whole.
fn of(endpoint: &Endpoint, kind: DifferenceKind) -> Difference {
    Difference {
        kind,
        method: Arc::clone(&endpoint.method),
        template: Arc::clone(&endpoint.template),
        operation: endpoint.operation.clone(),
        spot: Spot::Operation,
        described: String::new(),
        seen: String::new(),
        values: Vec::new(),
        calls: endpoint.calls,
    }
}

/// An endpoint beside its description.
pub(super) struct Comparison<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) description: &'a Description,
    pub(super) operation: &'a Operation,
    pub(super) found: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    fn all(&mut self) {
        let open = self.endpoint.proofs.open;
        if self.operation.needs_proof() && open > 0 {
            self.add(DifferenceKind::MissingAuthentication, Spot::Operation, ("", "no credential"), open);
        }
        let [_, ok, redirected, ..] = self.endpoint.status.classes;
        if self.operation.deprecated && ok + redirected > 0 {
            self.add(DifferenceKind::DeprecatedUsed, Spot::Operation, ("", ""), ok + redirected);
        }
        if let Some(schemas) = self.endpoint.schemas() {
            self.parameters(schemas);
            self.statuses(schemas);
            self.requests(schemas);
            self.answers(schemas);
        }
    }

    pub(super) fn add(
        &mut self,
        kind: DifferenceKind,
        spot: Spot,
        (described, seen): (&str, &str),
        calls: u64,
    ) {
        let (described, seen) = (described.to_owned(), seen.to_owned());
        self.found.push(Difference { spot, described, seen, calls, ..of(self.endpoint, kind) });
    }

    fn parameters(&mut self, schemas: &Schemas) {
        let schema = schemas.parameters();
        for node in schema.nodes() {
            let place = match node.step {
                Step::Query => ParameterPlace::Query,
                Step::Header => ParameterPlace::Header,
                // Browsers send every cookie they have to every path.
                _ => continue,
            };
            let name = node.name();
            if self.is_proof(place, name) || is_elsewhere(place, name) {
                continue;
            }
            let spot = Spot::Parameter(place.name(), name.into());
            // `filter[state]` and `ids[]` are parts of `filter` and `ids`.
            let outer = name.split('[').next().unwrap_or(name);
            let known =
                self.operation.parameter(place, name).or_else(|| self.operation.parameter(place, outer));
            let Some(known) = known else {
                self.add(DifferenceKind::UndocumentedParameter, spot, ("", ""), node.bodies);
                continue;
            };
            let Some(described) = known.schema.filter(|_| outer == name && !schema.is_repeated(node)) else {
                continue;
            };
            let Look::Known { kinds, .. } = self.description.schemas.look(described, []) else { continue };
            if let Some(wrong) = fields::mismatch(node, false, kinds) {
                self.add(DifferenceKind::TypeMismatch, spot.clone(), (&words(kinds), &wrong), node.bodies);
            }
            self.values(&spot, node, false, &self.description.schemas.limits(&[described], &[]));
        }
    }

    /// Whether a parameter says who calls: its own credential, or a key that the description knows as one.
    fn is_proof(&self, place: ParameterPlace, name: &str) -> bool {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        let is_key = |scheme: &SecurityScheme| matches!(scheme, SecurityScheme::ApiKey(at, known) if *at == place && same(known));
        self.endpoint.proofs.iter().any(|proof| same(&proof.name))
            || self.description.security_schemes.values().any(is_key)
    }

    fn statuses(&mut self, schemas: &Schemas) {
        for count in schemas.codes() {
            if self.operation.response(count.code).is_none() {
                let kind = DifferenceKind::UndocumentedStatus;
                self.add(kind, Spot::Status(count.code), ("", ""), count.calls);
            }
        }
    }

    fn requests(&mut self, schemas: &Schemas) {
        let content = self.operation.request.as_ref().map(|body| body.content.as_slice()).unwrap_or_default();
        for body in schemas.requests() {
            self.body(Side::Request, body, content);
        }
    }

    fn answers(&mut self, schemas: &Schemas) {
        for answer in schemas.answers() {
            // Bodies are learned by class: they may be those of any status of it that came.
            let codes = schemas.codes().iter().map(|count| count.code);
            let codes = codes.filter(|code| code / 100 == u16::from(answer.class));
            let mut described = codes.filter_map(|code| self.operation.response(code)).peekable();
            if described.peek().is_none() {
                continue;
            }
            let content: Vec<Content> =
                described.flat_map(|response| response.content.iter().cloned()).collect();
            self.body(Side::Response(answer.class), &answer.body, &content);
        }
    }

    /// A body against the media types that are described for it.
    fn body(&mut self, side: Side, body: &crate::BodySchema, content: &[Content]) {
        if body.media_type.is_empty() {
            return;
        }
        let mine: Vec<&Content> = content.iter().filter(|one| one.is(&body.media_type)).collect();
        if mine.is_empty() {
            let described: Vec<&str> = content.iter().map(|one| one.media_type.as_str()).collect();
            let described = if described.is_empty() { "no body".to_owned() } else { described.join(", ") };
            let spot = Spot::MediaType(side, body.media_type.clone());
            let bodies = body.schema.bodies();
            self.add(DifferenceKind::UndocumentedContentType, spot, (&described, ""), bodies);
            return;
        }
        let schemas: Vec<_> = mine.iter().filter_map(|one| one.schema).collect();
        // Without a schema anything may be there; so it may in XML, whose names a description maps as it likes.
        if schemas.len() == mine.len() && matches!(body.format, Some("json" | "form" | "multipart")) {
            self.fields(side, body, &schemas);
        }
    }
}

/// Headers that OpenAPI describes elsewhere (3.1.0, 4.8.12.2.1).
fn is_elsewhere(place: ParameterPlace, name: &str) -> bool {
    place == ParameterPlace::Header
        && ["accept", "authorization", "content-type"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Kinds as people read them.
pub(super) fn words(kinds: Kinds) -> String {
    kinds.names().collect::<Vec<_>>().join(" or ")
}
