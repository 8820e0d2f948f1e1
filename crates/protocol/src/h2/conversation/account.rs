//! What of a connection was not captured, for estimating what nobody saw.

use crate::{Answer, Exchange, Seen, Unseen};

/// Missing bytes since the exchange before.
#[derive(Debug, Default)]
pub(super) struct Account {
    client: u64,
    server: u64,
    unanswered: bool,
}

impl Account {
    pub(super) const fn miss(&mut self, of_client: bool, bytes: u64) {
        let missing = if of_client { &mut self.client } else { &mut self.server };
        *missing = missing.saturating_add(bytes);
    }

    /// What lies before that exchange; from here on it counts as known.
    pub(super) fn enter(&mut self, exchange: &mut Exchange) {
        exchange.unseen = self.end();
        let whole =
            |half: &Option<Box<crate::Message>>| half.as_ref().is_some_and(|m| m.seen == Seen::Complete);
        let Unseen { client, server, requests, responses, .. } = &mut exchange.unseen;
        *requests = u8::from(*client > 0 && !whole(&exchange.request));
        *responses = u8::from(*server > 0 && !whole(&exchange.response));
        *self = Self { unanswered: exchange.response.is_none(), ..Self::default() };
    }

    /// What is missing behind the last exchange.
    pub(super) fn end(&self) -> Unseen {
        let answer = if self.server > 0 { Answer::Lost } else { Answer::Never };
        Unseen {
            client: self.client,
            server: self.server,
            answer: self.unanswered.then_some(answer),
            ..Unseen::default()
        }
    }
}
