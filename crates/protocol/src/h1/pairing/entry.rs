//! An exchange in the making: what it knows of itself, and what it becomes.

use super::{Entry, Half, Paired, Verdict};
use crate::Pairing;
use tapwire_flow::StreamOffset;

impl Entry {
    pub(super) fn alone(request: Option<Half>, response: Option<Half>, unsolicited: bool) -> Self {
        Self { request, response, verdict: Verdict::Certain, pipelined: false, unsolicited }
    }

    /// Its request's anchor, and where its response begins.
    pub(super) fn begins_at(&self) -> (Option<StreamOffset>, Option<StreamOffset>) {
        let anchor = self.request.as_ref().and_then(|request| request.peer_at);
        (anchor, self.response.as_ref().map(|response| response.boundary))
    }

    pub(super) fn is_ended(&self) -> bool {
        let ended = |half: &Option<Half>| half.as_ref().is_none_or(|half| half.ended.is_some());
        ended(&self.request) && ended(&self.response)
    }

    /// Bytes on the heap of its messages that have ended.
    pub(super) fn held(&self) -> usize {
        let held = |half: &Option<Half>| {
            half.as_ref().and_then(|half| half.ended.as_ref()).map_or(0, |ended| ended.message.held())
        };
        held(&self.request) + held(&self.response)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.verdict != Verdict::NeedsSuccessor && self.is_ended()
    }

    pub(super) fn into_paired(self) -> Paired {
        let end = |half: &Option<Half>| half.as_ref().and_then(|half| half.ended.as_ref()?.end);
        let (request_end, response_end) = (end(&self.request), end(&self.response));
        let answered_from = self.response.as_ref().and_then(|half| half.ended.as_ref()?.message.peer_at);
        let interim = self.response.as_ref().map_or([0; 4], |half| half.interim);
        let early = matches!((request_end, answered_from), (Some(end), Some(from)) if from < end);
        let message = |half: Option<Half>| half.and_then(|half| half.ended).map(|ended| ended.message);
        Paired {
            request: message(self.request),
            response: message(self.response),
            request_end,
            response_end,
            interim,
            pairing: if self.verdict == Verdict::Certain { Pairing::Certain } else { Pairing::Uncertain },
            pipelined: self.pipelined,
            early,
            unsolicited: self.unsolicited,
        }
    }
}
