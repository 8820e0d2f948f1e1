//! A redactor with its scratch space: what the formats write traffic text with.

use crate::fields::Leaves;
use crate::redact::{Redacted, Redactor};
use crate::time::Calendar;
use crate::view::{View, header};
use tapwire_protocol::{Head, Message, Untrusted};

/// Redacts the parts of a view, one at a time.
#[derive(Debug)]
pub(crate) struct Pen {
    pub redactor: Redactor,
    pub calendar: Calendar,
    scratch: Vec<u8>,
    second: Vec<u8>,
}

impl Pen {
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor, calendar: Calendar::default(), scratch: Vec::new(), second: Vec::new() }
    }

    pub(crate) fn method(&mut self, view: &View<'_>) -> Option<Redacted<'_>> {
        Some(self.redactor.method(view.method()?, &mut self.scratch))
    }

    /// The host that was asked, lower-case, without port.
    pub(crate) fn host(&mut self, view: &View<'_>) -> Option<Redacted<'_>> {
        Some(self.redactor.host_name(view.host()?, &mut self.scratch))
    }

    /// Another host's name.
    pub(crate) fn name(&mut self, name: &[u8]) -> Redacted<'_> {
        self.redactor.host_name(Untrusted::new(name), &mut self.scratch)
    }

    pub(crate) fn path(&mut self, path: &[u8]) -> Redacted<'_> {
        self.redactor.path(Untrusted::new(path), &mut self.scratch)
    }

    pub(crate) fn query(&mut self, query: &[u8]) -> Redacted<'_> {
        self.redactor.query(Untrusted::new(query), &mut self.scratch)
    }

    /// The request target as it stands in the request line.
    pub(crate) fn target(&mut self, view: &View<'_>) -> Option<Redacted<'_>> {
        let head = view.request_head()?;
        let connect = head.method().is_some_and(|method| method.bytes() == b"CONNECT");
        let target = head.target()?;
        Some(if connect && !target.bytes().starts_with(b"/") {
            self.redactor.host(target, &mut self.scratch)
        } else {
            self.redactor.url(target, &mut self.scratch)
        })
    }

    /// The path template; its words come from traffic.
    pub(crate) fn template(&mut self, view: &View<'_>) -> Option<Redacted<'_>> {
        Some(self.redactor.path(Untrusted::new(view.template()?.as_bytes()), &mut self.scratch))
    }

    /// The name of a service.
    pub(crate) fn named(&mut self, service: &str) -> Redacted<'_> {
        self.redactor.host_name(Untrusted::new(service.as_bytes()), &mut self.scratch)
    }

    /// The service, with analysis off the host.
    pub(crate) fn service(&mut self, view: &View<'_>) -> Option<Redacted<'_>> {
        let service = view.service().map(|name| Untrusted::new(name.as_bytes())).or_else(|| view.host())?;
        Some(self.redactor.host_name(service, &mut self.scratch))
    }

    /// The first `User-Agent`.
    pub(crate) fn user_agent(&mut self, head: &Head) -> Option<Redacted<'_>> {
        let value = header(head, b"user-agent")?;
        Some(self.redactor.user_agent(value, &mut self.scratch))
    }

    /// The first `Content-Type`.
    pub(crate) fn media_type(&mut self, message: &Message) -> Option<Redacted<'_>> {
        let value = header(&message.head, b"content-type")?;
        Some(self.redactor.media_type(value, &mut self.scratch))
    }

    /// A header's name and value.
    pub(crate) fn field(
        &mut self,
        name: Untrusted<'_>,
        value: Untrusted<'_>,
    ) -> (Redacted<'_>, Redacted<'_>) {
        let value = self.redactor.header(name.bytes(), value, &mut self.scratch);
        (self.redactor.header_name(name, &mut self.second), value)
    }

    /// The caller, where one is known.
    pub(crate) fn principal(&mut self, view: &View<'_>) -> Option<(&'static str, Redacted<'_>)> {
        let principal = view.call?.principal?;
        Some((principal.kind.name(), self.redactor.token(principal.token, &mut self.scratch)))
    }

    /// An operation: names out of payloads, with marks of the sensor's own between them.
    pub(crate) fn operation(&mut self, operation: &str) -> Redacted<'_> {
        self.redactor.payload_names(Untrusted::new(operation.as_bytes()), &mut self.scratch)
    }

    /// The path of a field, whose names come from traffic.
    pub(crate) fn field_path(&mut self, path: &str) -> Redacted<'_> {
        self.redactor.field_path(Untrusted::new(path.as_bytes()), &mut self.scratch)
    }

    /// A name out of a payload: of an operation, tool, model, field or variable.
    pub(crate) fn payload_name(&mut self, name: &str) -> Redacted<'_> {
        self.redactor.payload_names(Untrusted::new(name.as_bytes()), &mut self.scratch)
    }

    /// Text out of a payload that is content.
    pub(crate) fn content(&mut self, text: &str) -> Redacted<'_> {
        self.redactor.content(Untrusted::new(text.as_bytes()), &mut self.scratch)
    }

    /// A keyed token.
    pub(crate) fn token(&mut self, token: tapwire_inspect::Token) -> Redacted<'_> {
        self.redactor.token(token, &mut self.scratch)
    }

    /// Text of a field, as the field's kind of text leaves.
    pub(crate) fn leave<'s>(&'s mut self, leaves: Leaves, text: Untrusted<'s>) -> &'s [u8] {
        let (redactor, scratch) = (&mut self.redactor, &mut self.scratch);
        match leaves {
            Leaves::Own => return text.bytes(),
            Leaves::Method => redactor.method(text, scratch),
            Leaves::Host => redactor.host_name(text, scratch),
            Leaves::Path => redactor.path(text, scratch),
            Leaves::Query => redactor.query(text, scratch),
            Leaves::Names => redactor.payload_names(text, scratch),
            Leaves::Header(name) => redactor.header(name.as_bytes(), text, scratch),
            Leaves::Token => redactor.shown_token(text, scratch),
        }
        .bytes()
    }

    /// A service's name, for the sensor's own sentences.
    pub(crate) fn shown_service(&mut self, name: &str) -> String {
        self.redactor.shown_host(name)
    }

    /// A sentence of the sensor that may name templates and parameters.
    pub(crate) fn prose(&mut self, sentence: &str) -> Redacted<'_> {
        self.redactor.prose(Untrusted::new(sentence.as_bytes()), &mut self.scratch)
    }
}
