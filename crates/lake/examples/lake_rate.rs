//! How many events a second of CPU time become rows: `cargo run --release -p tapwire-lake --features lake --example lake_rate --
//! EVENTS.jsonl [ROUNDS]`.

use std::error::Error;
use std::time::Instant;
use tapwire_lake::Lake;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("give a file of events, one a line")?;
    let rounds: u32 = arguments.next().map_or(Ok(100), |rounds| rounds.parse())?;
    let events = std::fs::read_to_string(&file)?;
    let folder = tempfile::tempdir()?;
    let (began, began_cpu) = (Instant::now(), cpu_seconds()?);
    let mut lake = Lake::open(folder.path(), 0)?;
    let mut committed = 0;
    for _ in 0..rounds {
        committed += lake.write(&events)?.committed;
    }
    committed += lake.commit()?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - began_cpu);
    println!("{committed} events of {} bytes each on average", events.len() / events.lines().count().max(1));
    println!(
        "{:.0} a second of CPU time, {cpu:.2} s of it in {seconds:.1} s; events were written again and again, so that sizes \
         say nothing",
        f64::from(u32::try_from(committed)?) / cpu
    );
    Ok(())
}

/// CPU time of this thread, which is the only one: on a busy machine that says more than a clock.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().ok_or("schedstat is empty")?;
    Ok(nanos.parse::<f64>()? / 1e9)
}
