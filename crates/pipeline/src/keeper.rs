//! Writes what is learned, while a run goes on and when it ends.
//!
//! The analyst gives one piece of bounded size between two batches of calls, and a thread of its own writes it. Nobody waits
//! for a disk but the end of the run.

use crate::learned::Part;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_detect::Detectors;
use tapwire_detect::policies::Cases;
use tapwire_inspect::TokenKey;
use tapwire_inventory::Inventory;
use tapwire_store::{Checkpoint, Checkpoints, StoreError};

/// Pieces that wait for the writer; each is some hundred KiB at most.
const WAITING: usize = 4;

/// What became of the checkpoints of a run.
#[derive(Debug, Default)]
pub struct StateReport {
    /// Checkpoints that were written whole, of all files together.
    pub written: u64,
    /// Bytes of the last of each.
    pub bytes: u64,
    /// The longest that calls had to wait for a piece.
    pub longest: Duration,
    /// The first trouble with writing; checkpoints before it are there.
    pub error: Option<StoreError>,
}

enum Order {
    Begin(Part),
    Piece(Vec<u8>),
    End,
}

/// What checkpoints are cut from.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) detectors: &'a Detectors,
    pub(crate) cases: &'a Cases,
}

/// Where a checkpoint goes on.
enum Cursor {
    Inventory(tapwire_inventory::state::Cursor),
    Detectors(tapwire_detect::Cursor),
    Policies(tapwire_detect::policies::Cursor),
}

impl Cursor {
    fn begin(part: Part) -> Self {
        match part {
            Part::Inventory => Self::Inventory(Default::default()),
            Part::Detectors => Self::Detectors(Default::default()),
            Part::Policies => Self::Policies(Default::default()),
        }
    }
}

/// The analyst's end: cuts checkpoints into pieces.
pub(crate) struct Keeper {
    /// How often, beside the end of the run.
    every: Option<Duration>,
    key: TokenKey,
    begun: Instant,
    /// What is being written, and what comes after it.
    now: Option<(Part, Cursor)>,
    orders: Sender<Order>,
    empty: Receiver<Vec<u8>>,
    longest: Duration,
    writer: JoinHandle<StateReport>,
}

impl Keeper {
    /// Starts the writer.
    pub(crate) fn start(checkpoints: Checkpoints, every: Option<Duration>, key: TokenKey) -> Self {
        // Pieces are at most those that are empty, and each part begins and ends around one: nobody waits to give an order.
        let (orders, taken) = bounded(4 * WAITING);
        let (recycle, empty) = bounded(WAITING);
        (0..WAITING).for_each(|_| drop(recycle.try_send(Vec::new())));
        let writer = std::thread::spawn(move || write(&checkpoints, &taken, &recycle));
        Self { every, key, begun: Instant::now(), now: None, orders, empty, longest: Duration::ZERO, writer }
    }

    /// Whether a checkpoint is being written: the next piece should not wait long.
    pub(crate) const fn is_writing(&self) -> bool {
        self.now.is_some()
    }

    /// Between two batches: gives a piece where one is due and the writer has room.
    pub(crate) fn step(&mut self, whole: Whole<'_>) {
        if self.now.is_none() {
            if self.every.is_none_or(|every| self.begun.elapsed() < every) {
                return;
            }
            self.begun = Instant::now();
            self.begin(Part::Inventory);
        }
        if let Ok(piece) = self.empty.try_recv() {
            let began = Instant::now();
            self.give(piece, whole);
            self.longest = self.longest.max(began.elapsed());
        }
    }

    /// No more calls come: writes everything as it is now but what policies found, who look once more.
    pub(crate) fn last_calls(&mut self, whole: Whole<'_>) {
        self.begin(Part::Inventory);
        while self.now.as_ref().is_some_and(|(part, _)| *part != Part::Policies) {
            let Ok(piece) = self.empty.recv() else { break };
            self.give(piece, whole);
        }
    }

    /// The run is over: writes the rest, and waits until that is done.
    pub(crate) fn finish(mut self, whole: Whole<'_>) -> StateReport {
        while self.is_writing() {
            let Ok(piece) = self.empty.recv() else { break };
            self.give(piece, whole);
        }
        let Self { orders, writer, longest, .. } = self;
        drop(orders);
        let report = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        StateReport { longest, ..report }
    }

    /// What was begun before is given up.
    fn begin(&mut self, part: Part) {
        self.now = Some((part, Cursor::begin(part)));
        self.order(Order::Begin(part));
    }

    /// Fills a piece with what comes next.
    fn give(&mut self, mut piece: Vec<u8>, whole: Whole<'_>) {
        let more = match &mut self.now {
            Some((_, Cursor::Inventory(cursor))) => whole.inventory.save(cursor, &mut piece),
            Some((_, Cursor::Detectors(cursor))) => whole.detectors.save(&self.key, cursor, &mut piece),
            Some((_, Cursor::Policies(cursor))) => whole.cases.save(&self.key, cursor, &mut piece),
            None => return,
        };
        let ended = match &self.now {
            Some((part, _)) if !more => Some(*part),
            _ => None,
        };
        // The last one gives its room back, too.
        self.order(Order::Piece(piece));
        let Some(part) = ended else { return };
        self.order(Order::End);
        self.now = None;
        let next = Part::ALL.into_iter().skip_while(|one| *one != part).nth(1);
        next.into_iter().for_each(|next| self.begin(next));
    }

    /// The writer takes orders as long as it lives, and it lives as long as this; its trouble is in its report.
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// The writer's thread: until the keeper is gone.
fn write(checkpoints: &Checkpoints, orders: &Receiver<Order>, recycle: &Sender<Vec<u8>>) -> StateReport {
    let mut report = StateReport::default();
    let mut sizes = [0; Part::ALL.len()];
    let mut begun: Option<(Part, Checkpoint)> = None;
    for order in orders {
        let done = match order {
            Order::Begin(part) => {
                checkpoints.begin(part.name()).map(|checkpoint| begun = Some((part, checkpoint)))
            }
            Order::Piece(piece) => {
                let open = begun.as_mut().filter(|_| !piece.is_empty());
                let written = open.map_or(Ok(()), |(_, checkpoint)| checkpoint.piece(&piece));
                let _ = recycle.try_send(piece);
                written
            }
            Order::End => match begun.take() {
                Some((part, checkpoint)) => checkpoint.finish().map(|bytes| {
                    report.written += 1;
                    sizes.get_mut(part as usize).into_iter().for_each(|size| *size = bytes);
                }),
                None => Ok(()),
            },
        };
        if let Err(error) = done {
            // What is not whole does not take the place of what is.
            begun = None;
            report.error.get_or_insert(error);
        }
    }
    report.bytes = sizes.iter().sum();
    report
}
