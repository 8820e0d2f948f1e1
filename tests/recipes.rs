//! The files of `docs/recipes` that work with what Tapwire sends: each is read by what it is for, or by a parser, with what the
//! real binary says.

#[path = "recipes/nginx.rs"]
mod nginx;
#[path = "recipes/receivers.rs"]
mod receivers;
#[path = "recipes/tickets.rs"]
mod tickets;

use std::path::{Path, PathBuf};
use tapwire_testkit::{Conversation, Turn};
use tapwire_tests::workspace;
use tapwire_wire::{Endpoint, Timestamp};

/// A file of `docs/recipes`.
fn recipe(name: &str) -> PathBuf {
    workspace().join("docs/recipes").join(name)
}

/// A capture in which somebody without a name reads the password file of a server, at a time.
fn attack(path: &Path, from: [u8; 4], start: Timestamp) {
    let turn = |name: &str, status: &str, body: &str| Turn {
        request: format!("GET /files?name={name} HTTP/1.1\r\nHost: files.test\r\n\r\n").into_bytes(),
        response: format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    };
    let passwords = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n";
    let turns = vec![
        turn("report.txt", "200 OK", "all is well"),
        turn("../../../../etc/passwd", "200 OK", passwords),
    ];
    let file = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    Conversation { client: Endpoint::v4(from, 40_000), start, ..Conversation::new(turns, 1) }
        .play()
        .write_pcap(file, tapwire_capture::ByteOrder::Little, tapwire_capture::Resolution::Nanoseconds)
        .expect("it can be written");
}
