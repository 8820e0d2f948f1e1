//! Maps: objects whose keys are data, such as ids, dates or the names of what is stored, and no vocabulary of the API.

use super::{Node, Schema};
use tapwire_inspect::SegmentKind;
use tapwire_inspect::fields::{Kind, Kinds, Step};

/// Keys that look like identifiers or dates make a map when they are so many, and nearly all of its keys.
const LEAST_TYPED: usize = 3;
/// Other keys, when each object has few of many and their values are alike, or when one object has that many alike.
const LEAST_NOVEL: usize = 24;
const LEAST_ALIKE: usize = 64;
/// A key that is in less than one of so many objects is seldom.
const SELDOM: u64 = 8;

/// The members of an object.
#[derive(Debug, Clone, Copy, Default)]
struct Members {
    all: usize,
    typed: usize,
    seldom: usize,
    kinds: Kinds,
    /// Sum of the kinds of each: equal to the number of members where all are of one kind.
    variety: usize,
}

/// The objects that are maps and were not known for it.
pub(super) fn among(schema: &Schema) -> Vec<usize> {
    let nodes = schema.nodes();
    let mut members = vec![Members::default(); nodes.len()];
    for node in nodes.iter().filter(|node| node.step == Step::Member) {
        let Some(parent) = nodes.get(usize::from(node.parent)) else { continue };
        if let Some(members) = members.get_mut(usize::from(node.parent)) {
            members.add(node, parent);
        }
    }
    let judged = nodes.iter().zip(members).enumerate();
    judged.filter(|(_, (node, members))| !node.is_map && members.are_entries()).map(|(at, _)| at).collect()
}

impl Members {
    fn add(&mut self, node: &Node, parent: &Node) {
        self.all += 1;
        self.typed += usize::from(is_data(node.name()));
        self.seldom += usize::from(node.count.saturating_mul(SELDOM) < parent.objects);
        self.kinds = self.kinds.or(node.kinds);
        self.variety += node.kinds.iter().filter(|kind| *kind != Kind::Null).count();
    }

    fn are_entries(&self) -> bool {
        let alike = self.kinds.iter().filter(|kind| *kind != Kind::Null).count() <= 1;
        let typed = self.all >= LEAST_TYPED && self.typed * 5 >= self.all * 4;
        let novel = self.all >= LEAST_NOVEL && self.seldom * 5 >= self.all * 4 && alike;
        let many = self.all >= LEAST_ALIKE && alike && self.variety > 0;
        typed || novel || many
    }
}

/// Whether a key looks like an identifier or a date. Short numbers count, as ids of rows do.
fn is_data(key: &str) -> bool {
    SegmentKind::of(key.as_bytes(), usize::MAX).is_parameter()
}
