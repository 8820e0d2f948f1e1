//! Checkpoints that were written once and are kept beside this file, one of each format. Who changes what is written, and not
//! [`FORMAT`], learns here that those in the field could not be read any more, or would be misread.

use super::*;
use crate::{Declared, Whom};
use std::path::PathBuf;

fn path(format: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/state/tests/format-{format}"))
}

/// With a quota, so that there is use of one.
fn config() -> Config {
    let quota = Declared {
        name: "all".into(),
        whom: Whom::Everybody,
        service: None,
        endpoint: None,
        calls_an_hour: 2,
    };
    Config { quotas: vec![quota], ..Config::new(KEY) }
}

/// Some of everything that is written.
fn everything() -> Inventory {
    let mut sensor = Sensor::new(Inventory::new(config()));
    (1..160).for_each(|number| drop(sensor.call(number)));
    related::play(&mut sensor, 160..900, |_| {});
    related::fetch(&mut sensor, 900);
    // Another hour, so that those of the one before count as use of the quota.
    related::play(&mut sensor, 4_000..4_100, |_| {});
    (0..25).for_each(|number| {
        drop(sensor.place(number, "GET /x HTTP/1.1\r\nHost: shop\r\n\r\n", "HTTP/1.1 404 No\r\n\r\n"))
    });
    let calls = [
        (
            "POST /mcp HTTP/1.1\r\nHost: tools\r\nContent-Type: application/json\r\n\r\n\
             {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n\
             {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"read\",\"description\":\"Reads\",\"inputSchema\":{}}]}}",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\n\r\n\
             {\"model\":\"gpt-x\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-RateLimit-Limit: 60\r\nSet-Cookie: sid=1\r\n\r\n\
             {\"model\":\"gpt-x\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2},\"choices\":[{\"index\":0,\"message\":{}}]}",
        ),
        (
            "GET /roles HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.\
             eyJzdWIiOiIxIiwic2NvcGUiOiJhIGIiLCJyb2xlcyI6WyJhZG1pbiJdfQ.c2lnbmF0dXJl\r\n\r\n",
            "HTTP/1.1 200 OK\r\nRateLimit: limit=3, remaining=0, reset=60\r\nContent-Length: 0\r\n\r\n",
        ),
        ("GET /nothing HTTP/1.1\r\nHost: shop\r\n\r\n", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
    ];
    for (request, response) in calls {
        let exchange = exchange(1_000, request.as_bytes(), response.as_bytes());
        let observation = sensor.inspector.exchange(exchange);
        sensor.inventory.place(observation);
    }
    sensor.inventory.keep_day();
    sensor.inventory
}

fn bytes_of(pieces: &[Vec<u8>]) -> Vec<u8> {
    let length = |piece: &Vec<u8>| u32::try_from(piece.len()).unwrap().to_le_bytes();
    pieces.iter().flat_map(|piece| length(piece).into_iter().chain(piece.iter().copied())).collect()
}

fn pieces_of(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (piece, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        all.push(piece.to_vec());
        bytes = rest;
    }
    all
}

/// What may differ though the format is the same: names of data classes, and how many KPIs there are.
fn is_compared(piece: &[u8]) -> bool {
    let section = piece.first().copied().and_then(Section::of);
    section.is_some_and(|section| section != Section::Head && section != Section::Days)
}

#[test]
fn checkpoints_of_formats_before_are_read() {
    for format in OLDEST..FORMAT {
        let stored = pieces_of(&std::fs::read(path(format)).expect("one was stored"));
        let (inventory, restored) = load(Config::new(KEY), &stored).expect("it is read");
        // What callers of a role meet has another version since format 6, and begins anew; format 3 has none of it.
        let outdated = u64::from(format > 3);
        assert_eq!(restored, Restored { left_out: 0, outdated }, "format {format}");
        assert!(inventory.endpoints().count() > 20 && inventory.principals().len() > 8);
        consistent(&inventory);
        assert_eq!(told(&reloaded(&inventory)), told(&inventory));
    }
}

#[test]
fn stored_checkpoint_of_this_format_is_read_and_written_as_it_is() {
    let path = path(FORMAT);
    if std::env::var_os("UPDATE").is_some() && !path.exists() {
        std::fs::write(&path, bytes_of(&pieces(&everything()))).unwrap();
    }
    let stored = std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; after FORMAT was raised: UPDATE=1 cargo test -p tapwire-inventory stored",
            path.display()
        )
    });
    let stored = pieces_of(&stored);
    let changed =
        "what is written has changed: raise FORMAT in state/mod.rs, then UPDATE=1 writes another one";
    let (inventory, restored) = load(config(), &stored).unwrap_or_else(|why| panic!("{why}: {changed}"));
    assert_eq!(restored.left_out, 0, "{changed}");
    assert!(inventory.agents().servers().count() > 0 && inventory.agents().models().count() > 0);
    assert_eq!(inventory.series().days().count(), 1);
    assert!(inventory.hours().declared().all(|(_, used)| used.calls > 100 && used.exceeded.0 > 0));
    let again = pieces(&inventory);
    assert_eq!(again.len(), stored.len(), "{changed}");
    for (was, is) in stored.iter().zip(&again).filter(|(was, _)| is_compared(was)) {
        assert_eq!(was, is, "{:?}: {changed}", Section::of(was[0]));
    }
    let empty = stored.iter().filter(|piece| piece.len() == 1).map(|piece| Section::of(piece[0]));
    println!("{} pieces, without entries: {:?}", stored.len(), empty.collect::<Vec<_>>());
}
