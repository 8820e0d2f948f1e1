//! Path templates, learned online: a trie of a service's paths in which words that turn out to be data become parameters.
//!
//! Typed segments (numbers, UUIDs, dates …) are parameters at once. Words are kept apart until [`judge`] finds that what
//! stands behind several of them is the same thing: the answers have the same keys, the same methods are called. Then
//! [`merge`] makes one parameter of them. Nothing here knows endpoints but by the number the inventory gave them.

mod answers;
mod compare;
mod favourites;
mod judge;
mod merge;
mod node;
mod odds;
mod saved;
mod text;
mod values;
mod words;

use crate::hashing::{BuildAsIs, Keyed};
use answers::Answers;
use favourites::Favourites;
use node::{Label, Slot, bit};
pub(crate) use node::{Node, NodeId};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use tapwire_inspect::{KeySample, PathSegment, SegmentKind};
use tapwire_protocol::Head;
use values::Values;
use words::Standing;
pub use words::is_own_word;

/// Methods that have the same number in every inventory: the first of all that come.
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const GET: u16 = 0;
const POST: u16 = 1;
/// What is done with one item, not with a collection.
const ITEM_METHODS: std::ops::RangeInclusive<u16> = 2..=4;

/// Words below one node that are kept apart.
const MAX_WORDS: usize = 256;
/// Methods and operations of one node, beyond what the inventory bounds itself.
const MAX_SLOTS: usize = 1100;

/// What one answer says of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: Option<u16>,
    /// Without a body at all.
    pub(crate) is_bare: bool,
    pub(crate) keys: &'a KeySample,
    pub(crate) shape: u64,
}

impl Answer<'_> {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }

    fn class_bit(&self) -> u8 {
        self.status.and_then(|status| 1_u8.checked_shl(u32::from(status / 100))).unwrap_or(1)
    }
}

/// A request's path.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    pub(crate) head: &'a Head,
    pub(crate) segments: &'a [PathSegment],
}

impl<'a> Path<'a> {
    fn bytes(&self, segment: PathSegment) -> &'a [u8] {
        self.head.slice(segment.range).bytes()
    }
}

/// What is called: a method, and an operation where one path has many (0 without).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct What {
    pub(crate) method: u16,
    pub(crate) operation: u64,
}

/// What became of endpoints when words became a parameter. In the order in which it is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The first is the second from now on.
    Folded(u32, u32),
    /// The endpoint's template is another now.
    Retitled(NodeId, What, u32),
}

/// The tries of all services.
pub(crate) struct Templates {
    hashing: Keyed,
    nodes: Vec<Node>,
    /// Stands for a node that does not exist.
    nowhere: Node,
    free: Vec<NodeId>,
    /// By a keyed hash of node and word.
    children: HashMap<u64, NodeId, BuildAsIs>,
    max_nodes: usize,
    /// Words that turned out to be values.
    values: Values,
    /// Values that are called often.
    favourites: Favourites,
    /// Paths that found no room.
    pub(crate) refused: u64,
    /// Words that became values of a parameter.
    pub(crate) merged: u64,
}

impl Templates {
    pub(crate) fn new(hashing: Keyed, max_nodes: usize) -> Self {
        Self {
            hashing,
            nodes: Vec::new(),
            nowhere: Node::new(Label::Root, NodeId::default(), Standing::Fixed),
            free: Vec::new(),
            children: HashMap::default(),
            max_nodes,
            values: Values::default(),
            favourites: Favourites::default(),
            refused: 0,
            merged: 0,
        }
    }

    /// The root of another service.
    pub(crate) fn root(&mut self) -> NodeId {
        self.add(Node::new(Label::Root, NodeId::default(), Standing::Fixed))
    }

    /// The node of a path and the endpoint there, where both are known.
    pub(crate) fn find(
        &self,
        root: NodeId,
        path: Path<'_>,
        what: What,
        answer: &Answer<'_>,
    ) -> Option<(NodeId, u32)> {
        let mut at = root;
        let mut guessed = false;
        for segment in path.segments {
            let (next, guess) = self.step(at, path.bytes(*segment), segment.kind)?;
            at = next;
            guessed |= guess;
        }
        let slot = self.node(at).slot(what.method, what.operation)?;
        if guessed && answer.is_success() && !slot.answers.fits(answer) {
            return None;
        }
        Some((at, slot.endpoint))
    }

    /// The child that a segment leads to, and whether a word was taken for a value.
    fn step(&self, at: NodeId, bytes: &[u8], kind: SegmentKind) -> Option<(NodeId, bool)> {
        let canonical;
        let bytes = if text::is_plain(bytes) {
            bytes
        } else {
            canonical = text::canonical(bytes);
            canonical.as_bytes()
        };
        if kind.is_parameter() {
            return self.parameter(at, "").map(|child| (child, false));
        }
        if let Some(child) = self.children.get(&self.key(at, bytes)) {
            return Some((*child, false));
        }
        if kind == SegmentKind::Version || self.node(at).parameters.is_empty() {
            return None;
        }
        let word = std::str::from_utf8(bytes).ok()?;
        let (stem, ending) = words::stem(word);
        let child = self.parameter(at, ending)?;
        let typed = !ending.is_empty() && SegmentKind::of(stem.as_bytes(), usize::MAX).is_parameter();
        if typed {
            return Some((child, false));
        }
        (self.node(child).is_open() && words::standing(word) == Standing::Free).then_some((child, true))
    }

    fn parameter(&self, at: NodeId, ending: &str) -> Option<NodeId> {
        self.node(at).parameters.iter().copied().find(|child| self.node(*child).ending() == ending)
    }

    /// How many operations a path has.
    pub(crate) fn operations(&self, root: NodeId, path: Path<'_>) -> usize {
        let way = path.segments.iter().try_fold(root, |at, segment| {
            self.step(at, path.bytes(*segment), segment.kind).map(|(next, _)| next)
        });
        way.map_or(0, |at| self.node(at).slots.iter().filter(|slot| slot.operation != 0).count())
    }

    /// Makes the nodes of a path that are not there. `None` when there is no room for them.
    pub(crate) fn grow(
        &mut self,
        root: NodeId,
        path: Path<'_>,
        what: What,
        answer: &Answer<'_>,
    ) -> Option<NodeId> {
        let misfit = self.is_misfit(root, path, what, answer);
        let mut at = root;
        for (index, segment) in path.segments.iter().enumerate() {
            let known = self.step(at, path.bytes(*segment), segment.kind);
            at = match known {
                Some((next, guessed)) if !guessed || misfit != Some(index) => next,
                _ => self.new_child(at, path.bytes(*segment), segment.kind)?,
            };
            self.see_kind(at, segment.kind);
        }
        Some(at)
    }

    /// The last segment that was taken for a value though nothing speaks for it: the answer is not that of other values, or
    /// no value was called so, and it does not look like one.
    fn is_misfit(&self, root: NodeId, path: Path<'_>, what: What, answer: &Answer<'_>) -> Option<usize> {
        let mut at = root;
        let (mut last, mut word) = (None, false);
        for (index, segment) in path.segments.iter().enumerate() {
            let Some((next, guessed)) = self.step(at, path.bytes(*segment), segment.kind) else {
                return last.filter(|_| word);
            };
            if guessed {
                let text = text::canonical(path.bytes(*segment));
                (last, word) = (Some(index), !words::is_value_like(&text) && !self.is_known_value(at, &text));
            }
            at = next;
        }
        match self.node(at).slot(what.method, what.operation) {
            Some(slot) => last.filter(|_| answer.is_success() && !slot.answers.fits(answer)),
            None => last.filter(|_| word),
        }
    }

    fn see_kind(&mut self, at: NodeId, kind: SegmentKind) {
        let node = self.node_mut(at);
        if matches!(node.label, Label::Parameter(..)) {
            node.kinds |= if kind.is_parameter() { bit(kind) } else { 0 };
        }
    }

    /// Notes which words on the way to a node an answer repeats.
    pub(crate) fn see_echo(&mut self, at: NodeId, is_repeated: impl Fn(&str) -> bool) {
        let mut next = at;
        while self.node(next).label != Label::Root {
            let node = self.node_mut(next);
            let Label::Word(word) = &node.label else {
                next = node.parent;
                continue;
            };
            node.echoed |= node.standing == Standing::Free && !node.echoed && is_repeated(word);
            next = node.parent;
        }
    }

    fn new_child(&mut self, at: NodeId, bytes: &[u8], kind: SegmentKind) -> Option<NodeId> {
        let word = text::canonical(bytes);
        let (stem, ending) = words::stem(&word);
        let stem_kind = if kind.is_parameter() { kind } else { SegmentKind::of(stem.as_bytes(), usize::MAX) };
        let typed = kind.is_parameter() || !ending.is_empty() && stem_kind.is_parameter();
        if typed {
            self.has_room()?;
            let ending = if kind.is_parameter() { "" } else { ending };
            return Some(self.new_parameter(at, stem_kind, ending));
        }
        let standing = if kind == SegmentKind::Version { Standing::Fixed } else { words::standing(&word) };
        self.new_word(at, &word, standing)
    }

    /// Makes room for another node, in that no more is asked for.
    fn has_room(&mut self) -> Option<()> {
        let room = self.nodes.len() - self.free.len() < self.max_nodes;
        self.refused += u64::from(!room);
        room.then_some(())
    }

    fn new_word(&mut self, at: NodeId, word: &str, standing: Standing) -> Option<NodeId> {
        if self.node(at).words.len() >= MAX_WORDS {
            self.refused += 1;
            return None;
        }
        self.has_room()?;
        let key = self.key(at, word.as_bytes());
        let child = self.add(Node::new(Label::Word(word.into()), at, standing));
        self.children.insert(key, child);
        self.node_mut(at).words.push(child);
        Some(child)
    }

    fn new_parameter(&mut self, at: NodeId, kind: SegmentKind, ending: &str) -> NodeId {
        let mut node = Node::new(Label::Parameter(kind, ending.into()), at, Standing::Fixed);
        node.kinds = bit(kind);
        let child = self.add(node);
        self.node_mut(at).parameters.push(child);
        child
    }

    /// Gives what is called at a node its endpoint. `false` when there is no room for it.
    pub(crate) fn set_endpoint(&mut self, at: NodeId, what: What, endpoint: u32) -> bool {
        let node = self.node_mut(at);
        if let Some(slot) = node.slot_mut(what.method, what.operation) {
            slot.endpoint = endpoint;
            return true;
        }
        let room = node.slots.len() < MAX_SLOTS;
        if room {
            let What { method, operation } = what;
            node.slots.push(Slot { method, operation, endpoint, answers: Answers::default() });
        }
        room
    }

    /// The endpoint of what is called at a node.
    pub(crate) fn endpoint(&self, at: NodeId, what: What) -> Option<u32> {
        self.node(at).slot(what.method, what.operation).map(|slot| slot.endpoint)
    }

    /// Learns from a call. Returns whether words on its path are due to be judged.
    pub(crate) fn learn(&mut self, at: NodeId, what: What, answer: &Answer<'_>) -> bool {
        if let Some(slot) = self.node_mut(at).slot_mut(what.method, what.operation) {
            slot.answers.add(answer);
        }
        let mut due = false;
        let mut next = at;
        loop {
            let node = self.node_mut(next);
            node.hits = node.hits.saturating_add(1);
            due |= node.hits >= node.look;
            if node.label == Label::Root {
                return due;
            }
            next = node.parent;
        }
    }

    /// Bytes of all nodes.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.iter().map(Node::bytes).sum::<usize>()
            + self.children.capacity() * (size_of::<(u64, NodeId)>() + 1)
            + self.free.capacity() * size_of::<NodeId>()
            + self.values.bytes()
            + self.favourites.bytes()
    }

    /// Whether that word is a value of a parameter elsewhere in the same service.
    fn is_known_value(&self, at: NodeId, word: &str) -> bool {
        self.values.has(self.key(self.root_of(at), word.as_bytes()))
    }

    fn root_of(&self, at: NodeId) -> NodeId {
        let mut root = at;
        while self.node(root).label != Label::Root {
            root = self.node(root).parent;
        }
        root
    }

    fn key(&self, at: NodeId, word: &[u8]) -> u64 {
        let mut hash = self.hashing.build_hasher();
        hash.write_u32(at.0);
        hash.write(word);
        hash.finish()
    }

    fn add(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    /// Ids are given by [`Templates::add`] and nodes never leave the vector, so that this is always the node of that id.
    fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&self.nowhere)
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(id.0 as usize).unwrap_or(&mut self.nowhere)
    }
}
