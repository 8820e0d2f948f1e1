//! What lies between the exchanges of a connection and belongs to none of them.

use crate::h1::pairing::Paired;
use crate::{Answer, Message, Unseen};
use tapwire_flow::StreamOffset;

/// How far a connection is accounted for, and what may hide behind that.
///
/// An exchange of a client that waits begins at two offsets that any of its halves tells: that of the request and the
/// acknowledgement it travelled with, or that of the response and what it acknowledges, which is the request's end. So
/// what is missing between two exchanges is known for both directions, also where only halves were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    /// Where the client's known messages end; `None` before the first, when it began before the capture.
    client: Option<StreamOffset>,
    /// The same for the server.
    server: Option<StreamOffset>,
    /// The last request's end is not known.
    request_open: bool,
    /// The last response's end is not known, or that response is missing.
    response_open: bool,
    /// The last exchange was a request alone.
    unanswered: bool,
    /// The client does not wait for answers, so that its acknowledgements say nothing of where they begin.
    pipelines: bool,
}

impl Account {
    /// Of a connection of which the bytes from these offsets on are missing.
    pub(super) fn new(client: Option<StreamOffset>, server: Option<StreamOffset>) -> Self {
        Self { client, server, ..Self::default() }
    }

    /// The client's or the server's stream begins here, with a hole.
    pub(super) fn begin_client(&mut self, at: StreamOffset) {
        self.client.get_or_insert(at);
    }

    /// See [`Account::begin_client`].
    pub(super) fn begin_server(&mut self, at: StreamOffset) {
        self.server.get_or_insert(at);
    }

    /// What lies before that exchange; from here on it counts as known.
    pub(super) fn enter(&mut self, paired: &Paired, pipelines: bool) -> Unseen {
        self.pipelines |= pipelines;
        let (request, response) = (paired.request.as_deref(), paired.response.as_deref());
        let asked = response.and_then(|response| response.peer_at);
        let client_at = request.map(|request| request.at).or(asked);
        let server_at = response.map(|r| r.at).or(request.and_then(|request| request.peer_at));
        let mut unseen = self.until(client_at, server_at);
        unseen.requests += u8::from(request.is_none() && unseen.client > 0);
        self.client = self.client.max(paired.request_end.or(asked)).max(client_at);
        self.server = self.server.max(paired.response_end).max(server_at);
        self.request_open = is_open(request, paired.request_end) && asked.is_none();
        self.response_open = response.is_none() || is_open(response, paired.response_end);
        self.unanswered = response.is_none();
        unseen
    }

    /// The last response had not ended when its exchange was entered: it has now. `whole` says that its end is known.
    pub(super) fn go_on_to(&mut self, end: Option<StreamOffset>, whole: bool) {
        self.server = self.server.max(end);
        self.response_open = !whole;
    }

    /// What is missing behind the last exchange, up to the ends of the two streams.
    pub(super) fn until(&self, client: Option<StreamOffset>, server: Option<StreamOffset>) -> Unseen {
        let missing = |known: Option<StreamOffset>, at: Option<StreamOffset>| match (known, at) {
            (Some(known), Some(at)) => at.since(known),
            _ => 0,
        };
        let (client, server) = (missing(self.client, client), missing(self.server, server));
        let answer = if server > 0 || self.pipelines { Answer::Lost } else { Answer::Never };
        Unseen {
            client,
            server,
            requests: u8::from(self.request_open && client > 0),
            responses: u8::from(self.response_open && server > 0),
            answer: self.unanswered.then_some(answer),
        }
    }
}

fn is_open(message: Option<&Message>, end: Option<StreamOffset>) -> bool {
    message.is_some() && end.is_none()
}
