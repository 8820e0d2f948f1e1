//! Writes labelled traffic for measuring detection: `scenes [OPTIONS] OUT` makes `OUT.pcap`, `OUT.labels.jsonl` (attacks)
//! and `OUT.requests.jsonl` (what every request was).
//!
//! Services are tables, people and machines are actors with a time at which they act next, attacks are actors too. It
//! uses nothing that judges: only the writers of packets of this crate. The same options give the same bytes.

#![allow(clippy::cast_possible_truncation, reason = "numbers of made-up traffic are small by construction")]
#![allow(clippy::redundant_pub_crate, reason = "modules of a program")]

mod apis;
mod attacks;
mod crowd;
mod exchange;
mod habits;
mod honest;
mod json;
mod labels;
mod options;
mod people;
mod rpc;
mod server;
mod simulation;
mod values;
mod views;
mod wire;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome =
        options::Options::parse(std::env::args().skip(1)).and_then(|options| simulation::run(&options));
    match outcome {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("scenes: {error}");
            ExitCode::from(2)
        }
    }
}
