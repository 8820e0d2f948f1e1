//! Answers that are held, each for whoever asked.

use super::Answer;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Each has [`super::Limits::bytes`] at most. When another comes, the oldest goes.
const MOST: usize = 8;

/// An answer with what it is of.
pub(crate) struct Answered {
    pub(crate) query: String,
    pub(crate) answer: Answer,
    pub(crate) took: Duration,
}

/// Those that can still be looked at.
#[derive(Default)]
pub(crate) struct Held(Mutex<VecDeque<Place>>);

struct Place {
    id: String,
    owner: String,
    answered: Arc<Answered>,
}

impl Held {
    pub(crate) fn put(&self, id: String, owner: String, answered: Answered) {
        // Whoever panicked left it whole: each change is one.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MOST {
            held.pop_front();
        }
        held.push_back(Place { id, owner, answered: Arc::new(answered) });
    }

    pub(crate) fn get(&self, id: &str, owner: &str) -> Option<Arc<Answered>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = held.iter().find(|place| place.id == id && place.owner == owner)?;
        Some(Arc::clone(&place.answered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_for_who_asked_until_others_take_its_place() {
        let held = Held::default();
        let put = |id: usize, owner: &str| {
            let answered = Answered { query: String::new(), answer: Answer::default(), took: Duration::ZERO };
            held.put(id.to_string(), owner.to_owned(), answered);
        };
        put(0, "ana");
        assert!(held.get("0", "ana").is_some() && held.get("0", "bob").is_none());
        (1..=MOST).for_each(|id| put(id, "bob"));
        assert!(held.get("0", "ana").is_none() && held.get("1", "bob").is_some());
    }
}
