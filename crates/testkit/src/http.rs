//! The shop's requests and answers, each with its number in both halves.

use crate::{Random, Turn};
use std::fmt::Write as _;

/// Exchanges numbered from 1: JSON reads and writes, chunked answers, HEAD, 204, 304, 404 and 100-continue.
pub fn shop_turns(count: u64, seed: u64) -> Vec<Turn> {
    let mut random = Random::new(seed);
    (1..=count).map(|number| shop_turn(number, &mut random)).collect()
}

/// One exchange of the shop.
pub fn shop_turn(number: u64, random: &mut Random) -> Turn {
    let order = random.between(1, 5_000);
    match random.below(20) {
        0..=3 => posted(number, random),
        4..=5 => Turn {
            request: request("GET", &format!("/stream/{order}"), number, ""),
            response: chunked(number, random),
        },
        6 => Turn {
            request: request("HEAD", &format!("/orders/{order}"), number, ""),
            response: head(200, number, "Content-Length: 1234\r\n"),
        },
        7 => Turn {
            request: request("DELETE", &format!("/orders/{order}"), number, ""),
            response: head(204, number, ""),
        },
        8 => Turn {
            request: request("GET", "/cached", number, "If-None-Match: \"v1\"\r\n"),
            response: head(304, number, "ETag: \"v1\"\r\n"),
        },
        9 => Turn {
            request: request("GET", &format!("/nothing/{order}"), number, ""),
            response: with_length(404, number, b"{\"error\":\"not found\"}"),
        },
        _ => Turn {
            request: request(
                "GET",
                &format!("/orders/{order}?n={number}"),
                number,
                "Accept: application/json\r\n",
            ),
            response: with_length(200, number, &json(random.between(20, 6_000), random)),
        },
    }
}

fn posted(number: u64, random: &mut Random) -> Turn {
    let body = json(random.between(20, 3_000), random);
    let expect = random.chance(0.1);
    let fields = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n{}",
        body.len(),
        if expect { "Expect: 100-continue\r\n" } else { "" }
    );
    let mut request = request("POST", "/orders", number, &fields);
    request.extend(body);
    let mut response = if expect { b"HTTP/1.1 100 Continue\r\n\r\n".to_vec() } else { Vec::new() };
    response.extend(with_length(201, number, &json(random.between(20, 900), random)));
    Turn { request, response }
}

fn request(method: &str, target: &str, number: u64, fields: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: shop.test\r\nX-Exchange: {number}\r\n{fields}\r\n")
        .into_bytes()
}

fn head(status: u16, number: u64, fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Status\r\nServer: shop\r\nX-Exchange: {number}\r\n{fields}\r\n").into_bytes()
}

fn with_length(status: u16, number: u64, body: &[u8]) -> Vec<u8> {
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let mut response = head(status, number, &fields);
    response.extend_from_slice(body);
    response
}

fn chunked(number: u64, random: &mut Random) -> Vec<u8> {
    let mut response = head(200, number, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    for _ in 0..random.between(1, 5) {
        let piece = json(random.between(20, 2_000), random);
        response.extend(format!("{:x}\r\n", piece.len()).bytes());
        response.extend(piece);
        response.extend(b"\r\n");
    }
    response.extend(b"0\r\n\r\n");
    response
}

/// JSON of about that many bytes.
fn json(bytes: usize, random: &mut Random) -> Vec<u8> {
    let mut text = String::from("{\"rows\":[");
    while text.len() + 40 < bytes {
        let _ = write!(text, "{{\"id\":{},\"state\":\"open\"}},", random.below(1_000_000));
    }
    text.push_str("{}]}");
    text.into_bytes()
}
