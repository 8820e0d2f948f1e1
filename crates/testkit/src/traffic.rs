//! Many connections of several services at once, as a mirror port shows them.

use crate::{Capture, Conversation, Random, Turn};
use tapwire_wire::{Endpoint, Timestamp};

/// A service: where it lives and what its messages look like.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its `Host`.
    pub host: &'static str,
    /// Its server.
    pub server: Endpoint,
    /// The most body bytes of an answer.
    pub answer: usize,
    /// The most body bytes of a request that has a body.
    pub upload: usize,
    /// The share of requests that have a body.
    pub uploads: f64,
    /// The most exchanges of a connection.
    pub longest: usize,
}

impl Site {
    /// Three services of unlike traffic; the first two share a server.
    pub fn usual() -> Vec<Self> {
        let site = |host, server, answer, upload, uploads, longest| Self {
            host,
            server: Endpoint::v4([10, 0, 1, server], 80),
            answer,
            upload,
            uploads,
            longest,
        };
        vec![
            site("shop.test", 1, 6_000, 3_000, 0.2, 200),
            site("api.test", 1, 700, 200, 0.5, 60),
            site("files.test", 2, 60_000, 20_000, 0.1, 8),
        ]
    }
}

/// Connections that come at random and overlap, so that neighbours in the capture are mostly of different ones.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// The services, each with an equal share of the exchanges.
    pub sites: Vec<Site>,
    /// Exchanges in all, about.
    pub exchanges: usize,
    /// Connections that are open at the same time, on average.
    pub concurrent: usize,
    /// The middle of the time.
    pub middle: Timestamp,
    /// For everything that is chance.
    pub seed: u64,
}

/// Nanoseconds from an answer to the next request, on average.
const THINK: i64 = 20_000_000;

impl Traffic {
    /// About 2,000 exchanges on 20 connections at a time, half of them before the full hour and half behind it.
    pub fn usual(seed: u64) -> Self {
        let middle = Timestamp::from_parts(1_700_002_800, 0);
        Self { sites: Site::usual(), exchanges: 2_000, concurrent: 20, middle, seed }
    }

    /// The packets in order of time. Exchanges are numbered from 1 in `X-Exchange`, in both halves.
    pub fn play(&self) -> Capture {
        let mut random = Random::new(self.seed);
        let span = self.exchanges as i64 * (THINK + 2_000_000) / self.concurrent.max(1) as i64;
        let mut capture = Capture::default();
        let mut number = 0;
        for (index, site) in self.sites.iter().enumerate() {
            let mut left = self.exchanges / self.sites.len();
            let mut port = 20_000 + 10_000 * index as u16;
            while left > 0 {
                let length = connection_length(site.longest, &mut random).min(left);
                left -= length;
                port += 1;
                let start = self.middle + (random.below(span as usize) as i64 - span / 2);
                let turns = (0..length).map(|_| turn(site, &mut number, &mut random)).collect();
                let script = Conversation::new(turns, random.next());
                let client = Endpoint::v4([10, 0, 0, 1 + (random.below(40) as u8)], port);
                let server = site.server;
                capture
                    .packets
                    .extend(Conversation { client, server, start, think: THINK, ..script }.play().packets);
            }
        }
        capture.packets.sort_by_key(|packet| packet.time);
        capture.numbered()
    }
}

/// Many connections are short, and a few carry most of the exchanges.
fn connection_length(longest: usize, random: &mut Random) -> usize {
    let upper = match random.below(20) {
        0..=5 => 1,
        6..=13 => 10,
        14..=18 => 60,
        _ => longest,
    };
    random.between(1, upper.min(longest))
}

fn turn(site: &Site, number: &mut u64, random: &mut Random) -> Turn {
    *number += 1;
    let fields = format!("Host: {}\r\nX-Exchange: {number}\r\nUser-Agent: client/1.0\r\n", site.host);
    let id = random.between(1, 99_999);
    let mut request = format!("GET /orders/{id} HTTP/1.1\r\n{fields}\r\n").into_bytes();
    if random.chance(site.uploads) {
        let length = size(site.upload, random);
        request = format!("POST /orders HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n").into_bytes();
        request.resize(request.len() + length, b'u');
    }
    Turn { request, response: answer(site, *number, random) }
}

fn answer(site: &Site, number: u64, random: &mut Random) -> Vec<u8> {
    let length = size(site.answer, random);
    let head = format!("HTTP/1.1 200 OK\r\nServer: site\r\nX-Exchange: {number}\r\n");
    let body = vec![b'a'; length];
    let mut response = head.into_bytes();
    if random.chance(0.15) {
        response.extend(b"Transfer-Encoding: chunked\r\n\r\n");
        for piece in body.chunks(2_000) {
            response.extend(format!("{:x}\r\n", piece.len()).bytes());
            response.extend(piece);
            response.extend(b"\r\n");
        }
        response.extend(b"0\r\n\r\n");
    } else {
        response.extend(format!("Content-Length: {length}\r\n\r\n").bytes());
        response.extend(body);
    }
    response
}

/// Small sizes are more frequent than large ones: uniform in the logarithm from 20 bytes.
fn size(most: usize, random: &mut Random) -> usize {
    let unit = random.below(10_000) as f64 / 10_000.0;
    (20.0 * (most.max(20) as f64 / 20.0).powf(unit)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense;

    #[test]
    fn all_of_it_is_seen_when_nothing_is_lost() {
        let capture = Traffic { exchanges: 300, ..Traffic::usual(1) }.play();
        let sensed = sense(&capture);
        let numbers: std::collections::BTreeSet<_> = sensed.certain().map(|row| row.request).collect();
        assert_eq!((sensed.rows.len(), numbers.len()), (300, 300));
        assert!(sensed.wrong().is_empty());
    }
}
