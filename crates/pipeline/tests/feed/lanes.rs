//! A tap of two lanes whose second one gets everything, in two parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tapwire_capture::{Pressure, Source, SourceError, SourceNames, SourceStats, Status};
use tapwire_testkit::Capture;
use tapwire_wire::Packet;

/// Longest wait for the other lane: far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first lane: the kernel gives it nothing.
pub(crate) struct Quiet {
    other: Option<Box<dyn Source>>,
    looks: Arc<AtomicU64>,
}

/// The second lane: is quiet for some time, then has one part, and the other as soon as the first lane was quiet in between.
struct Busy {
    parts: [Capture; 2],
    /// When its first part comes.
    from: Instant,
    looks: Arc<AtomicU64>,
    at: usize,
}

impl Quiet {
    pub(crate) fn beside(parts: [Capture; 2], until: Duration) -> Self {
        let looks = Arc::<AtomicU64>::default();
        let busy = Busy { parts, from: Instant::now() + until, looks: Arc::clone(&looks), at: 0 };
        Self { other: Some(Box::new(busy)), looks }
    }
}

fn names() -> SourceNames {
    let names = SourceNames::default();
    names.add("lanes");
    names
}

impl Source for Quiet {
    fn dispatch(&mut self, _deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        std::thread::sleep(Duration::from_millis(1));
        self.looks.fetch_add(1, Ordering::Relaxed);
        Ok(Status::Idle)
    }

    fn stats(&self) -> SourceStats {
        SourceStats::default()
    }

    fn names(&self) -> SourceNames {
        names()
    }

    fn pressure(&self) -> Pressure {
        Pressure::Shed
    }

    fn take_lanes(&mut self) -> Vec<Box<dyn Source>> {
        self.other.take().into_iter().collect()
    }
}

impl Source for Busy {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        let before = self.looks.load(Ordering::Relaxed);
        let begun = Instant::now();
        // The other lane looks for what was handed over behind each look of its own.
        while Instant::now() < self.from
            || self.looks.load(Ordering::Relaxed) < before + 3 && begun.elapsed() < PATIENCE
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        let Some(part) = self.parts.get(self.at) else { return Ok(Status::End) };
        self.at += 1;
        part.packets.iter().for_each(|packet| deliver(packet.packet()));
        Ok(Status::More)
    }

    fn stats(&self) -> SourceStats {
        SourceStats::default()
    }

    fn names(&self) -> SourceNames {
        names()
    }

    fn pressure(&self) -> Pressure {
        Pressure::Shed
    }
}
