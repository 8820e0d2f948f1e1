//! How many events a second become rows: `cargo run --release -p tapwire-lake --features lake --example lake_rate -- EVENTS.jsonl [ROUNDS]`.

use std::error::Error;
use std::time::Instant;
use tapwire_lake::Lake;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("give a file of events, one a line")?;
    let rounds: u32 = arguments.next().map_or(Ok(100), |rounds| rounds.parse())?;
    let events = std::fs::read_to_string(&file)?;
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    let mut lake = Lake::open(folder.path(), 0)?;
    let mut committed = 0;
    for _ in 0..rounds {
        committed += lake.write(&events)?.committed;
    }
    committed += lake.commit()?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{committed} events of {} bytes each on average", events.len() / events.lines().count().max(1));
    println!(
        "{:.0} a second, {seconds:.1} s in all; events were written again and again, so that sizes say nothing",
        f64::from(u32::try_from(committed)?) / seconds
    );
    Ok(())
}
