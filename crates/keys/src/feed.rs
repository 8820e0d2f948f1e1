//! The way from sources to the sensor: one feed for each capture thread.

use crate::lines::Batch;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;

/// Batches that wait for the sensor: 4 MiB at most.
const WAITING: usize = 256;

/// Lines of key logs for one capture thread.
#[derive(Debug)]
pub struct Feed {
    rest: Receiver<Arc<Batch>>,
}

impl Feed {
    /// Hands over what has come since the last time, in pieces of whole lines.
    pub fn take(&self, mut give: impl FnMut(&[u8])) {
        for batch in self.rest.try_iter() {
            give(&batch);
        }
    }

    /// Whether there is nothing now; cheap enough to ask between any two batches of packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// The sources' end of all feeds.
#[derive(Debug, Clone)]
pub(crate) struct Feeder(Vec<Sender<Arc<Batch>>>);

/// A feed for each of so many capture threads.
pub(crate) fn feeds(count: usize) -> (Feeder, Vec<Feed>) {
    let pair = |_| {
        let (sender, rest) = bounded(WAITING);
        (sender, Feed { rest })
    };
    let (senders, feeds) = (0..count.max(1)).map(pair).unzip();
    (Feeder(senders), feeds)
}

impl Feeder {
    /// Waits for room. Whether anybody still takes lines.
    pub(crate) fn give(&self, batch: Batch) -> bool {
        let batch = Arc::new(batch);
        batch.is_empty() || self.0.iter().all(|sender| sender.send(Arc::clone(&batch)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn every_thread_gets_everything_once() {
        let (feeder, feeds) = feeds(2);
        assert!(feeder.give(Zeroizing::new(b"new\n".to_vec())));
        for feed in &feeds {
            let mut got = Vec::new();
            feed.take(|text| got.extend_from_slice(text));
            assert_eq!(got, b"new\n");
            assert!(feed.is_empty());
        }
        drop(feeds);
        assert!(!feeder.give(Zeroizing::new(b"late\n".to_vec())));
    }
}
