//! How alike is what stands behind two words.

use super::Templates;
use super::node::{Label, Node, NodeId, Slot};
use super::words::Standing;

/// Nodes that are looked at to compare two words, and words below one of them.
const MAX_LOOKS: u32 = 60;
const MAX_CHILDREN: usize = 12;

/// What speaks for two words being values of one parameter, and against it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Evidence {
    /// Answers with the same keys on the same path behind the words.
    pub(super) agree: f32,
    /// The same paths and methods, answered without bodies that tell.
    pub(super) weak: f32,
    /// Answers that differ on the same path.
    pub(super) conflict: f32,
}

impl Evidence {
    /// What links two words: two keys that both always have, or four that both often have.
    pub(super) const LINK: f32 = 0.45;

    fn add(&mut self, other: Self) {
        self.agree += other.agree;
        self.weak += other.weak;
        self.conflict += other.conflict;
    }
}

impl Templates {
    pub(super) fn compare(&self, one: NodeId, other: NodeId) -> Evidence {
        let mut looks = MAX_LOOKS;
        self.compare_below(one, other, 0, &mut looks)
    }

    fn compare_below(&self, one: NodeId, other: NodeId, depth: usize, looks: &mut u32) -> Evidence {
        let mut sum = Evidence::default();
        let Some(left) = looks.checked_sub(1) else { return sum };
        *looks = left;
        let (mine, theirs) = (self.node(one), self.node(other));
        for slot in &mine.slots {
            if let Some(same) = theirs.slot(slot.method, slot.operation) {
                sum.add(same_place(slot, same, depth));
            }
        }
        for child in mine.parameters.iter().take(MAX_CHILDREN) {
            match self.parameter(other, self.node(*child).ending()) {
                Some(same) => sum.add(self.compare_below(*child, same, depth + 1, looks)),
                None => sum.agree += self.best(*child, self.free_words(theirs), depth, looks),
            }
        }
        let mut unmatched = Vec::new();
        for child in mine.words.iter().take(MAX_CHILDREN) {
            let Label::Word(text) = &self.node(*child).label else { continue };
            match self.children.get(&self.key(other, text.as_bytes())) {
                Some(same) => sum.add(self.compare_below(*child, *same, depth + 1, looks)),
                None if self.node(*child).standing == Standing::Free => unmatched.push(*child),
                None => {}
            }
        }
        sum.agree += self.best_of_words(&unmatched, other, depth, looks);
        sum
    }

    /// Words of one side that the other does not have may be values: the best of them counts, against a parameter or words.
    fn best_of_words(&self, words: &[NodeId], other: NodeId, depth: usize, looks: &mut u32) -> f32 {
        let theirs = self.node(other);
        let open: Vec<NodeId> =
            theirs.parameters.iter().copied().filter(|id| self.node(*id).is_open()).collect();
        let candidates = if open.is_empty() { self.free_words(theirs) } else { open };
        words
            .iter()
            .take(3)
            .map(|word| self.best(*word, candidates.clone(), depth, looks))
            .fold(0.0, f32::max)
    }

    fn best(&self, one: NodeId, candidates: Vec<NodeId>, depth: usize, looks: &mut u32) -> f32 {
        let mut best = 0.0;
        for other in candidates {
            let evidence = self.compare_below(one, other, depth + 1, looks);
            if evidence.conflict == 0.0 && evidence.agree >= Evidence::LINK {
                best = f32::max(best, evidence.agree * 0.6);
            }
        }
        best
    }

    fn free_words(&self, node: &Node) -> Vec<NodeId> {
        let free = node.words.iter().filter(|id| self.node(**id).standing == Standing::Free);
        free.take(3).copied().collect()
    }
}

/// Evidence of two positions that differ in nothing but the words that are compared.
fn same_place(mine: &Slot, theirs: &Slot, depth: usize) -> Evidence {
    let mut evidence = Evidence::default();
    let (mine, theirs) = (&mine.answers, &theirs.answers);
    match (mine.is_read(), theirs.is_read()) {
        (true, true) => {
            let (shared, share) = mine.likeness(theirs);
            if shared <= 1.0 && share >= 0.5 {
                evidence.weak = 0.2;
            } else if share >= 0.5 {
                evidence.agree = f32::min(shared, 4.0) / 4.0;
            } else if share < 0.3 {
                evidence.conflict = if mine.is_told() && theirs.is_told() { 1.0 } else { 0.4 };
            }
        }
        (false, false) => evidence.weak = if depth == 0 { 0.1 } else { 0.25 },
        _ if mine.is_bare() || theirs.is_bare() => evidence.conflict = 0.5,
        _ => {}
    }
    evidence
}
