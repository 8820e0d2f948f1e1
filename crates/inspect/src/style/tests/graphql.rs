use super::*;

/// A document with operations `q0` to `q{most}` and behind them the mutation `Hidden`.
fn hidden_behind(most: usize, name: &str) -> Observation {
    let queries: String = (0..most).map(|n| format!("query q{n} {{a}} ")).collect();
    json(
        &format!("{{\"query\":\"{queries} mutation Hidden {{drop}}\",\"operationName\":{name}}}"),
        "{\"data\":{}}",
    )
}

#[test]
fn graphql_operation_is_the_one_that_is_meant() {
    let call = hidden_behind(21, "\"Hidden\"");
    assert_eq!(operation(&call), "mutation Hidden {drop}");
    says(&call, "graphql", &[("type", "mutation"), ("name", "Hidden"), ("root_fields", "[drop]")]);
    let said = call.said.as_deref().expect("a style");
    assert_eq!(said.fact("graphql", "more"), None);
    // Too many to know, of a name that none has, of none: servers refuse the last two.
    for (most, name, told) in
        [(500, "\"Hidden\"", Some("Hidden")), (3, "\"Nobody\"", Some("Nobody")), (3, "null", None)]
    {
        let call = hidden_behind(most, name);
        assert_eq!(operation(&call), "none", "{name}");
        says(&call, "graphql", &[("more", "true")]);
        let said = call.said.as_deref().and_then(|said| said.fact("graphql", "name")).map(shown);
        assert_eq!(said.as_deref(), told);
    }
    assert_eq!(operation(&hidden_behind(0, "\"\"")), "mutation Hidden {drop}");
    // Texts that leave no room for the name, and a name so long that only its beginning is known.
    let many: String = (0..400).map(|n| format!("\"{n}{}\":1,", "v".repeat(100))).collect();
    let crowded = format!(
        "{{\"query\":\"query A{{a}} mutation B{{b}}\",\"variables\":{{{many}\"z\":1}},\"operationName\":\"B\"}}"
    );
    let crowded = json(&crowded, "{}");
    assert_eq!(operation(&crowded), "none");
    says(&crowded, "graphql", &[("more", "true")]);
    let long = "n".repeat(128);
    let text =
        format!("{{\"query\":\"query {long}1{{a}} mutation {long}2{{b}}\",\"operationName\":\"{long}2\"}}");
    assert_eq!(operation(&json(&text, "{}")), "none");
}

#[test]
fn graphql_root_fields_are_distinct_and_their_cap_is_told() {
    let aliases: String = (0..20).map(|n| format!("a{n}:ok ")).collect();
    let call = json(&format!("{{\"query\":\"mutation{{{aliases} deleteUser}}\"}}"), "{}");
    assert_eq!(operation(&call), "mutation {deleteUser ok}");
    says(&call, "graphql", &[("root_fields", "[ok,deleteUser]"), ("aliases", "20")]);
    assert_eq!(call.said.as_deref().and_then(|said| said.fact("graphql", "more")), None);
    let fields: String = (0..40).map(|n| format!("f{n} ")).collect();
    let call = json(&format!("{{\"query\":\"{{{fields}}}\"}}"), "{}");
    says(&call, "graphql", &[("fields", "40"), ("more", "true")]);
    let inline = format!("{}deleteUser{}", "...{".repeat(80), "}".repeat(80));
    let call = json(&format!("{{\"query\":\"mutation{{ok {inline}}}\"}}"), "{}");
    assert_eq!(operation(&call), "mutation {deleteUser ok}");
}

#[test]
fn graphql_batches_are_counted_whole_and_name_each_element() {
    let logins: Vec<String> =
        (0..200).map(|n| format!("{{\"query\":\"mutation L{{login(u: {n}) x:b}}\"}}")).collect();
    let call = json(&format!("[{}]", logins.join(",")), "[]");
    assert_eq!(operation(&call), "mutation L {b login}");
    says(
        &call,
        "graphql",
        &[("batch", "200"), ("fields", "400"), ("aliases", "200"), ("root_fields", "[login,b]")],
    );
    let text = "query A{user} mutation B{del}";
    let call = json(
        &format!(
            "[{{\"query\":\"{text}\",\"operationName\":\"B\"}},{{\"operationName\":\"A\",\"query\":\"{text}\"}}]"
        ),
        "[]",
    );
    assert_eq!(operation(&call), "mutation B {del}, query A {user}");
    let alone =
        json(&format!("[{{\"query\":\"{text}\",\"operationName\":\"B\"}},{{\"query\":\"{text}\"}}]"), "[]");
    assert_eq!(operation(&alone), "mutation B {del}", "the second names none and is refused");
    says(&alone, "graphql", &[("batch", "2"), ("more", "true")]);
    let many: Vec<String> = (0..21).map(|n| format!("{{\"query\":\"{{f{n}}}\"}}")).collect();
    says(&json(&format!("[{}]", many.join(",")), "[]"), "graphql", &[("batch", "21"), ("more", "true")]);
    let hash = "ab".repeat(32);
    let mixed = format!(
        "[{{\"query\":\"{{a}}\"}},{{\"extensions\":{{\"persistedQuery\":{{\"sha256Hash\":\"{hash}\"}}}}}}]"
    );
    let mixed = json(&mixed, "[]");
    assert_eq!(operation(&mixed), "persisted abababababababab, query {a}");
}

#[test]
fn graphql_in_a_body_counts_more_than_in_the_query_string() {
    let body = "{\"query\":\"mutation M {drop}\"}";
    let call = observe(
        &format!(
            "POST /graphql?query=%7Bok%7D HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n{body}"
        ),
        "",
    );
    assert_eq!(operation(&call), "mutation M {drop}");
}

#[test]
fn a_graphql_document_that_is_refused_is_one() {
    let refused = json(
        "{\"query\":\"query {orders {\"}",
        "{\"errors\":[{\"message\":\"Syntax Error\",\"locations\":[{\"line\":1,\"column\":9}]}]}",
    );
    assert_eq!((operation(&refused), refused.failed()), ("none", true));
    says(&refused, "graphql", &[("errors", "1")]);
    assert_eq!(json("{\"query\":\"query {orders {\"}", "{\"hits\":[]}").said, None);
    assert_eq!(json("{\"query\":\"red shoes\"}", "{\"errors\":[{\"message\":\"no\"}]}").said, None);
}

#[test]
fn graphql_in_a_form_is_read_in_any_split() {
    let form = |body: &str| post("application/x-www-form-urlencoded", body, "{\"data\":{}}");
    let call = form(
        "variables=%7B%7D&query=query+A%7Buser%7D%20mutation+B%7Bdel(text%3A%22a%26b%22)%7D&operationName=B",
    );
    assert_eq!(operation(&call), "mutation B {del}");
    assert_eq!(
        operation(&form(&format!("query=%7B{}orders%7D", "a%3Aok+".repeat(2000)))),
        "query {ok orders}"
    );
    assert_eq!(form("query=red+shoes&page=1").said, None);
}

#[test]
fn graphql_over_a_websocket_is_in_the_payload() {
    let call = json(
        "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription S {ticks}\",\"variables\":{\"n\":1}}}",
        "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":null,\"errors\":[{\"message\":\"no\"}]}}",
    );
    assert_eq!((operation(&call), call.failed()), ("subscription S {ticks}", true));
    says(&call, "graphql", &[("variables", "[{name=n type=number}]"), ("errors", "1")]);
}

#[test]
fn graphql_errors_in_an_answer_in_parts_are_read() {
    let parts = "--x\r\nContent-Type: application/json\r\n\r\n{\"data\":{\"a\":1},\"hasNext\":true}\r\n\
        --x\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{\"errors\":[{\"message\":\"no\",\"extensions\":{\"code\":\"BROKE\"}}]}\r\n--x--\r\n";
    let call = observe(
        "POST /graphql HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n{\"query\":\"{a}\"}",
        &format!("HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{parts}"),
    );
    assert_eq!((operation(&call), call.failed()), ("query {a}", true));
    says(&call, "graphql", &[("errors", "1"), ("error_codes", "[BROKE]")]);
}
