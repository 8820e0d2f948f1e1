//! A node of the trie: one segment below another.

use super::answers::Answers;
use super::words::Standing;
use tapwire_inspect::SegmentKind;

/// Names a node.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct NodeId(pub(super) u32);

/// What a segment is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Label {
    /// The service itself.
    Root,
    /// A word, as templates show it.
    Word(Box<str>),
    /// A parameter with the kind of its first value, and what stands behind it in the same segment.
    Parameter(SegmentKind, Box<str>),
}

/// What is called at a node.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Slot {
    pub(super) method: u16,
    /// Hash of the operation, where one path has many; 0 without.
    pub(super) operation: u64,
    /// The endpoint, as the inventory counts them.
    pub(super) endpoint: u32,
    pub(super) answers: Answers,
}

/// A segment of paths, with what follows it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Node {
    pub(super) label: Label,
    pub(super) parent: NodeId,
    pub(super) standing: Standing,
    /// Kinds of values that a parameter had, as bits.
    pub(super) kinds: u8,
    pub(super) words: Vec<NodeId>,
    pub(super) parameters: Vec<NodeId>,
    pub(super) slots: Vec<Slot>,
    /// Whether an answer there had this word for the value of a member that identifies.
    pub(super) echoed: bool,
    /// Calls through or to this node.
    pub(super) hits: u32,
    /// Its words are looked at when it has had so many calls.
    pub(super) look: u32,
}

impl Node {
    pub(super) fn new(label: Label, parent: NodeId, standing: Standing) -> Self {
        Self {
            label,
            parent,
            standing,
            kinds: 0,
            words: Vec::new(),
            parameters: Vec::new(),
            slots: Vec::new(),
            echoed: false,
            hits: 0,
            look: 3,
        }
    }

    /// Whether a word may be a value of this parameter.
    pub(super) const fn is_open(&self) -> bool {
        self.kinds & bit(SegmentKind::Word) != 0
    }

    /// Whether values drawn by lot were seen of this parameter.
    pub(super) const fn is_drawn(&self) -> bool {
        self.kinds & bit(SegmentKind::Identifier) != 0
    }

    /// What follows the identifier in the same segment.
    pub(super) fn ending(&self) -> &str {
        match &self.label {
            Label::Root => "",
            Label::Word(text) => super::words::stem(text).1,
            Label::Parameter(_, ending) => ending,
        }
    }

    pub(super) fn slot(&self, method: u16, operation: u64) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.method == method && slot.operation == operation)
    }

    pub(super) fn slot_mut(&mut self, method: u16, operation: u64) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.method == method && slot.operation == operation)
    }

    /// Bytes of this node with what it holds on the heap.
    pub(super) fn bytes(&self) -> usize {
        let text = match &self.label {
            Label::Word(text) | Label::Parameter(_, text) => text.len(),
            Label::Root => 0,
        };
        let slots: usize = self.slots.iter().map(|slot| slot.answers.bytes()).sum();
        size_of::<Self>()
            + text
            + (self.words.capacity() + self.parameters.capacity()) * size_of::<NodeId>()
            + self.slots.capacity() * size_of::<Slot>()
            + slots
    }
}

/// A kind of value as a bit of [`Node::kinds`].
pub(super) const fn bit(kind: SegmentKind) -> u8 {
    1 << kind as u8
}
