//! How fast the spool takes and gives events: `cargo run --release -p tapwire-store --example spool-speed -- DIR`.

use std::path::PathBuf;
use std::time::Instant;
use tapwire_store::{Rank, Store};

const RECORD: usize = 128 << 10;
const RECORDS: u64 = 8 << 10;
const EVENT: usize = 1 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let store = Store::open(&directory.join("spool-speed"))?;
    let line = [vec![b'x'; EVENT - 1], b"\n".to_vec()].concat();
    let lines = line.repeat(RECORD / EVENT);
    let events = (RECORD / EVENT) as u64;
    let mut spool = store.spools().open("speed", 4 << 30)?;
    let megabytes = (RECORDS * RECORD as u64) as f64 / 1e6;

    let start = Instant::now();
    for _ in 0..RECORDS {
        spool.append(Rank::LOWEST, events, &lines)?;
    }
    println!("appended {:.0} MB at {:.0} MB/s", megabytes, megabytes / start.elapsed().as_secs_f64());

    let start = Instant::now();
    while let Some(entry) = spool.read()? {
        spool.acknowledge(entry.offset + entry.events)?;
    }
    println!("read and acknowledged them at {:.0} MB/s", megabytes / start.elapsed().as_secs_f64());
    Ok(())
}
