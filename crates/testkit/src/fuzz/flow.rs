//! A sequence of operations on connections, through reassembly, against a model that keeps every byte.
//!
//! Two modes. An orderly capture holds one connection from its handshake on, whose packets are lost, late, repeated, cut
//! and overlapping: there the model knows what must be delivered. A hostile one adds resets, wrong checksums, leaps in
//! time, other connections and segments made of any numbers: there the laws hold that need no model of the connection.

mod model;
mod ops;

use super::input::Choices;
use super::laws;
use model::Model;
use ops::{Op, Script};
use tapwire_flow::{Config, Counters, FlowTable};
use tapwire_wire::Timestamp;

/// Operations of one case: enough to fill every table that a small budget allows.
const MOST_OPS: usize = 600;

/// The first bytes choose mode and limits; the rest are operations.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let orderly = choices.flag();
    let config = config(&mut choices);
    let script = Script::new(orderly, &mut choices);
    let starts = orderly.then(|| script.starts());
    let ops = script.read(&mut choices, MOST_OPS);
    let one = play(&ops, starts, &config);
    // Chosen collisions aside, the seed of the hash has no say.
    let other = play(&ops, starts, &Config { hash_seed: 7, ..config });
    assert!(one == other, "another hash seed gives other events");
}

fn config(choices: &mut Choices<'_>) -> Config {
    let wide = Config::default();
    let shape = choices.byte();
    let gap_after_ms = (shape & 1 == 1).then_some(200);
    if shape & 2 == 0 {
        return Config { gap_after_ms, ..wide };
    }
    Config {
        gap_after_ms,
        memory: 2_000 + usize::from(choices.word()),
        out_of_order_memory: usize::from(choices.word()),
        out_of_order_per_direction: usize::from(choices.word()),
        accept_bad_checksums: shape & 4 != 0,
        ..wide
    }
}

/// What was heard, in short, and what was counted.
type Outcome = (Vec<model::Heard>, Counters);

/// Plays a case; `starts` are the first sequence numbers of an orderly one.
fn play(ops: &[Op], starts: Option<[u32; 2]>, config: &Config) -> Outcome {
    let mut table: FlowTable<model::Told> = FlowTable::new(config.clone());
    let mut model = Model::new(config);
    let mut now: i64 = 1_000_000_000_000;
    for op in ops {
        match op {
            Op::Wait(nanos) => {
                now = now.saturating_add(*nanos);
                table.advance(Timestamp::from_nanos(now), &mut model);
            }
            Op::Packet(packet) => {
                now = now.saturating_add(packet.after);
                let packet = packet.build(Timestamp::from_nanos(now), model.next_frame());
                let Some(segment) = packet.segment() else { continue };
                model.capture(&segment);
                table.handle(&segment, &mut model);
            }
        }
        check_bounds(&table, config);
    }
    table.finish(&mut model);
    laws::flow(table.counters());
    model.check(table.counters());
    if let Some(starts) = starts {
        model.check_orderly(table.counters(), starts);
    }
    (model.heard, table.counters().clone())
}

/// What holds after every operation.
fn check_bounds(table: &FlowTable<model::Told>, config: &Config) {
    let counters = table.counters();
    assert!(counters.conserved(), "{counters:?}");
    // The connection of the last segment is never evicted for its own sake.
    assert!(counters.memory <= config.memory as u64 || table.len() == 1, "{counters:?}");
    assert!(counters.out_of_order_memory <= config.out_of_order_memory as u64, "{counters:?}");
    assert!(counters.held_bytes <= counters.out_of_order_memory, "{counters:?}");
}
