//! Which words below a node are data: those behind which the same thing stands.

use super::compare::Evidence;
use super::node::{Label, NodeId};
use super::words::{self, Look, Standing};
use super::{Change, Templates};

/// Siblings that are compared with each other; of more, some from everywhere among them.
const MAX_COMPARED: usize = 48;
/// How many words are at least data together.
const LINKED: usize = 2;
/// Odds (logarithms) from which words are data: while more calls may come, and when no more will. What was put together
/// stays together.
const LIKELY: f32 = 0.7;
const LIKELY_AT_LAST: f32 = -0.7;
/// What a group of words needs more for each time that its calls are half as many as these.
const HASTE: f32 = 0.3;
const SETTLED_CALLS: u32 = 64;

/// Calls below which a third of the words has to look like values, or answers have to name them: resources and actions of an API come once
/// each at first, too, and may have the same answers.
const FEW_CALLS: u32 = 12;
/// Paths behind both of two words that do not look like values, from which on these are a parameter: so are formats and
/// languages (`/json/orders`), but not two actions.
const PAIR_PLACES: f32 = 3.0;

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
        let siblings =
            Siblings::of(words.into_iter().filter(|word| self.may_be_one_of_many(*word)).collect());
        let data = self.told(at, &siblings, last).unwrap_or_else(|| self.untold(at, &siblings, last));
        self.core(data)
    }

    /// Whether a word may be a value by what it is: formats are, where more follows them (`/json/orders`).
    fn may_be_one_of_many(&self, word: NodeId) -> bool {
        let node = self.node(word);
        node.standing == Standing::Free
            || words::is_format(self.word(word)) && node.slots.is_empty() && node.places() > 0
    }

    /// Of words that are data together, those that look like data or like many of the others. What is left out is judged again
    /// beside them.
    fn core(&self, data: Vec<NodeId>) -> Vec<NodeId> {
        let looks: Vec<Look> = data.iter().map(|word| Look::of(self.word(*word))).collect();
        let like = |look: Look| looks.iter().filter(|other| **other == look).count();
        let belongs = |(word, look): (&NodeId, &Look)| {
            let like = like(*look);
            self.is_like_value(*word) || like * 6 >= data.len() && (like > 1 || data.len() <= 3)
        };
        let core: Vec<NodeId> =
            data.iter().zip(&looks).filter(|pair| belongs(*pair)).map(|(word, _)| *word).collect();
        if core.len() < LINKED { data } else { core }
    }

    /// The words that are values of a parameter beside them. One that had no word for a value takes in what is drawn by lot as
    /// its others are.
    fn joining(&self, words: &[NodeId], parameter: NodeId, last: bool) -> Vec<NodeId> {
        let node = self.node(parameter);
        let likely = if last { LIKELY_AT_LAST } else { LIKELY };
        let joins = |word: &NodeId| {
            (node.is_open() || node.is_drawn() && may_be_drawn(self.word(*word)))
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
        let data: Vec<NodeId> = groups.flat_map(|group| self.data_of(at, group, siblings, last)).collect();
        (!data.is_empty()).then_some(data)
    }

    /// Words that are data by their number and looks: of all, those that nothing tells from most of the others.
    fn untold(&self, at: NodeId, siblings: &Siblings, last: bool) -> Vec<NodeId> {
        let all = &siblings.compared;
        let alike: Vec<NodeId> = all.iter().copied().filter(|word| self.is_untold(*word, all)).collect();
        self.data_of(at, alike, siblings, last)
    }

    /// The words of a group, where they are data; else all but the one that is called most, where these are: among values,
    /// one that has most of the calls is an action or a resource.
    fn data_of(&self, at: NodeId, group: Vec<NodeId>, siblings: &Siblings, last: bool) -> Vec<NodeId> {
        if self.is_data(at, &group, siblings, last) {
            return group;
        }
        let most = group.iter().copied().max_by_key(|word| self.node(*word).hits);
        let rest: Vec<NodeId> = group.into_iter().filter(|word| Some(*word) != most).collect();
        if rest.len() > LINKED && self.is_data(at, &rest, siblings, last) { rest } else { Vec::new() }
    }

    fn is_data(&self, at: NodeId, group: &[NodeId], siblings: &Siblings, last: bool) -> bool {
        if group.len() < LINKED {
            return false;
        }
        let calls: u32 = group.iter().map(|id| self.node(*id).hits).sum();
        let like = group.iter().filter(|word| self.is_like_value(**word)).count();
        if like * 3 < group.len()
            && (calls < FEW_CALLS || group.len() == 2 && self.evidence(group).both < PAIR_PLACES)
        {
            return false;
        }
        let likely = if last { LIKELY_AT_LAST } else { LIKELY };
        self.odds(at, group, siblings) > likely + haste(calls)
    }

    /// Whether a word looks like a value, or an answer named it.
    fn is_like_value(&self, word: NodeId) -> bool {
        self.node(word).echoed || words::is_value_like(self.word(word))
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

fn may_be_drawn(word: &str) -> bool {
    words::has_digits(word) || words::is_opaque(word)
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
