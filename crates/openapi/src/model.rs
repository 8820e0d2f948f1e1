//! What a description says, whichever version it is written in.

use crate::schema::{SchemaId, Schemas};
use crate::server::Server;
use std::collections::BTreeMap;

/// The version of OpenAPI that a description is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// 2.0, which was called Swagger.
    V2,
    /// 3.0.
    V30,
    /// 3.1 and later.
    V31,
}

/// A description of an API.
#[derive(Debug, Clone)]
pub struct Description {
    /// The file's name as it was given.
    pub file: String,
    /// Its title.
    pub title: String,
    /// The version it gives the API.
    pub version: String,
    /// The version of OpenAPI.
    pub dialect: Dialect,
    /// Where the API lives; at least one.
    pub servers: Vec<Server>,
    /// What can be called.
    pub paths: Vec<PathItem>,
    /// How callers prove who they are, by name.
    pub security_schemes: BTreeMap<String, SecurityScheme>,
    /// Every schema that operations lead to.
    pub schemas: Schemas,
}

/// A path with its operations.
#[derive(Debug, Clone)]
pub struct PathItem {
    /// The template without the server's base path: `/orders/{orderId}`.
    pub template: String,
    /// What can be called there.
    pub operations: Vec<Operation>,
}

/// A method of a path.
#[derive(Debug, Clone)]
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// `operationId`.
    pub id: Option<String>,
    /// Where it lives, if elsewhere than the API.
    pub servers: Option<Vec<Server>>,
    /// Whether it should not be used any more.
    pub deprecated: bool,
    /// Parameters of the path and its own.
    pub parameters: Vec<Parameter>,
    /// What is sent.
    pub request: Option<Body>,
    /// What is answered.
    pub responses: Vec<Response>,
    /// Alternatives of security schemes that hold together; empty where none is asked for.
    pub security: Vec<Vec<String>>,
}

impl Operation {
    /// Whether nobody may call without proof of who they are.
    pub fn needs_proof(&self) -> bool {
        !self.security.is_empty() && self.security.iter().all(|together| !together.is_empty())
    }

    /// What is answered with that status: its own entry, else that of its class, else the default.
    pub fn response(&self, status: u16) -> Option<&Response> {
        let of = |range: StatusRange| self.responses.iter().find(move |response| response.status == range);
        of(StatusRange::Code(status))
            .or_else(|| of(StatusRange::Class(u8::try_from(status / 100).unwrap_or(0))))
            .or_else(|| of(StatusRange::Default))
    }

    /// The parameter of that place and name; names of headers know no capitals.
    pub fn parameter(&self, place: ParameterPlace, name: &str) -> Option<&Parameter> {
        let same = |known: &str| match place {
            ParameterPlace::Header => known.eq_ignore_ascii_case(name),
            _ => known == name,
        };
        self.parameters.iter().find(|parameter| parameter.place == place && same(&parameter.name))
    }
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParameterPlace {
    /// In the path.
    Path,
    /// In the query string.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
}

impl ParameterPlace {
    /// As OpenAPI spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name; of a query parameter that is an object, the object's.
    pub name: String,
    /// Where it stands.
    pub place: ParameterPlace,
    /// Whether it is always there.
    pub required: bool,
    /// Whether it should not be used any more.
    pub deprecated: bool,
    /// What it looks like.
    pub schema: Option<SchemaId>,
}

/// What is sent or answered in one media type.
#[derive(Debug, Clone)]
pub struct Content {
    /// In small letters, without parameters: `application/json`, `text/*`.
    pub media_type: String,
    /// What it looks like.
    pub schema: Option<SchemaId>,
}

impl Content {
    /// Whether a media type, in small letters and without parameters, is this one.
    pub fn is(&self, media_type: &str) -> bool {
        match self.media_type.strip_suffix('*') {
            Some("*/") => true,
            Some(prefix) => media_type.starts_with(prefix),
            None => self.media_type == media_type,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Body {
    /// Whether it is always there.
    pub required: bool,
    /// By media type.
    pub content: Vec<Content>,
}

/// Which answers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusRange {
    /// This status.
    Code(u16),
    /// `4XX`.
    Class(u8),
    /// All that are not named.
    Default,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// With which status.
    pub status: StatusRange,
    /// By media type; empty where nothing is said of a body.
    pub content: Vec<Content>,
}

/// How callers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecurityScheme {
    /// The scheme of `Authorization`, in small letters.
    Http(String),
    /// A key in a parameter of that place and name.
    ApiKey(ParameterPlace, String),
    /// OAuth 2.0.
    OAuth2,
    /// OpenID Connect.
    OpenIdConnect,
    /// A client's certificate.
    MutualTls,
}
