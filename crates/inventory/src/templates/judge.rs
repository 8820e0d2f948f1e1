//! Which words below a node are data: those behind which the same thing stands.

use super::compare::Evidence;
use super::node::{Label, NodeId};
use super::words::{self, Standing};
use super::{Change, Templates};

/// Siblings that are compared with each other; of more, some from everywhere among them.
const MAX_COMPARED: usize = 48;
/// How many words are at least data together.
const LINKED: usize = 3;
/// Odds (logarithms) from which words are data: while more calls may come, and when no more will. What was put together
/// stays together.
const LIKELY: f32 = 2.0;
const LIKELY_AT_LAST: f32 = 0.5;
/// What a group of words needs more, while more calls may come, for each time that its calls are half as many as these.
const HASTE: f32 = 0.3;
const SETTLED_CALLS: u32 = 64;

/// Calls that words have to have where answers do not tell, while more may come: verbs come once each at first, too.
const UNTOLD_CALLS: u32 = 12;

impl Templates {
    /// Judges the words on the way to a node, from the root down.
    pub(crate) fn judge_way(&mut self, at: NodeId, changes: &mut Vec<Change>) {
        let mut way = vec![at];
        let mut next = at;
        while self.node(next).label != Label::Root && way.len() < 64 {
            next = self.node(next).parent;
            way.push(next);
        }
        for id in way.into_iter().rev() {
            let node = self.node(id);
            if node.hits >= node.look && self.judge(id, false, changes) {
                // Nodes below may be gone.
                return;
            }
        }
    }

    /// Judges the words of every node at and below one; `last` says that no more calls will come.
    pub(crate) fn judge_below(&mut self, at: NodeId, last: bool, changes: &mut Vec<Change>) {
        self.judge(at, last, changes);
        let node = self.node(at);
        let children: Vec<NodeId> = node.words.iter().chain(&node.parameters).copied().collect();
        for child in children {
            if self.node(child).parent == at && child != at {
                self.judge_below(child, last, changes);
            }
        }
    }

    /// Judges the words of one node. Returns whether some of them became a parameter.
    fn judge(&mut self, at: NodeId, last: bool, changes: &mut Vec<Change>) -> bool {
        let node = self.node_mut(at);
        node.look = node.hits.saturating_add(node.hits / 3).saturating_add(1);
        if node.words.is_empty() || node.parameters.is_empty() && node.words.len() < LINKED {
            return false;
        }
        let mut endings: Vec<&str> =
            self.node(at).words.iter().map(|word| self.node(*word).ending()).collect();
        endings.sort_unstable();
        endings.dedup();
        let endings: Vec<String> = endings.into_iter().map(str::to_owned).collect();
        let mut merged = false;
        for ending in endings {
            let data = self.data(at, &ending, last);
            if !data.is_empty() {
                self.merge_words(at, &data, last, changes);
                merged = true;
            }
        }
        merged
    }

    /// The words of a node with that ending that are data.
    fn data(&self, at: NodeId, ending: &str, last: bool) -> Vec<NodeId> {
        let may_be = |word: &&NodeId| {
            let word = self.node(**word);
            word.standing != Standing::Fixed && word.ending() == ending
        };
        let words: Vec<NodeId> = self.node(at).words.iter().filter(may_be).copied().collect();
        if let Some(parameter) = self.parameter(at, ending) {
            let joining = self.joining(&words, parameter, last);
            if self.node(parameter).is_open() || !joining.is_empty() {
                return joining;
            }
        }
        let free = words.into_iter().filter(|word| self.node(*word).standing == Standing::Free);
        let siblings = Siblings::of(free.collect());
        self.told(at, &siblings, last).unwrap_or_else(|| self.untold(at, &siblings, last))
    }

    /// The words that are values of a parameter beside them. One that had no word for a value takes in what is drawn by lot as
    /// its others are.
    fn joining(&self, words: &[NodeId], parameter: NodeId, last: bool) -> Vec<NodeId> {
        let node = self.node(parameter);
        let likely = if last { LIKELY_AT_LAST } else { LIKELY };
        let joins = |word: &NodeId| {
            (node.is_open() || node.is_drawn() && words::is_opaque(self.word(*word)))
                && self.has_same_traffic(*word, parameter)
                && self.odds_to_join(*word, parameter) > likely
        };
        words.iter().copied().filter(joins).collect()
    }

    /// Whether a word's methods and classes of status are those of the parameter, where it is reserved.
    fn has_same_traffic(&self, word: NodeId, parameter: NodeId) -> bool {
        let (word, parameter) = (self.node(word), self.node(parameter));
        word.standing == Standing::Free
            || word.slots.len() == parameter.slots.len()
                && word.slots.iter().all(|slot| {
                    let other = parameter.slot(slot.method, slot.operation);
                    other.is_some_and(|other| other.answers.classes() == slot.answers.classes())
                })
    }

    /// Words that are data by what is answered to them.
    fn told(&self, at: NodeId, siblings: &Siblings, last: bool) -> Option<Vec<NodeId>> {
        let groups = self.groups(&siblings.compared).into_iter();
        let data: Vec<NodeId> =
            groups.filter(|group| self.is_data(at, group, siblings, last)).flatten().collect();
        (!data.is_empty()).then_some(data)
    }

    /// Words that are data by their number and looks: of all, those that nothing tells from most of the others.
    fn untold(&self, at: NodeId, siblings: &Siblings, last: bool) -> Vec<NodeId> {
        let all = &siblings.compared;
        let calls: u32 = all.iter().map(|id| self.node(*id).hits).sum();
        if !last && calls < UNTOLD_CALLS {
            return Vec::new();
        }
        let alike: Vec<NodeId> = all.iter().copied().filter(|word| self.is_untold(*word, all)).collect();
        if self.is_data(at, &alike, siblings, last) { alike } else { Vec::new() }
    }

    fn is_data(&self, at: NodeId, group: &[NodeId], siblings: &Siblings, last: bool) -> bool {
        if group.len() < LINKED {
            return false;
        }
        let calls: u32 = group.iter().map(|id| self.node(*id).hits).sum();
        let likely = if last { LIKELY_AT_LAST } else { LIKELY + haste(calls) };
        self.odds(at, group, siblings) > likely
    }

    /// Whether nothing tells a word from most of its siblings.
    fn is_untold(&self, word: NodeId, siblings: &[NodeId]) -> bool {
        let others = siblings.iter().filter(|other| **other != word).take(9);
        let against = others.clone().filter(|other| self.compare(word, **other).conflict > 0.0).count();
        against * 2 < others.count()
    }

    /// Groups of words that are linked with each other.
    fn groups(&self, words: &[NodeId]) -> Vec<Vec<NodeId>> {
        let mut groups: Vec<Vec<NodeId>> = Vec::new();
        for word in words {
            let linked = |group: &Vec<NodeId>| self.links(*word, group);
            match groups.iter_mut().find(|group| linked(group)) {
                Some(group) => group.push(*word),
                None => groups.push(vec![*word]),
            }
        }
        groups
    }

    /// Whether a word is linked with a group: with most of its first members.
    fn links(&self, word: NodeId, group: &[NodeId]) -> bool {
        let compared = group.iter().take(5);
        let linked = compared.clone().filter(|member| self.is_linked(word, **member)).count();
        linked * 2 > compared.len()
    }

    fn is_linked(&self, one: NodeId, other: NodeId) -> bool {
        let evidence = self.compare(one, other);
        let is_value_like = |id| words::is_value_like(self.word(id));
        let weak = if is_value_like(one) && is_value_like(other) { 1.0 } else { 0.2 };
        evidence.agree + f32::min(weak * evidence.weak, 0.5) - 1.5 * evidence.conflict >= Evidence::LINK
    }
}

/// Words below one node that may be data.
pub(super) struct Siblings {
    /// Some of them, spread over all.
    pub(super) compared: Vec<NodeId>,
    /// How many there are.
    pub(super) all: usize,
}

impl Siblings {
    fn of(words: Vec<NodeId>) -> Self {
        let step = words.len().div_ceil(MAX_COMPARED).max(1);
        Self { all: words.len(), compared: words.into_iter().step_by(step).collect() }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a count of calls, of which the order of magnitude is asked")]
fn haste(calls: u32) -> f32 {
    HASTE * f32::max(0.0, (SETTLED_CALLS as f32).log2() - (calls.max(1) as f32).log2())
}
