//! A call as rules look at it: its texts as sent and decoded, made when they are asked for.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use tapwire_event::View;
use tapwire_expr::Value;
use tapwire_inspect::percent_decode;
use tapwire_inventory::Call;
use tapwire_protocol::{Head, Untrusted};

/// Bytes of one text that rules look at.
pub(crate) const MAX_TEXT: usize = 16 << 10;

/// A call before rules.
#[derive(Debug)]
pub struct Subject<'a> {
    call: &'a Call,
    /// The whole target, its path and its query, each decoded where it has escapes.
    decoded: [OnceCell<Option<Vec<u8>>>; 3],
    /// The URL that a proxy would log.
    url: OnceCell<Option<Vec<u8>>>,
    /// Texts longer than what rules look at.
    pub(crate) cut: Cell<u64>,
}

/// A part of the request target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Path and query.
    Whole,
    /// The path.
    Path,
    /// The query without `?`.
    Query,
}

impl<'a> Subject<'a> {
    /// Of a call.
    pub fn new(call: &'a Call) -> Self {
        Self { call, decoded: Default::default(), url: OnceCell::new(), cut: Cell::new(0) }
    }

    /// The call.
    pub const fn call(&self) -> &'a Call {
        self.call
    }

    /// The call as fields of exchanges look at it.
    pub const fn view(&self) -> View<'a> {
        View { exchange: &self.call.observation.exchange, call: Some(self.call), source: "" }
    }

    pub(crate) fn head(&self) -> Option<&'a Head> {
        self.call.observation.exchange.request_head()
    }

    /// A request header as sent.
    pub(crate) fn header(&self, name: &[u8]) -> Value<'a> {
        let value = self.head().and_then(|head| head.header(name));
        value.map(|text: Untrusted<'a>| Value::text(text.bytes())).into()
    }

    /// A part of the target as sent.
    pub(crate) fn raw(&self, part: Part) -> Option<&'a [u8]> {
        let (head, observation) = (self.head()?, &self.call.observation);
        let (path, query) = (observation.path?, observation.query);
        let range = match part {
            Part::Path => path,
            Part::Query => query?,
            Part::Whole => tapwire_protocol::Range { end: query.map_or(path.end, |query| query.end), ..path },
        };
        Some(head.slice(range).bytes())
    }

    /// The same without escapes; `None` where it has none.
    pub(crate) fn plain(&self, part: Part) -> Option<&[u8]> {
        let cell = self.decoded.get(part as usize)?;
        cell.get_or_init(|| {
            let raw = self.raw(part)?;
            let raw = raw.get(..MAX_TEXT).unwrap_or(raw);
            raw.contains(&b'%').then(|| percent_decode(raw, MAX_TEXT))
        })
        .as_deref()
    }

    /// A part as sent and decoded.
    pub(crate) fn part(&self, part: Part) -> Value<'_> {
        texts(self.raw(part).into_iter().chain(self.plain(part)))
    }

    /// The query and, since many rules mean all of it by that name, the whole target.
    pub(crate) fn query_or_whole(&self) -> Value<'_> {
        let parts = [Part::Query, Part::Whole];
        texts(parts.into_iter().flat_map(|part| self.raw(part).into_iter().chain(self.plain(part))))
    }

    /// The URL with scheme and host, and the target alone, each as sent and decoded.
    pub(crate) fn url(&self) -> Value<'_> {
        let url = self.url.get_or_init(|| {
            let target = self.raw(Part::Whole)?;
            let authority = self.call.observation.authority.as_deref()?;
            let scheme = if self.call.observation.exchange.flow.tls.is_some() { "https" } else { "http" };
            Some([scheme.as_bytes(), b"://", authority.as_bytes(), target].concat())
        });
        let target = self.raw(Part::Whole).into_iter().chain(self.plain(Part::Whole));
        texts(url.as_deref().into_iter().chain(target))
    }

    /// What keywords are looked for in: what a line of an access log says.
    pub(crate) fn log_line(&self, visit: &mut dyn FnMut(&[u8])) {
        let method = self.head().and_then(Head::method).map(Untrusted::bytes);
        let target = self.raw(Part::Whole).into_iter().chain(self.plain(Part::Whole));
        method.into_iter().chain(target).for_each(&mut *visit);
        for name in ["user-agent", "referer", "host"] {
            if let Value::Text(text) = self.header(name.as_bytes()) {
                visit(&text);
            }
        }
    }
}

fn texts<'s>(all: impl Iterator<Item = &'s [u8]>) -> Value<'s> {
    let mut all: Vec<Cow<'s, [u8]>> = all.map(Cow::Borrowed).collect();
    match all.len() {
        0 => Value::Unknown,
        1 => all.pop().map(Value::Text).into(),
        _ => Value::List(all),
    }
}
