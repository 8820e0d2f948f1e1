//! Templates as people read them.

use super::{Label, NodeId, Templates};
use crate::template;
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_inspect::SegmentKind;

impl Templates {
    /// The template of a node: `/orders/{orderId}`. `long` says that the path goes on beyond what is looked at.
    pub(crate) fn text(&self, at: NodeId, long: bool) -> Arc<str> {
        let mut way = Vec::new();
        let mut next = at;
        loop {
            let node = self.node(next);
            if node.label == Label::Root {
                break;
            }
            way.push(next);
            next = node.parent;
        }
        let (mut out, mut used, mut parent) = (String::new(), BTreeMap::new(), None);
        for id in way.iter().rev() {
            out.push('/');
            match &self.node(*id).label {
                Label::Root => {}
                Label::Word(text) => {
                    out.push_str(text);
                    let version = SegmentKind::of(text.as_bytes(), 0) == SegmentKind::Version;
                    parent = (!version).then_some(&**text);
                }
                Label::Parameter(kind, ending) => {
                    template::push_parameter(&mut out, &mut used, template::parameter_name(*kind, parent));
                    out.push_str(ending);
                }
            }
        }
        if way.is_empty() {
            out.push('/');
        }
        if long {
            out.push_str("/…");
        }
        out.into()
    }
}

/// Whether a segment stands in a template as it stands in the path.
pub(super) fn is_plain(segment: &[u8]) -> bool {
    segment.iter().all(|byte| template::is_plain(*byte))
}

/// A word as a template shows it: unreserved characters decoded, all others percent-encoded.
pub(super) fn canonical(segment: &[u8]) -> String {
    template::word(segment)
}
