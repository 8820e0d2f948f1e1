//! Events reach an HTTP collector through the real binary: all of them, in order, compressed, with the token that was given.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use flate2::read::MultiGzDecoder;
use tapwire_tests::{Fixture, Tapwire, fixtures};

/// What a collector was sent.
struct Post {
    head: String,
    lines: Vec<u8>,
}

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

/// Reads requests from one connection until it closes, answering each with the next status.
fn serve(stream: &TcpStream, statuses: &mut impl Iterator<Item = u16>, mut took: impl FnMut(Post)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).expect("a readable head") == 0 {
                return;
            }
        }
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.expect("a stated length")];
        reader.read_exact(&mut body).expect("a whole body");
        let mut lines = Vec::new();
        MultiGzDecoder::new(body.as_slice()).read_to_end(&mut lines).expect("gzip");
        // Before the answer: when the client has it, the test may look.
        took(Post { head, lines });
        let status = statuses.next().unwrap_or(200);
        write!(&*stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").expect("a client that listens");
    }
}

/// A collector on loopback that gives these answers, then 200, and hands on what it was sent.
fn collector(statuses: &'static [u16]) -> (String, Receiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/events", listener.local_addr().expect("its address"));
    let (send, posts) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter().copied();
        for stream in listener.incoming() {
            // The receiver may be gone when the test has what it wants.
            serve(&stream.expect("a connection"), &mut statuses, |post| drop(send.send(post)));
        }
    });
    (url, posts)
}

fn replay_to(url: &str, token: &str) -> tapwire_tests::Ran {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, token).expect("a token file");
    let setting = format!("sink.http.token_file={}", file.display());
    Tapwire::replay(&fixture("basic-rest")).args(["--events", url, "--set", &setting]).run()
}

#[test]
fn a_collector_gets_every_event_in_order() {
    let (url, posts) = collector(&[]);
    let ran = replay_to(&url, "s3cret-token").ok("replay");
    assert!(!ran.stderr.contains("s3cret-token"), "the token is in a message: {}", ran.stderr);
    let expected = std::fs::read(fixture("basic-rest").expected()).expect("expected events");
    let posts: Vec<Post> = posts.try_iter().collect();
    assert!(!posts.is_empty(), "nothing was sent");
    for post in &posts {
        let head = post.head.to_ascii_lowercase();
        for field in [
            "authorization: bearer s3cret-token",
            "content-encoding: gzip",
            "content-type: application/x-ndjson",
        ] {
            assert!(head.contains(field), "no {field} in {head}");
        }
    }
    let sent: Vec<u8> = posts.into_iter().flat_map(|post| post.lines).collect();
    assert!(sent == expected, "{} bytes were sent, {} are expected", sent.len(), expected.len());
}

#[test]
fn a_collector_that_stumbles_twice_loses_nothing() {
    let (url, posts) = collector(&[500, 503]);
    let ran = replay_to(&url, "t").ok("replay");
    assert!(!ran.stderr.contains("refused"), "{}", ran.stderr);
    let delivered: Vec<Post> = posts.try_iter().skip(2).collect();
    let sent: Vec<u8> = delivered.into_iter().flat_map(|post| post.lines).collect();
    assert!(sent == std::fs::read(fixture("basic-rest").expected()).expect("expected events"));
}

#[test]
fn a_collector_that_wants_another_token_ends_a_replay() {
    let (url, _posts) = collector(&[401, 401, 401]);
    let ran = replay_to(&url, "t");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("401"), "{}", ran.stderr);
}
