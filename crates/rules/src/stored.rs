//! Exchanges that were seen before, as a store of events has them, before the same rules.

use crate::event::told;
use crate::judge::At;
use crate::{Judge, Names};
use rsigma_eval::{Event, EventValue};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use tapwire_detect::Finding;
use tapwire_expr::Value;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// An exchange by what is known of it.
#[derive(Debug)]
pub struct StoredCall<'a> {
    /// Its identity.
    pub uid: Uid,
    /// When it began.
    pub time: Timestamp,
    /// Status code of the final response.
    pub status: Option<u16>,
    /// Fields by name, those that rules ask for.
    pub fields: &'a [(&'a str, Value<'a>)],
}

impl Judge {
    /// Judges an exchange that was seen before. The caller hands them over in the order in which they ended, those that rules
    /// look at: requests that were seen, and no messages of streams.
    pub fn judge_stored(&mut self, call: &StoredCall<'_>, out: &mut Vec<Finding>) {
        let names = Arc::clone(&self.names);
        let event = StoredEvent { call, names: &names, cut: Cell::new(0) };
        let found = self.engine.evaluate(&event);
        let found = self.counted(&event, found, call.time.nanos() / 1_000_000_000);
        let at = At { uid: call.uid, time: call.time, status: call.status, endpoint: None };
        out.extend(found.iter().filter_map(|result| self.finding(result, &at)));
    }
}

/// An exchange of a store before the rules.
struct StoredEvent<'a> {
    call: &'a StoredCall<'a>,
    names: &'a Names,
    cut: Cell<u64>,
}

impl Event for StoredEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        // A name that is none of a call's means nothing here either.
        self.names.find(path)?;
        let (_, value) = self.call.fields.iter().find(|(name, _)| *name == path)?;
        told(value.clone(), &self.cut)
    }

    /// Words without a field are looked for in texts that no store keeps as they were sent.
    fn any_string_value(&self, _: &dyn Fn(&str) -> bool) -> bool {
        false
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "id": self.call.uid.to_string() })
    }
}
