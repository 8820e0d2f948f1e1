//! What parsers note of a body for the styles of calls to read.

use super::graphql::Asked;
use super::grpc::Frames;
use super::multipart::Part;
use super::xml::XmlCall;
use crate::style::Name;

/// Notes on one body. Empty for most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// Values of JSON bodies that a style wants, in their order.
    pub(crate) marks: Vec<Mark>,
    /// What is asked in GraphQL.
    pub(crate) graphql: Option<Box<Asked>>,
    /// A bit for each want that was met.
    pub(crate) seen: u64,
    /// Elements of a GraphQL answer's `errors`, and whether its `data` is null.
    pub(crate) errors: u32,
    pub(crate) no_data: bool,
    /// The form field `Action`.
    pub(crate) action: Option<Name>,
    /// A call in XML.
    pub(crate) xml: Option<Box<XmlCall>>,
    /// gRPC's messages.
    pub(crate) frames: Option<Box<Frames>>,
    /// Parts of a multipart body, the first of them, and how many there were.
    pub(crate) parts: Vec<Part>,
    pub(crate) part_count: u64,
    /// Whether there was more than is kept.
    pub(crate) more: bool,
}

/// A value that a style wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) want: Want,
    /// Which element of a batch, or which event of a stream, it belongs to.
    pub(crate) element: u32,
    pub(crate) value: Value,
}

/// What is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Text(Name),
    Number(i64),
    /// A number that is no whole one, or does not fit: it is stated nowhere.
    OtherNumber,
    Truth(bool),
    Digest([u8; 8]),
    /// Null, an object, an array, or a value whose own is not kept.
    Null,
    Object,
    Array,
}

impl Value {
    /// As JSON Schema spells the type.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Number(_) | Self::OtherNumber => "number",
            Self::Truth(_) => "boolean",
            Self::Object | Self::Digest(_) => "object",
            Self::Array => "array",
            Self::Null => "null",
        }
    }
}

macro_rules! wants {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What is wanted of JSON bodies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub(crate) enum Want { $($(#[doc = $doc])+ $name,)+ }

        impl Want {
            /// Its bit in a set.
            pub(crate) const fn bit(self) -> u64 {
                1 << self as u8
            }
        }
    };
}

wants! {
    /// JSON-RPC's version, which tells it from other JSON.
    JsonRpc,
    /// JSON-RPC's method.
    Method,
    /// By what a JSON-RPC answer is known to belong to its call.
    RpcId,
    /// A name that the parameters hold: MCP's tool or prompt.
    ParamName,
    /// A resource that the parameters hold, by its URI.
    ParamUri,
    /// Whether an answer has a result.
    Result,
    /// Whether an answer has an error.
    Error,
    /// An error's code.
    ErrorCode,
    /// MCP's version, asked or answered.
    ProtocolVersion,
    /// Name of MCP's client or server.
    PeerName,
    /// Version of MCP's client or server.
    PeerVersion,
    /// Whether an MCP tool failed.
    IsError,
    /// A definition in a list begins.
    Definition,
    /// The name of what is defined.
    DefinedName,
    /// What a definition says to a model.
    Description,
    /// The schema of what a definition takes.
    Schema,
    /// A GraphQL document that could be read as one.
    Query,
    /// A GraphQL document that began as one and could not be read to its end.
    BrokenQuery,
    /// The GraphQL operation that is meant; kept with the documents.
    OperationName,
    /// The name of a GraphQL variable; its type follows as a mark of its own.
    Variable,
    /// The type of a GraphQL variable's value.
    VariableType,
    /// The hash that a persisted GraphQL query is known by.
    PersistedHash,
    /// What a GraphQL answer has for data.
    Data,
    /// The code of a GraphQL error.
    GraphQlCode,
    /// A model's name.
    Model,
    /// Whether an answer in pieces is asked for.
    Stream,
    /// What a model is asked with: messages, a prompt, contents.
    Prompt,
    /// What a model answered with: choices, candidates.
    Choices,
    /// A tool that a model may call.
    OfferedTool,
    /// A tool that a model calls.
    ToolCall,
    /// Tokens of the question.
    InputTokens,
    /// Tokens of the answer.
    OutputTokens,
    /// Tokens of both.
    TotalTokens,
    /// Why a model stopped.
    StopReason,
}

impl Notes {
    /// The texts of one want, in their order.
    pub(crate) fn texts(&self, want: Want) -> impl DoubleEndedIterator<Item = &Name> {
        self.marks.iter().filter(move |mark| mark.want == want).filter_map(|mark| match &mark.value {
            Value::Text(name) => Some(name),
            _ => None,
        })
    }

    /// The numbers of one want, in their order.
    pub(crate) fn numbers(&self, want: Want) -> impl DoubleEndedIterator<Item = i64> {
        self.marks.iter().filter(move |mark| mark.want == want).filter_map(|mark| match mark.value {
            Value::Number(number) => Some(number),
            _ => None,
        })
    }

    /// How many marks of one want.
    pub(crate) fn count(&self, want: Want) -> usize {
        self.marks.iter().filter(|mark| mark.want == want).count()
    }

    /// Whether a want was met.
    pub(crate) const fn has(&self, want: Want) -> bool {
        self.seen & want.bit() != 0
    }
}
