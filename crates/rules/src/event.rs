//! A call as `rsigma` asks for it: field by field, nothing built that is not asked for.

use crate::subject::MAX_TEXT;
use crate::{Names, Subject};
use rsigma_eval::{Event, EventValue};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::hash::Hasher;
use tapwire_expr::Value;

/// A call before the rules.
pub(crate) struct CallEvent<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) names: &'a Names,
}

/// A value as the engine takes it; texts that are longer than what rules look at are counted.
pub(crate) fn told<'s>(value: Value<'s>, cut: &Cell<u64>) -> Option<EventValue<'s>> {
    Some(match value {
        Value::Unknown => return None,
        Value::Bool(truth) => EventValue::Bool(truth),
        Value::Int(number) => EventValue::Int(number),
        Value::Ip(address) => EventValue::Str(Cow::Owned(address.to_string())),
        Value::Text(text) => EventValue::Str(bounded(text, cut)),
        Value::List(texts) => {
            EventValue::Array(texts.into_iter().map(|text| EventValue::Str(bounded(text, cut))).collect())
        }
    })
}

fn bounded<'s>(text: Cow<'s, [u8]>, cut: &Cell<u64>) -> Cow<'s, str> {
    if text.len() > MAX_TEXT {
        cut.set(cut.get() + 1);
    }
    match text {
        Cow::Borrowed(text) => String::from_utf8_lossy(text.get(..MAX_TEXT).unwrap_or(text)),
        Cow::Owned(mut text) => {
            text.truncate(MAX_TEXT);
            Cow::Owned(String::from_utf8_lossy(&text).into_owned())
        }
    }
}

impl Event for CallEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        told(self.names.find(path)?.value(self.subject), &self.subject.cut)
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        let mut any = false;
        self.visit_string_values(&mut |text| any = any || pred(text));
        any
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.visit_string_values(&mut |text| all.push(Cow::Owned(text.to_owned())));
        all
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.subject.log_line(&mut |text| visit(&bounded(Cow::Borrowed(text), &self.subject.cut)));
    }

    /// What findings of correlations keep of a call: which it was.
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "id": self.subject.call().observation.exchange.uid().to_string() })
    }
}

/// The same call where groups are told apart: each text is a keyed hash, so that what is kept of it tells nobody what it was.
pub(crate) struct Grouped<'a, E> {
    pub(crate) call: &'a E,
    pub(crate) key: &'a [u8; 16],
    /// Fields that are reckoned with.
    pub(crate) numbers: &'a BTreeSet<String>,
}

impl<E: Event> Event for Grouped<'_, E> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        Some(match self.call.get_field(path)? {
            EventValue::Str(text) if self.numbers.contains(path) => EventValue::Str(text),
            EventValue::Str(text) => self.hash(&text),
            EventValue::Array(texts) => self.hash(&one(path, &texts)),
            other => other,
        })
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.call.any_string_value(pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.call.all_string_values()
    }

    fn to_json(&self) -> serde_json::Value {
        self.call.to_json()
    }
}

impl<E> Grouped<'_, E> {
    fn hash(&self, text: &str) -> EventValue<'static> {
        let mut hash = SipHasher24::new_with_key(self.key);
        hash.write(text.as_bytes());
        EventValue::Str(Cow::Owned(format!("{:032x}", hash.finish128().as_u128())))
    }
}

/// Of a URI as it was sent, of lists of words all.
fn one(path: &str, texts: &[EventValue<'_>]) -> String {
    let mut words = texts.iter().filter_map(EventValue::as_str);
    match path.starts_with("cs-uri") || path.starts_with("c-uri") {
        true => words.next().unwrap_or_default().into_owned(),
        false => words.collect::<Vec<_>>().join(","),
    }
}
