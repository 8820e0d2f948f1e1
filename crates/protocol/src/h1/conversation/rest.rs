//! What is left of a connection while nothing is open on it, and what it holds while something is.
//!
//! Most connections that a sensor knows are idle. One that ended its last exchange in the ordinary way needs a tenth of
//! what a busy one needs to go on where it stood.

use super::Conversation;
use super::account::Account;
use crate::h1::pairing::{Memory, Pairer};
use crate::h1::reader::{Reader, Standing};
use crate::{Message, ProxyHeader};
use tapwire_flow::StreamOffset;
use tapwire_wire::Side;

/// A conversation at rest.
#[derive(Debug)]
pub(crate) struct Rest {
    requests: Standing,
    responses: Standing,
    pairing: Memory,
    account: Account,
    next_request_at: Option<StreamOffset>,
    proxy: Option<Box<ProxyHeader>>,
    client: Side,
    expects_proxy: bool,
    known_to_pipeline: bool,
}

impl Rest {
    /// Bytes on the heap.
    pub(crate) fn held(&self) -> usize {
        size_of::<Self>() + self.proxy.as_ref().map_or(0, |_| size_of::<ProxyHeader>())
    }
}

impl Conversation {
    /// What has to be remembered while nothing is open; `None` when something is, or when more has to be.
    pub(crate) fn rest(&self) -> Option<Rest> {
        let (requests, responses) = (self.requests.standing()?, self.responses.standing()?);
        let pairing = self.pairer.memory(self.requests.serial, self.responses.serial)?;
        (!self.tunnelled && self.ongoing.is_none()).then(|| Rest {
            requests,
            responses,
            pairing,
            account: self.account.clone(),
            next_request_at: self.next_request_at,
            proxy: self.proxy.map(Box::new),
            client: self.client,
            expects_proxy: self.expects_proxy,
            known_to_pipeline: self.known_to_pipeline,
        })
    }

    /// Goes on where it rested.
    pub(crate) fn awake(rest: Rest) -> Self {
        let Rest { requests, responses, pairing, account, next_request_at, proxy, .. } = rest;
        let serials = (requests.serial, responses.serial);
        Self {
            client: rest.client,
            proxy: proxy.map(|proxy| *proxy),
            expects_proxy: rest.expects_proxy,
            requests: Reader::at(requests),
            responses: Reader::at(responses),
            pairer: Pairer::remembering(pairing, serials),
            account,
            next_request_at,
            tunnelled: false,
            asks_for: None,
            switch: None,
            tunnels_tls: false,
            known_to_pipeline: rest.known_to_pipeline,
            ongoing: None,
            watched: false,
            charged: 0,
        }
    }

    /// Counts anew what it holds on the heap; gives what was counted before and what is counted now, in bytes.
    pub(crate) fn recount(&mut self) -> (usize, usize) {
        let open = |reader: &Reader| reader.open.as_deref().map_or(0, Message::held);
        let readers = [&self.requests, &self.responses].map(|reader| reader.held.capacity() + open(reader));
        let ongoing = self.ongoing.as_ref().map_or(0, |ongoing| ongoing.held());
        let held = size_of::<Self>() + ongoing + readers.iter().sum::<usize>() + self.pairer.held();
        let now = u32::try_from(held).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.charged, now);
        (before as usize, now as usize)
    }
}
