//! The way of new context into a run that goes on: whoever reads the files puts it here, and the analyst takes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_inventory::context::Context;

/// Hands what files say of the network to a run. The last one put in counts.
#[derive(Debug, Clone, Default)]
pub struct ContextFeed(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// So that looking costs one load where there is nothing.
    is_new: AtomicBool,
    next: Mutex<Option<Arc<Context>>>,
}

impl ContextFeed {
    /// Puts in what counts from the next exchange on.
    pub fn put(&self, context: Arc<Context>) {
        *self.0.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(context);
        self.0.is_new.store(true, Ordering::Release);
    }

    /// Takes what was put in since the last call.
    pub(crate) fn take(&self) -> Option<Arc<Context>> {
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
