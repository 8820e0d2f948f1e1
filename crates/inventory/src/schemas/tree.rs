//! A schema: the fields of all bodies of one kind, as a tree of nodes, each behind the one it lies in.

use super::Node;
use super::room::Room;
use crate::hashing::Keyed;
use std::hash::{BuildHasher, Hasher};
use tapwire_inspect::fields::{FieldList, Step, push_step};

/// Nodes of one schema.
const MAX_NODES: usize = 512;
/// Orders of fields that are remembered with where each field belongs.
const MAX_KNOWN: usize = 6;
/// The name of the entries of a map.
pub(super) const ENTRY: &str = "{key}";
/// Where a field without node belongs.
const NOWHERE: u16 = u16::MAX;

/// What is learned of all bodies of one kind. Memory is bounded: 512 nodes, and what all schemas share.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Schema {
    nodes: Vec<Node>,
    /// Nodes by keyed hash of parent, step and name, sorted.
    #[serde(skip)]
    index: Vec<(u64, u16)>,
    #[serde(skip)]
    known: Vec<Known>,
    /// Names are numbers that the API gave its fields, as in protobuf: no object is a map.
    numbered: bool,
    bodies: u64,
    left_out: u64,
    /// Bytes that were taken from the room.
    #[serde(skip)]
    taken: usize,
}

/// An order of fields that came before, and the nodes they belong to.
#[derive(Debug, Clone)]
struct Known {
    order: u64,
    nodes: Box<[u16]>,
}

impl Schema {
    /// Of bodies whose fields are numbered instead of named.
    pub(super) fn numbered() -> Self {
        Self { numbered: true, ..Self::default() }
    }

    /// Every node: a node's parent comes before it. The first one of a body is the document.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes that lie in one, in the order they were first seen.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Node)> {
        let all = self.nodes.iter().enumerate();
        all.filter(move |(at, node)| usize::from(node.parent) == parent && *at != parent)
    }

    /// Bodies, or heads, that were learned from.
    pub const fn bodies(&self) -> u64 {
        self.bodies
    }

    /// Fields that found no room.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// In how many objects a node came, and in how many it could have: of a member, of those it lies in; of a parameter, of
    /// calls. Of documents, elements and the entries of maps there is nothing to say.
    pub fn presence(&self, node: &Node) -> Option<(u64, u64)> {
        match (node.step, self.nodes.get(usize::from(node.parent))) {
            (Step::Document | Step::Element, _) => None,
            (Step::Member | Step::Attribute, Some(parent)) if parent.is_map => None,
            (Step::Member | Step::Attribute, Some(parent)) => {
                Some((node.count.min(parent.objects), parent.objects))
            }
            _ => Some((node.bodies, self.bodies)),
        }
    }

    /// Whether a node came wherever it could.
    pub fn is_required(&self, node: &Node) -> bool {
        match self.presence(node) {
            Some((came, could)) => came >= could,
            None => node.name() != ENTRY,
        }
    }

    /// Whether it came several times in one object, or in one head, without being an array: as elements of XML, fields of a
    /// form and parameters of a query do.
    pub fn is_repeated(&self, node: &Node) -> bool {
        match (node.step, self.nodes.get(usize::from(node.parent))) {
            (Step::Member, Some(parent)) => !parent.is_map && node.count > parent.objects,
            (Step::Query, _) => node.count > node.bodies,
            _ => false,
        }
    }

    /// The path as events write it: `$.items[].sku`, `query.page`. Content.
    pub fn path(&self, node: &Node) -> String {
        self.path_with(node, |name| name.to_owned())
    }

    /// The same with names as `shown` gives them: redacted, it may leave.
    pub fn path_with(&self, node: &Node, mut shown: impl FnMut(&str) -> String) -> String {
        let mut steps = vec![node];
        // A parent comes before its children, so that this ends.
        while let Some(last) = steps.last()
            && let Some(parent) =
                self.nodes.get(usize::from(last.parent)).filter(|parent| !std::ptr::eq(*last, *parent))
        {
            steps.push(parent);
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match (step.step, step.name()) {
                (Step::Member, ENTRY) => path.push_str(".{key}"),
                (step, "") => push_step(&mut path, step, ""),
                (step, name) => push_step(&mut path, step, &shown(name)),
            }
        }
        path
    }

    /// Counts a body that has no fields.
    pub(super) const fn count(&mut self) {
        self.bodies += 1;
    }

    /// Forgets which fields belong where.
    pub(super) fn forget(&mut self, room: &mut Room) {
        let bytes = self.known.drain(..).map(|known| bytes_of(&known)).sum();
        self.taken -= bytes;
        room.give(bytes);
    }

    /// Takes in the fields of a body; those that `wanted` refuses are passed over.
    pub(super) fn learn(
        &mut self,
        list: &FieldList,
        wanted: impl Fn(Step, &[u8]) -> bool,
        room: &mut Room,
        hashing: &Keyed,
    ) {
        self.bodies += 1;
        if list.beyond() > 0 {
            self.leave_out(list.beyond().into(), room);
        }
        match self.known.iter().position(|known| known.order == list.order()) {
            Some(at) => {
                // The order that came last stands first: mostly it comes again.
                self.known.get_mut(..=at).into_iter().for_each(|known| known.rotate_right(1));
                self.count_known(list, room);
            }
            None => self.learn_anew(list, wanted, room, hashing),
        }
    }

    /// A body with fields that are all known, in an order that is known.
    fn count_known(&mut self, list: &FieldList, room: &mut Room) {
        let Some(known) = self.known.first() else { return };
        for (field, at) in list.fields().iter().zip(&known.nodes) {
            let Some(node) = self.nodes.get_mut(usize::from(*at)) else { continue };
            let grown = node.learn(list, field);
            if grown != 0 {
                self.taken = self.taken.saturating_add_signed(grown);
                room.grew(grown);
            }
        }
    }

    fn learn_anew(
        &mut self,
        list: &FieldList,
        wanted: impl Fn(Step, &[u8]) -> bool,
        room: &mut Room,
        hashing: &Keyed,
    ) {
        let before = self.nodes.len();
        let mut nodes: Vec<u16> = Vec::with_capacity(list.fields().len());
        for field in list.fields() {
            let name = if field.step == Step::Element { b"" } else { list.name(field) };
            let outermost = !matches!(field.step, Step::Member | Step::Element | Step::Attribute);
            let parent = if outermost { None } else { nodes.get(field.parent.get()).copied() };
            let at = match parent {
                Some(NOWHERE) => NOWHERE,
                _ if outermost && !wanted(field.step, name) => NOWHERE,
                _ => self.find(parent, field.step, &String::from_utf8_lossy(name), room, hashing),
            };
            nodes.push(at);
            if let Some(node) = self.nodes.get_mut(usize::from(at)) {
                let grown = node.learn(list, field);
                self.taken = self.taken.saturating_add_signed(grown);
                room.grew(grown);
            }
        }
        let grew = self.nodes.len() > before;
        if !(grew && self.find_maps(room, hashing)) {
            self.remember(list.order(), nodes, room);
        }
    }

    fn remember(&mut self, order: u64, nodes: Vec<u16>, room: &mut Room) {
        if self.known.len() >= MAX_KNOWN
            && let Some(oldest) = self.known.pop()
        {
            self.taken -= bytes_of(&oldest);
            room.give(bytes_of(&oldest));
        }
        let known = Known { order, nodes: nodes.into() };
        if room.take(bytes_of(&known)) {
            self.taken += bytes_of(&known);
            self.known.insert(0, known);
        }
    }

    /// The node of that name, made where it is not there and there is room.
    pub(super) fn find(
        &mut self,
        parent: Option<u16>,
        step: Step,
        name: &str,
        room: &mut Room,
        hashing: &Keyed,
    ) -> u16 {
        let around = parent.and_then(|parent| self.nodes.get(usize::from(parent)));
        let name = if step == Step::Member && around.is_some_and(|node| node.is_map) { ENTRY } else { name };
        let hash = place_of(parent, step, name, hashing);
        let place = match self.index.binary_search_by_key(&hash, |(hash, _)| *hash) {
            Ok(at) => return self.index.get(at).map_or(NOWHERE, |(_, node)| *node),
            Err(place) => place,
        };
        let at = u16::try_from(self.nodes.len()).unwrap_or(NOWHERE);
        let node = Node::new(parent.unwrap_or(at), step, name);
        let bytes = node.bytes() + size_of::<(u64, u16)>();
        if self.nodes.len() >= MAX_NODES {
            self.leave_out(1, room);
            return NOWHERE;
        }
        if !room.take(bytes) {
            self.left_out += 1;
            return NOWHERE;
        }
        self.taken += bytes;
        self.nodes.push(node);
        self.index.insert(place, (hash, at));
        at
    }

    fn leave_out(&mut self, fields: u64, room: &mut Room) {
        self.left_out += fields;
        room.leave_out(fields);
    }

    /// Takes in a schema that turned out to be of the same endpoint.
    pub(super) fn absorb(&mut self, other: Self, room: &mut Room, hashing: &Keyed) {
        self.bodies += other.bodies;
        self.left_out += other.left_out;
        room.give(other.taken);
        self.forget(room);
        self.take_nodes(&other.nodes, room, hashing);
        self.find_maps(room, hashing);
    }

    /// Finds its nodes again after it was read, within the limits; gives what it takes.
    pub(super) fn restore(&mut self, hashing: &Keyed) -> usize {
        self.nodes.truncate(MAX_NODES);
        let mut index = Vec::with_capacity(self.nodes.len());
        let (mut bytes, mut at) = (self.nodes.len() * size_of::<(u64, u16)>(), 0);
        for node in &mut self.nodes {
            // A parent comes before its children: whatever walks up ends.
            node.parent = node.parent.min(at);
            let parent = (node.parent != at).then_some(node.parent);
            index.push((place_of(parent, node.step, node.name(), hashing), at));
            bytes += node.bytes();
            at += 1;
        }
        index.sort_unstable();
        self.index = index;
        self.taken = bytes;
        bytes
    }

    /// Every node, to be changed.
    pub(super) fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Gives back what it holds, as it is dropped.
    pub(super) fn leave(&mut self, room: &mut Room) {
        room.give(std::mem::take(&mut self.taken));
    }

    /// Bytes that were taken from the room.
    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.taken
    }

    /// Adds nodes of another tree, or of an older self whose maps were not known for maps.
    fn take_nodes(&mut self, nodes: &[Node], room: &mut Room, hashing: &Keyed) {
        let mut moved: Vec<u16> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let parent = usize::from(node.parent);
            let parent = if parent == index { None } else { moved.get(parent).copied() };
            let at = match parent {
                Some(NOWHERE) => NOWHERE,
                _ => self.find(parent, node.step, node.name(), room, hashing),
            };
            moved.push(at);
            if let Some(known) = self.nodes.get_mut(usize::from(at)) {
                let grown = known.absorb(node);
                self.taken = self.taken.saturating_add_signed(grown);
                room.grew(grown);
            }
        }
    }

    /// Judges which objects are maps; whether nodes were put together.
    fn find_maps(&mut self, room: &mut Room, hashing: &Keyed) -> bool {
        let maps = if self.numbered { Vec::new() } else { super::maps::among(self) };
        if maps.is_empty() {
            return false;
        }
        for at in maps {
            self.nodes.get_mut(at).into_iter().for_each(|node| node.is_map = true);
        }
        let old = std::mem::take(&mut self.nodes);
        self.index.clear();
        self.known.clear();
        room.give(std::mem::take(&mut self.taken));
        self.take_nodes(&old, room, hashing);
        true
    }
}

/// What a node is found by.
fn place_of(parent: Option<u16>, step: Step, name: &str, hashing: &Keyed) -> u64 {
    let mut hash = hashing.build_hasher();
    hash.write_u16(parent.unwrap_or(NOWHERE));
    hash.write_u8(step as u8);
    hash.write(name.as_bytes());
    hash.finish()
}

fn bytes_of(known: &Known) -> usize {
    size_of::<Known>() + known.nodes.len() * size_of::<u16>()
}
