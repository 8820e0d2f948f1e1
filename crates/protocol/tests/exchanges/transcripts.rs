//! Transcripts and the exchanges they are, one line each: request, response, facts.

use crate::driver::Transcript;

macro_rules! transcripts {
    ($($name:ident: $text:literal => [$($line:literal),* $(,)?];)+) => {
        /// Every transcript by name.
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $text)),+];

        $(
            #[test]
            fn $name() {
                let expected: &[&str] = &[$($line),*];
                assert_eq!(Transcript::read($text).play().exchanges, expected);
            }
        )+
    };
}

transcripts! {
    keep_alive: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
        >>> POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc
        <<< HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone
        >>.
        <<.
    " => ["GET /a | 200 +2", "POST /b +3 | 404 +4"];

    pipelining: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb
        <<< HTTP/1.1 202 OK\r\nContent-Length: 1\r\n\r\nc
        >>.
        <<.
    " => ["GET /a | 200 +1", "GET /b | 201 +1 !pipelined", "GET /c | 202 +1 !pipelined"];

    rfc9110_15_2_1_continue_is_part_of_the_exchange: r"
        >>> PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n
        <<< HTTP/1.1 100 Continue\r\n\r\n
        >>> abc
        <<< HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["PUT /a +3 | 201 interim 100", "GET /b | 200"];

    the_final_answer_tells_where_the_next_request_begins: r"
        >>> PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n
        <<< HTTP/1.1 100 Continue\r\n\r\n
        >>? 3\r\nabc\r\n0\r\n\r\n
        <<< HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n
        >>> GE
        >>> T /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>.
        <<.
    " => ["PUT /a ?13 truncated | 201 interim 100", "GET /b | 200"];

    rfc8297_early_hints: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n
        <<< HTTP/1.1 103 Early Hints\r\nLink: </t>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx
    " => ["GET /a | 200 +1 interim 103 interim 103"];

    rfc9112_6_3_an_answer_to_head_has_no_body: r"
        >>> HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
    " => ["HEAD /a | 200", "GET /a | 200 +2"];

    rfc9112_6_3_pipelined_head_and_get: r"
        >>> HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
    " => ["HEAD /a | 200", "GET /b | 200 +2 !pipelined"];

    rfc9112_6_3_no_content_and_not_modified_have_no_body: r"
        >>> DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 204 No Content\r\n\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc
    " => [
        "DELETE /a | 204",
        "GET /a | 304",
        "GET /b | 204 !body-where-none-may-be",
        "GET /c | 200 +1",
    ];

    connect_opens_a_tunnel: r"
        >>> CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n
        <<< HTTP/1.1 200 Established\r\n\r\n
        >>> \x16\x03\x01\x00\x05hello
        <<< \x16\x03\x03\x00\x05hello
        >>.
        <<.
    " => ["CONNECT a:443 | 200 !tunnel"];

    http_within_a_tunnel_is_read_on: r"
        >>> CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n
        <<< HTTP/1.1 200 Established\r\n\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n
        --- rst
    " => ["CONNECT a:80 | 200 !tunnel", "GET /a | 200 +2", "GET /b | 404"];

    empty_lines_in_front_of_a_tunnel_are_no_part_of_it: r"
        >>> CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n\r\n
        <<< HTTP/1.1 200 OK\r\n\r\n\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 204 No Content\r\n\r\n
    " => ["CONNECT a:80 | 200 !tunnel", "GET /a | 204"];

    text_within_a_tunnel_is_no_http: r"
        >>> CONNECT a:22 HTTP/1.1\r\nHost: a:22\r\n\r\n
        <<< HTTP/1.1 200 Established\r\n\r\n
        <<< SSH-2.0-OpenSSH_9.2\r\n
        >>> SSH-2.0-OpenSSH_9.2\r\n
        >>> GET /not HTTP/1.1\r\n\r\n
    " => ["CONNECT a:22 | 200 !tunnel"];

    connect_with_bytes_sent_before_the_answer: r"
        >>> CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03\x01\x00\x05hello
        <<< HTTP/1.1 200 Established\r\n\r\n
        <<< \x16\x03\x03\x00\x05hello
        >>> \x16\x03\x01\x00\x05again
    " => ["CONNECT a:443 | 200 !tunnel"];

    connect_refused_then_http_goes_on: r"
        >>> CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n
        <<< HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno
        >>> GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        --- rst
    " => ["CONNECT a:443 | 403 +2", "GET http://a/b | 200"];

    connect_whose_refusal_is_lost: r"
        >>> CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n
        <<? HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno
        >>> GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>.
        <<.
    " => ["CONNECT a:443 | -", "GET http://a/b | 200"];

    upgrade_leaves_http: r"
        >>> GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n
        <<< HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n\x81\x02hi
        >>> \x81\x82\0\0\0\0hi
    " => ["GET /ws | 101 !tunnel"];

    upgrade_with_bytes_that_look_like_a_head_before_the_answer: r"
        >>> GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET /held
        <<< HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n
        >>>  for ever
    " => ["GET /ws | 101 !tunnel"];

    upgrade_refused_stays_http: r"
        >>> GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /ws | 200 +2", "GET /b | 200"];

    http09: r"
        >>> GET /old\r\n
        <<< <html>hello</html>
        <<.
        >>.
    " => ["GET /old !http09 | headless +18"];

    http09_answer_that_begins_like_a_word: r"
        >>> GET /old\r\n
        <<< Hello world, this is a text
        <<.
        >>.
    " => ["GET /old !http09 | headless +27"];

    only_http09_is_answered_without_a_head: r"
        >>> GET /old\r\n
        <<< <html>hello</html>
        <<.
        >>> CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n
        <<< <html>not again</html>
    " => ["GET /old !http09 | headless +18", "CONNECT a:443 | -"];

    a_status_line_within_trailers_begins_no_response: r"
        >>? GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n
        <<< 0\r\nX-T: 1
        >>? GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 : \r\n\r\n
    " => ["- | 200 trailers 1"];

    http10_closes_with_fin: r"
        >>> GET /a HTTP/1.0\r\n\r\n
        <<< HTTP/1.0 200 OK\r\n\r\nall of it
        <<.
        >>.
    " => ["GET /a | 200 +9"];

    http10_cut_by_a_reset: r"
        >>> GET /a HTTP/1.0\r\n\r\n
        <<< HTTP/1.0 200 OK\r\n\r\nsome of it
        --- rst
    " => ["GET /a | 200 +10 truncated"];

    chunked_with_extensions_and_trailers: r#"
        >>> POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y"\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{10*x}\r\n0\r\n\r\n
    "# => ["POST /a +5 trailers 2 !chunk-extension | 200", "GET /b | 200 +10"];

    chunked_broken: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nnothing\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
    " => ["GET /a | 200 +3 truncated !invalid-chunk-size", "GET /b | 200 +1"];

    chunked_cut_in_its_trailers: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Half: 
        <<.
        >>.
    " => ["GET /a | 200 +3 truncated !short-body"];

    an_event_stream_that_the_client_leaves: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n
        >>.
        <<.
    " => ["GET /a | 200 +9"];

    an_event_stream_that_the_server_cuts: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n
        <<.
        >>.
    " => ["GET /a | 200 +9 truncated !short-body"];

    a_body_shorter_than_stated: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!
        <<.
        >>.
    " => ["GET /a | 200 +5 truncated !short-body"];

    garbage_behind_a_response: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok<extra>
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>.
        <<.
    " => ["GET /a | 200 +2", "GET /b | 200 +1 !trailing-garbage"];

    rfc9110_15_5_9_timeout_on_an_idle_connection: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
        <<< HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n
        <<.
        >>.
    " => ["GET /a | 200 +2", "- | 408 !unsolicited-response"];

    rfc6585_5_an_answer_before_the_head_has_ended_leaves_the_next_one_to_who_asked: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n
        <<< HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n
        >>> \r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>.
        <<.
    " => ["- | 431 !unsolicited-response", "GET /a | -", "GET /b | 200 +1"];

    an_answer_before_the_body_has_ended: r"
        >>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345
        <<< HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
        >>> 67890
        <<.
        >>.
    " => ["POST /a +10 | 413 !early-response"];

    an_early_answer_ends_the_upload: r"
        >>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345
        <<< HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n
        <<.
        --- rst
    " => ["POST /a +5 truncated | 413"];

    a_hole_inside_a_body_keeps_framing_exact: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{10*a}
        <<? {10*b}
        <<< {10*c}
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
    " => ["GET /a | 200 +30 ?10 truncated", "GET /b | 200 +1"];

    a_hole_at_the_end_of_a_body: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{10*a}
        <<? {20*b}
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
    " => ["GET /a | 200 +30 ?20 truncated", "GET /b | 200 +1"];

    a_hole_beyond_the_end_of_a_body: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{5*a}
        <<? {5*a}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 203 OK\r\nContent-Length: 1\r\n\r\nc
    " => ["GET /a | 200 +10 ?5 truncated", "GET /b | -", "GET /c | 203 +1 uncertain"];

    a_hole_inside_one_chunk: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n{10*a}
        <<? {10*b}
        <<< {10*c}\r\n0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
    " => ["GET /a | 200 +30 ?10 truncated", "GET /b | 200 +1"];

    a_hole_across_chunks_loses_the_framing_until_the_next_anchor: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{5*a}
        <<? {5*a}\r\na\r\n{5*b}
        <<< {5*b}\r\n0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc
    " => ["GET /a | 200 +5 ?15 truncated", "GET /b | 200 +1", "GET /c | 200 +1"];

    a_hole_in_a_request_head: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\nX: 
        >>? y\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>.
        <<.
    " => ["GET /a truncated | 200 +1", "GET /b | 200 +1"];

    a_hole_in_a_response_head: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-
        <<? Length: 1\r\n\r\na
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>.
        <<.
    " => ["GET /a | 200 truncated", "GET /b | 200 +1"];

    a_lost_request: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\na
        >>? GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 202 OK\r\nContent-Length: 1\r\n\r\nb
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 203 OK\r\nContent-Length: 1\r\n\r\nc
        >>.
        <<.
    " => ["GET /a | 201 +1", "- | 202 +1", "GET /c | 203 +1"];

    a_lost_response: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\na
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<? HTTP/1.1 202 OK\r\nContent-Length: 1\r\n\r\nb
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 203 OK\r\nContent-Length: 1\r\n\r\nc
        >>.
        <<.
    " => ["GET /a | 201 +1", "GET /b | -", "GET /c | 203 +1"];

    a_lost_exchange: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\na
        >>? GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<? HTTP/1.1 202 OK\r\nContent-Length: 1\r\n\r\nb
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 203 OK\r\nContent-Length: 1\r\n\r\nc
        >>.
        <<.
    " => ["GET /a | 201 +1", "GET /c | 203 +1"];

    joined_within_a_body: r"
        join
        <<< rest of a body that is text and no head
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc
        >>.
        <<.
    " => ["GET /b | 200 +1", "GET /c | 200 +1"];

    joined_at_a_response: r"
        join
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb
        >>.
        <<.
    " => ["- | 200 +1", "GET /b | 201 +1"];

    joined_at_a_request: r"
        join
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb
        >>.
        <<.
    " => ["GET /a | 200 +1", "GET /b | 201 +1"];

    one_side_of_the_server: r"
        >>? {30*x}
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na
        >>? {30*x}
        <<< HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb
        >>? {30*x}
        <<< HTTP/1.1 304 OK\r\nContent-Length: 5\r\n\r\n
        >>? {30*x}
        <<< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n
        >>? {30*x}
        <<< HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n
    " => ["- | 200 +1", "- | 201 +1", "- | 304", "- | 200", "- | 202"];

    one_side_of_the_client: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<? {30*x}
        >>> POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nbb
        <<? {30*x}
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<? {30*x}
    " => ["GET /a | -", "POST /b +2 | -", "GET /c | -"];

    a_hole_in_place_of_the_first_bytes: r"
        >>? PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>.
        <<.
    " => ["GET /a | -", "- | 200"];

    the_first_byte_alone: r"
        >>> P
        >>> OST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab
        <<< H
        <<< TTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["POST /a +2 | 200"];

    rfc9112_2_2_leading_empty_lines: r"
        >>> \r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> \r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !leading-empty-lines | 200", "POST /b +1 !leading-empty-lines | 201"];

    a_head_as_long_as_is_kept: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\nX: {65503*x}\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200", "GET /b | 201"];

    a_head_longer_than_is_kept: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\nX: {65504*x}\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
        >>.
        <<.
    " => ["GET /a capped !oversized-head | 200", "GET /b | 201"];

    evidence_belongs_to_the_message_around_it: r"
        >>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab
        >>!
        >>> cd
        <<< HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab
        <<!
        <<< cd
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        >>!
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["POST /a +4 !overlap-conflict | 200 +4 !overlap-conflict", "GET /b !overlap-conflict | 200"];

    evidence_before_any_message_belongs_to_the_first: r"
        >>> GET /a HTTP/1.1\r\nHo
        >>!
        >>> st: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !overlap-conflict | 200"];

    tls: r"
        >>> \x16\x03\x01\0\x05hello
        <<< \x16\x03\x03\0\x05hello
    " => [];

    ssh: r"
        <<< SSH-2.0-OpenSSH_9.2\r\n
        >>> SSH-2.0-OpenSSH_9.2\r\n
    " => [];

    http2_by_prior_knowledge: r"
        >>> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0
        <<< \0\0\0\x04\0\0\0\0\0
    " => [];

    nothing_known: r"
        >>> \x01\x02\x03\x04
        >>? {100*x}
        <<< \x05\x06
    " => [];
}
