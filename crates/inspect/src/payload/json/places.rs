//! Places in JSON documents that styles of calls want to know of.
//!
//! A document is walked along this tree. What is in no branch of it stands [`Place::Nowhere`], and costs one comparison.

use crate::payload::notes::Want;

/// Where in a document a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Place {
    /// Where no style wants anything.
    #[default]
    Nowhere,
    /// The document, or an element of the array that it is.
    Root,
    Params,
    Result,
    Error,
    /// The two ends of an MCP session.
    Peer,
    /// MCP's lists of what there is, and what is in them.
    Definitions,
    Definition,
    /// GraphQL; over WebSocket a message has it in its payload (graphql-transport-ws).
    Payload,
    Document,
    Variables,
    Extensions,
    PersistedQuery,
    Errors,
    GraphQlError,
    GraphQlExtensions,
    /// Models: what an answer, a piece of one, or a message holds.
    ToolConfig,
    OfferedTools,
    OfferedTool,
    Choices,
    Message,
    Parts,
    Part,
    Calls,
    Function,
    Usage,
    /// A value that is wanted for itself.
    Leaf(Want),
    /// A value of which only the kind is wanted.
    Kind(Want),
    /// A value that is hashed.
    Hashed(Want),
    /// What kind of part of a model's message follows.
    PartKind,
}

use Place::{Hashed, Kind, Leaf, Nowhere};

impl Place {
    /// Where the member of that name stands.
    pub(super) fn member(self, name: &[u8]) -> Self {
        match (self, name) {
            (Nowhere, _) => Nowhere,
            (Self::Root, _) => root(name),
            (Self::Payload, _) => of_graphql(name),
            (Self::Variables, _) => Leaf(Want::Variable),
            (Self::Params, b"name") => Leaf(Want::ParamName),
            (Self::Params, b"uri") => Leaf(Want::ParamUri),
            (Self::Params | Self::Result, b"protocolVersion") => Leaf(Want::ProtocolVersion),
            (Self::Params, b"clientInfo") | (Self::Result, b"serverInfo") => Self::Peer,
            (Self::Result, b"isError") => Leaf(Want::IsError),
            (Self::Result, b"tools" | b"prompts" | b"resources" | b"resourceTemplates") => Self::Definitions,
            (Self::Error, b"code") => Leaf(Want::ErrorCode),
            (Self::Peer, b"name") => Leaf(Want::PeerName),
            (Self::Peer, b"version") => Leaf(Want::PeerVersion),
            (Self::Definition, b"name") => Leaf(Want::DefinedName),
            (Self::Definition, b"description") => Hashed(Want::Description),
            (Self::Definition, b"inputSchema") => Hashed(Want::Schema),
            (Self::Extensions, b"persistedQuery") => Self::PersistedQuery,
            (Self::PersistedQuery, b"sha256Hash") => Leaf(Want::PersistedHash),
            (Self::GraphQlError, b"extensions") => Self::GraphQlExtensions,
            (Self::GraphQlExtensions, b"code") => Leaf(Want::GraphQlCode),
            _ => of_models(self, name),
        }
    }

    /// Where the elements of an array that stands here stand.
    pub(super) const fn element(self) -> Self {
        match self {
            Self::Root => Self::Root,
            Self::Definitions => Self::Definition,
            Self::Errors => Self::GraphQlError,
            Self::OfferedTools => Self::OfferedTool,
            Self::Choices => Self::Message,
            Self::Parts | Self::Calls => Self::Part,
            _ => Nowhere,
        }
    }
}

fn root(name: &[u8]) -> Place {
    match name {
        b"jsonrpc" => Leaf(Want::JsonRpc),
        b"id" => Leaf(Want::RpcId),
        b"method" => Leaf(Want::Method),
        b"params" => Place::Params,
        b"result" => Place::Result,
        b"error" => Place::Error,
        b"payload" => Place::Payload,
        b"messages" | b"prompt" | b"input" | b"contents" => Kind(Want::Prompt),
        b"tools" => Place::OfferedTools,
        b"stream" => Leaf(Want::Stream),
        b"choices" | b"candidates" => Place::Choices,
        b"output" => Place::Parts,
        // Answers in pieces wrap what else stands at the root.
        b"response" | b"delta" => Place::Message,
        b"content_block" => Place::Part,
        // Bedrock's tools.
        b"toolConfig" => Place::ToolConfig,
        _ => match of_graphql(name) {
            Nowhere => of_models(Place::Message, name),
            place => place,
        },
    }
}

/// A question and an answer, at the root over HTTP and in the payload of a message over WebSocket.
fn of_graphql(name: &[u8]) -> Place {
    match name {
        b"query" => Place::Document,
        b"operationName" => Leaf(Want::OperationName),
        b"variables" => Place::Variables,
        b"extensions" => Place::Extensions,
        b"data" => Kind(Want::Data),
        b"errors" => Place::Errors,
        _ => Nowhere,
    }
}

/// The shapes of OpenAI's chat, completions and responses, Anthropic's messages, Gemini's contents, Ollama's chat and
/// Bedrock's converse.
fn of_models(place: Place, name: &[u8]) -> Place {
    match (place, name) {
        (Place::Message, b"message" | b"delta") => Place::Message,
        (Place::Message, b"model" | b"modelVersion") => Leaf(Want::Model),
        (Place::Message, b"content" | b"output" | b"parts") => Place::Parts,
        (Place::Message, b"tool_calls") => Place::Calls,
        (Place::Message, b"usage" | b"usageMetadata") => Place::Usage,
        (Place::Message, b"prompt_eval_count") => Leaf(Want::InputTokens),
        (Place::Message, b"eval_count") => Leaf(Want::OutputTokens),
        (
            Place::Message,
            b"finish_reason" | b"stop_reason" | b"finishReason" | b"done_reason" | b"stopReason",
        ) => Leaf(Want::StopReason),
        (Place::Parts, b"parts") => Place::Parts,
        (Place::Parts, b"message") => Place::Message,
        (Place::Part, b"type") => Place::PartKind,
        (Place::Part, b"name") => Leaf(Want::ToolCall),
        (Place::Part, b"function" | b"functionCall" | b"toolUse") => Place::Function,
        (Place::Function, b"name") => Leaf(Want::ToolCall),
        (Place::ToolConfig, b"tools") => Place::OfferedTools,
        (Place::OfferedTool, b"function" | b"toolSpec") => Place::OfferedTool,
        (Place::OfferedTool, b"name") => Leaf(Want::OfferedTool),
        (Place::Usage, b"prompt_tokens" | b"input_tokens" | b"promptTokenCount" | b"inputTokens") => {
            Leaf(Want::InputTokens)
        }
        (
            Place::Usage,
            b"completion_tokens" | b"output_tokens" | b"candidatesTokenCount" | b"outputTokens",
        ) => Leaf(Want::OutputTokens),
        (Place::Usage, b"total_tokens" | b"totalTokenCount" | b"totalTokens") => Leaf(Want::TotalTokens),
        _ => Nowhere,
    }
}
