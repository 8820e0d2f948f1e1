//! What an event is rendered from: an exchange, and what is learned about it when analysis is on.

use memchr::{memchr, memmem};
use std::net::IpAddr;
use tapwire_inspect::Said;
use tapwire_inventory::{Call, Caller};
use tapwire_protocol::{Anomalies, Child, Exchange, Head, Message, Range, Untrusted, host_of, without_user};

/// An exchange as every format sees it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// What is learned about it; `None` with analysis off. It holds the same exchange.
    pub call: Option<&'a Call>,
    /// The capture file or interface its first packet came from.
    pub source: &'a str,
}

/// The parts of a request target (RFC 9112, 3.2), none of them decoded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Target<'a> {
    /// The authority of an absolute or CONNECT target, user information included.
    pub authority: Option<&'a [u8]>,
    /// The path, `*` for the asterisk form; `None` for CONNECT.
    pub path: Option<&'a [u8]>,
    /// What follows the first `?`, without the fragment that some clients send.
    pub query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    fn of(head: &'a Head) -> Self {
        let Some(target) = head.target().map(Untrusted::bytes) else { return Self::default() };
        let connect = head.method().is_some_and(|method| method.bytes() == b"CONNECT");
        // Extended CONNECT (RFC 8441) has a path.
        if connect && !target.starts_with(b"/") {
            return Self { authority: Some(target), ..Self::default() };
        }
        Self::parse(target)
    }

    /// The authority alone. An origin-form target, the usual one, has none.
    fn authority_of(head: &'a Head) -> Option<&'a [u8]> {
        let is_path = head.target()?.bytes().starts_with(b"/");
        if is_path { None } else { Self::of(head).authority }
    }

    /// Splits an origin-form or absolute-form target.
    pub(crate) fn parse(target: &'a [u8]) -> Self {
        let (authority, rest) = split_authority(target);
        let rest = memchr(b'#', rest).and_then(|at| rest.get(..at)).unwrap_or(rest);
        let (path, query) = match memchr(b'?', rest).and_then(|at| rest.split_at_checked(at)) {
            Some((path, query)) => (path, query.get(1..)),
            None => (rest, None),
        };
        let path = if path.is_empty() && authority.is_some() { b"/" } else { path };
        Self { authority, path: Some(path), query }
    }
}

/// `scheme://authority` in front of a path, when it stands there.
fn split_authority(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme_end = if target.starts_with(b"/") { None } else { memmem::find(target, b"://") };
    let after = scheme_end
        .filter(|&at| target.iter().take(at).all(u8::is_ascii_alphanumeric))
        .and_then(|at| target.get(at + 3..));
    let Some(after) = after else { return (None, target) };
    let end = after.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(after.len());
    let (authority, rest) = after.split_at_checked(end).unwrap_or((after, b""));
    (Some(authority), rest)
}

/// The first header of that name. Almost every other name differs in length already, so no text is looked at.
pub(crate) fn header<'a>(head: &'a Head, name: &[u8]) -> Option<Untrusted<'a>> {
    let is_it = |range: Range| {
        range.end.wrapping_sub(range.start) as usize == name.len() && head.slice(range).is(name)
    };
    let end = head.trailers_from.unwrap_or(head.fields.len());
    let mut fields = head.fields.iter().take(end);
    let value = fields.find_map(|field| field.value.filter(|_| field.name.is_some_and(is_it)))?;
    Some(head.slice(value))
}

impl<'a> View<'a> {
    /// Names of the data classes, once each.
    pub(crate) fn class_names(&self) -> Vec<&'a str> {
        let Some(observation) = self.call.map(|call| &call.observation) else { return Vec::new() };
        let mut names: Vec<&str> =
            observation.data_classes().map(|found| observation.class_name(found.class)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether it is a connection on which nobody said a word.
    pub(crate) fn is_unsaid(&self) -> bool {
        self.call.is_some_and(|call| call.knocks.is_some())
    }

    /// The request, when it was seen.
    pub fn request(&self) -> Option<&'a Message> {
        self.exchange.request.as_deref()
    }

    /// The final response, when it was seen.
    pub fn response(&self) -> Option<&'a Message> {
        self.exchange.response.as_deref()
    }

    /// The request's head; a child's is that of the exchange that carries it.
    pub(crate) fn request_head(&self) -> Option<&'a Head> {
        self.exchange.request_head()
    }

    /// The response's head, likewise.
    pub(crate) fn response_head(&self) -> Option<&'a Head> {
        self.exchange.response_head()
    }

    /// The head that came first.
    pub(crate) fn first_head(&self) -> Option<&'a Head> {
        self.request_head().or_else(|| self.response_head())
    }

    /// What it is to the exchange that carries it, when it is a child.
    pub(crate) fn child(&self) -> Option<&'a Child> {
        self.exchange.child.as_ref()
    }

    /// The method as sent.
    pub(crate) fn method(&self) -> Option<Untrusted<'a>> {
        self.request_head()?.method()
    }

    /// The parts of the request target.
    pub(crate) fn target(&self) -> Target<'a> {
        self.request_head().map(Target::of).unwrap_or_default()
    }

    /// Where the request was sent to: the target's authority, else `Host`, without user information.
    pub(crate) fn authority(&self) -> Option<Untrusted<'a>> {
        let host = || self.request_header(b"host").map(Untrusted::bytes);
        let named = self.request_head().and_then(Target::authority_of);
        let authority = named.or_else(host)?;
        Some(Untrusted::new(without_user(authority))).filter(|text| !text.bytes().is_empty())
    }

    /// The host the request was sent to, without port.
    pub(crate) fn host(&self) -> Option<Untrusted<'a>> {
        Some(Untrusted::new(host_of(self.authority()?.bytes())))
    }

    /// The first request header of that name.
    pub(crate) fn request_header(&self, name: &[u8]) -> Option<Untrusted<'a>> {
        header(self.request_head()?, name)
    }

    /// The first response header of that name.
    pub(crate) fn response_header(&self, name: &[u8]) -> Option<Untrusted<'a>> {
        header(self.response_head()?, name)
    }

    /// The response's status code.
    pub(crate) fn status(&self) -> Option<u16> {
        self.response_head()?.status
    }

    /// The client: as trusted proxies name it, else as on the wire. Its port is not always known.
    pub fn client(&self) -> (IpAddr, Option<u16>) {
        if let Some(client) = self.caller().and_then(|caller| caller.address) {
            return (client.ip, client.port);
        }
        let flow = &self.exchange.flow;
        let named = flow.proxy.as_ref().and_then(|proxy| proxy.client);
        let client = named.as_ref().unwrap_or_else(|| flow.client());
        (client.ip(), Some(client.port))
    }

    /// What is known of the caller beside its name, with analysis on.
    pub(crate) fn caller(&self) -> Option<&'a Caller> {
        self.call.map(|call| &call.caller)
    }

    /// The server as on the wire.
    pub fn server(&self) -> (IpAddr, u16) {
        let server = self.exchange.flow.server();
        (server.ip(), server.port)
    }

    /// Anomalies of the exchange, of its halves and of their content.
    pub(crate) fn anomalies(&self) -> Anomalies {
        let found = self.call.map(|call| call.observation.anomalies).unwrap_or_default();
        self.exchange.all_anomalies() | found
    }

    /// The service's name, with analysis on.
    pub(crate) fn service(&self) -> Option<&'a str> {
        self.call?.service.as_deref()
    }

    /// The path template, with analysis on.
    pub(crate) fn template(&self) -> Option<&'a str> {
        self.call?.template.as_deref()
    }

    /// What the payloads say in their style, with analysis on.
    pub(crate) fn said(&self) -> Option<&'a Said> {
        self.call?.observation.said.as_deref()
    }

    /// What is called, where the path does not say it.
    pub(crate) fn operation(&self) -> Option<&'a str> {
        self.call?.observation.operation().map(|operation| operation.name.as_str())
    }

    /// Wire protocols and styles of calls, outermost first.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &'static str> + use<'a> {
        let styles = self.said().map_or(&[][..], |said| &said.protocols);
        self.exchange.protocols.iter().chain(styles).copied()
    }

    /// Bytes of both halves that were not captured, where that is known.
    pub(crate) fn missed_bytes(&self) -> u64 {
        let missed = |half: Option<&Message>| half.map_or(0, |message| message.missed_bytes);
        missed(self.request()).saturating_add(missed(self.response()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> (Option<&[u8]>, &[u8], Option<&[u8]>) {
        let target = Target::parse(target.as_bytes());
        (target.authority, target.path.unwrap(), target.query)
    }

    #[test]
    fn targets_of_rfc_9112_section_3_2() {
        assert_eq!(parts("/where?q=now"), (None, b"/where".as_slice(), Some(b"q=now".as_slice())));
        assert_eq!(parts("*"), (None, b"*".as_slice(), None));
        let absolute = parts("http://www.example.org:8001?a#b");
        assert_eq!(
            absolute,
            (Some(b"www.example.org:8001".as_slice()), b"/".as_slice(), Some(b"a".as_slice()))
        );
        assert_eq!(
            parts("/redirect?to=http://x/"),
            (None, b"/redirect".as_slice(), Some(b"to=http://x/".as_slice()))
        );
        assert_eq!(parts("//a@b/c"), (None, b"//a@b/c".as_slice(), None));
    }
}
