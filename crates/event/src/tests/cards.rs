//! Numbers of cards, wherever they stand.

use super::*;

/// An exchange that has a text everywhere an event could tell it.
fn full_of(text: &str, coding: &str) -> Call {
    let request = format!(
        "POST /pay/{text}/{text}?page={text}&{text}=1 HTTP/1.1\r\nHost: {text}.example\r\nUser-Agent: bot {text}\r\n\
         Referer: http://{text}.example/a/{text}?b={text}\r\nAccept: {text}\r\nX-{text}: 1\r\nX-Request-Id: {text}\r\n\
         traceparent: {text}\r\nContent-Type: application/json; charset={text}\r\n{coding}\r\n{{\"card\":\"{text}\",\"a\":\"{text}\"}}"
    );
    let response = format!(
        "HTTP/1.1 200 OK\r\nLocation: /pay/{text}\r\nServer: {text}\r\nContent-Type: text/plain\r\n\r\nof {text} <c>{text}</c>"
    );
    let exchange = exchange(1, request.as_bytes(), response.as_bytes());
    let mut inspector = tapwire_inspect::Inspector::new(tapwire_inspect::Config::new(KEY));
    tapwire_inventory::Inventory::new(tapwire_inventory::Config::new(KEY)).place(inspector.exchange(exchange))
}

#[test]
fn no_number_of_a_card_leaves_in_any_format_and_any_mode() {
    // The middle of the number may stand nowhere, whatever marks and escapes are between its digits.
    for text in [
        "4539578763621486",
        "4539-5787-6362-1486",
        "4539_5787_6362_1486",
        "4539.5787.6362.1486",
        "4539+5787+6362+1486",
        "4539%205787%206362%201486",
        "4539%2D5787%2D6362%2D1486",
        "%2534%2535%2533%2539578763621486",
        "%34%35%33%39%35%37%38%37%36%33%36%32%31%34%38%36",
    ] {
        let call = full_of(text, "");
        let view = View { exchange: &call.observation.exchange, call: Some(&call), source: "a.pcap" };
        for (format, ..) in Format::ALL {
            for fidelity in [Fidelity::Default, Fidelity::Full] {
                let redactor = Redactor::new(KEY, fidelity);
                let told = rendered(&mut Renderer::new(options(*format), redactor), &view);
                let plain = told.replace("%20", "").replace("%2D", "").replace("%3", "");
                let digits: String = plain.chars().filter(|c| !"-_.+ ".contains(*c)).collect();
                assert!(!digits.contains("87636"), "{text} {format:?} {fidelity:?}: {told}");
            }
        }
    }
}

#[test]
fn a_body_leaves_with_full_fidelity_without_the_middle_of_a_card() {
    let full = |call: &Call| {
        let view = View { exchange: &call.observation.exchange, call: Some(call), source: "a.pcap" };
        let redactor = Redactor::new(KEY, Fidelity::Full);
        json(&rendered(&mut Renderer::new(options(Format::Ocsf), redactor), &view))
    };
    let event = full(&full_of("4539578763621486", ""));
    let body = "{\"card\":\"453957xxxxxx1486\",\"a\":\"453957xxxxxx1486\"}";
    assert_eq!(event["api"]["request"]["data"], body);
    assert_eq!(event["api"]["response"]["data"], "of 453957xxxxxx1486 <c>453957xxxxxx1486</c>");
}
