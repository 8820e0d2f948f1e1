//! OCSF 1.8.0: API Activity (6003) or HTTP Activity (4002) for exchanges, Detection Finding (2004) for findings,
//! Incident Finding (2005) for what one actor did,
//! Application Security Posture Finding (2007) for what policies say of services, and the Base Event (0) with `metadata.event_code` for the sensor itself.
//!
//! Keys come in a fixed order. What OCSF has no place for stands under `unmapped`.

mod caller;
mod endpoints;
mod exchange;
mod finding;
mod http;
pub(crate) mod incident;
mod posture;
mod repeated;
mod said;
mod sensor;
mod suggestion;

pub(crate) use finding::info;
pub(crate) use repeated::RepeatedFields;
pub(crate) use sensor::interval;
pub(crate) use suggestion::suggestions;

use crate::community::CommunityIds;
use crate::json;
use crate::number;
use crate::pen::Pen;
use crate::render::{Class, Detail, Options};
use tapwire_protocol::Uid;

/// Everything an OCSF event is written with.
pub(crate) struct Writer<'w> {
    pub metadata: &'w [u8],
    pub class: Class,
    pub detail: Detail,
    pub sequence: u64,
    /// The exchange's identity, computed once.
    pub exchange: Uid,
    pub pen: &'w mut Pen,
    pub community: &'w mut CommunityIds,
    pub repeated: &'w mut RepeatedFields,
}

/// The members that say what an event is.
struct Kind {
    category: i64,
    class: i64,
    activity: i64,
    severity: i64,
}

impl Kind {
    fn write(&self, out: &mut Vec<u8>) {
        json::integer(out, "category_uid", self.category);
        json::integer(out, "class_uid", self.class);
        json::integer(out, "activity_id", self.activity);
        json::integer(out, "type_uid", self.class * 100 + self.activity);
        json::integer(out, "severity_id", self.severity);
    }
}

/// The part of `metadata` that is the same in every event.
pub(crate) fn metadata_prefix(options: &Options) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b",\"metadata\":{");
    json::own(&mut out, "version", "1.8.0");
    json::object(&mut out, "product");
    json::own(&mut out, "name", "Tapwire");
    if options.detail == Detail::Full {
        json::own(&mut out, "vendor_name", "Tapwire");
        json::own(&mut out, "version", &options.version);
    }
    json::close(&mut out);
    if let Some(reporter) = &options.reporter {
        json::object(&mut out, "reporter");
        json::own(&mut out, "name", reporter);
        json::close(&mut out);
    }
    if let Some(tenant) = &options.tenant {
        json::own(&mut out, "tenant_uid", tenant);
    }
    out
}

impl Writer<'_> {
    /// `metadata`, left open for what only some classes add.
    fn open_metadata(&self, uid: &[u8], profile: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.metadata);
        self.profiles(profile, out);
        json::key(out, "uid");
        out.push(b'"');
        number::hex(out, uid);
        out.push(b'"');
        json::count(out, "sequence", self.sequence);
    }

    /// Most events use no profile; who iterates over them should find a list in a full one.
    fn profiles(&self, profile: Option<&str>, out: &mut Vec<u8>) {
        if self.detail == Detail::Full || profile.is_some() {
            json::words(out, "profiles", profile.into_iter());
        }
    }

    /// The id of the key that tokens were made with.
    fn token_key(&self, out: &mut Vec<u8>) {
        json::key(out, "token_key");
        out.push(b'"');
        number::hex(out, &self.pen.redactor.key_id());
        out.push(b'"');
    }
}
