//! Writes what is learned, while a run goes on and when it ends.
//!
//! The analyst gives one piece of bounded size between two batches of calls, and a thread of its own writes it. Nobody waits
//! for a disk but the end of the run.

use crate::Notice;
use crate::learned::Part;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_detect::policies::Cases;
use tapwire_detect::{CallRules, Detectors, HeldGroups, Incidents, RulePieces};
use tapwire_inspect::TokenKey;
use tapwire_inventory::Inventory;
use tapwire_store::{Checkpoint, Checkpoints, StoreError};

/// Pieces that wait for the writer; each is some hundred KiB at most.
const WAITING: usize = 4;

/// How often it is said that checkpoints cannot be written.
pub(crate) const SAY_EVERY: Duration = Duration::from_secs(3_600);

/// What became of the checkpoints of a run.
#[derive(Debug, Default)]
pub struct StateReport {
    /// Checkpoints that were written whole, of all files together.
    pub written: u64,
    /// Bytes of the last of each.
    pub bytes: u64,
    /// The longest that calls had to wait for a piece.
    pub longest: Duration,
    /// The first trouble with writing since everything was kept for the last time; checkpoints before it are there.
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
    pub(crate) rules: Option<&'a dyn CallRules>,
    pub(crate) incidents: &'a Incidents,
    pub(crate) cases: &'a Cases,
}

impl Whole<'_> {
    fn rule_pieces(&self, key: &TokenKey) -> RulePieces {
        match self.rules {
            Some(rules) => rules.pieces(key),
            None => Box::new(std::iter::once(HeldGroups::preface(key).to_vec())),
        }
    }
}

/// Where a checkpoint goes on.
enum Cursor {
    Inventory(tapwire_inventory::state::Cursor),
    Detectors(tapwire_detect::Cursor),
    /// `None` where it begins.
    Rules(Option<RulePieces>),
    Incidents(tapwire_detect::incidents::Cursor),
    Policies(tapwire_detect::policies::Cursor),
}

impl Cursor {
    fn begin(part: Part) -> Self {
        match part {
            Part::Inventory => Self::Inventory(Default::default()),
            Part::Detectors => Self::Detectors(Default::default()),
            Part::Rules => Self::Rules(None),
            Part::Incidents => Self::Incidents(Default::default()),
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
    notices: Receiver<Notice>,
    writer: JoinHandle<StateReport>,
}

impl Keeper {
    /// Starts the writer.
    pub(crate) fn start(checkpoints: Checkpoints, every: Option<Duration>, key: TokenKey) -> Self {
        // Pieces are at most those that are empty, and each part begins and ends around one: nobody waits to give an order.
        let (orders, taken) = bounded(4 * WAITING);
        let (recycle, empty) = bounded(WAITING);
        (0..WAITING).for_each(|_| drop(recycle.try_send(Vec::new())));
        let (tell, notices) = bounded(WAITING);
        let writer = Writer::new(checkpoints, recycle, tell);
        let writer = std::thread::spawn(move || writer.work(&taken));
        let (begun, longest) = (Instant::now(), Duration::ZERO);
        Self { every, key, begun, now: None, orders, empty, longest, notices, writer }
    }

    /// What there is to tell of checkpoints.
    pub(crate) fn notices(&self) -> impl Iterator<Item = Notice> {
        self.notices.try_iter()
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
            Some((_, Cursor::Rules(pieces))) => {
                let pieces = pieces.get_or_insert_with(|| whole.rule_pieces(&self.key));
                piece = pieces.next().unwrap_or_default();
                !piece.is_empty()
            }
            Some((_, Cursor::Incidents(cursor))) => whole.incidents.save(&self.key, cursor, &mut piece),
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

/// The writer's thread.
struct Writer {
    checkpoints: Checkpoints,
    recycle: Sender<Vec<u8>>,
    tell: Sender<Notice>,
    begun: Option<(Part, Checkpoint)>,
    /// Bytes of the last of each part.
    sizes: [u64; Part::ALL.len()],
    /// A part of the round that is being written failed.
    failed: bool,
    /// When it was last said that checkpoints fail; `None` while they do not.
    said: Option<Instant>,
    report: StateReport,
}

impl Writer {
    const fn new(checkpoints: Checkpoints, recycle: Sender<Vec<u8>>, tell: Sender<Notice>) -> Self {
        Self {
            checkpoints,
            recycle,
            tell,
            begun: None,
            sizes: [0; Part::ALL.len()],
            failed: false,
            said: None,
            report: StateReport { written: 0, bytes: 0, longest: Duration::ZERO, error: None },
        }
    }

    /// Works until the keeper is gone.
    fn work(mut self, orders: &Receiver<Order>) -> StateReport {
        for order in orders {
            if let Err(error) = self.carry_out(order) {
                // What is not whole does not take the place of what is.
                self.begun = None;
                self.fail(error);
            }
        }
        self.report.bytes = self.sizes.iter().sum();
        self.report
    }

    fn carry_out(&mut self, order: Order) -> Result<(), StoreError> {
        match order {
            Order::Begin(part) => {
                self.failed &= part != Part::Inventory;
                self.begun = Some((part, self.checkpoints.begin(part.name())?));
            }
            Order::Piece(piece) => {
                let open = self.begun.as_mut().filter(|_| !piece.is_empty());
                let written = open.map_or(Ok(()), |(_, checkpoint)| checkpoint.piece(&piece));
                let _ = self.recycle.try_send(piece);
                written?;
            }
            Order::End => {
                let Some((part, checkpoint)) = self.begun.take() else { return Ok(()) };
                let bytes = checkpoint.finish()?;
                self.report.written += 1;
                self.sizes.get_mut(part as usize).into_iter().for_each(|size| *size = bytes);
                if Some(&part) == Part::ALL.last() && !self.failed {
                    self.succeed();
                }
            }
        }
        Ok(())
    }

    /// A round was written whole.
    fn succeed(&mut self) {
        self.report.error = None;
        if self.said.take().is_some() {
            let _ = self.tell.try_send(Notice::Kept);
        }
    }

    /// One that finds no room repeats what is waiting to be told.
    fn fail(&mut self, error: StoreError) {
        self.failed = true;
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.said = Some(Instant::now());
            let _ = self.tell.try_send(Notice::Unkept(error.clone()));
        }
        self.report.error.get_or_insert(error);
    }
}
