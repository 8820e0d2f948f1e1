use super::*;
use crate::transcript::exchange;
use crate::{Config, Inspector, Observation, TokenKey};

fn observe(request: &str, response: &str) -> Observation {
    let mut inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
    inspector.exchange(exchange(1, request.as_bytes(), response.as_bytes()))
}

/// A question and an answer, both of that type.
fn post(content_type: &str, question: &str, answer: &str) -> Observation {
    observe(
        &format!("POST /api HTTP/1.1\r\nHost: shop\r\nContent-Type: {content_type}\r\n\r\n{question}"),
        &format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n{answer}"),
    )
}

fn json(question: &str, answer: &str) -> Observation {
    post("application/json", question, answer)
}

fn operation(observation: &Observation) -> &str {
    observation.operation().map_or("none", |operation| operation.name.as_str())
}

/// A fact as text.
fn shown(fact: &Fact) -> String {
    let group = |facts: &Facts| {
        let members: Vec<String> = facts.iter().map(|(key, fact)| format!("{key}={}", shown(fact))).collect();
        format!("{{{}}}", members.join(" "))
    };
    match fact {
        Fact::Count(count) => count.to_string(),
        Fact::Number(number) => number.to_string(),
        Fact::Truth(truth) => truth.to_string(),
        Fact::Own(word) => (*word).to_owned(),
        Fact::Name(name) => name.as_str().to_owned(),
        Fact::Content(text) => format!("<{}>", text.as_str()),
        Fact::Token(_) => "token".to_owned(),
        Fact::Digest(_) => "digest".to_owned(),
        Fact::List(facts) => format!("[{}]", facts.iter().map(shown).collect::<Vec<_>>().join(",")),
        Fact::Group(facts) => group(facts),
    }
}

#[track_caller]
fn says(observation: &Observation, style: &str, expected: &[(&str, &str)]) {
    let said = observation.said.as_deref().expect("a style");
    for (key, value) in expected {
        let fact = said.fact(style, key).map(shown);
        assert_eq!(fact.as_deref(), Some(*value), "{style}.{key} of {:?}", said.facts(style));
    }
}

#[test]
fn usual_exchanges_say_nothing() {
    for (question, answer) in [
        ("{\"id\":1,\"name\":\"x\"}", "{\"data\":[{\"method\":\"card\"}],\"model\":\"T\"}"),
        ("{\"query\":\"red shoes\",\"page\":1}", "{\"result\":{\"tools\":[{\"name\":\"saw\"}]}}"),
        (
            "{\"method\":\"GET\",\"params\":{\"name\":\"x\"}}",
            "{\"content\":[{\"type\":\"a\",\"name\":\"b\"}]}",
        ),
        ("{\"model\":\"X5\",\"input\":\"diesel\"}", "{\"price\":17}"),
        ("{\"query\":{\"match\":{\"a\":1}}}", "{\"error\":{\"code\":3}}"),
    ] {
        assert_eq!(json(question, answer).said, None, "{question} {answer}");
    }
    assert_eq!(observe("GET /a?query=red+shoes&Action=a%20b HTTP/1.1\r\n\r\n", "").said, None);
}

#[test]
fn json_rpc_single_and_batch() {
    let call = json(
        "{\"jsonrpc\":\"2.0\",\"method\":\"subtract\",\"params\":[42,23],\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"result\":19,\"id\":1}",
    );
    assert_eq!((operation(&call), call.failed()), ("subtract", false));
    assert_eq!(call.said.as_ref().map(|said| said.protocols.clone()), Some(vec!["json-rpc"]));
    let batch = json(
        "[{\"id\":1,\"method\":\"b\",\"jsonrpc\":\"2.0\"},{\"jsonrpc\":\"2.0\",\"method\":\"a\"},{\"method\":\"c\"}]",
        "[{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"no\"},\"id\":1},{\"jsonrpc\":\"2.0\",\"error\":null}]",
    );
    assert_eq!((operation(&batch), batch.failed()), ("a, b", true));
    says(
        &batch,
        "jsonrpc",
        &[("calls", "2"), ("methods", "[a,b]"), ("errors", "1"), ("error_codes", "[-32603]")],
    );
}

#[test]
fn method_that_does_not_exist_is_no_operation() {
    let call = json(
        "{\"jsonrpc\":\"2.0\",\"method\":\"foobar\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":1}",
    );
    assert!(call.operation().is_some_and(|operation| operation.unknown));
}

#[test]
fn hostile_names_are_cut_and_counted() {
    let long = "x".repeat(5000);
    let call = json(&format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{long}\"}}"), "");
    assert_eq!(operation(&call), "x".repeat(128));
    let many: Vec<String> =
        (0..5000).map(|n| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"m{n}\"}}")).collect();
    let call = json(&format!("[{}]", many.join(",")), "");
    assert!(operation(&call).len() <= 256 && operation(&call).ends_with('…'));
    says(&call, "jsonrpc", &[("more", "true")]);
}

#[test]
fn mcp_initialize_names_both_ends() {
    let call = json(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},
           "clientInfo":{"name":"inspector","version":"0.16.1"}}}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-03-26","serverInfo":{"name":"weather","version":"1.2"}}}"#,
    );
    assert_eq!(operation(&call), "initialize");
    assert_eq!(call.said.as_ref().map(|said| said.protocols.clone()), Some(vec!["json-rpc", "mcp"]));
    says(
        &call,
        "mcp",
        &[
            ("protocol_version", "2025-03-26"),
            ("client", "{name=inspector version=0.16.1}"),
            ("server", "{name=weather version=1.2}"),
        ],
    );
}

#[test]
fn mcp_tool_is_the_operation_and_its_failure_is_kept() {
    let call = json(
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_weather","arguments":{"name":"x"}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"no such place"}],"isError":true}}"#,
    );
    assert_eq!((operation(&call), call.failed()), ("tools/call get_weather", true));
    says(&call, "mcp", &[("tool", "get_weather"), ("tool_failed", "true")]);
}

const TOOLS: &str = r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[
    {"name":"get_weather","description":"The weather","inputSchema":{"type":"object","properties":{"city":{"type":"string"}}}},
    {"description":"Adds","name":"add","inputSchema":{"type":"object"}}]}}"#;

fn tools(answer: &str) -> Fact {
    let call = json(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#, answer);
    call.said.as_deref().and_then(|said| said.fact("mcp", "tools")).cloned().expect("tools")
}

#[test]
fn mcp_definitions_have_hashes_that_change_with_them() {
    let before = tools(TOOLS);
    assert_eq!(
        shown(&before),
        "[{name=get_weather description=digest schema=digest},{name=add description=digest schema=digest}]"
    );
    assert_eq!(before, tools(&TOOLS.replace("\":", "\" :  ")), "white space is no change");
    assert_ne!(before, tools(&TOOLS.replace("The weather", "The weather. Send it to me")));
    assert_ne!(before, tools(&TOOLS.replace("city", "town")));
}

const GRAPHQL: &str = r#"query Orders($first: Int = 10, $tags: [String!]) @live(if: true) {
    viewer { id } # the caller
    mine: orders(first: $first, filter: {tags: $tags}) { ...Line total: sum(round: """up "down" """) }
} fragment Line on Order { lines { sku } }"#;

fn quoted(text: &str) -> String {
    text.replace('"', "\\\"").replace('\n', "\\n")
}

#[test]
fn graphql_post() {
    let call = json(
        &format!(
            "{{\"query\":\"{}\",\"variables\":{{\"first\":1}},\"operationName\":\"Orders\"}}",
            quoted(GRAPHQL)
        ),
        "{\"data\":null,\"errors\":[{\"message\":\"no\",\"extensions\":{\"code\":\"FORBIDDEN\"}},{\"message\":\"no\"}]}",
    );
    assert_eq!((operation(&call), call.failed()), ("query Orders {orders viewer}", true));
    says(
        &call,
        "graphql",
        &[
            ("type", "query"),
            ("name", "Orders"),
            ("root_fields", "[viewer,orders]"),
            ("variables", "[{name=first type=Int},{name=tags type=[String!]}]"),
            ("depth", "2"),
            ("fields", "6"),
            ("aliases", "2"),
            ("directives", "1"),
            ("fragments", "1"),
            ("introspection", "false"),
            ("errors", "2"),
            ("error_codes", "[FORBIDDEN]"),
        ],
    );
}

#[test]
fn graphql_get_batch_bare_and_persisted() {
    let get = observe(
        "GET /graphql?query=query%20A%7Bme%7Bid%7D%7D&variables=%7B%22a%22%3A1%7D HTTP/1.1\r\nHost: shop\r\n\r\n",
        "",
    );
    assert_eq!(operation(&get), "query A {me}");
    says(&get, "graphql", &[("variables", "[{name=a type=number}]")]);
    let batch =
        json("[{\"query\":\"{a}\"},{\"query\":\"mutation M {b(x: 1)}\"}]", "[{\"data\":{}},{\"data\":{}}]");
    assert_eq!(operation(&batch), "mutation M {b}, query {a}");
    says(
        &batch,
        "graphql",
        &[
            ("batch", "2"),
            ("operations", "[{type=query root_fields=[a]},{type=mutation name=M root_fields=[b]}]"),
        ],
    );
    let bare = post("application/graphql", "{ __schema { types { name } } }", "{}");
    says(&bare, "graphql", &[("introspection", "true"), ("depth", "3")]);
    let hash = "ab".repeat(32);
    let persisted = json(
        &format!("{{\"extensions\":{{\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"{hash}\"}}}}}}"),
        "{\"data\":null,\"errors\":[{\"extensions\":{\"code\":\"PERSISTED_QUERY_NOT_FOUND\"}}]}",
    );
    assert_eq!(operation(&persisted), "persisted abababababababab");
    assert!(persisted.operation().is_some_and(|operation| operation.unknown));
    says(&persisted, "graphql", &[("persisted", "digest")]);
}

#[test]
fn models_by_shape() {
    let chat = json(
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"secret"}],"tools":[{"type":"function","function":{"name":"find"}}]}"#,
        r#"{"id":"x","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant",
           "tool_calls":[{"id":"c","type":"function","function":{"name":"find","arguments":"{}"}}]},"finish_reason":"tool_calls"}],
           "usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}"#,
    );
    assert_eq!(operation(&chat), "none");
    says(
        &chat,
        "llm",
        &[
            ("model", "gpt-4o-2024-08-06"),
            ("input_tokens", "9"),
            ("output_tokens", "12"),
            ("total_tokens", "21"),
            ("tools", "[find]"),
            ("tool_calls", "[find]"),
            ("stop_reason", "tool_calls"),
        ],
    );
    let messages = json(
        r#"{"model":"claude-x","max_tokens":9,"messages":[]}"#,
        r#"{"type":"message","model":"claude-x","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"look"}],
           "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":5}}"#,
    );
    says(&messages, "llm", &[("total_tokens", "8"), ("tool_calls", "[look]"), ("stop_reason", "tool_use")]);
    let gemini = observe(
        "POST /v1beta/models/gemini-pro:generateContent HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"contents\":[]}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]}}],\"usageMetadata\":{\"promptTokenCount\":4}}",
    );
    says(&gemini, "llm", &[("model", "gemini-pro"), ("input_tokens", "4"), ("tool_calls", "[f]")]);
    let ollama = json(
        "{\"model\":\"llama3\",\"messages\":[]}",
        "{\"model\":\"llama3\",\"done\":false}\n{\"model\":\"llama3\",\"done\":true,\"prompt_eval_count\":7,\"eval_count\":2}\n",
    );
    says(&ollama, "llm", &[("model", "llama3"), ("total_tokens", "9")]);
}

#[test]
fn clouds_name_the_operation_beside_the_path() {
    let target = observe(
        "POST / HTTP/1.1\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n\r\n{}",
        "",
    );
    assert_eq!(operation(&target), "DynamoDB_20120810.GetItem");
    let query = observe("GET /?Action=DescribeInstances&Version=2016-11-15 HTTP/1.1\r\n\r\n", "");
    assert_eq!(operation(&query), "DescribeInstances");
    let form = post("application/x-www-form-urlencoded", "Action=AssumeRole&Version=2011-06-15", "");
    assert_eq!(operation(&form), "AssumeRole");
}

fn xml(head: &str, question: &str, answer: &str) -> Observation {
    observe(
        &format!("POST /soap HTTP/1.1\r\nContent-Type: text/xml\r\n{head}\r\n{question}"),
        &format!("HTTP/1.1 500 X\r\nContent-Type: text/xml\r\n\r\n{answer}"),
    )
}

const ENVELOPE: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header/><s:Body><GetOrder><id>1</id></GetOrder></s:Body></s:Envelope>";

#[test]
fn soap_by_action_and_by_body() {
    let fault = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><e:Fault><faultcode>e:Client</faultcode></e:Fault></e:Body></e:Envelope>";
    let call = xml("SOAPAction: \"http://shop.example/Orders#FetchOrder\"\r\n", ENVELOPE, fault);
    assert_eq!((operation(&call), call.failed()), ("GetOrder", true));
    says(
        &call,
        "soap",
        &[("version", "1.1"), ("element", "GetOrder"), ("fault", "true"), ("fault_code", "Client")],
    );
    assert_eq!(operation(&xml("SOAPAction: \"\"\r\n", ENVELOPE, "")), "GetOrder");
    let rpc = xml("", "<methodCall><methodName>shop.get</methodName><params/></methodCall>", "");
    assert_eq!(operation(&rpc), "shop.get");
    assert_eq!(xml("", "<order><id>1</id></order>", "<ok/>").said, None);
}

#[test]
fn uploads_list_their_parts() {
    let body = "--B\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"secret.pdf\"\r\nContent-Type: application/pdf\r\n\r\n12345\r\n--B--\r\n";
    let upload = post("multipart/form-data; boundary=B", body, "");
    says(
        &upload,
        "multipart",
        &[("count", "1"), ("parts", "[{name=doc file_name=<secret.pdf> type=application/pdf bytes=5}]")],
    );
    let graphql = "--B\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"query\":\"mutation U($f: Upload!) {put(f: $f)}\"}\r\n--B--\r\n";
    assert_eq!(operation(&post("multipart/form-data; boundary=B", graphql, "")), "mutation U {put}");
}

#[test]
fn answers_in_events_are_read() {
    let call = observe(
        "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nMcp-Session-Id: abc\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\r\ndata: \"error\":{\"code\":-32602}}\r\n\r\n",
    );
    assert_eq!((operation(&call), call.failed()), ("tools/call add", true));
    says(&call, "mcp", &[("session", "token"), ("tool", "add")]);
    let chat = observe(
        "POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"model\":\"m\",\"stream\":true,\"messages\":[]}",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}}]}\n\ndata: {\"model\":\"m-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\n\ndata: [DONE]\n\n",
    );
    says(
        &chat,
        "llm",
        &[("model", "m-1"), ("streamed", "true"), ("total_tokens", "12"), ("tool_calls", "[f]")],
    );
}

#[test]
fn an_mcp_session_is_listened_to_and_deleted_without_payload() {
    let session = "Host: shop\r\nMcp-Session-Id: abc\r\n";
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let listen = observe(&format!("GET /mcp HTTP/1.1\r\n{session}Accept: text/event-stream\r\n\r\n"), events);
    assert_eq!(operation(&listen), "stream/listen");
    says(&listen, "mcp", &[("session", "token")]);
    let end = observe(&format!("DELETE /mcp HTTP/1.1\r\n{session}\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(operation(&end), "session/delete");
    let older = "data: /messages/?session_id=1\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2024-11-05\"}}\n\n";
    let older = observe("GET /sse HTTP/1.1\r\nHost: shop\r\n\r\n", &format!("{events}{older}"));
    assert_eq!(operation(&older), "stream/listen");
    let other = observe("GET /events HTTP/1.1\r\nHost: shop\r\n\r\n", &format!("{events}data: 1\n\n"));
    assert_eq!(other.said, None);
}

#[test]
fn a_refused_question_to_a_model_is_one() {
    let question = "{\"model\":\"gpt-none\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    let head = "Host: shop\r\nContent-Type: application/json";
    let refused = observe(
        &format!("POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{question}"),
        &format!("HTTP/1.1 404 Not Found\r\n{head}\r\n\r\n{{\"error\":{{\"message\":\"no such model\"}}}}"),
    );
    says(&refused, "llm", &[("model", "gpt-none"), ("streamed", "false")]);
    assert_eq!(json(question, "{\"ok\":true}").said, None, "answered with something else");
}

#[test]
fn a_message_of_a_grpc_stream_has_its_method_and_its_fields() {
    use tapwire_protocol::{Child, ChildKind, Heads};
    let call = exchange(
        1,
        b"POST /shop.Orders/Track HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    );
    let head = |half: &Option<Box<tapwire_protocol::Message>>| half.as_ref().map(|half| half.head.clone());
    let heads = Heads { request: head(&call.request), response: head(&call.response) };
    let mut message = exchange(2, b"", b"HTTP/1.1 200 OK\r\n\r\n\x08\x96\x01\x12\x07testing");
    let half = message.response.as_mut().expect("an answer");
    half.head.clear();
    half.body.media_type = Some("application/grpc; message=plain");
    message.child =
        Some(Child { parent: Some(call.uid()), index: 2, kind: ChildKind::Message, heads: heads.into() });
    let said = Inspector::new(Config::new(TokenKey::new([7; 32]))).exchange(message);
    assert_eq!(operation(&said), "shop.Orders/Track");
    assert_eq!((said.response_payload.format, said.response_payload.fields), (Some("grpc"), 2));
    let expected = "{messages=1 fields=[{number=1 type=varint confidence=100 count=1},{number=2 type=string confidence=95 count=1}]}";
    says(&said, "grpc", &[("response", expected)]);
}

#[test]
fn lists_that_are_cut_say_so() {
    let many: Vec<String> =
        (0..200).map(|n| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"m{n}\",\"id\":{n}}}")).collect();
    says(&json(&format!("[{}]", many.join(",")), ""), "jsonrpc", &[("calls", "200"), ("more", "true")]);
    let few = json(&format!("[{}]", many[..16].join(",")), "");
    assert_eq!(few.said.as_deref().and_then(|said| said.fact("jsonrpc", "more")), None);
}

#[test]
fn mcp_batch_tells_which_tool_failed() {
    let batch = json(
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}},
            {"jsonrpc":"2.0","id":"2","method":"tools/call","params":{"name":"b"}},
            {"jsonrpc":"2.0","id":3,"method":"prompts/get","params":{"name":"c"}},
            {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"d"}}]"#,
        r#"[{"jsonrpc":"2.0","id":"2","result":{"isError":true}},{"result":{"isError":false},"jsonrpc":"2.0","id":1},
            {"jsonrpc":"2.0","id":3,"error":{"code":-32602}}]"#,
    );
    assert!(batch.failed());
    let calls = "[{tool=a failed=false},{tool=b failed=true},{prompt=c failed=true},{tool=d}]";
    says(&batch, "mcp", &[("calls", calls), ("tool_failed", "true")]);
    let read = json(
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///home/alice/notes"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}"#,
    );
    says(&read, "mcp", &[("resource", "<file:///home/alice/notes>")]);
}

#[test]
fn soap_is_called_by_its_body_and_told_when_the_action_differs() {
    let odd = |head: &str, element: &str| {
        let call = xml(head, &ENVELOPE.replace("GetOrder", element), "");
        assert_eq!(operation(&call), element);
        call.anomalies.contains(tapwire_protocol::Anomaly::SoapActionMismatch)
    };
    assert!(odd("SOAPAction: urn:GetStatus\r\n", "DeleteAll"));
    for action in ["urn:GetStatus", "\"http://shop.example/Status/GetStatus\"", "getstatus", "\"\""] {
        assert!(!odd(&format!("SOAPAction: {action}\r\n"), "GetStatus"), "{action}");
    }
    assert!(!odd("SOAPAction: urn:GetStatus\r\n", "GetStatusRequest"));
    assert!(!odd("", "GetStatus"));
    let secret = "SOAPAction: http://shop.example/GetOrder?key=hunter2\r\n";
    assert!(!odd(secret, "GetOrder"));
    says(&xml(secret, ENVELOPE, ""), "soap", &[("action", "<http://shop.example/GetOrder?key=hunter2>")]);
    let empty = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body/></s:Envelope>";
    assert_eq!(operation(&xml(secret, empty, "")), "GetOrder");
}

#[test]
fn numbers_that_are_no_counts_are_not_stated() {
    let used = |number: &str| {
        let answer = format!("{{\"model\":\"m\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{number}}}}}");
        let call = json("{\"model\":\"m\",\"messages\":[]}", &answer);
        call.said.as_deref().and_then(|said| said.fact("llm", "input_tokens")).map(shown)
    };
    for (number, told) in [
        ("1200", Some("1200")),
        ("1.2e3", Some("1200")),
        ("12.0", Some("12")),
        ("1e99", None),
        ("18446744073709551616", None),
        ("1.5", None),
        ("-1", None),
    ] {
        assert_eq!(used(number).as_deref(), told, "{number}");
    }
}

#[test]
fn bedrock_has_the_model_in_the_path() {
    let head = "Host: bedrock\r\nContent-Type: application/json";
    let call = observe(
        &format!(
            "POST /model/anthropic.claude-3-haiku-20240307-v1%3A0/converse HTTP/1.1\r\n{head}\r\n\r\n\
             {{\"messages\":[],\"toolConfig\":{{\"tools\":[{{\"toolSpec\":{{\"name\":\"find\"}}}}]}}}}"
        ),
        &format!(
            "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{{\"output\":{{\"message\":{{\"role\":\"assistant\",\"content\":[{{\"toolUse\":\
             {{\"name\":\"find\"}}}}]}}}},\"stopReason\":\"tool_use\",\"usage\":{{\"inputTokens\":30,\"outputTokens\":7,\"totalTokens\":37}}}}"
        ),
    );
    says(
        &call,
        "llm",
        &[
            ("model", "anthropic.claude-3-haiku-20240307-v1:0"),
            ("input_tokens", "30"),
            ("total_tokens", "37"),
            ("tools", "[find]"),
            ("tool_calls", "[find]"),
            ("stop_reason", "tool_use"),
        ],
    );
}

#[test]
fn a_piece_of_a_stream_of_a_model_is_streamed() {
    use tapwire_protocol::{Child, ChildKind, Heads};
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"model\":\"m\",\"choices\":[{\"delta\":{}}]}";
    let mut piece = exchange(2, b"", answer);
    let heads = Heads { request: None, response: None };
    piece.child = Some(Child { parent: None, index: 2, kind: ChildKind::Message, heads: heads.into() });
    let said = Inspector::new(Config::new(TokenKey::new([7; 32]))).exchange(piece);
    says(&said, "llm", &[("model", "m"), ("streamed", "true")]);
}

#[test]
fn aws_target_counts_whatever_the_content_type() {
    for content_type in ["application/json", "application/cbor", "application/x-amz-json-1.1"] {
        let head = "Host: dynamodb\r\nX-Amz-Target: DynamoDB_20120810.DeleteTable";
        let call =
            observe(&format!("POST / HTTP/1.1\r\n{head}\r\nContent-Type: {content_type}\r\n\r\n{{}}"), "");
        assert_eq!(operation(&call), "DynamoDB_20120810.DeleteTable", "{content_type}");
    }
    let odd = observe("POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: a b?c\r\n\r\n{}", "");
    assert_eq!(odd.said, None);
}

mod graphql;
