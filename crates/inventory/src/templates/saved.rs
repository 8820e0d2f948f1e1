//! The tries as a checkpoint has them, and how they are put up again.
//!
//! Nodes were written at slightly different moments. So only what a node says of its parent counts; what its parent says of it
//! is nothing but their order.

use super::{Label, MAX_SLOTS, Node, NodeId, Standing, Templates, What};
use crate::state::{Unfit, put_some};

/// Levels below a service that are looked at: as many as segments of a path.
const MAX_DEPTH: usize = 33;

impl Templates {
    /// Writes nodes from that place on; see [`Templates::restore`].
    pub(crate) fn save(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let weight = |node: &&Node| 1 + node.slots.len() + node.words.len() / 8;
        put_some(self.nodes.iter().skip(from), weight, out)
    }

    /// Writes words that turned out to be values.
    pub(crate) fn save_values(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.values.save(from, out)
    }

    /// Takes words that turned out to be values, in the order in which they were written.
    pub(crate) fn load_values(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.values.load(entries)
    }

    /// Writes how often words stand for values.
    pub(crate) fn save_counted(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.favourites.save_counted(from, out)
    }

    /// Writes which values parameters have often.
    pub(crate) fn save_favoured(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.favourites.save_favoured(from, out)
    }

    /// Takes how often words stand for values.
    pub(crate) fn load_counted(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.favourites.load_counted(entries)
    }

    /// Takes which values parameters have often.
    pub(crate) fn load_favoured(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.favourites.load_favoured(entries)
    }

    /// Takes all nodes; those that hang together with a root stay. A root that is none becomes a new one. How many words
    /// and parameters were left out.
    pub(crate) fn restore(&mut self, nodes: Vec<Node>, roots: &mut [NodeId]) -> u64 {
        self.nodes = nodes;
        self.adopt();
        let mut live = vec![false; self.nodes.len()];
        for root in roots.iter_mut() {
            let is_root = self.nodes.get(root.0 as usize).is_some_and(|node| node.label == Label::Root);
            match live.get_mut(root.0 as usize).filter(|taken| is_root && !**taken) {
                Some(taken) => {
                    *taken = true;
                    self.enter(*root, &mut live);
                }
                None => *root = NodeId(u32::MAX),
            }
        }
        let left_out = self.clear(&live);
        for root in roots.iter_mut().filter(|root| root.0 == u32::MAX) {
            *root = self.root();
        }
        left_out
    }

    /// Every node lists exactly those that name it as their parent, the ones that it listed first.
    fn adopt(&mut self) {
        let mut listed = vec![false; self.nodes.len()];
        for at in 0..self.nodes.len() {
            let id = NodeId(u32::try_from(at).unwrap_or(u32::MAX));
            let (mut words, mut parameters) = (Vec::new(), Vec::new());
            if let Some(node) = self.nodes.get_mut(at) {
                (words, parameters) = (std::mem::take(&mut node.words), std::mem::take(&mut node.parameters));
                node.slots.truncate(MAX_SLOTS);
            }
            words.into_iter().chain(parameters).for_each(|child| self.list(id, child, &mut listed));
        }
        for at in 0..self.nodes.len() {
            let child = NodeId(u32::try_from(at).unwrap_or(u32::MAX));
            let parent = self.node(child).parent;
            self.list(parent, child, &mut listed);
        }
    }

    fn list(&mut self, parent: NodeId, child: NodeId, listed: &mut [bool]) {
        let Some(known) = listed.get_mut(child.0 as usize) else { return };
        let node = self.node(child);
        if *known || node.parent != parent || node.label == Label::Root {
            return;
        }
        let is_word = matches!(node.label, Label::Word(_));
        let Some(parent) = self.nodes.get_mut(parent.0 as usize) else { return };
        *known = true;
        let list = if is_word { &mut parent.words } else { &mut parent.parameters };
        list.push(child);
    }

    /// Enters what lies below a root, level by level. A word that is there already is no second one.
    fn enter(&mut self, root: NodeId, live: &mut [bool]) {
        let mut level = vec![root];
        for depth in 0..=MAX_DEPTH {
            let mut next = Vec::new();
            for at in level {
                let node = self.node_mut(at);
                let (words, parameters) =
                    (std::mem::take(&mut node.words), std::mem::take(&mut node.parameters));
                if depth == MAX_DEPTH {
                    continue;
                }
                let words: Vec<_> = words.into_iter().filter(|word| self.enter_word(at, *word)).collect();
                next.extend(words.iter().chain(&parameters).copied());
                let node = self.node_mut(at);
                (node.words, node.parameters) = (words, parameters);
            }
            for id in &next {
                live.get_mut(id.0 as usize).into_iter().for_each(|live| *live = true);
            }
            level = next;
        }
    }

    fn enter_word(&mut self, at: NodeId, word: NodeId) -> bool {
        let Label::Word(text) = &self.node(word).label else { return false };
        let key = self.key(at, text.as_bytes());
        let new = !self.children.contains_key(&key);
        if new {
            self.children.insert(key, word);
        }
        new
    }

    /// Frees what is not live.
    fn clear(&mut self, live: &[bool]) -> u64 {
        let mut left_out = 0;
        for (at, _) in live.iter().enumerate().rev().filter(|(_, live)| !**live) {
            let id = NodeId(u32::try_from(at).unwrap_or(u32::MAX));
            let node = self.node_mut(id);
            left_out += u64::from(node.label != Label::Root);
            *node = Node::new(Label::Root, NodeId::default(), Standing::Fixed);
            self.free.push(id);
        }
        left_out
    }

    /// What is called at and below a root, with the endpoints as they are counted.
    pub(crate) fn called_below(&self, root: NodeId) -> Vec<(NodeId, What, u32)> {
        let (mut all, mut next) = (Vec::new(), vec![root]);
        while let Some(at) = next.pop() {
            let node = self.node(at);
            let what = |slot: &super::Slot| What { method: slot.method, operation: slot.operation };
            all.extend(node.slots.iter().map(|slot| (at, what(slot), slot.endpoint)));
            next.extend(node.words.iter().chain(&node.parameters));
        }
        all
    }

    /// Forgets what is called at a node.
    pub(crate) fn remove(&mut self, at: NodeId, what: What) {
        let other = |slot: &super::Slot| slot.method != what.method || slot.operation != what.operation;
        self.node_mut(at).slots.retain(other);
    }
}
