//! What lies between the exchanges of a connection and belongs to none of them.

use super::driver::Transcript;
use tapwire_protocol::{Answer, Unseen};

/// What came before each exchange, and what was missing at the connection's end.
fn unseen(transcript: &str) -> (Vec<Unseen>, Vec<Unseen>) {
    let played = Transcript::read(transcript).play();
    (played.unseen, played.ends)
}

const NOTHING: Unseen = Unseen { client: 0, server: 0, requests: 0, responses: 0, answer: None };

#[test]
fn nothing_is_missing_where_nothing_was_lost() {
    let (between, end) = unseen(
        r">>> GET /1 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi
          >>> GET /2 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!((between, end), (vec![NOTHING; 2], vec![]));
}

#[test]
fn a_whole_exchange_leaves_its_bytes_in_both_directions() {
    let (between, _) = unseen(
        r">>> GET /1 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n
          >>? GET /2 HTTP/1.1\r\n\r\n
          <<? HTTP/1.1 204 No\r\n\r\n
          >>> GET /3 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!(between, [NOTHING, Unseen { client: 19, server: 19, ..NOTHING }]);
}

/// The request of a response alone is among the client's missing bytes; nothing is missing of the server, so nothing
/// whole is missing.
#[test]
fn a_response_alone_accounts_for_its_request() {
    let (between, _) = unseen(
        r">>> GET /1 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n
          >>? GET /2 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n
          >>> GET /3 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!(between, [NOTHING, Unseen { client: 19, requests: 1, ..NOTHING }, NOTHING]);
}

#[test]
fn a_request_alone_is_told_whether_its_answer_was_lost_or_never_came() {
    let lost = Unseen { server: 19, responses: 1, answer: Some(Answer::Lost), ..NOTHING };
    let (between, _) = unseen(
        r">>> GET /1 HTTP/1.1\r\n\r\n
          <<? HTTP/1.1 204 No\r\n\r\n
          >>> GET /2 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!(between, [NOTHING, lost]);
    let (_, end) = unseen(r">>> GET /1 HTTP/1.1\r\n\r\n");
    assert_eq!(end, [Unseen { answer: Some(Answer::Never), ..NOTHING }]);
}

#[test]
fn what_is_missing_at_both_ends_of_a_connection_is_told() {
    let (between, end) = unseen(
        r">>? GET /1 HTTP/1.1\r\n\r\n
          <<? HTTP/1.1 204 No\r\n\r\n
          >>> GET /2 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n
          >>? GET /3 HTTP/1.1\r\n\r\n
          <<? HTTP/1.1 204 No\r\n\r\n",
    );
    let one = Unseen { client: 19, server: 19, ..NOTHING };
    assert_eq!((between, end), (vec![one], vec![one]));
}

#[test]
fn a_connection_of_which_every_byte_is_missing_is_told_at_its_end() {
    let (between, end) = unseen(
        r">>? GET /1 HTTP/1.1\r\n\r\n
          <<? HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!((between, end), (vec![], vec![Unseen { client: 19, server: 19, ..NOTHING }]));
}

/// Nothing says how much of a connection had passed before the capture began.
#[test]
fn what_passed_before_the_capture_is_not_missing() {
    let (between, end) = unseen(
        r"join
          <<< rest of an answer
          >>> GET /2 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!((between, end), (vec![NOTHING], vec![]));
}

/// Bytes that are missing within a body of stated length belong to a known message.
#[test]
fn a_hole_within_a_body_is_not_between_exchanges() {
    let (between, end) = unseen(
        r">>> GET /1 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc
          <<? def
          <<< ghi
          >>> GET /2 HTTP/1.1\r\n\r\n
          <<< HTTP/1.1 204 No\r\n\r\n",
    );
    assert_eq!((between, end), (vec![NOTHING; 2], vec![]));
}
