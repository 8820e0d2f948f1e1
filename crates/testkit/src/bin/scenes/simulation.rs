//! Lets everybody act in the order of time.

use crate::attacks::{Attack, Scenario};
use crate::crowd;
use crate::honest;
use crate::labels::Log;
use crate::options::Options;
use crate::people::{Arrivals, activity};
use crate::values::{mix, number_of};
use crate::wire::Tap;
use crate::world::{Actor, DAY, HOUR, MINUTE, MONDAY, World};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter};

/// Exchanges of a visit, for the rate at which people come.
const OF_A_VISIT: f64 = 17.0;
/// Their part of all exchanges; the rest is staff and machines.
const OF_PEOPLE: f64 = 0.86 * (1.0 - honest::SHARE);
/// What is usual is known by then.
const LEARNED: i64 = 26 * HOUR;

/// Who acts when; those of one time in the order of their coming.
#[derive(Default)]
struct Schedule {
    due: BinaryHeap<Reverse<(i64, u64, usize)>>,
    actors: Vec<Option<Box<dyn Actor>>>,
    free: Vec<usize>,
    serial: u64,
}

impl Schedule {
    fn add(&mut self, at: i64, actor: Box<dyn Actor>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.actors.push(None);
            self.actors.len() - 1
        });
        self.actors[place] = Some(actor);
        self.wake(at, place);
    }

    fn wake(&mut self, at: i64, place: usize) {
        self.serial += 1;
        self.due.push(Reverse((at, self.serial, place)));
    }

    /// Lets the next one act; false where nobody is left, or the next acts after `until`.
    fn step(&mut self, world: &mut World, until: i64) -> bool {
        let Some(Reverse((at, _, place))) = self.due.pop().filter(|Reverse((at, ..))| *at <= until) else {
            return false;
        };
        world.now = world.now.max(at);
        let again = self.actors[place].as_mut().and_then(|actor| actor.act(world));
        match again {
            Some(next) => self.wake(next.max(world.now + 1), place),
            None => {
                self.actors[place] = None;
                self.free.push(place);
            }
        }
        for (at, actor) in std::mem::take(&mut world.born) {
            self.add(at, actor);
        }
        true
    }
}

/// Writes what the options ask for; returns what to tell.
pub(crate) fn run(options: &Options) -> Result<String, String> {
    if options.list {
        return Ok(options.table());
    }
    write(options)
        .map_err(|error| format!("{}: {error}; is there room, and may it be written to?", options.out))
}

fn write(options: &Options) -> io::Result<String> {
    let file = |end: &str| File::create(format!("{}.{end}", options.out));
    let requests = if options.requests { Some(file("requests.jsonl")?) } else { None };
    let log = Log::new(requests, file("labels.jsonl")?);
    let part = options.part.map_or("", |part| part.name());
    let tap = Tap::new(BufWriter::with_capacity(1 << 20, file("pcap")?))?;
    // A world of its own for each slice, so that what is honest is not counted over and over.
    let seed = mix(mix(options.seed, number_of(part)), options.slice.0 as u64 - 1);
    let mut world = World::new(begin(options), seed, tap, log);
    world.part = options.part;
    let scenarios = options.scenarios();
    let mut schedule = Schedule::default();
    populate(&mut world, options, &scenarios);
    for (at, actor) in std::mem::take(&mut world.born) {
        schedule.add(at, actor);
    }
    let bounded = options.attacks() || options.minutes > 0;
    let until = if bounded { begin(options) + span(options) } else { i64::MAX };
    world.end = until;
    let most = if options.attacks() { u64::MAX } else { options.benign };
    world.most = most;
    while world.exchanges < most && schedule.step(&mut world, until) {
        world.flush()?;
    }
    let minutes = (world.now - begin(options)) / MINUTE;
    let told = format!("{} exchanges in {minutes} minutes, {} attacks", world.exchanges, scenarios.len());
    world.tap.finish()?;
    world.log.finish()?;
    Ok(told)
}

/// When the capture begins.
const fn begin(options: &Options) -> i64 {
    if options.minutes > 0 { MONDAY + 10 * HOUR } else { MONDAY }
}

/// Nanoseconds of packet time.
const fn span(options: &Options) -> i64 {
    if options.minutes > 0 { options.minutes * MINUTE } else { options.days * DAY }
}

fn populate(world: &mut World, options: &Options, scenarios: &[Scenario]) {
    let (begin, span) = (begin(options), span(options));
    let daily = options.benign as f64 * DAY as f64 / span as f64;
    if options.minutes == 0 {
        crowd::release(world, begin + span / 10 * 6);
    }
    crowd::gather(world, daily * (1.0 - honest::SHARE));
    honest::gather(world, daily);
    crowd::troubles(world, begin, span);
    // Of the hour, where there is no day to even it out.
    let hourly = if options.minutes > 0 { activity(begin) } else { 1.0 };
    let arrivals = Arrivals::new(world, daily * OF_PEOPLE / OF_A_VISIT / 24.0 / hourly);
    world.spawn(begin, arrivals);
    for scenario in scenarios {
        let attack = Attack::new(world, scenario);
        let at = if options.minutes > 0 {
            begin + span / 5
        } else {
            let room = (span - 40 * MINUTE - LEARNED - attack.span()).max(1);
            begin + LEARNED + (mix(scenario.number(), 17) % room as u64) as i64
        };
        world.spawn(at, attack);
    }
}
