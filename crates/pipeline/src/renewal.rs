//! The way of what files say into a run that goes on: whoever reads them again puts it here, and the analyst takes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_detect::CallRules;
use tapwire_detect::policies::{Rules, Settings};
use tapwire_inventory::context::Context;

/// Hands what was read again to a run. The last one put in counts.
#[derive(Debug)]
pub struct Renewal<T>(Arc<Waiting<T>>);

/// What files say of the network.
pub type ContextFeed = Renewal<Arc<Context>>;

/// What judges calls by users' rules; `None` where there are none any more.
pub type RuleFeed = Renewal<Option<Box<dyn CallRules>>>;

/// Findings that are not told.
pub type MuteFeed = Renewal<Vec<crate::Mute>>;

/// What policies are judged, what of their findings is accepted, and when.
pub type PolicyFeed = Renewal<(Rules, Settings)>;

#[derive(Debug)]
struct Waiting<T> {
    /// So that looking costs one load where there is nothing.
    is_new: AtomicBool,
    next: Mutex<Option<T>>,
}

impl<T> Default for Renewal<T> {
    fn default() -> Self {
        Self(Arc::new(Waiting { is_new: AtomicBool::new(false), next: Mutex::new(None) }))
    }
}

impl<T> Clone for Renewal<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Renewal<T> {
    /// Puts in what counts from the next exchange on.
    pub fn put(&self, next: T) {
        *self.0.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        self.0.is_new.store(true, Ordering::Release);
    }

    /// Takes what was put in since the last call.
    pub(crate) fn take(&self) -> Option<T> {
        if !self.0.is_new.load(Ordering::Relaxed) {
            return None;
        }
        self.0.is_new.store(false, Ordering::Release);
        self.0.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_put_in_is_taken_once() {
        let feed = ContextFeed::default();
        assert!(feed.take().is_none());
        let last = Arc::<Context>::default();
        feed.put(Arc::default());
        feed.clone().put(Arc::clone(&last));
        assert!(feed.take().is_some_and(|taken| Arc::ptr_eq(&taken, &last)));
        assert!(feed.take().is_none());
    }
}
