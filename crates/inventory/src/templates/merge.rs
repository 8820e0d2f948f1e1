//! Words become one parameter: what stands behind them is put together.

use super::node::{Label, NodeId, bit};
use super::{Change, Templates, What};
use tapwire_inspect::SegmentKind;

impl Templates {
    /// Makes the words below a node values of its parameter. They all have the same ending.
    pub(super) fn merge_words(
        &mut self,
        at: NodeId,
        words: &[NodeId],
        last: bool,
        changes: &mut Vec<Change>,
    ) {
        let Some(first) = words.first() else { return };
        let ending: Box<str> = self.node(*first).ending().into();
        let parameter = match self.parameter(at, &ending) {
            Some(known) => known,
            None => self.new_parameter(at, SegmentKind::Word, &ending),
        };
        self.node_mut(parameter).kinds |= bit(SegmentKind::Word);
        let root = self.root_of(at);
        for word in words {
            let value = self.key(root, self.word(*word).as_bytes());
            self.values.add(value);
            self.leave_parent(at, *word);
            self.unify(*word, parameter, changes);
            self.merged += 1;
        }
        self.retitle(parameter, changes);
        self.judge_below(parameter, last, changes);
    }

    /// Takes a word out of its parent's hands.
    fn leave_parent(&mut self, at: NodeId, word: NodeId) {
        self.node_mut(at).words.retain(|child| *child != word);
        if let Label::Word(text) = &self.node(word).label {
            let key = self.key(at, text.as_bytes());
            self.children.remove(&key);
        }
    }

    /// Puts everything of one node into another and frees it.
    fn unify(&mut self, from: NodeId, into: NodeId, changes: &mut Vec<Change>) {
        let empty = super::Node::new(Label::Root, NodeId::default(), super::Standing::Fixed);
        let node = std::mem::replace(self.node_mut(from), empty);
        self.free.push(from);
        self.favourites.leave(from);
        let target = self.node_mut(into);
        target.hits = target.hits.saturating_add(node.hits);
        target.kinds |= node.kinds;
        for slot in node.slots {
            match target.slot_mut(slot.method, slot.operation) {
                Some(known) => {
                    changes.push(Change::Folded(slot.endpoint, known.endpoint));
                    known.answers.absorb(slot.answers);
                }
                None => target.slots.push(slot),
            }
        }
        for child in node.words {
            self.move_word(from, child, into, changes);
        }
        for child in node.parameters {
            match self.parameter(into, self.node(child).ending()) {
                Some(known) => self.unify(child, known, changes),
                None => {
                    self.node_mut(child).parent = into;
                    self.node_mut(into).parameters.push(child);
                }
            }
        }
    }

    fn move_word(&mut self, from: NodeId, child: NodeId, into: NodeId, changes: &mut Vec<Change>) {
        let Label::Word(text) = self.node(child).label.clone() else { return };
        let (old, new) = (self.key(from, text.as_bytes()), self.key(into, text.as_bytes()));
        self.children.remove(&old);
        if let Some(known) = self.children.get(&new).copied() {
            self.unify(child, known, changes);
            return;
        }
        self.children.insert(new, child);
        self.node_mut(child).parent = into;
        self.node_mut(into).words.push(child);
    }

    /// Names every endpoint at and below a node anew.
    fn retitle(&self, at: NodeId, changes: &mut Vec<Change>) {
        let node = self.node(at);
        for slot in &node.slots {
            let what = What { method: slot.method, operation: slot.operation };
            changes.push(Change::Retitled(at, what, slot.endpoint));
        }
        for child in node.words.iter().chain(&node.parameters) {
            self.retitle(*child, changes);
        }
    }
}
