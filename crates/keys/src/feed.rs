//! The way from sources to the sensor: one feed for each capture thread.

use crate::lines::Batch;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;

/// Batches that wait for the sensor: 4 MiB at most.
const WAITING: usize = 256;

/// Lines of key logs for one capture thread.
#[derive(Debug)]
pub struct Feed {
    /// What files held when they were opened.
    first: Option<Arc<Batch>>,
    rest: Receiver<Arc<Batch>>,
}

impl Feed {
    /// Hands over what has come since the last time: first all that was there when the sources were opened. Every piece is
    /// whole lines.
    pub fn take(&mut self, mut give: impl FnMut(&[u8])) {
        if let Some(first) = self.first.take() {
            give(&first);
        }
        for batch in self.rest.try_iter() {
            give(&batch);
        }
    }

    /// Whether there is nothing now; cheap enough to ask between any two batches of packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }
}

/// The sources' end of all feeds.
#[derive(Debug, Clone)]
pub(crate) struct Feeder(Vec<Sender<Arc<Batch>>>);

/// A feed for each of so many capture threads, beginning with `first`.
pub(crate) fn feeds(count: usize, first: Batch) -> (Feeder, Vec<Feed>) {
    let first = (!first.is_empty()).then(|| Arc::new(first));
    let (senders, feeds) = (0..count.max(1))
        .map(|_| {
            let (sender, rest) = bounded(WAITING);
            (sender, Feed { first: first.clone(), rest })
        })
        .unzip();
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
        let (feeder, mut feeds) = feeds(2, Zeroizing::new(b"old\n".to_vec()));
        assert!(feeder.give(Zeroizing::new(b"new\n".to_vec())));
        for feed in &mut feeds {
            let mut got = Vec::new();
            feed.take(|text| got.extend_from_slice(text));
            assert_eq!(got, b"old\nnew\n");
            assert!(feed.is_empty());
        }
        drop(feeds);
        assert!(!feeder.give(Zeroizing::new(b"late\n".to_vec())));
    }
}
