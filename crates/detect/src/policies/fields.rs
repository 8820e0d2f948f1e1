//! What policies may ask of an endpoint: the fields of their expressions.

use std::borrow::Cow;
use tapwire_expr::{FieldId, FieldNames, Kind, Value};
use tapwire_inspect::Mark;
use tapwire_inspect::classes::ClassId;
use tapwire_inspect::fields::Step;
use tapwire_inventory::{Endpoint, Inventory, Schema, State, States};

/// A field of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct EndpointField {
    /// Its name in expressions.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, with its unit.
    pub doc: &'static str,
    get: Get,
}

#[derive(Debug, Clone, Copy)]
enum Get {
    Value(for<'a> fn(&View<'a>) -> Value<'a>),
    Mark(Mark),
}

/// An endpoint before a policy.
pub(crate) struct View<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) states: &'a States,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) tagged: Tagged,
}

/// Data classes that fields of an endpoint are tagged with, by where they stand.
#[derive(Default)]
pub(crate) struct Tagged {
    answers: Vec<ClassId>,
    requests: Vec<ClassId>,
    urls: Vec<ClassId>,
}

impl Tagged {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let mut tagged = Self::default();
        let Some(schemas) = endpoint.schemas() else { return tagged };
        for answer in schemas.answers().iter().filter(|answer| answer.class == 2) {
            add(&mut tagged.answers, &answer.body.schema, |_| true);
        }
        for request in schemas.requests() {
            add(&mut tagged.requests, &request.schema, |_| true);
        }
        add(&mut tagged.urls, schemas.parameters(), |step| matches!(step, Step::Segment | Step::Query));
        tagged
    }

    /// Whether enough values were seen for what a mark says; single values may look like something by chance.
    fn bears_out(&self, mark: Mark) -> bool {
        let means = |class: &ClassId| mark.means(*class) == Some(true);
        match mark {
            Mark::UrlSensitive | Mark::UrlPersonal => self.urls.iter().any(means),
            Mark::RequestSensitive => self.requests.iter().chain(&self.urls).any(means),
            _ => self.answers.iter().any(means),
        }
    }
}

fn add(classes: &mut Vec<ClassId>, schema: &Schema, wanted: impl Fn(Step) -> bool) {
    for node in schema.nodes().iter().filter(|node| wanted(node.step)) {
        for class in node.data_classes() {
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
    }
}

impl<'a> View<'a> {
    /// The value of a field, by the last `window` calls that could show it.
    pub(crate) fn value(&self, field: FieldId, window: u32) -> Value<'a> {
        match FIELDS.get(usize::from(field.0)).map(|field| field.get) {
            Some(Get::Value(get)) => get(self),
            Some(Get::Mark(mark)) => Value::Bool(self.has(mark, window)),
            None => Value::Unknown,
        }
    }

    fn has(&self, mark: Mark, window: u32) -> bool {
        let history = &self.endpoint.history;
        if mark.among() == mark {
            return history.among(mark) > 0;
        }
        let about_data = mark.means(ClassId::FIRST).is_some();
        history.lately(mark, window) && (!about_data || self.tagged.bears_out(mark))
    }
}

const fn field(
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    get: for<'a> fn(&View<'a>) -> Value<'a>,
) -> EndpointField {
    EndpointField { name, kind, doc, get: Get::Value(get) }
}

const fn mark(mark: Mark) -> EndpointField {
    EndpointField { name: mark.name(), kind: Kind::Bool, doc: mark.meaning(), get: Get::Mark(mark) }
}

/// Every field of endpoints, in the order of lists. Truths are about the calls seen last: "lately" is the last 100 calls
/// that could show it.
pub const FIELDS: &[EndpointField] = &[
    field("service", Kind::Text, "where the API lives", |v| Value::text(v.endpoint.service.as_bytes())),
    field("method", Kind::Text, "request method", |v| Value::text(v.endpoint.method.as_bytes())),
    field("template", Kind::Text, "path template", |v| Value::text(v.endpoint.template.as_bytes())),
    field("operation", Kind::Text, "what is called, where one path has many", |v| {
        v.endpoint.operation.as_deref().map(|name| Value::text(name.as_bytes())).into()
    }),
    field("protocols", Kind::List, "what its calls were spoken in", |v| {
        words(v.endpoint.protocols.iter().copied())
    }),
    field(
        "states",
        Kind::List,
        "documented, undocumented, shadow, zombie, dormant, non-production, new",
        |v| words(v.states.of(v.inventory, v.endpoint).iter().map(State::name)),
    ),
    field("documented", Kind::Bool, "a description that was given has it", |v| {
        Value::Bool(v.inventory.documented(v.endpoint).is_some())
    }),
    field("owner", Kind::Text, "who answers for it, by context files", |v| {
        v.inventory.owner(v.endpoint.id).map(|owner| Value::Text(owner.as_bytes().to_vec().into())).into()
    }),
    field("zone", Kind::Text, "the zone of its servers, by context files", |v| {
        v.inventory.zone(v.endpoint.id).map(|zone| Value::Text(zone.as_bytes().to_vec().into())).into()
    }),
    field("tags", Kind::List, "its tags, by context files", |v| {
        let tags = v.inventory.tags(v.endpoint.id);
        Value::List(tags.iter().map(|tag| Cow::Owned(tag.as_bytes().to_vec())).collect())
    }),
    field("calls", Kind::Int, "calls placed here", |v| Value::count(v.endpoint.calls)),
    field("callers", Kind::Int, "distinct callers, at most 64", |v| {
        Value::count(v.endpoint.callers.count().0 as u64)
    }),
    field("first_seen", Kind::Time, "its first call", |v| Value::Int(v.endpoint.first_seen.nanos())),
    field("last_seen", Kind::Time, "its last call", |v| Value::Int(v.endpoint.last_seen.nanos())),
    field("status", Kind::List, "classes of status that were answered: 2xx", |v| {
        let names = ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(v.endpoint.status.classes);
        words(names.filter(|(_, calls)| *calls > 0).map(|(name, _)| name))
    }),
    field(
        "auth",
        Kind::List,
        "kinds of credentials that came: jwt, bearer, api-key, cookie, basic, password",
        |v| words(v.endpoint.auth.iter().map(|(kind, _)| kind.name())),
    ),
    field(
        "unauthenticated_share",
        Kind::Int,
        "percent of the last 64 calls answered with 2xx that had no credentials",
        |v| v.endpoint.history.share(Mark::Open).map(|share| Value::Int(share.into())).into(),
    ),
    field("data_classes", Kind::List, "data classes that answers are tagged with", |v| {
        classes(&v.tagged.answers)
    }),
    field("request_data_classes", Kind::List, "data classes that request bodies are tagged with", |v| {
        classes(&v.tagged.requests)
    }),
    field("url_data_classes", Kind::List, "data classes that path and query are tagged with", |v| {
        classes(&v.tagged.urls)
    }),
    mark(Mark::Ok),
    mark(Mark::Encrypted),
    mark(Mark::Tokened),
    mark(Mark::SessionSet),
    mark(Mark::ClearText),
    mark(Mark::PublicClients),
    mark(Mark::PublicClearText),
    mark(Mark::Egress),
    mark(Mark::AroundGateway),
    mark(Mark::Basic),
    mark(Mark::Open),
    mark(Mark::RequestSensitive),
    mark(Mark::UrlSensitive),
    mark(Mark::UrlPersonal),
    mark(Mark::AnswerSensitive),
    mark(Mark::AnswerFinancial),
    mark(Mark::AnswerNationalId),
    mark(Mark::AnswerHealth),
    mark(Mark::AnswerPersonal),
    mark(Mark::AnswerOwn),
    mark(Mark::AnswerCard),
    mark(Mark::AnswerCardSecret),
    mark(Mark::AnswerKey),
    mark(Mark::AnswerPassword),
    mark(Mark::SharedCache),
    mark(Mark::Traced),
    mark(Mark::Introspected),
    mark(Mark::Listing),
    mark(Mark::VerboseError),
    mark(Mark::VersionShown),
    mark(Mark::Sniffable),
    mark(Mark::NoHsts),
    mark(Mark::CorsNull),
    mark(Mark::CorsAny),
    mark(Mark::CorsForeign),
    mark(Mark::CookieInClear),
    mark(Mark::CookieScripted),
    mark(Mark::CookieCrossSite),
    mark(Mark::TokenUnsigned),
    mark(Mark::TokenEndless),
    mark(Mark::TokenLong),
    mark(Mark::OldTls),
    mark(Mark::WeakCipher),
    mark(Mark::CertificateOver),
    mark(Mark::CertificateEnds),
];

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Value<'a> {
    Value::List(words.map(|word| Cow::Borrowed(word.as_bytes())).collect())
}

fn classes<'a>(classes: &[ClassId]) -> Value<'a> {
    words(classes.iter().filter_map(|class| Some(class.builtin()?.name)))
}

/// The mark of a field, where it is one.
pub(crate) fn mark_of(field: FieldId) -> Option<Mark> {
    match FIELDS.get(usize::from(field.0))?.get {
        Get::Mark(mark) => Some(mark),
        Get::Value(_) => None,
    }
}

/// The names that may stand in policies.
pub(crate) struct Names;

impl FieldNames for Names {
    fn find(&self, name: &str) -> Option<(FieldId, Kind)> {
        let at = FIELDS.iter().position(|field| field.name == name)?;
        let field = FIELDS.get(at)?;
        Some((FieldId(u16::try_from(at).ok()?), field.kind))
    }

    fn names(&self) -> Vec<&str> {
        FIELDS.iter().map(|field| field.name).collect()
    }
}
