//! What an exchange says by itself.

use crate::Token;
use crate::attempts::Attempt;
use crate::classes::Classes;
use crate::credential::{Claims, Issuance};
use crate::fields::FieldList;
use crate::marks::Marks;
use crate::style::{Operation, Said};
use std::sync::Arc;
use tapwire_protocol::{Anomalies, Exchange, Range};

/// Where in a request or response something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Place {
    /// The path.
    Path,
    /// The query string.
    Query,
    /// The user information of an absolute target.
    UserInfo,
    /// A request header.
    Header,
    /// A cookie.
    Cookie,
    /// The request body.
    Body,
}

/// What a path segment looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum SegmentKind {
    /// A fixed word of the API, as far as one exchange can tell.
    Word,
    /// A version such as `v1`: never a parameter.
    Version,
    /// A decimal integer.
    Integer,
    /// A UUID.
    Uuid,
    /// A long hexadecimal or base64-like identifier.
    Identifier,
    /// A calendar date.
    Date,
    /// An e-mail address.
    Email,
}

impl SegmentKind {
    /// What a decoded segment looks like; `index` counts segments from 0, since versions stand in front.
    pub fn of(text: &[u8], index: usize) -> Self {
        crate::segment::classify(text, index)
    }

    /// Whether such a segment is a parameter wherever it stands.
    pub const fn is_parameter(self) -> bool {
        !matches!(self, Self::Word | Self::Version)
    }
}

/// One segment of the path, as a range into the request head's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathSegment {
    /// Where it stands.
    pub range: Range,
    /// What it looks like.
    pub kind: SegmentKind,
}

/// One parameter of the query string, as ranges into the request head's text, still percent-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The name.
    pub name: Range,
    /// The value; empty without `=`.
    pub value: Range,
}

/// How a caller proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum CredentialKind {
    /// `Authorization: Bearer` with an opaque token.
    Bearer,
    /// A bearer token that is a JSON Web Token.
    Jwt,
    /// `Authorization: Basic`, or user information in a URL.
    Basic,
    /// An API key.
    ApiKey,
    /// A session cookie.
    Cookie,
    /// A password.
    Password,
    /// Another `Authorization` scheme.
    Other,
}

impl CredentialKind {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Jwt => "jwt",
            Self::Basic => "basic",
            Self::ApiKey => "api-key",
            Self::Cookie => "cookie",
            Self::Password => "password",
            Self::Other => "other",
        }
    }
}

/// A credential of a request; the secret itself is only kept as a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// Where it stands.
    pub place: Place,
    /// The parameter, header or cookie that holds it, as a range into the request head's text.
    pub name: Option<Range>,
    /// The keyed token of its secret.
    pub token: Token,
    /// The keyed token of the identity it names, where it names one (Basic user, JWT issuer and subject).
    pub identity: Option<Token>,
    /// The keyed token of the password beside that name, where `token` is one of both (Basic).
    pub password: Option<Token>,
    /// What it claims, where it is a JSON Web Token.
    pub claims: Option<Arc<Claims>>,
}

/// How far a body could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PayloadState {
    /// There was no body.
    #[default]
    Empty,
    /// Read to its end.
    Read,
    /// Read up to a hole, a cap or the end of what was captured.
    Partial,
    /// Its format has no parser here.
    Unknown,
    /// It is not what its Content-Type says.
    Invalid,
}

/// The 16 smallest hashes of a body's key paths: all of a small body's, and of larger ones a sample in which a path
/// that two bodies share stands for both or for none, but for paths beyond the largest of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeySample {
    hashes: [u32; 16],
    len: u8,
}

impl KeySample {
    /// Of a body without keys.
    pub const EMPTY: Self = Self { hashes: [0; 16], len: 0 };

    /// The hashes, rising.
    pub fn hashes(&self) -> &[u32] {
        self.hashes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether paths were left out.
    pub const fn is_full(&self) -> bool {
        self.len as usize == self.hashes.len()
    }

    /// Adds the hash of a path.
    pub fn add(&mut self, hash: u32) {
        let Err(at) = self.hashes().binary_search(&hash) else { return };
        let full = self.is_full();
        let end = usize::from(self.len) + usize::from(!full);
        let Some(moved) = self.hashes.get_mut(at..end).filter(|moved| !moved.is_empty()) else { return };
        moved.rotate_right(1);
        if let Some(place) = moved.first_mut() {
            *place = hash;
        }
        self.len += u8::from(!full);
    }
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The format's name in the `PAYLOADS` registry.
    pub format: Option<&'static str>,
    /// How far it was read.
    pub state: PayloadState,
    /// Bytes after content decoding.
    pub decoded_len: u64,
    /// Fields seen: JSON members or form fields, array elements of one key counted once.
    pub fields: u32,
    /// Hash of the key paths to depth 3; answers of one endpoint share it, where none of their members is optional.
    pub shape: u64,
    /// A sample of those key paths: it tells how alike two shapes are.
    pub keys: KeySample,
    /// Every field with what its values are; `None` where nothing was read, or the body is invalid.
    pub list: Option<Box<FieldList>>,
}

/// An exchange with what it says by itself.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The exchange.
    pub exchange: Exchange,
    /// The authority the request was sent to, lower-cased host with a port other than 80; from an absolute target or `Host`.
    pub authority: Option<String>,
    /// The path within the request head's text, without query.
    pub path: Option<Range>,
    /// The query string within the request head's text, without `?`.
    pub query: Option<Range>,
    /// The path's segments, at most 32.
    pub segments: Vec<PathSegment>,
    /// The query's parameters, at most 64.
    pub parameters: Vec<Parameter>,
    /// Credentials the request carried, at most 8.
    pub credentials: Vec<Credential>,
    /// What the request's head says to the API: path segments, query parameters, cookies, header fields of its own.
    pub request_fields: Option<Box<FieldList>>,
    /// Cookies that the response's head sets, and header fields of the API's own.
    pub response_fields: Option<Box<FieldList>>,
    /// Which credentials were asked for, handed out or ended; `None` for most exchanges.
    pub issuance: Option<Box<Issuance>>,
    /// The request's payload.
    pub request_payload: Payload,
    /// The response's payload.
    pub response_payload: Payload,
    /// What the payloads say in a style of calls, such as GraphQL; `None` where the path says what is called.
    pub said: Option<Box<Said>>,
    /// The names of data classes, where the configuration has some of its own.
    pub own_classes: Option<Arc<Classes>>,
    /// What inspection adds to the anomalies of the exchange.
    pub anomalies: Anomalies,
    /// Values of the request that are written to be executed, and what the answer says of them; `None` for nearly all.
    pub attempts: Option<Box<[Attempt]>>,
    /// What it says of how its service is built and kept.
    pub marks: Marks,
}

/// Memory of an observation that nobody looks at any more: an inspector fills it again.
#[derive(Debug, Default)]
pub struct Used {
    pub(crate) lists: [Option<Box<FieldList>>; 4],
}

impl Observation {
    /// An exchange in which nothing was said.
    pub fn of_nothing(exchange: Exchange) -> Self {
        Self {
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
            request_payload: Payload::default(),
            response_payload: Payload::default(),
            said: None,
            own_classes: None,
            anomalies: Anomalies::default(),
            attempts: None,
            marks: Marks::default(),
        }
    }

    /// The exchange, and what else can be filled again: see [`Inspector::reuse`](crate::Inspector::reuse).
    pub fn used(self) -> (Exchange, Used) {
        let Self { exchange, request_fields, response_fields, request_payload, response_payload, .. } = self;
        let lists = [request_fields, response_fields, request_payload.list, response_payload.list];
        (exchange, Used { lists })
    }

    /// What is called, where the path does not say it.
    pub fn operation(&self) -> Option<&Operation> {
        self.said.as_ref()?.operation.as_ref()
    }

    /// Bytes of the lists of fields, which come on top of what the exchange takes.
    pub fn held(&self) -> usize {
        let lists = [
            &self.request_fields,
            &self.response_fields,
            &self.request_payload.list,
            &self.response_payload.list,
        ];
        lists.into_iter().flatten().map(|list| list.bytes()).sum()
    }

    /// Whether the payload says that the call failed, whatever the status says.
    pub fn failed(&self) -> bool {
        self.said.as_ref().is_some_and(|said| said.failed)
    }
}
