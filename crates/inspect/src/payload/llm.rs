//! Language models: chat, completions, responses, messages and embeddings, told by their shape and not by their host.

use super::notes::{Notes, Value, Want};
use crate::percent;
use crate::style::{Fact, Facts, Name, Said, Spoken, Style};

pub(crate) const STYLE: Style = Style {
    name: "llm",
    summary: "model, tokens used, tools offered and called, why it stopped; the operation stays the path's",
    told_by: "`model` with `messages`, `prompt`, `input` or `contents`, answered by choices or a count of tokens",
    read,
};

/// Names of tools that are listed.
const LISTED: usize = 32;

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let (asked, answered) = (spoken.asked, spoken.answered);
    let refused = spoken.response.and_then(|head| head.status).is_some_and(|status| status >= 400);
    // Some stream their answers as plain text.
    let otherwise = spoken.response_payload.format.is_some_and(|format| format != "text") && !refused;
    let of_path = model_of_path(spoken.path);
    if said.operation.is_some() || !is_model(asked, answered, of_path.is_some(), otherwise) {
        return;
    }
    let streamed =
        asked.marks.iter().any(|mark| mark.want == Want::Stream && mark.value == Value::Truth(true))
            || spoken.response_payload.format == Some("sse")
            || spoken.is_message;
    let mut facts = facts(asked, answered, of_path);
    facts.push(("streamed", Fact::Truth(streamed)));
    said.protocols.push(STYLE.name);
    said.facts.push(("llm", facts));
}

/// A question by its shape, unless it is answered with something else and not refused; or an answer by its shape.
fn is_model(asked: &Notes, answered: &Notes, of_path: bool, otherwise: bool) -> bool {
    let answers = answered.has(Want::InputTokens) || answered.has(Want::OutputTokens);
    let question = asked.has(Want::Prompt) && (asked.has(Want::Model) || of_path);
    answers && (answered.has(Want::Model) || answered.has(Want::Choices) || asked.has(Want::Prompt))
        || answered.has(Want::Choices) && (question || answered.has(Want::Model))
        || question && (!otherwise || answered.has(Want::Model))
}

/// The model that stands in the path: `/v1beta/models/gemini-2.0-flash:generateContent` of Gemini, and
/// `/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse` of Bedrock.
fn model_of_path(path: &[u8]) -> Option<Name> {
    let mut segments =
        path.split(|byte| *byte == b'/').skip_while(|one| !matches!(*one, b"models" | b"model"));
    let (kind, segment) = (segments.next()?, segments.next()?);
    if kind == b"models" {
        return Some(Name::new(segment.get(..memchr::memchr(b':', segment)?)?));
    }
    let calls = [&b"converse"[..], b"converse-stream", b"invoke", b"invoke-with-response-stream"];
    calls.contains(&segments.next()?).then(|| Name::new(&percent::decode(segment, 512)))
}

fn facts(asked: &Notes, answered: &Notes, of_path: Option<Name>) -> Facts {
    let text = |want| answered.texts(want).chain(asked.texts(want)).next().cloned();
    let mut facts = Facts::new();
    facts.extend(text(Want::Model).or(of_path).map(|model| ("model", Fact::Name(model))));
    let count = |want| answered.numbers(want).next_back().and_then(|count| u64::try_from(count).ok());
    let (input, output) = (count(Want::InputTokens), count(Want::OutputTokens));
    let both = || Some(input?.saturating_add(output.unwrap_or(0)));
    let total = count(Want::TotalTokens).or_else(both);
    let tokens = [("input_tokens", input), ("output_tokens", output), ("total_tokens", total)];
    facts.extend(tokens.into_iter().filter_map(|(key, count)| Some((key, Fact::Count(count?)))));
    let mut more = false;
    for (key, notes, want) in [("tools", asked, Want::OfferedTool), ("tool_calls", answered, Want::ToolCall)]
    {
        let names: Vec<Fact> = notes.texts(want).take(LISTED).cloned().map(Fact::Name).collect();
        more |= notes.more || notes.count(want) > LISTED;
        facts.extend((!names.is_empty()).then_some((key, Fact::List(names))));
    }
    facts.extend(text(Want::StopReason).map(|reason| ("stop_reason", Fact::Name(reason))));
    facts.extend(more.then_some(("more", Fact::Truth(true))));
    facts
}
